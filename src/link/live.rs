//! The connection after CONNECT was answered: joins, proof, misses, and what follows from being deaf.

use super::channel::{Channel, Gate};
use super::hold::Hold;
use super::{Cable, DEAF_SESSIONS, Link, State, in_channel};
use crate::backoff::{Class, Outcome};
use crate::budget;
use crate::codec::socket::Event;
use crate::dialect::{ChannelRow, Heard, JoinAnswer};
use crate::lane::Lane;
use crate::moment::{Moment, sooner};
use crate::reason::{Reason, Why};
use crate::ring::Window;
use crate::step::Step;

/// What history shows first has so long to come by the socket too.
const MISS_MS: u64 = 5_000;
/// Messages at once that the socket may still bring.
const SUSPECTS: usize = 64;
/// A list that is said to be another one now, or that brought new channels, is asked for again so soon: either may come many
/// times.
pub const RELIST_MS: u64 = 500;

/// What belongs to one connection.
pub struct Live {
    /// The session and what waits to be sent.
    pub cable: Cable,
    /// When CONNECT was answered.
    pub since: Moment,
    /// When the token that was offered ends.
    pub token_end: Moment,
    /// A channel was proven on this connection.
    pub was_proven: bool,
    /// A message was missed on this connection.
    pub missed: bool,
    /// When the channel list is asked for next.
    pub list_at: Moment,
    /// A list that brought new channels was the last: the next one, which they wait for, is not asked for before this.
    pub list_rests_until: Moment,
    /// Connected without a miss until then clears the record.
    stable_at: Option<Moment>,
    /// Deaf or denied everywhere, and staying for history's sake: when the next attempt begins.
    pub retry_at: Option<Moment>,
    /// When the session is to be kept alive next.
    keepalive_at: Option<Moment>,
    /// All channels were joined by one event.
    pub joined_all: bool,
    /// `joined N channel(s)` was said.
    joins_told: bool,
    suspects: Vec<Suspect>,
    brought: Window,
    /// Whether the socket is read.
    pub(super) hold: Hold,
}

struct Suspect {
    channel: String,
    message: String,
    due: Moment,
}

impl Link {
    /// CONNECT was answered. That proves nothing: now it is joined, and looked for proof.
    pub(super) fn connected(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        let (cable, token_end) = match std::mem::replace(&mut self.state, State::Closed) {
            State::Greeting { wire, token_end, .. } => (wire, token_end),
            other => {
                self.state = other;
                return;
            }
        };
        let known = self.channels.iter().any(|channel| matches!(channel.gate, Gate::Open));
        let deaf = self.deaf_sessions >= DEAF_SESSIONS;
        let retry_at = deaf.then(|| self.next_attempt(step));
        let live = Live {
            cable,
            since: now,
            token_end,
            was_proven: false,
            missed: false,
            list_at: if known { now.after_ms(500) } else { now },
            list_rests_until: now,
            stable_at: Some(now.after_ms(self.seat.timing.stable_ms)),
            retry_at,
            keepalive_at: self.dialect.keepalive().map(|(_, period_ms)| now.after_ms(period_ms)),
            joined_all: false,
            joins_told: false,
            suspects: Vec::new(),
            brought: Window::new(budget::BROUGHT_IDS),
            hold: Hold::default(),
        };
        self.enter(State::Up(Box::new(live)), now);
        for channel in &mut self.channels {
            channel.join_from(now);
        }
        self.forget_past_failures();
        self.count_strangers(now);
        self.outbox.wake(now);
    }

    /// What ended an earlier connection is over; that it was deaf or denied may go on.
    fn forget_past_failures(&mut self) {
        let goes_on = |why: &Why| matches!(why.reason, Reason::DeafHistory | Reason::AuthDeniedChannel);
        self.why = self.why.take().filter(goes_on);
    }

    /// The next attempt of a link that stays connected though it hears nothing.
    fn next_attempt(&mut self, step: &mut Step<'_>) -> Moment {
        step.now.at.after(self.backoff.rest_after(Outcome::Failed(Class::Network), step.rng))
    }

