//! Signals as happenings: TERM and INT ask to end, and end at once when they come again; HUP reads the configuration again.

use super::control::NOBODY;
use super::{Happening, Post};
use crate::port::Command;
use crate::reason::Reason;
use async_signal::{Signal, Signals};
use futures_lite::StreamExt;

/// The signals, caught from here on.
///
/// # Errors
/// When they cannot be caught.
pub fn listen() -> std::io::Result<Signals> {
    Signals::new([Signal::Term, Signal::Int, Signal::Hup])
}

/// Posts what each signal asks for, as long as the daemon runs.
pub async fn pump(mut signals: Signals, post: Post) {
    let mut ending = false;
    while let Some(signal) = signals.next().await {
        let happening = match signal {
            Ok(Signal::Hup) => Happening::Reread(NOBODY),
            Ok(_) if ending => {
                log::warn!("{}: told to end again: ending now, open turns are given up", Reason::Asked);
                Happening::EndNow
            }
            Ok(_) => {
                ending = true;
                Happening::Control(NOBODY, Command::Stop)
            }
            Err(error) => {
                log::error!("{}: signals cannot be read: {error}", Reason::HostShort);
                return;
            }
        };
        if post.send(happening).await.is_err() {
            return;
        }
    }
}
