//! `status`: what the running daemon says of itself, for people and for scripts.

use super::client::{ANSWER_MS, Daemon, Silence};
use super::said::{self, Said};
use super::{Exit, complain, plain, put, put_json, watch};
use crate::gap::Gap;
use crate::io::clock;
use crate::moment::span;
use crate::reason::Reason;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

/// Between looks of `--wait`.
const LOOK_MS: u64 = 250;

/// What is asked of `status`.
#[derive(Default)]
pub struct Wish {
    /// JSON instead of a screen.
    pub json: bool,
    /// Wait so long for a yes.
    pub wait_s: Option<u64>,
    /// What yes means.
    pub check: Option<Check>,
    /// Again and again, in place.
    pub watch: bool,
}

/// What `--check` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The daemon answers: its loop turns.
    Local,
    /// Every link with a key is live, or unproven without a fault.
    Guild,
}

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
    fn state(self, state: &str) -> String {
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
struct LinkView {
    agent: String,
    guild: String,
    state: String,
    since: String,
    reason: Option<String>,
    detail: String,
    next_try_s: Option<u64>,
    channels_total: usize,
    channels_proven: usize,
    last_event_at: Option<String>,
    last_proof_at: Option<String>,
    delivered: u64,
    replies_posted: u64,
    outbox_depth: usize,
    letters: usize,
    gaps: u64,
    gaps_by_reason: Vec<(String, u64)>,
    last_gap: Option<GapView>,
}

#[derive(Debug, Default)]
struct GapView {
    at: String,
    reason: String,
    channel: Option<String>,
    detail: String,
}

#[derive(Debug, Default)]
struct AgentView {
    agent: String,
    transport: String,
    state: String,
    reason: Option<String>,
    detail: String,
    turns_open: usize,
    waiting: usize,
    turns_done: u64,
    turns_failed: u64,
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

/// Asks once, or until yes; prints what came last.
pub fn status(socket: &Path, wish: &Wish) -> Exit {
    if wish.watch {
        return watch::watch(socket, wish.json);
    }
    let deadline = wish.wait_s.map(|seconds| clock::now().at.after_ms(seconds * 1000));
    loop {
        let left = deadline.map_or(ANSWER_MS, |deadline| deadline.since_ms(clock::now().at));
        let answer = ask(socket, left.clamp(LOOK_MS, ANSWER_MS));
        let good = match &answer {
            Ok((_, view)) => deadline.is_none() && wish.check.is_none() || view.wanting(wish.check).is_empty(),
            Err(_) => false,
        };
        let rest = deadline.map_or(0, |deadline| deadline.since_ms(clock::now().at));
        if !good && rest > 0 {
            std::thread::sleep(Duration::from_millis(rest.min(LOOK_MS)));
            continue;
        }
        return match answer {
            Ok((json, view)) => tell(&json, &view.painted(Paint::of_terminal()), wish, good),
            Err(silence) => silence.exit(),
        };
    }
}

pub(super) fn ask(socket: &Path, ms: u64) -> Result<(String, View), Silence> {
    let json = Daemon::status(socket, ms)?;
    let view = View::read(&json).map_err(Silence::Gone)?;
    Ok((json, view))
}

fn tell(json: &str, view: &View, wish: &Wish, good: bool) -> Exit {
    let done = if wish.json { put_json(json) } else { put(view.screen(clock::now().wall_ms).trim_end()) };
    if let Err(exit) = done {
        return exit;
    }
    if good {
        return Exit::Done;
    }
    view.wanting(wish.check).iter().for_each(complain);
    Exit::No
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

impl LinkView {
    fn of(said: &Said<'_>) -> Self {
        Self {
            agent: said.text("agent"),
            guild: said.text("guild"),
            state: said.text("state"),
            since: said.text("since"),
            reason: said.some_text("reason"),
            detail: said.text("detail"),
            next_try_s: said.some_number("next_try_s"),
            channels_total: said.count("channels_total"),
            channels_proven: said.count("channels_proven"),
            last_event_at: said.some_text("last_event_at"),
            last_proof_at: said.some_text("last_proof_at"),
            delivered: said.number("delivered"),
            replies_posted: said.number("replies_posted"),
            outbox_depth: said.count("outbox_depth"),
            letters: said.count("letters"),
            gaps: said.number("gaps"),
            gaps_by_reason: said.numbers("gaps_by_reason"),
            last_gap: said.some("last_gap").map(|said| GapView::of(&said)),
        }
    }

    fn name(&self) -> String {
        format!("{} in {}", plain(&self.agent), plain(&self.guild))
    }

    /// The worst first; a state of a newer daemon before all.
    fn rank(&self) -> usize {
        const ORDER: &[&str] = &[
            "deaf",
            "refused",
            "unbound",
            "backoff",
            "waiting_clock",
            "minting",
            "connecting",
            "joining",
            "unproven",
            "live",
        ];
        ORDER.iter().position(|state| *state == self.state).map_or(0, |place| place + 1)
    }

    fn lines(&self, wall_ms: u64, paint: Paint) -> String {
        let age = |at: &str| age(at, wall_ms);
        let mut out = format!("{}: {}", self.name(), paint.state(&self.state));
        if let Some(since) = age(&self.since) {
            out += &format!(" for {since}");
        }
        out += &format!(", {} of {} channels proven", self.channels_proven, self.channels_total);
        if let Some(event) = self.last_event_at.as_deref().and_then(age) {
            out += &format!(", last message {event} ago");
        }
        match self.last_proof_at.as_deref().and_then(age) {
            Some(proof) => out += &format!(", last proof {proof} ago"),
            None => out += ", no proof yet",
        }
        if let Some(seconds) = self.next_try_s {
            out += &format!(", next try in {}", span(seconds));
        }
        out.push('\n');
        if let Some(why) = self.why() {
            out += &format!("    {why}\n");
        }
        let counts = [
            (self.delivered, "delivered"),
            (self.replies_posted, "posted"),
            (self.outbox_depth as u64, "waiting to be posted"),
        ];
        let counts: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if !counts.is_empty() {
            out += &format!("    {}\n", counts.join(", "));
        }
        out += &self.lost(wall_ms);
        match self.letters {
            0 => {}
            1 => out += "    1 reply was refused for good and is kept: see guild-bridge letters\n",
            n => out += &format!("    {n} replies were refused for good and are kept: see guild-bridge letters\n"),
        }
        out
    }

    /// What could not be kept, the worst reason first, and the last of it.
    fn lost(&self, wall_ms: u64) -> String {
        if self.gaps == 0 {
            return String::new();
        }
        let place = |code: &str| Gap::of_code(code).map_or(0, |gap| 1 + gap as usize);
        let mut reasons: Vec<_> = self.gaps_by_reason.iter().filter(|(_, n)| *n > 0).collect();
        reasons.sort_by_key(|(code, _)| place(code));
        let reasons: Vec<_> = reasons.iter().map(|(code, n)| format!("{n} {}", plain(code))).collect();
        let mut out = format!("    {} lost to gaps: {}\n", self.gaps, reasons.join(", "));
        if let Some(last) = &self.last_gap {
            let ago = age(&last.at, wall_ms).map(|age| format!(", {age} ago")).unwrap_or_default();
            let channel = last.channel.as_deref().map(|id| format!(" in {}", plain(id))).unwrap_or_default();
            let sentence = Gap::of_code(&last.reason).map(|gap| format!(": {}", gap.sentence())).unwrap_or_default();
            let (reason, detail) = (plain(&last.reason), plain(&last.detail));
            out += &format!("    the last{channel}{ago}: {reason}{sentence}; {detail}\n");
        }
        out
    }

    /// Why it is not live, or what stands against it, in words; `None` when all is well.
    fn why(&self) -> Option<String> {
        let state = match self.state.as_str() {
            "live" if self.reason.is_none() => return None,
            "live" => "it hears, and there is a doubt",
            "minting" => "a fresh token is asked for",
            "connecting" => "the connection is being opened",
            "joining" => "its channels are being joined",
            "unproven" if self.reason.is_some() => "connected, and not proven",
            "unproven" => "connected, but nothing was said yet that could prove that it hears",
            "deaf" => "connected, but what history shows did not arrive",
            "backoff" => "it rests before the next attempt",
            "waiting_clock" => "the board's clock is not set, so no certificate can be judged",
            "unbound" => "it has no key",
            "refused" => "the guild refuses its id or key",
            _ => "this version does not know the state",
        };
        let mut why = state.to_owned();
        if let Some(reason) = &self.reason {
            why += &format!("; {}", in_words(reason));
        }
        if !self.detail.is_empty() {
            why += &format!("; {}", plain(&self.detail));
        }
        Some(why)
    }
}

impl GapView {
    fn of(said: &Said<'_>) -> Self {
        Self {
            at: said.text("at"),
            reason: said.text("reason"),
            channel: said.some_text("channel"),
            detail: said.text("detail"),
        }
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

impl AgentView {
    fn of(said: &Said<'_>) -> Self {
        Self {
            agent: said.text("agent"),
            transport: said.text("transport"),
            state: said.text("state"),
            reason: said.some_text("reason"),
            detail: said.text("detail"),
            turns_open: said.count("turns_open"),
            waiting: said.count("waiting"),
            turns_done: said.number("turns_done"),
            turns_failed: said.number("turns_failed"),
        }
    }

    fn is_missing(&self) -> bool {
        self.state == "missing"
    }

    fn line(&self, paint: Paint) -> String {
        // a program or an address that was never asked is only believed to be there
        let asked = self.turns_open > 0 || self.turns_done + self.turns_failed > 0;
        let untried = self.state == "ready" && !asked && matches!(self.transport.as_str(), "exec" | "http");
        let mut out = format!(
            "{} ({}): {}{}, {} open, {} waiting, {} done",
            plain(&self.agent),
            plain(&self.transport),
            paint.state(&self.state),
            if untried { " (not asked yet)" } else { "" },
            self.turns_open,
            self.waiting,
            self.turns_done
        );
        if self.turns_failed > 0 {
            out += &format!(", {} failed attempts", self.turns_failed);
        }
        if let Some(reason) = &self.reason {
            out += &format!("\n    {}", in_words(reason));
            if !self.detail.is_empty() {
                out += &format!("; {}", plain(&self.detail));
            }
        }
        out.push('\n');
        out
    }
}

/// A reason's code with its sentence; the code alone where a newer daemon knows more.
pub(super) fn in_words(code: &str) -> String {
    match Reason::ALL.iter().find(|reason| reason.code() == code) {
        Some(reason) => format!("{}: {}", reason.code(), reason.sentence()),
        None => plain(code),
    }
}

/// How long ago an RFC 3339 instant was, when it can be read.
pub(super) fn age(at: &str, wall_ms: u64) -> Option<String> {
    let at = humantime::parse_rfc3339_weak(at).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = Duration::from_millis(wall_ms);
    Some(span(now.saturating_sub(at).as_secs()))
}

/// Bytes as people say them.
pub(super) fn bytes(n: u64) -> String {
    match n {
        0..=9_999 => format!("{n} B"),
        10_000..=999_999 => format!("{} kB", n / 1000),
        _ => format!("{}.{} MB", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}
