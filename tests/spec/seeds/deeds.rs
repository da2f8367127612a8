//! What each deed does to the world. What it changes of what is owed goes into the marks.

use super::play::{AGENTS, Marks, Send, members};
use super::schedule::{Deed, DiskDoes, Does, Mints, Wrong};
use super::{CHANNELS, FRAMES, LATE};
use crate::world::hall::{Hall, Trouble, What};
use crate::world::{Fault, Habit, World, mins, secs};
use guild_bridge::agent::Said;
use guild_bridge::port::Command;
use guild_bridge::reason::{Reason, Why};
use guild_bridge::settings::StateMode;

/// So many milliseconds are given to the first of two twins, to get into the guild.
const TWIN_STEPS: u32 = 2_000;

/// Does it.
pub fn deed(w: &mut World, deed: &Deed, marks: &mut Marks) {
    match deed {
        Deed::Say { guild, channel, count } => {
            for _ in 0..*count {
                say(w, marks, *guild, *channel, "alice", |n| format!("m{n}"));
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
        Deed::Crash => {
            w.kill();
            starts(w);
        }
        Deed::Down { ms } => {
            w.disk.within_reach();
            w.kill();
            w.at(*ms, starts);
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
        Deed::Stop { ms } => {
            w.disk.within_reach();
            w.ask(Command::Stop);
            w.at(secs(10) + ms, starts);
        }
        Deed::PowerCut { ms } | Deed::Reboot { ms } => {
            w.disk.within_reach();
            let reboots = matches!(deed, Deed::Reboot { .. });
            power_goes(w, *ms, reboots);
        }
        Deed::Suspend { ms } => w.suspend(*ms),
        Deed::Disk { does } => disk(w, *does),
        Deed::Latency { guild, ms } => hall(w, *guild).latency_ms = *ms,
        Deed::Flaps { guild, times, gap } => {
            let place = place(w, *guild);
            (0..u64::from(*times)).for_each(|n| w.at(n * gap, move |w| w.hall(place).close_lines()));
        }
        Deed::Cut { guild, channel, keep } => cut(w, marks, place(w, *guild), channel_of(*channel), *keep),
        Deed::Away { guild, agent, channel, ms } => away(w, place(w, *guild), name(*agent), channel_of(*channel), *ms),
        Deed::Deny { guild, channel, ms } => {
            let (place, denied) = (place(w, *guild), Fault::JoinDenied(channel_of(*channel).into()));
            w.hall(place).model.faults.set(denied.clone());
            w.at(*ms, move |w| w.hall(place).model.faults.clear_one(&denied));
        }
        Deed::NewChannel { guild } => {
            let members = members(w);
            let model = &mut hall(w, *guild).model;
            if !model.channels.contains_key(LATE) {
                model.add_channel(LATE, "channel", &members);
            }
        }
        Deed::RefusePosts { guild, times } => {
            hall(w, *guild).model.faults.set_times(Fault::PostStatus(422, None), *times);
        }
        Deed::StoredThen500 { guild, times } => {
            hall(w, *guild).model.faults.set_times(Fault::PostStoredThen500, *times);
        }
        Deed::Mint { guild, does, times } => {
            w.story.cached_mint |= *does == Mints::Same;
            let fault = match does {
                Mints::Same => Fault::MintSameToken,
                Mints::Near(ms) => Fault::MintNearExpiry(*ms),
                Mints::Garbage => Fault::MintGarbage,
            };
            hall(w, *guild).model.faults.set_times(fault, *times);
        }
        Deed::Unauthorized { guild, times } => {
            hall(w, *guild).model.faults.set_times(Fault::Unauthorized, *times);
        }
        Deed::KeyRefused { guild, agent, ms } => {
            let (place, name) = (place(w, *guild), name(*agent));
            if w.hands.contains_key(name) {
                w.hall(place).model.refuse_agent(name);
                w.at(*ms, move |w| w.hall(place).model.add_agent(name, name, &format!("key-of-{name}")));
            }
        }
        Deed::Bot { guild, agent, channel, count } => {
            let name = name(*agent);
            for _ in 0..*count {
                let told = say(w, marks, *guild, *channel, "bot7", |n| format!("b{n} @{name}"));
                marks.bots.insert(told, name);
            }
        }
        Deed::Oversize { guild, channel } => {
            let told = say(w, marks, *guild, *channel, "bob", |n| format!("o{n} {}", "x".repeat(70_000)));
            marks.oversize.insert(told);
        }
        Deed::Send { guild, agent, channel } => {
            send(w, marks, place(w, *guild), name(*agent), channel_of(*channel), 1);
        }
        Deed::Twins { guild, agent, channel } => {
            let (place, channel) = (place(w, *guild), channel_of(*channel));
            let text = send(w, marks, place, name(*agent), channel, 2);
            let is_there = |w: &World| w.halls[place].model.said.iter().any(|m| m.text == text);
            for _ in 0..TWIN_STEPS {
                if is_there(w) {
                    break;
                }
                w.run_for(1);
            }
            let channel = Some(channel.to_owned());
            w.hall(place).trouble.push(Trouble { route: "post", channel, what: What::LostBefore, times: 1 });
        }
        Deed::RetryLetters => {
            w.ask(Command::LettersAgain { which: None });
        }
    }
    w.halls.iter_mut().for_each(Hall::flush);
}

/// Somebody says something in a channel, or in the first where that one is not there. Its guild and id.
fn say(
    w: &mut World,
    marks: &mut Marks,
    guild: u8,
    channel: u8,
    author: &str,
    text: impl FnOnce(u32) -> String,
) -> (String, String) {
    let place = place(w, guild);
    let there = w.halls[place].model.channels.contains_key(channel_of(channel));
    let channel = if there { channel_of(channel) } else { CHANNELS[0] };
    let text = text(marks.said);
    marks.said += 1;
    let id = w.hall(place).say(channel, author, &text);
    (w.halls[place].name.clone(), id)
}

/// The power goes and comes back. Where nothing is ever synced the daemon is killed instead.
fn power_goes(w: &mut World, ms: u64, reboots: bool) {
    if w.settings.state == StateMode::Memory {
        w.kill();
    } else {
        w.power_cut();
    }
    w.board.off_until = w.board.off_until.max(w.at + ms);
    w.at(ms, move |w| {
        if reboots && w.at >= w.board.off_until {
            w.reboot();
            w.at(mins(1), |w| w.clock_offset_ms = 0);
        }
        starts(w);
    });
}

/// The daemon starts where there is power, and finds its directory: without what it kept it may begin anew, by contract.
fn starts(w: &mut World) {
    if w.at >= w.board.off_until {
        w.disk.within_reach();
        w.start();
    }
}

fn disk(w: &mut World, does: DiskDoes) {
    let span = match does {
        DiskDoes::Full(ms) => {
            w.disk.full = true;
            w.at(ms, |w| w.disk.full = false);
            ms
        }
        DiskDoes::ReadOnly(ms) => {
            w.disk.read_only = true;
            w.at(ms, |w| w.disk.read_only = false);
            ms
        }
        DiskDoes::Gone(ms) => {
            w.disk.gone = true;
            w.at(ms, |w| w.disk.gone = false);
            ms
        }
        DiskDoes::SyncsFail(times) => {
            w.disk.fails_sync(times);
            mins(5)
        }
        DiskDoes::WritesFail(times) => {
            w.disk.fails_write(times);
            mins(5)
        }
    };
    w.disk_is_bad_for(span);
}

fn cut(w: &mut World, marks: &mut Marks, place: usize, channel: &str, keep: u8) {
    let at = w.at;
    let hall = w.hall(place);
    let Some(kept) = hall.model.channels.get(channel).map(|c| &c.messages) else { return };
    let gone = kept.len().saturating_sub(usize::from(keep));
    marks.cut.extend(kept[..gone].iter().map(|m| ((hall.name.clone(), m.id.clone()), at)));
    hall.model.cut_history(channel, usize::from(keep));
}

fn away(w: &mut World, place: usize, name: &'static str, channel: &'static str, ms: u64) {
    let member = move |w: &mut World, there: bool| {
        if let Some(channel) = w.hall(place).model.channels.get_mut(channel) {
            let _ = if there { channel.members.insert(name.into()) } else { channel.members.remove(name) };
        }
    };
    member(w, false);
    w.at(ms, move |w| member(w, true));
}

/// Somebody asks for the same words to be posted so often. The words.
fn send(
    w: &mut World,
    marks: &mut Marks,
    place: usize,
    agent: &'static str,
    channel: &'static str,
    times: u32,
) -> String {
    let text = format!("s{}", marks.said);
    if !w.hands.contains_key(agent) {
        return text;
    }
    marks.said += 1;
    let to = format!("{}.{channel}", w.halls[place].name);
    for _ in 0..times {
        let client = w.ask(Command::Send { agent: agent.into(), channel: to.clone(), text: text.clone() });
        marks.sends.push(Send { client, agent, place, channel, text: text.clone(), at: w.at });
    }
    text
}

fn channel_of(channel: u8) -> &'static str {
    CHANNELS[usize::from(channel) % CHANNELS.len()]
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
        Does::Floods => Habit::Floods,
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
