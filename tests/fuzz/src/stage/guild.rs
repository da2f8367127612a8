//! A guild that can answer: channels with their history, and answers as CONTRACT has them.

use crate::Feed;
use guild_bridge::call::{Call, Method};
use serde_json::{Value, json};

/// Ids that a guild may give to channels; a client has to carry them as they are.
pub const CHANNELS: [&str; 4] = ["general", "dev", "dm.1", "ü/?\u{202e}\n%2F"];

/// One guild behind all addresses.
#[derive(Default)]
pub struct Guild {
    said: Vec<(usize, Value)>,
    count: u64,
    /// Channels that are not listed: a bit for each.
    pub unlisted: u8,
    /// The list does not say `lastMessageId`.
    pub silent_list: bool,
    /// Posts by their key.
    keys: Vec<(String, String)>,
}

/// What an answer has beside its body.
pub struct Whole {
    pub status: u16,
    pub body: String,
}

impl Guild {
    /// Somebody says something; history has it. What the event would carry.
    pub fn say(&mut self, channel: usize, author: &str, text: &str, more: u8) -> Value {
        self.count += 1;
        let mut message = json!({
            "id": format!("m{}", self.count), "channelId": CHANNELS[channel], "authorId": author, "text": text,
            "author": {"name": author, "bot": more & 1 == 1}, "replyTo": null, "clientNonce": null,
            "createdAt": "2026-11-23T15:24:16.000Z",
        });
        if more & 2 == 2 {
            message["mentions"] = json!(["recruiter", "clerk"]);
        }
        if more & 4 == 4 {
            message["attachments"] = json!([{"id": "a1", "type": "text/plain", "name": "../a", "size": 9}]);
        }
        self.said.push((channel, message.clone()));
        message
    }

    /// The oldest go.
    pub fn forget(&mut self, count: usize) {
        self.said.drain(..count.min(self.said.len()));
    }

    /// An answer as CONTRACT has it.
    pub fn answer(&mut self, call: &Call, token: impl FnOnce() -> String, life: Option<u64>) -> Whole {
        let path = call.url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let body = match (parts.as_slice(), call.method) {
            (["auth", "token"], Method::Post) => match life {
                Some(life) => json!({"guildAccessToken": token(), "expiresIn": life}),
                None => json!({"guildAccessToken": token()}),
            },
            (["channels"], Method::Get) => self.list(),
            (["channels", id, "messages"], Method::Get) => match channel(id) {
                Some(channel) => self.page(channel, query),
                None => return Whole { status: 404, body: "{}".into() },
            },
            (["channels", id, "messages"], Method::Post) => match channel(id) {
                Some(channel) => return self.post(channel, call),
                None => return Whole { status: 404, body: "{}".into() },
            },
            (["attachments", _], Method::Get) => json!("bytes"),
            other => panic!("a call that CONTRACT does not have: {other:?}"),
        };
        Whole { status: 200, body: body.to_string() }
    }

    fn list(&self) -> Value {
        let row = |(at, id): (usize, &&str)| {
            let last = self.said.iter().rev().find(|(channel, _)| *channel == at).map(|(_, said)| said["id"].clone());
            let kind = if at == 2 { "dm" } else { "channel" };
            let mut row = json!({"id": id, "name": format!("{id}!"), "kind": kind});
            if !self.silent_list {
                row["lastMessageId"] = last.unwrap_or(Value::Null);
            }
            row
        };
        let listed = |(at, _): &(usize, &&str)| self.unlisted >> at & 1 == 0;
        CHANNELS.iter().enumerate().filter(listed).map(row).collect()
    }

    fn page(&self, channel: usize, query: &str) -> Value {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let limit = value("limit").and_then(|n| n.parse().ok()).unwrap_or(0usize);
        assert!((1..=guild_bridge::budget::HISTORY_LIMIT).contains(&limit), "a page of {limit}");
        let said: Vec<&Value> = self.said.iter().filter(|(of, _)| *of == channel).map(|(_, said)| said).collect();
        let after = value("after").and_then(|id| said.iter().position(|said| said["id"] == *decoded(id)));
        said.into_iter().skip(after.map_or(0, |at| at + 1)).take(limit).cloned().collect()
    }

    fn post(&mut self, channel: usize, call: &Call) -> Whole {
        let key = call.idempotency_key.clone().expect("a post has its key");
        if let Some((_, id)) = self.keys.iter().find(|(known, _)| *known == key) {
            return Whole { status: 200, body: json!({"id": id}).to_string() };
        }
        let body: Value = serde_json::from_str(call.body.as_deref().unwrap_or_default()).expect("a post is JSON");
        let text = body["text"].as_str().unwrap_or_default();
        assert!((1..=4000).contains(&text.encode_utf16().count()), "a text of a length that is refused: {text:?}");
        assert_eq!(body["clientNonce"], key.as_str());
        let message = self.say(channel, "recruiter", text, 0);
        if let Some((_, said)) = self.said.last_mut() {
            said["clientNonce"] = json!(key);
        }
        let id = message["id"].as_str().unwrap_or_default().to_owned();
        self.keys.push((key, id));
        Whole { status: 201, body: message.to_string() }
    }
}

/// One of the channels.
pub fn any(feed: &mut Feed<'_>) -> usize {
    feed.below(CHANNELS.len())
}

fn channel(encoded: &str) -> Option<usize> {
    let id = decoded(encoded);
    CHANNELS.iter().position(|known| *known == id)
}

fn decoded(encoded: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), encoded.bytes());
    while let Some(byte) = rest.next() {
        let hex = |rest: &mut std::str::Bytes<'_>| rest.next().and_then(|b| char::from(b).to_digit(16));
        match byte {
            b'%' => out.extend(hex(&mut rest).zip(hex(&mut rest)).and_then(|(a, b)| u8::try_from(a * 16 + b).ok())),
            plain => {
                assert!(plain.is_ascii_alphanumeric() || b"-._~".contains(&plain), "not encoded: {encoded}");
                out.push(plain);
            }
        }
    }
    String::from_utf8(out).unwrap_or_default()
}
