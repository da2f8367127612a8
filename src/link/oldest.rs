//! A cut behind a channel's first cursor: nothing is known of what stands before it, so no page can begin with it. When
//! something follows it, the oldest message that history keeps tells whether the cursor's own is there still: if what
//! follows is the oldest, it is not. It tells, too, whether a guild that refuses a page refuses its place or the channel.

use super::Link;
use super::calls::Page;
use super::channel::{Channel, Gate};
use super::gaps::Missing;
use crate::call::Got;
use crate::dialect::Row;
use crate::gap::Gap;
use crate::text;

/// What is known of the oldest message that a channel's history keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Oldest {
    /// Nothing asks for it.
    #[default]
    Unasked,
    /// It is to be asked for.
    Wanted,
    /// Its id; none: there was none.
    Is(Option<String>),
}

/// The page that asks for the oldest message, where that is what comes next.
pub(super) fn page(channel: &Channel) -> Option<Page> {
    let (name, doubts) = (channel.id.clone(), channel.doubts);
    let page = || Page { channel: name, after: None, expect: None, limit: 1, seek: false, oldest: true, doubts };
    (channel.oldest == Oldest::Wanted).then(page)
}

/// Whether a page follows a place of which nobody knows what stood before it.
pub(super) fn is_blind(channel: &Channel, page: &Page) -> bool {
    let place = channel.lane.read();
    let first = !page.seek && page.expect.is_none() && place.before.is_none() && !channel.goes_on;
    first && page.after.is_some() && page.after == place.id && !matches!(channel.gate, Gate::Seeking(_))
}

impl Link {
    /// The oldest message came.
    pub(super) fn oldest_came(&mut self, at: usize, page: &Page, got: &Got<'_>) {
        let first = self.first_of(got);
        // one that was asked for before a doubt is asked for again
        if let Some(channel) = self.channels.get_mut(at).filter(|channel| channel.doubts == page.doubts) {
            channel.oldest = Oldest::Is(first);
        }
    }

    /// Whether history was cut before a page behind a blind place, which is counted. `None`: nobody knows yet; the oldest
    /// message is asked for, and then the page once more.
    pub(super) fn cut_blindly(&mut self, at: usize, page: &Page, got: &Got<'_>) -> Option<bool> {
        let Some(first) = self.first_of(got) else { return Some(false) };
        let channel = self.channels.get_mut(at)?;
        match std::mem::take(&mut channel.oldest) {
            Oldest::Unasked | Oldest::Wanted => {
                channel.oldest = Oldest::Wanted;
                None
            }
            Oldest::Is(oldest) if oldest.as_ref() == Some(&first) => {
                let lost = text::Clipped(page.after.as_deref().unwrap_or(""));
                let detail = format!(
                    "{}: history begins behind message {lost} now, with {}: what stood between may be gone",
                    channel.name(),
                    text::Clipped(&first)
                );
                let missing =
                    Missing { channel: Some(&page.channel), from: page.after.as_deref(), to: Some(first.as_str()) };
                self.gap(Gap::HistoryCut, 1, missing, &detail);
                Some(true)
            }
            Oldest::Is(_) => Some(false),
        }
    }

    /// Whether history could be read without a place since it was refused behind one: the place is what it does not know. Else
    /// the oldest message is asked for, and then the page once more.
    pub(super) fn is_readable(&mut self, at: usize) -> bool {
        let Some(channel) = self.channels.get_mut(at) else { return false };
        let was = std::mem::replace(&mut channel.oldest, Oldest::Wanted);
        let is_readable = matches!(was, Oldest::Is(_));
        if is_readable {
            channel.oldest = Oldest::Unasked;
        }
        is_readable
    }

    pub(super) fn first_of(&self, got: &Got<'_>) -> Option<String> {
        let mut first = None;
        let dialect = std::rc::Rc::clone(&self.dialect);
        dialect.history_rows(got.body, &mut |row| match row {
            Row::Message(message, _) => drop(first.get_or_insert_with(|| message.id.to_string())),
            Row::Unreadable(Some(id), _) => drop(first.get_or_insert(id)),
            Row::Unreadable(None, _) => {}
        });
        first.or_else(|| got.first_id.clone())
    }
}
