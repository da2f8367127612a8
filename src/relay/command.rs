//! What people ask of the running daemon: status, tail, restart, reload, end.

use super::Relay;
use super::crew::Crew;
use crate::link::{Link, Seat};
use crate::message::{AgentId, LinkId};
use crate::moment::Now;
use crate::port::{Client, Command, Output, Told};
use crate::reason::{Reason, Why};
use crate::settings::{Agent, Guild, Settings};
use crate::status::{AgentStatus, Status};
use crate::text::Clipped;
use std::collections::BTreeSet;

/// Open turns have so long to finish when the daemon ends or their agent is removed.
const GRACE_MS: u64 = 5_000;

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
            Command::Reload(settings) => {
                let said = self.reload(*settings, now);
                log::info!("reload: {said}");
                self.out.push_back(Output::Tell(client, Told::Done(said)));
            }
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
        if let Some(why) = &self.ledger.failed {
            status.process.state_detail = why.to_string();
        }
        status
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

    /// Applies a configuration, item by item; says what changed.
    pub(super) fn reload(&mut self, settings: Settings, now: Now) -> String {
        let (mut added, mut changed, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        self.settings = settings;
        let agents = self.settings.agents.clone();
        for crew in &mut self.crew {
            if crew.leaving.is_none() && !agents.iter().any(|agent| agent.name == crew.agent.name) {
                removed.push(crew.agent.name.clone());
                crew.inbox.close();
                crew.leaving = Some(now.at.after_ms(GRACE_MS));
            }
        }
        for agent in agents {
            match self.crew.iter().position(|crew| crew.agent.name == agent.name) {
                None => {
                    added.push(agent.name.clone());
                    self.hire(agent.clone());
                }
                Some(at) => {
                    let is_back = self.stays(at);
                    let is_changed = self.reassign(at, &agent, now);
                    if is_back {
                        added.push(agent.name.clone());
                    } else if is_changed {
                        changed.push(agent.name.clone());
                    }
                }
            }
            self.seat(&agent, now);
        }
        self.find_guilds_of_leaving(now);
        self.wake(now);
        let words = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
        let parts = [words("added", &added), words("changed", &changed), words("removed", &removed)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "no agent changed".into() } else { parts.join("; ") }
    }

    /// Links of agents that leave name their guild by its new place; where it is gone, they end.
    fn find_guilds_of_leaving(&mut self, now: Now) {
        let mut gone = Vec::new();
        for link in &mut self.links {
            let (agent, guild) = (&link.seat().agent.name, &link.seat().guild.name);
            if self.settings.agents.iter().any(|other| other.name == *agent) {
                continue;
            }
            match self.settings.guilds.iter().position(|other| other.name == *guild) {
                Some(at) => link.guild_moved(u16::try_from(at).unwrap_or(u16::MAX)),
                None => gone.push(link.id()),
            }
        }
        for id in gone {
            self.unseat(id, now);
        }
    }

    /// An agent that was about to leave stays, with its open turns. Returns whether it was.
    fn stays(&mut self, at: usize) -> bool {
        let Some(crew) = self.crew.get_mut(at) else { return false };
        crew.inbox.reopen();
        crew.leaving.take().is_some()
    }

    /// New and restarted links begin at once.
    fn wake(&mut self, now: Now) {
        for at in 0..self.links.len() {
            self.step(now, |relay, step| relay.links.get_mut(at).map(|link| link.tick(step)));
        }
    }

    fn hire(&mut self, agent: Agent) {
        let id = AgentId(self.next_agent);
        self.next_agent += 1;
        self.out.push_back(Output::Hire(id, Box::new(agent.clone())));
        self.crew.push(Crew::new(id, agent));
    }

    /// An agent that was there before: a changed way to ask it ends its pump and begins another; its open turns are
    /// given again. Returns whether anything changed.
    fn reassign(&mut self, at: usize, agent: &Agent, now: Now) -> bool {
        let Some(crew) = self.crew.get_mut(at).filter(|crew| crew.agent != *agent) else { return false };
        crew.inbox.set_parallel(agent.parallel);
        let asked_anew = crew.agent.answer != agent.answer || crew.agent.parallel != agent.parallel;
        crew.agent = agent.clone();
        let id = crew.id;
        if asked_anew {
            self.step(now, |relay, step| relay.crew_of(id).map(|crew| crew.inbox.take_back(step)));
            self.out.push_back(Output::Dismiss(id));
            self.out.push_back(Output::Hire(id, Box::new(agent.clone())));
        }
        true
    }

    /// The links of an agent: one for each of its guilds. One whose own items and key are unchanged keeps its connection.
    fn seat(&mut self, agent: &Agent, now: Now) {
        let gone =
            |link: &&Link| link.seat().agent.name == agent.name && !agent.guilds.contains(&link.seat().guild.name);
        let gone: Vec<LinkId> = self.links.iter().filter(gone).map(Link::id).collect();
        for id in gone {
            self.unseat(id, now);
        }
        for name in &agent.guilds {
            let Some(seat) = self.seat_of(agent, name) else { continue };
            let same = |link: &&Link| link.seat().agent.name == agent.name && link.seat().guild.name == *name;
            let known = self.links.iter().find(same);
            match known.map(|link| (link.id(), must_reconnect(link.seat(), &seat))) {
                Some((id, false)) => self.with_link(id, now, |link, _| link.reseat(seat)),
                Some((id, true)) => self.with_link(id, now, |link, step| link.reseat_anew(seat, step)),
                None => self.connect(seat, now),
            }
        }
    }

    fn connect(&mut self, seat: Seat, now: Now) {
        let mut link = Link::new(LinkId(self.next_link), seat, now.at);
        self.next_link += 1;
        self.ledger.restore(&mut link);
        self.links.push(link);
    }

    fn unseat(&mut self, id: LinkId, now: Now) {
        self.with_link(id, now, |link, step| link.close(step));
        self.step(now, |relay, step| relay.crew.iter_mut().for_each(|crew| crew.inbox.give_back_of(id, step)));
        if let Some(at) = self.links.iter().position(|link| link.id() == id) {
            let link = self.links.remove(at);
            self.ledger.retire(&link, now);
        }
    }

    fn seat_of(&self, agent: &Agent, guild: &str) -> Option<Seat> {
        let at = self.settings.guilds.iter().position(|other| other.name == guild)?;
        let guild: Guild = self.settings.guilds.get(at)?.clone();
        let together = |other: &&Agent| other.guilds.contains(&guild.name);
        let colleagues: BTreeSet<String> =
            self.settings.agents.iter().filter(together).map(|other| other.id.clone()).collect();
        Some(Seat {
            agent: agent.clone(),
            guild_at: u16::try_from(at).unwrap_or(u16::MAX),
            timing: self.settings.timing,
            message_bytes: self.settings.message_bytes,
            colleagues,
            build_ms: self.options.build_ms,
            guild,
        })
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

/// Whether a change touches who the agent is in the guild, or where the guild is.
fn must_reconnect(old: &Seat, new: &Seat) -> bool {
    let (a, b) = (&old.agent, &new.agent);
    old.guild != new.guild || a.id != b.id || a.key != b.key || a.key_file != b.key_file
}
