//! The failure this product exists for, and its relatives: connected, and nothing is heard.

use crate::guild::naive::Naive;
use crate::guild::{Fault, Options, Rejection};
use crate::scene::{Scene, options};
use crate::{Ended, Scenario};
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_naive_client_goes_deaf_after_a_reconnect_and_guild_bridge_hears", 40, hears_where_the_naive_is_deaf),
    Scenario("tokens_that_expire_under_a_strict_guild_cost_nothing", 50, expiry_is_no_failure),
    Scenario("a_guild_that_restarts_is_found_again_and_what_was_said_meanwhile_is_answered", 40, restart),
    Scenario("a_guild_that_accepts_and_stays_silent_is_found_out_and_still_answered", 60, silent_rejection),
    Scenario("rooms_that_are_lost_under_a_live_link_are_joined_again", 40, rooms_lost),
    Scenario("a_guild_that_verifies_late_is_joined_again_until_it_hears", 30, late_verification),
    Scenario("a_guild_that_never_acks_stays_unproven_until_somebody_speaks", 40, never_acks),
    Scenario("where_nobody_acks_and_nobody_speaks_the_link_stays_and_says_so", 40, nobody_speaks),
    Scenario("events_that_are_lost_are_brought_by_history", 40, events_lost),
    Scenario("a_new_channel_is_joined_and_a_lost_one_left", 40, channels_change),
    Scenario("a_cut_history_is_a_gap_and_the_rest_is_answered", 40, history_cut),
    Scenario("a_list_without_lastmessageid_serves_as_well", 40, bare_list),
    Scenario("what_was_said_before_the_first_start_is_not_answered", 30, old_messages),
    Scenario("backfill_answers_the_last_ones", 30, backfill),
    Scenario("a_token_that_ends_under_a_lenient_guild_leaves_the_socket_alone", 30, lenient_expiry),
    Scenario("one_agent_sits_in_two_guilds_with_a_token_for_each", 30, two_guilds),
    Scenario("two_hundred_channels_are_joined_on_one_socket", 40, many_channels),
];

fn hears_where_the_naive_is_deaf() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    scene.guild.with(|guild, _| guild.add_agent("naive", "Naive", "key-2"));
    scene.guild.with(|guild, _| guild.channels.get_mut("general").unwrap().members.insert("naive".into()));
    let mut naive = Naive::connect(scene.proxy().port(), "naive", "key-2", "general");
    naive.listen(200);
    scene.talk("one", 5);
    naive.listen(200);
    assert!(naive.heard.contains(&"one".to_owned()));
    scene.proxy().end();
    naive.reconnect();
    scene
        .bridge
        .wait_link("recruiter", "second connection", 10, |link| link["attempts"] == 2 && link["state"] == "live");
    let replayed = scene.number("replayed");
    scene.talk("two", 5);
    naive.listen(500);
    assert!(!naive.heard.contains(&"two".to_owned()), "the naive client is deaf");
    assert_eq!(scene.number("replayed"), replayed, "the socket brought it, not history");
    let twice =
        scene.guild.with(|guild, _| guild.offers.iter().filter(|(token, _)| token.contains("recruiter")).count());
    assert_eq!(twice, 2, "two handshakes, each with its own token");
    assert_eq!(scene.guild.with(|guild, _| guild.offered_twice()), 1, "the naive client's alone");
    assert!(scene.doubled().is_empty());
    Ended::Well
}

fn expiry_is_no_failure() -> Ended {
    let mut scene = Scene::new(options(|guild| {
        guild.token_life_ms = 3_000;
        guild.kicks_at_expiry = true;
    }))
    .live();
    for n in 0..30 {
        scene.say(&format!("m{n}"));
        std::thread::sleep(Duration::from_millis(400));
    }
    scene.answered("m29", 10);
    let told: Vec<String> = (0..30).map(|n| format!("re: m{n}")).collect();
    assert_eq!(scene.replies(), told, "every one, once, in order");
    let link = scene.bridge.wait_state("recruiter", "live", 10);
    assert!(link["attempts"].as_u64().unwrap() >= 4, "{link}");
    scene.end()
}

