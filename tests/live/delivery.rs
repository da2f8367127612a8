//! What section 4 of CONTRACT promises, against posts that fail, a daemon that is killed and a guild that forgets.

use crate::guild::bridge::wait_for;
use crate::guild::model::Attachment;
use crate::guild::{Fault, Options};
use crate::scene::{Scene, options};
use crate::{Ended, Scenario};
use serde_json::json;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("starts_that_are_killed_at_once_leave_the_next_one_well", 60, killed_starts),
    Scenario("five_hundred_messages_reach_an_agent_in_order", 90, five_hundred),
    Scenario("a_post_that_is_stored_and_whose_answer_is_lost_is_not_doubled", 40, || lost_answer(true)),
    Scenario("a_guild_without_keys_is_asked_before_a_post_is_repeated", 40, || lost_answer(false)),
    Scenario("a_post_that_is_stored_and_answered_500_is_not_doubled", 40, stored_then_500),
    Scenario("a_post_of_500_is_repeated_until_it_is_stored", 40, post_500),
    Scenario("a_post_of_429_waits_and_other_channels_go_on", 40, post_429),
    Scenario("a_post_that_is_refused_for_good_is_counted_and_the_next_goes_on", 40, post_refused),
    Scenario("an_answer_that_outlives_its_connection_is_posted_on_the_next", 40, answer_outlives),
    Scenario("a_long_reply_is_split_and_kept_whole", 40, long_reply),
    Scenario("attachments_are_fetched_for_the_turn_and_removed_with_it", 40, attachments),
    Scenario("bots_count_only_when_they_mention_and_within_their_budget", 40, bots),
    Scenario("mentions_and_direct_messages_are_answered_and_the_rest_is_not", 30, mentions),
    Scenario("conversations_side_by_side_do_not_wait_for_each_other", 30, side_by_side),
];

fn killed_starts() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.write();
    for n in 0..100 {
        scene.bridge.spawn();
        std::thread::sleep(Duration::from_millis(n % 50));
        scene.bridge.kill();
    }
    scene.bridge.spawn();
    scene.bridge.wait_state("recruiter", "live", 10);
    scene.talk("hello", 5);
    scene.end()
}

fn five_hundred() -> Ended {
    let mut scene = Scene::new(Options::default());
    let argv = crate::guild::agent::argv("stdio", &scene.bridge.turn_log("recruiter"));
    scene.bridge.config["agents"]["recruiter"]["answer"] = json!({"stdio": argv});
    scene = scene.live();
    for n in 0..500 {
        scene.say(&format!("m{n}"));
    }
    let told: Vec<String> = (0..500).map(|n| format!("re: m{n}")).collect();
    let until = std::time::Instant::now() + Duration::from_secs(70);
    while scene.replies().len() < 500 && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(scene.replies().len(), 500, "{}", scene.bridge.tail());
    assert!(scene.replies() == told, "the replies' order");
    let asked: Vec<String> = scene.bridge.turns("recruiter").iter().map(|t| t["message"]["text"].to_string()).collect();
    assert!(asked == (0..500).map(|n| format!("\"m{n}\"")).collect::<Vec<_>>(), "the turns' order");
    let (peak, own) = scene.bridge.memory_kb().unwrap();
    println!("  500 messages: VmHWM {peak} kB, RssAnon {own} kB (this build, not the release)");
    scene.end()
}

fn lost_answer(honours_keys: bool) -> Ended {
    let mut scene = Scene::new(options(|guild| guild.honours_keys = honours_keys)).live();
    for n in 0..4 {
        scene.guild.set_fault_times(Fault::PostAnswerLost, 1);
        scene.talk(&format!("m{n}"), 10);
    }
    scene.talk("the last", 20);
    scene.bridge.wait_link("recruiter", "empty outbox", 10, |link| link["outbox_depth"] == 0);
    assert_eq!(scene.replies(), ["re: m0", "re: m1", "re: m2", "re: m3", "re: the last"]);
    scene.end()
}

fn stored_then_500() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.guild.set_fault_times(Fault::PostStoredThen500, 2);
    scene.talk("one", 10);
    scene.talk("two", 20);
    scene.bridge.wait_link("recruiter", "empty outbox", 10, |link| link["outbox_depth"] == 0);
    assert_eq!(scene.replies(), ["re: one", "re: two"]);
    scene.end()
}

fn post_500() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.guild.set_fault_times(Fault::PostStatus(500, None), 3);
    scene.talk("one", 25);
    scene.talk("two", 10);
    scene.end()
}

fn post_429() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["agents"]["recruiter"]["parallel"] = 4.into();
    scene.guild.with(|guild, _| guild.add_channel("other", "channel", &["recruiter", "u7"]));
    let mut scene = scene.live();
    scene.bridge.wait_link("recruiter", "both channels", 5, |link| link["channels_proven"] == 2);
    scene.guild.set_fault_times(Fault::PostStatus(429, Some("4".into())), 1);
    scene.say("one");
    wait_for("first post", 5, || scene.guild.with(|guild, _| !guild.posts.is_empty()));
    scene.say("two");
    scene.guild.say("other", "u7", "elsewhere");
    wait_for("answer elsewhere", 3, || scene.guild.with(|guild, _| guild.said_by("other", "recruiter").len()) == 1);
    assert_eq!(scene.replies().len(), 0, "the limited channel waits");
    scene.answered("two", 12);
    assert_eq!(scene.replies(), ["re: one", "re: two"]);
    scene.end()
}

