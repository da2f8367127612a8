//! The state directory: what was stored is there after any end; a disk that fails is said and healed.

use crate::loopback::{post, temporary};
use guild_bridge::budget;
use guild_bridge::io::clock;
use guild_bridge::io::disk::Disk;
use guild_bridge::io::{Happening, Post};
use guild_bridge::journal::{HEADER, Kept, Record, encode};
use guild_bridge::port::Stored;
use guild_bridge::reason::Reason;
use guild_bridge::settings::StateMode;
use smol::channel::Receiver;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const MODES: [StateMode; 3] = [StateMode::Memory, StateMode::Group, StateMode::Each];

/// A record that a cursor of this channel moved.
fn record(channel: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (link, id) = ("a@g".to_owned(), Some("m1".to_owned()));
    encode(&Record::Cursor { link, channel: channel.into(), before: None, id, at_ms: 1 }, &mut bytes);
    bytes
}

fn channels(kept: &Kept) -> Vec<&str> {
    kept.cursors.keys().map(|(_, channel)| channel.as_str()).collect()
}

fn opened(path: &Path, mode: StateMode) -> (Disk, Kept) {
    opened_with(path, mode, &post().0)
}

fn opened_with(path: &Path, mode: StateMode, post: &Post) -> (Disk, Kept) {
    Disk::open(path.to_owned(), mode, post).map_err(|taken| taken.text).unwrap()
}

/// Stores, whoever writes.
fn store(disk: &mut Disk, heard: &Receiver<Happening>, seq: u64, bytes: Vec<u8>, anew: bool) -> Stored {
    disk.store(seq, bytes, anew).unwrap_or_else(|| match heard.recv_blocking() {
        Ok(Happening::Disk(stored)) => stored,
        _ => panic!("nothing was stored"),
    })
}

fn path() -> PathBuf {
    temporary("state")
}

#[test]
fn what_was_stored_is_there_at_the_next_start() {
    for mode in MODES {
        let (path, (post, heard)) = (path(), post());
        let (mut disk, kept) = opened_with(&path, mode, &post);
        assert_eq!(kept, Kept::default());
        for (seq, channel) in [(1, "c1"), (2, "c2")] {
            let stored = store(&mut disk, &heard, seq, record(channel), false);
            assert!(stored.upto == seq && stored.failed.is_none(), "{stored:?}");
        }
        disk.close();
        assert_eq!(channels(&opened(&path, mode).1), ["c1", "c2"]);
    }
}

#[test]
fn a_daemon_that_is_killed_loses_nothing_that_was_stored() {
    let (path, (post, heard)) = (path(), post());
    let (mut disk, _) = opened_with(&path, StateMode::Memory, &post);
    store(&mut disk, &heard, 1, record("c1"), false);
    std::fs::copy(path.join("journal"), temporary("journal")).unwrap();
    drop(disk);
    assert_eq!(channels(&opened(&path, StateMode::Memory).1), ["c1"]);
}

#[test]
fn a_group_is_written_at_once_and_told_together() {
    let (path, (post, heard)) = (path(), post());
    let (mut disk, _) = opened_with(&path, StateMode::Group, &post);
    let begun = clock::now().at;
    for seq in 1..=5 {
        assert!(disk.store(seq, record(&seq.to_string()), false).is_none());
    }
    let Ok(Happening::Disk(stored)) = heard.recv_blocking() else { panic!("nothing stored") };
    assert_eq!(stored.upto, 5);
    assert!((200..1_000).contains(&clock::now().at.since_ms(begun)));
    for seq in 6..=5 + u64::from(budget::GROUP_RECORDS) {
        assert!(disk.store(seq, record(&seq.to_string()), false).is_none());
    }
    assert!(matches!(heard.recv_blocking(), Ok(Happening::Disk(stored)) if stored.upto > 5));
}

#[test]
fn a_journal_begun_anew_holds_only_what_was_given() {
    for mode in MODES {
        let (path, (post, heard)) = (path(), post());
        let (mut disk, _) = opened_with(&path, mode, &post);
        store(&mut disk, &heard, 1, record("old"), false);
        store(&mut disk, &heard, 2, [HEADER, &record("new")].concat(), true);
        store(&mut disk, &heard, 3, record("newer"), false);
        disk.close();
        assert_eq!(channels(&opened(&path, mode).1), ["new", "newer"]);
    }
}

