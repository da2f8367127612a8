//! What a link could not keep: counted by reason, said, and written before what passes over it.

use super::Link;
use super::channel::{Channel, Gate};
use crate::budget;
use crate::gap::Gap;
use crate::journal::{Noted, Record};
use crate::moment::rfc3339;
use crate::status::GapStatus;
use crate::step::Step;
use crate::text::Clipped;
use std::collections::BTreeMap;

/// What could not be kept, by its reason.
#[derive(Default)]
pub struct Gaps {
    counted: BTreeMap<Gap, Counted>,
    last: Option<Gap>,
    /// Messages that were passed over: marked as done in the record that counts them, so that they are not counted again
    /// after a restart while the cursor stands before them.
    passed: Vec<(Gap, String, String)>,
}

/// What could not be kept for one reason. Flags beside it: a set of reasons is 2 kB of a router's flash.
#[derive(Default)]
struct Counted {
    noted: Noted,
    /// Not in the journal yet.
    owed: bool,
    /// Found since the clock was last read.
    undated: bool,
}

/// Where something is missing.
#[derive(Clone, Copy, Default)]
pub struct Missing<'a> {
    /// The channel's id.
    pub channel: Option<&'a str>,
    /// The first message of it, or the last one before it.
    pub from: Option<&'a str>,
    /// The last message of it, or the first one after it.
    pub to: Option<&'a str>,
}

impl Noted {
    /// Whether it is the last one once more: the daemon ended before it came past it.
    fn is_again(&self, gap: Gap, missing: Missing<'_>, detail: &str) -> bool {
        match gap {
            Gap::HistoryCut => {
                self.count > 0
                    && missing.from.is_some()
                    && self.channel.as_deref() == missing.channel
                    && self.from.as_deref() == missing.from
                    && self.to.as_deref() == missing.to
            }
            Gap::LettersFull => self.detail == detail,
            Gap::TurnFailed
            | Gap::Unchecked
            | Gap::JournalLost
            | Gap::OutboxFull
            | Gap::Oversize
            | Gap::Unreadable
            | Gap::BotBudget
            | Gap::HistoryLong
            | Gap::ChannelsOver
            | Gap::ChannelsUnread
            | Gap::PlacesForgotten => false,
        }
    }
}

impl<'a> Missing<'a> {
    /// Something in a channel.
    pub fn within(channel: &'a str) -> Self {
        Self { channel: Some(channel), ..Self::default() }
    }

    /// One message.
    pub fn message(channel: &'a str, id: &'a str) -> Self {
        Self { channel: Some(channel), from: Some(id), to: Some(id) }
    }
}

impl Gaps {
    /// Counts; says nothing. False: it was counted before, in an earlier life that did not come past it.
    fn count(&mut self, gap: Gap, n: u64, missing: Missing<'_>, detail: &str) -> bool {
        let own = |id: Option<&str>| id.map(str::to_owned);
        let Counted { noted, owed, undated } = self.counted.entry(gap).or_default();
        if noted.is_again(gap, missing, detail) {
            return false;
        }
        if let (Some(channel), Some(id), true) = (missing.channel, missing.from, passes_over(gap)) {
            if self.passed.len() < budget::DEDUPE_IDS {
                self.passed.push((gap, channel.to_owned(), id.to_owned()));
            }
        }
        *noted = Noted {
            count: noted.count.saturating_add(n),
            at_ms: noted.at_ms,
            channel: own(missing.channel),
            from: own(missing.from),
            to: own(missing.to),
            detail: Clipped::to(detail, budget::GAP_DETAIL_BYTES).to_string(),
        };
        (*owed, *undated) = (true, true);
        self.last = Some(gap);
        true
    }

    /// All that there is, by the reasons' codes.
    pub fn by_reason(&self) -> BTreeMap<&'static str, u64> {
        self.iter().map(|(gap, noted)| (gap.code(), noted.count)).collect()
    }

    /// The last of all.
    pub fn last(&self) -> Option<GapStatus> {
        let gap = self.last?;
        let noted = self.noted(gap)?;
        Some(GapStatus {
            at: rfc3339(noted.at_ms),
            reason: gap.code(),
            channel: noted.channel.as_deref().map(|id| Clipped(id).to_string()),
            from: noted.from.as_deref().map(|id| Clipped(id).to_string()),
            to: noted.to.as_deref().map(|id| Clipped(id).to_string()),
            detail: noted.detail.clone(),
        })
    }

    /// Everything, for a journal that begins anew.
    pub fn iter(&self) -> impl Iterator<Item = (Gap, &Noted)> {
        self.counted.iter().map(|(gap, counted)| (*gap, &counted.noted))
    }

    fn noted(&self, gap: Gap) -> Option<&Noted> {
        self.counted.get(&gap).map(|counted| &counted.noted)
    }
}

