//! The channel list: resync, where new channels begin, and what the list says has to be read.

use super::answers::{checked, is_array, unreadable};
use super::calls::Purpose;
use super::channel::{Channel, Gate, Seek};
use super::gaps::Missing;
use super::history::FAILED_MS;
use super::live::RELIST_MS;
use super::recall::Recall;
use super::timeline::pin;
use super::{Link, Parked, State};
use crate::budget;
use crate::call::Answer;
use crate::dialect::{ChannelRow, Newest};
use crate::gap::Gap;
use crate::lane::Place;
use crate::moment::Moment;
use crate::reason::{Reason, Why};
use crate::step::Step;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::Rc;

impl Link {
    pub(super) fn listing(&self) -> bool {
        self.calls.any(|purpose| *purpose == Purpose::Channels)
    }

    /// Asks for the channel list.
    pub(super) fn list(&mut self, step: &mut Step<'_>) {
        if !self.listing() {
            self.call(Purpose::Channels, false, step);
        }
    }

    pub(super) fn channels_answered(&mut self, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
        let forbidden = match &answer {
            Answer::Got(got) if got.status == 403 => Some(self.refused_with(got)),
            Answer::Got(_) | Answer::Failed { .. } => None,
        };
        let got = match checked("the channel list", answer) {
            Ok(got) => got,
            Err((why, wait_ms)) => {
                let Some(said) = forbidden else { return self.list_failed(why, wait_ms, step) };
                self.shut_out(step.now.at);
                let why = Why::new(Reason::HttpStatus, format!("the channel list answered {said}"));
                return self.list_failed(why, wait_ms, step);
            }
        };
        if !is_array(&got) {
            return self.list_failed(unreadable(&got, "the channel list is not a JSON array"), None, step);
        }
        let mut rows = Vec::new();
        let mut odd = 0;
        let whole = self.dialect.channel_rows(got.body, &mut |row| match row {
            Ok(row) => rows.push(row),
            Err(_) => odd += 1,
        });
        if !whole && !got.cut {
            return self.list_failed(unreadable(&got, "the channel list breaks off"), None, step);
        }
        if odd > 0 || got.cut {
            self.gap(Gap::ChannelsUnread, odd.max(1), Missing::default(), "rows of the channel list could not be read");
        }
        self.history.failures = 0;
        self.listed = rows.len();
        if !self.listed_once {
            self.list_date_ms = got.date_ms;
        }
        self.resync(rows, whole, step);
        self.let_in(step.now.at);
        self.list_date_ms = got.date_ms;
        self.listed_once = true;
        self.compare(sent, step);
    }

    /// The guild lets us use no channel at all, whatever comes through its socket: nothing counts as proven.
    fn shut_out(&mut self, now: Moment) {
        if self.live_since.take().is_some() {
            self.since = now;
        }
        self.shut_out = true;
        self.channels.iter_mut().for_each(|channel| channel.proven = None);
    }

    /// It lists them: what the list was refused for is over, and channels that it had shut are joined again.
    fn let_in(&mut self, now: Moment) {
        if std::mem::take(&mut self.shut_out) {
            self.channels.iter_mut().for_each(|channel| channel.join_from(now));
        }
        let over = self.list_why.take();
        self.why = self.why.take().filter(|why| over.as_ref() != Some(why));
    }

    pub(super) fn list_failed(&mut self, why: Why, wait_ms: Option<u64>, step: &mut Step<'_>) {
        let rest = self.failure_rest(wait_ms);
        log::warn!("{}: {}: {why}; asked again in {} s", self.seat.agent.name, self.seat.guild.name, rest / 1000);
        self.list_why = Some(why.clone());
        self.why = Some(why);
        if let State::Up(live) = &mut self.state {
            live.list_at = step.now.at.after_ms(rest);
        }
        for channel in &mut self.channels {
            channel.wanted = channel.wanted || !channel.baseline;
            channel.read_failed(step.now.at);
        }
    }

    pub(super) fn failure_rest(&mut self, wait_ms: Option<u64>) -> u64 {
        let timing = &self.seat.timing;
        let period = if self.is_live() { timing.reconcile_ms } else { timing.unproven_ms };
        let longest = (*FAILED_MS.end()).min(period.max(*FAILED_MS.start()));
        let rest = (FAILED_MS.start() << self.history.failures.min(5)).min(longest);
        self.history.failures = self.history.failures.saturating_add(1);
        wait_ms.map_or(rest, |ms| ms.clamp(*budget::RETRY_AFTER_MS.start(), *budget::RETRY_AFTER_MS.end()))
    }

