//! Replies that the guild refuses for good, with the real binary and its commands.

use crate::guild::{Fault, Options};
use crate::scene::Scene;
use crate::{Ended, Scenario};
use serde_json::Value;

pub const SCENARIOS: &[Scenario] =
    &[Scenario("a_refused_reply_is_listed_outlives_a_kill_is_posted_once_when_asked_and_can_be_dropped", 60, letters)];

/// What `letters --json` prints.
fn listed(scene: &Scene) -> Vec<Value> {
    let (code, out, err) = scene.bridge.call(&["letters", "--json"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let letters: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(letters["total"], letters["listed"].as_array().unwrap().len());
    letters["listed"].as_array().unwrap().clone()
}

fn letters() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    assert!(scene.bridge.call(&["letters"]).1.starts_with("no letters"));
    scene.guild.set_fault_times(Fault::PostStatus(422, None), 2);
    scene.say("one");
    scene.say("two");
    scene.wait_number("letters", 2, 10);
    scene.talk("three", 10);
    let before = listed(&scene);
    assert_eq!((&before[0]["text"], &before[1]["text"]), (&"re: one".into(), &"re: two".into()));
    let screen = scene.bridge.call(&["status"]).1;
    assert!(screen.contains("2 replies were refused for good and are kept: see guild-bridge letters"), "{screen}");

    scene.bridge.kill();
    scene.bridge.spawn();
    scene.bridge.wait_state("recruiter", "live", 10);
    assert_eq!(listed(&scene), before, "a kill changes nothing");
    let screen = scene.bridge.call(&["letters"]).1;
    let (key, other) = (before[0]["key"].as_str().unwrap(), before[1]["key"].as_str().unwrap());
    assert!(screen.contains(key) && screen.contains("answered 422: "), "{screen}");

    let (code, out, _) = scene.bridge.call(&["letters", "show", key]);
    assert!(code == 0 && out.starts_with(&format!("{key}: recruiter in ")) && out.ends_with("\n\nre: one\n"), "{out}");
    let (code, _, err) = scene.bridge.call(&["letters", "show", "gb_nothing"]);
    assert!(code == 1 && err.contains("there is no letter with the key gb_nothing"), "{code} {err}");
    let (code, _, err) = scene.bridge.call(&["letters", "retry", "gb_nothing"]);
    assert!(code == 1 && err.contains("there is no letter with the key gb_nothing"), "{code} {err}");
    let (code, out, _) = scene.bridge.call(&["letters", "retry", key]);
    assert_eq!((code, out.as_str()), (0, "1 letter is in the outbox again\n"));
    scene.answered("one", 10);
    let (code, out, _) = scene.bridge.call(&["letters", "drop", other]);
    assert_eq!((code, out.as_str()), (0, "1 letter is dropped\n"));
    scene.bridge.kill();
    scene.bridge.spawn();
    scene.bridge.wait_state("recruiter", "live", 10);
    scene.talk("four", 10);
    assert_eq!(scene.replies(), ["re: three", "re: one", "re: four"]);
    assert!(listed(&scene).is_empty());
    scene.end()
}
