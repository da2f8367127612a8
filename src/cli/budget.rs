//! `budget`: what the heap may come to with this configuration, item by item, and what is used where the daemon runs.

use super::check::complain_of;
use super::client::{ANSWER_MS, Daemon};
use super::said;
use super::status::bytes;
use super::{Exit, Typed, complain, put};
use crate::budget::ceiling::{Counts, ITEMS, Item, ceiling, items};
use crate::config::load;
use crate::io::secret::credentials;
use serde::Serialize;
use std::path::Path;

/// The sum and its parts.
#[derive(Serialize)]
pub struct Budget {
    ceiling_bytes: usize,
    heap_limit_bytes: usize,
    items: [Part; ITEMS],
    /// Where the daemon runs.
    used: Option<Used>,
}

#[derive(Serialize)]
struct Part {
    item: &'static str,
    bytes: usize,
    holds: &'static str,
    less: &'static str,
}

/// What the running daemon says of itself.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Used {
    /// Heap in use.
    pub heap_bytes: u64,
    /// The most that was in use.
    pub heap_peak_bytes: u64,
    /// What it may use: of the configuration that it runs with.
    pub heap_limit_bytes: u64,
    /// Resident set.
    pub rss_bytes: u64,
}

/// 0 when it was said, whether the daemon runs or not; 78 where the configuration has a fault.
pub(super) fn budget(typed: &Typed, json: bool) -> Exit {
    let settings = match load(&typed.config(), credentials().as_deref()) {
        Ok(loaded) => loaded.settings,
        Err(faults) => {
            complain_of(&faults);
            complain("the configuration cannot be run");
            return Exit::Config;
        }
    };
    let budget = Budget::of(&settings.counts(), settings.heap_limit(), used(&typed.socket()));
    let text = if json { serde_json::to_string(&budget).unwrap_or_default() } else { budget.screen() };
    put(text.trim_end()).err().unwrap_or(Exit::Done)
}

/// What the daemon at this socket uses; none where there is none, or none that answers.
fn used(socket: &Path) -> Option<Used> {
    let status = Daemon::status(socket, ANSWER_MS).ok()?;
    said::read(&status, |said| said.some("process").map(|process| Used::of(&process))).ok()?
}

impl Used {
    fn of(process: &said::Said<'_>) -> Self {
        Self {
            heap_bytes: process.number("heap_bytes"),
            heap_peak_bytes: process.number("heap_peak_bytes"),
            heap_limit_bytes: process.number("heap_limit_bytes"),
            rss_bytes: process.number("rss_bytes"),
        }
    }
}

impl Budget {
    /// Of these counts.
    #[must_use]
    pub fn of(counts: &Counts, heap_limit_bytes: usize, used: Option<Used>) -> Self {
        let part = |Item { name, bytes, holds, less }| Part { item: name, bytes, holds, less };
        Self { ceiling_bytes: ceiling(counts), heap_limit_bytes, items: items(counts).map(part), used }
    }

    /// A line for each item, their sum, and what is used.
    #[must_use]
    pub fn screen(&self) -> String {
        let line = |name: &str, bytes: usize, holds: &str| format!("{name:<14}{bytes:>10}  {holds}\n");
        let mut out = String::new();
        for Part { item, bytes, holds, .. } in &self.items {
            out += &line(item, *bytes, holds);
        }
        out += &line("ceiling", self.ceiling_bytes, "what the heap may come to, in bytes");
        if self.heap_limit_bytes != self.ceiling_bytes {
            out += &line("heap_bytes", self.heap_limit_bytes, "what `limits.heap_bytes` says");
        }
        match &self.used {
            Some(used) => {
                out += &format!(
                    "used now {}, at most so far {}, of {}; resident {}\n",
                    bytes(used.heap_bytes),
                    bytes(used.heap_peak_bytes),
                    bytes(used.heap_limit_bytes),
                    bytes(used.rss_bytes)
                );
            }
            None => out += "no daemon answers: what is used is not known\n",
        }
        out
    }
}
