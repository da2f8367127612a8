//! One agent in one guild: rest → mint → dial → greet → join → prove → live. Every end has a reason, every reason a rest.
//! What it is and how it is driven stand here. Getting connected: `attempt`. Being heard: `live`, `channel`. Messages in:
//! `list`, `seek`, `recall`, `history`, `room`, `intake`, `shed`. What follows from it
//! all: `settle`. Answers out: `posts`, `look_up`, `letters`, `attachments`. HTTP: `calls`, `answers`. `keep`, `gaps`, `report`.

pub mod answers;
mod attachments;
mod attempt;
pub mod calls;
pub mod channel;
mod check;
mod fellows;
mod gaps;
pub mod history;
mod hold;
mod intake;
mod join_all;
mod keep;
mod letters;
mod list;
mod live;
mod look_up;
mod oldest;
mod posts;
mod recall;
mod report;
mod room;
mod seek;
mod settle;
mod shed;
mod sign_in;
mod threads;
mod timeline;
mod walk;
mod writing;

use crate::account;
use crate::backoff::Backoff;
use crate::budget;
use crate::budget::ceiling::{Pressure, Share};
use crate::call::{Answer, Ticket};
use crate::day::Day;
use crate::dialect::{self, Dialect};
use crate::lane::{Place, Trusted};
use crate::letters::Letters;
use crate::message::{Fetched, Line, LinkId};
use crate::moment::{Moment, sooner};
use crate::outbox::{AskedBy, Outbox};
use crate::port::Wire;
use crate::reason::{Reason, Why};
use crate::ring::Window;
use crate::session::Session;
use crate::settings::{Agent, Guild, Timing};
use crate::step::Step;
use crate::token::{FreshToken, SignIn};
use calls::{Calls, Purpose};
use keep::Known;
use live::Live;
use report::Tally;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

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
    pub colleagues: Rc<BTreeSet<String>>,
    /// A wall clock before this is not set.
    pub build_ms: u64,
    /// Its day is kept.
    pub watched: bool,
    /// What it may hold.
    pub share: Share,
}

/// One agent in one guild.
pub struct Link {
    id: LinkId,
    seat: Seat,
    /// Its name, as its channels share it.
    guild_name: Rc<str>,
    dialect: Rc<dyn Dialect>,
    state: State,
    since: Moment,
    attempt: u32,
    why: Option<Why>,
    backoff: Backoff,
    calls: Calls,
    channels: Vec<channel::Channel>,
    /// Channels that are not in the list now, and those that were never seen in this life.
    parked: BTreeMap<String, Parked>,
    /// Messages whose turn ended in an earlier life, until history was read past them.
    done_before: BTreeMap<String, Vec<String>>,
    /// Messages whose turn was open when their channel left the list, until it ends.
    open_before: BTreeMap<String, BTreeSet<String>>,
    /// When the last channel list was made, by the guild's clock.
    list_date_ms: Option<u64>,
    listed_once: bool,
    /// The last list was forbidden.
    shut_out: bool,
    /// Why the last list failed.
    list_why: Option<Why>,
    /// Something of the journal could not be read at the start, and the channels of the first list were not all given a
    /// place since.
    lost_places: bool,
    /// Pages that may still be read to find them.
    recall_pages: u32,
    /// Channels in the last list, joined or not.
    listed: usize,
    /// Channels of the last list beyond those that may be joined.
    channels_over: u64,
    /// The journal is written so far.
    stored_upto: u64,
    history: history::Reading,
    outbox: Outbox,
    letters: Letters,
    /// How the heap stands.
    pressure: Pressure,
    gaps: gaps::Gaps,
    seen: Window,
    /// By message id.
    own_posts: VecDeque<(String, Known)>,
    /// Keys of what was posted in this life.
    posted_keys: Window,
    offered: Window,
    /// What serves for all handshakes, where the guild's tokens may be offered again.
    sign_in: Option<SignIn>,
    /// Who the guild says we are.
    me: Option<String>,
    /// Who it says this daemon's other agents are.
    fellows: BTreeSet<String>,
    strangers: fellows::Strangers,
    writing: writing::Writing,
    bots: intake::BotBudget,
    deaf_sessions: u32,
    /// Since when it is live without a break.
    live_since: Option<Moment>,
    news: Vec<News>,
    /// Something happened that `settle` has not followed up.
    stirred: bool,
    tally: Tally,
    /// How it fared, where somebody may look at it.
    day: Option<Box<Day>>,
}

/// A channel that is not in the list.
struct Parked {
    /// Where it stands; none where that was still being looked for.
    place: Option<Place>,
    /// What is to be looked at when it comes back.
    trusted: Option<Box<Trusted>>,
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
    /// The guild says who the agent is there.
    KnownAs(String),
    /// A sign-in brought a token, which serves for every link of the account.
    SignedIn(account::Name),
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

/// A message's id as windows remember it: some guilds count the messages of each channel by themselves.
fn in_channel<'a>(channel: &'a str, message: &'a str) -> [&'a str; 3] {
    [channel, "\n", message]
}

