//! The guild's HTTP side: requests in, answers out (CONTRACT section 1, the table of calls).

use super::{Channel, Fault, Message, Model, Posted, Token, iso};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One HTTP request as far as the guild reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path with its query.
    pub target: &'a str,
    /// What follows `Bearer `.
    pub bearer: Option<&'a str>,
    /// `Idempotency-Key`.
    pub key: Option<&'a str>,
    pub body: &'a [u8],
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub delivery: Delivery,
}

/// Whether and when the answer reaches who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Now,
    AfterMs(u64),
    /// The connection ends instead.
    Lost,
}

impl Model {
    /// One HTTP call.
    pub fn http(&mut self, request: &Request<'_>, now: u64) -> Answer {
        let mut answer = self.answer(request, now);
        if self.options.date {
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(now);
            answer.headers.push(("date", httpdate::fmt_http_date(at)));
        }
        answer
    }

    fn answer(&mut self, request: &Request<'_>, now: u64) -> Answer {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let parts: Vec<String> = path.split('/').skip(1).map(unescape).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if (request.method, parts.as_slice()) == ("POST", &["auth", "token"]) {
            return self.mint(request.body, now);
        }
        let known = matches!(
            (request.method, parts.as_slice()),
            ("GET", ["channels"] | ["attachments", _]) | ("GET" | "POST", ["channels", _, "messages"])
        );
        if !known {
            return error(404, "no such path");
        }
        let Some(agent) = self.who(request.bearer, now) else {
            return error(401, "unauthorized");
        };
        match (request.method, parts.as_slice()) {
            ("GET", ["channels", id, "messages"]) => self.history(&agent, id, query),
            ("POST", ["channels", id, "messages"]) => self.post(&agent, id, request, now),
            ("GET", ["attachments", id]) => self.attachment(id),
            _ => self.list(&agent),
        }
    }

    fn mint(&mut self, body: &[u8], now: u64) -> Answer {
        let mut delivery = Delivery::Now;
        if let Some(ms) = self.faults.strike_map(|f| if let Fault::MintSlow(ms) = f { Some(*ms) } else { None }) {
            delivery = Delivery::AfterMs(ms);
        }
        let status = |f: &Fault| if let Fault::MintStatus(s, after) = f { Some((*s, after.clone())) } else { None };
        if let Some((status, after)) = self.faults.strike_map(status) {
            return refusal(status, after);
        }
        if self.faults.strike(&Fault::MintPage) {
            return page();
        }
        if self.faults.strike(&Fault::MintGarbage) {
            return json_answer(200, b"{\"guildAccessToken\": <oops".to_vec());
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let agent = body["agentId"].as_str().unwrap_or_default().to_owned();
        if self.agents.get(&agent).map(|(key, _)| key.as_str()) != body["agentKey"].as_str() || agent.is_empty() {
            return error(401, "bad agent or key");
        }
        let (token, left_ms) = self.token_for(agent, now);
        let mut json =
            json!({"guildAccessToken": token, "expiresIn": left_ms.div_ceil(1000), "expiresAt": iso(now + left_ms)});
        if self.faults.has(&Fault::MintNoExpiry) {
            json = json!({"guildAccessToken": token});
        }
        Answer { delivery, ..json_answer(201, json.to_string().into_bytes()) }
    }

    fn token_for(&mut self, agent: String, now: u64) -> (String, u64) {
        if self.faults.strike(&Fault::MintSameToken) {
            let last = self.tokens.iter().filter(|(_, t)| t.agent == agent).max_by_key(|(_, t)| t.minted_ms);
            if let Some((text, token)) = last {
                return (text.clone(), (token.minted_ms + token.life_ms).saturating_sub(now));
            }
        }
        let near = |f: &Fault| if let Fault::MintNearExpiry(ms) = f { Some(*ms) } else { None };
        let life_ms = self.faults.strike_map(near).unwrap_or(self.options.token_life_ms);
        self.mints += 1;
        let text = format!("gat.{:06}.{agent}", self.mints);
        self.tokens.insert(text.clone(), Token { agent, minted_ms: now, life_ms, offered: 0, revoked: false });
        (text, life_ms)
    }

    fn who(&mut self, bearer: Option<&str>, now: u64) -> Option<String> {
        if self.faults.strike(&Fault::Unauthorized) {
            return None;
        }
        let token = self.tokens.get(bearer?)?;
        (!token.revoked && now < token.minted_ms + token.life_ms).then(|| token.agent.clone())
    }

    fn list(&mut self, agent: &str) -> Answer {
        if let Some(status) = self.faults.strike_map(|f| if let Fault::ChannelsStatus(s) = f { Some(*s) } else { None })
        {
            return refusal(status, None);
        }
        if self.faults.strike(&Fault::ChannelsPage) {
            return page();
        }
        let mine = self.channels.iter().filter(|(_, c)| c.members.contains(agent));
        let rows = mine.map(|(id, channel)| {
            let mut row = json!({"id": id, "name": channel.name, "kind": channel.kind, "topic": null});
            if self.options.last_message_id {
                row["lastMessageId"] = json!(channel.messages.last().map(|m| &m.id));
            }
            row
        });
        json_answer(200, Value::Array(rows.collect()).to_string().into_bytes())
    }

    fn history(&mut self, agent: &str, id: &str, query: &str) -> Answer {
        if let Some(status) = self.faults.strike_map(|f| if let Fault::HistoryStatus(s) = f { Some(*s) } else { None })
        {
            return refusal(status, None);
        }
        let Some(channel) = self.channels.get(id).filter(|c| c.members.contains(agent)) else {
            return error(404, "no such channel");
        };
        let field = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| unescape(value))
        };
        let limit = field("limit").and_then(|n| n.parse().ok()).unwrap_or(50).clamp(1, 100);
        let after = field("after").unwrap_or_default();
        let rows = channel.messages.iter().skip(self.place_after(channel, &after)).take(limit);
        let rows: Value = rows.map(|m| self.as_json(m)).collect();
        json_answer(200, rows.to_string().into_bytes())
    }

    fn post(&mut self, agent: &str, id: &str, request: &Request<'_>, now: u64) -> Answer {
        let body: Value = serde_json::from_slice(request.body).unwrap_or_default();
        let text = body["text"].as_str().unwrap_or_default().to_owned();
        let word = |name: &str| body[name].as_str().map(str::to_owned);
        let key = request.key.map(str::to_owned);
        let status = |f: &Fault| if let Fault::PostStatus(s, after) = f { Some((*s, after.clone())) } else { None };
        let mut answer = if let Some((status, after)) = self.faults.strike_map(status) {
            refusal(status, after)
        } else if !self.channels.get(id).is_some_and(|c| c.members.contains(agent)) {
            error(404, "no such channel")
        } else if !(1..=4000).contains(&text.encode_utf16().count()) {
            error(422, "text must have 1 to 4000 characters")
        } else if let Some(first) = self.repeat_of(agent, key.as_deref()) {
            let mut again = json_answer(200, self.as_json(&first).to_string().into_bytes());
            again.headers.push(("idempotent-replayed", "true".into()));
            again
        } else {
            let message = Message {
                id: self.next_id(),
                channel: id.into(),
                author: agent.into(),
                text: text.clone(),
                reply_to: word("replyTo"),
                nonce: word("clientNonce"),
                key: key.clone(),
                created_ms: now,
                attachments: Vec::new(),
            };
            if let Some(key) = &key {
                self.keys.insert((agent.into(), key.clone()), message.clone());
            }
            let json = self.as_json(&message);
            self.store(message);
            json_answer(201, json.to_string().into_bytes())
        };
        let status = answer.status;
        let reply_to = word("replyTo");
        self.posts.push(Posted { agent: agent.into(), channel: id.into(), text, reply_to, key, at_ms: now, status });
        if let Some(ms) = self.faults.strike_map(|f| if let Fault::PostSlow(ms) = f { Some(*ms) } else { None }) {
            answer.delivery = Delivery::AfterMs(ms);
        }
        if status == 201 && self.faults.strike(&Fault::PostAnswerLost) {
            answer.delivery = Delivery::Lost;
        }
        if status == 201 && self.faults.strike(&Fault::PostStoredThen500) {
            answer = error(500, "stored, and then something broke");
        }
        answer
    }

    fn repeat_of(&self, agent: &str, key: Option<&str>) -> Option<Message> {
        let first = self.keys.get(&(agent.to_owned(), key?.to_owned()))?;
        self.options.honours_keys.then(|| first.clone())
    }

    /// How many messages of a channel's history are not after this one. One that was cut or deleted has its place in what
    /// was ever said: ids are opaque.
    fn place_after(&self, channel: &Channel, after: &str) -> usize {
        if let Some(at) = channel.messages.iter().rposition(|m| m.id == after) {
            return at + 1;
        }
        let Some(at) = self.said.iter().rposition(|m| m.id == after) else { return 0 };
        let earlier: BTreeSet<&str> = self.said.iter().take(at).map(|m| m.id.as_str()).collect();
        channel.messages.iter().take_while(|m| earlier.contains(m.id.as_str())).count()
    }

    fn attachment(&mut self, id: &str) -> Answer {
        let status = |f: &Fault| if let Fault::AttachmentStatus(s) = f { Some(*s) } else { None };
        if let Some(status) = self.faults.strike_map(status) {
            return refusal(status, None);
        }
        let file = self.said.iter().flat_map(|m| &m.attachments).find(|a| a.id == id);
        let Some(file) = file else { return error(404, "no such attachment") };
        let etag = file.bytes.len().to_string();
        let headers = vec![
            ("content-type", file.media_type.clone()),
            ("etag", format!("\"{etag}-{id}\"")),
            ("accept-ranges", "bytes".into()),
        ];
        Answer { status: 200, headers, body: file.bytes.clone(), delivery: Delivery::Now }
    }
}

fn json_answer(status: u16, body: Vec<u8>) -> Answer {
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    Answer { status, headers, body, delivery: Delivery::Now }
}

fn error(status: u16, message: &str) -> Answer {
    json_answer(status, json!({"statusCode": status, "message": message}).to_string().into_bytes())
}

fn refusal(status: u16, retry_after: Option<String>) -> Answer {
    let mut answer = error(status, "not now");
    answer.headers.extend(retry_after.map(|after| ("retry-after", after)));
    answer
}

fn page() -> Answer {
    let body = b"<!doctype html><title>Hotel Wi-Fi</title><p>Please sign in.".to_vec();
    Answer { status: 200, headers: vec![("content-type", "text/html".into())], body, delivery: Delivery::Now }
}

/// `%41` is `A`; what is not an escape stays.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
