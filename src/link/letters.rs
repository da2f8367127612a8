//! What the guild refused for good: kept as letters, sent again or dropped when somebody says so.

use super::Link;
use super::gaps::Missing;
use crate::gap::Gap;
use crate::journal::{Letter, Post, Record};
use crate::moment::rfc3339;
use crate::outbox::{AskedBy, Item};
use crate::reason::{Reason, Why};
use crate::status::LetterStatus;
use crate::step::Step;
use crate::text::Clipped;

/// A letter's text as it is listed.
const LISTED_BYTES: usize = 400;

impl Link {
    /// The guild refused a post for good: it waits no more, and is kept. `detail`: what the guild said.
    pub(super) fn refused(&mut self, key: &str, detail: &str, step: &mut Step<'_>) {
        let Some(item) = self.outbox.over(key) else { return };
        let (agent, guild) = (&self.seat.agent.name, &self.seat.guild.name);
        let code = Reason::GuildRefusedPost;
        log::warn!("{agent}: {code}: {guild} refused a post for good: {detail}; it is kept as letter {key}");
        let Item { key, channel, text, reply_to, message, asked_by, .. } = item;
        let said = format!("{detail}; it is kept as letter {key}");
        let post = Post { key, text, reply_to, message };
        let letter = Letter { channel, post, detail: detail.to_owned(), at_ms: step.now.wall_ms };
        let fallen = self.letters.push(letter.clone());
        self.fell_out(&fallen);
        self.keep_gaps(step);
        for old in fallen {
            step.record(Record::Posted { link: self.name(), key: old.post.key, message: None });
        }
        if self.letters.holds(&letter.post.key) {
            step.record(Record::Letter { link: self.name(), letter });
        }
        self.tell_asker(asked_by, Err(Why::new(Reason::GuildRefusedPost, said)));
    }

    fn fell_out(&mut self, fallen: &[Letter]) {
        for old in fallen {
            let (key, channel) = (&old.post.key, Clipped(&old.channel));
            let detail = format!("letter {key} of {} bytes in {channel} has no place any more", old.post.text.len());
            self.gap(Gap::LettersFull, 1, Missing::within(&old.channel), &detail);
        }
    }

    /// Takes a letter of an earlier life in.
    pub fn remember_letter(&mut self, letter: Letter) {
        let fallen = self.letters.push(letter);
        self.fell_out(&fallen);
    }

    /// How many letters it has.
    #[must_use]
    pub fn letters(&self) -> usize {
        self.letters.count()
    }

    /// Whether one of its letters was written under this key.
    #[must_use]
    pub fn holds_letter(&self, key: &str) -> bool {
        self.letters.holds(key)
    }

    /// Its letters as they are listed, the oldest first.
    pub fn letters_listed(&self) -> impl Iterator<Item = LetterStatus> {
        self.letters.iter().map(|letter| {
            let text = Clipped::to(&letter.post.text, LISTED_BYTES).to_string();
            self.letter_status(letter, text)
        })
    }

    /// The letter of this key, with its whole text.
    #[must_use]
    pub fn letter_whole(&self, key: &str) -> Option<LetterStatus> {
        let letter = self.letters.iter().find(|letter| letter.post.key == key)?;
        Some(self.letter_status(letter, letter.post.text.clone()))
    }

    fn letter_status(&self, letter: &Letter, text: String) -> LetterStatus {
        LetterStatus {
            agent: self.seat.agent.name.clone(),
            guild: self.seat.guild.name.clone(),
            key: letter.post.key.clone(),
            channel: Clipped(&letter.channel).to_string(),
            text,
            bytes: letter.post.text.len(),
            reply_to: letter.post.reply_to.as_deref().map(|id| Clipped(id).to_string()),
            reason: Reason::GuildRefusedPost.code(),
            detail: letter.detail.clone(),
            at: rfc3339(letter.at_ms),
        }
    }

    /// Puts letters (all, or the one of this key) back into the outbox under their keys, as long as there is room.
    /// Returns how many went, and how many stay.
    pub fn letters_again(&mut self, key: Option<&str>, step: &mut Step<'_>) -> (usize, usize) {
        let (mut went, mut stay) = (0, 0);
        for key in self.letter_keys(key) {
            if !self.outbox.has_room() {
                stay += 1;
                continue;
            }
            let Some(Letter { channel, post, .. }) = self.letters.take(&key) else { continue };
            let (link, post_channel) = (self.name(), channel.clone());
            step.record(Record::Post { link, channel: post_channel, post: post.clone() });
            let item = Item::of(channel, post, AskedBy::Turn);
            // it may be long ago: the guild may have stored it since under a key that it has forgotten
            self.outbox.push(item, step.awaited(), true);
            went += 1;
        }
        self.stir();
        (went, stay)
    }

    /// Forgets letters: all, or the one of this key. Returns how many.
    pub fn drop_letters(&mut self, key: Option<&str>, step: &mut Step<'_>) -> usize {
        let mut dropped = 0;
        for key in self.letter_keys(key) {
            if self.letters.take(&key).is_some() {
                step.record(Record::Posted { link: self.name(), key, message: None });
                dropped += 1;
            }
        }
        dropped
    }

    fn letter_keys(&self, key: Option<&str>) -> Vec<String> {
        let keys = self.letters.iter().map(|letter| &letter.post.key);
        keys.filter(|other| key.is_none_or(|key| key == **other)).cloned().collect()
    }
}
