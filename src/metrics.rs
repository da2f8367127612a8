//! The status in the Prometheus text format (exposition format 0.0.4): what `/metrics` of the page answers, and what
//! `metrics_file` holds for node_exporter's textfile collector. Names and units by Prometheus' conventions: base units,
//! `_total` for what only grows, a state as one series for each word.

use crate::moment::instant;
use crate::status::{AgentStatus, LinkStatus, Status};
use std::fmt::Write;

/// What `Content-Type` says of it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The states of a link, as `status` says them.
pub const LINK_STATES: &[&str] =
    &["minting", "connecting", "joining", "unproven", "live", "deaf", "backoff", "waiting_clock", "unbound", "refused"];
/// The states of an agent.
pub const AGENT_STATES: &[&str] = &["ready", "busy", "missing", "unbound"];

/// Name, what it is, what it says of one row; none: nothing to say.
type Family<Row> = (&'static str, &'static str, fn(&Row) -> Option<u64>);

const LINK_COUNTERS: &[Family<LinkStatus>] = &[
    ("link_attempts_total", "Handshake attempts since the start.", |l| Some(l.attempts)),
    ("link_tokens_minted_total", "Tokens minted since the start.", |l| Some(l.tokens_minted)),
    ("link_delivered_total", "Messages whose turn ended, since the start.", |l| Some(l.delivered)),
    ("link_replayed_total", "Messages that history brought, since the start.", |l| Some(l.replayed)),
    ("link_duplicates_dropped_total", "Messages that came twice, since the start.", |l| Some(l.duplicates_dropped)),
    ("link_replies_posted_total", "Posts that the guild stored, since the start.", |l| Some(l.replies_posted)),
];

const LINK_GAUGES: &[Family<LinkStatus>] = &[
    ("link_state_since_timestamp_seconds", "When the link came into its state.", |l| seconds(Some(&l.since))),
    ("link_last_event_timestamp_seconds", "When the socket last brought a message.", |l| {
        seconds(l.last_event_at.as_deref())
    }),
    ("link_last_proof_timestamp_seconds", "When a channel was last proven to be heard.", |l| {
        seconds(l.last_proof_at.as_deref())
    }),
    ("link_next_try_seconds", "Until the next attempt, while one is waited for.", |l| l.next_try_s),
    ("link_channels", "Channels in the guild's list.", |l| Some(l.channels_total as u64)),
    ("link_channels_joined", "Channels joined on this connection.", |l| Some(l.channels_joined as u64)),
    ("link_channels_proven", "Channels proven on this connection.", |l| Some(l.channels_proven as u64)),
    ("link_outbox_posts", "Posts that wait.", |l| Some(l.outbox_depth as u64)),
    ("link_letters", "Posts that the guild refused for good and that are kept.", |l| Some(l.letters as u64)),
];

const AGENT_COUNTERS: &[Family<AgentStatus>] = &[
    ("agent_turns_total", "Turns ended since the start.", |a| Some(a.turns_done)),
    ("agent_attempts_failed_total", "Attempts at a turn that failed, since the start.", |a| Some(a.turns_failed)),
    ("agent_garbled_total", "Lines or bytes of the agent that could not be read.", |a| Some(a.garbled)),
];

const AGENT_GAUGES: &[Family<AgentStatus>] = &[
    ("agent_turns_open", "Turns open now.", |a| Some(a.turns_open as u64)),
    ("agent_messages_waiting", "Messages that wait for a turn.", |a| Some(a.waiting as u64)),
];

/// The whole exposition. It ends with a line break.
#[must_use]
pub fn exposition(status: &Status) -> String {
    let mut out = String::new();
    head(&mut out, "build_info", "gauge", "The program's version; always 1.");
    sample(&mut out, "build_info", &[("version", &status.version)], 1);
    single(&mut out, "uptime_seconds", "gauge", "Since the daemon started.", status.uptime_s);
    process(&mut out, status);
    let of_link = |link: &LinkStatus| vec![("agent", link.agent.clone()), ("guild", link.guild.clone())];
    families(&mut out, "counter", LINK_COUNTERS, &status.links, of_link);
    families(&mut out, "gauge", LINK_GAUGES, &status.links, of_link);
    links(&mut out, &status.links);
    let of_agent = |agent: &AgentStatus| vec![("agent", agent.agent.clone())];
    families(&mut out, "counter", AGENT_COUNTERS, &status.agents, of_agent);
    families(&mut out, "gauge", AGENT_GAUGES, &status.agents, of_agent);
    if !status.agents.is_empty() {
        head(&mut out, "agent_state", "gauge", "1 for the state that the agent is in.");
    }
    for agent in &status.agents {
        let labels = [("agent", agent.agent.as_str()), ("transport", agent.transport)];
        states(&mut out, "agent_state", &labels, AGENT_STATES, agent.state);
    }
    out
}

