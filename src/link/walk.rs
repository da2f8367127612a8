//! A reading of a history that is listed newest first, by offset: from the newest row, or from where the last reading left
//! off, to the place; then the threads that were answered since; then what rows leave out. It keeps the oldest messages
//! behind the place, as many as are given at once, whatever order they come in. Offsets shift while it reads: pages overlap,
//! and only rows that reach the place end it.

use super::calls::Page;
use crate::budget;
use crate::call::Got;
use crate::dialect::{Dialect, Incoming, Request, Row, Timeline};
use crate::gap::Gap;
use crate::moment::Moment;

/// Rows that two pages share: so many messages may be deleted between them.
const OVERLAP: usize = 3;

/// A reading under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// What was asked for.
    pub page: Page,
    /// Who we are: nobody reads what rows leave out of our own messages.
    me: String,
    /// When the newest row was asked for.
    pub sent: Option<Moment>,
    after: u64,
    passed: Vec<String>,
    newest: Option<u64>,
    /// The newest message, where it is looked for in threads of whatever age.
    pub sought: Option<u64>,
    deep: bool,
    stage: Stage,
    skip: usize,
    limit: usize,
    pages: u32,
    /// The time of the last row of this stage.
    last: Option<u64>,
    /// Rows of the channel that are later than the place.
    newer: usize,
    behind: usize,
    /// The latest time that rows tell of: a message's, or a thread's.
    seen: u64,
    /// The first message of the history was read.
    whole: bool,
    /// What is as late as this, or later, is not kept.
    pub upto: Option<u64>,
    /// The place was not reached in so many pages as may be turned.
    pub long: bool,
    /// Rows that could not be read at all.
    pub odd: usize,
    kept: Vec<Held>,
    kept_bytes: usize,
    most_bytes: usize,
    threads: Vec<(String, u64)>,
    thread: usize,
}

/// Where a reading goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct To {
    /// The place: what is later is looked for.
    pub after: u64,
    /// The channel's newest message, as the list says.
    pub newest: Option<u64>,
    /// Ids that stand at the place, or right before it, though their rows may not be readable.
    pub passed: Vec<String>,
    /// Threads of messages before the place are looked for, too.
    pub deep: bool,
    /// The newest message was looked for already, and is in none of them.
    pub in_vain: bool,
    /// Bytes of JSON that are kept, one message at least.
    pub most_bytes: usize,
}

/// Where the next reading begins, and the threads that it need not look for again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    skip: usize,
    threads: Vec<(String, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The place is the row at an offset.
    Seek,
    Rows,
    Thread,
    Detail,
    Over,
}

/// A message that is kept, or why it cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    time: u64,
    /// Its id.
    pub id: String,
    /// It, with the bytes of its JSON.
    pub message: Result<(Incoming<'static>, usize), (Gap, &'static str)>,
}

/// What a page means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is another request to be made.
    On,
    /// It is over.
    Over,
    /// The page was no list.
    Odd,
}

impl Walk {
    /// From the newest row, or from a hint, to a place.
    #[must_use]
    pub fn to(page: Page, me: &str, place: To, hint: Option<Hint>) -> Self {
        let To { after, newest, passed, deep, in_vain, most_bytes } = place;
        let deep = deep && hint.is_none();
        let Hint { skip, threads } = hint.unwrap_or_default();
        Self {
            page,
            me: me.to_owned(),
            sent: None,
            after,
            passed,
            newest,
            sought: newest.filter(|_| deep && !in_vain),
            deep,
            stage: Stage::Rows,
            skip,
            limit: budget::TIMELINE_ROWS,
            pages: 0,
            last: None,
            newer: 0,
            behind: 0,
            seen: after,
            whole: false,
            upto: None,
            long: false,
            odd: 0,
            kept: Vec::new(),
            kept_bytes: 0,
            most_bytes,
            threads,
            thread: 0,
        }
    }

    /// To the row at an offset, which is the place.
    #[must_use]
    pub fn seek(page: Page, offset: usize) -> Self {
        let walk = Self::to(page, "", To::default(), None);
        Self { stage: Stage::Seek, skip: offset, limit: 1, ..walk }
    }

    /// Whether it looks for a place.
    #[must_use]
    pub fn seeks(&self) -> bool {
        self.stage == Stage::Seek
    }

