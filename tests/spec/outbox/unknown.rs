//! Posts of which nobody knows whether they were stored: looked up soundly, never posted blindly, holding up nobody else.

use crate::world::hall::{Trouble, What};
use crate::world::model::Message;
use crate::world::{Fault, Habit, World, mins, secs};

/// A guild that honours no keys, and perhaps says none in its messages; the author hears nothing of its own.
fn keyless(seed: u64, nonces: bool) -> World {
    let mut w = World::new(seed);
    let options = &mut w.guild().model.options;
    (options.honours_keys, options.nonces, options.echo) = (false, nonces, false);
    w
}

fn noise(w: &mut World, count: usize) {
    (0..count).for_each(|n| drop(w.guild().model.say("general", "bob", &format!("noise {n}"), 0)));
    w.guild().flush();
}

#[test]
fn a_post_far_back_in_a_busy_channel_is_found_after_a_kill() {
    for (nonces, count) in [(true, 50), (false, 50), (false, 4_500)] {
        let mut w = keyless(1, nonces);
        w.run_live();
        w.guild().trouble("post", 1, What::LostAfter);
        w.say("general", "alice", "@recruiter hi");
        w.run_till(secs(5), "the post is stored", |w| !w.answers("general").is_empty());
        w.kill();
        noise(&mut w, count);
        w.start();
        w.run_for(mins(20));
        assert_eq!(w.answers("general"), ["re: @recruiter hi"], "nonces {nonces}, behind {count}");
        assert_eq!((w.link().outbox_depth, w.link().replies_posted), (0, 1));
    }
}

#[test]
fn a_post_behind_more_than_two_hundred_pages_is_found_in_the_end() {
    let mut w = keyless(11, true);
    w.agent().takes_ms = secs(20);
    w.run_live();
    w.say("general", "alice", "@recruiter hi");
    w.run_for(secs(5));
    w.guild().trouble("post", 1, What::LostAfter);
    noise(&mut w, 4_500);
    w.run_till(mins(2), "the post is stored", |w| !w.answers("general").is_empty());
    w.crash();
    w.agent().takes_ms = 20;
    w.run_for(mins(20));
    assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["re: @recruiter hi"], 0));
}

#[test]
fn a_post_is_found_though_the_cursor_has_passed_it_meanwhile() {
    for nonces in [true, false] {
        let mut w = keyless(2, nonces);
        w.run_live();
        w.guild().trouble("post", 1, What::Hangs);
        w.say("general", "alice", "@recruiter hi");
        w.run_for(secs(1));
        let page = What::Body(503, "text/plain", String::new());
        w.guild().trouble("post", 1, page);
        noise(&mut w, 700);
        w.run_for(mins(2));
        w.crash();
        w.run_for(mins(10));
        assert_eq!(w.answers("general"), ["re: @recruiter hi"], "nonces {nonces}");
    }
}

#[test]
fn where_the_guild_says_no_keys_a_post_is_known_by_its_words_and_what_it_answers() {
    for (echo, fault) in [
        (false, Fault::PostAnswerLost),
        (false, Fault::PostStoredThen500),
        (true, Fault::PostAnswerLost),
        (true, Fault::PostStoredThen500),
    ] {
        let mut w = keyless(3, false);
        w.guild().model.options.echo = echo;
        w.agent().habit = Habit::Says("ok".into());
        w.run_live();
        for n in 0..3 {
            w.guild().model.faults.set_times(fault.clone(), 1);
            w.say("general", "alice", &format!("@recruiter {n}"));
            w.run_for(mins(1));
        }
        let answered: Vec<_> = w.halls[0].model.said.iter().filter_map(|m| m.reply_to.clone()).collect();
        assert_eq!((w.answers("general"), answered.len()), (vec!["ok"; 3], 3), "echo {echo}, {fault:?}");
        assert_eq!((w.link().outbox_depth, w.link().replies_posted), (0, 3));
    }
}

#[test]
fn the_same_words_said_before_are_not_taken_for_a_post_that_never_arrived() {
    for echo in [true, false] {
        let mut w = keyless(4, false);
        w.guild().model.options.echo = echo;
        w.run_live();
        for what in [None, Some(What::LostBefore), Some(What::Status(502, None))] {
            // so soon that the earlier one stands behind what was known when the next was sent
            w.run_for(400);
            what.into_iter().for_each(|what| w.guild().trouble("post", 1, what));
            w.send("general", "ping");
        }
        w.run_for(mins(2));
        assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["ping"; 3], 0), "echo {echo}");
    }
}

