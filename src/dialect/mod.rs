//! What every backend must say. A dialect knows its URLs, its join, what proves that the guild hears us and how its
//! events read; it knows no timer, no retry and no agent. A new backend is one file here, a variant of
//! `settings::DialectName`, and an arm in [`of`]; the README's "How to write a dialect" names the rest.

pub mod fabric;
pub mod open_webui;
mod request;

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
        DialectName::OpenWebUi => Box::new(open_webui::OpenWebUi::new(guild)),
    }
}

/// What the key of a reply begins with.
pub const REPLY_KEY: &str = "gb_";
/// What the key of a post that no message asked for begins with.
pub const SEND_KEY: &str = "gs_";

/// Whether this program posted a message under this key, be it another daemon.
#[must_use]
pub fn is_our_key(key: &str) -> bool {
    key.starts_with(REPLY_KEY) || key.starts_with(SEND_KEY)
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

    // what a backend may have beyond that; `fabric` has none of it

    /// How long a token serves.
    fn tokens(&self) -> Tokens {
        Tokens::Fresh
    }
    /// Whether this answer of the mint says that key or password are wrong.
    fn refuses(&self, status: u16) -> bool {
        matches!(status, 401 | 403)
    }
    /// Why the guild refuses something, in its own words, from the answer's body.
    fn refusal(&self, body: &[u8]) -> Option<String> {
        let _ = body;
        None
    }
    /// The event that joins all channels at once, from the token's text; none: each channel has a join of its own.
    fn join_all(&self, token: &str) -> Option<String> {
        let _ = token;
        None
    }
    /// What an ack to `join_all` says; `me`: who we are.
    fn joined_as(&self, args: &str, me: &str) -> JoinAnswer {
        let _ = me;
        self.join_answer(args)
    }
    /// The event whose echo proves that we are in a channel's room.
    fn probe(&self, channel: &str) -> Option<String> {
        let _ = channel;
        None
    }
    /// The event that keeps a session alive, and its period in milliseconds.
    fn keepalive(&self) -> Option<(&'static str, u64)> {
        None
    }
    /// The event that says that we write in a channel, or in a thread of it, or do so no more.
    fn typing(&self, channel: &str, thread: Option<&str>, on: bool) -> Option<String> {
        let _ = (channel, thread, on);
        None
    }
    /// The event that says that we have read a channel.
    fn read_mark(&self, channel: &str) -> Option<String> {
        let _ = channel;
        None
    }
    /// A history that is listed newest first, by offset, where it is; none: oldest first, after a message.
    fn timeline(&self) -> Option<&dyn Timeline> {
        None
    }
    /// Posts as `post` does; `about`: the message that it is about, in whose thread it belongs.
    fn post_about(&self, channel: &str, about: Option<&str>, text: &str, reply_to: Option<&str>, key: &str) -> Request {
        let _ = about;
        self.post(channel, text, reply_to, key)
    }
}

/// A history that is listed newest first, by offset. Offsets shift when messages come and go, so places in it are times:
/// an id begins with the time of its message, and the time alone is a place too.
pub trait Timeline {
    /// The time in an id or a place; none: it is no id of this dialect.
    fn time(&self, id: &str) -> Option<u64>;
    /// The place right behind all that was written until this millisecond since 1970.
    fn place(&self, wall_ms: u64) -> String;
    /// The place right behind a message.
    fn behind(&self, id: &str) -> String;
    /// The thread in which a message stands, by its id.
    fn thread_of<'a>(&self, id: &'a str) -> Option<&'a str>;
    /// The id of a message whose row could not be read whole: its bare id and a time that is near.
    fn id_at(&self, time: u64, bare: &str) -> String;
    /// Whether two ids name one message, though one of them may lack its time.
    fn is_same(&self, one: &str, other: &str) -> bool;
    /// Asks for rows of a channel or of a thread, newest first.
    fn page(&self, channel: &str, thread: Option<&str>, skip: usize, limit: usize) -> Request;
    /// What a row says beside its message: its bare id, its time, and when its thread was last answered.
    fn threads(&self, body: &[u8], each: &mut dyn FnMut(&str, u64, u64));
    /// Asks for what rows leave out of a message.
    fn detail(&self, channel: &str, id: &str) -> Request;
    /// Adds what was left out. False: it cannot be read.
    fn detailed(&self, body: &[u8], message: &mut Incoming<'_>) -> bool;
}

/// How long a token serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// One for each handshake: none is offered twice.
    Fresh,
    /// One for all handshakes until it nears its end, or the guild lets a doubt arise: mints are rationed.
    Kept {
        /// No mint sooner than this after the last.
        spacing_ms: u64,
        /// A 429 without a time asks for so long.
        wait_ms: u64,
    },
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
    /// Who we are, where the guild says so.
    pub me: Option<String>,
    /// Why the guild lets nobody in with it, where it says so.
    pub barred: Option<&'static str>,
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
    /// What an author sent to a channel's room came back: where we are the author, it is the probe's echo.
    Echo {
        /// The channel.
        channel: Cow<'a, str>,
        /// The author's id.
        author: Cow<'a, str>,
    },
    /// The channel list is another one now.
    Relist,
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

impl Incoming<'_> {
    /// The same, owned.
    #[must_use]
    pub fn into_owned(self) -> Incoming<'static> {
        let own = |text: Cow<'_, str>| -> Cow<'static, str> { Cow::Owned(text.into_owned()) };
        Incoming {
            id: own(self.id),
            channel: own(self.channel),
            author: own(self.author),
            author_name: self.author_name.map(own),
            bot: self.bot,
            text: own(self.text),
            reply_to: self.reply_to.map(own),
            nonce: self.nonce.map(own),
            mentions: self.mentions.map(|ids| ids.into_iter().map(own).collect()),
            attachments: self.attachments,
            at: own(self.at),
            thread: self.thread.map(own),
            asks_nothing: self.asks_nothing,
            has_more: self.has_more,
        }
    }
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
    /// Nobody is to answer it, whatever it says.
    pub asks_nothing: bool,
    /// Something of it was left out, and can be asked for.
    pub has_more: bool,
}
