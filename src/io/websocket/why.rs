//! What tungstenite's errors mean, by what Socket.IO servers and those before them were seen to do.

use super::super::http::retry_after;
use super::super::{clip, tls};
use super::End;
use super::metered::Flood;
use crate::port::Lost;
use crate::reason::{Reason, Why};
use async_tungstenite::tungstenite::Error;
use async_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use async_tungstenite::tungstenite::http::Response;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use std::io::ErrorKind;

/// engine.io leaves a wrong path alone for a second and then hangs up without a word (`destroyUpgradeTimeout`).
const WRONG_PATH_SILENCE_MS: u64 = 800;

/// engine.io's "Bad request": a websocket transport was asked for by a request that is no upgrade.
const UPGRADE_LOST: &str = "\"code\":3";

impl From<Why> for Lost {
    fn from(why: Why) -> Self {
        Self { why, retry_after_ms: None }
    }
}

/// The upgrade failed. `silent_ms`: how long the server said nothing, if it never said anything.
pub(super) fn of_upgrade(error: Error, host: &str, silent_ms: Option<u64>) -> Lost {
    let at = format!("upgrade at {}", clip(host));
    let why = match error {
        Error::Http(answer) => return of_answer(&answer, &at),
        Error::Protocol(ProtocolError::HandshakeIncomplete) => match silent_ms {
            Some(ms) if ms >= WRONG_PATH_SILENCE_MS => Why::new(
                Reason::CfgPath,
                format!(
                    "{at}: closed after {ms} ms without a word, as Socket.IO servers do where the path is not theirs"
                ),
            ),
            _ => Why::new(Reason::NetClosed, format!("{at}: closed before the answer was whole")),
        },
        Error::Io(error) => of_io(&error, &at),
        Error::Protocol(ProtocolError::HttparseError(_)) => {
            Why::new(Reason::NetProtocol, format!("{at}: the answer is not HTTP"))
        }
        other => Why::new(Reason::NetProtocol, format!("{at}: {}", clip(&other.to_string()))),
    };
    why.into()
}

/// An HTTP answer instead of 101.
fn of_answer(answer: &Response<Option<Vec<u8>>>, at: &str) -> Lost {
    let status = answer.status().as_u16();
    let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned();
    let retry_after_ms = retry_after(answer.headers());
    let reason = match status {
        200..=399 | 407 | 511 => Reason::HttpPortal,
        400 => of_bad_request(&body),
        401 | 403 => Reason::AuthConnectError,
        404 | 410 => Reason::CfgPath,
        426 => Reason::CfgTransport,
        429 => Reason::RateLimited,
        503 if retry_after_ms.is_some() => Reason::RateLimited,
        502..=504 => Reason::GuildRestarting,
        _ => Reason::HttpStatus,
    };
    let mut text = if body.trim().is_empty() { String::new() } else { format!(": {}", clip(body.trim())) };
    if status == 400 && body.contains(UPGRADE_LOST) {
        text += "; the path is right, and the Upgrade header did not come through: a proxy between that passes no WebSockets";
    }
    Lost { why: Why::new(reason, format!("{at}: HTTP {status} instead of 101{text}")), retry_after_ms }
}

/// engine.io writes 400 and a sentence; behind code 4 stand the application's own words, and a chunked body is whole
/// with its chunk sizes: it is searched, not parsed.
fn of_bad_request(body: &str) -> Reason {
    let has = |word: &str| body.to_ascii_lowercase().contains(word);
    if has(UPGRADE_LOST) || has("transport unknown") || has("session id unknown") || has("unsupported protocol version")
    {
        Reason::CfgTransport
    } else if has("forbidden") || has("unauthorized") || has("denied") || has("\"code\":4") {
        Reason::AuthConnectError
    } else {
        Reason::CfgPath
    }
}

/// A session broke. `heard`: a message came on it before.
pub(super) fn of_session(error: &Error, heard: bool) -> End {
    let broken = |reason, text: String, code| End::Broken(Why::new(reason, text).into(), code);
    match error {
        Error::Protocol(ProtocolError::NonZeroReservedBits) if !heard => broken(
            Reason::CfgTransport,
            "no WebSocket frame came after 101: the server speaks another Engine.IO version".into(),
            CloseCode::Protocol,
        ),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            End::Lost(Why::new(Reason::NetClosed, "the connection ended without a close frame").into())
        }
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            broken(Reason::NetTooBig, format!("a frame of {size} bytes; {max_size} are taken"), CloseCode::Size)
        }
        Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<Flood>()) => flooded(),
        Error::Io(error) => End::Lost(of_io(error, "reading").into()),
        Error::Utf8(_) => broken(Reason::NetProtocol, "a text frame that is not UTF-8".into(), CloseCode::Invalid),
        other => broken(Reason::NetProtocol, clip(&other.to_string()), CloseCode::Protocol),
    }
}

/// Frames without a message between them, past the bound.
pub(super) fn flooded() -> End {
    let text = "a flood of frames without a message between them";
    End::Broken(Why::new(Reason::NetProtocol, text).into(), CloseCode::Policy)
}

/// A write failed.
pub(super) fn of_write(error: &Error) -> Why {
    match error {
        Error::Io(error) => of_io(error, "writing"),
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(ProtocolError::SendAfterClosing) => {
            Why::new(Reason::NetClosed, "writing: the connection is closed")
        }
        other => Why::new(Reason::NetProtocol, format!("writing: {}", clip(&other.to_string()))),
    }
}

/// The peer's close frame.
pub(super) fn of_close(frame: Option<CloseFrame>) -> Why {
    let Some(frame) = frame else {
        return Why::new(Reason::NetClosed, "closed by the guild, no code given");
    };
    let reason = match u16::from(frame.code) {
        1001 | 1012 => Reason::GuildRestarting,
        4001 | 4003 | 4401 | 4403 => Reason::AuthDisconnected,
        _ => Reason::NetClosed,
    };
    let words = if frame.reason.is_empty() { String::new() } else { format!(": {}", clip(&frame.reason)) };
    Why::new(reason, format!("closed by the guild with code {}{words}", u16::from(frame.code)))
}

fn of_io(error: &std::io::Error, at: &str) -> Why {
    if let Some(why) = tls::reason_of_io(error) {
        return Why::new(why.reason, format!("{at}: {}", why.detail));
    }
    let reason = match error.kind() {
        ErrorKind::TimedOut => Reason::NetTimeout,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Reason::NetUnreachable,
        _ if error.get_ref().is_some_and(|inner| inner.is::<Flood>()) => Reason::NetProtocol,
        _ => Reason::NetClosed,
    };
    Why::new(reason, format!("{at}: {}", clip(&error.to_string())))
}
