//! What stands in threads, which no history lists: nothing of it is lost in silence.

use super::server::ALICE;
use super::stage::Stage;
use super::told::away_from_an_old_thread;
use serde_json::{Value, json};

/// Alice says so many words while the agent is away, and then answers each in its thread.
fn away(count: usize) -> Stage {
    let mut stage = Stage::new();
    stage.run_live();
    stage.cut = true;
    stage.drop_lines();
    let parents: Vec<String> = (0..count).map(|n| stage.server.say("general", ALICE, &format!("p{n}"), None)).collect();
    for (n, parent) in parents.iter().enumerate() {
        stage.server.say("general", ALICE, &format!("r{n}"), Some(parent));
    }
    stage.cut = false;
    stage
}

/// Everything was heard, nothing twice, and no gap was counted.
fn assert_whole(stage: &Stage, count: usize) {
    let mut heard = stage.heard();
    heard.sort_unstable();
    let mut wanted: Vec<String> = (0..count).flat_map(|n| [format!("p{n}"), format!("r{n}")]).collect();
    wanted.sort_unstable();
    let missing: Vec<&String> = wanted.iter().filter(|word| !heard.contains(&word.as_str())).collect();
    assert!(missing.is_empty(), "{} of {} are missing: {missing:?}", missing.len(), wanted.len());
    assert_eq!((heard.len(), stage.status().gaps), (wanted.len(), 0));
}

#[test]
fn a_catch_up_of_threads_that_is_interrupted_goes_on_where_it_was_after_a_restart() {
    let mut stage = away(275);
    assert!(stage.run_till(900_000, |stage| stage.turns.len() >= 320), "{}", stage.turns.len());
    // what was answered is in the journal, and the server is quiet
    stage.run(5);
    let before = stage.turns.len();
    stage.restart();
    stage.run(900_000);
    // a turn that was open is given again
    let mut seen = std::collections::BTreeSet::new();
    let mut at = 0;
    stage.turns.retain(|turn| {
        at += 1;
        seen.insert(turn.message.id.clone()) || at <= before
    });
    assert_whole(&stage, 275);
}

#[test]
fn a_catch_up_of_threads_that_is_interrupted_goes_on_where_it_was_on_the_next_connection() {
    let mut stage = away(275);
    for turns in [100, 300, 400] {
        assert!(stage.run_till(900_000, |stage| stage.turns.len() >= turns), "{}", stage.turns.len());
        stage.drop_lines();
    }
    stage.run(900_000);
    assert_whole(&stage, 275);
}

#[test]
fn more_threads_than_are_remembered_are_all_read_and_none_for_each_round() {
    let mut stage = away(600);
    stage.run(1_800_000);
    assert_whole(&stage, 600);
    // of 2,400 messages with the answers: 16 pages and 600 threads for each 216 that are remembered
    assert!(stage.server.reads < 7_000, "{} pages were read", stage.server.reads);
}

#[test]
fn a_reply_in_a_far_older_thread_is_looked_for_once_whatever_comes_of_it() {
    for (others, gone, gaps) in [(300, false, 0), (300, true, 0), (2_300, false, 1)] {
        let (mut stage, old) = away_from_an_old_thread(others);
        stage.server.channels[0].messages.retain(|message| !gone || message.id != old);
        stage.run(200_000);
        assert_eq!((stage.heard().len(), stage.status().gaps), (usize::from(!gone && gaps == 0), gaps));
        let reads = stage.server.reads;
        stage.run(300_000);
        assert_eq!(stage.server.reads, reads, "nothing was said, and history was read");
        stage.restart();
        stage.run(200_000);
        stage.server.say("general", ALICE, "goes on", None);
        stage.run(10_000);
        assert_eq!((stage.heard().last(), stage.status().gaps), (Some(&"goes on"), gaps), "nor after a restart");
    }
}

#[test]
fn a_reply_that_was_heard_in_an_old_thread_is_listed_there_and_no_gap_on_the_next_connection() {
    let mut stage = Stage::new();
    let old = stage.server.say("general", ALICE, "old", None);
    (0..300).for_each(|n| drop(stage.server.say("general", ALICE, &format!("word {n}"), None)));
    stage.run_live();
    stage.server.say("general", ALICE, "heard", Some(&old));
    stage.run(5_000);
    stage.drop_lines();
    stage.run(200_000);
    assert_eq!((stage.heard(), stage.status().gaps), (vec!["heard"], 0));
}

#[test]
fn a_file_whose_data_is_long_hangs_on_its_message_in_history_too_and_one_that_is_too_long_is_a_gap() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.cut = true;
    stage.drop_lines();
    for bytes in [100, 40_000, 100_000] {
        let file = json!({"type": "file", "id": "f1", "name": format!("{bytes}.txt"), "content_type": "text/plain",
            "size": 3, "file": {"data": {"content": "x".repeat(bytes)}}});
        for text in ["", "look"] {
            let files = json!({"files": [file.clone()]});
            stage.server.store("general", ALICE, text, None, None, files, Value::Null, false);
        }
    }
    stage.cut = false;
    stage.run(60_000);
    let names: Vec<&str> = stage.turns.iter().map(|turn| turn.message.attachments[0].name.as_str()).collect();
    assert_eq!(names, ["100.txt", "100.txt", "40000.txt", "40000.txt"]);
    assert_eq!(stage.status().gaps_by_reason["oversize"], 2);
}

#[test]
fn a_message_that_is_too_large_is_one_gap_however_often_the_daemon_is_started() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.cut = true;
    stage.drop_lines();
    for size in [10, 120_000, 120_000, 120_000, 10] {
        stage.server.say("general", ALICE, &"x".repeat(size), None);
    }
    stage.cut = false;
    stage.run(130_000);
    for _ in 0..3 {
        assert_eq!(stage.status().gaps_by_reason["oversize"], 3);
        stage.restart();
        stage.server.say("general", ALICE, "again", None);
        stage.run(130_000);
    }
    assert_eq!((stage.turns.len(), stage.status().gaps_by_reason["oversize"]), (5, 3));
}
