//! Lines to and from a line agent, `stdio` or `socket`: bounded both ways. What an agent writes too fast waits in its
//! own pipe; what it does not read waits in a queue, and an agent that does not read for long is ended.

use crate::budget;
use crate::io::clock;
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, future};
use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its newline; invalid UTF-8 replaced in so many places.
    Text(String, usize),
    /// A line beyond `budget::AGENT_LINE_BYTES`; it was skipped.
    TooLong,
    /// The end came before the line's.
    Cut,
}

/// Reads lines: those that turns have made due as they come, others never more than `budget::AGENT_READS_PER_S` a second.
pub struct Reader<R> {
    from: R,
    chunk: Vec<u8>,
    /// Of the chunk, what was read and not yet taken.
    fresh: Range<usize>,
    line: Vec<u8>,
    skipping: bool,
    pace: Pace,
    due: Rc<Cell<u32>>,
    slow: Arc<AtomicBool>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from here.
    pub fn new(from: R) -> Self {
        Self::slowed(from, Arc::default())
    }

    /// Reads from here; piece by piece while `slow` says so.
    pub fn slowed(from: R, slow: Arc<AtomicBool>) -> Self {
        Self {
            from,
            chunk: Vec::new(),
            fresh: 0..0,
            line: Vec::new(),
            skipping: false,
            pace: Pace::default(),
            due: Rc::default(),
            slow,
        }
    }

    /// The next line that is not blank; none at the end.
    pub async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.cut_line() {
                match self.due.get() {
                    0 => self.pace.one().await,
                    due => self.due.set(due - 1),
                }
                if line != Line::Text(String::new(), 0) {
                    return Some(line);
                }
            } else if !self.fill().await {
                let cut = !self.line.is_empty() || self.skipping;
                (self.line, self.skipping) = (Vec::new(), false);
                return cut.then_some(Line::Cut);
            }
        }
    }

    /// Takes what the chunk has of the present line; the line itself where it ends there.
    fn cut_line(&mut self) -> Option<Line> {
        let fresh = self.chunk.get(self.fresh.clone()).unwrap_or_default();
        let end = fresh.iter().position(|b| *b == b'\n');
        let part = fresh.get(..end.unwrap_or(fresh.len())).unwrap_or_default();
        if self.line.len() + part.len() > budget::AGENT_LINE_BYTES {
            (self.line, self.skipping) = (Vec::new(), true);
        }
        if !self.skipping {
            self.line.extend_from_slice(part);
        }
        self.fresh.start += part.len() + usize::from(end.is_some());
        end?;
        if std::mem::take(&mut self.skipping) {
            return Some(Line::TooLong);
        }
        Some(text(std::mem::take(&mut self.line)))
    }

    async fn fill(&mut self) -> bool {
        if self.fresh.end == budget::AGENT_CHUNK_BYTES {
            self.pace.one().await;
        }
        super::breathe(&self.slow).await;
        // once: what an earlier read left is written over
        self.chunk.resize(budget::AGENT_CHUNK_BYTES, 0);
        self.fresh = 0..self.from.read(&mut self.chunk).await.unwrap_or(0);
        !self.fresh.is_empty()
    }
}

fn text(line: Vec<u8>) -> Line {
    let (mut line, bad) = super::lossy(line);
    // a long one may have twice its room, and waits where the loop is full
    if line.capacity() > budget::AGENT_CHUNK_BYTES {
        line.shrink_to_fit();
    }
    let trimmed = line.trim();
    Line::Text(if trimmed.len() == line.len() { line } else { trimmed.to_owned() }, bad)
}

/// At most `budget::AGENT_READS_PER_S` in a second that begins with the first of them.
#[derive(Default)]
struct Pace {
    span: Option<Timer>,
    count: u32,
}

impl Pace {
    async fn one(&mut self) {
        if let Some(span) = &mut self.span {
            let over = if self.count < budget::AGENT_READS_PER_S {
                future::poll_once(&mut *span).await.is_some()
            } else {
                span.await;
                true
            };
            if over {
                self.span = None;
            }
        }
        if self.span.is_none() {
            (self.span, self.count) = (Some(Timer::after(Duration::from_secs(1))), 0);
        }
        self.count += 1;
    }
}

/// The queue is full: its agent does not read.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// Lines that wait to be written to one agent.
pub struct Queue {
    waiting: RefCell<Waiting>,
    bell: (Sender<()>, Receiver<()>),
    /// Lines that the agent may say because of the turns that it was given.
    due: Rc<Cell<u32>>,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Entry>,
    bytes: usize,
    closed: bool,
}

struct Entry {
    /// The turn that the line gives, until it is being written.
    turn: Option<String>,
    line: String,
}

