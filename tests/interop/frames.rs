//! What an official server says to a session in good standing: the daemon connects, answers, and stays.

use crate::guild::agent;
use crate::guild::proxy::Way;
use crate::node::scenarios;
use crate::runner::Scenario;
use crate::scene::Scene;
use serde_json::json;
use std::thread::sleep;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = scenarios![
    what_is_said_is_answered_once_and_in_order,
    two_thousand_messages_are_answered_in_order,
    pings_are_answered_and_keep_the_link,
    an_ack_of_the_join_proves_the_channel,
    without_acks_the_link_is_unproven_until_somebody_speaks,
    a_join_is_repeated_until_a_slow_verification_is_over,
    binary_events_are_passed_over,
    unknown_events_are_passed_over,
    an_ack_that_the_server_asks_for_is_given,
    a_server_with_state_recovery_is_not_asked_for_it,
    a_server_frame_may_exceed_the_servers_own_limit,
    a_message_over_the_bound_is_a_gap_and_the_next_is_answered,
    a_server_that_deflates_is_spoken_to_plainly,
    the_guild_may_live_in_a_namespace,
    the_server_may_listen_on_another_path,
    a_connect_timeout_of_half_a_second_is_met,
];

fn what_is_said_is_answered_once_and_in_order() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    scene.until_state("live");
    for text in ["one", "two, with “quotes” and \\ and \u{1f980}", "three"] {
        scene.talk(text);
    }
    let link = scene.until("three posts", 5, |link| link["replies_posted"] == 3);
    assert_eq!((&link["attempts"], &link["channels_proven"]), (&json!(1), &json!(1)), "{link}");
    assert_eq!(scene.guild.count("connects"), 1);
    scene.end();
}

fn two_thousand_messages_are_answered_in_order() {
    let mut scene = Scene::with(&["--joinAck", "ok"], |bridge| {
        let argv = agent::argv("stdio", &bridge.turn_log("recruiter"));
        bridge.config["agents"]["recruiter"]["answer"] = json!({ "stdio": argv });
    });
    scene.until_state("live");
    scene.guild.ask(&json!({ "cmd": "say", "text": "number", "count": 2000 }));
    scene.answered_within(120);
    assert_eq!(scene.bridge.turns("recruiter").len(), 2000, "each message is one turn");
    assert_eq!(scene.link()["gaps"], 0);
    scene.end();
}

fn pings_are_answered_and_keep_the_link() {
    let mut scene = Scene::new(&["--joinAck", "ok", "--pingInterval", "300", "--pingTimeout", "200"]);
    scene.until_count("pongs", 12);
    assert_eq!(scene.until_state("live")["attempts"], 1);
    scene.talk("still there?");
    assert_eq!(scene.guild.count("connects"), 1);
    scene.end();
}

fn an_ack_of_the_join_proves_the_channel() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    let link = scene.until_state("live");
    assert_eq!((&link["channels_proven"], &link["last_event_at"]), (&json!(1), &json!(null)), "{link}");
    scene.end();
}

fn without_acks_the_link_is_unproven_until_somebody_speaks() {
    let mut scene = Scene::new(&["--joinAck", "none"]);
    scene.until_state("unproven");
    sleep(Duration::from_secs(7));
    let link = scene.link();
    assert_eq!((&link["state"], &link["attempts"]), (&json!("unproven"), &json!(1)), "{link}");
    assert!(!link["detail"].as_str().unwrap().is_empty(), "status says why: {link}");
    scene.talk("hello");
    scene.until_state("live");
    assert_eq!(scene.guild.count("connects"), 1);
    scene.end();
}

fn a_join_is_repeated_until_a_slow_verification_is_over() {
    for delay in ["300", "2500"] {
        let mut scene = Scene::new(&["--joinAck", "ok", "--verifyDelay", delay]);
        scene.until_state("live");
        assert!(scene.guild.count("joins") >= 2, "{}", scene.guild.state());
        scene.talk("in time");
        assert_eq!(scene.guild.count("connects"), 1);
        scene.end();
    }
}

