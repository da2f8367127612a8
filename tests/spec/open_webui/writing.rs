//! What is shown of an agent that writes: while a turn is open, and never longer.

use super::server::ALICE;
use super::stage::Stage;

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
