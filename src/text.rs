//! Text of peers and for peers: how it reaches a log, how a long reply is split, how ids become keys, who is mentioned.

mod split;

pub use split::split_reply;

use std::fmt::{self, Display, Formatter, Write};

/// Peer text on its way to a log or a status, the only way there: one line, at most 80 bytes, what could steer a terminal
/// or mislead an eye escaped.
#[derive(Clone, Copy, Debug)]
pub struct Clipped<'a>(pub &'a str);

/// The same with another bound.
#[derive(Clone, Copy, Debug)]
pub struct ClippedTo<'a> {
    text: &'a str,
    max_bytes: usize,
}

const CLIPPED_BYTES: usize = 80;

impl<'a> Clipped<'a> {
    /// At most so many bytes as printed, the `…` of a cut included.
    #[must_use]
    pub fn to(text: &'a str, max_bytes: usize) -> ClippedTo<'a> {
        ClippedTo { text, max_bytes }
    }
}

impl Display for Clipped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Clipped::to(self.0, CLIPPED_BYTES).fmt(f)
    }
}

impl Display for ClippedTo<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // most text needs no look at each character
        if self.text.len() <= self.max_bytes && self.text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return f.write_str(self.text);
        }
        let (mut used, mut fits) = (0, 0);
        for (at, c) in self.text.char_indices() {
            if used + '…'.len_utf8() <= self.max_bytes {
                fits = at;
            }
            used += printed_bytes(c);
            if used > self.max_bytes {
                self.text.chars().take_while(within(fits)).try_for_each(|c| print(c, f))?;
                return f.write_char('…');
            }
        }
        self.text.chars().try_for_each(|c| print(c, f))
    }
}

/// Text of others on one line, as [`Clipped`] escapes it, however long it is.
#[must_use]
pub fn plain(text: &str) -> String {
    Clipped::to(text, usize::MAX).to_string()
}

/// JSON of the same value in which what [`Clipped`] escapes is written `\uXXXX`. What is below a space stands raw only
/// between its parts, and stays.
#[must_use]
pub fn plain_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c < ' ' || !hidden(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out += &format!("\\u{unit:04x}");
        }
    }
    out
}

/// True for the characters of a text's first so many bytes.
fn within(bytes: usize) -> impl FnMut(&char) -> bool {
    let mut at = 0;
    move |c| {
        let inside = at < bytes;
        at += c.len_utf8();
        inside
    }
}

fn print(c: char, f: &mut Formatter<'_>) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c if hidden(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
        c => f.write_char(c),
    }
}

fn printed_bytes(c: char) -> usize {
    match c {
        '\n' | '\r' | '\t' => 2,
        c if hidden(c) => 4 + (u32::from(c).max(1).ilog2() / 4 + 1) as usize,
        c => c.len_utf8(),
    }
}

/// Controls, line separators, marks of annotation, and what shows nothing: Unicode's `Default_Ignorable_Code_Point`
/// (DerivedCoreProperties.txt), but for the variation selectors U+FE00 and U+E0100, which emoji and ideographs need.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}'
            | '\u{e01f0}'..='\u{e0fff}')
}

/// Longest key of a conversation (CONTRACT section 2).
const KEY_BYTES: usize = 128;
/// Characters of a hash as text: 130 bits.
const HASH_CHARS: usize = 26;
/// Of five bits.
const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// `guild.channel` or `guild.channel.thread`, `[A-Za-z0-9._-]{1,128}`. Where the ids do not fit, or could be read as
/// others (a dot in the channel's id, an end like a hash), a readable prefix and a hash: two places never share a key.
#[must_use]
pub fn conversation_key(guild: &str, channel: &str, thread: Option<&str>) -> String {
    let clean = |id: &str| !id.is_empty() && id.chars().all(safe);
    let length = guild.len() + 1 + channel.len() + thread.map_or(0, |thread| 1 + thread.len());
    let mut key = String::with_capacity(length);
    for (at, part) in [Some(guild), Some(channel), thread].into_iter().flatten().enumerate() {
        if at > 0 {
            key.push('.');
        }
        key.push_str(part);
    }
    let plain = [guild, channel].iter().all(|id| clean(id) && !id.contains('.')) && thread.is_none_or(clean);
    if plain && key.len() <= KEY_BYTES && !ends_like_hash(&key) {
        return key;
    }
    let mut prefix: String =
        key.chars().map(|c| if safe(c) { c } else { '_' }).take(KEY_BYTES - HASH_CHARS - 1).collect();
    prefix.push('-');
    match thread {
        None => hash_id(&prefix, &[guild, channel]),
        Some(thread) => hash_id(&prefix, &[guild, channel, thread]),
    }
}

/// The prefix, and 26 characters (`0-9a-v`) of the SHA-256 of the parts: other parts, or the same cut otherwise, give
/// another id.
#[must_use]
pub fn hash_id(prefix: &str, parts: &[&str]) -> String {
    let mut context = ::ring::digest::Context::new(&::ring::digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let digest = context.finish();
    let byte = |at: usize| digest.as_ref().get(at).map_or(0, |byte| u32::from(*byte));
    // five bits stand in one byte or across two
    let five = |bit: usize| (byte(bit / 8) << 8 | byte(bit / 8 + 1)) >> (11 - bit % 8) & 31;
    let digits: [u8; HASH_CHARS] =
        std::array::from_fn(|n| DIGITS.get(five(5 * n) as usize).map_or(b'0', |digit| *digit));
    [prefix, std::str::from_utf8(&digits).unwrap_or_default()].concat()
}

fn safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn ends_like_hash(key: &str) -> bool {
    key.rsplit_once('-').is_some_and(|(_, end)| end.len() == HASH_CHARS && end.chars().all(|c| c.is_digit(32)))
}

/// Whether the text has `@` and one of the names as a whole word, in any case (CONTRACT section 1). A word goes on over a
/// letter, digit or `_`, and over a `-` or `.` with one behind it.
#[must_use]
pub fn names_agent(text: &str, names: &[&str]) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let behind = text.get(at + 1..).unwrap_or_default();
        !before.is_some_and(wordy) && names.iter().any(|name| begins_with_name(behind, name))
    })
}

fn begins_with_name(text: &str, name: &str) -> bool {
    let Some(last) = name.chars().next_back() else { return false };
    let mut rest = text.chars();
    let mut wanted = name.chars().flat_map(char::to_lowercase).peekable();
    while wanted.peek().is_some() {
        let Some(c) = rest.next() else { return false };
        if c.to_lowercase().any(|c| wanted.next() != Some(c)) {
            return false;
        }
    }
    let goes_on = |c: char| wordy(c) && !(last.is_ascii() && spaceless(c));
    match rest.next() {
        None => true,
        Some('-' | '.') => !rest.next().is_some_and(goes_on),
        Some(c) => !goes_on(c),
    }
}

fn wordy(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Letters of scripts that put no space between words: behind a name in Latin letters they begin another word.
fn spaceless(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}
