//! The daemon as one value. **The one law**: after every `handle` or `tick`, `poll` until `None`; then wait for
//! the next happening or for `deadline`, whichever comes first. Messages and agents' words that wait beside one another may
//! be handled before one `poll`: what they want comes in their order.
//!
//! The relay routes and owns; what happens in a link, to a turn or to a post is decided in `link`, `inbox`, `outbox`.

mod command;
mod crew;
mod ledger;
mod letters;
mod plan;
mod reload;
mod shed;

pub use crate::port;

use crate::account::Accounts;
use crate::budget::ceiling::Pressure;
use crate::inbox::Became;
use crate::journal::{Kept, Record};
use crate::link::calls::Calls;
use crate::link::{Link, News};
use crate::message::{AgentId, LinkId};
use crate::moment::{Moment, Now, sooner};
use crate::port::{Client, Input, Output, Told};
use crate::settings::Settings;
use crate::step::Step;
use crew::Crew;
use ledger::Ledger;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// What the relay is told of the world besides its configuration.
pub struct Options {
    /// Where attachments go: `DIR/TURN/ID`.
    pub attachments: PathBuf,
    /// Where chance begins: the same seed tells the same story.
    pub seed: u64,
    /// A wall clock before this (milliseconds since 1970) is not set: the build date.
    pub build_ms: u64,
}

/// The daemon.
pub struct Relay {
    settings: Settings,
    options: Options,
    rng: fastrand::Rng,
    accounts: Accounts,
    started: Moment,
    crew: Vec<Crew>,
    links: Vec<Link>,
    next_link: u16,
    next_agent: u16,
    out: VecDeque<Output>,
    ledger: Ledger,
    tails: BTreeMap<Client, Option<String>>,
    lines: Vec<(String, String)>,
    sends: u64,
    stopping: Option<Moment>,
    pressure: Pressure,
    /// How often the heap came near its budget.
    sheds: u64,
    /// Messages that were let go then.
    let_go: u64,
    /// Something happened since the last `poll`: what follows from it is still to be done.
    stirred: Option<Now>,
}

impl Relay {
    /// A daemon with what its journal kept.
    #[must_use]
    pub fn new(settings: Settings, kept: Kept, options: Options, now: Now) -> Self {
        let mut relay = Self {
            settings: Settings::default(),
            rng: fastrand::Rng::with_seed(options.seed),
            accounts: Accounts::default(),
            ledger: Ledger::new(kept, now.wall_ms, options.build_ms),
            options,
            started: now.at,
            crew: Vec::new(),
            links: Vec::new(),
            next_link: 0,
            next_agent: 0,
            out: VecDeque::new(),
            tails: BTreeMap::new(),
            lines: Vec::new(),
            sends: 0,
            stopping: None,
            pressure: Pressure::Easy,
            sheds: 0,
            let_go: 0,
            stirred: None,
        };
        relay.settings.state = settings.state;
        let plan = relay.plan(settings);
        relay.apply(plan, now);
        relay.settle(now);
        relay.ledger.forget_the_old();
        relay
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input<'_>, now: Now) {
        match input {
            Input::Wire(line, wire) => self.with_link(line.link, now, |link, step| link.wire(line, wire, step)),
            Input::Answer(ticket, answer) => {
                self.with_link(Calls::link_of(ticket), now, |link, step| link.answer(ticket, answer, step));
            }
            Input::Agent(agent, said) => self.agent_said(agent, said, now),
            Input::Disk(stored) => self.stored(&stored, now),
            Input::Control(client, command) => self.control(client, command, now),
            Input::Heap { used, limit } => self.heap(used, limit),
        }
        self.stirred = Some(now);
    }

    /// Time passed.
    pub fn tick(&mut self, now: Now) {
        for at in 0..self.links.len() {
            self.step(now, |relay, step| {
                if let Some(link) = relay.links.get_mut(at) {
                    link.tick(step);
                }
            });
        }
        self.stirred = Some(now);
    }

    /// What is to be done, one at a time. What has to outlive the process comes first.
    pub fn poll(&mut self) -> Option<Output> {
        if let Some(now) = self.stirred.take() {
            self.work(now);
        }
        let links = &self.links;
        if let Some(store) = self.ledger.flush(links) {
            return Some(store);
        }
        for (agent, line) in self.lines.drain(..) {
            for (client, _) in self.tails.iter().filter(|(_, of)| of.as_ref().is_none_or(|of| *of == agent)) {
                self.out.push_back(Output::Tell(*client, Told::Tail(format!("{agent} {line}"))));
            }
        }
        self.out.pop_front()
    }

