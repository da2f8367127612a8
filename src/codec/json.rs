//! JSON as text: a strict scanner (RFC 8259) and what cuts pieces out of scanned text. It comes before any JSON library
//! sees what a peer sent: one pass, no allocation, no recursion, depth at most `budget::JSON_DEPTH`.

pub(crate) use super::object::name;
pub use super::object::{Name, Object, write_string};
pub use super::rows::{IdScan, Rows, rows};
use super::{Malformed, rows::element_end};
use crate::budget;
use std::borrow::Cow;

/// Whether the whole text is exactly one JSON value, space around it allowed.
///
/// # Errors
/// What is wrong with it: its grammar, or its depth.
pub fn scan(text: &str) -> Result<(), Malformed> {
    let bytes = text.as_bytes();
    let end = value_end(bytes, skip_space(bytes, 0), budget::JSON_DEPTH)?;
    if skip_space(bytes, end) == bytes.len() { Ok(()) } else { Err(Malformed("text after the JSON value")) }
}

/// The elements of a scanned array, as they are written. Text that is not an array has none.
pub fn elements(array: &str) -> impl Iterator<Item = &str> {
    pieces(array, b'[')
}

/// The top-level members of a scanned object: the name, and the value as it is written.
pub fn members(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    literal_members(object).filter_map(|(name, value)| Some((string(name)?, value)))
}

/// The same with names as they are written, quotes included.
fn literal_members(object: &str) -> impl Iterator<Item = (&str, &str)> {
    pieces(object, b'{').filter_map(|piece| {
        let bytes = piece.as_bytes();
        let end = literal_end(bytes)?;
        let colon = skip_space(bytes, end);
        (bytes.get(colon) == Some(&b':')).then_some(())?;
        Some((piece.get(..end)?, piece.get(skip_space(bytes, colon + 1)..)?))
    })
}

/// Scans a text as [`scan`] does, and hands on the top-level members of its object, names and values as they are written, in
/// the same pass. Of another value there are none. What was handed on before an error counts for nothing.
///
/// # Errors
/// As [`scan`].
pub fn scan_members<'a>(text: &'a str, mut each: impl FnMut(&'a str, &'a str)) -> Result<(), Malformed> {
    let bytes = text.as_bytes();
    let begin = skip_space(bytes, 0);
    if bytes.get(begin) != Some(&b'{') {
        return scan(text);
    }
    let mut at = skip_space(bytes, begin + 1);
    let mut more = bytes.get(at) != Some(&b'}');
    while more {
        let name = string_end(bytes, at)?;
        let from = colon_end(bytes, name)?;
        let end = value_end(bytes, from, budget::JSON_DEPTH - 1)?;
        if let (Some(name), Some(value)) = (text.get(at..name), text.get(from..end)) {
            each(name, value);
        }
        at = skip_space(bytes, end);
        more = match bytes.get(at) {
            Some(b',') => true,
            Some(b'}') => false,
            None => return Err(Malformed("JSON that ends too early")),
            Some(_) => return Err(Malformed("a comma or a closing bracket is missing in JSON")),
        };
        if more {
            at = skip_space(bytes, at + 1);
        }
    }
    if skip_space(bytes, at + 1) == bytes.len() { Ok(()) } else { Err(Malformed("text after the JSON value")) }
}

/// The value of a top-level member of a scanned object, as it is written; of members with one name the last.
#[must_use]
pub fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    literal_members(object).filter(|(name, _)| is_literal_of(name, key)).map(|(_, value)| value).last()
}

/// Whether a string literal's text is this one; most have nothing escaped.
fn is_literal_of(literal: &str, text: &str) -> bool {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if inner.contains('\\') { string(literal).as_deref() == Some(text) } else { inner == text }
}

