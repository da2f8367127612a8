//! What `status` prints: plain values, written as JSON (CONTRACT section 3, "Status").

use serde::Serialize;
use std::collections::BTreeMap;

/// The whole answer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// One for each agent in each guild.
    pub links: Vec<LinkStatus>,
    /// One for each agent.
    pub agents: Vec<AgentStatus>,
    /// Filled in by the shell.
    pub process: ProcessStatus,
}

/// One link.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LinkStatus {
    /// The agent's name.
    pub agent: String,
    /// The guild's name.
    pub guild: String,
    /// minting, connecting, joining, unproven, live, deaf, backoff, waiting_clock, unbound, refused.
    pub state: &'static str,
    /// When it came into that state, RFC 3339.
    pub since: String,
    /// The stable code of what went wrong last; null while nothing did.
    pub reason: Option<&'static str>,
    /// What was seen, or what is waited for, in words.
    pub detail: String,
    /// Seconds until the next attempt, while one is waited for.
    pub next_try_s: Option<u64>,
    /// Channels in the guild's list.
    pub channels_total: usize,
    /// Channels whose join was sent on this connection.
    pub channels_joined: usize,
    /// Channels proven on this connection.
    pub channels_proven: usize,
    /// When the socket last brought a message, RFC 3339.
    pub last_event_at: Option<String>,
    /// When a channel was last proven, RFC 3339.
    pub last_proof_at: Option<String>,
    /// Handshake attempts since the start.
    pub attempts: u64,
    /// Tokens minted since the start.
    pub tokens_minted: u64,
    /// Turns ended.
    pub delivered: u64,
    /// Messages that came from history.
    pub replayed: u64,
    /// Messages that came twice.
    pub duplicates_dropped: u64,
    /// Posts that the guild stored.
    pub replies_posted: u64,
    /// Posts that wait.
    pub outbox_depth: usize,
    /// Posts that the guild refused for good and that are kept.
    pub letters: usize,
    /// What could not be kept, in all, since the journal began.
    pub gaps: u64,
    /// The same by its reason.
    pub gaps_by_reason: BTreeMap<&'static str, u64>,
    /// The last gap.
    pub last_gap: Option<GapStatus>,
    /// Timers that run now, in words and seconds: what may wake the daemon.
    pub timers: BTreeMap<&'static str, u64>,
}

/// Something that could not be kept. What comes from peers is clipped.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GapStatus {
    /// When it was found, RFC 3339.
    pub at: String,
    /// The stable code.
    pub reason: &'static str,
    /// The channel's id, where it was in one.
    pub channel: Option<String>,
    /// The first message of it, or the last one before it, where that is known.
    pub from: Option<String>,
    /// The last message of it, or the first one after it, where that is known.
    pub to: Option<String>,
    /// What was found, in words.
    pub detail: String,
}

/// The replies that a guild refused for good: what `letters` prints.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LettersStatus {
    /// How many there are.
    pub total: usize,
    /// The first `budget::LETTERS_LISTED` of them, link by link, the oldest first.
    pub listed: Vec<LetterStatus>,
}

/// One of them. What comes from peers is clipped; `letters show` has the whole text.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LetterStatus {
    /// The agent's name.
    pub agent: String,
    /// The guild's name.
    pub guild: String,
    /// The key that it is posted under, and called by.
    pub key: String,
    /// The channel's id.
    pub channel: String,
    /// Its text; clipped where letters are listed.
    pub text: String,
    /// Bytes of its whole text.
    pub bytes: usize,
    /// The message that it answers.
    pub reply_to: Option<String>,
    /// The stable code.
    pub reason: &'static str,
    /// What the guild said.
    pub detail: String,
    /// When it was refused, RFC 3339.
    pub at: String,
}

/// One agent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AgentStatus {
    /// Its name.
    pub agent: String,
    /// exec, stdio, socket, http.
    pub transport: &'static str,
    /// ready, busy, missing, unbound.
    pub state: &'static str,
    /// The stable code of what went wrong last; null while nothing did.
    pub reason: Option<&'static str>,
    /// What was seen.
    pub detail: String,
    /// Turns open now.
    pub turns_open: usize,
    /// Messages that wait for a turn.
    pub waiting: usize,
    /// Turns ended since the start.
    pub turns_done: u64,
    /// Attempts that failed since the start.
    pub turns_failed: u64,
    /// Lines or bytes that could not be read, since the start.
    pub garbled: u64,
}

/// The process.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProcessStatus {
    /// Its id.
    pub pid: u32,
    /// Heap in use.
    pub heap_bytes: usize,
    /// The most that was in use.
    pub heap_peak_bytes: usize,
    /// What it may use.
    pub heap_limit_bytes: usize,
    /// The heap is near that: what history can bring again was let go, and messages are taken one at a time.
    pub shedding: bool,
    /// How often that was so, since the start.
    pub sheds: u64,
    /// Messages that were let go then, for history to bring again.
    pub let_go: u64,
    /// Resident set.
    pub rss_bytes: u64,
    /// memory, group, each; or "none" where no state can be written.
    pub state_mode: &'static str,
    /// Why no state can be written, where that is so.
    pub state_detail: String,
    /// Lines of the log that nobody read in time, since the start.
    pub log_dropped: u64,
    /// Where the page is, while it is served.
    pub page: Option<String>,
    /// Why it is not, though the configuration asks for it.
    pub page_detail: String,
    /// Why the metrics' file is not written, though it was asked for; empty where it is.
    pub metrics_detail: String,
}