    /// When `tick` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let links = self.links.iter().fold(None, |soonest, link| sooner(soonest, link.deadline()));
        let turns =
            self.crew.iter().fold(links, |soonest, crew| sooner(soonest, sooner(crew.inbox.deadline(), crew.leaving)));
        sooner(turns, self.stopping)
    }

    /// After every happening, or those that came together: news, turns that are late, new turns, what links want next,
    /// cursors, and the end if it is due.
    fn work(&mut self, now: Now) {
        self.pass_news(now);
        self.late_turns(now);
        self.give_turns(now);
        self.pass_news(now);
        self.settle(now);
        if self.ledger.cursors_due(now) {
            self.keep_cursors(now);
        }
        self.ledger.find_places(&self.links);
        let watched = self.settings.page.is_some();
        self.crew.iter_mut().for_each(|crew| crew.note_day(watched, now.at));
        self.farewells(now);
    }

    fn settle(&mut self, now: Now) {
        self.step(now, |relay, step| relay.links.iter_mut().for_each(|link| link.settle(step)));
    }

    fn keep_cursors(&mut self, now: Now) {
        self.step(now, |relay, step| {
            for link in &mut relay.links {
                link.keep_moved_cursors(step);
            }
        });
    }

    fn stored(&mut self, stored: &port::Stored, now: Now) {
        self.ledger.stored(stored);
        for at in 0..self.links.len() {
            let upto = stored.upto;
            self.step(now, |relay, step| {
                if let Some(link) = relay.links.get_mut(at) {
                    link.stored(upto, step);
                }
            });
        }
    }

    fn with_link(&mut self, id: LinkId, now: Now, act: impl FnOnce(&mut Link, &mut Step<'_>)) {
        self.step(now, |relay, step| {
            if let Some(link) = relay.links.iter_mut().find(|link| link.id() == id) {
                act(link, step);
            }
        });
    }

    /// Lends a step of the core what it may use.
    fn step<R>(&mut self, now: Now, act: impl FnOnce(&mut Self, &mut Step<'_>) -> R) -> R {
        let mut out = std::mem::take(&mut self.out);
        let mut records: Vec<Record> = std::mem::take(&mut self.ledger.records);
        let mut rng = self.rng.clone();
        let mut accounts = std::mem::take(&mut self.accounts);
        let mut tail = std::mem::take(&mut self.lines);
        let (next_store, followed) = (self.ledger.next_store(), !self.tails.is_empty());
        let mut pressing = self.ledger.pressing;
        let mut step = Step {
            now,
            rng: &mut rng,
            accounts: &mut accounts,
            out: &mut out,
            records: &mut records,
            next_store,
            pressing: &mut pressing,
            tail: &mut tail,
            followed,
        };
        let result = act(self, &mut step);
        self.ledger.pressing = pressing;
        self.out = out;
        self.ledger.records = records;
        self.rng = rng;
        self.accounts = accounts;
        self.lines = tail;
        result
    }

    fn crew_of(&mut self, agent: AgentId) -> Option<&mut Crew> {
        self.crew.iter_mut().find(|crew| crew.id == agent)
    }

    fn agent_of(&self, link: LinkId) -> Option<AgentId> {
        let link = self.links.iter().find(|other| other.id() == link)?;
        let name = &link.seat().agent.name;
        self.crew.iter().find(|crew| crew.agent.name == *name).map(|crew| crew.id)
    }

    /// What links have to say to turns, agents and clients.
    fn pass_news(&mut self, now: Now) {
        for at in 0..self.links.len() {
            let Some(link) = self.links.get_mut(at) else { return };
            let id = link.id();
            for news in link.take_news() {
                match news {
                    News::Fetched { turn, id: file, fetched } => {
                        let Some(agent) = self.agent_of(id) else { continue };
                        self.step(now, |relay, step| {
                            if let Some(crew) = relay.crew_of(agent) {
                                crew.inbox.fetched(&turn, &file, fetched, step);
                            }
                        });
                    }
                    News::Posted { asked_by, result } => self.post_over(id, asked_by, result),
                    News::KnownAs(me) => self.introduce(id, &me),
                    News::SignedIn(name) => self.step(now, |relay, step| {
                        relay.links.iter_mut().for_each(|link| link.another_signed_in(&name, step));
                    }),
                }
            }
        }
    }

    /// The guild said who an agent is there: its fellows hear of it, and it of them.
    fn introduce(&mut self, id: LinkId, me: &str) {
        let guild = |link: &Link| link.seat().guild.name.clone();
        let Some(at) = self.links.iter().find(|link| link.id() == id).map(guild) else { return };
        let together = |link: &&mut Link| link.seat().guild.name == at;
        let all: Vec<String> = self
            .links
            .iter()
            .filter(|link| link.seat().guild.name == at)
            .filter_map(|link| link.me())
            .map(str::to_owned)
            .collect();
        for link in self.links.iter_mut().filter(together) {
            link.add_fellow(me);
            if link.id() == id {
                all.iter().for_each(|other| link.add_fellow(other));
            }
        }
        self.count_strangers();
    }

    /// Each link hears whether the guild has yet to name one of its fellows there.
    fn count_strangers(&mut self) {
        let strangers: Vec<(LinkId, String)> = self
            .links
            .iter()
            .filter(|link| link.is_stranger())
            .map(|link| (link.id(), link.seat().guild.name.clone()))
            .collect();
        for link in &mut self.links {
            let (id, guild) = (link.id(), link.seat().guild.name.as_str());
            let some = strangers.iter().any(|(other, at)| *other != id && *at == guild);
            link.beside_strangers(some);
        }
    }

    fn became(&mut self, became: Became, now: Now) {
        let (&Became::Reply { link, .. }
        | &Became::Silent { link, .. }
        | &Became::Typing { link, .. }
        | &Became::GivenUp { link, .. }) = &became;
        self.with_link(link, now, |link, step| match became {
            Became::Reply { about, text, last, .. } => link.reply(&about, &text, last, step),
            Became::Silent { about, .. } => link.silent(about, step),
            Became::Typing { about, on, .. } => link.writes(&about, on, step),
            Became::GivenUp { about, why, .. } => link.given_up(&about, &why, step),
        });
    }
}
