//! A guild that takes one join for all channels. Its ack says who we are and proves no channel: each is proven by a probe,
//! an event that comes back if and only if we are in the channel's room.

use super::channel::{Channel, Gate};
use super::live::Live;
use super::{Link, State};
use crate::backoff::{Class, Outcome};
use crate::dialect::JoinAnswer;
use crate::reason::{Reason, Why};
use crate::step::Step;

impl Link {
    /// The event that joins all channels, where the guild has one.
    pub(super) fn kept_join(&self) -> Option<String> {
        let kept = self.sign_in.as_ref()?;
        self.dialect.join_all(&kept.fresh().offer().0.into_text())
    }

    /// Whether the first join waits for a channel whose place is not known, or not written, yet.
    pub(super) fn join_waits(&self, live: &Live) -> bool {
        let placeless = |channel: &Channel| !matches!(channel.gate, Gate::Open);
        !live.joined_all && self.sign_in.is_some() && self.channels.iter().any(placeless)
    }

    /// Joins all channels where one of them is due, and then sends the probes that are, while the wire is idle.
    pub(super) fn join_all(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        let Some(event) = self.kept_join() else { return };
        let due = self.channels.iter().any(|channel| channel.join_due(now));
        let waits = if let State::Up(live) = &self.state { self.join_waits(live) } else { true };
        let State::Up(live) = &mut self.state else { return };
        if due && !waits && live.cable.frames.is_empty() {
            let mut frames = Vec::new();
            let ack = live.cable.session.emit(&event, &mut frames);
            live.cable.frames.extend(frames);
            live.joined_all = true;
            for channel in self.channels.iter_mut().filter(|channel| channel.join_due(now)) {
                channel.join_sent(ack, now);
            }
        }
        while live.cable.frames.is_empty() {
            let Some(channel) = self.channels.iter_mut().find(|channel| channel.probe_due) else { return };
            channel.probe_due = false;
            let mut frames = Vec::new();
            if let Some(probe) = self.dialect.probe(&channel.id) {
                live.cable.session.tell(&probe, &mut frames);
            }
            live.cable.frames.extend(frames);
        }
    }

    /// The join was answered.
    pub(super) fn all_joined(&mut self, ack: u32, args: &str, step: &mut Step<'_>) {
        if !self.channels.iter().any(|channel| channel.asked_under(ack)) {
            return;
        }
        match self.dialect.joined_as(args, &self.seat.agent.id) {
            JoinAnswer::Joined | JoinAnswer::Unclear => {
                for channel in self.channels.iter_mut().filter(|channel| channel.asked_under(ack)) {
                    channel.join_answered();
                    channel.probe_due = channel.proven.is_none();
                }
                self.history.join_answered();
                self.list_when_joins_settle(step.now.at);
            }
            JoinAnswer::Denied(why) => {
                self.doubt_token(step);
                let why = Why::new(Reason::AuthConnectError, format!("the guild answered the join: {why}"));
                self.end_attempt(why, Outcome::Failed(Class::Network), step);
            }
        }
    }
}
