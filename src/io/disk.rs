//! The state directory: one daemon at a time, one journal, room for attachments. A disk that fails takes nothing from
//! the daemon but its memory over a restart: it is said, the daemon goes on, and the disk is tried again.

mod journal;
mod keeper;

use super::{Happening, Post, clock};
use crate::budget;
use crate::journal::Kept;
use crate::moment::Moment;
use crate::port::Stored;
use crate::reason::{Reason, Why};
use crate::settings::StateMode;
use journal::Journal;
use keeper::{Keeper, Task};
use rustix::fs::FlockOperation;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Records on their way to the disk's thread; a disk that takes none for so long counts as failed.
const QUEUED: usize = 64;

/// The state directory in use.
pub struct Disk {
    directory: PathBuf,
    mode: StateMode,
    hand: Hand,
    /// Why nothing is written, while that is so.
    failed: Option<Why>,
    /// Held while the daemon runs.
    _lock: Option<File>,
}

/// Who writes.
enum Hand {
    /// The loop's own thread: `memory` never waits for a disk.
    Here(Box<Keeper>),
    /// The thread `disk`.
    Thread { tasks: SyncSender<Task>, ended: Receiver<()>, _thread: JoinHandle<()> },
    /// Nobody: there was no directory to write to at the start.
    Nobody,
}

/// Another daemon uses the directory: exit code 75.
#[derive(Debug)]
pub struct Taken {
    /// A sentence that names the directory and, where it is known, the process.
    pub text: String,
}

impl Disk {
    /// Takes the directory, reads its journal, empties its attachments. What cannot be read is set aside and said; what
    /// cannot be written leaves a `Disk` that says so.
    ///
    /// # Errors
    /// When another daemon has the directory.
    pub fn open(directory: PathBuf, mode: StateMode, post: &Post) -> Result<(Self, Kept), Taken> {
        let lock = match prepare(&directory).and_then(|()| lock(&directory)) {
            Ok(Locked::Ours(lock)) => Ok(lock),
            Ok(Locked::Theirs(pid)) => {
                let text = format!("{} is in use by another guild-bridge{pid}", directory.display());
                return Err(Taken { text });
            }
            Err(error) => Err(error),
        };
        if lock.is_ok() {
            let _ = std::fs::remove_dir_all(directory.join("attachments"));
        }
        let hard = mode != StateMode::Memory;
        let (journal, kept, broken) = Journal::open(&directory, hard);
        let failure = lock.as_ref().err().or(broken.as_ref()).map(|error| failure(&directory, error));
        let mut disk = Self { directory, mode, hand: Hand::Nobody, failed: failure, _lock: lock.ok() };
        if let Some(why) = &disk.failed {
            log::warn!("{why}; going on without: cursors and replies live in memory only (see --state-dir)");
        }
        if disk._lock.is_some() {
            let keeper = Keeper::new(journal, mode, disk.failed.clone(), clock::now().at);
            disk.hand = hand(keeper, hard, post.clone());
        }
        Ok((disk, kept))
    }

