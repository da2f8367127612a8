//! The codecs: text frames in, borrowed packets out, and back. None of them allocates for what it only reads, recurses, or
//! can panic; whatever a peer sends that is not a packet is a [`Malformed`] that says why.

pub mod engine;
pub mod json;
mod object;
mod rows;
pub mod socket;

/// Why a text is not what it should be, in words for a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}
