//! What the guild is made of: plain values.

use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a guild is set up with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a token lives.
    pub token_life_ms: u64,
    /// `GET /channels` carries `lastMessageId`.
    pub last_message_id: bool,
    /// A join of an authorised session is acked with `{"ok":true}`.
    pub acks: bool,
    /// What a session gets that offers a token which is expired, unknown or was offered before.
    pub rejection: Rejection,
    /// A second post under one `Idempotency-Key` is answered with the first.
    pub honours_keys: bool,
    /// Answers carry `Date`.
    pub date: bool,
    /// Messages carry `mentions`.
    pub mentions: bool,
    /// An author's own sessions hear its posts too.
    pub echo: bool,
    /// A session is ended when its token ends.
    pub kicks_at_expiry: bool,
    /// `clientNonce` comes back in messages.
    pub nonces: bool,
    /// The id of the so manieth message.
    pub id: fn(usize) -> String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token_life_ms: 900_000,
            last_message_id: true,
            acks: true,
            rejection: Rejection::Silent,
            honours_keys: true,
            date: true,
            mentions: false,
            echo: true,
            kicks_at_expiry: false,
            nonces: true,
            id: |n| format!("{n:08}"),
        }
    }
}

/// How a guild turns a session away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// CONNECT is accepted and the join goes into the void.
    Silent,
    /// CONNECT is accepted, `41` follows, the engine stays up.
    Soft41,
    /// CONNECT is accepted, `41` and a close follow.
    Close41,
    /// `44`.
    ConnectError,
    /// CONNECT is accepted, the join is answered with an `exception` event.
    Exception,
    /// CONNECT is accepted, the join is acked `{"ok":false}`.
    AckNo,
}

/// One Socket.IO session, named by whoever carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(pub u64);

/// What a CONNECT is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// `40`.
    Welcome,
    /// `44` with this object.
    Refused(Value),
    /// Nothing at all.
    Nothing,
}

/// What a join is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Joined {
    /// An ack with this argument.
    Ack(Value),
    /// An event `exception` with this argument.
    Exception(Value),
    /// Nothing, whatever became of it.
    Silence,
}

/// What the guild sends to a session by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Push {
    /// `message.created` with this message.
    Created(Value),
    /// `41`, and then a close or not.
    Disconnect {
        /// The WebSocket is closed too.
        close: bool,
    },
}

/// A message as the guild keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub id: String,
    pub channel: String,
    pub author: String,
    pub text: String,
    pub reply_to: Option<String>,
    pub nonce: Option<String>,
    /// The key that it was posted under.
    pub key: Option<String>,
    pub created_ms: u64,
    pub attachments: Vec<Attachment>,
}

/// A file that hangs on a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    pub id: String,
    pub name: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// A channel with its history.
#[derive(Clone, Debug)]
pub struct Channel {
    pub name: String,
    pub kind: &'static str,
    pub members: BTreeSet<String>,
    /// What history still holds, oldest first.
    pub messages: Vec<Message>,
}

/// One minted token.
#[derive(Clone, Debug)]
pub struct Token {
    pub agent: String,
    pub minted_ms: u64,
    pub life_ms: u64,
    /// In how many handshakes it was offered.
    pub offered: u32,
    pub revoked: bool,
}

/// One attempt to post, whatever became of it.
#[derive(Clone, Debug)]
pub struct Posted {
    pub agent: String,
    pub channel: String,
    pub text: String,
    pub reply_to: Option<String>,
    pub key: Option<String>,
    pub at_ms: u64,
    /// The status that it was (or would have been) answered with.
    pub status: u16,
}

/// ISO-8601 of milliseconds since 1970.
pub fn iso(ms: u64) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms);
    humantime::format_rfc3339_millis(at).to_string()
}

impl Attachment {
    /// As it stands in a message.
    pub fn as_json(&self) -> Value {
        json!({"id": self.id, "type": self.media_type, "name": self.name, "size": self.bytes.len(),
           "url": format!("/attachments/{}", self.id)})
    }
}
