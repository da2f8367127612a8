//! WebSocket frames (RFC 6455 section 5.2) as a proxy sees them: read whole, kept byte for byte, unmasked to look at.

use std::io::{self, Read};

/// One frame.
#[derive(Clone, Debug)]
pub struct Frame {
    pub opcode: u8,
    pub fin: bool,
    /// Unmasked.
    pub payload: Vec<u8>,
    /// As it came, mask and all.
    pub raw: Vec<u8>,
}

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;

impl Frame {
    /// Reads one frame; an end in the middle of it is an error as any other end.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut raw = vec![0; 2];
        from.read_exact(&mut raw)?;
        let (first, second) = (raw[0], raw[1]);
        let more = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let mut head = vec![0; more + mask];
        from.read_exact(&mut head)?;
        let long = head[..more].iter().fold(0usize, |n, byte| n << 8 | usize::from(*byte));
        let length = if more == 0 { usize::from(second & 0x7f) } else { long };
        let key = head[more..].to_vec();
        raw.append(&mut head);
        if length > 64 << 20 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame over 64 MB"));
        }
        let mut payload = vec![0; length];
        from.read_exact(&mut payload)?;
        raw.extend_from_slice(&payload);
        for (at, byte) in payload.iter_mut().enumerate().filter(|_| mask == 4) {
            *byte ^= key[at % 4];
        }
        Ok(Self { opcode: first & 0x0f, fin: first & 0x80 != 0, payload, raw })
    }

    /// A whole frame from the server's side (no mask).
    pub fn from_server(opcode: u8, payload: &[u8]) -> Self {
        let mut raw = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => raw.push(length as u8),
            length @ 126..=0xffff => {
                raw.push(126);
                raw.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                raw.push(127);
                raw.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        raw.extend_from_slice(payload);
        Self { opcode, fin: true, payload: payload.to_vec(), raw }
    }

    /// A close frame from the server's side.
    pub fn close(code: Option<u16>, why: &str) -> Self {
        let mut payload = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
        payload.extend_from_slice(why.as_bytes());
        Self::from_server(CLOSE, &payload)
    }

    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.payload).ok().filter(|_| self.opcode == TEXT)
    }

    /// What kind of packet it carries, without what differs between runs: `0`, `40`, `2`, `42 message.created`, `43`,
    /// `close`, `binary`.
    pub fn kind(&self) -> String {
        let Some(text) = self.text() else {
            return match self.opcode {
                BINARY => "binary".into(),
                CLOSE => "close".into(),
                9 => "ws-ping".into(),
                10 => "ws-pong".into(),
                other => format!("opcode {other}"),
            };
        };
        let packet: String = text.chars().take(if text.starts_with('4') { 2 } else { 1 }).collect();
        let event = text.split_once("[\"").and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
        match event.filter(|_| packet == "42") {
            Some(event) => format!("42 {event}"),
            None => packet,
        }
    }
}