fn process(out: &mut String, status: &Status) {
    let process = &status.process;
    single(out, "heap_bytes", "gauge", "Heap in use.", process.heap_bytes as u64);
    single(out, "heap_peak_bytes", "gauge", "The most heap that was in use.", process.heap_peak_bytes as u64);
    if process.heap_limit_bytes > 0 {
        single(out, "heap_limit_bytes", "gauge", "Heap that may be in use.", process.heap_limit_bytes as u64);
    }
    single(
        out,
        "heap_shedding",
        "gauge",
        "1 while the heap is near that, and messages wait in history.",
        process.shedding.into(),
    );
    single(out, "heap_sheds_total", "counter", "How often it came near, since the start.", process.sheds);
    single(
        out,
        "heap_let_go_total",
        "counter",
        "Messages that were let go then, for history to bring again.",
        process.let_go,
    );
    single(out, "resident_memory_bytes", "gauge", "Resident set.", process.rss_bytes);
    single(
        out,
        "log_lines_dropped_total",
        "counter",
        "Lines of the log that nobody read in time.",
        process.log_dropped,
    );
    if !process.state_mode.is_empty() {
        head(out, "state_info", "gauge", "How state is kept (none: nothing can be written); always 1.");
        sample(out, "state_info", &[("mode", process.state_mode)], 1);
    }
}

/// What of a link is no single number.
fn links(out: &mut String, links: &[LinkStatus]) {
    if links.is_empty() {
        return;
    }
    head(out, "link_state", "gauge", "1 for the state that the link is in.");
    for link in links {
        states(out, "link_state", &[("agent", &link.agent), ("guild", &link.guild)], LINK_STATES, link.state);
    }
    if links.iter().any(|link| link.reason.is_some()) {
        head(out, "link_reason_info", "gauge", "What went wrong last on the link; always 1.");
    }
    for link in links {
        if let Some(reason) = link.reason {
            let labels = [("agent", link.agent.as_str()), ("guild", &link.guild), ("reason", reason)];
            sample(out, "link_reason_info", &labels, 1);
        }
    }
    if links.iter().any(|link| !link.gaps_by_reason.is_empty()) {
        head(out, "link_gaps_total", "counter", "What could not be kept, since the journal began.");
    }
    for link in links {
        for (reason, count) in &link.gaps_by_reason {
            let labels = [("agent", link.agent.as_str()), ("guild", &link.guild), ("reason", reason)];
            sample(out, "link_gaps_total", &labels, *count);
        }
    }
}

fn families<Row>(
    out: &mut String,
    kind: &str,
    families: &[Family<Row>],
    rows: &[Row],
    labels: impl Fn(&Row) -> Vec<(&'static str, String)>,
) {
    for (name, help, value) in families {
        let mut begun = false;
        for row in rows {
            let Some(value) = value(row) else { continue };
            if !begun {
                head(out, name, kind, help);
                begun = true;
            }
            let labels = labels(row);
            let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            sample(out, name, &labels, value);
        }
    }
}

fn states(out: &mut String, name: &str, labels: &[(&str, &str)], words: &[&str], now: &str) {
    for word in words {
        let mut labels = labels.to_vec();
        labels.push(("state", word));
        sample(out, name, &labels, u64::from(*word == now));
    }
}

fn single(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(out, name, kind, help);
    sample(out, name, &[], value);
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(out, "# HELP guild_bridge_{name} {help}\n# TYPE guild_bridge_{name} {kind}\n");
}

fn sample(out: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    let _ = write!(out, "guild_bridge_{name}");
    for (at, (label, value)) in labels.iter().enumerate() {
        let _ = write!(out, "{}{label}=\"{}\"", if at == 0 { "{" } else { "," }, escaped(value));
    }
    let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

/// A label's value: backslash, quote and line break are written with a backslash.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Seconds since 1970 of a time as `status` says it.
fn seconds(at: Option<&str>) -> Option<u64> {
    instant(at?).map(|ms| ms / 1000)
}
