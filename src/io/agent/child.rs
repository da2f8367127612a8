//! An agent's program: a scrubbed environment, a process group of its own, and nothing of it left behind.

use crate::budget;
use crate::io::clock;
use crate::io::secret;
use crate::reason::{Reason, Why};
use crate::secret::Secret;
use crate::settings;
use crate::text::Clipped;
use futures_lite::{AsyncRead, AsyncReadExt};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use smol::Timer;
use smol::process::Child;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

/// A value of the environment that is shorter is shown where a child writes it: hiding it would hide half of the words.
const SECRET_HIDDEN: usize = 6;
/// What a child gets as PATH when the daemon itself has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The process groups that may still run: all of them are killed when the daemon lets go of its agents.
#[derive(Clone, Default)]
pub struct Groups(Rc<RefCell<HashSet<Pid>>>);

impl Groups {
    /// KILL to all.
    pub fn kill(&self) {
        for id in std::mem::take(&mut *self.0.borrow_mut()) {
            // it may have ended by itself
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// One child's process group. Dropping it kills whatever of it still runs: nothing outlives its turn.
pub struct Group {
    id: Pid,
    all: Groups,
}

impl Group {
    /// TERM, up to `budget::AGENT_TERM_MS` for `exit` and then for the rest of the group to go, then KILL. `exit` goes on
    /// reading what the child writes: a closed pipe would end it before it has cleaned up.
    pub async fn end(self, exit: impl Future) {
        let _ = kill_process_group(self.id, Signal::TERM);
        let gone = async {
            exit.await;
            while test_kill_process_group(self.id).is_ok() {
                after(20).await;
            }
        };
        clock::within(budget::AGENT_TERM_MS, gone).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.all.0.borrow_mut().remove(&self.id) {
            let _ = kill_process_group(self.id, Signal::KILL);
        }
    }
}

/// Why a program did not start.
pub enum Unstarted {
    /// It is not there, or lacks something to start with: waiting helps once somebody acts.
    Absent(Why),
    /// The board is short of processes, memory or files just now.
    Short(Why),
    /// It cannot be started like this.
    Failed(Why),
}

impl Unstarted {
    /// Class and detail.
    #[must_use]
    pub fn why(self) -> Why {
        match self {
            Self::Absent(why) | Self::Short(why) | Self::Failed(why) => why,
        }
    }
}

/// A child that runs.
pub struct Started {
    /// The process.
    pub child: Child,
    /// Its process group.
    pub group: Group,
    /// For its standard error.
    pub stderr: Tail,
}

/// Starts `argv` with pipes on standard output and error, and on standard input where `stdin` says so (else `/dev/null`).
///
/// # Errors
/// What is missing, by name.
pub fn start(argv: &[String], child: &settings::Child, stdin: bool, groups: &Groups) -> Result<Started, Unstarted> {
    let absent = |detail: String| Unstarted::Absent(Why::new(Reason::AgentMissing, detail));
    let (program, args) = argv.split_first().ok_or_else(|| absent("no program is configured".into()))?;
    let cwd = child.cwd.as_deref().unwrap_or(Path::new("/"));
    if !cwd.is_dir() {
        return Err(absent(format!("its working directory {} is not there", cwd.display())));
    }
    let mut command = std::process::Command::new(program);
    command.args(args).current_dir(cwd).process_group(0).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| PATH.into())).env("HOME", cwd);
    for name in ["LANG", "TZ"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(&child.env);
    let mut secrets = Vec::new();
    for (name, file) in &child.env_files {
        let value = secret::read(file, secret::credentials().as_deref())
            .map_err(|why| absent(format!("{name} for its environment: {why}")))?;
        command.env(name, value.expose());
        secrets.push(value);
    }
    let stdin = if stdin { Stdio::piped() } else { Stdio::null() };
    let mut command = smol::process::Command::from(command);
    // set here: the conversion forgets what was set before
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|e| unstarted(program, &e))?;
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let id = id.ok_or_else(|| absent(format!("{program} has no process id")))?;
    groups.0.borrow_mut().insert(id);
    Ok(Started { child, group: Group { id, all: groups.clone() }, stderr: Tail::hiding(secrets) })
}

/// What a program lacks to be started, seen without starting it. Where its name is made of a message, nothing can be seen.
#[must_use]
pub fn lacks(program: &str, child: &settings::Child) -> Option<Why> {
    let absent = |detail: String| Some(Why::new(Reason::AgentMissing, detail));
    let cwd = child.cwd.as_deref().unwrap_or(Path::new("/"));
    if !cwd.is_dir() {
        return absent(format!("its working directory {} is not there", cwd.display()));
    }
    if !program.contains('/') || program.contains('{') {
        return None;
    }
    // a relative path begins in its working directory (execve)
    match rustix::fs::access(cwd.join(program), rustix::fs::Access::EXEC_OK) {
        Ok(()) => None,
        Err(errno) => match unstarted(program, &errno.into()) {
            Unstarted::Absent(why) => Some(why),
            Unstarted::Short(_) | Unstarted::Failed(_) => None,
        },
    }
}

fn unstarted(program: &str, error: &std::io::Error) -> Unstarted {
    let why = |reason, hint: &str| Why::new(reason, format!("{program} cannot be started: {error}{hint}"));
    match error.kind() {
        ErrorKind::NotFound => Unstarted::Absent(why(Reason::AgentMissing, " (it, or what its first line names)")),
        ErrorKind::PermissionDenied => Unstarted::Absent(why(Reason::AgentMissing, " (is it executable?)")),
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => Unstarted::Short(why(Reason::AgentBusy, "")),
        // EMFILE, ENFILE: std has no stable kind for them
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => Unstarted::Short(why(Reason::AgentBusy, "")),
        _ => Unstarted::Failed(why(Reason::AgentFailed, "")),
    }
}

/// How a child ended, for people.
#[must_use]
pub fn ending(status: ExitStatus, stderr: &Tail) -> String {
    use std::os::unix::process::ExitStatusExt;
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("it exited with {code}"),
        (None, Some(signal)) => format!("signal {signal} ended it"),
        (None, None) => "it ended".to_owned(),
    };
    match stderr.last(budget::DETAIL_BYTES) {
        Some(text) => format!("{how}; stderr: {text}"),
        None => format!("{how}, nothing on stderr"),
    }
}

