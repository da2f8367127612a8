//! `guild-agent/1`: one JSON object a line (CONTRACT section 2). What the bridge says is encoded here, what an agent
//! says is decoded; a line carries no newline on either side.

use super::{Cancel, Said};
use crate::budget;
use crate::codec::json::{self, Name, Object, name};
use crate::message::{Attachment, Fetched, Turn};
use crate::reason::{Reason, Why};
use crate::text::Clipped;
use std::borrow::Cow;

/// What one line of an agent says.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// It claims these agents (socket transport).
    Hello(Vec<Cow<'a, str>>),
    /// It says something of a turn.
    Said(Said<'a>),
    /// It speaks unasked.
    Send {
        /// Who of several agents on one connection speaks: the line's optional `"agent"`.
        agent: Option<Cow<'a, str>>,
        /// What: always `Said::Send`.
        said: Said<'a>,
    },
    /// Its `send` cannot be taken: it is owed an `error` with this id.
    Refused {
        /// Its own id for the send.
        id: Cow<'a, str>,
        /// Why not.
        why: Why,
    },
}

/// Reads one line of an agent.
///
/// # Errors
/// `agent.garbled` with a sentence, when the line is not JSON, not of version 1, of an unknown type or lacks a field.
pub fn decode(line: &str) -> Result<Heard<'_>, Why> {
    let mut fields = Fields { kind: "line", values: [None; KNOWN] };
    json::scan_members(line, |name, value| fields.note(name, value))
        .map_err(|why| garbled(format!("a line is not JSON: {why}")))?;
    match fields.value("v") {
        Some("1") => {}
        Some(other) => return Err(garbled(format!("a line has \"v\":{}; only 1 is spoken here", Clipped(other)))),
        None => return Err(garbled("a line has no \"v\":1")),
    }
    let kind = fields.text("type")?;
    match kind.as_ref() {
        "hello" => fields.of("hello").hello(),
        "accepted" => Ok(Heard::Said(Said::Accepted { turn: fields.of("accepted").text("turn")? })),
        "reply" => fields.of("reply").reply(),
        "none" => Ok(Heard::Said(Said::None { turn: fields.of("none").text("turn")? })),
        "error" => fields.of("error").error(),
        "typing" => fields.of("typing").typing(),
        "send" => fields.of("send").send(),
        other => Err(garbled(format!("a line has the type \"{}\", which is not known here", Clipped(other)))),
    }
}

/// What a `message` line has beside its strings: 320 bytes, of which a message's own size in memory covers the rest.
const FIELDS_BYTES: usize = 128;

/// The `message` line of a turn.
#[must_use]
pub fn message(turn: &Turn) -> String {
    let Turn { id, agent, conv, message, .. } = turn;
    let names: [&str; 6] = [id, agent, &conv.key, &conv.channel, &conv.name, &conv.guild];
    let names: usize = names.iter().map(|name| name.len()).sum();
    // where nothing has to be escaped it does not grow while it is written, nor by its newline
    let mut out = String::with_capacity(FIELDS_BYTES + names + message.bytes());
    Object::write(&mut out, |line| {
        begin(line, "message");
        line.text(name!("turn"), id);
        line.number(name!("attempt"), turn.attempt.into());
        line.text(name!("agent"), agent);
        line.text(name!("guild"), &conv.guild);
        line.object(name!("conv"), |part| {
            part.text(name!("key"), &conv.key);
            part.text(name!("kind"), conv.kind.word());
            part.object(name!("channel"), |channel| {
                channel.text(name!("id"), &conv.channel);
                channel.text(name!("name"), &conv.name);
            });
            part.text_or_null(name!("thread"), conv.thread.as_deref());
        });
        line.object(name!("message"), |part| {
            part.text(name!("id"), &message.id);
            part.text(name!("at"), &message.at);
            part.text(name!("text"), &message.text);
            part.object(name!("author"), |author| {
                author.text(name!("id"), &message.author.id);
                author.text(name!("name"), &message.author.name);
                author.flag(name!("bot"), message.author.bot);
            });
            part.flag(name!("mention"), message.mention);
            part.text_or_null(name!("reply_to"), message.reply_to.as_deref());
            part.list(name!("attachments"), &message.attachments, attachment);
        });
        line.number(name!("deadline_ms"), turn.deadline_ms);
        line.flag(name!("replayed"), turn.replayed);
    });
    out
}

/// `path` is absent where nobody asked, null where the file could not be had.
fn attachment(file: &Attachment, out: &mut String) {
    Object::write(out, |part| {
        part.text(name!("id"), &file.id);
        part.text(name!("name"), &file.name);
        part.text(name!("type"), &file.media_type);
        part.number(name!("size"), file.size);
        match &file.fetched {
            Fetched::NotAsked => {}
            Fetched::At(path) => part.text(name!("path"), &path.to_string_lossy()),
            Fetched::Not(why) => {
                part.text_or_null(name!("path"), None);
                part.text(name!("why"), why);
            }
        }
    });
}

/// The `cancel` line of a turn.
#[must_use]
pub fn cancel(turn: &str, why: Cancel) -> String {
    line_of("cancel", &[(name!("turn"), Some(turn)), (name!("reason"), Some(why.word()))])
}

/// The answer to a good `hello`.
#[must_use]
pub fn welcome(agents: &[&str]) -> String {
    let mut out = String::new();
    Object::write(&mut out, |line| {
        begin(line, "welcome");
        line.list(name!("agents"), agents, |agent, out| json::write_string(agent, out));
    });
    out
}

