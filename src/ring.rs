//! What remembers with a bound: the window of ids that were seen.

use std::hash::{DefaultHasher, Hasher};

/// The last so many ids, to know one that comes twice. It keeps a 64-bit hash of each (two ids of one hash count as one)
/// in at most 12 bytes an id, allocated as it fills.
#[derive(Clone, Debug)]
pub struct Window {
    capacity: usize,
    seed: u64,
    /// Hashes in the order they came; once full, `next` is the oldest.
    hashes: Vec<u64>,
    next: usize,
    /// Open addressing: places in `hashes`, near where their hash points; twice as long as `hashes` may grow.
    index: Vec<u16>,
}

/// What a window remembers.
pub trait Id {
    /// Its bytes, in pieces or not.
    fn feed(&self, hasher: &mut DefaultHasher);
}

impl Id for str {
    fn feed(&self, hasher: &mut DefaultHasher) {
        hasher.write(self.as_bytes());
    }
}

impl Id for String {
    fn feed(&self, hasher: &mut DefaultHasher) {
        self.as_str().feed(hasher);
    }
}

impl<T: Id + ?Sized> Id for &T {
    fn feed(&self, hasher: &mut DefaultHasher) {
        (**self).feed(hasher);
    }
}

/// A text in pieces is the same as the whole text.
impl<const N: usize> Id for [&str; N] {
    fn feed(&self, hasher: &mut DefaultHasher) {
        self.iter().for_each(|piece| piece.feed(hasher));
    }
}

/// No place.
const FREE: u16 = u16::MAX;
/// Places are u16, and one value says `FREE`.
const CAPACITY_MAX: usize = FREE as usize;

impl Window {
    /// Remembers so many ids, 1 to 65,535.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::seeded(capacity, 0)
    }

    /// The same, with hashes that a peer cannot foresee.
    #[must_use]
    pub fn seeded(capacity: usize, seed: u64) -> Self {
        let capacity = capacity.clamp(1, CAPACITY_MAX);
        Self { capacity, seed, hashes: Vec::new(), next: 0, index: Vec::new() }
    }

    /// Remembers an id; the oldest is forgotten for it. Whether it was new.
    pub fn insert(&mut self, id: &(impl Id + ?Sized)) -> bool {
        let hash = self.hash(id);
        if self.find(hash).is_some() {
            return false;
        }
        if self.hashes.len() < self.capacity {
            if self.hashes.len() == self.hashes.capacity() {
                self.grow();
            }
            let place = self.hashes.len();
            self.hashes.push(hash);
            self.put(place);
            return true;
        }
        self.forget(self.next);
        if let Some(oldest) = self.hashes.get_mut(self.next) {
            *oldest = hash;
        }
        self.put(self.next);
        self.next = (self.next + 1) % self.capacity;
        true
    }

    /// Forgets an id before its time.
    pub fn remove(&mut self, id: &(impl Id + ?Sized)) {
        let slot = self.find(self.hash(id));
        let Some(place) = slot.and_then(|slot| self.index.get(slot)).map(|place| usize::from(*place)) else { return };
        self.forget(place);
        if let Some(hash) = self.hashes.get_mut(place) {
            // in no index: an id of this hash is not found by it
            *hash = 0;
        }
    }

    /// Whether it is remembered.
    #[must_use]
    pub fn contains(&self, id: &(impl Id + ?Sized)) -> bool {
        self.find(self.hash(id)).is_some()
    }

    /// Ids remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Heap bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.hashes.capacity() * 8 + self.index.capacity() * 2
    }

    fn hash(&self, id: &(impl Id + ?Sized)) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        id.feed(&mut hasher);
        hasher.finish()
    }

    /// Doubles the room up to the capacity, and builds the index anew.
    fn grow(&mut self) {
        let room = (self.hashes.len() * 2).max(16).min(self.capacity);
        self.hashes.reserve_exact(room - self.hashes.len());
        self.index = vec![FREE; room * 2];
        for place in 0..self.hashes.len() {
            self.put(place);
        }
    }

    /// Where in the index a hash is looked for first.
    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.index.len() as u128) >> 64) as usize
    }

    #[inline(always)]
    fn after(&self, slot: usize) -> usize {
        if slot + 1 == self.index.len() { 0 } else { slot + 1 }
    }

    /// The hash that a slot of the index leads to. Inlined for small code, too: all others go from slot to slot by it.
    #[inline(always)]
    fn at(&self, slot: usize) -> Option<u64> {
        self.index
            .get(slot)
            .filter(|place| **place != FREE)
            .and_then(|place| self.hashes.get(usize::from(*place)))
            .copied()
    }

    /// The slot that leads to a hash.
    fn find(&self, hash: u64) -> Option<usize> {
        let mut slot = self.home(hash);
        loop {
            match self.at(slot)? {
                found if found == hash => return Some(slot),
                _ => slot = self.after(slot),
            }
        }
    }

    /// Makes the index lead to a place in `hashes`.
    fn put(&mut self, place: usize) {
        let Some(hash) = self.hashes.get(place).copied() else { return };
        let mut slot = self.home(hash);
        while self.at(slot).is_some() {
            slot = self.after(slot);
        }
        if let (Some(free), Ok(place)) = (self.index.get_mut(slot), u16::try_from(place)) {
            *free = place;
        }
    }

    /// Takes a place out of the index and closes the gap: whatever was pushed on by it moves back.
    fn forget(&mut self, place: usize) {
        let Some(mut gap) = self.hashes.get(place).and_then(|hash| self.find(*hash)) else { return };
        let mut slot = self.after(gap);
        while let Some(hash) = self.at(slot) {
            let (home, len) = (self.home(hash), self.index.len());
            // it may move back if its home is not between the gap and where it is
            if (slot + len - home) % len >= (slot + len - gap) % len {
                self.index.swap(gap, slot);
                gap = slot;
            }
            slot = self.after(slot);
        }
        if let Some(slot) = self.index.get_mut(gap) {
            *slot = FREE;
        }
    }
}