/// The last `budget::STDERR_BYTES` of what a child wrote.
#[derive(Default)]
pub struct Tail {
    bytes: Vec<u8>,
    /// What the child was given in its environment from files: it may say it, and nobody is shown it.
    hidden: Vec<Secret>,
    /// Bytes at its end that nobody has seen in the log.
    fresh: usize,
}

impl Tail {
    /// With what it hides.
    #[must_use]
    pub fn hiding(hidden: Vec<Secret>) -> Self {
        Self { hidden, ..Self::default() }
    }

    /// Takes in more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let over = self.bytes.len().saturating_sub(budget::STDERR_BYTES);
        self.bytes.drain(..over);
        self.fresh = (self.fresh + bytes.len()).min(self.bytes.len());
    }

    /// Reads all there is, keeping the last of it.
    pub async fn fill(&mut self, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        let mut chunk = [0; 512];
        while let Ok(n @ 1..) = from.read(&mut chunk).await {
            self.push(chunk.get(..n).unwrap_or_default());
        }
    }

    /// Its last `most` bytes as one line; none when nothing was written.
    #[must_use]
    pub fn last(&self, most: usize) -> Option<String> {
        let text = self.without_secrets(String::from_utf8_lossy(&self.bytes).into_owned());
        let from = (text.len().saturating_sub(most)..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let text = text.get(from..).unwrap_or_default().trim();
        let cut = if from > 0 { "…" } else { "" };
        // an escape is longer than what it stands for
        (!text.is_empty()).then(|| format!("{cut}{}", Clipped::to(text, 2 * most)))
    }

    /// Secrets in it, and the end of one that the tail begins with, are hidden. A word of a few letters is none.
    fn without_secrets(&self, mut text: String) -> String {
        for secret in self.hidden.iter().map(Secret::expose).filter(|secret| secret.len() >= SECRET_HIDDEN) {
            if self.bytes.len() >= budget::STDERR_BYTES {
                let ends = (1..secret.len()).filter_map(|at| secret.get(at..));
                if let Some(end) = ends.filter(|end| end.len() >= SECRET_HIDDEN / 2).find(|end| text.starts_with(end)) {
                    text.replace_range(..end.len(), "[secret]");
                }
            }
            text = text.replace(secret, "[secret]");
        }
        text
    }

    /// As `last`, of what was not taken before.
    pub fn take_fresh(&mut self) -> Option<String> {
        let fresh = std::mem::take(&mut self.fresh);
        self.last(fresh)
    }
}

/// Reads all there is, for nobody.
pub async fn drain(mut from: impl AsyncRead + Unpin) {
    let mut chunk = [0; 512];
    while matches!(from.read(&mut chunk).await, Ok(1..)) {}
}

/// `ms` later.
pub async fn after(ms: u64) {
    Timer::after(Duration::from_millis(ms)).await;
}
