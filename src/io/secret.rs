//! Files with one secret each: an agent's key, a bearer, a value of a child's environment. What is tested is the file that was opened: links are followed, because what counts is who can read the
//! bytes, and systemd, package managers and secret stores all hand files out through links. Nothing can be exchanged
//! between test and reading, since both use the one open file.

use crate::budget;
use crate::secret::Secret;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where systemd puts what `LoadCredential=` names: `$CREDENTIALS_DIRECTORY`.
#[must_use]
pub fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Reads a file that holds a secret: a plain file for its owner alone (mode 0600 or less), at most `budget::KEY_BYTES`
/// of UTF-8, one trailing line break cut. Under `credentials` (`$CREDENTIALS_DIRECTORY`) the group may read, too: the
/// service manager makes these files 0440 in a folder that only the service can enter.
///
/// # Errors
/// What is wrong; what to do.
pub fn read(path: &Path, credentials: Option<&Path>) -> Result<Secret, String> {
    let file = open(path, credentials)?;
    let mut bytes = Vec::new();
    let taken = file.take(budget::KEY_BYTES as u64 + 1).read_to_end(&mut bytes);
    taken.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if bytes.len() > budget::KEY_BYTES {
        return Err(format!("{} is larger than {} bytes; is it a key?", path.display(), budget::KEY_BYTES));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(format!("{} is not text; write the key into it as UTF-8", path.display()));
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(format!("{} is empty; write the key into it", path.display()));
    }
    if text.contains('\0') {
        return Err(format!("{} holds a NUL; write the key into it as text", path.display()));
    }
    Ok(Secret::new(text))
}

/// Opens it and tests what it is and who may read it.
fn open(path: &Path, credentials: Option<&Path>) -> Result<File, String> {
    // a pipe without a writer must not hold the daemon up; a plain file knows no waiting
    let waitless = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(waitless).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("{} is missing; put the key there, mode 0600", path.display()));
        }
        Err(error) => {
            let user = rustix::process::geteuid().as_raw();
            return Err(format!(
                "{0} cannot be opened: {error}; give it to the daemon's user: chown {user} {0}",
                path.display()
            ));
        }
    };
    let metadata = file.metadata().map_err(|error| format!("{} cannot be looked at: {error}", path.display()))?;
    if !metadata.is_file() {
        return Err(format!("{} is not a plain file; put the key into one", path.display()));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let credential = credentials.is_some_and(|folder| path.starts_with(folder));
    let open_to_others = if credential { mode & 0o037 } else { mode & 0o077 };
    if open_to_others != 0 {
        return Err(format!("mode {mode:04o}, want 0600: chmod 600 {}", path.display()));
    }
    Ok(file)
}
