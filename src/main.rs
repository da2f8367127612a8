//! The program: counts its heap and hands its arguments to [`guild_bridge::cli`].
#![forbid(unsafe_code)]

use cap::Cap;
#[cfg(not(target_arch = "mips"))]
use dlmalloc::GlobalDlmalloc as Below;
#[cfg(target_arch = "mips")]
use std::alloc::System as Below;
use std::process::ExitCode;

/// Counts; the limit is none, since a failed allocation would end the daemon.
#[global_allocator]
static HEAP: Cap<Below> = Cap::new(Below, usize::MAX);

fn main() -> ExitCode {
    guild_bridge::cli::main(std::env::args_os().skip(1), || (HEAP.allocated(), HEAP.max_allocated()))
}
