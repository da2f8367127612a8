//! A way out for lines that perhaps nobody reads: the log. What would make the daemon wait is dropped and counted, and once
//! there is room again the number dropped is the first thing said. Lines that one round of the loop says are written
//! together.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Result, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The longest line: what a pipe with any room takes whole (PIPE_BUF), so that no write waits and no line is torn.
const LINE_BYTES: usize = 4096;

/// Lines of the log that were dropped since the start, for status. Of the machine's own width: MIPS has no wider atomics.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// The loop is in a round: lines are gathered until its end, whichever thread says them.
pub static IN_ROUND: AtomicBool = AtomicBool::new(false);

/// A round of the loop begins.
pub fn begin_round() {
    IN_ROUND.store(true, Ordering::Relaxed);
}

/// It is over: what was gathered is written, and then lines as they come.
pub fn end_round() {
    IN_ROUND.store(false, Ordering::Relaxed);
    log::logger().flush();
}

/// Lines that were dropped since the start.
#[must_use]
pub fn dropped() -> u64 {
    u64::try_from(DROPPED.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
}

/// Writes whole lines, one or several by one `write`, and never waits for whoever reads them.
pub struct Lossy<W> {
    way: W,
    /// Lines that were gathered, `LINE_BYTES` at most.
    gathered: Vec<u8>,
    /// While it is true lines are gathered.
    in_round: Option<&'static AtomicBool>,
    /// Dropped since the last line that was taken.
    missed: u64,
    /// The last line was taken in part.
    torn: bool,
}

impl<W: Write + AsFd> Lossy<W> {
    /// Lines go to `way`. It stays as it is: other programs may share it, so it is not made non-blocking.
    pub fn new(way: W) -> Self {
        Self { way, gathered: Vec::new(), in_round: None, missed: 0, torn: false }
    }

    /// Gathers lines while `in_round` is true, as far as one `write` is taken whole.
    #[must_use]
    pub fn gathering(self, in_round: &'static AtomicBool) -> Self {
        Self { gathered: Vec::with_capacity(LINE_BYTES), in_round: Some(in_round), ..self }
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

    /// Writes one line, or several, and counts those that were not taken.
    fn write_lines(&mut self, lines: &[u8]) {
        if !self.line(lines) || self.torn {
            let count = lines.iter().filter(|byte| **byte == b'\n').count().max(1);
            self.missed += u64::try_from(count).unwrap_or(u64::MAX);
            DROPPED.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn write_gathered(&mut self) {
        if !self.gathered.is_empty() {
            let mut lines = std::mem::take(&mut self.gathered);
            self.write_lines(&lines);
            lines.clear();
            self.gathered = lines;
        }
    }
}

/// All that is given is taken: a log has nobody to complain to.
impl<W: Write + AsFd> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        if self.gathered.len() + line.len() > LINE_BYTES {
            self.write_gathered();
        }
        let in_round = self.in_round.is_some_and(|round| round.load(Ordering::Relaxed));
        if in_round && line.len() <= LINE_BYTES {
            self.gathered.extend_from_slice(line);
        } else {
            self.write_gathered();
            self.write_lines(line);
        }
        Ok(line.len())
    }

    /// Writes what was gathered.
    fn flush(&mut self) -> Result<()> {
        self.write_gathered();
        Ok(())
    }
}

/// A log and its logger's hand on the same way: the logger flushes after each line, and what is gathered waits for more.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Box<dyn Write + Send>>>);

impl Shared {
    /// Lines go to `way`.
    #[must_use]
    pub fn new(way: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(way)))
    }

    /// Writes what was gathered.
    pub fn write_gathered(&self) {
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}

impl Write for Shared {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(line)
    }

    /// See [`Shared::write_gathered`].
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
