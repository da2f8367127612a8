//! The walk from the mint to the history: a relay with one agent in one guild does what the daemon does, and each step
//! of it is timed. Nothing is posted, no agent is asked, nothing is kept.

use super::{Found, Step, Verdict, against_date};
use crate::call::{Answer, Call, Method, Ticket, Worker};
use crate::dialect::{self, ChannelRow, Dialect, Tokens};
use crate::journal::Kept;
use crate::link::answers::{is_array, refused_call, unreadable};
use crate::moment::{Moment, Now, sooner};
use crate::port::{Input, Output, Stored, Wire};
use crate::reason::{Reason, Why};
use crate::relay::{Options, Relay};
use crate::secret::Secret;
use crate::settings::{Agent, Guild, Settings};
use crate::status::LinkStatus;
use crate::token::{Bearer, FreshToken};
use crate::{budget, text};
use std::collections::VecDeque;

/// Joins are repeated after 1 s and 5 s: so long is waited for what proves one.
const JOIN_MS: u64 = 8_000;
/// A DISCONNECT this soon behind the list, with the joins hardly out, is still the answer to the CONNECT.
const LATE_REFUSAL_MS: u64 = 500;
/// No step takes longer: mints, handshakes and calls have shorter deadlines of their own, and this is the fuse behind them.
const STEP_MS: u64 = 25_000;
/// No link has these numbers: answers to them are the examination's own.
const OWN_CALL: Ticket = Ticket(u64::MAX);
const OWN_MINT: Ticket = Ticket(u64::MAX - 1);
/// States of a link whose attempt is over.
const OVER: &[&str] = &["backoff", "refused", "deaf", "waiting_clock", "unbound"];

/// One link under examination. **The one law** holds here, too: after every `handle` or `tick`, `poll` until `None`.
pub struct Examination {
    relay: Relay,
    dialect: Box<dyn Dialect>,
    at: Option<Step>,
    since: Moment,
    now: Now,
    /// The channel list that is under way, where one is.
    listing: Option<Ticket>,
    minting: Option<Ticket>,
    /// How a token is minted.
    mint: Option<Box<Call>>,
    /// The first that was minted.
    token: Option<Secret>,
    /// The dial that waits until a second one was minted.
    held: Option<Output>,
    bearer: Option<Bearer>,
    first: Option<ChannelRow>,
    join_until: Option<Moment>,
    own: VecDeque<Output>,
    found: Vec<Found>,
}

