//! One channel's messages on their way to the agent: in the order of history where history was read, in the order of
//! the socket behind it. It knows where the durable cursor stands and what is still open; it asks for nothing itself.

mod let_go;
mod trusted;
mod whole;

pub use let_go::LetGo;
pub use trusted::{Stretch, Trusted};

use crate::budget;
use crate::message::{Author, Message, mark};
use std::collections::VecDeque;

/// A place in a channel's history: right behind the message `id`, with the one before it, to see whether history was
/// cut there. Without `id`: at the channel's beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The message before `id`, where it is known. In a history that is listed newest first: up to which everything was given,
    /// replies in threads too.
    pub before: Option<String>,
    /// The last message on this side.
    pub id: Option<String>,
}

impl Place {
    fn step(&mut self, id: &str) {
        self.before = self.id.take();
        self.id = Some(id.to_owned());
    }
}

/// A channel's lane.
pub struct Lane {
    entries: VecDeque<Entry>,
    /// So many entries at the front stand as history lists them.
    settled: usize,
    /// So many entries at the front may be given: settled, or brought by a socket that was followed. Never less than
    /// `settled`.
    ready: usize,
    /// So many entries behind the settled ones were heard before the reading that is under way began.
    old: usize,
    cursor: Place,
    read: Place,
    cursor_moved: bool,
    /// The cursor's `before` is no message before it, but as far as the last whole reading came.
    pinned: bool,
    /// Where a whole reading ended that the cursor has not reached.
    whole: Option<Box<str>>,
    following: bool,
    /// It is followed because history was read to its end, and nothing was dropped since.
    unbroken: bool,
    dropped: bool,
    /// The first and the last message for which there was no room; history has to list them.
    owed: [Option<Box<str>>; 2],
    waiting: usize,
    /// Of them, those that history brought.
    replayed: usize,
    waiting_bytes: usize,
    /// Of those that wait, so many stand in threads.
    threaded: usize,
    /// Of the ids of all entries.
    id_bytes: usize,
    trusted: Option<Box<Trusted>>,
}

struct Entry {
    id: Box<str>,
    /// Of the id: most others are told from it without a look at them.
    mark: u32,
    what: What,
}

impl Entry {
    fn new(id: &str, what: What) -> Self {
        Self { id: id.into(), mark: mark(id), what }
    }

    fn is(&self, id: &str, mark: u32) -> bool {
        self.mark == mark && *self.id == *id
    }
}

enum What {
    Waiting { message: Box<Message>, replayed: bool },
    Open,
    Done,
}

/// What history's listing of a message meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It was known.
    Known,
    /// It is new: history showed it first.
    New,
}

/// What the end of a reading means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadToEnd {
    /// More has to be read: the socket brought something meanwhile that could not be kept.
    pub again: bool,
    /// So many messages that were heard before the reading began are not in history any more.
    pub unlisted: usize,
    /// A message that the socket brought, and that found no room, is not in history any more.
    pub lost: bool,
}

impl Lane {
    /// What the first entries take.
    pub const LEAST_BYTES: usize = 4 * size_of::<Entry>();

    /// A lane that begins right behind `cursor`; history has to be read from there.
    #[must_use]
    pub fn at(cursor: Place) -> Self {
        Self {
            entries: VecDeque::new(),
            settled: 0,
            ready: 0,
            old: 0,
            read: cursor.clone(),
            cursor,
            cursor_moved: false,
            pinned: false,
            whole: None,
            following: false,
            unbroken: false,
            dropped: false,
            owed: [None, None],
            waiting: 0,
            replayed: 0,
            waiting_bytes: 0,
            threaded: 0,
            id_bytes: 0,
            trusted: None,
        }
    }

    /// Everything up to here is done.
    #[must_use]
    pub fn cursor(&self) -> &Place {
        &self.cursor
    }

    /// Everything up to here was read from history.
    #[must_use]
    pub fn read(&self) -> &Place {
        &self.read
    }

