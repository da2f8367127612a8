//! One agent in one guild: rest → mint → dial → greet → join → prove → live. Every end has a reason, every reason a rest.
//! The handshake and the connection are here; `channel`, `history`, `posts` and `report` are beside it.

pub mod calls;
pub mod channel;
pub mod history;
pub mod live;
pub mod posts;
pub mod report;

use crate::backoff::{Backoff, Class, Outcome};
use crate::budget;
use crate::call::{Answer, Got, Ticket};
use crate::dialect::{self, Dialect};
use crate::message::{Fetched, Line, LinkId};
use crate::moment::{Moment, sooner};
use crate::outbox::{AskedBy, Outbox};
use crate::port::{Lost, Output, Wire};
use crate::reason::{Reason, Why};
use crate::ring::Window;
use crate::session::{self, Session};
use crate::settings::{Agent, Guild, Timing};
use crate::step::Step;
use crate::text::Clipped;
use crate::token::FreshToken;
use calls::{Calls, Purpose, UnderWay};
use live::Live;
use report::Tally;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// A close or `41` so near to the token's end is the guild's way to say that it ended.
const EXPIRY_MS: u64 = 5_000;
/// A close so soon after CONNECT's answer is a rejection in other words.
const PROBATION_MS: u64 = 5_000;
/// A token that nears its end before it was offered is minted again so often in one attempt.
const REMINTS: u32 = 2;
/// No mint takes longer, however many wait for the one thread that makes them: the fuse against an answer that never comes.
const MINT_FUSE_MS: u64 = 900_000;
/// Tokens remembered by their hash: a mint that hands one out twice stands behind a cache.
const OFFERED: usize = 64;
/// Sessions found deaf in a row after which the link stays connected.
const DEAF_SESSIONS: u32 = 3;

/// What a link is made of, from the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Seat {
    /// The agent.
    pub agent: Agent,
    /// The guild.
    pub guild: Guild,
    /// The guild's place in the configuration.
    pub guild_at: u16,
    /// `timing`.
    pub timing: Timing,
    /// `limits.message_bytes`.
    pub message_bytes: usize,
    /// Ids of this daemon's agents in that guild.
    pub colleagues: BTreeSet<String>,
    /// A wall clock before this is not set.
    pub build_ms: u64,
}

/// One agent in one guild.
pub struct Link {
    id: LinkId,
    seat: Seat,
    dialect: Rc<dyn Dialect>,
    state: State,
    since: Moment,
    attempt: u32,
    why: Option<Why>,
    backoff: Backoff,
    calls: Calls,
    channels: Vec<channel::Channel>,
    /// Places of channels that are not in the list now, and of those that were never seen in this life.
    parked: BTreeMap<String, crate::lane::Place>,
    /// Messages whose turn ended in an earlier life, until history was read past them.
    done_before: BTreeMap<String, Vec<String>>,
    /// When the last channel list was made, by the guild's clock.
    list_date_ms: Option<u64>,
    listed_once: bool,
    /// Channels in the last list, joined or not.
    listed: usize,
    /// The journal is written so far.
    stored_upto: u64,
    history: history::Reading,
    outbox: Outbox,
    seen: Window,
    own_posts: VecDeque<String>,
    offered: Window,
    bots: posts::BotBudget,
    deaf_sessions: u32,
    /// Since when it is live without a break.
    live_since: Option<Moment>,
    news: Vec<News>,
    tally: Tally,
}

/// What the relay has to pass on.
pub enum News {
    /// An attachment came, or did not.
    Fetched {
        /// The turn.
        turn: String,
        /// The attachment.
        id: String,
        /// What became of it.
        fetched: Fetched,
    },
    /// A post that somebody asked for is over.
    Posted {
        /// Who.
        asked_by: AskedBy,
        /// The message's id (empty where the guild did not say it), or why not.
        result: Result<String, Why>,
    },
}

