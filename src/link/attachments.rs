//! Attachments: fetched before the turn, where the agent wants them.

use super::calls::Purpose;
use super::{Link, News};
use crate::budget;
use crate::call::Answer;
use crate::message::{Fetched, Message};
use crate::step::Step;
use crate::text;
use std::path::{Path, PathBuf};

impl Link {
    /// Fetches a message's attachments, where the agent wants them: one that hangs on it several times is fetched once.
    /// Returns how many are on their way.
    pub fn fetch(&mut self, turn: &str, message: &mut Message, into: &Path, step: &mut Step<'_>) -> usize {
        let Some(max_bytes) = self.seat.agent.attachment_bytes else { return 0 };
        let mut asked: Vec<String> = Vec::new();
        for file in &mut message.attachments {
            if asked.contains(&file.id) {
                continue;
            }
            if asked.len() >= budget::ATTACHMENTS {
                file.fetched =
                    Fetched::Not(format!("only {} attachments of a message are fetched", budget::ATTACHMENTS));
            } else if file.size > max_bytes {
                file.fetched = Fetched::Not(format!("{} bytes, the limit is {max_bytes}", file.size));
            } else {
                let path: PathBuf = into.join(turn).join(file_name(&file.id));
                let (turn, id) = (turn.to_owned(), file.id.clone());
                asked.push(id.clone());
                self.call(Purpose::Attachment { turn, id, path, max_bytes }, false, step);
            }
        }
        asked.len()
    }

    pub(super) fn attachment_answered(&mut self, turn: String, id: String, path: PathBuf, answer: Answer<'_>) {
        let fetched = match answer {
            Answer::Got(got) if (200..300).contains(&got.status) => Fetched::At(path),
            Answer::Got(got) => Fetched::Not(format!("the guild answered {}", got.status)),
            Answer::Failed { why, .. } => Fetched::Not(why.to_string()),
        };
        self.news.push(News::Fetched { turn, id, fetched });
    }
}

/// An attachment's id as a file name: itself where it is one, else a hash of it.
fn file_name(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.chars().all(plain) && !id.starts_with('.') { id.to_owned() } else { text::hash_id("a_", &[id]) }
}
