//! Replies that the guild refused for good, kept in their order until somebody sends them again or drops them. Bounded
//! in number and bytes: the oldest fall out, and whoever holds this counts them.

use crate::budget;
use crate::journal::{Letter, Post};
use std::collections::VecDeque;

/// The letters of one link.
pub struct Letters {
    kept: VecDeque<Letter>,
    bytes: usize,
    share: usize,
}

impl Default for Letters {
    fn default() -> Self {
        Self::of(budget::LETTER_BYTES)
    }
}

impl Letters {
    /// None, and at most so many bytes of them.
    #[must_use]
    pub fn of(share: usize) -> Self {
        Self { kept: VecDeque::new(), bytes: 0, share }
    }

    /// The share is another one from here on: the next letter minds it.
    pub fn set_share(&mut self, share: usize) {
        self.share = share;
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.kept.len()
    }

    /// Whether one was written under this key.
    #[must_use]
    pub fn holds(&self, key: &str) -> bool {
        self.kept.iter().any(|letter| letter.post.key == key)
    }

    /// The oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Letter> {
        self.kept.iter()
    }

    /// Takes one in; a key is there once. What has no place any more is handed back, the oldest first.
    #[must_use]
    pub fn push(&mut self, letter: Letter) -> Vec<Letter> {
        self.take(&letter.post.key);
        self.bytes += bytes(&letter);
        if self.kept.len() == self.kept.capacity() {
            // what would be twice as large is charged for nobody
            self.kept.reserve_exact(4);
        }
        self.kept.push_back(letter);
        let mut fallen = Vec::new();
        while self.kept.len() > budget::LETTERS || self.bytes > self.share {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(bytes(&oldest));
            fallen.push(oldest);
        }
        fallen
    }

    /// Takes one out.
    pub fn take(&mut self, key: &str) -> Option<Letter> {
        let at = self.kept.iter().position(|letter| letter.post.key == key)?;
        let letter = self.kept.remove(at)?;
        self.bytes = self.bytes.saturating_sub(bytes(&letter));
        Some(letter)
    }
}

/// What a letter is charged for: everything that it holds.
fn bytes(letter: &Letter) -> usize {
    let Letter { channel, post, detail, at_ms: _ } = letter;
    let Post { key, text, reply_to, message } = post;
    let ids = [reply_to, message].into_iter().flatten().map(String::len).sum::<usize>();
    size_of::<Letter>() + channel.len() + detail.len() + key.len() + text.len() + ids
}