enum State {
    /// There is no key: nothing is tried.
    Unbound,
    /// Waiting for the next attempt.
    Resting { until: Moment, word: &'static str },
    /// A token is being minted.
    Minting { since: Moment, tries: u32 },
    /// The token waits, unspent, for the engine's open packet.
    Dialling { wire: Cable, fresh: Box<FreshToken>, tries: u32, until: Moment },
    /// The engine is open; the token was too old, another one is being minted.
    Reminting { wire: Cable, tries: u32, until: Moment },
    /// CONNECT is on its way.
    Greeting { wire: Cable, token_end: Moment, until: Moment },
    /// CONNECT was answered.
    Up(Box<Live>),
    /// Removed, or the daemon ends.
    Closed,
}

/// A session and what waits to be sent on it: one frame at a time.
pub struct Cable {
    session: Session,
    frames: VecDeque<Box<str>>,
    sending: bool,
    /// The WebSocket is over: there is nothing to hang up.
    gone: bool,
}

impl Link {
    /// A link with what the journal kept of it: cursors, finished turns, own posts.
    #[must_use]
    pub fn new(id: LinkId, seat: Seat, now: Moment) -> Self {
        let timing = seat.timing;
        let dialect: Rc<dyn Dialect> = dialect::of(&seat.guild).into();
        let (state, why) = match &seat.agent.key {
            Ok(_) => (State::Resting { until: now, word: "backoff" }, None),
            Err(sentence) => (State::Unbound, Some(Why::new(Reason::CfgKeyFile, sentence.clone()))),
        };
        Self {
            id,
            dialect,
            state,
            since: now,
            attempt: 0,
            why,
            backoff: Backoff::new(timing.backoff_base_ms, timing.backoff_cap_ms),
            calls: Calls::new(id, seat.guild_at),
            channels: Vec::new(),
            parked: BTreeMap::new(),
            done_before: BTreeMap::new(),
            list_date_ms: None,
            listed_once: false,
            listed: 0,
            stored_upto: 0,
            history: history::Reading::default(),
            outbox: Outbox::default(),
            seen: Window::new(budget::DEDUPE_IDS),
            own_posts: VecDeque::new(),
            offered: Window::new(OFFERED),
            bots: posts::BotBudget::default(),
            deaf_sessions: 0,
            live_since: None,
            news: Vec::new(),
            tally: Tally::default(),
            seat,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// What it is made of.
    #[must_use]
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// `agent@guild`: its name in the journal.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}@{}", self.seat.agent.name, self.seat.guild.name)
    }

    /// What has to be passed on since this was last asked.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Applies what a reload changed without touching the connection.
    pub fn reseat(&mut self, seat: Seat) {
        self.backoff.set_limits(seat.timing.backoff_base_ms, seat.timing.backoff_cap_ms);
        self.calls.set_guild(seat.guild_at);
        self.seat = seat;
    }

    /// Applies a reload that touches who the agent is in the guild, or where the guild is: it connects anew. Cursors,
    /// open turns and posts stay.
    pub fn reseat_anew(&mut self, seat: Seat, step: &mut Step<'_>) {
        self.hang_up(step);
        self.dialect = dialect::of(&seat.guild).into();
        self.calls.drop_bearer();
        self.backoff.clear();
        self.why = seat.agent.key.as_ref().err().map(|sentence| Why::new(Reason::CfgKeyFile, sentence.clone()));
        let state =
            if self.why.is_some() { State::Unbound } else { State::Resting { until: step.now.at, word: "backoff" } };
        self.enter(state, step.now.at);
        self.reseat(seat);
    }

    /// Somebody wants it to connect anew, now.
    pub fn restart(&mut self, step: &mut Step<'_>) {
        if matches!(self.state, State::Unbound | State::Closed) {
            return;
        }
        self.hang_up(step);
        self.why = Some(Why::new(Reason::Asked, "a restart was asked for"));
        self.rest_until(step.now.at, "backoff", step.now.at);
    }

    /// Things changed outside (a link came up, the clock was set): a link that rests tries now.
    pub fn nudge(&mut self, now: Moment) {
        if let State::Resting { until, .. } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// Ends it for good, with a goodbye.
    pub fn close(&mut self, step: &mut Step<'_>) {
        self.hang_up(step);
        self.state = State::Closed;
        self.since = step.now.at;
    }

    /// Something happened on the WebSocket of `line`; news of an abandoned attempt is ignored.
    pub fn wire(&mut self, line: Line, wire: Wire<'_>, step: &mut Step<'_>) {
        if line.attempt != self.attempt {
            return;
        }
        match wire {
            Wire::Opened => self.upgraded(),
            Wire::Text(text) => self.heard(text, step),
            Wire::Binary(_) => self.heard_binary(step),
            Wire::Sent => {
                if let Some(cable) = self.cable() {
                    cable.sending = false;
                }
            }
            Wire::Lost(lost) => self.lost(lost, step),
        }
        self.settle(step);
    }

    /// An HTTP call came back.
    pub fn answer(&mut self, ticket: Ticket, answer: Answer<'_>, step: &mut Step<'_>) {
        let Some(call) = self.calls.back(ticket) else { return };
        match &call.purpose {
            Purpose::Handshake => self.minted(answer, call.sent, step),
            Purpose::Bearer => self.minted_bearer(answer, call.sent, step),
            _ => self.answered(call, answer, step),
        }
        self.settle(step);
    }

    /// Time passed.
    pub fn tick(&mut self, step: &mut Step<'_>) {
        self.timers(step);
        self.settle(step);
    }

    /// When `tick` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let posts = if self.can_call() { self.outbox.deadline() } else { None };
        let state = match &self.state {
            State::Unbound | State::Closed => None,
            State::Minting { since, .. } => Some(since.after_ms(MINT_FUSE_MS)),
            State::Resting { until, .. } => Some(*until),
            State::Dialling { wire, until, .. }
            | State::Reminting { wire, until, .. }
            | State::Greeting { wire, until, .. } => sooner(Some(*until), wire.session.deadline()),
            State::Up(live) => self.live_deadline(live),
        };
        sooner(state, posts)
    }

    fn timers(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        if !matches!(self.state, State::Up(_)) && !self.calls.has_bearer(now) {
            self.calls.drop_bearer();
        }
        let late = match &self.state {
            State::Unbound | State::Closed => None,
            State::Minting { since, .. } => {
                let detail = "the mint's worker did not answer";
                (since.after_ms(MINT_FUSE_MS) <= now).then(|| Why::new(Reason::NetTimeout, detail))
            }
            State::Resting { until, .. } => {
                if *until <= now {
                    self.begin_attempt(step);
                }
                None
            }
            State::Dialling { wire, until, .. }
            | State::Reminting { wire, until, .. }
            | State::Greeting { wire, until, .. } => wire.session.silence(now).or_else(|| {
                let detail = format!("waited too long for {}", wire.session.waits_for());
                (*until <= now).then(|| Why::new(Reason::NetTimeout, detail))
            }),
            State::Up(live) => live.cable.session.silence(now),
        };
        match late {
            Some(why) => self.end_session(why, step),
            None => self.live_timers(step),
        }
    }

    /// After every happening: the next frame, the next read, the next post.
    pub fn settle(&mut self, step: &mut Step<'_>) {
        self.joins(step);
        self.read_on(step);
        self.post_on(step);
        let line = self.line();
        let Some(cable) = self.cable() else { return };
        if !cable.sending {
            if let Some(frame) = cable.frames.pop_front() {
                cable.sending = true;
                step.out.push_back(Output::Send(line, frame));
            }
        }
    }

    // --- an attempt: mint, dial, open, connect ---------------------------------------------------------------

    fn begin_attempt(&mut self, step: &mut Step<'_>) {
        self.attempt = self.attempt.wrapping_add(1);
        self.tally.attempts += 1;
        self.enter(State::Minting { since: step.now.at, tries: 0 }, step.now.at);
        self.mint(Purpose::Handshake, step);
    }

    fn mint(&mut self, purpose: Purpose, step: &mut Step<'_>) {
        if let Ok(key) = &self.seat.agent.key {
            let request = self.dialect.mint(&self.seat.agent.id, key);
            self.calls.send(purpose, false, request, step);
        }
    }

    fn minted(&mut self, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
        let tries = match &self.state {
            State::Minting { tries, .. } | State::Reminting { tries, .. } => *tries,
            _ => return,
        };
        let fresh = match self.fresh(answer, sent, step) {
            Ok(fresh) => fresh,
            Err((why, outcome)) => return self.end_attempt(why, outcome, step),
        };
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Reminting { wire, until, .. } => {
                self.state = State::Dialling { wire, fresh: Box::new(fresh), tries, until };
                self.offer(step);
            }
            _ => self.dial(fresh, tries, step),
        }
    }

