//! One agent's work: order, turns, attempts, deadlines, and what is never given to it.

mod attempts;
mod bots;

use crate::world::{Fault, Habit, What, World, mins, secs, twice};
use guild_bridge::agent::Said;
use guild_bridge::reason::{Reason, Why};

#[test]
fn a_message_goes_to_the_agent_and_its_answer_back_as_a_reply() {
    let mut w = World::new(1);
    w.run_live();
    let id = w.say("general", "alice", "@recruiter hi");
    w.run_for(secs(2));
    let own = w.guild().model.said_by("general", "recruiter")[0].clone();
    assert_eq!((own.text.as_str(), own.reply_to), ("re: @recruiter hi", Some(id)));
}

#[test]
fn messages_of_a_channel_are_given_in_order() {
    let mut w = World::chatty(2);
    w.run_live();
    let texts: Vec<String> = (0..40).map(|i| format!("m{i}")).collect();
    texts.iter().for_each(|t| drop(w.say("general", "alice", t)));
    w.run_for(mins(2));
    assert_eq!(w.heard(), texts);
    assert_eq!(w.answers("general"), texts.iter().map(|t| format!("re: {t}")).collect::<Vec<_>>());
}

#[test]
fn two_thousand_messages_come_once_and_in_order() {
    let mut w = World::chatty(3);
    w.run_live();
    w.agent().takes_ms = 1;
    let texts: Vec<String> = (0..2_000).map(|i| format!("m{i}")).collect();
    texts.iter().for_each(|t| drop(w.say("general", "alice", t)));
    w.run_for(mins(30));
    assert_eq!(w.heard(), texts);
    assert_eq!((w.link().gaps, w.answers("general").len()), (0, 2_000));
}

#[test]
fn one_turn_of_a_conversation_is_open_at_a_time() {
    let mut w = World::chatty(4);
    w.run_live();
    w.agent().takes_ms = 3_000;
    (0..4).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.run_for(secs(30));
    let asked: Vec<u64> = w.agent().asked.iter().map(|a| a.at).collect();
    assert!(asked.windows(2).all(|p| p[1] - p[0] >= 3_000), "{asked:?}");
    assert_eq!((w.agent().open_peak, w.answers("general").len()), (1, 4));
}

#[test]
fn conversations_run_side_by_side_up_to_parallel() {
    for (parallel, peak) in [(1, 1), (2, 2), (3, 3), (64, 6)] {
        let mut w = World::chatty(5);
        w.settings.agents[0].parallel = parallel;
        (0..6).for_each(|i| w.guild().model.add_channel(&format!("c{i}"), "channel", &["alice", "recruiter"]));
        w.run_for(secs(10));
        w.agent().takes_ms = 1_000;
        (0..6).for_each(|i| drop(w.say(&format!("c{i}"), "alice", "hi")));
        w.run_for(secs(20));
        assert_eq!((w.agent().open_peak, w.heard().len()), (peak, 6), "parallel {parallel}");
    }
}

#[test]
fn nothing_to_say_is_an_end_of_a_turn() {
    let mut w = World::chatty(16);
    w.run_live();
    w.agent().habit = Habit::None;
    w.say("general", "alice", "one");
    w.say("general", "alice", "two");
    w.run_for(mins(2));
    assert_eq!((w.heard(), w.answers("general").len()), (vec!["one", "two"], 0));
    assert_eq!((w.link().delivered, w.link().gaps), (2, 0));
}

#[test]
fn an_agent_that_ends_a_turn_twice_is_posted_once() {
    let mut w = World::chatty(17);
    w.run_live();
    w.agent().habit = Habit::Doubles;
    w.say("general", "alice", "one");
    w.say("general", "alice", "two");
    w.run_for(secs(20));
    assert_eq!(w.answers("general"), ["re: one", "re: two"]);
}

#[test]
fn replies_before_the_final_one_are_posted_in_order() {
    let mut w = World::chatty(18);
    w.run_live();
    w.agent().habit = Habit::Parts(vec!["let me see".into(), "almost".into(), "done".into()]);
    w.say("general", "alice", "hi");
    w.run_for(secs(10));
    assert_eq!(w.answers("general"), ["let me see", "almost", "done"]);
}

