//! Replies on their way: keys, order, splitting, and what to do when the outcome is not known.

mod unknown;

use crate::world::hall::{Trouble, What};
use crate::world::{Fault, Habit, World, mins, secs, twice};

fn keys(w: &World) -> Vec<String> {
    w.halls[0].model.posts.iter().map(|p| p.key.clone().expect("every post carries its key")).collect()
}

#[test]
fn an_answer_that_outlives_its_connection_is_posted_on_the_next() {
    let mut w = World::chatty(1);
    w.run_live();
    w.agent().takes_ms = 20_000;
    w.say("general", "alice", "hi");
    w.run_for(secs(5));
    w.guild().up = false;
    w.guild().close_lines();
    w.run_for(secs(60));
    assert_eq!(w.link().outbox_depth, 1);
    w.guild().up = true;
    w.run_for(mins(4));
    assert_eq!(w.answers("general"), ["re: hi"]);
    assert_eq!((w.link().outbox_depth, w.link().replies_posted), (0, 1));
}

#[test]
fn a_reply_is_posted_over_http_while_the_socket_is_away() {
    let mut w = World::chatty(2);
    w.run_live();
    w.agent().takes_ms = 3_000;
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    w.guild().upgrades = std::iter::repeat_n(
        (guild_bridge::reason::Why::new(guild_bridge::reason::Reason::NetTimeout, "simulated"), None),
        9,
    )
    .collect();
    w.guild().close_lines();
    w.run_for(mins(10));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

#[test]
fn a_post_whose_answer_is_lost_is_repeated_under_its_key() {
    let mut w = World::chatty(3);
    w.run_live();
    w.guild().model.faults.set_times(Fault::PostAnswerLost, 1);
    w.say("general", "alice", "hi");
    w.run_for(mins(1));
    let keys = keys(&w);
    assert!(keys.len() >= 2 || w.calls_of("history") > 0, "the outcome was looked into");
    assert!(keys.iter().all(|k| *k == keys[0]));
    assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["re: hi"], 0));
}

#[test]
fn an_unknown_outcome_is_looked_up_in_history_where_keys_are_not_honoured() {
    for fault in [Fault::PostAnswerLost, Fault::PostStoredThen500] {
        let mut w = World::chatty(4);
        w.guild().model.options.honours_keys = false;
        w.run_live();
        w.guild().model.faults.set_times(fault.clone(), 1);
        w.say("general", "alice", "hi");
        w.run_for(mins(2));
        assert_eq!(w.answers("general"), ["re: hi"], "{fault:?}");
        assert_eq!((w.link().outbox_depth, w.link().gaps), (0, 0), "{fault:?}");
    }
}

#[test]
fn a_lookup_that_fails_is_made_again_before_the_post() {
    let page = What::Body(200, "text/html", "<html>sign in".into());
    for what in [page, What::Status(503, None), What::Hangs, What::LostBefore] {
        let mut w = World::chatty(18);
        (w.guild().model.options.honours_keys, w.guild().model.options.echo) = (false, false);
        w.run_live();
        w.guild().trouble("post", 1, What::LostAfter);
        w.guild().trouble("history", 3, what.clone());
        w.say("general", "alice", "hi");
        w.run_for(mins(5));
        assert_eq!(w.answers("general"), ["re: hi"], "{what:?}");
        assert_eq!(w.link().outbox_depth, 0, "{what:?}");
    }
}

#[test]
fn a_post_answered_with_a_page_was_not_posted() {
    for status in [200, 201] {
        let mut w = World::chatty(19);
        w.run_live();
        w.guild().trouble("post", 2, What::Body(status, "text/html", "<html>sign in".into()));
        w.say("general", "alice", "hi");
        w.run_for(mins(5));
        assert_eq!(w.answers("general"), ["re: hi"], "{status}");
    }
}