/// The answer to a `hello` or a `send` that is refused; `id` is the send's.
#[must_use]
pub fn error(id: Option<&str>, code: &str, message: &str) -> String {
    line_of("error", &[(name!("id"), id), (name!("code"), Some(code)), (name!("message"), Some(message))])
}

/// The answer to a `send` that is in the guild.
#[must_use]
pub fn sent(id: &str, message: &str) -> String {
    line_of("sent", &[(name!("id"), Some(id)), (name!("message"), Some(message))])
}

/// A line of texts; those that are not there are left out.
fn line_of(kind: &str, texts: &[(Name, Option<&str>)]) -> String {
    let mut out = String::new();
    Object::write(&mut out, |line| {
        begin(line, kind);
        line.texts(texts);
    });
    out
}

fn begin(line: &mut Object<'_>, kind: &str) {
    line.number(name!("v"), 1);
    line.text(name!("type"), kind);
}

fn garbled(detail: impl Into<String>) -> Why {
    Why::new(Reason::AgentGarbled, detail)
}

/// How many of them there are.
const KNOWN: usize = 13;

/// What a line may have that means something.
const FIELDS: [&str; KNOWN] =
    ["v", "type", "turn", "text", "final", "code", "message", "retry_after_ms", "on", "id", "conv", "agent", "agents"];

/// The fields of a line; null is as good as absent.
struct Fields<'a> {
    kind: &'static str,
    /// As they are written, in the order of `FIELDS`; of those with one name the last.
    values: [Option<&'a str>; KNOWN],
}

impl<'a> Fields<'a> {
    fn of(&mut self, kind: &'static str) -> &Self {
        self.kind = kind;
        self
    }

    fn note(&mut self, name: &str, value: &'a str) {
        let known = json::string(name).and_then(|name| FIELDS.iter().position(|field| *field == name));
        if let Some(place) = known.and_then(|known| self.values.get_mut(known)) {
            *place = Some(value);
        }
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        FIELDS.iter().zip(&self.values).find(|(field, _)| **field == name).and_then(|(_, value)| *value)
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        self.value(name).filter(|raw| *raw != "null")
    }

    fn text(&self, name: &str) -> Result<Cow<'a, str>, Why> {
        self.raw(name).and_then(json::string).ok_or_else(|| garbled(format!("a {} has no text \"{name}\"", self.kind)))
    }

    fn optional(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).and_then(json::string)
    }

    /// What is absent counts as yes.
    fn yes(&self, name: &str) -> Result<bool, Why> {
        match self.raw(name) {
            None | Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(garbled(format!("a {} has a \"{name}\" that is neither true nor false", self.kind))),
        }
    }

    fn hello(&self) -> Result<Heard<'a>, Why> {
        let names = json::elements(self.raw("agents").unwrap_or_default());
        let names: Option<Vec<_>> = names.take(budget::AGENTS + 1).map(json::string).collect();
        match names {
            Some(names) if (1..=budget::AGENTS).contains(&names.len()) => Ok(Heard::Hello(names)),
            Some(_) | None => {
                Err(garbled(format!("a hello has no \"agents\" with 1 to {} names in it", budget::AGENTS)))
            }
        }
    }

    fn reply(&self) -> Result<Heard<'a>, Why> {
        let (turn, text, last) = (self.text("turn")?, self.text("text")?, self.yes("final")?);
        Ok(Heard::Said(match self.too_long(&text) {
            Some(why) => Said::Failed { turn, why },
            None => Said::Reply { turn, text, last },
        }))
    }

    fn error(&self) -> Result<Heard<'a>, Why> {
        let turn = self.text("turn")?;
        let code = self.optional("code").unwrap_or(Cow::Borrowed("failed"));
        if code == "busy" {
            let ms = self.raw("retry_after_ms").and_then(|raw| raw.parse::<f64>().ok());
            // `as` saturates: a negative time is none, an endless one is the longest
            return Ok(Heard::Said(Said::Busy { turn, retry_ms: ms.map(|ms| ms as u64) }));
        }
        let message = self.optional("message").unwrap_or_default();
        let detail = format!("it said {}: {}", Clipped(&code), Clipped::to(&message, budget::DETAIL_BYTES));
        Ok(Heard::Said(Said::Failed { turn, why: Why::new(Reason::AgentFailed, detail) }))
    }

    fn typing(&self) -> Result<Heard<'a>, Why> {
        Ok(Heard::Said(Said::Typing { turn: self.text("turn")?, on: self.yes("on")? }))
    }

    fn send(&self) -> Result<Heard<'a>, Why> {
        let (id, conv, text) = (self.text("id")?, self.text("conv")?, self.text("text")?);
        if id.len() > budget::ID_BYTES {
            return Err(garbled(format!(
                "a send has an id of {} bytes; at most {} are taken",
                id.len(),
                budget::ID_BYTES
            )));
        }
        if let Some(why) = self.too_long(&text) {
            return Ok(Heard::Refused { id, why });
        }
        Ok(Heard::Send { agent: self.optional("agent"), said: Said::Send { id, conv, text } })
    }

    fn too_long(&self, text: &str) -> Option<Why> {
        let most = budget::REPLY_BYTES;
        let detail = || format!("its {} has {} bytes; at most {} KiB are taken", self.kind, text.len(), most / 1024);
        (text.len() > most).then(|| Why::new(Reason::AgentFailed, detail()))
    }
}
