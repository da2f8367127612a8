//! An Open WebUI server as a value: accounts, channels, sockets, and what it does in silence (as seen on 0.12.4).

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds since 1970 when a story begins.
pub const EPOCH_MS: u64 = 1_795_000_000_000;
pub const BOT: &str = "7c0d36b3-331a-453b-9197-432fb78c4d5d";
/// Another agent of the same daemon.
pub const SECOND: &str = "5e0f0000-0000-4000-8000-000000000002";
pub const ALICE: &str = "bc732e3e-5467-44ba-8c02-0a17c082a2f2";

pub struct Message {
    pub id: String,
    pub user: String,
    pub text: String,
    pub reply_to: Option<String>,
    pub parent: Option<String>,
    pub data: Value,
    pub meta: Value,
    pub at_ns: u64,
}

pub struct Channel {
    pub id: String,
    pub kind: Value,
    /// The bot sees it in its list.
    pub listed: bool,
    pub messages: Vec<Message>,
}

#[derive(Default)]
pub struct Socket {
    token: String,
    user: String,
    /// The server knows who it is.
    pub known: bool,
    pub rooms: BTreeSet<String>,
    pub typing: Vec<bool>,
    /// Channels and threads that it is shown to write in.
    pub writes: BTreeSet<String>,
}

pub struct Server {
    pub now: u64,
    pub password: String,
    pub role: &'static str,
    /// The permission to use channels.
    pub permitted: bool,
    pub life_s: Option<u64>,
    /// Tokens of an earlier stamp are void.
    pub stamp: u32,
    pub sign_ins: Vec<u64>,
    pub refused: u32,
    pub channels: Vec<Channel>,
    pub sockets: BTreeMap<u32, Socket>,
    tokens: BTreeMap<String, (u32, Option<u64>, &'static str)>,
    /// Joins are answered well and let nobody in.
    pub deaf_joins: bool,
    /// Channels are switched off: every call of them is answered 403; sockets go on.
    pub switched_off: bool,
    /// What it says to a wrong password.
    pub refusal: String,
    /// History is answered 401, whatever the token.
    pub unread: bool,
    /// The next post is stored and its answer is lost.
    pub lose_answer: bool,
    pub joins: u32,
    pub reads: u32,
    next: u64,
    /// Frames on their way to sockets.
    pub out: Vec<(u32, String)>,
}

impl Server {
    pub fn new() -> Self {
        let channel = |id: &str, kind| Channel { id: id.into(), kind, listed: true, messages: Vec::new() };
        Self {
            now: 0,
            password: "secret".into(),
            role: "user",
            permitted: true,
            life_s: Some(2_419_200),
            stamp: 0,
            sign_ins: Vec::new(),
            refused: 0,
            channels: vec![channel("general", Value::Null), channel("dm", json!("dm"))],
            sockets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            deaf_joins: false,
            switched_off: false,
            refusal: "The email or password provided is incorrect.".into(),
            unread: false,
            lose_answer: false,
            joins: 0,
            reads: 0,
            next: 0,
            out: Vec::new(),
        }
    }

    pub fn add_channel(&mut self, id: &str) {
        self.channels.push(Channel { id: id.into(), kind: Value::Null, listed: true, messages: Vec::new() });
    }

    /// Somebody's role, rights or password changed: sessions are told `41`, their WebSockets stay, tokens are void.
    pub fn revoke(&mut self) {
        self.stamp += 1;
        for (line, socket) in self.sockets.iter_mut().filter(|(_, socket)| socket.known) {
            (socket.known, socket.rooms) = (false, BTreeSet::new());
            self.out.push((*line, "41".into()));
        }
    }

    fn is_good(&self, token: &str) -> bool {
        let good =
            |(stamp, end, _): &(u32, Option<u64>, &str)| *stamp == self.stamp && end.is_none_or(|end| end > self.now);
        self.tokens.get(token).is_some_and(good) && self.role == "user"
    }

    /// A message of somebody, and what sockets hear of it.
    pub fn say(&mut self, channel: &str, user: &str, text: &str, parent: Option<&str>) -> String {
        self.store(channel, user, text, None, parent.map(str::to_owned), Value::Null, Value::Null, true)
    }

    #[allow(clippy::too_many_arguments, reason = "a message has so many parts")]
    pub fn store(
        &mut self,
        channel: &str,
        user: &str,
        text: &str,
        reply_to: Option<String>,
        parent: Option<String>,
        data: Value,
        meta: Value,
        told: bool,
    ) -> String {
        self.next += 1;
        let (id, at_ns) = (format!("m{}", self.next), (EPOCH_MS + self.now) * 1_000_000 + self.next);
        let (user, text) = (user.to_owned(), text.to_owned());
        let message = Message { id: id.clone(), user, text, reply_to, parent, data, meta, at_ns };
        let at = self.channels.iter().position(|other| other.id == channel).expect("a channel of this server");
        self.channels[at].listed = true;
        self.channels[at].messages.push(message);
        if told {
            let message = self.channels[at].messages.last().unwrap();
            let (row, user) = (self.row(at, message, true), person(&message.user));
            let event = json!(["events:channel", {"channel_id": channel, "message_id": id,
                "data": {"type": "message", "data": row}, "user": user, "channel": {"id": channel}}]);
            self.tell(channel, &event);
        }
        id
    }

