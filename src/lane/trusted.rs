//! What is believed of the socket alone: where a channel says more than history may be asked about, what came in one
//! unbroken stream counts as settled. Once the channel is quiet, history is read over that stretch again.

use super::{Lane, Place, What};
use crate::budget;

/// A place that was refused so often, while others are read, is gone.
const REFUSALS: u8 = 3;
/// The journal's cursor waits for a look while it stands no more messages behind: it remembers twice as many as done.
const WAITS: usize = budget::DEDUPE_IDS / 2;

/// What counts as settled without having been listed.
pub struct Trusted {
    /// What of it stands in doubt where the socket is found to skip.
    stretch: Option<Stretch>,
    /// Where it is looked at once more, while its first message is remembered.
    check: Option<Check>,
}

/// What was trusted on one connection.
pub struct Stretch {
    /// The message before the first of it; none at the channel's beginning.
    pub from: Option<String>,
    /// So many messages.
    pub count: u64,
    /// It is looked at once more, whole.
    covered: bool,
    /// The socket was found to skip: should it not be looked at after all, that is to be counted.
    doubted: bool,
}

struct Check {
    from: Place,
    /// The first message that was trusted: who knows it knows all that came later.
    first: Box<str>,
    stage: Stage,
    /// So often the guild refused its place.
    refused: u8,
    /// The cursor passed so many messages since.
    passed: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is to be looked at.
    Due,
    /// History is read again up to the cursor, which stays: all was known so far.
    UnderWay,
    /// It has a message that the socket did not bring: the cursor stands before that, and reading goes on as ever.
    Late,
}

impl Lane {
    /// The oldest of what the socket brought in one unbroken stream counts as settled, while more than `leave` are not: history
    /// may not be asked about all that a busy channel says. What the socket skipped before it is looked for when the channel
    /// is quiet. What is settled behind an open turn does not make a channel busy. So many bytes less are held by its entries.
    pub fn trust(&mut self, leave: usize) -> usize {
        let held = self.entries_bytes();
        while self.may_trust() && self.unsettled_entries() > leave {
            let Some(id) = self.entries.get(self.settled).map(|entry| entry.id.clone()) else { break };
            self.put_off_check();
            let trusted = self.trusted.get_or_insert_with(|| Box::new(Trusted { stretch: None, check: None }));
            let place = &self.read;
            // history that is listed newest first is not read from a place on
            let covered = !self.pinned;
            let fresh = || Stretch { from: place.id.clone(), count: 0, covered, doubted: false };
            trusted.stretch.get_or_insert_with(fresh).count += 1;
            let begin = || Check { from: place.clone(), first: id.clone(), stage: Stage::Due, refused: 0, passed: 0 };
            if covered {
                trusted.check.get_or_insert_with(begin);
            }
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
        let may = self.may_trust() && self.settled == 0 && first;
        if may && length > budget::CHANNEL_ENTRIES_LEAST / 2 { length } else { 0 }
    }

    /// Not while history is read over what was found to be skipped: that has to come to its end.
    fn may_trust(&self) -> bool {
        self.unbroken && self.old == 0 && !self.is_late()
    }

    /// The socket brought something that could not be read: until history was read to its end again, nothing is trusted.
    pub fn broke(&mut self) {
        self.unbroken = false;
    }

    /// The socket is found to skip: what was trusted of it on this connection and is not looked at once more.
    pub fn doubt_trusted(&mut self) -> Option<Stretch> {
        let stretch = &mut self.trusted.as_mut()?.stretch;
        stretch.iter_mut().for_each(|stretch| stretch.doubted = true);
        stretch.take_if(|stretch| !stretch.covered)
    }

    /// The channel leaves the list: what is to be looked at when it comes back.
    pub fn part(&mut self) -> Option<Box<Trusted>> {
        self.session_over();
        self.trusted.take_if(|trusted| trusted.check.is_some())
    }

    /// The channel came back.
    pub fn came_back(&mut self, trusted: Option<Box<Trusted>>) {
        self.trusted = trusted;
    }

    /// The connection is over: what was trusted is looked at on the next one.
    pub fn session_over(&mut self) {
        if let Some(trusted) = &mut self.trusted {
            trusted.stretch.take_if(|stretch| !stretch.doubted);
        }
        self.put_off_check();
    }

    fn check(&self) -> Option<&Check> {
        self.trusted.as_ref()?.check.as_ref()
    }

    fn check_mut(&mut self) -> Option<&mut Check> {
        self.trusted.as_mut()?.check.as_mut()
    }

    fn stage(&self) -> Option<Stage> {
        self.check().map(|check| check.stage)
    }

    fn enter(&mut self, stage: Stage) {
        if let Some(check) = self.check_mut() {
            check.stage = stage;
        }
    }

    /// The first message of what is to be looked at again, while nothing else is to be done here.
    #[must_use]
    pub fn check_due(&self) -> Option<&str> {
        let check = self.check()?;
        let calm = self.following && self.entries.is_empty() && self.read == self.cursor;
        (calm && check.stage == Stage::Due).then_some(&*check.first)
    }

    /// The first message of what is looked at again.
    #[must_use]
    pub fn checked(&self) -> Option<&str> {
        let check = self.check()?;
        (check.stage == Stage::UnderWay).then_some(&*check.first)
    }

    /// Something was skipped in what was looked at again, and history has not been read to its end since.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.stage() == Some(Stage::Late)
    }

