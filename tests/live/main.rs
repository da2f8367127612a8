//! The real binary against the test guild and the proxy before it. Each scenario is a sentence with a time bound.
//! `cargo test --test live [FILTER…] [--list]`; the last line is `N passed, N failed, N skipped`.
#![allow(clippy::unwrap_used, clippy::string_slice, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "tests stand outside the daemon, where the clock is")]

#[path = "../guild/mod.rs"]
mod guild;

mod agents;
mod delivery;
mod face;
mod frames;
mod hearing;
mod rejections;
mod scene;
mod the_guild_itself;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// One scenario: its name, how many seconds it may take, what it does.
pub struct Scenario(pub &'static str, pub u64, pub fn() -> Ended);

/// How a scenario ended that did not panic.
pub enum Ended {
    Well,
    /// It cannot run on this machine, and why.
    Skipped(String),
}

/// Scenarios that run side by side.
const SIDE_BY_SIDE: usize = 4;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

fn main() {
    guild::agent::run_if_asked();
    let files = [
        the_guild_itself::SCENARIOS,
        hearing::SCENARIOS,
        rejections::SCENARIOS,
        frames::SCENARIOS,
        delivery::SCENARIOS,
        agents::SCENARIOS,
        face::SCENARIOS,
    ];
    let scenarios = files.into_iter().flatten();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let chosen = scenarios.filter(|s| filters.is_empty() || filters.iter().any(|f| s.0.contains(*f)));
    if arguments.iter().any(|a| a == "--list") {
        chosen.for_each(|s| println!("{}: test", s.0));
        return;
    }
    keep_panics();
    let mut chosen: Vec<&Scenario> = chosen.collect();
    // the long ones first: the lanes end together
    chosen.sort_by_key(|scenario| std::cmp::Reverse(scenario.1));
    let counts = run_all(chosen);
    guild::bridge::end_all();
    println!("{} passed, {} failed, {} skipped", counts[0], counts[1], counts[2]);
    std::process::exit(i32::from(counts[1] > 0));
}

/// Runs them side by side; how many passed, failed, were skipped.
fn run_all(scenarios: Vec<&'static Scenario>) -> [usize; 3] {
    let queue = Arc::new(Mutex::new(VecDeque::from(scenarios)));
    let counts = Arc::new(Mutex::new([0; 3]));
    let lanes = (0..SIDE_BY_SIDE).map(|_| {
        let (queue, counts) = (queue.clone(), counts.clone());
        std::thread::spawn(move || {
            while let Some(scenario) = { queue.lock().unwrap().pop_front() } {
                let place = run_one(scenario);
                counts.lock().unwrap()[place] += 1;
            }
        })
    });
    lanes.collect::<Vec<_>>().into_iter().for_each(|lane| lane.join().unwrap());
    *counts.lock().unwrap()
}

fn run_one(scenario: &'static Scenario) -> usize {
    let Scenario(name, bound_s, act) = *scenario;
    let started = Instant::now();
    let (tells, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let ended = std::panic::catch_unwind(AssertUnwindSafe(act));
        let ended = ended.map_err(|_| PANIC.with_borrow_mut(std::mem::take));
        let _ = tells.send(ended);
    });
    let ended = hears.recv_timeout(Duration::from_secs(bound_s));
    let seconds = started.elapsed().as_secs_f32();
    match ended {
        Ok(Ok(Ended::Well)) => {
            println!("ok {name} {seconds:.1}s");
            0
        }
        Ok(Ok(Ended::Skipped(why))) => {
            println!("SKIP {name} {why}");
            2
        }
        Ok(Err(why)) => {
            println!("FAILED {name} {seconds:.1}s {why}");
            1
        }
        Err(_) => {
            println!("FAILED {name} it took longer than {bound_s} s");
            1
        }
    }
}

/// A panic's words belong to its scenario's line, not to stderr.
fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or(String::new(), |at| format!("{}:{}: ", at.file(), at.line()));
        let words = words_of(info.payload());
        let words = format!("{place}{words}");
        if std::thread::current().name().is_some() {
            eprintln!("a thread of the test's own panicked: {words}");
        }
        PANIC.with_borrow_mut(|kept| *kept = words);
    }));
}

fn words_of(payload: &(dyn std::any::Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}
