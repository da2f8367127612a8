//! The search finds what it looks for: one planted bug for each invariant, found within a few seeds and shrunk to a few
//! acts. A schedule that fails for its bug holds without it, and its text plays it again.

use crate::seeds::schedule::Schedule;
use crate::seeds::shrink::shrink;
use crate::seeds::{draw, run, run_with};
use crate::world::{Lie, Plant, Slip};

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
    finds(Plant::Says(Lie::Live), "truth.rs", "is live without proof");
}

#[test]
fn a_gap_that_is_not_counted_is_found() {
    finds(Plant::Says(Lie::NoGaps), "gaps", "turns were given up");
}

#[test]
fn rests_that_are_too_short_are_found() {
    finds(Plant::Hurries, "backoff", "a rest outside of");
    finds(Plant::Hammers, "backoff", "attempts within 10 s");
}

#[test]
fn rests_that_are_too_long_are_found() {
    finds(Plant::Dawdles, "backoff", "a rest outside of");
}

#[test]
fn a_record_that_was_synced_and_is_lost_in_a_power_cut_is_found() {
    finds(Plant::LosesSyncs(3), "kept", "a life that begins");
}

#[test]
fn a_letter_that_is_lost_is_found() {
    finds(Plant::Says(Lie::NoLetters), "lost", "is not in the guild");
    finds(Plant::LosesLetters, "kept", "has not what status said is kept");
}

#[test]
fn a_gap_without_a_cause_is_found() {
    finds(Plant::Says(Lie::GapWithoutCause), "gaps", "a gap without a cause");
}

#[test]
fn bounds_that_are_exceeded_are_found() {
    finds(Plant::WritesMuch, "life.rs", "the journal has no bound");
    finds(Plant::Says(Lie::Outbox), "truth.rs", "the outbox has no bound");
    finds(Plant::Says(Lie::Letters), "truth.rs", "the letters have no bound");
    finds(Plant::Says(Lie::Window), "truth.rs", "the window has no bound");
}

#[test]
fn a_status_that_lies_about_its_disk_is_found() {
    finds(Plant::Says(Lie::Kept), "kept", "has not what status said is kept");
    finds(Plant::Says(Lie::NotKept), "kept", "no state is kept, and the disk is well");
}

#[test]
fn a_send_that_is_told_and_not_so_is_found() {
    finds(Plant::ForgetsSends, "lost", "was told to be stored, and is not in the guild");
    finds(Plant::SaysDone, "told", "was told to be stored before it was");
    finds(Plant::SwallowsSends, "lost", "was taken to be sent, and is nowhere");
    finds(Plant::SendsTwice, "doubled", "is in the guild 2 times");
}

#[test]
fn a_message_that_reaches_nobody_is_found() {
    finds(Plant::HidesMessages(9), "lost", "never came to an end with");
}

#[test]
fn a_reply_in_another_channel_is_found() {
    finds(Plant::PostsElsewhere(9), "foreign", "never wanted to say");
}

#[test]
fn answers_that_change_places_are_found() {
    finds(Plant::Overtakes(7), "order", "overtook an earlier answer");
}

#[test]
fn what_waits_for_ever_is_found() {
    finds(Plant::LosesAnswers(9), "lost", "posts wait for ever");
    finds(Plant::Says(Lie::TurnsWait), "lost", "turns wait for ever");
}

#[test]
fn a_status_that_says_what_is_not_so_is_found() {
    let lies = [
        (Lie::LiveAtRest, "is live without a connection"),
        (Lie::Connected, "says that it is connected, and is not"),
        (Lie::Resting, "says that it is backoff, and is connected"),
        (Lie::NoNextTry, "waits and does not say how long"),
        (Lie::Proven, "more channels proven than there are"),
        (Lie::GapWithoutReason, "gaps do not add up"),
        (Lie::Token, "a secret is shown"),
    ];
    for (lie, words) in lies {
        finds(Plant::Says(lie), "truth.rs", words);
    }
}

#[test]
fn a_relay_that_asks_for_what_it_must_not_is_found() {
    let slips = [
        (Slip::DialsTwice, "outputs.rs", "a line is dialled twice"),
        (Slip::DialsMore, "outputs.rs", "more than two connections of one link at once"),
        (Slip::KeepsLines, ".rs", "and is connected"),
        (Slip::HangsUpAnother, "outputs.rs", "a line that is hung up was dialled"),
        (Slip::SpeaksOn, "outputs.rs", "a frame for a line that is not open"),
        (Slip::TwoFrames, "outputs.rs", "a second frame before the first was on its way"),
        (Slip::WrongPath, "outputs.rs", "a call that CONTRACT does not have"),
        (Slip::NoBearer, "outputs.rs", "a bearer on everything but the mint"),
        (Slip::Patient, "outputs.rs", "a call without a sensible deadline"),
        (Slip::HiresTwice, "outputs.rs", "an agent's id is given again"),
        (Slip::SplitsTurns, "outputs.rs", "two open turns in one conversation"),
        (Slip::TellsKey, "truth.rs", "a secret is shown"),
        (Slip::NeverDone, "outputs.rs", "the relay never stops asking"),
        (Slip::NeverLater, "world.rs", "time stands still"),
    ];
    for (slip, place, words) in slips {
        finds(Plant::Asks(slip), place, words);
    }
}
