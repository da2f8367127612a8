//! ureq's connections over our own lookup, TCP and TLS, with deadlines that count every byte, and what its errors mean.

use super::super::dns::Dns;
use super::super::tls::{self, Rules};
use super::super::{clip, clock, tcp};
use super::USER_AGENT;
use crate::budget;
use crate::moment::Moment;
use crate::reason::{Reason, Why};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::fmt;
use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Agent, Error};

/// Whether the call that runs may have sent a byte. One call runs at a time.
#[derive(Clone, Debug, Default)]
pub struct Marks(Arc<AtomicBool>);

impl Marks {
    /// A call begins.
    pub fn begin(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// A byte of its request may have left.
    #[must_use]
    pub fn sent(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn sending(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An agent for one guild's rules that keeps at most `idle` connections. Every limit is passed explicitly; nothing is
/// taken from the environment, no redirect is followed, every status is an answer.
#[must_use]
pub fn agent(dns: Dns, rules: Arc<Rules>, idle: usize) -> (Agent, Marks) {
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(USER_AGENT)
        .accept("application/json")
        .accept_encoding("")
        // larger than the headers' bound: a buffer that is full reads as an end
        .input_buffer_size(budget::HTTP_BUFFER_BYTES + 512)
        .output_buffer_size(budget::HTTP_BUFFER_BYTES)
        .max_response_header_size(budget::HTTP_HEADER_BYTES)
        .max_idle_connections(idle)
        .max_idle_connections_per_host(idle)
        .max_idle_age(Duration::from_millis(budget::HTTP_IDLE_MS))
        .build();
    let marks = Marks::default();
    let agent = Agent::with_parts(config, Dial { dns, rules, marks: marks.clone() }, NoLookup);
    (agent, marks)
}

/// What ureq's error means, for the call named by `place`.
pub(in crate::io) fn why(error: Error, place: &str, deadline_ms: u64) -> Why {
    match error {
        Error::Other(inner) => match inner.downcast::<Failed>() {
            Ok(failed) => Why::new(failed.0.reason, format!("{place}: {}", failed.0.detail)),
            Err(other) => Why::new(Reason::NetProtocol, format!("{place}: {}", clip(&other.to_string()))),
        },
        Error::Timeout(_) => Why::new(Reason::NetTimeout, format!("{place}: no whole answer within {deadline_ms} ms")),
        Error::Io(error) => why_of_io(&error, place, deadline_ms),
        Error::BadUri(text) => Why::new(Reason::CfgPath, format!("{place}: {}", clip(&text))),
        other => Why::new(Reason::NetProtocol, format!("{place}: {}", clip(&other.to_string()))),
    }
}

fn why_of_io(error: &IoError, place: &str, deadline_ms: u64) -> Why {
    if let Some(why) = tls::reason_of_io(error) {
        return Why::new(why.reason, format!("{place}: {}", why.detail));
    }
    let reason = match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            return Why::new(Reason::NetTimeout, format!("{place}: no whole answer within {deadline_ms} ms"));
        }
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected => Reason::NetClosed,
        _ => Reason::NetProtocol,
    };
    Why::new(reason, format!("{place}: {}", clip(&error.to_string())))
}

/// Our own failure, on its way through ureq.
#[derive(Debug)]
struct Failed(Why);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {}

fn failed(why: Why) -> Error {
    Error::Other(Box::new(Failed(why)))
}

/// The connector does the lookup, and only when there is no connection to use again.
#[derive(Debug)]
struct NoLookup;

impl Resolver for NoLookup {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

struct Dial {
    dns: Dns,
    rules: Arc<Rules>,
    marks: Marks,
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial").finish_non_exhaustive()
    }
}

impl Connector<()> for Dial {
    type Out = Pipe;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Pipe>, Error> {
        let host = details.uri.host().unwrap_or_default();
        let secure = details.needs_tls();
        let port = details.uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let until = until(details.timeout);
        let target = tcp::Target { host, port, loopback_only: !secure && !self.rules.plaintext };
        let rest_ms = until.since_ms(clock::now().at);
        // not the reactor's own `block_on`: the loop's thread would have to fight for it
        let stream = smol::future::block_on(tcp::connect(&self.dns, &target, rest_ms)).map_err(failed)?;
        let tcp = stream.into_inner()?;
        tcp.set_nonblocking(false)?;
        let mut tcp = Timed { tcp, until };
        let tls = if secure { Some(Box::new(self.handshake(host, &mut tcp)?)) } else { None };
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Pipe { buffers, tcp, tls, marks: self.marks.clone() }))
    }
}

