//! Happenings as an input chooses them: proper ones, late ones, broken ones.

use super::{Cable, Feed, Stage, guild};
use guild_bridge::agent::Said;
use guild_bridge::call::{Answer, Got, Ticket};
use guild_bridge::codec::json;
use guild_bridge::message::{AgentId, Line};
use guild_bridge::port::{Client, Command, Input, Lost, Wire};
use guild_bridge::reason::{Reason, Why};
use serde_json::Value;

/// Reasons that the pumps give.
const REASONS: [Reason; 12] = [
    Reason::NetClosed,
    Reason::NetTimeout,
    Reason::NetRefused,
    Reason::NetTooBig,
    Reason::NetProtocol,
    Reason::TlsExpired,
    Reason::HttpPortal,
    Reason::AuthDisconnected,
    Reason::CfgPath,
    Reason::CfgTransport,
    Reason::RateLimited,
    Reason::GuildRestarting,
];
const STATUSES: [u16; 16] = [200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503];

impl Stage {
    /// The next happening of an input.
    pub(super) fn happen(&mut self, feed: &mut Feed<'_>) {
        match feed.below(32) {
            0..=7 => self.answer_well(feed),
            8 => self.answer_ill(feed),
            9..=11 => self.answer_wire(feed),
            12 => self.say_on_wire(feed),
            13..=15 => self.speak(feed),
            16 => self.lose(feed),
            17 => self.late(feed),
            18..=19 => self.agent_works(feed),
            20 => self.agent_odd(feed),
            21 => self.write(feed),
            22..=25 => self.pass_time(feed),
            26 => self.command(feed),
            27 => self.reload(feed),
            28 => self.guild_changes(feed),
            29 => self.agent_comes(feed),
            30 => self.crash(feed),
            _ => self.answer_again(feed),
        }
        if self.relay.is_none() {
            self.start();
        }
    }

    fn any_line(&mut self, feed: &mut Feed<'_>) -> Option<Line> {
        let at = feed.below(self.lines.len());
        self.lines.keys().nth(at).copied()
    }

    fn any_agent(&mut self, feed: &mut Feed<'_>) -> Option<AgentId> {
        let at = feed.below(self.agents.len());
        self.agents.keys().nth(at).copied()
    }

    fn take_call(&mut self, feed: &mut Feed<'_>) -> Option<(Ticket, Box<guild_bridge::call::Call>)> {
        let at = feed.below(self.calls.len().min(4));
        if at >= self.calls.len() {
            return None;
        }
        let call = self.calls.remove(at);
        self.answered.push(call.0);
        Some(call)
    }

    fn answer_well(&mut self, feed: &mut Feed<'_>) {
        let Some((ticket, call)) = self.take_call(feed) else { return };
        let again = call.bearer.is_none() && feed.byte() == 255;
        let life = if call.bearer.is_none() { feed.one(&[Some(900), Some(900), Some(1), Some(0), None]) } else { None };
        let secrets = &mut self.secrets;
        let token = || if again { secrets.mint_again() } else { secrets.mint() };
        let whole = self.guild.answer(&call, token, life);
        let got = Got { status: whole.status, body: whole.body.as_bytes(), ..Got::default() };
        let (content_type, date_ms) = (Some("application/json".into()), Some(self.now.wall_ms));
        self.feed(Input::Answer(ticket, Answer::Got(Got { content_type, date_ms, ..got })));
    }

    fn answer_ill(&mut self, feed: &mut Feed<'_>) {
        let Some((ticket, call)) = self.take_call(feed) else { return };
        if feed.flag() {
            let why = Why::new(feed.one(&REASONS), "simulated");
            return self.feed(Input::Answer(ticket, Answer::Failed { why, sent: feed.flag() }));
        }
        let status = feed.one(&STATUSES);
        let bits = feed.byte();
        let said = feed.text();
        // what was refused may be said back
        let told = call.bearer.as_ref().filter(|_| status >= 300).map(|token| said.replace("TOKEN", token.expose()));
        let body = told.as_deref().unwrap_or(said).as_bytes();
        self.feed(Input::Answer(
            ticket,
            Answer::Got(Got {
                status,
                body,
                cut: bits & 1 == 1,
                first_id: (bits & 2 == 2).then(|| "m1".into()),
                content_type: [None, Some("text/html".into()), Some("application/json".into())]
                    [usize::from(bits >> 2 & 3) % 3]
                    .clone(),
                retry_after_ms: (bits & 16 == 16).then(|| feed.number()),
                date_ms: (bits & 32 == 32).then(|| feed.number()),
                replayed: bits & 64 == 64,
            }),
        ));
    }

    /// A ticket that was answered is answered again, or one that never was.
    fn answer_again(&mut self, feed: &mut Feed<'_>) {
        let at = feed.below(self.answered.len());
        let ticket = self.answered.get(at).copied().unwrap_or(Ticket(feed.number()));
        if self.calls.iter().all(|(open, _)| *open != ticket) {
            let body = feed.text().as_bytes();
            self.feed(Input::Answer(ticket, Answer::Got(Got { status: 200, body, ..Got::default() })));
        }
    }

