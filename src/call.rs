//! HTTP as values: a call that the core asks for, and its answer. No socket here.

use crate::reason::Why;
use crate::token::Bearer;
use std::path::PathBuf;

/// Names one call; its answer carries it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The method of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST, with a JSON body.
    Post,
}

/// Which worker makes the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// The thread that mints, one call at a time.
    Mint,
    /// The thread for channels, history, posts and attachments.
    Call,
}

/// Where the body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Into memory, at most so many bytes; a longer body is cut and the answer says so.
    Memory(usize),
    /// As `Memory`; a longer body is read on (not kept) to find the first row's `id`.
    MemoryOrId(usize),
    /// Into a new file, at most so many bytes; a longer body is a failure and leaves no file.
    File(PathBuf, u64),
}

/// One HTTP call. Redirects are never followed; any status is an answer.
#[derive(Clone)]
pub struct Call {
    /// Who makes it.
    pub worker: Worker,
    /// GET or POST.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// Goes into `Authorization: Bearer`.
    pub bearer: Option<Bearer>,
    /// Goes into `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// JSON. It may hold a secret: never logged.
    pub body: Option<String>,
    /// Where the answer's body goes.
    pub sink: Sink,
    /// From the start of the lookup to the last byte.
    pub deadline_ms: u64,
    /// Which guild's TLS roots and rules for plain http apply.
    pub guild: u16,
}

/// What came of a call.
#[derive(Debug)]
pub enum Answer<'a> {
    /// The server answered, with whatever status.
    Got(Got<'a>),
    /// No whole answer came. `sent`: the request may have reached the server, so its outcome is unknown.
    Failed {
        /// Class and detail.
        why: Why,
        /// Whether any byte of the request may have been sent.
        sent: bool,
    },
}

/// An HTTP answer as far as anybody here reads it.
#[derive(Debug, Default)]
pub struct Got<'a> {
    /// The status code.
    pub status: u16,
    /// The body in memory (empty when it went to a file).
    pub body: &'a [u8],
    /// The body was longer than its bound.
    pub cut: bool,
    /// With `MemoryOrId` and `cut`: the first row's id, if one was found.
    pub first_id: Option<String>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// `Retry-After` in milliseconds, whichever form it had; not clamped.
    pub retry_after_ms: Option<u64>,
    /// `Date`, milliseconds since 1970.
    pub date_ms: Option<u64>,
    /// `idempotent-replayed: true`.
    pub replayed: bool,
}