impl Dial {
    fn handshake(&self, host: &str, tcp: &mut Timed) -> Result<ClientConnection, Error> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| failed(Why::new(Reason::TlsName, format!("`{}` is no host name", clip(host)))))?;
        let told = |error: &rustls::Error| {
            let why = tls::reason_of(error);
            failed(Why::new(why.reason, format!("TLS with {}: {}", clip(host), why.detail)))
        };
        let mut tls = ClientConnection::new(self.rules.tls(), name).map_err(|error| told(&error))?;
        tls.set_buffer_limit(Some(budget::TLS_SEND_BUFFER_BYTES));
        tcp.until = tcp.until.min(clock::now().at.after_ms(budget::TLS_MS));
        while tls.is_handshaking() {
            match tls.complete_io(tcp) {
                Ok(_) => {}
                Err(error) => return Err(stalled(&error, host, told)),
            }
        }
        Ok(tls)
    }
}

fn stalled(error: &IoError, host: &str, told: impl Fn(&rustls::Error) -> Error) -> Error {
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return told(inner);
    }
    let (reason, text) = match error.kind() {
        ErrorKind::TimedOut => (Reason::NetTimeout, "the handshake did not end in time".to_owned()),
        _ => (Reason::TlsFailed, format!("the handshake broke off: {error}")),
    };
    failed(Why::new(reason, format!("TLS with {}: {text}", clip(host))))
}

fn until(timeout: NextTimeout) -> Moment {
    clock::now().at.after(*timeout.after)
}

/// A socket with one deadline for all that is read and written until the next is set.
struct Timed {
    tcp: TcpStream,
    until: Moment,
}

impl Timed {
    fn rest(&self) -> Result<Duration, IoError> {
        let ms = self.until.since_ms(clock::now().at);
        if ms == 0 { Err(ErrorKind::TimedOut.into()) } else { Ok(Duration::from_millis(ms)) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.tcp.set_read_timeout(Some(self.rest()?))?;
        self.tcp.read(buffer).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.tcp.set_write_timeout(Some(self.rest()?))?;
        self.tcp.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A socket's deadline shows as "would block".
fn timed_out(error: IoError) -> IoError {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

/// One connection, plain or TLS.
struct Pipe {
    buffers: LazyBuffers,
    tcp: Timed,
    tls: Option<Box<ClientConnection>>,
    marks: Marks,
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Transport for Pipe {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.marks.sending();
        self.tcp.until = until(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let written = match &mut self.tls {
            Some(tls) => {
                let mut stream = rustls::Stream::new(tls.as_mut(), &mut self.tcp);
                stream.write_all(output).and_then(|()| stream.flush())
            }
            None => self.tcp.write_all(output),
        };
        written.map_err(|error| of_step(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.tcp.until = until(timeout);
        let input = self.buffers.input_append_buf();
        let read = match &mut self.tls {
            // an end without close_notify may be somebody's cut: not the end of a body that has no length
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.tcp).read(input).map_err(cut),
            None => self.tcp.read(input),
        };
        let amount = read.map_err(|error| of_step(error, timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // bytes that nobody asked for, an end or an error: it is not used again
        let mut one = [0];
        let quiet = self.tcp.tcp.set_nonblocking(true).is_ok()
            && matches!(self.tcp.tcp.peek(&mut one), Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.tcp.tcp.set_nonblocking(false).is_ok() && quiet
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

fn cut(error: IoError) -> IoError {
    match error.kind() {
        ErrorKind::UnexpectedEof => IoError::new(ErrorKind::BrokenPipe, "the connection ended without close_notify"),
        _ => error,
    }
}

fn of_step(error: IoError, timeout: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}
