//! The real binary against the official Node Socket.IO server: `tests/interop/node` is a fabric guild on it.
//! `cargo test --test interop [-- FILTER… --list --exact --jobs N --require --soak]`. Where node, npm or the registry
//! is missing each scenario is a SKIP that names it; with `--require` a skip fails. `--soak` runs the long one instead: fifty
//! thousand handshakes.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "tests stand outside the daemon, where the clock is")]

mod churn;
mod configured;
mod deaf;
mod frames;
mod growth;
mod guild;
mod lost;
mod node;
mod rejected;
#[path = "../harness/runner.rs"]
mod runner;
mod scene;
mod truth;

use std::process::ExitCode;

/// Scenarios side by side: they wait more than they work.
const SIDE_BY_SIDE: usize = 4;

fn main() -> ExitCode {
    guild::agent::run_if_asked();
    let files = [
        churn::SCENARIOS,
        frames::SCENARIOS,
        rejected::SCENARIOS,
        lost::SCENARIOS,
        deaf::SCENARIOS,
        configured::SCENARIOS,
        truth::SCENARIOS,
    ];
    // the longest is the first: the lanes end together
    let code = runner::main(SIDE_BY_SIDE, files.into_iter().flatten(), churn::SOAK.iter());
    guild::bridge::end_all();
    code
}
