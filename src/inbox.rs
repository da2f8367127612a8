//! One agent's open turns: one for each conversation, at most `parallel` at once, each with its deadline and its three
//! attempts. Where the messages come from and where the replies go is the links' affair.

use crate::agent::{Cancel, Said};
use crate::budget;
use crate::message::{AgentId, Conversation, Fetched, LinkId, Turn, mark};
use crate::moment::{Moment, sooner};
use crate::port::Output;
use crate::reason::{Reason, Why};
use crate::settings::Transport;
use crate::step::Step;
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;

/// Attempts of one turn.
const ATTEMPTS: u32 = 3;
/// Rest before the second and the third attempt.
const RESTS_MS: [u64; 2] = [2_000, 10_000];
/// Rest of an agent that is busy and does not say for how long.
const BUSY_MS: u64 = 5_000;
/// Rest of a turn whose agent is not there, doubled from the first to the last.
const ABSENT_MS: std::ops::RangeInclusive<u64> = 2_000..=30_000;

/// An agent's turns.
pub struct Inbox {
    id: AgentId,
    transport: &'static str,
    parallel: usize,
    turns: Vec<Open>,
    here: bool,
    closing: bool,
    absences: u32,
    why: Option<Why>,
    /// Turns ended since the start.
    pub done: u64,
    /// Attempts that failed since the start.
    pub failed: u64,
    /// What could not be read, since the start.
    pub garbled: u64,
}

struct Open {
    turn: Rc<Turn>,
    /// Of the channel's id.
    mark: u32,
    link: LinkId,
    state: State,
    failures: u32,
    replies: u32,
    /// Replies of this attempt.
    place: u32,
    /// Where in an attempt which words stood, hashed: an attempt that says the same again there adds nothing.
    said: Vec<(u32, u64)>,
}

enum State {
    /// Attachments are on their way.
    Fetching { left: usize },
    /// Waits for an agent that can take it.
    Held,
    /// The agent has it.
    Asked { deadline: Moment },
    /// Waits for its next attempt.
    Resting { until: Moment },
}

/// What became of a turn, for the link it came from.
#[derive(Debug, PartialEq, Eq)]
pub enum Became {
    /// A reply (or a part of one that is still growing).
    Reply {
        /// Whose.
        link: LinkId,
        /// Its turn, channel and message.
        about: About,
        /// The text.
        text: String,
        /// It ended the turn.
        last: bool,
    },
    /// It ended without a reply.
    Silent {
        /// Whose.
        link: LinkId,
        /// Its turn, channel and message.
        about: About,
    },
    /// The agent says that it writes, or does so no more; the turn goes on.
    Typing {
        /// Whose.
        link: LinkId,
        /// Its turn, channel and message.
        about: About,
        /// It writes.
        on: bool,
    },
    /// It was given up.
    GivenUp {
        /// Whose.
        link: LinkId,
        /// Its turn, channel and message.
        about: About,
        /// Why.
        why: Why,
    },
}

/// Which turn, where and about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The turn.
    pub turn: String,
    /// The channel's id.
    pub channel: Rc<str>,
    /// The message's id.
    pub message: String,
    /// Counts the replies of this turn, over all its attempts: 1 for the first. What an attempt says again is not counted.
    pub reply: u32,
    /// History brought the message: an earlier life of the daemon may have posted the same reply.
    pub replayed: bool,
}

impl Inbox {
    /// An agent that is not there yet.
    #[must_use]
    pub fn new(id: AgentId, agent: &crate::settings::Agent) -> Self {
        let transport = match agent.answer {
            Transport::Exec { .. } => "exec",
            Transport::Stdio { .. } => "stdio",
            Transport::Socket { .. } => "socket",
            Transport::Http { .. } => "http",
        };
        let parallel = usize::from(agent.parallel.clamp(1, budget::PARALLEL));
        Self {
            id,
            transport,
            parallel,
            turns: Vec::new(),
            here: false,
            closing: false,
            absences: 0,
            why: None,
            done: 0,
            failed: 0,
            garbled: 0,
        }
    }

