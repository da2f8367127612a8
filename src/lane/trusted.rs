//! What is believed of the socket alone: where a channel says more than history may be asked about, what came in one
//! unbroken stream counts as settled.

use super::{Lane, What};
use crate::budget;

/// What counts as settled without having been listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The message before the first of it; none at the channel's beginning.
    pub from: Option<String>,
    /// So many messages.
    pub count: u64,
}

impl Lane {
    /// The oldest of what the socket brought in one unbroken stream counts as settled, while more than `leave` are not: history
    /// may not be asked about all that a busy channel says. What the socket skipped before it is not looked for any more.
    /// What is settled behind an open turn does not make a channel busy. So many bytes less are held by its entries.
    pub fn trust(&mut self, leave: usize) -> usize {
        let held = self.entries_bytes();
        while self.unbroken && self.old == 0 && self.unsettled_entries() > leave {
            let Some(id) = self.entries.get(self.settled).map(|entry| entry.id.clone()) else { break };
            let trusted =
                self.trusted.get_or_insert_with(|| Box::new(Trusted { from: self.read.id.clone(), count: 0 }));
            trusted.count += 1;
            self.settle(&id);
            self.advance();
            if self.entries.front().is_some_and(|entry| !matches!(entry.what, What::Done)) {
                break;
            }
        }
        if self.entries.len() < self.entries.capacity() / 2 {
            self.entries.shrink_to(self.entries.len() + 8);
        }
        held.saturating_sub(self.entries_bytes())
    }

    /// So many entries would go one by one if they were trusted: the first of them is done, and nothing stands before it.
    /// The last few may still stand otherwise in history.
    #[must_use]
    pub fn trustable(&self) -> usize {
        let first = self.entries.front().is_some_and(|entry| matches!(entry.what, What::Done));
        let length = self.entries.len();
        let may = self.unbroken && self.old == 0 && self.settled == 0 && first;
        if may && length > budget::CHANNEL_ENTRIES_LEAST / 2 { length } else { 0 }
    }

    /// The socket brought something that could not be read: until history was read to its end again, nothing is trusted.
    pub fn broke(&mut self) {
        self.unbroken = false;
    }

    /// What was trusted on this connection, if anything: it is not looked at again.
    pub fn take_trusted(&mut self) -> Option<Trusted> {
        self.trusted.take().map(|trusted| *trusted)
    }
}
