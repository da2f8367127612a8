//! The state directory: one daemon at a time, one journal, room for attachments. A disk that fails takes nothing from
//! the daemon but its memory over a restart: it is said, the daemon goes on, and the disk is tried again. What is written
//! when is decided in `journal`.

mod files;

use super::{Happening, Post, clock};
use crate::budget;
use crate::journal::{Keeper, Kept, Standing, Task};
use crate::moment::Moment;
use crate::port::Stored;
use crate::reason::{Reason, Why};
use crate::settings::StateMode;
use files::RealFiles;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Records on their way to the disk's thread; a disk that takes none for so long counts as failed.
const QUEUED: usize = 64;

/// The state directory in use.
pub struct Disk {
    directory: PathBuf,
    hand: Hand,
    standing: Standing,
}

/// Who writes.
enum Hand {
    /// The loop's own thread: `memory` never waits for a disk.
    Here(Box<Keeper>, RealFiles),
    /// The thread `disk`. `stuck`: it took no more, and is tried again then.
    Thread { tasks: SyncSender<Task>, ended: Receiver<()>, stuck: Option<Moment>, _thread: JoinHandle<()> },
    /// Nobody: the thread did not start.
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
        let mut files = RealFiles::take(&directory).map_err(|text| Taken { text })?;
        let _ = std::fs::remove_dir_all(directory.join("attachments"));
        let (keeper, kept) = Keeper::open(&mut files, mode, clock::now());
        let failed = keeper.failed().cloned();
        if let Some(why) = &failed {
            log::warn!("{why}; going on without: cursors and replies live in memory only (see --state-dir)");
        }
        let hand = hand(keeper, files, mode != StateMode::Memory, post.clone());
        Ok((Self { directory, hand, standing: Standing::new(mode, failed) }, kept))
    }

    /// Where attachments are fetched to.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.directory.join("attachments")
    }

    /// Keeps records. What is known at once is returned, the rest posted.
    pub fn store(&mut self, task: Task) -> Option<Stored> {
        let failed = |upto, why| Some(Stored { upto, failed: Some(why), again: false });
        match &mut self.hand {
            Hand::Here(keeper, files) => keeper.take(files, &task, clock::now().at),
            Hand::Thread { tasks, stuck, .. } => {
                if stuck.is_some() && !task.anew {
                    return failed(task.seq, stuck_why());
                }
                match tasks.try_send(task) {
                    Ok(()) => {
                        *stuck = None;
                        None
                    }
                    Err(TrySendError::Full(task) | TrySendError::Disconnected(task)) => {
                        *stuck = Some(clock::now().at.after_ms(budget::DISK_RETRY_MS));
                        failed(task.seq, stuck_why())
                    }
                }
            }
            Hand::Nobody => failed(task.seq, stuck_why()),
        }
    }

    /// When [`Disk::tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match &self.hand {
            Hand::Here(keeper, _) => keeper.due(),
            Hand::Thread { stuck, .. } => *stuck,
            Hand::Nobody => None,
        }
    }

    /// Tries a disk that failed again.
    pub fn tick(&mut self, now: Moment) -> Option<Stored> {
        match &mut self.hand {
            Hand::Here(keeper, files) => keeper.tick(files, now),
            Hand::Thread { stuck, .. } => {
                let again = stuck.as_mut().filter(|again| **again <= now)?;
                *again = now.after_ms(budget::DISK_RETRY_MS);
                Some(Stored { upto: 0, failed: Some(stuck_why()), again: true })
            }
            Hand::Nobody => None,
        }
    }

    /// Takes note of how a write went, for the log and for [`Disk::mode`].
    pub fn note(&mut self, stored: &Stored) {
        if self.standing.note(stored) {
            match &stored.failed {
                Some(why) => log::warn!("{why}; going on without, trying again every minute"),
                None => log::info!("state: {} is written again", self.directory.display()),
            }
        }
    }

    /// How state is kept, as status says it, and why it is not.
    #[must_use]
    pub fn mode(&self) -> (&'static str, String) {
        self.standing.said()
    }

    /// Writes what waits, within `budget::DISK_END_MS`.
    pub fn close(self) {
        match self.hand {
            Hand::Here(mut keeper, mut files) => keeper.end(&mut files, clock::now().at),
            Hand::Thread { tasks, ended, .. } => {
                drop(tasks);
                if ended.recv_timeout(Duration::from_millis(budget::DISK_END_MS)) == Err(RecvTimeoutError::Timeout) {
                    log::warn!(
                        "{}: {} did not take the last records in time",
                        Reason::DiskFailed,
                        self.directory.display()
                    );
                }
            }
            Hand::Nobody => {}
        }
    }
}

fn stuck_why() -> Why {
    Why::new(Reason::DiskFailed, format!("the disk is stuck: {QUEUED} writes wait, a record was given up"))
}

fn hand(keeper: Keeper, files: RealFiles, hard: bool, post: Post) -> Hand {
    if !hard {
        return Hand::Here(Box::new(keeper), files);
    }
    let (tasks, inbox) = sync_channel(QUEUED);
    let (end, ended) = sync_channel(1);
    let body = move || {
        work(keeper, files, &inbox, &post);
        let _ = end.send(());
    };
    match std::thread::Builder::new().name("disk".into()).stack_size(budget::DISK_STACK_BYTES).spawn(body) {
        Ok(thread) => Hand::Thread { tasks, ended, stuck: None, _thread: thread },
        Err(error) => {
            log::error!("{}: the disk's thread does not start: {error}", Reason::DiskFailed);
            Hand::Nobody
        }
    }
}

fn work(mut keeper: Keeper, mut files: RealFiles, inbox: &Receiver<Task>, post: &Post) {
    loop {
        let task = match keeper.due() {
            Some(due) => {
                let rest = Duration::from_millis(due.since_ms(clock::now().at));
                inbox.recv_timeout(rest)
            }
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let now = clock::now().at;
        let stored = match task {
            Ok(task) => keeper.take(&mut files, &task, now),
            Err(RecvTimeoutError::Timeout) => keeper.tick(&mut files, now),
            Err(RecvTimeoutError::Disconnected) => return keeper.end(&mut files, now),
        };
        if let Some(stored) = stored {
            // without a loop nobody waits for it; the records still come
            let _ = post.send_blocking(Happening::Disk(stored));
        }
    }
}
