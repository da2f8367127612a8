//! What happens to the board itself: it sleeps, it starts anew, its disk is bad for a while.

use super::happening::Event;
use super::{World, hall, secs};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::{Command, Told};
use guild_bridge::status::LettersStatus;

/// A disk that failed is tried again within this; until then the daemon goes on without.
const DISK_BACK_MS: u64 = secs(70);
/// What a daemon was told in its last moments may not have been written yet, when it is killed.
const UNKEPT_KILL_MS: u64 = 50;
/// And synced, when the power goes.
const UNKEPT_POWER_MS: u64 = secs(6);

/// What the board's clocks and disk went through.
#[derive(Default)]
pub struct Board {
    /// When the machine was started: its clock counts from there.
    pub boot: u64,
    /// Nothing runs on it until then.
    pub asleep_until: u64,
    /// When it slept last: from, until.
    slept: (u64, u64),
    /// Without power until then.
    pub off_until: u64,
    /// Since when, and until when, the disk cannot be relied on.
    bad_disk: Option<(u64, u64)>,
    /// Writes and syncs that failed so far.
    failures: u64,
    /// Since when what an earlier life was told may not be synced yet.
    unsynced: Option<u64>,
    /// This life has synced what it found: it wrote all of it anew.
    pub written_anew: bool,
    /// What a daemon was told between these moments may be lost: it was not written, or not synced, when the last of them came.
    pub doubts: Vec<(u64, u64)>,
    /// So many lives ended while the disk could not be relied on.
    pub died_without_disk: u32,
}

impl Board {
    /// So long before a moment, sleep not counted.
    pub(super) fn awake_before(&self, at: u64, ms: u64) -> u64 {
        let from = at.saturating_sub(ms);
        let (slept, woke) = self.slept;
        match slept < at && from < woke {
            // what is left of the time behind the waking was before the sleep
            true => slept.saturating_sub(ms.saturating_sub(at.saturating_sub(woke))),
            false => from,
        }
    }

    /// What an earlier life left unsynced, while nobody has written it anew.
    fn left_unsynced(&self) -> Option<u64> {
        self.unsynced.filter(|_| !self.written_anew)
    }

    /// Power was cut: what is there now outlives another cut.
    pub(super) fn nothing_is_unsynced(&mut self) {
        self.unsynced = None;
    }

    /// Whether the disk cannot be relied on, or was not tried again since.
    pub(super) fn disk_is_doubted(&self, at: u64) -> bool {
        self.bad_disk.is_some_and(|(from, until)| (from..=until).contains(&at))
    }
}

impl World {
    /// The board sleeps for so long, and wakes. The guild goes on.
    pub fn suspend(&mut self, ms: u64) {
        self.note(|| format!("the board sleeps for {ms} ms"));
        self.story.hurries.push(self.at);
        self.board.asleep_until = self.at + ms;
        self.board.slept = (self.at, self.at + ms);
        // a disk is tried again by a daemon that is awake
        if let Some((_, until)) = self.board.bad_disk.as_mut().filter(|(_, until)| *until >= self.at) {
            *until += ms;
        }
        self.run_for(ms);
        self.story.hurries.push(self.at);
    }

    /// The machine started anew: its clock begins at nothing, and its wall clock in 1970.
    pub fn reboot(&mut self) {
        self.board.boot = self.at;
        self.clock_offset_ms = -i64::try_from(hall::WALL + self.at).expect("a moment of a story");
    }

    /// The disk cannot be relied on for so long.
    pub fn disk_is_bad_for(&mut self, ms: u64) {
        let until = self.at + ms + DISK_BACK_MS;
        let goes_on = self.board.bad_disk.filter(|(_, until)| *until >= self.at);
        self.board.bad_disk = Some(goes_on.map_or((self.at, until), |(from, before)| (from, before.max(until))));
    }

    /// The disk was asked for something. What fails so many times may do so long after that was said.
    pub(super) fn used_disk(&mut self) {
        if self.disk.failures > self.board.failures {
            self.board.failures = self.disk.failures;
            self.disk_is_bad_for(0);
        }
    }

    /// A life ends, killed or at its own time: some of what it was told last may be lost with it.
    pub(super) fn doubt_last_words(&mut self, killed: bool) {
        let last_words = self.board.awake_before(self.at, UNKEPT_POWER_MS);
        self.board.unsynced = Some(self.board.left_unsynced().map_or(last_words, |left| left.min(last_words)));
        self.board.written_anew = false;
        if let Some((from, _)) = self.board.bad_disk.filter(|(_, until)| *until >= self.at) {
            self.board.died_without_disk += 1;
            self.board.doubts.push((self.board.awake_before(from, UNKEPT_POWER_MS), self.at));
        } else if killed {
            self.board.doubts.push((self.board.awake_before(self.at, UNKEPT_KILL_MS), self.at));
        }
    }

    /// The power goes, whether a daemon runs or not: of what was not synced the disk keeps what it likes. What a daemon that
    /// is dead had left unsynced waits for one that can write it anew.
    pub(super) fn doubt_what_is_unsynced(&mut self) {
        let last_words = (!self.down).then(|| self.board.awake_before(self.at, UNKEPT_POWER_MS));
        let from = [last_words, self.board.left_unsynced()].into_iter().flatten().min();
        self.board.doubts.extend(from.map(|from| (from, self.at)));
    }

    /// What the board's clocks say.
    pub(super) fn now(&self) -> Now {
        let wall_ms = (hall::WALL + self.at).saturating_add_signed(self.clock_offset_ms);
        Now { at: Moment(self.at - self.board.boot), wall_ms }
    }

    /// When something of the daemon's is due, in the story's time.
    pub(super) fn story_time(&self, due: Moment) -> u64 {
        (due.0 + self.board.boot).max(self.at).max(self.board.asleep_until)
    }

    /// What nobody on a sleeping board can do waits until it wakes.
    pub(super) fn sleeps_over(&self, event: &Event) -> bool {
        let on_board = match event {
            Event::Relay(..) | Event::WorkerFree(..) | Event::Written(..) => true,
            Event::Guild(..) | Event::Script(_) => false,
        };
        on_board && self.at < self.board.asleep_until
    }

    /// Whether what a daemon was told at a moment may have been lost with it.
    pub fn doubts(&self, at: u64) -> bool {
        self.board.doubts.iter().any(|(from, until)| (from..=until).contains(&&at))
    }

    /// The letters that the daemon holds, as it lists them.
    pub fn letters(&mut self) -> LettersStatus {
        let client = self.ask(Command::Letters);
        let told = self.told.iter().rev().find(|(to, _)| *to == client);
        let mut letters = match told {
            Some((_, Told::Letters(letters))) => (**letters).clone(),
            _ => LettersStatus::default(),
        };
        self.lie_of_letters(&mut letters);
        letters
    }
}
