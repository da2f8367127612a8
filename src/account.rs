//! Accounts that this daemon signs in to, where sign-ins are rationed. A guild counts them by account, whoever asks: links
//! that share one share when its next sign-in may be sent, and the token that the last one brought.

use crate::budget;
use crate::moment::Moment;
use crate::secret::Secret;
use crate::token::{FreshToken, SignIn};

/// A token that the guild lets a doubt arise of makes the next sign-in wait so long after its own; doubled with each that
/// fares no better, up to the last.
const DOUBTED_MS: std::ops::RangeInclusive<u64> = 20_000..=900_000;

/// Who signs in where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The URL that mints.
    pub server: String,
    /// Who.
    pub login: String,
}

/// All of them.
#[derive(Default)]
pub struct Accounts(Vec<Account>);

struct Account {
    name: Name,
    /// No sign-in is sent before.
    next: Moment,
    /// Tokens in a row that did not serve for long.
    doubts: u32,
    /// Nor before this, on their account.
    doubted: Moment,
    brought: Option<Brought>,
}

/// What the last sign-in brought, and for whom: one with another key has no part in it.
struct Brought {
    key: Secret,
    token: SignIn,
    me: Option<String>,
}

impl Accounts {
    /// Until when the next sign-in waits, where it does.
    #[must_use]
    pub fn rests(&self, name: &Name, now: Moment) -> Option<Moment> {
        self.of(name).map(|account| account.next.max(account.doubted)).filter(|next| *next > now)
    }

    /// No sign-in is sent before this moment.
    pub fn wait(&mut self, name: &Name, until: Moment) {
        self.with(name, |account| account.next = account.next.max(until));
    }

    /// A sign-in with this key brought a token.
    pub fn brought(&mut self, name: &Name, key: &Secret, token: &SignIn, me: Option<&str>) {
        let token = SignIn::keep(token.fresh());
        let brought = Brought { key: key.clone(), token, me: me.map(str::to_owned) };
        self.with(name, |account| account.brought = Some(brought));
    }

    /// The token of the last sign-in, while it is good, and who the guild says that is.
    #[must_use]
    pub fn token(&self, name: &Name, key: &Secret, now: Moment) -> Option<(FreshToken, Option<String>)> {
        let brought = self.of(name)?.brought.as_ref().filter(|brought| brought.key == *key)?;
        (!brought.token.life().nears_end(now)).then(|| (brought.token.fresh(), brought.me.clone()))
    }

    /// The guild may not know this token any more: nobody else is given it. Where it served for no long time, what is wrong
    /// is not the token, and another one helps the less the more of them were doubted.
    pub fn doubt(&mut self, name: &Name, token: &SignIn, now: Moment) {
        let Some(account) = self.0.iter_mut().find(|account| account.name == *name) else { return };
        if !account.brought.as_ref().is_some_and(|brought| brought.token.is(token)) {
            return;
        }
        account.brought = None;
        let (shortest, longest) = (*DOUBTED_MS.start(), *DOUBTED_MS.end());
        let signed_in = token.life().begin();
        if now.since_ms(signed_in) > longest {
            account.doubts = 0;
            return;
        }
        let rest = (shortest << account.doubts.min(16)).min(longest);
        account.doubted = signed_in.after_ms(rest);
        account.doubts = account.doubts.saturating_add(1);
    }

    /// Somebody who may have mended what was wrong wants it to be tried.
    pub fn forgive(&mut self, name: &Name) {
        for account in self.0.iter_mut().filter(|account| account.name == *name) {
            account.doubted = Moment::default();
        }
    }

    /// Tokens of accounts that nobody has any more are forgotten; when the next sign-in may be sent is not.
    pub fn keep(&mut self, used: impl Fn(&Name) -> bool) {
        for account in self.0.iter_mut().filter(|account| !used(&account.name)) {
            account.brought = None;
        }
    }

    fn of(&self, name: &Name) -> Option<&Account> {
        self.0.iter().find(|account| account.name == *name)
    }

    /// The account's page in the book. Of those that nobody has any more the longest unused goes first.
    fn with(&mut self, name: &Name, act: impl FnOnce(&mut Account)) {
        if let Some(known) = self.0.iter_mut().find(|account| account.name == *name) {
            return act(known);
        }
        if self.0.len() >= budget::ACCOUNTS {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, other)| (other.brought.is_some(), other.next));
            oldest.map(|(at, _)| at).into_iter().for_each(|at| drop(self.0.swap_remove(at)));
        }
        let mut account = Account {
            name: name.clone(),
            next: Moment::default(),
            doubts: 0,
            doubted: Moment::default(),
            brought: None,
        };
        act(&mut account);
        self.0.push(account);
    }
}
