//! The dialect `fabric`: tokens and who they are offered to, the calls, history and cursors, who is addressed.

use crate::world::hall::What;
use crate::world::{Fault, Habit, World, mins, secs, twice};
use guild_bridge::settings::RespondTo;

/// Bearers that the guild saw after their token had ended.
fn stale_calls(w: &World) -> usize {
    let hall = &w.halls[0];
    let stale = |at: u64, bearer: &str| {
        let token = &hall.model.tokens[bearer];
        crate::world::hall::WALL + at >= token.minted_ms + token.life_ms
    };
    hall.calls.iter().filter(|(at, .., r)| r.bearer.as_ref().is_some_and(|b| stale(*at, b))).count()
}

#[test]
fn every_handshake_carries_a_token_minted_for_it_alone() {
    let mut w = World::chatty(1);
    for _ in 0..6 {
        w.run_live();
        w.drop_lines();
    }
    let mints = w.story.moments("call mint");
    let offers: Vec<u64> = w.story.offered.iter().map(|(at, ..)| *at).collect();
    assert_eq!(offers.len(), 6);
    assert!(twice(w.story.offered.iter().map(|(.., token)| token.clone())).is_empty());
    for pair in offers.windows(2) {
        assert!(mints.iter().any(|m| (pair[0]..pair[1]).contains(m)), "no mint between two handshakes");
    }
}

#[test]
fn a_token_that_ended_between_two_connections_is_not_tried_again() {
    let mut w = World::silent(2);
    w.run_for(secs(10));
    w.guild().up = false;
    w.guild().close_lines();
    w.run_for(mins(20));
    w.guild().up = true;
    w.run_for(mins(3));
    w.say("general", "alice", "anyone?");
    w.run_for(secs(2));
    assert_eq!(w.answers("general"), ["re: anyone?"]);
    assert_eq!(w.state(), "live");
}

#[test]
fn calls_of_a_long_session_mint_their_own_token_before_the_first_one_ends() {
    let mut w = World::chatty(3);
    w.run_for(mins(120));
    assert_eq!(w.story.offered.len(), 1, "a token's end is no reason to reconnect");
    assert_eq!(stale_calls(&w), 0);
    assert!(w.story.count("call channels") > 100);
    assert!((7..=11).contains(&w.story.count("call mint")), "{} mints", w.story.count("call mint"));
}

#[test]
fn a_token_nears_its_expiry_60_s_before_it_when_it_lives_long() {
    let mut w = World::chatty(4);
    w.run_for(mins(30));
    let mints = w.story.moments("call mint");
    let between = mints[1] - mints[0];
    assert!((840_000..=905_000).contains(&between), "minted again after {between} ms of 900 s");
}

#[test]
fn calls_at_the_same_time_share_one_mint() {
    let mut w = World::chatty(5);
    for i in 0..8 {
        w.guild().model.add_channel(&format!("c{i}"), "channel", &["alice", "recruiter"]);
    }
    w.guild().model.options.last_message_id = false;
    w.run_live();
    let before = w.story.count("call mint");
    w.run_for(mins(14) + secs(58) - w.at);
    let due = w.story.count("call mint");
    assert!(due - before <= 1, "{} mints where one token was due", due - before);
}

#[test]
fn a_token_that_nears_its_expiry_before_it_was_offered_is_minted_again() {
    let mut w = World::chatty(6);
    w.guild().model.options.token_life_ms = 10_000;
    w.guild().model.faults.set_times(Fault::MintSlow(8_500), 1);
    w.run_till(secs(20), "a handshake", |w| w.story.offered.len() == 1);
    assert!(w.story.offered[0].2.starts_with("gat.000002."), "the slow one was offered");
    assert_eq!(w.story.count("dial"), 1);
}

