//! What happened, for tests to read and for the invariants that every story must keep.

use guild_bridge::port::Client;
use guild_bridge::status::{LinkStatus, Status};
use std::collections::{BTreeMap, BTreeSet};

/// A link's state at a moment, each time it changed.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: u64,
    pub link: String,
    pub state: &'static str,
    pub reason: Option<&'static str>,
    pub detail: String,
    pub next_try_s: Option<u64>,
}

/// A rest between two attempts of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    pub link: String,
    pub from: u64,
    pub ms: u64,
    pub state: &'static str,
    pub reason: Option<&'static str>,
}

/// By life and reason: counted when the life began, and last.
type Counted = BTreeMap<(u32, &'static str), (u64, u64)>;

/// All that a story tells.
#[derive(Default)]
pub struct Story {
    /// Kinds and order of packets and calls: `< open`, `> connect`, `> call mint`, …, with their moments.
    pub transcript: Vec<(u64, String)>,
    /// What was said, asked and done beside it, for whoever replays a seed.
    pub notes: Vec<(u64, String)>,
    /// Every token offered in a handshake, with its link and moment.
    pub offered: Vec<(u64, String, String)>,
    /// The changes of every link's state.
    pub seen: Vec<Seen>,
    /// The last status.
    pub status: Status,
    /// Notes are kept, for a person.
    pub aloud: bool,
    /// The mint stands behind a cache at times.
    pub cached_mint: bool,
    /// Every dial, by life and link.
    pub dials: BTreeMap<(u32, u16), Vec<u64>>,
    /// When each client was first told that what it asked for is done.
    pub done: BTreeMap<Client, u64>,
    /// When a rest may have been cut short: somebody asked for it, or the daemon began or ended.
    pub hurries: Vec<u64>,
    /// By link.
    gaps: BTreeMap<String, Counted>,
    /// Lives of the daemon so far.
    pub lives: u32,
    /// When a place with a message before it was first written, by `agent@guild` and channel.
    pub places: BTreeMap<(String, String), u64>,
    /// When each began, and the channels (`agent@guild`, channel) whose place its journal knew.
    pub begun: Vec<(u64, BTreeSet<(String, String)>)>,
    /// Links that have had all their channels joined.
    pub settled: BTreeSet<String>,
    /// No status was seen in this life yet.
    newborn: bool,
    /// Tokens that were offered, with the lives that offered them.
    tokens: BTreeMap<String, BTreeSet<u32>>,
}

impl Story {
    pub fn tell(&mut self, at: u64, line: impl Into<String>) {
        self.transcript.push((at, line.into()));
    }

    /// Something beside it; what is not kept is not even put into words.
    pub fn note(&mut self, at: u64, note: impl FnOnce() -> String) {
        if self.aloud {
            self.notes.push((at, note().chars().take(160).collect()));
        }
    }

    /// A life of the daemon begins.
    pub fn begins(&mut self, at: u64, places: BTreeSet<(String, String)>) {
        self.lives += 1;
        self.begun.push((at, places));
        self.newborn = true;
        self.hurries.push(at);
    }

    /// Gaps that a link counted, by reason, in all lives together.
    pub fn gaps_of(&self, link: &str) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        for ((_, reason), (first, last)) in self.gaps.get(link).into_iter().flatten() {
            *sums.entry(*reason).or_default() += last - first;
        }
        sums
    }

    /// Transcript, notes and states, in order: the whole story for a person.
    pub fn print(&self) {
        let seen = self.seen.iter().map(|s| (s.at, format!("    [{} {:?} {}]", s.state, s.reason, s.detail)));
        let notes = self.notes.iter().map(|(at, note)| (*at, format!("  {note}")));
        let mut lines: Vec<_> = self.transcript.iter().cloned().chain(notes).chain(seen).collect();
        lines.sort_by_key(|(at, _)| *at);
        lines.iter().for_each(|(at, line)| println!("{at:>9} {line}"));
    }

    /// The kinds alone, as `live` tells them too.
    pub fn kinds(&self) -> Vec<&str> {
        self.transcript.iter().map(|(_, kind)| kind.as_str()).collect()
    }

    /// How often something of this kind happened.
    pub fn count(&self, kind: &str) -> usize {
        self.transcript.iter().filter(|(_, k)| k == kind).count()
    }

    /// When things of this kind happened.
    pub fn moments(&self, kind: &str) -> Vec<u64> {
        self.transcript.iter().filter(|(_, k)| k == kind).map(|(at, _)| *at).collect()
    }

    /// A token in a CONNECT packet. Offering one twice fails every story.
    pub fn offer(&mut self, at: u64, life: u32, link: &str, token: &str) {
        // a daemon that starts anew cannot know that a cache hands it a token of an earlier life; the packet may arrive
        // when the life that sent it is over
        let lives = self.tokens.entry(token.to_owned()).or_default();
        let again = if self.cached_mint { lives.contains(&life) } else { !lives.is_empty() };
        assert!(!again, "a token was offered twice: {token} by {link} at {at} ms");
        lives.insert(life);
        self.offered.push((at, link.to_owned(), token.to_owned()));
    }

    /// A sample of the status.
    pub fn sample(&mut self, at: u64, status: Status) {
        for link in &status.links {
            let name = link_name(link);
            self.count_gaps(&name, link);
            if link.channels_total > 0 && link.channels_joined == link.channels_total {
                self.settled.insert(name.clone());
            }
            let last = self.seen.iter().rev().find(|s| s.link == name);
            if last.is_some_and(|s| s.state == link.state && s.reason == link.reason) {
                continue;
            }
            self.seen.push(Seen {
                at,
                link: name,
                state: link.state,
                reason: link.reason,
                detail: link.detail.clone(),
                next_try_s: link.next_try_s,
            });
        }
        self.newborn = false;
        self.status = status;
    }

    /// The gaps of a status, beside the samples.
    pub fn sample_gaps(&mut self, status: &Status) {
        for link in &status.links {
            self.count_gaps(&link_name(link), link);
        }
    }

    /// What a life begins with was counted by an earlier one.
    fn count_gaps(&mut self, name: &str, link: &LinkStatus) {
        if link.gaps_by_reason.is_empty() {
            return;
        }
        let counted = self.gaps.entry(name.to_owned()).or_default();
        for (reason, count) in &link.gaps_by_reason {
            let first = if self.newborn { *count } else { 0 };
            counted.entry((self.lives, reason)).or_insert((first, *count)).1 = *count;
        }
    }

    /// Rests that are over: from the moment a link began to wait to the moment it tried again.
    pub fn rests(&self) -> Vec<Rest> {
        let waits = |s: &Seen| matches!(s.state, "backoff" | "refused");
        let mut rests = Vec::new();
        for (i, seen) in self.seen.iter().enumerate().filter(|(_, s)| waits(s)) {
            let earlier = self.seen[..i].iter().rev().find(|s| s.link == seen.link);
            if earlier.is_some_and(waits) {
                continue;
            }
            if let Some(over) = self.seen[i..].iter().find(|s| s.link == seen.link && !waits(s)) {
                let (link, from, ms) = (seen.link.clone(), seen.at, over.at - seen.at);
                rests.push(Rest { link, from, ms, state: seen.state, reason: seen.reason });
            }
        }
        rests
    }

    /// States that a link went through, without repeats.
    pub fn states(&self, link: &str) -> Vec<&'static str> {
        let mut states: Vec<_> = self.seen.iter().filter(|s| s.link == link).map(|s| s.state).collect();
        states.dedup();
        states
    }

    /// Reasons that a link gave, in order, without repeats.
    pub fn reasons(&self, link: &str) -> Vec<&'static str> {
        let mut reasons: Vec<_> = self.seen.iter().filter(|s| s.link == link).filter_map(|s| s.reason).collect();
        reasons.dedup();
        reasons
    }
}

/// `agent@guild`.
pub fn link_name(link: &LinkStatus) -> String {
    format!("{}@{}", link.agent, link.guild)
}