    /// Reads the mint's answer; every way that it can be wrong has its reason and its rest.
    fn fresh(&mut self, answer: Answer<'_>, sent: Moment, step: &Step<'_>) -> Result<FreshToken, (Why, Outcome)> {
        let network = Outcome::Failed(Class::Network);
        let got = match answer {
            Answer::Failed { why, .. } => return Err((why, network)),
            Answer::Got(got) => got,
        };
        match got.status {
            200 | 201 => {}
            401 | 403 => {
                let why = Why::new(Reason::AuthKeyRefused, format!("the mint answered {}", got.status));
                return Err((why, Outcome::Failed(Class::KeyRefused)));
            }
            _ => return Err(refused_call("the mint", &got)),
        }
        let minted = self.dialect.minted(got.body, got.date_ms).map_err(|what| (unreadable(&got, &what), network))?;
        if self.offered.contains(&minted.token) {
            let why = Why::new(Reason::AuthCachedToken, "the mint answered with a token that was offered before");
            return Err((why, network));
        }
        let fresh = FreshToken::minted(&minted.token, sent, minted.life_ms)
            .map_err(|what| (Why::new(Reason::HttpBody, what), network))?;
        debug_assert!(sent <= step.now.at, "an answer comes after its call");
        self.offered.insert(&minted.token);
        self.tally.tokens_minted += 1;
        Ok(fresh)
    }

