//! `cargo test --test seeds -- --help`: random schedules of faults in the simulated world, on every core; a failing one is
//! printed, shrunk, and printed again. The closing line is that of every test here: `N passed, N failed, N skipped`.
#![allow(clippy::unwrap_used, clippy::string_slice, clippy::disallowed_methods, missing_docs)]

mod seeds;
mod world;

use seeds::asked::{self, Asked};
use seeds::schedule::Schedule;
use seeds::{Failure, draw, report, run, tell};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

const HELP: &str = "cargo test --test seeds -- [OPTION]…: random schedules of faults in the simulated world
  --seeds N        play N schedules (default: 10000)
  --from K         begin at seed K (default: 0)
  --jobs N         play N side by side (default: one a core)
  --seed S         play the schedule of seed S alone and tell its whole story
  --replay WHAT    the same for a schedule that was printed: its text, or a file that holds it
  --list           list the one test, random_schedules
  --help           this
Options of the standard harness (--exact, --nocapture, --format, --test-threads, …) are understood and change nothing else.
A failing schedule is printed, shrunk and printed again; then the exit code is not 0. 64: the command line is wrong.";
/// Failing schedules that are shrunk and told; more are only counted.
const TOLD: usize = 3;

/// What all threads together came to.
#[derive(Default)]
struct Sum {
    kinds: BTreeMap<String, u64>,
    failed: Vec<(Schedule, Failure)>,
}

fn main() -> ExitCode {
    let wrong = |why: String| {
        eprintln!("{why}");
        ExitCode::from(64)
    };
    match asked::read(std::env::args().skip(1)) {
        Ok(Asked::Help) => println!("{}", HELP),
        Ok(Asked::List(name)) => name.iter().for_each(|name| println!("{name}: test")),
        Ok(Asked::Nothing(why)) => println!("{why}\n0 passed, 0 failed, 0 skipped"),
        Ok(Asked::Many { from, end, jobs }) => return play_many(from, end, jobs),
        Ok(Asked::One(seed)) => return play_one(&draw::draw(seed)),
        Ok(Asked::Replay(given)) => return replayed(&given).map_or_else(wrong, |schedule| play_one(&schedule)),
        Err(why) => return wrong(why),
    }
    ExitCode::SUCCESS
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

/// Those of these seeds, the last not among them.
fn play_many(from: u64, end: u64, jobs: Option<usize>) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let (next, done, sum) = (AtomicU64::new(from), AtomicU64::new(0), Mutex::new(Sum::default()));
    let (began, enough) = (Instant::now(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..jobs.unwrap_or(cores) {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let step = |next: u64| (next < end).then(|| next + 1);
                    let Ok(seed) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) else { break };
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
