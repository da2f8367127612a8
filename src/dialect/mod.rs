//! What every backend must say. A dialect knows its URLs, its join, what proves that the guild hears us and how its
//! events read; it knows no timer, no retry and no agent. A new backend is one file here, its name in
//! `settings::DialectName`, and an arm in [`of`].

pub mod fabric;

use crate::call::{Method, Sink};
use crate::codec::Malformed;
use crate::codec::socket::Event;
use crate::message::{Attachment, Kind};
use crate::secret::Secret;
use crate::settings::{DialectName, Guild};
use std::borrow::Cow;

/// The dialect that a guild of the configuration speaks.
#[must_use]
pub fn of(guild: &Guild) -> Box<dyn Dialect> {
    match guild.dialect {
        DialectName::Fabric => Box::new(fabric::Fabric::new(guild)),
    }
}

/// A backend's tongue. Pure: requests out, answers and events in.
pub trait Dialect {
    /// Asks for a fresh token.
    fn mint(&self, agent_id: &str, key: &Secret) -> Request;
    /// Reads the mint's 2xx answer; `date_ms` is its `Date` header.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence without its content.
    fn minted(&self, body: &[u8], date_ms: Option<u64>) -> Result<Minted, String>;
    /// Asks for the channels that the agent belongs to.
    fn channels(&self) -> Request;
    /// Reads the list, row by row. Rows that cannot be read are told as such; `whole`: the end of the list was seen.
    fn channel_rows(&self, body: &[u8], each: &mut dyn FnMut(Result<ChannelRow, Malformed>)) -> bool;
    /// Asks for history, oldest first, after a message or from the oldest kept.
    fn history(&self, channel: &str, after: Option<&str>, limit: usize) -> Request;
    /// Reads a page of history, row by row, with the bytes of each row. Returns whether the end of the page was seen.
    fn history_rows(&self, body: &[u8], each: &mut dyn FnMut(Row<'_>)) -> bool;
    /// Posts a text under a key.
    fn post(&self, channel: &str, text: &str, reply_to: Option<&str>, key: &str) -> Request;
    /// The id of the message that a post's 2xx answer holds, where it can be read.
    fn posted(&self, body: &[u8]) -> Option<String>;
    /// Asks for an attachment's bytes.
    fn attachment(&self, id: &str) -> String;
    /// Where the WebSocket is dialled.
    fn socket_url(&self) -> String;
    /// CONNECT's auth object, from the token's text.
    fn connect_payload(&self, token: &str) -> String;
    /// The event that joins a channel, as a JSON array.
    fn join(&self, channel: &str) -> String;
    /// What an ack to a join says: a JSON array.
    fn join_answer(&self, args: &str) -> JoinAnswer;
    /// What an event says.
    fn event<'a>(&self, event: &Event<'a>) -> Heard<'a>;
    /// Longest post, in UTF-16 code units.
    fn post_limit(&self) -> usize;
}

/// A request of a dialect: the link adds bearer, deadline and ticket.
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// JSON.
    pub body: Option<String>,
    /// Goes into `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Where the answer goes.
    pub sink: Sink,
}

/// A minted token.
pub struct Minted {
    /// Its text.
    pub token: String,
    /// How long it lives, if that was said.
    pub life_ms: Option<u64>,
}

/// One row of the channel list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its id.
    pub id: String,
    /// Its name; the id where there is none.
    pub name: String,
    /// What kind.
    pub kind: Kind,
    /// Its newest message, where the list says so.
    pub last: Newest,
}

/// What a channel list says of a channel's newest message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Newest {
    /// The list does not carry it.
    Unsaid,
    /// The channel is empty.
    Nothing,
    /// This one.
    Id(String),
}

/// What an ack to a join says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinAnswer {
    /// The guild hears us there.
    Joined,
    /// It will not.
    Denied(String),
    /// An ack that says neither.
    Unclear,
}

/// What an event says.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack, one at a time; a box would be a heap block a message"
)]
pub enum Heard<'a> {
    /// A message of a channel, with the bytes of its JSON.
    Message(Incoming<'a>, usize),
    /// A message that could not be read.
    Unreadable(Malformed),
    /// A join was denied: of this channel, or of one that is not named.
    Denied(Option<String>, String),
    /// Nothing of ours.
    Other,
}

/// A row of history.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack, one at a time; a box would be a heap block a message"
)]
pub enum Row<'a> {
    /// A message, with the bytes of its JSON.
    Message(Incoming<'a>, usize),
    /// One that could not be read: only its id, if even that.
    Unreadable(Option<String>, Malformed),
}

/// A message as it came, borrowed from its JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incoming<'a> {
    /// The guild's id.
    pub id: Cow<'a, str>,
    /// The channel's id; empty where the row does not carry it.
    pub channel: Cow<'a, str>,
    /// The author's id.
    pub author: Cow<'a, str>,
    /// The author's name.
    pub author_name: Option<Cow<'a, str>>,
    /// The guild says the author is a bot.
    pub bot: bool,
    /// The text.
    pub text: Cow<'a, str>,
    /// What it answers.
    pub reply_to: Option<Cow<'a, str>>,
    /// The key that its author posted it under.
    pub nonce: Option<Cow<'a, str>>,
    /// The agents that it mentions, where the guild says so.
    pub mentions: Option<Vec<Cow<'a, str>>>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// When it was written, as the guild wrote it.
    pub at: Cow<'a, str>,
    /// The thread it stands in.
    pub thread: Option<Cow<'a, str>>,
}
