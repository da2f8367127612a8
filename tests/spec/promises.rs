//! `tests/promises.md`: every row has a living test.

use crate::living::{dead, living, scenarios_of, tests_of};
use std::collections::BTreeSet;
use std::path::Path;

const PROMISES: &str = include_str!("../promises.md");
/// Rows that wait for a later version; the number is written out so that it cannot grow in silence.
const LATER: usize = 3;

struct Promise<'a> {
    number: usize,
    said: &'a str,
    shown_by: &'a str,
}

fn promises(table: &str) -> Vec<Promise<'_>> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.filter_map(|row| {
        let (number, rest) = row.split_once(" | ")?;
        let (said, shown_by) = rest.rsplit_once(" | ").unwrap_or((rest, ""));
        Some(Promise { number: number.parse().ok()?, said, shown_by })
    });
    rows.collect()
}

/// What is wrong with a row.
fn fault(promise: &Promise<'_>, living: &BTreeSet<String>) -> Option<String> {
    let Promise { number, said, shown_by } = promise;
    if let Some(reason) = shown_by.strip_prefix("later: ") {
        return (reason.len() < 20).then(|| format!("{number} ({said}): later, and why?"));
    }
    let dead = dead(shown_by, living);
    (!dead.is_empty()).then(|| format!("{number} ({said}): no such test: {}", dead.join(", ")))
}

#[test]
fn every_promise_has_a_living_test() {
    let living = living();
    let faults: Vec<String> = promises(PROMISES).iter().filter_map(|promise| fault(promise, &living)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn promises_are_numbered_without_a_hole() {
    let numbers: Vec<usize> = promises(PROMISES).iter().map(|promise| promise.number).collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    let rows = PROMISES.lines().filter(|line| line.starts_with('|') && line.contains(|c: char| c.is_alphanumeric()));
    let heads = PROMISES.lines().filter(|line| line.starts_with("| | promise")).count();
    assert_eq!(numbers.len(), rows.count() - heads, "a row that is not read as one");
}

#[test]
fn what_waits_for_a_later_version_is_counted() {
    let later = promises(PROMISES).iter().filter(|promise| promise.shown_by.starts_with("later: ")).count();
    assert_eq!(later, LATER);
}

#[test]
fn a_row_without_a_living_test_is_a_fault() {
    let (there, ignored) = ("#[test]\nfn a() {}\n", "#[test]\n#[ignore]\nfn b() {}\nfn c() {}\n");
    let living: BTreeSet<String> =
        [there, ignored].iter().flat_map(|source| tests_of("spec", Path::new("x/y.rs"), source)).collect();
    assert_eq!(living, BTreeSet::from(["spec::x::y::a".to_owned()]));
    for (row, good) in [
        ("| 1 | p | `spec::x::y::a` |", true),
        ("| 1 | p | `spec::x::y::b` |", false),
        ("| 1 | p | `spec::x::y::a`<br>`live::z` |", false),
        ("| 1 | p |  |", false),
        ("| 1 | p | later: soon |", false),
    ] {
        let faults: Vec<_> = promises(row).iter().filter_map(|promise| fault(promise, &living)).collect();
        assert_eq!(faults.is_empty(), good, "{row}: {faults:?}");
    }
}

#[test]
fn both_kinds_of_scenario_tables_are_read() {
    let source =
        "Scenario(\n        \"one\", 40, || x),\nScenario(\"two\", 1, y)\n= scenarios![\n    three,\n    four,\n];";
    assert_eq!(scenarios_of("live", source), ["live::one", "live::two", "live::three", "live::four"]);
}
