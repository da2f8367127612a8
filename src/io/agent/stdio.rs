//! `stdio`: one resident child that speaks lines, started again with growing rests whenever it ends.

use super::Voice;
use super::child::after;
use super::child::{self, Groups, Started, Tail};
use super::lines::{self, End, Full, Line, Queue, Reader};
use crate::agent::line::{self, Heard};
use crate::agent::{Cancel, Said, Sent};
use crate::budget;
use crate::io::clock;
use crate::message::Turn;
use crate::reason::{Reason, Why};
use crate::settings::Child;
use futures_lite::{AsyncRead, AsyncReadExt, FutureExt, future};
use smol::LocalExecutor;
use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use smol::process::{ChildStderr, ChildStdin, ChildStdout};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// One resident child. Dropping it ends the child's process group.
pub struct Stdio {
    resident: Rc<Resident>,
    _keep: Sender<()>,
}

struct Resident {
    argv: Vec<String>,
    child: Child,
    voice: Rc<Voice>,
    groups: Groups,
    queue: Queue,
    here: Cell<bool>,
}

impl Stdio {
    /// Starts the child, and keeps it running.
    #[must_use]
    pub fn new(
        argv: Vec<String>,
        child: Child,
        voice: Rc<Voice>,
        groups: Groups,
        executor: &LocalExecutor<'static>,
    ) -> Self {
        let (keep, kept) = bounded(1);
        let resident =
            Rc::new(Resident { argv, child, voice, groups, queue: Queue::default(), here: Cell::new(false) });
        executor.spawn(resident.clone().live(kept)).detach();
        Self { resident, _keep: keep }
    }

    /// Gives a turn; what to say at once where it cannot be given.
    pub fn ask(&self, turn: &Turn) -> Option<Said<'static>> {
        if !self.resident.here.get() {
            return Some(super::absent(&turn.id, "its program does not run"));
        }
        let full = self.resident.queue.give(&turn.id, line::message(turn)) == Err(Full);
        full.then(|| super::busy(&turn.id))
    }

    /// Takes a turn back.
    pub fn cancel(&self, turn: &str, why: Cancel) {
        if self.resident.here.get() && !self.resident.queue.take_back(turn) {
            self.resident.tell(line::cancel(turn, why));
        }
    }

    /// Answers a `send`.
    pub fn sent(&self, id: &str, sent: &Sent) {
        if self.resident.here.get() {
            self.resident.tell(super::sent_line(id, sent));
        }
    }
}

impl Resident {
    async fn live(self: Rc<Self>, kept: Receiver<()>) {
        let mut rest = super::Rest::default();
        loop {
            match child::start(&self.argv, &self.child, true, &self.groups) {
                Err(unstarted) => self.voice.say(Said::Gone(unstarted.why())).await,
                Ok(Started { mut child, group, stderr: tail }) => {
                    let mut stable = Timer::after(Duration::from_millis(budget::AGENT_STABLE_MS));
                    self.queue.renew();
                    self.here.set(true);
                    let dismissed = async {
                        let _ = kept.recv().await;
                        None
                    };
                    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
                    let (Some(stdin), Some(mut stdout), Some(mut stderr)) = pipes else { return };
                    let attend = self.attend(&mut child, stdin, &mut stdout, (&mut stderr, tail));
                    let ended = async { Some(attend.await) }.or(dismissed).await;
                    self.here.set(false);
                    let exit = async { drop(child.status().await) };
                    let read_on = async {
                        future::zip(child::drain(stdout), child::drain(stderr)).await;
                        future::pending().await
                    };
                    group.end(exit.or(read_on)).await;
                    let Some(why) = ended else { return };
                    self.voice.say(Said::Gone(why)).await;
                    if future::poll_once(&mut stable).await.is_some() {
                        rest = super::Rest::default();
                    }
                }
            }
            if clock::within(rest.next_ms(), kept.recv()).await.is_some() {
                return;
            }
        }
    }

    /// Speaks with a running child until it ends, closes a pipe, or does not read; then says why that was.
    async fn attend(
        &self,
        child: &mut smol::process::Child,
        stdin: ChildStdin,
        stdout: &mut ChildStdout,
        (stderr, mut tail): (&mut ChildStderr, Tail),
    ) -> Why {
        self.voice.say(Said::Here).await;
        let mut reader = Reader::slowed(stdout, self.voice.slow.clone());
        let (end, status) = {
            let talk = lines::talk(&mut reader, stdin, &self.queue, async |line| self.hear(line).await);
            let (exited, status) = (child.status(), child.status());
            let exit = async {
                let _ = exited.await;
                // what it wrote last, unless something else holds the pipe open
                after(budget::AGENT_DRAIN_MS).await;
                End::Closed
            };
            let whole = async {
                let end = talk.or(exit).await;
                let status = clock::within(budget::AGENT_DRAIN_MS, status).await;
                (end, status.and_then(Result::ok))
            };
            whole.or(self.note(stderr, &mut tail)).await
        };
        // what it wrote last of all
        clock::within(100, tail.fill(Some(stderr))).await;
        Why::new(
            Reason::AgentGone,
            match (status, end) {
                (Some(status), _) => child::ending(status, &tail),
                (None, End::Stuck) => "it did not read its standard input for 10 s".to_owned(),
                (None, End::Done) => "it left more than its queue holds unread".to_owned(),
                (None, End::Closed) => "it closed its standard input or output".to_owned(),
            },
        )
    }

    /// Logs the child's stderr, the tail of it at most once in `budget::AGENT_STDERR_EVERY_MS`.
    async fn note<T>(&self, stderr: &mut (impl AsyncRead + Unpin), tail: &mut Tail) -> T {
        let mut chunk = [0; 512];
        let mut rest = Timer::never();
        let mut resting = false;
        loop {
            let read = async { Some(stderr.read(&mut chunk).await.unwrap_or(0)) };
            let rested = async {
                (&mut rest).await;
                None
            };
            match rested.or(read).await {
                Some(0) => future::pending().await,
                Some(n) => tail.push(chunk.get(..n).unwrap_or_default()),
                None => resting = false,
            }
            if resting {
                continue;
            }
            if let Some(text) = tail.take_fresh() {
                log::info!("{}: stderr: {text}", self.voice.name);
                rest.set_after(Duration::from_millis(budget::AGENT_STDERR_EVERY_MS));
                resting = true;
            }
        }
    }

    async fn hear(&self, said: Line) {
        let Some(text) = self.voice.line(said).await else { return };
        match line::decode(&text) {
            Ok(Heard::Said(said) | Heard::Send { said, .. }) => self.voice.say(said.into_owned()).await,
            Ok(Heard::Hello(_)) => self.tell(line::welcome(&[&self.voice.name])),
            Ok(Heard::Refused { id, why }) => {
                self.tell(line::error(Some(&id), why.reason.code(), &why.detail));
                self.voice.say(Said::Garbled(why)).await;
            }
            Err(why) => self.voice.say(Said::Garbled(why)).await,
        }
    }

    /// Says something that is not a turn. A child with a full queue does not read: it is ended.
    fn tell(&self, line: String) {
        if self.queue.tell(line) == Err(Full) {
            self.queue.close();
        }
    }
}
