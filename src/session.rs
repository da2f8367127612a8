//! One Socket.IO session over one WebSocket: Engine.IO open, CONNECT, heartbeat, acks owed. It knows no guild, no
//! channel and no reconnection: an end is told, and whoever owns it decides what follows.
//! (Engine.IO protocol v4, Socket.IO protocol v5.)

use crate::codec::engine::{self, Handshake};
use crate::codec::socket::{self, Event, Kind};
use crate::codec::{Malformed, json};
use crate::moment::Moment;
use crate::reason::{Reason, Why};
use crate::text::Clipped;
use crate::token::{Bearer, FreshToken};

/// Malformed packets on one session before it is given up: a peer that sends so many speaks something else.
const MALFORMED: u32 = 64;

/// A session.
pub struct Session {
    namespace: String,
    state: State,
    next_ack: u32,
    attachments_due: u32,
    malformed: u32,
}

enum State {
    /// The WebSocket is not there yet.
    Dialling,
    /// Waiting for the engine's open packet.
    Opening,
    /// The engine is open; nobody has sent CONNECT yet.
    Open { pings: Pings },
    /// CONNECT was sent.
    Connecting { pings: Pings },
    /// CONNECT was answered.
    Up { pings: Pings },
}

/// What the guild promised of its pings, and when it last kept the promise.
#[derive(Clone, Copy)]
struct Pings {
    heard: Moment,
    silence_ms: u64,
    timeout_ms: u64,
}

