//! The pumps of local agents: four transports, one way of speaking to the core (CONTRACT section 2).

pub mod child;
pub mod exec;
pub mod http;
pub mod lines;
pub mod socket;
pub mod stdio;
pub mod template;

use crate::agent::{Cancel, Said, Sent, line};
use crate::budget;
use crate::io::dns::Dns;
use crate::io::{Happening, Post};
use crate::message::{AgentId, Turn};
use crate::reason::{Reason, Why};
use crate::settings::{self, Transport};
use child::Groups;
use smol::{LocalExecutor, Task};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// All agents of the daemon, each with the pump of its transport. Dropping it kills every process group it started.
pub struct Agents {
    executor: Rc<LocalExecutor<'static>>,
    post: Post,
    attachments: PathBuf,
    hired: BTreeMap<AgentId, (Rc<Voice>, Pump)>,
    dns: Dns,
    doors: socket::Doors,
    groups: Groups,
    slow: Arc<AtomicBool>,
    _reaper: Task<std::convert::Infallible>,
}

enum Pump {
    Exec(exec::Exec),
    Stdio(stdio::Stdio),
    Socket(socket::Seat),
    Http(http::Http),
}

impl Agents {
    /// Nobody is hired yet. `attachments` is the directory that `discard` clears.
    #[must_use]
    pub fn new(executor: Rc<LocalExecutor<'static>>, post: Post, dns: Dns, attachments: PathBuf) -> Self {
        // children are reaped here instead of on a thread of async-process
        let reaper = executor.spawn(smol::process::driver());
        let doors = socket::Doors::new(&executor);
        let (hired, groups, slow) = (BTreeMap::new(), Groups::default(), Arc::default());
        Self { executor, post, attachments, hired, dns, doors, groups, slow, _reaper: reaper }
    }

    /// An agent is there from now on. `Said::Here` follows when it can take turns.
    pub fn hire(&mut self, id: AgentId, agent: settings::Agent) {
        self.dismiss(id);
        let voice = Rc::new(Voice { post: self.post.clone(), id, name: agent.name, slow: self.slow.clone() });
        let pump = match agent.answer {
            Transport::Exec { argv, stdin, stdout, child } => {
                let how = exec::How { argv, stdin, stdout, child };
                Pump::Exec(exec::Exec::new(how, voice.clone(), self.groups.clone(), &self.executor))
            }
            Transport::Stdio { argv, child } => {
                Pump::Stdio(stdio::Stdio::new(argv, child, voice.clone(), self.groups.clone(), &self.executor))
            }
            Transport::Socket { path, uids } => Pump::Socket(self.doors.seat(path, uids, voice.clone())),
            Transport::Http { url, headers, bearer_file, body, pointer } => {
                let how = http::How { url, headers, bearer_file, body, pointer };
                self.say(&voice, Said::Here);
                Pump::Http(http::Http::new(how, agent.parallel, &voice, &self.dns))
            }
        };
        self.hired.insert(id, (voice, pump));
    }

    /// Memory is short: what agents write is read piece by piece. Or it is not any more.
    pub fn slow_down(&self, slow: bool) {
        self.slow.store(slow, Ordering::Relaxed);
    }

    /// An agent is gone: what runs for it is ended, and nothing more is said of it.
    pub fn dismiss(&mut self, id: AgentId) {
        self.hired.remove(&id);
    }

    /// Gives a turn to an agent that is there. A turn of nobody's is nobody's loss: its agent was just dismissed.
    pub fn ask(&mut self, id: AgentId, turn: Rc<Turn>) {
        let Some((voice, pump)) = self.hired.get_mut(&id) else { return };
        let refused = match pump {
            Pump::Exec(exec) => {
                exec.ask(turn, &self.executor);
                None
            }
            Pump::Stdio(stdio) => stdio.ask(&turn),
            Pump::Socket(seat) => seat.ask(&turn),
            Pump::Http(http) => http.ask(&turn),
        };
        if let Some(said) = refused {
            let voice = voice.clone();
            self.say(&voice, said);
        }
    }

    /// Takes a turn back: its process group is ended, a line agent is told, a late HTTP answer is not read.
    pub fn cancel(&mut self, id: AgentId, turn: &str, why: Cancel) {
        match self.hired.get_mut(&id).map(|(_, pump)| pump) {
            Some(Pump::Exec(exec)) => exec.cancel(turn),
            Some(Pump::Stdio(stdio)) => stdio.cancel(turn, why),
            Some(Pump::Socket(seat)) => seat.cancel(turn, why),
            Some(Pump::Http(http)) => http.cancel(turn),
            None => {}
        }
    }

    /// Answers a `send`. Exec and http agents have none.
    pub fn sent(&mut self, id: AgentId, send: &str, sent: &Sent) {
        match self.hired.get_mut(&id).map(|(_, pump)| pump) {
            Some(Pump::Stdio(stdio)) => stdio.sent(send, sent),
            Some(Pump::Socket(seat)) => seat.sent(send, sent),
            Some(Pump::Exec(_) | Pump::Http(_)) | None => {}
        }
    }

