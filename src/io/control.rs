//! The control socket: people and scripts ask, the daemon answers, one JSON object a line each way.
//!
//! Who may ask is decided by the file alone: mode 0660 in a folder of mode 0750, so the daemon's user, its group and
//! root. Credentials of the other side are not looked at.
//!
//! A client asks one thing at a time; its next line is read when the last was answered. `tail` goes on until it leaves.

mod seat;

use super::{Happening, Post, clock};
use crate::budget;
use crate::moment::Moment;
use crate::port::{Client, Command, Told};
use crate::reason::Reason;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};
use seat::{Due, Seat, refusal};
use serde::{Deserialize, Serialize};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor, Task};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

/// Nobody on the socket: who "asks" when a signal comes. No client has this number.
pub const NOBODY: Client = Client(0);

/// A line from a client. Unknown fields are ignored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// One of `COMMANDS`.
    pub cmd: String,
    /// For send and restart; for tail where one agent is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// For send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// For send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// For letters-show a letter's key; for letters-retry and letters-drop, where not all are meant: that, or an agent's
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub which: Option<String>,
}

/// The server's side of the control socket. Its file goes with it.
pub struct Control {
    path: PathBuf,
    /// Device and inode of the file: another daemon's must not be removed.
    file: (u64, u64),
    seats: Seats,
    _accepting: Task<()>,
}

type Seats = Rc<RefCell<BTreeMap<Client, Rc<Seat>>>>;

impl Control {
    /// Listens at `path` with mode 0660; its folder is made with mode 0750 where there is none. A socket that nobody
    /// listens at is replaced. `AddrInUse` with who holds it, when somebody does.
    ///
    /// # Errors
    /// A sentence with the path and what to do.
    pub fn bind(path: &Path, executor: &Rc<LocalExecutor<'static>>, post: Post) -> std::io::Result<Self> {
        let told = |error: Error| {
            let folder = path.parent().filter(|_| error.kind() == ErrorKind::PermissionDenied);
            let what = folder.map(|folder| super::give(folder, "750")).unwrap_or_default();
            Error::new(error.kind(), format!("{}: {error}{what}", path.display()))
        };
        make_folder(path).map_err(told)?;
        make_way(path).map_err(told)?;
        let listener = listen_at(path).map_err(told)?;
        let file = std::fs::symlink_metadata(path).map(|m| (m.dev(), m.ino())).map_err(told)?;
        let listener = Async::new(listener).map_err(told)?;
        let seats = Seats::default();
        let accepting = executor.spawn(accept(listener, Rc::downgrade(executor), seats.clone(), post));
        Ok(Self { path: path.to_owned(), file, seats, _accepting: accepting })
    }

    /// Tells a client something; one that left is not told. What a slow `tail` cannot take is counted and dropped.
    pub fn tell(&self, client: Client, told: Told) {
        let seat = self.seats.borrow().get(&client).cloned();
        if let Some(seat) = seat {
            seat.tell(&told);
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.file);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn make_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => {
            std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
            // whatever the umask took away or left
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o750))
        }
        Some(_) | None => Ok(()),
    }
}

/// Removes a dead socket; refuses a living one and anything that is no socket.
fn make_way(path: &Path) -> std::io::Result<()> {
    let file = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) => metadata.file_type(),
    };
    if !file.is_socket() {
        return Err(Error::new(ErrorKind::AlreadyExists, "is there and is no socket; give another path with --socket"));
    }
    let probe =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    match connect(&probe, &SocketAddrUnix::new(path)?) {
        Err(rustix::io::Errno::CONNREFUSED) => std::fs::remove_file(path),
        // a full queue has somebody behind it, too
        Ok(()) | Err(rustix::io::Errno::AGAIN) => {
            let holder = sockopt::socket_peercred(&probe).map(|peer| peer.pid.as_raw_nonzero().get());
            let who = holder.map_or_else(|_| "another process".to_owned(), |pid| format!("process {pid}"));
            let what = format!("{who} listens there already; end it, or give another path with --socket");
            Err(Error::new(ErrorKind::AddrInUse, what))
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Bound beside the path, given its mode, then moved onto it: nobody meets it with another mode.
fn listen_at(path: &Path) -> std::io::Result<UnixListener> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let _ = std::fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside)?;
    let placed = std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o660))
        .and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    placed.map(|()| listener)
}

async fn accept(listener: Async<UnixListener>, executor: Weak<LocalExecutor<'static>>, seats: Seats, post: Post) {
    let mut last = NOBODY;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // out of descriptors, most likely: trying at once would spin
                log::warn!("control socket: {}: {error}", Reason::HostShort);
                clock::sleep_until(clock::now().at.after_ms(1000)).await;
                continue;
            }
        };
        if !room(&seats).await {
            let detail = format!("{} clients are here already; try again later", budget::CONTROL_CLIENTS);
            let line = refusal(&detail);
            let _ = clock::within(1000, (&stream).write_all(line.as_bytes())).await;
            continue;
        }
        let Some(executor) = executor.upgrade() else { return };
        last = Client(last.0.checked_add(1).unwrap_or(1));
        let seat = Rc::new(Seat::new());
        seats.borrow_mut().insert(last, seat.clone());
        executor.spawn(serve(stream, last, seat, seats.clone(), post.clone())).detach();
    }
}

