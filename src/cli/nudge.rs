//! `nudge`: links that rest try now.

use super::{Exit, client};
use crate::io::control::Request;
use std::path::Path;

/// 0 when they were told; how many rested is printed.
pub fn nudge(socket: &Path) -> Exit {
    client::once(socket, &Request { cmd: "nudge".to_owned(), ..Request::default() })
}
