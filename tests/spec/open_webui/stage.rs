//! A relay with one agent on a simulated Open WebUI server, on virtual time.

use super::server::{EPOCH_MS, Server};
use guild_bridge::agent::Said;
use guild_bridge::call::{Answer, Got, Method, Sink};
use guild_bridge::journal::Kept;
use guild_bridge::message::{AgentId, Line, Turn};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::{Client, Command, Input, Lost, Output, Stored, Wire};
use guild_bridge::reason::{Reason, Why};
use guild_bridge::relay::{Options, Relay};
use guild_bridge::secret::Secret;
use guild_bridge::settings::{Agent, DialectName, Guild, RespondTo, Settings, Timing, Transport};
use guild_bridge::status::LinkStatus;
use std::collections::{BTreeMap, BTreeSet};

/// One way to the server and back.
const WAY_MS: u64 = 20;
/// More steps than this at one moment is a loop without rest.
const STEPS_AT_ONCE: u32 = 10_000;

/// What the server knows a line by.
fn number(line: Line) -> u32 {
    u32::from(line.link.0) * 100_000 + line.attempt
}

enum Event {
    Answer(guild_bridge::call::Ticket, Option<(u16, Body)>),
    Opened(Line),
    Text(Line, String),
    Sent(Line),
    Frame(Line, String),
    Reply(AgentId, String, String),
}

/// A body as far as it is read.
struct Body {
    bytes: Vec<u8>,
    cut: bool,
    first_id: Option<String>,
}

impl Body {
    fn of(body: &serde_json::Value, sink: &Sink) -> Self {
        let (most, names) = match sink {
            Sink::Memory(most) => (*most, false),
            Sink::MemoryOrId(most) => (*most, true),
            Sink::File(..) => (usize::MAX, false),
        };
        let mut bytes = body.to_string().into_bytes();
        let cut = bytes.len() > most;
        bytes.truncate(most);
        let first_id = body[0]["id"].as_str().filter(|_| names && cut).map(str::to_owned);
        Self { bytes, cut, first_id }
    }
}

pub struct Stage {
    pub server: Server,
    pub relay: Relay,
    pub at: u64,
    pub turns: Vec<Turn>,
    /// How long the agent takes.
    pub agent_ms: u64,
    /// How long the sign-in of the second agent takes.
    pub second_ms: u64,
    /// Nothing gets through.
    pub cut: bool,
    pub dials: u32,
    /// For each connection that was hung up: in how many places it was still shown to write.
    pub left_writing: Vec<usize>,
    lines: BTreeMap<u32, Line>,
    gone: BTreeSet<u32>,
    queue: BTreeMap<(u64, u64), Event>,
    order: u64,
    agent: Option<AgentId>,
    settings: Settings,
    /// What the journal says.
    kept: Kept,
}

pub fn settings() -> Settings {
    let guild = Guild {
        name: "home".into(),
        dialect: DialectName::OpenWebUi,
        center: "http://127.0.0.1:8080".into(),
        url: "http://127.0.0.1:8080".into(),
        extra_ca: None,
        plaintext: false,
        paths: BTreeMap::new(),
        namespace: "/".into(),
    };
    let agent = Agent {
        name: "echo".into(),
        guilds: vec!["home".into()],
        id: "echo".into(),
        login: Some("bot@example.org".into()),
        names: Vec::new(),
        key_file: "/keys/echo".into(),
        key: Ok(Secret::new("secret")),
        answer: Transport::Socket { path: "/run/agents.sock".into(), uids: Vec::new() },
        parallel: 4,
        deadline_s: 60,
        backfill: 0,
        respond_to: RespondTo::All,
        bots_all: false,
        attachment_bytes: None,
    };
    Settings {
        guilds: vec![guild],
        agents: vec![agent],
        message_bytes: guild_bridge::budget::MESSAGE_BYTES,
        timing: Timing::default(),
        ..Settings::default()
    }
}

impl Stage {
    pub fn new() -> Self {
        Self::of(settings())
    }

    pub fn of(settings: Settings) -> Self {
        let options = Options { attachments: "/state/attachments".into(), seed: 7, build_ms: 0 };
        let now = Now { at: Moment(0), wall_ms: EPOCH_MS };
        let relay = Relay::new(settings.clone(), Kept::default(), options, now);
        Self {
            server: Server::new(),
            relay,
            at: 0,
            turns: Vec::new(),
            agent_ms: 50,
            second_ms: WAY_MS,
            cut: false,
            dials: 0,
            left_writing: Vec::new(),
            lines: BTreeMap::new(),
            gone: BTreeSet::new(),
            queue: BTreeMap::new(),
            order: 0,
            agent: None,
            settings,
            kept: Kept::default(),
        }
    }