/// Whether there is a place for one more: where there is none, the client that has asked for nothing for longest, and for
/// `CONTROL_IDLE_MS` at least, gives its place up.
async fn room(seats: &Seats) -> bool {
    let full = || seats.borrow().len() >= budget::CONTROL_CLIENTS;
    if full() {
        let long_ago = |at: &Moment| clock::now().at.since_ms(*at) >= budget::CONTROL_IDLE_MS;
        let idle = |seat: &Rc<Seat>| Some((seat.idle_since().filter(long_ago)?, seat.clone()));
        let longest = seats.borrow().values().filter_map(idle).min_by_key(|(since, _)| *since);
        if let Some((_, seat)) = longest {
            seat.give_up();
            let left = async {
                while full() {
                    smol::future::yield_now().await;
                }
            };
            clock::within(100, left).await;
        }
    }
    !full()
}

async fn serve(stream: Async<UnixStream>, client: Client, seat: Rc<Seat>, seats: Seats, post: Post) {
    smol::future::or(listen(&stream, client, &seat, &post), speak(&stream, &seat)).await;
    seats.borrow_mut().remove(&client);
    let _ = post.send(Happening::Control(client, Command::Left)).await;
}

/// Takes the client's lines; ends when it is gone or said nothing for too long.
async fn listen(stream: &Async<UnixStream>, client: Client, seat: &Seat, post: &Post) {
    let mut bytes = Vec::new();
    loop {
        let line = match clock::within(budget::CONTROL_MS, next_line(stream, &mut bytes)).await {
            Some(Heard::Line(line)) => line,
            Some(Heard::TooLong) => {
                seat.refuse(&format!("the line is longer than {} bytes", budget::CONTROL_LINE_BYTES));
                return seat.leave().await;
            }
            Some(Heard::End) | None => return seat.leave().await,
        };
        let happening = match request(&line) {
            Ok(happening) => happening(client),
            Err(what) => {
                if seat.refuse(&what) {
                    continue;
                }
                return seat.leave().await;
            }
        };
        seat.expect(matches!(happening, Happening::Control(_, Command::Tail { .. })));
        if post.send(happening).await.is_err() {
            return;
        }
        // until it is answered, the stream is read for its end alone
        let answered = async { Some(seat.answered.1.recv().await) };
        let gone = async {
            watch(stream, &mut bytes).await;
            None
        };
        if smol::future::or(answered, gone).await.is_none() {
            return seat.leave().await;
        }
    }
}

enum Heard {
    Line(Vec<u8>),
    TooLong,
    End,
}

async fn next_line(mut stream: &Async<UnixStream>, bytes: &mut Vec<u8>) -> Heard {
    loop {
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            if end > budget::CONTROL_LINE_BYTES {
                return Heard::TooLong;
            }
            let rest = bytes.split_off(end + 1);
            return Heard::Line(std::mem::replace(bytes, rest));
        }
        if bytes.len() > budget::CONTROL_LINE_BYTES {
            return Heard::TooLong;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return Heard::End,
            Ok(n) => bytes.extend(piece.iter().take(n)),
        }
    }
}

/// Ends when the client does. What it says meanwhile is kept for later, as far as there is room.
async fn watch(mut stream: &Async<UnixStream>, bytes: &mut Vec<u8>) {
    while bytes.len() <= budget::CONTROL_LINE_BYTES {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(n) => bytes.extend(piece.iter().take(n)),
        }
    }
    std::future::pending().await
}

const COMMANDS: &str =
    "status, send, tail, letters, letters-show, letters-retry, letters-drop, restart, reload, reload-plan, nudge";

/// What a line asks for.
fn request(line: &[u8]) -> Result<impl FnOnce(Client) -> Happening, String> {
    let request: Request = serde_json::from_slice(line).map_err(|error| format!("not a request: {error}"))?;
    let need = |field: Option<String>, name: &str| field.ok_or_else(|| format!("{} needs \"{name}\"", request.cmd));
    let command = match request.cmd.as_str() {
        "status" => Some(Command::Status),
        "send" => Some(Command::Send {
            agent: need(request.agent, "agent")?,
            channel: need(request.channel, "channel")?,
            text: need(request.text, "text")?,
        }),
        "tail" => Some(Command::Tail { agent: request.agent }),
        "letters" => Some(Command::Letters),
        "letters-show" => Some(Command::ShowLetter { key: need(request.which, "which")? }),
        "letters-retry" => Some(Command::LettersAgain { which: request.which }),
        "letters-drop" => Some(Command::DropLetters { which: request.which }),
        "restart" => Some(Command::Restart { agent: need(request.agent, "agent")? }),
        "nudge" => Some(Command::Nudge),
        "reload" | "reload-plan" => None,
        _ => return Err(format!("no such \"cmd\"; there are {COMMANDS}")),
    };
    let plan = request.cmd == "reload-plan";
    Ok(move |client| match command {
        Some(command) => Happening::Control(client, command),
        None if plan => Happening::Plan(client),
        None => Happening::Reread(client),
    })
}

/// Writes what is to be told; ends when nothing more can be.
async fn speak(mut stream: &Async<UnixStream>, seat: &Seat) {
    loop {
        while let Some(line) = seat.next() {
            let written = stream.write_all(line.as_bytes());
            // somebody who reads a tail may take his time; whoever asked takes his answer
            let written = match seat.waits_for() {
                Due::Tail => Some(written.await),
                Due::Nothing | Due::Answer | Due::Later => clock::within(budget::CONTROL_MS, written).await,
            };
            if !matches!(written, Some(Ok(()))) {
                return;
            }
        }
        if seat.is_over() || seat.awake.1.recv().await.is_err() {
            return;
        }
    }
}
