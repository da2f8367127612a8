//! A socket that brings more than turns take: it is read no further for a while, then history is asked.

use crate::world::{Fault, Habit, World, secs};
use guild_bridge::budget;

/// An agent that takes each message for so long and says nothing, in so many channels: c0, c1 and on.
pub fn hall(seed: u64, channels: usize, takes_ms: u64) -> World {
    let mut w = World::chatty(seed);
    let names: Vec<String> = (0..channels).map(|n| format!("c{n}")).collect();
    names.iter().for_each(|name| w.guild().model.add_channel(name, "channel", &["alice", "recruiter"]));
    (w.hand("recruiter").takes_ms, w.hand("recruiter").habit) = (takes_ms, Habit::None);
    w.settings.agents[0].parallel = 64;
    w.run_till(secs(30), "all channels are proven", |w| w.link().channels_proven == channels + 1);
    w.run_for(secs(10));
    w
}

/// So many messages at once in each of so many channels.
pub fn say_all(w: &mut World, channels: usize, messages: std::ops::Range<usize>) {
    for i in messages {
        (0..channels).for_each(|n| drop(w.say(&format!("c{n}"), "alice", &format!("m{i}"))));
    }
}

fn flood(seed: u64, channels: usize, messages: usize, takes_ms: u64) -> World {
    let mut w = hall(seed, channels, takes_ms);
    say_all(&mut w, channels, 0..messages);
    w
}

/// Whether all came, each channel's in order.
fn came_whole(w: &World, channels: usize, messages: usize) -> bool {
    w.heard().len() == channels * messages
}

#[test]
fn a_flood_that_turns_keep_up_with_is_read_as_they_take_it_and_history_is_not_asked_for_it() {
    let mut w = flood(1, 20, 60, 1);
    w.run_till(secs(60), "all came", |w| came_whole(w, 20, 60));
    assert!(w.story.count("hold") > 1, "{} holds", w.story.count("hold"));
    assert_eq!(w.story.count("hold"), w.story.count("go"));
    let link = w.link();
    assert_eq!((link.replayed, link.gaps), (0, 0), "{link:?}");
}

#[test]
fn an_agent_that_is_slower_holds_the_socket_for_a_second_and_its_pings_are_answered() {
    let mut w = flood(2, 1, 400, 500);
    w.run_till(secs(600), "all came", |w| came_whole(w, 1, 400));
    let (holds, goes) = (w.story.moments("hold"), w.story.moments("go"));
    assert!(holds.len() == goes.len() && !holds.is_empty(), "{holds:?} {goes:?}");
    let longest = holds.iter().zip(&goes).map(|(hold, go)| go - hold).max().unwrap();
    assert_eq!(longest, budget::HOLD_MS, "{holds:?} {goes:?}");
    let (dials, link) = (w.story.count("dial"), w.link());
    assert_eq!((dials, link.state, link.gaps), (1, "live", 0), "{link:?}");
    assert!(link.replayed > 0, "what found no room came from history");
}

#[test]
fn holds_that_go_on_come_to_no_more_than_the_guilds_patience() {
    let mut w = flood(3, 4, 5_000, 10);
    w.run_till(secs(900), "all came", |w| came_whole(w, 4, 5_000));
    let (holds, goes) = (w.story.moments("hold"), w.story.moments("go"));
    let mut spent = 0;
    for (at, (hold, go)) in holds.iter().zip(&goes).enumerate() {
        if at > 0 && hold - goes[at - 1] >= budget::HOLD_REST_MS {
            spent = 0;
        }
        spent += go - hold;
        assert!(spent <= budget::HOLDS_MS, "{spent} ms without a rest\n{holds:?}\n{goes:?}");
    }
    let link = w.link();
    assert_eq!((w.story.count("dial"), link.gaps), (1, 0), "{link:?}");
}

#[test]
fn what_waits_in_one_channel_shuts_out_no_other_that_the_socket_skips() {
    let mut w = World::chatty(5);
    ["busy", "deaf"].iter().for_each(|name| w.guild().model.add_channel(name, "channel", &["alice", "recruiter"]));
    (w.hand("recruiter").takes_ms, w.hand("recruiter").habit) = (secs(60), Habit::None);
    w.settings.agents[0].parallel = 4;
    w.run_till(secs(30), "all channels are proven", |w| w.link().channels_proven == 3);
    w.run_for(secs(10));
    (0..150).for_each(|i| drop(w.say("busy", "alice", &format!("m{i}"))));
    w.run_for(secs(10));
    assert!(w.status().agents[0].waiting > budget::WINDOW_MESSAGES, "{:?}", w.status().agents[0]);
    w.guild().model.faults.set_times(Fault::EventsLost, 1);
    w.say("deaf", "alice", "skipped");
    w.run_till(secs(180), "the skipped one came", |w| w.heard().contains(&"skipped"));
}
