//! `http`: one POST for each turn (CONTRACT section 2), on up to `parallel` threads of the agent's own.

use super::{Voice, busy, ended, invalid, lossy, template, too_long};
use crate::agent::{Said, line, pointer};
use crate::budget;
use crate::io::dns::Dns;
use crate::io::http as wire;
use crate::io::secret;
use crate::io::tls::Rules;
use crate::message::Turn;
use crate::reason::{Reason, Why};
use crate::text::Clipped;
use smol::channel::{Receiver, Sender, bounded};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use ureq::http::request::Builder;
use ureq::http::{Request, Response, header};
use ureq::{Agent, Body, RequestExt};

/// How the agent is called.
pub struct How {
    /// The whole URL.
    pub url: String,
    /// Further headers, with placeholders.
    pub headers: BTreeMap<String, String>,
    /// What goes into `Authorization: Bearer`, read at each call.
    pub bearer_file: Option<PathBuf>,
    /// The body's JSON with placeholders; none: the `guild-agent/1` message.
    pub body: Option<String>,
    /// Where the reply is in the answer; none: the answer is the reply.
    pub pointer: Option<String>,
}

/// The calls of one http agent. Dropping it lets its threads end; what they still hear is not said.
pub struct Http {
    crew: Arc<Crew>,
    jobs: Sender<Job>,
    queue: Receiver<Job>,
    parallel: u16,
    threads: u16,
    /// Whoever drops a turn's mark takes the turn back.
    open: BTreeMap<String, Arc<()>>,
}

/// What the threads share.
struct Crew {
    how: How,
    voice: Voice,
    agent: Agent,
    /// Turns that were asked and are not answered.
    under_way: AtomicUsize,
}

/// A call that is to be made: what a turn comes to, but for the bearer, which is read when it is made.
struct Job {
    turn: String,
    deadline_ms: u64,
    request: Builder,
    body: String,
    wanted: Weak<()>,
}

impl Http {
    /// No thread yet: each starts with the turn that needs it.
    #[must_use]
    pub fn new(how: How, parallel: u16, voice: &Voice, dns: &Dns) -> Self {
        // twice: a turn that was taken back may still occupy its thread while the next is asked
        let (jobs, queue) = bounded(2 * usize::from(parallel.max(1)));
        let (agent, _) = wire::ureq_agent(dns.clone(), Rules::of_agents(), 0);
        let crew = Crew { how, voice: voice.clone(), agent, under_way: AtomicUsize::new(0) };
        Self { crew: Arc::new(crew), jobs, queue, parallel: parallel.max(1), threads: 0, open: BTreeMap::new() }
    }

    /// Queues the turn's call; what to say at once where it cannot be made.
    pub fn ask(&mut self, turn: &Turn) -> Option<Said<'static>> {
        // what was answered has no job any more
        self.open.retain(|_, mark| Arc::weak_count(mark) > 0);
        let (request, body) = match self.crew.how.request(turn) {
            Ok(asked) => asked,
            Err(why) => return Some(Said::Failed { turn: Cow::Owned(turn.id.clone()), why }),
        };
        let mark = Arc::new(());
        let (id, deadline_ms, wanted) = (turn.id.clone(), turn.deadline_ms, Arc::downgrade(&mark));
        let under_way = self.crew.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        if self.jobs.try_send(Job { turn: id.clone(), deadline_ms, request, body, wanted }).is_err() {
            self.crew.under_way.fetch_sub(1, Ordering::Relaxed);
            return Some(busy(&id));
        }
        self.open.insert(id, mark);
        if under_way > usize::from(self.threads) && self.threads < self.parallel {
            match self.start() {
                Ok(()) => self.threads += 1,
                // the threads that are there come to it; without any, the next turn tries again
                Err(e) => {
                    log::warn!("{}: {}: a thread cannot be started: {e}", self.crew.voice.name, Reason::HostShort)
                }
            }
        }
        None
    }

    /// Nothing is said of the turn any more.
    pub fn cancel(&mut self, turn: &str) {
        self.open.remove(turn);
    }

    fn start(&self) -> std::io::Result<()> {
        let (crew, queue) = (self.crew.clone(), self.queue.clone());
        let name = format!("agent-{}", crew.voice.name);
        let work = move || {
            while let Ok(job) = queue.recv_blocking() {
                crew.serve(job);
            }
        };
        std::thread::Builder::new().name(name).stack_size(budget::AGENT_STACK_BYTES).spawn(work).map(drop)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.jobs.close();
    }
}