#[test]
fn a_post_that_never_arrived_is_sent_again() {
    for what in [What::LostBefore, What::Refused, What::Hangs, What::Status(502, None), What::Status(500, None)] {
        let mut w = World::chatty(5);
        w.guild().model.options.honours_keys = false;
        w.run_live();
        w.guild().trouble("post", 2, what.clone());
        w.say("general", "alice", "hi");
        w.run_for(mins(5));
        assert_eq!(w.answers("general"), ["re: hi"], "{what:?}");
        assert!(twice(w.answers("general")).is_empty());
    }
}

#[test]
fn a_post_that_gets_429_waits_and_other_channels_go_on() {
    let mut w = World::chatty(6);
    w.guild().model.add_channel("other", "channel", &["alice", "recruiter"]);
    w.run_live();
    let what = What::Status(429, Some(30_000));
    w.guild().trouble.push(Trouble { route: "post", channel: Some("general".into()), what, times: 1 });
    w.say("general", "alice", "one");
    w.say("general", "alice", "two");
    w.run_for(secs(1));
    w.say("other", "alice", "three");
    w.run_for(secs(2));
    assert_eq!((w.answers("other"), w.answers("general").len()), (vec!["re: three"], 0));
    w.run_for(secs(40));
    assert_eq!(w.answers("general"), ["re: one", "re: two"]);
}

#[test]
fn a_429_is_waited_for_at_least_as_long_as_it_says() {
    let mut w = World::chatty(7);
    w.run_live();
    w.guild().model.faults.set_times(Fault::PostStatus(429, Some("20".into())), 1);
    w.say("general", "alice", "hi");
    w.run_for(mins(1));
    let posts: Vec<u64> = w.halls[0].model.posts.iter().map(|p| p.at_ms).collect();
    assert!(posts.len() == 2 && (20_000..=25_100).contains(&(posts[1] - posts[0])), "{posts:?}");
}

#[test]
fn a_post_that_the_guild_refuses_for_good_is_a_letter_and_the_next_goes_on() {
    for status in [400, 403, 404, 422] {
        let mut w = World::chatty(8);
        w.run_live();
        w.guild().trouble("post", 1, What::Status(status, None));
        w.say("general", "alice", "one");
        w.say("general", "alice", "two");
        w.run_for(mins(2));
        assert_eq!((w.answers("general"), w.link().letters), (vec!["re: two"], 1), "{status}");
        assert_eq!((w.link().outbox_depth, w.link().gaps), (0, 0), "{status}");
    }
}

#[test]
fn every_post_has_its_own_stable_key() {
    let mut w = World::chatty(9);
    w.run_live();
    (0..20).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.run_for(mins(1));
    let first = keys(&w);
    assert!(first.len() == 20 && twice(first.clone()).is_empty());
    let mut again = World::chatty(1_009);
    again.run_for(secs(77));
    (0..20).for_each(|i| drop(again.say("general", "alice", &format!("m{i}"))));
    again.run_for(mins(1));
    assert_eq!(first, keys(&again), "the key hangs on guild, agent, message and part alone");
}

#[test]
fn a_long_reply_is_split_within_the_limit_and_the_first_part_is_the_reply() {
    let mut w = World::chatty(10);
    w.run_live();
    let text: String = (0..900).map(|i| format!("Sentence number {i} ends here. ")).collect();
    w.agent().habit = Habit::Says(text.clone());
    let id = w.say("general", "alice", "go on");
    w.run_for(mins(1));
    let said: Vec<_> = w.guild().model.said_by("general", "recruiter").into_iter().cloned().collect();
    assert!(said.len() >= 7 && said.iter().all(|m| (1..=4_000).contains(&m.text.encode_utf16().count())));
    assert_eq!(said[0].reply_to, Some(id));
    assert!(said[1..].iter().all(|m| m.reply_to.is_none()));
    let words = |t: &str| t.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&said.iter().map(|m| m.text.as_str()).collect::<Vec<_>>().join(" ")), words(&text));
    assert!(twice(keys(&w)).is_empty());
}

