//! Room in a link's window: what may still wait in memory, and for whom it is kept free.

use super::Link;
use crate::budget;
use crate::budget::ceiling::Pressure;

impl Link {
    /// Room in the window for what history brings. What the socket brought there takes none of it, but for its bytes: else
    /// the one would shut out the other.
    pub(super) fn has_room(&self) -> bool {
        match self.pressure {
            Pressure::Easy => {
                self.replayed() < budget::WINDOW_MESSAGES && self.window().1 < self.seat.share.window_bytes
            }
            // one at a time: nothing stands still while the heap is near its budget
            Pressure::Shed => self.window().0 == 0,
        }
    }

    /// Room in the window for what a socket brings that is followed.
    pub(super) fn has_room_to_follow(&self) -> bool {
        match self.pressure {
            // a part of the bytes is history's
            Pressure::Easy => {
                let (messages, bytes) = self.window();
                messages < budget::FOLLOWED_MESSAGES && bytes < self.seat.share.window_bytes / 4 * 3
            }
            Pressure::Shed => self.has_room(),
        }
    }

    /// Room for what the next page brings. A walk to the place for each single message would be a long way.
    pub(super) fn has_room_to_read(&self) -> bool {
        self.has_room() && (self.dialect.timeline().is_none() || self.has_ample_room())
    }

    /// A third of the window is free. What is held takes half of it at most.
    pub(super) fn has_ample_room(&self) -> bool {
        self.replayed() * 3 < budget::WINDOW_MESSAGES * 2
    }

    /// Room for a message of so many bytes that cannot be given before history was read: half of the window stays free for
    /// that reading, however long the message.
    pub(super) fn has_room_to_hold(&self, bytes: usize) -> bool {
        let (messages, held) = self.window();
        match self.pressure {
            Pressure::Easy => messages < budget::WINDOW_MESSAGES / 2 && held + bytes < self.seat.share.window_bytes / 2,
            Pressure::Shed => messages == 0,
        }
    }

    /// Messages that wait and that history brought.
    fn replayed(&self) -> usize {
        self.channels.iter().map(|channel| channel.lane.replayed()).sum()
    }

    /// Messages that wait, and bytes of their texts.
    fn window(&self) -> (usize, usize) {
        self.channels.iter().fold((0, 0), |(messages, bytes), channel| {
            (messages + channel.lane.waiting(), bytes + channel.lane.waiting_bytes())
        })
    }

    /// Whether ids that wait for history or an open turn take as much as they may, over all channels.
    pub(super) fn crowded(&self) -> bool {
        self.entries_bytes() >= self.seat.share.window_bytes / 2
    }

    pub(super) fn entries_bytes(&self) -> usize {
        self.channels.iter().map(|channel| channel.lane.entries_bytes()).sum()
    }
}
