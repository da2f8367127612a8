//! `doctor` in the world: opens what the examination asks for, and nothing of the running daemon's.

mod agent;
mod expiry;
mod hosts;

use super::dns::Dns;
use super::http::Workers;
use super::tls::Rules;
use super::websocket::Lines;
use super::{Happening, clock, signals};
use crate::budget;
use crate::doctor::examination::Examination;
use crate::doctor::{Found, Step, Verdict};
use crate::moment::{Now, rfc3339};
use crate::port::{Input, Output, Wire};
use crate::reason::Reason;
use crate::settings::{self, Guild, Settings};
pub use agent::ask;
use async_signal::Signals;
pub use expiry::not_after;
use futures_lite::StreamExt;
use smol::channel::Receiver;
use smol::{LocalExecutor, future};
use std::collections::VecDeque;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;

/// Who is told of each step as it is done.
pub type Tell<'a> = &'a mut dyn FnMut(Found);
/// Where the walks take place: on one thread, side by side.
pub type Ground = Rc<LocalExecutor<'static>>;

/// Somebody who wants it to end: TERM, INT or HUP. What an agent started must not outlive the walk, so they are caught.
pub struct Interrupt(Option<Signals>);

/// It came: the walk is over.
#[derive(Debug, PartialEq, Eq)]
pub struct Interrupted;

impl Interrupt {
    /// From here on.
    #[must_use]
    pub fn listen() -> Self {
        Self(signals::listen().ok())
    }

    /// Does this until it is done or somebody wants it to end; then what was begun is dropped, and what was started killed.
    ///
    /// # Errors
    /// Somebody wants it to end.
    pub fn or<T>(&mut self, ground: &Ground, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        let came = async {
            match &mut self.0 {
                Some(signals) => drop(signals.next().await),
                None => future::pending().await,
            }
            Err(Interrupted)
        };
        future::block_on(ground.run(future::or(came, async { Ok(work.await) })))
    }
}

/// Walks one link, from its key to its history. A step that fails is the last.
pub async fn link(ground: &Ground, settings: &Settings, agent: &settings::Agent, guild: &Guild, tell: Tell<'_>) {
    let mut failed = false;
    let mut tell = |found: Found| {
        failed |= matches!(found.verdict, Verdict::Failed(_));
        tell(found);
        failed
    };
    if tell(key(agent)) || tell(board_clock()) {
        return;
    }
    let begun = clock::now();
    let rules = match Rules::of(&Settings { guilds: vec![guild.clone()], ..Settings::default() }) {
        Ok(rules) => rules,
        Err(fault) => {
            tell(found(Step::Tls, Verdict::Failed(Reason::TlsUnknownCa), fault, begun));
            return;
        }
    };
    let dns = Dns::system();
    for found in hosts::look(ground, &dns, guild, &rules).await {
        if tell(found) {
            return;
        }
    }
    let (post, happenings) = smol::channel::bounded(budget::HAPPENINGS);
    let begun = clock::now();
    let workers = match Workers::start(&post, &dns, rules.clone()) {
        Ok(workers) => workers,
        Err(error) => {
            let text = format!("no thread for HTTP calls: {error}");
            tell(found(Step::Mint, Verdict::Failed(Reason::NetTimeout), text, begun));
            return;
        }
    };
    let lines = Lines::new(ground.clone(), post, dns, rules, settings.message_bytes);
    let seed = RandomState::new().build_hasher().finish();
    let examination = Examination::new(settings, agent, guild, seed, clock::BUILD_MS, clock::now());
    let mut ward = Ward { examination, workers, lines, known: VecDeque::new() };
    ward.walk(&happenings, &mut |found| {
        tell(found);
    })
    .await;
    ward.lines.close(budget::FAREWELL_MS).await;
}

/// Where an examination takes place.
struct Ward {
    examination: Examination,
    workers: Workers,
    lines: Lines,
    known: VecDeque<Happening>,
}

