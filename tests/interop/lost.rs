//! Connections that end: servers that stop, die and return, paths that go dark, proxies that answer instead.

use crate::node::scenarios;
use crate::runner::Scenario;
use crate::scene::Scene;
use serde_json::json;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = scenarios![
    a_server_that_restarts_is_returned_to,
    a_server_that_is_killed_is_returned_to,
    a_daemon_that_is_killed_answers_what_was_said_meanwhile,
    a_disconnect_of_all_sockets_is_recovered_from,
    a_soft_disconnect_of_all_sockets_is_recovered_from,
    an_engine_that_closes_is_recovered_from,
    a_half_open_link_is_known_by_the_missing_ping,
    a_path_that_drops_everything_is_known_and_recovered_from,
    a_502_before_the_server_is_retried,
    a_503_is_retried_when_it_says,
];

const ACKS: &[&str] = &["--joinAck", "ok"];
const QUICK_PINGS: &[&str] = &["--joinAck", "ok", "--pingInterval", "500", "--pingTimeout", "500"];

fn a_server_that_restarts_is_returned_to() {
    let mut scene = Scene::new(ACKS);
    scene.until_state("live");
    scene.talk("before");
    scene.guild.close();
    let gone = ["guild.restarting", "net.refused", "net.closed"];
    scene.until("a restarting guild", 10, |link| {
        link["state"] != "live" && gone.contains(&link["reason"].as_str().unwrap_or_default())
    });
    scene.guild.resume();
    scene.guild.say("on return");
    scene.until_state("live");
    scene.talk("after");
    scene.end();
}

fn a_server_that_is_killed_is_returned_to() {
    let mut scene = Scene::new(ACKS);
    scene.until_state("live");
    scene.talk("before");
    scene.guild.kill();
    scene.until("a reason", 10, |link| link["state"] != "live" && !link["reason"].is_null());
    sleep(Duration::from_secs(2));
    scene.guild.resume();
    scene.guild.say("on return");
    scene.until_state("live");
    scene.talk("after");
    scene.end();
}

fn a_daemon_that_is_killed_answers_what_was_said_meanwhile() {
    let mut scene = Scene::new(ACKS);
    scene.until_state("live");
    scene.talk("before");
    scene.bridge.kill();
    scene.guild.ask(&json!({ "cmd": "say", "text": "meanwhile", "count": 30 }));
    scene.bridge.spawn();
    scene.until_state("live");
    scene.talk("after");
    scene.end();
}

/// The guild ends every session by `command`, twice.
fn ended_by(command: &serde_json::Value) {
    let mut scene = Scene::new(ACKS);
    for round in 1..3 {
        scene.until_state("live");
        scene.talk("before");
        scene.guild.ask(command);
        scene.guild.say("meanwhile");
        scene.until_count("connects", round + 1);
    }
    scene.until_state("live");
    scene.talk("after");
    assert_eq!(scene.guild.count("connects"), 3);
    scene.end();
}

fn a_disconnect_of_all_sockets_is_recovered_from() {
    ended_by(&json!({ "cmd": "disconnect", "close": true }));
}

fn a_soft_disconnect_of_all_sockets_is_recovered_from() {
    ended_by(&json!({ "cmd": "disconnect", "close": false }));
}

fn an_engine_that_closes_is_recovered_from() {
    ended_by(&json!({ "cmd": "closeEngines" }));
}

fn a_half_open_link_is_known_by_the_missing_ping() {
    let mut scene = Scene::behind(QUICK_PINGS, |_| {});
    scene.until_state("live");
    scene.talk("before");
    scene.proxy().black_hole(true);
    scene.guild.say("into the dark");
    let dark = Instant::now();
    scene.until_reason("net.silent");
    assert!(dark.elapsed() < Duration::from_secs(4), "it took {:?}", dark.elapsed());
    scene.proxy().black_hole(false);
    scene.until_state("live");
    scene.talk("after");
    scene.end();
}

fn a_path_that_drops_everything_is_known_and_recovered_from() {
    let mut scene = Scene::behind(QUICK_PINGS, |_| {});
    scene.until_state("live");
    scene.talk("before");
    scene.proxy().refuse(true);
    scene.proxy().reset();
    scene.guild.say("meanwhile");
    scene.until("a rest", 10, |link| link["state"] == "backoff");
    sleep(Duration::from_secs(3));
    scene.proxy().refuse(false);
    scene.until_state("live");
    scene.talk("after");
    scene.end();
}

fn a_502_before_the_server_is_retried() {
    let page = "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<h1>Oops</h1>\r\n";
    let mut scene = Scene::behind(ACKS, |proxy| proxy.answer_upgrades(page, Some(2)));
    scene.until_reason("guild.restarting");
    scene.until_state("live");
    assert_eq!(scene.proxy().upgrades(), 3);
    scene.talk("through");
    scene.end();
}

fn a_503_is_retried_when_it_says() {
    let page = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 4\r\ncontent-length: 5\r\n\r\nbusy\n";
    let mut scene = Scene::behind(ACKS, |proxy| proxy.answer_upgrades(page, Some(1)));
    scene.until_reason("rate.limited");
    let told = Instant::now();
    scene.until_state("live");
    let rested = told.elapsed();
    assert!((3..=7).contains(&rested.as_secs()), "4 s, plus 0 to 25 %: {rested:?}");
    assert_eq!(scene.proxy().upgrades(), 2);
    scene.talk("through");
    scene.end();
}
