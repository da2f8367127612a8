//! The world as values: guilds, network, agents, disk and clock around a real `Relay`. An hour runs in milliseconds; the
//! same seed tells the same story. What every story must keep is checked all the time, in whatever test it runs:
//! no token is offered twice, nothing is live without proof on its present socket, one frame at a time on a line,
//! no frame for which a server closes, no secret in a status, one open turn a conversation.
#![allow(dead_code, unused_imports)]

pub mod agent;
pub mod ask;
pub mod board;
pub mod calls;
pub mod disk;
pub mod hall;
pub mod happening;
mod life;
pub mod log;
#[path = "../guild/model.rs"]
pub mod model;
pub mod outputs;
pub mod plant;
mod server;
pub mod setup;
pub mod story;
mod truth;
pub mod vouched;
pub mod watched;

pub use agent::Habit;
pub use disk::Disk;
pub use hall::{Hall, What};
pub use model::{Fault, Rejection};
pub use plant::{Lie, Plant, Slip};

use agent::Hand;
use guild_bridge::budget;
use guild_bridge::journal::{Keeper, Standing, Task};
use guild_bridge::message::{AgentId, Line, LinkId};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::{Client, Command, Input, Told};
use guild_bridge::relay::{Options, Relay};
use guild_bridge::secret::Secret;
use guild_bridge::settings::{Agent, DialectName, Guild, RespondTo, Settings, Timing, Transport};
use guild_bridge::status::{LinkStatus, Status};
use happening::{AtGuild, Event, Happening, Socket};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use story::Story;

/// Milliseconds of so many seconds.
pub const fn secs(s: u64) -> u64 {
    s * 1000
}

/// Milliseconds of so many minutes.
pub const fn mins(m: u64) -> u64 {
    m * 60_000
}

/// Who asks for the status samples.
const WATCHER: Client = Client(u32::MAX);
/// More steps than this at one moment is a loop without rest.
const STEPS_AT_ONCE: u32 = 20_000;

/// Everything.
pub struct World {
    pub settings: Settings,
    pub halls: Vec<Hall>,
    pub hands: BTreeMap<String, Hand>,
    pub story: Story,
    pub rng: fastrand::Rng,
    /// Milliseconds since the story began.
    pub at: u64,
    /// How far the board's wall clock is from the guild's.
    pub clock_offset_ms: i64,
    /// The state directory.
    pub disk: Disk,
    /// Turns whose attachments were given up.
    pub discarded: Vec<String>,
    /// When the daemon said that it may end.
    pub ended_at: Option<u64>,
    /// What the board's clocks and disk went through.
    pub board: board::Board,
    /// A bug that is planted, to see it found.
    pub plant: Option<Plant>,
    /// What clients were told.
    pub told: Vec<(Client, Told)>,
    seed: u64,
    relay: Option<Relay>,
    life: u32,
    queue: BTreeMap<(u64, u64), Event>,
    order: u64,
    /// Lines that the relay has open, with whether a frame is on its way.
    lines: BTreeMap<Line, bool>,
    /// What lines bring that are not read now, or were not until now.
    unread: BTreeMap<Line, Unread>,
    /// Lines of this life that were hung up.
    left: BTreeSet<Line>,
    /// Which guild a line was dialled to.
    places: BTreeMap<Line, usize>,
    /// The journal of this life, and what is on its way to it.
    keeper: Option<Keeper>,
    tasks: VecDeque<Task>,
    /// What status says of it, and what that vouches for.
    standing: Option<Standing>,
    pub vouched: vouched::Vouched,
    given: watched::Given,
    workers: [outputs::Worker; 2],
    names: BTreeMap<AgentId, String>,
    /// The socket on which a link made its last handshake.
    sockets: BTreeMap<String, Socket>,
    clients: u32,
    /// Messages and agents' words of one moment are handled before one `poll`, as the loop does where they came together.
    pub together: bool,
    /// So many were handled since the last `poll`.
    handled: usize,
    /// The most that were ever handled so.
    pub most_together: usize,
    /// The daemon stays ended until it is started.
    down: bool,
    planted: plant::Growth,
}

/// What a line brought while it was not read.
#[derive(Default)]
pub struct Unread {
    held: bool,
    waiting: VecDeque<Happening>,
}

impl World {
    /// Time goes on.
    pub fn run_for(&mut self, ms: u64) {
        self.run_until(self.at + ms);
    }