    fn dial(&mut self, fresh: FreshToken, tries: u32, step: &mut Step<'_>) {
        let session = Session::dialled(&self.seat.guild.namespace);
        let wire = Cable { session, frames: VecDeque::new(), sending: false, gone: false };
        let until = step.now.at.after_ms(self.seat.timing.handshake_ms);
        self.enter(State::Dialling { wire, fresh: Box::new(fresh), tries, until }, step.now.at);
        let (line, url, guild) = (self.line(), self.dialect.socket_url(), self.seat.guild_at);
        step.out.push_back(Output::Dial { line, url, guild });
    }

    fn upgraded(&mut self) {
        if let State::Dialling { wire, .. } = &mut self.state {
            wire.session.upgraded();
        }
    }

    /// The engine is open: the token is offered, or minted again if it aged meanwhile.
    fn offer(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Dialling { wire, fresh, tries, until } if fresh.life().nears_end(now) && tries < REMINTS => {
                self.state = State::Reminting { wire, tries: tries + 1, until };
                self.mint(Purpose::Handshake, step);
            }
            State::Dialling { mut wire, fresh, until, .. } => {
                let token_end = fresh.life().end();
                if token_end <= now {
                    self.state = State::Greeting { wire, token_end, until };
                    let why = Why::new(Reason::HttpBody, "the mint's tokens have ended before they can be offered");
                    return self.end_attempt(why, Outcome::Failed(Class::Network), step);
                }
                let mut frames = Vec::new();
                let payload = |token: &str| self.dialect.connect_payload(token);
                let bearer = wire.session.connect(*fresh, payload, &mut frames);
                wire.frames.extend(frames);
                self.calls.set_bearer(bearer);
                self.state = State::Greeting { wire, token_end, until };
            }
            other => self.state = other,
        }
    }

    // --- what the WebSocket brings ---------------------------------------------------------------------------

    fn heard(&mut self, text: &str, step: &mut Step<'_>) {
        let mut frames = Vec::new();
        let now = step.now.at;
        let Some(cable) = self.cable() else { return };
        let heard = cable.session.hear(text, now, &mut frames);
        cable.frames.extend(frames);
        match heard {
            session::Heard::Quiet => {}
            session::Heard::Opened => self.offer(step),
            session::Heard::Connected => self.connected(step),
            session::Heard::Event(event) => self.event(&event, step),
            session::Heard::Ack(id, args) => self.join_ack(id, args, step),
            session::Heard::Odd(malformed) => self.odd(malformed, text),
            session::Heard::Over(why) => self.end_session(why, step),
        }
    }

    fn heard_binary(&mut self, step: &mut Step<'_>) {
        let Some(cable) = self.cable() else { return };
        match cable.session.hear_binary() {
            session::Heard::Odd(malformed) => self.odd(malformed, ""),
            session::Heard::Over(why) => self.end_session(why, step),
            _ => {}
        }
    }

    fn odd(&mut self, malformed: crate::codec::Malformed, text: &str) {
        self.tally.malformed += 1;
        log::warn!("{}: {}: skipped {malformed}: {}", self.seat.agent.name, Reason::NetProtocol, Clipped(text));
        self.why = Some(Why::new(Reason::NetProtocol, format!("skipped {malformed}: {}", Clipped(text))));
    }