    fn tell(&mut self, channel: &str, event: &Value) {
        let frame = format!("42{event}");
        let there = self.sockets.iter().filter(|(_, socket)| socket.rooms.contains(channel));
        self.out.extend(there.map(|(line, _)| (*line, frame.clone())));
    }

    /// A row, and in it the one that it answers, in which no further one stands.
    fn row(&self, at: usize, message: &Message, whole: bool) -> Value {
        let answers = |id: &String| self.channels[at].messages.iter().find(|other| other.id == *id);
        let replied = message.reply_to.as_ref().and_then(answers).map(|other| self.plain(at, other, false));
        let mut row = self.plain(at, message, whole);
        row["reply_to_message"] = replied.into();
        row
    }

    fn plain(&self, at: usize, message: &Message, whole: bool) -> Value {
        let all = &self.channels[at].messages;
        let replies = all.iter().filter(|other| other.parent.as_deref() == Some(message.id.as_str()));
        let data = if whole { message.data.clone() } else { json!(!message.data.is_null()) };
        json!({"id": message.id, "user_id": message.user, "channel_id": self.channels[at].id,
            "reply_to_id": message.reply_to, "parent_id": message.parent, "content": message.text, "data": data,
            "meta": message.meta, "created_at": message.at_ns, "user": person(&message.user),
            "latest_reply_at": replies.map(|reply| reply.at_ns).max()})
    }

    /// An HTTP call: status and body. `None`: it is stored, and the answer is lost.
    pub fn call(&mut self, post: bool, url: &str, bearer: Option<&str>, body: &str) -> Option<(u16, Value)> {
        let path = url.split_once("/api/v1/").expect("a path of the API").1;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let number = |name: &str| {
            let of = |pair: &str| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<usize>().ok();
            query.split('&').find_map(of).unwrap_or(0)
        };
        if path == "auths/signin" {
            return Some(self.sign_in(&serde_json::from_str(body).unwrap()));
        }
        if !self.is_good(bearer.unwrap_or_default()) || !self.permitted {
            return Some((401, json!({"detail": "Unauthorized"})));
        }
        if self.switched_off {
            return Some((403, json!({"detail": "Channels are not enabled"})));
        }
        if self.unread && path.ends_with("/messages") {
            return Some((401, json!({"detail": "Unauthorized"})));
        }
        let parts: Vec<&str> = path.split('/').collect();
        let at = |id: &str| self.channels.iter().position(|channel| channel.id == id);
        let Some(at) = (if parts[1].is_empty() { Some(0) } else { at(parts[1]) }) else {
            return Some((404, json!({"detail": "Not found"})));
        };
        Some(match (post, parts.as_slice()) {
            (false, ["channels", ""]) => (200, self.list()),
            (false, ["channels", _, "messages"]) => (200, self.page(at, None, number("skip"), number("limit"))),
            (false, ["channels", _, "messages", parent, "thread"]) => {
                (200, self.page(at, Some(parent), number("skip"), number("limit")))
            }
            (false, ["channels", _, "messages", id, "data"]) => {
                let message = self.channels[at].messages.iter().find(|message| message.id == *id);
                message.map_or((404, Value::Null), |message| (200, message.data.clone()))
            }
            (true, ["channels", channel, "messages", "post"]) => {
                let said: Value = serde_json::from_str(body).unwrap();
                let text = |name: &str| said[name].as_str().map(str::to_owned);
                let (text_said, reply, parent) = (text("content").unwrap(), text("reply_to_id"), text("parent_id"));
                let channel = (*channel).to_owned();
                let user = bearer.and_then(|token| self.tokens.get(token)).map_or(BOT, |(.., user)| user);
                let id = self.store(&channel, user, &text_said, reply, parent, said["data"].clone(), Value::Null, true);
                if std::mem::take(&mut self.lose_answer) {
                    return None;
                }
                let message = self.channels[at].messages.iter().find(|message| message.id == id).unwrap();
                (200, self.row(at, message, true))
            }
            other => panic!("the server has no such call: {other:?}"),
        })
    }

    fn sign_in(&mut self, said: &Value) -> (u16, Value) {
        self.sign_ins.push(self.now);
        let minute = self.now / 60_000;
        let lately = self.sign_ins.iter().filter(|at| **at / 60_000 + 4 > minute).count();
        if lately > 15 {
            self.refused += 1;
            return (429, json!({"detail": "Rate limit exceeded"}));
        }
        let user = match said["email"].as_str().unwrap() {
            "bot@example.org" => BOT,
            "second@example.org" => SECOND,
            _ => return (400, Value::Null),
        };
        if said["password"] != self.password.as_str() {
            return (400, json!({"detail": self.refusal}));
        }
        let token = format!("token-{}", self.sign_ins.len());
        let end = self.life_s.map(|life| self.now + life * 1000);
        self.tokens.insert(token.clone(), (self.stamp, end, user));
        let expires_at = end.map(|end| (EPOCH_MS + end) / 1000);
        (200, json!({"id": user, "name": "Bot", "role": self.role, "token": token, "expires_at": expires_at}))
    }

