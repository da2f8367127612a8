//! History that is listed newest first: what a walk of it is for, and what is done with what it brings.

use super::Link;
use super::answers::{checked, is_array, unreadable};
use super::calls::{Page, Purpose};
use super::channel::{Channel, Gate};
use super::gaps::Missing;
use super::history::Brought;
use super::walk::{Step as Next, To, Walk};
use crate::budget;
use crate::call::Answer;
use crate::dialect::{Dialect, Newest, Row};
use crate::gap::Gap;
use crate::lane::Place;
use crate::moment::Moment;
use crate::step::Step;

/// Has a channel's cursor say as well how far all was given, where a time alone does not.
pub(super) fn pin(channel: &mut Channel, dialect: &dyn Dialect) {
    if let Some(timeline) = dialect.timeline() {
        channel.lane.pin(&timeline.place(0));
    }
}

impl Link {
    /// Whether a message, or all up to a place, is known in a channel.
    pub(super) fn knows(&self, channel: &Channel, id: &str) -> bool {
        match self.dialect.timeline() {
            None => channel.lane.holds(id),
            Some(timeline) => {
                let to = timeline.time(id);
                channel.lane.ids().any(|known| timeline.time(known) >= to)
            }
        }
    }

    /// Whether history was read up to the newest message that the list names.
    pub(super) fn is_read_up(&self, channel: &Channel) -> bool {
        let (read, newest) = (
            channel.lane.read().id.as_deref(),
            match &channel.last {
                Newest::Id(id) => Some(id.as_str()),
                Newest::Nothing | Newest::Unsaid => None,
            },
        );
        match self.dialect.timeline() {
            None => read == newest,
            Some(timeline) => read.and_then(|id| timeline.time(id)) >= newest.and_then(|id| timeline.time(id)),
        }
    }

    /// Where a channel of such a history begins, where no search is needed: what came before this moment, or before the
    /// first list, is old.
    pub(super) fn first_place(&self, last: &Newest, later_than_ms: Option<u64>) -> Option<Place> {
        let timeline = self.dialect.timeline()?;
        let id = match (self.listed_once, later_than_ms, last) {
            (true, Some(ms), _) => Some(timeline.place(ms)),
            (false, _, Newest::Id(id)) if self.seat.agent.backfill == 0 => Some(id.clone()),
            (false, _, Newest::Id(_)) => return None,
            (true, None, _) | (false, _, Newest::Nothing | Newest::Unsaid) => None,
        };
        Some(Place { before: None, id })
    }

    /// The walk that a channel asks for.
    pub(super) fn walk(&self, at: usize, page: Page, now: Moment) -> Option<Walk> {
        let timeline = self.dialect.timeline()?;
        let channel = self.channels.get(at)?;
        let mut walk = if let Gate::Seeking(seek) = &channel.gate {
            Walk::seek(page, seek.keep)
        } else {
            let place = channel.lane.read();
            let time = |id: &str| timeline.time(id);
            let newest = if let Newest::Id(id) = &channel.last { time(id) } else { None };
            // what the socket brought and history has not listed yet may be older than the place
            let heard = channel.lane.unsettled_ids().filter_map(time).min().map(|first| first.saturating_sub(1));
            let read = place.id.as_deref().and_then(time).unwrap_or(0);
            let after = heard.map_or(read, |heard| heard.min(read));
            let whole = channel.lane.cursor().before.as_deref().and_then(time).unwrap_or(after);
            let passed = [&place.id, &place.before].into_iter().flatten().cloned().collect();
            let most_bytes = self.seat.share.window_bytes / budget::TIMELINE_PART;
            // what the socket brought in a thread is listed there, wherever its parent stands
            let thread = |id: &str| Some((timeline.thread_of(id)?.to_owned(), time(id)?));
            let threads = channel.lane.unsettled_ids().filter_map(thread).collect();
            let sought = channel.last != Newest::Nothing && !self.is_known(channel);
            let deep = sought || !channel.baseline || channel.in_parts || !channel.lane.following();
            let to = To { after, whole, newest, sought, threads, passed, deep, most_bytes };
            Walk::to(page, &self.seat.agent.id, to, channel.hint.as_deref().cloned())
        };
        walk.sent = Some(now);
        Some(walk)
    }

    /// Whether the newest message of a channel is known.
    pub(super) fn is_known(&self, channel: &Channel) -> bool {
        match &channel.last {
            Newest::Unsaid => false,
            // nothing is left of a history that had something: it is read once, to count that
            Newest::Nothing => channel.emptied || channel.lane.read().id.is_none(),
            Newest::Id(id) => self.knows(channel, id),
        }
    }

