//! When a certificate ends (RFC 5280, section 4.1.2.5). rustls has checked it before; this only reads the date.

use crate::moment::instant;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate in DER, in milliseconds since 1970; nothing where it cannot be read.
#[must_use]
pub fn not_after(der: &[u8]) -> Option<u64> {
    let (certificate, _) = inside(der, SEQUENCE)?;
    let (mut rest, _) = inside(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // serial number, signature algorithm, issuer
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (validity, _) = inside(rest, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    let text = std::str::from_utf8(time).ok()?;
    let (year, rest) = match tag {
        // two digits: 1950 to 2049
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            (if year.parse::<u8>().ok()? < 50 { format!("20{year}") } else { format!("19{year}") }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    let part = |from: usize| rest.get(from..from + 2);
    let [month, day, hour, minute, second] = [part(0)?, part(2)?, part(4)?, part(6)?, part(8)?];
    instant(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// What stands in the first element, which must be of this kind, and what follows it.
fn inside(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, inside, rest) = element(der)?;
    (found == tag).then_some((inside, rest))
}

/// The first element: its tag, what stands in it, what follows it. Lengths of up to four bytes.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7F);
        if count == 0 || count > 4 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(count)?;
        (bytes.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (inside, rest) = rest.split_at_checked(length)?;
    Some((tag, inside, rest))
}