/// The text of a JSON string literal (its quotes included); borrowed where nothing is escaped. Half a surrogate pair, which
/// JavaScript writes where a text was cut inside a character, becomes U+FFFD. `None`: it is not a string literal.
#[must_use]
pub fn string(raw: &str) -> Option<Cow<'_, str>> {
    let bytes = raw.as_bytes();
    let first = plain_end(bytes, 1);
    // most have nothing escaped
    if let (Some(b'"'), Some([b'"'])) = (bytes.first(), bytes.get(first..)) {
        return raw.get(1..first).map(Cow::Borrowed);
    }
    if string_end(bytes, 0) != Ok(raw.len()) {
        return None;
    }
    let mut out = String::with_capacity(raw.len());
    out.push_str(raw.get(1..first)?);
    let mut rest = raw.get(first..)?.strip_suffix('"')?;
    while let Some(escaped) = rest.strip_prefix('\\') {
        rest = unescape(escaped, &mut out)?;
        let plain = rest.find('\\').unwrap_or(rest.len());
        let (text, next) = rest.split_at_checked(plain)?;
        out.push_str(text);
        rest = next;
    }
    Some(Cow::Owned(out))
}

/// Top-level pieces between the bracket that opens and the one that closes, cut at commas.
fn pieces(text: &str, open: u8) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, 0);
    let mut more = bytes.get(at) == Some(&open);
    std::iter::from_fn(move || {
        if !more {
            return None;
        }
        let from = skip_space(bytes, at + 1);
        at = element_end(bytes, from)?;
        more = bytes.get(at) == Some(&b',');
        text.get(from..space_begin(bytes, from, at)).filter(|piece| !piece.is_empty())
    })
}

/// Reads one escape behind its backslash and gives what follows it.
fn unescape<'a>(escaped: &'a str, out: &mut String) -> Option<&'a str> {
    let mut rest = escaped.chars();
    match rest.next()? {
        'b' => out.push('\u{8}'),
        'f' => out.push('\u{c}'),
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        'u' => {
            let (digits, after) = rest.as_str().split_at_checked(4)?;
            let unit = u32::from_str_radix(digits, 16).ok()?;
            return Some(match low_surrogate(unit, after) {
                Some((c, after)) => {
                    out.push(c);
                    after
                }
                None => {
                    out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
                    after
                }
            });
        }
        c => out.push(c),
    }
    Some(rest.as_str())
}

/// The character of a surrogate pair, where `high` begins one and its other half follows.
fn low_surrogate(high: u32, after: &str) -> Option<(char, &str)> {
    if !(0xD800..0xDC00).contains(&high) {
        return None;
    }
    let (digits, after) = after.strip_prefix("\\u")?.split_at_checked(4)?;
    let low = u32::from_str_radix(digits, 16).ok().filter(|low| (0xDC00..0xE000).contains(low))?;
    char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).map(|c| (c, after))
}

/// Where the string literal that begins a text ends; for text that was scanned.
fn literal_end(bytes: &[u8]) -> Option<usize> {
    string_end(bytes, 0).ok()
}

/// Behind what RFC 8259 calls whitespace.
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|byte| is_space(*byte)) {
        at += 1;
    }
    at
}

