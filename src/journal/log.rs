//! The row of files: read at the start, appended to, begun anew with a base. After a failure only [`Log::begin`] goes on: a
//! file whose write or sync failed is left as it is, and never synced again.

use super::files::{Failed, Files};
use super::reader::{Reader, Said};
use super::segment::{self, HEADER_BYTES, Header, NEW_NAME, OLD_NAME};
use super::wire::{self, Entry};
use super::{Kept, Record};
use crate::budget;
use crate::reason::Reason;

/// One log.
pub struct Log {
    /// What is written is synced before it counts.
    hard: bool,
    /// When it was opened, seconds since 1970: what is set aside is named after it.
    wall_s: u64,
    /// The number of the next segment.
    number: u64,
    /// The number of the next record.
    seq: u64,
    state: State,
    /// The files that are there, the oldest first.
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// What is in the directory is not known.
    Unseen,
    /// Nothing is open for appending.
    Shut,
    /// A segment is open with so many bytes; `fresh`: its name may not outlive a power cut.
    Open { bytes: usize, fresh: bool },
}

struct Piece {
    name: String,
    /// Something of it cannot be read: it is set aside, not removed.
    spoilt: bool,
}

impl Log {
    /// Opens the log and reads what it holds. Where that is not as it was left, it is begun anew at once. The error is why
    /// it cannot be written (yet); what it holds counts all the same.
    pub fn open(files: &mut dyn Files, hard: bool, wall_ms: u64) -> (Self, Kept, Option<Failed>) {
        let state = State::Unseen;
        let mut log = Self { hard, wall_s: wall_ms / 1000, number: 1, seq: 1, state, pieces: Vec::new() };
        let names = match log.see(files) {
            Ok(names) => names,
            Err(failed) => return (log, Kept::default(), Some(failed)),
        };
        let (mut reader, mut whole) = (Reader::new(), true);
        let (mut lost, mut void, last) = (None, 0, names.len().saturating_sub(1));
        for (at, name) in names.into_iter().enumerate() {
            let bytes = files.read(&name, budget::JOURNAL_READ_BYTES);
            let expected = reader.next;
            let said = bytes.as_ref().map(|bytes| reader.take(bytes)).map_err(|failed| {
                reader.hole = true;
                failed.clone()
            });
            if said.as_ref().is_ok_and(|said| said.based) {
                (void, whole, lost) = (at, true, None);
            }
            if said.as_ref().is_ok_and(|said| said.missing) {
                log::warn!("{}: {name}: records before it are missing, from number {expected} on", Reason::DiskDamaged);
                whole = false;
                lost.get_or_insert_with(|| format!("records before {name} are missing"));
            }
            let spoilt = spoilt(&name, &said, bytes.map_or(0, |bytes| bytes.len()), at == 0, at == last);
            whole &= name != OLD_NAME && !spoilt && said.is_ok_and(|said| said.replayed.why_cut.is_none());
            if spoilt || reader.hole {
                lost.get_or_insert_with(|| format!("{name} could not be read whole"));
            }
            log.pieces.push(Piece { name, spoilt });
        }
        log.seq = reader.next;
        if let Some(lost) = lost {
            reader.kept.note_loss(lost, wall_ms);
        }
        let failed = if whole {
            log.drop_oldest(void, files);
            None
        } else {
            log.begin(files, &reader.kept.records()).err()
        };
        (log, reader.kept, failed)
    }

    /// Appends records to the open segment, or to a new one where they would outgrow it. They outlive the process from
    /// here on, and a power cut once [`Log::sync`] says so. Returns the bytes.
    ///
    /// # Errors
    /// As the disk says; the log has to begin anew.
    pub fn append<R: Entry>(
        &mut self,
        files: &mut dyn Files,
        records: impl IntoIterator<Item = R>,
    ) -> Result<usize, Failed> {
        if self.pieces.is_empty() {
            // the first file has no other before it, which would tell its torn header from a lost one
            self.begin(files, std::iter::empty::<Record>())?;
        }
        let first = self.seq;
        let mut bytes = Vec::new();
        for record in records {
            self.encode(&record, &mut bytes);
        }
        let open = std::mem::replace(&mut self.state, State::Shut);
        let State::Open { bytes: so_far, fresh } = open else { return self.roll(files, first, &bytes) };
        if so_far + bytes.len() > budget::JOURNAL_SEGMENT_BYTES && so_far > HEADER_BYTES {
            // what is behind must not outlive what is before it
            self.state = open;
            self.sync(files)?;
            return self.roll(files, first, &bytes);
        }
        files.append(&bytes)?;
        self.state = State::Open { bytes: so_far + bytes.len(), fresh };
        Ok(bytes.len())
    }

