//! A configuration that was read again: said, then done, item by item.

use super::Relay;
use super::command::GRACE_MS;
use super::crew::Crew;
use super::plan::{Change, Move, Plan, Standing};
use crate::agent::Sent;
use crate::budget::ceiling::Share;
use crate::link::{Link, Seat};
use crate::message::{AgentId, LinkId};
use crate::moment::Now;
use crate::outbox::AskedBy;
use crate::port::{Client, Output, Told};
use crate::reason::{Reason, Why};
use crate::settings::{Agent, Guild, Settings};
use std::collections::BTreeSet;
use std::rc::Rc;

impl Relay {
    /// Says what will change, to the log and to who asked, then does it, then says what was done.
    pub(super) fn reload(&mut self, client: Client, settings: Settings, now: Now) {
        let plan = self.plan(settings);
        let lines = plan.lines();
        lines.iter().for_each(|line| log::info!("reload: {line}"));
        if !plan.is_idle() {
            self.out.push_back(Output::Tell(client, Told::Queued(lines.join("\n"))));
        }
        let done = plan.done();
        self.apply(plan, now);
        log::info!("reload: {done}");
        self.out.push_back(Output::Tell(client, Told::Done(done)));
    }

    /// Does what a plan says.
    pub(super) fn apply(&mut self, plan: Plan, now: Now) {
        let running = self.settings.state;
        self.settings = plan.settings;
        // the journal is opened once: how hard it is kept is what it was at the start
        self.settings.state = running;
        let come: usize = plan.agents.iter().map(|change| change.links.len()).sum();
        self.links.reserve_exact(come.saturating_sub(self.links.len()));
        for change in &plan.agents {
            let agent = self.settings.agents.iter().find(|agent| agent.name == change.name).cloned();
            match (change.standing, agent) {
                (Standing::Comes, Some(agent)) => {
                    self.hire(agent.clone());
                    self.seat(change, &agent, now);
                }
                (Standing::ComesBack | Standing::Stays, Some(agent)) => {
                    self.stays(&agent, !change.asked_anew.is_empty(), now);
                    self.seat(change, &agent, now);
                }
                (Standing::Goes, _) | (_, None) => self.goes(&change.name, now),
            }
        }
        self.find_guilds_of_leaving(now);
        self.leave_accounts();
        self.count_strangers();
        self.wake(now);
    }

    /// Nobody keeps a token of an account that no link has any more.
    fn leave_accounts(&mut self) {
        let links = &self.links;
        self.accounts.keep(|name| links.iter().any(|link| link.account_name().as_ref() == Some(name)));
    }

    fn goes(&mut self, name: &str, now: Now) {
        if let Some(crew) = self.crew.iter_mut().find(|crew| crew.agent.name == name) {
            crew.inbox.close();
            crew.leaving = Some(now.at.after_ms(GRACE_MS));
        }
    }

