//! Reads a log's files in their order, and says of each how far it can be read.

use super::segment::{HEADER_BYTES, Header, NoHeader, OLD_HEADER};
use super::{Kept, Record, wire};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What the files read so far say.
pub(super) struct Reader {
    pub(super) kept: Kept,
    /// The number that the next record has.
    pub(super) next: u64,
    /// Records before the next one are missing.
    pub(super) hole: bool,
}

/// What one file said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) replayed: Replayed,
    /// It is not of this version, or not of this log: nothing of it counts.
    pub(super) foreign: bool,
    /// Its base is whole: what was read before is void.
    pub(super) based: bool,
    /// Records before its own are missing.
    pub(super) missing: bool,
    /// Whole records stand behind the one that cannot be read: it is broken, not the torn end of what was written last.
    pub(super) broken: bool,
    /// It has no header, or not all of one.
    pub(super) headless: bool,
    /// Its base is not whole.
    pub(super) baseless: bool,
}

/// How a replay went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Records read.
    pub records: u64,
    /// The file is good so far, header included: what follows counts for nothing.
    pub good_bytes: usize,
    /// Why it is not good to its end.
    pub why_cut: Option<&'static str>,
}

/// Reads one file of a journal by itself, up to its end or to the first record that is torn or broken.
#[must_use]
pub fn replay(bytes: &[u8]) -> (Kept, Replayed) {
    let mut reader = Reader::new();
    if let Ok(header) = Header::read(bytes) {
        reader.next = header.first;
    }
    let said = reader.take(bytes);
    (reader.kept, said.replayed)
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { kept: Kept::default(), next: 1, hole: false }
    }

    /// Reads the next file.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Said {
        let mut said = Said::default();
        if let Some(rest) = bytes.strip_prefix(OLD_HEADER) {
            said.replayed.good_bytes = OLD_HEADER.len();
            self.records(rest, false, &mut said.replayed, |bytes, _| wire::decode_old(bytes));
            return said;
        }
        let header = match Header::read(bytes) {
            Ok(header) => header,
            Err(NoHeader::Torn) => {
                said.replayed.why_cut = (!bytes.is_empty()).then_some("its header is torn");
                (said.headless, said.broken) = (true, self.goes_on(bytes, 0));
                return said;
            }
            Err(NoHeader::Foreign(why)) => {
                said.replayed.why_cut = Some(why);
                (said.foreign, self.hole) = (true, true);
                return said;
            }
        };
        said.replayed.good_bytes = HEADER_BYTES;
        let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let mut rest = body;
        if let Some(base_bytes) = header.base_bytes {
            let base_bytes = usize::try_from(base_bytes).unwrap_or(usize::MAX);
            if let Some((whole, more)) = body.split_at_checked(base_bytes).and_then(|(base, more)| {
                let whole = Self::base(base, header.first)?;
                Some((whole, more))
            }) {
                (*self, said.based, rest) = (whole, true, more);
                said.replayed.records = self.next.saturating_sub(header.first);
                said.replayed.good_bytes += base_bytes;
            } else {
                // what it has of its records is true; what it does not say may be in the files before it
                (self.hole, self.next, said.baseless) = (true, header.first, true);
            }
        } else if header.first < self.next {
            said.foreign = true;
            said.replayed.why_cut = Some("it is older than the file before it");
            return said;
        } else if header.first > self.next {
            (self.hole, self.next, said.missing) = (true, header.first, true);
        }
        self.records(rest, true, &mut said.replayed, wire::decode);
        said.broken = said.replayed.why_cut.is_some() && self.goes_on(bytes, said.replayed.good_bytes);
        said
    }

    /// Whether a whole record stands behind what cannot be read, which begins at `bad`: then no write was torn there. A power
    /// cut can leave that too, where a later sector of an unsynced end was written and an earlier was not; that one reads as
    /// zeros, from where a record began in it. What an older log left where a file grew has a lower number.
    fn goes_on(&self, bytes: &[u8], bad: usize) -> bool {
        // a header holds no number: behind it the next record itself may stand
        let last = if bad == 0 { self.next.saturating_sub(1) } else { self.next };
        let behind = (bad + 1..bytes.len()).find(|at| {
            let (rest, lost) = (bytes.get(*at..).unwrap_or_default(), (at - bad) / wire::HEAD_BYTES);
            wire::number(rest, last, lost).is_some_and(|seq| wire::decode(rest, seq).is_ok())
        });
        let Some(behind) = behind else { return false };
        // a record may begin with the zeros that its sector ends with
        let sectors = (bad / SECTOR..).map(|sector| (bad.max(sector * SECTOR), (sector + 1) * SECTOR));
        let mut read = sectors.take_while(|(_, end)| *end <= behind + wire::HEAD_BYTES);
        !read.any(|(from, end)| bytes.get(from..end).is_some_and(|sector| sector.iter().all(|byte| *byte == 0)))
    }

    /// A base is read whole or not at all.
    fn base(bytes: &[u8], first: u64) -> Option<Self> {
        let mut base = Self { next: first, ..Self::new() };
        let mut replayed = Replayed::default();
        base.records(bytes, true, &mut replayed, wire::decode);
        replayed.why_cut.is_none().then_some(base)
    }

    fn records(
        &mut self,
        mut rest: &[u8],
        numbered: bool,
        replayed: &mut Replayed,
        decode: impl Fn(&[u8], u64) -> Result<(Record, usize), &'static str>,
    ) {
        while !rest.is_empty() {
            match decode(rest, self.next) {
                Ok((record, length)) => {
                    if self.hole {
                        self.kept.apply_behind_a_hole(record);
                    } else {
                        self.kept.apply(record);
                    }
                    rest = rest.get(length..).unwrap_or_default();
                    replayed.records += 1;
                    replayed.good_bytes += length;
                    self.next = self.next.saturating_add(u64::from(numbered));
                }
                Err(why) => {
                    replayed.why_cut = Some(why);
                    return;
                }
            }
        }
    }
}