    /// The request to be made.
    #[must_use]
    pub fn request(&self, timeline: &dyn Timeline) -> Request {
        let channel = &self.page.channel;
        match self.stage {
            Stage::Seek | Stage::Rows | Stage::Over => timeline.page(channel, None, self.skip, self.limit),
            Stage::Thread => {
                let parent = self.threads.get(self.thread).map(|(parent, _)| parent.as_str());
                timeline.page(channel, parent, self.skip, self.limit)
            }
            Stage::Detail => {
                timeline.detail(channel, self.kept.iter().find(|held| held.lacks()).map_or("", |held| &held.id))
            }
        }
    }

    /// The messages that were kept, the oldest first.
    pub fn take(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.kept)
    }

    /// Where to read on once so many messages were taken, where more is there.
    #[must_use]
    pub fn hint(&self, taken_upto: u64, rows_taken: usize) -> Hint {
        let skip = (self.newer.saturating_sub(rows_taken) + 1 + OVERLAP).saturating_sub(budget::TIMELINE_ROWS);
        let threads = self.threads.iter().filter(|(_, latest)| *latest > taken_upto).cloned().collect();
        Hint { skip, threads }
    }

    /// Takes an answer in.
    pub fn read(&mut self, got: &Got<'_>, dialect: &dyn Dialect, timeline: &dyn Timeline) -> Step {
        self.pages += 1;
        if self.stage == Stage::Detail {
            if let Some(Held { message: Ok((message, _)), .. }) = self.kept.iter_mut().find(|held| held.lacks()) {
                timeline.detailed(got.body, message);
            }
            return self.details();
        }
        let mut rows = 0;
        let mut at_place = false;
        let whole = dialect.history_rows(got.body, &mut |row| {
            at_place |= self.row(rows, row, timeline);
            rows += 1;
        });
        if !whole && !got.cut {
            return Step::Odd;
        }
        if self.stage == Stage::Rows {
            timeline.threads(got.body, &mut |parent, latest| self.answered(parent, latest));
        }
        if got.cut && rows == 0 {
            if self.limit > 1 {
                self.limit /= 2;
                return Step::On;
            }
            rows = 1;
            let Some(bare) = got.first_id.as_deref() else { return Step::Odd };
            at_place |= self.too_large(bare, timeline);
        }
        let ended = !got.cut && rows < self.limit;
        self.whole |= ended && self.stage == Stage::Rows;
        self.skip += rows.saturating_sub(if got.cut || rows <= OVERLAP { 0 } else { OVERLAP });
        match self.stage {
            Stage::Rows if self.pages >= budget::TIMELINE_PAGES => {
                self.long = !ended && !at_place && self.behind == 0;
                self.next_thread()
            }
            Stage::Rows if ended || ((at_place || self.behind > 0) && !self.looks_behind()) => self.next_thread(),
            Stage::Thread if ended || at_place => {
                self.thread += 1;
                self.next_thread()
            }
            Stage::Seek | Stage::Rows | Stage::Thread | Stage::Detail | Stage::Over => Step::On,
        }
    }

    /// What an answer that is no success means for a part of the walk: a thread or a message that is gone is passed over.
    pub fn pass(&mut self) -> Option<Step> {
        match self.stage {
            Stage::Thread => {
                self.thread += 1;
                Some(self.next_thread())
            }
            Stage::Detail => {
                if let Some(Held { message: Ok((message, _)), .. }) = self.kept.iter_mut().find(|held| held.lacks()) {
                    message.has_more = false;
                }
                Some(self.details())
            }
            Stage::Seek | Stage::Rows | Stage::Over => None,
        }
    }

    /// Whether rows behind the place are still to be looked at.
    fn looks_behind(&self) -> bool {
        let most = if self.is_sought() { budget::TIMELINE_FAR } else { budget::TIMELINE_BEHIND };
        self.deep && self.behind < most
    }

    /// Whether nothing that was read is as new as what the list tells of.
    #[must_use]
    pub fn is_sought(&self) -> bool {
        self.sought.is_some_and(|newest| newest > self.seen)
    }

    /// Whether it may stand in the thread of a message that was not read: it is not gone, as far as is known.
    #[must_use]
    pub fn misses(&self) -> bool {
        self.is_sought() && !self.whole
    }

    /// One row; whether it reaches the place.
    fn row(&mut self, at: usize, row: Row<'_>, timeline: &dyn Timeline) -> bool {
        let (id, message) = match row {
            Row::Message(message, bytes) => (message.id.to_string(), Ok((message, bytes))),
            Row::Unreadable(Some(id), malformed) => (id, Err((Gap::Unreadable, malformed.0))),
            Row::Unreadable(None, _) => {
                self.odd += 1;
                return false;
            }
        };
        let Some(time) = timeline.time(&id) else { return false };
        let parent = self.threads.get(self.thread).map(|(parent, _)| parent.as_str());
        if self.stage == Stage::Thread && timeline.thread_of(&id) != parent {
            // a thread's last page ends with the message that it hangs on
            return true;
        }
        if self.last.is_none() && self.skip > 0 && self.stage == Stage::Rows {
            self.stop_at(time.saturating_add(1));
        }
        // rows that two pages share count once
        let further = self.last.is_none_or(|last| time < last);
        self.last = Some(time);
        self.seen = self.seen.max(time);
        if time <= self.after {
            self.behind += usize::from(self.stage == Stage::Rows && further);
            return true;
        }
        if self.stage == Stage::Rows {
            self.newer = self.newer.max(self.skip + at + 1);
        }
        let message = message.map(|(mut message, bytes)| {
            message.has_more &= message.author != self.me;
            (message.into_owned(), bytes)
        });
        self.keep(Held { time, id, message });
        false
    }

    /// A row that is too large for any page: only its bare id is known, and that it follows the row before it.
    fn too_large(&mut self, bare: &str, timeline: &dyn Timeline) -> bool {
        if self.passed.iter().any(|id| timeline.is_same(id, bare)) {
            self.behind += 1;
            return true;
        }
        let near = self.last.map(|last| last.saturating_sub(1)).or(self.newest).unwrap_or(self.after);
        let time = near.max(self.after.saturating_add(1));
        self.last = Some(time);
        self.seen = self.seen.max(time);
        self.newer = self.newer.max(self.skip + 1);
        let why = "larger than a page of history may be";
        self.keep(Held { time, id: timeline.id_at(time, bare), message: Err((Gap::Oversize, why)) });
        false
    }

    fn answered(&mut self, parent: &str, latest: u64) {
        self.seen = self.seen.max(latest);
        let known = self.threads.iter().any(|(known, _)| known == parent);
        if latest > self.after && !known && self.threads.len() < budget::TIMELINE_THREADS {
            self.threads.push((parent.to_owned(), latest));
        }
    }

    fn stop_at(&mut self, time: u64) {
        self.upto = Some(self.upto.map_or(time, |upto| upto.min(time)));
    }

    fn keep(&mut self, held: Held) {
        if self.upto.is_some_and(|upto| held.time >= upto) || self.kept.iter().any(|other| other.id == held.id) {
            return;
        }
        self.kept_bytes += held.bytes();
        let at = self.kept.partition_point(|other| other.time <= held.time);
        self.kept.insert(at, held);
        while self.kept.len() > budget::TIMELINE_ROWS || (self.kept_bytes > self.most_bytes && self.kept.len() > 1) {
            let Some(last) = self.kept.pop() else { return };
            self.kept_bytes = self.kept_bytes.saturating_sub(last.bytes());
            self.stop_at(last.time);
        }
    }

    fn next_thread(&mut self) -> Step {
        (self.skip, self.limit, self.last) = (0, budget::TIMELINE_ROWS, None);
        if self.thread < self.threads.len() {
            self.stage = Stage::Thread;
            return Step::On;
        }
        self.details()
    }

    fn details(&mut self) -> Step {
        self.stage = if self.kept.iter().any(Held::lacks) { Stage::Detail } else { Stage::Over };
        if self.stage == Stage::Over { Step::Over } else { Step::On }
    }
}

impl Held {
    /// When it was written.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.time
    }

    fn bytes(&self) -> usize {
        self.message.as_ref().map_or(0, |(_, bytes)| *bytes)
    }

    /// Whether something of it was left out that somebody may read.
    fn lacks(&self) -> bool {
        matches!(&self.message, Ok((message, _)) if message.has_more)
    }
}
