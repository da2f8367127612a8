//! A simulated guild: the model behind a Socket.IO server and an HTTP server, as far as frames and answers go.
//! What it sends lands in `out`, with the moment when it arrives; `World` carries it.

use super::happening::{AtGuild, Event, Happening, Request, Socket};
use super::model::{Model, Options, Push, Rejection, Session, Verdict};
use super::plant::{Growth, Plant};
use super::watched::Answered;
use super::{line_of, model};
use guild_bridge::budget;
use guild_bridge::reason::{Reason, Why};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Milliseconds since 1970 when every story begins, by the guild's clock.
pub const WALL: u64 = 1_795_447_000_000;

/// What goes wrong with a call, beyond what the model can do.
#[derive(Clone, Debug)]
pub enum What {
    /// Nobody listens.
    Refused,
    /// It never reached the guild, though it was sent.
    LostBefore,
    /// The guild did it; its answer is lost.
    LostAfter,
    /// The answer takes so long.
    Slow(u64),
    /// No answer, ever.
    Hangs,
    /// This status, with a Retry-After in milliseconds.
    Status(u16, Option<u64>),
    /// This status, content type and body.
    Body(u16, &'static str, String),
}

/// Trouble for the calls of one route (mint, channels, history, post), perhaps of one channel only.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub route: &'static str,
    pub channel: Option<String>,
    pub what: What,
    pub times: u32,
}

/// The server's end of one WebSocket.
#[derive(Debug, Default)]
pub struct Wire {
    pub namespace_joined: bool,
    pub session: Option<Session>,
    pub last_down: u64,
    pub last_pong: u64,
    /// Nothing passes any more, and nobody is told.
    pub dead: bool,
    pub over: bool,
    /// Something that proves reached the bridge on this socket (when).
    pub proof_at: Option<u64>,
}

/// One guild.
pub struct Hall {
    pub name: String,
    pub model: Model,
    pub latency_ms: u64,
    /// Up to so much more, for each answer and each frame by itself: HTTP and socket overtake each other.
    pub jitter_ms: u64,
    pub rng: fastrand::Rng,
    /// Notes are kept.
    pub aloud: bool,
    /// Somebody listens.
    pub up: bool,
    /// Packets vanish, both ways.
    pub dark: bool,
    /// Frames to it never get on their way.
    pub stuck: bool,
    pub ping: (u64, u64),
    pub pings: bool,
    /// What the open packet says instead of `ping`.
    pub announces: Option<(u64, u64)>,
    /// What it says instead of an open packet.
    pub opens_with: Option<String>,
    /// Longest frame that the bridge's WebSocket takes.
    pub frame_bytes: usize,
    /// The server has connection state recovery on: `pid` in `40`, an offset behind each event's arguments.
    pub recovery: bool,
    pub namespace: String,
    /// The next upgrades fail so.
    pub upgrades: VecDeque<(Why, Option<u64>)>,
    /// What the next CONNECTs are answered, raw, instead of `40`.
    pub connects: VecDeque<String>,
    /// Frames that come before `40`, raw.
    pub early: Vec<String>,
    /// Frames right behind CONNECT's answer, of rooms that the guild joined by itself.
    pub greetings: Vec<String>,
    /// Sessions whose joins are acked though they enter no room.
    pub lies: bool,
    /// So many of the next sessions are deaf: joins go into the void.
    pub deaf_sessions: u32,
    pub trouble: Vec<Trouble>,
    /// The WebSocket is closed so long after `40`, every time.
    pub closes_after_ms: Option<u64>,
    /// Calls in order: moment, route, channel, target.
    pub calls: Vec<(u64, String, String, Request)>,
    pub wires: BTreeMap<Socket, Wire>,
    pub out: Vec<(u64, Event)>,
    pub transcript: Vec<(u64, String)>,
    pub notes: Vec<(u64, String)>,
    pub offers: Vec<(u64, Socket, String)>,
    /// By agent and channel: the last list that did not name it, before the first join.
    pub not_listed: BTreeMap<(String, String), u64>,
    /// The first join of a channel in each life of the daemon: agent, channel, life, and when.
    pub first_joins: BTreeMap<(String, String, u32), u64>,
    pub now: u64,
    pub(super) seats: BTreeMap<Session, Socket>,
    pub(super) deaf: Vec<Session>,
    pub plant: Option<Plant>,
    pub(super) planted: Growth,
    pub answered: Answered,
    pub(super) place: usize,
    pub(super) packets: u64,
}

