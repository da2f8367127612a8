//! What the targets share: an input as a row of choices, and a bound on what one input may take of memory.

mod feed;

pub use feed::Feed;

use cap::Cap;
use std::alloc::System;

/// Counts what every target allocates. Beyond its limit an allocation fails, which ends the process: libFuzzer calls it a
/// crash and keeps the input.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Runs something that may hold at most so many bytes more than are held now.
///
/// # Panics
/// If the allocator's limit cannot be set.
pub fn within<R>(bytes: usize, what: impl FnOnce() -> R) -> R {
    HEAP.set_limit(HEAP.allocated().saturating_add(bytes)).expect("a limit above what is allocated can be set");
    let result = what();
    HEAP.set_limit(usize::MAX).expect("no limit can be set");
    result
}
