//! The relay's books: records on their way to the journal, what is confirmed, when the journal begins anew.

use crate::budget;
use crate::gap::Gap;
use crate::journal::{Cursor, Kept, Packed, Record, Task};
use crate::lane::Place;
use crate::link::Link;
use crate::moment::{Moment, Now};
use crate::port::{Output, Stored};
use crate::reason::Reason;
use std::collections::BTreeSet;

/// Cursors that moved are written at most so often.
const CURSORS_MS: u64 = 5_000;
/// What belongs to an agent that is gone from the configuration is kept so long.
const KEEP_MS: u64 = 30 * 24 * 3_600_000;

/// The relay's books.
pub struct Ledger {
    /// What the present step wants to keep.
    pub records: Vec<Record>,
    /// Something waits for them.
    pub pressing: bool,
    kept: Kept,
    /// Links that were removed so long ago that their last cursor went.
    expired: BTreeSet<String>,
    seq: u64,
    log_bytes: usize,
    base_bytes: usize,
    /// The write that began the journal anew, unless all of it is owed once more.
    begun: Option<u64>,
    /// The disk asks for all of it.
    asked: bool,
    wall_ms: u64,
    build_ms: u64,
    cursors_at: Option<Moment>,
    /// Why nothing can be kept, while that is so.
    pub failed: Option<crate::reason::Why>,
}

impl Ledger {
    /// With what the journal kept; what an agent left that was removed 30 days ago goes. `build_ms`: no clock that is set
    /// stands before it.
    pub fn new(mut kept: Kept, wall_ms: u64, build_ms: u64) -> Self {
        let mut expired = BTreeSet::new();
        kept.cursors.retain(|(link, _), cursor| {
            let stays = cursor.at_ms == 0 || cursor.at_ms.saturating_add(KEEP_MS) >= wall_ms;
            if !stays {
                expired.insert(link.clone());
            }
            stays
        });
        expired.retain(|link| !kept.cursors.keys().any(|(of, _)| of == link));
        // what a killed daemon wrote may still wait for its sync: it is written once more before anything rests on it
        let asked = kept != Kept::default();
        Self {
            records: Vec::new(),
            pressing: false,
            kept,
            expired,
            seq: 0,
            log_bytes: 0,
            base_bytes: 0,
            begun: None,
            asked,
            wall_ms,
            build_ms,
            cursors_at: None,
            failed: None,
        }
    }

    /// The number that the next write will have.
    pub fn next_store(&self) -> u64 {
        self.seq + 1
    }

    /// Hands what was kept for a link to it.
    pub fn restore(&mut self, link: &mut Link) {
        let name = link.name();
        self.expired.remove(&name);
        let mine: Vec<_> = self.kept.cursors.keys().filter(|(of, _)| *of == name).cloned().collect();
        for key in mine {
            if let Some(cursor) = self.kept.cursors.remove(&key) {
                if cursor.at_ms != 0 {
                    self.records.push(dated(&key, &cursor, 0));
                }
                link.remember(key.1.clone(), Place { before: cursor.before, id: cursor.id });
            }
            for message in self.kept.done.remove(&key).unwrap_or_default() {
                link.remember_done(&key.1, &message);
            }
        }
        // what is known of a channel whose cursor is lost
        let mine: Vec<_> = self.kept.done.keys().filter(|(of, _)| *of == name).cloned().collect();
        for key in mine {
            for message in self.kept.done.remove(&key).unwrap_or_default() {
                link.remember_done(&key.1, &message);
            }
        }
        for own in self.kept.own.remove(&name).unwrap_or_default() {
            link.remember_own(own);
        }
        let kept_by = if self.asked { self.next_store() } else { 0 };
        for (channel, post) in self.kept.posts.remove(&name).unwrap_or_default() {
            link.remember_post(channel, post, kept_by);
        }
        for gap in Gap::ALL {
            if let Some(noted) = self.kept.gaps.remove(&(name.clone(), gap.code().to_owned())) {
                link.remember_gap(*gap, noted);
            }
        }
        if let Some(lost) = self.kept.loss() {
            link.count_lost_journal(lost);
        }
        for letter in self.kept.letters.remove(&name).unwrap_or_default() {
            link.remember_letter(letter);
        }
    }