    /// Sends joins that are due, while the wire is idle.
    pub(super) fn joins(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        self.join_all(step);
        let joins_each = self.kept_join().is_none();
        let State::Up(live) = &mut self.state else { return };
        while joins_each && live.cable.frames.is_empty() {
            let Some(channel) = self.channels.iter_mut().find(|channel| channel.join_due(now)) else { break };
            let mut frames = Vec::new();
            let ack = live.cable.session.emit(&self.dialect.join(&channel.id), &mut frames);
            live.cable.frames.extend(frames);
            channel.join_sent(ack, now);
        }
        let joined = self.channels.iter().filter(|channel| channel.joined()).count();
        let all = self.channels.iter().all(|channel| channel.joined());
        if !live.joins_told && all && joined > 0 {
            live.joins_told = true;
            log::info!("{}: joined {joined} channel(s) on {}", self.seat.agent.name, self.seat.guild.name);
        }
    }

    /// A join was answered.
    pub(super) fn join_ack(&mut self, ack: u32, args: &str, step: &mut Step<'_>) {
        let now = step.now.at;
        if self.kept_join().is_some() {
            return self.all_joined(ack, args, step);
        }
        let Some(at) = self.channels.iter().position(|channel| channel.asked_under(ack)) else { return };
        let Some(channel) = self.channels.get_mut(at) else { return };
        match self.dialect.join_answer(args) {
            JoinAnswer::Joined => {
                channel.prove(now);
                self.proven(false, step);
            }
            JoinAnswer::Denied(why) => self.denied(at, &why, step),
            JoinAnswer::Unclear => channel.join_answered(),
        }
        self.history.join_answered();
        self.list_when_joins_settle(now);
    }

    /// An event.
    pub(super) fn event(&mut self, event: &Event<'_>, step: &mut Step<'_>) {
        match self.dialect.event(event) {
            Heard::Message(message, bytes) => {
                self.tally.last_event = Some(step.now.wall_ms);
                self.brought(&message.channel, &message.id, step);
                self.take_from_socket(&message, bytes, step);
            }
            Heard::Unreadable(malformed) => {
                self.why = Some(Why::new(Reason::NetProtocol, malformed.0));
                self.tally.malformed += 1;
                self.broke();
                // the first, the second, the fourth … are said; all are counted
                let count = self.tally.malformed;
                if count.is_power_of_two() {
                    log::warn!("{}: {}: {malformed} ({count} so far)", self.seat.agent.name, Reason::NetProtocol);
                }
            }
            Heard::Denied(channel, why) => {
                let named = |at: &Channel| channel.as_ref().is_none_or(|id| at.is(id));
                let open = |at: &&Channel| at.joined() && at.proven.is_none() && !at.denied();
                let denied: Vec<usize> = (0..self.channels.len())
                    .filter(|at| self.channels.get(*at).filter(open).is_some_and(named))
                    .collect();
                for at in denied {
                    self.denied(at, &why, step);
                }
            }
            Heard::Echo { channel, author } => {
                let at = self.channels.iter_mut().find(|at| at.is(&channel) && author == self.seat.agent.id);
                if let Some(channel) = at {
                    channel.prove(step.now.at);
                    self.proven(false, step);
                }
            }
            Heard::Relist => {
                if let State::Up(live) = &mut self.state {
                    live.list_at = live.list_at.min(step.now.at.after_ms(RELIST_MS));
                }
            }
            Heard::Other => {}
        }
    }

    /// The socket brought a message: the strongest proof there is. It ends being deaf.
    fn brought(&mut self, channel: &str, id: &str, step: &mut Step<'_>) {
        let now = step.now.at;
        let State::Up(live) = &mut self.state else { return };
        live.brought.insert(&in_channel(channel, id));
        live.suspects.retain(|suspect| suspect.message != id || suspect.channel != channel);
        if let Some(channel) = self.channels.iter_mut().find(|at| at.is(channel)) {
            channel.misses = 0;
            channel.prove(now);
            self.proven(true, step);
        }
    }

    /// Something proved a channel. An ack proves, but it does not end being deaf: only the socket's messages do.
    fn proven(&mut self, by_message: bool, step: &mut Step<'_>) {
        let now = step.now.at;
        self.tally.last_proof = Some(step.now.wall_ms);
        if by_message {
            self.deaf_sessions = 0;
        }
        let State::Up(live) = &mut self.state else { return };
        if by_message {
            live.retry_at = None;
        }
        live.was_proven = true;
        if self.deaf_sessions > 0 {
            return;
        }
        self.backoff.clear();
        let alone = || self.channels.iter().filter(|channel| channel.proven.is_some()).count() == 1;
        if self.live_since.is_none() && alone() {
            self.live_since = Some(now);
            self.why = None;
            self.since = now;
        }
    }

