//! Records as bytes, and back.

use super::{Letter, Post, Record};
use crate::budget;

/// What every journal begins with: a name and the version of what follows.
pub const HEADER: &[u8] = b"guild-bridge journal 1\n";
/// What headers of other versions begin with.
pub(super) const NAME: &[u8] = b"guild-bridge journal ";

/// Length, kind, room for what may come, CRC.
const HEAD_BYTES: usize = 12;
const CURSOR: u8 = 1;
const TURN: u8 = 2;
const POST: u8 = 3;
const POSTED: u8 = 4;
const FORGET: u8 = 5;
const LETTER: u8 = 6;

/// Appends a record. One of more than `budget::JOURNAL_RECORD_BYTES` (see [`size`]) would not be read again.
pub fn encode(record: &Record, out: &mut Vec<u8>) {
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
    };
    let length = length(out.len() - start - HEAD_BYTES).to_le_bytes();
    let [a, b, c, d] = length;
    let head = [a, b, c, d, kind, 0, 0, 0];
    let crc = crc(&head, out.get(start + HEAD_BYTES..).unwrap_or_default()).to_le_bytes();
    if let Some(place) = out.get_mut(start..start + HEAD_BYTES) {
        place[..8].copy_from_slice(&head);
        place[8..].copy_from_slice(&crc);
    }
}

/// Bytes that a record takes.
#[must_use]
pub fn size(record: &Record) -> usize {
    let option = |text: &Option<String>| 1 + text.as_ref().map_or(0, |text| 4 + text.len());
    let post = |post: &Post| 8 + post.key.len() + post.text.len() + option(&post.reply_to) + option(&post.message);
    HEAD_BYTES
        + match record {
            Record::Cursor { link, channel, before, id, at_ms: _ } => {
                16 + link.len() + channel.len() + option(before) + option(id)
            }
            Record::Turn { link, channel, message, posts } => {
                12 + link.len() + channel.len() + message.len() + posts.iter().map(post).sum::<usize>()
            }
            Record::Post { link, channel, post: one } => 8 + link.len() + channel.len() + post(one),
            Record::Posted { link, key, message } => 8 + link.len() + key.len() + option(message),
            Record::Forget { link, channel } => 8 + link.len() + channel.len(),
            Record::Letter { link, letter } => {
                20 + link.len() + letter.channel.len() + post(&letter.post) + letter.detail.len()
            }
        }
}

/// The record that some bytes begin with, and how many it takes.
pub(super) fn decode(bytes: &[u8]) -> Result<(Record, usize), &'static str> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or("a record is torn")?;
    let (head, sum) = head.split_at_checked(8).ok_or("a record is torn")?;
    let &[a, b, c, d, kind, ..] = head else { return Err("a record is torn") };
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if length > budget::JOURNAL_RECORD_BYTES {
        return Err("a record's length is impossible");
    }
    let payload = rest.get(..length).ok_or("a record is torn")?;
    if crc(head, payload).to_le_bytes() != sum {
        return Err("a record's checksum is wrong");
    }
    let mut fields = Fields(payload);
    let record = read(kind, &mut fields).ok_or("a record could not be read")?;
    if fields.0.is_empty() { Ok((record, HEAD_BYTES + length)) } else { Err("a record could not be read") }
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
            while !fields.0.is_empty() {
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
        _ => return None,
    })
}

/// What is left of a payload.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<String> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
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
    out.extend_from_slice(&length(text.len()).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
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

fn crc(head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(payload);
    hasher.finalize()
}
