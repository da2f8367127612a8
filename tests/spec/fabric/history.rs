//! Lists and histories at their bounds: large, broken, refused, limited.

use crate::world::hall::{Trouble, What};
use crate::world::{Habit, World, mins, secs};

#[test]
fn finding_the_end_of_a_history_takes_200_pages_at_most() {
    let mut w = World::chatty(1);
    w.guild().model.options.last_message_id = false;
    w.agent().habit = Habit::None;
    (0..4_500).for_each(|i| drop(w.say("general", "alice", &format!("old {i}"))));
    w.run_for(mins(3));
    assert!(w.calls_of("history") <= 260, "{} pages", w.calls_of("history"));
    w.run_for(mins(10));
    w.say("general", "alice", "new");
    w.run_for(mins(10));
    assert_eq!(w.heard().last().copied(), Some("new"));
    assert!(w.heard().len() <= 501, "{} old messages were answered", w.heard().len() - 1);
}

#[test]
fn backfill_works_without_last_message_id_too() {
    let mut w = World::chatty(2);
    w.settings.agents[0].backfill = 3;
    w.guild().model.options.last_message_id = false;
    (1..=50).for_each(|i| drop(w.say("general", "alice", &format!("old {i}"))));
    w.run_for(mins(3));
    assert_eq!(w.heard(), ["old 48", "old 49", "old 50"]);
}

#[test]
fn a_channel_whose_history_is_refused_does_not_hold_up_the_others() {
    // before general in the list, and behind it
    for (status, other) in [403, 404, 500].into_iter().flat_map(|status| [(status, "other"), (status, "a")]) {
        let mut w = World::chatty(3);
        w.guild().model.add_channel(other, "channel", &["alice", "recruiter"]);
        w.run_live();
        let (channel, what) = (Some(other.into()), What::Status(status, None));
        w.guild().trouble.push(Trouble { route: "history", channel, what, times: 1_000_000 });
        w.guild().whisper(other, "alice", "unreachable");
        w.whisper("reachable");
        w.run_for(mins(10));
        assert_eq!((w.answers("general"), w.story.offered.len()), (vec!["re: reachable"], 1), "{status}");
        assert!(w.calls_of("history") < 200, "{status}: {} calls in ten minutes", w.calls_of("history"));
    }
}

#[test]
fn connections_that_end_before_every_history_is_read_leave_no_channel_out() {
    let mut w = World::chatty(45);
    w.guild().model.options.last_message_id = false;
    let channels: Vec<String> = (0..30).map(|n| format!("c{n:02}")).collect();
    channels.iter().for_each(|c| w.guild().model.add_channel(c, "channel", &["alice", "recruiter"]));
    w.run_for(mins(2));
    w.kill();
    channels.iter().for_each(|c| drop(w.say(c, "alice", "while nothing ran")));
    w.guild().closes_after_ms = Some(3_000);
    w.start();
    w.run_for(mins(10));
    let unheard: Vec<&String> = channels.iter().filter(|c| w.answers(c).is_empty()).collect();
    assert!(unheard.is_empty(), "{unheard:?}");
    assert!(w.story.offered.len() > 20, "{} connections", w.story.offered.len());
}

#[test]
fn a_channel_that_is_refused_for_a_moment_is_not_read_anew() {
    for times in [1, 3] {
        let mut w = World::chatty(44);
        w.run_live();
        for said in ["one", "two"] {
            w.say("general", "alice", said);
            w.run_for(mins(1));
        }
        w.kill();
        w.say("general", "alice", "three");
        w.guild().trouble("history", times, What::Status(404, None));
        w.start();
        w.run_for(mins(3));
        assert_eq!(w.heard(), ["one", "two", "three"], "what was done is given again after {times} refusals");
        assert_eq!(w.link().gaps, 0);
    }
}

#[test]
fn a_channel_in_which_somebody_speaks_is_read_before_those_in_which_nobody_does() {
    let mut w = World::chatty(46);
    w.guild().model.options.last_message_id = false;
    for n in 0..100 {
        w.guild().model.add_channel(&format!("c{n:02}"), "channel", &["alice", "recruiter"]);
    }
    w.run_for(mins(2));
    w.drop_lines();
    w.run_till(secs(10), "every channel is joined", |w| w.link().channels_joined == 101);
    w.run_for(20);
    w.say("c77", "alice", "does anybody hear this?");
    let took = w.run_till(mins(1), "it is answered", |w| !w.answers("c77").is_empty());
    assert!(took < secs(2), "{took} ms: a hundred channels are read in twenty seconds");
}

