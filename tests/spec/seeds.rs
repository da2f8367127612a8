//! Random schedules of faults, from a seed: whatever happens, the promises of CONTRACT section 4 hold.
//! `SEEDS=n` tells how many, `SEED=n` replays one and prints its story. The first seed that fails is printed.

use crate::world::hall::{Trouble, What};
use crate::world::{Fault, Habit, Rejection, World, mins, secs, twice};
use guild_bridge::agent::Said;
use guild_bridge::port::Command;
use guild_bridge::reason::{Reason, Why};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

const SEEDS: u64 = 300;
const CHANNELS: [&str; 3] = ["general", "dev", "ops"];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// A guild of its own kind for each seed.
fn world(seed: u64) -> World {
    let mut w = World::chatty(seed);
    for channel in &CHANNELS[1..] {
        w.guild().model.add_channel(channel, "channel", &["alice", "bob", "recruiter"]);
    }
    let chance = |w: &mut World, n| w.rng.u32(..n) == 0;
    let (acks, lists, kicks, recovery) = (!chance(&mut w, 2), !chance(&mut w, 3), chance(&mut w, 3), chance(&mut w, 4));
    let life = [secs(20), secs(90), secs(900)][w.rng.usize(..3)];
    let rejections = [Rejection::Silent, Rejection::Soft41, Rejection::Close41, Rejection::ConnectError];
    let (rejection, latency) = (rejections[w.rng.usize(..4)], [1, 5, 80, 400][w.rng.usize(..4)]);
    let keys = !chance(&mut w, 4);
    w.settings.agents[0].parallel = w.rng.u16(1..5);
    let hall = w.guild();
    (hall.recovery, hall.latency_ms) = (recovery, latency);
    let options = &mut hall.model.options;
    (options.acks, options.last_message_id, options.kicks_at_expiry) = (acks, lists, kicks);
    (options.token_life_ms, options.rejection, options.honours_keys) = (life, rejection, keys);
    w
}

/// One fault.
fn fault(w: &mut World) {
    let times = w.rng.u32(1..4);
    let route = ["mint", "channels", "history", "post"][w.rng.usize(..4)];
    let what = match w.rng.u32(..8) {
        0 => What::Refused,
        1 => What::LostBefore,
        2 => What::LostAfter,
        3 => What::Slow(w.rng.u64(..25_000)),
        4 => What::Hangs,
        5 => What::Status(429, Some(w.rng.u64(..20_000))),
        6 => What::Status([500, 502, 503][w.rng.usize(..3)], None),
        _ => What::Body(200, "text/html", "<html>sign in".into()),
    };
    let kind = w.rng.u32(..22);
    w.note(format!("fault {kind}, {times} times, {route} {what:?}"));
    match kind {
        0 => w.guild().close_lines(),
        1 => w.guild().freeze_lines(),
        2 => w.guild().model.lose_rooms(),
        3 => w.guild().deafen(),
        4 => w.guild().deaf_sessions = times,
        5 => w.guild().model.faults.set_times(Fault::EventsLost, times),
        6 => w.guild().model.faults.set_times(Fault::ConnectSilence, times),
        7 => w.guild().model.faults.set_times(Fault::Reject(Rejection::ConnectError), times),
        8 => w.guild().model.revoke_tokens("recruiter"),
        9 => w.guild().model.kick("recruiter", times == 1),
        10 => w.guild().inject(["9", "42[", "41", "1", "43999[]", "451-[\"x\"]", ""][times as usize]),
        11..=14 => w.guild().trouble.push(Trouble { route, channel: None, what, times }),
        15 => outage(w),
        16 => w.crash(),
        19 => {
            let ms = w.rng.u64(..secs(90));
            w.kill();
            w.at(ms, World::start);
        }
        20 => w.clock_offset_ms = w.rng.i64(-400_000_000..400_000_000),
        17 => agent_fault(w),
        18 => {
            let settings = Box::new(w.settings.clone());
            w.ask(Command::Reload(settings));
        }
        _ => {
            w.ask(Command::Restart { agent: "recruiter".into() });
        }
    }
    w.guild().flush();
}

fn outage(w: &mut World) {
    let dark = w.rng.bool();
    let ms = w.rng.u64(..secs(100));
    (w.guild().up, w.guild().dark) = (dark, dark);
    if dark {
        w.guild().freeze_lines()
    } else {
        w.guild().close_lines()
    }
    w.at(ms, |w| (w.guild().up, w.guild().dark) = (true, false));
}

