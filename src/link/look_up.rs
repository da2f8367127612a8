//! A post of unknown outcome: looked for in history before it is posted again, and known by its echo.

use super::Link;
use super::answers::{checked, unreadable};
use super::calls::Purpose;
use super::keep::Known;
use crate::budget;
use crate::call::{Answer, Got};
use crate::dialect::{Incoming, Newest, Request, Row, Timeline};
use crate::journal::Record;
use crate::outbox::Item;
use crate::reason::{Reason, Why};
use crate::step::Step;

/// Pages of history in one look-up; a longer history is read on after a rest, from where it was left.
const PAGES: u32 = budget::HISTORY_SEEK_PAGES;

/// A page of history in which a post is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// The post's key.
    pub key: String,
    /// Whose history.
    pub channel: String,
    /// After which message, which is older than the post; none: from the oldest that is kept.
    pub after: Option<String>,
    /// Rows asked for.
    pub limit: usize,
    /// Rows passed over, where history is listed newest first.
    skip: usize,
    /// Pages read so far.
    pages: u32,
}

/// What a page says of the post.
#[derive(Default)]
struct Seen {
    rows: usize,
    last: Option<String>,
    found: Option<String>,
    /// A row as old as the message that it is looked for behind.
    reached: bool,
}

impl LookUp {
    /// The first page: behind what was known when the post was made, or where the last look-up was left.
    pub(super) fn of(item: Item) -> Self {
        let Item { key, channel, message: after, .. } = item;
        Self { key, channel, after, limit: budget::HISTORY_LIMIT, skip: 0, pages: 0 }
    }

    /// The page that is asked for where history is listed newest first: of the thread that the post belongs in, if it does.
    pub(super) fn request(&self, timeline: &dyn Timeline) -> Request {
        let thread = self.after.as_deref().and_then(|about| timeline.thread_of(about));
        timeline.page(&self.channel, thread, self.skip, self.limit)
    }

    fn on(self, after: Option<String>) -> Self {
        Self { after, pages: self.pages + 1, limit: budget::HISTORY_LIMIT, ..self }
    }
}

impl Link {
    /// A page of history in which a post of unknown outcome is looked for. Only a history that was read to its end and
    /// does not have it lets it be posted again.
    pub(super) fn look_up_answered(&mut self, look_up: LookUp, answer: Answer<'_>, step: &mut Step<'_>) {
        let status = if let Answer::Got(got) = &answer { got.status } else { 0 };
        let got = match checked("history", answer) {
            Ok(got) => got,
            // the message that it was looked for behind is gone: from the oldest
            Err(_)
                if matches!(status, 400 | 404 | 410)
                    && look_up.after.is_some()
                    && self.dialect.timeline().is_none() =>
            {
                return self.call(Purpose::LookUp(look_up.on(None)), false, step);
            }
            // there is no such channel for this agent any more: the post will be told so
            Err(_) if matches!(status, 403 | 404 | 410) => return self.outbox.not_there(&look_up.key),
            Err((why, _)) => return self.look_up_failed(&look_up, why, step),
        };
        let mut seen = Seen::default();
        let dialect = std::rc::Rc::clone(&self.dialect);
        let whole = dialect.history_rows(got.body, &mut |row| self.look_at(&look_up, row, &mut seen));
        if !whole && !got.cut {
            return self.look_up_failed(&look_up, unreadable(&got, "history is not a JSON array"), step);
        }
        if let Some(id) = seen.found {
            return self.posted(&look_up.key, Some(id), step);
        }
        if self.dialect.timeline().is_some() {
            return self.look_back(look_up, &seen, &got, step);
        }
        if got.cut && seen.last.is_none() {
            return match (look_up.limit, got.first_id.as_deref()) {
                (2.., _) => {
                    let limit = look_up.limit / 2;
                    self.call(Purpose::LookUp(LookUp { limit, ..look_up }), false, step);
                }
                (_, Some(id)) => self.look_on(look_up, id.to_owned(), step),
                (_, None) => {
                    let why = Why::new(Reason::HttpBody, "a message is so large that not even its id was found");
                    self.look_up_failed(&look_up, why, step);
                }
            };
        }
        let more = got.cut || seen.rows >= look_up.limit;
        match seen.last {
            Some(last) if more => self.look_on(look_up, last, step),
            None if look_up.after.is_some() && look_up.pages == 0 && !self.ends_with(&look_up) => {
                // nothing behind it, though more is known: a guild may say so of a message that is gone
                self.call(Purpose::LookUp(look_up.on(None)), false, step);
            }
            _ => self.outbox.not_there(&look_up.key),
        }
    }