fn post_refused() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.guild.set_fault_times(Fault::PostStatus(422, None), 1);
    scene.say("refused");
    scene.talk("next", 10);
    assert_eq!(scene.replies(), ["re: next"]);
    scene.wait_number("letters", 1, 5);
    assert_eq!(scene.number("gaps"), 0, "what is kept is no gap");
    scene.end()
}

fn answer_outlives() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.say("slow 1500");
    wait_for("open turn", 5, || !scene.bridge.turns("recruiter").is_empty());
    scene.guild.stop(false);
    std::thread::sleep(Duration::from_millis(2_500));
    scene.guild.open();
    scene.answered("slow 1500", 15);
    assert_eq!(scene.bridge.turns("recruiter").len(), 1, "asked once");
    scene.end()
}

fn long_reply() -> Ended {
    let scene = Scene::new(Options::default()).live();
    let asked = scene.say("long 300");
    wait_for("the whole reply", 20, || scene.replies().iter().any(|part| part.contains("line 00300")));
    let parts =
        scene.guild.with(|guild, _| guild.said_by("general", "recruiter").into_iter().cloned().collect::<Vec<_>>());
    assert!(parts.len() >= 5, "{} parts", parts.len());
    assert_eq!(parts[0].reply_to.as_deref(), Some(asked.as_str()));
    for part in &parts {
        assert!(part.text.encode_utf16().count() <= 4000);
        assert_eq!(part.text.matches("```").count() % 2, 0, "a fence stays open in {:?}", part.text);
    }
    let whole: String = parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n");
    let found: Vec<&str> = whole.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(found.len(), 300, "no line is lost or cut");
    assert!(found.is_sorted(), "and they are in order");
    scene.end()
}

fn attachments() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["agents"]["recruiter"]["attachments"] = json!({"max_bytes": 100_000});
    let mut scene = scene.live();
    let attach = |scene: &Scene, id: &str, size: usize| {
        let bytes = (0..size).map(|n| (n % 251) as u8).collect::<Vec<_>>();
        let file = Attachment { id: id.into(), name: "../../p.jpg".into(), media_type: "image/jpeg".into(), bytes };
        scene.guild.with(|guild, now| guild.say_all("general", "u7", "file", None, vec![file], now))
    };
    attach(&scene, "a1", 48_211);
    let sum: u64 = (0..48_211u64).map(|n| n % 251).sum();
    wait_for("the file's answer", 10, || scene.replies() == [format!("file 48211 {sum}")]);
    attach(&scene, "a2", 200_000);
    scene.wait_replies(2, 10);
    scene.guild.set_fault(Fault::AttachmentStatus(500));
    attach(&scene, "a3", 100);
    scene.wait_replies(3, 30);
    let replies = scene.replies();
    assert!(replies[1..].iter().all(|reply| reply.starts_with("file not there: ")), "{replies:?}");
    scene.bridge.wait_link("recruiter", "rest", 5, |link| link["outbox_depth"] == 0);
    wait_for("the files' removal", 5, || count_files(&scene.bridge.dir.0.join("state/attachments")) == 0);
    scene.end()
}

fn count_files(under: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(under).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count_files(&entry.path()) } else { 1 }).sum()
}

fn bots() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.guild.with(|guild, _| {
        guild.add_person("b1", "botty", true);
        guild.channels.get_mut("general").unwrap().members.insert("b1".into());
    });
    scene = scene.live();
    scene.guild.say("general", "b1", "no mention, no answer");
    for n in 0..25 {
        scene.guild.say("general", "b1", &format!("@recruiter b{n}"));
    }
    scene.talk("a person", 20);
    let replies = scene.replies();
    assert_eq!(replies.len(), 21, "20 bots' messages and a person's: {replies:?}");
    assert!(!replies.iter().any(|reply| reply.contains("no mention")), "{replies:?}");
    assert_eq!(scene.number("gaps"), 5);
    scene.end()
}

fn mentions() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["agents"]["recruiter"]["respond_to"] = json!("mentions");
    scene.guild.with(|guild, _| guild.add_channel("private", "dm", &["recruiter", "u7"]));
    let mut scene = scene.live();
    scene.bridge.wait_link("recruiter", "both channels", 5, |link| link["channels_proven"] == 2);
    scene.say("to nobody");
    scene.say("recruiter@example is no mention, nor is @recruiters");
    scene.talk("hello @recruiter", 5);
    scene.guild.say("private", "u7", "between us");
    wait_for("direct answer", 5, || scene.guild.with(|guild, _| guild.said_by("private", "recruiter").len()) == 1);
    let own = scene.guild.with(|guild, _| guild.said_by("general", "recruiter")[0].id.clone());
    scene.guild.with(|guild, now| guild.say_all("general", "u7", "an answer to it", Some(&own), Vec::new(), now));
    scene.answered("an answer to it", 5);
    assert_eq!(scene.replies(), ["re: hello @recruiter", "re: an answer to it"]);
    scene.end()
}

fn side_by_side() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["agents"]["recruiter"]["parallel"] = 2.into();
    scene.guild.with(|guild, _| guild.add_channel("other", "channel", &["recruiter", "u7"]));
    let mut scene = scene.live();
    scene.bridge.wait_link("recruiter", "both channels", 5, |link| link["channels_proven"] == 2);
    scene.say("slow 3000");
    scene.say("after the slow one");
    scene.guild.say("other", "u7", "elsewhere");
    wait_for("answer elsewhere", 2, || scene.guild.with(|guild, _| guild.said_by("other", "recruiter").len()) == 1);
    assert!(scene.replies().is_empty());
    scene.answered("after the slow one", 8);
    assert_eq!(scene.replies(), ["re: slow 3000", "re: after the slow one"]);
    scene.end()
}