#[test]
fn a_list_that_is_rate_limited_is_waited_for() {
    let mut w = World::chatty(4);
    w.guild().trouble("channels", 1, What::Status(429, Some(20_000)));
    w.run_for(mins(2));
    let lists = w.story.moments("call channels");
    assert!((20_000..=26_000).contains(&(lists[1] - lists[0])), "{lists:?}");
    assert_eq!(w.state(), "live");
}

#[test]
fn rows_that_cannot_be_read_are_passed_over_and_the_others_are_joined() {
    let mut w = World::chatty(5);
    let long = "x".repeat(200);
    let rows = format!(
        r#"[{{"id":"a","name":"a"}},{{"name":"no id"}},{{"id":7,"name":"seven"}},{{"id":"{long}","name":"long"}},
            {{"id":"general","name":"general","unknown":{{"deep":[1,2,{{}}]}},"lastMessageId":null}}]"#
    );
    w.guild().trouble("channels", 1_000, What::Body(200, "application/json", rows));
    w.run_for(secs(30));
    w.say("general", "alice", "hi");
    w.run_for(secs(5));
    assert_eq!((w.answers("general"), w.story.offered.len()), (vec!["re: hi"], 1));
}

#[test]
fn channels_beyond_the_bound_are_counted_and_not_joined() {
    let mut w = World::chatty(6);
    for i in 0..1_100 {
        w.guild().model.add_channel(&format!("c{i:04}"), "channel", &["alice", "recruiter"]);
    }
    w.run_for(mins(3));
    let link = w.link().clone();
    assert_eq!((link.channels_total, link.channels_joined), (1_101, guild_bridge::budget::CHANNELS));
    assert_eq!(link.state, "live");
}

