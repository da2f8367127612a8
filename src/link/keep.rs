//! What a link keeps over the life of the process: cursors, finished turns, posts that wait, own posts.

use super::channel::{Channel, Gate};
use super::{Link, Parked, in_channel};
use crate::budget;
use crate::gap::Gap;
use crate::journal::{Noted, Post, Record};
use crate::lane::Place;
use crate::outbox::{AskedBy, Item};
use crate::step::Step;

impl Link {
    /// Gives the link the places that the journal kept.
    pub fn remember(&mut self, channel: String, place: Place) {
        self.parked.insert(channel, Parked { place: Some(place), trusted: None });
    }

    /// A message whose turn ended in an earlier life.
    pub fn remember_done(&mut self, channel: &str, message: &str) {
        self.seen.insert(&in_channel(channel, message));
        self.done_before.entry(channel.to_owned()).or_default().push(message.to_owned());
    }

    pub(super) fn keep_cursor(&self, channel: &Channel, step: &mut Step<'_>) {
        let place = channel.lane.cursor();
        step.record(Record::Cursor {
            link: self.name(),
            channel: channel.id.to_string(),
            before: place.before.clone(),
            id: place.id.clone(),
            at_ms: 0,
        });
    }

    /// Gaps that were found and cursors that moved since they were last written, where nothing is to be looked at before.
    pub fn keep_moved_cursors(&mut self, step: &mut Step<'_>) {
        self.keep_gaps(step);
        for at in 0..self.channels.len() {
            let Some(channel) = self.channels.get_mut(at) else { return };
            if channel.lane.cursor_waits() {
                continue;
            }
            if channel.lane.take_moved() && !matches!(channel.gate, Gate::Seeking(_)) {
                if let Some(channel) = self.channels.get(at) {
                    self.keep_cursor(channel, step);
                }
            }
        }
    }

    /// The journal is written as far as this: channels whose first cursor is in it may be joined.
    pub fn stored(&mut self, upto: u64, step: &mut Step<'_>) {
        let now = step.now.at;
        // news of an earlier write may come late
        self.stored_upto = self.stored_upto.max(upto);
        for channel in &mut self.channels {
            if matches!(channel.gate, Gate::Storing(seq) if seq <= upto) {
                channel.gate = Gate::Open;
                channel.join_from(now);
            }
        }
        self.stir();
    }

    /// What the journal needs to begin anew: cursors, finished turns past them, posts that wait, letters, gaps, own
    /// posts. `removed_ms`: when its agent was removed, milliseconds since 1970; 0: it was not.
    pub fn records(&self, removed_ms: u64) -> Vec<Record> {
        let link = self.name();
        let mut records = Vec::new();
        for channel in &self.channels {
            if matches!(channel.gate, Gate::Seeking(_)) {
                continue;
            }
            records.push(cursor(&link, &channel.id, channel.lane.cursor().clone(), removed_ms));
            records.extend(channel.lane.done_ids().map(|id| turn(&link, &channel.id, id)));
        }
        for (channel, parked) in &self.parked {
            records.extend(parked.place.clone().map(|place| cursor(&link, channel, place, removed_ms)));
        }
        for (channel, done) in &self.done_before {
            records.extend(done.iter().map(|id| turn(&link, channel, id)));
        }
        // one that is not known as a post may be the one that is looked for after a restart
        for (id, _) in self.own_posts.iter().filter(|(_, known)| *known != Known::Not) {
            records.push(Record::Posted { link: link.clone(), key: String::new(), message: Some(id.clone()) });
        }
        for item in self.outbox.items() {
            let Item { key, channel, text, reply_to, message, .. } = item.clone();
            let post = Post { key, text, reply_to, message };
            records.push(Record::Post { link: link.clone(), channel, post });
        }
        let noted = self.gaps.iter();
        let gap = |(gap, noted): (Gap, &Noted)| {
            let (link, reason) = (link.clone(), gap.code().to_owned());
            Record::Gap { link, reason, noted: noted.clone(), done: Vec::new() }
        };
        records.extend(noted.map(gap));
        let letters = self.letters.iter().cloned();
        records.extend(letters.map(|letter| Record::Letter { link: link.clone(), letter }));
        records
    }

    /// Takes a post of an earlier life in: it may have been posted then. `kept_by`: the write of the journal that holds it.
    pub fn remember_post(&mut self, channel: String, post: Post, kept_by: u64) {
        self.outbox.push(Item::of(channel, post, AskedBy::Turn), kept_by, true);
    }

    /// One of the agent's own last posts, by its message id.
    pub fn remember_own(&mut self, id: String) {
        self.note_own(id, Known::Before);
    }

    /// The same; what is known of it now, if that is more.
    pub(super) fn note_own(&mut self, id: String, known: Known) {
        if let Some(own) = self.own_posts.iter_mut().find(|(own, _)| *own == id) {
            own.1 = own.1.max(known);
            return;
        }
        self.own_posts.push_back((id, known));
        let mut bytes: usize = self.own_posts.iter().map(|(id, _)| id.len()).sum();
        while self.own_posts.len() > budget::OWN_POSTS || bytes > budget::OWN_POST_BYTES {
            let Some((oldest, _)) = self.own_posts.pop_front() else { break };
            bytes -= oldest.len();
        }
    }
}

/// Whether it is known which post a message of the agent's own is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// Nobody knows.
    Not,
    /// An earlier life knew.
    Before,
    /// This one knows.
    Now,
}

pub(super) fn turn(link: &str, channel: &str, message: &str) -> Record {
    let (link, channel, message) = (link.to_owned(), channel.to_owned(), message.to_owned());
    Record::Turn { link, channel, message, posts: Vec::new() }
}

fn cursor(link: &str, channel: &str, place: Place, at_ms: u64) -> Record {
    let Place { before, id } = place;
    Record::Cursor { link: link.to_owned(), channel: channel.to_owned(), before, id, at_ms }
}
