//! A guild whose tokens serve for all handshakes, because its mints are rationed: the token is kept until it nears its end
//! or the guild lets a doubt arise, and shared with the links of the same account. Who we are there, it says with the token.

use super::answers::refused_call;
use super::{Link, News, State};
use crate::account::Name;
use crate::backoff::Outcome;
use crate::call::Got;
use crate::dialect::Tokens;
use crate::moment::Moment;
use crate::reason::Why;
use crate::step::Step;
use crate::token::{FreshToken, SignIn};
use std::rc::Rc;
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

    /// The account that it signs in to, where sign-ins are rationed.
    #[must_use]
    pub fn account_name(&self) -> Option<Name> {
        let name = || Name { server: self.seat.guild.center.clone(), login: self.account().to_owned() };
        self.keeps_tokens().then(name)
    }

    fn own_token(&self, now: Moment) -> Option<&SignIn> {
        self.sign_in.as_ref().filter(|kept| !kept.life().nears_end(now))
    }

    /// The kept token for another attempt, while it is good; else the one that another link of the account was given.
    pub(super) fn kept_token(&mut self, step: &mut Step<'_>) -> Option<FreshToken> {
        if let Some(own) = self.own_token(step.now.at) {
            return Some(own.fresh());
        }
        let (name, key) = (self.account_name()?, self.seat.agent.key.as_ref().ok()?);
        let (token, me) = step.accounts.token(&name, key, step.now.at)?;
        let kept = SignIn::keep(token);
        let fresh = kept.fresh();
        self.sign_in = Some(kept);
        me.into_iter().for_each(|me| self.known_as(me));
        Some(fresh)
    }

    /// Keeps a token that was minted for an attempt, where the guild allows that.
    pub(super) fn keep_token(&mut self, fresh: FreshToken, step: &mut Step<'_>) -> FreshToken {
        let (Some(name), Ok(key)) = (self.account_name(), &self.seat.agent.key) else { return fresh };
        let kept = SignIn::keep(fresh);
        let fresh = kept.fresh();
        step.accounts.brought(&name, key, &kept, self.me.as_deref());
        self.sign_in = Some(kept);
        self.news.push(News::SignedIn(name));
        fresh
    }

    /// A link of this account signed in: another one that rests without a good token has one now, and tries.
    pub fn another_signed_in(&mut self, name: &Name, step: &Step<'_>) {
        let now = step.now.at;
        let Ok(key) = &self.seat.agent.key else { return };
        let waits = matches!(self.state, State::Resting { .. }) && self.own_token(now).is_none();
        let shares = self.account_name().as_ref() == Some(name) && step.accounts.token(name, key, now).is_some();
        if waits && shares {
            self.nudge(now);
        }
    }

    /// The guild may not know the token any more: the next attempt brings another one.
    pub(super) fn doubt_token(&mut self, step: &mut Step<'_>) {
        let Some(name) = self.account_name() else { return };
        if let Some(doubted) = self.sign_in.take() {
            step.accounts.doubt(&name, &doubted, step.now.at);
        }
        self.calls.drop_bearer();
    }

    /// Somebody who may have mended what was wrong wants a sign-in.
    pub(super) fn forgive_tokens(&self, step: &mut Step<'_>) {
        if let Some(name) = self.account_name() {
            step.accounts.forgive(&name);
        }
    }

    /// When the next attempt can begin, where one is due then.
    pub(super) fn no_sooner(&self, due: Moment, step: &Step<'_>) -> Moment {
        let (Some(name), Ok(key)) = (self.account_name(), &self.seat.agent.key) else { return due };
        let kept = self.own_token(due).is_some() || step.accounts.token(&name, key, due).is_some();
        step.accounts.rests(&name, due).filter(|_| !kept).unwrap_or(due)
    }

    /// When a kept token nears its end: the connection that it began is renewed then.
    pub(super) fn renew_at(&self) -> Option<Moment> {
        self.sign_in.as_ref().map(|kept| kept.life().near_end())
    }

    /// Until when the next mint has to wait, where it would come too soon after the account's last one.
    pub(super) fn mint_rests(&self, step: &Step<'_>) -> Option<Moment> {
        step.accounts.rests(&self.account_name()?, step.now.at)
    }

    /// A mint goes out: the account's next one has to wait, where they are rationed.
    pub(super) fn space_sign_ins(&self, step: &mut Step<'_>) {
        if let (Tokens::Kept { spacing_ms, .. }, Some(name)) = (self.dialect.tokens(), self.account_name()) {
            step.accounts.wait(&name, step.now.at.after_ms(spacing_ms));
        }
    }

    /// The mint was answered 429.
    pub(super) fn mint_limited(&self, got: &Got<'_>, step: &mut Step<'_>) -> (Why, Outcome) {
        let (why, outcome) = refused_call("the mint", got);
        let (Tokens::Kept { wait_ms, .. }, Some(name)) = (self.dialect.tokens(), self.account_name()) else {
            return (why, outcome);
        };
        let wait_ms = got.retry_after_ms.unwrap_or(0).max(wait_ms);
        step.accounts.wait(&name, step.now.at.after_ms(wait_ms));
        (why, Outcome::ToldToWait(Duration::from_millis(wait_ms)))
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
        if !self.fellows.is_subset(&self.seat.colleagues) {
            Rc::make_mut(&mut self.seat.colleagues).extend(self.fellows.iter().cloned());
        }
    }

    /// Who the guild says that we are.
    #[must_use]
    pub fn me(&self) -> Option<&str> {
        self.me.as_deref()
    }
}
