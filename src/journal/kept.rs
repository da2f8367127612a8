//! What a journal says in the end, and the shortest journal that says the same.

use super::{Cursor, Letter, Noted, Post, Record};
use crate::budget;
use crate::gap::Gap;
use std::collections::BTreeMap;

/// What a journal says in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// By link (`agent@guild`) and channel.
    pub cursors: BTreeMap<(String, String), Cursor>,
    /// By link and channel: messages whose turn is finished and that may lie past the cursor, which is none of them, as they
    /// finished; the last `budget::DEDUPE_IDS`.
    pub done: BTreeMap<(String, String), Vec<String>>,
    /// By link: channel and post, in order, of what is neither stored nor given up.
    pub posts: BTreeMap<String, Vec<(String, Post)>>,
    /// By link: what the guild refused for good, in order.
    pub letters: BTreeMap<String, Vec<Letter>>,
    /// By link and reason: what could not be kept; of no link: what is lost of the journal itself.
    pub gaps: BTreeMap<(String, String), Noted>,
    /// By link: the guild's ids of the last `budget::OWN_POSTS` posts, as they were stored.
    pub own: BTreeMap<String, Vec<String>>,
}

impl Kept {
    /// Takes one record in.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Cursor { link, channel, before, id, at_ms } => {
                let place = (link, channel);
                if let Some(done) = self.done.get_mut(&place) {
                    done.retain(|done| id.as_ref() != Some(done) && before.as_ref() != Some(done));
                    if done.is_empty() {
                        self.done.remove(&place);
                    }
                }
                self.cursors.insert(place, Cursor { before, id, at_ms });
            }
            Record::Turn { link, channel, message, posts } => {
                for post in posts {
                    self.post(&link, &channel, post);
                }
                self.done(link, channel, message);
            }
            Record::Post { link, channel, post } => self.post(&link, &channel, post),
            Record::Posted { link, key, message } => {
                self.waits_no_more(&link, &key);
                self.no_letter(&link, &key);
                if let Some(message) = message {
                    remember(self.own.entry(link).or_default(), message, budget::OWN_POSTS);
                }
            }
            Record::Letter { link, letter } => {
                self.waits_no_more(&link, &letter.post.key);
                self.no_letter(&link, &letter.post.key);
                self.letters.entry(link).or_default().push(letter);
            }
            Record::Gap { link, reason, noted, .. } if link.is_empty() && noted.count == 0 => {
                self.gaps.remove(&(link, reason));
            }
            Record::Gap { link, reason, noted, done } => {
                for (channel, message) in done {
                    self.done(link.clone(), channel, message);
                }
                self.gaps.insert((link, reason), noted);
            }
            Record::Forget { link, channel } => {
                let place = (link, channel);
                self.cursors.remove(&place);
                self.done.remove(&place);
            }
        }
    }

    /// As `apply`, where records before this one are missing. Each says something that is true by itself, but for a cursor:
    /// it says that all before it is settled, and the reply of a turn before it may be what is missing. So a cursor that is
    /// known stays where it was and history shows what followed; one that is not known is taken, since a channel without a
    /// cursor begins at its end.
    pub fn apply_behind_a_hole(&mut self, record: Record) {
        let known = match &record {
            Record::Cursor { link, channel, .. } => self.cursors.contains_key(&(link.clone(), channel.clone())),
            Record::Turn { .. }
            | Record::Post { .. }
            | Record::Posted { .. }
            | Record::Letter { .. }
            | Record::Gap { .. }
            | Record::Forget { .. } => false,
        };
        if !known {
            self.apply(record);
        }
    }

    /// Something of the journal could not be read: nobody knows whose it was.
    pub fn note_loss(&mut self, detail: String, at_ms: u64) {
        let noted = Noted { count: 1, at_ms, detail, ..Noted::default() };
        self.gaps.insert(Self::loss_key(), noted);
    }

    /// What could not be read of the journal, for each link to count.
    pub fn loss(&self) -> Option<&Noted> {
        self.gaps.get(&Self::loss_key())
    }

    /// Every link has counted what could not be read, and found its places again. The record that says so, where it was
    /// not said.
    pub fn loss_is_over(&mut self) -> Option<Record> {
        let ((link, reason), _) = self.gaps.remove_entry(&Self::loss_key())?;
        Some(Record::Gap { link, reason, noted: Noted::default(), done: Vec::new() })
    }

    fn loss_key() -> (String, String) {
        (String::new(), Gap::JournalLost.code().to_owned())
    }

    /// Records that say the same as all that was replayed: a journal of them replays to an equal `Kept`.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let cursors = self.cursors.iter().map(|((link, channel), cursor)| {
            let Cursor { before, id, at_ms } = cursor.clone();
            Record::Cursor { link: link.clone(), channel: channel.clone(), before, id, at_ms }
        });
        let done = self.done.iter().flat_map(|((link, channel), messages)| {
            messages.iter().map(|message| Record::Turn {
                link: link.clone(),
                channel: channel.clone(),
                message: message.clone(),
                posts: Vec::new(),
            })
        });
        let own = self.own.iter().flat_map(|(link, messages)| {
            let posted = |message: &String| Record::Posted {
                link: link.clone(),
                key: String::new(),
                message: Some(message.clone()),
            };
            messages.iter().map(posted)
        });
        let posts = self.posts.iter().flat_map(|(link, posts)| {
            posts.iter().map(|(channel, post)| Record::Post {
                link: link.clone(),
                channel: channel.clone(),
                post: post.clone(),
            })
        });
        let letters = self.letters.iter().flat_map(|(link, letters)| {
            letters.iter().map(|letter| Record::Letter { link: link.clone(), letter: letter.clone() })
        });
        let gaps = self.gaps.iter().map(|((link, reason), noted)| Record::Gap {
            link: link.clone(),
            reason: reason.clone(),
            noted: noted.clone(),
            done: Vec::new(),
        });
        gaps.chain(cursors).chain(done).chain(own).chain(posts).chain(letters).collect()
    }

    /// A turn is finished. What the cursor names is settled with it, so a journal said twice says the same.
    fn done(&mut self, link: String, channel: String, message: String) {
        let place = (link, channel);
        let named = |cursor: &Cursor| cursor.id.as_ref() == Some(&message) || cursor.before.as_ref() == Some(&message);
        if !self.cursors.get(&place).is_some_and(named) {
            remember(self.done.entry(place).or_default(), message, budget::DEDUPE_IDS);
        }
    }

    fn waits_no_more(&mut self, link: &str, key: &str) {
        if let Some(posts) = self.posts.get_mut(link) {
            posts.retain(|(_, post)| post.key != *key);
            if posts.is_empty() {
                self.posts.remove(link);
            }
        }
    }

    fn no_letter(&mut self, link: &str, key: &str) {
        if let Some(letters) = self.letters.get_mut(link) {
            letters.retain(|letter| letter.post.key != *key);
            if letters.is_empty() {
                self.letters.remove(link);
            }
        }
    }

    /// A post with a key that waits already is that post.
    fn post(&mut self, link: &str, channel: &str, post: Post) {
        self.no_letter(link, &post.key);
        let posts = self.posts.entry(link.to_owned()).or_default();
        match posts.iter_mut().find(|(_, waiting)| waiting.key == post.key) {
            Some((_, waiting)) => *waiting = post,
            None => posts.push((channel.to_owned(), post)),
        }
    }
}

/// Appends an id that is not there yet; the oldest goes where there are too many.
fn remember(ids: &mut Vec<String>, id: String, max: usize) {
    if ids.contains(&id) {
        return;
    }
    if ids.len() >= max {
        ids.remove(0);
    }
    ids.push(id);
}
