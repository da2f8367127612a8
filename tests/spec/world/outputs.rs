//! What the relay wants is done: by the network, the workers, the agents and the disk.

use super::agent::{Asked, Ended, Hand};
use super::calls::route_of;
use super::happening::{AtGuild, Event, Happening, Request, Socket};
use super::{World, story};
use guild_bridge::agent::Said;
use guild_bridge::budget;
use guild_bridge::call::{self, Method, Sink, Ticket};
use guild_bridge::journal::{Record, Task};
use guild_bridge::message::{AgentId, Line, Turn};
use guild_bridge::moment::Now;
use guild_bridge::port::{Command, Input, Output, Told};
use std::collections::VecDeque;

/// One worker thread: one call at a time.
#[derive(Default)]
pub struct Worker {
    busy: bool,
    waiting: VecDeque<(Ticket, Box<call::Call>)>,
}

/// Outputs of one `poll` round; more is a loop.
const OUTPUTS_AT_ONCE: u32 = 10_000;

impl World {
    /// Polls until nothing more is wanted.
    pub(super) fn perform(&mut self) {
        for round in 0.. {
            assert!(round < OUTPUTS_AT_ONCE, "the relay never stops asking\n{}", self.tail());
            let output = self.relay.as_mut().and_then(guild_bridge::relay::Relay::poll);
            let Some(mut output) = output.or_else(|| self.planted_more()) else { return };
            if self.planted_output(&mut output) {
                self.perform_one(output);
            }
        }
    }

    fn perform_one(&mut self, output: Output) {
        match output {
            Output::Dial { line, url, guild } => self.dial(line, url, usize::from(guild)),
            Output::Send(line, frame) => {
                let frame = self.planted_frame(frame.into());
                self.watch_join(line, &frame);
                self.frame(line, frame);
            }
            Output::Hold(line, held) => self.hold(line, held),
            Output::HangUp(line, last) => self.hang_up(line, last),
            Output::Call(ticket, call) => self.call(ticket, call),
            Output::Ask(agent, turn) => {
                self.planted_turn(agent, &turn);
                self.give(agent, (*turn).clone());
            }
            Output::Cancel(agent, turn, why) => {
                let (at, life) = (self.at, self.life);
                let hand = self.hand_of(agent);
                let ended = if why == guild_bridge::agent::Cancel::Timeout { Ended::Failed } else { Ended::Later };
                hand.over(at, life, &turn, ended);
                hand.cancelled.push((at, turn, why.word()));
            }
            Output::Sent(agent, id, sent) => {
                let what = match sent {
                    guild_bridge::agent::Sent::Stored { message } => Ok(message),
                    guild_bridge::agent::Sent::Refused(why) => Err(why.reason.code()),
                };
                self.hand_of(agent).sent.push((id, what));
            }
            Output::Hire(agent, settings) => self.hire(agent, settings.name),
            Output::Dismiss(agent) => {
                let (at, life) = (self.at, self.life);
                let hand = self.hand_of(agent);
                hand.leave(at, life, Ended::Later);
                hand.id = None;
                self.names.remove(&agent);
            }
            Output::Store(task) => self.store(task),
            Output::Discard(turn) => self.discarded.push(turn),
            Output::Tell(client, Told::Status(status)) if client == super::WATCHER => self.sample(*status),
            Output::Tell(client, told) => {
                let told = self.planted_telling(told);
                self.assert_no_secret(&format!("{told:?}"));
                if matches!(told, Told::Done(_)) {
                    self.story.done.entry(client).or_insert(self.at);
                }
                self.told.push((client, told));
            }
            Output::End => {
                let now = self.now();
                self.last_gaps(now);
                self.ended_at = Some(self.at);
                for task in std::mem::take(&mut self.tasks) {
                    self.keeper.as_mut().and_then(|keeper| keeper.take(&mut self.disk, &task, now.at));
                }
                if let Some(mut keeper) = self.keeper.take() {
                    keeper.end(&mut self.disk, now.at);
                }
                self.disk.let_go();
                self.used_disk();
                self.doubt_last_words(false);
                self.end_of_life();
            }
        }
    }

