//! Every way in which an official server turns a session away: what is no longer good at a reconnection, and a fresh
//! token that is refused all the same.

use crate::node::wait;
use crate::node::{Naive, scenarios};
use crate::runner::Scenario;
use crate::scene::Scene;
use serde_json::json;
use std::thread::sleep;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = scenarios![
    the_official_client_goes_deaf_with_its_old_token_and_the_daemon_does_not,
    a_reconnection_after_expiry_is_not_noticed_by_a_guild_that_disconnects,
    a_reconnection_after_expiry_is_not_noticed_by_a_guild_that_is_silent,
    a_reconnection_after_expiry_is_not_noticed_by_a_guild_that_says_41,
    a_reconnection_after_expiry_is_not_noticed_by_a_guild_that_throws,
    a_reconnection_after_expiry_is_not_noticed_by_a_guild_with_middleware,
    a_fresh_token_that_is_disconnected_is_told_as_such,
    a_fresh_token_that_gets_a_soft_41_is_told_as_such,
    a_fresh_token_that_middleware_refuses_is_told_as_such,
    a_fresh_token_whose_join_throws_is_told_as_such,
    a_fresh_token_whose_join_is_refused_in_its_ack_is_told_as_such,
    a_fresh_token_that_is_silently_ignored_is_found_out_by_history,
    a_channel_whose_join_is_denied_is_told_as_such,
    a_kick_at_expiry_is_no_failure,
    expiry_while_connected_is_not_noticed,
    a_key_that_is_refused_is_told_as_such,
];

/// Longer than a token of two seconds.
const PAST_EXPIRY: Duration = Duration::from_millis(2_300);

fn the_official_client_goes_deaf_with_its_old_token_and_the_daemon_does_not() {
    let mut scene = Scene::new(&["--joinAck", "ok", "--ttl", "2", "--reject", "silent"]);
    let naive = Naive::connect(&scene.guild);
    scene.until_state("live");
    wait("the naive client in its room", 10, || (scene.guild.count("hearers") == 2).then_some(()), String::new);
    scene.talk("everyone hears this");
    sleep(PAST_EXPIRY);
    scene.guild.tell("cut");
    wait("both back", 10, || (scene.guild.count("sockets") == 2).then_some(()), || scene.bridge.tail());
    scene.talk("the official client does not hear this");
    assert_eq!(naive.saw("connect").len(), 2, "it connected again, and nothing told it that it is deaf");
    let heard = naive.saw("message");
    assert!(heard.iter().any(|m| m["text"] == "everyone hears this"), "{heard:?}");
    assert!(!heard.iter().any(|m| m["text"] == "the official client does not hear this"), "{heard:?}");
    drop(naive);
    assert_eq!(scene.guild.count("offeredTwice"), 1, "the naive client's, and no other");
    scene.answered();
}

fn reconnects_past_expiry(flags: &[&str]) {
    let mut scene = Scene::new(&[&["--joinAck", "ok", "--ttl", "2"], flags].concat());
    scene.until_state("live");
    scene.talk("before");
    for round in 2..4 {
        sleep(PAST_EXPIRY);
        scene.guild.tell("cut");
        scene.until_count("connects", round);
        scene.until_state("live");
        scene.talk("after");
    }
    scene.end();
}

fn a_reconnection_after_expiry_is_not_noticed_by_a_guild_that_disconnects() {
    reconnects_past_expiry(&["--reject", "disconnect"]);
}

fn a_reconnection_after_expiry_is_not_noticed_by_a_guild_that_is_silent() {
    reconnects_past_expiry(&["--reject", "silent"]);
}

fn a_reconnection_after_expiry_is_not_noticed_by_a_guild_that_says_41() {
    reconnects_past_expiry(&["--reject", "soft"]);
}

fn a_reconnection_after_expiry_is_not_noticed_by_a_guild_that_throws() {
    reconnects_past_expiry(&["--reject", "silent", "--joinDenied", "exception"]);
}

fn a_reconnection_after_expiry_is_not_noticed_by_a_guild_with_middleware() {
    reconnects_past_expiry(&["--reject", "middleware"]);
}

