//! The ceiling of the heap, item by item, worked out from what a configuration counts. What stands is bounded where it
//! grows; what is under way has a room of its own, and is held back by the daemon itself when the heap comes near: see
//! [`Pressure`].

use super::{
    BROUGHT_IDS, CHANNEL_BYTES, CHANNELS, CHANNELS_BODY_BYTES, CHANNELS_LEAST, CHANNELS_SHARED, CONFIG_LEAST_BYTES,
    DEDUPE_IDS, GUILD_WORKERS, LETTER_BYTES, LETTERS_BYTES, MESSAGE_BYTES, MESSAGE_LEAST_BYTES, OUTBOX_BYTES,
    OUTBOX_LEAST_BYTES, OUTBOXES_BYTES, OWN_POSTS, ROOTS_BYTES, SENDS_BYTES, WINDOW_BYTES, WINDOW_LEAST_BYTES,
    WINDOWS_BYTES,
};

/// What a configuration counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Guilds.
    pub guilds: usize,
    /// Sets of roots: the system's, and one for each `extra_ca`.
    pub roots: usize,
    /// Agents.
    pub agents: usize,
    /// Of them, those that speak lines: `stdio` and `socket`.
    pub line_agents: usize,
    /// Agents in guilds.
    pub links: usize,
    /// Turns that may be open at once, over all agents.
    pub turns: usize,
    /// `limits.channels`.
    pub channels: Option<usize>,
    /// `limits.message_bytes`.
    pub message_bytes: usize,
    /// The page is served.
    pub page: bool,
    /// Bytes of the configuration itself.
    pub config_bytes: usize,
}

impl Counts {
    /// How many single changes make it less.
    pub const CHANGES: usize = 7;

    /// One of them, at its least, or one less of what has to be there: the item that it makes smaller most, and what it is.
    pub fn change(&mut self, which: usize) -> (&'static str, &'static str) {
        match which {
            0 => {
                self.channels = Some(1);
                ("channels", "a lower `limits.channels`")
            }
            1 => {
                self.message_bytes = MESSAGE_LEAST_BYTES;
                ("room", "a lower `limits.message_bytes`")
            }
            2 => {
                self.turns = self.agents;
                ("room", "a lower `parallel`")
            }
            3 => {
                self.page = false;
                ("page", "no `page`")
            }
            4 => {
                self.config_bytes = self.config_bytes.min(CONFIG_LEAST_BYTES);
                ("configuration", "a shorter file")
            }
            5 => {
                self.roots -= usize::from(self.roots > 1);
                ("roots", "one `extra_ca` less")
            }
            _ => {
                if self.agents > 1 {
                    self.agents -= 1;
                    self.line_agents = self.line_agents.min(self.agents);
                    self.links -= 1;
                    self.turns -= 1;
                }
                ("agents", "one agent less")
            }
        }
    }
}

/// One guild with so many agents that run a program for each turn, and nothing else said.
#[must_use]
pub const fn plain(agents: usize) -> Counts {
    Counts {
        guilds: 1,
        roots: 1,
        agents,
        line_agents: 0,
        links: agents,
        turns: agents,
        channels: None,
        message_bytes: MESSAGE_BYTES,
        page: false,
        config_bytes: 3 * 1024,
    }
}

/// What is planned for one guild, up to 4 agents and 64 channels.
pub const PLANNED_BYTES: usize = 1536 * 1024;

const _: () = {
    let mut agents = 1;
    while agents <= 4 {
        assert!(ceiling(&plain(agents)) <= PLANNED_BYTES, "one guild, up to 4 agents and 64 channels fit in 1.5 MiB");
        agents += 1;
    }
};

/// One part of the ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name, a word.
    pub name: &'static str,
    /// What it may come to.
    pub bytes: usize,
    /// What is in it.
    pub holds: &'static str,
    /// What makes it smaller.
    pub less: &'static str,
}

/// The executor, the reactor, signals, the log, the control socket without its clients, and what a library keeps for good: a
/// daemon that has connected to nothing holds 113 KB, its one agent's few in it.
const RUNTIME_BYTES: usize = 96 * 1024;
/// What a worker's thread and its queue keep while nothing is called.
const WORKER_BYTES: usize = 6 * 1024;
/// Of a set of roots, beside the roots: cipher suites and 16 sessions to resume.
const TLS_BYTES: usize = 24 * 1024;
/// A byte of the configuration, read: its text, its tree, its strings.
const CONFIG_FACTOR: usize = 3;
/// An agent's settings, as the relay, its link and its pump hold them, and once more at a reload.
const SETTINGS_BYTES: usize = 3584;
/// A TLS session and a WebSocket's two buffers, 15 KB while idle, and a link's own few things.
const LINK_BYTES: usize = 20 * 1024;
/// The windows of ids: 12 bytes each.
const IDS_BYTES: usize = 12 * (DEDUPE_IDS + BROUGHT_IDS + 2 * 64);
/// Own posts: their ids and what holds them.
const OWN_BYTES: usize = OWN_POSTS * 32 + super::OWN_POST_BYTES;
/// An agent's pump, its turns' bookkeeping, its part of status.
const AGENT_BYTES: usize = 4 * 1024;
/// The page's own, and for each link and agent its day and its part of what browsers are sent.
const PAGE_BYTES: usize = 32 * 1024;
/// See `PAGE_BYTES`.
const PAGE_ROW_BYTES: usize = 6 * 1024;
/// A turn and a link beyond the first four each ask for so much more room.
const ROOM_EACH_BYTES: usize = 16 * 1024;

/// What a queue of posts, letters or messages keeps beyond what it is charged for: room for the next ones, and one that passes its share.
const SLACK_BYTES: usize = 2 * 1024;