    /// The attachments of a turn are not needed any more.
    ///
    /// # Errors
    /// The directory is there and could not be removed.
    pub fn discard(&self, turn: &str) -> std::io::Result<()> {
        if turn.is_empty() || !turn.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "this turn's id is no directory's name"));
        }
        match std::fs::remove_dir_all(self.attachments.join(turn)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Says something from outside of a pump's task: the loop that calls us cannot wait for its own queue.
    fn say(&self, voice: &Rc<Voice>, said: Said<'static>) {
        let voice = voice.clone();
        self.executor.spawn(async move { voice.say(said).await }).detach();
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        self.hired.clear();
        self.groups.kill();
    }
}

/// Rests a little while memory is short.
async fn breathe(slow: &AtomicBool) {
    if slow.load(Ordering::Relaxed) {
        child::after(budget::SHED_PIECE_MS).await;
    }
}

/// A turn that an agent has no room for just now.
fn busy(turn: &str) -> Said<'static> {
    Said::Busy { turn: Cow::Owned(turn.to_owned()), retry_ms: None }
}

/// How one agent's pump speaks to the core.
#[derive(Clone)]
pub struct Voice {
    post: Post,
    id: AgentId,
    /// The agent's name, for logs and lines.
    pub name: String,
    slow: Arc<AtomicBool>,
}

impl Voice {
    /// Before a piece of what the agent wrote is read.
    pub async fn breathe(&self) {
        breathe(&self.slow).await;
    }

    /// Waits while the loop is full; a loop that has ended hears nothing more.
    pub async fn say(&self, said: Said<'static>) {
        let _ = self.post.send(Happening::Agent(self.id, said)).await;
    }

    /// As `say`, from a thread.
    pub fn say_blocking(&self, said: Said<'static>) {
        let _ = self.post.send_blocking(Happening::Agent(self.id, said));
    }

    async fn garbled(&self, detail: String) {
        self.say(Said::Garbled(Why::new(Reason::AgentGarbled, detail))).await;
    }

    /// The text of what was read; invalid UTF-8 is replaced, and said once.
    pub async fn text(&self, bytes: Vec<u8>, whence: &str) -> String {
        let (text, bad) = lossy(bytes);
        if bad > 0 {
            self.garbled(invalid(whence, bad)).await;
        }
        text
    }

    /// The text of a line that can be read on; anything odd about it is said.
    pub async fn line(&self, line: lines::Line) -> Option<String> {
        match line {
            lines::Line::Text(text, 0) => Some(text),
            lines::Line::Text(text, bad) => {
                self.garbled(invalid("a line", bad)).await;
                Some(text)
            }
            lines::Line::TooLong => {
                self.garbled(format!("a line beyond {} KiB was skipped", budget::AGENT_LINE_BYTES / 1024)).await;
                None
            }
            lines::Line::Cut => {
                self.garbled("its output ended in the middle of a line".to_owned()).await;
                None
            }
        }
    }
}

/// UTF-8 with what is not replaced, and in how many places.
#[must_use]
pub fn lossy(bytes: Vec<u8>) -> (String, usize) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, 0),
        Err(e) => {
            let bad = e.as_bytes().utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
            (String::from_utf8_lossy(e.as_bytes()).into_owned(), bad)
        }
    }
}

fn invalid(whence: &str, bad: usize) -> String {
    format!("{whence} is not UTF-8 in {bad} place(s); they were replaced")
}

fn absent(turn: &str, detail: &str) -> Said<'static> {
    Said::Absent { turn: Cow::Owned(turn.to_owned()), why: Why::new(Reason::AgentMissing, detail) }
}

/// The end of a turn whose answer is a whole text: a reply, nothing, or a sentence saying why it cannot be read.
fn ended(turn: Cow<'static, str>, text: Result<Option<Cow<'_, str>>, String>) -> Said<'static> {
    match text {
        Ok(Some(text)) if text.len() > budget::REPLY_BYTES => too_long(turn),
        Ok(Some(text)) if !text.is_empty() => Said::Reply { turn, text: Cow::Owned(text.into_owned()), last: true },
        Ok(Some(_) | None) => Said::None { turn },
        Err(detail) => Said::Failed { turn, why: Why::new(Reason::AgentGarbled, detail) },
    }
}

fn too_long(turn: Cow<'static, str>) -> Said<'static> {
    let detail = format!("it wrote more than {} KiB", budget::REPLY_BYTES / 1024);
    Said::Failed { turn, why: Why::new(Reason::AgentFailed, detail) }
}

/// The line that answers a `send`.
fn sent_line(id: &str, sent: &Sent) -> String {
    match sent {
        Sent::Stored { message } => line::sent(id, message),
        Sent::Refused(why) => line::error(Some(id), why.reason.code(), &why.detail),
    }
}

/// Growing rests between tries, `budget::AGENT_REST_MS`, each by chance up to three times the last.
#[derive(Default)]
pub struct Rest {
    last_ms: u64,
}

impl Rest {
    fn next_ms(&mut self) -> u64 {
        let (shortest, longest) = (*budget::AGENT_REST_MS.start(), *budget::AGENT_REST_MS.end());
        let most = self.last_ms.saturating_mul(3).clamp(shortest, longest);
        self.last_ms = fastrand::u64(shortest..=most);
        self.last_ms
    }
}
