//! Attempts at a turn: failures, waits, deadlines, agents that go away.

use crate::world::{Habit, World, mins, secs};
use guild_bridge::agent::Said;
use guild_bridge::reason::{Reason, Why};

#[test]
fn a_failed_turn_is_tried_three_times_2_and_10_s_apart_and_is_then_a_gap() {
    let mut w = World::chatty(6);
    w.run_live();
    w.agent().next = vec![Habit::Fails; 3].into();
    w.say("general", "alice", "bad");
    w.say("general", "alice", "good");
    w.run_for(secs(60));
    let asked = w.agent().asked.clone();
    assert_eq!(asked.iter().map(|a| a.turn.attempt).collect::<Vec<_>>(), [1, 2, 3, 1]);
    assert!(asked[..3].iter().all(|a| a.turn.id == asked[0].turn.id && a.turn.message.text == "bad"));
    assert!((2_000..=2_100).contains(&(asked[1].at - asked[0].at)));
    assert!((10_000..=10_100).contains(&(asked[2].at - asked[1].at)));
    assert_eq!((w.link().gaps, w.link().gaps_by_reason.get("turn_failed")), (1, Some(&1)));
    assert_eq!(w.answers("general"), ["re: good"]);
}

#[test]
fn a_turn_that_fails_twice_is_answered_once() {
    let mut w = World::chatty(7);
    w.run_live();
    w.agent().next = vec![Habit::Fails; 2].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(30));
    assert_eq!((w.link().gaps, w.answers("general")), (0, vec!["re: hi"]));
}

#[test]
fn a_busy_agent_is_waited_for_as_long_as_it_asks_and_it_does_not_count() {
    let mut w = World::chatty(8);
    w.run_live();
    w.agent().next = vec![Habit::Busy(Some(4_000)); 7].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(60));
    let asked: Vec<u64> = w.agent().asked.iter().map(|a| a.at).collect();
    assert_eq!(asked.len(), 8);
    assert!(asked.windows(2).all(|p| (4_000..=5_200).contains(&(p[1] - p[0]))), "{asked:?}");
    assert_eq!((w.link().gaps, w.answers("general")), (0, vec!["re: hi"]));
}

#[test]
fn a_busy_agent_that_names_no_time_is_asked_again_without_haste() {
    let mut w = World::chatty(9);
    w.run_live();
    w.agent().habit = Habit::Busy(None);
    w.say("general", "alice", "hi");
    w.run_for(mins(30));
    let asked = w.agent().asked.len();
    assert!((5..=1_800).contains(&asked), "asked {asked} times in half an hour");
    w.agent().habit = Habit::Echo;
    w.run_for(mins(16));
    assert_eq!((w.link().gaps, w.answers("general")), (0, vec!["re: hi"]));
}

#[test]
fn an_agent_that_is_not_there_is_waited_for_and_nothing_is_dropped() {
    let mut w = World::chatty(10);
    w.agent().here = false;
    w.run_live();
    for i in 0..90 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(mins(1));
    }
    assert_eq!((w.heard().len(), w.link().gaps), (0, 0));
    assert_eq!(w.status().agents[0].state, "missing");
    w.says("recruiter", Said::Here);
    w.run_for(mins(10));
    assert_eq!(w.answers("general"), (0..90).map(|i| format!("re: m{i}")).collect::<Vec<_>>());
}

#[test]
fn a_program_that_is_missing_is_waited_for_too() {
    let mut w = World::chatty(11);
    w.run_live();
    w.agent().habit = Habit::Absent;
    w.say("general", "alice", "hi");
    w.run_for(mins(60));
    assert!((2..=3_600).contains(&w.heard().len()));
    w.agent().habit = Habit::Echo;
    w.run_for(mins(16));
    assert_eq!((w.link().gaps, w.answers("general")), (0, vec!["re: hi"]));
}

