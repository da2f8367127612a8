//! The search for a channel's first cursor, where the list does not name its newest message.

use super::Link;
use super::calls::Page;
use super::channel::{Gate, Seek};
use super::gaps::Missing;
use super::history::Brought;
use super::recall::Recall;
use super::timeline::pin;
use crate::budget;
use crate::call::Got;
use crate::dialect::Row;
use crate::gap::Gap;
use crate::journal::Record;
use crate::lane::{Lane, Place};
use crate::moment;
use crate::step::Step;

impl Link {
    pub(super) fn seek_row(&mut self, at: usize, row: Row<'_>, brought: &mut Brought) {
        let Some(Gate::Seeking(seek)) = self.channels.get_mut(at).map(|channel| &mut channel.gate) else { return };
        let own = &self.seat.agent.id;
        let answers = match &row {
            Row::Message(message, _) if message.author == *own => Some(message.reply_to.as_deref().map(str::to_owned)),
            Row::Message(..) | Row::Unreadable(..) => None,
        };
        let (id, written) = match &row {
            Row::Message(message, _) => (message.id.to_string(), moment::instant(&message.at)),
            Row::Unreadable(Some(id), _) => (id.clone(), None),
            Row::Unreadable(None, _) => return,
        };
        let dated_later = match (seek.later_than_ms, written) {
            (Some(than), Some(written)) => written > than,
            (Some(_), None) => seek.undated_is_later,
            (None, _) => false,
        };
        let later = dated_later || seek.heard.as_deref() == Some(id.as_str());
        if brought.full || later {
            brought.full = true;
            return;
        }
        brought.passed += 1;
        brought.full = seek.until.as_deref() == Some(id.as_str());
        if let Some(recall) = &mut seek.recall {
            recall.pass(&id, answers.as_ref().map(Option::as_deref));
        }
        seek.pass(id);
    }

    /// A page of the search for a first cursor was read: on, or the cursor is known.
    pub(super) fn sought(&mut self, at: usize, page: &Page, brought: &Brought, got: &Got<'_>, step: &mut Step<'_>) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        let Gate::Seeking(seek) = &mut channel.gate else { return };
        seek.pages += 1;
        if got.cut && brought.passed == 0 && !brought.full {
            if page.limit > 1 {
                channel.limit = page.limit / 2;
                return;
            }
            match &got.first_id {
                Some(id) => {
                    if let Some(recall) = &mut seek.recall {
                        recall.pass(id, None);
                    }
                    seek.pass(id.clone());
                }
                None => seek.pages = budget::HISTORY_SEEK_PAGES,
            }
        }
        channel.failing_since = None;
        self.recall_pages = self.recall_pages.saturating_sub(u32::from(seek.recall.is_some()));
        let ended = brought.full || (!got.cut && (brought.rows < page.limit || brought.passed == 0));
        let spent = seek.until.is_some() && self.recall_pages == 0;
        let over = spent || seek.pages >= budget::HISTORY_SEEK_PAGES;
        if ended || over {
            self.begin(at, ended, step);
        }
    }

    /// A page of a search for a place that the journal lost failed. A channel whose end is known does not wait for it longer
    /// than for any other page.
    pub(super) fn recall_failed(&mut self, at: usize, step: &mut Step<'_>) {
        let Some(channel) = self.channels.get(at) else { return };
        let known = matches!(&channel.gate, Gate::Seeking(seek) if seek.until.is_some());
        if known && channel.given_up(step.now.at) {
            self.begin(at, false, step);
        }
    }

    /// The search of a channel is over; `ended`: history was read as far as it had to be.
    pub(super) fn begin(&mut self, at: usize, ended: bool, step: &mut Step<'_>) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        let Gate::Seeking(mut seek) = std::mem::replace(&mut channel.gate, Gate::Storing(u64::MAX)) else { return };
        let (name, id) = (channel.name().to_string(), channel.id.clone());
        let recalled = seek.recall.take().filter(|_| ended).and_then(Recall::found);
        let end_known = seek.until.is_some();
        let (place, answered) = recalled.unwrap_or_else(|| (seek.place(), Vec::new()));
        channel.lane = Lane::at(place);
        channel.limit = budget::HISTORY_LIMIT;
        channel.wanted = true;
        if !ended && !end_known {
            let detail =
                format!("{name}: the end of its history was not found in {} pages", budget::HISTORY_SEEK_PAGES);
            self.gap(Gap::HistoryLong, 1, Missing::within(&id), &detail);
        }
        self.keep_gaps(step);
        for message in answered {
            self.was_answered(&id, message, step);
        }
        if let Some(channel) = self.channels.get_mut(at) {
            pin(channel, &*self.dialect);
        }
        let Some(channel) = self.channels.get(at) else { return };
        self.keep_cursor(channel, step);
        if let Some(channel) = self.channels.get_mut(at) {
            channel.gate = Gate::Storing(step.awaited());
        }
    }

    /// A message behind a place that was found in history, whose answer stands there.
    fn was_answered(&mut self, channel: &str, message: String, step: &mut Step<'_>) {
        if self.done_before.get(channel).is_some_and(|done| done.contains(&message)) {
            return;
        }
        self.remember_done(channel, &message);
        let (link, channel) = (self.name(), channel.to_owned());
        step.record(Record::Turn { link, channel, message, posts: Vec::new() });
    }
}

impl Seek {
    fn pass(&mut self, id: String) {
        self.tail.push_back(id);
        if self.tail.len() > self.keep + 2 {
            self.tail.pop_front();
        }
    }

    /// Where the channel begins: behind the newest message that the list named, or with the last messages that are answered.
    fn place(&self) -> Place {
        if let Some(until) = &self.until {
            return Place { before: None, id: Some(until.clone()) };
        }
        let Some(last) = self.tail.len().checked_sub(self.keep + 1) else { return Place::default() };
        Place {
            before: last.checked_sub(1).and_then(|before| self.tail.get(before).cloned()),
            id: self.tail.get(last).cloned(),
        }
    }
}
