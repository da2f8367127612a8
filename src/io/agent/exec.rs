//! `exec`: one process for each turn (CONTRACT section 2). Its exit is the turn's end, its standard output the reply.

use super::Voice;
use super::child::{self, Groups, Started, Tail, Unstarted};
use super::template;
use crate::agent::{Said, line, pointer};
use crate::budget;
use crate::io::clock;
use crate::message::Turn;
use crate::reason::{Reason, Why};
use crate::settings::{Child, Stdin, Stdout};
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWriteExt, FutureExt, future};
use smol::channel::{Receiver, Sender, bounded};
use smol::{LocalExecutor, Task};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::process::ExitStatus;
use std::rc::Rc;

/// EX_TEMPFAIL: the program asks for time.
const BUSY: i32 = 75;

/// How the program is run.
pub struct How {
    /// The program and its arguments, with placeholders.
    pub argv: Vec<String>,
    /// What it reads.
    pub stdin: Stdin,
    /// What it writes.
    pub stdout: Stdout,
    /// Where and with what environment.
    pub child: Child,
}

/// The turns of one exec agent that run now. Whoever drops a turn's sender takes the turn back.
pub struct Exec {
    how: Rc<How>,
    voice: Rc<Voice>,
    groups: Groups,
    running: Rc<RefCell<BTreeMap<String, Sender<()>>>>,
    _looking: Task<()>,
}

impl Exec {
    /// Nothing runs yet: it is looked whether the program is there, again and again until it is; what else it needs is
    /// found out at each turn.
    #[must_use]
    pub fn new(how: How, voice: Rc<Voice>, groups: Groups, executor: &LocalExecutor<'static>) -> Self {
        let how = Rc::new(how);
        let looking = executor.spawn(appear(how.clone(), voice.clone()));
        Self { how, voice, groups, running: Rc::default(), _looking: looking }
    }

    /// Starts the turn's process.
    pub fn ask(&self, turn: Rc<Turn>, executor: &LocalExecutor<'static>) {
        let (keep, kept) = bounded(1);
        self.running.borrow_mut().insert(turn.id.clone(), keep);
        let (how, voice, groups) = (self.how.clone(), self.voice.clone(), self.groups.clone());
        let running = Rc::downgrade(&self.running);
        let task = async move {
            let id = turn.id.clone();
            let said = run(&how, turn, &voice, &groups, &kept).await;
            if kept.is_closed() {
                return;
            }
            if let Some(running) = running.upgrade() {
                running.borrow_mut().remove(&id);
            }
            voice.say(said).await;
        };
        executor.spawn(task).detach();
    }

    /// Ends the turn's process group; nothing is said of the turn any more.
    pub fn cancel(&self, turn: &str) {
        self.running.borrow_mut().remove(turn);
    }
}

/// Says that the agent is there as soon as its program is.
async fn appear(how: Rc<How>, voice: Rc<Voice>) {
    let mut told = None;
    while let Some(why) = how.argv.first().and_then(|program| child::lacks(program, &how.child)) {
        if told.as_ref() != Some(&why) {
            voice.say(Said::Gone(why.clone())).await;
            told = Some(why);
        }
        clock::sleep_until(clock::now().at.after_ms(budget::AGENT_LOOK_MS)).await;
    }
    voice.say(Said::Here).await;
}

