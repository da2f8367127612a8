//! `restart AGENT`: reconnects one agent's links.

use super::{Exit, client};
use crate::io::control::Request;
use std::path::Path;

/// 0 when its links start anew, 1 when there is no such agent.
pub fn restart(socket: &Path, agent: &str) -> Exit {
    client::once(socket, &Request { cmd: "restart".to_owned(), agent: Some(agent.to_owned()), ..Request::default() })
}
