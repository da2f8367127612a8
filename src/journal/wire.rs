//! Records as bytes, and back.

use super::segment::SUM;
use super::{Letter, Noted, Post, Record};
use crate::budget;
use crate::reason::Reason;

/// Length and kind, the lower half of the number, CRC.
pub(super) const HEAD_BYTES: usize = 12;
const CURSOR: u8 = 1;
const TURN: u8 = 2;
const POST: u8 = 3;
const POSTED: u8 = 4;
const FORGET: u8 = 5;
const LETTER: u8 = 6;
const GAP: u8 = 7;

/// What a log takes: a record as a value, or as bytes that were packed.
pub trait Entry {
    /// Bytes that it takes.
    fn size(&self) -> usize;
    /// Appends it under its number.
    fn write(&self, seq: u64, out: &mut Vec<u8>);
}

impl Entry for Record {
    fn size(&self) -> usize {
        size(self)
    }

    fn write(&self, seq: u64, out: &mut Vec<u8>) {
        encode(self, seq, out);
    }
}

impl Entry for &Record {
    fn size(&self) -> usize {
        size(self)
    }

    fn write(&self, seq: u64, out: &mut Vec<u8>) {
        encode(self, seq, out);
    }
}

/// One record's bytes, without number and CRC.
#[derive(Clone, Copy, Debug)]
pub struct Bare<'a>(&'a [u8]);

impl Entry for Bare<'_> {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn write(&self, seq: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(self.0);
        seal(seq, out.get_mut(start..).unwrap_or_default());
    }
}

/// Appends a record under its number. One of more than `budget::JOURNAL_RECORD_BYTES` (see [`size`]) would not be read
/// again.
pub fn encode(record: &Record, seq: u64, out: &mut Vec<u8>) {
    let start = out.len();
    encode_bare(record, out);
    seal(seq, out.get_mut(start..).unwrap_or_default());
}

/// Writes its number and its CRC into a record's head.
fn seal(seq: u64, record: &mut [u8]) {
    let Some((head, payload)) = record.split_first_chunk_mut::<HEAD_BYTES>() else { return };
    let (&mut [a, b, c, kind, ..], [n0, n1, n2, n3]) = (&mut *head, low(seq).to_le_bytes());
    let [s0, s1, s2, s3] = crc(seq, [a, b, c, kind], payload).to_le_bytes();
    *head = [a, b, c, kind, n0, n1, n2, n3, s0, s1, s2, s3];
}

/// Appends a record without number and CRC.
pub(super) fn encode_bare(record: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    let kind = match record {
        Record::Cursor { link, channel, before, id, at_ms } => {
            put(link, out);
            put(channel, out);
            put_option(before.as_deref(), out);
            put_option(id.as_deref(), out);
            out.extend_from_slice(&at_ms.to_le_bytes());
            CURSOR
        }
        Record::Turn { link, channel, message, posts } => {
            put(link, out);
            put(channel, out);
            put(message, out);
            posts.iter().for_each(|post| put_post(post, out));
            TURN
        }
        Record::Post { link, channel, post } => {
            put(link, out);
            put(channel, out);
            put_post(post, out);
            POST
        }
        Record::Posted { link, key, message } => {
            put(link, out);
            put(key, out);
            put_option(message.as_deref(), out);
            POSTED
        }
        Record::Forget { link, channel } => {
            put(link, out);
            put(channel, out);
            FORGET
        }
        Record::Letter { link, letter } => {
            put(link, out);
            put(&letter.channel, out);
            put_post(&letter.post, out);
            put(&letter.detail, out);
            out.extend_from_slice(&letter.at_ms.to_le_bytes());
            LETTER
        }
        Record::Gap { link, reason, noted, done } => {
            put(link, out);
            put(reason, out);
            out.extend_from_slice(&noted.count.to_le_bytes());
            out.extend_from_slice(&noted.at_ms.to_le_bytes());
            put_option(noted.channel.as_deref(), out);
            put_option(noted.from.as_deref(), out);
            put_option(noted.to.as_deref(), out);
            put(&noted.detail, out);
            done.iter().for_each(|(channel, message)| {
                put(channel, out);
                put(message, out);
            });
            GAP
        }
    };
    let [a, b, c, _] = length(out.len() - start - HEAD_BYTES).to_le_bytes();
    if let Some(head) = out.get_mut(start..start + 4) {
        head.copy_from_slice(&[a, b, c, kind]);
    }
}

