//! What cannot be kept is counted by its reason, at whatever moment the daemon is killed, and over restarts.

mod doubtful;

use crate::world::hall::Trouble;
use crate::world::{Habit, What, World, mins, secs};
use guild_bridge::agent::Said;
use guild_bridge::budget;
use guild_bridge::cli::status::View;
use guild_bridge::gap::Gap;
use guild_bridge::journal::segment::Header;
use guild_bridge::journal::{Kept, Noted, Post, Record, encode, replay};
use guild_bridge::port::Command;
use std::collections::BTreeSet;

fn counted(w: &World, gap: Gap) -> u64 {
    w.link().gaps_by_reason.get(gap.code()).copied().unwrap_or_default()
}

/// A world that takes messages of 400 bytes at most.
fn narrow(seed: u64) -> World {
    let mut w = World::chatty(seed);
    w.settings.message_bytes = 400;
    w
}

fn large() -> String {
    "too long ".repeat(80)
}

#[test]
fn codes_are_unique_stable_in_form_and_found_again() {
    let codes: BTreeSet<&str> = Gap::ALL.iter().map(|gap| gap.code()).collect();
    assert_eq!(codes.len(), Gap::ALL.len());
    for gap in Gap::ALL {
        assert_eq!(Gap::of_code(gap.code()), Some(*gap));
        assert!(gap.code().chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{gap:?}");
        assert!(gap.sentence().len() > 20 && !gap.sentence().contains(['\n', '|']), "{gap:?}");
    }
    assert!(Gap::ALL.is_sorted(), "the order of the table is the order of the enum: the worst first");
    assert_eq!(Gap::of_code("refused_post"), None);
}

#[test]
fn counts_and_the_last_gap_outlive_restarts() {
    let mut w = narrow(1);
    w.run_live();
    let long = w.say("general", "alice", &large());
    w.run_for(mins(1));
    w.agent().next.extend([Habit::Fails, Habit::Fails, Habit::Fails]);
    let failed = w.say("general", "alice", "hi");
    w.run_for(mins(1));
    let before = w.link().clone();
    assert_eq!((before.gaps, counted(&w, Gap::Oversize), counted(&w, Gap::TurnFailed)), (2, 1, 1));
    let last = before.last_gap.clone().unwrap();
    assert_eq!((last.reason, last.channel.as_deref()), ("turn_failed", Some("general")));
    assert_eq!((last.from.as_ref(), last.to.as_ref()), (Some(&failed), Some(&failed)));
    assert!(last.at.starts_with("20") && last.detail.contains(&failed) && long < failed, "{last:?}");
    for _ in 0..3 {
        w.crash();
        w.run_for(mins(1));
        assert_eq!(w.link().gaps_by_reason, before.gaps_by_reason);
        let again = w.link().last_gap.clone().unwrap();
        assert_eq!((again.reason, again.at, again.detail), (last.reason, last.at.clone(), last.detail.clone()));
    }
}

/// The daemon is killed, and nothing of its journal can be read again.
fn lose_journal(w: &mut World) -> String {
    w.kill();
    let names: Vec<String> =
        w.disk.names().into_iter().filter(|name| !name.contains(".bad-")).map(Into::into).collect();
    for name in &names {
        w.disk.put(name, b"what a broken flash gives back, longer than the header of a journal");
    }
    names.into_iter().next_back().unwrap()
}

#[test]
fn a_journal_that_could_not_be_read_is_a_gap_of_each_link_once_however_often_it_is_killed() {
    for ms in [0, 1, 30, 120, 250, 5_000] {
        let mut w = World::chatty(ms);
        w.run_live();
        w.say("general", "alice", "one");
        w.run_for(secs(20));
        let name = lose_journal(&mut w);
        w.say("general", "alice", "while nothing ran");
        w.start();
        w.run_for(ms);
        w.crash();
        w.run_live();
        w.say("general", "alice", "two");
        w.run_for(mins(1));
        w.crash();
        w.run_for(mins(1));
        assert_eq!((counted(&w, Gap::JournalLost), w.link().gaps), (1, 1), "killed after {ms} ms");
        let last = w.link().last_gap.clone().unwrap();
        assert_eq!((last.reason, last.detail.starts_with(&name)), ("journal_lost", true), "{last:?}");
        assert!(last.at.starts_with("20"), "{last:?}");
        assert_eq!(w.answers("general"), ["re: one", "re: while nothing ran", "re: two"], "killed after {ms} ms");
        let (kept, _) = replay(w.disk.bytes(&w.disk.last_name()));
        assert!(kept.loss().is_none(), "the places are found: the next start looks for none");
    }
}

#[test]
fn a_journal_whose_header_is_damaged_is_counted_and_what_was_said_meanwhile_is_answered() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("a bit of its first number", |bytes| bytes[25] ^= 1),
        ("a bit of its base", |bytes| bytes[32] ^= 1),
        ("cut within its header", |bytes| bytes.truncate(20)),
        ("all zeros", |bytes| bytes.fill(0)),
        ("empty", Vec::clear),
    ];
    for (what, damage) in damages {
        let mut w = World::chatty(7);
        w.run_live();
        w.say("general", "alice", "one");
        w.run_for(secs(20));
        w.kill();
        assert_eq!(w.disk.names().len(), 1, "{what}");
        let (name, mut bytes) = (w.disk.last_name(), w.disk.bytes(&w.disk.last_name()).to_vec());
        damage(&mut bytes);
        w.disk.put(&name, &bytes);
        (0..3).for_each(|n| drop(w.say("general", "alice", &format!("down {n}"))));
        w.start();
        w.run_for(mins(1));
        assert_eq!(w.answers("general"), ["re: one", "re: down 0", "re: down 1", "re: down 2"], "{what}");
        assert_eq!(counted(&w, Gap::JournalLost), 1, "{what}");
        assert!(w.disk.names().iter().any(|aside| aside.starts_with(&format!("{name}.bad-"))), "{what}");
    }
}

