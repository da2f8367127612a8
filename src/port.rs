//! What goes into the relay and what comes out of it: the whole interface between the core and the world.

use crate::agent::{Cancel, Said, Sent};
use crate::call::{Answer, Call, Ticket};
use crate::journal;
use crate::message::{AgentId, Line, Turn};
use crate::reason::Why;
use crate::settings::{self, Settings};
use crate::status::{LettersStatus, Status};
use std::rc::Rc;

/// A client of the control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client(pub u32);

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// On a WebSocket.
    Wire(Line, Wire<'a>),
    /// An HTTP call came back.
    Answer(Ticket, Answer<'a>),
    /// An agent, or its pump, said something.
    Agent(AgentId, Said<'a>),
    /// The journal was written as far as this.
    Disk(Stored),
    /// Somebody on the control socket, or a signal, asks for something.
    Control(Client, Command),
    /// The heap.
    Heap {
        /// Bytes in use.
        used: usize,
        /// Bytes that may be.
        limit: usize,
    },
}

/// What happens on a WebSocket.
#[derive(Debug)]
pub enum Wire<'a> {
    /// The upgrade was answered 101.
    Opened,
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message, of so many bytes. Nobody reads them.
    Binary(usize),
    /// The frame of the last `Output::Send` is on its way: the next may come.
    Sent,
    /// It is over, or never began. Nothing more comes from this line.
    Lost(Lost),
}

/// How a WebSocket ended.
#[derive(Debug)]
pub struct Lost {
    /// Class and detail, as far as the pump can tell.
    pub why: Why,
    /// The refusal of an upgrade may carry it (429, 503).
    pub retry_after_ms: Option<u64>,
}

/// What somebody asks the daemon for.
#[derive(Debug)]
pub enum Command {
    /// The status.
    Status,
    /// Post as an agent.
    Send {
        /// The agent's name.
        agent: String,
        /// A channel's id, its unique name, or `guild.channel`.
        channel: String,
        /// What.
        text: String,
    },
    /// The replies that a guild refused for good.
    Letters,
    /// One of them, with its whole text.
    ShowLetter {
        /// Its key.
        key: String,
    },
    /// Send letters again.
    LettersAgain {
        /// A letter's key or an agent's name; none: all.
        which: Option<String>,
    },
    /// Forget letters.
    DropLetters {
        /// A letter's key or an agent's name; none: all.
        which: Option<String>,
    },
    /// Follow what passes, of all agents or of one.
    Tail {
        /// The agent's name.
        agent: Option<String>,
    },
    /// The client went away.
    Left,
    /// Reconnect one agent's links.
    Restart {
        /// The agent's name.
        agent: String,
    },
    /// The configuration was read again and is good: say what it will change, then change it.
    Reload(Box<Settings>),
    /// The same, said and not done.
    Plan(Box<Settings>),
    /// End: stop taking work, finish or give back what is open within 5 s.
    Stop,
    /// A person said that things changed (a clock step, a link came up): waiting links try now.
    Nudge,
}

/// What the daemon says to a client of the control socket.
#[derive(Debug)]
pub enum Told {
    /// The status, the process part still empty.
    Status(Box<Status>),
    /// The letters.
    Letters(Box<LettersStatus>),
    /// One line of `tail`.
    Tail(String),
    /// It was done; a sentence.
    Done(String),
    /// It was taken: a `send` waits in the outbox, or a reload is begun, a line for each thing that it will change. `Done`
    /// or `Refused` may follow.
    Queued(String),
    /// It was refused; a sentence.
    Refused(Why),
}

/// The journal was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Everything up to this `Output::Store` is written as hard as `state` asks.
    pub upto: u64,
    /// Why it is not, where the disk fails: the daemon goes on without.
    pub failed: Option<Why>,
    /// What was written last is doubtful, or a disk that failed may take it again: a `Store` that begins anew is asked for.
    pub again: bool,
}

/// Something to be done.
pub enum Output {
    /// Open a WebSocket: `Wire::Opened` or `Wire::Lost` follows.
    Dial {
        /// Which.
        line: Line,
        /// `ws://` or `wss://`, whole.
        url: String,
        /// Which guild's TLS roots and rules for plain ws apply: its place in `Settings::guilds`.
        guild: u16,
    },
    /// Send one text frame: `Wire::Sent` or `Wire::Lost` follows.
    Send(Line, Box<str>),
    /// Read no further from this WebSocket (true), or go on. What was read before may still come.
    Hold(Line, bool),
    /// Close the WebSocket and say nothing more of it. These text frames are sent before the close frame, in order.
    HangUp(Line, Vec<Box<str>>),
    /// Make an HTTP call: `Input::Answer` follows.
    Call(Ticket, Box<Call>),
    /// Give a turn to an agent.
    Ask(AgentId, Rc<Turn>),
    /// Take a turn back: exec kills its process group, a line agent is told. `Said` for it is still allowed, and ignored.
    Cancel(AgentId, String, Cancel),
    /// Answer a `send`.
    Sent(AgentId, String, Sent),
    /// An agent is there from now on: start its pump. `Said::Here` follows when it can take turns.
    Hire(AgentId, Box<settings::Agent>),
    /// An agent is gone from the configuration: end its pump.
    Dismiss(AgentId),
    /// Keep these records: `Input::Disk` follows.
    Store(journal::Task),
    /// The attachments of this turn are not needed any more.
    Discard(String),
    /// Answer a client.
    Tell(Client, Told),
    /// The daemon may end: all is given back and recorded.
    End,
}
