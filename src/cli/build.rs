//! What `--version` says beyond the version: the target, the features, the commit.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/cli/build.rs");
    println!("cargo:rerun-if-env-changed=GUILD_BRIDGE_COMMIT");
    // the log grows with every commit and checkout; a tree without git has none, and no commit to tell
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| std::path::Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    let commit = std::env::var("GUILD_BRIDGE_COMMIT").ok().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    println!("cargo:rustc-env=BUILT_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo:rustc-env=BUILT_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    let features = std::env::vars().filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase()));
    let features = features.filter(|name| name != "default").collect::<Vec<_>>().join(" ");
    println!("cargo:rustc-env=BUILT_FEATURES={}", if features.is_empty() { "none" } else { &features });
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