/// Where the whitespace at the end of `from..end` begins.
fn space_begin(bytes: &[u8], from: usize, mut end: usize) -> usize {
    while end > from && bytes.get(end - 1).is_some_and(|byte| is_space(*byte)) {
        end -= 1;
    }
    end
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where the value that begins at `at` ends. A bit for each open container says whether it is an object.
pub(super) fn value_end(bytes: &[u8], mut at: usize, depth_max: usize) -> Result<usize, Malformed> {
    let (mut objects, mut depth) = (0u64, 0usize);
    loop {
        // a value is due
        let open = bytes.get(at).copied().ok_or(Malformed("JSON that ends too early"))?;
        if open == b'{' || open == b'[' {
            if depth >= depth_max.min(64) {
                return Err(Malformed("JSON that is nested too deep"));
            }
            depth += 1;
            objects = objects << 1 | u64::from(open == b'{');
            at = skip_space(bytes, at + 1);
            if bytes.get(at) != Some(if open == b'{' { &b'}' } else { &b']' }) {
                if open == b'{' {
                    at = key_end(bytes, at)?;
                }
                continue;
            }
        } else {
            at = scalar_end(bytes, at)?;
            if depth == 0 {
                return Ok(at);
            }
            at = skip_space(bytes, at);
        }
        // a value is over: its container goes on or is over too
        loop {
            match (bytes.get(at), objects & 1 == 1) {
                (Some(b','), true) => {
                    at = key_end(bytes, skip_space(bytes, at + 1))?;
                    break;
                }
                (Some(b','), false) => {
                    at = skip_space(bytes, at + 1);
                    break;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    (depth, objects, at) = (depth - 1, objects >> 1, at + 1);
                    if depth == 0 {
                        return Ok(at);
                    }
                    at = skip_space(bytes, at);
                }
                (None, _) => return Err(Malformed("JSON that ends too early")),
                (Some(_), _) => return Err(Malformed("a comma or a closing bracket is missing in JSON")),
            }
        }
    }
}

/// Behind a member's name, its colon and the space after it.
fn key_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    colon_end(bytes, string_end(bytes, at)?)
}

/// The same, from where the name ends.
fn colon_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let at = skip_space(bytes, at);
    if bytes.get(at) == Some(&b':') {
        Ok(skip_space(bytes, at + 1))
    } else {
        Err(Malformed("a colon is missing in JSON"))
    }
}

fn scalar_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let word = |word: &[u8]| match bytes.get(at..).is_some_and(|rest| rest.starts_with(word)) {
        true => Ok(at + word.len()),
        false => Err(Malformed("an unknown word in JSON")),
    };
    match bytes.get(at) {
        Some(b'"') => string_end(bytes, at),
        Some(b't') => word(b"true"),
        Some(b'f') => word(b"false"),
        Some(b'n') => word(b"null"),
        Some(b'-' | b'0'..=b'9') => number_end(bytes, at),
        _ => Err(Malformed("a value is missing in JSON")),
    }
}

fn string_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    if bytes.get(at) != Some(&b'"') {
        return Err(Malformed("a string is missing in JSON"));
    }
    let mut at = plain_end(bytes, at + 1);
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => match bytes.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') if bytes.get(at + 2..at + 6).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) => at += 6,
                _ => return Err(Malformed("a bad escape in a JSON string")),
            },
            Some(_) => return Err(Malformed("a control character in a JSON string")),
            None => return Err(Malformed("a JSON string that does not end")),
        }
        at = plain_end(bytes, at);
    }
}

/// Where the first byte from `at` on stands that is not plain in a string: a quote, a backslash or a control character; where
/// none is, the end. They are looked at eight at a time.
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    /// Each byte of a word is 1; with a factor, each is that.
    const EACH: u64 = u64::MAX / 0xff;
    const HIGH_BITS: u64 = EACH * 0x80;
    /// The high bit of the lowest byte of the word that is less than `bound` (0x80 at most), and perhaps of bytes above it.
    fn less(word: u64, bound: u64) -> u64 {
        word.wrapping_sub(EACH * bound) & !word & HIGH_BITS
    }
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(eight);
        let (quote, backslash) = (word ^ (EACH * u64::from(b'"')), word ^ (EACH * u64::from(b'\\')));
        let special = less(word, 0x20) | less(quote, 1) | less(backslash, 1);
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
        at += 1;
    }
    at
}

fn number_end(bytes: &[u8], mut at: usize) -> Result<usize, Malformed> {
    const BAD: Malformed = Malformed("a bad number in JSON");
    let digits = |from: usize| {
        let count = bytes.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 { Err(BAD) } else { Ok(from + count) }
    };
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits(at)?;
    }
    Ok(at)
}