#[test]
fn a_list_over_256_kib_is_not_taken_for_an_empty_one() {
    let mut w = World::chatty(7);
    w.run_live();
    let rows: Vec<String> = (0..900).map(|i| format!(r#"{{"id":"d{i}","name":"{}"}}"#, "n".repeat(400))).collect();
    w.guild().trouble("channels", 3, What::Body(200, "application/json", format!("[{}]", rows.join(","))));
    w.run_for(mins(5));
    w.say("general", "alice", "still here?");
    w.run_for(mins(2));
    assert_eq!(w.answers("general"), ["re: still here?"]);
}

#[test]
fn a_burst_beyond_the_window_is_filled_from_history() {
    for burst in [64, 65, 200, 520, 1_500] {
        let mut w = World::chatty(8);
        w.run_for(secs(70));
        w.agent().habit = Habit::None;
        w.agent().takes_ms = 1;
        (0..burst).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
        w.run_for(mins(15));
        let wanted: Vec<String> = (0..burst).map(|i| format!("m{i}")).collect();
        assert_eq!(w.heard(), wanted, "a burst of {burst}");
        assert_eq!((w.link().gaps, w.story.offered.len()), (0, 1), "a burst of {burst}");
    }
}

#[test]
fn a_burst_over_many_channels_is_kept_within_the_window_and_heard_whole() {
    let mut w = World::chatty(9);
    (0..30).for_each(|i| w.guild().model.add_channel(&format!("c{i}"), "channel", &["alice", "recruiter"]));
    w.run_for(secs(70));
    w.agent().takes_ms = 100;
    for i in 0..20 {
        (0..30).for_each(|c| drop(w.say(&format!("c{c}"), "alice", &format!("m{i}"))));
    }
    w.run_for(mins(30));
    let wanted: Vec<String> = (0..20).map(|i| format!("re: m{i}")).collect();
    (0..30).for_each(|c| assert_eq!(w.answers(&format!("c{c}")), wanted, "c{c}"));
    assert_eq!(w.link().gaps, 0);
}

#[test]
fn a_long_absence_is_caught_up_in_order() {
    let mut w = World::chatty(10);
    w.run_live();
    w.say("general", "alice", "first");
    w.run_for(secs(20));
    w.guild().up = false;
    w.guild().close_lines();
    (0..900).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.run_for(mins(5));
    w.guild().up = true;
    w.run_for(mins(30));
    assert_eq!(w.heard().len(), 901);
    assert_eq!(w.heard()[1..], (0..900).map(|i| format!("m{i}")).collect::<Vec<_>>());
    assert_eq!(w.link().gaps, 0);
}

#[test]
fn a_long_absence_of_the_daemon_itself_is_caught_up_too() {
    let mut w = World::chatty(11);
    w.run_live();
    w.say("general", "alice", "first");
    w.run_for(secs(20));
    w.kill();
    (0..300).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.run_for(mins(60));
    w.start();
    w.run_for(mins(15));
    assert_eq!(w.answers("general").len(), 301);
    assert_eq!(w.heard().len(), 301);
}

#[test]
fn a_reply_to_the_257th_last_own_post_is_no_mention_any_more() {
    let mut w = World::new(12);
    w.run_live();
    for i in 0..257 {
        w.say("general", "alice", &format!("@recruiter {i}"));
        w.run_for(300);
    }
    w.run_for(mins(2));
    let own: Vec<String> = w.guild().model.said_by("general", "recruiter").iter().map(|m| m.id.clone()).collect();
    assert_eq!(own.len(), 257);
    w.guild().say_to("general", "alice", "too old", &own[0]);
    w.guild().say_to("general", "alice", "just young enough", &own[1]);
    w.run_for(secs(3));
    assert_eq!(w.heard()[257..], ["just young enough"]);
}

#[test]
fn messages_of_a_channel_that_is_not_ours_are_not_given() {
    let mut w = World::chatty(13);
    w.guild().model.add_channel("elsewhere", "channel", &["alice"]);
    w.run_live();
    let id = w.guild().say("elsewhere", "alice", "not for us");
    let message = w.guild().model.said.iter().find(|m| m.id == id).unwrap().clone();
    let event = format!("42{}", serde_json::json!(["message.created", w.guild().model.as_json(&message)]));
    w.guild().inject(&event);
    w.run_for(secs(20));
    assert_eq!((w.heard().len(), w.state()), (0, "live"));
}

fn member(w: &mut World, there: bool) {
    let members = &mut w.guild().model.channels.get_mut("general").unwrap().members;
    let _ = if there { members.insert("recruiter".into()) } else { members.remove("recruiter") };
}

#[test]
fn a_turn_that_ended_before_its_channel_left_the_list_is_not_given_again_in_another_life() {
    let mut w = World::chatty(41);
    w.run_live();
    w.run_for(secs(20));
    w.say("general", "alice", "one");
    w.run_for(secs(1));
    member(&mut w, false);
    w.run_for(mins(2));
    // a write fails: the journal begins anew with what is known
    w.disk.fails_write(1);
    w.guild().model.add_channel("dev", "channel", &["recruiter"]);
    w.run_for(mins(3));
    member(&mut w, true);
    w.crash();
    w.run_for(mins(5));
    assert_eq!((w.heard(), w.answers("general")), (vec!["one"], vec!["re: one"]));
}

#[test]
fn a_turn_that_is_open_while_its_channel_leaves_and_comes_back_is_not_passed_over() {
    let mut w = World::chatty(42);
    w.settings.agents[0].deadline_s = 3_600;
    w.run_live();
    w.agent().next.push_back(Habit::Hangs);
    w.say("general", "alice", "one");
    w.run_for(secs(1));
    member(&mut w, false);
    w.run_for(mins(2));
    member(&mut w, true);
    w.run_for(mins(3));
    w.say("general", "alice", "two");
    w.run_for(mins(2));
    w.crash();
    w.run_for(mins(5));
    assert_eq!(w.heard(), ["one", "one", "two"]);
    assert_eq!(w.answers("general"), ["re: one", "re: two"]);
}

/// Alice talks, so many milliseconds between what she says, and nobody is asked.
fn chatter(w: &mut World, count: u32, gap: u64) {
    for i in 0..count {
        w.say("general", "alice", &format!("chat {i}"));
        w.run_for(gap);
    }
}

#[test]
fn what_the_socket_skipped_is_found_behind_a_turn_that_lasts() {
    let mut w = World::new(43);
    w.settings.agents[0].deadline_s = 300;
    w.run_live();
    w.agent().next.push_back(Habit::Hangs);
    w.say("general", "alice", "@recruiter hang");
    chatter(&mut w, 400, 10);
    // history was read up to here; all of it stands behind the open turn
    w.run_for(mins(2));
    w.whisper("@recruiter skipped");
    chatter(&mut w, 200, 10);
    w.run_for(mins(10));
    assert_eq!(w.heard(), ["@recruiter hang", "@recruiter hang", "@recruiter skipped"]);
    assert_eq!(w.link().gaps, 0, "{:?}", w.link().gaps_by_reason);
}

#[test]
fn what_the_socket_skipped_is_found_in_a_channel_with_twenty_messages_a_second() {
    let mut w = World::new(44);
    w.run_live();
    let skipped: Vec<String> = (0..24).map(|i| format!("@recruiter skipped {i}")).collect();
    for text in &skipped {
        w.whisper(text);
        chatter(&mut w, 100, 50);
    }
    w.run_for(mins(2));
    let heard: Vec<String> = w.heard().iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(heard, skipped);
    // each page brings 19 that are new
    assert!(w.calls_of("history") <= 2_424 / 19 + 20, "{} pages", w.calls_of("history"));
}