impl Examination {
    /// Of this agent in this guild. It begins with the first `tick`.
    #[must_use]
    pub fn new(settings: &Settings, agent: &Agent, guild: &Guild, seed: u64, build_ms: u64, now: Now) -> Self {
        let agent = Agent { guilds: vec![guild.name.clone()], backfill: 0, attachment_bytes: None, ..agent.clone() };
        let settings = Settings { guilds: vec![guild.clone()], agents: vec![agent], ..settings.clone() };
        let options = Options { attachments: std::path::PathBuf::new(), seed, build_ms };
        Self {
            relay: Relay::new(settings, Kept::default(), options, now),
            dialect: dialect::of(guild),
            at: Some(Step::Mint),
            since: now.at,
            now,
            listing: None,
            minting: None,
            mint: None,
            token: None,
            held: None,
            bearer: None,
            first: None,
            join_until: None,
            own: VecDeque::new(),
            found: Vec::new(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input<'_>, now: Now) {
        self.now = now;
        let mut list_came = false;
        match &input {
            Input::Answer(ticket, answer) if *ticket == OWN_CALL => return self.history(answer),
            Input::Answer(ticket, answer) if *ticket == OWN_MINT => return self.minted_again(answer),
            Input::Answer(ticket, answer) if self.minting == Some(*ticket) => self.minted(answer),
            Input::Answer(ticket, answer) if self.listing == Some(*ticket) => {
                self.listed(answer);
                list_came = true;
            }
            Input::Wire(_, Wire::Opened) if self.at == Some(Step::WebSocket) => {
                self.good(format!("{} answered 101", self.dialect.socket_url()), Step::Engine);
            }
            _ => {}
        }
        self.relay.handle(input, now);
        self.look(list_came);
    }

    /// Time passed.
    pub fn tick(&mut self, now: Now) {
        self.now = now;
        self.relay.tick(now);
        self.look(false);
        if self.join_until.is_some_and(|until| until <= now.at) {
            self.join_ends();
        }
        if self.at.is_some() && self.since.after_ms(STEP_MS) <= now.at {
            let text = format!("the step did not end within {} s", STEP_MS / 1000);
            self.push(Verdict::Failed(Reason::NetTimeout), text);
            self.at = None;
        }
    }

    /// When `tick` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        sooner(sooner(self.relay.deadline(), self.join_until), Some(self.since.after_ms(STEP_MS)))
    }

    /// What is to be done: dials, frames, hang-ups and calls; nothing else comes out.
    pub fn poll(&mut self) -> Option<Output> {
        while let Some(output) = self.relay.poll() {
            match &output {
                Output::Store(task) => {
                    // nothing is kept: it counts as written
                    let stored = Stored { upto: task.seq, failed: None, again: false };
                    self.relay.handle(Input::Disk(stored), self.now);
                    continue;
                }
                Output::Call(ticket, call) => {
                    if !self.call(*ticket, call) {
                        continue;
                    }
                }
                Output::Dial { .. } => {
                    if let Some(mint) =
                        self.mint.clone().filter(|_| self.mints_anew() && self.token.is_some() && self.held.is_none())
                    {
                        self.held = Some(output);
                        self.own.push_back(Output::Call(OWN_MINT, mint));
                        continue;
                    }
                }
                Output::Send(..) if self.at == Some(Step::Engine) => {
                    self.good("the open packet came: Engine.IO v4".into(), Step::Connect);
                }
                Output::Send(..) | Output::Hold(..) | Output::HangUp(..) => {}
                Output::Ask(..)
                | Output::Cancel(..)
                | Output::Sent(..)
                | Output::Hire(..)
                | Output::Dismiss(_)
                | Output::Discard(_)
                | Output::Tell(..)
                | Output::End => continue,
            }
            return Some(output);
        }
        self.own.pop_front()
    }

    /// The steps that were done since this was last asked.
    pub fn found(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.found)
    }

