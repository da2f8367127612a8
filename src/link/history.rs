//! The channel list and history: the truth that the socket is a hint of. Resync, first cursors, catch-up, reconcile.

use super::calls::Purpose;
use super::channel::{Channel, Gate, Seek};
use super::{Link, State, refused_call, unreadable};
use crate::budget;
use crate::call::{Answer, Got};
use crate::dialect::{ChannelRow, Incoming, Newest, Request, Row};
use crate::journal::Record;
use crate::lane::Place;
use crate::moment::{Moment, sooner};
use crate::reason::{Reason, Why};
use crate::step::Step;
use crate::text;

/// Rest after a read or a list that failed, doubled from the first to the last.
const FAILED_MS: std::ops::RangeInclusive<u64> = 2_000..=60_000;
/// Reads of a channel that failed in a row, after which what the socket brings is given on all the same.
const FOLLOW_ANYWAY: u32 = 2;

/// A page of a channel's history that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The channel.
    pub channel: String,
    /// After which message.
    pub after: Option<String>,
    /// The message that is expected first: where it is not, history was cut.
    pub expect: Option<String>,
    /// Rows asked for.
    pub limit: usize,
    /// It looks for a first cursor.
    pub seek: bool,
}

/// Reading of history: one page at a time.
#[derive(Default)]
pub struct Reading {
    /// A page is under way or held.
    busy: bool,
    /// No page before this.
    not_before: Option<Moment>,
    /// `not_before` is when the guild can be believed to have heard a join: an answer ends the wait.
    for_a_join: bool,
    /// The channel read last: the next one goes first.
    turn: usize,
    /// Lists and pages that failed in a row.
    failures: u32,
}

impl Reading {
    /// The connection is gone.
    pub fn forget(&mut self) {
        *self = Self { turn: self.turn, ..Self::default() };
    }

    /// A join was answered.
    pub fn join_answered(&mut self) {
        if std::mem::take(&mut self.for_a_join) {
            self.not_before = None;
        }
    }
}

/// What one page brought.
#[derive(Default)]
struct Brought {
    rows: usize,
    passed: usize,
    full: bool,
    expected_seen: bool,
}

impl Link {
    /// Gives the link the places that the journal kept.
    pub fn remember(&mut self, channel: String, place: Place) {
        self.parked.insert(channel, place);
    }

    /// A message whose turn ended in an earlier life.
    pub fn remember_done(&mut self, channel: &str, message: &str) {
        self.seen.insert(message);
        self.done_before.entry(channel.to_owned()).or_default().push(message.to_owned());
    }

    pub(super) fn listing(&self) -> bool {
        self.calls.any(|purpose| *purpose == Purpose::Channels)
    }

    /// Asks for the channel list.
    pub(super) fn list(&mut self, step: &mut Step<'_>) {
        if !self.listing() {
            self.call(Purpose::Channels, false, step);
        }
    }

    pub(super) fn request(&self, purpose: &Purpose) -> Option<Request> {
        Some(match purpose {
            Purpose::Handshake | Purpose::Bearer => return None,
            Purpose::Channels => self.dialect.channels(),
            Purpose::History(page) => self.dialect.history(&page.channel, page.after.as_deref(), page.limit),
            Purpose::LookUp { channel, after, .. } => {
                self.dialect.history(channel, after.as_deref(), budget::HISTORY_LIMIT)
            }
            Purpose::Post(key) => {
                let item = self.outbox.items().find(|item| item.key == *key)?;
                self.dialect.post(&item.channel, &item.text, item.reply_to.as_deref(), key)
            }
            Purpose::Attachment { id, path, max_bytes, .. } => {
                super::calls::into_file(self.dialect.attachment(id), path.clone(), *max_bytes)
            }
        })
    }

    // --- the list --------------------------------------------------------------------------------------------

