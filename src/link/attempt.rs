//! An attempt at a session: a fresh token, the WebSocket, the engine, CONNECT; and how each of them ends.

use super::answers::{refused_call, unreadable};
use super::calls::Purpose;
use super::{Cable, EXPIRY_MS, Link, PROBATION_MS, REMINTS, State};
use crate::backoff::{Class, Outcome};
use crate::call::Answer;
use crate::moment::Moment;
use crate::port::{Lost, Output};
use crate::reason::{Reason, Why};
use crate::session::{self, Session};
use crate::step::Step;
use crate::text::Clipped;
use crate::token::FreshToken;
use std::collections::VecDeque;
use std::time::Duration;

impl Link {
    pub(super) fn begin_attempt(&mut self, step: &mut Step<'_>) {
        let kept = self.kept_token(step);
        if let Some(until) = self.mint_rests(step).filter(|_| kept.is_none()) {
            return self.rest_until(until, "backoff", step.now.at);
        }
        self.attempt = self.attempt.wrapping_add(1);
        self.tally.attempts += 1;
        if let Some(fresh) = kept {
            return self.dial(fresh, 0, step);
        }
        self.enter(State::Minting { since: step.now.at, tries: 0 }, step.now.at);
        self.mint(Purpose::Handshake, step);
    }

    pub(super) fn mint(&mut self, purpose: Purpose, step: &mut Step<'_>) {
        if let Ok(key) = &self.seat.agent.key {
            let request = self.dialect.mint(self.account(), key);
            self.space_sign_ins(step);
            self.calls.send(purpose, false, request, step);
        }
    }

