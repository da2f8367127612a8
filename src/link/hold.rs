//! A socket that brings more than turns take: it is read no further until there is room, and TCP has the guild wait. Only what
//! lasts is left to history, which has to be asked for: a ping waits behind what is not read.

use super::{Link, State};
use crate::budget;
use crate::budget::ceiling::Pressure;
use crate::moment::Moment;
use crate::port::Output;
use crate::step::Step;

/// Whether a connection's socket is read, and how long it was not.
#[derive(Default)]
pub struct Hold {
    /// Not read since then.
    since: Option<Moment>,
    /// When it is read again at the latest.
    until: Option<Moment>,
    /// So long in all since the window was at rest.
    spent_ms: u64,
    /// Since when the window has not been full; none while it is.
    calm: Option<Moment>,
}

impl Hold {
    /// The socket is not read now.
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// When it is read again whatever waits.
    pub fn deadline(&self) -> Option<Moment> {
        self.until
    }

    /// The window is full: whether reading stops for it.
    fn begin(&mut self, patience_ms: u64, now: Moment) -> bool {
        if self.calm.take().is_some_and(|since| now.since_ms(since) >= budget::HOLD_REST_MS) {
            self.spent_ms = 0;
        }
        let left = patience_ms.saturating_sub(self.spent_ms);
        if left == 0 {
            return false;
        }
        (self.since, self.until) = (Some(now), Some(now.after_ms(left.min(budget::HOLD_MS))));
        true
    }

    /// Reading goes on; for how long it did not. A window that is as full as before uses up all patience.
    fn end(&mut self, full: bool, now: Moment) -> u64 {
        let held_ms = self.since.take().map_or(0, |since| now.since_ms(since));
        self.until = None;
        self.spent_ms = if full { u64::MAX } else { self.spent_ms.saturating_add(held_ms) };
        held_ms.min(budget::HOLD_MS)
    }

    /// The window is not full, and the socket is read.
    fn rest(&mut self, now: Moment) {
        self.calm.get_or_insert(now);
    }
}

impl Link {
    /// Stops reading the socket, or goes on.
    pub(super) fn hold_on(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        if !matches!(self.state, State::Up(_)) {
            return;
        }
        let (messages, bytes) = self.followed();
        let share = self.seat.share.window_bytes;
        let full = self.pressure == Pressure::Easy && (messages >= budget::HOLD_MESSAGES || bytes >= share / 2);
        let low = messages <= budget::HOLD_MESSAGES / 2 && bytes <= share / 4;
        let line = self.line();
        let State::Up(live) = &mut self.state else { return };
        if live.hold.is_on() {
            let over = live.hold.deadline().is_some_and(|until| until <= now);
            if low || over || self.pressure == Pressure::Shed {
                let held_ms = live.hold.end(!low, now);
                self.excuse(held_ms);
                step.out.push_back(Output::Hold(line, false));
            }
        } else if full {
            let patience_ms = budget::HOLDS_MS.min(live.cable.session.ping_timeout_ms() / 2);
            if live.hold.begin(patience_ms, now) {
                step.out.push_back(Output::Hold(line, true));
            }
        } else {
            live.hold.rest(now);
        }
    }

    /// What waits of what the socket brought in channels that it is followed in: messages, and bytes of their texts.
    fn followed(&self) -> (usize, usize) {
        self.channels.iter().filter(|channel| channel.lane.following()).fold((0, 0), |(messages, bytes), channel| {
            (messages + channel.lane.waiting(), bytes + channel.lane.waiting_bytes())
        })
    }
}