    /// Whether the walk is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.at.is_none()
    }

    /// Whether a call goes out: posts never do, and no history but the examination's own is read.
    fn call(&mut self, ticket: Ticket, call: &Call) -> bool {
        match (call.worker, call.method) {
            (Worker::Mint, _) => {
                self.minting = Some(ticket);
                self.mint = Some(Box::new(call.clone()));
            }
            (Worker::Call, Method::Get) => {
                if call.url == self.dialect.channels().url {
                    self.bearer.clone_from(&call.bearer);
                    self.listing = Some(ticket);
                }
            }
            (Worker::Call, Method::Post) => return false,
        }
        true
    }

    fn minted(&mut self, answer: &Answer<'_>) {
        self.minting = None;
        let Answer::Got(got) = answer else { return };
        let date = got.date_ms.map(|date| against_date(self.now.wall_ms, date));
        if !matches!(got.status, 200 | 201) || self.at != Some(Step::Mint) {
            return;
        }
        // nobody is let in with a token that is barred: the link says why, and the walk ends here
        let minted = self.dialect.minted(got.body, got.date_ms).ok().filter(|minted| minted.barred.is_none());
        let Some(minted) = minted else { return };
        let life = match minted.life_ms {
            Some(ms) => format!("a fresh token that lives {} s", ms / 1000),
            None => {
                format!("a fresh token without an expiry; taken to live {} s", crate::token::UNKNOWN_LIFE_MS / 1000)
            }
        };
        self.token = Some(Secret::new(minted.token.as_ref()));
        self.good(life, Step::WebSocket);
        if let Some((verdict, seen)) = date {
            self.found.push(Found { step: Step::Clock, verdict, seen, ms: 0 });
        }
    }

    fn listed(&mut self, answer: &Answer<'_>) {
        self.listing = None;
        let Answer::Got(got) = answer else { return };
        if !(200..300).contains(&got.status) || self.at != Some(Step::Channels) || !is_array(got) {
            return;
        }
        let (mut count, mut odd) = (0, 0);
        self.dialect.channel_rows(got.body, &mut |row| match row {
            Ok(row) => {
                count += 1;
                self.first.get_or_insert(row);
            }
            Err(_) => odd += 1,
        });
        let unread = if odd > 0 { format!("; {odd} rows could not be read") } else { String::new() };
        if count == 0 {
            let seen = format!("the guild lists no channel for this agent: make it a member of one{unread}");
            self.push(Verdict::Unsure, seen);
            for step in [Step::Join, Step::History, Step::Post] {
                self.at = Some(step);
                self.push(Verdict::Untried, "there is no channel to try it in".to_owned());
            }
            self.at = None;
            return;
        }
        let verdict = if odd > 0 { Verdict::Unsure } else { Verdict::Good };
        self.push(verdict, format!("{count} channel(s){unread}"));
        self.at = Some(Step::Join);
        self.join_until = Some(self.now.at.after_ms(JOIN_MS));
    }

    /// After every happening: whether the link got on, or its attempt is over. A list that could not be read ends no
    /// attempt, and the link says why.
    fn look(&mut self, list_came: bool) {
        let Some(at) = self.at else { return };
        let status = self.relay.status(self.now);
        let Some(link) = status.links.first() else { return };
        if link.reason.is_some() && (OVER.contains(&link.state) || at == Step::Channels && list_came) {
            return self.fail(link);
        }
        let connected = !matches!(link.state, "minting" | "connecting" | "backoff");
        if at == Step::Connect && connected {
            self.good("CONNECT was answered; that alone proves nothing".into(), Step::Channels);
        }
        if at == Step::Join && link.channels_proven >= link.channels_total {
            self.join_ends();
        }
    }

    fn join_ends(&mut self) {
        self.join_until = None;
        if self.at != Some(Step::Join) {
            return;
        }
        let status = self.relay.status(self.now);
        let Some(link) = status.links.first() else { return };
        let (total, joined, proven) = (link.channels_total, link.channels_joined, link.channels_proven);
        if proven == 0 && link.reason == Some(Reason::AuthDeniedChannel.code()) {
            return self.fail(link);
        }
        let seen = match (link.reason, proven) {
            (Some(code), _) => format!("{proven} of {total} channel(s) proven; {code}: {}", link.detail),
            (None, 0) => format!(
                "{joined} of {total} channel(s) joined; nothing was said yet that could prove that the guild hears us: \
                 say something in one of them and look at `guild-bridge status`"
            ),
            (None, _) => format!("{proven} of {total} channel(s) proven: the guild hears us"),
        };
        let verdict = if proven == total { Verdict::Good } else { Verdict::Unsure };
        self.push(verdict, seen);
        self.at = Some(Step::History);
        match self.mint.clone().filter(|_| self.mints_anew()) {
            Some(mint) => self.own.push_back(Output::Call(OWN_MINT, mint)),
            None => self.ask_history(),
        }
    }

    /// Whether another token may be asked for: a guild whose tokens are kept rations them.
    fn mints_anew(&self) -> bool {
        self.dialect.tokens() == Tokens::Fresh
    }

    /// Another token. Before the handshake: a mint that gives the first again would leave the next connection deaf, and a
    /// token that a guild knows is not offered. Before the history: the first may have ended meanwhile.
    fn minted_again(&mut self, answer: &Answer<'_>) {
        let minted = match answer {
            Answer::Got(got) if matches!(got.status, 200 | 201) => self.dialect.minted(got.body, got.date_ms).ok(),
            Answer::Got(_) | Answer::Failed { .. } => None,
        };
        if self.at == Some(Step::WebSocket) {
            let first = self.token.take();
            if minted.is_some_and(|minted| first.is_some_and(|first| first.expose() == minted.token)) {
                self.at = Some(Step::Mint);
                let seen = "asked a second time, the mint gives the same token: to one that it knows a guild goes deaf";
                self.push(Verdict::Failed(Reason::AuthCachedToken), seen.to_owned());
                self.at = None;
                return;
            }
            self.since = self.now.at;
            self.own.extend(self.held.take());
            return;
        }
        let fresh = minted.and_then(|minted| FreshToken::minted(&minted.token, self.now.at, minted.life_ms).ok());
        self.bearer = fresh.map(FreshToken::for_calls).or(self.bearer.take());
        self.ask_history();
    }

    /// One message of the first channel is asked for.
    fn ask_history(&mut self) {
        let Some(row) = &self.first else { return };
        let request = self.dialect.history(&row.id, None, 1);
        let call = Call {
            worker: Worker::Call,
            method: request.method,
            url: request.url,
            bearer: self.bearer.clone(),
            idempotency_key: None,
            body: None,
            sink: request.sink,
            deadline_ms: budget::CALL_MS,
            guild: 0,
        };
        self.own.push_back(Output::Call(OWN_CALL, Box::new(call)));
    }

    fn history(&mut self, answer: &Answer<'_>) {
        if self.at != Some(Step::History) {
            return;
        }
        let name = self.first.as_ref().map(|row| text::plain(&row.name)).unwrap_or_default();
        match read_history(answer, self.dialect.as_ref()) {
            Ok(rows) => {
                let seen = if rows == 0 { "it is empty".to_owned() } else { "it can be read".to_owned() };
                self.push(Verdict::Good, format!("channel {name}: {seen}"));
            }
            Err(why) => {
                self.push(Verdict::Failed(why.reason), why.detail);
                self.at = None;
                return;
            }
        }
        // no dialect can ask without posting
        self.at = Some(Step::Post);
        let seen = "the guild cannot be asked without posting: try `guild-bridge send AGENT CHANNEL TEXT`, and look at \
                    `guild-bridge letters` for what it refused";
        self.push(Verdict::Untried, seen.to_owned());
        self.at = None;
    }

    fn fail(&mut self, link: &LinkStatus) {
        let reason = Reason::ALL.iter().copied().find(|reason| Some(reason.code()) == link.reason);
        let soon = match self.at {
            Some(Step::Channels) => true,
            // the list may be there before it
            Some(Step::Join) => self.now.at.since_ms(self.since) < LATE_REFUSAL_MS,
            _ => false,
        };
        if soon && reason == Some(Reason::AuthDisconnected) {
            // the list has nothing to do with it: so some guilds refuse a CONNECT that they have answered
            self.at = Some(Step::Connect);
        }
        self.push(Verdict::Failed(reason.unwrap_or(Reason::NetProtocol)), link.detail.clone());
        self.at = None;
        self.join_until = None;
    }

    fn good(&mut self, seen: String, next: Step) {
        self.push(Verdict::Good, seen);
        self.at = Some(next);
    }

    fn push(&mut self, verdict: Verdict, seen: String) {
        let Some(step) = self.at else { return };
        let ms = self.now.at.since_ms(self.since);
        self.since = self.now.at;
        self.found.push(Found { step, verdict, seen, ms });
    }
}

/// How many rows came.
fn read_history(answer: &Answer<'_>, dialect: &dyn Dialect) -> Result<usize, Why> {
    let got = match answer {
        Answer::Failed { why, .. } => return Err(why.clone()),
        Answer::Got(got) => got,
    };
    match got.status {
        200..=299 if is_array(got) => {}
        200..=299 => return Err(unreadable(got, "history is not a JSON array")),
        401 => return Err(Why::new(Reason::AuthHttp401, "history was answered 401 with a fresh token")),
        _ => return Err(refused_call("history", got).0),
    }
    let mut rows = 0;
    dialect.history_rows(got.body, &mut |_| rows += 1);
    Ok(rows)
}
