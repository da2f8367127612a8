//! Replies on their way to one guild, for one agent: in order within a channel, each under its own idempotency key,
//! tried until the guild stored it or refused it for good. It knows no HTTP: it says what is due and is told what came.

use crate::budget;
use crate::journal::Post;
use crate::moment::{Moment, sooner};
use crate::port::Client;
use std::collections::VecDeque;

/// Rest after a failed post: doubled from the first to the last.
const REST_MS: std::ops::RangeInclusive<u64> = 1_000..=60_000;

/// A post that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The idempotency key: the same after any restart.
    pub key: String,
    /// Where.
    pub channel: String,
    /// What.
    pub text: String,
    /// The message that it answers.
    pub reply_to: Option<String>,
    /// A message of the channel that is older than it: it is looked for behind that one.
    pub message: Option<String>,
    /// Who wants to know what became of it.
    pub asked_by: AskedBy,
    /// A part of a reply whose turn may have been open in an earlier life: it may have been posted and known then.
    pub again: bool,
}

impl Item {
    /// A post of a channel.
    #[must_use]
    pub fn of(channel: String, post: Post, asked_by: AskedBy) -> Self {
        let Post { key, text, reply_to, message } = post;
        Self { key, channel, text, reply_to, message, asked_by, again: false }
    }

    /// What it is charged for while it waits: everything that it holds. The message that it is looked for behind may change,
    /// and is charged as the one that it answers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let reply_to = self.reply_to.as_ref().map_or(0, String::len);
        size_of::<Waiting>() + self.key.len() + self.channel.len() + self.text.len() + 2 * reply_to
    }
}

/// Who wants to know what became of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// A turn: nobody waits.
    Turn,
    /// An agent's `send`, by its id.
    Agent(String),
    /// `guild-bridge send`.
    Client(Client),
}

/// What is due for a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Post it.
    Post,
    /// Its outcome is unknown: look it up in history first.
    LookUp,
}

/// The outbox of one link.
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    share: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::of(budget::OUTBOX_BYTES)
    }
}

struct Waiting {
    item: Item,
    /// The write of the journal that holds it: nothing is posted that a crash could forget.
    kept_by: u64,
    step: Step,
    unknown: bool,
    /// The guild was asked to store it, in this life.
    asked: bool,
    tries: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Ready,
    UnderWay,
    Resting(Moment),
}

