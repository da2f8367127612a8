//! Configurations that do not fit the server: each is told apart, rests long, and never looks like a network fault.

use crate::guild::bridge::Bridge;
use crate::node::scenarios;
use crate::runner::Scenario;
use crate::scene::Scene;
use serde_json::json;

pub const SCENARIOS: &[Scenario] = scenarios![
    a_namespace_that_does_not_exist_is_told_as_such,
    a_path_that_leads_nowhere_is_told_as_such,
    a_path_without_its_slash_is_told_as_such,
    a_server_without_websocket_is_told_as_such,
    a_server_that_forbids_the_upgrade_is_told_as_such,
];

/// The link gives `reason` and rests as a fault of the configuration does.
fn is_told(flags: &[&str], change: impl FnOnce(&mut Bridge), reason: &str) {
    let mut scene = Scene::with(flags, change);
    let link = scene.until_reason(reason);
    assert_eq!(link["state"], "backoff", "{link}");
    assert!(link["next_try_s"].as_u64().unwrap() >= 20, "a fault of the configuration rests 30 s at least: {link}");
    scene.end_unanswered();
}

fn a_namespace_that_does_not_exist_is_told_as_such() {
    is_told(&[], |bridge| bridge.config["guilds"]["acme"]["namespace"] = json!("/nowhere"), "cfg.namespace");
}

fn a_path_that_leads_nowhere_is_told_as_such() {
    is_told(&[], |bridge| bridge.config["guilds"]["acme"]["paths"] = json!({ "socket": "/sock/" }), "cfg.path");
}

fn a_path_without_its_slash_is_told_as_such() {
    is_told(&[], |bridge| bridge.config["guilds"]["acme"]["paths"] = json!({ "socket": "/socket.io" }), "cfg.path");
}

fn a_server_without_websocket_is_told_as_such() {
    is_told(&["--transports", "polling"], |_| {}, "cfg.transport");
}

fn a_server_that_forbids_the_upgrade_is_told_as_such() {
    let mut scene = Scene::new(&["--forbid", "banned for life"]);
    let link = scene.until("a rest", 20, |link| link["state"] == "backoff");
    let (reason, detail) = (link["reason"].as_str().unwrap(), link["detail"].as_str().unwrap());
    assert!(!reason.starts_with("net."), "the server answered: {link}");
    assert!(detail.contains("400") && detail.contains("banned for life"), "its own words: {link}");
    scene.end_unanswered();
}
