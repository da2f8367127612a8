//! When what is written counts: at once, in groups, or record by record; and what happens when it does not.

use super::journal::Journal;
use crate::budget;
use crate::moment::Moment;
use crate::port::Stored;
use crate::reason::{Reason, Why};
use crate::settings::StateMode;
use std::io::Error;

/// Records to be written.
pub(super) struct Task {
    pub(super) seq: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) anew: bool,
}

/// The journal with what is not confirmed yet.
pub(super) struct Keeper {
    journal: Journal,
    mode: StateMode,
    /// The last task taken.
    upto: u64,
    /// Bytes that were appended, or could not be, and are not confirmed.
    unsure: Vec<u8>,
    state: State,
}

#[derive(Clone)]
enum State {
    /// All is confirmed.
    Clean,
    /// So many tasks since then wait for the group's sync.
    Open { tasks: u32, since: Moment },
    /// It failed, and is tried again then.
    Failing { why: Why, again: Moment },
}

impl Keeper {
    /// `failed`: why the journal cannot be written at the start.
    pub(super) fn new(journal: Journal, mode: StateMode, failed: Option<Why>, now: Moment) -> Self {
        let state = match failed {
            None => State::Clean,
            Some(why) => State::Failing { why, again: now.after_ms(budget::DISK_RETRY_MS) },
        };
        Self { journal, mode, upto: 0, unsure: Vec::new(), state }
    }

    /// Takes a task; says how it went where that is known.
    pub(super) fn take(&mut self, task: Task, now: Moment) -> Option<Stored> {
        self.upto = task.seq;
        if let State::Failing { why, .. } = &self.state {
            let why = why.clone();
            if task.anew {
                self.unsure.clear();
                return Some(self.renew(&task.bytes, now));
            }
            self.remember(&task.bytes);
            return Some(Stored { upto: self.upto, failed: Some(why) });
        }
        if task.anew {
            self.unsure.clear();
            return Some(self.renew(&task.bytes, now));
        }
        self.remember(&task.bytes);
        if let Err(error) = self.journal.append(&task.bytes) {
            return Some(self.failed(&error, now));
        }
        let tasks = match self.state {
            State::Open { tasks, since } => {
                self.state = State::Open { tasks: tasks + 1, since };
                tasks + 1
            }
            State::Clean | State::Failing { .. } => {
                self.state = State::Open { tasks: 1, since: now };
                1
            }
        };
        let wait = self.mode == StateMode::Group
            && tasks < budget::GROUP_RECORDS
            && self.unsure.len() < budget::JOURNAL_RECORD_BYTES;
        if wait { None } else { Some(self.confirm(now)) }
    }

    /// When the group's sync, or the next try, is due.
    pub(super) fn due(&self) -> Option<Moment> {
        match &self.state {
            State::Clean => None,
            State::Open { since, .. } => Some(since.after_ms(budget::GROUP_MS)),
            State::Failing { again, .. } => Some(*again),
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Moment) -> Option<Stored> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        match self.state {
            State::Clean => None,
            State::Open { .. } => Some(self.confirm(now)),
            State::Failing { .. } => Some(match self.journal.repair(&self.unsure) {
                Ok(()) => self.clean(),
                Err(error) => self.failed(&error, now),
            }),
        }
    }

    /// The last sync.
    pub(super) fn end(&mut self) -> Option<Stored> {
        match self.state {
            State::Clean => None,
            State::Open { .. } => Some(self.confirm(Moment::default())),
            State::Failing { .. } => self.journal.repair(&self.unsure).is_ok().then(|| self.clean()),
        }
    }

    fn confirm(&mut self, now: Moment) -> Stored {
        match self.journal.confirm(self.unsure.len()) {
            Ok(()) => self.clean(),
            Err(error) => self.failed(&error, now),
        }
    }

    fn renew(&mut self, bytes: &[u8], now: Moment) -> Stored {
        match self.journal.renew(bytes) {
            Ok(()) => self.clean(),
            // the old journal still stands, and the relay says everything again with its next record
            Err(error) => self.failed(&error, now),
        }
    }

    fn clean(&mut self) -> Stored {
        self.unsure = Vec::new();
        self.state = State::Clean;
        Stored { upto: self.upto, failed: None }
    }

    fn failed(&mut self, error: &Error, now: Moment) -> Stored {
        let why = Why::new(Reason::DiskFailed, format!("writing the journal: {error}"));
        self.state = State::Failing { why: why.clone(), again: now.after_ms(budget::DISK_RETRY_MS) };
        Stored { upto: self.upto, failed: Some(why) }
    }

    /// What a failing disk owes is bounded: past that it is given up, and said.
    fn remember(&mut self, bytes: &[u8]) {
        if self.unsure.len() + bytes.len() > budget::JOURNAL_BYTES {
            log::warn!("disk.failed: {} bytes of records are given up; the disk did not take them", self.unsure.len());
            self.unsure.clear();
        }
        self.unsure.extend_from_slice(bytes);
    }
}
