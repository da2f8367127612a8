//! `status --watch`: the screen again every second, in place. A daemon that is away is said, and looked for again.

use super::client::Silence;
use super::status::{Paint, View, ask};
use super::{Exit, put, put_json};
use crate::io::clock;
use crate::moment::{Moment, rfc3339};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// Between looks.
const LOOK_MS: u64 = 1_000;
/// A daemon that has not answered for so long is said to be silent: what it said last must not stand as if it were now.
const ANSWER_MS: u64 = 2_000;

/// Until it is interrupted, or nobody reads it any more. Not on a terminal it prints one screen after the other, with an
/// empty line between; with `json` a line for each.
pub fn watch(socket: &Path, json: bool) -> Exit {
    let terminal = std::io::stdout().is_terminal() && !json;
    let mut due = clock::now().at;
    loop {
        let screen = look(socket, json);
        let told = match (terminal, json) {
            (true, _) => draw(&screen),
            (false, true) => put_json(&screen),
            (false, false) => put(&(screen + "\n")),
        };
        if let Err(exit) = told {
            return exit;
        }
        due = next(due, clock::now().at);
        std::thread::sleep(Duration::from_millis(due.since_ms(clock::now().at)));
    }
}

/// A second after the last look, or now when that is past.
fn next(last: Moment, now: Moment) -> Moment {
    last.after_ms(LOOK_MS).max(now)
}

fn look(socket: &Path, json: bool) -> String {
    match ask(socket, ANSWER_MS) {
        Ok((line, _)) if json => line,
        Ok((_, view)) => screen(view),
        Err(silence) => {
            let what = match silence {
                Silence::Late => format!("the daemon does not answer within {} s", ANSWER_MS / 1000),
                Silence::Gone(what) => what,
            };
            if json { serde_json::json!({ "absent": what }).to_string() } else { dated(&what) }
        }
    }
}

fn screen(view: View) -> String {
    dated(view.painted(Paint::of_terminal()).screen(clock::now().wall_ms).trim_end())
}

/// With the time above it: whoever looks sees that it is of now.
fn dated(text: &str) -> String {
    format!("{}\n{text}", rfc3339(clock::now().wall_ms))
}

fn draw(screen: &str) -> Result<(), Exit> {
    let window = rustix::termios::tcgetwinsize(std::io::stdout());
    let (rows, columns) = window.map_or((24, 80), |size| (usize::from(size.ws_row), usize::from(size.ws_col)));
    let frame = frame(screen, rows, columns);
    let mut out = std::io::stdout().lock();
    match out.write_all(frame.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Exit::Done),
        Err(_) => Err(Exit::Internal),
    }
}

/// What redraws a window of this size (0: unknown): from its first place on, each line to its end, the rest emptied. The
/// worst stands first, so what does not fit is cut off at the end and counted.
#[must_use]
pub fn frame(screen: &str, rows: usize, columns: usize) -> String {
    let (rows, columns) = (if rows == 0 { 24 } else { rows }, if columns == 0 { 80 } else { columns });
    let mut out = String::from("\x1b[H");
    let (mut used, mut lines) = (0, screen.lines().peekable());
    while let Some(line) = lines.next() {
        let high = width(line).div_ceil(columns).max(1);
        // the last row is kept free: a line break there would scroll
        let room = rows.saturating_sub(1).saturating_sub(used);
        if high > room || high == room && lines.peek().is_some() {
            out += &format!("… and {} more line(s)\x1b[K\n", 1 + lines.count());
            break;
        }
        used += high;
        out += line;
        out += "\x1b[K\n";
    }
    out + "\x1b[J"
}

/// Columns that a line takes: characters without the colours between them. Wide ones count once.
fn width(line: &str) -> usize {
    let mut colour = false;
    let shown = line.chars().filter(|c| {
        let hidden = colour || *c == '\x1b';
        colour = hidden && *c != 'm';
        !hidden
    });
    shown.count()
}