    pub(super) fn channels_answered(&mut self, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
        let got = match checked("the channel list", answer) {
            Ok(got) => got,
            Err((why, wait_ms)) => return self.list_failed(why, wait_ms, step),
        };
        let mut rows = Vec::new();
        let mut odd = 0;
        let whole = self.dialect.channel_rows(got.body, &mut |row| match row {
            Ok(row) => rows.push(row),
            Err(_) => odd += 1,
        });
        if !whole && !got.cut {
            return self.list_failed(unreadable(&got, "the channel list is not a JSON array"), None, step);
        }
        if odd > 0 || got.cut {
            self.gap("channels_unread", odd.max(1), "rows of the channel list could not be read");
        }
        self.history.failures = 0;
        self.listed = rows.len();
        self.resync(rows, whole, step);
        self.list_date_ms = got.date_ms;
        self.listed_once = true;
        self.compare(sent, step);
    }

    fn list_failed(&mut self, why: Why, wait_ms: Option<u64>, step: &mut Step<'_>) {
        let rest = self.failure_rest(wait_ms);
        log::warn!("{}: {}: {why}; asked again in {} s", self.seat.agent.name, self.seat.guild.name, rest / 1000);
        self.why = Some(why);
        if let State::Up(live) = &mut self.state {
            live.list_at = step.now.at.after_ms(rest);
        }
        for channel in &mut self.channels {
            channel.failures += 1;
            channel.wanted = channel.wanted || !channel.baseline;
            if channel.failures >= FOLLOW_ANYWAY && channel.joined() {
                channel.lane.follow_anyway();
            }
        }
    }

    fn failure_rest(&mut self, wait_ms: Option<u64>) -> u64 {
        let rest = (FAILED_MS.start() << self.history.failures.min(5)).min(*FAILED_MS.end());
        self.history.failures = self.history.failures.saturating_add(1);
        wait_ms.map_or(rest, |ms| ms.clamp(*budget::RETRY_AFTER_MS.start(), *budget::RETRY_AFTER_MS.end()))
    }

    /// Takes over what the list says: new channels come, others go.
    fn resync(&mut self, rows: Vec<ChannelRow>, whole: bool, step: &mut Step<'_>) {
        let (mut came, mut left) = (0_u64, 0_u64);
        if whole {
            let listed = |channel: &Channel| rows.iter().any(|row| row.id == channel.row.id);
            let (stay, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.channels).into_iter().partition(listed);
            self.channels = stay;
            for channel in gone {
                left += 1;
                self.parked.insert(channel.row.id.clone(), channel.lane.cursor().clone());
            }
        }
        for row in rows {
            match self.channels.iter_mut().find(|channel| channel.row.id == row.id) {
                Some(channel) => {
                    channel.conv.name.clone_from(&row.name);
                    channel.conv.kind = row.kind;
                    channel.row = row;
                }
                None => came += u64::from(self.admit(row, step)),
            }
        }
        if self.listed_once && (came > 0 || left > 0) {
            log::info!("{}: channel resync +{came} -{left}", self.seat.agent.name);
        }
    }

    /// A channel that was not in the list before: from its kept place, or its first cursor is found and written.
    fn admit(&mut self, row: ChannelRow, step: &mut Step<'_>) -> bool {
        if !self.has_room_for_channels() {
            self.gap("channels_over", 1, "the guild lists more channels than are joined");
            return false;
        }
        let guild = self.seat.guild.name.clone();
        let mut channel = if let Some(place) = self.parked.remove(&row.id) {
            Channel::new(&guild, row, place, Gate::Open)
        } else {
            let later_than_ms = if self.listed_once { self.list_date_ms } else { None };
            let keep = self.seat.agent.backfill as usize;
            match (self.listed_once, row.last.clone()) {
                (true, _) if later_than_ms.is_none() => Channel::new(&guild, row, Place::default(), Gate::Open),
                (_, Newest::Nothing) => Channel::new(&guild, row, Place::default(), Gate::Open),
                (false, Newest::Id(id)) if keep == 0 => {
                    Channel::new(&guild, row, Place { before: None, id: Some(id) }, Gate::Open)
                }
                _ => {
                    let keep = if self.listed_once { 0 } else { keep };
                    let seek = Seek { keep, later_than_ms, ..Seek::default() };
                    Channel::new(&guild, row, Place::default(), Gate::Seeking(seek))
                }
            }
        };
        if matches!(channel.gate, Gate::Open) {
            let stored = self.keep_cursor(&channel, step);
            channel.gate = Gate::Storing(stored);
        }
        self.channels.push(channel);
        true
    }