    /// What was counted in the instant in which the daemon ended, and no status was asked for any more.
    fn last_gaps(&mut self, now: Now) {
        let Some(relay) = &mut self.relay else { return };
        relay.handle(Input::Control(super::WATCHER, Command::Status), now);
        while let Some(output) = relay.poll() {
            if let Output::Tell(super::WATCHER, Told::Status(status)) = output {
                self.story.sample_gaps(&status);
            }
        }
    }

    pub(super) fn dial(&mut self, line: Line, url: String, place: usize) {
        let before = self.lines.insert(line, false);
        assert!(before.is_none(), "a line is dialled twice: {line:?}");
        let open = self.lines.keys().filter(|l| l.link == line.link).count();
        assert!(open <= 2, "more than two connections of one link at once");
        self.story.tell(self.at, "dial");
        self.story.dials.entry((self.life, line.link.0)).or_default().push(self.at);
        let due = self.at + self.halls[place].latency_ms;
        self.places.insert(line, place);
        self.push(due, Event::Guild(place, AtGuild::Dialled(self.socket(line), url)));
    }

    pub(super) fn frame(&mut self, line: Line, frame: String) {
        let Some(busy) = self.lines.get_mut(&line) else { panic!("a frame for a line that is not open: {line:?}") };
        assert!(!*busy, "a second frame before the first was on its way: {frame}");
        *busy = true;
        let place = self.places[&line];
        let due = self.at + self.halls[place].latency_ms;
        if !self.halls[place].stuck {
            self.push(self.at, Event::Relay(self.life, Happening::Sent(line)));
        }
        if !self.halls[place].dark {
            self.push(due, Event::Guild(place, AtGuild::Frame(self.socket(line), frame)));
        }
    }

    fn hold(&mut self, line: Line, held: bool) {
        assert!(self.lines.contains_key(&line), "a line that is not open is read no further: {line:?}");
        let unread = self.unread.entry(line).or_default();
        assert!(unread.held != held, "a line is told twice whether it is read: {line:?}, {held}");
        unread.held = held;
        self.story.tell(self.at, if held { "hold" } else { "go" });
    }

    pub(super) fn hang_up(&mut self, line: Line, last: Vec<Box<str>>) {
        let place = *self.places.get(&line).expect("a line that is hung up was dialled");
        if self.lines.remove(&line).is_none() {
            return;
        }
        self.left.insert(line);
        self.unread.remove(&line);
        let (socket, due) = (self.socket(line), self.at + self.halls[place].latency_ms);
        if self.halls[place].dark {
            return;
        }
        for frame in last {
            self.push(due, Event::Guild(place, AtGuild::Frame(socket, frame.into())));
        }
        self.push(due, Event::Guild(place, AtGuild::HungUp(socket)));
    }

    fn socket(&self, line: Line) -> Socket {
        Socket { life: self.life, line: (line.link.0, line.attempt) }
    }

    fn call(&mut self, ticket: Ticket, call: Box<call::Call>) {
        let (route, ..) = route_of(&call.url, call.method == Method::Post);
        assert!(route != "unknown", "a call that CONTRACT does not have: {}", call.url);
        assert_eq!(route == "mint", call.bearer.is_none(), "a bearer on everything but the mint: {}", call.url);
        assert!(call.deadline_ms <= 60_000, "a call without a sensible deadline");
        let worker = &mut self.workers[usize::from(call.worker == call::Worker::Call)];
        worker.waiting.push_back((ticket, call));
        self.start_call(0);
        self.start_call(1);
    }

    pub(super) fn worker_free(&mut self, worker: usize) {
        self.workers[worker].busy = false;
        self.start_call(worker);
    }

