//! The release binary in the channels of a real Open WebUI server, which is installed from PyPI where it is not there yet
//! (700 MB; into `$OPEN_WEBUI_DIR`, else `target/open-webui`). The binary is built where it is not up to date;
//! `GUILD_BRIDGE=FILE` takes another. It takes minutes, so it runs with `--soak` alone:
//! `cargo test --test open_webui -- --soak [FILTER…]`. Where the server cannot be had each scenario is a SKIP that says why.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "tests stand outside the daemon, where the clock is")]

#[path = "../../harness/release.rs"]
mod release;
#[path = "../../harness/runner.rs"]
mod runner;

use runner::{Ended, Scenario};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// One server serves all, and some end it: one scenario at a time. The first waits for the server.
const SCENARIOS: &[Scenario] = &[
    Scenario("open_webui_channels_groups_direct_messages_threads_and_files_are_answered_once", 1500, || {
        play("everywhere")
    }),
    Scenario("open_webui_mentions_alone_are_answered_and_their_files_are_fetched", 1500, || play("mentioned")),
    Scenario("open_webui_later_channels_and_revived_direct_messages_are_joined", 1500, || play("later")),
    Scenario("open_webui_what_was_said_while_the_daemon_was_killed_is_answered_in_order", 1500, || play("away")),
    Scenario("open_webui_a_daemon_that_is_killed_while_it_answers_answers_each_once", 1500, || play("kills")),
    Scenario("open_webui_tokens_are_renewed_before_they_end_and_nothing_is_lost", 1500, || play("expiry")),
    Scenario("open_webui_a_role_taken_away_and_given_back", 1500, || play("role")),
    Scenario("open_webui_a_password_that_changes", 1500, || play("password")),
    Scenario("open_webui_a_permission_taken_away_and_given_back", 1500, || play("permission")),
    Scenario("open_webui_a_server_that_ends_and_one_that_is_killed_cost_nothing_and_no_sign_in", 1500, || {
        play("restarts")
    }),
    Scenario("open_webui_nobody_is_left_shown_as_writing", 1500, || play("writing")),
    Scenario("open_webui_two_thousand_messages_at_once_reach_the_agent_once_each", 1500, || play("burst")),
];

/// Seconds that the server may take to be up.
const UP_S: u64 = 240;

fn main() -> ExitCode {
    let code = runner::main(1, [].into_iter(), SCENARIOS.iter());
    if SERVER.get().is_some() {
        let _ = script(&["stop"], &[]);
    }
    code
}

static SERVER: OnceLock<Result<u16, String>> = OnceLock::new();
static BINARY: OnceLock<PathBuf> = OnceLock::new();

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/open-webui")
}

fn dir() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/open-webui");
    std::env::var_os("OPEN_WEBUI_DIR").map_or_else(usual, PathBuf::from)
}

fn script(does: &[&str], more: &[&str]) -> Result<(), String> {
    let mut command = Command::new(here().join("server"));
    let ran = command.args(does).arg(dir()).args(more).stdin(Stdio::null()).stdout(Stdio::null()).output();
    let ran = ran.map_err(|error| format!("bash is missing: {error}"))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    if ran.status.success() { Ok(()) } else { Err(said.lines().last().unwrap_or("it said nothing").to_owned()) }
}

/// The port of the server, which is installed and started once, with empty data.
fn server() -> Result<u16, String> {
    let start = || {
        script(&["install"], &[])?;
        script(&["stop"], &[])?;
        script(&["wipe"], &[])?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port();
        script(&["start"], &[&port.to_string()])?;
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > Duration::from_secs(UP_S) {
                return Err(format!("the server is not up after {UP_S} s: see {}", dir().join("server.log").display()));
            }
            sleep(Duration::from_millis(500));
        }
        Ok(port)
    };
    SERVER.get_or_init(start).clone()
}

/// What is tried: the file that ships, built once for all scenarios, unless somebody gives another one.
fn binary() -> &'static Path {
    let given = || std::env::var_os("GUILD_BRIDGE").map(PathBuf::from);
    let binary = BINARY.get_or_init(|| given().unwrap_or_else(release::build));
    assert!(binary.is_file(), "GUILD_BRIDGE: there is no file {}", binary.display());
    binary
}

/// Runs a scenario of `scenarios.py`.
fn play(name: &str) -> Ended {
    let port = match server() {
        Ok(port) => port,
        Err(why) => return Ended::Skipped(why),
    };
    let (binary, work) = (binary(), tempfile());
    let mut python = Command::new(dir().join("venv/bin/python"));
    python.arg(here().join("scenarios.py")).arg(name).env("BINARY", binary);
    python.env("DIR", dir()).env("PORT", port.to_string()).env("WORK", &work);
    let ran = python.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let tail: Vec<&str> = err.lines().rev().take(30).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    assert!(ran.status.success(), "{}", tail.join("\n"));
    out.lines().for_each(|line| println!("{name}: {line}"));
    let _ = std::fs::remove_dir_all(work);
    Ended::Well
}

/// A new directory: the path of a control socket is short.
fn tempfile() -> PathBuf {
    let began = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let dir = std::env::temp_dir().join(format!("gb-owui-{}", began.as_nanos()));
    std::fs::create_dir(&dir).unwrap();
    dir
}