#[test]
fn a_channel_whose_place_is_lost_goes_on_behind_its_last_answer_and_nothing_is_answered_twice() {
    for ms in (0..6_000).step_by(61) {
        for (keys, last) in [(true, true), (true, false), (false, true)] {
            let mut w = World::chatty(ms);
            w.guild().model.options.honours_keys = keys;
            w.guild().model.options.last_message_id = last;
            w.run_live();
            w.say("general", "alice", "m");
            w.run_for(secs(10));
            w.agent().takes_ms = 700;
            (0..5).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
            w.run_for(ms);
            lose_journal(&mut w);
            w.say("general", "alice", "while nothing ran");
            w.run_for(secs(5));
            w.start();
            w.run_for(mins(2));
            let expected = ["re: m", "re: m0", "re: m1", "re: m2", "re: m3", "re: m4", "re: while nothing ran"];
            assert_eq!(w.answers("general"), expected, "killed after {ms} ms, {keys} {last}");
            assert_eq!(w.link().gaps_by_reason.keys().collect::<Vec<_>>(), [&"journal_lost"]);
        }
    }
}

#[test]
fn a_channel_whose_place_is_lost_and_in_which_nothing_was_answered_begins_at_its_end() {
    for last in [true, false] {
        let mut w = World::chatty(9);
        w.guild().model.options.last_message_id = last;
        w.agent().habit = Habit::None;
        w.run_live();
        w.say("general", "alice", "one");
        w.run_for(secs(10));
        lose_journal(&mut w);
        w.agent().habit = Habit::Echo;
        w.say("general", "alice", "while nothing ran");
        w.run_for(secs(5));
        w.start();
        w.run_for(mins(1));
        w.say("general", "alice", "two");
        w.run_for(mins(1));
        assert_eq!((w.answers("general"), counted(&w, Gap::JournalLost)), (vec!["re: two"], 1), "{last}");
    }
}

