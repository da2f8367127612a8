//! The journal's files for real: one directory, one daemon at a time, one file open.

use crate::journal::{Failed, Files, segment};
use crate::reason::Reason;
use rustix::fs::{FlockOperation, OFlags};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Files of a journal that are looked at: one of ours has some ten. What else is in the directory does not count.
const NAMES: usize = 4096;

/// The state directory.
pub(super) struct RealFiles {
    directory: PathBuf,
    /// Held while the daemon runs.
    lock: Option<Lock>,
    open: Option<File>,
}

/// A lock that is held, and which file it is.
struct Lock {
    _file: File,
    id: (u64, u64),
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
            Locked::Ours(file) => {
                let id = id(&file.metadata()?);
                self.lock = Some(Lock { _file: file, id });
            }
            Locked::Theirs(pid) => {
                return Ok(Some(format!("{} is in use by another guild-bridge{pid}", self.directory.display())));
            }
        }
        Ok(None)
    }

    /// Whether the lock that is held is the one in the directory, and not that of a directory that was removed.
    fn is_locked(&self) -> bool {
        let held = self.lock.as_ref().map(|lock| lock.id);
        held.is_some() && std::fs::metadata(self.directory.join("lock")).ok().map(|lock| id(&lock)) == held
    }

    fn failed(&self, path: &Path, error: &Error) -> Failed {
        let what = match error.kind() {
            ErrorKind::PermissionDenied => crate::io::give(&self.directory, "700"),
            _ => String::new(),
        };
        Failed(format!("{}: {error}{what}", path.display()))
    }

    fn done<T>(&self, name: &str, result: Result<T, Error>) -> Result<T, Failed> {
        result.map_err(|error| self.failed(&self.directory.join(name), &error))
    }

    /// What is written counts only where the next start finds it: the directory is still ours and has the open file.
    fn still_there(&self, file: &File) -> Result<(), Error> {
        if self.is_locked() && file.metadata()?.nlink() > 0 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, "the journal was removed while it was in use"))
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
            Err(error) => Err(self.failed(&self.directory, &error)),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, Failed> {
        let entries = std::fs::read_dir(&self.directory).map_err(|error| self.failed(&self.directory, &error))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let (mut ours, mut aside) = (Vec::new(), Vec::new());
        for name in names {
            match segment::is_set_aside(&name) {
                true if aside.len() < NAMES => aside.push(name),
                false if segment::is_of_a_log(&name) && ours.len() <= NAMES => ours.push(name),
                true | false => {}
            }
        }
        if ours.len() > NAMES {
            let directory = self.directory.display();
            return Err(Failed(format!(
                "{directory} has more than {NAMES} files journal.NUMBER, which no daemon wrote: move them away"
            )));
        }
        ours.append(&mut aside);
        Ok(ours)
    }

    fn read(&mut self, name: &str, max: usize) -> Result<Vec<u8>, Failed> {
        let mut bytes = Vec::new();
        let most = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        let mut options = OpenOptions::new();
        // a pipe of that name would be waited for
        options.read(true).custom_flags(flags(OFlags::NONBLOCK));
        let file = self.done(name, options.open(self.directory.join(name)))?;
        if !self.done(name, file.metadata())?.is_file() {
            return Err(Failed(format!("{name} is not a plain file")));
        }
        self.done(name, file.take(most).read_to_end(&mut bytes))?;
        if bytes.len() > max { Err(Failed(format!("{name} has more than {max} bytes"))) } else { Ok(bytes) }
    }

    fn create(&mut self, name: &str) -> Result<(), Failed> {
        self.open = None;
        self.ready()?;
        let path = self.directory.join(name);
        // what is there goes, and nothing is written through a link
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.failed(&path, &error)),
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        self.open = Some(self.done(name, file)?);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let result = match self.open.as_mut() {
            Some(file) => file.write_all(bytes),
            None => Err(ErrorKind::NotFound.into()),
        };
        let result = result.and_then(|()| self.open.as_ref().map_or(Ok(()), |file| self.still_there(file)));
        self.done("", result)
    }

    fn sync(&mut self) -> Result<(), Failed> {
        let result = match &self.open {
            Some(file) => file.sync_data(),
            None => Err(ErrorKind::NotFound.into()),
        };
        if result.is_err() {
            self.open = None;
        }
        self.done("", result)
    }

    fn sync_directory(&mut self) -> Result<(), Failed> {
        self.done("", File::open(&self.directory).and_then(|directory| directory.sync_all()))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Failed> {
        self.ready()?;
        self.done(from, std::fs::rename(self.directory.join(from), self.directory.join(to)))
    }

    fn remove(&mut self, name: &str) -> Result<(), Failed> {
        self.ready()?;
        self.done(name, std::fs::remove_file(self.directory.join(name)))
    }
}

/// Which file it is: while it is open no other has the same.
fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).unwrap_or_default()
}

fn prepare(directory: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mode = std::fs::metadata(directory)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        log::warn!("{}: {} is open to others (mode {mode:04o}): chmod 700 {1}", Reason::CfgFault, directory.display());
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
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags(OFlags::NOFOLLOW));
    let mut file = options.open(&path).map_err(|error| {
        let why = in_the_way(&path).unwrap_or_else(|| error.to_string());
        Error::new(error.kind(), format!("{}: {why}", path.display()))
    })?;
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

/// What stands where the lock is to be, and what to do; none where that is a file, or nothing.
fn in_the_way(path: &Path) -> Option<String> {
    let kind = std::fs::symlink_metadata(path).ok()?.file_type();
    let what = match (kind.is_file(), kind.is_symlink(), kind.is_dir()) {
        (true, ..) => return None,
        (_, true, _) => "a link",
        (_, _, true) => "a directory",
        (false, false, false) => "something that is no file",
    };
    Some(format!("{what} stands where the daemon makes a file: remove it, or move it away"))
}