/// Whether a gap of this reason names a message that is finished with it.
fn passes_over(gap: Gap) -> bool {
    match gap {
        Gap::TurnFailed | Gap::Oversize | Gap::Unreadable | Gap::BotBudget => true,
        Gap::HistoryCut
        | Gap::Unchecked
        | Gap::JournalLost
        | Gap::LettersFull
        | Gap::OutboxFull
        | Gap::HistoryLong
        | Gap::ChannelsOver
        | Gap::ChannelsUnread
        | Gap::PlacesForgotten => false,
    }
}

impl Link {
    /// Something could not be kept: counted by reason, and said.
    pub(super) fn gap(&mut self, gap: Gap, n: u64, missing: Missing<'_>, detail: &str) {
        if self.gaps.count(gap, n, missing, detail) {
            log::warn!("{}: gap {} on {}: {detail}", self.seat.agent.name, gap.code(), self.seat.guild.name);
        }
    }

    /// The same in silence, for what comes in floods and was said once.
    pub(super) fn count_gap(&mut self, gap: Gap, missing: Missing<'_>, detail: &str) {
        self.gaps.count(gap, 1, missing, detail);
    }

    /// The gaps that were found in this happening have its time.
    pub(super) fn date_gaps(&mut self, wall_ms: u64) {
        for counted in self.gaps.counted.values_mut() {
            if std::mem::take(&mut counted.undated) {
                counted.noted.at_ms = wall_ms;
            }
        }
    }

    /// Writes what is owed. Called before every record that passes over a gap: a cursor, the end of a turn, a
    /// letter that falls out.
    pub(super) fn keep_gaps(&mut self, step: &mut Step<'_>) {
        self.date_gaps(step.now.wall_ms);
        let owed = |(gap, counted): (&Gap, &mut Counted)| {
            std::mem::take(&mut counted.owed).then(|| (*gap, counted.noted.clone()))
        };
        let owed: Vec<(Gap, Noted)> = self.gaps.counted.iter_mut().filter_map(owed).collect();
        for (gap, noted) in owed {
            let mut marks = self.marks_of(gap);
            loop {
                let done = marks.split_off(marks.len().saturating_sub(budget::GAP_MARKS));
                let (link, reason) = (self.name(), gap.code().to_owned());
                step.record(Record::Gap { link, reason, noted: noted.clone(), done });
                if marks.is_empty() {
                    break;
                }
            }
        }
    }

    /// Messages that were passed over for this reason and that no cursor has passed.
    fn marks_of(&mut self, gap: Gap) -> Vec<(String, String)> {
        let (mine, others) = std::mem::take(&mut self.gaps.passed).into_iter().partition(|(of, ..)| *of == gap);
        self.gaps.passed = others;
        let mine: Vec<(Gap, String, String)> = mine;
        let open = |(_, channel, message): (Gap, String, String)| {
            let lane = self.channels.iter().find(|other| other.is(&channel)).map(|other| &other.lane);
            lane.is_none_or(|lane| lane.holds(&message)).then_some((channel, message))
        };
        mine.into_iter().filter_map(open).collect()
    }

    /// Something of the journal could not be read, at this start or at one before after which the link did not come to know
    /// its channels: perhaps of this link.
    pub fn count_lost_journal(&mut self, lost: &Noted) {
        self.lost_places = true;
        let detail = Clipped::to(&lost.detail, budget::GAP_DETAIL_BYTES).to_string();
        if self.gaps.noted(Gap::JournalLost).is_some_and(|noted| noted.at_ms == lost.at_ms && noted.detail == detail) {
            return;
        }
        self.gap(Gap::JournalLost, 1, Missing::default(), &lost.detail);
        self.date_gaps(lost.at_ms);
    }

    /// Whether every channel of the first list has its place.
    #[must_use]
    pub fn has_its_places(&self) -> bool {
        let seeks = |channel: &Channel| matches!(channel.gate, Gate::Seeking(_));
        !self.lost_places || (self.listed_once && !self.channels.iter().any(seeks))
    }

    /// What could not be kept in an earlier life.
    pub fn remember_gap(&mut self, gap: Gap, noted: Noted) {
        let latest = self.gaps.last.and_then(|last| self.gaps.noted(last)).map_or(0, |last| last.at_ms);
        if noted.at_ms >= latest {
            self.gaps.last = Some(gap);
        }
        self.gaps.counted.entry(gap).or_default().noted = noted;
    }
}
