//! The real binary against the test guild and the proxy before it. Each scenario is a sentence with a time bound.
//! `cargo test --test live [-- FILTER… --list --exact --jobs N --require --soak]`; the last line counts them. `--soak` runs
//! the long ones instead: a thousand kills, a million messages.
#![allow(clippy::unwrap_used, clippy::string_slice, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "tests stand outside the daemon, where the clock is")]

#[path = "../guild/mod.rs"]
mod guild;

mod agents;
mod browser;
mod burst;
mod delivery;
mod disk;
mod doctor;
mod face;
mod floods;
mod frames;
mod given_back;
mod growth;
mod hearing;
mod host;
mod hostile;
mod kills;
mod letters;
mod looked_at;
mod memory;
mod rejections;
#[path = "../harness/runner.rs"]
mod runner;
mod scene;
mod service;
mod the_guild_itself;
mod tls;
mod writes;

use runner::{Ended, Scenario};
use std::process::ExitCode;

/// Scenarios side by side: they wait more than they work.
const SIDE_BY_SIDE: usize = 8;

fn main() -> ExitCode {
    guild::agent::run_if_asked();
    let files = [
        the_guild_itself::SCENARIOS,
        hearing::SCENARIOS,
        rejections::SCENARIOS,
        frames::SCENARIOS,
        hostile::SCENARIOS,
        floods::SCENARIOS,
        growth::SCENARIOS,
        tls::SCENARIOS,
        kills::SCENARIOS,
        burst::SCENARIOS,
        delivery::SCENARIOS,
        disk::SCENARIOS,
        doctor::SCENARIOS,
        letters::SCENARIOS,
        given_back::SCENARIOS,
        memory::SCENARIOS,
        agents::SCENARIOS,
        face::SCENARIOS,
        looked_at::SCENARIOS,
        host::SCENARIOS,
        service::SCENARIOS,
        writes::SCENARIOS,
    ];
    let mut scenarios: Vec<&'static Scenario> = files.into_iter().flatten().collect();
    // the long ones first: the lanes end together
    scenarios.sort_by_key(|scenario| std::cmp::Reverse(scenario.1));
    let code = runner::main(SIDE_BY_SIDE, scenarios.into_iter(), kills::SOAK.iter().chain(growth::SOAK));
    guild::bridge::end_all();
    code
}
