//! `status`: what the running daemon says of itself, for people and for scripts.

mod agent;
mod link;
mod view;
mod words;

pub use view::{Paint, View};
pub(super) use words::{age, bytes, in_words};

use super::client::{ANSWER_MS, Daemon, Silence};
use super::{Exit, complain, put, put_json, watch};
use crate::io::clock;
use std::path::Path;
use std::time::Duration;

/// Between looks of `--wait`.
const LOOK_MS: u64 = 250;

/// What is asked of `status`.
#[derive(Default)]
pub struct Wish {
    /// JSON instead of a screen.
    pub json: bool,
    /// Wait so long for a yes.
    pub wait_s: Option<u64>,
    /// What yes means.
    pub check: Option<Check>,
    /// Again and again, in place.
    pub watch: bool,
}

/// What `--check` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The daemon answers: its loop turns.
    Local,
    /// Every link with a key is live, or unproven without a fault.
    Guild,
}

/// Asks once, or until yes; prints what came last.
pub fn status(socket: &Path, wish: &Wish) -> Exit {
    if wish.watch {
        return watch::watch(socket, wish.json);
    }
    let deadline = wish.wait_s.map(|seconds| clock::now().at.after_ms(seconds * 1000));
    loop {
        let left = deadline.map_or(ANSWER_MS, |deadline| deadline.since_ms(clock::now().at));
        let answer = ask(socket, left.clamp(LOOK_MS, ANSWER_MS));
        let good = match &answer {
            Ok((_, view)) => deadline.is_none() && wish.check.is_none() || view.wanting(wish.check).is_empty(),
            Err(_) => false,
        };
        let rest = deadline.map_or(0, |deadline| deadline.since_ms(clock::now().at));
        if !good && rest > 0 {
            std::thread::sleep(Duration::from_millis(rest.min(LOOK_MS)));
            continue;
        }
        return match answer {
            Ok((json, view)) => tell(&json, &view.painted(Paint::of_terminal()), wish, good),
            Err(silence) => silence.exit(),
        };
    }
}

pub(super) fn ask(socket: &Path, ms: u64) -> Result<(String, View), Silence> {
    let json = Daemon::status(socket, ms)?;
    let view = View::read(&json).map_err(Silence::Gone)?;
    Ok((json, view))
}

fn tell(json: &str, view: &View, wish: &Wish, good: bool) -> Exit {
    let done = if wish.json { put_json(json) } else { put(view.screen(clock::now().wall_ms).trim_end()) };
    if let Err(exit) = done {
        return exit;
    }
    if good {
        return Exit::Done;
    }
    view.wanting(wish.check).iter().for_each(complain);
    Exit::No
}