    /// The next proper thing on a line.
    fn answer_wire(&mut self, feed: &mut Feed<'_>) {
        let Some(line) = self.any_line(feed) else { return };
        let odd = feed.byte();
        self.next_on(line, odd);
    }

    /// What a good guild does next on a line; `odd` 0 is the usual. Returns whether there was anything.
    pub(super) fn next_on(&mut self, line: Line, odd: u8) -> bool {
        let Some(cable) = self.lines.get_mut(&line) else { return false };
        if !cable.opened {
            cable.opened = true;
            self.feed(Input::Wire(line, Wire::Opened));
        } else if cable.busy {
            cable.busy = false;
            self.feed(Input::Wire(line, Wire::Sent));
        } else if !cable.engine {
            cable.engine = true;
            let pings = match (odd & 1 == 1, self.calm) {
                (true, _) => r#""pingInterval":100,"pingTimeout":100"#,
                (false, true) => r#""pingInterval":300000"#,
                (false, false) => r#""pingInterval":25000"#,
            };
            self.hear(line, &format!(r#"0{{"sid":"s","upgrades":[],{pings},"maxPayload":1000000}}"#));
        } else if cable.greeted && !cable.connected {
            let refuse = odd & 15 == 15;
            cable.connected = !refuse;
            self.hear(line, if refuse { r#"44{"message":"no"}"# } else { r#"40{"sid":"x"}"# });
        } else if let Some(ack) = cable.joins.pop() {
            let answer = match odd & 15 {
                15 => r#"{"ok":false,"error":"no such room"}"#,
                14 => "null",
                _ => r#"{"ok":true}"#,
            };
            self.hear(line, &format!("43{ack}[{answer}]"));
        } else {
            return false;
        }
        true
    }

    /// A frame comes, whatever is in it.
    pub(super) fn hear(&mut self, line: Line, frame: &str) {
        if let Some(cable) = self.lines.get_mut(&line) {
            cable.may_prove |= may_prove(frame);
            cable.engine |= frame.starts_with('0');
            cable.connected |= frame.starts_with("40");
        }
        self.feed(Input::Wire(line, Wire::Text(frame)));
    }

    fn say_on_wire(&mut self, feed: &mut Feed<'_>) {
        let Some(line) = self.any_line(feed) else { return };
        if self.lines.get(&line).is_none_or(|cable: &Cable| !cable.opened) {
            return;
        }
        if feed.below(8) == 7 {
            return self.feed(Input::Wire(line, Wire::Binary(feed.below(256))));
        }
        let said = feed.text();
        // a refusal may say the token back
        let token = self.offered.iter().rev().find(|(link, _)| *link == line.link).map(|(_, token)| token.as_str());
        let frame = said.replace("TOKEN", token.unwrap_or_default());
        self.hear(line, &frame);
    }

    /// Somebody says something: by history, by the socket, or both; or what was never in history.
    fn speak(&mut self, feed: &mut Feed<'_>) {
        let (channel, how, more) = (guild::any(feed), feed.byte(), feed.byte());
        let author = if how & 8 == 8 { "recruiter" } else { "alice" };
        let text = feed.text();
        for _ in 0..1 + usize::from(how & 0x70 == 0x70) * 90 {
            let message = self.guild.say(channel, author, text, more);
            if how & 3 != 3 {
                self.bring(&message);
            }
        }
        if how & 4 == 4 {
            self.guild.forget(1);
        }
    }

    /// The sockets bring a message.
    pub(super) fn bring(&mut self, message: &Value) {
        let frame = format!("42[\"message.created\",{message}]");
        let up: Vec<Line> = self.lines.iter().filter(|(_, cable)| cable.connected).map(|(line, _)| *line).collect();
        up.into_iter().for_each(|line| self.hear(line, &frame));
    }

    fn lose(&mut self, feed: &mut Feed<'_>) {
        let Some(line) = self.any_line(feed) else { return };
        let retry_after_ms = feed.flag().then(|| feed.number());
        self.lines.remove(&line);
        self.gone.push(line);
        let why = Why::new(feed.one(&REASONS), "simulated");
        self.feed(Input::Wire(line, Wire::Lost(Lost { why, retry_after_ms })));
    }

    /// News of a line that is over, or that nobody dialled.
    fn late(&mut self, feed: &mut Feed<'_>) {
        let at = feed.below(self.gone.len());
        let Some(line) = self.gone.get(at).copied() else { return };
        let text = feed.text();
        let wire = match feed.below(4) {
            0 => Wire::Opened,
            1 => Wire::Sent,
            2 => Wire::Lost(Lost { why: Why::new(Reason::NetClosed, "late"), retry_after_ms: Some(1) }),
            _ => Wire::Text(text),
        };
        self.feed(Input::Wire(line, wire));
    }

    fn agent_comes(&mut self, feed: &mut Feed<'_>) {
        let Some(agent) = self.any_agent(feed) else { return };
        let said = match feed.below(4) {
            0 => {
                self.turns.retain(|(of, _)| *of != agent);
                Said::Gone(Why::new(Reason::AgentGone, "closed"))
            }
            _ => Said::Here,
        };
        self.feed(Input::Agent(agent, said));
    }

    fn agent_works(&mut self, feed: &mut Feed<'_>) {
        let at = feed.below(self.turns.len());
        if at >= self.turns.len() {
            return;
        }
        let how = feed.below(10);
        let (agent, turn) = match how {
            0 | 6 | 7 => self.turns[at].clone(),
            _ => self.turns.remove(at),
        };
        let turn = turn.id.into();
        let why = |reason| Why::new(reason, "simulated");
        let text = feed.text().into();
        let said = match how {
            0 => Said::Reply { turn, text, last: false },
            1 | 2 => Said::Reply { turn, text, last: true },
            3 => Said::None { turn },
            4 => Said::Failed { turn, why: why(Reason::AgentFailed) },
            5 => Said::Busy { turn, retry_ms: feed.flag().then(|| feed.number()) },
            6 => Said::Accepted { turn },
            7 => Said::Typing { turn, on: feed.flag() },
            8 => Said::Absent { turn, why: why(Reason::AgentMissing) },
            _ => Said::Reply { turn, text: "long and longer. ".repeat(1 + feed.below(4) * 200).into(), last: true },
        };
        self.feed(Input::Agent(agent, said));
    }

    /// What an agent says of turns that it does not have, and unasked.
    fn agent_odd(&mut self, feed: &mut Feed<'_>) {
        let Some(agent) = self.any_agent(feed) else { return };
        let how = feed.below(4);
        let (id, conv, text) = (feed.text(), feed.text(), feed.text());
        let conv = if conv.is_empty() { "general" } else { conv };
        let said = match how {
            0 => Said::Reply { turn: id.into(), text: text.into(), last: feed.flag() },
            1 => Said::Garbled(Why::new(Reason::AgentGarbled, "simulated")),
            _ => Said::Send { id: id.into(), conv: conv.into(), text: text.into() },
        };
        self.feed(Input::Agent(agent, said));
    }

    fn write(&mut self, feed: &mut Feed<'_>) {
        match feed.below(8) {
            7 => self.disk.fills_up(u32::from(feed.byte() & 15), usize::from(feed.byte())),
            6 => self.disk.has_room(),
            _ => {}
        }
        for _ in 0..=feed.below(3) {
            if let Some(stored) = self.disk.write(self.now.at) {
                self.feed(Input::Disk(stored));
            }
        }
    }

    fn pass_time(&mut self, feed: &mut Feed<'_>) {
        let due = self.deadline().map_or(0, |at| at.since_ms(self.now.at));
        let ms = match feed.below(8) {
            0..=3 => due,
            4 => due.saturating_sub(1),
            5 => feed.number().min(1_000),
            6 => feed.number().min(100_000_000),
            _ => {
                self.now.wall_ms = feed.number().min(1 << 48);
                0
            }
        };
        self.pass(ms);
    }

    fn command(&mut self, feed: &mut Feed<'_>) {
        let client = Client(u32::from(feed.byte() & 3));
        let agent = feed.one(&["recruiter", "clerk", "nobody"]).to_owned();
        let command = match feed.below(11) {
            0 => Command::Status,
            1..=2 => Command::Send { agent, channel: feed.text().into(), text: feed.text().into() },
            3 => Command::Tail { agent: feed.flag().then_some(agent) },
            4 => Command::Left,
            5 => Command::Restart { agent },
            6 => Command::Nudge,
            7 if feed.flag() => Command::ShowLetter { key: feed.text().into() },
            7 => Command::Letters,
            8 => Command::LettersAgain { which: feed.flag().then_some(agent) },
            9 => Command::DropLetters { which: feed.flag().then_some(agent) },
            _ => {
                self.ending = true;
                Command::Stop
            }
        };
        self.feed(Input::Control(client, command));
    }

    fn reload(&mut self, feed: &mut Feed<'_>) {
        let settings = self.other_settings(feed);
        self.feed(Input::Control(Client(0), Command::Reload(Box::new(settings))));
    }

    fn guild_changes(&mut self, feed: &mut Feed<'_>) {
        match feed.below(4) {
            0 => self.guild.unlisted = feed.byte(),
            1 => self.guild.silent_list ^= true,
            _ => self.guild.forget(feed.below(64)),
        }
    }

    fn crash(&mut self, feed: &mut Feed<'_>) {
        let (operations, high, low) = (feed.byte() & 15, usize::from(feed.byte()), usize::from(feed.byte()));
        self.disk.kill(u32::from(operations), high << 8 | low);
        self.start();
    }
}

/// Whether a frame could prove a channel: a message, or an ack that says yes; what serde_json cannot read might.
fn may_prove(frame: &str) -> bool {
    let Some((head, body)) = frame.find('[').and_then(|at| frame.split_at_checked(at)) else { return false };
    if json::scan(body).is_err() {
        return false;
    }
    let Ok(Value::Array(said)) = serde_json::from_str::<Value>(body) else { return true };
    match head.get(..2) {
        Some("42") => said.first().is_some_and(|name| name == "message.created"),
        Some("43") => said.first().is_some_and(|answer| answer["ok"] == true),
        _ => false,
    }
}
