//! One agent's work: order, turns, attempts, deadlines, and what is never given to it.

use crate::world::{Habit, World, mins, secs, twice};
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
fn a_failed_turn_is_tried_three_times_2_and_10_s_apart_and_is_then_a_gap() {
    let mut w = World::chatty(6);
    w.run_live();
    w.agent().next = vec![Habit::Fails; 3].into();
    w.say("general", "alice", "bad");
    w.say("general", "alice", "good");
    w.run_for(secs(60));
    let asked = w.agent().asked.clone();
    assert_eq!(asked.iter().map(|a| a.turn.attempt).collect::<Vec<_>>(), [1, 2, 3, 1]);
    assert!(asked[..3].iter().all(|a| a.turn.id == asked[0].turn.id && a.turn.message.text == "bad"));
    assert!((2_000..=2_100).contains(&(asked[1].at - asked[0].at)));
    assert!((10_000..=10_100).contains(&(asked[2].at - asked[1].at)));
    assert_eq!((w.link().gaps, w.answers("general")), (1, vec!["re: good"]));
}

#[test]
fn a_turn_that_fails_twice_is_answered_once() {
    let mut w = World::chatty(7);
    w.run_live();
    w.agent().next = vec![Habit::Fails; 2].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(30));
    assert_eq!((w.link().gaps, w.answers("general")), (0, vec!["re: hi"]));
}

#[test]
fn a_busy_agent_is_waited_for_as_long_as_it_asks_and_it_does_not_count() {
    let mut w = World::chatty(8);
    w.run_live();
    w.agent().next = vec![Habit::Busy(Some(4_000)); 7].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(60));
    let asked: Vec<u64> = w.agent().asked.iter().map(|a| a.at).collect();
    assert_eq!(asked.len(), 8);
    assert!(asked.windows(2).all(|p| (4_000..=5_200).contains(&(p[1] - p[0]))), "{asked:?}");
    assert_eq!((w.link().gaps, w.answers("general")), (0, vec!["re: hi"]));
}

#[test]
fn a_busy_agent_that_names_no_time_is_asked_again_without_haste() {
    let mut w = World::chatty(9);
    w.run_live();
    w.agent().habit = Habit::Busy(None);
    w.say("general", "alice", "hi");
    w.run_for(mins(30));
    let asked = w.agent().asked.len();
    assert!((5..=1_800).contains(&asked), "asked {asked} times in half an hour");
    w.agent().habit = Habit::Echo;
    w.run_for(mins(16));
    assert_eq!((w.link().gaps, w.answers("general")), (0, vec!["re: hi"]));
}

#[test]
fn an_agent_that_is_not_there_is_waited_for_and_nothing_is_dropped() {
    let mut w = World::chatty(10);
    w.agent().here = false;
    w.run_live();
    for i in 0..90 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(mins(1));
    }
    assert_eq!((w.heard().len(), w.link().gaps), (0, 0));
    assert_eq!(w.status().agents[0].state, "missing");
    w.says("recruiter", Said::Here);
    w.run_for(mins(10));
    assert_eq!(w.answers("general"), (0..90).map(|i| format!("re: m{i}")).collect::<Vec<_>>());
}

#[test]
fn a_program_that_is_missing_is_waited_for_too() {
    let mut w = World::chatty(11);
    w.run_live();
    w.agent().habit = Habit::Absent;
    w.say("general", "alice", "hi");
    w.run_for(mins(60));
    assert!((2..=3_600).contains(&w.heard().len()));
    w.agent().habit = Habit::Echo;
    w.run_for(mins(16));
    assert_eq!((w.link().gaps, w.answers("general")), (0, vec!["re: hi"]));
}

