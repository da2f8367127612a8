//! Faults of the machine that the core sees: sleep, a configuration that changes at any moment.

use crate::fabric::tokens::stale_calls;
use crate::world::{Habit, World, mins, secs};
use guild_bridge::port::Command;

#[test]
fn a_board_that_slept_longer_than_its_token_lives_offers_a_fresh_one_and_catches_up() {
    for kicks in [false, true] {
        let mut w = World::chatty(1);
        w.guild().model.options.kicks_at_expiry = kicks;
        w.run_live();
        w.run_for(mins(3));
        // nothing runs here any more; over there people go on
        w.guild().freeze_lines();
        (0..50).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
        w.at += mins(60);
        let woke = w.at;
        w.run_till(secs(60), "it is live again", |w| w.state() == "live" && w.story.offered.len() == 2);
        assert!(w.at - woke <= secs(10), "{} ms after it woke", w.at - woke);
        w.run_for(mins(2));
        assert_eq!(w.heard(), (0..50).map(|i| format!("m{i}")).collect::<Vec<_>>());
        assert_eq!(stale_calls(&w), 0);
        assert_eq!(w.story.reasons("recruiter@acme"), ["net.silent"]);
    }
}

#[test]
fn a_turn_that_was_open_when_the_board_slept_is_given_up_at_its_deadline_and_answered_after_all() {
    let mut w = World::chatty(2);
    w.run_live();
    w.agent().next.push_back(Habit::Hangs);
    w.say("general", "alice", "hi");
    w.run_for(secs(5));
    w.at += mins(60);
    w.run_for(mins(3));
    assert_eq!((w.answers("general"), w.link().gaps), (vec!["re: hi"], 0));
    assert_eq!(w.agent().cancelled[0].2, "timeout");
}

#[test]
fn a_reload_at_any_of_a_thousand_moments_of_a_reconnection_loses_and_doubles_nothing() {
    let mut w = World::chatty(3);
    w.add_agent("scout", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "scout"]);
    let scout = w.settings.agents[1].clone();
    let mut rng = fastrand::Rng::with_seed(7);
    w.run_live();
    let mut said = Vec::new();
    for moment in 0..1_000 {
        match rng.u32(..4) {
            0 => w.guild().close_lines(),
            1 => w.guild().freeze_lines(),
            _ => {}
        }
        w.run_for(rng.u64(..1_500));
        w.settings.timing.reconcile_ms = secs(rng.u64(20..90));
        w.settings.agents.truncate(1);
        if rng.bool() {
            w.settings.agents.push(scout.clone());
        }
        let settings = Box::new(w.settings.clone());
        let client = w.ask(Command::Reload(settings));
        if moment % 10 == 0 {
            said.push(format!("m{moment}"));
            w.say("general", "alice", &format!("m{moment}"));
        }
        w.run_for(rng.u64(..1_500));
        let told = w.told(client);
        assert!(told.len() <= 2 && told.last().is_some_and(|told| told.starts_with("Done(")), "{moment}: {told:?}");
    }
    w.run_for(mins(10));
    assert_eq!(w.answers("general"), said.iter().map(|text| format!("re: {text}")).collect::<Vec<_>>());
    assert_eq!((w.state(), w.link().gaps), ("live", 0));
}
