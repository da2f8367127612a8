//! A stage for the whole link machine: a relay, and a world that does whatever an input says. It holds what the relay
//! wants against what must hold whatever comes; `calm` heals the world and expects every link to live.

mod calm;
mod guild;
mod hostile;
mod outputs;
mod secrets;
mod setup;

use crate::{Disk, Feed};
use guild::Guild;
use guild_bridge::call::{Call, Ticket};
use guild_bridge::message::{AgentId, Line, LinkId, Turn};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::Input;
use guild_bridge::relay::Relay;
use guild_bridge::settings::Settings;
use guild_bridge::{budget, status::LinkStatus};
use secrets::Secrets;
use std::collections::{BTreeMap, BTreeSet};

/// Outputs of one `poll` round: more is a loop, or a queue without a bound.
const OUTPUTS_AT_ONCE: usize = 10_000;
/// Ticks at one moment before time stands still.
const TICKS_AT_ONCE: usize = 200;
/// Calls of one link under way: channels and pages of history, posts, and held ones that were let go at once.
const CALLS: usize = 4 * 64;

/// The relay and all that it believes in.
pub struct Stage {
    settings: Settings,
    relay: Option<Relay>,
    now: Now,
    seed: u64,
    lines: BTreeMap<Line, Cable>,
    /// Lines of this life that are over.
    gone: Vec<Line>,
    /// Whose link it is: `agent@guild`, by what its mint said.
    links: BTreeMap<LinkId, String>,
    calls: Vec<(Ticket, Box<Call>)>,
    /// Tickets that were answered.
    answered: Vec<Ticket>,
    turns: Vec<(AgentId, Turn)>,
    agents: BTreeMap<AgentId, String>,
    /// Tokens that each link offered in this life.
    offered: BTreeSet<(LinkId, String)>,
    secrets: Secrets,
    guild: Guild,
    disk: Disk,
    /// The daemon was asked to end.
    ending: bool,
    calm: bool,
    looks: u32,
}

/// One WebSocket, as the stage sees it.
#[derive(Default)]
struct Cable {
    /// A frame is on its way.
    busy: bool,
    /// `Opened` was told.
    opened: bool,
    /// The engine's open packet was sent, and what came of it.
    engine: bool,
    /// CONNECT came, and was answered.
    greeted: bool,
    connected: bool,
    /// Something was said on it that could prove a channel.
    may_prove: bool,
    /// Joins that nobody answered.
    joins: Vec<u32>,
}

impl Stage {
    /// The world as an input says, from its first happening to its last.
    ///
    /// # Panics
    /// Where something does not hold that must.
    pub fn play(bytes: &[u8]) {
        let mut feed = Feed::new(bytes);
        let mut stage = Self::new(bytes, &mut feed);
        stage.start();
        while !feed.over() {
            stage.happen(&mut feed);
        }
        stage.calm();
    }

    /// One happening for the relay, and all that follows from it.
    fn feed(&mut self, input: Input<'_>) {
        let Some(relay) = &mut self.relay else { return };
        relay.handle(input, self.now);
        self.follow();
    }

    /// Time goes on; what is due is done.
    fn pass(&mut self, ms: u64) {
        self.now.at = self.now.at.after_ms(ms);
        self.now.wall_ms = self.now.wall_ms.saturating_add(ms);
        self.disk_works();
        if self.due() {
            self.tick();
        }
    }

    /// What the keeper of the journal has to do by now.
    fn disk_works(&mut self) {
        if self.disk.due().is_some_and(|at| at <= self.now.at)
            && let Some(stored) = self.disk.tick(self.now.at)
        {
            self.feed(Input::Disk(stored));
        }
    }

    fn due(&self) -> bool {
        self.deadline().is_some_and(|at| at <= self.now.at)
    }

    fn deadline(&self) -> Option<Moment> {
        self.relay.as_ref().and_then(Relay::deadline)
    }

    fn tick(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.tick(self.now);
        }
        self.follow();
    }

    /// The one law: poll until there is nothing; then the deadline is in the future, or a tick is due.
    fn follow(&mut self) {
        self.poll();
        for _ in 0..TICKS_AT_ONCE {
            if !self.due() {
                return self.look();
            }
            if let Some(relay) = &mut self.relay {
                relay.tick(self.now);
            }
            self.poll();
        }
        panic!("time stands still: {:?}", self.relay.as_ref().map(|relay| relay.status(self.now)));
    }

    fn poll(&mut self) {
        for _ in 0..OUTPUTS_AT_ONCE {
            let Some(output) = self.relay.as_mut().and_then(Relay::poll) else { return };
            self.perform(output);
        }
        panic!("the relay never stops asking");
    }

    /// The status, held against what the stage knows; its JSON now and then, and all of it less often in a calm world.
    fn look(&mut self) {
        self.looks += 1;
        let Some(relay) = self.relay.as_ref().filter(|_| !self.calm || self.looks.is_multiple_of(32)) else { return };
        let status = relay.status(self.now);
        if self.looks.is_multiple_of(8) {
            self.secrets.hidden_in(&serde_json::to_string(&status).expect("a status is JSON"));
        }
        for link in &status.links {
            self.truthful(link);
        }
        for agent in &status.agents {
            secrets::plain(&agent.detail);
            assert!(agent.turns_open <= usize::from(budget::PARALLEL), "{agent:?}");
            assert!(agent.waiting <= self.settings_links() * budget::CHANNEL_ENTRIES * 8, "{agent:?}");
        }
    }

    fn truthful(&self, link: &LinkStatus) {
        secrets::plain(&link.detail);
        assert!(link.channels_proven <= link.channels_total, "more proven than listed: {link:?}");
        assert!(link.channels_joined <= link.channels_total, "more joined than listed: {link:?}");
        assert!(link.outbox_depth <= 2 * budget::OUTBOX_POSTS, "{link:?}");
        assert!(link.state == "live" || !link.detail.is_empty() || link.reason.is_some(), "{link:?} says nothing");
        if link.state == "live" {
            let name = format!("{}@{}", link.agent, link.guild);
            let of = |line: &Line| self.links.get(&line.link) == Some(&name);
            let proven = self.lines.iter().any(|(line, cable)| of(line) && cable.connected && cable.may_prove);
            assert!(proven, "live without proof: {link:?}");
        }
    }

    fn settings_links(&self) -> usize {
        self.settings.agents.iter().map(|agent| agent.guilds.len()).sum::<usize>().max(1)
    }

    fn calls_of(&self, link: LinkId) -> usize {
        self.calls.iter().filter(|(ticket, _)| link_of(*ticket) == link).count()
    }
}

/// The link of a call (the upper bits of its ticket).
fn link_of(ticket: Ticket) -> LinkId {
    guild_bridge::link::calls::Calls::link_of(ticket)
}