    fn keep_cursor(&self, channel: &Channel, step: &mut Step<'_>) -> u64 {
        let place = channel.lane.cursor();
        let at_ms = step.now.wall_ms;
        step.record(Record::Cursor {
            link: self.name(),
            channel: channel.row.id.clone(),
            before: place.before.clone(),
            id: place.id.clone(),
            at_ms,
        })
    }

    /// Cursors that moved since they were last written.
    pub fn keep_moved_cursors(&mut self, step: &mut Step<'_>) {
        for at in 0..self.channels.len() {
            let Some(channel) = self.channels.get_mut(at) else { return };
            if channel.lane.take_moved() && !matches!(channel.gate, Gate::Seeking(_)) {
                if let Some(channel) = self.channels.get(at) {
                    self.keep_cursor(channel, step);
                }
            }
        }
    }

    /// The journal is written as far as this: channels whose first cursor is in it may be joined.
    pub fn stored(&mut self, upto: u64, step: &mut Step<'_>) {
        let now = step.now.at;
        self.stored_upto = upto;
        for channel in &mut self.channels {
            if matches!(channel.gate, Gate::Storing(seq) if seq <= upto) {
                channel.gate = Gate::Open;
                channel.join_from(now);
            }
        }
        self.settle(step);
    }

    /// After a list: what has to be read, and when the next list is due.
    fn compare(&mut self, sent: Moment, step: &mut Step<'_>) {
        let now = step.now.at;
        for channel in &mut self.channels {
            let settled = channel.join_settles().is_some_and(|at| at <= sent);
            let known = match &channel.row.last {
                Newest::Unsaid => false,
                Newest::Nothing => true,
                Newest::Id(id) => channel.lane.holds(id),
            };
            if !known || channel.baseline {
                channel.wanted = channel.wanted || !known || channel.lane.unsettled();
            } else if settled && channel.lane.read().id.as_deref() == newest(&channel.row) {
                // history has nothing that is unknown here: what comes from now on has to come by the socket
                channel.baseline = true;
                channel.wanted = channel.lane.read_to_end().again;
                self.done_before.remove(&channel.row.id);
            } else if settled {
                channel.wanted = true;
            }
        }
        let live = self.is_live();
        let waits = self.channels.iter().any(Channel::waits_for_list);
        let next = match (waits, live) {
            (true, _) => 500,
            (false, true) => self.seat.timing.reconcile_ms,
            (false, false) => self.seat.timing.unproven_ms,
        };
        if let State::Up(live) = &mut self.state {
            live.list_at = now.after_ms(next.max(100));
        }
    }

    // --- pages -----------------------------------------------------------------------------------------------

    pub(super) fn read_deadline(&self) -> Option<Moment> {
        let wanted = !self.history.busy && self.channels.iter().any(|channel| self.readable(channel));
        self.history.not_before.filter(|_| wanted)
    }

    /// Whether a page of this channel can be asked for: wanted, room for what it brings, and its join heard.
    fn readable(&self, channel: &Channel) -> bool {
        match channel.gate {
            Gate::Seeking(_) => true,
            Gate::Storing(_) => false,
            Gate::Open => channel.wanted && channel.joined() && channel.lane.has_room() && self.has_room(),
        }
    }

    /// Room in the window for what history or the socket brings.
    pub(super) fn has_room(&self) -> bool {
        self.window_holds_less_than(1)
    }

    /// Room for what cannot be given before history was read: half of the window stays free for that reading.
    pub(super) fn has_room_to_hold(&self) -> bool {
        self.window_holds_less_than(2)
    }

    fn window_holds_less_than(&self, part: usize) -> bool {
        let (messages, bytes) = self.channels.iter().fold((0, 0), |(messages, bytes), channel| {
            (messages + channel.lane.waiting(), bytes + channel.lane.waiting_bytes())
        });
        messages < budget::WINDOW_MESSAGES / part && bytes < budget::WINDOW_BYTES / part
    }

