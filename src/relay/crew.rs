//! Agents and their turns: who is asked next, what they say, what they send unasked.

use super::Relay;
use crate::agent::{Said, Sent};
use crate::budget;
use crate::budget::ceiling::Pressure;
use crate::day::{Day, Fare};
use crate::inbox::Inbox;
use crate::link::Link;
use crate::message::{AgentId, LinkId, Turn};
use crate::moment::{Moment, Now};
use crate::outbox::AskedBy;
use crate::port::{Client, Output, Told};
use crate::reason::{Reason, Why};
use crate::settings::Agent;
use crate::step::Step;
use crate::text::{self, Clipped};
use std::collections::VecDeque;

/// An agent and its turns.
pub struct Crew {
    pub id: AgentId,
    pub agent: Agent,
    pub inbox: Inbox,
    /// `send`s by their id, remembered: what came of each, once it is known.
    sends: VecDeque<(String, Option<Sent>)>,
    /// Removed from the configuration: it finishes what is open until then.
    pub leaving: Option<Moment>,
    /// The link that is asked first for its next turn.
    turn: usize,
    /// Its turns and failed attempts over the day, where somebody may look at them.
    pub day: Option<Box<Day>>,
}

impl Crew {
    pub fn new(id: AgentId, agent: Agent) -> Self {
        let inbox = Inbox::new(id, &agent);
        Self { id, agent, inbox, sends: VecDeque::new(), leaving: None, turn: 0, day: None }
    }

    /// The oldest go beyond the bounds; the newest stays.
    fn forget_sends(&mut self) {
        let bytes = |(id, sent): &(String, Option<Sent>)| {
            let said = match sent {
                Some(Sent::Stored { message }) => message.len(),
                Some(Sent::Refused(why)) => why.detail.len(),
                None => 0,
            };
            size_of::<(String, Option<Sent>)>() + id.len() + said
        };
        let mut held: usize = self.sends.iter().map(bytes).sum();
        while self.sends.len() > 1 && (self.sends.len() > budget::SENDS || held > budget::SENDS_BYTES) {
            let Some(oldest) = self.sends.pop_front() else { return };
            held -= bytes(&oldest);
        }
    }

    /// Its day goes on, where one is kept.
    pub fn note_day(&mut self, watched: bool, now: Moment) {
        let fare = || if matches!(self.inbox.state().0, "ready" | "busy") { Fare::Live } else { Fare::Away };
        let noted = watched.then(|| (fare(), [self.inbox.done, self.inbox.failed]));
        Day::keep(&mut self.day, noted, now);
    }
}

impl Relay {
    /// Opens turns while there is room and something to give; the links of an agent take turns.
    pub(super) fn give_turns(&mut self, now: Now) {
        if self.stopping.is_some() {
            return;
        }
        for at in 0..self.crew.len() {
            // while memory is short one turn at a time: each holds its message, the line made of it, and then its reply
            let easy = self.pressure == Pressure::Easy;
            let may = |crew: &Crew| crew.inbox.has_room() && (easy || crew.inbox.open() == 0);
            while self.crew.get(at).is_some_and(|crew| may(crew) && crew.leaving.is_none()) {
                if !self.step(now, |relay, step| relay.give_turn(at, step)) {
                    break;
                }
            }
        }
    }

    fn give_turn(&mut self, at: usize, step: &mut Step<'_>) -> bool {
        let Some(crew) = self.crew.get_mut(at) else { return false };
        let count = self.links.len();
        for n in 0..count {
            let link_at = (crew.turn + n) % count;
            let mine = |link: &&mut Link| link.seat().agent.name == crew.agent.name;
            let Some(link) = self.links.get_mut(link_at).filter(mine) else { continue };
            let id = link.id();
            let inbox = &crew.inbox;
            let next = link.next_message(&|channel, thread| inbox.holds(id, channel, thread));
            let Some((mut message, conv, replayed)) = next else { continue };
            let (agent, guild) = (&crew.agent.name, &link.seat().guild.name);
            let turn_id = text::hash_id("t_", &[agent, guild, &conv.channel, &message.id]);
            let fetching = link.fetch(&turn_id, &mut message, &self.options.attachments, step);
            let turn = Turn {
                id: turn_id,
                attempt: 1,
                agent: crew.agent.name.clone(),
                conv,
                message: *message,
                deadline_ms: crew.agent.deadline_s.saturating_mul(1000),
                replayed,
            };
            crew.inbox.begin(turn, id, fetching, step);
            link.stir();
            crew.turn = link_at + 1;
            return true;
        }
        false
    }