impl How {
    /// A turn's request, without its bearer, and the body.
    fn request(&self, turn: &Turn) -> Result<(Builder, String), Why> {
        let body = self.body.as_ref().map_or_else(|| line::message(turn), |body| template::json(body, turn));
        let mut request = Request::post(&self.url).header("idempotency-key", &turn.id);
        for (name, value) in &self.headers {
            let value = template::argument(value, turn)
                .map_err(|why| Why::new(Reason::AgentFailed, format!("its header {name}: {why}")))?;
            request = request.header(name, value);
        }
        if !self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        Ok((request, body))
    }
}

impl Crew {
    fn serve(&self, job: Job) {
        let still = job.wanted.clone();
        let wanted = || still.strong_count() > 0;
        let said = wanted().then(|| self.call(job));
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        if let Some((said, bad)) = said.filter(|_| wanted()) {
            if bad > 0 {
                let why = Why::new(Reason::AgentGarbled, invalid("an answer", bad));
                self.voice.say_blocking(Said::Garbled(why));
            }
            self.voice.say_blocking(said);
        }
    }

    /// Makes the call; what it comes to, and in how many places the answer was not UTF-8.
    fn call(&self, job: Job) -> (Said<'static>, usize) {
        let turn = Cow::Owned(job.turn);
        let request = match self.bear(job.request) {
            Ok(request) => request.body(job.body),
            Err(why) => return (Said::Absent { turn, why }, 0),
        };
        let request = match request {
            Ok(request) => request,
            Err(e) => {
                let why = Why::new(Reason::AgentFailed, format!("its URL or a header cannot be used: {e}"));
                return (Said::Failed { turn, why }, 0);
            }
        };
        let deadline = Duration::from_millis(job.deadline_ms);
        let outcome = request.with_agent(&self.agent).configure().timeout_global(Some(deadline)).run();
        match outcome {
            Ok(response) => self.answer(turn, job.deadline_ms, response),
            Err(error) => (unanswered(turn, wire::why(error, &shown(&self.how.url), job.deadline_ms)), 0),
        }
    }

    /// The request with the bearer, as its file has it now.
    fn bear(&self, request: Builder) -> Result<Builder, Why> {
        let Some(file) = &self.how.bearer_file else { return Ok(request) };
        let bearer = secret::read(file, secret::credentials().as_deref())
            .map_err(|why| Why::new(Reason::AgentMissing, format!("its bearer: {why}")))?;
        Ok(request.header(header::AUTHORIZATION, format!("Bearer {}", bearer.expose())))
    }

    fn answer(&self, id: Cow<'static, str>, deadline_ms: u64, response: Response<Body>) -> (Said<'static>, usize) {
        let failed = |turn, detail| Said::Failed { turn, why: Why::new(Reason::AgentFailed, detail) };
        let status = response.status().as_u16();
        let retry_ms = wire::retry_after(response.headers());
        let mut bytes = Vec::new();
        let mut body = response.into_body();
        let read = body.as_reader().take(budget::REPLY_BYTES as u64 + 2).read_to_end(&mut bytes);
        match status {
            429 | 503 => return (Said::Busy { turn: id, retry_ms }, 0),
            204 => return (Said::None { turn: id }, 0),
            200..=299 => {}
            _ => {
                let detail = format!("it answered {status}: {}", first_of(&bytes));
                return (failed(id, detail), 0);
            }
        }
        if let Err(error) = read {
            return (unanswered(id, wire::why(error.into(), &shown(&self.how.url), deadline_ms)), 0);
        }
        if bytes.len() > budget::REPLY_BYTES + 1 {
            return (too_long(id), 0);
        }
        let (text, bad) = lossy(bytes);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = match &self.how.pointer {
            None => Ok(Some(Cow::Borrowed(text))),
            Some(_) if text.trim().is_empty() => Ok(None),
            Some(at) => pointer::text(text, at),
        };
        (ended(id, text.map_err(|why| format!("its answer: {why}"))), bad)
    }
}

/// No answer came. Nobody there: the turn waits. Anything else counts as an attempt.
fn unanswered(turn: Cow<'static, str>, why: Why) -> Said<'static> {
    match why.reason {
        Reason::NetDns | Reason::NetRefused | Reason::NetUnreachable => {
            Said::Absent { turn, why: Why::new(Reason::AgentMissing, why.detail) }
        }
        Reason::NetTimeout => Said::Failed { turn, why: Why::new(Reason::AgentTimeout, why.detail) },
        _ => Said::Failed { turn, why: Why::new(Reason::AgentFailed, format!("{}: {}", why.reason, why.detail)) },
    }
}

/// A URL without what may be secret in it: user information and query.
fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    match bare.split_once("://") {
        Some((scheme, rest)) => {
            let rest = rest.split_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{}", Clipped(rest))
        }
        None => Clipped(bare).to_string(),
    }
}

fn first_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    if text.is_empty() { "no body".to_owned() } else { Clipped::to(text, budget::DETAIL_BYTES).to_string() }
}