    fn denied(&mut self, at: usize, why: &str, step: &mut Step<'_>) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        channel.deny();
        let (agent, name) = (&self.seat.agent.name, channel.name().to_string());
        log::warn!("{agent}: {}: {name} on {}: {why}", Reason::AuthDeniedChannel, self.seat.guild.name);
        self.why = Some(Why::new(Reason::AuthDeniedChannel, format!("{name}: {why}")));
        let all = self.channels.iter().all(|channel| channel.denied());
        if all && matches!(&self.state, State::Up(live) if live.retry_at.is_none()) {
            // history is read meanwhile; a fresh token may be let in
            let until = self.next_attempt(step);
            if let State::Up(live) = &mut self.state {
                live.retry_at = Some(until);
            }
        }
    }

    /// The list is asked for as soon as the guild can have heard every join.
    pub(super) fn list_when_joins_settle(&mut self, now: Moment) {
        let waits = self.channels.iter().any(Channel::waits_for_list);
        let settled = self.channels.iter().all(|channel| channel.join_settles().is_some_and(|at| at <= now));
        if let State::Up(live) = &mut self.state {
            if waits && settled {
                live.list_at = live.list_at.min(now.max(live.list_rests_until));
            }
        }
    }

    /// History shows a message that should have come by the socket: it has a few seconds left to do so.
    pub(super) fn suspect(&mut self, channel: &str, message: &str, now: Moment) {
        let State::Up(live) = &mut self.state else { return };
        if !live.brought.contains(&in_channel(channel, message)) && live.suspects.len() < SUSPECTS {
            let due = now.after_ms(MISS_MS);
            live.suspects.push(Suspect { channel: channel.to_owned(), message: message.to_owned(), due });
        }
    }

    /// The socket was not read for so long: what it has to bring has so much more time.
    pub(super) fn excuse(&mut self, ms: u64) {
        let State::Up(live) = &mut self.state else { return };
        live.suspects.iter_mut().for_each(|suspect| suspect.due = suspect.due.after_ms(ms));
    }

    /// What it is in doubt of: history shows a message that the socket has not brought, and has a few seconds left to bring.
    pub(super) fn doubt_in_words(&self) -> Option<Why> {
        let State::Up(live) = &self.state else { return None };
        let suspect = live.suspects.first()?;
        let channel = self.channels.iter().find(|channel| channel.is(&suspect.channel))?;
        let what = format!("{}: history shows what the socket has not brought yet", channel.name());
        Some(Why::new(Reason::DeafHistory, what))
    }

    pub(super) fn live_deadline(&self, live: &Live) -> Option<Moment> {
        // a join that waits for the frame before it is due when that has gone, not now
        let idle = live.cable.frames.is_empty();
        let waits = self.channels.iter().filter(|_| idle && !self.join_waits(live));
        let joins = waits.fold(None, |soonest, channel| sooner(soonest, channel.deadline()));
        let suspects = live.suspects.iter().filter(|_| !live.hold.is_on()).map(|suspect| suspect.due).min();
        let suspects = sooner(suspects, live.hold.deadline());
        let soonest = sooner(sooner(live.cable.session.deadline(), joins), sooner(suspects, live.stable_at));
        let list = if self.listing() { None } else { Some(live.list_at) };
        let renew = sooner(self.renew_at(), live.keepalive_at);
        let soonest = sooner(soonest, sooner(renew, self.write_deadline().filter(|_| live.cable.is_idle())));
        sooner(sooner(soonest, live.retry_at), sooner(list, self.read_deadline()))
    }