    pub(super) fn minted(&mut self, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
        let tries = match &self.state {
            State::Minting { tries, .. } | State::Reminting { tries, .. } => *tries,
            _ => return,
        };
        let fresh = match self.fresh(answer, sent, step) {
            Ok(fresh) => self.keep_token(fresh, step),
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
    pub(super) fn fresh(
        &mut self,
        answer: Answer<'_>,
        sent: Moment,
        step: &mut Step<'_>,
    ) -> Result<FreshToken, (Why, Outcome)> {
        let network = Outcome::Failed(Class::Network);
        let got = match answer {
            Answer::Failed { why, .. } => return Err((why, network)),
            Answer::Got(got) => got,
        };
        match got.status {
            200 | 201 => {}
            status if self.dialect.refuses(status) => {
                let said = format!("the mint at {} answered {}", self.seat.guild.center, self.refused_with(&got));
                return Err((Why::new(Reason::AuthKeyRefused, said), Outcome::Failed(Class::KeyRefused)));
            }
            429 => return Err(self.mint_limited(&got, step)),
            _ => return Err(refused_call("the mint", &got)),
        }
        let minted = self.dialect.minted(got.body, got.date_ms).map_err(|what| (unreadable(&got, &what), network))?;
        if let Some(barred) = minted.barred {
            return Err((Why::new(Reason::AuthKeyRefused, barred), Outcome::Failed(Class::KeyRefused)));
        }
        if let Some(me) = minted.me {
            self.known_as(me);
        }
        if !self.keeps_tokens() && self.offered.contains(&minted.token) {
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

    pub(super) fn dial(&mut self, fresh: FreshToken, tries: u32, step: &mut Step<'_>) {
        let session = Session::dialled(&self.seat.guild.namespace);
        let wire = Cable { session, frames: VecDeque::new(), sending: false, gone: false };
        let until = step.now.at.after_ms(self.seat.timing.handshake_ms);
        self.enter(State::Dialling { wire, fresh: Box::new(fresh), tries, until }, step.now.at);
        let (line, url, guild) = (self.line(), self.dialect.socket_url(), self.seat.guild_at);
        step.out.push_back(Output::Dial { line, url, guild });
    }

    pub(super) fn upgraded(&mut self) {
        if let State::Dialling { wire, .. } = &mut self.state {
            wire.session.upgraded();
        }
    }

    /// The engine is open: the token is offered, or minted again if it aged meanwhile.
    pub(super) fn offer(&mut self, step: &mut Step<'_>) {
        let now = step.now.at;
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Dialling { wire, fresh, tries, until }
                if fresh.life().nears_end(now) && tries < REMINTS && !self.keeps_tokens() =>
            {
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

    pub(super) fn heard(&mut self, text: &str, step: &mut Step<'_>) {
        let mut frames = Vec::new();
        let now = step.now.at;
        let hidden = self.calls.without_token(text);
        let text = hidden.as_deref().unwrap_or(text);
        let Some(cable) = self.cable() else { return };
        let heard = cable.session.hear(text, now, &mut frames);
        cable.frames.extend(frames);
        if cable.owes_too_much() {
            let detail = "the guild asks for more pongs and acks than it takes";
            return self.end_session(Why::new(Reason::NetProtocol, detail), step);
        }
        match heard {
            session::Heard::Quiet => {}
            session::Heard::Opened => self.offer(step),
            session::Heard::Connected => self.connected(step),
            session::Heard::Event(event) => self.event(&event, step),
            session::Heard::Ack(id, args) => self.join_ack(id, args, step),
            session::Heard::Odd(malformed) => self.odd(malformed, text),
            session::Heard::Over(why) => {
                if matches!(why.reason, Reason::AuthDisconnected | Reason::AuthConnectError) {
                    self.doubt_token(step);
                }
                self.end_session(why, step);
            }
        }
    }

    pub(super) fn heard_binary(&mut self, step: &mut Step<'_>) {
        let Some(cable) = self.cable() else { return };
        match cable.session.hear_binary() {
            session::Heard::Odd(malformed) => self.odd(malformed, ""),
            session::Heard::Over(why) => self.end_session(why, step),
            _ => {}
        }
    }

    pub(super) fn odd(&mut self, malformed: crate::codec::Malformed, text: &str) {
        self.tally.malformed += 1;
        self.broke();
        log::warn!("{}: {}: skipped {malformed}: {}", self.seat.agent.name, Reason::NetProtocol, Clipped(text));
        self.why = Some(Why::new(Reason::NetProtocol, format!("skipped {malformed}: {}", Clipped(text))));
    }

    pub(super) fn lost(&mut self, lost: Lost, step: &mut Step<'_>) {
        // a pump may have told its end before it heard that we left: what ended the session is known already
        let Some(cable) = self.cable() else { return };
        cable.gone = true;
        if let Some(ms) = lost.retry_after_ms {
            return self.end_attempt(lost.why, Outcome::ToldToWait(Duration::from_millis(ms)), step);
        }
        self.end_session(lost.why, step);
    }

    /// A session, or an attempt at one, is over: by the guild's word, its silence, or the network.
    pub(super) fn end_session(&mut self, why: Why, step: &mut Step<'_>) {
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

    pub(super) fn end_attempt(&mut self, why: Why, outcome: Outcome, step: &mut Step<'_>) {
        let now = step.now;
        self.hang_up(step);
        let next = now.at.after(self.backoff.rest_after(outcome, step.rng));
        let next = self.no_sooner(next, step);
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
            let rest = Duration::from_millis(next.since_ms(now.at)).as_secs_f64();
            log::warn!("{agent}: {guild}: {why}; next attempt in {rest:.1} s");
        }
        self.why = Some(why);
        self.rest_until(next, word, now.at);
    }

    pub(super) fn rest_until(&mut self, until: Moment, word: &'static str, now: Moment) {
        self.enter(State::Resting { until, word }, now);
    }

    /// Leaves the wire, whatever state it is in, and everything that hung on it.
    pub(super) fn hang_up(&mut self, step: &mut Step<'_>) {
        if self.doubt_in_words().is_some() {
            self.doubt_what_was_trusted();
        }
        let (line, mut last) = (self.line(), self.last_words());
        if let Some(cable) = self.cable().filter(|cable| !cable.gone) {
            last.extend(cable.session.goodbye());
            step.out.push_back(Output::HangUp(line, last));
        }
        self.calls.forget(|purpose| {
            matches!(purpose, Purpose::Handshake | Purpose::Channels | Purpose::History(_) | Purpose::Walk(_))
        });
        self.history.forget();
        self.live_since = None;
        self.writing.session_over();
        for channel in &mut self.channels {
            channel.session_over();
        }
    }
}