    /// Takes over what the list says: new channels come, others go.
    pub(super) fn resync(&mut self, rows: Vec<ChannelRow>, whole: bool, step: &mut Step<'_>) {
        let (mut came, mut left, mut over) = (0_u64, 0_u64, 0_u64);
        if whole {
            let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            let stay = self.channels.iter().filter(|channel| ids.contains(&*channel.id)).count();
            if stay < self.channels.len() {
                let read = self.channels.get(self.history.turn).map(|channel| channel.id.clone());
                // what doubled, or was made for more, would stay half empty
                for channel in std::mem::replace(&mut self.channels, Vec::with_capacity(stay)) {
                    if ids.contains(&*channel.id) {
                        self.channels.push(channel);
                    } else {
                        left += 1;
                        self.part(channel);
                    }
                }
                let at = self.channels.iter().position(|channel| Some(&channel.id) == read.as_ref());
                self.history.turn = at.unwrap_or(self.history.turn);
            }
        }
        // places of the channels, in the order of their ids
        let mut order = Vec::with_capacity(self.channels.len());
        for (at, channel) in self.channels.iter().enumerate() {
            if let Err(place) = found(&self.channels, &order, &channel.id) {
                order.insert(place, at);
            }
        }
        let mut held: usize = self.channels.iter().map(|channel| channel.bytes()).sum();
        // so would what doubles as they come
        let fresh = rows.iter().filter(|row| found(&self.channels, &order, &row.id).is_err()).count();
        self.channels.reserve_exact(fresh.min(self.seat.share.channels.saturating_sub(self.channels.len())));
        for row in rows {
            let room = self.has_room_for(&row, held);
            match found(&self.channels, &order, &row.id) {
                Ok(place) => {
                    let Some(channel) = order.get(place).and_then(|at| self.channels.get_mut(*at)) else { continue };
                    if channel.conv.name != row.name || channel.conv.kind != row.kind {
                        let conv = Rc::make_mut(&mut channel.conv);
                        conv.name.clone_from(&row.name);
                        conv.kind = row.kind;
                    }
                    channel.last = row.last;
                }
                Err(place) if room => {
                    order.insert(place, self.channels.len());
                    held += Channel::bytes_of(&row);
                    self.admit(row, step);
                    came += 1;
                }
                Err(_) => over += 1,
            }
        }
        if over > self.channels_over {
            let most = self.seat.share.channels;
            let detail = format!("the guild lists more channels than may be joined, {most}: raise limits.channels");
            self.gap(Gap::ChannelsOver, over - self.channels_over, Missing::default(), &detail);
        }
        self.channels_over = over;
        self.forget_places();
        if let State::Up(live) = &mut self.state {
            if self.listed_once && came > 0 {
                // a guild may list other channels each time
                live.list_rests_until = step.now.at.after_ms(RELIST_MS);
            }
        }
        if self.listed_once && (came > 0 || left > 0) {
            log::info!("{}: channel resync +{came} -{left}", self.seat.agent.name);
        }
    }

    /// A channel is not in the list any more: its place is kept, or that it had none yet.
    fn part(&mut self, mut channel: Channel) {
        let trusted = channel.lane.part();
        let gone = channel.lane.let_go();
        self.gone(&channel.id, gone);
        let place = (!matches!(channel.gate, Gate::Seeking(_))).then(|| channel.lane.cursor().clone());
        self.parked.insert(channel.id.to_string(), Parked { place, trusted });
    }

