//! A schedule as a value: what the world is like, and what happens in it, one act after the other. It is written as JSON
//! with an act a line; what a trait leaves out is as in `Traits::default`, so that a shrunk schedule is short.

use super::traits::{Traits, Turned};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A story: the same schedule tells the same one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Where the world's own chance begins (torn writes, jitter, the relay's rests).
    pub seed: u64,
    #[serde(default)]
    pub traits: Traits,
    pub acts: Vec<Act>,
}

/// One thing that happens, and how long nothing else does afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    pub deed: Deed,
    #[serde(default)]
    pub pause: u64,
}

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    Mint,
    Channels,
    History,
    Post,
}

impl Route {
    pub fn word(self) -> &'static str {
        match self {
            Self::Mint => "mint",
            Self::Channels => "channels",
            Self::History => "history",
            Self::Post => "post",
        }
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wrong {
    Refused,
    LostBefore,
    LostAfter,
    Slow(u64),
    Hangs,
    Status(u16, Option<u64>),
    Page,
}

/// What an agent does with its next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Does {
    Fails,
    /// At this one message, whenever it is asked.
    Refuses,
    Hangs,
    Busy(u64),
    Absent,
    Doubles,
    Garbles,
    Nothing,
    /// Parts without end.
    Floods,
    /// So many parts, a turn's end behind the last.
    Parts(u8),
    /// Its program or connection ends with the turn open and comes back so much later.
    Dies(u64),
}

/// What the mint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mints {
    /// The token that it gave last.
    Same,
    /// One that has so many milliseconds left.
    Near(u64),
    Garbage,
}

/// What the disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskDoes {
    /// For so many milliseconds.
    Full(u64),
    ReadOnly(u64),
    Gone(u64),
    /// So many times.
    SyncsFail(u32),
    WritesFail(u32),
}

/// What happens. `guild` and `agent` are places; one that the world does not have is the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Deed {
    Say {
        guild: u8,
        channel: u8,
        count: u16,
    },
    Calls {
        guild: u8,
        route: Route,
        wrong: Wrong,
        times: u32,
    },
    CloseLines {
        guild: u8,
    },
    FreezeLines {
        guild: u8,
    },
    LoseRooms {
        guild: u8,
    },
    Deafen {
        guild: u8,
    },
    DeafSessions {
        guild: u8,
        times: u32,
    },
    EventsLost {
        guild: u8,
        times: u32,
    },
    ConnectSilence {
        guild: u8,
        times: u32,
    },
    Reject {
        guild: u8,
        how: Turned,
        times: u32,
    },
    Revoke {
        guild: u8,
        agent: u8,
    },
    Kick {
        guild: u8,
        agent: u8,
        close: bool,
    },
    Inject {
        guild: u8,
        frame: u8,
    },
    Outage {
        guild: u8,
        dark: bool,
        ms: u64,
    },
    /// The daemon is killed and starts again at once.
    Crash,
    /// It is killed and starts again so much later.
    Down {
        ms: u64,
    },
    /// The board's wall clock is off by so much.
    Clock {
        ms: i64,
    },
    Agent {
        agent: u8,
        does: Does,
    },
    Reload,
    Restart {
        agent: u8,
    },
    /// It is told to end, does, and starts again so much later.
    Stop {
        ms: u64,
    },
    /// The power goes and comes back so much later; `memory` is killed instead, since by contract it would keep nothing.
    PowerCut {
        ms: u64,
    },
    /// The same, and the clocks begin anew: the wall clock in 1970, set a minute after the start.
    Reboot {
        ms: u64,
    },
    /// The board sleeps; the guild does not.
    Suspend {
        ms: u64,
    },
    Disk {
        does: DiskDoes,
    },
    Latency {
        guild: u8,
        ms: u64,
    },
    /// The link goes so many times, with so much between.
    Flaps {
        guild: u8,
        times: u32,
        gap: u64,
    },
    /// History forgets all but the newest.
    Cut {
        guild: u8,
        channel: u8,
        keep: u8,
    },
    /// The agent is no member for so long.
    Away {
        guild: u8,
        agent: u8,
        channel: u8,
        ms: u64,
    },
    /// Joins of a channel are denied for so long.
    Deny {
        guild: u8,
        channel: u8,
        ms: u64,
    },
    /// A channel appears.
    NewChannel {
        guild: u8,
    },
    /// Posts are refused for good.
    RefusePosts {
        guild: u8,
        times: u32,
    },
    /// Posts are stored and answered 500.
    StoredThen500 {
        guild: u8,
        times: u32,
    },
    Mint {
        guild: u8,
        does: Mints,
        times: u32,
    },
    /// Every call but the mint is answered 401, so many times.
    Unauthorized {
        guild: u8,
        times: u32,
    },
    /// The center refuses the agent's key for so long.
    KeyRefused {
        guild: u8,
        agent: u8,
        ms: u64,
    },
    /// A bot mentions an agent, so many times.
    Bot {
        guild: u8,
        agent: u8,
        channel: u8,
        count: u16,
    },
    /// A message larger than is taken.
    Oversize {
        guild: u8,
        channel: u8,
    },
    /// Somebody posts as the agent.
    Send {
        guild: u8,
        agent: u8,
        channel: u8,
    },
    /// Somebody posts the same words twice, and the second never reaches the guild at first.
    Twins {
        guild: u8,
        agent: u8,
        channel: u8,
    },
    /// What was refused is sent again.
    RetryLetters,
}

impl Deed {
    /// Its kind, for the sum of what was played.
    pub fn kind(&self) -> String {
        let name = |value: Value| match value {
            Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
            Value::String(name) => name,
            _ => String::new(),
        };
        let kind = name(json!(self));
        match self {
            Self::Calls { wrong, .. } => format!("{kind}.{}", name(json!(wrong))),
            Self::Agent { does, .. } => format!("{kind}.{}", name(json!(does))),
            Self::Mint { does, .. } => format!("{kind}.{}", name(json!(does))),
            Self::Disk { does } => format!("{kind}.{}", name(json!(does))),
            _ => kind,
        }
    }
}

impl Schedule {
    /// As JSON, an act a line.
    pub fn text(&self) -> String {
        let plain = json!(Traits::default());
        let mut traits = json!(self.traits);
        if let Some(traits) = traits.as_object_mut() {
            traits.retain(|name, value| plain[name.as_str()] != *value);
        }
        let acts: Vec<String> = self.acts.iter().map(|act| json!(act).to_string()).collect();
        format!("{{\"seed\":{},\"traits\":{traits},\"acts\":[\n{}]}}", self.seed, acts.join(",\n"))
    }

    /// Reads what `text` wrote.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|e| format!("not a schedule: {e}"))
    }
}