#[test]
fn what_cannot_be_read_from_an_agent_is_counted_and_ends_nothing() {
    let mut w = World::chatty(19);
    w.run_live();
    w.agent().habit = Habit::Garbles;
    w.say("general", "alice", "hi");
    w.run_for(secs(5));
    assert_eq!((w.answers("general"), w.status().agents[0].garbled), (vec!["re: hi"], 1));
}

#[test]
fn a_reply_for_a_turn_that_nobody_gave_is_ignored() {
    let mut w = World::chatty(20);
    w.run_live();
    w.says("recruiter", Said::Reply { turn: "t_nobody".into(), text: "hm".into(), last: true });
    w.says("recruiter", Said::Accepted { turn: "t_nobody".into() });
    w.says("recruiter", Said::Typing { turn: "t_nobody".into(), on: true });
    w.run_for(secs(10));
    assert_eq!(w.answers("general").len(), 0);
    assert_eq!(w.state(), "live");
}

#[test]
fn a_message_that_socket_and_history_both_bring_is_given_once() {
    let mut w = World::chatty(21);
    w.run_live();
    for i in 0..10 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(secs(20));
        w.drop_lines();
        w.run_for(secs(20));
    }
    w.run_for(mins(3));
    assert_eq!(w.heard().len(), 10);
    assert!(twice(w.agent().asked.iter().map(|a| a.turn.id.clone())).is_empty());
}

#[test]
fn a_message_that_the_socket_brings_twice_is_given_once_and_counted() {
    let mut w = World::chatty(22);
    w.run_live();
    w.say("general", "alice", "once");
    w.run_for(secs(2));
    let message = w.guild().model.said[0].clone();
    let event = format!("42{}", serde_json::json!(["message.created", w.guild().model.as_json(&message)]));
    w.guild().inject(&event);
    w.run_for(secs(5));
    assert_eq!((w.heard().len(), w.link().duplicates_dropped), (1, 1));
}

#[test]
fn what_comes_from_history_is_marked_replayed() {
    let mut w = World::chatty(23);
    w.run_live();
    w.say("general", "alice", "by socket");
    w.whisper_and_run("by history");
    let replayed: Vec<bool> = w.agent().asked.iter().map(|a| a.turn.replayed).collect();
    assert_eq!((replayed, w.link().replayed), (vec![false, true], 1));
}

#[test]
fn an_agent_that_speaks_unasked_is_posted_once_for_each_id() {
    let mut w = World::new(30);
    w.run_live();
    for id in ["a", "a", "b"] {
        w.says(
            "recruiter",
            Said::Send { id: id.into(), conv: "acme.general".into(), text: format!("send {id}").into() },
        );
        w.run_for(secs(2));
    }
    assert_eq!(w.answers("general"), ["send a", "send b"]);
    let sent = w.agent().sent.clone();
    assert!(sent.len() == 3 && sent.iter().all(|s| s.1.is_ok()) && sent[0].1 == sent[1].1, "{sent:?}");
}

#[test]
fn a_send_to_a_channel_that_is_not_there_is_refused() {
    let mut w = World::new(31);
    w.run_live();
    w.says("recruiter", Said::Send { id: "a".into(), conv: "acme.nowhere".into(), text: "hm".into() });
    w.run_for(secs(30));
    assert!(matches!(w.agent().sent.as_slice(), [(id, Err(_))] if id == "a"), "{:?}", w.agent().sent);
}

#[test]
fn a_flood_beyond_the_window_waits_in_history_and_not_in_memory() {
    let mut w = World::chatty(32);
    w.run_live();
    w.agent().here = false;
    w.says("recruiter", Said::Gone(Why::new(Reason::AgentGone, "closed")));
    (0..600).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.run_for(mins(5));
    assert!(w.status().agents[0].waiting <= 64 + 512, "{}", w.status().agents[0].waiting);
    w.says("recruiter", Said::Here);
    w.run_for(mins(30));
    assert_eq!(w.heard(), (0..600).map(|i| format!("m{i}")).collect::<Vec<_>>());
    assert_eq!(w.link().gaps, 0);
}

