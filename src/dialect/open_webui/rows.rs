//! Rows of `open-webui`: messages and channels.

use super::timeline;
use crate::budget;
use crate::codec::{Malformed, json};
use crate::dialect::{ChannelRow, Incoming, Newest, is_our_key};
use crate::message::{Attachment, Fetched, Kind};
use crate::moment::rfc3339_millis;
use std::borrow::Cow;

/// Nanoseconds in a millisecond.
const NS: u64 = 1_000_000;

/// A message: a row of history, or the one of an event, whose author stands beside it.
pub fn message<'a>(row: &'a str, author: Option<&'a str>) -> Result<Incoming<'a>, Malformed> {
    let mut message = Incoming::default();
    let (mut id, mut thread, mut time, mut reply_to) = (None, None, None, None);
    let (mut user, mut user_id, mut data, mut meta, mut replied) = (author, None, None, None, None);
    for (name, raw) in json::members(row) {
        match name.as_ref() {
            "id" => id = bare_id(raw),
            "parent_id" => thread = bare_id(raw),
            "created_at" => time = raw.parse::<u64>().ok(),
            "content" => message.text = json::string(raw).unwrap_or_default(),
            "user_id" => user_id = json::string(raw),
            "reply_to_id" => reply_to = bare_id(raw),
            "reply_to_message" => replied = self::id(raw),
            "channel_id" => message.channel = json::string(raw).unwrap_or_default(),
            "data" => data = Some(raw),
            "meta" => meta = Some(raw),
            "user" => user = user.or(Some(raw)),
            _ => {}
        }
    }
    let id = id.ok_or(Malformed("a message without a usable id"))?;
    let time = time.ok_or(Malformed("a message without a usable time"))?;
    let of_user = |key| user.and_then(|user| json::member(user, key)).and_then(json::string);
    message.author = of_user("id").or(user_id).unwrap_or_default();
    message.author_name = of_user("name");
    // nobody reads what a webhook or an app posts before it is sent
    message.bot = matches!(of_user("role").as_deref(), Some("webhook" | "app"));
    message.id = Cow::Owned(timeline::id(time, &id, thread.as_deref()));
    message.thread = thread;
    message.reply_to = replied.map(Cow::Owned).or(reply_to);
    message.at = Cow::Owned(rfc3339_millis(time / NS));
    message.mentions = mentions(&message.text);
    message.has_more = data == Some("true");
    if let Some(data) = data {
        detail(data, &mut message);
    }
    // a model's answer is posted in the name of whoever asked it, empty at first
    let of_model = meta.and_then(|meta| json::member(meta, "model_id")).and_then(json::string).is_some();
    let is_empty = message.text.trim().is_empty() && message.attachments.is_empty() && !message.has_more;
    message.asks_nothing = of_model || is_empty;
    Ok(message)
}

/// What a message's `data` holds: its files, and the key that we posted it under.
pub fn detail(data: &str, message: &mut Incoming<'_>) {
    if let Some(key) = json::member(data, "client_id").and_then(json::string) {
        // an agent's account is a person's there: what another daemon posted is known by its key
        message.bot |= is_our_key(&key);
        message.nonce = Some(Cow::Owned(key.into_owned()));
    }
    if let Some(files) = json::member(data, "files") {
        message.attachments = json::elements(files).filter_map(file).collect();
    }
}

fn file(row: &str) -> Option<Attachment> {
    let text = |key| json::member(row, key).and_then(json::string).map(Cow::into_owned);
    Some(Attachment {
        id: text("id").filter(|id| is_id(id))?,
        name: text("name").unwrap_or_default(),
        media_type: text("content_type").unwrap_or_default(),
        size: json::member(row, "size").and_then(|size| size.parse().ok()).unwrap_or(0),
        fetched: Fetched::NotAsked,
    })
}

/// The id of a row, with its time and thread.
pub fn id(row: &str) -> Option<String> {
    let text = |key| json::member(row, key).and_then(bare_id);
    let time = json::member(row, "created_at")?.parse().ok()?;
    Some(timeline::id(time, &text("id")?, text("parent_id").as_deref()))
}

fn bare_id(raw: &str) -> Option<Cow<'_, str>> {
    json::string(raw).filter(|id| is_id(id))
}

/// With the time and the id of a thread it still is one of ours.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= (budget::ID_BYTES - 22) / 2 && !id.contains('.')
}

/// Whom `<@U:id|name>` names; none: it names nobody so, and the words count.
fn mentions<'a>(text: &Cow<'a, str>) -> Option<Vec<Cow<'a, str>>> {
    fn ids(text: &str) -> impl Iterator<Item = &str> {
        text.split("<@U:").skip(1).filter_map(|rest| rest.split(['|', '>']).next()).take(budget::MENTIONS)
    }
    let ids: Vec<_> = match text {
        Cow::Borrowed(text) => ids(text).map(Cow::Borrowed).collect(),
        Cow::Owned(text) => ids(text).map(|id| Cow::Owned(id.to_owned())).collect(),
    };
    (!ids.is_empty()).then_some(ids)
}

/// A row of the channel list.
pub fn channel(row: &str) -> Result<ChannelRow, Malformed> {
    let id = json::member(row, "id").and_then(bare_id).ok_or(Malformed("a channel without a usable id"))?.into_owned();
    let kind = match json::member(row, "type").and_then(json::string).as_deref() {
        Some("dm") => Kind::Dm,
        Some("group") => Kind::Group,
        Some(_) | None => Kind::Channel,
    };
    let last = match json::member(row, "last_message_at") {
        None => Newest::Unsaid,
        Some(at) if at.parse::<u64>().is_ok() => Newest::Id(at.to_owned()),
        Some(_) => Newest::Nothing,
    };
    let usable = |name: &String| !name.is_empty() && name.len() <= budget::NAME_BYTES;
    let own = json::member(row, "name").and_then(json::string).map(Cow::into_owned).filter(usable);
    let name = own.or_else(|| people(row).filter(usable)).unwrap_or_else(|| id.clone());
    Ok(ChannelRow { id, name, kind, last })
}

/// A direct message has no name but those of the people in it.
fn people(row: &str) -> Option<String> {
    let users = json::member(row, "users")?;
    let names: Vec<_> =
        json::elements(users).filter_map(|user| json::member(user, "name").and_then(json::string)).collect();
    Some(names.join(", "))
}
