//! What the process uses, for status.

use crate::status::ProcessStatus;
use std::io::Read;

/// The heap as the counting allocator sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Bytes in use.
    pub used: usize,
    /// The most that was in use.
    pub peak: usize,
    /// What may be in use.
    pub limit: usize,
}

/// The process part of a status. `state`: how state is kept, and why it is not.
#[must_use]
pub fn status(heap: Heap, state: (&'static str, String)) -> ProcessStatus {
    ProcessStatus {
        pid: std::process::id(),
        heap_bytes: heap.used,
        heap_peak_bytes: heap.peak,
        heap_limit_bytes: heap.limit,
        shedding: false,
        sheds: 0,
        let_go: 0,
        rss_bytes: rss_bytes().unwrap_or(0),
        state_mode: state.0,
        state_detail: state.1,
        log_dropped: super::lossy::dropped(),
        page: None,
        page_detail: String::new(),
        metrics_detail: String::new(),
    }
}

/// The resident set, where `/proc` is mounted.
fn rss_bytes() -> Option<u64> {
    let mut text = String::new();
    std::fs::File::open("/proc/self/status").ok()?.take(4096).read_to_string(&mut text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