    /// The daemon is killed, and another begins with its journal.
    pub fn restart(&mut self) {
        let lines: Vec<Line> = self.lines.values().copied().collect();
        lines.into_iter().for_each(|line| self.close(line));
        (self.gone, self.queue, self.agent) = (BTreeSet::new(), BTreeMap::new(), None);
        let options = Options { attachments: "/state/attachments".into(), seed: 7, build_ms: 0 };
        self.relay = Relay::new(self.settings.clone(), self.kept.clone(), options, self.now());
    }

    fn now(&self) -> Now {
        Now { at: Moment(self.at), wall_ms: EPOCH_MS + self.at }
    }

    fn push(&mut self, after_ms: u64, event: Event) {
        self.order += 1;
        self.queue.insert((self.at + after_ms, self.order), event);
    }

    pub fn links(&self) -> Vec<LinkStatus> {
        self.relay.status(self.now()).links
    }

    pub fn status(&self) -> LinkStatus {
        self.links().into_iter().next().unwrap()
    }

    pub fn run(&mut self, ms: u64) {
        self.run_till(ms, |_| false);
    }

    /// Time goes on until something is so. Whether it came to be.
    pub fn run_till(&mut self, ms: u64, so: impl Fn(&Stage) -> bool) -> bool {
        let end = self.at + ms;
        let (mut steps, mut before) = (0, self.at);
        loop {
            self.perform();
            if so(self) {
                return true;
            }
            let due = self.relay.deadline().map(|at| at.0.max(self.at));
            let event = self.queue.keys().next().map(|(at, _)| *at);
            let next = due.into_iter().chain(event).min().filter(|at| *at <= end);
            let Some(next) = next else {
                self.at = end;
                self.server.now = end;
                return so(self);
            };
            steps = if next == before { steps + 1 } else { 0 };
            assert!(steps < STEPS_AT_ONCE, "a loop without rest at {next}");
            before = next;
            self.at = next;
            self.server.now = next;
            if event == Some(next) {
                let (_, event) = self.queue.pop_first().unwrap();
                self.happens(event);
            } else {
                self.relay.tick(self.now());
            }
        }
    }

    fn happens(&mut self, event: Event) {
        let now = self.now();
        let closed = |line: &Line| self.gone.contains(&number(*line));
        match event {
            Event::Answer(ticket, Some((status, body))) => {
                let Body { bytes, cut, first_id } = body;
                let date_ms = Some(now.wall_ms / 1000 * 1000);
                let got = Got { status, body: &bytes, cut, first_id, date_ms, ..Got::default() };
                self.relay.handle(Input::Answer(ticket, Answer::Got(got)), now);
            }
            Event::Answer(ticket, None) => {
                let why = Why::new(Reason::NetClosed, "simulated");
                self.relay.handle(Input::Answer(ticket, Answer::Failed { why, sent: true }), now);
            }
            Event::Opened(line) => {
                self.relay.handle(Input::Wire(line, Wire::Opened), now);
                let open = "0{\"sid\":\"e\",\"upgrades\":[],\"pingTimeout\":20000,\"pingInterval\":25000}";
                self.push(0, Event::Text(line, open.into()));
                self.push(25_000, Event::Text(line, "2".into()));
            }
            Event::Text(line, text) if !closed(&line) => {
                if text == "2" {
                    self.server.sweep(number(line));
                    self.push(25_000, Event::Text(line, "2".into()));
                }
                self.relay.handle(Input::Wire(line, Wire::Text(&text)), now);
            }
            Event::Sent(line) if !closed(&line) => self.relay.handle(Input::Wire(line, Wire::Sent), now),
            Event::Frame(line, frame) if !closed(&line) => self.server.hear(number(line), &frame),
            Event::Text(..) | Event::Sent(..) | Event::Frame(..) => {}
            Event::Reply(agent, turn, text) => {
                let said = Said::Reply { turn: turn.into(), text: text.into(), last: true };
                self.relay.handle(Input::Agent(agent, said), now);
            }
        }
    }

    /// The network drops every connection.
    pub fn drop_lines(&mut self) {
        let lines: Vec<Line> = self.lines.values().copied().collect();
        for line in lines {
            self.close(line);
            let lost = Lost { why: Why::new(Reason::NetClosed, "simulated"), retry_after_ms: None };
            let now = self.now();
            self.relay.handle(Input::Wire(line, Wire::Lost(lost)), now);
        }
    }

