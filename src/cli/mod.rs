//! What people type: one file a command. The daemon's face (CONTRACT section 3).

mod check;
mod client;
mod config;
mod doctor;
mod help;
pub mod letters;
mod log;
mod nudge;
mod reload;
mod restart;
mod run;
mod said;
mod send;
pub mod status;
mod tail;
pub mod unit;
pub mod watch;

use crate::config::schema::nearest;
use crate::text::plain;
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How a command ends: the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done.
    Done = 0,
    /// The answer is no.
    No = 1,
    /// The command line is wrong.
    Usage = 64,
    /// The daemon does not answer.
    Unavailable = 69,
    /// A fault of this program.
    Internal = 70,
    /// Not now: a second copy on one state directory, a `send` that is still queued.
    Temporary = 75,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The commands, and what comes with a later version.
const COMMANDS: &[&str] =
    &["run", "check", "doctor", "status", "send", "tail", "letters", "restart", "reload", "nudge", "config"];
const LATER: &[&str] = &["budget"];
const OPTIONS: &[&str] = &[
    "--config",
    "--state-dir",
    "--socket",
    "--json",
    "--wait",
    "--check",
    "--watch",
    "--dry-run",
    "--help",
    "--version",
];

/// The configuration, where none is named.
const CONFIG: &str = "/etc/guild-bridge/config.json";

/// What was typed.
#[derive(Default)]
struct Typed {
    /// The command and its arguments.
    words: Vec<OsString>,
    config: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    socket: Option<PathBuf>,
    status: status::Wish,
    /// `reload --dry-run`.
    dry_run: bool,
    /// An option that goes with `status` alone.
    status_option: Option<&'static str>,
}

impl Typed {
    /// Whether the configuration is the one that the service runs with.
    fn is_installed(&self) -> bool {
        self.config() == Path::new(CONFIG)
    }

    fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG))
    }

    fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| PathBuf::from("/run/guild-bridge/control.sock"))
    }
}

/// A command line that cannot be followed: what is wrong and what to do.
struct Usage(String);

impl<E: Display> From<E> for Usage {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Does what `arguments` (without the program's name) ask for. `heap` tells the bytes in use and the most there were.
pub fn main(arguments: impl IntoIterator<Item = OsString>, heap: fn() -> (usize, usize)) -> ExitCode {
    let done = match parse(Parser::from_args(arguments)) {
        Ok(Asked::Help) => say(help::TEXT),
        Ok(Asked::Version) => say(&help::version()),
        Ok(Asked::Command(typed)) => command(typed, heap),
        Err(usage) => Err(usage),
    };
    let exit = done.unwrap_or_else(|Usage(what)| {
        complain(format_args!("{what}; see guild-bridge --help"));
        Exit::Usage
    });
    exit.into()
}

enum Asked {
    Help,
    Version,
    Command(Typed),
}

fn parse(mut parser: Parser) -> Result<Asked, Usage> {
    let mut typed = Typed::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Asked::Version),
            Arg::Long("config") => typed.config = Some(path(&mut parser, "--config")?),
            Arg::Long("state-dir") => typed.state_dir = Some(path(&mut parser, "--state-dir")?),
            Arg::Long("socket") => typed.socket = Some(path(&mut parser, "--socket")?),
            Arg::Long("json") => {
                typed.status.json = true;
                typed.status_option = Some("--json");
            }
            Arg::Long("wait") => {
                let seconds: u32 = parser.value()?.parse().map_err(|_| "--wait takes whole seconds")?;
                typed.status.wait_s = Some(seconds.into());
                typed.status_option = Some("--wait");
            }
            Arg::Long("check") => {
                typed.status.check = Some(match parser.value()?.to_str() {
                    Some("local") => status::Check::Local,
                    Some("guild") => status::Check::Guild,
                    _ => return Err("--check takes local or guild".into()),
                });
                typed.status_option = Some("--check");
            }
            Arg::Long("dry-run") => typed.dry_run = true,
            Arg::Long("watch") => {
                typed.status.watch = true;
                typed.status_option = Some("--watch");
            }
            Arg::Value(word) => typed.words.push(word),
            Arg::Long(name) => return Err(unknown("option", &format!("--{name}"), OPTIONS)),
            Arg::Short(letter) => return Err(format!("unknown option -{letter}").into()),
        }
    }
    Ok(Asked::Command(typed))
}

fn path(parser: &mut Parser, option: &str) -> Result<PathBuf, Usage> {
    let value = parser.value()?;
    if value.is_empty() {
        return Err(format!("{option} is empty").into());
    }
    Ok(PathBuf::from(value))
}

