//! Local agents: what they do with a turn.

use guild_bridge::agent::Said;
use guild_bridge::message::{AgentId, Turn};
use guild_bridge::reason::{Reason, Why};
use std::collections::VecDeque;

/// What an agent does with one turn.
#[derive(Clone, Debug)]
pub enum Habit {
    /// Answers `re: TEXT`.
    Echo,
    /// Answers this.
    Says(String),
    /// Says these in turn; the last ends the turn.
    Parts(Vec<String>),
    /// Answers twice with a final reply.
    Doubles,
    /// Has nothing to say.
    None,
    /// Never answers.
    Hangs,
    /// Fails.
    Fails,
    /// Asks for time.
    Busy(Option<u64>),
    /// Is not there.
    Absent,
    /// Writes what cannot be read, and then the answer.
    Garbles,
}

/// A turn as an agent got it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: u64,
    pub turn: Turn,
}

/// One agent of the daemon.
pub struct Hand {
    pub name: String,
    /// Who the relay calls it, once hired; several after a reload.
    pub id: Option<AgentId>,
    /// What it does with each turn, when `next` is empty.
    pub habit: Habit,
    /// What it does with the next turns.
    pub next: VecDeque<Habit>,
    /// How long it takes.
    pub takes_ms: u64,
    /// Whether it is there: says `Here` when hired.
    pub here: bool,
    /// Every turn it was given.
    pub asked: Vec<Asked>,
    /// Every turn that was taken back, with why.
    pub cancelled: Vec<(u64, String, &'static str)>,
    /// Answers to its sends: id, message or reason.
    pub sent: Vec<(String, Result<String, &'static str>)>,
    /// Turns it has now.
    pub open: Vec<Turn>,
    /// Faults that a schedule gave it.
    pub failures: u32,
    /// The most it had at once.
    pub open_peak: usize,
}

impl Hand {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            id: None,
            habit: Habit::Echo,
            next: VecDeque::new(),
            takes_ms: 20,
            here: true,
            asked: Vec::new(),
            cancelled: Vec::new(),
            sent: Vec::new(),
            open: Vec::new(),
            failures: 0,
            open_peak: 0,
        }
    }

    /// Texts of the messages it was asked about, in order, each attempt.
    pub fn heard(&self) -> Vec<&str> {
        self.asked.iter().map(|a| a.turn.message.text.as_str()).collect()
    }

    /// What it says to a turn, and when.
    pub fn take(&mut self, turn: &Turn) -> Vec<(u64, Said<'static>)> {
        let habit = self.next.pop_front().unwrap_or_else(|| self.habit.clone());
        let id = || turn.id.clone().into();
        let reply = |text: &str, last| Said::Reply { turn: id(), text: text.to_owned().into(), last };
        let takes = self.takes_ms;
        match habit {
            Habit::Echo => vec![(takes, reply(&format!("re: {}", turn.message.text), true))],
            Habit::Says(text) => vec![(takes, reply(&text, true))],
            Habit::Parts(texts) => {
                let last = texts.len() - 1;
                texts.iter().enumerate().map(|(i, t)| (takes * (i as u64 + 1), reply(t, i == last))).collect()
            }
            Habit::Doubles => {
                let text = format!("re: {}", turn.message.text);
                vec![(takes, reply(&text, true)), (takes + 5, reply(&text, true))]
            }
            Habit::None => vec![(takes, Said::None { turn: id() })],
            Habit::Hangs => Vec::new(),
            Habit::Fails => {
                vec![(takes, Said::Failed { turn: id(), why: Why::new(Reason::AgentFailed, "exit status 1") })]
            }
            Habit::Busy(retry_ms) => vec![(takes, Said::Busy { turn: id(), retry_ms })],
            Habit::Absent => {
                vec![(takes, Said::Absent { turn: id(), why: Why::new(Reason::AgentMissing, "no such program") })]
            }
            Habit::Garbles => {
                let why = Why::new(Reason::AgentGarbled, "not JSON");
                vec![(takes / 2, Said::Garbled(why)), (takes, reply(&format!("re: {}", turn.message.text), true))]
            }
        }
    }
}
