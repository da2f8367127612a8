//! What a link says of itself: counters and status.

use super::{Link, State};
use crate::day::{Day, DayOf, Fare};
use crate::moment::{Moment, Now, rfc3339};
use crate::status::LinkStatus;
use std::collections::BTreeMap;

/// Counters since the start.
#[derive(Default)]
pub struct Tally {
    /// Handshake attempts.
    pub attempts: u64,
    /// Tokens minted.
    pub tokens_minted: u64,
    /// Turns ended.
    pub delivered: u64,
    /// Messages that history brought.
    pub replayed: u64,
    /// Messages that came twice.
    pub duplicates: u64,
    /// Posts that the guild stored.
    pub posted: u64,
    /// Packets and messages that could not be read.
    pub malformed: u64,
    /// Connections found deaf.
    pub deaf: u64,
    /// When the socket last brought a message, wall clock.
    pub last_event: Option<u64>,
    /// When a channel was last proven, wall clock.
    pub last_proof: Option<u64>,
}

impl Link {
    /// Its state in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match &self.state {
            State::Unbound => "unbound",
            State::Resting { word, .. } => word,
            State::Minting { .. } => "minting",
            State::Dialling { .. } | State::Reminting { .. } | State::Greeting { .. } => "connecting",
            State::Up(_) if self.is_deaf() => "deaf",
            State::Up(_) if self.is_live() => "live",
            State::Up(_) if self.joining() => "joining",
            State::Up(_) => "unproven",
            State::Closed => "backoff",
        }
    }

    /// How it fares now.
    fn fare(&self) -> Fare {
        match &self.state {
            State::Up(_) if self.is_deaf() => Fare::Deaf,
            State::Up(_) if self.is_live() => Fare::Live,
            State::Up(_) => Fare::Unproven,
            State::Unbound
            | State::Resting { .. }
            | State::Minting { .. }
            | State::Dialling { .. }
            | State::Reminting { .. }
            | State::Greeting { .. }
            | State::Closed => Fare::Away,
        }
    }

    /// Its day goes on, where one is kept.
    pub(super) fn note_day(&mut self, now: Moment) {
        let noted = self.seat.watched.then(|| (self.fare(), [self.tally.delivered, self.tally.posted]));
        Day::keep(&mut self.day, noted, now);
    }

    /// Its day until now, where one is kept.
    #[must_use]
    pub fn day(&self, now: Moment) -> Option<DayOf> {
        let steps = self.day.as_ref()?.steps(now);
        Some(DayOf { agent: self.seat.agent.name.clone(), guild: Some(self.seat.guild.name.clone()), steps })
    }

    fn joining(&self) -> bool {
        !self.listed_once || self.channels.iter().any(|channel| !channel.joined())
    }

    /// Its row of the status.
    #[must_use]
    pub fn status(&self, now: Now) -> LinkStatus {
        let next_try = match &self.state {
            State::Resting { until, .. } => Some(until.since_ms(now.at).div_ceil(1000)),
            State::Up(live) => live.retry_at.map(|until| until.since_ms(now.at).div_ceil(1000)),
            _ => None,
        };
        let (reason, mut detail) = match self.why.clone().or_else(|| self.doubt_in_words()) {
            Some(why) => (Some(why.reason.code()), why.detail),
            None => (None, String::new()),
        };
        if detail.is_empty() {
            self.in_words(&mut detail);
        }
        LinkStatus {
            agent: self.seat.agent.name.clone(),
            guild: self.seat.guild.name.clone(),
            state: self.word(),
            since: rfc3339(now.wall_of(self.since)),
            reason,
            detail,
            next_try_s: next_try,
            channels_total: self.listed,
            channels_joined: self.channels.iter().filter(|channel| channel.joined() && !channel.denied()).count(),
            channels_proven: self.channels.iter().filter(|channel| channel.proven.is_some()).count(),
            last_event_at: self.tally.last_event.map(rfc3339),
            last_proof_at: self.tally.last_proof.map(rfc3339),
            attempts: self.tally.attempts,
            tokens_minted: self.tally.tokens_minted,
            delivered: self.tally.delivered,
            replayed: self.tally.replayed,
            duplicates_dropped: self.tally.duplicates,
            replies_posted: self.tally.posted,
            outbox_depth: self.outbox.depth(),
            letters: self.letters.count(),
            gaps: self.gaps.by_reason().values().sum(),
            gaps_by_reason: self.gaps.by_reason(),
            last_gap: self.gaps.last(),
            timers: self.timers_in_words(now),
        }
    }

    /// What is waited for, where nothing went wrong.
    fn in_words(&self, detail: &mut String) {
        let words = match &self.state {
            State::Minting { .. } => "waiting for a fresh token",
            State::Dialling { wire, .. } | State::Reminting { wire, .. } | State::Greeting { wire, .. } => {
                detail.push_str("waiting for ");
                wire.session.waits_for()
            }
            State::Up(_) if self.is_live() => "",
            State::Up(_) if !self.listed_once => "waiting for the channel list",
            State::Up(_) if self.channels.is_empty() => "the guild lists no channel for this agent",
            State::Up(_) if self.joining() => "joining",
            State::Up(_) => "connected and joined; nothing was said yet that could prove that the guild hears us",
            State::Resting { .. } => "about to connect",
            State::Unbound | State::Closed => "",
        };
        detail.push_str(words);
    }

    fn timers_in_words(&self, now: Now) -> BTreeMap<&'static str, u64> {
        let mut timers = BTreeMap::new();
        if let State::Up(live) = &self.state {
            timers.insert("reconcile", live.list_at.since_ms(now.at).div_ceil(1000));
            if let Some(at) = live.cable.session.deadline() {
                timers.insert("ping_silence", at.since_ms(now.at).div_ceil(1000));
            }
        }
        timers
    }
}
