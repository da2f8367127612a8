//! Records on their way to the log, as bytes: a journal that begins anew has thousands of small ones, which take six times
//! the room as values, all at one moment.

use super::{Record, wire};
use crate::budget;

/// A row of records, in order.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// Whole records, numbered from 0 over all of it. No piece is large: where memory is in pieces, it still fits.
    pieces: Vec<Vec<u8>>,
    count: u64,
    bytes: usize,
}

impl Packed {
    /// Adds one at the end. One that is too large to be read again is said and left out.
    pub fn push(&mut self, record: &Record) {
        if !wire::fits(record) {
            return;
        }
        let bytes = wire::size(record);
        self.bytes += bytes;
        match self.pieces.last_mut().filter(|piece| piece.len() + bytes <= budget::JOURNAL_PIECE_BYTES) {
            Some(piece) => wire::encode(record, self.count, piece),
            None => {
                let mut piece = Vec::with_capacity(bytes);
                wire::encode(record, self.count, &mut piece);
                self.pieces.push(piece);
            }
        }
        self.count += 1;
    }

    /// Bytes that they take in the log.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Each, as a value of its own.
    #[must_use]
    pub fn iter(&self) -> Unpacked<'_> {
        Unpacked { pieces: self.pieces.iter(), rest: &[], next: 0 }
    }
}

impl FromIterator<Record> for Packed {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        let mut packed = Self::default();
        records.into_iter().for_each(|record| packed.push(&record));
        packed
    }
}

impl From<Vec<Record>> for Packed {
    fn from(records: Vec<Record>) -> Self {
        records.into_iter().collect()
    }
}

/// What is left of a row of records.
#[derive(Clone, Debug)]
pub struct Unpacked<'a> {
    pieces: std::slice::Iter<'a, Vec<u8>>,
    rest: &'a [u8],
    next: u64,
}

impl Iterator for Unpacked<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.rest.is_empty() {
            self.rest = self.pieces.next()?;
        }
        let unpacked = wire::decode(self.rest, self.next);
        debug_assert!(unpacked.is_ok(), "what was packed is unpacked");
        let (record, bytes) = unpacked.ok()?;
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.next += 1;
        Some(record)
    }
}
