//! Power cuts and failing disks, as the guild and the agent see them.

use crate::world::{Fault, Habit, What, World, mins, secs, twice};
use guild_bridge::settings::StateMode;

/// Says ten messages around a power cut at `ms`, half a second long, and runs until all is over.
fn cut_at(seed: u64, ms: u64, state: StateMode, honours_keys: bool) -> World {
    let mut w = World::chatty(seed);
    w.settings.state = state;
    w.guild().model.options.honours_keys = honours_keys;
    w.agent().takes_ms = 35;
    w.run_live();
    for i in 0..10 {
        w.at(i * 170, move |w| drop(w.say("general", "alice", &format!("m{i}"))));
    }
    w.at(ms, |w| {
        w.power_cut();
        w.at(500, World::start);
    });
    w.run_for(mins(5));
    w
}

#[test]
fn a_power_cut_at_any_moment_loses_no_message_and_doubles_no_reply() {
    let wanted: Vec<String> = (0..10).map(|i| format!("re: m{i}")).collect();
    for state in [StateMode::Group, StateMode::Each] {
        for ms in (0..4_000).step_by(23) {
            let w = cut_at(ms, ms, state, ms % 2 == 0);
            assert_eq!(w.answers("general"), wanted, "{state:?}: power cut at {ms} ms\n{}", w.tail());
        }
    }
}

#[test]
fn a_reply_is_not_posted_before_its_record_outlives_a_power_cut() {
    for ms in (0..1_600).step_by(9) {
        let mut w = World::chatty(ms);
        w.settings.state = StateMode::Group;
        w.run_live();
        w.run_for(secs(8));
        ["one", "two"].iter().for_each(|text| drop(w.say("general", "alice", text)));
        w.run_for(ms);
        w.power_cut();
        let posted = w.answers("general").len();
        w.agent().habit = Habit::Says("another answer".into());
        w.start();
        w.run_for(mins(3));
        let first = w.answers("general");
        assert!(first[..posted].iter().all(|text| text.starts_with("re: ")), "{first:?}");
        assert_eq!(first.len(), 2, "power cut after {ms} ms: an answer was forgotten and made anew: {first:?}");
    }
}

#[test]
fn a_reply_that_a_killed_daemon_had_not_synced_is_not_posted_before_it_is() {
    for ms in (0..1_600).step_by(9) {
        let mut w = World::chatty(ms);
        w.settings.state = StateMode::Group;
        w.run_live();
        w.run_for(secs(8));
        ["one", "two"].iter().for_each(|text| drop(w.say("general", "alice", text)));
        w.run_for(100);
        w.guild().model.options.honours_keys = false;
        w.guild().trouble("channels", 1, What::Status(500, None));
        w.crash();
        w.run_for(ms);
        w.power_cut();
        let posted = w.answers("general").len();
        w.agent().habit = Habit::Says("another answer".into());
        w.start();
        w.run_for(mins(3));
        let first = w.answers("general");
        assert!(first[..posted].iter().all(|text| text.starts_with("re: ")), "{first:?}");
        assert_eq!(first.len(), 2, "power cut after {ms} ms: an answer was forgotten and made anew: {first:?}");
    }
}

#[test]
fn what_nothing_waits_for_may_be_forgotten_and_the_turn_is_given_again_at_most() {
    let (mut again, cuts) = (0, 40);
    for seed in 0..cuts {
        let mut w = World::chatty(seed);
        w.settings.state = StateMode::Group;
        w.agent().habit = Habit::None;
        w.run_live();
        w.run_for(secs(8));
        w.say("general", "alice", "nothing to say");
        w.run_for(secs(2));
        w.power_cut();
        w.start();
        w.run_for(mins(2));
        w.say("general", "alice", "later");
        w.run_for(secs(20));
        w.power_cut();
        w.start();
        w.run_for(mins(2));
        let heard = w.heard();
        assert_eq!(heard.iter().filter(|text| **text == "later").count(), 1, "it was synced within 5 s: {heard:?}");
        again += twice(heard.into_iter().map(str::to_owned)).len();
    }
    assert!((1..=cuts as usize).contains(&again), "{again} of {cuts}: the record waits for its sync for 5 s");
}

#[test]
fn a_disk_that_comes_back_is_given_all_that_is_live() {
    for seed in 0..10 {
        let mut w = World::chatty(seed);
        w.settings.state = StateMode::Group;
        w.run_live();
        w.disk.full = true;
        w.guild().model.faults.set(Fault::PostStatus(503, None));
        for i in 0..5 {
            w.say("general", "alice", &format!("m{i}"));
            w.run_for(secs(40));
        }
        assert!(w.status().process.state_detail.contains("No space left"), "{:?}", w.status().process);
        w.disk.full = false;
        w.run_for(mins(2));
        assert_eq!(w.status().process.state_detail, "");
        w.power_cut();
        w.guild().model.faults.clear();
        w.start();
        w.run_for(mins(5));
        let wanted: Vec<String> = (0..5).map(|i| format!("re: m{i}")).collect();
        assert_eq!(w.answers("general"), wanted, "{}", w.tail());
        assert_eq!(w.heard().len(), 5, "{}", w.tail());
    }
}

#[test]
fn a_sync_or_a_write_that_fails_once_is_not_noticed_by_anybody() {
    for seed in 0..40 {
        let mut w = World::chatty(seed);
        w.settings.state = [StateMode::Group, StateMode::Each][seed as usize % 2];
        w.run_live();
        for i in 0..4 {
            if w.rng.bool() {
                w.disk.fails_sync(1);
            } else {
                w.disk.fails_write(1);
            }
            w.say("general", "alice", &format!("m{i}"));
            w.run_for(secs(70));
            assert_eq!(w.status().process.state_detail, "", "seed {seed}");
        }
        w.power_cut();
        w.start();
        w.run_for(mins(3));
        let wanted: Vec<String> = (0..4).map(|i| format!("re: m{i}")).collect();
        assert_eq!(w.answers("general"), wanted, "seed {seed}\n{}", w.tail());
        assert_eq!(w.heard().len(), 4, "seed {seed}");
    }
}

#[test]
fn without_a_directory_at_the_start_everything_goes_on_and_is_written_when_it_comes() {
    let mut w = World::chatty(9);
    w.disk.gone = true;
    w.run_live();
    w.say("general", "alice", "hi");
    w.run_for(secs(30));
    assert_eq!(w.answers("general"), ["re: hi"]);
    assert!(w.disk.is_empty() && !w.status().process.state_detail.is_empty());
    w.disk.gone = false;
    w.run_for(mins(2));
    assert!(!w.disk.is_empty());
    w.crash();
    w.run_for(mins(2));
    assert_eq!((w.answers("general"), w.heard()), (vec!["re: hi"], vec!["hi"]));
}