/// Runs one turn to its end, or until `kept` closes: then what it says is meant for nobody.
async fn run(how: &How, turn: Rc<Turn>, voice: &Voice, groups: &Groups, kept: &Receiver<()>) -> Said<'static> {
    let own = turn.id.clone();
    let id = || Cow::Owned(own.clone());
    let failed = |detail: String| Said::Failed { turn: id(), why: Why::new(Reason::AgentFailed, detail) };
    let argv = match how.argv.iter().map(|arg| template::argument(arg, &turn)).collect::<Result<Vec<_>, _>>() {
        Ok(argv) => argv,
        Err(why) => return failed(why),
    };
    let Started { mut child, group, stderr } = match child::start(&argv, &how.child, how.stdin != Stdin::None, groups) {
        Ok(started) => started,
        Err(Unstarted::Absent(why)) => return Said::Absent { turn: id(), why },
        Err(Unstarted::Failed(why)) => return Said::Failed { turn: id(), why },
        Err(Unstarted::Short(why)) => {
            log::warn!("{}: {why}", voice.name);
            return Said::Busy { turn: id(), retry_ms: None };
        }
    };
    let input = match how.stdin {
        Stdin::Text => turn.message.text.clone(),
        Stdin::Json => line::message(&turn) + "\n",
        Stdin::None => String::new(),
    };
    drop(turn);
    let mut attend = pin!(attend(&mut child, &input, stderr, voice));
    let taken_back = async {
        let _ = kept.recv().await;
        None
    };
    let Some(ended) = async { Some(attend.as_mut().await) }.or(taken_back).await else {
        group.end(attend).await;
        return Said::None { turn: id() };
    };
    drop(group);
    if let Some(text) = ended.stderr.last(budget::STDERR_BYTES) {
        log::info!("{}: stderr: {text}", voice.name);
    }
    match ended.how {
        End::TooLong => super::too_long(id()),
        End::Lost(e) => failed(format!("its end could not be waited for: {e}")),
        End::Exit(status) if status.success() => answer(how, id(), ended.stdout, voice).await,
        End::Exit(status) if status.code() == Some(BUSY) => Said::Busy { turn: id(), retry_ms: None },
        End::Exit(status) => failed(child::ending(status, &ended.stderr)),
    }
}

/// What became of one process.
struct Ended {
    how: End,
    stdout: Vec<u8>,
    stderr: Tail,
}

enum End {
    Exit(ExitStatus),
    TooLong,
    Lost(std::io::Error),
}

impl From<std::io::Result<ExitStatus>> for End {
    fn from(status: std::io::Result<ExitStatus>) -> Self {
        status.map_or_else(Self::Lost, Self::Exit)
    }
}

/// Feeds and reads a child until it exited and its pipes are closed; a pipe that something else holds open after the
/// exit is read for `budget::AGENT_DRAIN_MS` more. The child need not read its input, nor keep its output open.
async fn attend(child: &mut smol::process::Child, input: &str, mut stderr: Tail, voice: &Voice) -> Ended {
    enum First {
        Exit(End),
        Read(Result<((), ()), TooLong>),
    }
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut stdout = Vec::new();
    let feed = async {
        if let Some(mut pipe) = stdin {
            // a closed pipe is a program that does not read: its right
            let _ = pipe.write_all(input.as_bytes()).await;
        }
        future::pending().await
    };
    let work = async {
        let keep_tail = async {
            stderr.fill(err).await;
            Ok(())
        };
        let mut read = pin!(future::try_zip(collect(out, &mut stdout, voice), keep_tail));
        let mut exit = pin!(child.status());
        let first = async { First::Read(read.as_mut().await) }.or(async { First::Exit(exit.as_mut().await.into()) });
        match first.await {
            First::Read(Err(TooLong)) => End::TooLong,
            First::Read(Ok(((), ()))) => exit.await.into(),
            First::Exit(end) => {
                let drained = clock::within(budget::AGENT_DRAIN_MS, read).await;
                if matches!(drained, Some(Err(TooLong))) { End::TooLong } else { end }
            }
        }
    };
    let how = work.or(feed).await;
    Ended { how, stdout, stderr }
}

/// More came than `budget::REPLY_BYTES` and a newline.
struct TooLong;

async fn collect(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, voice: &Voice) -> Result<(), TooLong> {
    let Some(mut from) = from else { return Ok(()) };
    let mut chunk = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        voice.breathe().await;
        into.extend_from_slice(chunk.get(..n).unwrap_or_default());
        if into.len() > budget::REPLY_BYTES + 1 {
            return Err(TooLong);
        }
    }
    Ok(())
}

/// What a successful program's output says.
async fn answer(how: &How, turn: Cow<'static, str>, stdout: Vec<u8>, voice: &Voice) -> Said<'static> {
    let text = voice.text(stdout, "standard output").await;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = match &how.stdout {
        Stdout::Text => Ok(Some(Cow::Borrowed(text))),
        Stdout::Json(_) if text.trim().is_empty() => Ok(None),
        Stdout::Json(at) => pointer::text(text, at),
    };
    super::ended(turn, text.map_err(|why| format!("its standard output: {why}")))
}
