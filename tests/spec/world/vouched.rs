//! What the journal was given, held against what a life finds of it. What a status vouched for is found: while it says that
//! state is kept, so is all that was handed over a while before.

use super::World;
use guild_bridge::budget;
use guild_bridge::journal::{Keeper, Kept, Record, Task};
use guild_bridge::settings::StateMode;
use std::collections::VecDeque;

/// What was handed over is written within this, where nothing waits for a sync: a write that fails is asked for anew.
const WRITTEN_MS: u64 = 50;

/// What a life may find.
#[derive(Default)]
pub struct Vouched {
    /// At least this.
    least: Kept,
    /// Or more, up to the end of these.
    later: VecDeque<Given>,
    /// Starts that found something else, and a status that said for too long that nothing is kept.
    pub broken: Vec<String>,
}

struct Given {
    at: u64,
    anew: bool,
    records: Vec<Record>,
}

impl Given {
    /// What a journal says that took this up to a record.
    fn apply(&self, kept: &mut Kept, mut between: impl FnMut(&Kept)) {
        if self.anew {
            // all of it is there, or nothing
            *kept = Kept::default();
        }
        for record in self.records.iter().cloned() {
            kept.apply(record);
            if !self.anew {
                between(kept);
            }
        }
        between(kept);
    }
}

impl Vouched {
    /// A life begins with this. What a killed one had left unsynced is not kept for that: it is written once more.
    pub fn begins(&mut self, at: u64, kept: &Kept) {
        self.later.push_back(Given { at, anew: true, records: kept.records() });
        self.later.iter_mut().for_each(|given| given.at = at);
    }

    pub fn give(&mut self, at: u64, task: &Task) {
        self.later.push_back(Given { at, anew: task.anew, records: task.records.iter().collect() });
    }

    /// All that was given before this moment is kept.
    fn vouch(&mut self, before: u64) {
        while self.later.front().is_some_and(|given| given.at < before) {
            let given = self.later.pop_front().expect("it is there");
            given.apply(&mut self.least, |_| {});
        }
    }

    /// Whether a life that finds this finds what was vouched for.
    fn fits(&self, kept: &Kept) -> bool {
        let (mut so_far, mut found) = (self.least.clone(), self.least == *kept);
        for given in &self.later {
            given.apply(&mut so_far, |so_far| found |= so_far == kept);
        }
        found
    }
}

impl World {
    /// A status says how state is kept.
    pub(super) fn hear_standing(&mut self, said: &str) {
        if said == "none" {
            if !self.board.disk_is_doubted(self.at) {
                self.vouched
                    .broken
                    .push(format!("a status says at {} ms that no state is kept, and the disk is well", self.at));
            }
            return;
        }
        let within = if self.settings.state == StateMode::Group { budget::GROUP_LAZY_MS } else { 0 } + WRITTEN_MS;
        let before = self.board.awake_before(self.at, within);
        self.vouched.vouch(before);
    }

    /// What a life finds is held against what was vouched for.
    pub(super) fn hold_against_vouched(&mut self, kept: &Kept, what: &str) {
        if !self.vouched.fits(kept) {
            self.vouched.broken.push(format!("{what} at {} ms has not what status said is kept", self.at));
        }
    }

    /// What a life would find now: behind a power cut, where anything is ever synced.
    pub fn look_at_disk(&mut self) {
        let mut disk = self.disk.clone();
        match self.settings.state {
            StateMode::Memory => disk.let_go(),
            StateMode::Group | StateMode::Each => disk.power_cut(),
        }
        disk.heal();
        let (_, kept) = Keeper::open(&mut disk, self.settings.state, self.now());
        self.hold_against_vouched(&kept, "a disk");
    }
}
