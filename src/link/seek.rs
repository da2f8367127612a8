//! The search for a channel's first cursor, where the list does not name its newest message.

use super::Link;
use super::calls::Page;
use super::channel::Gate;
use super::gaps::Missing;
use super::history::Brought;
use crate::budget;
use crate::call::Got;
use crate::dialect::Row;
use crate::gap::Gap;
use crate::lane::{Lane, Place};
use crate::moment;
use crate::step::Step;

impl Link {
    pub(super) fn seek_row(&mut self, at: usize, row: Row<'_>, brought: &mut Brought) {
        let Some(Gate::Seeking(seek)) = self.channels.get_mut(at).map(|channel| &mut channel.gate) else { return };
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
        seek.tail.push_back(id);
        if seek.tail.len() > seek.keep + 2 {
            seek.tail.pop_front();
        }
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
                Some(id) => seek.tail.push_back(id.clone()),
                None => seek.pages = budget::HISTORY_SEEK_PAGES,
            }
        }
        let ended = brought.full || (!got.cut && (brought.rows < page.limit || brought.passed == 0));
        let over = seek.pages >= budget::HISTORY_SEEK_PAGES;
        if !ended && !over {
            return;
        }
        let place = match seek.tail.len().checked_sub(seek.keep + 1) {
            Some(last) => Place {
                before: last.checked_sub(1).and_then(|before| seek.tail.get(before).cloned()),
                id: seek.tail.get(last).cloned(),
            },
            None => Place::default(),
        };
        channel.lane = Lane::at(place);
        channel.limit = budget::HISTORY_LIMIT;
        channel.wanted = true;
        if over && !ended {
            let name = channel.row.name.clone();
            let detail =
                format!("{name}: the end of its history was not found in {} pages", budget::HISTORY_SEEK_PAGES);
            self.gap(Gap::HistoryLong, 1, Missing::within(&page.channel), &detail);
        }
        self.keep_gaps(step);
        let Some(channel) = self.channels.get(at) else { return };
        self.keep_cursor(channel, step);
        if let Some(channel) = self.channels.get_mut(at) {
            channel.gate = Gate::Storing(step.awaited());
        }
    }
}
