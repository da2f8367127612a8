//! The dialect `fabric`: tokens and who they are offered to, the calls, history and cursors, who is addressed.

mod addressed;
mod history;
pub mod tokens;

use crate::world::hall::What;
use crate::world::{Fault, Habit, World, mins, secs};
use guild_bridge::status::GapStatus;

#[test]
fn what_is_older_than_the_first_list_is_not_answered() {
    let mut w = World::chatty(12);
    (1..=5).for_each(|i| drop(w.say("general", "alice", &format!("old {i}"))));
    w.run_live();
    w.say("general", "alice", "new");
    w.run_for(mins(5));
    assert_eq!(w.heard(), ["new"]);
}

#[test]
fn a_channel_that_was_empty_at_the_first_list_is_heard_from_its_beginning() {
    let mut w = World::chatty(13);
    w.run_till(secs(5), "the list was answered", |w| w.story.count("call channels") == 1);
    w.say("general", "alice", "between list and join");
    w.run_for(mins(2));
    assert_eq!(w.answers("general"), ["re: between list and join"]);
}

#[test]
fn what_is_said_between_the_list_and_the_join_comes_from_history() {
    let mut w = World::chatty(14);
    w.say("general", "alice", "old");
    w.run_till(secs(5), "the list was answered", |w| w.story.count("call channels") == 1);
    w.say("general", "alice", "between");
    w.run_for(secs(30));
    assert_eq!(w.heard(), ["between"]);
    assert!(w.agent().asked[0].turn.replayed);
}

#[test]
fn backfill_asks_for_the_last_n() {
    for backfill in [0, 1, 3, 30] {
        let mut w = World::chatty(15);
        w.settings.agents[0].backfill = backfill;
        (1..=25).for_each(|i| drop(w.say("general", "alice", &format!("old {i}"))));
        w.run_for(mins(2));
        let heard: Vec<String> = w.heard().iter().map(|t| (*t).to_owned()).collect();
        let from = 26 - (backfill as usize).min(25);
        let wanted: Vec<String> = (from..26).map(|i| format!("old {i}")).collect();
        assert_eq!(heard, wanted, "backfill {backfill}");
    }
}

#[test]
fn a_list_without_last_message_id_is_paged_once_to_the_end() {
    let mut w = World::chatty(16);
    w.guild().model.options.last_message_id = false;
    (1..=70).for_each(|i| drop(w.say("general", "alice", &format!("old {i}"))));
    w.run_for(secs(30));
    w.say("general", "alice", "new");
    w.run_for(mins(2));
    assert_eq!(w.heard(), ["new"]);
    assert!(w.story.count("call history general") >= 4);
}

#[test]
fn without_last_message_id_history_itself_finds_what_the_socket_missed() {
    let mut w = World::chatty(17);
    w.guild().model.options.last_message_id = false;
    w.say("general", "alice", "old");
    w.run_for(secs(30));
    w.guild().whisper("general", "alice", "missed");
    w.run_for(secs(70));
    assert_eq!(w.answers("general"), ["re: missed"]);
}

#[test]
fn reconciling_channel_by_channel_makes_five_calls_a_second_at_most() {
    let mut w = World::chatty(18);
    w.guild().model.options.last_message_id = false;
    for i in 0..60 {
        w.guild().model.add_channel(&format!("c{i}"), "channel", &["alice", "recruiter"]);
    }
    w.run_for(mins(10));
    let mut calls: Vec<u64> = w.halls[0].calls.iter().filter(|(_, r, ..)| r == "history").map(|(at, ..)| *at).collect();
    calls.sort_unstable();
    let busy = calls.windows(7).find(|c| c[6] - c[0] < 1_000);
    assert!(busy.is_none(), "more than five calls in a second: {busy:?}");
}

#[test]
fn an_idle_guild_with_last_message_id_costs_one_list_a_reconciliation() {
    let mut w = World::chatty(19);
    for i in 0..20 {
        w.guild().model.add_channel(&format!("c{i}"), "channel", &["alice", "recruiter"]);
    }
    w.run_for(mins(2));
    let (lists, histories) = (w.story.count("call channels"), w.calls_of("history"));
    w.run_for(mins(60));
    assert!((45..=75).contains(&(w.story.count("call channels") - lists)));
    assert_eq!(w.calls_of("history"), histories);
}

#[test]
fn the_cursor_of_a_channel_is_kept_before_its_first_join() {
    let mut w = World::chatty(20);
    w.say("general", "alice", "old");
    w.run_till(secs(5), "the first join", |w| w.story.count("> join general") == 1);
    w.kill();
    w.say("general", "alice", "while it was dead");
    w.run_for(secs(10));
    w.start();
    w.run_for(secs(30));
    assert_eq!(w.heard(), ["while it was dead"]);
}

#[test]
fn catch_up_asks_after_the_message_before_the_cursor() {
    let mut w = World::chatty(21);
    w.run_live();
    let ids: Vec<String> = ["a", "b", "c"].iter().map(|t| w.say("general", "alice", t)).collect();
    w.agent().habit = Habit::None;
    w.run_for(secs(70));
    w.drop_lines();
    let before = w.halls[0].calls.len();
    w.whisper_and_run("d");
    let asked: Vec<&str> = w.halls[0].calls[before..].iter().map(|c| c.3.url.as_str()).collect();
    let first = asked.iter().find(|url| url.contains("/messages?")).unwrap();
    assert!(first.contains(&format!("after={}", ids[1])), "the cursor is {}: {first}", ids[2]);
}

