//! `reload`: the daemon reads its configuration again.

use super::{Exit, client};
use crate::io::control::Request;
use std::path::Path;

/// 0 when it was taken, 1 when it is bad and nothing was changed.
pub fn reload(socket: &Path) -> Exit {
    client::once(socket, &Request { cmd: "reload".to_owned(), ..Request::default() })
}