/// A guild that turns everyone away for `reason`, until it takes them again; meanwhile the link is in `state`, and tries.
fn refuses(flags: &[&str], reason: &str, state: &str) {
    let mut scene = Scene::new(&[&["--joinAck", "ok"], flags].concat());
    scene.until_state("live");
    scene.talk("before");
    scene.guild.set(&json!({ "refuse": -1 }));
    scene.guild.tell("cut");
    scene.until(&format!("{state}, {reason}"), 20, |link| link["state"] == state && link["reason"] == reason);
    scene.guild.say("while it was turned away");
    let before = scene.guild.count("connects");
    scene.until_count("connects", before + 1);
    assert_ne!(scene.link()["state"], "live");
    scene.guild.set(&json!({ "refuse": 0 }));
    scene.until_state("live");
    scene.talk("and now");
    scene.end();
}

fn a_fresh_token_that_is_disconnected_is_told_as_such() {
    refuses(&["--reject", "disconnect"], "auth.disconnected", "backoff");
}

fn a_fresh_token_that_gets_a_soft_41_is_told_as_such() {
    refuses(&["--reject", "soft"], "auth.disconnected", "backoff");
}

fn a_fresh_token_that_middleware_refuses_is_told_as_such() {
    refuses(&["--reject", "middleware"], "auth.connect_error", "backoff");
}

fn a_fresh_token_whose_join_throws_is_told_as_such() {
    refuses(&["--reject", "silent", "--joinDenied", "exception"], "auth.denied_channel", "unproven");
}

fn a_fresh_token_whose_join_is_refused_in_its_ack_is_told_as_such() {
    refuses(&["--reject", "silent", "--joinDenied", "ack"], "auth.denied_channel", "unproven");
}

fn a_fresh_token_that_is_silently_ignored_is_found_out_by_history() {
    let mut scene = Scene::new(&["--reject", "silent", "--refuse=-1"]);
    scene.until_state("unproven");
    until_another_session(&mut scene);
    scene.until_reason("deaf.history");
    scene.guild.set(&json!({ "refuse": 0, "joinAck": "ok" }));
    until_another_session(&mut scene);
    wait("a session that hears", 20, || (scene.guild.count("hearers") == 1).then_some(()), || scene.bridge.tail());
    scene.talk("there you are");
    scene.until_state("live");
    scene.end();
}

/// People go on talking until the daemon has left its session for another.
fn until_another_session(scene: &mut Scene) {
    let connects = scene.guild.count("connects");
    for _ in 0..8 {
        scene.talk("is anybody there?");
        sleep(Duration::from_secs(6));
        if scene.guild.count("connects") > connects {
            return;
        }
    }
    panic!("it stayed with a deaf session\n{}", scene.bridge.tail());
}

fn a_channel_whose_join_is_denied_is_told_as_such() {
    let mut scene = Scene::new(&["--joinAck", "deny"]);
    let link = scene.until_reason("auth.denied_channel");
    assert_ne!(link["state"], "live", "{link}");
    scene.guild.say("outside");
    scene.guild.set(&json!({ "joinAck": "ok" }));
    scene.until_state("live");
    scene.talk("let in");
    scene.end();
}

fn a_kick_at_expiry_is_no_failure() {
    let mut scene = Scene::new(&["--joinAck", "ok", "--ttl", "3", "--kickOnExpiry"]);
    scene.until_state("live");
    for text in ["one", "two", "three", "four", "five"] {
        scene.talk(text);
        sleep(Duration::from_secs(2));
    }
    let connects = scene.guild.count("connects");
    assert!((3..=5).contains(&connects), "ten seconds, tokens of three, rests below one: {connects} connects");
    let log = scene.bridge.log();
    assert!(!log.contains("next attempt"), "a rest as after a failure\n{log}");
    let link = scene.until_state("live");
    assert!(["auth.expired", ""].contains(&link["reason"].as_str().unwrap_or_default()), "{link}");
    scene.end();
}

fn expiry_while_connected_is_not_noticed() {
    let mut scene = Scene::new(&["--joinAck", "ok", "--ttl", "2"]);
    scene.until_state("live");
    scene.talk("before");
    sleep(PAST_EXPIRY);
    scene.talk("after");
    assert_eq!(scene.guild.count("connects"), 1);
    scene.end();
}

fn a_key_that_is_refused_is_told_as_such() {
    let mut scene = Scene::with(&[], |bridge| bridge.config["agents"]["recruiter"]["id"] = json!("stranger"));
    let link = scene.until_reason("auth.key_refused");
    assert_eq!(link["state"], "refused", "{link}");
    assert!(link["next_try_s"].as_u64().unwrap() >= 20, "the key's own rest: {link}");
    assert_eq!(scene.guild.count("connects"), 0);
    scene.end_unanswered();
}