    /// `parallel` changed.
    pub fn set_parallel(&mut self, parallel: u16) {
        self.parallel = usize::from(parallel.clamp(1, budget::PARALLEL));
    }

    /// exec, stdio, socket, http.
    #[must_use]
    pub fn transport(&self) -> &'static str {
        self.transport
    }

    /// Open turns.
    #[must_use]
    pub fn open(&self) -> usize {
        self.turns.len()
    }

    /// ready, busy, missing; and what went wrong last.
    #[must_use]
    pub fn state(&self) -> (&'static str, Option<&Why>) {
        let state = match (self.here, self.absences, self.turns.is_empty()) {
            (false, _, _) => "missing",
            (true, 1.., _) => "missing",
            (true, 0, false) => "busy",
            (true, 0, true) => "ready",
        };
        (state, self.why.as_ref())
    }

    /// Why the agent is not there, once that was found out.
    #[must_use]
    pub fn absence(&self) -> Option<&Why> {
        self.why.as_ref().filter(|_| !self.here || self.absences > 0)
    }

    /// Whether the agent has a turn now: what a daemon that ends waits for.
    #[must_use]
    pub fn working(&self) -> bool {
        self.turns.iter().any(|open| matches!(open.state, State::Asked { .. }))
    }

    /// Whether another turn may be opened.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.closing && self.turns.len() < self.parallel
    }

    /// Whether a conversation has an open turn.
    #[must_use]
    pub fn holds(&self, link: LinkId, channel: &str, thread: Option<&str>) -> bool {
        let mark = mark(channel);
        let is = |conv: &Conversation| *conv.channel == *channel && conv.thread.as_deref() == thread;
        self.turns.iter().any(|open| open.mark == mark && open.link == link && is(&open.turn.conv))
    }

    /// Opens a turn; `fetching`: so many attachments are on their way first.
    pub fn begin(&mut self, turn: Turn, link: LinkId, fetching: usize, step: &mut Step<'_>) {
        let state = if fetching > 0 { State::Fetching { left: fetching } } else { State::Held };
        let mark = mark(&turn.conv.channel);
        self.turns.push(Open {
            turn: Rc::new(turn),
            mark,
            link,
            state,
            failures: 0,
            replies: 0,
            place: 0,
            said: Vec::new(),
        });
        self.give(step);
    }

    /// An attachment came, or did not.
    pub fn fetched(&mut self, turn: &str, attachment: &str, fetched: Fetched, step: &mut Step<'_>) {
        if let Some(open) = self.turns.iter_mut().find(|open| open.turn.id == turn) {
            let files = Rc::make_mut(&mut open.turn).message.attachments.iter_mut();
            for file in files.filter(|file| file.id == attachment && file.fetched == Fetched::NotAsked) {
                file.fetched = fetched.clone();
            }
            if let State::Fetching { left } = &mut open.state {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    open.state = State::Held;
                }
            }
        }
        self.give(step);
    }

    /// The agent said something about a turn, or about itself. (`Send` is not the inbox's.)
    pub fn said(&mut self, said: Said<'_>, step: &mut Step<'_>) -> Option<Became> {
        match said {
            Said::Here => {
                self.here = true;
                for open in &mut self.turns {
                    if matches!(open.state, State::Asked { .. }) {
                        open.state = State::Held;
                    }
                }
                self.absences = 0;
                self.why = None;
                self.give(step);
                None
            }
            Said::Gone(why) => {
                self.here = false;
                self.why = Some(why);
                self.tick(step)
            }
            Said::Typing { turn, on } => {
                let open = self.asked(&turn)?;
                Some(Became::Typing { link: open.link, about: open.about(), on })
            }
            Said::Accepted { .. } | Said::Send { .. } => None,
            Said::Reply { turn, text, last } => self.reply(&turn, &text, last, step),
            Said::None { turn } => {
                self.asked(&turn)?;
                let open = self.end(&turn, step)?;
                self.done += 1;
                Some(Became::Silent { link: open.link, about: open.about() })
            }
            Said::Failed { turn, why } => self.fail(&turn, why, step),
            Said::Busy { turn, retry_ms } => {
                let rest = retry_ms.unwrap_or(BUSY_MS).clamp(100, *budget::RETRY_AFTER_MS.end());
                self.rest(&turn, step.now.at.after_ms(rest));
                None
            }
            Said::Absent { turn, why } => {
                let rest = (ABSENT_MS.start() << self.absences.min(5)).min(*ABSENT_MS.end());
                self.absences = self.absences.saturating_add(1);
                self.why = Some(why);
                self.rest(&turn, step.now.at.after_ms(rest));
                None
            }
            Said::Garbled(why) => {
                self.garbled += 1;
                self.why = Some(why);
                None
            }
        }
    }

    /// Time passed: deadlines, attempts that are due, turns of an agent that went away. Call until `None`.
    pub fn tick(&mut self, step: &mut Step<'_>) -> Option<Became> {
        self.give(step);
        while let Some((turn, why)) = self.late(step) {
            let became = self.fail(&turn, why, step);
            if became.is_some() {
                return became;
            }
        }
        None
    }

    /// A turn that an agent has and will not answer any more.
    fn late(&self, step: &mut Step<'_>) -> Option<(String, Why)> {
        let now = step.now.at;
        let asked = |open: &&Open| matches!(open.state, State::Asked { deadline } if !self.here || deadline <= now);
        let open = self.turns.iter().find(asked)?;
        if !self.here {
            let gone = Why::new(Reason::AgentGone, "the agent went away");
            return Some((open.turn.id.clone(), self.why.clone().unwrap_or(gone)));
        }
        step.out.push_back(Output::Cancel(self.id, open.turn.id.clone(), Cancel::Timeout));
        let why = format!("no answer within {} s", open.turn.deadline_ms / 1000);
        Some((open.turn.id.clone(), Why::new(Reason::AgentTimeout, why)))
    }

    /// When `tick` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.turns.iter().fold(None, |soonest, open| match open.state {
            State::Asked { deadline } => sooner(soonest, Some(deadline)),
            State::Resting { until } if self.here => sooner(soonest, Some(until)),
            State::Resting { .. } | State::Fetching { .. } | State::Held => soonest,
        })
    }

    /// No new turns from here on.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// New turns after all.
    pub fn reopen(&mut self) {
        self.closing = false;
    }

    /// The agent is asked another way from here on: open turns wait for it, and are given again.
    pub fn take_back(&mut self, step: &mut Step<'_>) {
        self.here = false;
        for open in &mut self.turns {
            if matches!(open.state, State::Asked { .. }) {
                step.out.push_back(Output::Cancel(self.id, open.turn.id.clone(), Cancel::Shutdown));
                open.state = State::Held;
            }
        }
    }

    /// Takes every open turn back: they were not answered, and will be given again some day.
    pub fn give_back(&mut self, step: &mut Step<'_>) {
        self.give_back_where(|_| true, step);
    }

    /// The same with the turns of a link that is removed: their replies have no way any more.
    pub fn give_back_of(&mut self, link: LinkId, step: &mut Step<'_>) {
        self.give_back_where(|open| open.link == link, step);
    }

    fn give_back_where(&mut self, is: impl Fn(&Open) -> bool, step: &mut Step<'_>) {
        let (back, stay) = std::mem::take(&mut self.turns).into_iter().partition(is);
        self.turns = stay;
        let back: Vec<Open> = back;
        for open in back {
            if matches!(open.state, State::Asked { .. }) {
                step.out.push_back(Output::Cancel(self.id, open.turn.id.clone(), Cancel::Shutdown));
            }
            step.out.push_back(Output::Discard(open.turn.id.clone()));
        }
    }

    fn give(&mut self, step: &mut Step<'_>) {
        if !self.here {
            return;
        }
        let now = step.now.at;
        for open in &mut self.turns {
            let due = match open.state {
                State::Held => true,
                State::Resting { until } => until <= now,
                State::Fetching { .. } | State::Asked { .. } => false,
            };
            if due {
                if open.turn.attempt != open.failures + 1 {
                    Rc::make_mut(&mut open.turn).attempt = open.failures + 1;
                }
                open.place = 0;
                open.state = State::Asked { deadline: now.after_ms(open.turn.deadline_ms) };
                log::info!("{}: dispatch {} attempt {}", open.turn.agent, open.turn.conv.key, open.turn.attempt);
                step.out.push_back(Output::Ask(self.id, open.turn.clone()));
            }
        }
    }

    fn reply(&mut self, turn: &str, text: &str, last: bool, step: &mut Step<'_>) -> Option<Became> {
        let again = self.asked(turn)?.says_again(text);
        if !last {
            let open = self.asked(turn).filter(|_| !again)?;
            open.replies += 1;
            return Some(Became::Reply { link: open.link, about: open.about(), text: text.to_owned(), last });
        }
        let mut open = self.end(turn, step)?;
        open.replies += 1;
        self.done += 1;
        if again || text.trim().is_empty() {
            return Some(Became::Silent { link: open.link, about: open.about() });
        }
        Some(Became::Reply { link: open.link, about: open.about(), text: text.to_owned(), last })
    }

    fn fail(&mut self, turn: &str, why: Why, step: &mut Step<'_>) -> Option<Became> {
        let now = step.now.at;
        self.asked(turn)?;
        self.failed += 1;
        self.why = Some(why.clone());
        let open = self.asked(turn)?;
        open.failures += 1;
        log::warn!("{}: attempt {} of {ATTEMPTS} failed: {why}", open.turn.agent, open.failures);
        if open.failures >= ATTEMPTS {
            let open = self.end(turn, step)?;
            return Some(Became::GivenUp { link: open.link, about: open.about(), why });
        }
        let rest = RESTS_MS.get(open.failures as usize - 1).copied().unwrap_or(RESTS_MS[1]);
        open.state = State::Resting { until: now.after_ms(rest) };
        None
    }

    /// A turn that the agent has now. What it says of one that was taken back is ignored.
    fn asked(&mut self, turn: &str) -> Option<&mut Open> {
        self.turns.iter_mut().find(|open| open.turn.id == turn && matches!(open.state, State::Asked { .. }))
    }

    fn rest(&mut self, turn: &str, until: Moment) {
        if let Some(open) = self.asked(turn) {
            open.state = State::Resting { until };
        }
    }

    fn end(&mut self, turn: &str, step: &mut Step<'_>) -> Option<Open> {
        let at = self.turns.iter().position(|open| open.turn.id == turn)?;
        let open = self.turns.swap_remove(at);
        self.absences = 0;
        if open.turn.message.attachments.iter().any(|file| file.fetched != Fetched::NotAsked) {
            step.out.push_back(Output::Discard(open.turn.id.clone()));
        }
        Some(open)
    }
}

impl Open {
    /// Whether an earlier attempt said these words in this place of its own: they were taken then. Other words are news.
    fn says_again(&mut self, text: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        let here = (self.place, hasher.finish());
        self.place += 1;
        let again = self.said.contains(&here);
        if !again && self.said.len() < budget::REPLIES_KNOWN {
            self.said.push(here);
        }
        again
    }

    fn about(&self) -> About {
        About {
            turn: self.turn.id.clone(),
            channel: self.turn.conv.channel.clone(),
            message: self.turn.message.id.clone(),
            reply: self.replies,
            replayed: self.turn.replayed,
        }
    }
}
