//! What passes between the core and a local agent, whatever its transport: turns out, sayings in.
//! The lines of `guild-agent/1` themselves (CONTRACT section 2) are in [`line`].

pub mod line;
pub mod pointer;

use crate::reason::{Reason, Why};
use std::borrow::Cow;

/// What an agent, or the pump that runs it, says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// It can take turns now: it connected, or its child runs. Open turns are given (again).
    Here,
    /// It cannot: disconnected, ended, not startable. Its open turns are handed back.
    Gone(Why),
    /// It took a turn (line transports only; nothing hangs on it).
    Accepted {
        /// Which.
        turn: Cow<'a, str>,
    },
    /// It answers. `last` ends the turn.
    Reply {
        /// Which turn.
        turn: Cow<'a, str>,
        /// What it says.
        text: Cow<'a, str>,
        /// Whether this ends the turn.
        last: bool,
    },
    /// It has nothing to say; ends the turn.
    None {
        /// Which turn.
        turn: Cow<'a, str>,
    },
    /// It failed at the turn; counts as an attempt.
    Failed {
        /// Which turn.
        turn: Cow<'a, str>,
        /// Class and detail.
        why: Why,
    },
    /// It wants time; does not count as an attempt.
    Busy {
        /// Which turn.
        turn: Cow<'a, str>,
        /// How long, if it said so.
        retry_ms: Option<u64>,
    },
    /// It is not there (program missing, nobody listens); does not count as an attempt.
    Absent {
        /// Which turn.
        turn: Cow<'a, str>,
        /// Class and detail.
        why: Why,
    },
    /// It works at the turn.
    Typing {
        /// Which turn.
        turn: Cow<'a, str>,
        /// On or off.
        on: bool,
    },
    /// It speaks unasked.
    Send {
        /// Its own id for this: the same id is sent once.
        id: Cow<'a, str>,
        /// `conv.key`, `guild.channel`, or a channel's id or unique name.
        conv: Cow<'a, str>,
        /// What.
        text: Cow<'a, str>,
    },
    /// It said something that could not be read; counted and logged, nothing ends.
    Garbled(Why),
}

impl Said<'_> {
    /// The same, owning what it holds.
    #[must_use]
    pub fn into_owned(self) -> Said<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Here => Said::Here,
            Self::Gone(why) => Said::Gone(why),
            Self::Accepted { turn } => Said::Accepted { turn: own(turn) },
            Self::Reply { turn, text, last } => Said::Reply { turn: own(turn), text: own(text), last },
            Self::None { turn } => Said::None { turn: own(turn) },
            Self::Failed { turn, why } => Said::Failed { turn: own(turn), why },
            Self::Busy { turn, retry_ms } => Said::Busy { turn: own(turn), retry_ms },
            Self::Absent { turn, why } => Said::Absent { turn: own(turn), why },
            Self::Typing { turn, on } => Said::Typing { turn: own(turn), on },
            Self::Send { id, conv, text } => Said::Send { id: own(id), conv: own(conv), text: own(text) },
            Self::Garbled(why) => Said::Garbled(why),
        }
    }

    /// The turn that it is about, and whether it ends it.
    #[must_use]
    pub fn turn(&self) -> Option<(&str, bool)> {
        match self {
            Self::Accepted { turn } | Self::Typing { turn, .. } => Some((turn.as_ref(), false)),
            Self::Reply { turn, last, .. } => Some((turn.as_ref(), *last)),
            Self::None { turn } | Self::Failed { turn, .. } | Self::Busy { turn, .. } | Self::Absent { turn, .. } => {
                Some((turn.as_ref(), true))
            }
            Self::Here | Self::Gone(_) | Self::Send { .. } | Self::Garbled(_) => None,
        }
    }
}

/// Why a turn is taken back from an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// Its deadline passed.
    Timeout,
    /// The daemon ends, or the agent is removed.
    Shutdown,
}

impl Cancel {
    /// As the `cancel` line says it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The answer to a `send`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is in the guild, under this id.
    Stored {
        /// The guild's message id.
        message: String,
    },
    /// It is not, and will not be.
    Refused(Why),
}

impl Sent {
    /// A refusal with its reason.
    pub fn refused(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Refused(Why::new(reason, detail))
    }
}
