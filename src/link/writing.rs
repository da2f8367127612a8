//! That the agent writes: shown in the channel while a turn is open, renewed, and taken back with the turn's end or the
//! connection's, where the dialect has it. And that a channel was read.

use super::{Link, State};
use crate::inbox::About;
use crate::moment::{Moment, sooner};
use crate::step::Step;
use std::collections::VecDeque;

/// What is shown is forgotten after a few seconds: it is renewed before.
const RENEW_MS: u64 = 3_000;

/// Nothing is to be shown.
const NEVER: Moment = Moment(u64::MAX);

/// What is shown.
#[derive(Default)]
pub struct Writing {
    open: Vec<Open>,
    /// Events that are still to be said.
    due: VecDeque<String>,
}

struct Open {
    channel: String,
    thread: Option<String>,
    message: String,
    next: Moment,
    /// Not shown for longer than a turn may take: it may wait for an agent that is not there.
    until: Option<Moment>,
}

impl Writing {
    /// A turn is open.
    pub fn begin(&mut self, channel: &str, thread: Option<&str>, message: &str) {
        let (channel, thread, message) = (channel.to_owned(), thread.map(str::to_owned), message.to_owned());
        self.open.push(Open { channel, thread, message, next: Moment(0), until: None });
    }

    /// It has its turn on the wire.
    fn say(&mut self, event: Option<String>) {
        self.due.extend(event.filter(|event| !self.due.contains(event)));
    }

    /// The connection is over, and what was shown on it.
    pub fn session_over(&mut self) {
        self.due.clear();
        for open in self.open.iter_mut().filter(|open| open.next != NEVER) {
            open.next = Moment(0);
        }
    }
}

impl Link {
    /// A turn ended: it is not written any more, and the channel was read.
    pub(super) fn written(&mut self, channel: &str, message: &str) {
        let Some(at) = self.writing.open.iter().position(|open| open.channel == channel && open.message == message)
        else {
            return;
        };
        let open = self.writing.open.swap_remove(at);
        if open.until.is_some() {
            self.writing.say(self.dialect.typing(channel, open.thread.as_deref(), false));
        }
        self.writing.say(self.dialect.read_mark(channel));
    }

    /// An agent says that it writes at a turn, or does so no more.
    pub fn writes(&mut self, about: &About, on: bool, step: &mut Step<'_>) {
        let is = |open: &&mut Open| *open.channel == *about.channel && open.message == about.message;
        let Some(open) = self.writing.open.iter_mut().find(is).filter(|open| on == (open.next == NEVER)) else {
            return;
        };
        open.next = if on { step.now.at } else { NEVER };
        if !on && open.until.is_some() {
            let off = self.dialect.typing(&open.channel, open.thread.as_deref(), false);
            self.writing.say(off);
        }
        self.stir();
    }

    /// Whether an event to a channel's room would be heard.
    fn is_heard_in(&self, channel: &str) -> bool {
        self.channels.iter().any(|other| other.is(channel) && other.proven.is_some())
    }

    /// Says what is due, while the wire is idle.
    pub(super) fn write_on(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        let most_ms = self.seat.agent.deadline_s.saturating_mul(1000);
        loop {
            if !matches!(&self.state, State::Up(live) if live.cable.is_idle()) {
                return;
            }
            let event = match self.writing.due.pop_front() {
                Some(event) => event,
                None => {
                    let due = |open: &Open| open.next <= now && self.is_heard_in(&open.channel);
                    let Some(at) = self.writing.open.iter().position(due) else { return };
                    let Some(open) = self.writing.open.get_mut(at) else { return };
                    let until = *open.until.get_or_insert(now.after_ms(most_ms));
                    let on = now < until;
                    open.next = if on { now.after_ms(RENEW_MS) } else { NEVER };
                    match self.dialect.typing(&open.channel, open.thread.as_deref(), on) {
                        Some(event) => event,
                        None => continue,
                    }
                }
            };
            let State::Up(live) = &mut self.state else { return };
            let mut frames = Vec::new();
            live.cable.session.tell(&event, &mut frames);
            live.cable.frames.extend(frames);
        }
    }

    /// What is still to be said on a connection that is left: nobody is shown to write on it any more.
    pub(super) fn last_words(&self) -> Vec<Box<str>> {
        let mut frames = Vec::new();
        let State::Up(live) = &self.state else { return frames };
        let shown = self.writing.open.iter().filter(|open| open.until.is_some() && open.next != NEVER);
        let heard = shown.filter(|open| self.is_heard_in(&open.channel));
        let off = heard.filter_map(|open| self.dialect.typing(&open.channel, open.thread.as_deref(), false));
        for event in self.writing.due.iter().cloned().chain(off) {
            live.cable.session.tell(&event, &mut frames);
        }
        frames
    }

    /// When something has to be said.
    pub(super) fn write_deadline(&self) -> Option<Moment> {
        let shown = self.writing.open.iter().filter(|open| open.next != NEVER);
        let heard = shown.filter(|open| self.is_heard_in(&open.channel));
        heard.fold(None, |soonest, open| sooner(soonest, Some(open.next)))
    }
}
