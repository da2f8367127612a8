//! A guild's Socket.IO server at the level of text frames.

use super::hall::{Hall, Wire};
use super::happening::{AtGuild, Event, Happening, Socket};
use super::model::{Push, Verdict};
use super::{line_of, model};
use guild_bridge::budget;
use guild_bridge::reason::{Reason, Why};
use serde_json::{Value, json};

impl Hall {
    /// Something reaches the guild, or one of its timers is due.
    pub fn take(&mut self, event: AtGuild) {
        match event {
            AtGuild::Dialled(socket, url) => self.dialled(socket, &url),
            AtGuild::Frame(socket, frame) => self.frame(socket, &frame),
            AtGuild::HungUp(socket) => self.hung_up(socket),
            AtGuild::Ping(socket) => self.send_ping(socket),
            AtGuild::PongDue(socket, since) => self.pong_due(socket, since),
            AtGuild::ConnectDue(socket) => self.connect_due(socket),
            AtGuild::Verified(..) => {}
            AtGuild::Kick(_) => {
                let wall = self.wall();
                self.model.tick(wall);
            }
            AtGuild::Close(socket) => {
                if self.is_open(socket) {
                    self.close(socket, Reason::NetClosed, "the server closed the connection");
                }
            }
            AtGuild::Request(life, ticket, worker, request) => self.request(life, ticket, worker, &request),
        }
        self.flush();
    }

    /// What the model wants to send goes out.
    pub fn flush(&mut self) {
        while let Some((session, push)) = self.model.poll() {
            let Some(socket) = self.seats.get(&session).copied() else { continue };
            match push {
                Push::Created(message) => self.event(socket, &message),
                Push::Disconnect { close } => {
                    self.packet(socket, "1", "");
                    self.leave(socket);
                    if close {
                        self.close(socket, Reason::NetClosed, "the server closed the connection");
                    }
                }
            }
        }
    }

    fn is_open(&self, socket: Socket) -> bool {
        self.wires.get(&socket).is_some_and(|w| !w.over && !w.dead)
    }

    fn later(&mut self, ms: u64, event: AtGuild) {
        self.out.push((self.now + ms, Event::Guild(self.place, event)));
    }

    /// When what is sent now arrives: never before what was sent earlier.
    pub(super) fn arrival(&mut self, socket: Socket) -> u64 {
        let at = self.now + self.way_ms();
        let wire = self.wires.entry(socket).or_default();
        wire.last_down = wire.last_down.max(at);
        wire.last_down
    }

    pub(super) fn down(&mut self, socket: Socket, frame: String) {
        if !self.is_open(socket) || self.dark {
            return;
        }
        if frame.len() > self.frame_bytes {
            return self.close(socket, Reason::NetTooBig, "a frame of the server is larger than its bound");
        }
        let at = self.arrival(socket);
        self.tell(kind_of(&frame));
        self.out.push((at, Event::Relay(socket.life, Happening::Text(line_of(socket), frame))));
    }

    /// A Socket.IO packet in this guild's namespace.
    fn packet(&mut self, socket: Socket, kind: &str, rest: &str) {
        let namespace = if self.namespace == "/" { String::new() } else { format!("{},", self.namespace) };
        self.down(socket, format!("4{kind}{namespace}{rest}"));
    }

    fn event(&mut self, socket: Socket, message: &Value) {
        self.packets += 1;
        let mut args = vec![json!("message.created"), message.clone()];
        if self.recovery {
            args.push(json!(format!("off{}", self.packets)));
        }
        self.note(|| format!("event {} to {:?}", message["id"], socket.line));
        self.packet(socket, "2", &Value::Array(args).to_string());
        self.proves(socket);
    }

    pub(super) fn proves(&mut self, socket: Socket) {
        if self.is_open(socket) && !self.dark {
            let wire = self.wires.entry(socket).or_default();
            wire.proof_at = Some(wire.proof_at.unwrap_or(wire.last_down));
        }
    }

    pub(super) fn leave(&mut self, socket: Socket) {
        if let Some(session) = self.wires.get_mut(&socket).and_then(|w| w.session.take()) {
            self.model.gone(session);
            self.seats.remove(&session);
        }
    }