    /// Once the links of the configuration have theirs: what others left behind goes with their last cursor. Those that
    /// left the configuration while nothing ran count from now.
    pub fn forget_the_old(&mut self) {
        let now_ms = self.date(self.wall_ms);
        for (key, cursor) in self.kept.cursors.iter_mut().filter(|(_, cursor)| cursor.at_ms == 0 && now_ms != 0) {
            cursor.at_ms = now_ms;
            self.records.push(dated(key, cursor, now_ms));
        }
        for link in std::mem::take(&mut self.expired) {
            let posts = self.kept.posts.remove(&link).map_or(0, |posts| posts.len());
            let letters = self.kept.letters.remove(&link).map_or(0, |letters| letters.len());
            self.kept.own.remove(&link);
            self.kept.done.retain(|(of, _), _| *of != link);
            self.kept.gaps.retain(|(of, _), _| *of != link);
            if posts + letters > 0 {
                log::warn!(
                    "{}: {link} is gone for 30 days: {posts} replies and {letters} letters of it are given up",
                    Reason::Asked
                );
            }
        }
    }

    /// What could not be read of the journal is remembered until every link knows its channels' places.
    pub fn find_places(&mut self, links: &[Link]) {
        if self.kept.loss().is_some() && links.iter().all(Link::has_its_places) {
            self.records.extend(self.kept.loss_is_over());
        }
    }

    /// A date to count from; 0 while the clock is not set: the next start dates what has none.
    fn date(&self, wall_ms: u64) -> u64 {
        if wall_ms < self.build_ms { 0 } else { wall_ms }
    }

    /// Keeps what a link that is removed leaves behind.
    pub fn retire(&mut self, link: &Link, now: Now) {
        for record in link.records(self.date(now.wall_ms)) {
            if matches!(record, Record::Cursor { .. }) {
                self.records.push(record.clone());
            }
            self.kept.apply(record);
        }
    }

    /// The next write, if something is to be kept. The journal begins anew at the start, when its log has outgrown its
    /// bound, and when the disk asks. While the disk fails nothing is gathered for it: a write is only its number.
    pub fn flush(&mut self, links: &[Link]) -> Option<Output> {
        if self.records.is_empty() && !self.asked {
            return None;
        }
        self.seq += 1;
        let seq = self.seq;
        let outgrown = self.log_bytes > budget::JOURNAL_BYTES.max(2 * self.base_bytes);
        let anew = self.asked || (self.failed.is_none() && (self.begun.is_none() || outgrown));
        let mut records = Packed::default();
        if anew {
            records = self.everything(links);
            self.base_bytes = records.bytes();
            (self.log_bytes, self.begun, self.asked) = (0, Some(seq), false);
        }
        std::mem::take(&mut self.records).iter().for_each(|record| records.push(record));
        self.log_bytes += records.bytes();
        let pressing = std::mem::take(&mut self.pressing);
        Some(Output::Store(Task { seq, records, anew, pressing }))
    }

    /// The journal was written, or could not be: then it is written whole as soon as the disk takes it again.
    pub fn stored(&mut self, stored: &Stored) {
        // what failed before it was begun anew is in it
        if stored.failed.is_some() && self.begun.is_some_and(|begun| begun <= stored.upto) {
            self.begun = None;
        }
        self.asked |= stored.again;
        self.failed.clone_from(&stored.failed);
    }

    /// Whether moved cursors are due to be written. They go with the next happening: no timer wakes an idle daemon.
    pub fn cursors_due(&mut self, now: Now) -> bool {
        self.wall_ms = now.wall_ms;
        let due = self.cursors_at.is_none_or(|at| at <= now.at);
        if due {
            self.cursors_at = Some(now.at.after_ms(CURSORS_MS));
        }
        due
    }

    fn everything(&self, links: &[Link]) -> Packed {
        let links = links.iter().flat_map(|link| link.records(0));
        self.kept.records().into_iter().chain(links).collect()
    }
}

/// The record of a cursor whose agent was removed then; 0: it was not.
fn dated((link, channel): &(String, String), cursor: &Cursor, at_ms: u64) -> Record {
    let Cursor { before, id, .. } = cursor.clone();
    Record::Cursor { link: link.clone(), channel: channel.clone(), before, id, at_ms }
}