#[test]
fn a_lost_place_is_looked_for_behind_what_was_answered_not_behind_what_was_said_unasked_or_in_parts() {
    let mut w = World::chatty(10);
    w.run_live();
    let long = "a word ".repeat(1_500);
    w.agent().next.push_back(Habit::Says(long));
    w.say("general", "alice", "one");
    w.run_for(secs(20));
    assert!(w.answers("general").len() >= 3, "several posts, of which the first alone says what it answers");
    w.agent().habit = Habit::Hangs;
    w.say("general", "alice", "open");
    w.run_for(secs(1));
    w.send("general", "good morning");
    w.run_for(secs(5));
    let before = w.answers("general").len();
    lose_journal(&mut w);
    w.agent().habit = Habit::Echo;
    w.start();
    w.run_for(mins(1));
    assert_eq!(w.answers("general")[before..], ["re: open"]);
    assert_eq!(w.heard(), ["one", "open", "open"]);
}

#[test]
fn a_lost_place_of_an_agent_that_only_speaks_unasked_is_behind_its_last_post() {
    let mut w = World::chatty(11);
    w.agent().habit = Habit::None;
    w.run_live();
    for n in 0..3 {
        w.say("general", "alice", &format!("before {n}"));
        w.run_for(secs(5));
        w.send("general", &format!("news {n}"));
        w.run_for(secs(5));
    }
    lose_journal(&mut w);
    w.agent().habit = Habit::Echo;
    w.say("general", "alice", "while nothing ran");
    w.start();
    w.run_for(mins(1));
    assert_eq!(w.answers("general"), ["news 0", "news 1", "news 2", "re: while nothing ran"]);
}

#[test]
fn what_was_answered_before_an_older_reply_came_late_is_not_asked_again_in_any_life() {
    let silent = |w: &mut World, count: usize| {
        w.agent().habit = Habit::None;
        (0..count).for_each(|n| drop(w.say("general", "alice", &format!("old {n}"))));
        w.run_for(mins(1));
        w.agent().habit = Habit::Echo;
    };
    // so many messages between the answers, so many behind them
    for (ms, between, behind) in
        [(0, 0, 0), (100, 0, 0), (300, 0, 0), (1_000, 0, 0), (20_000, 0, 300), (20_000, 300, 0)]
    {
        let mut w = World::chatty(12);
        w.run_live();
        w.guild().trouble("post", 1, What::Status(422, None));
        w.say("general", "alice", "refused at first");
        w.run_for(secs(10));
        w.say("general", "alice", "two");
        w.run_for(secs(10));
        silent(&mut w, between);
        w.ask(Command::LettersAgain { which: None });
        w.run_for(secs(10));
        silent(&mut w, behind);
        assert_eq!(w.answers("general"), ["re: two", "re: refused at first"]);
        lose_journal(&mut w);
        w.say("general", "alice", "three");
        w.start();
        w.run_for(ms);
        w.crash();
        w.run_for(mins(2));
        let told = format!("killed after {ms} ms, {between}, {behind}");
        assert_eq!(w.heard().iter().filter(|text| **text == "two").count(), 1, "{told}");
        let answers = w.answers("general");
        assert_eq!(
            (answers[..2].to_vec(), answers.last()),
            (vec!["re: two", "re: refused at first"], Some(&"re: three")),
            "{told}"
        );
        assert!(answers.len() == 3 || behind > 0, "{told}: {answers:?}");
    }
}

#[test]
fn what_is_known_of_a_channel_whose_place_is_lost_counts() {
    let mut w = World::chatty(15);
    w.run_live();
    w.say("general", "alice", "one");
    w.run_for(secs(10));
    lose_journal(&mut w);
    let message = w.say("general", "alice", "two");
    let post = Post {
        key: "gb_kept".into(),
        text: "re: two".into(),
        reply_to: Some(message.clone()),
        message: Some(message.clone()),
    };
    let turn = Record::Turn { link: "recruiter@acme".into(), channel: "general".into(), message, posts: vec![post] };
    let mut file = Header { first: 900, base_bytes: None }.bytes().to_vec();
    encode(&turn, 900, &mut file);
    w.disk.put("journal.000900", &file);
    w.start();
    w.run_for(mins(1));
    w.crash();
    w.run_for(mins(1));
    assert_eq!((w.heard(), w.answers("general")), (vec!["one"], vec!["re: one", "re: two"]));
}

