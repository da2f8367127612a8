//! Local agents: what they do with a turn, and what became of each turn they had.

use guild_bridge::agent::Said;
use guild_bridge::message::{AgentId, Turn};
use guild_bridge::reason::{Reason, Why};
use std::collections::{BTreeMap, VecDeque};

/// Parts of a flood.
const FLOOD: u32 = 150;

/// What an agent does with one turn.
#[derive(Clone, Debug)]
pub enum Habit {
    /// Answers `re: TEXT`.
    Echo,
    /// Answers this.
    Says(String),
    /// Says these in turn; the last ends the turn.
    Parts(Vec<String>),
    /// Answers `re: TEXT#0` and so on, so many parts.
    Numbered(u8),
    /// Answers `re: TEXT#0` and so on, and never comes to an end.
    Floods,
    /// Answers twice with a final reply.
    Doubles,
    /// Has nothing to say.
    None,
    /// Never answers.
    Hangs,
    /// Fails.
    Fails,
    /// Fails at this message whenever it is asked.
    Refuses,
    /// Asks for time.
    Busy(Option<u64>),
    /// Is not there.
    Absent,
    /// Writes what cannot be read, and then the answer.
    Garbles,
}

impl Habit {
    /// Whether it is what the agent makes of a message, not what befalls it or what a story tells it to say.
    fn is_of_its_own(&self) -> bool {
        match self {
            Self::Echo | Self::Numbered(_) | Self::None | Self::Refuses | Self::Floods => true,
            Self::Doubles | Self::Garbles => true,
            Self::Says(_) | Self::Parts(_) | Self::Hangs | Self::Fails | Self::Busy(_) | Self::Absent => false,
        }
    }
}

/// A turn as an agent got it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: u64,
    pub turn: Turn,
}