    fn start_call(&mut self, worker: usize) {
        if self.workers[worker].busy {
            return;
        }
        let Some((ticket, call)) = self.workers[worker].waiting.pop_front() else { return };
        self.workers[worker].busy = true;
        let (sink_bytes, finds_id) = match &call.sink {
            Sink::Memory(bytes) => (*bytes, false),
            Sink::MemoryOrId(bytes) => (*bytes, true),
            Sink::File(_, bytes) => (usize::try_from(*bytes).unwrap_or(usize::MAX), false),
        };
        let request = Request {
            post: call.method == Method::Post,
            url: call.url.clone(),
            bearer: call.bearer.as_ref().map(|b| b.expose().to_owned()),
            key: call.idempotency_key.clone(),
            body: call.body.clone().unwrap_or_default(),
            sink_bytes,
            finds_id,
            deadline: self.at + call.deadline_ms,
        };
        let place = usize::from(call.guild);
        let due = self.at + self.halls[place].latency_ms;
        self.push(due, Event::Guild(place, AtGuild::Request(self.life, ticket, worker, Box::new(request))));
    }

    pub(super) fn hire(&mut self, agent: AgentId, name: String) {
        assert!(self.names.insert(agent, name.clone()).is_none(), "an agent's id is given again");
        let hand = self.hands.entry(name.clone()).or_insert_with(|| Hand::new(&name));
        hand.id = Some(agent);
        if hand.here {
            self.push(self.at + 1, Event::Relay(self.life, Happening::Agent(agent, Said::Here)));
        }
    }

    fn hand_of(&mut self, agent: AgentId) -> &mut Hand {
        let name = self.names.get(&agent).expect("an agent that was hired");
        self.hands.get_mut(name).expect("an agent of this world")
    }

    pub(super) fn give(&mut self, agent: AgentId, turn: Turn) {
        let (at, life) = (self.at, self.life);
        let name = self.names.get(&agent).expect("an agent that was hired").clone();
        let parallel = self.settings.agents.iter().find(|a| a.name == name).map_or(64, |a| usize::from(a.parallel));
        let doubts = std::mem::take(&mut self.board.doubts);
        self.hand_of(agent).got(at, life, &turn, &doubts);
        self.board.doubts = doubts;
        let hand = self.hand_of(agent);
        hand.open.retain(|t| t.id != turn.id);
        let same = hand.open.iter().find(|t| t.conv.key == turn.conv.key);
        assert!(same.is_none(), "two open turns in one conversation: {same:?} {turn:?}");
        hand.open.push(turn.clone());
        hand.open_peak = hand.open_peak.max(hand.open.len());
        assert!(hand.open.len() <= parallel, "more turns open than `parallel`: {parallel}");
        hand.asked.push(Asked { at, turn: turn.clone() });
        self.note(|| {
            format!("asks {name} about {} ({}), attempt {}", turn.message.id, turn.message.text, turn.attempt)
        });
        let hand = self.hand_of(agent);
        for (ms, said) in hand.take(&turn) {
            self.push(at + ms, Event::Relay(life, Happening::Agent(agent, said)));
        }
    }

    /// What an agent says is noted on its way to the relay.
    pub(super) fn hear(&mut self, happening: &Happening) {
        let Happening::Agent(agent, said) = happening else { return };
        self.note(|| format!("agent: {said:?}"));
        let (at, life) = (self.at, self.life);
        if !self.names.contains_key(agent) {
            return;
        }
        let hand = self.hand_of(*agent);
        if let Said::Reply { turn, text, .. } = said {
            hand.says(at, turn, text);
        }
        match said {
            Said::Reply { turn, last: true, .. } | Said::None { turn } => hand.over(at, life, turn, Ended::Replied),
            Said::Failed { turn, .. } => hand.over(at, life, turn, Ended::Failed),
            Said::Busy { turn, .. } | Said::Absent { turn, .. } => hand.over(at, life, turn, Ended::Later),
            Said::Gone(_) => hand.leave(at, life, Ended::Failed),
            // a newer one takes over what is open
            Said::Here => hand.leave(at, life, Ended::Later),
            _ => {}
        }
    }

    fn store(&mut self, task: Task) {
        self.story.tell(self.at, "store");
        self.vouched.give(self.at, &task);
        self.given.give(&task);
        for record in task.records.iter() {
            if let Record::Cursor { link, channel, before: Some(_), .. } = record {
                self.story.places.entry((link.clone(), channel.clone())).or_insert(self.at);
            }
        }
        self.tasks.push_back(task);
        self.push(self.at + 1, Event::Written(self.life));
    }
}
