//! `cargo test --test seeds -- [--seeds N] [--from K] [--jobs N] [--seed S] [--replay FILE|TEXT]`: random schedules of
//! faults in the simulated world, on every core; a failing one is printed, shrunk, and printed again. The closing line is
//! that of every test here: `N passed, N failed, N skipped`.
#![allow(clippy::unwrap_used, clippy::string_slice, clippy::disallowed_methods, missing_docs)]

mod seeds;
mod world;

use seeds::schedule::Schedule;
use seeds::{Failure, draw, report, run, tell};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

const USAGE: &str =
    "cargo test --test seeds -- [--seeds N] [--from K] [--jobs N] [--seed S] [--replay FILE|TEXT] [--list] [--help]";
/// Schedules that are played where nobody says how many: what CI asks for.
const SEEDS: u64 = 10_000;
/// Failing schedules that are shrunk and told; more are only counted.
const TOLD: usize = 3;

#[derive(Default)]
struct Asked {
    seeds: Option<u64>,
    from: u64,
    jobs: Option<usize>,
    seed: Option<u64>,
    replay: Option<String>,
    list: bool,
    help: bool,
    filters: Vec<String>,
}

impl Asked {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self::default();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} wants a value"));
            let number = |text: String| text.parse::<u64>().map_err(|_| format!("{arg} {text}: not a number"));
            match arg.as_str() {
                "--seeds" => asked.seeds = Some(number(value()?)?),
                "--from" => asked.from = number(value()?)?,
                "--jobs" => asked.jobs = Some(number(value()?)?.max(1) as usize),
                "--seed" => asked.seed = Some(number(value()?)?),
                "--replay" => asked.replay = Some(value()?),
                "--list" => asked.list = true,
                "--help" | "-h" => asked.help = true,
                // those of the standard harness that take a value
                "--test-threads" | "--format" | "--color" | "--logfile" | "--skip" => drop(value()?),
                flag if flag.starts_with('-') => {}
                _ => asked.filters.push(arg),
            }
        }
        Ok(asked)
    }
}

/// What all threads together came to.
#[derive(Default)]
struct Sum {
    kinds: BTreeMap<String, u64>,
    failed: Vec<(Schedule, Failure)>,
}

fn main() -> ExitCode {
    let asked = match Asked::read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(64);
        }
    };
    if asked.help {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    // `cargo test NAME` names a test of another target
    let named = asked.filters.is_empty() || asked.filters.iter().any(|f| "random_schedules".contains(f.as_str()));
    if asked.list || !named {
        if named {
            println!("random_schedules: test");
        }
        return ExitCode::SUCCESS;
    }
    let one = asked.seed.map(draw::draw).map(Ok).or_else(|| asked.replay.as_deref().map(replayed));
    match one {
        Some(Ok(schedule)) => play_one(&schedule),
        Some(Err(why)) => {
            eprintln!("{why}");
            ExitCode::from(64)
        }
        None => play_many(&asked),
    }
}

/// The text itself, or a file that holds it.
fn replayed(given: &str) -> Result<Schedule, String> {
    if given.trim_start().starts_with('{') {
        return Schedule::read(given);
    }
    Schedule::read(&std::fs::read_to_string(given).map_err(|e| format!("{given}: {e}"))?)
}

/// The whole story of one schedule, and what did not hold.
fn play_one(schedule: &Schedule) -> ExitCode {
    println!("{}", schedule.text());
    if let Err(failure) = run(schedule) {
        // told aloud up to the place where it ends
        let told = std::panic::catch_unwind(|| tell(schedule).0.story.print());
        println!("{}", report(schedule, &failure));
        println!("0 passed, 1 failed, 0 skipped{}", if told.is_err() { " (it panicked)" } else { "" });
        return ExitCode::FAILURE;
    }
    tell(schedule).0.story.print();
    println!("1 passed, 0 failed, 0 skipped");
    ExitCode::SUCCESS
}

fn play_many(asked: &Asked) -> ExitCode {
    let (count, from) = (asked.seeds.unwrap_or(SEEDS), asked.from);
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let (next, done, sum) = (AtomicU64::new(from), AtomicU64::new(0), Mutex::new(Sum::default()));
    let (began, enough) = (Instant::now(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..asked.jobs.unwrap_or(cores) {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        break;
                    }
                    let schedule = draw::draw(seed);
                    let failed = run(&schedule).err();
                    note(&sum, schedule, failed);
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done % 1_000 == 0 {
                        println!("{done} schedules, {} failed, {} s", failures(&sum), began.elapsed().as_secs());
                    }
                    enough.store(failures(&sum) >= 50, Ordering::Relaxed);
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap();
    for (schedule, failure) in sum.failed.iter().take(TOLD) {
        println!("{}", report(schedule, failure));
    }
    for (schedule, failure) in sum.failed.iter().skip(TOLD) {
        println!("seed {} fails: {}: {}", schedule.seed, failure.kind, failure.words.lines().next().unwrap_or(""));
    }
    let (done, failed) = (done.into_inner(), sum.failed.len() as u64);
    let kinds: Vec<String> = sum.kinds.iter().map(|(kind, times)| format!("{kind} {times}")).collect();
    println!("faults played by kind: {}", kinds.join(", "));
    println!("{done} schedules, {failed} failed, {} s", began.elapsed().as_secs());
    println!("{} passed, {failed} failed, 0 skipped", done - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn note(sum: &Mutex<Sum>, schedule: Schedule, failed: Option<Failure>) {
    let mut sum = sum.lock().unwrap();
    for act in &schedule.acts {
        *sum.kinds.entry(act.deed.kind()).or_default() += 1;
    }
    sum.failed.extend(failed.map(|failure| (schedule, failure)));
}

fn failures(sum: &Mutex<Sum>) -> usize {
    sum.lock().unwrap().failed.len()
}
