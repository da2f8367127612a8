//! Where frames begin in the bytes of a WebSocket.
//!
//! tungstenite makes room for a whole frame beside what it has of it already, and what is then spare behind the frame lets it
//! keep all of that room. So a long frame's header is handed to it by itself, and nothing is spare.

use crate::budget;

/// What ends an HTTP head.
const HEAD_END: &[u8; 4] = b"\r\n\r\n";
/// The longest header of a frame from a server, which masks nothing (RFC 6455, section 5.2).
const HEADER_BYTES: usize = 10;

/// Follows the answer to the upgrade, and the frames behind it.
#[derive(Default)]
pub(super) struct Frames {
    /// What came of the head's end; all of it: frames come.
    head: usize,
    header: [u8; HEADER_BYTES],
    /// What came of the header.
    came: usize,
    /// What is to come of the payload.
    payload: u64,
}

impl Frames {
    /// Follows these bytes as far as behind the first header of a frame longer than a read; returned: how far.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            if self.head < HEAD_END.len() {
                self.head_byte(byte);
                rest = behind;
            } else if self.payload > 0 {
                rest = self.pass(rest);
            } else {
                rest = behind;
                self.header_byte(byte);
                if self.payload > budget::WEBSOCKET_BUFFER_BYTES as u64 {
                    break;
                }
            }
        }
        bytes.len() - rest.len()
    }

    fn head_byte(&mut self, byte: u8) {
        self.head = match HEAD_END.get(self.head) {
            Some(wanted) if *wanted == byte => self.head + 1,
            _ => usize::from(byte == b'\r'),
        };
    }

    /// What is behind the payload.
    fn pass<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let passed = bytes.len().min(usize::try_from(self.payload).unwrap_or(usize::MAX));
        self.payload -= passed as u64;
        bytes.get(passed..).unwrap_or_default()
    }

    /// One more byte of a header; its last one tells the payload.
    fn header_byte(&mut self, byte: u8) {
        if let Some(place) = self.header.get_mut(self.came) {
            *place = byte;
        }
        self.came += 1;
        let [_, short, length @ ..] = self.header;
        let [high, low, ..] = length;
        self.payload = match (short & 0x7f, self.came) {
            (_, 1) | (126, 2..4) | (127, 2..HEADER_BYTES) => return,
            (126, _) => u64::from(u16::from_be_bytes([high, low])),
            (127, _) => u64::from_be_bytes(length),
            (short, _) => u64::from(short),
        };
        self.came = 0;
    }
}
