//! What people type: one file a command. The daemon's face (CONTRACT section 3).

pub mod budget;
mod check;
mod client;
mod config;
mod doctor;
pub mod help;
pub mod letters;
mod log;
mod nudge;
pub mod pages;
mod reload;
mod restart;
mod run;
mod said;
mod send;
pub mod status;
pub mod table;
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
use table::{Does, Row};

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
    /// The options, in their order.
    given: Vec<&'static str>,
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
        Ok(Asked::Help) => say(&help::text()),
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
        let option = match arg {
            Arg::Short('h') => return Ok(Asked::Help),
            Arg::Short('V') => return Ok(Asked::Version),
            Arg::Short(letter) => return Err(format!("unknown option -{letter}").into()),
            Arg::Value(word) => {
                typed.words.push(word);
                continue;
            }
            Arg::Long(name) => option(&format!("--{name}"))?,
        };
        match option {
            "--help" => return Ok(Asked::Help),
            "--version" => return Ok(Asked::Version),
            "--config" => typed.config = Some(path(&mut parser, option)?),
            "--state-dir" => typed.state_dir = Some(path(&mut parser, option)?),
            "--socket" => typed.socket = Some(path(&mut parser, option)?),
            "--json" => typed.status.json = true,
            "--watch" => typed.status.watch = true,
            "--dry-run" => typed.dry_run = true,
            "--wait" => {
                let seconds: u32 = parser.value()?.parse().map_err(|_| "--wait takes whole seconds")?;
                typed.status.wait_s = Some(seconds.into());
            }
            "--check" => {
                typed.status.check = Some(match parser.value()?.to_str() {
                    Some("local") => status::Check::Local,
                    Some("guild") => status::Check::Guild,
                    _ => return Err("--check takes local or guild".into()),
                });
            }
            other => return Err(format!("{other} is in the table of options and not taken").into()),
        }
        typed.given.push(option);
    }
    Ok(Asked::Command(typed))
}

/// An option of the table.
fn option(name: &str) -> Result<&'static str, Usage> {
    let known = table::options().map(table::Opt::name);
    known.clone().find(|known| *known == name).ok_or_else(|| unknown("option", name, known))
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
    let row = row(&words)?;
    if let Some(option) = typed.given.iter().find(|option| !row.takes(option)) {
        let words: Vec<&str> = row.words().collect();
        return Err(format!("{option} goes with {}, not with {}", table::with(option), words.join(" ")).into());
    }
    if typed.status.watch && (typed.status.wait_s.is_some() || typed.status.check.is_some()) {
        return Err("--watch goes without --wait and --check".into());
    }
    let (socket, json) = (typed.socket(), typed.status.json);
    let arguments = words.get(row.words().count()..).unwrap_or_default();
    let first = arguments.first().copied();
    match (row.does, arguments) {
        (Does::Run, _) => Ok(run::run(&typed, heap)),
        (Does::Check, _) => Ok(check::check(&typed)),
        (Does::Doctor, _) => Ok(doctor::doctor(&typed, first)),
        (Does::Status, _) => Ok(status::status(&socket, &typed.status)),
        (Does::Letters, _) => Ok(letters::list(&socket, json)),
        (Does::RetryLetters, _) => Ok(letters::retry(&socket, first)),
        (Does::DropLetters, _) => Ok(letters::forget(&socket, first)),
        (Does::Budget, _) => Ok(budget::budget(&typed, json)),
        (Does::Nudge, _) => Ok(nudge::nudge(&socket)),
        (Does::Reload, _) => Ok(reload::reload(&socket, typed.dry_run)),
        (Does::Tail, _) => Ok(tail::tail(&socket, first)),
        (Does::FromUci, _) => Ok(config::from_uci(first.unwrap_or("-"))),
        (Does::ShowLetter, [key]) => Ok(letters::show(&socket, key, json)),
        (Does::Restart, [agent]) => Ok(restart::restart(&socket, agent)),
        (Does::Send, [agent, channel, text]) => send::send(&socket, agent, channel, text),
        (Does::ShowLetter | Does::Restart | Does::Send, _) => Err(takes(row.name(), &words)),
    }
}

/// The row of the table that was typed.
fn row(words: &[&str]) -> Result<&'static Row, Usage> {
    let Some(&name) = words.first() else { return Err("a command is missing".into()) };
    if !table::names().any(|known| known == name) {
        return Err(unknown("command", name, table::names()));
    }
    table::ROWS.iter().find(|row| row.name() == name && row.fits(words)).ok_or_else(|| takes(name, words))
}

/// What a command takes, where it was given something else.
fn takes(name: &str, words: &[&str]) -> Usage {
    match (table::forms(name).as_str(), words.get(1)) {
        ("nothing", Some(extra)) => Usage(format!("{name} takes no `{extra}`")),
        (forms, _) => Usage(format!("{name} takes {forms}")),
    }
}

fn unknown(what: &str, name: &str, known: impl Iterator<Item = &'static str> + Clone) -> Usage {
    match nearest(name, known) {
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
