//! The last day in steps of ten minutes: how a link fared in each, and what passed. It begins with the daemon, is kept in
//! memory alone, and only where somebody may look at it (`page`).

use crate::budget::{DAY_STEP_MS, DAY_STEPS};
use crate::moment::Moment;
use serde::Serialize;
use std::collections::VecDeque;

/// How a link fares, in the four words of a timeline and in the order in which a step tells their shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fare {
    /// Heard: at least one channel is proven.
    Live,
    /// Connected, and nothing was said yet that could prove that it is heard.
    Unproven,
    /// Not connected: resting, on its way, waiting for the clock, refused, without a key.
    Away,
    /// Connected, and history shows that it is not heard.
    Deaf,
}

/// One step, over: the share of each fare in 255ths, and what passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// live, unproven, away, deaf: 255 and a few less in all, where the daemon ran all the time.
    pub shares: [u8; 4],
    /// Two counts: a link's messages and replies, an agent's turns and failed attempts.
    pub counts: [u16; 2],
}

impl Serialize for Step {
    /// Six numbers: the shares, then the counts.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [live, unproven, away, deaf] = self.shares.map(u16::from);
        let [one, other] = self.counts;
        [live, unproven, away, deaf, one, other].serialize(serializer)
    }
}

/// The days of everything that has one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Days {
    /// How long a step is.
    pub step_ms: u64,
    /// When the last step of each began, milliseconds since 1970.
    pub step_began_ms: u64,
    /// One for each link.
    pub links: Vec<DayOf>,
    /// One for each agent.
    pub agents: Vec<DayOf>,
}

/// A day and whose it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DayOf {
    /// The agent's name.
    pub agent: String,
    /// The guild's name, for a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guild: Option<String>,
    /// The oldest first.
    pub steps: Vec<Step>,
}

/// A day, the last step still growing.
#[derive(Debug)]
pub struct Day {
    /// Steps that are over, the oldest first.
    over: VecDeque<Step>,
    /// How long each fare took in the growing step.
    took_ms: [u64; 4],
    counts: [u16; 2],
    /// What is the case since when.
    fare: Fare,
    noted: Moment,
    /// The totals that were noted last.
    totals: [u64; 2],
}

impl Day {
    /// Begins now; these totals count as passed before.
    #[must_use]
    pub fn new(fare: Fare, totals: [u64; 2], now: Moment) -> Self {
        Self { over: VecDeque::new(), took_ms: [0; 4], counts: [0; 2], fare, noted: now, totals }
    }

    /// A day that is kept only while somebody may look at it: what there is to note now, or none, which ends it.
    pub fn keep(day: &mut Option<Box<Self>>, noted: Option<(Fare, [u64; 2])>, now: Moment) {
        match noted {
            Some((fare, totals)) => {
                day.get_or_insert_with(|| Box::new(Self::new(fare, totals, now))).note(fare, totals, now);
            }
            None => *day = None,
        }
    }

    /// What is the case from now on, and how much has passed in all.
    pub fn note(&mut self, fare: Fare, totals: [u64; 2], now: Moment) {
        self.pass(now);
        self.fare = fare;
        for ((count, total), last) in self.counts.iter_mut().zip(totals).zip(self.totals) {
            let more = u16::try_from(total.saturating_sub(last)).unwrap_or(u16::MAX);
            *count = count.saturating_add(more);
        }
        self.totals = totals;
    }

    /// The steps until now, the oldest first; the last is still growing. At most `DAY_STEPS`.
    #[must_use]
    pub fn steps(&self, now: Moment) -> Vec<Step> {
        let mut until = Self { over: self.over.clone(), ..*self };
        until.pass(now);
        let growing = until.step();
        until.over.into_iter().chain([growing]).collect()
    }

    /// Time up to now goes to the present fare; steps that are over are put away.
    fn pass(&mut self, now: Moment) {
        let oldest = Moment(now.0.saturating_sub(DAY_STEPS as u64 * DAY_STEP_MS));
        if self.noted < oldest {
            // slept through: of what was before, nothing belongs to this day
            self.over.clear();
            (self.noted, self.took_ms, self.counts) = (oldest, [0; 4], [0; 2]);
        }
        loop {
            let end = Moment((self.noted.0 / DAY_STEP_MS + 1).saturating_mul(DAY_STEP_MS));
            let until = end.min(now);
            if let Some(took) = self.took_ms.get_mut(self.fare as usize) {
                *took += until.since_ms(self.noted);
            }
            self.noted = self.noted.max(until);
            // the last moment of all is the end of no step
            if until < end || end.0 == u64::MAX {
                return;
            }
            self.over.push_back(self.step());
            if self.over.len() >= DAY_STEPS {
                self.over.pop_front();
            }
            (self.took_ms, self.counts) = ([0; 4], [0; 2]);
        }
    }

    fn step(&self) -> Step {
        Step { shares: self.took_ms.map(share), counts: self.counts }
    }
}

fn share(took_ms: u64) -> u8 {
    u8::try_from(took_ms * 255 / DAY_STEP_MS).unwrap_or(u8::MAX)
}

/// When the step that `now` is in began: all days step at the same moments.
#[must_use]
pub fn step_began(now: Moment) -> Moment {
    Moment(now.0 / DAY_STEP_MS * DAY_STEP_MS)
}
