//! The byte stream under a WebSocket, plain or TLS.
//!
//! It counts what arrives between two messages: tungstenite takes empty continuation frames without end and says nothing
//! of them. And it hands a long frame out so that the room for it is given back (see `frames`). A long message in fragments
//! keeps its room: tungstenite gathers those by itself.

use super::frames::Frames;
use crate::budget;
use async_tungstenite::tungstenite::Bytes;
use futures_lite::{AsyncRead, AsyncWrite};
use futures_rustls::client::TlsStream;
use smol::Async;
use std::cell::Cell;
use std::fmt;
use std::io::Error;
use std::net::TcpStream;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Reads in a row before the other tasks have their turn.
const READS_IN_A_ROW: u8 = 8;
/// Header of a frame within a message that is cut into many.
const FRAME_HEADER_BYTES: usize = 16;

/// Plain or TLS.
pub(super) enum Carrier {
    Plain(Async<TcpStream>),
    Tls(Box<TlsStream<Async<TcpStream>>>),
}

/// More bytes than a message can have came without one.
#[derive(Debug)]
pub(super) struct Flood;

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more bytes than a message may have came without a whole one")
    }
}

impl std::error::Error for Flood {}

/// The stream and its count.
pub(super) struct Metered {
    carrier: Carrier,
    /// Any byte at all, shared with whoever dials.
    heard: Rc<Cell<bool>>,
    since_message: usize,
    bound: usize,
    in_a_row: u8,
    frames: Frames,
    /// What was read behind a long frame's header, given out next: no more than the frame has.
    behind: Vec<u8>,
    /// The last message, until room for the next frame was made: tungstenite would take up this one's.
    last: Option<Bytes>,
}

impl Metered {
    /// Until the upgrade is answered, `budget::UPGRADE_BYTES` may come.
    pub(super) fn new(carrier: Carrier, heard: Rc<Cell<bool>>) -> Self {
        Self {
            carrier,
            heard,
            since_message: 0,
            bound: budget::UPGRADE_BYTES,
            in_a_row: 0,
            frames: Frames::default(),
            behind: Vec::new(),
            last: None,
        }
    }

    /// From here on messages of at most so many bytes come.
    pub(super) fn upgraded(&mut self, message_bytes: usize) {
        self.since_message = 0;
        self.bound = message_bytes + budget::EMPTY_FRAMES as usize * FRAME_HEADER_BYTES;
    }

    /// A whole message came.
    pub(super) fn whole_message(&mut self) {
        self.since_message = 0;
    }

    /// Holds on to a message's bytes until the next read.
    pub(super) fn hold(&mut self, message: Bytes) {
        self.last = Some(message);
    }

    /// Keeps for the next read what is behind a long frame's header; how many bytes are given out now.
    fn cut(&mut self, read: &[u8]) -> usize {
        let now = self.frames.follow(read);
        self.behind = read.get(now..).unwrap_or_default().to_vec();
        now
    }

    /// Gives out what was kept.
    fn kept(&mut self, buffer: &mut [u8]) -> usize {
        let bytes = self.behind.len().min(buffer.len());
        buffer.iter_mut().zip(self.behind.drain(..bytes)).for_each(|(to, from)| *to = from);
        if self.behind.is_empty() {
            self.behind = Vec::new();
        }
        self.frames.follow(buffer.get(..bytes).unwrap_or_default());
        bytes
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, Error>> {
        self.last = None;
        if !self.behind.is_empty() {
            return Poll::Ready(Ok(self.kept(buffer)));
        }
        if self.in_a_row >= READS_IN_A_ROW {
            self.in_a_row = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Carrier::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        match &read {
            Poll::Ready(Ok(bytes)) => {
                self.in_a_row += 1;
                self.heard.set(self.heard.get() || *bytes > 0);
                self.since_message += bytes;
                if self.since_message > self.bound {
                    return Poll::Ready(Err(Error::other(Flood)));
                }
                return Poll::Ready(Ok(self.cut(buffer.get(..*bytes).unwrap_or_default())));
            }
            Poll::Ready(Err(_)) | Poll::Pending => self.in_a_row = 0,
        }
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Error>> {
        match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_write(context, buffer),
            Carrier::Tls(stream) => Pin::new(stream).poll_write(context, buffer),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_flush(context),
            Carrier::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_close(context),
            Carrier::Tls(stream) => Pin::new(stream).poll_close(context),
        }
    }
}