fn restart() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.talk("before", 5);
    for (politely, text) in [(true, "while away"), (false, "while away again")] {
        scene.guild.stop(politely);
        scene.bridge.wait_reason("recruiter", &["guild.restarting", "net.refused", "net.closed"], 10);
        scene.say(text);
        scene.guild.open();
        scene.answered(text, 15);
        scene.bridge.wait_state("recruiter", "live", 10);
    }
    assert!(scene.number("replayed") >= 2);
    scene.talk("after", 5);
    scene.end()
}

fn silent_rejection() -> Ended {
    let scene = Scene::new(Options::default());
    scene.guild.set_fault(Fault::Reject(Rejection::Silent));
    let mut scene = scene.started();
    scene.bridge.wait_link("recruiter", "first join", 10, |link| link["channels_joined"] == 1);
    for n in 0..12 {
        scene.say(&format!("d{n}"));
        std::thread::sleep(Duration::from_millis(700));
        assert_ne!(scene.bridge.link("recruiter")["state"], "live", "live without proof");
    }
    scene.answered("d11", 10);
    scene.bridge.wait_reason("recruiter", &["deaf.history"], 20);
    scene.guild.clear_faults();
    scene.say("after");
    scene.answered("after", 10);
    scene.bridge.wait_state("recruiter", "live", 25);
    let replayed = scene.number("replayed");
    scene.talk("heard again", 5);
    assert_eq!(scene.number("replayed"), replayed, "the socket brought it");
    scene.end()
}

fn rooms_lost() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.talk("before", 5);
    scene.guild.with(|guild, _| guild.lose_rooms());
    scene.talk("unheard", 10);
    scene.say("unheard too");
    scene.answered("unheard too", 15);
    crate::guild::bridge::wait_for("seat in the room again", 20, || {
        scene.guild.with(|guild, _| guild.hearers("general")) > 0
    });
    scene.bridge.wait_state("recruiter", "live", 15);
    scene.talk("heard", 5);
    scene.end()
}

fn late_verification() -> Ended {
    let scene = Scene::new(Options::default());
    scene.guild.set_fault(Fault::VerifyAfter(700));
    let mut scene = scene.live();
    assert_eq!(scene.number("attempts"), 1, "the join was repeated, not the handshake");
    scene.talk("hello", 5);
    scene.end()
}

fn never_acks() -> Ended {
    let mut scene = Scene::new(options(|guild| guild.acks = false)).started();
    let joined = |link: &serde_json::Value| link["state"] == "unproven" && link["channels_joined"] == 1;
    let link = scene.bridge.wait_link("recruiter", "an unproven link", 10, joined);
    assert!(!link["detail"].as_str().unwrap().is_empty(), "status says why it is not live");
    scene.talk("hello", 5);
    let link = scene.bridge.wait_state("recruiter", "live", 5);
    assert_eq!((link["channels_proven"].as_u64(), link["replayed"].as_u64()), (Some(1), Some(0)));
    scene.end()
}

fn nobody_speaks() -> Ended {
    let mut scene = Scene::new(options(|guild| guild.acks = false)).started();
    scene.bridge.wait_state("recruiter", "unproven", 10);
    std::thread::sleep(Duration::from_secs(9));
    let link = scene.bridge.link("recruiter");
    assert_eq!((link["state"].as_str(), link["attempts"].as_u64()), (Some("unproven"), Some(1)), "{link}");
    scene.end()
}

fn events_lost() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.guild.set_fault_times(Fault::EventsLost, 1);
    scene.talk("nobody heard this", 10);
    scene.wait_number("replayed", 1, 5);
    scene.talk("heard", 5);
    scene.end()
}

fn channels_change() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.guild.with(|guild, _| guild.add_channel("lounge", "channel", &["recruiter", "u7"]));
    scene.guild.say("lounge", "u7", "new here");
    scene.bridge.wait_link("recruiter", "second channel", 15, |link| link["channels_proven"] == 2);
    let said = |scene: &Scene| scene.guild.with(|guild, _| guild.said_by("lounge", "recruiter").len());
    crate::guild::bridge::wait_for("answer in the new channel", 10, || said(&scene) == 1);
    assert!(scene.bridge.log().contains("recruiter: channel resync +1 -0"), "{}", scene.bridge.tail());
    scene.guild.with(|guild, _| guild.remove_channel("lounge"));
    scene.bridge.wait_link("recruiter", "one channel less", 15, |link| link["channels_total"] == 1);
    assert!(scene.bridge.log().contains("recruiter: channel resync +0 -1"), "{}", scene.bridge.tail());
    scene.talk("still here", 5);
    scene.end()
}