#[test]
fn a_mint_that_is_always_slow_is_asked_three_times_in_an_attempt_at_most() {
    let mut w = World::chatty(7);
    w.guild().model.options.token_life_ms = 10_000;
    w.guild().model.faults.set(Fault::MintSlow(9_500));
    w.run_for(mins(30));
    let mut run = 0;
    for kind in w.story.kinds() {
        run = if kind == "call mint" { run + 1 } else { run };
        run = if kind == "> connect" { 0 } else { run };
    }
    let attempts = w.link().attempts.max(w.story.rests().len() as u64);
    let mints = w.story.count("call mint") as u64;
    assert!(mints <= 3 * (attempts + 1), "{mints} mints in {attempts} attempts, {run} since the last handshake");
}

#[test]
fn a_token_without_an_expiry_is_taken_to_live_300_s() {
    let mut w = World::chatty(8);
    w.guild().model.faults.set(Fault::MintNoExpiry);
    w.run_for(mins(30));
    let mints = w.story.moments("call mint");
    for pair in mints.windows(2) {
        let between = pair[1] - pair[0];
        assert!((239_000..=305_000).contains(&between), "minted again after {between} ms");
    }
    assert_eq!(w.story.offered.len(), 1);
}

#[test]
fn a_401_mints_once_and_repeats_the_call_once() {
    let mut w = World::chatty(9);
    w.run_live();
    w.guild().model.revoke_tokens("recruiter");
    let (mints, calls) = (w.story.count("call mint"), w.story.count("call channels"));
    w.run_till(secs(80), "the list is asked for again", |w| w.story.count("call channels") >= calls + 2);
    w.run_for(secs(5));
    assert_eq!(w.story.count("call mint"), mints + 1);
    assert_eq!(w.story.count("call channels"), calls + 2);
    assert_eq!(w.story.offered.len(), 1);
    assert_eq!(w.state(), "live");
}

#[test]
fn a_mint_that_hands_out_an_offered_token_again_is_named_and_the_token_not_offered() {
    let mut w = World::chatty(10);
    w.run_live();
    w.guild().model.faults.set_times(Fault::MintSameToken, 2);
    w.drop_lines();
    w.run_for(mins(2));
    assert!(w.story.reasons("recruiter@acme").contains(&"auth.cached_token"), "{:?}", w.story.seen);
    w.run_till(mins(2), "a fresh token ends it", |w| w.state() == "live");
}

#[test]
fn a_board_whose_clock_is_in_1970_or_jumps_keeps_its_seat() {
    let mut w = World::chatty(11);
    w.clock_offset_ms = -1_795_000_000_000;
    w.run_live();
    w.clock_offset_ms = 400_000_000_000;
    w.run_for(mins(40));
    w.clock_offset_ms = 0;
    w.say("general", "alice", "hi");
    w.run_for(mins(10));
    assert_eq!(w.answers("general"), ["re: hi"]);
    assert_eq!((w.story.offered.len(), stale_calls(&w)), (1, 0));
}

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
fn a_direct_message_always_counts() {
    for respond_to in [RespondTo::All, RespondTo::Mentions, RespondTo::Direct] {
        let mut w = World::new(27);
        w.settings.agents[0].respond_to = respond_to;
        w.guild().model.add_channel("dm1", "dm", &["alice", "recruiter"]);
        w.run_live();
        w.say("dm1", "alice", "psst");
        w.run_for(secs(3));
        assert_eq!(w.answers("dm1"), ["re: psst"], "{respond_to:?}");
    }
}

#[test]
fn respond_to_says_what_counts_beside_direct_messages() {
    for (respond_to, heard) in [
        (RespondTo::All, vec!["plain", "@recruiter named"]),
        (RespondTo::Mentions, vec!["@recruiter named"]),
        (RespondTo::Direct, vec![]),
    ] {
        let mut w = World::new(28);
        w.settings.agents[0].respond_to = respond_to;
        w.run_live();
        w.say("general", "alice", "plain");
        w.say("general", "alice", "@recruiter named");
        w.run_for(mins(2));
        assert_eq!(w.heard(), heard, "{respond_to:?}");
        assert_eq!(w.link().gaps, 0, "what does not count is no gap");
    }
}