    /// The next page of a history that is listed newest first: until one is as old as what the post answers.
    fn look_back(&mut self, look_up: LookUp, seen: &Seen, got: &Got<'_>, step: &mut Step<'_>) {
        let (rows, ended) = (seen.rows, !got.cut && seen.rows < look_up.limit);
        if ended || seen.reached {
            return self.outbox.not_there(&look_up.key);
        }
        if look_up.pages >= PAGES {
            return self.outbox.unknown(&look_up.key, step.now.at);
        }
        // a page without a whole row: a smaller one; a row that is too large alone is no post of ours
        let (limit, skip) = match (rows, look_up.limit) {
            (0, 2..) => (look_up.limit / 2, look_up.skip),
            _ => (budget::HISTORY_LIMIT, look_up.skip + rows.max(1)),
        };
        let look_up = LookUp { limit, skip, pages: look_up.pages + 1, ..look_up };
        self.call(Purpose::LookUp(look_up), false, step);
    }

    fn look_at(&self, look_up: &LookUp, row: Row<'_>, seen: &mut Seen) {
        seen.rows += 1;
        match row {
            Row::Message(message, _) => {
                let item = self.outbox.items().find(|item| item.key == look_up.key);
                if seen.found.is_none() && item.is_some_and(|item| self.is_post(item, &message)) {
                    seen.found = Some(message.id.to_string());
                }
                seen.reached |= self.dialect.timeline().is_some_and(|timeline| {
                    look_up.after.as_deref().is_some_and(|after| timeline.time(&message.id) <= timeline.time(after))
                });
                seen.last = Some(message.id.into_owned());
            }
            Row::Unreadable(Some(id), _) => seen.last = Some(id),
            Row::Unreadable(None, _) => {}
        }
    }

    fn look_on(&mut self, look_up: LookUp, last: String, step: &mut Step<'_>) {
        if look_up.after.as_ref() == Some(&last) {
            let why = Why::new(Reason::HttpBody, "a page of history brings nothing new: `after` is not heeded");
            return self.look_up_failed(&look_up, why, step);
        }
        if look_up.pages >= PAGES {
            self.outbox.looked_up_to(&look_up.key, last);
            return self.outbox.unknown(&look_up.key, step.now.at);
        }
        self.call(Purpose::LookUp(look_up.on(Some(last))), false, step);
    }

    fn look_up_failed(&mut self, look_up: &LookUp, why: Why, step: &mut Step<'_>) {
        log::warn!("{}: a post is not repeated before history was read: {why}", self.seat.agent.name);
        self.why = Some(why);
        self.outbox.unknown(&look_up.key, step.now.at);
    }

    /// Whether the message that was looked behind is the channel's newest, as far as is known here.
    fn ends_with(&self, look_up: &LookUp) -> bool {
        let Some(channel) = self.channels.iter().find(|other| other.is(&look_up.channel)) else { return false };
        let listed = matches!(&channel.last, Newest::Id(id) if Some(id) == look_up.after.as_ref());
        listed || channel.lane.newest() == look_up.after.as_deref()
    }

    /// Whether a message is this post: of our own and under its key; or, where the guild says no keys, with its words in
    /// answer to the same message, and not known as another post.
    fn is_post(&self, item: &Item, message: &Incoming<'_>) -> bool {
        let same = || {
            // a part that is given again may be the one that an earlier life knew
            let another = if item.again { Known::Now } else { Known::Before };
            let claimed = self.own_posts.iter().any(|(id, known)| *known >= another && *id == *message.id);
            !claimed
                && item.text.trim() == message.text.trim()
                && match (self.dialect.timeline(), item.reply_to.as_deref(), message.reply_to.as_deref()) {
                    // what it answers may be gone meanwhile, and its time with it
                    (Some(timeline), Some(one), Some(other)) => timeline.is_same(one, other),
                    (_, one, other) => one == other,
                }
        };
        message.author == self.seat.agent.id && message.nonce.as_deref().map_or_else(same, |nonce| nonce == item.key)
    }

    /// A message of our own came back, by the socket or in history: where it is known as a post, that one is posted,
    /// whatever HTTP says later.
    pub(super) fn confirmed_by_echo(&mut self, message: &Incoming<'_>, by_socket: bool, step: &mut Step<'_>) {
        if message.author != self.seat.agent.id {
            return;
        }
        let id = message.id.to_string();
        let key = match message.nonce.as_deref() {
            Some(key) if self.letters.holds(key) => return self.letter_is_there(key, id, step),
            Some(key) => Some(key.to_owned()).filter(|key| self.outbox.holds(key)),
            // in history it may be older than the post; what the socket brings is new
            None if by_socket => {
                let asked = self.outbox.asked_in(&message.channel);
                asked.filter(|item| self.is_post(item, message)).map(|item| item.key.clone()).next()
            }
            None => None,
        };
        match key {
            Some(key) => self.posted(&key, Some(id), step),
            None => self.note_own(id, Known::Not),
        }
    }

    /// A letter is in the guild after all.
    fn letter_is_there(&mut self, key: &str, id: String, step: &mut Step<'_>) {
        self.letters.take(key);
        self.tally.posted += 1;
        step.record(Record::Posted { link: self.name(), key: key.to_owned(), message: Some(id.clone()) });
        self.note_own(id, Known::Now);
    }
}
