//! The release binary, as it ships: built here, which takes minutes the first time and a second where it is built already.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Builds the release binary; where it is.
pub fn build() -> PathBuf {
    println!("building the release binary (a few minutes the first time) …");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--bin", "guild-bridge"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    // what cargo told of this package: build scripts look at such variables, and would run anew for no reason
    let told = |name: &str| name == "OUT_DIR" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)).for_each(|(name, _)| {
        cargo.env_remove(name);
    });
    let out = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output().expect("cargo starts");
    assert!(out.status.success(), "the release binary does not build");
    let lines = String::from_utf8_lossy(&out.stdout).into_owned();
    let told = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let made = told.filter_map(|line| line["executable"].as_str().map(PathBuf::from)).next_back();
    made.expect("cargo names the file that it built")
}