impl Ward {
    async fn walk(&mut self, happenings: &Receiver<Happening>, tell: Tell<'_>) {
        self.examination.tick(clock::now());
        loop {
            self.perform();
            self.examination.found().into_iter().for_each(&mut *tell);
            if self.examination.is_over() {
                return;
            }
            let happening = self.next(happenings).await;
            let now = clock::now();
            if let Some(happening) = happening {
                self.take(happening, now);
            }
            self.examination.tick(now);
        }
    }

    async fn next(&mut self, happenings: &Receiver<Happening>) -> Option<Happening> {
        if let Some(known) = self.known.pop_front() {
            return Some(known);
        }
        let happening = async { happenings.recv().await.ok() };
        let Some(due) = self.examination.deadline() else { return happening.await };
        let late = async {
            clock::sleep_until(due).await;
            future::yield_now().await;
            None
        };
        future::or(happening, late).await
    }

    fn take(&mut self, happening: Happening, now: Now) {
        let input = match &happening {
            Happening::Opened(line) => Input::Wire(*line, Wire::Opened),
            Happening::Text(line, text) => Input::Wire(*line, Wire::Text(text)),
            Happening::Binary(line, bytes) => Input::Wire(*line, Wire::Binary(*bytes)),
            Happening::FrameSent(line) => Input::Wire(*line, Wire::Sent),
            Happening::Answer(ticket, answered) => Input::Answer(*ticket, answered.as_answer()),
            Happening::Lost(..) => {
                let Happening::Lost(line, lost) = happening else { return };
                return self.examination.handle(Input::Wire(line, Wire::Lost(lost)), now);
            }
            // nobody here has an agent, a disk, a control socket or a page
            Happening::Agent(..)
            | Happening::Disk(_)
            | Happening::Control(..)
            | Happening::Reread(_)
            | Happening::Plan(_)
            | Happening::Look(..)
            | Happening::EndNow => return,
        };
        self.examination.handle(input, now);
    }

    fn perform(&mut self) {
        while let Some(output) = self.examination.poll() {
            match output {
                Output::Dial { line, url, guild } => self.lines.dial(line, url, guild),
                Output::Send(line, text) => self.lines.send(line, text),
                Output::Hold(line, held) => self.lines.hold(line, held),
                Output::HangUp(line, last) => self.lines.hang_up(line, last),
                Output::Call(ticket, call) => {
                    if let Err(answered) = self.workers.call(ticket, call) {
                        self.known.push_back(Happening::Answer(ticket, *answered));
                    }
                }
                // an examination asks for nothing else
                Output::Ask(..)
                | Output::Cancel(..)
                | Output::Sent(..)
                | Output::Hire(..)
                | Output::Dismiss(_)
                | Output::Store(_)
                | Output::Discard(_)
                | Output::Tell(..)
                | Output::End => {}
            }
        }
    }
}

fn found(step: Step, verdict: Verdict, seen: String, begun: Now) -> Found {
    Found { step, verdict, seen, ms: clock::now().at.since_ms(begun.at) }
}

fn key(agent: &settings::Agent) -> Found {
    let begun = clock::now();
    match &agent.key {
        Ok(_) => found(Step::Key, Verdict::Good, format!("{} holds a key", agent.key_file.display()), begun),
        Err(fault) => found(Step::Key, Verdict::Failed(Reason::CfgKeyFile), fault.clone(), begun),
    }
}

fn board_clock() -> Found {
    let begun = clock::now();
    let says = rfc3339(begun.wall_ms);
    match clock::ClockState::of(begun.wall_ms) {
        clock::ClockState::Set => found(Step::Clock, Verdict::Good, format!("it is {says}"), begun),
        clock::ClockState::BeforeBuild => {
            let text = format!("the board's clock says {says}, before this program was built ({})", clock::BUILD_DATE);
            found(Step::Clock, Verdict::Unsure, text, begun)
        }
    }
}
