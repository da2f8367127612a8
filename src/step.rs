//! What one step of the core may use: the time, chance, and where its outputs and records go.

use crate::account::Accounts;
use crate::journal::Record;
use crate::moment::Now;
use crate::port::Output;
use std::collections::VecDeque;

/// Handed down from the relay to its machines, for one happening.
pub struct Step<'a> {
    /// What the clocks say.
    pub now: Now,
    /// Chance.
    pub rng: &'a mut fastrand::Rng,
    /// Sign-ins that are rationed.
    pub accounts: &'a mut Accounts,
    /// What is to be done, in order.
    pub out: &'a mut VecDeque<Output>,
    /// What has to outlive the process: written before anything in `out` is done.
    pub records: &'a mut Vec<Record>,
    /// The number that the next write of the journal will have.
    pub next_store: u64,
    /// Something waits for that write.
    pub pressing: &'a mut bool,
    /// Lines for those who follow what passes, with the agent's name; empty while nobody does.
    pub tail: &'a mut Vec<(String, String)>,
    /// Whether anybody follows.
    pub followed: bool,
}

impl Step<'_> {
    /// Keeps a record, in the journal's own time.
    pub fn record(&mut self, record: Record) {
        self.records.push(record);
    }

    /// The number of the write that holds this step's records, for something that waits until it is done: it presses.
    pub fn awaited(&mut self) -> u64 {
        *self.pressing = true;
        self.next_store
    }

    /// A line for those who follow; it is made only if somebody does.
    pub fn tell(&mut self, agent: &str, line: impl FnOnce() -> String) {
        if self.followed {
            self.tail.push((agent.to_owned(), line()));
        }
    }
}