/// What became of a turn last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has it.
    Open,
    /// It said its last.
    Replied,
    /// The attempt failed: by its word, its deadline, or its end.
    Failed,
    /// It asked for time, or is not there.
    Later,
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
    /// What it said while it had the turn, by guild and text: when, and about which of `asked`.
    pub said: BTreeMap<(String, String), Vec<(u64, usize)>>,
    /// Every turn that was taken back, with why.
    pub cancelled: Vec<(u64, String, &'static str)>,
    /// Answers to its sends: id, message or reason.
    pub sent: Vec<(String, Result<String, &'static str>)>,
    /// Turns it has now.
    pub open: Vec<Turn>,
    /// What it says to a message that it was asked about before, by guild and message: the same as then.
    pub plans: BTreeMap<(String, String), Habit>,
    /// By guild and message: the last attempt that failed, and what became of the turn last, when, in which life.
    pub failed: BTreeMap<(String, String), u32>,
    pub ended: BTreeMap<(String, String), (Ended, u64, u32)>,
    /// Turns that were given again though nothing was wrong.
    pub again_without_cause: Vec<(u64, String)>,
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
            said: BTreeMap::new(),
            cancelled: Vec::new(),
            sent: Vec::new(),
            open: Vec::new(),
            plans: BTreeMap::new(),
            failed: BTreeMap::new(),
            ended: BTreeMap::new(),
            again_without_cause: Vec::new(),
            open_peak: 0,
        }
    }

    /// Texts of the messages it was asked about, in order, each attempt.
    pub fn heard(&self) -> Vec<&str> {
        self.asked.iter().map(|a| a.turn.message.text.as_str()).collect()
    }

    /// What it says to a turn, and when.
    pub fn take(&mut self, turn: &Turn) -> Vec<(u64, Said<'static>)> {
        let place = place_of(turn);
        let mut habit = self.next.pop_front().unwrap_or_else(|| self.habit.clone());
        if habit.is_of_its_own() {
            habit = self.plans.entry(place).or_insert(habit).clone();
        }
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
            Habit::Numbered(count) => {
                let text = |i| format!("re: {}#{i}", turn.message.text);
                (0..count).map(|i| (takes * (u64::from(i) + 1), reply(&text(i), i + 1 == count))).collect()
            }
            Habit::Floods => {
                let text = |i| format!("re: {}#{i}", turn.message.text);
                (0..FLOOD).map(|i| (takes + 10 * u64::from(i), reply(&text(i), false))).collect()
            }
            Habit::Doubles => {
                let text = format!("re: {}", turn.message.text);
                vec![(takes, reply(&text, true)), (takes + 5, reply(&text, true))]
            }
            Habit::None => vec![(takes, Said::None { turn: id() })],
            Habit::Hangs => Vec::new(),
            Habit::Fails | Habit::Refuses => {
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

    /// What it may say about a message beside what it has for it.
    pub fn may_say(&self, guild: &str, message: &str, text: &str) -> Vec<String> {
        match self.plans.get(&(guild.into(), message.into())) {
            Some(Habit::Floods) => (0..FLOOD).map(|i| format!("re: {text}#{i}")).collect(),
            _ => Vec::new(),
        }
    }

    /// What it has for a message, once it came to answer it.
    pub fn texts_for(&self, guild: &str, message: &str, text: &str) -> Vec<String> {
        match self.plans.get(&(guild.into(), message.into())) {
            Some(Habit::None | Habit::Refuses | Habit::Floods) => Vec::new(),
            Some(Habit::Numbered(count)) => (0..*count).map(|i| format!("re: {text}#{i}")).collect(),
            _ => vec![format!("re: {text}")],
        }
    }

    /// Whether it had a message, and said its last about it.
    pub fn settled(&self, guild: &str, message: &str) -> bool {
        let place = (guild.to_owned(), message.to_owned());
        self.ended.get(&place).is_some_and(|(ended, ..)| *ended == Ended::Replied)
    }

    /// Whether the turn about a message was given up: its third attempt failed, and nothing came of it since.
    pub fn gave_up(&self, guild: &str, message: &str) -> bool {
        let place = (guild.to_owned(), message.to_owned());
        let over = self.ended.get(&place).is_some_and(|(ended, ..)| *ended == Ended::Failed);
        over && self.failed.get(&place).is_some_and(|attempt| *attempt >= 3)
    }

    /// A turn is given: where it was given before, and answered or is still open, that wants a cause. What an earlier life
    /// was told between the moments of `doubts` may be lost.
    pub fn got(&mut self, at: u64, life: u32, turn: &Turn, doubts: &[(u64, u64)]) {
        let place = place_of(turn);
        let cause = match self.ended.get(&place) {
            None | Some((Ended::Failed | Ended::Later, ..)) => true,
            Some((Ended::Open, _, then)) => *then < life,
            Some((Ended::Replied, when, then)) => {
                *then < life && doubts.iter().any(|(from, until)| (from..=until).contains(&when))
            }
        };
        if !cause {
            self.again_without_cause.push((at, format!("{} again: {:?}", turn.message.text, self.ended.get(&place))));
        }
        self.ended.insert(place, (Ended::Open, at, life));
    }

    /// It says something about a turn that it has.
    pub fn says(&mut self, at: u64, turn: &str, text: &str) {
        let Some(open) = self.open.iter().find(|t| t.id == turn) else { return };
        let place = (open.conv.guild.to_string(), text.to_owned());
        let asked = self.asked.iter().rposition(|a| a.turn.id == turn).expect("it was asked about what it has");
        self.said.entry(place).or_default().push((at, asked));
    }

    /// A turn that it had is over, for now or for good.
    pub fn over(&mut self, at: u64, life: u32, turn: &str, ended: Ended) {
        let Some(place) = self.open.iter().position(|t| t.id == turn) else { return };
        let turn = self.open.remove(place);
        if ended == Ended::Failed {
            self.failed.insert(place_of(&turn), turn.attempt);
        }
        self.ended.insert(place_of(&turn), (ended, at, life));
    }

    /// It is gone, or dismissed, with all its turns.
    pub fn leave(&mut self, at: u64, life: u32, ended: Ended) {
        let open: Vec<String> = self.open.iter().map(|t| t.id.clone()).collect();
        open.iter().for_each(|turn| self.over(at, life, turn, ended));
    }
}

fn place_of(turn: &Turn) -> (String, String) {
    (turn.conv.guild.to_string(), turn.message.id.clone())
}