#[test]
fn a_message_of_somebody_else_under_our_key_is_not_our_post() {
    let mut w = keyless(5, true);
    w.run_live();
    w.guild().model.faults.set_times(Fault::PostStatus(500, None), 1);
    w.say("general", "alice", "@recruiter hi");
    w.run_till(secs(5), "a post is refused", |w| !w.halls[0].model.posts.is_empty());
    let key = w.halls[0].model.posts[0].key.clone();
    let id = w.say("general", "bob", "mine");
    let messages = &mut w.guild().model.channels.get_mut("general").unwrap().messages;
    let copied: &mut Message = messages.iter_mut().find(|message| message.id == id).unwrap();
    copied.nonce = key;
    w.run_for(mins(2));
    assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["re: @recruiter hi"], 0));
}

#[test]
fn where_the_guild_says_no_keys_the_echo_tells_that_a_post_is_stored_before_anybody_asks() {
    let mut w = keyless(15, false);
    w.guild().model.options.echo = true;
    w.run_live();
    w.guild().trouble("post", 1, What::Hangs);
    w.say("general", "alice", "@recruiter hi");
    w.run_for(secs(1));
    assert_eq!((w.answers("general").len(), w.link().outbox_depth), (0, 1), "it has not arrived");
    // it arrives late, and the echo is the first that is heard of it
    let id = w.halls[0].model.said_by("general", "alice")[0].id.clone();
    w.guild().say_to("general", "recruiter", "re: @recruiter hi", &id);
    w.run_for(secs(1));
    assert_eq!((w.link().replies_posted, w.link().outbox_depth), (1, 0));
    w.run_for(mins(5));
    assert_eq!((w.answers("general"), w.calls_of("post")), (vec!["re: @recruiter hi"], 1));
}

#[test]
fn a_retry_after_the_guild_has_forgotten_its_keys_doubles_nothing() {
    let mut w = World::new(6);
    w.guild().model.options.echo = false;
    w.run_live();
    w.guild().model.faults.set_times(Fault::PostAnswerLost, 1);
    w.say("general", "alice", "@recruiter hi");
    w.run_till(secs(5), "the post is stored", |w| !w.answers("general").is_empty());
    w.guild().up = false;
    w.guild().close_lines();
    w.run_for(mins(40));
    w.guild().model.forget_keys();
    w.guild().up = true;
    w.run_for(mins(10));
    assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["re: @recruiter hi"], 0));
}

#[test]
fn a_message_that_is_gone_or_too_large_does_not_hide_the_post_behind_it() {
    type Case = (&'static str, fn(&mut World));
    let cases: [Case; 4] = [
        ("404", |w| w.guild().trouble("history", 1, What::Status(404, None))),
        ("400", |w| w.guild().trouble("history", 1, What::Status(400, None))),
        ("nothing", |w| w.guild().trouble("history", 1, What::Body(200, "application/json", "[]".into()))),
        ("large", |w| drop((0..4).map(|_| w.say("general", "bob", &"x".repeat(120_000))).collect::<Vec<_>>())),
    ];
    for (name, what) in cases {
        let mut w = keyless(7, false);
        w.run_live();
        w.run_for(secs(20));
        w.guild().trouble("post", 1, What::LostAfter);
        let large = name == "large";
        w.say("general", "alice", "@recruiter hi");
        if large {
            // before the post, behind the message that it is looked up behind
            what(&mut w);
        }
        w.run_till(secs(5), "the post is stored", |w| !w.answers("general").is_empty());
        if !large {
            what(&mut w);
        }
        w.say("general", "bob", "something else");
        w.run_for(mins(3));
        assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["re: @recruiter hi"], 0), "{name}");
    }
}

#[test]
fn a_look_up_that_fails_for_ever_posts_nothing_blindly_and_says_why() {
    let page = What::Body(200, "text/html", "<html>sign in".into());
    for what in [What::Status(500, None), page, What::LostBefore] {
        let mut w = keyless(8, true);
        w.run_live();
        w.guild().trouble("post", 1, What::LostBefore);
        w.guild().trouble("history", 99_999, what.clone());
        w.say("general", "alice", "@recruiter hi");
        w.run_for(mins(90));
        assert_eq!((w.calls_of("post"), w.link().outbox_depth), (1, 1), "{what:?}");
        assert!(w.link().reason.is_some(), "{:?}", w.link());
        w.guild().heal();
        w.run_for(mins(5));
        assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["re: @recruiter hi"], 0), "{what:?}");
    }
}

#[test]
fn a_channel_whose_posts_cannot_go_holds_up_no_other() {
    let (limited, lost) = (What::Status(429, Some(3_600_000)), What::LostBefore);
    for (what, routes) in [(limited, &["post"][..]), (lost.clone(), &["post"]), (lost, &["post", "history"])] {
        let mut w = World::chatty(9);
        w.guild().model.add_channel("other", "channel", &["alice", "recruiter"]);
        w.run_live();
        for route in routes {
            let channel = Some("general".into());
            w.guild().trouble.push(Trouble { route, channel, what: what.clone(), times: 99_999 });
        }
        // more than the outbox holds, and less than outbox and window together
        (0..85).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
        w.run_for(mins(10));
        let asked = w.calls_of("post");
        (0..100).for_each(|n| drop(w.say("other", "alice", &format!("o{n}"))));
        w.run_for(mins(3));
        assert_eq!(w.answers("other").len(), 100, "{what:?}: {:?}, {asked} posts", w.link());
        w.guild().heal();
        w.run_for(mins(120));
        assert_eq!((w.answers("general").len(), w.link().outbox_depth), (85, 0), "{what:?}");
    }
}