    /// The cursor goes into the journal once that was looked at: until then, another life reads history from where it was
    /// before, and knows what is done.
    #[must_use]
    pub fn cursor_waits(&self) -> bool {
        self.check().is_some_and(|check| check.stage != Stage::Late && check.passed <= WAITS)
    }

    /// The cursor passed a message.
    pub(super) fn passed_one(&mut self) {
        if let Some(check) = self.check_mut() {
            check.passed += 1;
        }
    }

    /// History is read from before what was trusted. What is known of it moves no cursor.
    pub fn begin_check(&mut self) {
        if let Some(check) = self.trusted.as_mut().and_then(|trusted| trusted.check.as_mut()) {
            check.stage = Stage::UnderWay;
            self.read.clone_from(&check.from);
        }
    }

    /// Reading goes on where the cursor stands.
    pub fn put_off_check(&mut self) {
        if self.stage() == Some(Stage::UnderWay) {
            self.read.clone_from(&self.cursor);
            self.enter(Stage::Due);
        }
    }

    /// It cannot be looked at again. What was doubted of it.
    pub fn end_check(&mut self) -> Option<Stretch> {
        self.put_off_check();
        let trusted = self.trusted.as_mut()?;
        trusted.check = None;
        let stretch = trusted.stretch.as_mut()?;
        stretch.covered = false;
        if stretch.doubted { trusted.stretch.take() } else { None }
    }

    /// The guild refused its place, or the channel: it is looked at later, and where it is refused again and again, not at all.
    /// What was doubted of it then.
    pub fn refuse_check(&mut self) -> Option<Stretch> {
        self.put_off_check();
        let check = self.check_mut()?;
        check.refused += 1;
        if check.refused < REFUSALS { None } else { self.end_check() }
    }

    /// History lists a message that is known, and no entry. True: it belongs to what is looked at again, and that is all.
    pub(super) fn passes_check(&mut self, id: &str) -> bool {
        let under_way = self.stage() == Some(Stage::UnderWay);
        if under_way && self.cursor.id.as_deref() == Some(id) {
            // nothing was skipped
            self.looked_at();
        } else if under_way {
            self.read.step(id);
        }
        under_way
    }

    /// History lists what the socket skipped: the cursor stands before it again.
    pub(super) fn fall_back(&mut self) {
        if self.stage() == Some(Stage::UnderWay) {
            self.cursor.clone_from(&self.read);
            self.cursor_moved = true;
            self.enter(Stage::Late);
        }
    }

    /// History was read to its end, or comes to what the socket has brought since.
    pub(super) fn check_over(&mut self, to_its_end: bool) {
        match self.stage() {
            Some(Stage::UnderWay) => self.looked_at(),
            Some(Stage::Late) if to_its_end => self.looked_at(),
            Some(Stage::Late | Stage::Due) | None => {}
        }
    }

    /// What was looked at is doubted no more.
    fn looked_at(&mut self) {
        self.put_off_check();
        let rest = self.trusted.take().and_then(|trusted| trusted.stretch).filter(|stretch| !stretch.covered);
        self.trusted = rest.map(|rest| Box::new(Trusted { stretch: Some(rest), check: None }));
    }
}
