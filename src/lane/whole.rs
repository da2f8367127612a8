//! How far all was given, replies in threads too, where history is listed newest first: there the place of the last message
//! does not tell it. The cursor says it in its `before`, and so the journal does.

use super::Lane;

impl Lane {
    /// From now on the cursor's `before` tells how far all was given: what was left out by a reading that did not come to its
    /// end may stand behind that, however far. `beginning`: before every message.
    pub fn pin(&mut self, beginning: &str) {
        self.pinned = true;
        if self.cursor.before.is_none() {
            self.cursor.before = self.cursor.id.clone().or_else(|| Some(beginning.to_owned()));
        }
    }

    /// All that is read is whole: nothing before it was left out.
    pub fn read_whole(&mut self) {
        if !self.pinned || !self.following || self.read.id.is_none() {
            return;
        }
        if self.read.id == self.cursor.id {
            self.cursor_moved |= self.cursor.before != self.cursor.id;
            self.cursor.before.clone_from(&self.cursor.id);
            self.whole = None;
        } else if self.whole.is_none() {
            self.whole = self.read.id.as_deref().map(Box::from);
        }
    }

    /// The cursor moves past a message.
    pub(super) fn pass(&mut self, id: String) {
        self.cursor_moved = true;
        self.passed_one();
        if !self.pinned {
            return self.cursor.step(&id);
        }
        if self.whole.as_deref() == Some(id.as_str()) {
            self.cursor.before = self.whole.take().map(String::from);
        }
        self.cursor.id = Some(id);
    }
}