#[test]
fn a_lost_place_is_looked_for_in_so_many_pages_and_no_more() {
    let mut w = World::chatty(13);
    w.run_live();
    w.say("general", "alice", "one");
    w.run_for(secs(10));
    lose_journal(&mut w);
    (0..20 * budget::HISTORY_SEEK_PAGES + 30).for_each(|n| drop(w.say("general", "alice", &format!("old {n}"))));
    w.start();
    let before = w.calls_of("history");
    w.run_for(mins(3));
    let calls = w.calls_of("history") - before;
    assert!((200..220).contains(&calls), "{calls} pages");
    w.say("general", "alice", "two");
    w.run_for(mins(1));
    assert_eq!((w.answers("general"), w.link().gaps), (vec!["re: one", "re: two"], 1), "it begins at its end");
}

#[test]
fn a_link_looks_for_its_lost_places_in_so_many_pages_in_all() {
    let mut w = World::chatty(16);
    for n in 0..5 {
        w.guild().model.add_channel(&format!("a{n}"), "channel", &["alice", "recruiter"]);
    }
    w.run_live();
    w.say("general", "alice", "one");
    w.run_for(secs(10));
    lose_journal(&mut w);
    // the channels before general in the list use the pages up, so that the second page of general is not asked for
    for n in 0..20 * budget::HISTORY_SEEK_PAGES + 30 {
        (0..5).for_each(|at| drop(w.guild().model.say(&format!("a{at}"), "alice", "old", 0)));
        if n < 30 {
            w.guild().model.say("general", "alice", "old", 0);
        }
    }
    let before = w.calls_of("history");
    w.start();
    w.run_for(mins(10));
    let calls = w.calls_of("history") - before;
    assert!((1_000..1_060).contains(&calls), "{calls} pages");
    w.say("general", "alice", "two");
    w.run_for(mins(1));
    assert_eq!((w.answers("general"), w.link().gaps), (vec!["re: one", "re: two"], 1), "it begins at its end");
}

#[test]
fn a_history_that_cannot_be_read_does_not_keep_a_channel_whose_place_is_lost_unheard() {
    for status in [403, 404, 500] {
        let mut w = World::chatty(14);
        w.guild().model.add_channel("other", "channel", &["alice", "recruiter"]);
        w.run_live();
        for channel in ["general", "other"] {
            w.say(channel, "alice", "one");
            w.run_for(secs(5));
        }
        lose_journal(&mut w);
        let (channel, what) = (Some("general".into()), What::Status(status, None));
        w.guild().trouble.push(Trouble { route: "history", channel, what, times: 1_000_000 });
        w.say("other", "alice", "while nothing ran");
        w.start();
        w.run_for(mins(5));
        w.say("general", "alice", "two");
        w.run_for(mins(5));
        assert_eq!(w.answers("general"), ["re: one", "re: two"], "{status}");
        assert_eq!(w.answers("other"), ["re: one", "re: while nothing ran"], "{status}");
    }
}

#[test]
fn a_record_of_gaps_replayed_twice_changes_nothing() {
    let noted = |count| Noted { count, at_ms: 7, channel: Some("c".into()), detail: "x".into(), ..Noted::default() };
    let done = vec![("c".to_owned(), "m".to_owned())];
    let record = |reason: &str, count| {
        let (link, reason) = ("a@g".into(), reason.into());
        Record::Gap { link, reason, noted: noted(count), done: done.clone() }
    };
    let mut kept = Kept::default();
    for record in [record("oversize", 1), record("oversize", 4), record("of_a_newer_version", 2), record("oversize", 4)]
    {
        kept.apply(record);
    }
    let mut again = kept.clone();
    kept.records().into_iter().for_each(|record| again.apply(record));
    assert_eq!((&again, kept.gaps.len()), (&kept, 2));
    assert_eq!(kept.done[&("a@g".into(), "c".into())], ["m"], "counted and finished in one record");
    assert_eq!(kept.gaps[&("a@g".into(), "oversize".into())].count, 4);
}