/// Items of a ceiling.
pub const ITEMS: usize = 11;

/// Every item.
#[must_use]
pub const fn items(counts: &Counts) -> [Item; ITEMS] {
    let share = Share::of(counts);
    let pairs = if counts.guilds < GUILD_WORKERS { counts.guilds } else { GUILD_WORKERS };
    let rows = counts.links + counts.agents;
    let beyond = counts.links.saturating_sub(4) + counts.turns.saturating_sub(4);
    [
        Item {
            name: "runtime",
            bytes: RUNTIME_BYTES + 2 * pairs * WORKER_BYTES,
            holds: "executor, reactor, threads, log, control socket",
            less: "fewer guilds",
        },
        Item {
            name: "roots",
            bytes: counts.roots * (ROOTS_BYTES + TLS_BYTES),
            holds: "authorities, cipher suites, TLS sessions to resume",
            less: "fewer `extra_ca`",
        },
        Item {
            name: "configuration",
            bytes: CONFIG_FACTOR * counts.config_bytes + counts.agents * SETTINGS_BYTES,
            holds: "the file, while it is read, and the settings",
            less: "a shorter file",
        },
        Item {
            name: "links",
            bytes: counts.links * LINK_BYTES,
            holds: "TLS sessions, WebSocket buffers, frames owed",
            less: "fewer agents, or fewer guilds for an agent",
        },
        Item {
            name: "ids",
            bytes: counts.links * (IDS_BYTES + OWN_BYTES),
            holds: "ids of the last 4,096 messages and 256 own posts, against what comes twice",
            less: "fewer agents, or fewer guilds for an agent",
        },
        Item {
            name: "channels",
            bytes: counts.links * share.channels * CHANNEL_BYTES,
            holds: "channels, where each stands",
            less: "a lower `limits.channels`",
        },
        Item {
            name: "agents",
            bytes: counts.agents * AGENT_BYTES + counts.line_agents * SENDS_BYTES,
            holds: "pumps of agents, sends remembered for `stdio` and `socket`",
            less: "fewer agents",
        },
        Item {
            name: "outboxes",
            bytes: counts.links * (share.outbox_bytes + share.letter_bytes + SLACK_BYTES),
            holds: "replies that wait to be posted, letters",
            less: "fewer agents, or fewer guilds for an agent",
        },
        Item {
            name: "windows",
            bytes: counts.links * (share.window_bytes + share.window_bytes / 2 + SLACK_BYTES * 3 / 4),
            holds: "messages that wait for their turn; history can bring them again",
            less: "fewer agents, or fewer guilds for an agent",
        },
        Item {
            name: "page",
            bytes: if counts.page { PAGE_BYTES + rows * PAGE_ROW_BYTES } else { 0 },
            holds: "the page's readers, the last day",
            less: "no `page`",
        },
        Item {
            name: "room",
            bytes: CHANNELS_BODY_BYTES + counts.message_bytes + beyond * ROOM_EACH_BYTES,
            holds: "what is under way: frames, HTTP bodies, turns, replies, answers on the control socket",
            less: "a lower `limits.message_bytes`, a lower `parallel`",
        },
    ]
}

/// The sum of all items.
#[must_use]
pub const fn ceiling(counts: &Counts) -> usize {
    let items = items(counts);
    let (mut sum, mut at) = (0, 0);
    while at < ITEMS {
        sum += items[at].bytes;
        at += 1;
    }
    sum
}

/// What one link may hold. The one link of a daemon has the whole; several have their part of what they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Channels that are joined.
    pub channels: usize,
    /// Messages that wait, in bytes.
    pub window_bytes: usize,
    /// Replies that wait to be posted, in bytes.
    pub outbox_bytes: usize,
    /// Letters, in bytes.
    pub letter_bytes: usize,
}

impl Share {
    /// The share of each link.
    #[must_use]
    pub const fn of(counts: &Counts) -> Self {
        let links = if counts.links == 0 { 1 } else { counts.links };
        let channels = match counts.channels {
            Some(channels) if channels < CHANNELS => channels,
            Some(_) => CHANNELS,
            None => part(CHANNELS_SHARED, CHANNELS_SHARED, links, CHANNELS_LEAST),
        };
        Self {
            channels,
            window_bytes: part(WINDOW_BYTES, WINDOWS_BYTES, links, WINDOW_LEAST_BYTES),
            outbox_bytes: part(OUTBOX_BYTES, OUTBOXES_BYTES, links, OUTBOX_LEAST_BYTES),
            letter_bytes: part(LETTER_BYTES, LETTERS_BYTES, links, OUTBOX_LEAST_BYTES),
        }
    }
}

impl Default for Share {
    /// Of the one link of a daemon, with as many channels as can be had.
    fn default() -> Self {
        Self::of(&Counts { channels: Some(CHANNELS), ..plain(1) })
    }
}

const fn part(alone: usize, together: usize, links: usize, least: usize) -> usize {
    if links == 1 {
        return alone;
    }
    let part = together / links;
    if part < least { least } else { part }
}

/// How the heap stands to its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pressure {
    /// There is room.
    #[default]
    Easy,
    /// What history can bring again is let go, and new things are taken slowly.
    Shed,
}

impl Pressure {
    /// From three quarters of the budget on it sheds, and goes on below three fifths.
    #[must_use]
    pub const fn next(self, used: usize, limit: usize) -> Self {
        match self {
            Self::Easy if used / 3 >= limit / 4 => Self::Shed,
            Self::Shed if used / 3 < limit / 5 => Self::Easy,
            Self::Easy | Self::Shed => self,
        }
    }
}
