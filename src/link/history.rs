//! History, page by page: the truth that the socket is a hint of. Catch-up, reconcile, what was cut or is too large.

use super::answers::{checked, is_array, unreadable};
use super::calls::{Page, Purpose};
use super::channel::{Channel, Gate};
use super::gaps::Missing;
use super::keep::turn;
use super::oldest::{self, Oldest};
use super::{Link, State, in_channel};
use crate::budget;
use crate::call::{Answer, Got};
use crate::dialect::{Incoming, Newest, Row};
use crate::gap::Gap;
use crate::moment::{Moment, sooner};
use crate::reason::{Reason, Why};
use crate::step::Step;
use crate::text;

/// Rest after a read or a list that failed, doubled from the first to the last.
pub(super) const FAILED_MS: std::ops::RangeInclusive<u64> = 2_000..=60_000;

/// Reading of history: one page at a time.
#[derive(Default)]
pub struct Reading {
    /// A page is under way or held.
    pub(super) busy: bool,
    /// No page before this.
    not_before: Option<Moment>,
    /// What ends the wait for `not_before`.
    wait: Wait,
    /// The channel read last: it is read to its end before the next one, over connections: where they end before all is
    /// read, no channel is left out.
    pub(super) turn: usize,
    /// Lists and pages that failed in a row.
    pub failures: u32,
}

/// Why no page is asked for before a moment.
#[derive(Default, PartialEq, Eq)]
enum Wait {
    /// A failure, or the pace.
    #[default]
    Time,
    /// Until the guild can be believed to have heard a join: an answer ends it.
    Join,
    /// The last page found no room: a third of the window ends it. A call for each single message would be a long way.
    Room,
}

impl Reading {
    /// The connection is gone.
    pub fn forget(&mut self) {
        *self = Self { turn: self.turn, ..Self::default() };
    }

    /// A join was answered.
    pub fn join_answered(&mut self) {
        self.end_wait(&Wait::Join);
    }

    fn end_wait(&mut self, wait: &Wait) {
        if self.wait == *wait {
            (self.not_before, self.wait) = (None, Wait::Time);
        }
    }

    /// The channel of which a page is under way.
    pub fn page_of(&self) -> Option<usize> {
        self.busy.then_some(self.turn)
    }

    /// What was waited for until this moment is there.
    pub fn waits_no_more(&mut self, until: Option<Moment>) {
        self.not_before = self.not_before.filter(|at| Some(*at) != until);
    }
}

/// What one page brought.
#[derive(Default)]
pub(super) struct Brought {
    pub rows: usize,
    pub passed: usize,
    pub full: bool,
    expected_seen: bool,
    /// The first message of the page.
    first: Option<String>,
}

impl Brought {
    fn saw(&mut self, page: &Page, id: &str) {
        self.first.get_or_insert_with(|| id.to_owned());
        self.expected_seen = self.expected_seen || page.expect.as_deref() == Some(id);
    }
}

impl Link {
    pub(super) fn read_deadline(&self) -> Option<Moment> {
        let room = self.has_room_to_read();
        let crowded = self.crowded();
        let wanted = !self.history.busy && self.channels.iter().any(|channel| readable(channel, room, crowded));
        self.history.not_before.filter(|_| wanted)
    }

    /// Asks for the next page, if one is due.
    pub(super) fn read_on(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        if self.history.wait == Wait::Room && self.has_ample_room() {
            self.history.end_wait(&Wait::Room);
        }
        let due = self.history.not_before.is_none_or(|at| at <= now);
        if self.history.busy || !due || !matches!(self.state, State::Up(_)) {
            return;
        }
        if let Some(until) = self.waits_for_strangers(now) {
            self.history.not_before = Some(until);
            return;
        }
        let count = self.channels.len();
        let (first, room, crowded) = (self.history.turn, self.has_room_to_read(), self.crowded());
        let ready = |at: &usize| {
            self.channels.get(*at).is_some_and(|channel| readable(channel, room, crowded) && join_heard(channel, now))
        };
        // what the socket brought waits for its channel's history: such a channel goes first. Then the one that would be
        // believed next, unasked. Else the one of which least waits: turns of several conversations can be open at once, one of each
        let rank = |at: &usize| {
            let lane = self.channels.get(*at).map(|channel| &channel.lane);
            lane.map(|lane| (!lane.holds_back(), std::cmp::Reverse(lane.trustable()), lane.waiting()))
        };
        let turns = (0..count).map(|n| (first + n) % count).filter(ready);
        let mut next = turns.min_by_key(rank);
        // a channel that cannot be read holds up no look at another
        if next.and_then(|at| self.channels.get(at)).is_none_or(|channel| channel.failing_since.is_some()) {
            next = self.check_next(room).or(next);
        }
        let Some(at) = next else {
            return self.wait_for_joins(room, crowded, now);
        };
        let Some(channel) = self.channels.get(at) else { return };
        let page = next_page(channel);
        let gently = channel.lane.following() || channel.last == Newest::Unsaid;
        self.history.turn = at;
        self.history.busy = true;
        self.history.wait = Wait::Time;
        self.history.not_before = gently.then(|| now.after_ms(1_000 / budget::HISTORY_CALLS_PER_S));
        let purpose = match self.walk(at, page.clone(), now) {
            Some(walk) => Purpose::Walk(Box::new(walk)),
            None => Purpose::History(page),
        };
        self.call(purpose, false, step);
    }