#[test]
fn an_agent_that_hangs_is_cancelled_at_its_deadline_and_asked_again() {
    let mut w = World::chatty(12);
    w.run_live();
    w.agent().next = vec![Habit::Hangs].into();
    w.say("general", "alice", "hi");
    w.run_for(mins(2));
    let (asked, cancelled) = (w.agent().asked.clone(), w.agent().cancelled.clone());
    assert_eq!(cancelled.len(), 1);
    assert_eq!((cancelled[0].0 - asked[0].at, cancelled[0].2), (60_000, "timeout"));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

#[test]
fn an_agent_that_hangs_three_times_is_agent_timeout_and_its_message_a_gap() {
    let mut w = World::chatty(16);
    w.run_live();
    w.agent().habit = Habit::Hangs;
    w.say("general", "alice", "hi");
    w.run_for(secs(61));
    assert_eq!(w.status().agents[0].reason, Some("agent.timeout"));
    w.run_for(mins(4));
    assert_eq!((w.link().gaps, w.link().gaps_by_reason.get("turn_failed")), (1, Some(&1)));
}

#[test]
fn an_answer_after_the_deadline_is_posted_at_most_once() {
    let mut w = World::chatty(13);
    w.run_live();
    w.agent().takes_ms = 61_000;
    w.say("general", "alice", "hi");
    w.run_for(mins(6));
    assert_eq!(w.answers("general").len() as u64 + w.link().gaps, 1, "{:?}", w.answers("general"));
}

#[test]
fn an_agent_that_goes_away_gets_its_open_turn_again_when_it_is_back() {
    let mut w = World::chatty(14);
    w.run_live();
    w.agent().next = vec![Habit::Hangs].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    w.says("recruiter", Said::Gone(Why::new(Reason::AgentGone, "closed")));
    w.run_for(mins(20));
    assert_eq!(w.heard().len(), 1, "nothing is given to an agent that is gone");
    w.says("recruiter", Said::Here);
    w.run_for(secs(20));
    let asked = w.agent().asked.clone();
    assert_eq!(asked[0].turn.id, asked[1].turn.id);
    assert_eq!((w.answers("general"), w.link().gaps), (vec!["re: hi"], 0));
}

#[test]
fn an_agent_that_connects_anew_gets_its_open_turns_again() {
    let mut w = World::chatty(15);
    w.run_live();
    w.agent().next = vec![Habit::Hangs].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    w.says("recruiter", Said::Here);
    w.run_for(secs(20));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

/// The first attempt says these parts and ends without an end; what the second says; what stands in the guild.
fn two_attempts(first: &[&str], second: &[&str]) -> Vec<String> {
    let mut w = World::chatty(19);
    w.run_live();
    w.agent().next = vec![Habit::Hangs; 2].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    let turn = w.agent().asked[0].turn.id.clone();
    let says = |w: &mut World, text: &str, last| {
        w.says("recruiter", Said::Reply { turn: turn.clone().into(), text: text.to_owned().into(), last });
        w.run_for(secs(1));
    };
    first.iter().for_each(|text| says(&mut w, text, false));
    w.says("recruiter", Said::Failed { turn: turn.clone().into(), why: Why::new(Reason::AgentFailed, "exit 1") });
    w.run_for(secs(3));
    assert_eq!(w.agent().asked.len(), 2);
    second.iter().enumerate().for_each(|(at, text)| says(&mut w, text, at + 1 == second.len()));
    w.run_for(mins(2));
    assert_eq!((w.agent().asked.len(), w.link().gaps), (2, 0), "the turn has ended");
    w.answers("general").into_iter().map(str::to_owned).collect()
}

#[test]
fn what_an_attempt_says_again_is_posted_once_and_what_it_says_anew_is_posted() {
    assert_eq!(two_attempts(&["one", "two"], &["one", "two", "three"]), ["one", "two", "three"]);
    assert_eq!(two_attempts(&["one", "two"], &["one", "two"]), ["one", "two"], "the end may be words that were said");
    assert_eq!(two_attempts(&["one", "two"], &["uno", "two"]), ["one", "two", "uno"]);
    assert_eq!(two_attempts(&["one"], &["and", "one"]), ["one", "and", "one"], "it is another place");
    assert_eq!(two_attempts(&["…", "…"], &["…", "…", "…"]), ["…", "…", "…"]);
}
