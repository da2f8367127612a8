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
    /// What was taken last ends within a line.
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

    /// How many bytes were taken: all, none, or as many as there was room for.
    fn put(&mut self, lines: &[u8]) -> usize {
        let taken = if self.has_room() { self.way.write(lines).unwrap_or_default() } else { 0 };
        if let Some(last) = taken.checked_sub(1).and_then(|last| lines.get(last)) {
            self.torn = *last != b'\n';
        }
        taken
    }

    /// Says what was dropped before, and then these; how many bytes of them were taken.
    fn put_behind_the_note(&mut self, lines: &[u8]) -> usize {
        if self.missed > 0 {
            let torn = if self.torn { "\n" } else { "" };
            let note =
                format!("{torn}{} line(s) of this log were dropped here: nobody read them in time\n", self.missed);
            if self.put(note.as_bytes()) < note.len() {
                return 0;
            }
            self.missed = 0;
        }
        self.put(lines)
    }

    /// Writes one line, or several, and counts those that were not taken whole.
    fn write_lines(&mut self, lines: &[u8]) {
        let cut = match lines.get(..LINE_BYTES) {
            Some([cut @ .., _]) => [cut, b"\n"].concat(),
            Some([]) | None => Vec::new(),
        };
        let lines = if cut.is_empty() { lines } else { &cut };
        let taken = self.put_behind_the_note(lines);
        let left = lines.get(taken..).unwrap_or_default();
        if !left.is_empty() {
            let count = left.iter().filter(|byte| **byte == b'\n').count().max(1);
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
