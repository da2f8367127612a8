//! The world: the only files that may name sockets, threads, files and clocks. Pumps translate, and decide nothing.

use crate::agent::Said;
use crate::call::Ticket;
use crate::day::Days;
use crate::message::{AgentId, Line};
use crate::port::{Client, Command, Lost, Stored};
use crate::status::Status;
use crate::text::Clipped;
use async_tungstenite::tungstenite::Utf8Bytes;

pub mod agent;
pub mod clock;
pub mod control;
pub mod disk;
pub mod dns;
pub mod doctor;
pub mod http;
pub mod lossy;
pub mod metrics_file;
pub mod notify;
#[cfg(feature = "page")]
pub mod page;
pub mod process;
pub mod secret;
pub mod shell;
pub mod signals;
pub mod steps;
pub mod syslog;
pub mod tcp;
pub mod tls;
pub mod websocket;
pub mod windows;

/// What a pump or a thread tells the loop, owned; the loop turns it into a borrowed `Input`.
pub enum Happening {
    /// A WebSocket's upgrade was answered 101.
    Opened(Line),
    /// A text message.
    Text(Line, Utf8Bytes),
    /// A binary message, of so many bytes.
    Binary(Line, usize),
    /// The last frame is on its way.
    FrameSent(Line),
    /// A WebSocket is over.
    Lost(Line, Lost),
    /// An HTTP call came back.
    Answer(Ticket, http::Answered),
    /// An agent said something.
    Agent(AgentId, Said<'static>),
    /// The journal was written.
    Disk(Stored),
    /// Somebody on the control socket asks for something, or a signal came.
    Control(Client, Command),
    /// Read the configuration again; whoever asked is told.
    Reread(Client),
    /// Somebody asks what the configuration would change if it were read again.
    Plan(Client),
    /// The page or the metrics' file wants to see how things are; the last day, too, where this says so.
    Look(Watcher, bool),
    /// Somebody who asked to end does not want to wait.
    EndNow,
}

/// Who looked: the answer goes there, and is not waited for.
pub type Watcher = smol::channel::Sender<Box<Seen>>;

/// What is to be seen.
pub struct Seen {
    /// The status, whole.
    pub status: Status,
    /// The last day, where it was asked for.
    pub days: Option<Days>,
    /// Milliseconds since 1970, by the daemon's clock.
    pub at_ms: u64,
}

/// Asks the loop how things are, and for the last `days`; none when it ends.
async fn look(post: &Post, days: bool) -> Option<Box<Seen>> {
    let (tells, hears) = smol::channel::bounded(1);
    post.send(Happening::Look(tells, days)).await.ok()?;
    hears.recv().await.ok()
}

/// Where pumps and threads post happenings; bounded by `budget::HAPPENINGS`, so a full loop holds them back.
pub type Post = smol::channel::Sender<Happening>;

/// Peer text made fit for a detail: one line, escaped, at most 160 bytes.
fn clip(text: &str) -> String {
    Clipped::to(text, 160).to_string()
}

/// What to do about a directory that the daemon's user may not use, behind the error's words.
fn give(directory: &std::path::Path, mode: &str) -> String {
    let user = rustix::process::geteuid().as_raw();
    format!("; give it to the daemon's user: install -d -o {user} -m {mode} {}", directory.display())
}
