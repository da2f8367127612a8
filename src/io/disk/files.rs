//! The journal's files for real: one directory, one daemon at a time, one file open.

use crate::journal::{Failed, Files};
use rustix::fs::FlockOperation;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Names of a directory that are looked at: a journal of ours has some ten.
const NAMES: usize = 4096;

/// The state directory.
pub(super) struct RealFiles {
    directory: PathBuf,
    /// Held while the daemon runs.
    lock: Option<File>,
    open: Option<File>,
}

impl RealFiles {
    /// Takes the directory. One that cannot be taken yet is tried again whenever it is asked whether it is `ready`.
    ///
    /// # Errors
    /// Another daemon has it: a sentence.
    pub(super) fn take(directory: &Path) -> Result<Self, String> {
        let mut files = Self { directory: directory.to_owned(), lock: None, open: None };
        match files.lock() {
            Ok(None) | Err(_) => Ok(files),
            Ok(Some(taken)) => Err(taken),
        }
    }

    /// Makes and locks the directory; a sentence where another daemon has it.
    fn lock(&mut self) -> Result<Option<String>, Error> {
        prepare(&self.directory)?;
        match lock(&self.directory)? {
            Locked::Ours(lock) => self.lock = Some(lock),
            Locked::Theirs(pid) => {
                return Ok(Some(format!("{} is in use by another guild-bridge{pid}", self.directory.display())));
            }
        }
        Ok(None)
    }

    /// Whether the lock that is held is the one in the directory, and not that of a directory that was removed.
    fn is_locked(&self) -> bool {
        let here = std::fs::metadata(self.directory.join("lock")).map(|lock| (lock.dev(), lock.ino()));
        let held = self.lock.as_ref().and_then(|lock| lock.metadata().ok()).map(|lock| (lock.dev(), lock.ino()));
        held.is_some() && here.ok() == held
    }

    fn failed(&self, error: &Error) -> Failed {
        let what = match error.kind() {
            ErrorKind::PermissionDenied => crate::io::give(&self.directory, "700"),
            _ => String::new(),
        };
        Failed(format!("{}: {error}{what}", self.directory.display()))
    }

    fn done<T>(&self, result: Result<T, Error>) -> Result<T, Failed> {
        result.map_err(|error| self.failed(&error))
    }
}

impl Files for RealFiles {
    fn ready(&mut self) -> Result<(), Failed> {
        if self.is_locked() {
            return Ok(());
        }
        match self.lock() {
            Ok(None) => Ok(()),
            Ok(Some(taken)) => Err(Failed(taken)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, Failed> {
        let entries = self.done(std::fs::read_dir(&self.directory))?.take(NAMES);
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn read(&mut self, name: &str, max: usize) -> Result<Vec<u8>, Failed> {
        let mut bytes = Vec::new();
        let most = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        let file = File::open(self.directory.join(name));
        self.done(file.and_then(|file| file.take(most).read_to_end(&mut bytes)))?;
        if bytes.len() > max { Err(Failed(format!("{name} has more than {max} bytes"))) } else { Ok(bytes) }
    }

    fn create(&mut self, name: &str) -> Result<(), Failed> {
        self.open = None;
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(self.directory.join(name));
        let file = self.done(file)?;
        self.done(file.set_len(0))?;
        self.open = Some(file);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let result = match &mut self.open {
            Some(file) => file.write_all(bytes),
            None => Err(std::io::ErrorKind::NotFound.into()),
        };
        self.done(result)
    }

    fn sync(&mut self) -> Result<(), Failed> {
        let result = match &self.open {
            Some(file) => file.sync_data(),
            None => Err(std::io::ErrorKind::NotFound.into()),
        };
        if result.is_err() {
            self.open = None;
        }
        self.done(result)
    }

    fn sync_directory(&mut self) -> Result<(), Failed> {
        self.done(File::open(&self.directory).and_then(|directory| directory.sync_all()))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Failed> {
        self.done(std::fs::rename(self.directory.join(from), self.directory.join(to)))
    }

    fn remove(&mut self, name: &str) -> Result<(), Failed> {
        self.done(std::fs::remove_file(self.directory.join(name)))
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
            // a full disk has no room for who it is, and still the lock counts
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
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