impl Outbox {
    /// One that takes no more turns beyond so many bytes.
    #[must_use]
    pub fn of(share: usize) -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, share }
    }

    /// Its share is another one from here on.
    pub fn set_share(&mut self, share: usize) {
        self.share = share;
    }

    /// Posts that wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is room for another turn's reply.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.len() < budget::OUTBOX_POSTS && self.bytes < self.share
    }

    /// Whether there is room for the reply to a turn of this channel: the half of it is for channels in which nothing
    /// waits, so that no channel whose posts cannot go holds up another.
    #[must_use]
    pub fn has_room_for(&self, channel: &str) -> bool {
        let nothing_waits = !self.waiting.iter().any(|waiting| waiting.item.channel == channel);
        let half_free = self.waiting.len() < budget::OUTBOX_POSTS / 2 && self.bytes < self.share / 2;
        self.has_room() && (nothing_waits || half_free)
    }

    /// Posts of a channel that the guild was asked to store in this life, and may have.
    pub fn asked_in(&self, channel: &str) -> impl Iterator<Item = &Item> {
        let asked = move |waiting: &&Waiting| {
            let may_be = waiting.unknown || waiting.step == Step::UnderWay;
            waiting.asked && may_be && waiting.item.channel == channel
        };
        self.waiting.iter().filter(asked).map(|waiting| &waiting.item)
    }

    /// Whether a post is under way or due now: what a daemon that ends waits for.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.waiting.iter().any(|waiting| !matches!(waiting.step, Step::Resting(_)))
    }

    /// Whether a key is on its way already.
    #[must_use]
    pub fn holds(&self, key: &str) -> bool {
        self.waiting.iter().any(|waiting| waiting.item.key == key)
    }

    /// Takes a post in. A key that is on its way already is not taken twice; `unknown`: an earlier life of the daemon
    /// may have posted it; `kept_by`: the write of the journal that holds it.
    pub fn push(&mut self, item: Item, kept_by: u64, unknown: bool) {
        if self.holds(&item.key) {
            return;
        }
        self.bytes += item.bytes();
        if self.waiting.len() == self.waiting.capacity() {
            // what would be twice as large is charged for nobody
            self.waiting.reserve_exact(4);
        }
        self.waiting.push_back(Waiting { item, kept_by, step: Step::Ready, unknown, asked: false, tries: 0 });
    }

    /// The next post that is due: the first of its channel, kept by the journal (written up to `stored`), not resting.
    /// It counts as under way from here.
    pub fn next(&mut self, now: Moment, stored: u64) -> Option<(Item, Due)> {
        let at = (0..self.waiting.len()).find(|at| self.is_due(*at, now, stored))?;
        let waiting = self.waiting.get_mut(at)?;
        waiting.step = Step::UnderWay;
        waiting.asked |= !waiting.unknown;
        Some((waiting.item.clone(), if waiting.unknown { Due::LookUp } else { Due::Post }))
    }

    /// The posts in their order, for the journal.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.waiting.iter().map(|waiting| &waiting.item)
    }

    /// It is over, for good or bad: the guild stored it, or refused it.
    pub fn over(&mut self, key: &str) -> Option<Item> {
        let at = self.waiting.iter().position(|waiting| waiting.item.key == key)?;
        let waiting = self.waiting.remove(at)?;
        self.bytes = self.bytes.saturating_sub(waiting.item.bytes());
        Some(waiting.item)
    }

    /// It was not found in history: it may be posted.
    pub fn not_there(&mut self, key: &str) {
        if let Some(waiting) = self.find(key) {
            waiting.unknown = false;
            waiting.step = Step::Ready;
        }
    }

    /// It was looked for up to this message of its channel: the next look-up goes on from there.
    pub fn looked_up_to(&mut self, key: &str, message: String) {
        if let Some(waiting) = self.find(key) {
            waiting.item.message = Some(message);
        }
    }

    /// It may have been stored, whatever was said: it is looked up before it is posted again.
    pub fn doubt(&mut self, key: &str) {
        if let Some(waiting) = self.find(key) {
            waiting.unknown = true;
        }
    }

    /// It is not known whether it was stored.
    pub fn unknown(&mut self, key: &str, now: Moment) {
        if let Some(waiting) = self.find(key) {
            waiting.unknown = true;
        }
        self.failed(key, now);
    }

    /// It was certainly not stored: again, after a rest that doubles.
    pub fn failed(&mut self, key: &str, now: Moment) {
        if let Some(waiting) = self.find(key) {
            let rest = (REST_MS.start() << waiting.tries.min(6)).min(*REST_MS.end());
            waiting.tries += 1;
            waiting.step = Step::Resting(now.after_ms(rest));
        }
    }

    /// The guild asked to wait.
    pub fn told_to_wait(&mut self, key: &str, until: Moment) {
        if let Some(waiting) = self.find(key) {
            // it is there: what failed before is over, and no reconnection cuts the wait short
            waiting.tries = 0;
            waiting.step = Step::Resting(until);
        }
    }

    /// The link can post again: what rests only because of failures is due now.
    pub fn wake(&mut self, now: Moment) {
        for waiting in &mut self.waiting {
            if waiting.step == Step::UnderWay || waiting.tries == 0 {
                continue;
            }
            waiting.step = Step::Resting(now);
        }
    }

    /// When something that rests is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.waiting.iter().fold(None, |soonest, waiting| match waiting.step {
            Step::Resting(until) => sooner(soonest, Some(until)),
            Step::Ready | Step::UnderWay => soonest,
        })
    }

    fn is_due(&self, at: usize, now: Moment, stored: u64) -> bool {
        let Some(waiting) = self.waiting.get(at) else { return false };
        let due = match waiting.step {
            Step::Ready => true,
            Step::Resting(until) => until <= now,
            Step::UnderWay => false,
        };
        let first = !self.waiting.iter().take(at).any(|earlier| earlier.item.channel == waiting.item.channel);
        due && first && waiting.kept_by <= stored
    }

    fn find(&mut self, key: &str) -> Option<&mut Waiting> {
        self.waiting.iter_mut().find(|waiting| waiting.item.key == key)
    }
}
