//! An answer's body on its way into memory or into a file, bounded.

use crate::budget;
use crate::call::Sink;
use crate::reason::{Reason, Why};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Read at once, on the worker's stack.
const PIECE_BYTES: usize = 2048;

/// What was kept of a body.
#[derive(Default)]
pub(super) struct Whole {
    pub(super) kept: Vec<u8>,
    pub(super) cut: bool,
    pub(super) first_id: Option<String>,
}

/// Why a body is not where it should be.
pub(super) enum Failure {
    /// The connection.
    Wire(Error),
    /// More bytes than the file may have.
    Long(u64),
    /// The disk, at this path.
    Disk(String, Error),
}

/// Reads it into its sink. Only a 2xx goes into a file: a refusal's text stays in memory. `length`: as its header says it.
pub(super) fn read(mut body: impl Read, length: Option<u64>, sink: &Sink, status: u16) -> Result<Whole, Failure> {
    match sink {
        Sink::Memory(bytes) => Ok(memory(&mut body, length, *bytes)?.0),
        Sink::MemoryOrId(bytes) => {
            let (mut whole, beyond) = memory(&mut body, length, *bytes)?;
            if whole.cut {
                whole.first_id = first_id(&mut body, &whole.kept, beyond)?;
            }
            Ok(whole)
        }
        Sink::File(path, bytes) if (200..300).contains(&status) => {
            file(&mut body, path, *bytes)?;
            Ok(Whole::default())
        }
        Sink::File(..) => Ok(memory(&mut body, length, budget::SMALL_BODY_BYTES)?.0),
    }
}

/// The failure in words.
pub(super) fn why(failure: Failure, place: &str, deadline_ms: u64) -> Why {
    match failure {
        Failure::Wire(error) => super::wire::why(error.into(), place, deadline_ms),
        Failure::Long(bytes) => Why::new(Reason::HttpBody, format!("{place}: longer than {bytes} bytes")),
        Failure::Disk(path, error) => Why::new(Reason::DiskFailed, format!("{path}: {error}")),
    }
}

/// At most `bytes`; with `cut`, the first byte beyond them is returned beside it.
fn memory(body: &mut impl Read, length: Option<u64>, bytes: usize) -> Result<(Whole, Option<u8>), Failure> {
    let mut kept = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    while kept.len() < bytes {
        let most = (bytes - kept.len()).min(PIECE_BYTES);
        let got = match body.read(piece.get_mut(..most).unwrap_or_default()) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Wire(error)),
        };
        if kept.capacity() - kept.len() < got {
            kept.reserve_exact(room(kept.len() + got, length, bytes) - kept.len());
        }
        kept.extend_from_slice(piece.get(..got).unwrap_or_default());
    }
    let mut beyond = None;
    if kept.len() == bytes {
        let mut one = [0];
        beyond = (body.read(&mut one).map_err(Failure::Wire)? > 0).then_some(one[0]);
    }
    Ok((Whole { kept, cut: beyond.is_some(), first_id: None }, beyond))
}

/// Room for so many bytes of a body, of which at most `bytes` are kept: few rooms, since one that doubles leaves as much
/// behind it in pieces, which the allocator keeps; and no large one before a small one is full, whatever a header says.
fn room(needed: usize, length: Option<u64>, bytes: usize) -> usize {
    const SMALL: usize = budget::SMALL_BODY_BYTES;
    let said = length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let rooms = [said.min(SMALL), SMALL, said];
    rooms.into_iter().find(|room| *room >= needed).unwrap_or(bytes).min(bytes)
}

/// Reads on, keeping nothing, until the first row's `id` is found or `budget::OVERSIZE_SCAN_BYTES` were looked at.
fn first_id(body: &mut impl Read, kept: &[u8], beyond: Option<u8>) -> Result<Option<String>, Failure> {
    let mut scan = crate::codec::json::IdScan::new();
    scan.feed(kept);
    scan.feed(beyond.as_slice());
    let mut looked_at = kept.len();
    let mut buffer = [0; PIECE_BYTES];
    while scan.id().is_none() && looked_at < budget::OVERSIZE_SCAN_BYTES {
        let bytes = body.read(&mut buffer).map_err(Failure::Wire)?;
        if bytes == 0 {
            break;
        }
        scan.feed(buffer.get(..bytes).unwrap_or_default());
        looked_at += bytes;
    }
    Ok(scan.id())
}

fn file(body: &mut impl Read, path: &Path, bytes: u64) -> Result<(), Failure> {
    let disk = |error| Failure::Disk(path.display().to_string(), error);
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(disk)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(disk)?;
    let copied = copy(body, &mut file, path, bytes);
    if copied.is_err() {
        // what is left behind is found by the clean-up at the next start
        let _ = std::fs::remove_file(path);
    }
    copied
}

fn copy(body: &mut impl Read, file: &mut File, path: &Path, bytes: u64) -> Result<(), Failure> {
    let mut left = bytes;
    let mut buffer = [0; 4096];
    loop {
        let got = match body.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Wire(error)),
        };
        left = left.checked_sub(got as u64).ok_or(Failure::Long(bytes))?;
        file.write_all(buffer.get(..got).unwrap_or_default())
            .map_err(|error| Failure::Disk(path.display().to_string(), error))?;
    }
}
