//! A session's HTTP calls: made with its token or one of their own, and given to whoever waits for their answer.

use super::calls::{self, Purpose, UnderWay};
use super::{Link, State};
use crate::backoff::{Class, Outcome};
use crate::budget;
use crate::call::{Answer, Got};
use crate::dialect::Request;
use crate::moment::Moment;
use crate::reason::{Reason, Why};
use crate::step::Step;
use crate::text::Clipped;
use std::time::Duration;

impl Link {
    /// Whether calls can be made: there is a token for them, or a session that may mint one.
    pub(super) fn can_call(&self) -> bool {
        matches!(self.state, State::Up(_)) || self.calls.bearer_left()
    }

    pub(super) fn call(&mut self, purpose: Purpose, repeated: bool, step: &mut Step<'_>) {
        if !self.calls.has_bearer(step.now.at) {
            if self.keeps_tokens() {
                // the next attempt signs in; calls do not
                let why = Why::new(Reason::AuthExpired, "the token has ended; the next attempt signs in");
                return self.call_failed(&purpose, why, step);
            }
            if let Some(purpose) = self.calls.hold(purpose, repeated) {
                let why = Why::new(Reason::NetTimeout, "too many calls wait for a token already");
                return self.call_failed(&purpose, why, step);
            }
            if !self.calls.any(|purpose| *purpose == Purpose::Bearer) {
                self.mint(Purpose::Bearer, step);
            }
            return;
        }
        if let Some(request) = self.request(&purpose) {
            self.calls.send(purpose, repeated, request, step);
        }
    }

    pub(super) fn minted_bearer(&mut self, answer: Answer<'_>, sent: Moment, step: &mut Step<'_>) {
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
    pub(super) fn answered(&mut self, call: UnderWay, answer: Answer<'_>, step: &mut Step<'_>) {
        let unauthorised = matches!(&answer, Answer::Got(got) if got.status == 401);
        if unauthorised && self.keeps_tokens() {
            self.doubt_token(step);
        }
        if unauthorised && !call.repeated && !self.keeps_tokens() {
            self.calls.drop_bearer();
            return self.call(call.purpose, true, step);
        }
        if unauthorised {
            let why = Why::new(Reason::AuthHttp401, "a call was answered 401 with a token minted for it");
            self.call_failed(&call.purpose, why.clone(), step);
            let reads = matches!(call.purpose, Purpose::Channels | Purpose::History(_) | Purpose::Walk(_));
            if (reads || self.keeps_tokens()) && matches!(self.state, State::Up(_)) {
                self.end_session(why, step);
            }
            return;
        }
        match call.purpose {
            Purpose::Handshake | Purpose::Bearer => {}
            Purpose::Channels => self.channels_answered(answer, call.sent, step),
            Purpose::History(page) => self.history_answered(page, answer, call.sent, step),
            Purpose::Walk(walk) => self.walked(walk, answer, call.sent, step),
            Purpose::Post(key) => self.post_answered(&key, answer, step),
            Purpose::LookUp(look_up) => self.look_up_answered(look_up, answer, step),
            Purpose::Attachment { turn, id, path, .. } => self.attachment_answered(turn, id, path, answer),
        }
    }

    pub(super) fn request(&self, purpose: &Purpose) -> Option<Request> {
        Some(match purpose {
            Purpose::Handshake | Purpose::Bearer => return None,
            Purpose::Channels => self.dialect.channels(),
            Purpose::History(page) => self.dialect.history(&page.channel, page.after.as_deref(), page.limit),
            Purpose::Walk(walk) => walk.request(self.dialect.timeline()?),
            Purpose::LookUp(page) if self.dialect.timeline().is_some() => page.request(self.dialect.timeline()?),
            Purpose::LookUp(page) => self.dialect.history(&page.channel, page.after.as_deref(), page.limit),
            Purpose::Post(key) => {
                let item = self.outbox.items().find(|item| item.key == *key)?;
                let (about, reply_to) = (item.message.as_deref(), item.reply_to.as_deref());
                self.dialect.post_about(&item.channel, about, &item.text, reply_to, key)
            }
            Purpose::Attachment { id, path, max_bytes, .. } => {
                calls::into_file(self.dialect.attachment(id), path.clone(), *max_bytes)
            }
        })
    }

    /// A call could not be made at all.
    pub(super) fn call_failed(&mut self, purpose: &Purpose, why: Why, step: &mut Step<'_>) {
        match purpose {
            Purpose::Handshake | Purpose::Bearer => {}
            Purpose::Post(key) => self.outbox.failed(key, step.now.at),
            Purpose::LookUp(look_up) => self.outbox.unknown(&look_up.key, step.now.at),
            Purpose::Channels => self.channels_answered(Answer::Failed { why, sent: false }, step.now.at, step),
            Purpose::History(page) => {
                self.history_answered(page.clone(), Answer::Failed { why, sent: false }, step.now.at, step);
            }
            Purpose::Walk(walk) => {
                self.walked(walk.clone(), Answer::Failed { why, sent: false }, step.now.at, step);
            }
            Purpose::Attachment { turn, id, path, .. } => {
                let answer = Answer::Failed { why, sent: false };
                self.attachment_answered(turn.clone(), id.clone(), path.clone(), answer);
            }
        }
    }
}

impl Link {
    /// The status of a refusal, and the guild's own words where its dialect finds some.
    pub(super) fn refused_with(&self, got: &Got<'_>) -> String {
        let Some(mut said) = self.dialect.refusal(got.body) else { return got.status.to_string() };
        if let Ok(key) = &self.seat.agent.key {
            said = said.replace(key.expose(), "[key]");
        }
        let said = self.calls.without_token(&said).unwrap_or(said);
        format!("{}: {}", got.status, Clipped::to(said.trim(), budget::REFUSAL_BYTES))
    }
}

/// A status that is no success and no 401.
#[must_use]
pub fn refused_call(what: &str, got: &Got<'_>) -> (Why, Outcome) {
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
        (407, _) => {
            (Why::new(Reason::HttpPortal, format!("{said}: a proxy between wants to be logged in at")), network)
        }
        (511, _) => (Why::new(Reason::HttpPortal, format!("{said}: the network wants to be logged in at")), network),
        _ => (Why::new(Reason::HttpStatus, said), network),
    }
}

