//! The dialect `fabric` (CONTRACT section 1).

use super::request::{get, object, percent, websocket};
use super::{ChannelRow, Dialect, Heard, Incoming, JoinAnswer, Minted, Newest, Request, Row};
use crate::budget;
use crate::call::{Method, Sink};
use crate::codec::Malformed;
use crate::codec::json::{self, name};
use crate::codec::socket::Event;
use crate::message::{Attachment, Kind};
use crate::moment::instant;
use crate::secret::Secret;
use crate::settings::Guild;
use crate::text::Clipped;
use miniserde::json::{Number, Value};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt::Write;
use std::marker::PhantomData;

/// A guild that speaks `fabric`.
pub struct Fabric {
    center: String,
    url: String,
    token: String,
    channels: String,
    history: String,
    post: String,
    attachment: String,
    socket: String,
}

impl Fabric {
    /// With the guild's own paths where it has some.
    #[must_use]
    pub fn new(guild: &Guild) -> Self {
        let path = |name: &str, usual: &str| guild.paths.get(name).cloned().unwrap_or_else(|| usual.to_owned());
        Self {
            center: guild.center.clone(),
            url: guild.url.clone(),
            token: path("token", "/auth/token"),
            channels: path("channels", "/channels"),
            history: path("history", "/channels/{id}/messages"),
            post: path("post", "/channels/{id}/messages"),
            attachment: path("attachment", "/attachments/{id}"),
            socket: path("socket", "/socket.io/"),
        }
    }

    fn place(&self, path: &str, id: &str) -> String {
        format!("{}{}", self.url, path.replace("{id}", &percent(id)))
    }
}

impl Dialect for Fabric {
    fn mint(&self, agent_id: &str, key: &Secret) -> Request {
        let body = object(&[(name!("agentId"), Some(agent_id)), (name!("agentKey"), Some(key.expose()))]);
        Request {
            method: Method::Post,
            url: format!("{}{}", self.center, self.token),
            body: Some(body),
            idempotency_key: None,
            sink: Sink::Memory(budget::SMALL_BODY_BYTES),
        }
    }

    fn minted(&self, body: &[u8], date_ms: Option<u64>) -> Result<Minted, String> {
        let text = std::str::from_utf8(body).map_err(|_| "the mint's answer is not UTF-8")?;
        json::scan(text).map_err(|why| format!("the mint's answer is not JSON: {why}"))?;
        let answer: MintAnswer =
            miniserde::json::from_str(text).map_err(|_| "the mint's answer has no string `guildAccessToken`")?;
        let in_s = answer.expires_in.as_ref().and_then(number);
        let at = answer.expires_at.as_ref().and_then(|at| match at {
            Value::String(at) => instant(at),
            _ => None,
        });
        let life_ms = match (in_s, at, date_ms) {
            // from a number: negative is over already, absurd saturates
            (Some(s), _, _) => Some((s.max(0.0) * 1000.0) as u64),
            (None, Some(at), Some(date)) => Some(at.saturating_sub(date)),
            (None, _, _) => None,
        };
        Ok(Minted { token: answer.token, life_ms, me: None, barred: None })
    }

    fn channels(&self) -> Request {
        get(format!("{}{}", self.url, self.channels), Sink::Memory(budget::CHANNELS_BODY_BYTES))
    }

    fn channel_rows(&self, body: &[u8], each: &mut dyn FnMut(Result<ChannelRow, Malformed>)) -> bool {
        let mut rows = json::rows(body);
        for row in &mut rows {
            each(row.and_then(channel_row));
        }
        rows.ended()
    }

    fn history(&self, channel: &str, after: Option<&str>, limit: usize) -> Request {
        let mut url = self.place(&self.history, channel);
        let mark = if url.contains('?') { '&' } else { '?' };
        let _ = match after {
            Some(after) => write!(url, "{mark}after={}&limit={limit}", percent(after)),
            None => write!(url, "{mark}limit={limit}"),
        };
        get(url, Sink::MemoryOrId(budget::HISTORY_BODY_BYTES))
    }

