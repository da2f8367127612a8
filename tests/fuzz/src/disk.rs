//! A disk under the journal's keeper, and what the keeper promised: whatever is confirmed is there after a kill, and of the
//! rest the beginning.

use crate::Memory;
use guild_bridge::budget;
use guild_bridge::journal::{Keeper, Kept, Record, Task};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::Stored;
use guild_bridge::settings::StateMode;
use std::collections::VecDeque;

/// The disk and what waits for it.
#[derive(Default)]
pub struct Disk {
    files: Memory,
    keeper: Option<Keeper>,
    tasks: VecDeque<Task>,
    seq: u64,
    /// What is confirmed.
    promised: Kept,
    /// What was taken and is not confirmed: its number, its records, whether they replace all.
    unsure: Vec<(u64, Vec<Record>, bool)>,
}

impl Disk {
    /// A daemon starts: what it finds is what was promised, and perhaps some of the rest.
    ///
    /// # Panics
    /// If something that was promised is not there, or something else is.
    pub fn open(&mut self, mode: StateMode, now: Now) -> Kept {
        (self.files.left, self.files.torn, self.seq) = (None, 0, 0);
        self.tasks.clear();
        let (keeper, kept) = Keeper::open(&mut self.files, mode, now);
        assert!(keeper.failed().is_none(), "{:?}", keeper.failed());
        assert!(
            self.could_be(&kept),
            "neither what was promised nor more of it: {kept:?}, promised {:?}",
            self.promised
        );
        self.keeper = Some(keeper);
        self.unsure.clear();
        self.promised = kept.clone();
        kept
    }

    /// Whether a log may say this: all that is confirmed, and the beginning of what is not.
    fn could_be(&self, kept: &Kept) -> bool {
        let mut said = self.promised.clone();
        let mut found = said == *kept;
        for (_, records, anew) in &self.unsure {
            if *anew {
                said = Kept::default();
            }
            for record in records {
                said.apply(record.clone());
                found |= !anew && said == *kept;
            }
            found |= said == *kept;
        }
        found
    }

    /// A write is asked for.
    ///
    /// # Panics
    /// If it is out of order, or beyond every bound.
    pub fn ask(&mut self, task: Task) {
        assert!(task.seq > self.seq, "writes count up: {} after {}", task.seq, self.seq);
        let bytes = task.records.bytes();
        assert!(bytes <= budget::JOURNAL_READ_BYTES / 2, "a write of {bytes} bytes");
        self.seq = task.seq;
        self.tasks.push_back(task);
    }

    /// The next write is done, or not; what is known of it.
    pub fn write(&mut self, now: Moment) -> Option<Stored> {
        let (keeper, task) = (self.keeper.as_mut()?, self.tasks.pop_front()?);
        let stored = keeper.take(&mut self.files, &task, now);
        self.unsure.push((task.seq, task.records.iter().collect(), task.anew));
        self.confirm(stored)
    }

    /// Whether a write waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// When the keeper has something to do.
    #[must_use]
    pub fn due(&self) -> Option<Moment> {
        self.keeper.as_ref().and_then(Keeper::due)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Moment) -> Option<Stored> {
        let stored = self.keeper.as_mut()?.tick(&mut self.files, now);
        self.confirm(stored)
    }

    fn confirm(&mut self, stored: Option<Stored>) -> Option<Stored> {
        let stored = stored?;
        if stored.failed.is_none() {
            let (sure, unsure) =
                std::mem::take(&mut self.unsure).into_iter().partition(|(seq, ..)| *seq <= stored.upto);
            self.unsure = unsure;
            for (_, records, anew) in sure {
                if anew {
                    self.promised = Kept::default();
                }
                records.into_iter().for_each(|record| self.promised.apply(record));
            }
        }
        Some(stored)
    }

    /// After so many more operations nothing can be written, and of the next so many bytes are.
    pub fn fills_up(&mut self, operations: u32, torn: usize) {
        (self.files.left, self.files.torn) = (Some(operations), torn);
    }

    /// There is room again.
    pub fn has_room(&mut self) {
        self.files.left = None;
    }

    /// The daemon is killed within its next write, after so many operations and so many bytes of one more.
    pub fn kill(&mut self, operations: u32, torn: usize) {
        self.fills_up(operations, torn);
        self.write(Moment(0));
        self.keeper = None;
    }

    /// The daemon ends by itself: all that waits is written.
    pub fn end(&mut self, now: Moment) {
        while self.waits() {
            self.write(now);
        }
        if let Some(mut keeper) = self.keeper.take() {
            keeper.end(&mut self.files, now);
        }
    }
}