/// Two failed attempts at most: a third would be a gap by right.
fn agent_fault(w: &mut World) {
    if w.agent().id.is_none() {
        return;
    }
    w.agent().failures += 1;
    let habit = match w.rng.u32(..6) {
        0 if w.agent().failures <= 2 => Habit::Fails,
        0 => Habit::Garbles,
        1 => Habit::Busy(Some(w.rng.u64(..9_000))),
        2 => Habit::Absent,
        3 => Habit::Doubles,
        4 => Habit::Garbles,
        _ => {
            if w.agent().failures > 2 {
                return;
            }
            let gone = Said::Gone(Why::new(Reason::AgentGone, "closed"));
            w.says("recruiter", gone);
            let ms = w.rng.u64(..secs(60));
            return w.at(ms, |w| {
                if w.agent().id.is_some() {
                    w.says("recruiter", Said::Here);
                }
            });
        }
    };
    w.agent().next.push_back(habit);
}

/// Twenty minutes of talk and faults, then calm until all is over.
fn live_through(seed: u64) -> World {
    let mut w = world(seed);
    w.agent().takes_ms = w.rng.u64(1..400);
    w.run_till(mins(2), "the first list", |w| !w.disk.is_empty());
    w.run_for(secs(30));
    let mut said = 0;
    for _ in 0..120 {
        let channel = CHANNELS[w.rng.usize(..3)];
        let burst = if w.rng.u32(..40) == 0 { w.rng.u32(2..150) } else { 1 };
        for _ in 0..burst {
            w.say(channel, "alice", &format!("m{said}"));
            said += 1;
        }
        if w.rng.u32(..4) == 0 {
            fault(&mut w);
        }
        let pause = [0, 50, 900, 5_000, 40_000][w.rng.usize(..5)];
        w.run_for(pause);
    }
    w.start();
    w.guild().heal();
    w.run_for(mins(25));
    // a slow link with hundreds of posts behind it takes its time: some of it, but not for ever
    for _ in 0..12 {
        if w.link().outbox_depth == 0 && w.status().agents[0].waiting == 0 {
            break;
        }
        w.run_for(mins(5));
    }
    w
}

/// What holds in every story; World itself holds the rest all the time.
fn hold(w: &World) {
    let said: Vec<_> = w.halls[0].model.said.iter().filter(|m| m.author == "alice").collect();
    let asked = &w.hands["recruiter"].asked;
    let mut answers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for message in &w.halls[0].model.said {
        if message.author == "recruiter" {
            answers.entry(message.channel.as_str()).or_default().push(message.text.as_str());
        }
    }
    for message in &said {
        let posts = answers.get(message.channel.as_str()).into_iter().flatten();
        let count = posts.filter(|text| text.strip_prefix("re: ") == Some(message.text.as_str())).count();
        assert_eq!(count, 1, "{} in {} was answered {count} times", message.text, message.channel);
    }
    for channel in CHANNELS {
        let first_given = |text: &str| asked.iter().position(|a| a.turn.message.text == text);
        let by_socket_or_history: Vec<_> = said.iter().filter(|m| m.channel == channel).collect();
        for pair in by_socket_or_history.windows(2) {
            let (a, b) = (first_given(&pair[0].text), first_given(&pair[1].text));
            let late = a.is_some_and(|a| asked[a].turn.replayed);
            assert!(a < b || late, "{} came after {} in {channel}", pair[0].text, pair[1].text);
        }
    }
    let keyed: Vec<_> = w.halls[0].model.said.iter().filter_map(|m| m.key.clone()).collect();
    assert!(twice(keyed).is_empty(), "one key is in the guild twice");
    let link = w.link();
    // a frame that could not be read is counted, and history brings what was in it
    let unreadable = link.gaps_by_reason.get("unreadable").copied().unwrap_or_default();
    assert_eq!((link.outbox_depth, link.gaps), (0, unreadable), "{link:?}");
    let agent = &w.status().agents[0];
    assert_eq!((agent.turns_open, agent.waiting), (0, 0), "{agent:?}");
    assert!(w.disk.len() <= 2 * guild_bridge::budget::JOURNAL_BYTES);
    assert!(w.story.count("dial") <= 600, "{} dials in 45 minutes", w.story.count("dial"));
}

#[test]
fn whatever_happens_nothing_is_lost_doubled_or_out_of_order() {
    if let Some(seed) = number("SEED") {
        let w = live_through(seed);
        w.story.print();
        return hold(&w);
    }
    for seed in 0..number("SEEDS").unwrap_or(SEEDS) {
        let outcome = catch_unwind(AssertUnwindSafe(|| hold(&live_through(seed))));
        assert!(
            outcome.is_ok(),
            "seed {seed} fails: SEED={seed} cargo test --test spec whatever_happens -- --nocapture"
        );
    }
}
