//! Plays a schedule: the acts in order, then calm until all is over. Nothing is chosen here.

use super::schedule::{Deed, Does, Schedule, Traits, Wrong};
use super::{CHANNELS, FRAMES};
use crate::world::hall::{Hall, Trouble, What};
use crate::world::{Fault, Habit, World, mins, secs};
use guild_bridge::agent::Said;
use guild_bridge::port::Command;
use guild_bridge::reason::{Reason, Why};
use guild_bridge::settings::RespondTo;

/// The agents of a schedule's world, in order; the guilds are `acme` and `umbra`.
pub const AGENTS: [&str; 3] = ["recruiter", "scout", "clerk"];
const GUILDS: [&str; 2] = ["acme", "umbra"];

/// The world as the traits say, before anything runs.
pub fn world(seed: u64, traits: &Traits) -> World {
    let mut w = World::chatty(seed);
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
    let members: Vec<&str> = ["alice", "bob"].iter().chain(agents).copied().collect();
    for hall in &mut w.halls {
        for channel in CHANNELS {
            hall.model.add_channel(channel, "channel", &members);
        }
        (hall.recovery, hall.latency_ms, hall.jitter_ms) = (traits.recovery, traits.latency_ms, traits.jitter_ms);
        let options = &mut hall.model.options;
        (options.acks, options.last_message_id, options.kicks_at_expiry) = (traits.acks, traits.lists, traits.kicks);
        (options.token_life_ms, options.rejection) = (secs(traits.life_s), traits.rejection.rejection());
        (options.honours_keys, options.date) = (traits.keys, traits.date);
        (options.mentions, options.echo) = (traits.mentions, traits.echo);
    }
    w
}

/// The whole story.
pub fn play(w: &mut World, schedule: &Schedule) {
    w.run_till(mins(2), "the first lists", |w| w.listed());
    w.run_for(secs(30));
    let mut said = 0;
    for act in &schedule.acts {
        w.note(|| format!("act {:?}", act.deed));
        deed(w, &act.deed, &mut said);
        w.run_for(act.pause);
    }
    calm_down(w);
}

/// All is well again, and goes on until nothing waits: a slow link with hundreds of posts behind it takes its time.
fn calm_down(w: &mut World) {
    w.start();
    w.halls.iter_mut().for_each(Hall::heal);
    w.run_for(mins(25));
    for _ in 0..12 {
        let status = w.status();
        if status.links.iter().all(|l| l.outbox_depth == 0) && status.agents.iter().all(|a| a.waiting == 0) {
            break;
        }
        w.run_for(mins(5));
    }
}

fn deed(w: &mut World, deed: &Deed, said: &mut u32) {
    match deed {
        Deed::Say { guild, channel, count } => {
            for _ in 0..*count {
                let text = format!("m{said}");
                hall(w, *guild).say(CHANNELS[usize::from(*channel) % CHANNELS.len()], "alice", &text);
                *said += 1;
            }
        }
        Deed::Calls { guild, route, wrong, times } => {
            let trouble = Trouble { route: route.word(), channel: None, what: what(*wrong), times: *times };
            hall(w, *guild).trouble.push(trouble);
        }
        Deed::CloseLines { guild } => hall(w, *guild).close_lines(),
        Deed::FreezeLines { guild } => hall(w, *guild).freeze_lines(),
        Deed::LoseRooms { guild } => hall(w, *guild).model.lose_rooms(),
        Deed::Deafen { guild } => hall(w, *guild).deafen(),
        Deed::DeafSessions { guild, times } => hall(w, *guild).deaf_sessions = *times,
        Deed::EventsLost { guild, times } => hall(w, *guild).model.faults.set_times(Fault::EventsLost, *times),
        Deed::ConnectSilence { guild, times } => hall(w, *guild).model.faults.set_times(Fault::ConnectSilence, *times),
        Deed::Reject { guild, how, times } => {
            hall(w, *guild).model.faults.set_times(Fault::Reject(how.rejection()), *times);
        }
        Deed::Revoke { guild, agent } => hall(w, *guild).model.revoke_tokens(name(*agent)),
        Deed::Kick { guild, agent, close } => hall(w, *guild).model.kick(name(*agent), *close),
        Deed::Inject { guild, frame } => hall(w, *guild).inject(FRAMES[usize::from(*frame) % FRAMES.len()]),
        Deed::Outage { guild, dark, ms } => outage(w, place(w, *guild), *dark, *ms),
        Deed::Crash => w.crash(),
        Deed::Down { ms } => {
            w.kill();
            w.at(*ms, World::start);
        }
        Deed::Clock { ms } => w.clock_offset_ms = *ms,
        Deed::Agent { agent, does } => agent_does(w, name(*agent), *does),
        Deed::Reload => {
            let settings = Box::new(w.settings.clone());
            w.ask(Command::Reload(settings));
        }
        Deed::Restart { agent } => {
            w.ask(Command::Restart { agent: name(*agent).into() });
        }
    }
    w.halls.iter_mut().for_each(Hall::flush);
}

fn place(w: &World, guild: u8) -> usize {
    usize::from(guild) % w.halls.len()
}

fn hall(w: &mut World, guild: u8) -> &mut Hall {
    let place = place(w, guild);
    w.hall(place)
}

fn name(agent: u8) -> &'static str {
    AGENTS[usize::from(agent) % AGENTS.len()]
}

fn outage(w: &mut World, place: usize, dark: bool, ms: u64) {
    let hall = w.hall(place);
    (hall.up, hall.dark) = (dark, dark);
    if dark {
        hall.freeze_lines()
    } else {
        hall.close_lines()
    }
    w.at(ms, move |w| (w.hall(place).up, w.hall(place).dark) = (true, false));
}

fn agent_does(w: &mut World, name: &'static str, does: Does) {
    if !w.hands.contains_key(name) {
        return;
    }
    let habit = match does {
        Does::Fails => Habit::Fails,
        Does::Refuses => Habit::Refuses,
        Does::Hangs => Habit::Hangs,
        Does::Busy(ms) => Habit::Busy(Some(ms)),
        Does::Absent => Habit::Absent,
        Does::Doubles => Habit::Doubles,
        Does::Garbles => Habit::Garbles,
        Does::Nothing => Habit::None,
        Does::Parts(parts) => Habit::Numbered(parts),
        Does::Dies(ms) => return dies(w, name, ms),
    };
    w.hand(name).next.push_back(habit);
}

fn dies(w: &mut World, name: &'static str, ms: u64) {
    if w.hand(name).id.is_none() {
        return;
    }
    w.says(name, Said::Gone(Why::new(Reason::AgentGone, "closed")));
    w.at(ms, move |w| {
        if w.hand(name).id.is_some() {
            w.says(name, Said::Here);
        }
    });
}

fn what(wrong: Wrong) -> What {
    match wrong {
        Wrong::Refused => What::Refused,
        Wrong::LostBefore => What::LostBefore,
        Wrong::LostAfter => What::LostAfter,
        Wrong::Slow(ms) => What::Slow(ms),
        Wrong::Hangs => What::Hangs,
        Wrong::Status(status, after) => What::Status(status, after),
        Wrong::Page => What::Body(200, "text/html", "<html>sign in".into()),
    }
}
