//! What is shown of an agent that writes: while a turn is open, and never longer.

use super::server::ALICE;
use super::stage::{Stage, settings};
use guild_bridge::agent::Said;
use guild_bridge::port::Command;

#[test]
fn it_shows_that_the_agent_writes_while_a_turn_is_open_and_takes_it_back() {
    let mut stage = Stage::new();
    stage.agent_ms = 10_000;
    stage.run_live();
    stage.server.say("general", ALICE, "think", None);
    stage.run(9_000);
    let typing = |stage: &Stage| stage.server.sockets.values().next().unwrap().typing.clone();
    let shown = typing(&stage).iter().filter(|on| **on).count();
    assert!((3..=4).contains(&shown), "renewed every 3 s: {:?}", typing(&stage));
    stage.run(5_000);
    assert_eq!(typing(&stage).last(), Some(&false));
    let said = typing(&stage).len();
    stage.run(60_000);
    assert_eq!(typing(&stage).len(), said, "and nothing is said any more");
}

#[test]
fn an_agent_that_says_that_it_does_not_write_is_believed() {
    let mut stage = Stage::new();
    stage.agent_ms = 30_000;
    stage.run_live();
    stage.server.say("general", ALICE, "think", None);
    stage.run(4_000);
    stage.agent_writes(false);
    stage.run(10_000);
    let typing = |stage: &Stage| stage.server.sockets.values().next().unwrap().typing.clone();
    let said = typing(&stage);
    assert_eq!(said.last(), Some(&false));
    stage.drop_lines();
    stage.run(10_000);
    assert!(!typing(&stage).contains(&true), "nor on the next connection");
    stage.agent_writes(true);
    stage.run(1_000);
    assert_eq!(typing(&stage).last(), Some(&true));
}

/// An agent that thinks for a minute in a channel, in a thread of it and in a direct message, and is shown to.
fn thinking() -> Stage {
    let mut stage = Stage::new();
    stage.agent_ms = 60_000;
    stage.run_live();
    let parent = stage.server.say("general", ALICE, "think", None);
    stage.server.say("general", ALICE, "in a thread", Some(&parent));
    stage.server.say("dm", ALICE, "in private", None);
    stage.run(4_000);
    assert_eq!(shown(&stage), 3);
    stage
}

/// In how many places the agent is shown to write.
fn shown(stage: &Stage) -> usize {
    stage.server.sockets.values().map(|socket| socket.writes.len()).sum()
}

#[test]
fn a_daemon_that_ends_leaves_nobody_shown_as_writing() {
    let mut stage = thinking();
    stage.ask(Command::Stop);
    stage.run(4_000);
    assert_eq!(shown(&stage), 3, "it still has its five seconds");
    stage.run(2_000);
    assert_eq!(stage.left_writing, [0]);
}

#[test]
fn a_turn_that_ends_just_before_the_daemon_does_is_taken_back_too() {
    let mut stage = thinking();
    stage.ask(Command::Stop);
    for turn in stage.turns.clone() {
        stage.agent_says(Said::None { turn: turn.id.into() });
    }
    stage.run(1_000);
    assert_eq!(stage.left_writing, [0]);
}

#[test]
fn an_agent_or_its_guild_that_is_removed_is_not_left_shown_as_writing() {
    for guild_stays in [true, false] {
        let mut stage = thinking();
        let mut less = settings();
        less.agents.clear();
        if !guild_stays {
            less.guilds.clear();
        }
        stage.ask(Command::Reload(Box::new(less)));
        stage.run(6_000);
        assert_eq!(stage.left_writing, [0], "guild_stays: {guild_stays}");
    }
}

#[test]
fn a_connection_that_is_left_is_not_left_writing_and_the_next_one_shows_it_again() {
    let mut moved = settings();
    moved.agents[0].key_file = "/keys/another".into();
    for command in [Command::Restart { agent: "echo".into() }, Command::Reload(Box::new(moved))] {
        let mut stage = thinking();
        stage.ask(command);
        stage.run(25_000);
        assert_eq!((stage.left_writing.as_slice(), shown(&stage)), ([0].as_slice(), 3));
    }
}