impl Hall {
    pub fn new(name: &str, place: usize) -> Self {
        Self {
            name: name.into(),
            model: Model::new(Options::default()),
            latency_ms: 5,
            jitter_ms: 0,
            rng: fastrand::Rng::with_seed(1),
            aloud: false,
            up: true,
            dark: false,
            stuck: false,
            ping: (25_000, 20_000),
            pings: true,
            announces: None,
            opens_with: None,
            frame_bytes: budget::MESSAGE_BYTES + budget::FRAME_ENVELOPE_BYTES,
            recovery: false,
            namespace: "/".into(),
            upgrades: VecDeque::new(),
            connects: VecDeque::new(),
            early: Vec::new(),
            greetings: Vec::new(),
            lies: false,
            deaf_sessions: 0,
            trouble: Vec::new(),
            closes_after_ms: None,
            calls: Vec::new(),
            wires: BTreeMap::new(),
            out: Vec::new(),
            transcript: Vec::new(),
            notes: Vec::new(),
            offers: Vec::new(),
            not_listed: BTreeMap::new(),
            first_joins: BTreeMap::new(),
            now: 0,
            seats: BTreeMap::new(),
            deaf: Vec::new(),
            plant: None,
            planted: Growth::default(),
            answered: Answered::default(),
            place,
            packets: 0,
        }
    }

    /// The guild's wall clock.
    pub fn wall(&self) -> u64 {
        WALL + self.now
    }

    /// Somebody says something. The message's id.
    pub fn say(&mut self, channel: &str, author: &str, text: &str) -> String {
        let wall = self.wall();
        let id = self.model.say(channel, author, text, wall);
        self.note(|| format!("{author} says {id} in {channel}"));
        self.flush();
        id
    }

    /// Something for whoever replays a seed.
    pub fn note(&mut self, note: impl FnOnce() -> String) {
        if self.aloud {
            self.notes.push((self.now, note().chars().take(160).collect()));
        }
    }

    /// How long something takes from here to the bridge, this time.
    pub fn way_ms(&mut self) -> u64 {
        self.latency_ms + if self.jitter_ms == 0 { 0 } else { self.rng.u64(..=self.jitter_ms) }
    }

    /// Somebody answers a message.
    pub fn say_to(&mut self, channel: &str, author: &str, text: &str, reply_to: &str) -> String {
        let wall = self.wall();
        let id = self.model.say_all(channel, author, text, Some(reply_to), Vec::new(), wall);
        self.flush();
        id
    }

    /// Somebody says something with files: id and bytes.
    pub fn say_with(&mut self, channel: &str, author: &str, text: &str, files: &[(&str, usize)]) {
        let file = |(id, bytes): &(&str, usize)| model::Attachment {
            id: (*id).into(),
            name: "../p.jpg".into(),
            media_type: "image/jpeg".into(),
            bytes: vec![0; *bytes],
        };
        let wall = self.wall();
        self.model.say_all(channel, author, text, None, files.iter().map(file).collect(), wall);
        self.flush();
    }

    /// Everything that was made wrong with the network, the calls and the sessions is right again.
    pub fn heal(&mut self) {
        (self.up, self.dark, self.pings, self.ping) = (true, false, true, (25_000, 20_000));
        self.deaf_sessions = 0;
        self.trouble.clear();
        self.upgrades.clear();
        self.connects.clear();
        self.model.faults.clear();
    }

    /// Somebody says something that no socket brings.
    pub fn whisper(&mut self, channel: &str, author: &str, text: &str) -> String {
        self.model.faults.set_times(model::Fault::EventsLost, 1);
        self.say(channel, author, text)
    }

    /// Trouble for the next calls of a route.
    pub fn trouble(&mut self, route: &'static str, times: u32, what: What) {
        self.trouble.push(Trouble { route, channel: None, what, times });
    }

    /// How a token that is stale is turned away.
    pub fn rejects(&mut self, how: Rejection) {
        self.model.options.rejection = how;
    }

    /// This raw text reaches every open line.
    pub fn inject(&mut self, frame: &str) {
        let open: Vec<Socket> = self.open_lines();
        for socket in open {
            self.down(socket, frame.to_owned());
            if frame.contains("message.created") {
                self.proves(socket);
            }
        }
    }

    /// A binary frame reaches every open line.
    pub fn inject_binary(&mut self, bytes: usize) {
        for socket in self.open_lines() {
            let at = self.arrival(socket);
            self.out.push((at, Event::Relay(socket.life, Happening::Binary(line_of(socket), bytes))));
        }
    }

    /// Every WebSocket is closed, as by a server that ends.
    pub fn close_lines(&mut self) {
        for socket in self.open_lines() {
            self.close(socket, Reason::NetClosed, "the server closed the connection");
        }
    }

    /// Every WebSocket is dead from now on: nothing passes, nobody is told.
    pub fn freeze_lines(&mut self) {
        for socket in self.open_lines() {
            self.wires.entry(socket).or_default().dead = true;
            self.leave(socket);
        }
    }

    /// Sessions stay connected and hear nothing any more; joining again does not help them.
    pub fn deafen(&mut self) {
        self.deaf = self.seats.keys().copied().collect();
        self.model.lose_rooms();
    }

    /// WebSockets that are open now.
    pub fn open_lines(&self) -> Vec<Socket> {
        self.wires.iter().filter(|(_, w)| !w.over && !w.dead).map(|(s, _)| *s).collect()
    }

    /// What this author said in a channel, in order.
    pub fn said_by(&self, channel: &str, author: &str) -> Vec<&str> {
        self.model.said_by(channel, author).iter().map(|m| m.text.as_str()).collect()
    }

    pub fn tell(&mut self, line: impl Into<String>) {
        self.transcript.push((self.now, line.into()));
    }
}
