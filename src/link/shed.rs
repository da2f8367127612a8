//! What a link lets go when the heap comes near its budget: messages that wait and that history has.

use super::channel::Gate;
use super::{Link, State, in_channel};
use crate::budget::ceiling::Pressure;
use crate::lane::LetGo;
use crate::message::Author;

impl Link {
    /// The heap stands so from here on; how many messages were let go for it. One that waits alone stays.
    pub fn pressed(&mut self, pressure: Pressure) -> usize {
        self.pressure = pressure;
        let mut let_go = 0;
        if pressure == Pressure::Shed && self.waiting() > 1 {
            for at in 0..self.channels.len() {
                let_go += self.let_go(at);
            }
        }
        self.stir();
        let_go
    }

    /// The channel begins again behind its cursor, as one that left the list and came back.
    fn let_go(&mut self, at: usize) -> usize {
        if !self.can_be_refilled(at) {
            return 0;
        }
        let Some(channel) = self.channels.get_mut(at) else { return 0 };
        let gone = channel.lane.let_go();
        channel.wanted = true;
        channel.goes_on = false;
        channel.from_start = false;
        channel.hint = None;
        let (id, waiting) = (channel.id.clone(), gone.waiting.len());
        self.gone(&id, gone);
        waiting
    }

    /// A channel's lane let go of these: what was not given yet is given when history brings it, and what was is not.
    pub(super) fn gone(&mut self, channel: &str, gone: LetGo) {
        for message in &gone.waiting {
            self.seen.remove(&in_channel(channel, message));
        }
        if !gone.done.is_empty() {
            self.done_before.entry(channel.to_owned()).or_default().extend(gone.done);
        }
        if !gone.open.is_empty() {
            self.open_before.entry(channel.to_owned()).or_default().extend(gone.open);
        }
    }

    /// Whether history was read on this connection, no page of it is under way, and nothing is counted twice that it brings again: bots'
    /// messages have a budget.
    fn can_be_refilled(&self, at: usize) -> bool {
        let Some(channel) = self.channels.get(at) else { return false };
        let is_bot = |author: &Author| author.bot || self.seat.colleagues.contains(&author.id);
        let readable = matches!(channel.gate, Gate::Open) && channel.baseline && channel.failing_since.is_none();
        matches!(self.state, State::Up(_))
            && readable
            && channel.lane.waiting() > 0
            && !self.history.busy
            && !channel.lane.waiting_authors().any(is_bot)
    }
}