    /// Nothing can be read now, but something can once a join has been heard.
    fn wait_for_joins(&mut self, room: bool, crowded: bool, now: Moment) {
        let waits = self.channels.iter().filter(|channel| readable(channel, room, crowded));
        let soonest = waits.fold(None, |soonest, channel| sooner(soonest, channel.join_settles()));
        self.history.not_before = soonest.filter(|at| *at > now);
        self.history.wait = if self.history.not_before.is_some() { Wait::Join } else { Wait::Time };
    }

    pub(super) fn history_answered(&mut self, page: Page, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
        self.history.busy = false;
        let Some(at) = self.channels.iter().position(|channel| channel.is(&page.channel)) else { return };
        let unknown_place = matches!(&answer, Answer::Got(got) if matches!(got.status, 400 | 404 | 410));
        let Some(checks) = self.checks(at, unknown_place) else { return };
        let got = match checked("history", answer) {
            Ok(got) => got,
            Err(_) if unknown_place && page.expect.is_some() && self.begins_anew(at) => {
                // a guild that refuses the whole channel for a while is no guild that has forgotten a message
                if self.is_readable(at) {
                    self.cut(at, &page, &Brought::default());
                }
                return;
            }
            Err((why, wait_ms)) => return self.page_failed(at, why, wait_ms, step),
        };
        if !is_array(&got) {
            return self.page_failed(at, unreadable(&got, "history is not a JSON array"), None, step);
        }
        if page.oldest {
            return self.oldest_came(at, &page, &got);
        }
        let blind = !checks && self.channels.get(at).is_some_and(|channel| oldest::is_blind(channel, &page));
        let Some(cut_blindly) = (if blind { self.cut_blindly(at, &page, &got) } else { Some(false) }) else { return };
        if let Some(channel) = self.channels.get_mut(at) {
            channel.oldest = Oldest::Unasked;
        }
        let failures = std::mem::take(&mut self.history.failures);
        let dialect = std::rc::Rc::clone(&self.dialect);
        let mut brought = Brought::default();
        let from = self.channels.get(at).map(|channel| channel.lane.read().clone());
        let whole = dialect.history_rows(got.body, &mut |row| self.row(at, &page, row, &mut brought, step));
        if !whole && !got.cut {
            return self.page_failed(at, unreadable(&got, "history breaks off"), None, step);
        }
        if page.seek {
            return self.sought(at, &page, &brought, &got, step);
        }
        if checks && brought.rows == 0 && !got.cut {
            // some answer so for a place that is gone
            return self.check_refused(at);
        }
        if got.cut && brought.passed == 0 {
            return self.too_large(at, &page, &got);
        }
        let Some(channel) = self.channels.get_mut(at) else { return };
        let whole_page = !got.cut && !brought.full && brought.rows >= page.limit && page.limit > 1;
        if whole_page && from.as_ref() == Some(channel.lane.read()) {
            self.history.failures = failures;
            let why = Why::new(Reason::HttpBody, "a whole page of history brings nothing new: `after` is not heeded");
            return self.page_failed(at, why, None, step);
        }
        channel.failing_since = None;
        // where there was no room for the first row, the place is read again
        let judged = (!brought.full || brought.passed > 0) && !checks;
        let mut cut = page.expect.is_some() && !brought.expected_seen && judged;
        if cut {
            self.cut(at, &page, &brought);
            if let Some(channel) = self.channels.get_mut(at) {
                // one cut is counted once
                channel.from_start = false;
            }
            if brought.rows == 0 && self.begins_anew(at) {
                return;
            }
        }
        cut |= cut_blindly;
        let Some(channel) = self.channels.get_mut(at) else { return };
        // a page that waits for room may wait for long: history can be cut meanwhile
        channel.goes_on = brought.passed > 0 && !brought.full;
        channel.from_start |= page.after.is_none();
        if got.cut {
            channel.limit = (page.limit / 2).max(1);
        } else if brought.full {
            channel.wanted = true;
            let now = step.now.at;
            if self.history.not_before.is_none_or(|at| at <= now) {
                self.history.not_before = Some(now.after_ms(1_000 / budget::HISTORY_CALLS_PER_S));
                self.history.wait = Wait::Room;
            }
        } else if channel.doubts != page.doubts {
            // what the socket brought between this page and the doubt stands behind its end: the next reading tells
            channel.goes_on = false;
        } else if brought.rows < page.limit || brought.passed == 0 {
            self.read_to_end(at, &page, sent, cut);
        }
    }

