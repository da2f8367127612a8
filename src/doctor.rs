//! `doctor`: a link is walked step by step with the daemon's own machine, so that what it says is what the daemon would
//! do. Here are the steps, what was found at each, and what to do about it; the walk itself is in [`examination`].

pub mod examination;
pub mod mend;

use crate::moment::span;
use crate::reason::Reason;

/// A step, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The agent's key file.
    Key,
    /// The board's clock against the build date, and against the guild's `Date`.
    Clock,
    /// A host's name: every address.
    Name,
    /// A TCP connection to each address.
    Tcp,
    /// TLS: chain, expiry, name.
    Tls,
    /// A fresh token.
    Mint,
    /// The WebSocket upgrade.
    WebSocket,
    /// The Engine.IO open packet.
    Engine,
    /// CONNECT with the fresh token, and its answer.
    Connect,
    /// The channel list.
    Channels,
    /// The joins and what proves that the guild hears us.
    Join,
    /// A page of a channel's history.
    History,
    /// Whether the guild takes posts.
    Post,
    /// The agent: starts, answers a test line.
    Agent,
    /// What the daemon that runs says of the same link or agent.
    Daemon,
}

impl Step {
    /// Every step, in order.
    pub const ALL: &'static [Step] = &[
        Step::Key,
        Step::Clock,
        Step::Name,
        Step::Tcp,
        Step::Tls,
        Step::Mint,
        Step::WebSocket,
        Step::Engine,
        Step::Connect,
        Step::Channels,
        Step::Join,
        Step::History,
        Step::Post,
        Step::Agent,
        Step::Daemon,
    ];

    /// Its name, for people and for scripts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Clock => "clock",
            Self::Name => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Mint => "mint",
            Self::WebSocket => "websocket",
            Self::Engine => "engine.io",
            Self::Connect => "connect",
            Self::Channels => "channels",
            Self::Join => "join",
            Self::History => "history",
            Self::Post => "post",
            Self::Agent => "agent",
            Self::Daemon => "daemon",
        }
    }
}

/// What was found at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Worth a look; the walk goes on.
    Unsure,
    /// Wrong: the walk along this link ends here.
    Failed(Reason),
    /// Not tried, and why stands beside it.
    Untried,
}

impl Verdict {
    /// For people and for scripts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Unsure => "look",
            Self::Failed(_) => "failed",
            Self::Untried => "untried",
        }
    }
}

/// One step, done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub step: Step,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen, in a line.
    pub seen: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl Found {
    /// The reason of a failure.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self.verdict {
            Verdict::Failed(reason) => Some(reason),
            Verdict::Good | Verdict::Unsure | Verdict::Untried => None,
        }
    }
}

/// A wall clock so far from the guild's is told: tokens and certificates live by it.
const CLOCK_OFF_MS: u64 = 120_000;

/// The board's clock against the `Date` of an answer that came just now; both in milliseconds since 1970.
#[must_use]
pub fn against_date(wall_ms: u64, date_ms: u64) -> (Verdict, String) {
    let off_ms = wall_ms.abs_diff(date_ms);
    let side = if wall_ms > date_ms { "ahead of" } else { "behind" };
    if off_ms < CLOCK_OFF_MS {
        return (Verdict::Good, "as the guild's `Date` says, within two minutes".to_owned());
    }
    (Verdict::Unsure, format!("the board's clock is {} {side} the guild's `Date`: set the clock", span(off_ms / 1000)))
}