    /// Whether the cursor moved since this was last asked.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.cursor_moved)
    }

    /// Whether what the socket brings can be given on at once.
    #[must_use]
    pub fn following(&self) -> bool {
        self.following
    }

    /// A new connection, or a doubt: what the socket brings waits until history was read to its end.
    pub fn reread(&mut self) {
        (self.following, self.unbroken) = (false, false);
        self.old = self.unsettled_entries();
    }

    /// Messages that wait with their text.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Of them, those that history brought.
    #[must_use]
    pub fn replayed(&self) -> usize {
        self.replayed
    }

    /// Bytes of text that wait.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Bytes of its entries beside their texts, beyond the first ones'.
    #[must_use]
    pub fn entries_bytes(&self) -> usize {
        (self.entries.capacity() * size_of::<Entry>()).saturating_sub(Self::LEAST_BYTES) + self.id_bytes
    }

    /// Whether messages wait for history to be read before they can be given.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        !self.following && self.entries.len() > self.ready
    }

    /// Whether history has something to settle or to bring.
    #[must_use]
    pub fn unsettled(&self) -> bool {
        !self.following || self.settled < self.entries.len()
    }

    /// Whether so much of what the socket brought is not settled that history is to be read before the next list.
    #[must_use]
    pub fn crowded(&self) -> bool {
        self.unsettled_entries() > budget::CHANNEL_ENTRIES / 2
    }

    fn unsettled_entries(&self) -> usize {
        self.entries.len() - self.settled
    }

    /// The newest message known here.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        self.entries.back().map(|entry| &*entry.id).or(self.read.id.as_deref())
    }

    /// Whether a message stands in this lane.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        self.place_of(id).is_some() || self.read.id.as_deref() == Some(id)
    }

    fn place_of(&self, id: &str) -> Option<usize> {
        let mark = mark(id);
        self.entries.iter().position(|entry| entry.is(id, mark))
    }

    /// Ids that stand in this lane or end what was read, the newest first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().rev().map(|entry| &*entry.id).chain(self.read.id.as_deref())
    }

    /// Ids that history has not listed yet.
    pub fn unsettled_ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().skip(self.settled).map(|entry| &*entry.id)
    }

    /// Whether the lane can take another message while its oldest is still open; `crowded`: all lanes of its link together
    /// hold as much as they may, and a short one goes on.
    #[must_use]
    pub fn has_room(&self, crowded: bool) -> bool {
        self.entries.len() < if crowded { budget::CHANNEL_ENTRIES_LEAST } else { 2 * budget::CHANNEL_ENTRIES }
    }

    /// Whether a page of history can be taken in. It settles what the socket brought, which makes room; what is settled and
    /// waits behind an open turn does not go by more of it.
    #[must_use]
    pub fn has_room_for_history(&self, crowded: bool) -> bool {
        self.has_room(crowded && self.settled == self.entries.len())
    }

    /// Who wrote what waits.
    pub fn waiting_authors(&self) -> impl Iterator<Item = &Author> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Waiting { message, .. } => Some(&message.author),
            What::Open | What::Done => None,
        })
    }

    /// The place is gone from history: reading goes on with the oldest that is kept.
    pub fn begin_anew(&mut self) {
        self.read = Place::default();
        self.unbroken = false;
    }

    /// History cannot be read: what the socket brings is given on all the same.
    pub fn follow_anyway(&mut self) {
        self.following = true;
        self.ready = self.entries.len();
    }

    /// The socket brought a new message. `None`: it asks for no turn.
    pub fn heard(&mut self, id: &str, message: Option<Box<Message>>) {
        self.count(message.as_deref(), false);
        self.make_room(id);
        self.entries.push_back(Entry::new(id, What::of(message, false)));
        if self.following {
            self.ready = self.entries.len();
        }
    }

    /// The socket brought a message for which there is no room: history will bring it again.
    pub fn overflowed(&mut self, id: &str) {
        (self.following, self.unbroken) = (false, false);
        self.dropped = true;
        let [first, last] = &mut self.owed;
        first.get_or_insert_with(|| id.into());
        *last = Some(id.into());
        // nothing in front can settle while history cannot be read: what is done makes room, or it stays full for ever. A lane
        // that is only crowded keeps what is done: it has to be known over a restart
        if self.settled == 0 && !self.has_room(false) {
            self.forget_done();
        }
    }

    fn forget_done(&mut self) {
        for at in (self.settled..self.entries.len()).rev() {
            if self.entries.get(at).is_some_and(|entry| matches!(entry.what, What::Done)) {
                self.remove(at);
                self.ready -= usize::from(at < self.ready);
                self.old -= usize::from(at - self.settled < self.old);
            }
        }
    }

    /// History lists a message that stands in this lane already, or was done before (`known`).
    pub fn listed_known(&mut self, id: &str) -> bool {
        match self.place_of(id) {
            Some(at) if at < self.settled => {}
            Some(at) => {
                // the message at the cursor is gone, where it was not listed before
                self.check_over(false);
                if let Some(entry) = self.entries.remove(at) {
                    self.entries.insert(self.settled, entry);
                }
                self.ready += usize::from(at >= self.ready);
                self.old -= usize::from(at - self.settled < self.old);
                self.settle(id);
            }
            None if self.read.id.as_deref() == Some(id) => {}
            None if self.cursor.id.as_deref() == Some(id) => drop(self.passes_check(id)),
            None => return false,
        }
        self.advance();
        true
    }

    /// History lists a message that was not in this lane. `None`: it asks for no turn, or was done before.
    pub fn listed(&mut self, id: &str, message: Option<Box<Message>>) {
        if message.is_none() && self.passes_check(id) {
            return;
        }
        self.fall_back();
        self.count(message.as_deref(), true);
        self.make_room(id);
        self.entries.insert(self.settled, Entry::new(id, What::of(message, true)));
        self.ready += 1;
        self.settle(id);
        self.advance();
    }

    /// History lists a message whose turn is open, begun before its channel left the list.
    pub fn listed_open(&mut self, id: &str) {
        self.fall_back();
        self.make_room(id);
        self.entries.insert(self.settled, Entry::new(id, What::Open));
        self.ready += 1;
        self.settle(id);
    }

    /// History was read to its end as it was when the page was asked for.
    pub fn read_to_end(&mut self) -> ReadToEnd {
        // what found no room while this page was under way comes with the next
        let lost = !self.dropped && std::mem::take(&mut self.owed).iter().any(Option::is_some);
        let unlisted = self.forget_unlisted();
        self.check_over(true);
        self.following = !self.dropped;
        self.unbroken = self.following;
        if self.following {
            self.ready = self.entries.len();
        }
        ReadToEnd { again: std::mem::take(&mut self.dropped), unlisted, lost }
    }

    /// What was heard before the reading began and is not listed is gone from history; what is done of it is forgotten.
    fn forget_unlisted(&mut self) -> usize {
        let (unlisted, settled) = (std::mem::take(&mut self.old), self.settled);
        for at in (settled..settled + unlisted).rev() {
            if self.entries.get(at).is_some_and(|entry| matches!(entry.what, What::Done)) {
                self.remove(at);
                self.ready -= usize::from(at < self.ready);
            }
        }
        unlisted
    }

    /// Charges for an entry of this id. The row grows in steps: what would be twice as large is charged, too.
    fn make_room(&mut self, id: &str) {
        self.id_bytes += id.len();
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(if self.entries.is_empty() { 4 } else { 8 });
        }
    }

    fn remove(&mut self, at: usize) {
        if let Some(entry) = self.entries.remove(at) {
            self.id_bytes -= entry.id.len();
        }
    }

    /// Gives out the next message that may be: settled, or brought by a socket that was followed; `busy` tells the threads
    /// whose conversation has an open turn. Whether it came from history is beside it.
    pub fn give_next(&mut self, busy: &dyn Fn(Option<&str>) -> bool) -> Option<(Box<Message>, bool)> {
        if self.threaded == 0 && busy(None) {
            return None;
        }
        // most of a channel's messages stand in one conversation: it is asked about once
        let mut last = None;
        let mut is_busy = |thread| match last {
            Some((known, is)) if known == thread => is,
            Some(_) | None => last.insert((thread, busy(thread))).1,
        };
        let next = self.entries.iter().take(self.ready).position(|entry| match &entry.what {
            What::Waiting { message, .. } => !is_busy(message.thread.as_deref()),
            What::Open | What::Done => false,
        })?;
        let entry = self.entries.get_mut(next)?;
        match std::mem::replace(&mut entry.what, What::Open) {
            What::Waiting { message, replayed } => {
                self.waiting -= 1;
                self.replayed -= usize::from(replayed);
                self.threaded -= usize::from(message.thread.is_some());
                self.waiting_bytes = self.waiting_bytes.saturating_sub(message.bytes());
                Some((message, replayed))
            }
            other @ (What::Open | What::Done) => {
                entry.what = other;
                None
            }
        }
    }

    /// A message's turn ended.
    pub fn done(&mut self, id: &str) {
        if let Some(entry) = self.place_of(id).and_then(|at| self.entries.get_mut(at)) {
            entry.what = What::Done;
        }
        self.advance();
    }

    /// Ids whose turn ended while the cursor still stands before them.
    pub fn done_ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|entry| matches!(entry.what, What::Done)).map(|entry| &*entry.id)
    }

    /// Ids whose turn is open.
    pub fn open_ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|entry| matches!(entry.what, What::Open)).map(|entry| &*entry.id)
    }

    /// Ids that wait for a turn.
    pub fn waiting_ids(&self) -> impl Iterator<Item = &str> {
        let waits = |entry: &&Entry| matches!(entry.what, What::Waiting { .. });
        self.entries.iter().filter(waits).map(|entry| &*entry.id)
    }

    fn count(&mut self, message: Option<&Message>, replayed: bool) {
        if let Some(message) = message {
            self.waiting += 1;
            self.replayed += usize::from(replayed);
            self.threaded += usize::from(message.thread.is_some());
            self.waiting_bytes += message.bytes();
        }
    }

    fn settle(&mut self, id: &str) {
        for owed in self.owed.iter_mut().filter(|owed| owed.as_deref() == Some(id)) {
            *owed = None;
        }
        self.settled += 1;
        self.read.step(id);
    }

    fn advance(&mut self) {
        while self.settled > 0 && self.entries.front().is_some_and(|entry| matches!(entry.what, What::Done)) {
            if let Some(entry) = self.entries.pop_front() {
                self.id_bytes -= entry.id.len();
                self.settled -= 1;
                self.ready = self.ready.saturating_sub(1);
                self.pass(entry.id.into());
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > 4 {
            self.entries.shrink_to(4);
        }
    }
}

impl What {
    fn of(message: Option<Box<Message>>, replayed: bool) -> Self {
        match message {
            Some(message) => Self::Waiting { message, replayed },
            None => Self::Done,
        }
    }
}
