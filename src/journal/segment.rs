//! The files of a log: their names, and what each begins with.

use crc::{CRC_32_ISO_HDLC, Crc, Table};

/// CRC-32 as zip and PNG have it. Its table is 1 kB, a byte at a time: a message writes a handful of records of some hundred
/// bytes, which ask for no more.
pub(super) const SUM: &Crc<u32, Table<1>> = &Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// What every file of a journal begins with; the version follows, up to a line's end.
pub(super) const NAME: &[u8] = b"guild-bridge journal ";
/// What a file of this version begins with.
const MAGIC: &[u8] = b"guild-bridge journal 2\n";
/// What the one file of version 1 begins with: records without numbers follow.
pub(super) const OLD_HEADER: &[u8] = b"guild-bridge journal 1\n";
/// The one file of version 1.
pub(super) const OLD_NAME: &str = "journal";
/// A base is written here before it is renamed.
pub(super) const NEW_NAME: &str = "journal.new";
/// Bytes of a header.
pub const HEADER_BYTES: usize = MAGIC.len() + 8 + 4 + 4;

/// What a file begins with: the name and version, `first u64 | base u32 | crc32 u32`. `base` is 0, or one more than the
/// base's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The number of its first record.
    pub first: u64,
    /// So many bytes behind the header are the base; none: it goes on where the file before it ends.
    pub base_bytes: Option<u32>,
}

/// Why a file has no header of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// It was not written whole.
    Torn,
    /// It is of another version, or no journal.
    Foreign(&'static str),
}

impl Header {
    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let (head, sum) = bytes.split_at_mut(HEADER_BYTES - 4);
        let base = self.base_bytes.map_or(0, |bytes| bytes.saturating_add(1));
        let fields = self.first.to_le_bytes().into_iter().chain(base.to_le_bytes());
        head.iter_mut().zip(MAGIC.iter().copied().chain(fields)).for_each(|(place, byte)| *place = byte);
        sum.copy_from_slice(&SUM.checksum(head).to_le_bytes());
        bytes
    }

    /// The header that a file begins with.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NoHeader> {
        let Some((header, _)) = bytes.split_at_checked(HEADER_BYTES) else {
            let torn = MAGIC.starts_with(bytes) || bytes.starts_with(MAGIC) || bytes.iter().all(|byte| *byte == 0);
            return Err(if torn { NoHeader::Torn } else { NoHeader::Foreign(foreign(bytes)) });
        };
        let fields = header.strip_prefix(MAGIC).and_then(|fields| fields.split_first_chunk::<8>());
        let Some((first, rest)) = fields else {
            // a file that was given its length and not its content, as a power cut leaves it
            let empty = header.iter().all(|byte| *byte == 0);
            return Err(if empty { NoHeader::Torn } else { NoHeader::Foreign(foreign(bytes)) });
        };
        let &[a, b, c, d, ref sum @ ..] = rest else { return Err(NoHeader::Torn) };
        let header =
            Self { first: u64::from_le_bytes(*first), base_bytes: u32::from_le_bytes([a, b, c, d]).checked_sub(1) };
        if header.bytes().ends_with(sum) { Ok(header) } else { Err(NoHeader::Torn) }
    }
}

fn foreign(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(NAME) { "it is of another version of this program" } else { "it is not a journal" }
}

/// The name of the segment with this number.
#[must_use]
pub fn name(number: u64) -> String {
    format!("journal.{number:06}")
}

/// The number of the segment with this name.
pub(super) fn number(of: &str) -> Option<u64> {
    let digits = of.strip_prefix("journal.")?;
    // so many digits never overflow
    let plain = (6..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse().ok())?;
    number.filter(|number| name(*number) == of)
}

/// Whether a file of this name is read at the start.
#[must_use]
pub fn is_of_a_log(name: &str) -> bool {
    name == OLD_NAME || number(name).is_some()
}

/// Whether a file of this name was set aside.
#[must_use]
pub fn is_set_aside(name: &str) -> bool {
    set_aside_at(name).is_some()
}

/// What a file is called that was set aside at this second.
pub(super) fn aside(name: &str, wall_s: u64) -> String {
    format!("{name}.bad-{wall_s}")
}

/// When a file was set aside, if it was.
pub(super) fn set_aside_at(name: &str) -> Option<u64> {
    name.strip_prefix("journal")?.rsplit_once(".bad-")?.1.parse().ok()
}
