//! What people ask of the running daemon: status, tail, restart, reload, end.

use super::Relay;
use super::crew::Crew;
use crate::budget;
use crate::budget::ceiling::Pressure;
use crate::day::{DayOf, Days, step_began};
use crate::link::Link;
use crate::message::{AgentId, LinkId};
use crate::moment::Now;
use crate::port::{Client, Command, Output, Told};
use crate::reason::{Reason, Why};
use crate::status::{AgentStatus, Status};
use crate::text::Clipped;

/// Open turns have so long to finish when the daemon ends or their agent is removed.
pub(super) const GRACE_MS: u64 = 5_000;

impl Relay {
    pub(super) fn control(&mut self, client: Client, command: Command, now: Now) {
        match command {
            Command::Status => {
                let status = Box::new(self.status(now));
                self.out.push_back(Output::Tell(client, Told::Status(status)));
            }
            Command::Send { agent, channel, text } => self.send_for(client, &agent, &channel, &text, now),
            Command::Letters => self.list_letters(client),
            Command::ShowLetter { key } => self.show_letter(client, &key),
            Command::LettersAgain { which } => self.letters_again(client, which.as_deref(), now),
            Command::DropLetters { which } => self.drop_letters(client, which.as_deref(), now),
            Command::Tail { agent } => self.tail(client, agent),
            Command::Left => drop(self.tails.remove(&client)),
            Command::Restart { agent } => self.restart(client, &agent, now),
            Command::Plan(settings) => {
                let said = self.plan(*settings).lines().join("\n");
                self.out.push_back(Output::Tell(client, Told::Done(said)));
            }
            Command::Reload(settings) => self.reload(client, *settings, now),
            Command::Stop => self.stop(now),
            Command::Nudge => {
                let resting = self.links.iter_mut().map(|link| link.nudge(now.at)).filter(|rested| *rested).count();
                self.out.push_back(Output::Tell(client, Told::Done(format!("{resting} link(s) that rested try now"))));
            }
        }
    }

    /// The status, its process part still empty.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let mut status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: now.at.since_ms(self.started) / 1000,
            links: self.links.iter().map(|link| link.status(now)).collect(),
            agents: self.crew.iter().map(|crew| self.agent_status(crew)).collect(),
            ..Status::default()
        };
        status.process.shedding = self.pressure == Pressure::Shed;
        (status.process.sheds, status.process.let_go) = (self.sheds, self.let_go);
        if let Some(why) = &self.ledger.failed {
            status.process.state_detail = why.to_string();
        }
        status
    }

    /// The last day of every link and every agent, where the configuration has a page to show it.
    #[must_use]
    pub fn days(&self, now: Now) -> Days {
        let agent = |crew: &Crew| {
            let steps = crew.day.as_ref()?.steps(now.at);
            Some(DayOf { agent: crew.agent.name.clone(), guild: None, steps })
        };
        Days {
            step_ms: budget::DAY_STEP_MS,
            step_began_ms: now.wall_of(step_began(now.at)),
            links: self.links.iter().filter_map(|link| link.day(now.at)).collect(),
            agents: self.crew.iter().filter_map(agent).collect(),
        }
    }

    fn agent_status(&self, crew: &Crew) -> AgentStatus {
        let mine = |link: &&Link| link.seat().agent.name == crew.agent.name;
        let (mut state, mut why) = crew.inbox.state();
        let key_fault = crew.agent.key.as_ref().err().map(|sentence| Why::new(Reason::CfgKeyFile, sentence.clone()));
        if key_fault.is_some() {
            (state, why) = ("unbound", key_fault.as_ref());
        }
        AgentStatus {
            agent: crew.agent.name.clone(),
            transport: crew.inbox.transport(),
            state,
            reason: why.map(|why| why.reason.code()),
            detail: why.map(|why| why.detail.clone()).unwrap_or_default(),
            turns_open: crew.inbox.open(),
            waiting: self.links.iter().filter(mine).map(Link::waiting).sum(),
            turns_done: crew.inbox.done,
            turns_failed: crew.inbox.failed,
            garbled: crew.inbox.garbled,
        }
    }

    fn tail(&mut self, client: Client, agent: Option<String>) {
        if let Some(name) = agent.as_ref().filter(|name| !self.crew.iter().any(|crew| crew.agent.name == **name)) {
            let why = Why::new(Reason::ControlRequest, format!("there is no agent {}", Clipped(name)));
            return self.out.push_back(Output::Tell(client, Told::Refused(why)));
        }
        self.tails.insert(client, agent);
    }

    fn restart(&mut self, client: Client, agent: &str, now: Now) {
        let mut count = 0;
        self.step(now, |relay, step| {
            for link in relay.links.iter_mut().filter(|link| link.seat().agent.name == agent) {
                link.restart(step);
                count += 1;
            }
        });
        let told = if count == 0 {
            Told::Refused(Why::new(Reason::ControlRequest, format!("there is no agent {}", Clipped(agent))))
        } else {
            Told::Done(format!("{agent}: {count} link(s) reconnect with a fresh token"))
        };
        self.out.push_back(Output::Tell(client, told));
        self.wake(now);
    }

    /// A first stop gives open turns their time; a second one none.
    fn stop(&mut self, now: Now) {
        let grace = if self.stopping.is_some() { 0 } else { GRACE_MS };
        log::info!("ending: open turns have {} s left", grace / 1000);
        self.stopping = Some(now.at.after_ms(grace));
        self.crew.iter_mut().for_each(|crew| crew.inbox.close());
    }

    /// New and restarted links begin at once.
    pub(super) fn wake(&mut self, now: Now) {
        for at in 0..self.links.len() {
            self.step(now, |relay, step| relay.links.get_mut(at).map(|link| link.tick(step)));
        }
    }

    /// Agents that were removed, and the daemon itself, end once nothing is open, or their time is over.
    pub(super) fn farewells(&mut self, now: Now) {
        let idle = |crew: &Crew| {
            let mut mine = self.links.iter().filter(|link| link.seat().agent.name == crew.agent.name);
            crew.inbox.open() == 0 && mine.all(Link::posts_idle)
        };
        let over = |crew: &&Crew| crew.leaving.is_some_and(|at| at <= now.at || idle(crew));
        let leaving: Vec<(AgentId, String)> =
            self.crew.iter().filter(over).map(|crew| (crew.id, crew.agent.name.clone())).collect();
        for (id, name) in leaving {
            self.dismiss(id, &name, now);
        }
        let Some(until) = self.stopping else { return };
        let idle = !self.crew.iter().any(|crew| crew.inbox.working()) && self.links.iter().all(Link::posts_idle);
        if idle || until <= now.at {
            self.end(now);
        }
    }

    fn dismiss(&mut self, id: AgentId, name: &str, now: Now) {
        self.step(now, |relay, step| relay.crew_of(id).map(|crew| crew.inbox.give_back(step)));
        let mine = |link: &&Link| link.seat().agent.name == *name;
        let links: Vec<LinkId> = self.links.iter().filter(mine).map(Link::id).collect();
        for link in links {
            self.unseat(link, now);
        }
        self.crew.retain(|crew| crew.id != id);
        self.out.push_back(Output::Dismiss(id));
    }

    fn end(&mut self, now: Now) {
        self.keep_cursors(now);
        self.step(now, |relay, step| {
            relay.crew.iter_mut().for_each(|crew| crew.inbox.give_back(step));
            relay.links.iter_mut().for_each(|link| link.close(step));
        });
        self.stopping = None;
        self.out.push_back(Output::End);
    }
}