    /// Deadlines of turns, and attempts that are due.
    pub(super) fn late_turns(&mut self, now: Now) {
        for at in 0..self.crew.len() {
            while let Some(became) =
                self.step(now, |relay, step| relay.crew.get_mut(at).and_then(|crew| crew.inbox.tick(step)))
            {
                self.became(became, now);
            }
        }
    }

    pub(super) fn agent_said(&mut self, agent: AgentId, said: Said<'_>, now: Now) {
        if let Said::Send { id, conv, text } = &said {
            return self.agent_sends(agent, id, conv, text, now);
        }
        if let (Said::Garbled(why), Some(crew)) = (&said, self.crew_of(agent)) {
            // the first, the second, the fourth … are said; all are counted
            let count = crew.inbox.garbled + 1;
            if count.is_power_of_two() {
                log::warn!("{}: {why} ({count} so far)", crew.agent.name);
            }
        }
        let absence = |relay: &mut Self| relay.crew_of(agent).and_then(|crew| crew.inbox.absence().cloned());
        let before = absence(self);
        let became = self.step(now, |relay, step| relay.crew_of(agent).and_then(|crew| crew.inbox.said(said, step)));
        let after = absence(self);
        if let Some(crew) = self.crew_of(agent).filter(|_| before != after) {
            match after {
                Some(why) => log::warn!("{}: {why}; its messages wait", crew.agent.name),
                None => log::info!("{}: it is there again", crew.agent.name),
            }
        }
        if let Some(became) = became {
            self.became(became, now);
        }
    }

    /// An agent speaks unasked: once for each of its ids.
    fn agent_sends(&mut self, agent: AgentId, id: &str, conv: &str, text: &str, now: Now) {
        let Some(crew) = self.crew_of(agent) else { return };
        if let Some((_, known)) = crew.sends.iter().find(|(known, _)| known == id) {
            if let Some(sent) = known.clone() {
                self.out.push_back(Output::Sent(agent, id.to_owned(), sent));
            }
            return;
        }
        crew.sends.push_back((id.to_owned(), None));
        crew.forget_sends();
        let (name, asked_by) = (crew.agent.name.clone(), AskedBy::Agent(id.to_owned()));
        if let Err(why) = self.send(&name, conv, text, id, &asked_by, now) {
            // what was refused at once was never sent: the same id may try again
            if let Some(crew) = self.crew_of(agent) {
                crew.sends.retain(|(known, _)| known != id);
            }
            self.sent(agent, id, Sent::Refused(why));
        }
    }

    /// Sends as an agent: `place` is a channel's id or unique name on one of its guilds, or `guild.channel`.
    fn send(
        &mut self,
        agent: &str,
        place: &str,
        said: &str,
        id: &str,
        asked_by: &AskedBy,
        now: Now,
    ) -> Result<(), Why> {
        let (link, channel) = self.meant(agent, place)?;
        self.step(now, |relay, step| match relay.links.iter_mut().find(|other| other.id() == link) {
            Some(link) => link.send(&channel, said, id, asked_by.clone(), step),
            None => Err(Why::new(Reason::ControlRequest, "the link is gone")),
        })
    }

