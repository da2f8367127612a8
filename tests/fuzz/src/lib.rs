//! What the targets share: an input as a row of choices, and a bound on what one input may take of memory.

mod disk;
mod feed;
mod files;
mod stage;

pub use disk::Disk;
pub use feed::Feed;
pub use files::Memory;
pub use stage::Stage;

use cap::Cap;
use std::alloc::System;
use std::sync::Once;

/// Counts what every target allocates. Beyond its limit an allocation fails, which ends the process: libFuzzer calls it a
/// crash and keeps the input.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Runs something that may hold at most so many bytes more than are held now.
///
/// # Panics
/// If the allocator's limit cannot be set.
pub fn within<R>(bytes: usize, what: impl FnOnce() -> R) -> R {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // a panic has to be told, whatever it takes
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let _ = HEAP.set_limit(usize::MAX);
            tell(info);
        }));
    });
    HEAP.set_limit(HEAP.allocated().saturating_add(bytes)).expect("a limit above what is allocated can be set");
    let result = what();
    HEAP.set_limit(usize::MAX).expect("no limit can be set");
    result
}