    /// What is on its way arrives, and then the last words.
    fn hang_up(&mut self, line: Line, last: Vec<Box<str>>) {
        for (at, event) in std::mem::take(&mut self.queue) {
            match event {
                Event::Frame(of, frame) if of == line => self.server.hear(number(line), &frame),
                event => drop(self.queue.insert(at, event)),
            }
        }
        last.iter().for_each(|frame| self.server.hear(number(line), frame));
        let writes = self.server.sockets.get(&number(line)).map_or(0, |socket| socket.writes.len());
        self.left_writing.push(writes);
        self.close(line);
    }

    fn close(&mut self, line: Line) {
        self.lines.remove(&number(line));
        self.gone.insert(number(line));
        self.server.sockets.remove(&number(line));
    }

    fn perform(&mut self) {
        loop {
            for (line, frame) in std::mem::take(&mut self.server.out) {
                if let Some(line) = self.lines.get(&line).copied() {
                    self.push(WAY_MS, Event::Text(line, frame));
                }
            }
            let Some(output) = self.relay.poll() else { return };
            match output {
                Output::Dial { line, url, .. } => {
                    assert_eq!(url, "ws://127.0.0.1:8080/ws/socket.io/?EIO=4&transport=websocket");
                    self.dials += 1;
                    self.lines.insert(number(line), line);
                    if self.cut {
                        self.push(WAY_MS, Event::Sent(line));
                        self.drop_lines();
                    } else {
                        self.push(WAY_MS, Event::Opened(line));
                    }
                }
                Output::Send(line, frame) => {
                    self.push(1, Event::Sent(line));
                    self.push(WAY_MS, Event::Frame(line, frame.into()));
                }
                // what was read before may still come
                Output::Hold(..) => {}
                Output::HangUp(line, last) => self.hang_up(line, last),
                Output::Call(ticket, call) => {
                    let bearer = call.bearer.as_ref().map(|bearer| bearer.expose());
                    let body = call.body.as_deref().unwrap_or_default();
                    let answer = if self.cut {
                        None
                    } else {
                        self.server.call(call.method == Method::Post, &call.url, bearer, body)
                    };
                    let answer = answer.map(|(status, body)| (status, Body::of(&body, &call.sink)));
                    let ms = if body.contains("second@") { self.second_ms } else { WAY_MS };
                    self.push(ms, Event::Answer(ticket, answer));
                }
                Output::Ask(agent, turn) => {
                    let text = format!("re: {}", turn.message.text);
                    self.push(self.agent_ms, Event::Reply(agent, turn.id.clone(), text));
                    self.turns.push((*turn).clone());
                }
                Output::Hire(agent, _) => {
                    self.agent = Some(agent);
                    let now = self.now();
                    self.relay.handle(Input::Agent(agent, Said::Here), now);
                }
                Output::Store(task) => {
                    if task.anew {
                        self.kept = Kept::default();
                    }
                    task.records.iter().for_each(|record| self.kept.apply(record));
                    let stored = Stored { upto: task.seq, failed: None, again: false };
                    let now = self.now();
                    self.relay.handle(Input::Disk(stored), now);
                }
                Output::Cancel(..)
                | Output::Sent(..)
                | Output::Dismiss(_)
                | Output::Discard(_)
                | Output::Tell(..)
                | Output::End => {}
            }
        }
    }

    /// The agent says that it writes at its last turn, or does so no more.
    pub fn agent_writes(&mut self, on: bool) {
        let turn = self.turns.last().unwrap().id.clone();
        self.agent_says(Said::Typing { turn: turn.into(), on });
    }

    pub fn agent_says(&mut self, said: Said<'_>) {
        let now = self.now();
        self.relay.handle(Input::Agent(self.agent.unwrap(), said), now);
    }

    /// Somebody asks the daemon for something.
    pub fn ask(&mut self, command: Command) {
        let now = self.now();
        self.relay.handle(Input::Control(Client(1), command), now);
    }

    /// Time goes on until the link is live with every listed channel proven.
    pub fn run_live(&mut self) {
        let live = |stage: &Stage| {
            let link = stage.status();
            link.state == "live" && link.channels_proven == link.channels_total
        };
        assert!(self.run_till(200_000, live), "not live: {:?}", self.status());
    }

    /// What was answered, by the words.
    pub fn heard(&self) -> Vec<&str> {
        self.turns.iter().map(|turn| turn.message.text.as_str()).collect()
    }
}