/// A message that every agent fails at, killed at `ms`: answered or counted, and not both.
#[test]
fn a_turn_that_is_given_up_is_counted_once_at_whatever_moment_the_daemon_is_killed() {
    for ms in (12_040..12_140).chain(0..60).chain(2_000..2_060) {
        let mut w = World::chatty(ms);
        w.run_live();
        w.agent().habit = Habit::Fails;
        w.say("general", "alice", "hi");
        w.at(ms, World::crash);
        w.run_for(mins(3));
        assert_eq!((counted(&w, Gap::TurnFailed), w.answers("general").len()), (1, 0), "killed at {ms} ms");
        w.agent().habit = Habit::Echo;
        w.crash();
        w.run_for(mins(2));
        assert_eq!((counted(&w, Gap::TurnFailed), w.answers("general").len()), (1, 0), "killed at {ms} ms");
    }
}

#[test]
fn what_is_passed_over_is_counted_once_at_whatever_moment_the_daemon_is_killed() {
    for ms in (0..9_000).step_by(97).chain(0..40) {
        let mut w = narrow(ms);
        w.run_live();
        w.agent().takes_ms = 1_500;
        for n in 0..3 {
            w.say("general", "alice", &format!("m{n}"));
            w.say("general", "alice", &large());
        }
        w.at(ms, World::crash);
        w.run_for(mins(2));
        let before = counted(&w, Gap::Oversize);
        w.crash();
        w.run_for(mins(1));
        assert_eq!((before, counted(&w, Gap::Oversize)), (3, 3), "killed at {ms} ms");
        assert_eq!(w.answers("general"), ["re: m0", "re: m1", "re: m2"], "killed at {ms} ms");
    }
}

#[test]
fn parts_that_found_no_room_stay_counted_when_the_daemon_is_killed_behind_the_end_of_their_turn() {
    for (ms, silent) in [(0, false), (1_700, false), (3_400, true), (900, true)] {
        let mut w = World::chatty(ms);
        w.run_live();
        w.run_for(ms);
        w.guild().trouble("post", 1_000, What::Hangs);
        w.agent().habit = Habit::Hangs;
        w.say("general", "alice", "everything, please");
        w.run_for(100);
        let turn = || w.hands["recruiter"].open[0].id.clone().into();
        let part = |n| Said::Reply { turn: turn(), text: format!("part {n}").into(), last: false };
        let end = if silent {
            Said::None { turn: turn() }
        } else {
            Said::Reply { turn: turn(), text: "end".into(), last: true }
        };
        let said: Vec<_> = (0..budget::OUTBOX_POSTS + 20).map(part).chain([end]).collect();
        said.into_iter().for_each(|said| w.says("recruiter", said));
        w.run_for(100);
        let before = counted(&w, Gap::OutboxFull);
        w.crash();
        w.guild().heal();
        w.run_for(mins(5));
        assert_eq!((before, counted(&w, Gap::OutboxFull)), (20, 20), "{ms} ms, silent: {silent}");
        assert_eq!(w.agent().asked.len(), 1, "a turn that is over is not given again");
    }
}

#[test]
fn what_waits_behind_a_slow_agent_is_not_counted_again_at_every_restart() {
    let mut w = narrow(2);
    w.run_live();
    w.agent().habit = Habit::Hangs;
    w.say("general", "alice", "the cursor stands before this");
    (0..3).for_each(|_| drop(w.say("general", "alice", &large())));
    for _ in 0..4 {
        w.run_for(secs(30));
        w.crash();
    }
    w.agent().habit = Habit::Echo;
    w.run_for(mins(15));
    assert_eq!((counted(&w, Gap::Oversize), w.answers("general").len()), (3, 1));
}

