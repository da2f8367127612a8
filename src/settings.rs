//! What the configuration says, once it has been read: plain values without positions or files.

use crate::budget::ceiling::{Counts, ceiling};
use crate::secret::Secret;
use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// In the order of the file.
    pub guilds: Vec<Guild>,
    /// In the order of the file.
    pub agents: Vec<Agent>,
    /// How hard the journal is kept.
    pub state: StateMode,
    /// `limits.message_bytes`.
    pub message_bytes: usize,
    /// `limits.heap_bytes`, where it is set.
    pub heap_bytes: Option<usize>,
    /// `limits.channels`, where it is set.
    pub channels: Option<usize>,
    /// Bytes of the file that says all this.
    pub config_bytes: usize,
    /// `timing`.
    pub timing: Timing,
    /// Where the page is served, if at all.
    pub page: Option<Page>,
    /// The file that metrics are written to.
    pub metrics_file: Option<PathBuf>,
}

/// A line that says `limits.heap_bytes`: what is computed without it has room for it.
const HEAP_LINE_BYTES: usize = 64;

impl Settings {
    /// What the ceiling of the heap is worked out from.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let extra: BTreeSet<&PathBuf> = self.guilds.iter().filter_map(|guild| guild.extra_ca.as_ref()).collect();
        let lines = |agent: &&Agent| matches!(agent.answer, Transport::Stdio { .. } | Transport::Socket { .. });
        Counts {
            guilds: self.guilds.len(),
            roots: 1 + extra.len(),
            agents: self.agents.len(),
            line_agents: self.agents.iter().filter(lines).count(),
            links: self.agents.iter().map(|agent| agent.guilds.len()).sum(),
            turns: self.agents.iter().map(|agent| usize::from(agent.parallel)).sum(),
            channels: self.channels,
            message_bytes: self.message_bytes,
            page: self.page.is_some(),
            config_bytes: self.config_bytes + if self.heap_bytes.is_none() { HEAP_LINE_BYTES } else { 0 },
        }
    }

    /// What the heap may hold: `limits.heap_bytes`, or what this configuration can come to.
    #[must_use]
    pub fn heap_limit(&self) -> usize {
        self.heap_bytes.unwrap_or_else(|| ceiling(&self.counts()))
    }
}

/// The page: where it listens, and what it may be called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// `page`.
    pub listen: SocketAddr,
    /// `page_hosts`, in lower case: what a request's Host may say beside loopback's own names.
    pub hosts: Vec<String>,
}

/// A guild: where it is and what it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guild {
    /// Its name in the configuration.
    pub name: String,
    /// What it speaks.
    pub dialect: DialectName,
    /// Base URL of what mints, no trailing slash; the guild's own where none is given.
    pub center: String,
    /// Base URL, no trailing slash.
    pub url: String,
    /// A PEM file of further roots.
    pub extra_ca: Option<PathBuf>,
    /// Plain http and ws are allowed beyond loopback.
    pub plaintext: bool,
    /// Paths that differ from the dialect's own, by the names of CONTRACT (`token`, `channels`, …).
    pub paths: BTreeMap<String, String>,
    /// The Socket.IO namespace, `/` by default.
    pub namespace: String,
}

/// The dialects that are known. What each of them asks of the configuration is matched here, so that a new one does not
/// compile before it says so; one that is not in `ALL` is a word that the configuration refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialectName {
    /// CONTRACT section 1.
    Fabric,
    /// Channels of an Open WebUI server.
    OpenWebUi,
}

impl DialectName {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Fabric, Self::OpenWebUi];
    /// All of them, as the configuration writes them.
    pub const WORDS: &'static [&'static str] = &words();

    /// The one of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dialect| dialect.word() == word)
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fabric => "fabric",
            Self::OpenWebUi => "open-webui",
        }
    }

    /// Whether its tokens are got with a login and a password: an agent has a `login`, and its `key_file` holds the
    /// password.
    #[must_use]
    pub fn signs_in(self) -> bool {
        match self {
            Self::Fabric => false,
            Self::OpenWebUi => true,
        }
    }

    /// Whether `center`, `paths` and `namespace` may differ; else everything is where the server has it, below `url`.
    #[must_use]
    pub fn has_places(self) -> bool {
        match self {
            Self::Fabric => true,
            Self::OpenWebUi => false,
        }
    }

    /// Whether the guild says who its agents are, and not the configuration's `id`.
    #[must_use]
    pub fn names_agents(self) -> bool {
        match self {
            Self::Fabric => false,
            Self::OpenWebUi => true,
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "at compile time, where a place that is not there does not compile")]
const fn words() -> [&'static str; DialectName::ALL.len()] {
    let mut words = [""; DialectName::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = DialectName::ALL[at].word();
        at += 1;
    }
    words
}

