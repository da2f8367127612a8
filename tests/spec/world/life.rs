//! The daemon's lives: it begins, is killed, ends, and what its disk keeps of it meanwhile.

use super::happening::{AtGuild, Event, Happening, Socket};
use super::watched::Given;
use super::{World, agent, hall};
use guild_bridge::budget;
use guild_bridge::journal::{Keeper, Standing};
use guild_bridge::relay::{Options, Relay};

impl World {
    /// The daemon is killed and started again at once: what was not written is lost, perhaps in the middle of a record.
    pub fn crash(&mut self) {
        self.kill();
        self.start();
    }

    /// The daemon is killed and stays so, perhaps in the middle of what it writes.
    pub fn kill(&mut self) {
        if self.relay.take().is_none() {
            return;
        }
        self.note(|| "the daemon is killed".into());
        if let (Some(mut keeper), Some(task)) = (self.keeper.take(), self.tasks.pop_front()) {
            self.disk.dies_after(self.rng.u64(..9));
            let now = self.now().at;
            keeper.take(&mut self.disk, &task, now);
        }
        self.disk.let_go();
        self.used_disk();
        self.doubt_last_words(true);
        self.end_of_life();
    }

    /// The power goes: the daemon is killed and stays so, and the disk keeps what was synced and some of the rest.
    pub fn power_cut(&mut self) {
        self.note(|| "the power goes".into());
        self.doubt_what_is_unsynced();
        self.kill();
        self.disk.power_cut();
        self.board.nothing_is_unsynced();
    }

    /// The daemon starts again.
    pub fn start(&mut self) {
        self.down = false;
        self.begin();
    }

    pub(super) fn begin(&mut self) {
        self.gather();
        if self.relay.is_some() || self.down {
            return;
        }
        self.life += 1;
        self.note(|| "the daemon starts".into());
        self.ended_at = None;
        let now = self.now();
        let (keeper, kept) = Keeper::open(&mut self.disk, self.settings.state, now);
        self.used_disk();
        self.story.begins(self.at, kept.cursors.keys().cloned().collect());
        self.hold_against_vouched(&kept, "a life that begins");
        self.vouched.begins(self.at, &kept);
        self.given = Given::begins(&kept, keeper.failed().is_some());
        self.standing = Some(Standing::new(self.settings.state, keeper.failed().cloned()));
        self.keeper = Some(keeper);
        let seed = self.seed.wrapping_mul(31).wrapping_add(u64::from(self.life));
        let build_ms = hall::WALL - 86_400_000;
        let options = Options { attachments: "/run/attachments".into(), seed, build_ms };
        let relay = Relay::new(self.planted_settings(), kept, options, self.now());
        self.relay = Some(relay);
        self.planted_start();
        self.perform();
        self.watch();
    }

    pub(super) fn written(&mut self) {
        let Some(task) = self.tasks.pop_front() else { return };
        let task = self.planted_task(task);
        let now = self.now().at;
        let Some(keeper) = &mut self.keeper else { return };
        let stored = keeper.take(&mut self.disk, &task, now);
        self.used_disk();
        let bytes = self.disk.len();
        assert!(bytes <= 2 * budget::JOURNAL_BYTES, "the journal has no bound: {bytes} bytes");
        if let Some(stored) = stored {
            self.board.written_anew |= task.anew && stored.failed.is_none();
            self.feed(Happening::Disk(stored));
        }
    }

    pub(super) fn end_of_life(&mut self) {
        self.relay = None;
        self.down = true;
        self.story.hurries.push(self.at);
        self.keeper = None;
        self.tasks.clear();
        self.workers = Default::default();
        self.names.clear();
        self.left.clear();
        self.unread.clear();
        for line in std::mem::take(&mut self.lines).into_keys() {
            let socket = Socket { life: self.life, line: (line.link.0, line.attempt) };
            for place in 0..self.halls.len() {
                let due = self.at + self.halls[place].latency_ms;
                self.push(due, Event::Guild(place, AtGuild::HungUp(socket)));
            }
        }
        for hand in self.hands.values_mut() {
            hand.id = None;
            hand.leave(self.at, self.life, agent::Ended::Later);
        }
    }
}