    /// Asks for the next page, if one is due.
    pub(super) fn read_on(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        let due = self.history.not_before.is_none_or(|at| at <= now);
        if self.history.busy || !due || !matches!(self.state, State::Up(_)) {
            return;
        }
        let count = self.channels.len();
        let first = self.history.turn;
        let Some(at) = (0..count).map(|n| (first + n) % count).find(|at| {
            self.channels.get(*at).is_some_and(|channel| self.readable(channel) && join_heard(channel, now))
        }) else {
            return self.wait_for_joins(now);
        };
        let Some(channel) = self.channels.get(at) else { return };
        let page = next_page(channel);
        let gently = channel.lane.following() || channel.row.last == Newest::Unsaid;
        self.history.turn = at;
        self.history.busy = true;
        self.history.for_a_join = false;
        self.history.not_before = gently.then(|| now.after_ms(1_000 / budget::HISTORY_CALLS_PER_S));
        self.call(Purpose::History(page), false, step);
    }

    /// Nothing can be read now, but something can once a join has been heard.
    fn wait_for_joins(&mut self, now: Moment) {
        let waits = self.channels.iter().filter(|channel| self.readable(channel));
        let soonest = waits.fold(None, |soonest, channel| sooner(soonest, channel.join_settles()));
        self.history.not_before = soonest.filter(|at| *at > now);
        self.history.for_a_join = self.history.not_before.is_some();
    }

    pub(super) fn history_answered(&mut self, page: Page, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
        self.history.busy = false;
        let Some(at) = self.channels.iter().position(|channel| channel.row.id == page.channel) else { return };
        let unknown_place = matches!(&answer, Answer::Got(got) if matches!(got.status, 400 | 404 | 410));
        let got = match checked("history", answer) {
            Ok(got) => got,
            Err(_) if unknown_place && page.expect.is_some() && self.begins_anew(at) => {
                return self.cut(at, &page, &Brought::default());
            }
            Err((why, wait_ms)) => return self.page_failed(at, why, wait_ms, step),
        };
        self.history.failures = 0;
        let dialect = std::rc::Rc::clone(&self.dialect);
        let mut brought = Brought::default();
        let whole = dialect.history_rows(got.body, &mut |row| self.row(at, &page, row, &mut brought, step));
        if !whole && !got.cut {
            return self.page_failed(at, unreadable(&got, "history is not a JSON array"), None, step);
        }
        if page.seek {
            return self.sought(at, &page, &brought, &got, step);
        }
        if got.cut && brought.passed == 0 {
            return self.too_large(at, &page, &got);
        }
        let Some(channel) = self.channels.get_mut(at) else { return };
        channel.failures = 0;
        let mut cut = page.expect.is_some() && !brought.expected_seen && !brought.full;
        if cut {
            self.cut(at, &page, &brought);
            if brought.rows == 0 && self.begins_anew(at) {
                return;
            }
        }
        let Some(channel) = self.channels.get_mut(at) else { return };
        channel.goes_on = brought.passed > 0;
        channel.from_start |= page.after.is_none();
        if got.cut {
            channel.limit = (page.limit / 2).max(1);
        } else if brought.full {
            channel.wanted = true;
        } else if brought.rows < page.limit || brought.passed == 0 {
            let end = channel.lane.read_to_end();
            let forgotten = self.done_before.remove(&page.channel).is_some_and(|done| !done.is_empty());
            cut = !cut && (end.unlisted > 0 || (channel.from_start && forgotten));
            channel.from_start = false;
            channel.wanted = end.again;
            channel.goes_on = false;
            channel.limit = budget::HISTORY_LIMIT;
            channel.baseline = channel.baseline || channel.join_settles().is_some_and(|at| at <= sent);
            if cut {
                let detail = format!("{}: what was heard before is not all there any more", channel.row.name);
                self.gap("history_cut", 1, &detail);
            }
        }
    }

    fn page_failed(&mut self, at: usize, why: Why, wait_ms: Option<u64>, step: &mut Step<'_>) {
        let rest = self.failure_rest(wait_ms);
        self.history.not_before = Some(step.now.at.after_ms(rest));
        let Some(channel) = self.channels.get_mut(at) else { return };
        channel.failures += 1;
        channel.goes_on = false;
        if channel.failures >= FOLLOW_ANYWAY && channel.joined() {
            channel.lane.follow_anyway();
        }
        log::warn!("{}: history of {}: {why}", self.seat.agent.name, channel.row.name);
        self.why = Some(why);
    }