    pub(super) fn close(&mut self, socket: Socket, reason: Reason, detail: &str) {
        let at = self.arrival(socket);
        self.leave(socket);
        if let Some(wire) = self.wires.get_mut(&socket) {
            wire.over = true;
        }
        self.tell("< close");
        let lost = Happening::Lost(line_of(socket), Why::new(reason, detail), None);
        if !self.dark {
            self.out.push((at, Event::Relay(socket.life, lost)));
        }
    }

    fn dialled(&mut self, socket: Socket, url: &str) {
        let lost = |why: Why, after| Event::Relay(socket.life, Happening::Lost(line_of(socket), why, after));
        let back = self.now + self.latency_ms;
        if !self.up {
            let why = Why::new(Reason::NetRefused, "connection refused");
            return self.out.push((back, lost(why, None)));
        }
        if self.dark {
            let why = Why::new(Reason::NetTimeout, "no answer to the upgrade");
            return self.out.push((self.now + budget::UPGRADE_MS, lost(why, None)));
        }
        if let Some((why, after)) = self.upgrades.pop_front() {
            return self.out.push((back, lost(why, after)));
        }
        assert!(url.contains("EIO=4") && url.contains("transport=websocket"), "not an Engine.IO v4 URL: {url}");
        assert!(url.contains("/socket.io/"), "not the path: {url}");
        let opened = Wire { last_down: back, last_pong: self.now, ..Wire::default() };
        self.wires.insert(socket, opened);
        self.out.push((back, Event::Relay(socket.life, Happening::Opened(line_of(socket)))));
        let (interval, timeout) = self.announces.unwrap_or(self.ping);
        let open = json!({"sid": format!("e{}", self.now), "upgrades": [], "pingInterval": interval,
                          "pingTimeout": timeout, "maxPayload": 1_000_000});
        self.down(socket, self.opens_with.clone().unwrap_or_else(|| format!("0{open}")));
        if self.pings {
            let (interval, _) = self.ping;
            self.later(interval, AtGuild::Ping(socket));
        }
        self.later(45_000, AtGuild::ConnectDue(socket));
    }

    fn send_ping(&mut self, socket: Socket) {
        if !self.is_open(socket) || !self.pings || !self.up {
            return;
        }
        self.down(socket, "2".into());
        let (interval, timeout) = self.ping;
        self.later(interval, AtGuild::Ping(socket));
        self.later(timeout, AtGuild::PongDue(socket, self.now));
    }

    fn pong_due(&mut self, socket: Socket, since: u64) {
        if self.is_open(socket) && !self.dark && self.wires[&socket].last_pong < since {
            self.tell("< ping timeout");
            self.close(socket, Reason::NetClosed, "the server closed the connection");
        }
    }

    fn connect_due(&mut self, socket: Socket) {
        if self.is_open(socket) && !self.wires[&socket].namespace_joined {
            self.close(socket, Reason::NetClosed, "the server closed the connection");
        }
    }

    fn hung_up(&mut self, socket: Socket) {
        self.leave(socket);
        if let Some(wire) = self.wires.get_mut(&socket) {
            wire.over = true;
        }
        self.tell("> close");
    }

    /// A frame of the bridge. One that the official server would close for fails the story.
    fn frame(&mut self, socket: Socket, frame: &str) {
        if !self.is_open(socket) {
            return;
        }
        let namespace = if self.namespace == "/" { String::new() } else { format!("{},", self.namespace) };
        if frame.starts_with('3') {
            self.wires.entry(socket).or_default().last_pong = self.now;
            return self.tell("> pong");
        }
        if frame == format!("41{namespace}") {
            self.tell("> disconnect");
            return self.leave(socket);
        }
        if let Some(auth) = frame.strip_prefix(&format!("40{namespace}")) {
            return self.connect(socket, auth);
        }
        if let Some(event) = frame.strip_prefix(&format!("42{namespace}")) {
            return self.emitted(socket, event);
        }
        if frame.starts_with("43") {
            return self.tell("> ack");
        }
        panic!("the bridge sent a frame for which a server closes: {frame}");
    }

