//! A way out for lines that perhaps nobody reads: the log. What would make the daemon wait is dropped and counted, and once
//! there is room again the number dropped is the first thing said.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Result, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The longest line: what a pipe with any room takes whole (PIPE_BUF), so that no write waits and no line is torn.
const LINE_BYTES: usize = 4096;

/// Lines of the log that were dropped since the start, for status. Of the machine's own width: MIPS has no wider atomics.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// Lines that were dropped since the start.
#[must_use]
pub fn dropped() -> u64 {
    u64::try_from(DROPPED.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
}

/// Writes whole lines, each by one `write`, and never waits for whoever reads them.
pub struct Lossy<W> {
    way: W,
    /// Dropped since the last line that was taken.
    missed: u64,
    /// The last line was taken in part.
    torn: bool,
}

impl<W: Write + AsFd> Lossy<W> {
    /// Lines go to `way`. It stays as it is: other programs may share it, so it is not made non-blocking.
    pub fn new(way: W) -> Self {
        Self { way, missed: 0, torn: false }
    }

    /// Whether a line of `LINE_BYTES` is taken at once.
    fn has_room(&self) -> bool {
        let mut ways = [PollFd::new(&self.way, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut ways, Some(&at_once)).is_ok() && ways.iter().all(|way| way.revents().contains(PollFlags::OUT))
    }

    /// Whether it was taken, in part at least.
    fn put(&mut self, line: &[u8]) -> bool {
        if !self.has_room() {
            return false;
        }
        match self.way.write(line) {
            Ok(taken) => {
                self.torn = taken < line.len();
                true
            }
            Err(_) => false,
        }
    }

    fn line(&mut self, line: &[u8]) -> bool {
        if self.missed > 0 {
            let torn = if self.torn { "\n" } else { "" };
            let note =
                format!("{torn}{} line(s) of this log were dropped here: nobody read them in time\n", self.missed);
            if !self.put(note.as_bytes()) {
                return false;
            }
            self.missed = 0;
        }
        match line.get(..LINE_BYTES) {
            Some([cut @ .., _]) => self.put(&[cut, b"\n"].concat()),
            Some([]) | None => self.put(line),
        }
    }
}

/// All that is given is taken: a log has nobody to complain to.
impl<W: Write + AsFd> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        let whole = self.line(line) && !self.torn;
        if !whole {
            self.missed += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