    /// A channel that was not in the list before: from its kept place, or its first cursor is found and written.
    pub(super) fn admit(&mut self, row: ChannelRow, step: &mut Step<'_>) {
        let guild = self.guild_name.clone();
        let parked = self.parked.remove(&row.id);
        // it is no new channel: what it has was not all said since the last list
        let unplaced = parked.as_ref().is_some_and(|parked| parked.place.is_none());
        let (place, trusted) = parked.map_or((None, None), |parked| (parked.place, parked.trusted));
        let mut channel = if let Some(place) = place {
            let mut channel = Channel::new(&guild, row, place, Gate::Open);
            channel.lane.came_back(trusted);
            channel
        } else {
            // a `Date` is cut to the second: in the first list's own second, what was said is old
            let cut_ms = if self.listed_once { 0 } else { 999 };
            let later_than_ms = self.list_date_ms.map(|date| date + cut_ms);
            let keep = self.seat.agent.backfill as usize;
            // what the journal lost may have been the place of any channel of the first list
            let recall = (self.lost_places && !self.listed_once).then(Recall::default);
            if let Some(place) = self.first_place(&row.last, later_than_ms) {
                let mut channel = Channel::new(&guild, row, place, Gate::Open);
                pin(&mut channel, &*self.dialect);
                self.keep_cursor(&channel, step);
                channel.gate = Gate::Storing(step.awaited());
                self.channels.push(channel);
                return;
            }
            match (self.listed_once, row.last.clone()) {
                (true, _) if later_than_ms.is_none() && !unplaced => {
                    Channel::new(&guild, row, Place::default(), Gate::Open)
                }
                (_, Newest::Nothing) => Channel::new(&guild, row, Place::default(), Gate::Open),
                (false, Newest::Id(id)) if keep == 0 && recall.is_some() => {
                    let seek = Seek { until: Some(id), recall, ..Seek::default() };
                    Channel::new(&guild, row, Place::default(), Gate::Seeking(Box::new(seek)))
                }
                (false, Newest::Id(id)) if keep == 0 => {
                    Channel::new(&guild, row, Place { before: None, id: Some(id) }, Gate::Open)
                }
                _ => {
                    let keep = if self.listed_once { 0 } else { keep };
                    let undated_is_later = self.listed_once && !unplaced;
                    let seek = Seek { keep, later_than_ms, undated_is_later, recall, ..Seek::default() };
                    Channel::new(&guild, row, Place::default(), Gate::Seeking(Box::new(seek)))
                }
            }
        };
        pin(&mut channel, &*self.dialect);
        if matches!(channel.gate, Gate::Open) {
            self.keep_cursor(&channel, step);
            channel.gate = Gate::Storing(step.awaited());
        }
        self.channels.push(channel);
    }

    /// A guild that lists other channels each time leaves no more places behind than are kept, and no more ids of what was done
    /// there than one lane holds: those of this life are in `seen` as well, and what is behind a place is given again rather
    /// than lost.
    fn forget_places(&mut self) {
        let over = self.parked.len().saturating_sub(self.seat.share.channels);
        for _ in 0..over {
            let Some((channel, _)) = self.parked.pop_first() else { break };
            self.done_before.remove(&channel);
            self.open_before.remove(&channel);
        }
        let mut held: usize = self.done_before.values().map(Vec::len).sum();
        for channel in self.parked.keys() {
            if held <= 2 * budget::CHANNEL_ENTRIES {
                break;
            }
            held -= self.done_before.remove(channel).map_or(0, |done| done.len());
        }
        if over > 0 {
            let detail = "so many channels left the list that the places of some are not kept";
            self.gap(Gap::PlacesForgotten, over as u64, Missing::default(), detail);
        }
    }

    /// After a list: what has to be read, and when the next list is due.
    pub(super) fn compare(&mut self, sent: Moment, step: &mut Step<'_>) {
        let now = step.now.at;
        let mut lost = Vec::new();
        for at in 0..self.channels.len() {
            let Some(channel) = self.channels.get(at) else { break };
            let settled = channel.join_settles().is_some_and(|at| at <= sent);
            let (known, read_up) = (self.is_known(channel), self.is_read_up(channel));
            let Some(channel) = self.channels.get_mut(at) else { break };
            if !known || channel.baseline {
                channel.wanted = channel.wanted || !known || channel.lane.unsettled();
            } else if settled && read_up {
                // history has nothing that is unknown here: what comes from now on has to come by the socket
                channel.baseline = true;
                let end = channel.lane.read_to_end();
                channel.lane.read_whole();
                channel.wanted = end.again;
                if end.lost {
                    lost.push(channel.id.clone());
                }
                self.done_before.remove(&*channel.id);
            } else if settled {
                channel.wanted = true;
            }
        }
        for channel in lost {
            self.gap(
                Gap::HistoryCut,
                1,
                Missing::within(&channel),
                "what was heard and found no room is not there any more",
            );
        }
        let live = self.is_live();
        let waits = self.channels.iter().any(Channel::waits_for_list);
        let next = match (waits, live) {
            (true, _) => 500,
            (false, true) if !self.in_doubt() => self.seat.timing.reconcile_ms,
            (false, true | false) => self.seat.timing.unproven_ms.min(self.seat.timing.reconcile_ms),
        };
        if let State::Up(live) = &mut self.state {
            live.list_at = now.after_ms(next.max(100));
        }
    }
}

/// Where in the order of ids a channel stands, or would stand. By hand: another map was 3 kB of a router's flash.
fn found(channels: &[Channel], order: &[usize], id: &str) -> Result<usize, usize> {
    order.binary_search_by(|at| channels.get(*at).map_or(Ordering::Less, |channel| (*channel.id).cmp(id)))
}