    /// A channel's history was read to its end, as it was when the page was `sent`; `cut`: that it was cut is counted already.
    pub(super) fn read_to_end(&mut self, at: usize, page: &Page, sent: Moment, cut: bool) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        let end = channel.lane.read_to_end();
        let forgotten = self.done_before.remove(&*page.channel).is_some_and(|done| !done.is_empty());
        let cut = !cut && (end.lost || end.unlisted > 0 || (channel.from_start && forgotten));
        channel.from_start = false;
        channel.wanted = end.again;
        channel.goes_on = false;
        channel.limit = budget::HISTORY_LIMIT;
        channel.baseline = channel.baseline || channel.join_settles().is_some_and(|at| at <= sent);
        if cut {
            let detail = format!("{}: what was heard before is not all there any more", channel.name());
            self.gap(Gap::HistoryCut, 1, Missing::within(&page.channel), &detail);
        }
    }

    pub(super) fn page_failed(&mut self, at: usize, why: Why, wait_ms: Option<u64>, step: &mut Step<'_>) {
        let rest = self.failure_rest(wait_ms);
        self.history.busy = false;
        self.history.not_before = Some(step.now.at.after_ms(rest));
        self.check_refused(at);
        let Some(channel) = self.channels.get_mut(at) else { return };
        channel.goes_on = false;
        channel.read_failed(step.now.at);
        // what cannot be read does not hold up the others
        self.history.turn = at + 1;
        log::warn!("{}: history of {}: {why}", self.seat.agent.name, channel.name());
        self.why = Some(why);
        self.recall_failed(at, step);
    }

    /// One row of a page.
    pub(super) fn row(&mut self, at: usize, page: &Page, row: Row<'_>, brought: &mut Brought, step: &mut Step<'_>) {
        brought.rows += 1;
        if page.seek {
            return self.seek_row(at, row, brought);
        }
        if brought.full {
            return;
        }
        match row {
            Row::Message(message, bytes) => {
                brought.saw(page, &message.id);
                if !self.has_room() {
                    brought.full = true;
                    return;
                }
                self.take_from_history(at, &message, bytes, step);
                brought.passed += 1;
            }
            Row::Unreadable(Some(id), malformed) => {
                brought.saw(page, &id);
                self.pass_over(at, &id, Gap::Unreadable, malformed.0);
                brought.passed += 1;
            }
            Row::Unreadable(None, malformed) => {
                self.gap(Gap::Unreadable, 1, Missing::within(&page.channel), malformed.0);
            }
        }
    }

    /// A message in history, or in a page that was too large, that cannot be kept.
    pub(super) fn pass_over(&mut self, at: usize, id: &str, gap: Gap, detail: &str) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        if channel.lane.listed_known(id) {
            return;
        }
        channel.lane.listed(id, None);
        let name = channel.id.clone();
        if self.seen.insert(&in_channel(&name, id)) {
            let detail = format!("message {}: {detail}", text::Clipped(id));
            self.gap(gap, 1, Missing::message(&name, id), &detail);
        }
    }

    fn take_from_history(&mut self, at: usize, message: &Incoming<'_>, bytes: usize, step: &mut Step<'_>) {
        let id = message.id.as_ref();
        self.confirmed_by_echo(message, false, step);
        let Some(channel) = self.channels.get_mut(at) else { return };
        if channel.lane.listed_known(id) {
            return;
        }
        if self.open_before.get(&*channel.id).is_some_and(|open| open.contains(id)) {
            return channel.lane.listed_open(id);
        }
        if self.seen.contains(&in_channel(&channel.id, id)) {
            channel.lane.listed(id, None);
            let (late, name) = (channel.lane.is_late(), channel.id.clone());
            if late {
                // the cursor had passed it
                step.record(turn(&self.name(), &name, id));
            }
            if let Some(done) = self.done_before.get_mut(&*name) {
                done.retain(|done| done != id);
            }
            return;
        }
        // a lane that is not followed was flooded: what the socket brought then was not kept
        let looks_back = channel.lane.checked().is_some() || channel.lane.is_late();
        let (baseline, name) = (channel.baseline && channel.lane.following() && !looks_back, channel.id.clone());
        let owned = self.judge(at, message, bytes, step);
        let baseline = baseline && !message.asks_nothing;
        self.seen.insert(&in_channel(&name, id));
        if owned.is_some() {
            self.tally.replayed += 1;
        }
        if let Some(channel) = self.channels.get_mut(at) {
            let was_late = channel.lane.is_late();
            channel.lane.listed(id, owned);
            if channel.lane.is_late() && !was_late {
                self.late(at, step);
            }
        }
        if baseline {
            self.suspect(&name, id, step.now.at);
        }
    }

    /// Whether the list names a newest message that is unknown here: there is something to read, wherever it begins. The one
    /// before the place is newest where the place's own was deleted.
    fn begins_anew(&self, at: usize) -> bool {
        let Some(channel) = self.channels.get(at) else { return false };
        let before = channel.lane.read().before.as_deref();
        let in_lane = |id: &str| channel.lane.holds(id) || before == Some(id);
        let known = |id: &str| in_lane(id) || self.seen.contains(&in_channel(&channel.id, id));
        matches!(&channel.last, Newest::Id(id) if !known(id))
    }

    /// The message that was expected first is not there: history was cut (or that message was deleted). A guild that
    /// answers nothing after a message that is gone is asked for the oldest that it keeps. Where its list says too that
    /// nothing is left, the place stays: what a guild has lost may come back.
    fn cut(&mut self, at: usize, page: &Page, brought: &Brought) {
        let anew = brought.rows == 0 && self.begins_anew(at);
        let Some(channel) = self.channels.get_mut(at) else { return };
        let emptied = brought.rows == 0 && channel.last == Newest::Nothing;
        let was_counted = std::mem::replace(&mut channel.emptied, emptied);
        if was_counted || (brought.rows == 0 && !anew && !emptied) {
            return;
        }
        if anew {
            channel.lane.begin_anew();
            channel.wanted = true;
        }
        let lost = text::Clipped(page.expect.as_deref().unwrap_or(""));
        let detail = format!("{}: what followed message {lost} is not all there any more", channel.name());
        let missing =
            Missing { channel: Some(&page.channel), from: page.expect.as_deref(), to: brought.first.as_deref() };
        self.gap(Gap::HistoryCut, 1, missing, &detail);
    }

    /// A page without a single whole row: a smaller one, and what is too large alone is passed over by its id.
    fn too_large(&mut self, at: usize, page: &Page, got: &Got<'_>) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        if page.limit > 1 {
            channel.limit = page.limit / 2;
            channel.goes_on = channel.limit < 2;
            return;
        }
        match got.first_id.as_deref() {
            Some(id) => {
                channel.goes_on = true;
                self.pass_over(at, id, Gap::Oversize, "larger than a page of history may be");
            }
            None => {
                channel.wanted = false;
                channel.lane.read_to_end();
                channel.lane.broke();
                let detail = "a message is so large that not even its id was found";
                self.gap(Gap::Oversize, 1, Missing::within(&page.channel), detail);
            }
        }
    }
}