    /// An agent that was there before, be it about to leave, stays with its open turns. A changed way to ask it ends its
    /// pump and begins another; its open turns are given again.
    fn stays(&mut self, agent: &Agent, asked_anew: bool, now: Now) {
        let Some(crew) = self.crew.iter_mut().find(|crew| crew.agent.name == agent.name) else { return };
        crew.inbox.reopen();
        crew.leaving = None;
        crew.inbox.set_parallel(agent.parallel);
        crew.agent = agent.clone();
        let id = crew.id;
        if asked_anew {
            self.step(now, |relay, step| relay.crew_of(id).map(|crew| crew.inbox.take_back(step)));
            self.out.push_back(Output::Dismiss(id));
            self.out.push_back(Output::Hire(id, Box::new(agent.clone())));
        }
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

    fn hire(&mut self, agent: Agent) {
        let id = AgentId(self.next_agent);
        self.next_agent += 1;
        self.out.push_back(Output::Hire(id, Box::new(agent.clone())));
        self.crew.push(Crew::new(id, agent));
    }

    /// The links of an agent: one for each of its guilds. One whose own items and key are unchanged keeps its connection.
    fn seat(&mut self, change: &Change, agent: &Agent, now: Now) {
        for guild in &change.ends {
            if let Some(id) = self.link_of(&change.name, guild) {
                self.unseat(id, now);
            }
        }
        for (guild, link) in &change.links {
            let Some(seat) = self.seat_of(agent, guild) else { continue };
            match (self.link_of(&change.name, guild), link) {
                (Some(id), Move::Keeps) => self.with_link(id, now, |link, _| link.reseat(seat)),
                (Some(id), Move::Reconnects(_)) => self.with_link(id, now, |link, step| link.reseat_anew(seat, step)),
                (_, Move::Connects) => self.connect(seat, now),
                (None, Move::Keeps | Move::Reconnects(_)) => {
                    debug_assert!(false, "a plan names a link that is not there")
                }
            }
        }
    }

    fn link_of(&self, agent: &str, guild: &str) -> Option<LinkId> {
        let of = |link: &&Link| link.seat().agent.name == agent && link.seat().guild.name == guild;
        self.links.iter().find(of).map(Link::id)
    }

    fn connect(&mut self, seat: Seat, now: Now) {
        let mut link = Link::new(LinkId(self.next_link), seat, now.at);
        self.next_link += 1;
        self.ledger.restore(&mut link);
        link.pressed(self.pressure);
        self.links.push(link);
    }

    pub(super) fn unseat(&mut self, id: LinkId, now: Now) {
        self.with_link(id, now, |link, step| link.close(step));
        self.step(now, |relay, step| relay.crew.iter_mut().for_each(|crew| crew.inbox.give_back_of(id, step)));
        if let Some(at) = self.links.iter().position(|link| link.id() == id) {
            let link = self.links.remove(at);
            self.ledger.retire(&link, now);
            self.tell_askers(&link);
            self.leave_accounts();
        }
    }

    /// Whoever waits for a post of a link that is gone hears what becomes of it.
    fn tell_askers(&mut self, link: &Link) {
        let seat = link.seat();
        let crew = self.crew.iter().find(|crew| crew.agent.name == seat.agent.name).map(|crew| crew.id);
        for asked_by in link.askers() {
            let (agent, guild) = (&seat.agent.name, &seat.guild.name);
            let said = format!("{agent} is not in {guild} any more; it is posted if it comes back within 30 days");
            match (asked_by, crew) {
                (AskedBy::Client(client), _) => self.out.push_back(Output::Tell(*client, Told::Queued(said))),
                (AskedBy::Agent(id), Some(crew)) => self.sent(crew, id, Sent::Refused(Why::new(Reason::Asked, said))),
                (AskedBy::Turn | AskedBy::Agent(_), _) => {}
            }
        }
    }

    fn seat_of(&self, agent: &Agent, guild: &str) -> Option<Seat> {
        let at = self.settings.guilds.iter().position(|other| other.name == guild)?;
        let guild: Guild = self.settings.guilds.get(at)?.clone();
        let together = |other: &&Agent| other.guilds.contains(&guild.name);
        let colleagues: BTreeSet<String> =
            self.settings.agents.iter().filter(together).map(|other| other.id.clone()).collect();
        // one for all links of a guild: a hundred agents are a hundred ids for each of them
        let known = self.links.iter().map(|link| &link.seat().colleagues).find(|known| ***known == colleagues);
        let colleagues = known.cloned().unwrap_or_else(|| Rc::new(colleagues));
        Some(Seat {
            agent: agent.clone(),
            guild_at: u16::try_from(at).unwrap_or(u16::MAX),
            timing: self.settings.timing,
            message_bytes: self.settings.message_bytes,
            colleagues,
            build_ms: self.options.build_ms,
            watched: self.settings.page.is_some(),
            share: Share::of(&self.settings.counts()),
            guild,
        })
    }
}
