//! What a message costs in allocations on its way through the core: from its frame to the line that its agent reads, and from
//! the agent's `none` back. The core is driven as the loop drives it; nobody else's allocations are in it.

use super::{FRAME, HEAP, alone, guild};
use guild_bridge::agent::{Said, line};
use guild_bridge::call::{Answer, Call, Got, Ticket};
use guild_bridge::journal::Kept;
use guild_bridge::message::{AgentId, Line, Turn};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::{Input, Output, Stored, Wire};
use guild_bridge::relay::{Options, Relay};
use guild_bridge::secret::Secret;
use guild_bridge::settings::{Agent, RespondTo, Settings, Timing, Transport};
use stats_alloc::Region;
use std::collections::VecDeque;
use std::rc::Rc;

/// One message over one link, at most: its frame taken in, its turn opened and written as a line, `none` read and the turn
/// ended.
const A_MESSAGE: usize = 26;
/// Of a hundred messages so many may cost more: once a second the places in the channels' histories are written.
const WITH_A_WRITE: usize = 1;

const AGENT: AgentId = AgentId(0);

struct Core {
    relay: Relay,
    at: u64,
    turns: Vec<Rc<Turn>>,
    line: Option<Line>,
    /// The agent's line.
    said: String,
}

/// What the world answers, in the order in which it was asked.
enum News {
    Opened(Line),
    Text(Line, String),
    Sent(Line),
    Answer(Ticket, &'static str),
    Stored(u64),
}

impl Core {
    /// One link that is live in one channel, its windows as full as they get.
    fn live() -> Self {
        let agent = Agent {
            name: "recruiter".into(),
            guilds: vec!["acme".into()],
            id: "recruiter".into(),
            login: None,
            names: Vec::new(),
            key_file: "/keys/recruiter".into(),
            key: Ok(Secret::new("key")),
            answer: Transport::Socket { path: "/run/agents.sock".into(), uids: Vec::new() },
            parallel: 4,
            deadline_s: 60,
            backfill: 0,
            respond_to: RespondTo::All,
            bots_all: false,
            attachment_bytes: None,
        };
        let timing = Timing { reconcile_ms: 86_400_000, ..Timing::default() };
        let (guilds, agents, message_bytes) = (vec![guild()], vec![agent], 65_536);
        let settings = Settings { guilds, agents, message_bytes, timing, ..Settings::default() };
        let options = Options { attachments: "/tmp".into(), seed: 1, build_ms: 0 };
        let now = Now { at: Moment(1_000), wall_ms: 1_795_000_000_000 };
        let relay = Relay::new(settings, Kept::default(), options, now);
        let mut core = Self { relay, at: 1_000, turns: Vec::new(), line: None, said: String::with_capacity(256) };
        core.handle(Input::Agent(AGENT, Said::Here));
        for _ in 0..60 {
            core.at += 100;
            core.relay.tick(core.now());
            core.settle();
        }
        assert!(core.line.is_some(), "the link is not connected");
        core
    }

    fn now(&self) -> Now {
        Now { at: Moment(self.at), wall_ms: 1_795_000_000_000 + self.at }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.relay.handle(input, self.now());
        self.settle();
    }

    /// Does what is asked for, until nothing is.
    fn settle(&mut self) {
        let mut news = VecDeque::new();
        loop {
            while let Some(output) = self.relay.poll() {
                self.perform(output, &mut news);
            }
            let now = self.now();
            match news.pop_front() {
                None => return,
                Some(News::Opened(line)) => self.relay.handle(Input::Wire(line, Wire::Opened), now),
                Some(News::Text(line, text)) => self.relay.handle(Input::Wire(line, Wire::Text(&text)), now),
                Some(News::Sent(line)) => self.relay.handle(Input::Wire(line, Wire::Sent), now),
                Some(News::Answer(ticket, body)) => {
                    let content_type = Some("application/json".to_owned());
                    let got = Got { status: 200, body: body.as_bytes(), content_type, ..Got::default() };
                    self.relay.handle(Input::Answer(ticket, Answer::Got(got)), now);
                }
                Some(News::Stored(upto)) => {
                    self.relay.handle(Input::Disk(Stored { upto, failed: None, again: false }), now);
                }
            }
        }
    }

    fn perform(&mut self, output: Output, news: &mut VecDeque<News>) {
        match output {
            Output::Dial { line, .. } => {
                let open =
                    r#"0{"sid":"s","upgrades":[],"pingInterval":300000,"pingTimeout":300000,"maxPayload":1000000}"#;
                news.push_back(News::Opened(line));
                news.push_back(News::Text(line, open.into()));
            }
            Output::Send(line, text) => {
                news.push_back(News::Sent(line));
                if text.starts_with("40") {
                    self.line = Some(line);
                    news.push_back(News::Text(line, r#"40{"sid":"s"}"#.into()));
                } else if let Some((id, _)) = text.strip_prefix("42").and_then(|text| text.split_once('[')) {
                    news.push_back(News::Text(line, format!(r#"43{id}[{{"ok":true}}]"#)));
                }
            }
            Output::Call(ticket, call) => news.push_back(News::Answer(ticket, body_of(&call))),
            Output::Store(task) => news.push_back(News::Stored(task.seq)),
            Output::Ask(_, turn) => self.turns.push(turn),
            _ => {}
        }
    }

    /// Relays one message, a millisecond after the last.
    fn relay(&mut self, frame: &str) {
        self.at += 1;
        let line = self.line.unwrap();
        self.handle(Input::Wire(line, Wire::Text(frame)));
        let turn = self.turns.pop().expect("a turn for the message");
        let asked = line::message(&turn);
        assert!(asked.len() > 300);
        let [begin, end] = [r#"{"v":1,"type":"none","turn":""#, r#""}"#];
        self.said.clear();
        [begin, &turn.id, end].iter().for_each(|part| self.said.push_str(part));
        let said = std::mem::take(&mut self.said);
        let Ok(line::Heard::Said(none)) = line::decode(&said) else { panic!("it says none") };
        self.handle(Input::Agent(AGENT, none));
        self.said = said;
        assert!(self.turns.is_empty());
    }
}

fn body_of(call: &Call) -> &'static str {
    match call.url.as_str() {
        url if url.ends_with("/auth/token") => r#"{"guildAccessToken":"token","expiresIn":86400}"#,
        url if url.contains("/messages") => "[]",
        _ => r#"[{"id":"general","name":"general","kind":"channel","lastMessageId":null}]"#,
    }
}

#[test]
fn relaying_a_message_allocates_a_fixed_number_of_times() {
    let _alone = alone();
    let mut core = Core::live();
    let frames: Vec<String> = (0..8_000).map(|n| FRAME.replace("00000042", &format!("{n:08}"))).collect();
    let (warm, counted) = frames.split_at(6_000);
    warm.iter().for_each(|frame| core.relay(frame));
    let counts: Vec<usize> = counted
        .iter()
        .map(|frame| {
            let region = Region::new(HEAP);
            core.relay(frame);
            let change = region.change();
            change.allocations + change.reallocations
        })
        .collect();
    let more = counts.iter().filter(|count| **count > A_MESSAGE).count();
    println!(
        "a message: {} to {} allocations, {more} of {} more than {A_MESSAGE}",
        counts.iter().min().unwrap(),
        counts.iter().max().unwrap(),
        counts.len()
    );
    assert!(more * 100 <= WITH_A_WRITE * counts.len(), "{more} of {} messages", counts.len());
    let all: usize = counts.iter().sum();
    assert!(all <= (A_MESSAGE + 1) * counts.len(), "{all} allocations");
}