/// What a frame meant.
pub enum Heard<'a> {
    /// Nothing for the owner (a ping, a noop, something skipped).
    Quiet,
    /// The engine is open: the token can be offered now.
    Opened,
    /// CONNECT was answered: this is the beginning, and proves nothing.
    Connected,
    /// An event.
    Event(Event<'a>),
    /// An ack of ours was answered.
    Ack(u32, &'a str),
    /// Something that is no packet; it was skipped and counted.
    Odd(Malformed),
    /// The session is over.
    Over(Why),
}

impl Session {
    /// A session whose WebSocket is being dialled.
    #[must_use]
    pub fn dialled(namespace: &str) -> Self {
        Self { namespace: namespace.into(), state: State::Dialling, next_ack: 0, attachments_due: 0, malformed: 0 }
    }

    /// The WebSocket is there.
    pub fn upgraded(&mut self) {
        self.state = State::Opening;
    }

    /// Spends the token in CONNECT (`40[/nsp,]{auth}`); what is left of it is a bearer for HTTP.
    /// `payload` makes the auth object of the token's text. Only right after `Heard::Opened`.
    pub fn connect(
        &mut self,
        fresh: FreshToken,
        payload: impl FnOnce(&str) -> String,
        frames: &mut Vec<Box<str>>,
    ) -> Bearer {
        let (offer, bearer) = fresh.offer();
        let auth = payload(&offer.into_text());
        let connect = socket::Packet { kind: Kind::Connect, namespace: &self.namespace, ack: None, json: &auth };
        frames.push(frame(&connect));
        debug_assert!(matches!(self.state, State::Open { .. }), "CONNECT goes out once, after the engine's open");
        if let State::Open { pings } = self.state {
            self.state = State::Connecting { pings };
        }
        bearer
    }

    /// An event (`args`: a JSON array, its name first); an ack is asked for under the returned id.
    pub fn emit(&mut self, args: &str, frames: &mut Vec<Box<str>>) -> u32 {
        let id = self.next_ack;
        self.next_ack = self.next_ack.wrapping_add(1);
        let event = socket::Packet { kind: Kind::Event, namespace: &self.namespace, ack: Some(id), json: args };
        frames.push(frame(&event));
        id
    }

    /// An event that asks for no ack.
    pub fn tell(&self, args: &str, frames: &mut Vec<Box<str>>) {
        frames.push(frame(&socket::Packet { kind: Kind::Event, namespace: &self.namespace, ack: None, json: args }));
    }

    /// The frame that says goodbye (`41`), where there is somebody to say it to.
    #[must_use]
    pub fn goodbye(&self) -> Option<Box<str>> {
        match self.state {
            State::Up { .. } | State::Connecting { .. } => {
                Some(frame(&socket::Packet { kind: Kind::Disconnect, namespace: &self.namespace, ack: None, json: "" }))
            }
            State::Dialling | State::Opening | State::Open { .. } => None,
        }
    }

    /// A text frame. What the session owes in return (pongs, acks) is pushed to `frames`.
    pub fn hear<'a>(&mut self, text: &'a str, now: Moment, frames: &mut Vec<Box<str>>) -> Heard<'a> {
        match engine::Packet::decode(text) {
            Ok(engine::Packet::Open(handshake)) => self.opened(handshake, now),
            Ok(engine::Packet::Ping(probe)) => {
                self.pinged(now);
                frames.push(engine_frame(&engine::Packet::Pong(probe)));
                Heard::Quiet
            }
            Ok(engine::Packet::Message(packet)) => self.packet(packet, frames),
            Ok(engine::Packet::Close) => over(Reason::NetClosed, "the guild closed the engine (packet `1`)"),
            Ok(engine::Packet::Pong(_) | engine::Packet::Upgrade | engine::Packet::Noop) => Heard::Quiet,
            Err(malformed) => self.odd(malformed),
        }
    }

    /// A binary frame: an attachment of a packet that was skipped, or nobody's.
    pub fn hear_binary(&mut self) -> Heard<'static> {
        if self.attachments_due == 0 {
            return self.odd(Malformed("a binary frame that no packet announced"));
        }
        self.attachments_due -= 1;
        Heard::Quiet
    }

    /// When the guild's silence means that the path is dead.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.state {
            State::Dialling | State::Opening => None,
            State::Open { pings } | State::Connecting { pings } | State::Up { pings } => {
                Some(pings.heard.after_ms(pings.silence_ms))
            }
        }
    }

    /// How long a ping may wait for its pong.
    #[must_use]
    pub fn ping_timeout_ms(&self) -> u64 {
        match self.state {
            State::Dialling | State::Opening => 0,
            State::Open { pings } | State::Connecting { pings } | State::Up { pings } => pings.timeout_ms,
        }
    }

    /// What the silence is called, once `deadline` passed.
    #[must_use]
    pub fn silence(&self, now: Moment) -> Option<Why> {
        let due = self.deadline()?;
        (now >= due).then(|| Why::new(Reason::NetSilent, "no ping within the guild's pingInterval + pingTimeout"))
    }

    /// Where the handshake stands, for the detail of a timeout.
    #[must_use]
    pub fn waits_for(&self) -> &'static str {
        match self.state {
            State::Dialling => "the WebSocket upgrade",
            State::Opening => "the Engine.IO open packet",
            State::Open { .. } => "the token",
            State::Connecting { .. } => "the answer to CONNECT",
            State::Up { .. } => "nothing",
        }
    }

    fn opened(&mut self, handshake: &str, now: Moment) -> Heard<'static> {
        if !matches!(self.state, State::Opening) {
            return self.odd(Malformed("a second Engine.IO open"));
        }
        match Handshake::read(handshake) {
            Ok(said) => {
                let silence_ms = said.ping_interval_ms.saturating_add(said.ping_timeout_ms);
                self.state = State::Open { pings: Pings { heard: now, silence_ms, timeout_ms: said.ping_timeout_ms } };
                Heard::Opened
            }
            Err(Malformed(why)) => over(Reason::NetProtocol, format!("the Engine.IO open packet is unreadable: {why}")),
        }
    }

    fn pinged(&mut self, now: Moment) {
        match &mut self.state {
            State::Open { pings } | State::Connecting { pings } | State::Up { pings } => pings.heard = now,
            State::Dialling | State::Opening => {}
        }
    }

    fn packet<'a>(&mut self, text: &'a str, frames: &mut Vec<Box<str>>) -> Heard<'a> {
        let packet = match socket::Packet::decode(text) {
            Ok(packet) => packet,
            Err(malformed) => return self.odd(malformed),
        };
        // CONNECT_ERROR for a namespace that is not there may carry another spelling of it
        if packet.namespace != self.namespace && packet.kind != Kind::ConnectError {
            return self.odd(Malformed("a packet of another namespace"));
        }
        match packet.kind {
            Kind::Connect => self.connected(),
            Kind::Disconnect => over(Reason::AuthDisconnected, "the guild sent DISCONNECT (`41`)"),
            Kind::ConnectError => over_connect_error(packet.json),
            Kind::Event => self.event(&packet, frames),
            Kind::Ack => match packet.ack {
                Some(id) => match json::scan(packet.json) {
                    Ok(()) => Heard::Ack(id, packet.json),
                    Err(malformed) => self.odd(malformed),
                },
                None => self.odd(Malformed("an ack without an id")),
            },
            Kind::BinaryEvent(attachments) | Kind::BinaryAck(attachments) => {
                self.attachments_due = attachments;
                Heard::Quiet
            }
        }
    }

    fn connected(&mut self) -> Heard<'static> {
        match self.state {
            State::Connecting { pings } => {
                self.state = State::Up { pings };
                Heard::Connected
            }
            State::Dialling | State::Opening | State::Open { .. } | State::Up { .. } => {
                self.odd(Malformed("a CONNECT that nobody asked for"))
            }
        }
    }

    fn event<'a>(&mut self, packet: &socket::Packet<'a>, frames: &mut Vec<Box<str>>) -> Heard<'a> {
        match Event::read(packet.json) {
            Ok(event) => {
                if let Some(id) = packet.ack {
                    let namespace = self.namespace.as_str();
                    frames.push(frame(&socket::Packet { kind: Kind::Ack, namespace, ack: Some(id), json: "[]" }));
                }
                Heard::Event(event)
            }
            Err(malformed) => self.odd(malformed),
        }
    }

    fn odd(&mut self, malformed: Malformed) -> Heard<'static> {
        if matches!(self.state, State::Opening) {
            // an Engine.IO server speaks first, and its first word is `open` (protocol v4, handshake)
            return over(Reason::NetProtocol, format!("the first frame is no Engine.IO open packet: {malformed}"));
        }
        self.malformed += 1;
        if self.malformed >= MALFORMED {
            return over(Reason::NetProtocol, format!("{MALFORMED} malformed packets, the last: {malformed}"));
        }
        Heard::Odd(malformed)
    }
}

fn frame(packet: &socket::Packet<'_>) -> Box<str> {
    let mut text = String::new();
    packet.encode(&mut text);
    engine_frame(&engine::Packet::Message(&text))
}

fn engine_frame(packet: &engine::Packet<'_>) -> Box<str> {
    let mut text = String::new();
    packet.encode(&mut text);
    text.into_boxed_str()
}

fn over(reason: Reason, detail: impl Into<String>) -> Heard<'static> {
    Heard::Over(Why::new(reason, detail))
}

/// `44`: the official server says "Invalid namespace" for one that is not there; anything else is the guild's own no.
fn over_connect_error(payload: &str) -> Heard<'static> {
    let said = socket::connect_error(payload);
    let reason = if said == "Invalid namespace" { Reason::CfgNamespace } else { Reason::AuthConnectError };
    over(reason, format!("the guild answered CONNECT with an error (`44`): {}", Clipped(&said)))
}
