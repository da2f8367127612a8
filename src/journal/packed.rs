//! Records on their way to the log, as bytes: a journal that begins anew has thousands of small ones, which take six times
//! the room as values, all at one moment.

use super::Record;
use super::wire::{self, Bare};
use crate::budget;

/// A row of records, in order.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// Whole records, without numbers. No piece is large: where memory is in pieces, it still fits.
    pieces: Vec<Vec<u8>>,
    bytes: usize,
}

impl Packed {
    /// Adds one at the end. One that is too large to be read again is said and left out.
    pub fn push(&mut self, record: &Record) {
        let bytes = wire::size(record);
        if !wire::fits(bytes) {
            return;
        }
        self.bytes += bytes;
        match self.pieces.last_mut().filter(|piece| piece.len() + bytes <= budget::JOURNAL_PIECE_BYTES) {
            Some(piece) => wire::encode_bare(record, piece),
            None => {
                let mut piece = Vec::with_capacity(bytes);
                wire::encode_bare(record, &mut piece);
                self.pieces.push(piece);
            }
        }
    }

    /// Bytes that they take in the log.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Each, as a value of its own.
    pub fn iter(&self) -> impl Iterator<Item = Record> + Clone {
        self.bare().filter_map(|bare| {
            let record = bare.record();
            debug_assert!(record.is_some(), "what was packed is unpacked");
            record
        })
    }

    /// Each, as a log takes it.
    #[must_use]
    pub fn bare(&self) -> Unpacked<'_> {
        Unpacked { pieces: self.pieces.iter(), rest: &[] }
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
}

impl<'a> Iterator for Unpacked<'a> {
    type Item = Bare<'a>;

    fn next(&mut self) -> Option<Bare<'a>> {
        if self.rest.is_empty() {
            self.rest = self.pieces.next()?;
        }
        let (bare, rest) = wire::cut_bare(self.rest)?;
        self.rest = rest;
        Some(bare)
    }
}