fn binary_events_are_passed_over() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    scene.until_state("live");
    for event in ["bin", "message.created"] {
        scene.guild.ask(&json!({ "cmd": "emit", "event": event, "binary": true }));
    }
    scene.talk("after the bytes");
    assert_eq!(scene.guild.count("connects"), 1);
    scene.end();
}

fn unknown_events_are_passed_over() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    scene.until_state("live");
    for args in [json!([]), json!([null]), json!(["x", 1, { "id": 2 }]), json!([{ "id": 7, "text": [] }])] {
        for event in ["presence", "message.created", "exception"] {
            scene.guild.ask(&json!({ "cmd": "emit", "event": event, "args": args }));
        }
    }
    scene.talk("after the noise");
    assert_eq!(scene.guild.count("connects"), 1);
    scene.end();
}

fn an_ack_that_the_server_asks_for_is_given() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    scene.until_state("live");
    for _ in 0..3 {
        let asked = scene.guild.ask(&json!({ "cmd": "ask", "event": "question", "args": [42] }));
        assert_eq!(asked["answered"], 1, "{}", scene.guild.state());
    }
    scene.talk("and on");
    scene.end();
}

fn a_server_with_state_recovery_is_not_asked_for_it() {
    let mut scene = Scene::new(&["--joinAck", "ok", "--recovery", "60000"]);
    scene.until_state("live");
    scene.talk("with an offset behind it");
    scene.guild.tell("cut");
    scene.guild.say("while nobody listened");
    scene.until_count("connects", 2);
    scene.talk("and again");
    assert_eq!(scene.guild.state()["authKeys"], json!(["token"]));
    scene.end();
}

fn a_server_frame_may_exceed_the_servers_own_limit() {
    let mut scene = Scene::new(&["--joinAck", "ok", "--maxPayload", "1000"]);
    scene.until_state("live");
    scene.talk(&"long ".repeat(700));
    assert_eq!(scene.guild.count("connects"), 1);
    scene.end();
}

fn a_message_over_the_bound_is_a_gap_and_the_next_is_answered() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    scene.until_state("live");
    scene.guild.say(&"x".repeat(200_000));
    let next = scene.guild.say("the next");
    let gap = scene.until("a gap and an answer", 30, |link| link["gaps"] == 1 && link["replies_posted"] == 1);
    let answers: Vec<_> = scene.guild.messages().into_iter().filter(|m| m["authorId"] == "recruiter").collect();
    assert_eq!((answers.len(), &answers[0]["replyTo"]), (1, &json!(next)), "{gap}");
    scene.end_unanswered();
}

fn a_server_that_deflates_is_spoken_to_plainly() {
    let mut scene = Scene::new(&["--joinAck", "ok", "--deflate"]);
    scene.until_state("live");
    scene.talk(&"compressible ".repeat(200));
    scene.end();
}

fn the_guild_may_live_in_a_namespace() {
    let mut scene = Scene::with(&["--joinAck", "ok", "--namespace", "/guild"], |bridge| {
        bridge.config["guilds"]["acme"]["namespace"] = json!("/guild");
    });
    scene.until_state("live");
    scene.talk("in here");
    scene.end();
}

fn the_server_may_listen_on_another_path() {
    let mut scene = Scene::with(&["--joinAck", "ok", "--path", "/realtime"], |bridge| {
        bridge.config["guilds"]["acme"]["paths"] = json!({ "socket": "/realtime/" });
    });
    scene.until_state("live");
    scene.talk("over there");
    scene.end();
}

fn a_connect_timeout_of_half_a_second_is_met() {
    let mut scene = Scene::behind(&["--joinAck", "ok", "--connectTimeout", "500"], |_| {});
    scene.until_state("live");
    sleep(Duration::from_millis(800));
    let first: Vec<_> = scene.proxy().transcript().into_iter().filter(|frame| frame.1 == Way::ToGuild).collect();
    assert_eq!(scene.guild.count("connects"), 1, "{first:?}");
    scene.talk("quick enough");
    scene.end();
}
