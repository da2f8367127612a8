//! The fabric guild as a pure value (CONTRACT section 1): agents and keys, channels and members, messages, idempotency
//! keys, tokens with a life, sessions with rooms, faults on demand. No socket, thread or clock: time is an argument,
//! milliseconds since 1970. A server or a simulated network asks it and carries out what it says.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[path = "answers.rs"]
mod answers;
#[path = "fault.rs"]
mod fault;
#[path = "values.rs"]
mod values;

pub use answers::{Answer, Delivery, Request};
pub use fault::{Fault, Faults};
pub use values::{
    Attachment, Channel, Joined, Message, Options, Posted, Push, Rejection, Session, Token, Verdict, iso,
};

struct Seat {
    agent: String,
    token: String,
    since_ms: u64,
    rejected: Option<Rejection>,
    ends_ms: u64,
    rooms: BTreeSet<String>,
}

/// The guild.
pub struct Model {
    pub options: Options,
    pub faults: Faults,
    pub channels: BTreeMap<String, Channel>,
    pub tokens: BTreeMap<String, Token>,
    pub posts: Vec<Posted>,
    /// Everything ever said, whatever history was cut to.
    pub said: Vec<Message>,
    /// Handshakes that offered a token, in order: the token, and whether the session was authorised.
    pub offers: Vec<(String, bool)>,
    agents: BTreeMap<String, (String, String)>,
    people: BTreeMap<String, (String, bool)>,
    seats: BTreeMap<Session, Seat>,
    keys: BTreeMap<(String, String), Message>,
    pushes: VecDeque<(Session, Push)>,
    mints: u64,
    sessions: u64,
}

impl Model {
    pub fn new(options: Options) -> Self {
        Self {
            options,
            faults: Faults::default(),
            channels: BTreeMap::new(),
            tokens: BTreeMap::new(),
            posts: Vec::new(),
            said: Vec::new(),
            offers: Vec::new(),
            agents: BTreeMap::new(),
            people: BTreeMap::new(),
            seats: BTreeMap::new(),
            keys: BTreeMap::new(),
            pushes: VecDeque::new(),
            mints: 0,
            sessions: 0,
        }
    }

    /// An agent, who is a bot, with its key.
    pub fn add_agent(&mut self, id: &str, name: &str, key: &str) {
        self.agents.insert(id.into(), (key.into(), name.into()));
        self.people.insert(id.into(), (name.into(), true));
    }

    /// The key of this agent is no longer good; its tokens are.
    pub fn refuse_agent(&mut self, id: &str) {
        if let Some((key, _)) = self.agents.get_mut(id) {
            "refused".clone_into(key);
        }
    }

    /// Someone who talks.
    pub fn add_person(&mut self, id: &str, name: &str, bot: bool) {
        self.people.insert(id.into(), (name.into(), bot));
    }

    /// A channel (`kind`: channel, dm, group) with its members.
    pub fn add_channel(&mut self, id: &str, kind: &'static str, members: &[&str]) {
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        self.channels.insert(id.into(), Channel { name: id.into(), kind, members, messages: Vec::new() });
    }