#[test]
fn a_message_longer_than_the_window_that_comes_before_history_was_read_holds_nothing_up() {
    let mut w = World::chatty(41);
    ["two", "three", "four"].iter().for_each(|name| w.add_agent(name, &["acme"]));
    w.run_live();
    w.drop_lines();
    w.guild().trouble("history", 1, What::Slow(secs(5)));
    // each of four links has a quarter of what the windows may hold
    let long = "m".repeat(40_000);
    (0..40).for_each(|n| {
        w.say("general", "alice", &format!("{n} {long}"));
        w.run_for(200);
    });
    w.run_for(secs(30));
    let heard: Vec<&str> = w.heard().iter().map(|text| text.split(' ').next().unwrap()).collect();
    assert_eq!(heard, (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn attachments_are_metadata_by_default() {
    let mut w = World::chatty(33);
    w.run_live();
    w.guild().say_with("general", "alice", "look", &[("a1", 999)]);
    w.run_for(secs(2));
    let got = w.agent().asked[0].turn.message.attachments.clone();
    assert_eq!((got[0].id.as_str(), got[0].name.as_str(), got[0].size), ("a1", "../p.jpg", 999));
    assert_eq!(got[0].fetched, guild_bridge::message::Fetched::NotAsked);
    assert_eq!(w.calls_of("attachment"), 0);
}

#[test]
fn attachments_are_fetched_before_the_turn_and_given_up_after_it() {
    let mut w = World::chatty(34);
    w.settings.agents[0].attachment_bytes = Some(1_000);
    w.run_live();
    w.guild().say_with("general", "alice", "look", &[("a1", 900), ("a2", 1_001)]);
    w.run_for(secs(5));
    let (turn, done) = (w.agent().asked[0].turn.clone(), w.discarded.clone());
    let fetched: Vec<_> = turn.message.attachments.iter().map(|a| a.fetched.clone()).collect();
    let path = format!("/run/attachments/{}/a1", turn.id).into();
    assert_eq!(fetched[0], guild_bridge::message::Fetched::At(path));
    assert!(matches!(fetched[1], guild_bridge::message::Fetched::Not(_)), "{fetched:?}");
    assert_eq!((done, w.answers("general")), (vec![turn.id], vec!["re: look"]));
}

#[test]
fn a_file_that_hangs_on_a_message_many_times_is_fetched_once_and_given_each_time() {
    let mut w = World::chatty(36);
    w.settings.agents[0].attachment_bytes = Some(1_000);
    w.run_live();
    let mut files = vec![("a1", 900); 9];
    files.push(("a2", 900));
    w.guild().say_with("general", "alice", "look", &files);
    w.run_for(secs(5));
    let turn = w.agent().asked[0].turn.clone();
    let at = |id: &str| guild_bridge::message::Fetched::At(format!("/run/attachments/{}/{id}", turn.id).into());
    let got = &turn.message.attachments;
    assert!(got[..9].iter().all(|file| file.fetched == at("a1")) && got[9].fetched == at("a2"), "{got:?}");
    assert_eq!((w.calls_of("attachment"), w.answers("general")), (2, vec!["re: look"]));
}

#[test]
fn an_attachment_that_the_guild_refuses_has_no_path_and_says_why() {
    let mut w = World::chatty(35);
    w.settings.agents[0].attachment_bytes = Some(1_000);
    w.run_live();
    w.guild().model.faults.set_times(Fault::AttachmentStatus(404), 1);
    w.guild().say_with("general", "alice", "look", &[("a1", 900), ("a2", 900)]);
    w.run_for(secs(5));
    let files = &w.agent().asked[0].turn.message.attachments;
    assert_eq!(files[0].fetched, guild_bridge::message::Fetched::Not("the guild answered 404".into()));
    assert!(matches!(files[1].fetched, guild_bridge::message::Fetched::At(_)), "{files:?}");
    assert_eq!(w.answers("general"), ["re: look"]);
}

#[test]
fn an_authors_name_is_given_whole_up_to_128_bytes_and_cut_beyond() {
    let mut w = World::chatty(91);
    w.run_live();
    for (id, length) in [("u-128", 128), ("u-129", 129), ("u-900", 900)] {
        w.guild().model.add_person(id, &"n".repeat(length), false);
        w.guild().model.channels.get_mut("general").unwrap().members.insert(id.into());
        w.say("general", id, "hi");
        w.run_for(secs(2));
    }
    let names: Vec<usize> = w.agent().asked.iter().map(|asked| asked.turn.message.author.name.len()).collect();
    assert!(names[0] == 128 && names[1..].iter().all(|length| (100..=131).contains(length)), "{names:?}");
}
