//! A link's HTTP calls: which are under way, which wait for a bearer, and the rule of the 401: mint once, repeat once.

use crate::budget;
use crate::call::{Call, Sink, Ticket, Worker};
use crate::dialect::Request;
use crate::message::LinkId;
use crate::moment::{Moment, Now};
use crate::port::Output;
use crate::step::Step;
use crate::token::Bearer;
use std::rc::Rc;

/// Calls of one link that may wait for a bearer at once: a further one fails.
const HELD: usize = 64;

/// A shorter token could be any word.
const TOKEN_HIDDEN: usize = 16;

/// What a call is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A token for the handshake.
    Handshake,
    /// A token for calls, while the session's own nears its end.
    Bearer,
    /// The channel list.
    Channels,
    /// A page of a channel's history.
    History(Page),
    /// A step of a reading of a history that is listed newest first.
    Walk(Box<super::walk::Walk>),
    /// A post, by its key.
    Post(String),
    /// A page of history in which a post is looked up.
    LookUp(super::look_up::LookUp),
    /// An attachment of a turn.
    Attachment {
        /// The turn.
        turn: String,
        /// The attachment's id.
        id: String,
        /// Where it goes.
        path: std::path::PathBuf,
        /// Its bound.
        max_bytes: u64,
    },
}

/// A page of a channel's history that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The channel.
    pub channel: Rc<str>,
    /// After which message.
    pub after: Option<String>,
    /// The message that is expected first: where it is not, history was cut.
    pub expect: Option<String>,
    /// Rows asked for.
    pub limit: usize,
    /// It looks for a first cursor.
    pub seek: bool,
    /// It asks for the oldest message that history keeps.
    pub oldest: bool,
    /// The channel's doubts when it was asked for: one that came since is not settled by it.
    pub doubts: u32,
}

/// A call under way.
pub struct UnderWay {
    /// Its ticket.
    pub ticket: Ticket,
    /// What for.
    pub purpose: Purpose,
    /// It was repeated after a 401 already.
    pub repeated: bool,
    /// When it was sent.
    pub sent: Moment,
}

/// A link's calls.
pub struct Calls {
    link: LinkId,
    guild: u16,
    next: u64,
    under_way: Vec<UnderWay>,
    /// Calls that wait for a bearer.
    held: Vec<(Purpose, bool)>,
    bearer: Option<Bearer>,
}

impl Calls {
    /// None yet.
    #[must_use]
    pub fn new(link: LinkId, guild: u16) -> Self {
        Self { link, guild, next: 0, under_way: Vec::new(), held: Vec::new(), bearer: None }
    }

    /// The link that a ticket belongs to.
    #[must_use]
    pub fn link_of(ticket: Ticket) -> LinkId {
        LinkId(u16::try_from(ticket.0 >> 48).unwrap_or(u16::MAX))
    }

    /// Where the guild stands among the guilds, after a reload.
    pub fn set_guild(&mut self, guild: u16) {
        self.guild = guild;
    }

    /// A token for calls.
    pub fn set_bearer(&mut self, bearer: Bearer) {
        self.bearer = Some(bearer);
    }

    /// The guild refused the bearer.
    pub fn drop_bearer(&mut self) {
        self.bearer = None;
    }

    /// Whether a token is left over, be it old; `drop_bearer` ends it.
    #[must_use]
    pub fn bearer_left(&self) -> bool {
        self.bearer.is_some()
    }

    /// Whether calls can be made now without minting.
    #[must_use]
    pub fn has_bearer(&self, now: Moment) -> bool {
        self.bearer.as_ref().is_some_and(|bearer| !bearer.life().nears_end(now))
    }

    /// What a peer said without our token in it, where it says it: it may end in a log or in status.
    #[must_use]
    pub fn without_token(&self, said: &str) -> Option<String> {
        let token = self.bearer.as_ref().map(Bearer::expose).filter(|token| token.len() >= TOKEN_HIDDEN)?;
        said.contains(token).then(|| said.replace(token, "[token]"))
    }

    /// Whether a call of this kind is under way or held.
    pub fn any(&self, is: impl Fn(&Purpose) -> bool) -> bool {
        self.under_way.iter().any(|call| is(&call.purpose)) || self.held.iter().any(|(purpose, _)| is(purpose))
    }

    /// Keeps a call until there is a bearer; hands it back where too many wait already.
    #[must_use]
    pub fn hold(&mut self, purpose: Purpose, repeated: bool) -> Option<Purpose> {
        if self.held.len() >= HELD {
            return Some(purpose);
        }
        self.held.push((purpose, repeated));
        None
    }

    /// The calls that waited for a bearer.
    pub fn release(&mut self) -> Vec<(Purpose, bool)> {
        std::mem::take(&mut self.held)
    }

    /// Sends a call on its way.
    pub fn send(&mut self, purpose: Purpose, repeated: bool, request: Request, step: &mut Step<'_>) {
        self.next += 1;
        let ticket = Ticket((u64::from(self.link.0) << 48) | (self.next & 0xFFFF_FFFF_FFFF));
        let mint = matches!(purpose, Purpose::Handshake | Purpose::Bearer);
        let call = Call {
            worker: if mint { Worker::Mint } else { Worker::Call },
            method: request.method,
            url: request.url,
            bearer: if mint { None } else { self.bearer.clone() },
            idempotency_key: request.idempotency_key,
            body: request.body,
            sink: request.sink,
            deadline_ms: if mint { budget::MINT_MS } else { budget::CALL_MS },
            guild: self.guild,
        };
        let Now { at: sent, .. } = step.now;
        self.under_way.push(UnderWay { ticket, purpose, repeated, sent });
        step.out.push_back(Output::Call(ticket, Box::new(call)));
    }

    /// A call came back. `None`: nobody waits for it any more.
    pub fn back(&mut self, ticket: Ticket) -> Option<UnderWay> {
        let at = self.under_way.iter().position(|call| call.ticket == ticket)?;
        Some(self.under_way.swap_remove(at))
    }

    /// The answers of these calls are not waited for any more; held ones are dropped.
    pub fn forget(&mut self, is: impl Fn(&Purpose) -> bool) {
        self.under_way.retain(|call| !is(&call.purpose));
        self.held.retain(|(purpose, _)| !is(purpose));
    }
}

/// A GET that goes into a file.
#[must_use]
pub fn into_file(url: String, path: std::path::PathBuf, max_bytes: u64) -> Request {
    let sink = Sink::File(path, max_bytes);
    Request { method: crate::call::Method::Get, url, body: None, idempotency_key: None, sink }
}
