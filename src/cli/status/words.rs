//! What several commands say alike: a reason, an age, a size.

use super::super::plain;
use crate::moment::{instant, span};
use crate::reason::Reason;

/// A reason's code with its sentence; the code alone where a newer daemon knows more.
pub(in super::super) fn in_words(code: &str) -> String {
    match Reason::ALL.iter().find(|reason| reason.code() == code) {
        Some(reason) => format!("{}: {}", reason.code(), reason.sentence()),
        None => plain(code),
    }
}

/// How long ago an RFC 3339 instant was, when it can be read.
pub(in super::super) fn age(at: &str, wall_ms: u64) -> Option<String> {
    Some(span(wall_ms.saturating_sub(instant(at)?) / 1_000))
}

/// Bytes as people say them.
pub(in super::super) fn bytes(n: u64) -> String {
    match n {
        0..=9_999 => format!("{n} B"),
        10_000..=999_999 => format!("{} kB", n / 1000),
        _ => format!("{}.{} MB", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}