    /// Where attachments are fetched to.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.directory.join("attachments")
    }

    /// Appends whole records, or begins the journal anew with these bytes, its header included. What is known at once is returned, the rest posted.
    pub fn store(&mut self, seq: u64, bytes: Vec<u8>, anew: bool) -> Option<Stored> {
        match &mut self.hand {
            Hand::Here(keeper) => keeper.take(Task { seq, bytes, anew }, clock::now().at),
            Hand::Thread { tasks, .. } => {
                let sent = tasks.try_send(Task { seq, bytes, anew });
                sent.err().map(|_| Stored { upto: seq, failed: Some(stuck()) })
            }
            Hand::Nobody => Some(Stored { upto: seq, failed: Some(self.failed.clone().unwrap_or_else(stuck)) }),
        }
    }

    /// When [`Disk::tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match &self.hand {
            Hand::Here(keeper) => keeper.due(),
            Hand::Thread { .. } | Hand::Nobody => None,
        }
    }

    /// Tries a disk that failed again.
    pub fn tick(&mut self, now: Moment) -> Option<Stored> {
        match &mut self.hand {
            Hand::Here(keeper) => keeper.tick(now),
            Hand::Thread { .. } | Hand::Nobody => None,
        }
    }

    /// Takes note of how a write went, for the log and for [`Disk::mode`].
    pub fn note(&mut self, stored: &Stored) {
        match (&self.failed, &stored.failed) {
            (None, Some(why)) => log::warn!("{why}; going on without, trying again every minute"),
            (Some(_), None) => log::info!("state: {} is written again", self.directory.display()),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.failed.clone_from(&stored.failed);
    }

    /// How state is kept, as status says it, and why it is not.
    #[must_use]
    pub fn mode(&self) -> (&'static str, String) {
        match (&self.failed, self.mode) {
            (Some(why), _) => ("none", why.detail.clone()),
            (None, StateMode::Memory) => ("memory", String::new()),
            (None, StateMode::Group) => ("group", String::new()),
            (None, StateMode::Each) => ("each", String::new()),
        }
    }

    /// Writes what waits, within `budget::DISK_END_MS`.
    pub fn close(self) {
        match self.hand {
            Hand::Here(mut keeper) => drop(keeper.end()),
            Hand::Thread { tasks, ended, .. } => {
                drop(tasks);
                if ended.recv_timeout(Duration::from_millis(budget::DISK_END_MS)) == Err(RecvTimeoutError::Timeout) {
                    log::warn!("disk.failed: {} did not take the last records in time", self.directory.display());
                }
            }
            Hand::Nobody => {}
        }
    }
}

fn failure(directory: &Path, error: &Error) -> Why {
    Why::new(Reason::DiskFailed, format!("{}: {error}", directory.display()))
}

fn stuck() -> Why {
    Why::new(Reason::DiskFailed, format!("the disk is stuck: {QUEUED} writes wait, a record was given up"))
}

fn hand(keeper: Keeper, hard: bool, post: Post) -> Hand {
    if !hard {
        return Hand::Here(Box::new(keeper));
    }
    let (tasks, inbox) = sync_channel(QUEUED);
    let (end, ended) = sync_channel(1);
    let body = move || {
        work(keeper, &inbox, &post);
        let _ = end.send(());
    };
    match std::thread::Builder::new().name("disk".into()).stack_size(budget::DISK_STACK_BYTES).spawn(body) {
        Ok(thread) => Hand::Thread { tasks, ended, _thread: thread },
        Err(error) => {
            log::error!("disk.failed: the disk's thread does not start: {error}");
            Hand::Nobody
        }
    }
}

fn work(mut keeper: Keeper, inbox: &Receiver<Task>, post: &Post) {
    loop {
        let task = match keeper.due() {
            Some(due) => {
                let rest = Duration::from_millis(due.since_ms(clock::now().at));
                inbox.recv_timeout(rest)
            }
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let stored = match task {
            Ok(task) => keeper.take(task, clock::now().at),
            Err(RecvTimeoutError::Timeout) => keeper.tick(clock::now().at),
            Err(RecvTimeoutError::Disconnected) => {
                keeper.end();
                return;
            }
        };
        if let Some(stored) = stored {
            // without a loop nobody waits for it; the records still come
            let _ = post.send_blocking(Happening::Disk(stored));
        }
    }
}

fn prepare(directory: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mode = std::fs::metadata(directory)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        log::warn!("{} is open to others (mode {mode:04o}): chmod 700 {0}", directory.display());
    }
    Ok(())
}

enum Locked {
    Ours(File),
    /// ` (process 123)`, or nothing.
    Theirs(String),
}

fn lock(directory: &Path) -> Result<Locked, Error> {
    let path = directory.join("lock");
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())?;
            Ok(Locked::Ours(file))
        }
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            let _ = file.take(16).read_to_string(&mut pid);
            let known = pid.trim().parse::<u32>().is_ok();
            Ok(Locked::Theirs(if known { format!(" (process {})", pid.trim()) } else { String::new() }))
        }
        Err(errno) => Err(errno.into()),
    }
}