    /// Time goes on until something is so; fails after `ms`.
    pub fn run_till(&mut self, ms: u64, what: &str, so: impl Fn(&World) -> bool) -> u64 {
        let (from, end) = (self.at, self.at + ms);
        self.begin();
        while !so(self) {
            let next = self.next_moment().filter(|at| *at <= end);
            let Some(next) = next else { panic!("not within {ms} ms: {what}\n{}", self.tail()) };
            self.run_until(next);
        }
        self.at - from
    }

    /// Time goes on until this link is live.
    pub fn run_live(&mut self) {
        self.run_till(secs(30), "the first link is live", |w| w.state() == "live");
    }

    /// Time goes on to a moment.
    pub fn run_until(&mut self, end: u64) {
        self.begin();
        let (mut steps, mut before) = (0, self.at);
        while let Some(next) = self.next_moment().filter(|at| *at <= end) {
            steps = if next > before { 0 } else { steps + 1 };
            before = next;
            assert!(steps < STEPS_AT_ONCE, "time stands still at {next} ms\n{}", self.tail());
            self.at = self.at.max(next);
            self.step();
        }
        self.at = end;
        self.halls.iter_mut().for_each(|h| h.now = end);
    }

    /// Plans something.
    pub fn at(&mut self, ms: u64, what: impl FnOnce(&mut World) + 'static) {
        let due = self.at + ms;
        self.push(due, Event::Script(Box::new(what)));
    }

    /// The queue's next moment, or the relay's.
    fn next_moment(&mut self) -> Option<u64> {
        self.gather();
        let queued = self.queue.keys().next().map(|(at, _)| (*at).max(self.at));
        let due = self.relay.as_ref().and_then(Relay::deadline).map(|due| self.story_time(due));
        let written = self.keeper.as_ref().and_then(Keeper::due).map(|due| self.story_time(due));
        let unread = self.readable().map(|_| self.at);
        [queued, due, written, unread].into_iter().flatten().min()
    }

    /// A line that is read again and has something left from before.
    fn readable(&self) -> Option<Line> {
        self.unread.iter().find(|(_, unread)| !unread.held && !unread.waiting.is_empty()).map(|(line, _)| *line)
    }

    /// What a line brings in its order, when it is read.
    fn read(&mut self, happening: Happening) {
        let line = match &happening {
            Happening::Text(line, _) | Happening::Binary(line, _) | Happening::Lost(line, ..) => *line,
            _ => return self.feed_planted(happening),
        };
        match self.unread.get_mut(&line).filter(|unread| unread.held || !unread.waiting.is_empty()) {
            Some(unread) => unread.waiting.push_back(happening),
            None => self.feed_planted(happening),
        }
    }

    fn feed_planted(&mut self, happening: Happening) {
        if let Some(happening) = self.planted_happening(happening) {
            self.feed(happening);
        }
    }