#[test]
fn a_crash_at_any_moment_doubles_nothing_where_no_key_is_honoured_or_said() {
    for ms in (0..400).step_by(7) {
        let mut w = keyless(ms, false);
        w.guild().model.options.echo = ms % 2 == 0;
        w.run_live();
        (0..6).for_each(|i| w.at(i * 29, move |w| drop(w.say("general", "alice", &format!("@recruiter m{i}")))));
        w.at(ms, World::crash);
        w.run_for(mins(5));
        let wanted: Vec<String> = (0..6).map(|i| format!("re: @recruiter m{i}")).collect();
        assert_eq!(w.answers("general"), wanted, "crash at {ms} ms\n{}", w.tail());
    }
}

#[test]
fn a_letter_that_history_shows_under_its_key_is_no_letter_any_more() {
    let mut w = World::new(10);
    w.run_live();
    w.guild().trouble("post", 1, What::Status(409, None));
    w.say("general", "alice", "@recruiter hi");
    w.run_for(secs(10));
    let mut posted = w.halls[0].calls.iter().filter(|call| call.1 == "post").map(|call| call.3.clone());
    let key = posted.next().unwrap().key;
    assert_eq!(w.link().letters, 1);
    // it was stored after all, beside the answer that said no
    w.guild().model.say("general", "recruiter", "re: @recruiter hi", 0);
    let channel = w.guild().model.channels.get_mut("general").unwrap();
    channel.messages.last_mut().unwrap().nonce = key;
    w.drop_lines();
    w.run_for(mins(2));
    assert_eq!((w.link().letters, w.link().replies_posted), (0, 1));
    assert_eq!(w.answers("general"), ["re: @recruiter hi"]);
    w.crash();
    w.run_for(secs(30));
    assert_eq!((w.link().letters, w.link().outbox_depth), (0, 0));
}

#[test]
fn a_part_that_was_posted_before_a_kill_is_not_posted_again_where_no_key_is_honoured() {
    for nonces in [true, false] {
        for ms in (0..200).step_by(3) {
            let mut w = keyless(14, nonces);
            w.agent().habit = Habit::Numbered(3);
            w.run_live();
            w.say("general", "alice", "@recruiter hi");
            w.run_for(ms);
            w.crash();
            w.run_for(mins(3));
            let wanted: Vec<String> = (0..3).map(|n| format!("re: @recruiter hi#{n}")).collect();
            assert_eq!(w.answers("general"), wanted, "nonces {nonces}, killed after {ms} ms\n{}", w.tail());
        }
    }
}

/// What was asked of history since a number of calls: the query of each.
fn pages_since(w: &World, before: usize) -> Vec<String> {
    let calls = w.halls[0].calls.iter().filter(|call| call.1 == "history").skip(before);
    calls.filter_map(|call| call.3.url.split_once('?').map(|(_, query)| query.to_owned())).collect()
}

#[test]
fn behind_the_newest_message_one_empty_page_is_enough_to_post_again() {
    let mut w = keyless(12, true);
    w.run_live();
    noise(&mut w, 10);
    w.run_for(secs(20));
    w.guild().trouble("post", 1, What::LostBefore);
    w.say("general", "alice", "@recruiter hi");
    let before = w.calls_of("history");
    w.run_for(secs(30));
    assert_eq!(w.answers("general"), ["re: @recruiter hi"]);
    let pages = pages_since(&w, before);
    assert!(!pages.is_empty() && pages.iter().all(|query| query.contains("after=")), "the whole history: {pages:?}");
}

#[test]
fn behind_a_message_that_is_too_large_a_look_up_reads_whole_pages_again() {
    let mut w = keyless(13, false);
    w.run_live();
    w.guild().trouble("post", 1, What::LostAfter);
    w.say("general", "alice", "@recruiter hi");
    w.say("general", "bob", &"x".repeat(120_000));
    let before = w.calls_of("history");
    w.run_for(mins(3));
    assert_eq!((w.answers("general"), w.link().outbox_depth), (vec!["re: @recruiter hi"], 0));
    let pages = pages_since(&w, before);
    // the large message alone, and whole pages behind it
    let ends: Vec<bool> = pages.iter().rev().take(2).map(|query| query.ends_with("limit=1")).collect();
    let whole = format!("limit={}", guild_bridge::budget::HISTORY_LIMIT);
    assert!(ends == [false, true] && pages.last().is_some_and(|query| query.ends_with(&whole)), "{pages:?}");
}
