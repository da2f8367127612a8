//! Threads that may hold something later than the place. Each is asked once in a reading, only so far as its replies can be
//! among the oldest, and what it holds is remembered: with it the next reading asks none that is not due.

use crate::budget;

/// They, as far as one reading remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    all: Vec<Thread>,
    /// The one that is read.
    at: Option<usize>,
    /// What is as late as this may stand in a thread that found no room here.
    beyond: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Thread {
    parent: String,
    /// Nothing that is left of it is earlier: at first its parent's time, and later that of its first reply.
    from: u64,
    latest: u64,
    /// Its replies were read, now or in an earlier reading.
    seen: bool,
    /// They were in this one.
    asked: bool,
}

/// Nothing is left of it.
const NOTHING: u64 = u64::MAX;

impl Threads {
    /// Something of this thread is looked for, wherever its parent stands.
    pub fn look_for(&mut self, parent: &str, latest: u64) {
        if self.all.len() + budget::TIMELINE_ROWS < budget::TIMELINE_THREADS {
            self.answered(parent, 0, latest);
        }
    }

    /// A row says when its thread was last answered.
    pub fn answered(&mut self, parent: &str, time: u64, latest: u64) {
        if let Some(known) = self.all.iter_mut().find(|known| known.parent == parent) {
            known.latest = known.latest.max(latest);
            return;
        }
        debug_assert!(self.all.len() < budget::TIMELINE_THREADS, "room is made before a page is asked for");
        self.all.push(Thread { parent: parent.to_owned(), from: time, latest, seen: false, asked: false });
    }

    /// Whether those of another page find no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.all.len() + budget::TIMELINE_ROWS > budget::TIMELINE_THREADS
    }

    /// What may be given from here on, where not all is known.
    #[must_use]
    pub fn beyond(&self) -> Option<u64> {
        self.beyond
    }

    /// The thread that is read.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.at.and_then(|at| self.all.get(at)).map(|thread| thread.parent.as_str())
    }

    /// Goes on to the next that may hold something earlier than this. False: there is none.
    pub fn next(&mut self, upto: Option<u64>) -> bool {
        let due = |thread: &Thread| !thread.asked && upto.is_none_or(|upto| thread.from < upto);
        let soonest =
            self.all.iter().enumerate().filter(|(_, thread)| due(thread)).min_by_key(|(_, thread)| thread.from);
        self.at = soonest.map(|(at, _)| at);
        if let Some(thread) = self.at.and_then(|at| self.all.get_mut(at)) {
            (thread.seen, thread.asked, thread.from) = (true, true, NOTHING);
        }
        self.at.is_some()
    }

    /// The thread that is read has a reply of this time, which is later than the place.
    pub fn has(&mut self, time: u64) {
        if let Some(thread) = self.at.and_then(|at| self.all.get_mut(at)) {
            thread.from = thread.from.min(time);
            thread.latest = thread.latest.max(time);
        }
    }

    /// Makes room for those of another page. What was never read is met again, with its parent; of the others the latest go.
    pub fn make_room(&mut self) {
        self.all.retain(|thread| thread.seen && thread.from != NOTHING);
        self.all.sort_unstable_by_key(|thread| thread.from);
        let gone = self.all.split_off(self.all.len().min(budget::TIMELINE_THREADS - budget::TIMELINE_ROWS));
        if let Some(first) = gone.iter().map(|thread| thread.from).min() {
            self.beyond = Some(self.beyond.map_or(first, |beyond| beyond.min(first)));
        }
    }

    /// What is left once all up to this time was taken.
    pub fn leave(mut self, upto: u64) -> Self {
        self.all.retain(|thread| thread.seen && thread.from != NOTHING && thread.latest > upto);
        for thread in &mut self.all {
            (thread.from, thread.asked) = (thread.from.max(upto.saturating_add(1)), false);
        }
        self.make_room();
        Self { at: None, ..self }
    }
}