    fn step(&mut self) {
        self.halls.iter_mut().for_each(|h| h.now = self.at);
        if let Some(line) = self.readable() {
            if let Some(happening) = self.unread.get_mut(&line).and_then(|unread| unread.waiting.pop_front()) {
                self.feed_planted(happening);
                return self.gather();
            }
        }
        let due = self.queue.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= self.at);
        match due.and_then(|key| self.queue.remove(&key)) {
            Some(event) => self.happen(event),
            None => {
                let now = self.now();
                let disk = &mut self.disk;
                let stored = self.keeper.as_mut().and_then(|keeper| keeper.tick(disk, now.at));
                self.used_disk();
                if let Some(stored) = stored {
                    return self.feed(Happening::Disk(stored));
                }
                if let Some(relay) = &mut self.relay {
                    relay.tick(now);
                }
                self.perform();
                self.watch();
            }
        }
    }

    fn happen(&mut self, event: Event) {
        if self.sleeps_over(&event) {
            return self.push(self.board.asleep_until, event);
        }
        match event {
            Event::Relay(life, happening) if life == self.life => self.read(happening),
            Event::Relay(..) => {}
            Event::Guild(place, at_guild) => self.hall(place).take(at_guild),
            Event::WorkerFree(life, worker) if life == self.life => self.worker_free(worker),
            Event::WorkerFree(..) => {}
            Event::Written(life) if life == self.life => self.written(),
            Event::Written(..) => {}
            Event::Script(what) => what(self),
        }
        self.gather();
    }

    /// One happening for the relay; what it wants is done, and its status is looked at.
    fn feed(&mut self, happening: Happening) {
        if let Some(line) = happening.line() {
            let Some(busy) = self.lines.get_mut(&line) else { return self.feed_late(line, happening) };
            match happening {
                Happening::Sent(_) => *busy = false,
                Happening::Lost(..) => drop(self.lines.remove(&line)),
                _ => {}
            }
        }
        self.hear(&happening);
        if let (Happening::Disk(stored), Some(standing)) = (&happening, &mut self.standing) {
            standing.note(stored);
            self.given.stored(stored);
        }
        let (now, one_of_many) = (self.now(), happening.is_one_of_many());
        if let Some(relay) = &mut self.relay {
            happening.into_input(|input| relay.handle(input, now));
        }
        if self.together && one_of_many && self.handled + 1 < budget::HAPPENINGS && self.comes_together() {
            self.handled += 1;
            self.most_together = self.most_together.max(self.handled + 1);
            return;
        }
        self.handled = 0;
        self.perform();
        self.watch();
    }

    /// Whether what happens next, at this moment, is one more of those that the loop takes together.
    fn comes_together(&self) -> bool {
        if self.plant.is_some() || self.readable().is_some() {
            return false;
        }
        let next = self.queue.first_key_value().filter(|((at, _), _)| *at <= self.at).map(|(_, event)| event);
        let Some(Event::Relay(life, happening)) = next else { return false };
        let is_read = |line| self.lines.contains_key(&line) && !self.unread.contains_key(&line);
        *life == self.life && happening.is_one_of_many() && happening.line().is_none_or(is_read)
    }

    /// News of a line that was hung up: a pump may have told it before it heard of the end.
    fn feed_late(&mut self, line: Line, happening: Happening) {
        let now = self.now();
        if let (Some(relay), true) = (&mut self.relay, self.left.contains(&line)) {
            happening.into_input(|input| relay.handle(input, now));
            self.perform();
            self.watch();
        }
    }

    fn watch(&mut self) {
        let now = self.now();
        let Some(relay) = &mut self.relay else { return };
        let ask = Happening::Control(WATCHER, Command::Status);
        ask.into_input(|input| relay.handle(input, now));
        self.perform();
    }

    /// The board's memory: so many bytes of heap are in use, so many may be.
    pub fn heap(&mut self, used: usize, limit: usize) {
        let now = self.now();
        if let Some(relay) = &mut self.relay {
            relay.handle(Input::Heap { used, limit }, now);
        }
        self.perform();
        self.watch();
    }

    /// What the halls have sent goes into the queue.
    fn gather(&mut self) {
        for place in 0..self.halls.len() {
            self.halls[place].now = self.at;
            for (due, event) in std::mem::take(&mut self.halls[place].out) {
                self.push(due, event);
            }
            let notes = std::mem::take(&mut self.halls[place].notes);
            self.story.notes.extend(notes);
            self.halls[place].aloud = self.story.aloud;
            for (at, line) in std::mem::take(&mut self.halls[place].transcript) {
                self.story.tell(at, line);
            }
            for (at, socket, token) in std::mem::take(&mut self.halls[place].offers) {
                let hall = &self.halls[place];
                let id = hall.model.tokens.get(&token).map_or("nobody", |t| t.agent.as_str());
                let agent = self.settings.agents.iter().find(|a| a.id == id).map_or(id, |a| &a.name);
                let link = format!("{agent}@{}", hall.name);
                self.story.offer(at, socket.life, &link, &format!("{token} of {}", hall.name));
                // what an earlier life or attempt sent may come last, where a network was slow
                let last = self.sockets.entry(link).or_insert(socket);
                *last = socket.max(*last);
            }
        }
    }

    fn push(&mut self, due: u64, event: Event) {
        self.order += 1;
        self.queue.insert((due.max(self.at), self.order), event);
    }

    /// The last of the story, for a failing test.
    pub fn tail(&self) -> String {
        let from = self.story.transcript.len().saturating_sub(40);
        let lines = self.story.transcript[from..].iter().map(|(at, l)| format!("{at:>9} {l}\n"));
        let seen = self.story.seen.iter().rev().take(6).map(|s| format!("{s:?}\n"));
        lines.chain(seen).collect()
    }

    /// The socket of a link's last handshake, while it is open.
    fn socket_of(&self, link: &str) -> Option<Socket> {
        let socket = self.sockets.get(link).copied()?;
        (socket.life == self.life && self.lines.contains_key(&line_of(socket))).then_some(socket)
    }
}

/// The line of a socket, as the relay names it.
pub fn line_of(socket: Socket) -> Line {
    Line { link: LinkId(socket.line.0), attempt: socket.line.1 }
}

/// Ids that occur twice.
pub fn twice<T: Ord + Clone>(ids: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    ids.into_iter().filter(|id| !seen.insert(id.clone())).collect()
}
