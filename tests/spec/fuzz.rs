//! What `tests/fuzz` has: its package is built by no other test.

use crate::living::fuzz_targets;
use std::fs;
use std::path::{Path, PathBuf};

const CORPUS_BYTES: u64 = 256 * 1024;
const CORPUS_FILES: usize = 600;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The sizes of a target's inputs.
fn corpus(target: &str) -> Vec<u64> {
    let files = fs::read_dir(folder().join("corpus").join(target)).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).collect()
}

#[test]
fn every_fuzz_target_is_run_and_begins_with_a_corpus() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let targets = fuzz_targets();
    assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
    for target in &targets {
        assert!(manifest.contains(&format!("name = \"{target}\"\npath = \"targets/{target}.rs\"")), "{target}");
        assert!(corpus(target).iter().sum::<u64>() > 0, "{target} begins with nothing");
    }
}

#[test]
fn the_corpora_stay_small() {
    let inputs: Vec<u64> = fuzz_targets().iter().flat_map(|target| corpus(target)).collect();
    assert!(inputs.len() < CORPUS_FILES, "{} files", inputs.len());
    assert!(inputs.iter().sum::<u64>() < CORPUS_BYTES, "{} bytes", inputs.iter().sum::<u64>());
}
