//! What waits in the world's queue: happenings on their way to the relay, and what goes on at the other ends.

use guild_bridge::agent::Said;
use guild_bridge::call::{Answer, Got, Ticket};
use guild_bridge::message::{AgentId, Line};
use guild_bridge::port::{Client, Command, Input, Lost, Stored, Wire};
use guild_bridge::reason::Why;

/// A WebSocket as both ends know it: lines of a daemon that crashed are other lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket {
    pub life: u32,
    pub line: (u16, u32),
}

/// Something due at a moment.
pub enum Event {
    /// For the relay of that life; a relay that crashed does not hear it.
    Relay(u32, Happening),
    /// At a guild.
    Guild(usize, AtGuild),
    /// A worker thread of that life is done with its call.
    WorkerFree(u32, usize),
    /// The disk of that life comes to its next task.
    Written(u32),
    /// What a test planned.
    Script(Box<dyn FnOnce(&mut super::World)>),
}

/// What reaches a guild, or its own timers.
#[derive(Debug)]
pub enum AtGuild {
    Dialled(Socket, String),
    Frame(Socket, String),
    HungUp(Socket),
    Ping(Socket),
    PongDue(Socket, u64),
    ConnectDue(Socket),
    Verified(Socket, String),
    Kick(Socket),
    Close(Socket),
    Request(u32, Ticket, usize, Box<Request>),
}

/// An HTTP request as a guild reads it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub post: bool,
    pub url: String,
    pub bearer: Option<String>,
    pub key: Option<String>,
    pub body: String,
    pub sink_bytes: usize,
    pub finds_id: bool,
    pub deadline: u64,
}

/// What the relay is told, owned.
#[derive(Debug)]
pub enum Happening {
    Opened(Line),
    Text(Line, String),
    Binary(Line, usize),
    Sent(Line),
    Lost(Line, Why, Option<u64>),
    Answer(Ticket, Response),
    Agent(AgentId, Said<'static>),
    Disk(Stored),
    Control(Client, Command),
}

/// An HTTP answer, owned.
#[derive(Clone, Debug)]
pub enum Response {
    Got(Head, Vec<u8>),
    Failed(Why, bool),
}

/// All of an answer but its body.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub status: u16,
    pub cut: bool,
    pub first_id: Option<String>,
    pub content_type: Option<String>,
    pub retry_after_ms: Option<u64>,
    pub date_ms: Option<u64>,
    pub replayed: bool,
}

impl Happening {
    /// The line that it is about.
    pub fn line(&self) -> Option<Line> {
        match self {
            Self::Opened(l) | Self::Text(l, _) | Self::Binary(l, _) | Self::Sent(l) | Self::Lost(l, ..) => Some(*l),
            Self::Answer(..) | Self::Agent(..) | Self::Disk(_) | Self::Control(..) => None,
        }
    }

    /// The loop takes it together with others of its kind.
    pub fn is_one_of_many(&self) -> bool {
        matches!(self, Self::Text(..) | Self::Agent(..))
    }

    /// Hands it over as the borrowed input that the core takes.
    pub fn into_input<R>(self, take: impl FnOnce(Input<'_>) -> R) -> R {
        match self {
            Self::Opened(line) => take(Input::Wire(line, Wire::Opened)),
            Self::Text(line, text) => take(Input::Wire(line, Wire::Text(&text))),
            Self::Binary(line, bytes) => take(Input::Wire(line, Wire::Binary(bytes))),
            Self::Sent(line) => take(Input::Wire(line, Wire::Sent)),
            Self::Lost(line, why, retry_after_ms) => take(Input::Wire(line, Wire::Lost(Lost { why, retry_after_ms }))),
            Self::Answer(ticket, Response::Failed(why, sent)) => {
                take(Input::Answer(ticket, Answer::Failed { why, sent }))
            }
            Self::Answer(ticket, Response::Got(head, body)) => {
                let Head { status, cut, first_id, content_type, retry_after_ms, date_ms, replayed } = head;
                let body = body.as_slice();
                let got = Got { status, body, cut, first_id, content_type, retry_after_ms, date_ms, replayed };
                take(Input::Answer(ticket, Answer::Got(got)))
            }
            Self::Agent(agent, said) => take(Input::Agent(agent, said)),
            Self::Disk(stored) => take(Input::Disk(stored)),
            Self::Control(client, command) => take(Input::Control(client, command)),
        }
    }
}