/// Whether a page of this channel can be asked for: wanted, room for what it brings, and its join heard. `room`: in the
/// link's window, counted once for all channels; `crowded`: they hold as many ids as they may.
fn readable(channel: &Channel, room: bool, crowded: bool) -> bool {
    match channel.gate {
        Gate::Seeking(_) => true,
        Gate::Storing(_) => false,
        Gate::Open => channel.wanted && channel.joined() && channel.lane.has_room_for_history(crowded) && room,
    }
}

fn join_heard(channel: &Channel, now: Moment) -> bool {
    matches!(channel.gate, Gate::Seeking(_)) || channel.join_settles().is_some_and(|at| at <= now)
}

/// The next page of a channel. It asks after the message *before* the place, and expects the place's own message first: a
/// row a page, and a cut between two pages of one reading is seen, too. A page of one row has no room for that.
fn next_page(channel: &Channel) -> Page {
    let (name, doubts) = (channel.id.clone(), channel.doubts);
    if let Gate::Seeking(seek) = &channel.gate {
        let after = seek.tail.back().cloned();
        return Page { channel: name, after, expect: None, limit: channel.limit, seek: true, oldest: false, doubts };
    }
    if let Some(page) = oldest::page(channel) {
        return page;
    }
    let place = channel.lane.read();
    let limit = channel.limit;
    match (&place.before, &place.id) {
        (Some(before), Some(id)) if limit > 1 => Page {
            channel: name,
            after: Some(before.clone()),
            expect: Some(id.clone()),
            limit,
            seek: false,
            oldest: false,
            doubts,
        },
        (_, id) => Page { channel: name, after: id.clone(), expect: None, limit, seek: false, oldest: false, doubts },
    }
}
