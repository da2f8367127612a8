//! A reading of a history that is listed newest first, by offset: from the newest row, or from where the last reading left
//! off, to the place, and with it the threads that were answered since; then what rows leave out. It keeps the oldest
//! messages behind the place, as many as are given at once, whatever order they come in: all of them stand in one order, that
//! of their times, and what is later than what was left out is left out. Offsets shift while it reads: pages overlap, and only
//! rows that reach the place end it.

use super::calls::Page;
use super::threads::Threads;
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
    whole: u64,
    passed: Vec<String>,
    newest: Option<u64>,
    deep: bool,
    /// The newest message, where it is unknown: it is looked for in threads of whatever age.
    sought: Option<u64>,
    /// It was looked for as far as rows are looked at, and they were not all.
    missed: bool,
    stage: Stage,
    at: Offset,
    /// Where the channel's rows go on after its threads; none: they are over.
    rows: Option<Offset>,
    /// Pages of the channel's rows.
    pages: u32,
    /// Rows of the channel that are later than the place.
    newer: usize,
    /// Rows of the channel that are before anything that may not have been given.
    behind: usize,
    /// A row of the channel was at the place, or before it.
    reached: bool,
    /// The latest that any row speaks of.
    latest: u64,
    /// What is as late as this, or later, is not kept.
    pub upto: Option<u64>,
    /// The place was not reached in so many pages as may be turned.
    pub long: bool,
    /// Rows that could not be read at all.
    pub odd: usize,
    kept: Vec<Held>,
    kept_bytes: usize,
    most_bytes: usize,
    threads: Threads,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    skip: usize,
    limit: usize,
    /// The time of the earliest row so far.
    last: Option<u64>,
}

/// Where a reading goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct To {
    /// The place: what is later is looked for.
    pub after: u64,
    /// Up to here everything was given, replies in threads too.
    pub whole: u64,
    /// The channel's newest message, as the list says.
    pub newest: Option<u64>,
    /// It is unknown.
    pub sought: bool,
    /// Threads that hold something which history has to list, and when it was written.
    pub threads: Vec<(String, u64)>,
    /// Ids that stand at the place, or right before it, though their rows may not be readable.
    pub passed: Vec<String>,
    /// Threads of messages before the place are looked for, too.
    pub deep: bool,
    /// Bytes of JSON that are kept, one message at least.
    pub most_bytes: usize,
}

