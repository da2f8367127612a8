//! Small files with one value each: an API key for a child's environment, a bearer for an HTTP agent.

use crate::budget;
use crate::secret::Secret;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file's text without its trailing newline.
///
/// # Errors
/// A sentence: not there, not a plain file, empty, longer than `budget::KEY_BYTES`, not text, or with a NUL.
pub fn line(path: &Path) -> Result<Secret, String> {
    read(path, false)
}

/// As `line`, and open to nobody but its owner: mode 0600 or less, or under `$CREDENTIALS_DIRECTORY`.
///
/// # Errors
/// As `line`, or the mode with what to do.
pub fn private(path: &Path) -> Result<Secret, String> {
    let lent = std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|dir| !dir.is_empty() && path.starts_with(dir));
    read(path, !lent)
}

fn read(path: &Path, private: bool) -> Result<Secret, String> {
    let shown = path.display();
    let found = std::fs::metadata(path).map_err(|e| format!("{shown}: {e}"))?;
    if !found.is_file() {
        return Err(format!("{shown} is not a plain file"));
    }
    let mode = found.mode() & 0o7777;
    if private && mode & 0o077 != 0 {
        return Err(format!("{shown} has mode {mode:04o}, want 0600: chmod 600 {shown}"));
    }
    let mut text = String::new();
    let most = budget::KEY_BYTES as u64 + 1;
    std::fs::File::open(path)
        .and_then(|file| file.take(most).read_to_string(&mut text))
        .map_err(|e| format!("{shown}: {e}"))?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    match value {
        "" => Err(format!("{shown} is empty")),
        long if long.len() > budget::KEY_BYTES => Err(format!("{shown} is longer than {} bytes", budget::KEY_BYTES)),
        odd if odd.contains('\0') => Err(format!("{shown} holds a NUL")),
        good => Ok(Secret::new(good)),
    }
}