    fn connect(&mut self, socket: Socket, auth: &str) {
        let auth: Value = serde_json::from_str(auth).expect("CONNECT carries an object");
        assert!(auth["pid"].is_null() && auth["offset"].is_null(), "state recovery was asked for: {auth}");
        assert!(!self.wires[&socket].namespace_joined, "a second CONNECT on one connection");
        self.tell("> connect");
        let token = auth["token"].as_str().expect("CONNECT carries a token").to_owned();
        self.offers.push((self.now, socket, token.clone()));
        self.wires.entry(socket).or_default().namespace_joined = true;
        if let Some(raw) = self.connects.pop_front() {
            return self.down(socket, raw);
        }
        for frame in self.early.clone() {
            self.down(socket, frame);
            self.proves(socket);
        }
        let wall = self.wall();
        let (session, verdict) = self.model.offer(Some(&token), wall);
        match verdict {
            Verdict::Nothing => return,
            Verdict::Refused(error) => return self.packet(socket, "4", &error.to_string()),
            Verdict::Welcome => {}
        }
        self.seats.insert(session, socket);
        self.wires.entry(socket).or_default().session = Some(session);
        if self.deaf_sessions > 0 {
            self.deaf_sessions -= 1;
            self.deaf.push(session);
        }
        let mut welcome = json!({"sid": format!("s{}", session.0)});
        if self.recovery {
            welcome["pid"] = json!(format!("p{}", session.0));
        }
        self.packet(socket, "0", &welcome.to_string());
        for frame in self.greetings.clone() {
            self.down(socket, frame);
            self.proves(socket);
        }
        self.flush();
        if let Some(ms) = self.closes_after_ms {
            self.later(ms, AtGuild::Close(socket));
        }
        if let Some(due) = self.model.deadline() {
            self.later(due.saturating_sub(wall), AtGuild::Kick(socket));
        }
    }

    fn emitted(&mut self, socket: Socket, event: &str) {
        let digits = event.bytes().take_while(u8::is_ascii_digit).count();
        let (ack, args) = event.split_at(digits);
        let args: Value = serde_json::from_str(args).expect("an event is an array");
        assert_eq!(args[0], "join_channel", "the bridge emits nothing else");
        assert!(self.wires[&socket].namespace_joined, "an event before CONNECT");
        let channel = args[1].as_str().expect("join_channel carries the channel's id").to_owned();
        self.tell(format!("> join {channel}"));
        let Some(session) = self.wires[&socket].session else { return };
        let agent = self.model.agent_of(session).unwrap_or_default().to_owned();
        self.first_joins.entry((agent, channel.clone(), socket.life)).or_insert(self.now);
        if self.lies {
            self.packet(socket, "3", &format!("{ack}[{{\"ok\":true}}]"));
            return self.proves(socket);
        }
        if self.deaf.contains(&session) {
            return;
        }
        let wall = self.wall();
        match self.model.join(session, &channel, wall) {
            model::Joined::Ack(answer) => {
                let ok = answer["ok"] == true;
                if !ack.is_empty() {
                    self.packet(socket, "3", &format!("{ack}{}", json!([answer])));
                    if ok {
                        self.proves(socket);
                    }
                }
            }
            model::Joined::Exception(answer) => {
                self.packet(socket, "2", &json!(["exception", answer]).to_string());
            }
            model::Joined::Silence => {}
        }
    }
}

/// The kind of a frame of the server, for the transcript.
fn kind_of(frame: &str) -> &'static str {
    match frame.as_bytes() {
        [b'0', ..] => "< open",
        [b'1', ..] => "< engine close",
        [b'2', ..] => "< ping",
        [b'4', b'0', ..] => "< connect",
        [b'4', b'1', ..] => "< disconnect",
        [b'4', b'2', ..] => "< event",
        [b'4', b'3', ..] => "< ack",
        [b'4', b'4', ..] => "< connect error",
        [b'4', b'5' | b'6', ..] => "< binary",
        _ => "< other",
    }
}