fn command(typed: Typed, heap: fn() -> (usize, usize)) -> Result<Exit, Usage> {
    let mut words = Vec::new();
    for word in &typed.words {
        words.push(word.to_str().ok_or("an argument is not UTF-8")?);
    }
    let Some((&name, arguments)) = words.split_first() else { return Err("a command is missing".into()) };
    if LATER.contains(&name) {
        return Err(format!("{name} comes with a later version").into());
    }
    let lists = name == "letters" && matches!(arguments, [] | ["show", ..]);
    let fits = |option: &str| name == "status" || (lists || name == "doctor") && option == "--json";
    if let Some(option) = typed.status_option.filter(|option| !fits(option)) {
        if name == "letters" && option == "--json" {
            return Err(
                "--json goes with status, doctor, letters and letters show, not with letters retry or drop".into()
            );
        }
        return Err(format!("{option} goes with status, not with {name}").into());
    }
    if typed.dry_run && name != "reload" {
        return Err(format!("--dry-run goes with reload, not with {name}").into());
    }
    if typed.status.watch && (typed.status.wait_s.is_some() || typed.status.check.is_some()) {
        return Err("--watch goes without --wait and --check".into());
    }
    match (name, arguments) {
        ("run", []) => Ok(run::run(&typed, heap)),
        ("check", []) => Ok(check::check(&typed)),
        ("doctor", []) => Ok(doctor::doctor(&typed, None)),
        ("doctor", [agent]) => Ok(doctor::doctor(&typed, Some(agent))),
        ("status", []) => Ok(status::status(&typed.socket(), &typed.status)),
        ("letters", []) => Ok(letters::list(&typed.socket(), typed.status.json)),
        ("letters", ["show", key]) => Ok(letters::show(&typed.socket(), key, typed.status.json)),
        ("letters", ["retry"]) => Ok(letters::retry(&typed.socket(), None)),
        ("letters", ["retry", which]) => Ok(letters::retry(&typed.socket(), Some(which))),
        ("letters", ["drop"]) => Ok(letters::forget(&typed.socket(), None)),
        ("letters", ["drop", which]) => Ok(letters::forget(&typed.socket(), Some(which))),
        ("letters", _) => Err("letters takes nothing, show KEY, retry [KEY|AGENT] or drop [KEY|AGENT]".into()),
        ("nudge", []) => Ok(nudge::nudge(&typed.socket())),
        ("reload", []) => Ok(reload::reload(&typed.socket(), typed.dry_run)),
        ("restart", [agent]) => Ok(restart::restart(&typed.socket(), agent)),
        ("tail", []) => Ok(tail::tail(&typed.socket(), None)),
        ("tail", [agent]) => Ok(tail::tail(&typed.socket(), Some(agent))),
        ("send", [agent, channel, text]) => send::send(&typed.socket(), agent, channel, text),
        ("config", ["from-uci"]) => Ok(config::from_uci("-")),
        ("config", ["from-uci", file]) => Ok(config::from_uci(file)),
        ("config", _) => Err("config takes from-uci [FILE]".into()),
        ("send", _) => Err("send takes AGENT CHANNEL TEXT".into()),
        ("doctor", _) => Err("doctor takes at most one AGENT".into()),
        ("restart", _) => Err("restart takes AGENT".into()),
        ("tail", _) => Err("tail takes at most one AGENT".into()),
        (known, [extra, ..]) if COMMANDS.contains(&known) => Err(format!("{known} takes no `{extra}`").into()),
        (other, _) => Err(unknown("command", other, COMMANDS)),
    }
}

fn unknown(what: &str, name: &str, known: &[&'static str]) -> Usage {
    match nearest(name, known.iter().copied()) {
        Some(near) => Usage(format!("unknown {what} {name} (did you mean {near}?)")),
        None => Usage(format!("unknown {what} {name}")),
    }
}

/// Writes to standard output. Nobody who reads it is no fault: `tail | head` ends well.
fn say(text: &str) -> Result<Exit, Usage> {
    Ok(match put(text) {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    })
}

/// A line on standard output, or how to end when it cannot be written.
fn put(text: &str) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Exit::Done),
        Err(error) => {
            complain(format_args!("standard output: {error}"));
            Err(Exit::Internal)
        }
    }
}

/// The same with JSON, whose strings may be others' text.
fn put_json(json: &str) -> Result<(), Exit> {
    put(&crate::text::plain_json(json.trim_end()))
}

/// A line on standard error; where that is gone, too, there is nobody to tell.
fn complain(what: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "guild-bridge: {what}");
}
