//! Faults of local agents beside others, and what no agent may be.

use crate::agent_desk::{Dir, ONE, at_desk, runs, sh, until};
use crate::folder::Folder;
use crate::world::{World, secs};
use guild_bridge::agent::{Cancel, Said};
use guild_bridge::config::load;

#[test]
fn a_dead_agent_beside_another_takes_nothing_from_it() {
    let mut w = World::chatty(1);
    w.add_agent("scout", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "scout"]);
    w.agent().here = false;
    w.run_for(secs(10));
    for i in 0..100 {
        w.say("general", "alice", &format!("m{i}"));
        w.say("pair", "alice", &format!("@scout {i}"));
        let took = w.run_till(secs(10), "scout has it", |w| w.hands["scout"].asked.len() == i + 1);
        assert!(took <= 50, "scout waited {took} ms");
        w.run_for(secs(1));
    }
    let agents = &w.status().agents;
    let waiting =
        |name| agents.iter().find(|agent| agent.agent == name).map(|agent| (agent.state, agent.waiting)).unwrap();
    assert_eq!((waiting("recruiter").0, waiting("scout")), ("missing", ("ready", 0)));
    assert!(waiting("recruiter").1 > 0, "status shows what waits for it");
}

#[test]
fn an_agent_behind_a_broker_is_no_answer_that_is_known() {
    let folder = Folder::new();
    let key = folder.file("key", 0o600, "k");
    let answer = r#"{"mqtt": "mqtt://127.0.0.1", "topic": "turns"}"#;
    let file = folder.file(
        "config.json",
        0o644,
        format!(
            r#"{{"guilds":{{"acme":{{"dialect":"fabric","url":"https://g.example"}}}},
                "agents":{{"recruiter":{{"guild":"acme","key_file":"{}","answer":{answer}}}}}}}"#,
            key.display()
        ),
    );
    let faults = load(&file, None).map(|_| ()).unwrap_err();
    let told = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(
        told.contains("exec") && told.contains("stdio") && told.contains("socket") && told.contains("http"),
        "{told}"
    );
}

#[test]
fn a_program_that_forks_a_hundred_others_takes_them_all_along() {
    at_desk(async |desk| {
        let dir = Dir::new("forks");
        let pids = dir.0.join("pids");
        let script = format!(
            "trap '' TERM; for i in 1 2 3 4 5 6 7 8 9 10; do (for j in 1 2 3 4 5 6 7 8 9; do sleep 600 & echo $! >>{0}; done; \
             echo done >>{0}; wait) & done; wait",
            pids.display()
        );
        desk.hire(ONE, "recruiter", sh(&script));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        let read = || std::fs::read_to_string(&pids).unwrap_or_default();
        until("all are there", || read().matches("done").count() == 10).await;
        desk.agents.cancel(ONE, "t_1", Cancel::Timeout);
        let all: Vec<String> = read().lines().filter(|line| *line != "done").map(str::to_owned).collect();
        assert_eq!(all.len(), 90);
        until("all are gone", || !all.iter().any(|pid| runs(pid))).await;
    });
}