#[test]
fn an_agent_that_hangs_is_cancelled_at_its_deadline_and_asked_again() {
    let mut w = World::chatty(12);
    w.run_live();
    w.agent().next = vec![Habit::Hangs].into();
    w.say("general", "alice", "hi");
    w.run_for(mins(2));
    let (asked, cancelled) = (w.agent().asked.clone(), w.agent().cancelled.clone());
    assert_eq!(cancelled.len(), 1);
    assert_eq!((cancelled[0].0 - asked[0].at, cancelled[0].2), (60_000, "timeout"));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

#[test]
fn an_answer_after_the_deadline_is_ignored() {
    let mut w = World::chatty(13);
    w.run_live();
    w.agent().takes_ms = 61_000;
    w.say("general", "alice", "hi");
    w.run_for(mins(6));
    assert_eq!((w.answers("general").len(), w.heard().len(), w.link().gaps), (0, 3, 1));
}

#[test]
fn an_agent_that_goes_away_gets_its_open_turn_again_when_it_is_back() {
    let mut w = World::chatty(14);
    w.run_live();
    w.agent().next = vec![Habit::Hangs].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    w.says("recruiter", Said::Gone(Why::new(Reason::AgentGone, "closed")));
    w.run_for(mins(20));
    assert_eq!(w.heard().len(), 1, "nothing is given to an agent that is gone");
    w.says("recruiter", Said::Here);
    w.run_for(secs(20));
    let asked = w.agent().asked.clone();
    assert_eq!(asked[0].turn.id, asked[1].turn.id);
    assert_eq!((w.answers("general"), w.link().gaps), (vec!["re: hi"], 0));
}

#[test]
fn an_agent_that_connects_anew_gets_its_open_turns_again() {
    let mut w = World::chatty(15);
    w.run_live();
    w.agent().next = vec![Habit::Hangs].into();
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    w.says("recruiter", Said::Here);
    w.run_for(secs(20));
    assert_eq!(w.answers("general"), ["re: hi"]);
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
fn an_agent_never_gets_its_own_messages() {
    let mut w = World::chatty(24);
    w.settings.agents[0].bots_all = true;
    w.run_live();
    w.send("general", "@recruiter talking to myself");
    w.say("general", "alice", "hi");
    w.run_for(mins(3));
    w.drop_lines();
    w.run_for(mins(3));
    assert_eq!(w.heard(), ["hi"]);
}

#[test]
fn a_bots_message_counts_only_when_it_mentions_the_agent() {
    for (bots_all, heard) in [(false, vec!["@recruiter named"]), (true, vec!["plain", "@recruiter named"])] {
        let mut w = World::chatty(25);
        w.settings.agents[0].bots_all = bots_all;
        w.guild().model.add_person("robo", "Robo", true);
        w.run_live();
        w.say("general", "robo", "plain");
        w.say("general", "robo", "@recruiter named");
        w.run_for(secs(30));
        assert_eq!(w.heard(), heard);
    }
}

#[test]
fn a_bots_direct_message_counts_only_when_it_mentions_the_agent() {
    let mut w = World::chatty(26);
    w.guild().model.add_person("robo", "Robo", true);
    w.guild().model.add_channel("dm1", "dm", &["robo", "recruiter"]);
    w.run_live();
    w.say("dm1", "robo", "plain");
    w.say("dm1", "robo", "@recruiter named");
    w.run_for(secs(30));
    assert_eq!(w.heard(), ["@recruiter named"]);
}

#[test]
fn bots_get_20_turns_in_60_s_of_a_conversation_and_the_rest_is_a_gap() {
    let mut w = World::chatty(27);
    w.guild().model.add_person("robo", "Robo", true);
    w.guild().model.add_channel("other", "channel", &["robo", "recruiter"]);
    w.run_live();
    (0..30).for_each(|i| drop(w.say("general", "robo", &format!("@recruiter {i}"))));
    w.say("other", "robo", "@recruiter elsewhere");
    w.say("general", "alice", "a person");
    w.run_for(secs(20));
    assert_eq!((w.heard().len(), w.link().gaps), (22, 10));
    w.run_for(secs(60));
    w.say("general", "robo", "@recruiter later");
    w.run_for(secs(5));
    assert_eq!((w.heard().len(), w.link().gaps), (23, 10));
}

#[test]
fn two_agents_of_one_daemon_are_bots_to_each_other() {
    let mut w = World::chatty(28);
    w.add_agent("twin", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "recruiter", "twin"]);
    w.settings.agents[1].respond_to = guild_bridge::settings::RespondTo::All;
    w.guild().model.add_person("recruiter", "recruiter", false);
    w.run_for(secs(5));
    w.say("pair", "alice", "hello both");
    w.run_for(mins(3));
    assert_eq!((w.heard(), w.hands["twin"].heard()), (vec!["hello both"], vec!["hello both"]));
}

#[test]
fn two_agents_that_mention_each_other_stop_by_the_budget() {
    let mut w = World::chatty(29);
    w.add_agent("twin", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "recruiter", "twin"]);
    w.hand("twin").habit = Habit::Says("@recruiter no, you".into());
    w.hand("recruiter").habit = Habit::Says("@twin no, you".into());
    w.run_for(secs(5));
    w.say("pair", "alice", "@twin go");
    w.run_for(mins(10));
    let posts = w.guild().model.said.len();
    assert!((20..=430).contains(&posts), "{posts} posts in ten minutes");
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
fn attachments_are_metadata_by_default() {
    let mut w = World::chatty(33);
    w.run_live();
    let wall = w.guild().wall();
    let file = crate::world::model::Attachment {
        id: "a1".into(),
        name: "../p.jpg".into(),
        media_type: "image/jpeg".into(),
        bytes: vec![0; 999],
    };
    w.guild().model.say_all("general", "alice", "look", None, vec![file], wall);
    w.guild().flush();
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
    let wall = w.guild().wall();
    let file = |id: &str, bytes| crate::world::model::Attachment {
        id: id.into(),
        name: "p.jpg".into(),
        media_type: "image/jpeg".into(),
        bytes: vec![0; bytes],
    };
    w.guild().model.say_all("general", "alice", "look", None, vec![file("a1", 900), file("a2", 1_001)], wall);
    w.guild().flush();
    w.run_for(secs(5));
    let (turn, done) = (w.agent().asked[0].turn.clone(), w.discarded.clone());
    let fetched: Vec<_> = turn.message.attachments.iter().map(|a| a.fetched.clone()).collect();
    let path = format!("/run/attachments/{}/a1", turn.id).into();
    assert_eq!(fetched[0], guild_bridge::message::Fetched::At(path));
    assert!(matches!(fetched[1], guild_bridge::message::Fetched::Not(_)), "{fetched:?}");
    assert_eq!((done, w.answers("general")), (vec![turn.id], vec!["re: look"]));
}