/// A 2xx whose body is not what was due: a page means that something else answers.
#[must_use]
pub fn unreadable(got: &Got<'_>, what: &str) -> Why {
    let reason = if is_page(got) { Reason::HttpPortal } else { Reason::HttpBody };
    let kind = got.content_type.as_deref().unwrap_or("no content type");
    Why::new(reason, format!("{what} ({})", Clipped(kind)))
}

fn is_page(got: &Got<'_>) -> bool {
    got.content_type.as_deref().is_some_and(|kind| kind.contains("html"))
        || got.body.trim_ascii_start().first() == Some(&b'<')
}

/// Whether a refusal is the guild's own last word, and not of something that stands before it and may answer otherwise soon:
/// a proxy's 407, a page, a path that is not there for now. What is too large stays so, whoever says it.
#[must_use]
pub fn is_last_word(got: &Got<'_>) -> bool {
    let says_why = || matches!(got.body.trim_ascii_start().first(), None | Some(b'{' | b'[' | b'"'));
    match got.status {
        413 => true,
        407 => false,
        404 => !is_page(got) && says_why(),
        _ => !is_page(got),
    }
}

/// Whether a body begins as an array does. What does not is something else's answer, however long it is: nothing in it is
/// a row that could be missed.
#[must_use]
pub fn is_array(got: &Got<'_>) -> bool {
    got.body.trim_ascii_start().first() == Some(&b'[')
}

/// A call's answer, if it is a 2xx; else why not, and how long to wait if that was said.
pub(super) fn checked<'a>(what: &str, answer: Answer<'a>) -> Result<Got<'a>, (Why, Option<u64>)> {
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