    /// One row of a page.
    fn row(&mut self, at: usize, page: &Page, row: Row<'_>, brought: &mut Brought, step: &mut Step<'_>) {
        brought.rows += 1;
        if page.seek {
            return self.seek_row(at, row, brought);
        }
        if brought.full {
            return;
        }
        match row {
            Row::Message(message, bytes) => {
                brought.expected_seen = brought.expected_seen || page.expect.as_deref() == Some(message.id.as_ref());
                if !self.has_room() {
                    brought.full = true;
                    return;
                }
                self.take_from_history(at, &message, bytes, step);
                brought.passed += 1;
            }
            Row::Unreadable(Some(id), malformed) => {
                self.pass_over(at, &id, "unreadable", malformed.0);
                brought.passed += 1;
            }
            Row::Unreadable(None, malformed) => self.gap("unreadable", 1, malformed.0),
        }
    }

    /// A message in history, or in a page that was too large, that cannot be kept.
    fn pass_over(&mut self, at: usize, id: &str, reason: &'static str, detail: &str) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        if channel.lane.listed_known(id) {
            return;
        }
        channel.lane.listed(id, None);
        if self.seen.insert(id) {
            self.gap(reason, 1, &format!("message {}: {detail}", text::Clipped(id)));
        }
    }

    fn take_from_history(&mut self, at: usize, message: &Incoming<'_>, bytes: usize, step: &mut Step<'_>) {
        let id = message.id.as_ref();
        self.confirmed_by_echo(message, step);
        let Some(channel) = self.channels.get_mut(at) else { return };
        if channel.lane.listed_known(id) {
            return;
        }
        if self.seen.contains(id) {
            channel.lane.listed(id, None);
            if let Some(done) = self.done_before.get_mut(&channel.row.id) {
                done.retain(|done| done != id);
            }
            return;
        }
        // a lane that is not followed was flooded: what the socket brought then was not kept
        let (baseline, name) = (channel.baseline && channel.lane.following(), channel.row.id.clone());
        let owned = self.judge(at, message, bytes, step);
        self.seen.insert(id);
        if owned.is_some() {
            self.tally.replayed += 1;
        }
        if let Some(channel) = self.channels.get_mut(at) {
            channel.lane.listed(id, owned);
        }
        if baseline {
            self.suspect(&name, id, step.now.at);
        }
    }

    /// Whether the list names a newest message that is unknown here: there is something to read, wherever it begins.
    fn begins_anew(&self, at: usize) -> bool {
        let Some(channel) = self.channels.get(at) else { return false };
        matches!(&channel.row.last, Newest::Id(id) if !channel.lane.holds(id) && !self.seen.contains(id))
    }

    /// The message that was expected first is not there: history was cut (or that message was deleted). A guild that
    /// answers nothing after a message that is gone is asked for the oldest that it keeps.
    fn cut(&mut self, at: usize, page: &Page, brought: &Brought) {
        let anew = brought.rows == 0 && self.begins_anew(at);
        let Some(channel) = self.channels.get_mut(at) else { return };
        if brought.rows == 0 && !anew {
            return;
        }
        if anew {
            channel.lane.begin_anew();
            channel.wanted = true;
        }
        let lost = text::Clipped(page.expect.as_deref().unwrap_or(""));
        let detail = format!("{}: what followed message {lost} is not all there any more", channel.row.name);
        self.gap("history_cut", 1, &detail);
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
                self.pass_over(at, &id.to_owned(), "oversize", "larger than a page of history may be");
            }
            None => {
                channel.wanted = false;
                channel.lane.read_to_end();
                self.gap("oversize", 1, "a message is so large that not even its id was found");
            }
        }
    }

    // --- first cursors ---------------------------------------------------------------------------------------

    fn seek_row(&mut self, at: usize, row: Row<'_>, brought: &mut Brought) {
        let Some(Gate::Seeking(seek)) = self.channels.get_mut(at).map(|channel| &mut channel.gate) else { return };
        let (id, written) = match &row {
            Row::Message(message, _) => (message.id.to_string(), crate::dialect::fabric::instant(&message.at)),
            Row::Unreadable(Some(id), _) => (id.clone(), None),
            Row::Unreadable(None, _) => return,
        };
        let later = match (seek.later_than_ms, written) {
            (Some(than), Some(written)) => written > than,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if brought.full || later {
            brought.full = true;
            return;
        }
        brought.passed += 1;
        seek.tail.push_back(id);
        if seek.tail.len() > seek.keep + 2 {
            seek.tail.pop_front();
        }
    }

    /// A page of the search for a first cursor was read: on, or the cursor is known.
    fn sought(&mut self, at: usize, page: &Page, brought: &Brought, got: &Got<'_>, step: &mut Step<'_>) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        let Gate::Seeking(seek) = &mut channel.gate else { return };
        seek.pages += 1;
        if got.cut && brought.passed == 0 && !brought.full {
            if page.limit > 1 {
                channel.limit = page.limit / 2;
                return;
            }
            match &got.first_id {
                Some(id) => seek.tail.push_back(id.clone()),
                None => seek.pages = budget::HISTORY_SEEK_PAGES,
            }
        }
        let ended = brought.full || (!got.cut && (brought.rows < page.limit || brought.passed == 0));
        let over = seek.pages >= budget::HISTORY_SEEK_PAGES;
        if !ended && !over {
            return;
        }
        let keep = if seek.later_than_ms.is_some() { 0 } else { seek.keep };
        let place = match seek.tail.len().checked_sub(keep + 1) {
            Some(last) => Place {
                before: last.checked_sub(1).and_then(|before| seek.tail.get(before).cloned()),
                id: seek.tail.get(last).cloned(),
            },
            None => Place::default(),
        };
        channel.lane = crate::lane::Lane::at(place);
        channel.limit = budget::HISTORY_LIMIT;
        channel.wanted = true;
        if over && !ended {
            let name = channel.row.name.clone();
            self.gap(
                "history_long",
                1,
                &format!("{name}: the end of its history was not found in {} pages", budget::HISTORY_SEEK_PAGES),
            );
        }
        let Some(channel) = self.channels.get(at) else { return };
        let stored = self.keep_cursor(channel, step);
        if let Some(channel) = self.channels.get_mut(at) {
            channel.gate = Gate::Storing(stored);
        }
    }
}