#[test]
fn an_agent_is_mentioned_by_id_by_name_and_by_its_names_as_whole_words() {
    let mut w = World::new(29);
    w.settings.agents[0].id = "u42".into();
    w.settings.agents[0].names = vec!["Rita".into(), "recruiting".into()];
    w.guild().model.add_agent("u42", "recruiter", "key-of-recruiter");
    w.guild().model.add_channel("hall", "channel", &["alice", "u42"]);
    w.run_for(secs(5));
    let yes = ["@u42 a", "b @recruiter", "c @Rita!", "(@recruiting) d", "@recruiter, e", "@recruiter"];
    let no = ["u42 f", "@u421 g", "@recruiterx h", "recruiter i", "@ recruiter j", "@Ritas k", "x"];
    yes.iter().chain(&no).for_each(|t| drop(w.say("hall", "alice", t)));
    w.run_for(mins(2));
    assert_eq!(w.heard(), yes);
    assert!(w.agent().asked.iter().all(|a| a.turn.message.mention));
}

#[test]
fn the_mentions_field_decides_where_the_guild_sends_it() {
    let mut w = World::new(30);
    w.guild().model.options.mentions = true;
    w.settings.agents[0].names = vec!["Rita".into()];
    w.run_live();
    w.say("general", "alice", "@recruiter listed");
    w.say("general", "alice", "@Rita not listed");
    w.run_for(mins(2));
    assert_eq!(w.heard(), ["@recruiter listed"]);
}

#[test]
fn a_reply_to_an_own_post_is_a_mention() {
    let mut w = World::new(31);
    w.run_live();
    w.say("general", "alice", "@recruiter hi");
    w.run_for(secs(3));
    let own = w.guild().model.said_by("general", "recruiter")[0].id.clone();
    let other = w.say("general", "bob", "lunch?");
    w.guild().say_to("general", "alice", "thanks", &own);
    w.guild().say_to("general", "alice", "yes", &other);
    w.run_for(secs(3));
    assert_eq!(w.heard(), ["@recruiter hi", "thanks"]);
}

#[test]
fn a_turn_says_where_and_what() {
    let mut w = World::new(32);
    w.run_live();
    let id = w.say("general", "alice", "@recruiter status?");
    w.run_for(secs(3));
    let turn = w.agent().asked[0].turn.clone();
    assert!(turn.id.starts_with("t_") && turn.attempt == 1 && turn.agent == "recruiter");
    assert_eq!((turn.conv.key.as_str(), turn.conv.guild.as_str()), ("acme.general", "acme"));
    assert_eq!((turn.conv.channel.as_str(), turn.conv.kind.word(), turn.conv.thread), ("general", "channel", None));
    assert_eq!((turn.message.id.as_str(), turn.message.text.as_str()), (id.as_str(), "@recruiter status?"));
    assert_eq!((turn.message.author.name.as_str(), turn.message.author.bot), ("Alice", false));
    assert!(turn.message.mention && !turn.replayed && turn.deadline_ms == 60_000);
}

#[test]
fn a_conversation_key_of_a_strange_channel_id_keeps_to_its_alphabet() {
    let mut w = World::chatty(33);
    let ids = ["a b", "a/b", "é", &"x".repeat(128), "a?b&c=d", "ok-1._"];
    ids.iter().for_each(|id| w.guild().model.add_channel(id, "channel", &["alice", "recruiter"]));
    w.run_live();
    ids.iter().for_each(|id| drop(w.say(id, "alice", id)));
    w.run_for(mins(2));
    let keys: Vec<String> = w.agent().asked.iter().map(|a| a.turn.conv.key.clone()).collect();
    let fits = |k: &String| k.len() <= 128 && k.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    assert!(keys.len() == ids.len() && keys.iter().all(fits), "{keys:?}");
    assert!(twice(keys).is_empty());
    assert!(ids.iter().all(|id| w.answers(id).len() == 1));
}

#[test]
fn a_web_page_where_the_list_was_due_is_named_and_survived() {
    let mut w = World::chatty(34);
    w.guild().model.faults.set_times(Fault::ChannelsPage, 3);
    w.run_till(mins(5), "it is live", |w| w.state() == "live");
    assert!(w.story.seen.iter().any(|s| s.reason == Some("http.portal")), "{:?}", w.story.seen);
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