#[test]
fn a_journal_torn_at_any_byte_keeps_what_was_whole_and_goes_on() {
    let (path, (post, heard)) = (path(), post());
    let (mut disk, _) = opened_with(&path, StateMode::Memory, &post);
    store(&mut disk, &heard, 1, record("c1"), false);
    let whole = std::fs::metadata(path.join("journal")).unwrap().len();
    store(&mut disk, &heard, 2, record("c2"), false);
    disk.close();
    let bytes = std::fs::read(path.join("journal")).unwrap();
    for length in 0..bytes.len() {
        std::fs::write(path.join("journal"), &bytes[..length]).unwrap();
        let (mut disk, kept) = opened_with(&path, StateMode::Memory, &post);
        assert_eq!(kept.cursors.len(), usize::from(length as u64 >= whole), "{length}");
        store(&mut disk, &heard, 1, record("after"), false);
        disk.close();
        assert!(channels(&opened(&path, StateMode::Memory).1).contains(&"after"), "{length}");
    }
    assert!(aside(&path).is_empty(), "a torn tail is nothing to keep");
}

fn aside(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("journal.bad-")).collect()
}

#[test]
fn a_file_that_is_no_journal_of_ours_is_set_aside_whole() {
    for foreign in [b"guild-bridge journal 9\nfrom the future".as_slice(), b"SQLite format 3\0", &[0; 200_000]] {
        let path = path();
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("journal"), foreign).unwrap();
        let (disk, kept) = opened(&path, StateMode::Memory);
        assert_eq!((kept, disk.mode().0), (Kept::default(), "memory"));
        let name = aside(&path).pop().unwrap();
        assert_eq!(std::fs::read(path.join(name)).unwrap(), foreign);
    }
}

#[test]
fn a_second_copy_is_refused_and_told_who_has_the_directory() {
    let path = path();
    let (disk, _) = opened(&path, StateMode::Memory);
    let Err(taken) = Disk::open(path.clone(), StateMode::Memory, &post().0) else { panic!("both have it") };
    assert!(taken.text.contains(&format!("(process {})", std::process::id())), "{}", taken.text);
    assert!(taken.text.contains(path.to_str().unwrap()), "{}", taken.text);
    drop(disk);
    assert_eq!(opened(&path, StateMode::Memory).0.mode().0, "memory");
}

#[test]
fn no_directory_to_write_to_is_a_mode_and_not_a_failure() {
    let (mut disk, kept) = opened(Path::new("/dev/null/state"), StateMode::Each);
    assert_eq!((kept, disk.mode().0), (Kept::default(), "none"));
    assert!(disk.mode().1.contains("/dev/null/state"), "{}", disk.mode().1);
    let stored = disk.store(7, record("c1"), false).unwrap();
    assert_eq!((stored.upto, stored.failed.unwrap().reason), (7, Reason::DiskFailed));
}

#[test]
fn a_disk_that_fails_is_said_tried_again_and_given_what_it_missed() {
    let path = path();
    let (mut disk, _) = opened(&path, StateMode::Memory);
    assert!(disk.store(1, record("c1"), false).unwrap().failed.is_none());
    std::fs::rename(&path, path.with_extension("gone")).unwrap();
    let stored = disk.store(2, [HEADER, &record("c2")].concat(), true).unwrap();
    disk.note(&stored);
    assert_eq!((stored.failed.unwrap().reason, disk.mode().0), (Reason::DiskFailed, "none"));
    assert_eq!(disk.store(3, record("c3"), false).unwrap().failed.unwrap().reason, Reason::DiskFailed);
    let due = disk.deadline().unwrap();
    assert!(disk.tick(due).unwrap().failed.is_some(), "it is still gone");
    std::fs::rename(path.with_extension("gone"), &path).unwrap();
    let stored = disk.tick(disk.deadline().unwrap()).unwrap();
    disk.note(&stored);
    assert!(stored.upto == 3 && stored.failed.is_none() && disk.mode().0 == "memory", "{stored:?}");
    drop(disk);
    assert_eq!(channels(&opened(&path, StateMode::Memory).1), ["c1", "c3"], "the relay says the rest again");
}

#[test]
fn the_directory_is_private() {
    let path = path();
    let _disk = opened(&path, StateMode::Memory);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("journal")), mode(&path.join("lock"))), (0o700, 0o600, 0o600));
}

#[test]
fn attachments_of_a_former_life_are_gone() {
    let path = path();
    std::fs::create_dir_all(path.join("attachments/t_old")).unwrap();
    let (disk, _) = opened(&path, StateMode::Memory);
    assert!(disk.attachments().starts_with(&path) && !path.join("attachments").exists());
}
