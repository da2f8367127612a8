//! The way to the system's log where there is no journal: a line is a datagram to `/dev/log` as syslog(3) writes it, so that
//! each keeps its own level.

use std::io::{Error, Result, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

/// Where the system's log listens.
pub const PATH: &str = "/dev/log";
/// The facility `daemon`, RFC 5424 section 6.2.1, above the severity.
const DAEMON: u8 = 3 << 3;
/// The severity of a line that comes without one.
const WARNING: u8 = 4;

/// The system's log. Each write is one line, with `<severity>` before it.
pub struct Syslog {
    path: PathBuf,
    way: UnixDatagram,
    pid: u32,
}

impl Syslog {
    /// The log at `path`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        Ok(Self { way: reach(&path)?, path, pid: std::process::id() })
    }

    fn send(&mut self, line: &[u8]) -> Result<usize> {
        match self.way.send(line) {
            // who keeps the log was started again
            Err(error) if is_gone(&error) => {
                self.way = reach(&self.path)?;
                self.way.send(line)
            }
            sent => sent,
        }
    }
}

fn reach(path: &PathBuf) -> Result<UnixDatagram> {
    let way = UnixDatagram::unbound()?;
    way.connect(path)?;
    way.set_nonblocking(true)?;
    Ok(way)
}

fn is_gone(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected};
    [BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected].contains(&error.kind())
}

/// The severity before a line and what stands behind it.
fn severity(line: &str) -> (u8, &str) {
    let said = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match said.and_then(|(number, rest)| Some((number.parse::<u8>().ok()?, rest))) {
        Some((number, rest)) if number < 8 => (number, rest),
        Some(_) | None => (WARNING, line),
    }
}

impl Write for Syslog {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (severity, said) = severity(text.trim_end());
        self.send(format!("<{}>guild-bridge[{}]: {said}", DAEMON | severity, self.pid).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl AsFd for Syslog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.way.as_fd()
    }
}