/// An agent: who it is, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name in the configuration.
    pub name: String,
    /// Names of its guilds: one link for each.
    pub guilds: Vec<String>,
    /// Who the guild knows it as.
    pub id: String,
    /// What it signs in as, where its guild has sign-ins; the key is its password.
    pub login: Option<String>,
    /// Further names that count as a mention after `@`; its own name is always one.
    pub names: Vec<String>,
    /// Where its key is.
    pub key_file: PathBuf,
    /// The key, or why there is none (a sentence with what to do).
    pub key: Result<Secret, String>,
    /// How it is asked.
    pub answer: Transport,
    /// Turns open at once, 1..=64.
    pub parallel: u16,
    /// How long a turn may take.
    pub deadline_s: u64,
    /// How many old messages are answered in a channel seen for the first time.
    pub backfill: u32,
    /// What is answered.
    pub respond_to: RespondTo,
    /// `"bots": "all"`: bots' messages count as people's do (the budget stays).
    pub bots_all: bool,
    /// `attachments.max_bytes`, where attachments are fetched.
    pub attachment_bytes: Option<u64>,
}

/// What an agent answers, beside direct messages, which always count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RespondTo {
    /// Everything.
    All,
    /// What mentions it.
    Mentions,
    /// Direct messages only.
    Direct,
}

/// How an agent is asked: CONTRACT section 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One process for each turn.
    Exec {
        /// The program and its arguments, with placeholders.
        argv: Vec<String>,
        /// What it reads.
        stdin: Stdin,
        /// What it writes: text, or JSON with a pointer to the reply.
        stdout: Stdout,
        /// Where and with what environment it runs.
        child: Child,
    },
    /// One resident child that speaks lines.
    Stdio {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Where and with what environment it runs.
        child: Child,
    },
    /// Agents connect to this socket.
    Socket {
        /// Path of the socket.
        path: PathBuf,
        /// User ids that may connect; empty: the daemon's own and root.
        uids: Vec<u32>,
    },
    /// One POST for each turn.
    Http {
        /// The whole URL.
        url: String,
        /// Further headers.
        headers: BTreeMap<String, String>,
        /// A file whose content goes into `Authorization: Bearer`; read at each call.
        bearer_file: Option<PathBuf>,
        /// The body's JSON text with placeholders in its strings; none: the `guild-agent/1` message.
        body: Option<String>,
        /// Where the reply is in the answer's JSON (RFC 6901); none: the body itself is the reply.
        pointer: Option<String>,
    },
}

/// What an exec agent reads on standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// The message's text.
    Text,
    /// The `guild-agent/1` line.
    Json,
    /// Nothing.
    None,
}

/// What an exec agent writes on standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stdout {
    /// The reply itself.
    Text,
    /// JSON, with the reply at this pointer (RFC 6901).
    Json(String),
}

/// Where and with what environment a child runs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Child {
    /// Working directory, HOME too; `/` where none is given.
    pub cwd: Option<PathBuf>,
    /// Environment beyond PATH, LANG, TZ and HOME.
    pub env: BTreeMap<String, String>,
    /// Environment whose values are read from files at each start.
    pub env_files: BTreeMap<String, PathBuf>,
}

/// How hard the journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StateMode {
    /// Never synced: survives a crash of the daemon, not of the board.
    #[default]
    Memory,
    /// Synced in groups.
    Group,
    /// Every record synced.
    Each,
}

/// `timing`, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between reconciliations while live.
    pub reconcile_ms: u64,
    /// Between reconciliations before proof.
    pub unproven_ms: u64,
    /// From dial to CONNECT's answer.
    pub handshake_ms: u64,
    /// Connected without a miss for so long clears the backoff's record.
    pub stable_ms: u64,
    /// Shortest rest.
    pub backoff_base_ms: u64,
    /// Longest rest after a network failure.
    pub backoff_cap_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            reconcile_ms: 60_000,
            unproven_ms: 15_000,
            handshake_ms: 30_000,
            stable_ms: 60_000,
            backoff_base_ms: 1_000,
            backoff_cap_ms: 120_000,
        }
    }
}
