//! A link on the screen: its line, what is wrong with it, what it lost.

use super::super::plain;
use super::super::said::Said;
use super::view::Paint;
use super::words::{age, in_words};
use crate::gap::Gap;
use crate::moment::span;

#[derive(Debug, Default)]
pub(super) struct LinkView {
    agent: String,
    guild: String,
    pub(super) state: String,
    since: String,
    pub(super) reason: Option<String>,
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

impl LinkView {
    pub(super) fn of(said: &Said<'_>) -> Self {
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

    pub(super) fn name(&self) -> String {
        format!("{} in {}", plain(&self.agent), plain(&self.guild))
    }

    /// The worst first; a state of a newer daemon before all.
    pub(super) fn rank(&self) -> usize {
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

    pub(super) fn lines(&self, wall_ms: u64, paint: Paint) -> String {
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
    pub(super) fn lost(&self, wall_ms: u64) -> String {
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
    pub(super) fn why(&self) -> Option<String> {
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
