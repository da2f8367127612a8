//! The command lines of the search for seeds and of the programs of scenarios: what cargo and nextest say to every target is understood, a mistake is told.

use crate::scenarios::Asked as Scenarios;
use crate::seeds::asked::{Asked, NAME, SEEDS, read};

fn read_line(line: &str) -> Result<Asked, String> {
    read(line.split_whitespace().map(str::to_owned))
}

#[test]
fn the_command_line_of_the_search_is_understood() {
    let many = |from, end, jobs| Ok(Asked::Many { from, end, jobs });
    let nobody = format!("no schedule is played: the one test here is {NAME}, which was not asked for");
    let nothing = || Ok(Asked::Nothing(nobody.clone()));
    let lines = [
        ("", many(0, SEEDS, None)),
        ("--seeds 5 --from 7 --jobs 2", many(7, 12, Some(2))),
        ("--seeds=5 schedules", many(0, 5, None)),
        ("--seed 3", Ok(Asked::One(3))),
        ("--replay story.json --nocapture", Ok(Asked::Replay("story.json".into()))),
        ("--help --seeds 0x", Err("--seeds 0x: not a number from 1 to 18446744073709551615".into())),
        ("-h", Ok(Asked::Help)),
        // what cargo and nextest say to every target
        ("--list --format terse", Ok(Asked::List(Some(NAME)))),
        ("--list --format terse --ignored", Ok(Asked::List(None))),
        ("--exact random_schedules --nocapture", many(0, SEEDS, None)),
        ("--test-threads=1 --color always -q", many(0, SEEDS, None)),
        ("a_test_of_another_target", nothing()),
        ("--exact random", nothing()),
        ("--skip random", nothing()),
        ("--list another", Ok(Asked::List(None))),
    ];
    for (line, asked) in lines {
        assert_eq!(read_line(line), asked, "{line}");
    }
}

#[test]
fn a_wrong_command_line_of_the_search_is_told_in_a_sentence() {
    let lines = [
        ("--sedes 5", "--sedes: no such option"),
        ("--seeds", "--seeds wants a value"),
        ("--seeds many", "--seeds many: not a number"),
        ("--seeds -1", "--seeds -1: not a number"),
        ("--seeds 0", "--seeds 0: nothing would be played"),
        ("--jobs 0", "--jobs 0: nothing would be played"),
        ("--from 18446744073709551610", "the last seed is 18446744073709551614"),
        ("--from 18446744073709551616", "not a number"),
        ("--seed 1 --seeds 5", "--seed and --seeds: one schedule, or many"),
        ("--replay x --from 5", "--replay and --from: one schedule, or many"),
        ("--seed 1 --replay x", "--seed and --replay: one schedule at a time"),
        ("--seeds 5 --seeds 6", "--seeds is given twice"),
        ("--list=yes", "--list takes no value"),
        ("another --seeds 5", "--seeds stands beside names or options that leave it out"),
    ];
    for (line, words) in lines {
        let told = read_line(line).expect_err(line);
        assert!(told.contains(words) && !told.contains('\n'), "{line}: {told}");
    }
}

#[test]
fn the_command_line_of_scenarios_is_understood() {
    let names = ["a_reset_link", "a_reset_link_twice", "kills"];
    let wanted = |line: &str| {
        let asked = Scenarios::read(8, line.split_whitespace().map(str::to_owned)).unwrap();
        let names: Vec<&str> = names.into_iter().filter(|name| asked.wants(name)).collect();
        (names.len(), asked.jobs, asked.list, asked.require, asked.soak)
    };
    for (line, asked) in [
        ("", (3, 8, false, false, false)),
        ("link kills --jobs 2", (3, 2, false, false, false)),
        ("link --test-threads=1 --nocapture -q", (2, 1, false, false, false)),
        ("link --exact", (0, 8, false, false, false)),
        ("--exact a_reset_link", (1, 8, false, false, false)),
        ("--skip twice --require", (2, 8, false, true, false)),
        ("--soak kills", (1, 8, false, false, true)),
        ("--list --format terse", (3, 8, true, false, false)),
        ("--list --format terse --ignored", (0, 8, true, false, false)),
    ] {
        assert_eq!(wanted(line), asked, "{line}");
    }
}

#[test]
fn a_wrong_command_line_of_scenarios_is_told_in_a_sentence() {
    for (line, words) in [
        ("--soack", "--soack: no such option; there are "),
        ("-x", "-x: no such option"),
        ("--seeds 5", "--seeds: no such option"),
        ("--jobs", "--jobs wants a value"),
        ("--jobs many", "--jobs many: not a number"),
        ("--jobs 0", "--jobs 0: not a number"),
        ("--soak=yes", "--soak takes no value"),
    ] {
        let told = Scenarios::read(8, line.split_whitespace().map(str::to_owned)).expect_err(line);
        assert!(told.contains(words) && !told.contains('\n'), "{line}: {told}");
    }
}
