//! Sessions that hear nothing although everything looks well.

use crate::node::scenarios;
use crate::node::wait;
use crate::runner::Scenario;
use crate::scene::Scene;
use serde_json::json;
use std::thread::sleep;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = scenarios![
    rooms_that_are_left_in_silence_are_joined_again,
    a_guild_that_forgets_every_join_is_left_and_tried_again,
    a_deaf_link_answers_from_history,
    a_channel_that_appears_later_is_joined,
];

fn rooms_that_are_left_in_silence_are_joined_again() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    scene.until_state("live");
    scene.talk("before");
    scene.guild.tell("leave");
    scene.guild.say("nobody brings this");
    scene.answered();
    wait("in the room again", 20, || (scene.guild.count("hearers") == 1).then_some(()), || scene.bridge.tail());
    scene.talk("after");
    let link = scene.until_state("live");
    assert_eq!((&link["attempts"], link["replayed"].as_u64() >= Some(1)), (&json!(1), true), "{link}");
    scene.end();
}

fn a_guild_that_forgets_every_join_is_left_and_tried_again() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    scene.until_state("live");
    scene.guild.set(&json!({ "ignoreJoins": true }));
    scene.guild.tell("leave");
    for round in 0..8 {
        assert!(round < 7, "it stayed with a deaf session\n{}", scene.bridge.tail());
        if scene.guild.count("connects") > 1 {
            break;
        }
        scene.talk("unheard");
        sleep(Duration::from_secs(6));
    }
    scene.until_reason("deaf.history");
    scene.guild.set(&json!({ "ignoreJoins": false }));
    wait("in the room again", 40, || (scene.guild.count("hearers") == 1).then_some(()), || scene.bridge.tail());
    scene.talk("heard");
    scene.until_state("live");
    scene.end();
}

fn a_deaf_link_answers_from_history() {
    let mut scene = Scene::new(&["--ignoreJoins"]);
    scene.until_state("unproven");
    for text in ["one", "two", "three", "four", "five", "six"] {
        scene.talk(text);
        sleep(Duration::from_secs(3));
    }
    assert_ne!(scene.link()["state"], "live");
    scene.end();
}

fn a_channel_that_appears_later_is_joined() {
    let mut scene = Scene::new(&["--joinAck", "ok"]);
    scene.until_state("live");
    scene.guild.ask(&json!({ "cmd": "channel", "id": "lobby", "members": ["recruiter"] }));
    let link = scene.until("two channels proven", 20, |link| link["channels_proven"] == 2);
    assert_eq!((&link["channels_total"], &link["attempts"]), (&json!(2), &json!(1)), "{link}");
    let resync = "recruiter: channel resync +1 -0";
    wait("the line in the log", 5, || scene.bridge.log().contains(resync).then_some(()), || scene.bridge.log());
    scene.end();
}
