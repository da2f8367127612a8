//! The search finds what it looks for: one planted bug for each invariant, found within a few seeds and shrunk to a few
//! acts. A schedule that fails for its bug holds without it, and its text plays it again.

use crate::seeds::schedule::Schedule;
use crate::seeds::shrink::shrink;
use crate::seeds::{draw, run, run_with};
use crate::world::Plant;

/// Seeds within which a bug is found.
const SEEDS: u64 = 60;
/// Runs that shrinking may take here.
const RUNS: u32 = 250;
/// Acts that are left of a shrunk schedule, at most.
const ACTS: usize = 8;

/// Finds a planted bug, and holds the shrunk schedule against what was promised of it.
fn finds(plant: Plant, kind: &str, words: &str) {
    let failing = (0..SEEDS).map(draw::draw).find_map(|schedule| {
        let failure = run_with(&schedule, Some(plant)).err()?;
        failure.words.contains(words).then_some((schedule, failure))
    });
    let (schedule, failure) = failing.unwrap_or_else(|| panic!("{plant:?} was not found in {SEEDS} seeds"));
    let shrunk = shrink(&schedule, &failure, RUNS, &|schedule| run_with(schedule, Some(plant)));
    let text = shrunk.schedule.text();
    assert!(shrunk.failure.kind.contains(kind), "{:?}", shrunk.failure);
    assert!(shrunk.schedule.acts.len() <= ACTS, "{} acts are left:\n{text}", shrunk.schedule.acts.len());
    assert_eq!(run_with(&Schedule::read(&text).unwrap(), Some(plant)), Err(shrunk.failure), "replayed:\n{text}");
    assert_eq!(run(&shrunk.schedule), Ok(()), "without the bug:\n{text}");
}

#[test]
fn a_post_that_is_nowhere_is_found() {
    finds(Plant::ForgetsPosts(7), "lost", "is not in the guild");
}

#[test]
fn a_journal_that_loses_records_is_found() {
    finds(Plant::LosesWrites(3), "", "");
}

#[test]
fn a_reply_that_is_posted_twice_is_found() {
    finds(Plant::PostsTwice(9), "doubled", "is in the guild 2 times");
}

#[test]
fn a_turn_that_is_given_again_is_found() {
    finds(Plant::GivesAgain(5), "doubled", "again");
}

#[test]
fn messages_that_change_places_are_found() {
    finds(Plant::SwapsMessages, "order", "came after");
}

#[test]
fn a_token_that_is_offered_twice_is_found() {
    finds(Plant::OffersAgain, "story.rs", "a token was offered twice");
}

#[test]
fn more_turns_than_parallel_are_found() {
    finds(Plant::Crowds, "outputs.rs", "more turns open than `parallel`");
}

#[test]
fn a_status_that_says_live_without_proof_is_found() {
    finds(Plant::SaysLive, "outputs.rs", "is live without proof");
}

#[test]
fn a_gap_that_is_not_counted_is_found() {
    finds(Plant::HidesGaps, "gaps", "turns were given up");
}

#[test]
fn rests_that_are_too_short_are_found() {
    finds(Plant::Hurries, "backoff", "a rest outside of");
}
