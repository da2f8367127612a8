//! `send AGENT CHANNEL TEXT`: posts as the agent.

use super::client::{ANSWER_MS, Answer, Daemon, Silence};
use super::{Exit, Usage, complain, plain, put};
use crate::budget;
use crate::io::clock;
use crate::io::control::Request;
use std::io::Read;
use std::path::Path;

/// 0 stored, 75 still queued after 10 s, 1 refused, 69 no answer.
pub fn send(socket: &Path, agent: &str, channel: &str, text: &str) -> Result<Exit, Usage> {
    let text = if text == "-" { stdin()? } else { text.to_owned() };
    if text.trim().is_empty() {
        return Err("TEXT is empty".into());
    }
    let request = Request {
        cmd: "send".to_owned(),
        agent: Some(agent.to_owned()),
        channel: Some(channel.to_owned()),
        text: Some(text),
        ..Request::default()
    };
    let size = serde_json::to_vec(&request)?.len();
    if size > budget::CONTROL_LINE_BYTES {
        return Err(format!("TEXT is too long: {size} of at most {} bytes", budget::CONTROL_LINE_BYTES).into());
    }
    let deadline = Some(clock::now().at.after_ms(ANSWER_MS));
    let mut daemon = match Daemon::ask(socket, &request) {
        Ok(daemon) => daemon,
        Err(silence) => return Ok(silence.exit()),
    };
    let mut queued = None;
    loop {
        match daemon.next(deadline) {
            Ok(Answer::Queued(said)) => queued = Some(said),
            Ok(Answer::Done(said) | Answer::Tail(said) | Answer::Status(said) | Answer::Letters(said)) => {
                return Ok(put(&plain(&said)).err().unwrap_or(Exit::Done));
            }
            Ok(Answer::Refused(why)) => {
                complain(why);
                return Ok(Exit::No);
            }
            Err(silence) => return Ok(unsettled(queued, silence)),
        }
    }
}

/// The daemon took it but cannot say yet what became of it.
fn unsettled(queued: Option<String>, silence: Silence) -> Exit {
    match (queued, silence) {
        (Some(said), Silence::Late) => {
            complain(format_args!("still queued: {}", plain(&said)));
            Exit::Temporary
        }
        (Some(said), Silence::Gone(what)) => {
            complain(format_args!("{what}; it was queued: {}", plain(&said)));
            Exit::Temporary
        }
        (None, Silence::Late) => {
            complain("the daemon does not answer; it may have taken this: look before it is sent again");
            Exit::Temporary
        }
        (None, silence) => silence.exit(),
    }
}

/// Standard input up to its end, one trailing line break cut.
fn stdin() -> Result<String, Usage> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(budget::CONTROL_LINE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > budget::CONTROL_LINE_BYTES {
        return Err(format!("standard input is longer than {} bytes", budget::CONTROL_LINE_BYTES).into());
    }
    let text = String::from_utf8(bytes).map_err(|_| "standard input is not UTF-8")?;
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}
