//! `reload`: the daemon reads its configuration again. It says what it will change, and then what it changed.

use super::client::{ANSWER_MS, Answer, Daemon};
use super::{Exit, complain, plain, put};
use crate::io::clock;
use crate::io::control::Request;
use std::path::Path;

/// 0 when it was taken, 1 when it is bad and nothing was changed. `dry`: it is told what would change, and nothing does.
pub fn reload(socket: &Path, dry: bool) -> Exit {
    let cmd = if dry { "reload-plan" } else { "reload" };
    let deadline = Some(clock::now().at.after_ms(ANSWER_MS));
    let mut daemon = match Daemon::ask(socket, &Request { cmd: cmd.to_owned(), ..Request::default() }) {
        Ok(daemon) => daemon,
        Err(silence) => return silence.exit(),
    };
    loop {
        let (said, last) = match daemon.next(deadline) {
            Ok(Answer::Queued(said)) => (said, false),
            Ok(Answer::Done(said) | Answer::Tail(said) | Answer::Status(said) | Answer::Letters(said)) => (said, true),
            Ok(Answer::Refused(why)) => {
                complain(why);
                return Exit::No;
            }
            Err(silence) => return silence.exit(),
        };
        for line in said.lines() {
            if let Err(exit) = put(&plain(line)) {
                return exit;
            }
        }
        if last {
            return Exit::Done;
        }
    }
}