    fn lost(&mut self, lost: Lost, step: &mut Step<'_>) {
        // a pump may have told its end before it heard that we left: what ended the session is known already
        let Some(cable) = self.cable() else { return };
        cable.gone = true;
        if let Some(ms) = lost.retry_after_ms {
            return self.end_attempt(lost.why, Outcome::ToldToWait(Duration::from_millis(ms)), step);
        }
        self.end_session(lost.why, step);
    }

    // --- ends ------------------------------------------------------------------------------------------------

    /// A session, or an attempt at one, is over: by the guild's word, its silence, or the network.
    fn end_session(&mut self, why: Why, step: &mut Step<'_>) {
        let now = step.now.at;
        if let State::Up(live) = &self.state {
            let near_end = now.since_ms(live.token_end).max(live.token_end.since_ms(now)) <= EXPIRY_MS;
            let closed = matches!(why.reason, Reason::NetClosed | Reason::AuthDisconnected | Reason::GuildRestarting);
            if closed && near_end && live.was_proven {
                let why = Why::new(Reason::AuthExpired, format!("ended as its token did ({})", why.detail));
                return self.end_attempt(why, Outcome::Expired, step);
            }
            if why.reason == Reason::NetClosed && now.since_ms(live.since) <= PROBATION_MS && !live.was_proven {
                let detail = format!("closed {} ms after CONNECT was answered", now.since_ms(live.since));
                let outcome = Outcome::Failed(Class::Network);
                return self.end_attempt(Why::new(Reason::AuthDisconnected, detail), outcome, step);
            }
        }
        let class = Class::of(why.reason);
        self.end_attempt(why, Outcome::Failed(class), step);
    }

    fn end_attempt(&mut self, why: Why, outcome: Outcome, step: &mut Step<'_>) {
        let now = step.now;
        self.hang_up(step);
        let rest = self.backoff.rest_after(outcome, step.rng);
        let clock_unset = now.wall_ms < self.seat.build_ms && why.reason.code().starts_with("tls.");
        let (word, why) = match why.reason {
            Reason::AuthKeyRefused => ("refused", why),
            Reason::DeafHistory => ("deaf", why),
            Reason::ClockUnset => ("waiting_clock", why),
            _ if clock_unset => ("waiting_clock", Why::new(Reason::ClockUnset, why.to_string())),
            _ => ("backoff", why),
        };
        let (agent, guild) = (&self.seat.agent.name, &self.seat.guild.name);
        if why.reason == Reason::AuthExpired {
            log::info!("{agent}: {guild}: {why}; reconnecting with a fresh token");
        } else {
            log::warn!("{agent}: {guild}: {why}; next attempt in {:.1} s", rest.as_secs_f64());
        }
        self.why = Some(why);
        self.rest_until(now.at.after(rest), word, now.at);
    }

    fn rest_until(&mut self, until: Moment, word: &'static str, now: Moment) {
        self.enter(State::Resting { until, word }, now);
    }

    /// Leaves the wire, whatever state it is in, and everything that hung on it.
    fn hang_up(&mut self, step: &mut Step<'_>) {
        let line = self.line();
        if let Some(cable) = self.cable().filter(|cable| !cable.gone) {
            let goodbye = cable.session.goodbye();
            step.out.push_back(Output::HangUp(line, goodbye));
        }
        self.calls.forget(|purpose| matches!(purpose, Purpose::Handshake | Purpose::Channels | Purpose::History(_)));
        self.history.forget();
        self.live_since = None;
        for channel in &mut self.channels {
            channel.session_over();
        }
    }

    fn enter(&mut self, state: State, now: Moment) {
        self.state = state;
        self.since = now;
    }

    fn line(&self) -> Line {
        Line { link: self.id, attempt: self.attempt }
    }

    fn cable(&mut self) -> Option<&mut Cable> {
        match &mut self.state {
            State::Dialling { wire, .. } | State::Reminting { wire, .. } | State::Greeting { wire, .. } => Some(wire),
            State::Up(live) => Some(&mut live.cable),
            State::Unbound | State::Resting { .. } | State::Minting { .. } | State::Closed => None,
        }
    }

