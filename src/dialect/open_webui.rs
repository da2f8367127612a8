//! The dialect `open-webui`: channels of an Open WebUI server, as version 0.12.4 speaks them. Its CONNECT is always
//! answered, so it proves nothing; `user-join` answers with who we are, and what we send to a channel's room comes back if
//! and only if we are in it.

mod rows;
mod timeline;

use super::request::{get, object, percent, websocket};
use super::{ChannelRow, Dialect, Heard, Incoming, JoinAnswer, Minted, Request, Row, Timeline, Tokens};
use crate::budget;
use crate::call::{Method, Sink};
use crate::codec::Malformed;
use crate::codec::json::{self, name};
use crate::codec::socket::Event;
use crate::secret::Secret;
use crate::settings::Guild;
use std::fmt::Write;
use timeline::bare;

/// Sign-ins are counted in buckets of a minute, four of them summed: 15 at most, and those that succeed count too. So far apart
/// they are 13.
const SPACING_MS: u64 = 20_000;
/// The 16th is answered 429 without a time.
const WAIT_MS: u64 = 60_000;
/// The server looks every 30 s for sessions whose token ended, and its own client says so often that it is there.
const HEARTBEAT_MS: u64 = 30_000;
/// The server sets no limit; every post comes back on the socket, where a frame may hold `budget::MESSAGE_BYTES` and a
/// character that is escaped takes six.
const POST_UNITS: usize = 8_000;
/// A token that never ends lives so long.
const FOR_EVER_MS: u64 = 1 << 50;

/// A guild that speaks `open-webui`.
pub struct OpenWebUi {
    url: String,
}

impl OpenWebUi {
    /// Of this guild.
    #[must_use]
    pub fn new(guild: &Guild) -> Self {
        Self { url: guild.url.clone() }
    }

    fn channel(&self, channel: &str, rest: &str) -> String {
        format!("{}/api/v1/channels/{}{rest}", self.url, percent(channel))
    }
}

impl Dialect for OpenWebUi {
    fn mint(&self, login: &str, key: &Secret) -> Request {
        Request {
            method: Method::Post,
            url: format!("{}/api/v1/auths/signin", self.url),
            body: Some(object(&[(name!("email"), Some(login)), (name!("password"), Some(key.expose()))])),
            idempotency_key: None,
            sink: Sink::Memory(budget::SMALL_BODY_BYTES),
        }
    }

    fn minted(&self, body: &[u8], date_ms: Option<u64>) -> Result<Minted, String> {
        let text = std::str::from_utf8(body).map_err(|_| "the sign-in's answer is not UTF-8")?;
        json::scan(text).map_err(|why| format!("the sign-in's answer is not JSON: {why}"))?;
        let of = |key| json::member(text, key).and_then(json::string).map(|text| text.into_owned());
        let token = of("token").ok_or("the sign-in's answer has no string `token`")?;
        let ends_ms = json::member(text, "expires_at").map(|raw| raw.parse::<u64>().map(|s| s.saturating_mul(1000)));
        let life_ms = match (ends_ms, date_ms) {
            (None | Some(Err(_)), _) => Some(FOR_EVER_MS),
            (Some(Ok(ends)), Some(date)) => Some(ends.saturating_sub(date)),
            (Some(Ok(_)), None) => None,
        };
        let pending = of("role").as_deref() == Some("pending");
        let barred = pending.then_some("the account waits for an admin to accept it (its role is `pending`)");
        Ok(Minted { token, life_ms, me: of("id"), barred })
    }

    fn refuses(&self, status: u16) -> bool {
        matches!(status, 400 | 401 | 403)
    }

    fn refusal(&self, body: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(body).ok().filter(|text| json::scan(text).is_ok())?;
        json::member(text, "detail").and_then(json::string).map(|detail| detail.into_owned())
    }

    fn tokens(&self) -> Tokens {
        Tokens::Kept { spacing_ms: SPACING_MS, wait_ms: WAIT_MS }
    }

    fn channels(&self) -> Request {
        get(format!("{}/api/v1/channels/", self.url), Sink::Memory(budget::CHANNELS_BODY_BYTES))
    }

    fn channel_rows(&self, body: &[u8], each: &mut dyn FnMut(Result<ChannelRow, Malformed>)) -> bool {
        let mut rows = json::rows(body);
        for row in &mut rows {
            each(row.and_then(rows::channel));
        }
        rows.ended()
    }

    fn history(&self, channel: &str, _: Option<&str>, limit: usize) -> Request {
        self.page(channel, None, 0, limit)
    }

