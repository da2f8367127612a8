//! `tests/faults.md`: every fault has its row, every row a living test, every code that it shows is one. Below are the
//! stories of those faults that no file of `src` has to itself.

mod agents;
mod guilds;
mod host;
mod network;
mod tokens;
mod wire;

use crate::living::{dead, living, rows};
use crate::words::Files;
use guild_bridge::gap::Gap;
use guild_bridge::reason::Reason;
use std::collections::BTreeSet;

const FAULTS: &str = include_str!("../faults.md");
const README: &str = include_str!("../../README.md");
/// Rows whose test is still to be written; the number is written out so that it cannot grow in silence.
const LATER: usize = 0;
/// Rows that no single machine can show.
const CANNOT: usize = 0;
/// How many faults each part of the catalogue has, numbered from 1.
const PARTS: [(char, usize); 9] =
    [('N', 15), ('T', 10), ('U', 11), ('W', 16), ('H', 10), ('S', 15), ('G', 13), ('A', 12), ('O', 16)];

struct Fault<'a> {
    id: &'a str,
    said: &'a str,
    happens: &'a str,
    seen: &'a str,
    shown_by: &'a str,
}

fn faults(catalogue: &str) -> Vec<Fault<'_>> {
    let rows = rows(catalogue).into_iter();
    rows.map(|cells| match cells.as_slice() {
        [id, said, happens, seen, shown_by] => Fault { id, said, happens, seen, shown_by },
        _ => panic!("not five cells: {cells:?}"),
    })
    .collect()
}

/// The first column of a table of the README, its backticks taken off.
fn names(head: &str) -> BTreeSet<&'static str> {
    let (_, below) = README.split_once(head).unwrap_or_else(|| panic!("no table {head}"));
    let rows = below.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split(" | ").next()).flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

/// Every word that a row may say is seen: reasons, the gaps' reasons, what a link and an agent count.
fn codes() -> BTreeSet<&'static str> {
    let mut codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    codes.extend(names("| gap | means |"));
    let (_, link) = README.split_once("\nA link:\n").unwrap();
    let counts = link.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    codes.extend(counts.flat_map(|row| row.split(" | ").next().unwrap().split('`').skip(1).step_by(2)));
    codes
}

/// What is wrong with a row.
fn wrong(fault: &Fault<'_>, living: &BTreeSet<String>, codes: &BTreeSet<&str>) -> Option<String> {
    let Fault { id, said, happens, seen, shown_by } = fault;
    if said.is_empty() || happens.is_empty() {
        return Some(format!("{id}: what goes wrong, and what happens here?"));
    }
    let plain = |word: &str| word.strip_prefix('`').and_then(|word| word.strip_suffix('`')).map(str::to_owned);
    let known = |word: &str| plain(word).is_some_and(|word| codes.contains(word.as_str()));
    if *seen != "-" && !seen.split(", ").all(known) {
        return Some(format!("{id} ({said}): no such code: {seen}"));
    }
    if let Some(why) = shown_by.strip_prefix("later: ").or(shown_by.strip_prefix("cannot: ")) {
        return (why.len() < 20).then(|| format!("{id} ({said}): and why?"));
    }
    let dead = dead(shown_by, living);
    (!dead.is_empty()).then(|| format!("{id} ({said}): no such test: {}", dead.join(", ")))
}

#[test]
fn every_fault_has_a_living_test_and_shows_codes_that_there_are() {
    let (living, codes) = (living(), codes());
    let wrong: Vec<String> = faults(FAULTS).iter().filter_map(|fault| wrong(fault, &living, &codes)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A code as tests write it: itself, or the name of its variant.
fn stands_in(words: &str, code: &str) -> bool {
    let variant = Reason::ALL.iter().find(|reason| reason.code() == code).map(|reason| format!("{reason:?}"));
    let gap = Gap::ALL.iter().find(|gap| gap.code() == code).map(|gap| format!("{gap:?}"));
    words.contains(code) || variant.or(gap).is_some_and(|name| words.contains(&format!("::{name}")))
}

/// Codes of a row that none of its tests names.
fn unnamed<'a>(fault: &Fault<'a>, words_of: impl Fn(&str) -> Option<String>) -> Vec<&'a str> {
    let tests = fault.shown_by.split("<br>").filter_map(|name| words_of(name.trim_matches('`')));
    let words: Vec<String> = tests.collect();
    let codes = fault.seen.split(", ").filter(|seen| *seen != "-").map(|code| code.trim_matches('`'));
    codes.filter(|code| !words.iter().any(|words| stands_in(words, code))).collect()
}

#[test]
fn every_code_that_a_row_shows_stands_in_one_of_its_tests() {
    let files = Files::read();
    for fault in faults(FAULTS) {
        let unnamed = unnamed(&fault, |name| files.words_of(name));
        assert!(unnamed.is_empty(), "{} ({}): no test of the row says {unnamed:?}", fault.id, fault.said);
    }
}

#[test]
fn every_fault_is_there_once_and_in_order() {
    let all = PARTS.iter().flat_map(|(part, count)| (1..=*count).map(move |number| format!("{part}{number}")));
    let there: Vec<String> = faults(FAULTS).iter().map(|fault| fault.id.to_owned()).collect();
    assert_eq!(there, all.collect::<Vec<_>>());
}

#[test]
fn what_waits_and_what_cannot_be_shown_is_counted() {
    let count = |mark: &str| faults(FAULTS).iter().filter(|fault| fault.shown_by.starts_with(mark)).count();
    assert_eq!((count("later: "), count("cannot: ")), (LATER, CANNOT));
}

#[test]
fn a_row_that_lacks_something_is_told() {
    let living = BTreeSet::from(["spec::a".to_owned()]);
    for (row, good) in [
        ("| N1 | it rains | it is dried | `net.dns`, `gaps` | `spec::a` |", true),
        ("| N1 | it rains | it is dried | - | `spec::a` |", true),
        ("| N1 | it rains | it is dried | - | cannot: there is no rain on a single machine |", true),
        ("| N1 | it rains | it is dried | `net.rain` | `spec::a` |", false),
        ("| N1 | it rains | it is dried |  | `spec::a` |", false),
        ("| N1 | it rains | it is dried | `net.dns` | `spec::b` |", false),
        ("| N1 | it rains | it is dried | `net.dns` | `spec::a`<br>`live::b` |", false),
        ("| N1 | it rains | it is dried | `net.dns` |  |", false),
        ("| N1 | it rains |  | `net.dns` | `spec::a` |", false),
        ("| N1 | it rains | it is dried | - | cannot: no |", false),
    ] {
        let found: Vec<_> = faults(row).iter().filter_map(|fault| wrong(fault, &living, &codes())).collect();
        assert_eq!(found.is_empty(), good, "{row}: {found:?}");
    }
}