    // --- HTTP calls of a session -----------------------------------------------------------------------------

    /// Whether calls can be made: there is a token for them, or a session that may mint one.
    fn can_call(&self) -> bool {
        matches!(self.state, State::Up(_)) || self.calls.bearer_left()
    }

    fn call(&mut self, purpose: Purpose, repeated: bool, step: &mut Step<'_>) {
        if !self.calls.has_bearer(step.now.at) {
            self.calls.hold(purpose, repeated);
            if !self.calls.any(|purpose| *purpose == Purpose::Bearer) {
                self.mint(Purpose::Bearer, step);
            }
            return;
        }
        if let Some(request) = self.request(&purpose) {
            self.calls.send(purpose, repeated, request, step);
        }
    }

    fn minted_bearer(&mut self, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
        match self.fresh(answer, sent, step) {
            // it is used even if it nears its end already: another one would be no better
            Ok(fresh) if fresh.life().end() > step.now.at => {
                self.calls.set_bearer(fresh.for_calls());
                for (purpose, repeated) in self.calls.release() {
                    if let Some(request) = self.request(&purpose) {
                        self.calls.send(purpose, repeated, request, step);
                    }
                }
            }
            other => {
                let ended = Why::new(Reason::HttpBody, "the mint's tokens have ended before they can be used");
                let why = other.err().map_or(ended, |(why, _)| why);
                log::warn!("{}: {}: no token for calls: {why}", self.seat.agent.name, self.seat.guild.name);
                for (purpose, _) in self.calls.release() {
                    self.call_failed(&purpose, why.clone(), step);
                }
                self.why = Some(why);
            }
        }
    }

    /// A call but the mint came back: a 401 mints once and repeats once.
    fn answered(&mut self, call: UnderWay, answer: Answer<'_>, step: &mut Step<'_>) {
        let unauthorised = matches!(&answer, Answer::Got(got) if got.status == 401);
        if unauthorised && !call.repeated {
            self.calls.drop_bearer();
            return self.call(call.purpose, true, step);
        }
        if unauthorised {
            let why = Why::new(Reason::AuthHttp401, "a call was answered 401 with a token minted for it");
            self.call_failed(&call.purpose, why.clone(), step);
            if matches!(call.purpose, Purpose::Channels | Purpose::History(_)) && matches!(self.state, State::Up(_)) {
                self.end_session(why, step);
            }
            return;
        }
        match call.purpose {
            Purpose::Handshake | Purpose::Bearer => {}
            Purpose::Channels => self.channels_answered(answer, call.sent, step),
            Purpose::History(page) => self.history_answered(page, answer, call.sent, step),
            Purpose::Post(key) => self.post_answered(&key, answer, step),
            Purpose::LookUp { key, channel, pages, .. } => self.look_up_answered(key, channel, pages, answer, step),
            Purpose::Attachment { turn, id, path, .. } => self.attachment_answered(turn, id, path, answer),
        }
    }
}

/// A status that is no success and no 401.
fn refused_call(what: &str, got: &Got<'_>) -> (Why, Outcome) {
    let network = Outcome::Failed(Class::Network);
    let said = format!("{what} answered {}", got.status);
    match (got.status, got.retry_after_ms) {
        (429 | 503, Some(ms)) => {
            let why = Why::new(Reason::RateLimited, format!("{said} and asked to wait {} s", ms / 1000));
            (why, Outcome::ToldToWait(Duration::from_millis(ms)))
        }
        (429, None) => (Why::new(Reason::RateLimited, said), network),
        (502..=504, _) => (Why::new(Reason::GuildRestarting, said), network),
        (300..=399, _) => (Why::new(Reason::HttpPortal, format!("{said}, a redirect; it is not followed")), network),
        _ => (Why::new(Reason::HttpStatus, said), network),
    }
}

/// A 2xx whose body is not what was due: a page means that something else answers.
fn unreadable(got: &Got<'_>, what: &str) -> Why {
    let page = got.content_type.as_deref().is_some_and(|kind| kind.contains("html"))
        || got.body.trim_ascii_start().first() == Some(&b'<');
    let reason = if page { Reason::HttpPortal } else { Reason::HttpBody };
    let kind = got.content_type.as_deref().unwrap_or("no content type");
    Why::new(reason, format!("{what} ({})", Clipped(kind)))
}
