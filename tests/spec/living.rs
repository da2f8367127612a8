//! Which tests there are, for the catalogues of promises and faults: a row names the tests that show it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The cells of every row of a catalogue's tables: all but the heads and the lines below them.
pub fn rows(catalogue: &str) -> Vec<Vec<&str>> {
    let rows = catalogue.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let rows = rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<&str>>());
    rows.filter(|cells| cells.first().is_some_and(|first| first.contains(|c: char| c.is_alphanumeric()))).collect()
}

/// Names in a cell of tests that are not alive.
pub fn dead<'a>(cell: &'a str, living: &BTreeSet<String>) -> Vec<&'a str> {
    let names = cell.split("<br>").map(|name| name.trim_matches('`'));
    names.filter(|name| !living.contains(*name)).collect()
}

fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Rust files below a folder of `tests`, with their paths from there.
pub fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let folder = tests_folder().join(folder);
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.extension() {
                _ if entry.is_dir() => folders.push(entry),
                Some(extension) if extension == "rs" => {
                    let text = fs::read_to_string(&entry).unwrap();
                    found.push((entry.strip_prefix(&folder).unwrap().to_owned(), text));
                }
                _ => {}
            }
        }
    }
    found
}

/// Functions under `#[test]`, as `kind::module::name`; those under `#[ignore]` are not alive.
pub fn tests_of(kind: &str, path: &Path, source: &str) -> Vec<String> {
    let module = path.with_extension("").to_string_lossy().replace('/', "::");
    let place = if module.is_empty() { kind.to_owned() } else { format!("{kind}::{module}") };
    let (mut marked, mut names) = (false, Vec::new());
    for line in source.lines().map(str::trim) {
        match line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')) {
            Some((name, _)) if std::mem::take(&mut marked) => names.push(format!("{place}::{name}")),
            Some(_) => {}
            None if line == "#[test]" => marked = true,
            None if line.starts_with("#[ignore") => marked = false,
            None => {}
        }
    }
    names
}

/// Names in the tables of scenarios: `Scenario("name", …)`, and the functions that `scenarios![…]` lists.
pub fn scenarios_of(kind: &str, source: &str) -> Vec<String> {
    let written =
        source.split("Scenario(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    let listed = source.split("= scenarios![").skip(1).filter_map(|rest| rest.split(']').next());
    let listed = listed.flat_map(|list| list.split(',').map(str::trim).filter(|name| !name.is_empty()));
    written.chain(listed).map(|name| format!("{kind}::{name}")).collect()
}

/// The targets of `tests/fuzz`.
pub fn fuzz_targets() -> Vec<String> {
    let files = sources("fuzz/targets");
    files.into_iter().map(|(path, _)| path.with_extension("").to_string_lossy().into_owned()).collect()
}

/// Everything that a row may name.
pub fn living() -> BTreeSet<String> {
    let tests = tests_folder();
    let spec = sources("spec").into_iter().flat_map(|(path, text)| tests_of("spec", &path, &text));
    let budget = sources("budget").into_iter().flat_map(|(path, text)| tests_of("budget", &path, &text));
    let whole = fs::read_to_string(tests.join("budget.rs")).unwrap();
    let budget = budget.chain(tests_of("budget", Path::new(""), &whole)).collect::<Vec<_>>();
    let scenarios = ["live", "interop", "board"]
        .into_iter()
        .flat_map(|kind| sources(kind).into_iter().flat_map(move |(_, text)| scenarios_of(kind, &text)));
    let others = [
        ("bench: tests/bench/idle", "bench/idle"),
        ("demo", "demo/main.rs"),
        ("board/check", "../board/check"),
        ("seeds", "spec/search.rs"),
        ("mutants", "mutants.md"),
    ];
    let others = others.into_iter().filter(|(_, file)| tests.join(file).is_file()).map(|(name, _)| name.to_owned());
    let targets = fuzz_targets().into_iter().map(|target| format!("fuzz::{target}"));
    spec.chain(budget).chain(scenarios).chain(others).chain(targets).collect()
}