/// Where the next reading begins, and the threads that it need not look for again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    skip: usize,
    threads: Threads,
    sought: Option<u64>,
    missed: bool,
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
        let To { after, whole, newest, sought, threads: heard, passed, deep, most_bytes } = place;
        let deep = deep && hint.is_none();
        let Hint { skip, mut threads, sought: sought_before, missed } = hint.unwrap_or_default();
        for (parent, latest) in heard {
            threads.look_for(&parent, latest);
        }
        Self {
            page,
            me: me.to_owned(),
            sent: None,
            after,
            whole,
            passed,
            newest,
            deep,
            missed,
            sought: if deep { newest.filter(|_| sought) } else { sought_before },
            stage: Stage::Rows,
            at: Offset { skip, ..Offset::FIRST },
            rows: None,
            pages: 0,
            newer: 0,
            behind: 0,
            reached: false,
            latest: 0,
            upto: threads.beyond(),
            long: false,
            odd: 0,
            kept: Vec::new(),
            kept_bytes: 0,
            most_bytes,
            threads,
        }
    }

    /// To the row at an offset, which is the place.
    #[must_use]
    pub fn seek(page: Page, offset: usize) -> Self {
        let walk = Self::to(page, "", To::default(), None);
        Self { stage: Stage::Seek, at: Offset { skip: offset, limit: 1, last: None }, ..walk }
    }

    /// Whether it looks for a place.
    #[must_use]
    pub fn seeks(&self) -> bool {
        self.stage == Stage::Seek
    }

    /// The request to be made.
    #[must_use]
    pub fn request(&self, timeline: &dyn Timeline) -> Request {
        let (channel, Offset { skip, limit, .. }) = (&self.page.channel, self.at);
        match self.stage {
            Stage::Seek | Stage::Rows | Stage::Over => timeline.page(channel, None, skip, limit),
            Stage::Thread => timeline.page(channel, self.threads.parent(), skip, limit),
            Stage::Detail => {
                timeline.detail(channel, self.kept.iter().find(|held| held.lacks()).map_or("", |held| &held.id))
            }
        }
    }

    /// The messages that were kept, the oldest first.
    pub fn take(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.kept)
    }

    /// Where to read on once so many messages were taken, where more is there. None: from the newest row again; what was
    /// remembered is taken, and there were more threads than that.
    #[must_use]
    pub fn hint(self, taken_upto: u64, rows_taken: usize, all_taken: bool) -> Option<Hint> {
        if all_taken && self.upto.is_some() && self.upto == self.threads.beyond() {
            return None;
        }
        let skip = (self.newer.saturating_sub(rows_taken) + 1 + OVERLAP).saturating_sub(budget::TIMELINE_ROWS);
        Some(Hint { skip, threads: self.threads.leave(taken_upto), sought: self.sought, missed: self.missed })
    }

    /// Whether it looked for a message of this time as far as is done.
    #[must_use]
    pub fn sought(&self, time: Option<u64>) -> bool {
        self.sought.is_some() && self.sought == time
    }

    /// Whether that may stand in the thread of a message that was not read: it is not gone, as far as is known.
    #[must_use]
    pub fn misses(&self) -> bool {
        self.missed
    }

    /// Takes an answer in.
    pub fn read(&mut self, got: &Got<'_>, dialect: &dyn Dialect, timeline: &dyn Timeline) -> Step {
        if self.stage == Stage::Detail {
            if let Some(held) = self.kept.iter_mut().find(|held| held.lacks()) {
                held.detail(got, timeline);
            }
            return self.details();
        }
        self.pages += u32::from(self.stage == Stage::Rows);
        let mut rows = 0;
        let mut at_place = false;
        let whole = dialect.history_rows(got.body, &mut |row| {
            at_place |= self.row(rows, row, timeline);
            rows += 1;
        });
        if (!whole && !got.cut) || (self.stage == Stage::Rows && rows > self.at.limit) {
            return Step::Odd;
        }
        if self.stage == Stage::Rows {
            timeline.threads(got.body, &mut |parent, time, latest| self.answered(parent, time, latest));
        }
        if got.cut && rows == 0 {
            if self.at.limit > 1 {
                self.at.limit /= 2;
                return Step::On;
            }
            rows = 1;
            let Some(bare) = got.first_id.as_deref() else { return Step::Odd };
            at_place |= self.too_large(bare, timeline);
        }
        let ended = !got.cut && rows < self.at.limit;
        self.at.skip += rows.saturating_sub(if got.cut || rows <= OVERLAP { 0 } else { OVERLAP });
        match self.stage {
            Stage::Rows => {
                let spent = self.pages >= budget::TIMELINE_PAGES;
                self.long = spent && !ended && !self.reached;
                let over = spent || ended || (self.reached && !self.looks_behind());
                if !over && !self.threads.is_full() {
                    return Step::On;
                }
                self.missed |= over && !ended && self.is_sought();
                self.rows = (!over).then_some(self.at);
                self.next_thread()
            }
            Stage::Thread if ended || at_place => self.next_thread(),
            Stage::Seek | Stage::Thread | Stage::Detail | Stage::Over => Step::On,
        }
    }

    /// What an answer that is no success means for a part of the walk: a thread or a message that is gone is passed over.
    pub fn pass(&mut self) -> Option<Step> {
        match self.stage {
            Stage::Thread => Some(self.next_thread()),
            Stage::Detail => {
                if let Some(Held { message: Ok((message, _)), .. }) = self.kept.iter_mut().find(|held| held.lacks()) {
                    message.has_more = false;
                }
                Some(self.details())
            }
            Stage::Seek | Stage::Rows | Stage::Over => None,
        }
    }

    /// Whether rows behind the place are still to be looked at: all after which not everything was given, and so many before.
    fn looks_behind(&self) -> bool {
        let most = if self.is_sought() { budget::TIMELINE_FAR } else { budget::TIMELINE_BEHIND };
        self.deep && self.behind < most
    }

    /// Whether nothing that was read is as new as what the list tells of.
    fn is_sought(&self) -> bool {
        self.deep && self.sought.is_some_and(|newest| newest > self.latest)
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
        if self.stage == Stage::Thread && timeline.thread_of(&id) != self.threads.parent() {
            // a thread's last page ends with the message that it hangs on
            return true;
        }
        if self.at.last.is_none() && self.at.skip > 0 && self.stage == Stage::Rows {
            self.stop_at(time.saturating_add(1));
        }
        if self.passes(at, time) {
            return true;
        }
        let message = message.map(|(mut message, bytes)| {
            message.has_more &= message.author != self.me;
            (message.into_owned(), bytes)
        });
        self.keep(Held { time, id, message });
        false
    }

    /// The row at this place of a page has this time. Whether it reaches the place.
    fn passes(&mut self, at: usize, time: u64) -> bool {
        // pages overlap: a row counts once
        let new = self.at.last.is_none_or(|last| time < last);
        self.at.last = self.at.last.filter(|_| !new).or(Some(time));
        self.latest = self.latest.max(time);
        let (reaches, in_channel) = (time <= self.after, self.stage == Stage::Rows);
        if in_channel {
            self.reached |= reaches;
            self.behind += usize::from(new && time <= self.whole.min(self.after));
        }
        match (reaches, in_channel) {
            (true, _) => {}
            (false, true) => self.newer = self.newer.max(self.at.skip + at + 1),
            (false, false) => self.threads.has(time),
        }
        reaches
    }

    /// A row that is too large for any page: only its bare id is known, and that it follows the row before it.
    fn too_large(&mut self, bare: &str, timeline: &dyn Timeline) -> bool {
        if self.stage == Stage::Thread && self.threads.parent().is_some_and(|parent| timeline.is_same(parent, bare)) {
            return true;
        }
        let known = self.passed.iter().find(|id| timeline.is_same(id, bare)).and_then(|id| timeline.time(id));
        let time = match (known, self.at.last) {
            (Some(time), _) => time,
            // what follows a row of the place, or of before it, is older still
            (None, Some(last)) if last <= self.after => last.saturating_sub(1),
            (None, last) => {
                let near = last.map(|last| last.saturating_sub(1)).or(self.newest).unwrap_or(self.after);
                near.max(self.after.saturating_add(1))
            }
        };
        if self.passes(0, time) {
            return true;
        }
        let why = "larger than a page of history may be";
        self.keep(Held { time, id: timeline.id_at(time, bare), message: Err((Gap::Oversize, why)) });
        false
    }

    fn answered(&mut self, parent: &str, time: u64, latest: u64) {
        self.latest = self.latest.max(latest);
        if latest > self.after {
            self.threads.answered(parent, time, latest);
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
        if self.threads.next(self.upto) {
            (self.stage, self.at) = (Stage::Thread, Offset::FIRST);
            return Step::On;
        }
        match self.rows.take() {
            Some(rows) => {
                self.threads.make_room();
                (self.stage, self.at) = (Stage::Rows, rows);
                Step::On
            }
            None => self.details(),
        }
    }

    fn details(&mut self) -> Step {
        self.stage = if self.kept.iter().any(Held::lacks) { Stage::Detail } else { Stage::Over };
        if self.stage == Stage::Over { Step::Over } else { Step::On }
    }
}

impl Offset {
    const FIRST: Self = Self { skip: 0, limit: budget::TIMELINE_ROWS, last: None };
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

    /// What its row left out came. What is too long to be read counts with what was read of it.
    fn detail(&mut self, got: &Got<'_>, timeline: &dyn Timeline) {
        let Ok((message, bytes)) = &mut self.message else { return };
        message.has_more = false;
        *bytes += got.body.len();
        if got.cut || timeline.detailed(got.body, message) {
            return;
        }
        if message.text.trim().is_empty() {
            self.message = Err((Gap::Unreadable, "what hangs on it is not JSON"));
        }
    }

    /// Whether something of it was left out that somebody may read.
    fn lacks(&self) -> bool {
        matches!(&self.message, Ok((message, _)) if message.has_more)
    }
}