fn newest(row: &ChannelRow) -> Option<&str> {
    match &row.last {
        Newest::Id(id) => Some(id),
        Newest::Nothing | Newest::Unsaid => None,
    }
}

fn join_heard(channel: &Channel, now: Moment) -> bool {
    matches!(channel.gate, Gate::Seeking(_)) || channel.join_settles().is_some_and(|at| at <= now)
}

/// The next page of a channel. Behind a page that was just read it simply goes on; else it asks after the message
/// *before* the place, and expects the place's own message first.
fn next_page(channel: &Channel) -> Page {
    let name = channel.row.id.clone();
    if let Gate::Seeking(seek) = &channel.gate {
        let after = seek.tail.back().cloned();
        return Page { channel: name, after, expect: None, limit: channel.limit, seek: true };
    }
    let place = channel.lane.read();
    let limit = channel.limit;
    match (&place.before, &place.id) {
        (Some(before), Some(id)) if !channel.goes_on && limit > 1 => {
            Page { channel: name, after: Some(before.clone()), expect: Some(id.clone()), limit, seek: false }
        }
        (_, id) => Page { channel: name, after: id.clone(), expect: None, limit, seek: false },
    }
}

/// A call's answer, if it is a 2xx; else why not, and how long to wait if that was said.
fn checked<'a>(what: &str, answer: Answer<'a>) -> Result<Got<'a>, (Why, Option<u64>)> {
    match answer {
        Answer::Failed { why, .. } => Err((why, None)),
        Answer::Got(got) if (200..300).contains(&got.status) => Ok(got),
        Answer::Got(got) => {
            let wait_ms = got.retry_after_ms.filter(|_| matches!(got.status, 429 | 503));
            let (mut why, _) = refused_call(what, &got);
            if got.status == 404 {
                why = Why::new(Reason::HttpStatus, format!("{what}: the guild knows no such thing (404)"));
            }
            Err((why, wait_ms))
        }
    }
}