    /// The one channel that a place means, and its link.
    fn meant(&self, agent: &str, place: &str) -> Result<(LinkId, String), Why> {
        let refuse = |detail: String| Err(Why::new(Reason::ControlRequest, detail));
        let (guild, channel) = self.place_of(agent, place);
        let of_agent = |link: &&Link| link.seat().agent.name == agent;
        let in_guild = |link: &&Link| guild.as_ref().is_none_or(|guild| *guild == link.seat().guild.name);
        let mine: Vec<&Link> = self.links.iter().filter(of_agent).filter(in_guild).collect();
        let (agent, name) = (Clipped(agent), Clipped(&channel));
        let guilds = |links: &[&Link]| {
            let names: Vec<&str> = links.iter().map(|link| link.seat().guild.name.as_str()).collect();
            names.join(", ")
        };
        if mine.is_empty() {
            return refuse(format!("there is no agent {agent}"));
        }
        if let Some(Err(sentence)) = mine.first().map(|link| &link.seat().agent.key) {
            return Err(Why::new(Reason::CfgKeyFile, format!("{agent} is not bound: {sentence}")));
        }
        let knowing: Vec<&Link> =
            mine.iter().copied().filter(|link| !link.channels_named(&channel).is_empty()).collect();
        let [link] = knowing.as_slice() else {
            return refuse(match knowing.as_slice() {
                [] => match mine.iter().find(|link| !link.is_listed()) {
                    Some(link) => {
                        format!("{} has not told {agent} its channels yet ({})", guilds(&[link]), link.word())
                    }
                    None => format!("{agent} has no channel {name} on {}", guilds(&mine)),
                },
                _ => format!("{name} is a channel on {}; say GUILD.{name}", guilds(&knowing)),
            });
        };
        let mut ids = link.channels_named(&channel);
        match (ids.pop(), ids.is_empty()) {
            (Some(id), true) => Ok((link.id(), id)),
            (last, _) => {
                ids.extend(last);
                refuse(format!(
                    "{name} is the name of {} channels; give an id: {}",
                    ids.len(),
                    Clipped(&ids.join(", "))
                ))
            }
        }
    }

    /// `guild.channel`, where `guild` is one of the agent's; else a channel on any of them.
    fn place_of(&self, agent: &str, place: &str) -> (Option<String>, String) {
        if let Some((guild, channel)) = place.split_once('.') {
            let mine = |link: &&Link| link.seat().agent.name == agent;
            let known = self.links.iter().filter(mine).any(|link| link.seat().guild.name == guild);
            if known && !self.links.iter().filter(mine).any(|link| !link.channels_named(place).is_empty()) {
                return (Some(guild.to_owned()), channel.to_owned());
            }
        }
        (None, place.to_owned())
    }

    pub(super) fn sent(&mut self, agent: AgentId, id: &str, sent: Sent) {
        if let Some(crew) = self.crew_of(agent) {
            if let Some(known) = crew.sends.iter_mut().find(|(known, _)| known == id) {
                known.1 = Some(sent.clone());
            }
            crew.forget_sends();
        }
        self.out.push_back(Output::Sent(agent, id.to_owned(), sent));
    }

    /// A post that somebody waits for is over.
    pub(super) fn post_over(&mut self, link: LinkId, asked_by: AskedBy, result: Result<String, Why>) {
        match (asked_by, self.agent_of(link)) {
            (AskedBy::Agent(id), Some(agent)) => {
                let sent = match result {
                    Ok(message) => Sent::Stored { message },
                    Err(why) => Sent::Refused(why),
                };
                self.sent(agent, &id, sent);
            }
            (AskedBy::Client(client), _) => {
                let told = match result {
                    Ok(message) => Told::Done(format!("stored as {}", Clipped(&message))),
                    Err(why) => Told::Refused(why),
                };
                self.out.push_back(Output::Tell(client, told));
            }
            (AskedBy::Turn | AskedBy::Agent(_), _) => {}
        }
    }

    /// `guild-bridge send`. Unlike a turn's reply, what a person types twice is meant twice.
    pub(super) fn send_for(&mut self, client: Client, agent: &str, channel: &str, text: &str, now: Now) {
        self.sends += 1;
        let id = format!("cli {} {}", now.wall_ms, self.sends);
        let told = match self.send(agent, channel, text, &id, &AskedBy::Client(client), now) {
            Ok(()) => Told::Queued("it is in the outbox".into()),
            Err(why) => Told::Refused(why),
        };
        self.out.push_back(Output::Tell(client, told));
    }
}
