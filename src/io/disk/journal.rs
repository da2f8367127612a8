//! The journal's file: appended to, begun anew by writing beside it and renaming, cut back to what is known to be good.

use super::super::clock;
use crate::budget;
use crate::journal::{HEADER, Kept, replay};
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// One open journal.
pub(super) struct Journal {
    directory: PathBuf,
    /// Every write is synced before it counts.
    hard: bool,
    file: Option<File>,
    /// So many bytes of the file are known to be written, as hard as was asked.
    good: u64,
}

impl Journal {
    /// Opens it and replays what it holds. The error is why it cannot be written (yet); what it holds counts all the same.
    pub(super) fn open(directory: &Path, hard: bool) -> (Self, Kept, Option<Error>) {
        let mut journal = Self { directory: directory.to_owned(), hard, file: None, good: 0 };
        let bytes = match read(&journal.path()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return (journal, Kept::default(), Some(error)),
        };
        let (kept, replayed) = replay(&bytes);
        journal.good = replayed.good_bytes as u64;
        let torn = bytes.len() - replayed.good_bytes;
        let mut broken = None;
        if let Some(why) = replayed.why_cut {
            // a record that was cut by a crash is dropped; what is more than that is kept for whoever wants to look
            let foreign = replayed.good_bytes == 0 && !HEADER.starts_with(&bytes);
            if foreign || torn > budget::JOURNAL_RECORD_BYTES {
                broken = journal.set_aside(foreign, why).err();
            } else {
                log::warn!("the journal's last {torn} bytes are dropped: {why}");
            }
        }
        let broken = broken.or_else(|| journal.repair(&[]).err());
        (journal, kept, broken)
    }

    /// Appends bytes. They count once [`Journal::confirm`] says so.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file()?.write_all(bytes)
    }

    /// Everything appended is written, as hard as was asked; it was so many bytes.
    pub(super) fn confirm(&mut self, bytes: usize) -> Result<(), Error> {
        if self.hard {
            self.file()?.sync_data()?;
        }
        self.good += bytes as u64;
        Ok(())
    }

    /// Replaces everything with these bytes, header included.
    pub(super) fn renew(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let new = self.directory.join("journal.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        if self.hard {
            file.sync_data()?;
        }
        std::fs::rename(&new, self.path())?;
        self.file = Some(file);
        self.good = bytes.len() as u64;
        self.sync_directory()
    }

    /// After a failure: a new handle (an `fsync` that failed is not repeated on the old one), the file cut back to what
    /// is good, and what was not confirmed written once more.
    pub(super) fn repair(&mut self, unsure: &[u8]) -> Result<(), Error> {
        self.file = None;
        if self.good == 0 {
            return self.renew(&[HEADER, unsure].concat());
        }
        let mut file = OpenOptions::new().write(true).open(self.path())?;
        file.set_len(self.good)?;
        file.seek(SeekFrom::Start(self.good))?;
        self.file = Some(file);
        self.append(unsure)?;
        self.confirm(unsure.len())
    }

    fn path(&self) -> PathBuf {
        self.directory.join("journal")
    }

    fn file(&mut self) -> Result<&mut File, Error> {
        self.file.as_mut().ok_or_else(|| Error::new(ErrorKind::NotFound, "the journal is not open"))
    }

    fn sync_directory(&self) -> Result<(), Error> {
        if self.hard { File::open(&self.directory)?.sync_all() } else { Ok(()) }
    }

    /// What is not ours is moved away whole; of ours a copy is kept, and the good part goes on.
    fn set_aside(&self, foreign: bool, why: &str) -> Result<(), Error> {
        let path = self.directory.join(format!("journal.bad-{}", clock::now().wall_ms / 1000));
        if foreign {
            std::fs::rename(self.path(), &path)?;
        } else {
            std::fs::copy(self.path(), &path)?;
        }
        log::warn!(
            "the journal cannot be read beyond byte {}: {why}; set aside as {}, history brings what it still has",
            self.good,
            path.display()
        );
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)?.take(budget::JOURNAL_READ_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