/// The bare record that some bytes begin with, and what follows it.
pub(super) fn cut_bare(bytes: &[u8]) -> Option<(Bare<'_>, &[u8])> {
    let &[a, b, c, ..] = bytes else { return None };
    let length = usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()?;
    let (bare, rest) = bytes.split_at_checked(HEAD_BYTES + length)?;
    Some((Bare(bare), rest))
}

impl Bare<'_> {
    /// It as a value.
    pub(super) fn record(self) -> Option<Record> {
        let (head, payload) = self.0.split_at_checked(HEAD_BYTES)?;
        let kind = *head.get(3)?;
        whole(kind, Fields { bytes: payload, old: false }).ok()
    }
}

/// Whether a record of so many bytes can be read again; where not, it is said.
pub(super) fn fits(bytes: usize) -> bool {
    let fits = bytes <= budget::JOURNAL_RECORD_BYTES;
    if !fits {
        log::error!(
            "{}: a record of {bytes} bytes is not kept: nothing behind it could be read again",
            Reason::DiskFailed
        );
    }
    fits
}

/// Bytes that a record takes.
#[must_use]
pub fn size(record: &Record) -> usize {
    let text = |text: &String| number_bytes(text.len()) + text.len();
    let option = |of: &Option<String>| 1 + of.as_ref().map_or(0, text);
    let post = |post: &Post| text(&post.key) + text(&post.text) + option(&post.reply_to) + option(&post.message);
    HEAD_BYTES
        + match record {
            Record::Cursor { link, channel, before, id, at_ms: _ } => {
                8 + text(link) + text(channel) + option(before) + option(id)
            }
            Record::Turn { link, channel, message, posts } => {
                text(link) + text(channel) + text(message) + posts.iter().map(post).sum::<usize>()
            }
            Record::Post { link, channel, post: one } => text(link) + text(channel) + post(one),
            Record::Posted { link, key, message } => text(link) + text(key) + option(message),
            Record::Forget { link, channel } => text(link) + text(channel),
            Record::Letter { link, letter } => {
                8 + text(link) + text(&letter.channel) + post(&letter.post) + text(&letter.detail)
            }
            Record::Gap { link, reason, noted, done } => {
                let done: usize = done.iter().map(|(channel, message)| text(channel) + text(message)).sum();
                let places = option(&noted.channel) + option(&noted.from) + option(&noted.to);
                16 + text(link) + text(reason) + places + text(&noted.detail) + done
            }
        }
}

/// The record of this number that some bytes begin with, and how many it takes.
pub(super) fn decode(bytes: &[u8], seq: u64) -> Result<(Record, usize), &'static str> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or("a record is torn")?;
    let &[a, b, c, kind, n0, n1, n2, n3, ref sum @ ..] = head else { return Err("a record is torn") };
    if u32::from_le_bytes([n0, n1, n2, n3]) != low(seq) {
        return Err("a record is not the one that follows");
    }
    let payload = payload(u32::from_le_bytes([a, b, c, 0]), rest)?;
    if crc(seq, [a, b, c, kind], payload).to_le_bytes() != *sum {
        return Err("a record's checksum is wrong");
    }
    whole(kind, Fields { bytes: payload, old: false }).map(|record| (record, HEAD_BYTES + payload.len()))
}

/// The number that a record has which some bytes seem to begin with, where it is one of the next `within` behind `seq`.
pub(super) fn number(bytes: &[u8], seq: u64, within: usize) -> Option<u64> {
    let &[_, _, _, _, n0, n1, n2, n3, ..] = bytes else { return None };
    let ahead = u32::from_le_bytes([n0, n1, n2, n3]).wrapping_sub(low(seq));
    (ahead > 0 && usize::try_from(ahead).is_ok_and(|ahead| ahead <= within)).then(|| seq.saturating_add(ahead.into()))
}

/// As `decode`, for a journal of version 1: `length u32 | kind u8 | 0 0 0 | crc32 u32 | payload`, every length an u32.
pub(super) fn decode_old(bytes: &[u8]) -> Result<(Record, usize), &'static str> {
    let (head, rest) = bytes.split_at_checked(12).ok_or("a record is torn")?;
    let (head, sum) = head.split_at_checked(8).ok_or("a record is torn")?;
    let &[a, b, c, d, kind, ..] = head else { return Err("a record is torn") };
    let payload = payload(u32::from_le_bytes([a, b, c, d]), rest)?;
    let mut hasher = SUM.digest();
    hasher.update(head);
    hasher.update(payload);
    if hasher.finalize().to_le_bytes() != sum {
        return Err("a record's checksum is wrong");
    }
    whole(kind, Fields { bytes: payload, old: true }).map(|record| (record, 12 + payload.len()))
}

