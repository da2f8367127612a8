//! Runs scenarios side by side and prints a line for each, then the count: `ok NAME s`, `FAILED NAME s why`,
//! `SKIP NAME why`, `N passed, N failed, N skipped`. A skip is never silent, and with `--require` it fails. Scenarios that
//! soak take long: they run with `--soak` alone, and are counted as not asked for without it.

mod asked;

use asked::Asked;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

/// One scenario: its sentence, how many seconds it may take, what shows it (it panics where the sentence is not true).
pub struct Scenario(pub &'static str, pub u64, pub fn() -> Ended);

/// How a scenario ended that did not panic.
pub enum Ended {
    Well,
    /// It cannot run on this machine, and why.
    Skipped(String),
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// The exit code of a command line that cannot be read.
const USAGE: u8 = 64;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs what the command line asks for, `jobs` at a time unless it says `--jobs N`; those that soak run instead of the
/// others where it says `--soak`.
pub fn main(
    jobs: usize,
    scenarios: impl Iterator<Item = &'static Scenario>,
    soak: impl Iterator<Item = &'static Scenario>,
) -> ExitCode {
    let asked = match Asked::read(jobs, std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(USAGE);
        }
    };
    let fits = |s: &&'static Scenario| asked.wants(s.0);
    let (usual, soak): (VecDeque<_>, VecDeque<_>) = (scenarios.filter(fits).collect(), soak.filter(fits).collect());
    let (chosen, not_asked) = if asked.soak { (soak, VecDeque::new()) } else { (usual, soak) };
    if asked.list {
        chosen.iter().for_each(|s| println!("{}: test", s.0));
        return ExitCode::SUCCESS;
    }
    keep_panics();
    let counts = run_all(asked.jobs, chosen);
    not_asked.iter().for_each(|s| println!("not asked for (--soak): {}", s.0));
    println!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    let good = counts.failed == 0 && !(asked.require && counts.skipped > 0);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_all(jobs: usize, chosen: VecDeque<&'static Scenario>) -> Counts {
    let queue = Mutex::new(chosen);
    let counts = Mutex::new(Counts::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(scenario) = { queue.lock().unwrap().pop_front() } {
                    run_one(scenario, &counts);
                }
            });
        }
    });
    counts.into_inner().unwrap()
}

fn run_one(scenario: &'static Scenario, counts: &Mutex<Counts>) {
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
    let mut counts = counts.lock().unwrap();
    match ended {
        Ok(Ok(Ended::Well)) => {
            counts.passed += 1;
            println!("ok {name} {seconds:.1}s");
        }
        Ok(Ok(Ended::Skipped(why))) => {
            counts.skipped += 1;
            println!("SKIP {name} {why}");
        }
        Ok(Err(why)) => {
            counts.failed += 1;
            println!("FAILED {name} {seconds:.1}s {why}");
        }
        Err(_) => {
            counts.failed += 1;
            println!("FAILED {name} it took longer than {bound_s} s");
        }
    }
}

/// A panic's words belong to its scenario's line, not to stderr.
fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or(String::new(), |at| format!("{}:{}: ", at.file(), at.line()));
        let payload = info.payload();
        let words = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        let words = format!("{place}{}", words.unwrap_or("a panic without words"));
        if std::thread::current().name().is_some() {
            eprintln!("a thread of the test's own panicked: {words}");
        }
        PANIC.with_borrow_mut(|kept| *kept = words);
    }));
}