#[test]
fn a_history_that_was_cut_is_counted_once_over_restarts_and_says_where() {
    let mut w = World::chatty(3);
    w.run_live();
    let first = w.say("general", "alice", "one");
    w.run_for(mins(2));
    w.say("general", "alice", "two");
    w.run_for(mins(2));
    w.kill();
    (0..30).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
    w.guild().model.cut_history("general", 10);
    w.agent().habit = Habit::Hangs;
    w.start();
    for _ in 0..3 {
        w.run_for(secs(40));
        w.crash();
    }
    w.agent().habit = Habit::Echo;
    w.run_for(mins(20));
    assert_eq!(counted(&w, Gap::HistoryCut), 1, "{:?}", w.link().last_gap);
    let last = w.link().last_gap.clone().unwrap();
    let kept = w.halls[0].model.channels["general"].messages.first().map(|message| message.id.clone());
    assert_eq!((last.reason, last.channel.as_deref(), last.to), ("history_cut", Some("general"), kept));
    assert!(last.from.is_some_and(|from| from > first), "the last message before it");
    assert_eq!(w.answers("general").len(), 12);
}

#[test]
fn a_history_of_which_nothing_is_left_is_counted_once() {
    let mut w = World::chatty(5);
    w.run_live();
    w.say("general", "alice", "one");
    w.run_for(mins(2));
    for said in ["two", "three"] {
        w.kill();
        w.say("general", "alice", said);
        w.guild().model.cut_history("general", 0);
        w.start();
        w.run_for(mins(5));
        w.drop_lines();
        w.run_for(mins(5));
        assert_eq!(counted(&w, Gap::HistoryCut), 1, "{:?}", w.link().last_gap);
    }
    w.say("general", "alice", "four");
    w.run_for(mins(5));
    assert_eq!((counted(&w, Gap::HistoryCut), w.heard()), (1, vec!["one", "four"]));
}

#[test]
fn a_history_of_which_nothing_is_left_is_counted_while_the_link_is_live() {
    let mut w = World::chatty(7);
    w.run_live();
    for said in ["one", "two"] {
        w.say("general", "alice", said);
        w.run_for(mins(2));
    }
    w.guild().model.lose_rooms();
    w.say("general", "alice", "unheard");
    w.guild().model.cut_history("general", 0);
    w.run_for(mins(20));
    assert_eq!((counted(&w, Gap::HistoryCut), w.heard()), (1, vec!["one", "two"]), "{}", w.tail());
}

#[test]
fn what_was_heard_and_found_no_room_and_is_not_in_history_any_more_is_counted() {
    for keep in [0, 1] {
        let mut w = World::chatty(6);
        w.run_live();
        (0..70).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
        w.guild().model.cut_history("general", keep);
        w.run_for(mins(5));
        let heard = w.heard().len() as u64;
        assert!(heard < 70, "{heard} were given");
        assert_eq!(counted(&w, Gap::HistoryCut), 1, "{keep} are left: {:?}", w.link().last_gap);
    }
}

#[test]
fn a_history_that_is_cut_while_a_catch_up_waits_for_room_is_counted() {
    let mut w = World::chatty(7);
    (w.agent().takes_ms, w.agent().habit) = (secs(2), Habit::None);
    w.run_live();
    for said in ["seen", "heard"] {
        w.say("general", "alice", said);
        w.run_for(mins(2));
    }
    w.kill();
    (0..100).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
    w.start();
    w.run_for(secs(30));
    w.guild().model.cut_history("general", 10);
    w.run_for(mins(10));
    assert!((60..95).contains(&w.heard().len()), "{:?}", w.heard().len());
    assert_eq!(counted(&w, Gap::HistoryCut), 1, "{:?}", w.link().last_gap);
}