fn payload(length: u32, rest: &[u8]) -> Result<&[u8], &'static str> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > budget::JOURNAL_RECORD_BYTES {
        return Err("a record's length is impossible");
    }
    rest.get(..length).ok_or("a record is torn")
}

fn whole(kind: u8, mut fields: Fields<'_>) -> Result<Record, &'static str> {
    match read(kind, &mut fields) {
        Some(record) if fields.bytes.is_empty() => Ok(record),
        Some(_) | None => Err("a record could not be read"),
    }
}

fn read(kind: u8, fields: &mut Fields<'_>) -> Option<Record> {
    let link = fields.text()?;
    Some(match kind {
        CURSOR => Record::Cursor {
            link,
            channel: fields.text()?,
            before: fields.option()?,
            id: fields.option()?,
            at_ms: u64::from_le_bytes(fields.take(8)?.try_into().ok()?),
        },
        TURN => {
            let (channel, message, mut posts) = (fields.text()?, fields.text()?, Vec::new());
            while !fields.bytes.is_empty() {
                posts.push(fields.post()?);
            }
            Record::Turn { link, channel, message, posts }
        }
        POST => Record::Post { link, channel: fields.text()?, post: fields.post()? },
        POSTED => Record::Posted { link, key: fields.text()?, message: fields.option()? },
        FORGET => Record::Forget { link, channel: fields.text()? },
        LETTER => {
            let (channel, post, detail) = (fields.text()?, fields.post()?, fields.text()?);
            let at_ms = u64::from_le_bytes(fields.take(8)?.try_into().ok()?);
            Record::Letter { link, letter: Letter { channel, post, detail, at_ms } }
        }
        GAP => {
            let reason = fields.text()?;
            let count = u64::from_le_bytes(fields.take(8)?.try_into().ok()?);
            let at_ms = u64::from_le_bytes(fields.take(8)?.try_into().ok()?);
            let (channel, from, to) = (fields.option()?, fields.option()?, fields.option()?);
            let noted = Noted { count, at_ms, channel, from, to, detail: fields.text()? };
            let mut done = Vec::new();
            while !fields.bytes.is_empty() {
                done.push((fields.text()?, fields.text()?));
            }
            Record::Gap { link, reason, noted, done }
        }
        _ => return None,
    })
}

/// What is left of a payload; `old`: of version 1.
struct Fields<'a> {
    bytes: &'a [u8],
    old: bool,
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        if self.old {
            return Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?));
        }
        let mut number = 0_u32;
        for shift in [0, 7, 14, 21] {
            let &[byte] = self.take(1)? else { return None };
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        let bytes = self.take(usize::try_from(length).ok()?)?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }

    fn option(&mut self) -> Option<Option<String>> {
        match self.take(1)? {
            [0] => Some(None),
            [1] => self.text().map(Some),
            _ => None,
        }
    }

    fn post(&mut self) -> Option<Post> {
        Some(Post { key: self.text()?, text: self.text()?, reply_to: self.option()?, message: self.option()? })
    }
}

fn put(text: &str, out: &mut Vec<u8>) {
    let mut number = length(text.len());
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
    out.extend_from_slice(text.as_bytes());
}

/// Bytes of a length.
fn number_bytes(number: usize) -> usize {
    1 + [0x80, 0x4000, 0x20_0000, 0x1000_0000].iter().filter(|limit| number >= **limit).count()
}

fn put_option(text: Option<&str>, out: &mut Vec<u8>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put(text, out);
    }
}

fn put_post(post: &Post, out: &mut Vec<u8>) {
    put(&post.key, out);
    put(&post.text, out);
    put_option(post.reply_to.as_deref(), out);
    put_option(post.message.as_deref(), out);
}

/// A length as it is written; one that is impossible is refused again by whoever reads it.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn low(seq: u64) -> u32 {
    let [a, b, c, d, ..] = seq.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn crc(seq: u64, head: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = SUM.digest();
    hasher.update(&seq.to_le_bytes());
    hasher.update(&head);
    hasher.update(payload);
    hasher.finalize()
}