    /// A page of a walk came.
    pub(super) fn walked(&mut self, mut walk: Box<Walk>, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
        let Some(at) = self.channels.iter().position(|channel| channel.is(&walk.page.channel)) else {
            self.history.busy = false;
            return;
        };
        let gone = matches!(&answer, Answer::Got(got) if matches!(got.status, 400 | 403 | 404 | 410));
        let dialect = std::rc::Rc::clone(&self.dialect);
        let Some(timeline) = dialect.timeline() else { return };
        let next = match checked("history", answer) {
            Ok(got) if walk.seeks() && is_array(&got) => {
                self.history.busy = false;
                return self.found_place(at, &got, step);
            }
            Ok(got) => match walk.read(&got, dialect.as_ref(), timeline) {
                Next::Odd => {
                    return self.page_failed(at, unreadable(&got, "history is not a JSON array"), None, step);
                }
                next => next,
            },
            Err((why, wait_ms)) => match if gone { walk.pass() } else { None } {
                Some(next) => next,
                None => return self.page_failed(at, why, wait_ms, step),
            },
        };
        match next {
            Next::On => self.call(Purpose::Walk(walk), false, step),
            Next::Over | Next::Odd => self.brought_back(at, *walk, sent, step),
        }
    }

    /// A walk is over: what it kept is given on as a page of history is.
    fn brought_back(&mut self, at: usize, mut walk: Walk, sent: Moment, step: &mut Step<'_>) {
        self.history.busy = false;
        self.history.failures = 0;
        let dialect = std::rc::Rc::clone(&self.dialect);
        let Some(timeline) = dialect.timeline() else { return };
        let page = walk.page.clone();
        if walk.odd > 0 {
            self.gap(
                Gap::Unreadable,
                walk.odd as u64,
                Missing::within(&page.channel),
                "rows of history are unreadable",
            );
        }
        if walk.long {
            let detail = "its place was not found in as many pages of history as are read";
            self.gap(Gap::HistoryLong, 1, Missing::within(&page.channel), detail);
        }
        let mut brought = Brought::default();
        let (mut upto, mut rows) = (0, 0);
        for held in walk.take() {
            let (time, row) = (held.time(), usize::from(timeline.thread_of(&held.id).is_none()));
            match held.message {
                Ok((message, bytes)) => self.row(at, &page, Row::Message(message, bytes), &mut brought, step),
                Err((gap, why)) if !brought.full => {
                    brought.passed += 1;
                    self.pass_over(at, &held.id, gap, why);
                }
                Err(_) => {}
            }
            if !brought.full {
                (upto, rows) = (time, rows + row);
            }
        }
        // what a reading remembers is kept for one channel at a time
        self.channels.iter_mut().for_each(|channel| channel.hint = None);
        let Some(channel) = self.channels.get_mut(at) else { return };
        channel.failing_since = None;
        channel.in_parts = brought.full || walk.upto.is_some();
        if channel.in_parts {
            channel.hint = walk.hint(upto, rows, !brought.full).map(Box::new);
            channel.wanted = true;
        } else if channel.doubts == page.doubts {
            self.read_to_end(at, &page, walk.sent.unwrap_or(sent), false);
            self.read_whole(at, &walk);
        }
    }

    /// A channel's history was read from its end to the place and, as far as is promised, beyond. A newest message that the
    /// list names and that was not found is not looked for again.
    fn read_whole(&mut self, at: usize, walk: &Walk) {
        let Some(channel) = self.channels.get(at) else { return };
        let unfound = match (&channel.last, self.dialect.timeline()) {
            (Newest::Id(id), Some(timeline)) if walk.sought(timeline.time(id)) => Some(id.clone()),
            (Newest::Id(_) | Newest::Nothing | Newest::Unsaid, _) => None,
        };
        if let Some(id) = unfound.filter(|_| !self.is_known(channel)) {
            if walk.misses() {
                let detail = "the list tells of a reply, and its thread is older than those that are looked at";
                self.pass_over(at, &id, Gap::HistoryLong, detail);
            } else if let Some(channel) = self.channels.get_mut(at) {
                // all of history was read: it is gone
                channel.lane.listed(&id, None);
            }
        }
        if let Some(channel) = self.channels.get_mut(at) {
            channel.lane.read_whole();
        }
    }

    /// The row at the offset where the last messages that are answered begin.
    fn found_place(&mut self, at: usize, got: &crate::call::Got<'_>, step: &mut Step<'_>) {
        let first = self.first_of(got);
        let Some(channel) = self.channels.get_mut(at) else { return };
        channel.failing_since = None;
        let Gate::Seeking(seek) = &mut channel.gate else { return };
        seek.tail = first.into_iter().collect();
        seek.keep = 0;
        self.begin(at, true, step);
    }
}