    /// All that was appended outlives a power cut, where that was asked for.
    ///
    /// # Errors
    /// As the disk says; the log has to begin anew.
    pub fn sync(&mut self, files: &mut dyn Files) -> Result<(), Failed> {
        let State::Open { bytes, fresh } = std::mem::replace(&mut self.state, State::Shut) else { return Ok(()) };
        if self.hard {
            files.sync()?;
            if fresh {
                files.sync_directory()?;
            }
        }
        self.state = State::Open { bytes, fresh: false };
        Ok(())
    }

    /// Begins anew: these records are all that there is. They outlive whatever `sync` makes outlive.
    ///
    /// # Errors
    /// As the disk says; what was there before is there still.
    pub fn begin<R: Entry>(
        &mut self,
        files: &mut dyn Files,
        records: impl IntoIterator<Item = R> + Clone,
    ) -> Result<(), Failed> {
        if self.state == State::Unseen {
            self.give_up_what_is_there(files)?;
        }
        self.state = State::Shut;
        let name = self.next_name()?;
        let sizes = records.clone().into_iter().map(|record| record.size());
        let base_bytes: usize = sizes.filter(|bytes| *bytes <= budget::JOURNAL_RECORD_BYTES).sum();
        let bytes = HEADER_BYTES + base_bytes;
        if bytes > budget::JOURNAL_READ_BYTES {
            return Err(Failed(format!("all that is live takes {bytes} bytes, which no start would read again")));
        }
        let base_bytes = Some(u32::try_from(base_bytes).unwrap_or(u32::MAX));
        let header = Header { first: self.seq, base_bytes };
        if let Err(failed) = self.write_beside(files, header, records) {
            // a full disk gets its room back
            let _ = files.remove(NEW_NAME);
            return Err(failed);
        }
        files.rename(NEW_NAME, &name)?;
        self.number += 1;
        self.pieces.push(Piece { name, spoilt: false });
        if self.hard {
            files.sync_directory()?;
        }
        self.state = State::Open { bytes, fresh: false };
        self.drop_oldest(self.pieces.len() - 1, files);
        Ok(())
    }

    /// Piece by piece: nowhere is all of it at once.
    fn write_beside<R: Entry>(
        &mut self,
        files: &mut dyn Files,
        header: Header,
        records: impl IntoIterator<Item = R>,
    ) -> Result<(), Failed> {
        files.create(NEW_NAME)?;
        let mut piece = header.bytes().to_vec();
        for record in records {
            self.encode(&record, &mut piece);
            if piece.len() >= budget::JOURNAL_PIECE_BYTES {
                files.append(&piece)?;
                piece.clear();
            }
        }
        if !piece.is_empty() {
            files.append(&piece)?;
        }
        if self.hard { files.sync() } else { Ok(()) }
    }

    /// A new segment that goes on where the last one ends.
    fn roll(&mut self, files: &mut dyn Files, first: u64, bytes: &[u8]) -> Result<usize, Failed> {
        let name = self.next_name()?;
        files.create(&name)?;
        self.number += 1;
        self.pieces.push(Piece { name, spoilt: false });
        files.append(&[&Header { first, base_bytes: None }.bytes(), bytes].concat())?;
        self.state = State::Open { bytes: HEADER_BYTES + bytes.len(), fresh: true };
        Ok(HEADER_BYTES + bytes.len())
    }

    /// The next segment's name, which the next start knows for one.
    fn next_name(&self) -> Result<String, Failed> {
        let name = segment::name(self.number);
        match segment::number(&name) {
            Some(_) => Ok(name),
            None => {
                let last = segment::name(self.number.saturating_sub(1));
                Err(Failed(format!("no number is left behind {last}: move that file away")))
            }
        }
    }