#[test]
fn a_history_that_is_cut_between_two_pages_of_one_reading_is_counted() {
    let mut w = World::chatty(9);
    w.run_live();
    for said in ["seen", "heard"] {
        w.say("general", "alice", said);
        w.run_for(mins(2));
    }
    w.kill();
    (0..50).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
    w.guild().latency_ms = 2_000;
    w.start();
    w.run_till(mins(2), "a first page", |w| w.heard().len() > 2);
    w.guild().model.cut_history("general", 10);
    w.run_for(mins(10));
    let heard = w.heard().len();
    assert!((22..40).contains(&heard), "a page before the cut and what was left of it: {heard}");
    assert_eq!(counted(&w, Gap::HistoryCut), 1, "{:?}", w.link().last_gap);
}

#[test]
fn a_cut_is_seen_though_there_is_no_room_for_what_is_left() {
    let mut w = World::chatty(8);
    w.guild().model.add_channel("ops", "channel", &["alice", "recruiter"]);
    w.agent().takes_ms = secs(2);
    w.run_live();
    ["one", "two"].iter().for_each(|said| drop(w.say("ops", "alice", said)));
    w.run_for(mins(2));
    w.kill();
    (0..64).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
    (0..5).for_each(|n| drop(w.say("ops", "alice", &format!("d{n}"))));
    w.guild().model.cut_history("ops", 2);
    w.start();
    w.run_for(mins(20));
    assert_eq!(w.heard().iter().filter(|text| text.starts_with('d')).count(), 2);
    assert_eq!(counted(&w, Gap::HistoryCut), 1, "{:?}", w.link().last_gap);
}

#[test]
fn a_flood_of_gaps_is_written_with_the_cursors_and_not_each() {
    let mut w = World::chatty(4);
    w.guild().model.add_person("robot", "Robot", true);
    w.guild().model.channels.get_mut("general").unwrap().members.insert("robot".into());
    w.run_live();
    (0..20).for_each(|n| drop(w.say("general", "robot", &format!("@recruiter {n}"))));
    w.run_for(secs(20));
    let (stores, from) = (w.story.count("store"), w.at);
    for n in 0..300 {
        w.say("general", "robot", &format!("@recruiter more {n}"));
        w.run_for(50);
    }
    let (stores, seconds) = (w.story.count("store") - stores, (w.at - from) / 1000);
    w.run_for(secs(10));
    assert_eq!(counted(&w, Gap::BotBudget), 300);
    assert!(stores as u64 <= seconds / 5 + 1, "{stores} writes in {seconds} s");
    w.crash();
    w.run_for(mins(1));
    let (gaps, answers) = (counted(&w, Gap::BotBudget), w.answers("general").len());
    assert!(
        answers <= 40 && gaps == 320 - answers as u64,
        "{gaps} gaps, {answers} answers: what was not written is read again"
    );
}

#[test]
fn gaps_go_with_an_agent_that_leaves_and_come_back_with_it() {
    let mut w = narrow(5);
    w.run_live();
    w.say("general", "alice", &large());
    w.run_for(secs(20));
    let agent = w.settings.agents.pop().unwrap();
    w.ask(Command::Reload(Box::new(w.settings.clone())));
    w.run_for(mins(1));
    w.crash();
    w.settings.agents.push(agent);
    w.ask(Command::Reload(Box::new(w.settings.clone())));
    w.run_for(mins(1));
    assert_eq!(counted(&w, Gap::Oversize), 1);
}

#[test]
fn people_see_the_worst_reason_first_and_the_last_gap_in_words() {
    let json = r#"{"links":[{"agent":"rex","guild":"acme","state":"live","gaps":6,
        "gaps_by_reason":{"bot_budget":3,"oversize":1,"turn_failed":2},
        "last_gap":{"at":"2026-11-23T11:58:30Z","reason":"turn_failed","channel":"general","detail":"message 7\u001b[2J"}}]}"#;
    let screen = View::read(json).unwrap().screen(1_795_435_200_000);
    let told = "    6 lost to gaps: 2 turn_failed, 1 oversize, 3 bot_budget\n    \
        the last in general, 1m 30s ago: turn_failed: the agent failed three times at a message; message 7\\u{1b}[2J\n";
    assert!(screen.contains(told), "{screen}");
}
