//! HTTP calls on two worker threads, `mint` and `call`, each one call at a time. What goes over the wire is in
//! [`wire`]; here are the queues, the requests and what becomes of their answers.

mod body;
mod wire;

use super::dns::Dns;
use super::tls::Rules;
use super::{Happening, Post, clip, clock};
use crate::budget;
use crate::call::{Answer, Call, Got, Method, Ticket, Worker};
use crate::reason::{Reason, Why};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use ureq::http::{HeaderMap, Request, Response, Uri, header};
use ureq::{Agent, Body, RequestExt};
pub use wire::agent as ureq_agent;
pub(super) use wire::why;

/// How this program names itself.
pub const USER_AGENT: &str = concat!("guild-bridge/", env!("CARGO_PKG_VERSION"));

/// What came of a call, owned.
#[derive(Debug)]
pub enum Answered {
    /// The server answered; the body stands beside it.
    Got(Box<Got<'static>>, Vec<u8>),
    /// No whole answer came.
    Failed {
        /// Class and detail.
        why: Why,
        /// Whether any byte of the request may have been sent.
        sent: bool,
    },
}

impl Answered {
    /// Of its body.
    fn bytes(&self) -> usize {
        match self {
            Self::Got(_, body) => body.len(),
            Self::Failed { .. } => 0,
        }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn as_answer(&self) -> Answer<'_> {
        match self {
            Self::Got(got, body) => Answer::Got(Got {
                body,
                content_type: got.content_type.clone(),
                first_id: got.first_id.clone(),
                ..**got
            }),
            Self::Failed { why, sent } => Answer::Failed { why: why.clone(), sent: *sent },
        }
    }
}

/// The workers: two threads, `mint` and `call`, for each guild up to `budget::GUILD_WORKERS`; further guilds share them. A
/// guild that answers a byte a second holds up nobody but itself. They end when this is dropped and their last call is done.
pub struct Workers {
    pairs: Vec<Pair>,
    rules: Vec<Arc<Rules>>,
    post: Post,
    dns: Dns,
}

struct Pair {
    mint: SyncSender<Job>,
    call: SyncSender<Job>,
}

struct Job {
    ticket: Ticket,
    call: Box<Call>,
    rules: Arc<Rules>,
}

impl Workers {
    /// Starts the threads. `rules`: one for each guild, in the order of the settings.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(post: &Post, dns: &Dns, rules: Vec<Arc<Rules>>) -> std::io::Result<Self> {
        let mut workers = Self { pairs: Vec::new(), rules, post: post.clone(), dns: dns.clone() };
        workers.staff()?;
        Ok(workers)
    }

    /// From here on calls name guilds of other settings. Guilds for which no thread can be started share the others'.
    pub fn reload(&mut self, rules: Vec<Arc<Rules>>) {
        self.rules = rules;
        if let Err(error) = self.staff() {
            log::warn!(
                "{}: no thread for another guild's calls: {error}; it shares those of the others",
                Reason::HostShort
            );
        }
    }

    fn staff(&mut self) -> std::io::Result<()> {
        while self.pairs.len() < self.rules.len().clamp(1, budget::GUILD_WORKERS) {
            let (post, dns) = (&self.post, &self.dns);
            let mint = thread("mint", budget::MINT_STACK_BYTES, post.clone(), dns.clone())?;
            let call = thread("call", budget::CALL_STACK_BYTES, post.clone(), dns.clone())?;
            self.pairs.push(Pair { mint, call });
        }
        Ok(())
    }

    /// Queues a call; its answer is posted. Never waits.
    ///
    /// # Errors
    /// The answer itself, when the call cannot be queued.
    pub fn call(&self, ticket: Ticket, call: Box<Call>) -> Result<(), Box<Answered>> {
        let Some(rules) = self.rules.get(usize::from(call.guild)).cloned() else {
            debug_assert!(false, "a call names a guild that is not in the settings");
            let text = "the call's guild is not in the configuration any more";
            return Err(Box::new(not_sent(Reason::CfgPath, text.into())));
        };
        let pair = self.pairs.get(usize::from(call.guild) % self.pairs.len().max(1));
        let worker = match (pair, call.worker) {
            (Some(pair), Worker::Mint) => &pair.mint,
            (Some(pair), Worker::Call) => &pair.call,
            (None, _) => return Err(Box::new(not_sent(Reason::NetTimeout, "there is no thread for calls".into()))),
        };
        worker.try_send(Job { ticket, call, rules }).map_err(|error| {
            let text = match error {
                TrySendError::Full(_) => format!("calls are queued up: {} wait already", budget::CALLS_QUEUED),
                TrySendError::Disconnected(_) => "the worker's thread ended".into(),
            };
            Box::new(not_sent(Reason::NetTimeout, text))
        })
    }
}

fn not_sent(reason: Reason, detail: String) -> Answered {
    Answered::Failed { why: Why::new(reason, detail), sent: false }
}

