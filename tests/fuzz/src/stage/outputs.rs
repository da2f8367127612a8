//! What the relay wants, held against what it may want.

use super::{CALLS, Cable, Stage, link_of};
use guild_bridge::budget;
use guild_bridge::call::{Call, Ticket};
use guild_bridge::codec::socket::Kind;
use guild_bridge::codec::{engine, json, socket};
use guild_bridge::message::{AgentId, Line, Turn};
use guild_bridge::port::{Output, Told};
use serde_json::Value;

impl Stage {
    pub(super) fn perform(&mut self, output: Output) {
        match output {
            Output::Dial { line, url, guild } => {
                let guild = self.settings.guilds.get(usize::from(guild)).expect("a line leads to a guild");
                assert!(url.starts_with(&format!("wss://{}.example/socket.io/", guild.name)), "{url} is not its own");
                assert!(self.lines.insert(line, Cable::default()).is_none(), "{line:?} is dialled twice");
                assert!(!self.gone.contains(&line), "{line:?} is dialled again");
                let open = self.lines.keys().filter(|other| other.link == line.link).count();
                assert_eq!(open, 1, "one connection a link");
            }
            Output::Send(line, frame) => self.frame(line, &frame),
            // what was read before may still come
            Output::Hold(line, _) => assert!(self.lines.contains_key(&line), "{line:?} is read or not, but not open"),
            Output::HangUp(line, last) => {
                assert!(self.lines.remove(&line).is_some(), "{line:?} is hung up, but was not open");
                self.gone.push(line);
                assert!(last.iter().all(|frame| engine::Packet::decode(frame).is_ok()));
            }
            Output::Call(ticket, call) => self.call(ticket, call),
            Output::Ask(agent, turn) => self.ask(agent, (*turn).clone()),
            Output::Cancel(agent, turn, _) => {
                assert!(self.agents.contains_key(&agent));
                self.turns.retain(|(of, open)| *of != agent || open.id != turn);
            }
            Output::Sent(agent, ..) => assert!(self.agents.contains_key(&agent)),
            Output::Hire(agent, settings) => {
                assert!(self.agents.insert(agent, settings.name).is_none(), "{agent:?} is hired twice");
            }
            Output::Dismiss(agent) => {
                assert!(self.agents.remove(&agent).is_some(), "{agent:?} was not hired");
                self.turns.retain(|(of, _)| *of != agent);
            }
            Output::Store(task) => self.disk.ask(task),
            Output::Discard(_) => {}
            Output::Tell(_, Told::Status(status)) => {
                self.secrets.hidden_in(&serde_json::to_string(&status).expect("a status is JSON"));
            }
            Output::Tell(_, told) => self.secrets.hidden_in(&format!("{told:?}")),
            Output::End => {
                assert!(self.ending, "the daemon ends though nobody asked");
                self.disk.end(self.now.at);
                self.relay = None;
            }
        }
    }

    fn frame(&mut self, line: Line, frame: &str) {
        let cable = self.lines.get_mut(&line).expect("a frame for a line that is open");
        assert!(!cable.busy, "a second frame while one is on its way: {frame}");
        assert!(cable.opened, "a frame before the upgrade: {frame}");
        cable.busy = true;
        let packet = match engine::Packet::decode(frame).expect("a frame of ours is a packet") {
            engine::Packet::Pong(_) => return,
            engine::Packet::Message(message) => socket::Packet::decode(message).expect("a packet of ours is one"),
            other => panic!("a client does not send {other:?}"),
        };
        assert!(packet.json.is_empty() || json::scan(packet.json).is_ok(), "{frame}");
        match packet.kind {
            Kind::Connect => {
                assert!(!cable.greeted, "a second CONNECT on one line");
                cable.greeted = true;
                let token = json::member(packet.json, "token").and_then(json::string).expect("CONNECT has a token");
                assert!(self.offered.insert((line.link, token.into_owned())), "a token is offered twice");
            }
            Kind::Event => {
                assert!(cable.greeted, "a join before CONNECT");
                cable.joins.extend(packet.ack);
            }
            Kind::Ack => {}
            other => panic!("a client does not send {other:?}"),
        }
    }

    fn call(&mut self, ticket: Ticket, call: Box<Call>) {
        let (mint, link) = (call.url.contains("/auth/token"), link_of(ticket));
        let guild = self.settings.guilds.get(usize::from(call.guild)).expect("a call goes to a guild");
        let base = if mint { &guild.center } else { &guild.url };
        assert!(call.url.starts_with(&format!("{base}/")), "{} is not of {base}", call.url);
        assert!(call.url.bytes().all(|byte| byte.is_ascii_graphic()), "{:?}", call.url);
        assert_eq!(mint, call.bearer.is_none(), "a bearer on everything but the mint");
        assert!(call.deadline_ms <= budget::MINT_MS.max(budget::CALL_MS));
        assert!(call.body.as_deref().is_none_or(|body| json::scan(body).is_ok()));
        if mint {
            let body: Value = serde_json::from_str(call.body.as_deref().unwrap_or_default()).expect("a mint is JSON");
            let name = format!("{}@{}", body["agentId"].as_str().unwrap_or_default(), guild.name);
            let known = self.links.insert(link, name.clone());
            assert!(known.is_none_or(|known| known == name), "a link is for one agent in one guild");
        }
        assert!(self.calls.iter().all(|(other, _)| *other != ticket) && !self.answered.contains(&ticket));
        assert!(self.calls_of(link) < CALLS, "{} calls of one link", self.calls_of(link));
        self.calls.push((ticket, call));
    }

    fn ask(&mut self, agent: AgentId, turn: Turn) {
        assert!(self.agents.contains_key(&agent), "a turn for an agent that was not hired");
        self.turns.retain(|(of, open)| *of != agent || open.id != turn.id);
        let same = |(of, open): &&(AgentId, Turn)| *of == agent && open.conv.key == turn.conv.key;
        assert!(self.turns.iter().find(same).is_none(), "two open turns in one conversation");
        let line = guild_bridge::agent::line::message(&turn);
        assert!(json::scan(&line).is_ok() && !line.contains('\n'), "{line}");
        assert!((1..=3).contains(&turn.attempt), "attempt {}", turn.attempt);
        self.turns.push((agent, turn));
        assert!(self.turns.iter().filter(|(of, _)| *of == agent).count() <= usize::from(budget::PARALLEL));
    }
}
