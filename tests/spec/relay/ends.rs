//! An end within five seconds, with nothing lost.

use crate::world::{Habit, World, mins, secs};
use guild_bridge::port::Command;

#[test]
fn stop_ends_at_once_when_nothing_is_open() {
    let mut w = World::chatty(24);
    w.run_live();
    let from = w.at;
    w.ask(Command::Stop);
    w.run_for(secs(6));
    assert!(w.ended_at.is_some_and(|at| at - from <= secs(2)), "{:?}", w.ended_at);
    assert!(w.guild().open_lines().is_empty());
}

#[test]
fn stop_lets_an_open_turn_finish_and_posts_it() {
    let mut w = World::chatty(25);
    w.run_live();
    w.agent().takes_ms = 2_000;
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    w.ask(Command::Stop);
    w.say("general", "alice", "too late");
    w.run_for(secs(7));
    assert!(w.ended_at.is_some());
    assert_eq!((w.answers("general"), w.heard()), (vec!["re: hi"], vec!["hi"]));
    w.start();
    w.run_for(mins(1));
    assert_eq!(w.answers("general"), ["re: hi", "re: too late"]);
}

#[test]
fn stop_gives_back_what_hangs_within_5_s_and_the_next_start_takes_it_up() {
    let mut w = World::chatty(26);
    w.run_live();
    w.agent().next = vec![Habit::Hangs].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    let from = w.at;
    w.ask(Command::Stop);
    w.run_for(secs(7));
    assert!(w.ended_at.is_some_and(|at| at - from <= 5_200), "{:?} from {from}", w.ended_at);
    assert_eq!(w.agent().cancelled[0].2, "shutdown");
    w.start();
    w.run_for(mins(1));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

#[test]
fn stop_with_a_guild_that_is_dark_still_ends_within_5_s_and_keeps_the_reply() {
    let mut w = World::chatty(27);
    w.run_live();
    w.agent().takes_ms = 1_000;
    w.say("general", "alice", "hi");
    w.run_for(500);
    (w.guild().dark, w.guild().model.options.honours_keys) = (true, false);
    let from = w.at;
    w.ask(Command::Stop);
    w.run_for(secs(8));
    assert!(w.ended_at.is_some_and(|at| at - from <= 5_200), "{:?} from {from}", w.ended_at);
    w.guild().dark = false;
    w.start();
    w.run_for(mins(1));
    assert_eq!((w.answers("general"), w.heard()), (vec!["re: hi"], vec!["hi"]));
}