    fn encode(&mut self, record: &impl Entry, out: &mut Vec<u8>) {
        if wire::fits(record.size()) {
            record.write(self.seq, out);
            self.seq = self.seq.saturating_add(1);
        }
    }

    /// The log's files in their order.
    fn see(&mut self, files: &mut dyn Files) -> Result<Vec<String>, Failed> {
        let names = files.list()?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
        numbers.sort_unstable();
        self.number = numbers.last().map_or(1, |last| last + 1);
        self.state = State::Shut;
        let old = names.into_iter().filter(|name| name == OLD_NAME);
        Ok(old.chain(numbers.into_iter().map(segment::name)).collect())
    }

    /// The directory could not be read at the start, and has a journal now: nobody can take it in any more.
    fn give_up_what_is_there(&mut self, files: &mut dyn Files) -> Result<(), Failed> {
        let names = self.see(files)?;
        if !names.is_empty() {
            log::warn!(
                "{}: a journal is in the state directory that was not there at the start: it is not read",
                Reason::DiskDamaged
            );
        }
        self.pieces = names.into_iter().map(|name| Piece { name, spoilt: true }).collect();
        Ok(())
    }

    /// The oldest so many files are void. One that does not go is tried again with the next.
    fn drop_oldest(&mut self, count: usize, files: &mut dyn Files) {
        let (mut kept, mut aside) = (Vec::new(), false);
        for piece in self.pieces.drain(..count) {
            let gone = if piece.spoilt {
                aside = true;
                set_aside(files, &piece.name, self.wall_s)
            } else {
                files.remove(&piece.name)
            };
            kept.extend(gone.is_err().then_some(piece));
        }
        self.pieces.splice(0..0, kept);
        if aside {
            bound_what_is_aside(files);
        }
    }
}

/// Whether a file is to be set aside; why is said. A header or a base is torn only where a file goes on from another: the
/// first has both before it has its name.
fn spoilt(name: &str, said: &Result<Said, Failed>, bytes: usize, first: bool, last: bool) -> bool {
    let headless = first && said.as_ref().is_ok_and(|said| said.headless);
    let baseless = first && said.as_ref().is_ok_and(|said| said.baseless);
    let (why, good) = match said {
        Ok(said) => match said.replayed.why_cut {
            None if headless => ("it is empty".to_owned(), 0),
            None if baseless => ("what it begins with is not all there".to_owned(), said.replayed.good_bytes),
            None => return false,
            Some(why) => (why.to_owned(), said.replayed.good_bytes),
        },
        Err(failed) => (failed.0.clone(), 0),
    };
    let rest = bytes.saturating_sub(good);
    let torn = !headless && !baseless && said.as_ref().is_ok_and(|said| !said.foreign && !said.broken);
    if last && torn && rest <= budget::JOURNAL_UNSURE_BYTES {
        log::warn!("{}: {name}: the journal's last {rest} bytes are dropped: {why}", Reason::DiskDamaged);
        return false;
    }
    log::warn!(
        "{}: {name}: the journal cannot be read beyond byte {good}: {why}; a channel whose place is lost with it goes on behind \
         the last message that history shows as answered, or begins at its end",
        Reason::DiskDamaged
    );
    true
}

/// Renames a file that cannot be read, and says so once it is done.
fn set_aside(files: &mut dyn Files, name: &str, wall_s: u64) -> Result<(), Failed> {
    let aside = segment::aside(name, wall_s);
    let done = files.rename(name, &aside);
    match &done {
        Ok(()) => {
            log::warn!("{}: {name} is set aside as {aside}: remove it when you have looked at it", Reason::DiskDamaged);
        }
        Err(failed) => {
            let code = Reason::DiskFailed;
            log::warn!("{code}: {name} cannot be set aside, and is tried again with the next journal: {failed}");
        }
    }
    done
}

/// The oldest of what was set aside goes.
fn bound_what_is_aside(files: &mut dyn Files) {
    let mut aside: Vec<(u64, String)> = files.list().unwrap_or_default().into_iter().filter_map(dated).collect();
    aside.sort();
    let over = aside.len().saturating_sub(budget::JOURNALS_ASIDE);
    for (_, name) in aside.drain(..over) {
        let _ = files.remove(&name);
    }
}

fn dated(name: String) -> Option<(u64, String)> {
    segment::set_aside_at(&name).map(|at| (at, name))
}
