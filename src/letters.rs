//! Replies that the guild refused for good, kept in their order until somebody sends them again or drops them. Bounded
//! in number and bytes: the oldest fall out, and whoever holds this counts them.

use crate::budget;
use crate::journal::Letter;
use std::collections::VecDeque;

/// The letters of one link.
#[derive(Default)]
pub struct Letters {
    kept: VecDeque<Letter>,
    bytes: usize,
}

impl Letters {
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
        self.kept.push_back(letter);
        let mut fallen = Vec::new();
        while self.kept.len() > budget::LETTERS || self.bytes > budget::LETTER_BYTES {
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

/// What a letter is charged for.
fn bytes(letter: &Letter) -> usize {
    letter.post.text.len() + letter.detail.len()
}
