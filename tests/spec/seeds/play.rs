//! Plays a schedule: the acts in order, then calm until all is over. Nothing is chosen here.

use super::deeds::deed;
use super::schedule::Schedule;
use super::traits::Traits;
use super::{CHANNELS, LATE};
use crate::world::story::link_name;
use crate::world::{World, mins, secs};
use guild_bridge::port::Client;
use guild_bridge::settings::RespondTo;
use std::collections::{BTreeMap, BTreeSet};

/// The agents of a schedule's world, in order; the guilds are `acme` and `umbra`.
pub const AGENTS: [&str; 3] = ["recruiter", "scout", "clerk"];
const GUILDS: [&str; 2] = ["acme", "umbra"];

/// The world as the traits say, before anything runs.
pub fn world(seed: u64, traits: &Traits) -> World {
    let mut w = World::chatty(seed);
    w.together = seed % 2 == 1;
    let guilds = &GUILDS[..usize::from(traits.guilds.clamp(1, 2))];
    let agents = &AGENTS[..usize::from(traits.agents.clamp(1, 3))];
    for name in &guilds[1..] {
        w.add_guild(name);
    }
    w.settings.agents.clear();
    for name in agents {
        w.add_agent(name, guilds);
        w.hand(name).takes_ms = traits.takes_ms;
    }
    for agent in &mut w.settings.agents {
        (agent.respond_to, agent.parallel) = (RespondTo::All, traits.parallel);
    }
    w.settings.state = traits.state.mode();
    let members = members(&w);
    for hall in &mut w.halls {
        hall.model.add_person("bot7", "Bot 7", true);
        for channel in CHANNELS.into_iter().filter(|channel| *channel != LATE) {
            hall.model.add_channel(channel, "channel", &members);
        }
        (hall.recovery, hall.latency_ms, hall.jitter_ms) = (traits.recovery, traits.latency_ms, traits.jitter_ms);
        let options = &mut hall.model.options;
        (options.acks, options.last_message_id, options.kicks_at_expiry) = (traits.acks, traits.lists, traits.kicks);
        (options.token_life_ms, options.rejection) = (secs(traits.life_s), traits.rejection.rejection());
        (options.honours_keys, options.date) = (traits.keys, traits.date);
        (options.mentions, options.echo, options.nonces) = (traits.mentions, traits.echo, traits.nonces);
    }
    w
}

/// What a schedule did that changes what is owed.
#[derive(Default)]
pub struct Marks {
    /// Messages (guild, id) that history forgot, and when.
    pub cut: BTreeMap<(String, String), u64>,
    /// Messages that are larger than is taken.
    pub oversize: BTreeSet<(String, String)>,
    /// Messages of bots, with the agent that they mention.
    pub bots: BTreeMap<(String, String), &'static str>,
    pub sends: Vec<Send>,
    /// Kinds of deeds that were done.
    pub done: BTreeSet<String>,
    pub(super) said: u32,
}

/// Something that somebody asked to be posted.
pub struct Send {
    pub client: Client,
    pub agent: &'static str,
    pub place: usize,
    pub channel: &'static str,
    pub text: String,
    pub at: u64,
}

/// The whole story.
pub fn play(w: &mut World, schedule: &Schedule) -> Marks {
    w.run_till(mins(2), "the first lists", |w| w.listed());
    w.run_for(secs(30));
    // what is said before a channel's first cursor was found is not owed; where tokens end before several links came to
    // their joins over a slow network, they are not all there in one moment
    w.run_till(mins(10), "the first joins", |w| {
        w.status().links.iter().all(|l| w.story.settled.contains(&link_name(l)))
    });
    let mut marks = Marks::default();
    for act in &schedule.acts {
        w.note(|| format!("act {:?}", act.deed));
        marks.done.insert(act.deed.kind());
        deed(w, &act.deed, &mut marks);
        w.run_for(act.pause);
        if w.disk.is_bad() {
            w.look_at_disk();
        }
    }
    calm_down(w);
    w.look_at_disk();
    marks
}

/// Nothing waits for so long: several looks at history, and whatever a link would find out by them.
const QUIET_MIN: u32 = 4;
/// The longest that a story may take to come to rest.
const CALM_MIN: u32 = 85;

/// All is well again, the network too, and goes on until nothing has waited for a while.
fn calm_down(w: &mut World) {
    w.disk.heal();
    w.run_until(w.board.off_until.max(w.at));
    w.start();
    for hall in &mut w.halls {
        hall.heal();
        (hall.latency_ms, hall.jitter_ms) = (hall.latency_ms.min(20), 0);
    }
    let mut quiet = 0;
    for _ in 0..CALM_MIN {
        w.run_for(mins(1));
        let status = w.status();
        let rests = status.links.iter().all(|l| l.state == "live" && l.outbox_depth == 0)
            && status.agents.iter().all(|a| a.waiting == 0 && a.turns_open == 0);
        quiet = if rests { quiet + 1 } else { 0 };
        if quiet == QUIET_MIN {
            break;
        }
    }
}

/// Everybody of a guild's channels.
pub(super) fn members(w: &World) -> Vec<&'static str> {
    let agents = AGENTS.into_iter().filter(|name| w.hands.contains_key(*name));
    ["alice", "bob", "bot7"].into_iter().chain(agents).collect()
}