impl Cable {
    /// What is queued now goes out at once.
    fn is_idle(&self) -> bool {
        self.frames.is_empty() && !self.sending
    }

    fn owes_too_much(&self) -> bool {
        self.frames.len() > budget::OWED_FRAMES
            || self.frames.iter().map(|frame| frame.len()).sum::<usize>() > budget::OWED_BYTES
    }
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
            guild_name: seat.guild.name.as_str().into(),
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
            open_before: BTreeMap::new(),
            list_date_ms: None,
            listed_once: false,
            shut_out: false,
            list_why: None,
            lost_places: false,
            recall_pages: budget::RECALL_PAGES,
            listed: 0,
            channels_over: 0,
            stored_upto: 0,
            history: history::Reading::default(),
            outbox: Outbox::of(seat.share.outbox_bytes),
            letters: Letters::of(seat.share.letter_bytes),
            pressure: Pressure::Easy,
            gaps: gaps::Gaps::default(),
            seen: Window::new(budget::DEDUPE_IDS),
            own_posts: VecDeque::new(),
            posted_keys: Window::new(budget::POSTED_KEYS),
            offered: Window::new(OFFERED),
            sign_in: None,
            me: None,
            fellows: BTreeSet::new(),
            strangers: fellows::Strangers::default(),
            writing: writing::Writing::default(),
            bots: intake::BotBudget::default(),
            deaf_sessions: 0,
            live_since: None,
            news: Vec::new(),
            stirred: false,
            tally: Tally::default(),
            day: None,
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
        [&*self.seat.agent.name, "@", &*self.seat.guild.name].concat()
    }

    /// What has to be passed on since this was last asked.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Applies what a reload changed without touching the connection.
    pub fn reseat(&mut self, seat: Seat) {
        self.backoff.set_limits(seat.timing.backoff_base_ms, seat.timing.backoff_cap_ms);
        self.calls.set_guild(seat.guild_at);
        self.outbox.set_share(seat.share.outbox_bytes);
        self.letters.set_share(seat.share.letter_bytes);
        self.seat = seat;
        self.be_known();
    }

    /// The guild has another place in the configuration.
    pub fn guild_moved(&mut self, guild_at: u16) {
        self.calls.set_guild(guild_at);
        self.seat.guild_at = guild_at;
    }

    /// Applies a reload that touches who the agent is in the guild, or where the guild is: it connects anew. Cursors,
    /// open turns and posts stay.
    pub fn reseat_anew(&mut self, seat: Seat, step: &mut Step<'_>) {
        self.hang_up(step);
        self.dialect = dialect::of(&seat.guild).into();
        self.sign_in = None;
        self.me = None;
        self.calls.drop_bearer();
        // a token of the old guild, or of the old key, is not for the new one
        self.calls.forget(|purpose| *purpose == Purpose::Bearer);
        for (purpose, _) in self.calls.release() {
            self.call_failed(&purpose, Why::new(Reason::Asked, "the guild or the key changed"), step);
        }
        self.backoff.clear();
        self.why = seat.agent.key.as_ref().err().map(|sentence| Why::new(Reason::CfgKeyFile, sentence.clone()));
        let state =
            if self.why.is_some() { State::Unbound } else { State::Resting { until: step.now.at, word: "backoff" } };
        self.enter(state, step.now.at);
        self.reseat(seat);
        self.forgive_tokens(step);
    }

    /// Somebody wants it to connect anew, now.
    pub fn restart(&mut self, step: &mut Step<'_>) {
        if matches!(self.state, State::Unbound | State::Closed) {
            return;
        }
        self.hang_up(step);
        self.forgive_tokens(step);
        self.why = Some(Why::new(Reason::Asked, "a restart was asked for"));
        self.rest_until(step.now.at, "backoff", step.now.at);
    }

    /// Things changed outside (a link came up, the clock was set): a link that rests tries now, unless the guild asked it to
    /// wait. Whether it does.
    pub fn nudge(&mut self, now: Moment) -> bool {
        let asked_to_wait = self.why.as_ref().is_some_and(|why| why.reason == Reason::RateLimited);
        let State::Resting { until, .. } = &mut self.state else { return false };
        if asked_to_wait {
            return false;
        }
        *until = now.min(*until);
        true
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
        self.stir();
    }

    /// An HTTP call came back.
    pub fn answer(&mut self, ticket: Ticket, answer: Answer<'_>, step: &mut Step<'_>) {
        let Some(call) = self.calls.back(ticket) else { return };
        match &call.purpose {
            Purpose::Handshake => self.minted(answer, call.sent, step),
            Purpose::Bearer => self.minted_bearer(answer, call.sent, step),
            _ => self.answered(call, answer, step),
        }
        self.stir();
    }

    /// Time passed.
    pub fn tick(&mut self, step: &mut Step<'_>) {
        self.timers(step);
        self.stir();
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
}