    pub(super) fn live_timers(&mut self, step: &mut Step<'_>) {
        let (now, renew_at) = (step.now.at, self.renew_at());
        let State::Up(live) = &mut self.state else { return };
        if renew_at.is_some_and(|at| at <= now) {
            let why = Why::new(Reason::AuthExpired, "the token nears its end");
            return self.end_attempt(why, Outcome::Expired, step);
        }
        if live.keepalive_at.is_some_and(|at| at <= now) {
            live.keepalive_at = None;
            if let Some((event, period_ms)) = self.dialect.keepalive() {
                let mut frames = Vec::new();
                live.cable.session.tell(event, &mut frames);
                live.cable.frames.extend(frames);
                live.keepalive_at = Some(now.after_ms(period_ms));
            }
        }
        if live.retry_at.is_some_and(|at| at <= now) {
            self.hang_up(step);
            self.begin_attempt(step);
            return;
        }
        if live.stable_at.is_some_and(|at| at <= now) {
            live.stable_at = None;
            if !live.missed && self.deaf_sessions == 0 {
                self.backoff.clear();
                self.forget_past_failures();
            }
            return self.live_timers(step);
        }
        let mut missed = Vec::new();
        live.suspects.retain(|suspect| {
            let due = suspect.due <= now && !live.hold.is_on();
            if due && !missed.contains(&suspect.channel) {
                missed.push(suspect.channel.clone());
            }
            !due
        });
        let list_due = live.list_at <= now;
        for channel in missed {
            self.missed(&channel, step);
        }
        if list_due && matches!(self.state, State::Up(_)) {
            self.list(step);
        }
    }

    /// The socket brought something that could not be read.
    pub(super) fn broke(&mut self) {
        self.channels.iter_mut().for_each(|channel| channel.lane.broke());
    }

    /// What was taken from the socket alone may have gaps: what history is not read over again is counted.
    pub(super) fn doubt_what_was_trusted(&mut self) {
        for at in 0..self.channels.len() {
            self.count_doubted(at, Lane::doubt_trusted);
        }
    }

    /// The socket did not bring what history shows. First: join again. Second: deaf.
    fn missed(&mut self, channel: &str, step: &mut Step<'_>) {
        let now = step.now.at;
        self.doubt_what_was_trusted();
        let State::Up(live) = &mut self.state else { return };
        live.missed = true;
        let Some(channel) = self.channels.iter_mut().find(|at| at.is(channel)) else { return };
        // a channel that was denied is no news: it is asked for again, and heard through history meanwhile
        if !channel.denied() {
            channel.misses = channel.misses.saturating_add(1);
        }
        channel.proven = None;
        self.live_since = None;
        let name = channel.name().to_string();
        if channel.misses < 2 {
            log::warn!("{}: {}: {name}: joining again", self.seat.agent.name, Reason::DeafHistory);
            self.why =
                Some(Why::new(Reason::DeafHistory, format!("{name}: history shows what the socket did not bring")));
            channel.join_from(now);
            channel.doubt();
            live.list_at = live.list_at.min(now.after_ms(500));
            return;
        }
        if live.retry_at.is_some() {
            return;
        }
        self.deaf_sessions = self.deaf_sessions.saturating_add(1);
        self.tally.deaf += 1;
        let sessions = self.deaf_sessions;
        let why = format!(
            "{name}: connected and joined, but history shows what the socket does not bring ({sessions} in a row)"
        );
        let why = Why::new(Reason::DeafHistory, why);
        if sessions < DEAF_SESSIONS {
            self.doubt_token(step);
            return self.end_attempt(why, Outcome::Failed(Class::Network), step);
        }
        log::error!(
            "{}: {}: {why}; history is asked every {} s",
            self.seat.agent.name,
            self.seat.guild.name,
            self.seat.timing.unproven_ms / 1000
        );
        self.why = Some(why);
        let until = self.next_attempt(step);
        if let State::Up(live) = &mut self.state {
            live.retry_at = Some(until);
            live.list_at = live.list_at.min(now.after_ms(self.seat.timing.unproven_ms));
        }
        self.since = now;
    }

    /// Whether this connection is one of a link that was found deaf and has not heard since.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf_sessions >= DEAF_SESSIONS
    }

    /// Live: at least one channel is proven, and none is known deaf.
    pub(super) fn is_live(&self) -> bool {
        let proven = self.channels.iter().any(|channel| channel.proven.is_some());
        matches!(self.state, State::Up(_)) && proven && !self.is_deaf()
    }

    /// A channel was missed, and the socket has brought nothing there since: whatever its join's answer says, that is looked
    /// at as before proof.
    pub(super) fn in_doubt(&self) -> bool {
        self.channels.iter().any(|channel| channel.misses > 0)
    }

    /// Whether the guild has told its channels.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listed_once
    }

    /// Channels beyond the bound are not joined, in number or in bytes; `held`: what those that are there come to.
    pub(super) fn has_room_for(&self, row: &ChannelRow, held: usize) -> bool {
        let most = self.seat.share.channels;
        self.channels.len() < most && held + Channel::bytes_of(row) <= most * budget::CHANNEL_BYTES
    }
}
