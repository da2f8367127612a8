//! Engine.IO v4 over WebSocket: one packet in each text frame (the `0x1e` separator belongs to polling).

use super::{Malformed, json};
use crate::budget;

/// A packet, borrowing from its frame. `encode` of what `decode` gave is the same text, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The server's handshake, as JSON: see [`Handshake`].
    Open(&'a str),
    /// The transport is to be closed. Servers ignore it over WebSocket.
    Close,
    /// A heartbeat, with `probe` in an upgrade.
    Ping(&'a str),
    /// Its answer, carrying the same text.
    Pong(&'a str),
    /// A Socket.IO packet.
    Message(&'a str),
    /// The end of a transport upgrade.
    Upgrade,
    /// Nothing.
    Noop,
}

impl<'a> Packet<'a> {
    /// Reads one text frame.
    ///
    /// # Errors
    /// An empty frame, an unknown type, or text after a packet that has none.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let mut rest = text.chars();
        let kind = rest.next().ok_or(Malformed("an empty frame"))?;
        let data = rest.as_str();
        let packet = match kind {
            '0' => return Ok(Self::Open(data)),
            '2' => return Ok(Self::Ping(data)),
            '3' => return Ok(Self::Pong(data)),
            '4' => return Ok(Self::Message(data)),
            '1' => Self::Close,
            '5' => Self::Upgrade,
            '6' => Self::Noop,
            _ => return Err(Malformed("an unknown Engine.IO packet type")),
        };
        if data.is_empty() { Ok(packet) } else { Err(Malformed("text after an Engine.IO packet that carries none")) }
    }

    /// Appends the packet as text.
    pub fn encode(&self, out: &mut String) {
        let (kind, data) = match *self {
            Self::Open(json) => ('0', json),
            Self::Close => ('1', ""),
            Self::Ping(data) => ('2', data),
            Self::Pong(data) => ('3', data),
            Self::Message(text) => ('4', text),
            Self::Upgrade => ('5', ""),
            Self::Noop => ('6', ""),
        };
        out.push(kind);
        out.push_str(data);
    }
}

/// What the handshake says about heartbeats, within what a guild is believed (`budget::PING_MS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// From one ping of the server to the next.
    pub ping_interval_ms: u64,
    /// How long a ping may be late.
    pub ping_timeout_ms: u64,
}

impl Handshake {
    /// Reads the JSON of `Open`. A time that is absent, negative or not a number is the official server's default
    /// (25 s, 20 s); one that is out of bounds is brought within them.
    ///
    /// # Errors
    /// Text that is not a JSON object.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        json::scan(text)?;
        if !text.trim_start().starts_with('{') {
            return Err(Malformed("a handshake that is not a JSON object"));
        }
        Ok(Self {
            ping_interval_ms: time_ms(text, "pingInterval").unwrap_or(25_000),
            ping_timeout_ms: time_ms(text, "pingTimeout").unwrap_or(20_000),
        })
    }
}

/// A member that is a time; fractions are cut off.
fn time_ms(object: &str, key: &str) -> Option<u64> {
    let raw = json::member(object, key)?;
    let number: f64 = raw.parse().ok().filter(|n: &f64| *n >= 0.0)?;
    Some((number as u64).clamp(*budget::PING_MS.start(), *budget::PING_MS.end()))
}
