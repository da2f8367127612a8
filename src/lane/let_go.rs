//! A lane that lets go of what it holds: history brings it again.

use super::{Entry, Lane, What};

/// What a lane held when it let go: ids.
pub struct LetGo {
    /// Of messages that waited for a turn.
    pub waiting: Vec<String>,
    /// Of messages whose turn is open.
    pub open: Vec<String>,
    /// Of messages whose turn ended.
    pub done: Vec<String>,
}

impl Lane {
    /// Lets go of everything behind the cursor: history brings it again. What only the socket has brought so far, history
    /// has to list.
    pub fn let_go(&mut self) -> LetGo {
        let ids = |of: &mut dyn Iterator<Item = &str>| of.map(str::to_owned).collect();
        let gone = LetGo {
            waiting: ids(&mut self.waiting_ids()),
            open: ids(&mut self.open_ids()),
            done: ids(&mut self.done_ids()),
        };
        let heard = self.entries.iter().skip(self.settled).filter(|entry| matches!(entry.what, What::Waiting { .. }));
        let heard: Vec<&Entry> = heard.collect();
        let [first, last] = &mut self.owed;
        if let (Some(oldest), Some(newest)) = (heard.first(), heard.last()) {
            first.get_or_insert_with(|| oldest.id.clone());
            *last = Some(newest.id.clone());
        }
        let owed = std::mem::take(&mut self.owed);
        self.put_off_check();
        let (cursor_moved, pinned, trusted) = (self.cursor_moved, self.pinned, self.trusted.take());
        *self = Self { owed, cursor_moved, pinned, trusted, ..Self::at(self.cursor.clone()) };
        gone
    }
}
