//! `tail [AGENT]`: follows what passes, one line a message.

use super::client::{Answer, Daemon};
use super::{Exit, complain, plain, put};
use crate::io::control::Request;
use std::path::Path;

/// Until it is interrupted, nobody reads on, or the daemon ends (69).
pub fn tail(socket: &Path, agent: Option<&str>) -> Exit {
    let request = Request { cmd: "tail".to_owned(), agent: agent.map(str::to_owned), ..Request::default() };
    let mut daemon = match Daemon::ask(socket, &request) {
        Ok(daemon) => daemon,
        Err(silence) => return silence.exit(),
    };
    loop {
        match daemon.next(None) {
            Ok(Answer::Tail(line)) => {
                if let Err(exit) = put(&plain(&line)) {
                    return exit;
                }
            }
            Ok(Answer::Done(said) | Answer::Queued(said) | Answer::Status(said) | Answer::Letters(said)) => {
                complain(plain(&said))
            }
            Ok(Answer::Refused(why)) => {
                complain(why);
                return Exit::No;
            }
            Err(silence) => return silence.exit(),
        }
    }
}
