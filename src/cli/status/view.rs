//! The screen: the process, then its links and agents, the worst first.

use super::super::plain;
use super::super::said::{self, Said};
use super::Check;
use super::agent::AgentView;
use super::link::LinkView;
use super::words::bytes;
use crate::moment::span;
use std::io::IsTerminal;

/// The part of the daemon's answer that a screen shows. Absent fields are as good as empty.
#[derive(Debug, Default)]
pub struct View {
    version: String,
    uptime_s: u64,
    links: Vec<LinkView>,
    agents: Vec<AgentView>,
    process: ProcessView,
    paint: Paint,
}

/// Colours for states, where there is a terminal to show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    #[default]
    None,
    /// SGR colours (ECMA-48, section 8.3.117).
    Colours,
}

impl Paint {
    /// Colours when standard output is a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[must_use]
    pub fn of_terminal() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        if std::io::stdout().is_terminal() && !refused { Self::Colours } else { Self::None }
    }

    /// Green for what is well, yellow for what is on its way, red for what somebody has to look at.
    pub(super) fn state(self, state: &str) -> String {
        let word = plain(state);
        let colour = match state {
            "live" | "ready" | "busy" => 32,
            "minting" | "connecting" | "joining" | "unproven" | "backoff" => 33,
            _ => 31,
        };
        match self {
            Self::None => word,
            Self::Colours => format!("\x1b[{colour}m{word}\x1b[0m"),
        }
    }
}

#[derive(Debug, Default)]
struct ProcessView {
    pid: u64,
    heap_bytes: u64,
    heap_peak_bytes: u64,
    heap_limit_bytes: u64,
    shedding: bool,
    rss_bytes: u64,
    state_mode: String,
    state_detail: String,
    log_dropped: u64,
    page: Option<String>,
    page_detail: String,
    metrics_detail: String,
}

impl View {
    /// Reads the daemon's JSON.
    ///
    /// # Errors
    /// A sentence.
    pub fn read(json: &str) -> Result<Self, String> {
        said::read(json, Self::of).map_err(|what| format!("the daemon's status cannot be read: {what}"))
    }

    fn of(said: &Said<'_>) -> Self {
        Self {
            version: said.text("version"),
            uptime_s: said.number("uptime_s"),
            links: said.list("links", LinkView::of),
            agents: said.list("agents", AgentView::of),
            process: said.some("process").map(|said| ProcessView::of(&said)).unwrap_or_default(),
            paint: Paint::None,
        }
    }

    /// With colours, or without.
    #[must_use]
    pub fn painted(mut self, paint: Paint) -> Self {
        self.paint = paint;
        self
    }

    /// What stands against a yes, a line each. Without `check`: every link with a key must be live. A link without a
    /// key does not count beside others; where none has one, nobody is heard.
    #[must_use]
    pub fn wanting(&self, check: Option<Check>) -> Vec<String> {
        let good = |link: &LinkView| match check {
            Some(Check::Local) => true,
            Some(Check::Guild) => link.state == "live" || link.state == "unproven" && link.reason.is_none(),
            None => link.state == "live",
        };
        if check != Some(Check::Local) && self.links.iter().all(|link| link.state == "unbound") {
            return vec!["no link has a key: nobody is heard".to_owned()];
        }
        let bad = self.links.iter().filter(|link| link.state != "unbound" && !good(link));
        bad.map(|link| format!("{}: {}", link.name(), link.why().unwrap_or_else(|| plain(&link.state)))).collect()
    }

    /// One screen for people, the worst first; `wall_ms` is now, in milliseconds since 1970.
    #[must_use]
    pub fn screen(&self, wall_ms: u64) -> String {
        let process = &self.process;
        let live = self.links.iter().filter(|link| link.state == "live").count();
        let absent = self.agents.iter().filter(|agent| agent.is_missing()).count();
        let limit = match process.heap_limit_bytes {
            0 => String::new(),
            limit => format!(" of {}", bytes(limit)),
        };
        let mut out = format!(
            "guild-bridge {}, process {}, up {}; {live} of {} links live",
            plain(&self.version),
            process.pid,
            span(self.uptime_s),
            self.links.len()
        );
        if absent > 0 {
            out += &format!(", {absent} of {} agents not there", self.agents.len());
        }
        out.push('\n');
        out += &format!(
            "heap {} (at most {}){limit}, resident {}, state {}",
            bytes(process.heap_bytes),
            bytes(process.heap_peak_bytes),
            bytes(process.rss_bytes),
            plain(&process.state_mode)
        );
        if !process.state_detail.is_empty() {
            out += &format!(": {}", plain(&process.state_detail));
        }
        if process.shedding {
            out += "\nthe heap is near its budget: messages wait in the guild's history, and are taken one at a time";
        }
        if process.log_dropped > 0 {
            out += &format!("\n{} line(s) of the log were dropped: whoever reads it did not", process.log_dropped);
        }
        if let Some(page) = &process.page {
            out += &format!("\npage: {}", plain(page));
        }
        if !process.page_detail.is_empty() {
            out += &format!("\npage: not served: {}", plain(&process.page_detail));
        }
        if !process.metrics_detail.is_empty() {
            out += &format!("\nmetrics: not written: {}", plain(&process.metrics_detail));
        }
        out += "\n\n";
        let mut links: Vec<_> = self.links.iter().collect();
        links.sort_by_key(|link| link.rank());
        links.iter().for_each(|link| out += &link.lines(wall_ms, self.paint));
        out.push('\n');
        let mut agents: Vec<_> = self.agents.iter().collect();
        agents.sort_by_key(|agent| !agent.is_missing());
        agents.iter().for_each(|agent| out += &agent.line(self.paint));
        out
    }
}

impl ProcessView {
    fn of(said: &Said<'_>) -> Self {
        Self {
            pid: said.number("pid"),
            heap_bytes: said.number("heap_bytes"),
            heap_peak_bytes: said.number("heap_peak_bytes"),
            heap_limit_bytes: said.number("heap_limit_bytes"),
            shedding: said.raw("shedding") == Some("true"),
            rss_bytes: said.number("rss_bytes"),
            state_mode: said.text("state_mode"),
            state_detail: said.text("state_detail"),
            log_dropped: said.number("log_dropped"),
            page: said.some_text("page"),
            page_detail: said.text("page_detail"),
            metrics_detail: said.text("metrics_detail"),
        }
    }
}
