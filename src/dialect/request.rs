//! What dialects write their requests with.

use super::Request;
use crate::call::{Method, Sink};
use crate::codec::json;
use std::fmt::Write;

/// A GET.
pub(super) fn get(url: String, sink: Sink) -> Request {
    Request { method: Method::Get, url, body: None, idempotency_key: None, sink }
}

/// A JSON object of strings; those that are not there are left out.
pub(super) fn object(members: &[(json::Name, Option<&str>)]) -> String {
    let mut out = String::new();
    json::Object::write(&mut out, |object| object.texts(members));
    out
}

/// Where a WebSocket is dialled: `path` below an http or https `url`.
pub(super) fn websocket(url: &str, path: &str) -> String {
    let base = match url.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}"),
        Some((_, rest)) => format!("ws://{rest}"),
        None => format!("ws://{url}"),
    };
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{base}{path}{mark}EIO=4&transport=websocket")
}

/// Percent-encoding of one path segment or query value (RFC 3986: everything but unreserved).
pub(super) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // a segment of dots alone would walk the path
    if matches!(out.as_str(), "." | "..") { out.replace('.', "%2E") } else { out }
}
