//! When what is written counts: at once, in groups, or record by record; and what happens when the disk does not take it.

use super::files::{Failed, Files};
use super::log::Log;
use super::{Kept, Packed};
use crate::budget;
use crate::moment::{Moment, Now};
use crate::port::Stored;
use crate::reason::{Reason, Why};
use crate::settings::StateMode;

/// Records to be written.
#[derive(Debug)]
pub struct Task {
    /// Counts up.
    pub seq: u64,
    /// What.
    pub records: Packed,
    /// They replace everything that was kept.
    pub anew: bool,
    /// Something waits until they are written.
    pub pressing: bool,
}

/// The log, with what is not confirmed yet.
pub struct Keeper {
    log: Log,
    mode: StateMode,
    /// The last task taken.
    upto: u64,
    /// The last task that is written as hard as the mode asks.
    confirmed: u64,
    /// When the last sync was.
    synced: Option<Moment>,
    /// When a write or a sync last failed.
    doubted: Option<Moment>,
    state: State,
}

enum State {
    /// All is confirmed.
    Clean,
    /// So many bytes wait for the group's sync, the first since then; `pressing`: something waits for them.
    Open { bytes: usize, since: Moment, pressing: bool },
    /// A write or a sync failed: everything is asked for once more, to be written into a new file.
    Doubtful,
    /// That failed too, and is tried again then. What comes meanwhile is not written.
    Failing { why: Why, again: Moment },
}

impl Keeper {
    /// With what the files kept.
    pub fn open(files: &mut dyn Files, mode: StateMode, now: Now) -> (Self, Kept) {
        let ready = files.ready();
        let (log, kept, failed) = Log::open(files, mode != StateMode::Memory, now.wall_ms);
        let state = match ready.err().or(failed) {
            None => State::Clean,
            Some(failed) => State::Failing { why: why(&failed), again: now.at.after_ms(budget::DISK_RETRY_MS) },
        };
        (Self { log, mode, upto: 0, confirmed: 0, synced: None, doubted: None, state }, kept)
    }

    /// Why nothing is written, while that is so.
    #[must_use]
    pub fn failed(&self) -> Option<&Why> {
        match &self.state {
            State::Clean | State::Open { .. } | State::Doubtful => None,
            State::Failing { why, .. } => Some(why),
        }
    }

    /// Takes a task; says how it went where that is known.
    pub fn take(&mut self, files: &mut dyn Files, task: &Task, now: Moment) -> Option<Stored> {
        self.upto = task.seq;
        if task.anew {
            return Some(match self.log.begin(files, task.records.bare()) {
                Ok(()) => self.clean(now),
                Err(failed) => self.fail(&failed, now),
            });
        }
        let (so_far, since, pressed) = match &self.state {
            State::Clean => (0, now, false),
            State::Open { bytes, since, pressing } => (*bytes, *since, *pressing),
            State::Doubtful => return None,
            State::Failing { why, .. } => {
                return Some(Stored { upto: self.upto, failed: Some(why.clone()), again: false });
            }
        };
        match self.log.append(files, task.records.bare()) {
            Ok(bytes) => {
                self.state = State::Open { bytes: so_far + bytes, since, pressing: pressed || task.pressing };
                if self.due().is_some_and(|due| due <= now) { Some(self.confirm(files, now)) } else { None }
            }
            Err(failed) => Some(self.doubt(&failed, now)),
        }
    }

    /// When the group's sync, or the next try, is due.
    #[must_use]
    pub fn due(&self) -> Option<Moment> {
        match &self.state {
            State::Clean | State::Doubtful => None,
            State::Open { bytes, since, pressing } => Some(match self.mode {
                StateMode::Memory | StateMode::Each => *since,
                StateMode::Group if *bytes >= budget::GROUP_BYTES => *since,
                StateMode::Group if *pressing => {
                    self.synced.map_or(*since, |synced| synced.after_ms(budget::GROUP_MS).max(*since))
                }
                StateMode::Group => since.after_ms(budget::GROUP_LAZY_MS),
            }),
            State::Failing { again, .. } => Some(*again),
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, files: &mut dyn Files, now: Moment) -> Option<Stored> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        match &mut self.state {
            State::Clean | State::Doubtful => None,
            State::Open { .. } => Some(self.confirm(files, now)),
            State::Failing { again, .. } => {
                *again = now.after_ms(budget::DISK_RETRY_MS);
                Some(match files.ready() {
                    Ok(()) => Stored { upto: self.upto, failed: self.failed().cloned(), again: true },
                    Err(failed) => self.fail(&failed, now),
                })
            }
        }
    }

    /// The last sync.
    pub fn end(&mut self, files: &mut dyn Files, now: Moment) {
        if let State::Open { .. } = self.state {
            self.confirm(files, now);
        }
    }

    fn confirm(&mut self, files: &mut dyn Files, now: Moment) -> Stored {
        match self.log.sync(files) {
            Ok(()) => self.clean(now),
            Err(failed) => self.doubt(&failed, now),
        }
    }

    fn clean(&mut self, now: Moment) -> Stored {
        (self.state, self.synced, self.confirmed) = (State::Clean, Some(now), self.upto);
        Stored { upto: self.upto, failed: None, again: false }
    }

    /// Nothing is lost yet: all that is not confirmed lives in memory, and goes into a new file with the rest. A disk that
    /// fails again within a minute has failed: writing all of it for each record would wear it out.
    fn doubt(&mut self, failed: &Failed, now: Moment) -> Stored {
        if self.doubted.replace(now).is_some_and(|last| now.since_ms(last) < budget::DISK_RETRY_MS) {
            return self.fail(failed, now);
        }
        log::warn!("{}; all is written anew", why(failed));
        self.state = State::Doubtful;
        Stored { upto: self.confirmed, failed: None, again: true }
    }

    fn fail(&mut self, failed: &Failed, now: Moment) -> Stored {
        let why = why(failed);
        self.state = State::Failing { why: why.clone(), again: now.after_ms(budget::DISK_RETRY_MS) };
        Stored { upto: self.upto, failed: Some(why), again: false }
    }
}

fn why(failed: &Failed) -> Why {
    Why::new(Reason::DiskFailed, format!("writing the journal: {failed}"))
}