    fn list(&self) -> Value {
        let listed = self.channels.iter().filter(|channel| channel.listed);
        let rows = listed.map(|channel| {
            let last = channel.messages.iter().map(|message| message.at_ns).max();
            json!({"id": channel.id, "type": channel.kind, "name": channel.id, "last_message_at": last})
        });
        rows.collect()
    }

    fn page(&mut self, at: usize, parent: Option<&str>, skip: usize, limit: usize) -> Value {
        self.reads += 1;
        let all = &self.channels[at].messages;
        let rows = all.iter().rev().filter(|message| message.parent.as_deref() == parent);
        let mut rows: Vec<Value> = rows.skip(skip).take(limit).map(|message| self.row(at, message, false)).collect();
        let parent = parent.and_then(|parent| all.iter().find(|message| message.id == parent));
        if rows.len() < limit {
            rows.extend(parent.map(|parent| self.row(at, parent, false)));
        }
        Value::Array(rows)
    }

    /// A frame of a client.
    pub fn hear(&mut self, line: u32, frame: &str) {
        let good = |server: &Self, token: &str| server.is_good(token);
        if let Some(auth) = frame.strip_prefix("40") {
            let token = serde_json::from_str::<Value>(auth).unwrap()["token"].as_str().unwrap().to_owned();
            let known = good(self, &token);
            self.sockets.insert(line, Socket { token, known, ..Socket::default() });
            self.out.push((line, "40{\"sid\":\"s\"}".into()));
            return;
        }
        let Some(event) = frame.strip_prefix("42") else { return };
        let (ack, event) = event.split_at(event.find('[').unwrap());
        let event: Value = serde_json::from_str(event).unwrap();
        match event[0].as_str().unwrap() {
            "user-join" => {
                self.joins += 1;
                let token = event[1]["auth"]["token"].as_str().unwrap().to_owned();
                let good = self.is_good(&token);
                let user = self.tokens.get(&token).map_or("", |(.., user)| user);
                let rooms = self.channels.iter().filter(|channel| channel.listed).map(|channel| channel.id.clone());
                let rooms = if self.permitted && !self.deaf_joins { rooms.collect() } else { BTreeSet::new() };
                let Some(socket) = self.sockets.get_mut(&line) else { return };
                if good {
                    (socket.known, socket.rooms, socket.token, socket.user) = (true, rooms, token, user.to_owned());
                }
                let who = if good { json!([{"id": user, "name": "Bot"}]) } else { json!([]) };
                self.out.push((line, format!("43{ack}{who}")));
            }
            "heartbeat" => self.sweep(line),
            "events:channel" => {
                let channel = event[1]["channel_id"].as_str().unwrap().to_owned();
                let Some(socket) = self.sockets.get_mut(&line) else { return };
                if !socket.rooms.contains(&channel) || event[1]["data"]["type"] != "typing" {
                    return;
                }
                let on = event[1]["data"]["data"]["typing"] == true;
                socket.typing.push(on);
                let place = format!("{channel} {}", event[1]["message_id"]);
                if on {
                    socket.writes.insert(place)
                } else {
                    socket.writes.remove(&place)
                };
                let mut echo = event.clone();
                echo[1]["user"] = person(&socket.user);
                self.tell(&channel, &echo);
            }
            other => panic!("the server knows no event {other}"),
        }
    }

    /// A session whose token is not good any more is told `41`; its WebSocket stays.
    pub fn sweep(&mut self, line: u32) {
        let good = self.sockets.get(&line).is_some_and(|socket| socket.known && self.is_good(&socket.token));
        if let Some(socket) = self.sockets.get_mut(&line).filter(|_| !good) {
            (socket.known, socket.rooms) = (false, BTreeSet::new());
            self.out.push((line, "41".into()));
        }
    }

    /// What the bot posted in a channel or a thread, in order, with what it answers.
    pub fn posted(&self, channel: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let channel = self.channels.iter().find(|other| other.id == channel).unwrap();
        let own = channel.messages.iter().filter(|message| message.user == BOT);
        own.map(|message| (message.text.clone(), message.reply_to.clone(), message.parent.clone())).collect()
    }
}

fn person(id: &str) -> Value {
    match id {
        BOT | SECOND => json!({"id": id, "name": "Bot", "role": "user"}),
        "hook" => json!({"id": id, "name": "Hook", "role": "webhook"}),
        _ => json!({"id": id, "name": "Alice", "role": "user"}),
    }
}