#[test]
fn a_history_that_was_cut_is_a_gap_and_goes_on_with_the_oldest_kept() {
    let mut w = World::chatty(22);
    w.run_live();
    w.say("general", "alice", "seen");
    w.run_for(secs(5));
    w.guild().up = false;
    w.guild().close_lines();
    (1..=30).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.guild().model.cut_history("general", 3);
    w.run_for(secs(30));
    w.guild().up = true;
    w.run_for(mins(4));
    assert_eq!(w.heard(), ["seen", "m28", "m29", "m30"]);
    assert_eq!(w.link().gaps, 1);
}

#[test]
fn a_history_that_was_cut_behind_the_very_first_cursor_is_a_gap_and_one_that_was_not_is_none() {
    for (keep, crash) in [(2, false), (2, true), (40, false), (40, true)] {
        let mut w = World::chatty(24);
        w.say("general", "alice", "old");
        w.run_live();
        w.run_for(secs(5));
        w.guild().up = false;
        w.guild().close_lines();
        (1..=30).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
        w.guild().model.cut_history("general", keep);
        w.run_for(secs(30));
        if crash {
            w.crash();
        }
        w.guild().up = true;
        w.run_for(mins(4));
        let from = 31 - keep.min(30);
        let wanted: Vec<String> = (from..=30).map(|i| format!("m{i}")).collect();
        assert_eq!(w.heard(), wanted);
        assert_eq!(w.link().gaps_by_reason.get("history_cut").copied().unwrap_or_default(), u64::from(keep == 2));
        assert_eq!(w.link().gaps, u64::from(keep == 2), "{:?}", w.link().last_gap);
        let begins = |gap: &GapStatus| gap.detail.contains(": history begins behind message ");
        assert_eq!(w.link().last_gap.as_ref().is_some_and(begins), keep == 2, "{:?}", w.link().last_gap);
    }
}

#[test]
fn a_history_cut_right_after_the_cursor_is_no_gap() {
    let mut w = World::chatty(23);
    w.run_live();
    w.say("general", "alice", "seen");
    w.run_for(secs(5));
    w.guild().up = false;
    w.guild().close_lines();
    (1..=3).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.run_for(secs(30));
    w.guild().up = true;
    w.run_for(mins(4));
    assert_eq!(w.heard(), ["seen", "m1", "m2", "m3"]);
    assert_eq!(w.link().gaps, 0);
}

#[test]
fn a_message_too_large_alone_is_passed_over_as_a_gap() {
    let mut w = World::chatty(24);
    w.run_live();
    w.whisper("before");
    w.whisper(&"x".repeat(150_000));
    w.whisper("after");
    w.run_for(mins(3));
    assert_eq!(w.heard(), ["before", "after"]);
    assert_eq!(w.link().gaps, 1);
}

#[test]
fn a_page_of_history_that_passes_its_bound_is_halved_and_nothing_is_lost() {
    let mut w = World::chatty(25);
    w.run_live();
    let texts: Vec<String> = (0..25).map(|i| format!("{i} {}", "x".repeat(20_000))).collect();
    texts.iter().for_each(|t| w.whisper(t));
    w.agent().habit = Habit::None;
    w.run_for(mins(10));
    assert_eq!(w.heard(), texts);
    assert_eq!(w.link().gaps, 0);
}

#[test]
fn a_message_over_the_limit_that_still_fits_a_page_is_a_gap_too() {
    let mut w = World::chatty(26);
    w.settings.message_bytes = 2_000;
    w.run_live();
    w.whisper(&"x".repeat(3_000));
    w.whisper(&"y".repeat(500));
    w.run_for(mins(3));
    assert_eq!(w.heard(), ["y".repeat(500)]);
    assert_eq!(w.link().gaps, 1);
}

#[test]
fn a_web_page_where_the_list_was_due_is_named_and_survived() {
    let mut w = World::chatty(34);
    w.guild().model.faults.set_times(Fault::ChannelsPage, 3);
    w.run_till(mins(5), "it is live", |w| w.state() == "live");
    assert!(w.story.seen.iter().any(|s| s.reason == Some("http.portal")), "{:?}", w.story.seen);
}

#[test]
fn a_message_whose_id_is_longer_than_128_bytes_is_none() {
    for (length, heard) in [(128, vec!["hi"]), (129, vec![]), (900, vec![])] {
        let mut w = World::chatty(29);
        w.run_live();
        let message = serde_json::json!({"id": "i".repeat(length), "channelId": "general", "authorId": "alice",
                                         "text": "hi", "createdAt": "2026-11-23T15:24:16Z"});
        w.guild().inject(&format!("42[\"message.created\",{message}]"));
        w.run_for(secs(2));
        assert_eq!(w.heard(), heard, "{length} bytes");
        assert_eq!(w.reason(), if heard.is_empty() { "net.protocol" } else { "" }, "{length} bytes");
    }
}

#[test]
fn broken_json_in_a_page_of_history_is_survived() {
    let mut w = World::chatty(35);
    w.run_live();
    let broken = What::Body(200, "application/json", "[{\"id\":\"1\",".into());
    w.guild().trouble("history", 2, broken);
    w.whisper("still here");
    w.run_for(mins(5));
    assert_eq!(w.answers("general"), ["re: still here"]);
}