impl Default for Queue {
    fn default() -> Self {
        Self { waiting: RefCell::default(), bell: bounded(1), due: Rc::default() }
    }
}

impl Queue {
    /// Gives a turn.
    ///
    /// # Errors
    /// `Full`, when it would be more than `budget::AGENT_QUEUE_LINES` or `budget::AGENT_QUEUE_BYTES`.
    pub fn give(&self, turn: &str, line: String) -> Result<(), Full> {
        let waiting = self.waiting.borrow();
        if !waiting.lines.is_empty() && waiting.bytes + line.len() > budget::AGENT_QUEUE_BYTES {
            return Err(Full);
        }
        drop(waiting);
        self.push(Entry { turn: Some(turn.to_owned()), line })
    }

    /// Says anything else.
    ///
    /// # Errors
    /// `Full`, as `give`, but by lines alone.
    pub fn tell(&self, line: String) -> Result<(), Full> {
        self.push(Entry { turn: None, line })
    }

    /// Takes a turn back that was not yet being written; false where it is too late for that.
    pub fn take_back(&self, turn: &str) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let Some(at) = waiting.lines.iter().position(|e| e.turn.as_deref() == Some(turn)) else { return false };
        if let Some(entry) = waiting.lines.remove(at) {
            waiting.bytes -= entry.line.len();
        }
        true
    }

    /// Nothing more after what waits now.
    pub fn close(&self) {
        self.waiting.borrow_mut().closed = true;
        self.ring();
    }

    /// Empty, and open again.
    pub fn renew(&self) {
        self.waiting.replace(Waiting::default());
        self.due.set(0);
    }

    fn push(&self, entry: Entry) -> Result<(), Full> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.closed || waiting.lines.len() >= budget::AGENT_QUEUE_LINES {
            return Err(Full);
        }
        waiting.bytes += entry.line.len();
        waiting.lines.push_back(entry);
        drop(waiting);
        self.ring();
        Ok(())
    }

    fn ring(&self) {
        // a bell that rings already is enough
        let _ = self.bell.0.try_send(());
    }

    /// The next lines to write, each with its newline; none once it is closed and empty.
    async fn next(&self) -> Option<String> {
        loop {
            if let Some(lines) = self.cut() {
                return Some(lines);
            }
            if self.waiting.borrow().closed {
                return None;
            }
            let _ = self.bell.1.recv().await;
        }
    }

    /// Takes what waits, as far as one write is to go: one line at least.
    fn cut(&self) -> Option<String> {
        let mut waiting = self.waiting.borrow_mut();
        let mut lines = String::new();
        let fits = |lines: &String, next: &Entry| {
            lines.is_empty() || lines.len() + next.line.len() < budget::AGENT_WRITE_BYTES
        };
        while waiting.lines.front().is_some_and(|next| fits(&lines, next)) {
            let Some(entry) = waiting.lines.pop_front() else { break };
            waiting.bytes -= entry.line.len();
            if entry.turn.is_some() {
                let most = u32::from(budget::PARALLEL) * budget::AGENT_LINES_OF_A_TURN;
                self.due.set((self.due.get() + budget::AGENT_LINES_OF_A_TURN).min(most));
            }
            if lines.is_empty() {
                lines = entry.line
            } else {
                lines.push_str(&entry.line)
            }
            lines.push('\n');
        }
        (!lines.is_empty()).then_some(lines)
    }
}

/// How a conversation of lines ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The agent closed its side.
    Closed,
    /// It did not read within `budget::AGENT_WRITE_MS`.
    Stuck,
    /// The queue was closed, and all of it written.
    Done,
}

/// Writes what the queue holds and hands what is read to `hear`, until either ends.
pub async fn talk<R, W>(reader: &mut Reader<R>, mut to: W, queue: &Queue, mut hear: impl AsyncFnMut(Line)) -> End
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    reader.due = queue.due.clone();
    let read = async {
        while let Some(line) = reader.next().await {
            hear(line).await;
        }
        End::Closed
    };
    let write = async {
        while let Some(lines) = queue.next().await {
            if let Some(end) = write(&mut to, &lines).await {
                return end;
            }
        }
        End::Done
    };
    read.or(write).await
}

/// Writes whole lines; how the conversation ended where that fails.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), lines: &str) -> Option<End> {
    let written = async {
        match to.write_all(lines.as_bytes()).await {
            Ok(()) => to.flush().await.err().map(|_| End::Closed),
            Err(_) => Some(End::Closed),
        }
    };
    clock::within(budget::AGENT_WRITE_MS, written).await.unwrap_or(Some(End::Stuck))
}