fn thread(name: &str, stack: usize, post: Post, dns: Dns) -> std::io::Result<SyncSender<Job>> {
    let (sender, jobs) = sync_channel(budget::CALLS_QUEUED);
    // a mint is one call in minutes: its connection is not worth keeping
    let idle = usize::from(name == "call");
    std::thread::Builder::new().name(name.into()).stack_size(stack).spawn(move || work(&jobs, &post, &dns, idle))?;
    Ok(sender)
}

/// One agent for each set of rules, so that no connection serves a guild whose rules did not check it.
type Agents = Vec<(Arc<Rules>, Agent, wire::Marks)>;

fn work(jobs: &Receiver<Job>, post: &Post, dns: &Dns, idle: usize) {
    let mut agents: Agents = Vec::new();
    loop {
        let job = if agents.is_empty() {
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            jobs.recv_timeout(Duration::from_millis(budget::HTTP_IDLE_MS))
        };
        match job {
            Ok(job) => {
                let answered = perform(&job, &mut agents, dns, idle);
                if answered.bytes() > budget::LARGE_BYTES {
                    // no two large answers wait at once
                    while !post.is_empty() && !post.is_closed() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                if post.send_blocking(Happening::Answer(job.ticket, answered)).is_err() {
                    return;
                }
                if idle == 0 {
                    agents.clear();
                }
            }
            // nothing to do: idle connections and their buffers go
            Err(RecvTimeoutError::Timeout) => agents.clear(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn perform(job: &Job, agents: &mut Agents, dns: &Dns, idle: usize) -> Answered {
    let call = &job.call;
    let request = match request(call) {
        Ok(request) => request,
        Err(why) => return Answered::Failed { why, sent: false },
    };
    let place = place(request.uri(), call.method);
    if !agents.iter().any(|(rules, ..)| Arc::ptr_eq(rules, &job.rules)) {
        let (agent, marks) = wire::agent(dns.clone(), job.rules.clone(), idle);
        agents.push((job.rules.clone(), agent, marks));
    }
    let Some((_, agent, marks)) = agents.iter().find(|(rules, ..)| Arc::ptr_eq(rules, &job.rules)) else {
        return not_sent(Reason::NetTimeout, "no agent for this guild".into());
    };
    marks.begin();
    let deadline = Duration::from_millis(call.deadline_ms);
    let outcome = request.with_agent(agent).configure().timeout_global(Some(deadline)).run();
    let outcome = outcome.map_err(|error| wire::why(error, &place, call.deadline_ms));
    match outcome.and_then(|response| read(response, call, &place)) {
        Ok((got, body)) => Answered::Got(Box::new(got), body),
        Err(why) => Answered::Failed { why, sent: marks.sent() },
    }
}

fn request(call: &Call) -> Result<Request<String>, Why> {
    let mut request = Request::builder().uri(&call.url).method(match call.method {
        Method::Get => "GET",
        Method::Post => "POST",
    });
    if let Some(bearer) = &call.bearer {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", bearer.expose()));
    }
    if let Some(key) = &call.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    if call.worker == Worker::Mint {
        // a cache in between would hand out an old token
        request = request.header(header::CACHE_CONTROL, "no-store");
    }
    if matches!(call.sink, crate::call::Sink::File(..)) {
        request = request.header(header::ACCEPT, "*/*");
    }
    if call.body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = call.body.clone().unwrap_or_default();
    request.body(body).map_err(|error| Why::new(Reason::CfgPath, format!("`{}`: {error}", clip(&call.url))))
}

/// The call as a detail names it: no query, no user information.
fn place(uri: &Uri, method: Method) -> String {
    let verb = match method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    format!("{verb} {}{}", uri.host().unwrap_or("?"), clip(uri.path()))
}

fn read(mut response: Response<Body>, call: &Call, place: &str) -> Result<(Got<'static>, Vec<u8>), Why> {
    let headers = response.headers();
    let date_ms = text(headers, "date").and_then(date);
    let mut got = Got {
        status: response.status().as_u16(),
        content_type: text(headers, "content-type").map(str::to_owned),
        retry_after_ms: text(headers, "retry-after").and_then(|value| retry_after_ms(value, date_ms)),
        date_ms,
        replayed: text(headers, "idempotent-replayed").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        ..Got::default()
    };
    let length = response.body().content_length();
    let whole = body::read(response.body_mut().as_reader(), length, &call.sink, got.status);
    let whole = whole.map_err(|failure| body::why(failure, place, call.deadline_ms))?;
    (got.cut, got.first_id) = (whole.cut, whole.first_id);
    Ok((got, whole.kept))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn date(value: &str) -> Option<u64> {
    let since = httpdate::parse_http_date(value).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// `Retry-After` (RFC 9110, section 10.2.3) in milliseconds: seconds, or a date that is counted from the answer's own
/// `Date`, since the board's clock may be wrong. Absurd numbers saturate; what is neither is nothing.
#[must_use]
pub fn retry_after_ms(value: &str, date_ms: Option<u64>) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1000));
    }
    let until = date(value)?;
    Some(until.saturating_sub(date_ms.unwrap_or_else(|| clock::now().wall_ms)))
}

/// `Retry-After` of an answer, with its own `Date`.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    retry_after_ms(text(headers, "retry-after")?, text(headers, "date").and_then(date))
}
