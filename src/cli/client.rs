//! The other end of the control socket: asks the running daemon.

use super::said::{self, Said};
use super::{Exit, complain, plain};
use crate::budget;
use crate::io::clock;
use crate::io::control::Request;
use crate::moment::Moment;
use crate::reason::Reason;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the daemon may take to answer.
pub const ANSWER_MS: u64 = 10_000;

/// A connection to the daemon.
pub struct Daemon {
    stream: BufReader<UnixStream>,
    path: PathBuf,
    /// The part of a line that came so far.
    begun: Vec<u8>,
}

/// What the daemon says.
pub enum Answer {
    /// The status, as its JSON text.
    Status(String),
    /// The letters, as their JSON text.
    Letters(String),
    /// A line of `tail`.
    Tail(String),
    /// It was done.
    Done(String),
    /// It waits.
    Queued(String),
    /// It was refused: why, a line or a few.
    Refused(String),
}

/// Why there is no answer.
pub enum Silence {
    /// Not in time.
    Late,
    /// The daemon does not run, went away or speaks something else: a sentence.
    Gone(String),
}

impl Silence {
    /// Says it; the exit code that goes with it.
    pub fn exit(self) -> Exit {
        match self {
            Self::Late => complain("the daemon does not answer in time; what it was asked for it may still do"),
            Self::Gone(what) => complain(what),
        }
        Exit::Unavailable
    }
}

impl Daemon {
    /// Connects and asks.
    ///
    /// # Errors
    /// `Silence::Gone` when nobody listens.
    pub fn ask(path: &Path, request: &Request) -> Result<Self, Silence> {
        let stream = UnixStream::connect(path).map_err(|error| Silence::Gone(absent(path, &error)))?;
        let mut daemon = Self { stream: BufReader::new(stream), path: path.to_owned(), begun: Vec::new() };
        let mut line = serde_json::to_vec(request).map_err(|error| Silence::Gone(error.to_string()))?;
        line.push(b'\n');
        let _ = daemon.stream.get_ref().set_write_timeout(Some(Duration::from_millis(ANSWER_MS)));
        // a daemon that hangs up while we ask may have said why: that is read next
        let _ = daemon.stream.get_mut().write_all(&line);
        Ok(daemon)
    }

    /// The status of the daemon at `path`, as its JSON text, waited for `ms` milliseconds at most.
    ///
    /// # Errors
    /// As [`Silence`] says.
    pub fn status(path: &Path, ms: u64) -> Result<String, Silence> {
        let deadline = clock::now().at.after_ms(ms);
        let request = Request { cmd: "status".to_owned(), ..Request::default() };
        match Self::ask(path, &request)?.next(Some(deadline))? {
            Answer::Status(json) => Ok(json),
            Answer::Refused(why) => Err(Silence::Gone(why)),
            Answer::Letters(_) | Answer::Tail(_) | Answer::Done(_) | Answer::Queued(_) => {
                Err(Silence::Gone("the daemon does not say its status".to_owned()))
            }
        }
    }

    /// The next line, waited for until `deadline`; without one, for ever.
    ///
    /// # Errors
    /// As [`Silence`] says.
    pub fn next(&mut self, deadline: Option<Moment>) -> Result<Answer, Silence> {
        let line = self.line(deadline)?;
        let line = std::str::from_utf8(&line).map_err(|_| self.gone("says what is no text"))?;
        said::read(line, answer)
            .map_err(|what| self.gone(&format!("says what cannot be read: {what}")))?
            .ok_or_else(|| self.gone("says what this version does not know"))
    }

    fn line(&mut self, deadline: Option<Moment>) -> Result<Vec<u8>, Silence> {
        loop {
            let rest = deadline.map(|deadline| deadline.since_ms(clock::now().at));
            if rest == Some(0) {
                return Err(Silence::Late);
            }
            let _ = self.stream.get_ref().set_read_timeout(rest.map(Duration::from_millis));
            let room = (budget::CONTROL_ANSWER_BYTES - self.begun.len().min(budget::CONTROL_ANSWER_BYTES)) as u64;
            let read = (&mut self.stream).take(room).read_until(b'\n', &mut self.begun);
            match read {
                Ok(_) if self.begun.last() == Some(&b'\n') => return Ok(std::mem::take(&mut self.begun)),
                Ok(_) if room == 0 => return Err(self.gone("says more than this program takes")),
                Ok(0) => return Err(self.gone("hung up")),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(self.gone(&format!("hung up ({error})"))),
                },
            }
        }
    }

    fn gone(&self, what: &str) -> Silence {
        Silence::Gone(format!("the daemon at {} {what}", self.path.display()))
    }
}

fn answer(said: &Said<'_>) -> Option<Answer> {
    let raw = |name| said.raw(name).map(str::to_owned);
    raw("status")
        .map(Answer::Status)
        .or_else(|| raw("letters").map(Answer::Letters))
        .or_else(|| said.some_text("tail").map(Answer::Tail))
        .or_else(|| said.some_text("done").map(Answer::Done))
        .or_else(|| said.some_text("queued").map(Answer::Queued))
        .or_else(|| said.some("refused").map(|refused| Answer::Refused(words(&refused))))
}

/// A refusal in words.
fn words(refused: &Said<'_>) -> String {
    let code = refused.text("reason");
    let sentence = Reason::ALL.iter().find(|reason| reason.code() == code).map(|reason| reason.sentence());
    let detail = refused.text("detail").lines().map(plain).collect::<Vec<_>>().join("\n");
    // that what was asked cannot be taken is what the words say already
    if code == Reason::ControlRequest.code() && !detail.is_empty() {
        return detail;
    }
    match sentence {
        Some(sentence) => format!("{detail} ({}: {sentence})", plain(&code)),
        None => format!("{detail} ({})", plain(&code)),
    }
}

fn absent(path: &Path, error: &std::io::Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!("no daemon answers at {path}: start it with guild-bridge run, or name its socket with --socket")
        }
        ErrorKind::PermissionDenied => {
            format!("{path} may not be opened: only the daemon's user, its group and root may ask")
        }
        _ => format!("{path}: {error}"),
    }
}

/// Asks for one thing and says what came of it: 0 done, 1 refused, 69 no answer.
pub fn once(path: &Path, request: &Request) -> Exit {
    let deadline = clock::now().at.after_ms(ANSWER_MS);
    let answer = Daemon::ask(path, request).and_then(|mut daemon| daemon.next(Some(deadline)));
    match answer {
        Ok(
            Answer::Done(said)
            | Answer::Queued(said)
            | Answer::Tail(said)
            | Answer::Status(said)
            | Answer::Letters(said),
        ) => super::put(&plain(&said)).err().unwrap_or(Exit::Done),
        Ok(Answer::Refused(why)) => {
            complain(why);
            Exit::No
        }
        Err(silence) => silence.exit(),
    }
}