    fn history_rows(&self, body: &[u8], each: &mut dyn FnMut(Row<'_>)) -> bool {
        let mut rows = json::rows(body);
        for row in &mut rows {
            each(match row.map(|row| (row, message(row))) {
                Ok((row, Ok(incoming))) => Row::Message(incoming, row.len()),
                Ok((row, Err(malformed))) => Row::Unreadable(id_of(row).map(Cow::into_owned), malformed),
                Err(malformed) => Row::Unreadable(None, malformed),
            });
        }
        rows.ended()
    }

    fn post(&self, channel: &str, text: &str, reply_to: Option<&str>, key: &str) -> Request {
        Request {
            method: Method::Post,
            url: self.place(&self.post, channel),
            body: Some(object(&[
                (name!("text"), Some(text)),
                (name!("replyTo"), reply_to),
                (name!("clientNonce"), Some(key)),
            ])),
            idempotency_key: Some(key.to_owned()),
            sink: Sink::Memory(budget::HISTORY_BODY_BYTES),
        }
    }

    fn posted(&self, body: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(body).ok()?;
        json::scan(text).ok()?;
        id_of(text).map(Cow::into_owned)
    }

    fn attachment(&self, id: &str) -> String {
        self.place(&self.attachment, id)
    }

    fn socket_url(&self) -> String {
        websocket(&self.url, &self.socket)
    }

    fn connect_payload(&self, token: &str) -> String {
        object(&[(name!("token"), Some(token))])
    }

    fn join(&self, channel: &str) -> String {
        let mut args = String::from("[\"join_channel\",");
        json::write_string(channel, &mut args);
        args.push(']');
        args
    }

    fn join_answer(&self, args: &str) -> JoinAnswer {
        let Some(first) = json::elements(args).next() else { return JoinAnswer::Unclear };
        match json::member(first, "ok") {
            Some("true") => JoinAnswer::Joined,
            Some("false") => JoinAnswer::Denied(sentence_of(first, "error")),
            _ => JoinAnswer::Unclear,
        }
    }

    fn event<'a>(&self, event: &Event<'a>) -> Heard<'a> {
        let Some(first) = event.args.first().copied().flatten() else { return Heard::Other };
        match event.name.as_ref() {
            "message.created" => match message(first) {
                Ok(incoming) if incoming.channel.is_empty() => {
                    Heard::Unreadable(Malformed("a message without channelId"))
                }
                Ok(incoming) => Heard::Message(incoming, first.len()),
                Err(malformed) => Heard::Unreadable(malformed),
            },
            "exception" => denied(first),
            _ => Heard::Other,
        }
    }

    fn post_limit(&self) -> usize {
        4000
    }
}

/// `exception`, as NestJS sends it: `{"status","message","cause":{"pattern","data"}}`.
fn denied(object: &str) -> Heard<'static> {
    let cause = json::member(object, "cause");
    let pattern = cause.and_then(|cause| json::member(cause, "pattern")).and_then(json::string);
    if pattern.as_deref().is_some_and(|pattern| pattern != "join_channel") {
        return Heard::Other;
    }
    let channel = cause.and_then(|cause| json::member(cause, "data")).and_then(json::string);
    Heard::Denied(channel.map(Cow::into_owned), sentence_of(object, "message"))
}

fn sentence_of(object: &str, key: &str) -> String {
    let said = json::member(object, key).map(|raw| json::string(raw).unwrap_or(Cow::Borrowed(raw)));
    let said = said.filter(|said| !said.is_empty());
    said.map_or_else(|| "it gave no reason".to_owned(), |said| Clipped(&said).to_string())
}

fn channel_row(row: &str) -> Result<ChannelRow, Malformed> {
    let id = id_of(row).ok_or(Malformed("a channel without a usable id"))?;
    let name = json::member(row, "name").and_then(json::string);
    let kind = match json::member(row, "kind").and_then(json::string).as_deref() {
        Some("dm") => Kind::Dm,
        Some("group") => Kind::Group,
        _ => Kind::Channel,
    };
    let last = match json::member(row, "lastMessageId") {
        None => Newest::Unsaid,
        Some(raw) => json::string(raw).map_or(Newest::Nothing, |id| Newest::Id(id.into_owned())),
    };
    let name = name.filter(|name| !name.is_empty() && name.len() <= budget::NAME_BYTES);
    Ok(ChannelRow { name: name.unwrap_or_else(|| id.clone()).into_owned(), id: id.into_owned(), kind, last })
}

fn id_of(object: &str) -> Option<Cow<'_, str>> {
    json::member(object, "id").and_then(json::string).filter(|id| !id.is_empty() && id.len() <= budget::ID_BYTES)
}

