//! A guild whose tokens serve for all handshakes, because its mints are rationed: the token is kept until it nears its end
//! or the guild lets a doubt arise. Who we are there, it says with the token.

use super::answers::refused_call;
use super::{Link, News};
use crate::backoff::Outcome;
use crate::call::Got;
use crate::dialect::Tokens;
use crate::moment::Moment;
use crate::reason::Why;
use crate::token::{FreshToken, SignIn};
use std::time::Duration;

impl Link {
    /// Whether a token of this guild may be offered again.
    pub(super) fn keeps_tokens(&self) -> bool {
        self.dialect.tokens() != Tokens::Fresh
    }

    /// Who asks for a token.
    pub(super) fn account(&self) -> &str {
        let agent = &self.seat.agent;
        agent.login.as_deref().filter(|_| self.keeps_tokens()).unwrap_or(&agent.id)
    }

    /// The kept token for another attempt, while it is good.
    pub(super) fn kept_token(&self, now: Moment) -> Option<FreshToken> {
        self.sign_in.as_ref().filter(|kept| !kept.life().nears_end(now)).map(SignIn::fresh)
    }

    /// Keeps a token that was minted for an attempt, where the guild allows that.
    pub(super) fn keep_token(&mut self, fresh: FreshToken) -> FreshToken {
        if !self.keeps_tokens() {
            return fresh;
        }
        let kept = SignIn::keep(fresh);
        let fresh = kept.fresh();
        self.sign_in = Some(kept);
        fresh
    }

    /// The guild may not know the token any more: the next attempt brings another one.
    pub(super) fn doubt_token(&mut self) {
        if self.keeps_tokens() {
            self.sign_in = None;
            self.calls.drop_bearer();
        }
    }

    /// When a kept token nears its end: the connection that it began is renewed then.
    pub(super) fn renew_at(&self) -> Option<Moment> {
        self.sign_in.as_ref().map(|kept| kept.life().near_end())
    }

    /// Until when the next mint has to wait, where one is due now and comes too soon.
    pub(super) fn mint_rests(&self, now: Moment) -> Option<Moment> {
        let Tokens::Kept { spacing_ms, .. } = self.dialect.tokens() else { return None };
        let due = self.kept_token(now).is_none();
        self.signed_in_at.map(|at| at.after_ms(spacing_ms)).filter(|until| due && *until > now)
    }

    /// The mint was answered 429.
    pub(super) fn mint_limited(&self, got: &Got<'_>) -> (Why, Outcome) {
        let (why, outcome) = refused_call("the mint", got);
        match (self.dialect.tokens(), got.retry_after_ms) {
            (Tokens::Kept { wait_ms, .. }, said) => {
                let wait = Duration::from_millis(said.unwrap_or(0).max(wait_ms));
                (why, Outcome::ToldToWait(wait))
            }
            (Tokens::Fresh, _) => (why, outcome),
        }
    }

    /// The guild says who we are.
    pub(super) fn known_as(&mut self, me: String) {
        if self.me.as_ref() != Some(&me) {
            self.news.push(News::KnownAs(me.clone()));
            self.me = Some(me);
            self.be_known();
        }
    }

    /// The guild says who another agent of this daemon is there.
    pub fn add_fellow(&mut self, id: &str) {
        self.fellows.insert(id.to_owned());
        self.be_known();
    }

    /// What the guild said of us and our fellows stands above the configuration.
    pub(super) fn be_known(&mut self) {
        if let Some(me) = &self.me {
            self.seat.agent.id.clone_from(me);
        }
        self.seat.colleagues.extend(self.fellows.iter().cloned());
    }

    /// Who the guild says that we are.
    #[must_use]
    pub fn me(&self) -> Option<&str> {
        self.me.as_deref()
    }
}
