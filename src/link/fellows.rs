//! Agents of this daemon whom the guild has not named yet. What they wrote in an earlier life could not be told from a
//! person's, so the first reading of history waits for them a while.

use super::{Link, State};
use crate::moment::Moment;

/// So long from the first connection: a sign-in takes seconds, and one that does not come holds up nobody for ever.
const NAMED_MS: u64 = 30_000;

/// Whether there are such, and how long they are waited for.
#[derive(Default)]
pub struct Strangers {
    some: bool,
    /// Set once, by the first connection.
    until: Option<Moment>,
}

impl Link {
    /// Whether the guild has yet to say who this agent is there.
    #[must_use]
    pub fn is_stranger(&self) -> bool {
        let tries = !matches!(self.state, State::Unbound | State::Closed);
        self.seat.guild.dialect.names_agents() && tries && self.me.is_none()
    }

    /// Whether some of its fellows there are strangers still.
    pub fn beside_strangers(&mut self, some: bool) {
        self.strangers.some = some;
        if !some {
            self.history.waits_no_more(self.strangers.until);
            self.stir();
        }
    }

    /// CONNECT was answered: from the first time on they are waited for.
    pub(super) fn count_strangers(&mut self, now: Moment) {
        self.strangers.until.get_or_insert(now.after_ms(NAMED_MS));
    }

    /// Until when no history is read.
    pub(super) fn waits_for_strangers(&self, now: Moment) -> Option<Moment> {
        self.strangers.until.filter(|until| self.strangers.some && *until > now)
    }
}