/// A message's JSON, scanned already, read in one pass.
fn message(row: &str) -> Result<Incoming<'_>, Malformed> {
    let row: MessageRow<'_> = serde_json::from_str(row).map(|row: Object<_>| row.0).or_else(|_| leniently(row))?;
    if row.id.is_empty() || row.id.len() > budget::ID_BYTES {
        return Err(Malformed("a message without a usable id"));
    }
    let (author_name, bot) =
        row.author.map_or((None, false), |Object(author)| (plain(author.name), author.bot.unwrap_or(false)));
    Ok(Incoming {
        id: row.id,
        channel: plain(row.channel_id).unwrap_or_default(),
        author: plain(row.author_id).unwrap_or_default(),
        author_name,
        bot,
        text: plain(row.text).unwrap_or_default(),
        reply_to: plain(row.reply_to),
        nonce: plain(row.client_nonce),
        mentions: row.mentions.map(|ids| ids.into_iter().map(|id| id.0).collect()),
        attachments: row.attachments.unwrap_or_default().into_iter().filter_map(attachment).collect(),
        at: plain(row.created_at).unwrap_or_default(),
        thread: None,
        asks_nothing: false,
        has_more: false,
    })
}

/// A message that serde_json does not take: half a surrogate pair (JavaScript cuts them so), a member that came twice or
/// is of another type. What can be read counts.
fn leniently(row: &str) -> Result<MessageRow<'_>, Malformed> {
    fn text<'a>(object: &'a str, key: &str) -> Option<Text<'a>> {
        json::member(object, key).and_then(json::string).map(Text)
    }
    let author = json::member(row, "author").map(|author| {
        Object(AuthorRow { name: text(author, "name"), bot: json::member(author, "bot").map(|bot| bot == "true") })
    });
    let mentions = json::member(row, "mentions").filter(|raw| raw.starts_with('['));
    Ok(MessageRow {
        id: id_of(row).ok_or(Malformed("a message without a usable id"))?,
        channel_id: text(row, "channelId"),
        author_id: text(row, "authorId"),
        author,
        text: text(row, "text"),
        reply_to: text(row, "replyTo"),
        client_nonce: text(row, "clientNonce"),
        mentions: mentions.map(|raw| json::elements(raw).filter_map(json::string).map(Text).collect()),
        attachments: json::member(row, "attachments").and_then(|raw| serde_json::from_str(raw).ok()),
        created_at: text(row, "createdAt"),
    })
}

fn attachment(Object(row): Object<AttachmentRow<'_>>) -> Option<Attachment> {
    let id = plain(row.id).filter(|id| !id.is_empty() && id.len() <= budget::ID_BYTES)?;
    Some(Attachment {
        id: id.into_owned(),
        name: plain(row.name).unwrap_or_default().into_owned(),
        media_type: plain(row.media_type).unwrap_or_default().into_owned(),
        size: row.size.unwrap_or(0),
        fetched: crate::message::Fetched::NotAsked,
    })
}

/// The mint's answer, small and of known shape; how long the token lives may be said in any way or none.
#[derive(miniserde::Deserialize)]
struct MintAnswer {
    #[serde(rename = "guildAccessToken")]
    token: String,
    #[serde(rename = "expiresIn")]
    expires_in: Option<Value>,
    #[serde(rename = "expiresAt")]
    expires_at: Option<Value>,
}

/// Seconds, as a number or as its text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(Number::U64(s)) => Some(*s as f64),
        Value::Number(Number::I64(s)) => Some(*s as f64),
        Value::Number(Number::F64(s)) => Some(*s),
        Value::String(s) => s.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageRow<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    channel_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    author_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    author: Option<Object<AuthorRow<'a>>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    reply_to: Option<Text<'a>>,
    #[serde(borrow, default)]
    client_nonce: Option<Text<'a>>,
    #[serde(borrow, default)]
    mentions: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    attachments: Option<Vec<Object<AttachmentRow<'a>>>>,
    #[serde(borrow, default)]
    created_at: Option<Text<'a>>,
}

#[derive(serde::Deserialize)]
struct AuthorRow<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    bot: Option<bool>,
}

#[derive(serde::Deserialize)]
struct AttachmentRow<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    media_type: Option<Text<'a>>,
    #[serde(default)]
    size: Option<u64>,
}

/// Borrows where it can: serde takes `Option<Cow<str>>` as owned always, a newtype it does not.
#[derive(Default, serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Of an object alone: serde would read the fields of a struct from a list too, by their places.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(OfMap(PhantomData))
    }
}

struct OfMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OfMap<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

fn plain(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0)
}
