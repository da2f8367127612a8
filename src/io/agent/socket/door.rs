//! The listening socket itself: its place in the file system, its mode, who is let in.

use super::Room;
use crate::agent::Said;
use crate::agent::line;
use crate::budget;
use crate::io::agent::Rest;
use crate::io::clock;
use crate::reason::{Reason, Why};
use futures_lite::FutureExt;
use smol::Async;
use smol::channel::Receiver;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// One agent's connection.
pub type Stream = Async<UnixStream>;

/// Listens until `kept` closes; where that is not possible, says so to every agent behind it and tries again.
pub async fn listen(room: Rc<Room>, kept: Receiver<()>) {
    let mut rest = Rest::default();
    loop {
        match Bound::new(&room.path).await {
            Ok(bound) => {
                log::info!("listening for agents on {}", room.path.display());
                let over = async {
                    let _ = kept.recv().await;
                };
                bound.accept(&room, &kept).or(over).await;
                return;
            }
            Err(why) => {
                for voice in room.voices() {
                    let detail = format!("cannot listen on {}: {why}", room.path.display());
                    voice.say(Said::Gone(Why::new(Reason::AgentMissing, detail))).await;
                }
            }
        }
        if clock::within(rest.next_ms(), kept.recv()).await.is_some() {
            return;
        }
    }
}

/// A socket that is ours; its file goes with it.
struct Bound {
    listener: Async<UnixListener>,
    path: PathBuf,
    file: (u64, u64),
}

impl Bound {
    /// Binds with mode 0660, in a directory that is made with 0750 where it is missing. A socket that nobody listens on
    /// any more is replaced, anything else is left alone.
    async fn new(path: &Path) -> Result<Self, String> {
        let told = |e: std::io::Error| e.to_string();
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty() && !dir.exists()) {
            fs::DirBuilder::new().recursive(true).mode(0o750).create(dir).map_err(told)?;
        }
        match fs::symlink_metadata(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(told(e)),
            Ok(found) if !found.file_type().is_socket() => {
                return Err("what is there is no socket; remove it or configure another path".to_owned());
            }
            Ok(_) if alive(path).await => return Err("another program listens there".to_owned()),
            Ok(_) => fs::remove_file(path).map_err(told)?,
        }
        let listener = UnixListener::bind(path).map_err(told)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(told)?;
        let file = identity(path).map_err(told)?;
        let listener = Async::new(listener).map_err(told)?;
        Ok(Self { listener, path: path.to_owned(), file })
    }

    async fn accept(&self, room: &Rc<Room>, kept: &Receiver<()>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => admit(room, stream, kept),
                Err(e) => {
                    log::warn!("{}: {}: a connection could not be taken: {e}", Reason::HostShort, self.path.display());
                    crate::io::agent::child::after(1_000).await;
                }
            }
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether somebody listens; one who does not answer does.
async fn alive(path: &Path) -> bool {
    let knock = clock::within(1_000, Async::<UnixStream>::connect(path)).await;
    !matches!(knock, Some(Err(e)) if matches!(e.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound))
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Lets a connection in, or tells it why not: at most `budget::AGENT_CLIENTS`, of users that some agent here names.
fn admit(room: &Rc<Room>, stream: Stream, kept: &Receiver<()>) {
    let uid = rustix::net::sockopt::socket_peercred(&stream).map(|peer| peer.uid.as_raw());
    let refusal = match uid {
        Ok(_) if room.connections.get() >= budget::AGENT_CLIENTS => {
            ("full", format!("{} connections are there already", budget::AGENT_CLIENTS))
        }
        Ok(uid) if room.admits(uid) => {
            let Some(executor) = room.executor.upgrade() else { return };
            let counted = Counted::new(room.clone());
            let kept = kept.clone();
            let over = async move {
                let _ = kept.recv().await;
            };
            let served = async move {
                counted.0.clone().serve(stream, uid).await;
                drop(counted);
            };
            executor.spawn(served.or(over)).detach();
            return;
        }
        Ok(uid) => ("denied", format!("uid {uid} may not connect here: see `uids`")),
        Err(e) => ("denied", format!("your user is not known: {e}")),
    };
    log::warn!("{}: {}: a connection was sent away: {}", Reason::AgentDenied, room.path.display(), refusal.1);
    // a fresh socket has room for a line; whoever does not read it is closed all the same
    let _ = stream.get_ref().write_all((line::error(None, refusal.0, &refusal.1) + "\n").as_bytes());
}

/// One of the room's connections, for as long as it lives.
struct Counted(Rc<Room>);

impl Counted {
    fn new(room: Rc<Room>) -> Self {
        room.connections.set(room.connections.get() + 1);
        Self(room)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
    }
}