#[test]
fn the_limit_is_4000_utf16_units_and_not_bytes() {
    for (text, parts) in
        [("é".repeat(4_000), 1), ("x".repeat(4_000), 1), ("x".repeat(4_001), 2), ("😀".repeat(2_001), 2)]
    {
        let mut w = World::chatty(11);
        w.run_live();
        w.agent().habit = Habit::Says(text.clone());
        w.say("general", "alice", "go on");
        w.run_for(mins(1));
        assert_eq!((w.answers("general").len(), w.answers("general").concat()), (parts, text));
    }
}

#[test]
fn parts_stay_in_order_whatever_happens_to_the_first() {
    for what in [What::Status(429, Some(5_000)), What::LostAfter, What::LostBefore, What::Slow(9_000)] {
        let mut w = World::chatty(12);
        w.run_live();
        w.guild().trouble("post", 1, what.clone());
        w.agent().habit =
            Habit::Says(format!("{}\n\n{}\n\n{}", "a".repeat(3_900), "b".repeat(3_900), "c".repeat(3_900)));
        w.say("general", "alice", "go on");
        w.run_for(mins(2));
        let order: String = w.answers("general").iter().filter_map(|t| t.chars().next()).collect();
        assert_eq!(order, "abc", "{what:?}");
    }
}

#[test]
fn a_code_fence_is_closed_and_opened_again_where_a_reply_is_split() {
    let mut w = World::chatty(13);
    w.run_live();
    let code: String = (0..300).map(|i| format!("let line_{i} = {i} + {i};\n")).collect();
    w.agent().habit = Habit::Says(format!("Here:\n```rust\n{code}```\nThat is all."));
    w.say("general", "alice", "go on");
    w.run_for(mins(1));
    let answers = w.answers("general");
    assert!(answers.len() >= 2);
    assert!(answers.iter().all(|part| part.matches("```").count() % 2 == 0), "{answers:?}");
}

#[test]
fn an_empty_reply_is_nothing_to_post() {
    let mut w = World::chatty(14);
    w.run_live();
    w.agent().next = vec![Habit::Says(String::new()), Habit::Says(" \n".into())].into();
    ["one", "two", "three"].iter().for_each(|t| drop(w.say("general", "alice", t)));
    w.run_for(mins(1));
    assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["re: three"], 0));
}

#[test]
fn an_outbox_that_is_full_holds_the_agent_back_and_loses_nothing() {
    let mut w = World::chatty(15);
    w.run_live();
    w.guild().trouble("post", 40, What::Status(503, Some(10_000)));
    for i in 0..150 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(secs(1));
    }
    let depth = w.link().outbox_depth;
    assert!((1..=64).contains(&depth), "{depth} posts wait");
    w.run_for(mins(60));
    assert_eq!(w.answers("general"), (0..150).map(|i| format!("re: m{i}")).collect::<Vec<_>>());
}

#[test]
fn a_reply_to_a_channel_that_is_gone_is_a_letter() {
    let mut w = World::chatty(16);
    w.guild().model.add_channel("brief", "channel", &["alice", "recruiter"]);
    w.run_live();
    w.agent().takes_ms = 5_000;
    w.say("brief", "alice", "hi");
    w.run_for(secs(1));
    w.guild().model.remove_channel("brief");
    w.say("general", "alice", "still there");
    w.run_for(mins(3));
    assert_eq!((w.answers("general"), w.link().letters), (vec!["re: still there"], 1));
    assert_eq!(w.link().outbox_depth, 0);
}

#[test]
fn a_post_answered_401_is_repeated_with_a_fresh_token() {
    let mut w = World::chatty(17);
    w.run_live();
    w.say("general", "alice", "hi");
    w.guild().model.revoke_tokens("recruiter");
    w.run_for(secs(30));
    assert_eq!(w.answers("general"), ["re: hi"]);
    assert_eq!(w.story.offered.len(), 1);
}
