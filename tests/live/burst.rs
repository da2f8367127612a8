//! A burst for an agent that takes its time, beside one that is not there, and a third whose answers must not wait.

use crate::guild::bridge::{Bridge, wait_for};
use crate::guild::{Guild, Options, agent};
use crate::scene::{BRIDGE, Running};
use crate::{Ended, Scenario};
use serde_json::json;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] =
    &[Scenario("a_burst_for_a_slow_agent_beside_a_dead_one_delays_no_other", 150, burst)];

const MESSAGES: usize = 500;
const EVERY: Duration = Duration::from_millis(20);
/// The slow agent takes twice what the burst leaves it.
const TAKES_MS: usize = 40;
/// Measurements of the quick agent, before the burst and while it lasts.
const PROBES: usize = 30;

fn hall() -> (Guild, Bridge) {
    let guild = Guild::start(Options::default());
    guild.with(|guild, _| {
        guild.add_person("u7", "alice", false);
        ["slow", "dead", "quick"].iter().for_each(|name| guild.add_agent(name, name, &format!("key-{name}")));
        guild.add_channel("busy", "channel", &["slow", "dead", "u7"]);
        guild.add_channel("calm", "channel", &["quick", "u7"]);
    });
    let mut bridge = Bridge::new(BRIDGE, &guild.url());
    for name in ["slow", "quick"] {
        let answer = json!({"stdio": agent::argv("stdio", &bridge.turn_log(name))});
        bridge.agent(name, &format!("key-{name}"), answer, json!({"respond_to": "all"}));
    }
    let socket = bridge.dir.0.join("agents.sock");
    bridge.agent("dead", "key-dead", json!({"socket": socket}), json!({"respond_to": "all"}));
    bridge.start();
    ["slow", "dead", "quick"].iter().for_each(|name| drop(bridge.wait_state(name, "live", 10)));
    (guild, bridge)
}

fn answers(guild: &Guild, channel: &str, by: &str) -> Vec<String> {
    guild.with(|guild, _| guild.said_by(channel, by).iter().map(|message| message.text.clone()).collect())
}

/// From saying it to its answer in the guild.
fn latency(guild: &Guild, text: &str) -> Duration {
    let (at, wanted) = (Instant::now(), format!("re: {text}"));
    guild.say("calm", "u7", text);
    let there = || {
        guild.with(|guild, _| {
            guild.said.last().is_some_and(|last| last.text == wanted) || {
                guild.said.iter().rev().take(100).any(|message| message.text == wanted)
            }
        })
    };
    while !there() {
        assert!(at.elapsed() < Duration::from_secs(10), "no answer to {text}");
        std::thread::sleep(Duration::from_millis(1));
    }
    at.elapsed()
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

fn burst() -> Ended {
    let (guild, mut bridge) = hall();
    latency(&guild, "warm");
    let pause = EVERY * MESSAGES as u32 / PROBES as u32;
    let probe = |what: &str| {
        let all = (0..PROBES).map(|n| {
            let took = latency(&guild, &format!("{what}{n}"));
            std::thread::sleep(pause.saturating_sub(took));
            took
        });
        median(all.collect())
    };
    let calm = probe("calm");
    let said: Vec<String> = (0..MESSAGES).map(|n| format!("slow {TAKES_MS} m{n}")).collect();
    let busy = std::thread::scope(|scope| {
        scope.spawn(|| {
            for text in &said {
                guild.say("busy", "u7", text);
                std::thread::sleep(EVERY);
            }
        });
        probe("busy")
    });
    let waiting = MESSAGES - answers(&guild, "busy", "slow").len();
    assert!(waiting > MESSAGES / 4, "it was no burst: {waiting} waited at its end");
    wait_for("every answer of the slow agent", 60, || answers(&guild, "busy", "slow").len() >= MESSAGES);
    let status = bridge.status();
    let dead = status["agents"].as_array().unwrap().iter().find(|agent| agent["agent"] == "dead").unwrap().clone();
    assert_eq!(dead["state"], "missing", "{dead}");
    let argv = agent::argv("socket", &bridge.turn_log("dead"));
    let socket = bridge.dir.0.join("agents.sock");
    let mut hire = Command::new(&argv[0]);
    let _hired = Running(hire.args(&argv[1..]).arg(&socket).arg("dead").stderr(Stdio::null()).spawn().unwrap());
    wait_for("every answer of the agent that was away", 90, || answers(&guild, "busy", "dead").len() >= MESSAGES);
    let wanted: Vec<String> = said.iter().map(|text| format!("re: {text}")).collect();
    assert!(answers(&guild, "busy", "slow") == wanted, "the slow agent's, each once and in order");
    assert!(answers(&guild, "busy", "dead") == wanted, "those of the agent that was away, each once and in order");
    assert_eq!(answers(&guild, "calm", "quick").len(), 1 + 2 * PROBES);
    let (peak, own) = bridge.memory_kb().unwrap();
    println!(
        "  {MESSAGES} messages at {} ms to an agent that takes {TAKES_MS}: {waiting} waited at the end of the burst, 0 lost; \
         another agent's median {calm:.1?} before, {busy:.1?} meanwhile; VmHWM {peak} kB, RssAnon {own} kB, heap at most {} B",
        EVERY.as_millis(),
        status["process"]["heap_peak_bytes"]
    );
    // twice, and what a machine that runs other scenarios beside it adds
    assert!(busy <= calm * 2 + Duration::from_millis(30), "{calm:?} before the burst, {busy:?} in it");
    assert!(peak < 24 * 1024 && own < 8 * 1024, "{peak} kB at its peak, {own} kB of its own");
    assert!(bridge.runs(), "{}", bridge.tail());
    Ended::Well
}