fn history_cut() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.talk("one", 5);
    scene.bridge.wait_link("recruiter", "rest", 5, |link| link["outbox_depth"] == 0);
    assert!(scene.bridge.terminate().success());
    (2..=9).for_each(|n| drop(scene.say(&format!("m{n}"))));
    scene.guild.with(|guild, _| guild.cut_history("general", 3));
    scene.bridge.spawn();
    scene.answered("m9", 15);
    let replies = scene.replies();
    assert_eq!(replies, ["re: one", "re: m7", "re: m8", "re: m9"]);
    scene.wait_number("gaps", 1, 5);
    scene.end()
}

fn bare_list() -> Ended {
    let mut scene = Scene::new(options(|guild| guild.last_message_id = false));
    (0..70).for_each(|n| drop(scene.say(&format!("old {n}"))));
    scene = scene.live();
    scene.talk("new", 5);
    scene.guild.set_fault_times(Fault::EventsLost, 1);
    scene.talk("from history", 15);
    assert_eq!(scene.replies(), ["re: new", "re: from history"]);
    scene.end()
}

fn old_messages() -> Ended {
    let scene = Scene::new(Options::default());
    (0..5).for_each(|n| drop(scene.say(&format!("old {n}"))));
    let mut scene = scene.live();
    scene.talk("new", 5);
    assert_eq!(scene.replies(), ["re: new"]);
    scene.end()
}

fn backfill() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["agents"]["recruiter"]["backfill"] = 2.into();
    (0..5).for_each(|n| drop(scene.say(&format!("old {n}"))));
    let mut scene = scene.live();
    scene.talk("new", 8);
    assert_eq!(scene.replies(), ["re: old 3", "re: old 4", "re: new"]);
    scene.end()
}

fn lenient_expiry() -> Ended {
    let mut scene = Scene::new(options(|guild| guild.token_life_ms = 2_000)).live();
    for n in 0..12 {
        scene.talk(&format!("m{n}"), 5);
        std::thread::sleep(Duration::from_millis(500));
    }
    let link = scene.bridge.wait_state("recruiter", "live", 5);
    assert_eq!(link["attempts"], 1, "the socket stays: {link}");
    assert!(link["tokens_minted"].as_u64() >= Some(3), "posts mint their own: {link}");
    scene.end()
}

fn two_guilds() -> Ended {
    let mut scene = Scene::new(Options::default());
    let other = crate::scene::small(Options::default());
    scene.bridge.config["guilds"]["beta"] =
        serde_json::json!({"dialect": "fabric", "center": other.url(), "url": other.url()});
    scene.bridge.config["agents"]["recruiter"]["guild"] = serde_json::json!(["acme", "beta"]);
    let mut scene = scene.live();
    let live = |status: &serde_json::Value| {
        status["links"]
            .as_array()
            .is_some_and(|links| links.len() == 2 && links.iter().all(|link| link["state"] == "live"))
    };
    crate::guild::bridge::wait_for("two live links", 10, || live(&scene.bridge.status()));
    scene.talk("here", 5);
    other.say("general", "u7", "there");
    crate::guild::bridge::wait_for("the other answer", 5, || {
        other.with(|guild, _| guild.said_by("general", "recruiter").iter().any(|m| m.text == "re: there"))
    });
    assert_eq!(other.with(|guild, _| guild.offered_twice()), 0);
    scene.end()
}

fn many_channels() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["limits"] = serde_json::json!({"channels": 200});
    let name = |n: usize| format!("room-{n}");
    scene.guild.with(|guild, _| (1..200).for_each(|n| guild.add_channel(&name(n), "channel", &["recruiter", "u7"])));
    let mut scene = scene.live();
    scene.bridge.wait_link("recruiter", "200 proven channels", 15, |link| link["channels_proven"] == 200);
    assert!(scene.bridge.log().contains("recruiter: joined 200 channel(s) on acme"), "{}", scene.bridge.tail());
    scene.guild.say(&name(150), "u7", "in the middle of it");
    crate::guild::bridge::wait_for("its answer", 8, || {
        scene.guild.with(|guild, _| guild.said_by(&name(150), "recruiter").len()) == 1
    });
    scene.end()
}