    /// The channel has another name.
    pub fn rename_channel(&mut self, id: &str, name: &str) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.name = name.into();
        }
    }

    /// The channel is gone, with its history.
    pub fn remove_channel(&mut self, id: &str) {
        self.channels.remove(id);
        for seat in self.seats.values_mut() {
            seat.rooms.remove(id);
        }
    }

    /// Somebody says something; everyone in the room hears it. The message's id is returned.
    pub fn say(&mut self, channel: &str, author: &str, text: &str, now: u64) -> String {
        self.say_all(channel, author, text, None, Vec::new(), now)
    }

    /// As `say`, answering a message or with attachments.
    pub fn say_all(
        &mut self,
        channel: &str,
        author: &str,
        text: &str,
        reply_to: Option<&str>,
        attachments: Vec<Attachment>,
        now: u64,
    ) -> String {
        self.store(Message {
            id: self.next_id(),
            channel: channel.into(),
            author: author.into(),
            text: text.into(),
            reply_to: reply_to.map(Into::into),
            nonce: None,
            key: None,
            created_ms: now,
            attachments,
        })
    }

    /// History forgets all but the newest `keep`.
    pub fn cut_history(&mut self, channel: &str, keep: usize) {
        if let Some(channel) = self.channels.get_mut(channel) {
            let cut = channel.messages.len().saturating_sub(keep);
            channel.messages.drain(..cut);
        }
    }

    /// The idempotency keys of all posts so far are forgotten.
    pub fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// A CONNECT with this token. The session is named whatever the verdict.
    pub fn offer(&mut self, token: Option<&str>, now: u64) -> (Session, Verdict) {
        self.sessions += 1;
        let session = Session(self.sessions);
        let token = token.unwrap_or_default().to_owned();
        let known = self.tokens.get_mut(&token).map(|known| {
            known.offered += 1;
            let good = known.offered == 1 && !known.revoked && now < known.minted_ms + known.life_ms;
            (known.agent.clone(), known.minted_ms + known.life_ms, good)
        });
        let good = known.as_ref().is_some_and(|k| k.2);
        if self.faults.strike(&Fault::ConnectSilence) {
            self.offers.push((token, false));
            return (session, Verdict::Nothing);
        }
        let forced = self.faults.strike_rejection();
        let rejected = if good { forced } else { Some(forced.unwrap_or(self.options.rejection)) };
        self.offers.push((token.clone(), rejected.is_none()));
        if rejected == Some(Rejection::ConnectError) {
            return (session, Verdict::Refused(json!({"message": "unauthorized", "data": {"code": "token"}})));
        }
        let (agent, ends_ms, _) = known.unwrap_or_default();
        self.seats.insert(session, Seat { agent, token, since_ms: now, rejected, ends_ms, rooms: BTreeSet::new() });
        match rejected {
            Some(Rejection::Soft41) => self.pushes.push_back((session, Push::Disconnect { close: false })),
            Some(Rejection::Close41) => self.pushes.push_back((session, Push::Disconnect { close: true })),
            _ => {}
        }
        (session, Verdict::Welcome)
    }

    /// `join_channel`.
    pub fn join(&mut self, session: Session, channel: &str, now: u64) -> Joined {
        let wait = self.faults.verify_after_ms();
        let silent = !self.options.acks || self.faults.has(&Fault::NoAcks);
        let Some(seat) = self.seats.get_mut(&session) else { return Joined::Silence };
        match seat.rejected {
            Some(Rejection::Exception) => {
                let cause = json!({"pattern": "join_channel", "data": channel});
                return Joined::Exception(json!({"status": "error", "message": "Unauthorized", "cause": cause}));
            }
            Some(Rejection::AckNo) => return Joined::Ack(json!({"ok": false, "error": "unauthorized"})),
            Some(_) => return Joined::Silence,
            None => {}
        }
        if now < seat.since_ms + wait || self.faults.has(&Fault::JoinsIgnored) {
            return Joined::Silence;
        }
        let member = self.channels.get(channel).is_some_and(|c| c.members.contains(&seat.agent));
        if !member || self.faults.has(&Fault::JoinDenied(channel.into())) {
            return if silent {
                Joined::Silence
            } else {
                Joined::Ack(json!({"ok": false, "error": "no such channel"}))
            };
        }
        seat.rooms.insert(channel.into());
        if silent { Joined::Silence } else { Joined::Ack(json!({"ok": true})) }
    }

    /// The session's connection ended.
    pub fn gone(&mut self, session: Session) {
        self.seats.remove(&session);
    }

    /// Every session ends without a word, as when the process is killed. History, tokens and keys are kept.
    pub fn lose_sessions(&mut self) {
        self.seats.clear();
        self.pushes.clear();
    }

    /// Every session stays connected and is in no room any more.
    pub fn lose_rooms(&mut self) {
        self.seats.values_mut().for_each(|seat| seat.rooms.clear());
    }

    /// `41` to every session of this agent, and a close or not.
    pub fn kick(&mut self, agent: &str, close: bool) {
        let seats: Vec<Session> = self.seats.iter().filter(|(_, s)| s.agent == agent).map(|(id, _)| *id).collect();
        for session in seats {
            self.seats.remove(&session);
            self.pushes.push_back((session, Push::Disconnect { close }));
        }
    }

    /// Ends what expiry ends.
    pub fn tick(&mut self, now: u64) {
        if !self.options.kicks_at_expiry {
            return;
        }
        let over: Vec<Session> = self.seats.iter().filter(|(_, s)| s.ends_ms <= now).map(|(id, _)| *id).collect();
        for session in over {
            self.seats.remove(&session);
            self.pushes.push_back((session, Push::Disconnect { close: true }));
        }
    }

    /// When `tick` has something to do next.
    pub fn deadline(&self) -> Option<u64> {
        self.seats.values().map(|s| s.ends_ms).min().filter(|_| self.options.kicks_at_expiry)
    }

    /// What the guild sends next, by itself.
    pub fn poll(&mut self) -> Option<(Session, Push)> {
        self.pushes.pop_front()
    }

    /// Sessions that hear this channel now.
    pub fn hearers(&self, channel: &str) -> usize {
        self.seats.values().filter(|seat| seat.rooms.contains(channel)).count()
    }

    /// Whose a session is.
    pub fn agent_of(&self, session: Session) -> Option<&str> {
        self.seats.get(&session).map(|seat| seat.agent.as_str())
    }

    /// Sessions connected now, whatever they hear.
    pub fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Tokens minted since the start.
    pub fn minted(&self) -> u64 {
        self.mints
    }

    /// Handshakes that offered a token which had been offered before.
    pub fn offered_twice(&self) -> u32 {
        self.tokens.values().map(|t| t.offered.saturating_sub(1)).sum()
    }

    /// What this author ever said in a channel, in order.
    pub fn said_by(&self, channel: &str, author: &str) -> Vec<&Message> {
        self.said.iter().filter(|m| m.channel == channel && m.author == author).collect()
    }

    /// The tokens that sessions of this agent hold now.
    pub fn revoke_tokens(&mut self, agent: &str) {
        self.tokens.values_mut().filter(|t| t.agent == agent).for_each(|t| t.revoked = true);
    }

    /// Whether a session of this agent holds a token that is still good.
    pub fn seated_well(&self, agent: &str, now: u64) -> bool {
        let good = |s: &Seat| s.rejected.is_none() && self.tokens.get(&s.token).is_some_and(|t| t.agent == agent);
        self.seats.values().any(|s| s.agent == agent && good(s) && now < s.ends_ms)
    }

    /// A message as JSON, on the wire and in history alike.
    pub fn as_json(&self, message: &Message) -> Value {
        let (name, bot) = self.people.get(&message.author).cloned().unwrap_or((message.author.clone(), false));
        let files: Vec<Value> = message.attachments.iter().map(Attachment::as_json).collect();
        let mut json = json!({
            "id": message.id, "channelId": message.channel, "authorId": message.author,
            "author": {"name": name, "bot": bot}, "text": message.text, "replyTo": message.reply_to,
            "clientNonce": message.nonce.as_ref().filter(|_| self.options.nonces),
            "attachments": files, "createdAt": iso(message.created_ms), "edited": false,
        });
        if self.options.mentions {
            let named = self.agents.keys().filter(|id| message.text.contains(&format!("@{id}")));
            json["mentions"] = named.cloned().collect();
        }
        json
    }

    fn next_id(&self) -> String {
        (self.options.id)(self.said.len() + 1)
    }

    fn store(&mut self, message: Message) -> String {
        let id = message.id.clone();
        let event = self.as_json(&message);
        if let Some(channel) = self.channels.get_mut(&message.channel) {
            channel.messages.push(message.clone());
        }
        let hears =
            |seat: &Seat| seat.rooms.contains(&message.channel) && (self.options.echo || seat.agent != message.author);
        if !self.faults.strike(&Fault::EventsLost) {
            let hearers = self.seats.iter().filter(|(_, seat)| hears(seat));
            self.pushes.extend(hearers.map(|(session, _)| (*session, Push::Created(event.clone()))));
        }
        self.said.push(message);
        id
    }
}
