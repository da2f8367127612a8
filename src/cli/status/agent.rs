//! An agent on the screen.

use super::super::plain;
use super::super::said::Said;
use super::view::Paint;
use super::words::in_words;

#[derive(Debug, Default)]
pub(super) struct AgentView {
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

impl AgentView {
    pub(super) fn of(said: &Said<'_>) -> Self {
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

    pub(super) fn is_missing(&self) -> bool {
        self.state == "missing"
    }

    pub(super) fn line(&self, paint: Paint) -> String {
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
