//! Tokens: one for each handshake, and fresh ones for the calls of a session.

use crate::world::{Fault, World, mins, secs, twice};

/// Bearers that the guild saw after their token had ended.
pub fn stale_calls(w: &World) -> usize {
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
fn a_mint_whose_tokens_are_always_at_their_end_is_not_asked_without_rest() {
    let mut w = World::chatty(12);
    w.guild().model.faults.set(Fault::MintNearExpiry(0));
    w.run_for(mins(60));
    let (mints, attempts) = (w.story.count("call mint"), w.link().attempts as usize);
    assert!(mints < 400 && mints <= 3 * attempts, "{mints} mints in an hour, {attempts} attempts");
    assert_eq!((w.story.reasons("recruiter@acme"), w.story.offered.len()), (vec!["http.body"], 0));
}

#[test]
fn a_mint_that_is_always_slow_is_asked_three_times_in_an_attempt_at_most() {
    let mut w = World::chatty(7);
    w.guild().model.options.token_life_ms = 10_000;
    w.guild().model.faults.set(Fault::MintSlow(9_500));
    w.run_for(mins(30));
    let offers = w.story.moments("> connect");
    let before_first = w.story.moments("call mint").iter().filter(|at| offers.first().is_none_or(|o| *at < o)).count();
    assert!(before_first <= 3 || offers.is_empty(), "{before_first} mints before the first handshake");
    assert!(w.story.count("call mint") <= 190);
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
