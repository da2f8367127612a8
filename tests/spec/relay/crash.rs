//! A crash at any moment, and what the journal brings back.

use crate::world::{Fault, Habit, World, mins, secs, twice};
use guild_bridge::budget;
use guild_bridge::text::split_reply;

/// Says ten messages around a crash at `ms`, and runs until all is over.
fn crash_at(seed: u64, ms: u64) -> World {
    let mut w = World::chatty(seed);
    w.agent().takes_ms = 35;
    w.run_live();
    for i in 0..10 {
        w.at(i * 17, move |w| drop(w.say("general", "alice", &format!("m{i}"))));
    }
    w.at(ms, World::crash);
    w.run_for(mins(5));
    w
}

#[test]
fn a_crash_at_any_moment_loses_nothing_and_doubles_no_post() {
    for ms in (0..700).step_by(3) {
        let w = crash_at(ms, ms);
        let wanted: Vec<String> = (0..10).map(|i| format!("re: m{i}")).collect();
        assert_eq!(w.answers("general"), wanted, "crash at {ms} ms\n{}", w.tail());
    }
}

#[test]
fn a_turn_that_was_recorded_is_not_given_again_after_a_crash() {
    for ms in (0..700).step_by(31) {
        let w = crash_at(ms, ms);
        let twice = twice(w.heard().into_iter().map(str::to_owned));
        assert!(twice.len() <= 1, "crash at {ms} ms: the open turn alone may come again: {twice:?}");
    }
}

#[test]
fn a_crash_where_keys_are_not_honoured_doubles_nothing_either() {
    for ms in (0..700).step_by(13) {
        let mut w = World::chatty(ms);
        w.guild().model.options.honours_keys = false;
        w.run_live();
        (0..6).for_each(|i| w.at(i * 29, move |w| drop(w.say("general", "alice", &format!("m{i}")))));
        w.at(ms, World::crash);
        w.run_for(mins(5));
        let wanted: Vec<String> = (0..6).map(|i| format!("re: m{i}")).collect();
        assert_eq!(w.answers("general"), wanted, "crash at {ms} ms\n{}", w.tail());
    }
}

#[test]
fn a_crash_between_the_record_and_the_post_doubles_nothing() {
    for ms in 20..50 {
        let mut w = World::chatty(ms);
        w.guild().model.options.honours_keys = false;
        w.run_live();
        w.run_for(secs(5));
        w.say("general", "alice", "hi");
        w.at(ms, World::crash);
        w.run_for(mins(3));
        assert_eq!(w.answers("general"), ["re: hi"], "crash {ms} ms after it was said\n{}", w.tail());
    }
}

#[test]
fn a_crash_during_the_first_handshake_loses_nothing_that_was_said_after_the_first_join() {
    for ms in 0..60 {
        let mut w = World::chatty(ms);
        w.say("general", "alice", "old");
        w.at(ms, World::crash);
        w.run_for(ms);
        w.run_live();
        w.say("general", "alice", "new");
        w.run_for(mins(2));
        assert_eq!(w.answers("general"), ["re: new"], "crash at {ms} ms");
    }
}

#[test]
fn a_daemon_that_crashes_again_and_again_goes_on_where_it_was() {
    let mut w = World::chatty(5);
    for i in 0..60 {
        w.say("general", "alice", &format!("m{i}"));
        let pause = w.rng.u64(1..9_000);
        w.run_for(pause);
        w.crash();
    }
    w.run_for(mins(5));
    let from = w.answers("general").first().map(|a| a[5..].parse::<usize>().unwrap()).unwrap();
    assert!(from <= 2, "the first cursor came late: {from}");
    assert_eq!(w.answers("general"), (from..60).map(|i| format!("re: m{i}")).collect::<Vec<_>>());
}

#[test]
fn a_torn_or_foreign_journal_is_no_reason_not_to_start() {
    for cut in [0, 1, 7, 50] {
        let mut w = World::chatty(6);
        w.run_live();
        w.say("general", "alice", "one");
        w.run_for(secs(20));
        w.kill();
        let name = w.disk.last_name();
        let mut bytes = w.disk.bytes(&name).to_vec();
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes.extend_from_slice(b"\xff\x00 not a journal {{{");
        w.disk.put(&name, &bytes);
        w.start();
        w.run_live();
        w.say("general", "alice", "two");
        w.run_for(mins(2));
        assert_eq!(w.answers("general"), ["re: one", "re: two"], "cut by {cut}");
    }
}

#[test]
fn a_reply_that_waits_in_the_outbox_survives_a_crash() {
    let mut w = World::chatty(7);
    w.run_live();
    w.guild().model.faults.set(Fault::PostStatus(503, None));
    w.say("general", "alice", "hi");
    w.run_for(secs(10));
    w.crash();
    w.agent().habit = Habit::Says("another answer".into());
    w.run_for(secs(10));
    w.guild().model.faults.clear();
    w.run_for(mins(5));
    assert_eq!((w.answers("general"), w.heard()), (vec!["re: hi"], vec!["hi"]));
}

#[test]
fn a_reply_whose_parts_outgrow_a_record_survives_a_crash() {
    let mut w = World::chatty(8);
    w.run_live();
    w.guild().model.faults.set(Fault::PostStatus(503, None));
    let lines = (0..1_000).map(|n| format!("{n} {}\n", "x".repeat(55))).collect::<String>();
    let reply = format!("```{}\n{lines}```", "€".repeat(900));
    w.agent().habit = Habit::Says(reply.clone());
    w.say("general", "alice", "hi");
    w.run_for(secs(20));
    w.crash();
    w.agent().habit = Habit::Says("another answer".into());
    w.run_for(secs(10));
    w.guild().model.faults.clear();
    w.run_for(mins(5));
    let parts = split_reply(&reply, 4_000);
    assert!(
        parts.iter().map(String::len).sum::<usize>() > budget::JOURNAL_RECORD_BYTES
            && reply.len() < budget::REPLY_BYTES
    );
    assert!(w.answers("general") == parts, "{} of {} parts", w.answers("general").len(), parts.len());
}

#[test]
fn a_disk_that_fails_is_named_and_everything_else_goes_on() {
    let mut w = World::chatty(8);
    w.disk.full = true;
    w.run_for(secs(5));
    w.say("general", "alice", "hi");
    w.run_for(mins(2));
    assert_eq!((w.answers("general"), w.state()), (vec!["re: hi"], "live"));
    assert!(!w.status().process.state_detail.is_empty(), "{:?}", w.status().process);
}

#[test]
fn a_channel_that_was_quiet_for_months_goes_on_where_it_was() {
    for days in [29, 31, 400, -20_000] {
        let mut w = World::chatty(29);
        w.run_live();
        w.say("general", "alice", "before");
        w.run_for(secs(30));
        w.kill();
        w.clock_offset_ms += days * 24 * 3_600_000;
        w.say("general", "alice", "while nobody ran");
        w.start();
        w.run_for(mins(2));
        assert_eq!(w.heard(), ["before", "while nobody ran"], "after {days} days");
    }
}
