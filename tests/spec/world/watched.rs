//! What the daemon asks for, held against what it was told: posts that the guild has, or asked to wait with, and channels
//! whose first place is not kept yet.

use super::hall::Hall;
use super::happening::{Head, Request, Response};
use super::{World, line_of};
use guild_bridge::budget;
use guild_bridge::journal::{Kept, Record, Task};
use guild_bridge::message::Line;
use guild_bridge::port::Stored;
use guild_bridge::status::LinkStatus;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Gaps are given to the journal within this, with the first happening behind it: as cursors are.
const GAPS_MS: u64 = 5_000;

/// What a guild said to posts, by the daemon's life and key.
#[derive(Default)]
pub struct Answered {
    /// Stored: when it was asked, and when the answer arrived.
    stored: BTreeMap<(u32, String), (u64, u64)>,
    /// Asked to wait until then.
    waits: BTreeMap<(u32, String), u64>,
    /// Asked once more, though the daemon knew it stored: when that was asked first, when again, who, and what.
    pub again: Vec<(u64, u64, String, String)>,
    /// Asked before the time that the guild had asked for.
    pub early: Vec<String>,
}

impl Hall {
    /// A post is asked for.
    pub(super) fn watch_post(&mut self, life: u32, request: &Request) {
        let Some(key) = &request.key else { return };
        let (now, place) = (self.now, (life, key.clone()));
        if let Some((asked_at, _)) = self.answered.stored.remove(&place).filter(|(_, told_at)| *told_at <= now) {
            let agent = request.bearer.as_ref().and_then(|bearer| self.model.tokens.get(bearer));
            let agent = agent.map(|token| token.agent.clone()).unwrap_or_default();
            let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
            let text = body["text"].as_str().unwrap_or_default().to_owned();
            self.answered.again.push((asked_at, now, agent, text));
        }
        if let Some(until) = self.answered.waits.remove(&place).filter(|until| now < *until) {
            self.answered.early.push(format!("{} at {now} ms, before {until} ms", request.body));
        }
    }

    /// A post's answer arrives then.
    pub(super) fn watch_answer(&mut self, life: u32, request: &Request, at: u64, response: &Response) {
        let (Some(key), Response::Got(Head { status, retry_after_ms, .. }, _)) = (&request.key, response) else {
            return;
        };
        let place = (life, key.clone());
        match (status, retry_after_ms) {
            (201, _) => drop(self.answered.stored.insert(place, (self.now, at))),
            (429 | 503, Some(ms)) => {
                let (least, most) = budget::RETRY_AFTER_MS.into_inner();
                self.answered.waits.insert(place, at + (*ms).clamp(least, most));
            }
            _ => {}
        }
    }
}

/// What this life gave to the journal.
#[derive(Default)]
pub struct Given {
    /// Channels whose place was written, as the relay was told.
    places: BTreeSet<(String, String)>,
    /// Those of writes that it was not told of.
    on_the_way: Vec<(u64, (String, String))>,
    /// The last write failed: nothing is gathered.
    failed: bool,
    /// By link and reason: gaps as they were counted last.
    gaps: BTreeMap<(String, String), u64>,
    /// Since when a count is larger than that.
    owed: BTreeMap<(String, &'static str), u64>,
}

impl Given {
    pub fn begins(kept: &Kept, failed: bool) -> Self {
        let gaps = kept.gaps.iter().map(|(place, noted)| (place.clone(), noted.count)).collect();
        Self { places: kept.cursors.keys().cloned().collect(), gaps, failed, ..Self::default() }
    }

    pub fn give(&mut self, task: &Task) {
        for record in task.records.iter() {
            match record {
                Record::Cursor { link, channel, .. } => self.on_the_way.push((task.seq, (link, channel))),
                Record::Gap { link, reason, noted, .. } => drop(self.gaps.insert((link, reason), noted.count)),
                _ => {}
            }
        }
    }

    pub fn stored(&mut self, stored: &Stored) {
        self.failed = stored.failed.is_some();
        let (written, on_the_way) =
            std::mem::take(&mut self.on_the_way).into_iter().partition(|(seq, _)| *seq <= stored.upto);
        self.on_the_way = on_the_way;
        let written: Vec<(u64, (String, String))> = written;
        self.places.extend(written.into_iter().map(|(_, place)| place));
    }
}

impl World {
    /// A frame is sent. A channel's first place is written before its first join, where anything can be written.
    pub(super) fn watch_join(&mut self, line: Line, frame: &str) {
        let Some(event) = frame.find("[\"join_channel\"").and_then(|at| frame.get(at..)) else { return };
        let event: Value = serde_json::from_str(event).expect("an event is an array");
        let channel = event[1].as_str().unwrap_or_default().to_owned();
        let is = |(_, socket): &(&String, &super::Socket)| socket.life == self.life && line_of(**socket) == line;
        let Some((link, _)) = self.sockets.iter().find(is) else { return };
        let place = (link.clone(), channel);
        if link.starts_with("nobody@") || self.given.places.contains(&place) {
            return;
        }
        assert!(self.given.failed, "{place:?} is joined before its first place is written\n{}", self.tail());
        self.given.places.insert(place);
    }

    /// What a status counts is given to the journal soon.
    pub(super) fn watch_gaps(&mut self, name: &str, link: &LinkStatus) {
        let doubted = self.given.failed || self.board.disk_is_doubted(self.at);
        for (reason, count) in &link.gaps_by_reason {
            let given = self.given.gaps.get(&(name.to_owned(), (*reason).to_owned())).copied().unwrap_or(0);
            let place = (name.to_owned(), *reason);
            if given >= *count || doubted {
                self.given.owed.remove(&place);
                continue;
            }
            let since = *self.given.owed.entry(place).or_insert(self.at);
            assert!(
                self.at <= since + GAPS_MS,
                "{name} counts {count} gaps as {reason}, and gave the journal {given}\n{}",
                self.tail()
            );
        }
    }
}