    fn history_rows(&self, body: &[u8], each: &mut dyn FnMut(Row<'_>)) -> bool {
        let mut rows = json::rows(body);
        for row in &mut rows {
            each(match row.map(|row| (row, rows::message(row, None))) {
                Ok((row, Ok(incoming))) => Row::Message(incoming, row.len()),
                Ok((row, Err(malformed))) => Row::Unreadable(rows::id(row), malformed),
                Err(malformed) => Row::Unreadable(None, malformed),
            });
        }
        rows.ended()
    }

    fn post(&self, channel: &str, text: &str, reply_to: Option<&str>, key: &str) -> Request {
        self.post_about(channel, None, text, reply_to, key)
    }

    fn post_about(&self, channel: &str, about: Option<&str>, text: &str, reply_to: Option<&str>, key: &str) -> Request {
        let thread = about.and_then(|about| self.thread_of(about));
        let mut body = object(&[
            (name!("content"), Some(text)),
            (name!("reply_to_id"), reply_to.map(bare)),
            (name!("parent_id"), thread),
        ]);
        body.pop();
        let _ = write!(body, ",\"data\":{}}}", object(&[(name!("client_id"), Some(key))]));
        Request {
            method: Method::Post,
            url: self.channel(channel, "/messages/post"),
            body: Some(body),
            idempotency_key: None,
            sink: Sink::Memory(budget::HISTORY_BODY_BYTES),
        }
    }

    fn posted(&self, body: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(body).ok()?;
        json::scan(text).ok()?;
        rows::id(text)
    }

    fn attachment(&self, id: &str) -> String {
        format!("{}/api/v1/files/{}/content", self.url, percent(id))
    }

    fn socket_url(&self) -> String {
        websocket(&self.url, "/ws/socket.io/")
    }

    fn connect_payload(&self, token: &str) -> String {
        object(&[(name!("token"), Some(token))])
    }

    fn join(&self, channel: &str) -> String {
        // `join_all` joins: this is no more than what finds out whether it did
        writing(channel, None, false)
    }

    fn join_answer(&self, _: &str) -> JoinAnswer {
        JoinAnswer::Unclear
    }

    fn join_all(&self, token: &str) -> Option<String> {
        Some(format!("[\"user-join\",{{\"auth\":{}}}]", self.connect_payload(token)))
    }

    fn joined_as(&self, args: &str, me: &str) -> JoinAnswer {
        let first = json::elements(args).next();
        match first.and_then(|first| json::member(first, "id")).and_then(json::string) {
            Some(id) if id == me => JoinAnswer::Joined,
            Some(_) => JoinAnswer::Denied("it took the token for somebody else's".to_owned()),
            None => JoinAnswer::Denied("it took CONNECT, and does not know the token".to_owned()),
        }
    }

    fn probe(&self, channel: &str) -> Option<String> {
        // that we do not write changes nothing for anybody, and comes back
        Some(writing(channel, None, false))
    }

    fn keepalive(&self) -> Option<(&'static str, u64)> {
        Some(("[\"heartbeat\",{}]", HEARTBEAT_MS))
    }

    fn typing(&self, channel: &str, thread: Option<&str>, on: bool) -> Option<String> {
        Some(writing(channel, thread, on))
    }

    fn read_mark(&self, channel: &str) -> Option<String> {
        Some(to_room(channel, None, "{\"type\":\"last_read_at\"}"))
    }

    fn event<'a>(&self, event: &Event<'a>) -> Heard<'a> {
        let Some(first) = event.args.first().copied().flatten() else { return Heard::Other };
        match event.name.as_ref() {
            "events:channel" => channel_event(first),
            // it is told to those who were put out of a channel, and to those whose rights changed
            "encryption:available" | "access:updated" => Heard::Relist,
            _ => Heard::Other,
        }
    }

    fn post_limit(&self) -> usize {
        POST_UNITS
    }

    fn timeline(&self) -> Option<&dyn Timeline> {
        Some(self)
    }
}

fn channel_event(object: &str) -> Heard<'_> {
    let Some(data) = json::member(object, "data") else { return Heard::Other };
    let channel = || json::member(object, "channel_id").and_then(json::string).unwrap_or_default();
    let user = || json::member(object, "user");
    match json::member(data, "type").and_then(json::string).as_deref() {
        Some("message") => {
            let Some(row) = json::member(data, "data") else {
                return Heard::Unreadable(Malformed("a message event without a message"));
            };
            match rows::message(row, user()) {
                Ok(message) => Heard::Message(Incoming { channel: channel(), ..message }, row.len()),
                Err(malformed) => Heard::Unreadable(malformed),
            }
        }
        Some("typing") => {
            let author = user().and_then(|user| json::member(user, "id")).and_then(json::string);
            Heard::Echo { channel: channel(), author: author.unwrap_or_default() }
        }
        Some("channel:created") => Heard::Relist,
        // edits, deletions, reactions, pins; and `message:reply`, whose message is the parent of the one that came
        Some(_) | None => Heard::Other,
    }
}

/// That we write in a channel or a thread, or do so no more.
fn writing(channel: &str, thread: Option<&str>, on: bool) -> String {
    to_room(channel, thread, &format!("{{\"type\":\"typing\",\"data\":{{\"typing\":{on}}}}}"))
}

/// An event to the room of a channel; it is dropped in silence where we are not in it.
fn to_room(channel: &str, thread: Option<&str>, data: &str) -> String {
    let mut out = String::from("[\"events:channel\",{\"channel_id\":");
    json::write_string(channel, &mut out);
    out.push_str(",\"message_id\":");
    match thread {
        Some(thread) => json::write_string(thread, &mut out),
        None => out.push_str("null"),
    }
    let _ = write!(out, ",\"data\":{data}}}]");
    out
}
