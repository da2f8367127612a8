//! A client's place at the control socket: what it waits for, and what waits for it.

use crate::budget;
use crate::io::clock;
use crate::moment::Moment;
use crate::port::Told;
use crate::reason::{Reason, Why};
use crate::status::{LettersStatus, Status};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::VecDeque;

/// A line to a client.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Status(&'a Status),
    Letters(&'a LettersStatus),
    Tail(&'a str),
    Done(&'a str),
    Queued(&'a str),
    Refused { reason: &'static str, detail: &'a str },
}

/// The line that says no.
#[must_use]
pub fn refusal(detail: &str) -> String {
    Line::Refused { reason: Reason::ControlRequest.code(), detail }.text()
}

impl Line<'_> {
    fn text(&self) -> String {
        // plain values with string keys: serde_json cannot fail at them
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// What a client waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// The first answer to its request.
    Answer,
    /// What became of a `send` that was queued, or of a reload.
    Later,
    /// Line after line.
    Tail,
}

type Bell = (smol::channel::Sender<()>, smol::channel::Receiver<()>);

/// A client's place: what waits for it.
pub struct Seat {
    state: RefCell<Waiting>,
    /// There is something to write, or nothing more will come.
    pub awake: Bell,
    /// The request was answered: the next may be read.
    pub answered: Bell,
}

struct Waiting {
    lines: VecDeque<String>,
    bytes: usize,
    /// Lines of `tail` dropped since the last one that was kept.
    dropped: u64,
    due: Due,
    /// Nothing more is read from it.
    leaving: bool,
    /// Since when nothing was due to it.
    idle_since: Moment,
}

impl Seat {
    /// Of a client that has said nothing yet.
    pub fn new() -> Self {
        let now = clock::now().at;
        let state = Waiting {
            lines: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            due: Due::Nothing,
            leaving: false,
            idle_since: now,
        };
        Self { state: RefCell::new(state), awake: smol::channel::bounded(1), answered: smol::channel::bounded(1) }
    }

    /// Its request was taken.
    pub fn expect(&self, tail: bool) {
        while self.answered.1.try_recv().is_ok() {}
        self.state.borrow_mut().due = if tail { Due::Tail } else { Due::Answer };
    }

    /// What is due to it.
    pub fn waits_for(&self) -> Due {
        self.state.borrow().due
    }

    /// What is told to it waits to be written; of a `tail` that nobody reads, the newest is counted and dropped.
    pub fn tell(&self, told: &Told) {
        let (line, due) = match told {
            Told::Status(status) => (Line::Status(status).text(), Due::Nothing),
            Told::Letters(letters) => (Line::Letters(letters).text(), Due::Nothing),
            Told::Tail(line) => return self.tail(line),
            // a tail that was taken goes on
            Told::Done(said) if self.waits_for() == Due::Tail => (Line::Done(said).text(), Due::Tail),
            Told::Done(said) => (Line::Done(said).text(), Due::Nothing),
            Told::Queued(said) => (Line::Queued(said).text(), Due::Later),
            Told::Refused(Why { reason, detail }) => {
                (Line::Refused { reason: reason.code(), detail }.text(), Due::Nothing)
            }
        };
        self.state.borrow_mut().keep(line);
        self.state.borrow_mut().due = due;
        if due == Due::Nothing {
            self.state.borrow_mut().idle_since = clock::now().at;
            let _ = self.answered.0.try_send(());
        }
        let _ = self.awake.0.try_send(());
    }

    fn tail(&self, line: &str) {
        let mut state = self.state.borrow_mut();
        let line = Line::Tail(line).text();
        if state.lines.len() >= budget::TAIL_LINES || state.bytes + line.len() > budget::TAIL_BYTES {
            state.dropped += 1;
            return;
        }
        state.say_dropped();
        state.keep(line);
        let _ = self.awake.0.try_send(());
    }

    /// A request that could not be read. False when the client heard so too often without listening.
    pub fn refuse(&self, detail: &str) -> bool {
        let line = refusal(detail);
        let mut state = self.state.borrow_mut();
        state.keep(line);
        let _ = self.awake.0.try_send(());
        state.lines.len() < budget::TAIL_LINES
    }

    /// The client says nothing more: it is given what is due, if that comes soon, and no more.
    pub async fn leave(&self) {
        self.state.borrow_mut().leaving = true;
        let _ = self.awake.0.try_send(());
        if matches!(self.waits_for(), Due::Nothing | Due::Answer) {
            // `speak` ends it
            std::future::pending::<()>().await;
        }
    }

    /// Since when it has its place and asks for nothing, where nothing waits for it either.
    pub fn idle_since(&self) -> Option<Moment> {
        let state = self.state.borrow();
        let idle = state.due == Due::Nothing && state.lines.is_empty() && !state.leaving;
        idle.then_some(state.idle_since)
    }

    /// Its place goes to another.
    pub fn give_up(&self) {
        self.refuse("others are waiting, and this client asked for nothing; its place is given to one of them");
        self.state.borrow_mut().leaving = true;
    }

    /// Nothing more will come.
    pub fn is_over(&self) -> bool {
        let state = self.state.borrow();
        state.leaving && state.due != Due::Answer
    }

    /// The next line to be written.
    pub fn next(&self) -> Option<String> {
        let mut state = self.state.borrow_mut();
        if state.lines.is_empty() {
            state.say_dropped();
        }
        let line = state.lines.pop_front()?;
        state.bytes -= line.len();
        Some(line)
    }
}

impl Waiting {
    fn keep(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
    }

    fn say_dropped(&mut self) {
        if self.dropped > 0 {
            let line = Line::Tail(&format!("… {} lines dropped: this client reads too slowly", self.dropped)).text();
            self.dropped = 0;
            self.keep(line);
        }
    }
}
