//! The state directory: what was stored is there after any end; a disk that fails is said and healed.

mod odd;

use crate::loopback::{post, temporary};
use guild_bridge::budget;
use guild_bridge::io::clock;
use guild_bridge::io::disk::Disk;
use guild_bridge::io::{Happening, Post};
use guild_bridge::journal::segment::HEADER_BYTES;
use guild_bridge::journal::{Kept, Record, Task};
use guild_bridge::port::Stored;
use guild_bridge::reason::Reason;
use guild_bridge::settings::StateMode;
use smol::channel::Receiver;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const MODES: [StateMode; 3] = [StateMode::Memory, StateMode::Group, StateMode::Each];

/// A record that a cursor of this channel moved.
fn record(channel: &str) -> Record {
    let (link, id) = ("a@g".to_owned(), Some("m1".to_owned()));
    Record::Cursor { link, channel: channel.into(), before: None, id, at_ms: 1 }
}

/// To be written, and something waits for it.
fn task(seq: u64, channel: &str) -> Task {
    Task { seq, records: vec![record(channel)].into(), anew: false, pressing: true }
}

fn anew(seq: u64, channel: &str) -> Task {
    Task { anew: true, ..task(seq, channel) }
}

fn channels(kept: &Kept) -> Vec<&str> {
    kept.cursors.keys().map(|(_, channel)| channel.as_str()).collect()
}

fn opened(path: &Path, mode: StateMode) -> (Disk, Kept) {
    opened_with(path, mode, &post().0)
}

fn opened_with(path: &Path, mode: StateMode, post: &Post) -> (Disk, Kept) {
    // a program that another test starts has the lock, too, from its fork to its exec
    let end = clock::now().at.after_ms(2_000);
    loop {
        match Disk::open(path.to_owned(), mode, post) {
            Ok(opened) => return opened,
            Err(taken) => assert!(clock::now().at < end, "{}", taken.text),
        }
        std::thread::yield_now();
    }
}

/// Stores, whoever writes.
fn store(disk: &mut Disk, heard: &Receiver<Happening>, task: Task) -> Stored {
    disk.store(task).unwrap_or_else(|| match heard.recv_blocking() {
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
            let stored = store(&mut disk, &heard, task(seq, channel));
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
    store(&mut disk, &heard, task(1, "c1"));
    drop(disk);
    assert_eq!(channels(&opened(&path, StateMode::Memory).1), ["c1"]);
}

#[test]
fn a_group_is_written_at_once_and_told_together() {
    let (path, (post, heard)) = (path(), post());
    let (mut disk, _) = opened_with(&path, StateMode::Group, &post);
    let told = |heard: &Receiver<Happening>| match heard.recv_blocking() {
        Ok(Happening::Disk(stored)) => stored.upto,
        _ => panic!("nothing stored"),
    };
    assert!(disk.store(task(1, "1")).is_none());
    assert_eq!(told(&heard), 1, "nothing was synced lately");
    let begun = clock::now().at;
    for seq in 2..=6 {
        assert!(disk.store(task(seq, &seq.to_string())).is_none());
    }
    assert_eq!(told(&heard), 6);
    assert!((budget::GROUP_MS - 100..3_000).contains(&clock::now().at.since_ms(begun)));
}

#[test]
fn a_journal_begun_anew_holds_only_what_was_given() {
    for mode in MODES {
        let (path, (post, heard)) = (path(), post());
        let (mut disk, _) = opened_with(&path, mode, &post);
        store(&mut disk, &heard, task(1, "old"));
        store(&mut disk, &heard, anew(2, "new"));
        store(&mut disk, &heard, task(3, "newer"));
        disk.close();
        assert_eq!(channels(&opened(&path, mode).1), ["new", "newer"]);
    }
}

#[test]
fn a_journal_torn_at_any_byte_keeps_what_was_whole_and_goes_on() {
    let (path, (post, heard)) = (path(), post());
    let (mut disk, _) = opened_with(&path, StateMode::Memory, &post);
    store(&mut disk, &heard, task(1, "c1"));
    let first = path.join("journal.000001");
    let whole = std::fs::metadata(&first).unwrap().len();
    store(&mut disk, &heard, task(2, "c2"));
    disk.close();
    let bytes = std::fs::read(&first).unwrap();
    for length in 0..bytes.len() {
        std::fs::remove_dir_all(&path).unwrap();
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(&first, &bytes[..length]).unwrap();
        let (mut disk, kept) = opened_with(&path, StateMode::Memory, &post);
        assert_eq!(kept.cursors.len(), usize::from(length as u64 >= whole), "{length}");
        store(&mut disk, &heard, task(1, "after"));
        disk.close();
        assert!(channels(&opened(&path, StateMode::Memory).1).contains(&"after"), "{length}");
        let headless = length < HEADER_BYTES;
        assert_eq!(aside(&path).len(), usize::from(headless), "{length}: a torn tail is nothing to keep");
    }
}

fn aside(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".bad-")).collect()
}

#[test]
fn a_file_that_is_no_journal_of_ours_is_set_aside_whole() {
    for name in ["journal", "journal.000007"] {
        for foreign in [b"guild-bridge journal 9\nfrom the future".as_slice(), b"SQLite format 3\0", &[7; 200_000]] {
            let path = path();
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(name), foreign).unwrap();
            let (disk, mut kept) = opened(&path, StateMode::Memory);
            assert!(kept.loss().is_some());
            kept.loss_is_over();
            assert_eq!((kept, disk.mode().0), (Kept::default(), "memory"));
            let aside = aside(&path).pop().unwrap();
            assert!(aside.starts_with(&format!("{name}.bad-")) && !path.join(name).exists(), "{aside}");
            assert_eq!(std::fs::read(path.join(aside)).unwrap(), foreign);
        }
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
    let (post, heard) = post();
    let (mut disk, kept) = opened_with(Path::new("/dev/null/state"), StateMode::Each, &post);
    assert_eq!((kept, disk.mode().0), (Kept::default(), "none"));
    assert!(disk.mode().1.contains("/dev/null/state"), "{}", disk.mode().1);
    let stored = store(&mut disk, &heard, task(7, "c1"));
    assert_eq!((stored.upto, stored.failed.unwrap().reason), (7, Reason::DiskFailed));
}

#[test]
fn a_disk_that_fails_is_said_tried_again_and_written_whole_when_it_is_back() {
    let path = path();
    let (mut disk, _) = opened(&path, StateMode::Memory);
    assert!(disk.store(anew(1, "c1")).unwrap().failed.is_none());
    std::fs::rename(&path, path.with_extension("gone")).unwrap();
    std::fs::write(&path, "a file where the directory was").unwrap();
    let stored = disk.store(anew(2, "c2")).unwrap();
    disk.note(&stored);
    assert_eq!((stored.failed.unwrap().reason, disk.mode().0), (Reason::DiskFailed, "none"));
    let stored = disk.store(task(3, "c3")).unwrap();
    assert_eq!((stored.upto, stored.failed.unwrap().reason), (3, Reason::DiskFailed), "nobody waits for it");
    let due = disk.deadline().unwrap();
    assert!(disk.tick(due).unwrap().failed.is_some(), "it is still gone");
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(path.with_extension("gone"), &path).unwrap();
    let asked = disk.tick(disk.deadline().unwrap()).unwrap();
    assert!(asked.again && asked.failed.is_some(), "{asked:?}");
    let stored = disk.store(anew(4, "all")).unwrap();
    disk.note(&stored);
    assert!(stored.upto == 4 && stored.failed.is_none() && disk.mode().0 == "memory", "{stored:?}");
    drop(disk);
    assert_eq!(channels(&opened(&path, StateMode::Memory).1), ["all"]);
}

#[test]
fn a_directory_that_was_removed_is_made_again_and_still_only_ours() {
    let path = path();
    let (mut disk, _) = opened(&path, StateMode::Memory);
    assert!(disk.store(anew(1, "c1")).unwrap().failed.is_none());
    std::fs::remove_dir_all(&path).unwrap();
    assert!(disk.store(anew(3, "c3")).unwrap().failed.is_none());
    assert!(Disk::open(path.clone(), StateMode::Memory, &post().0).is_err(), "both have it");
    drop(disk);
    assert_eq!(channels(&opened(&path, StateMode::Memory).1), ["c3"]);
}

#[test]
fn a_directory_that_comes_later_is_taken_and_what_was_in_it_is_set_aside() {
    let path = path();
    std::fs::write(&path, "not mounted yet").unwrap();
    let (mut disk, _) = opened(&path, StateMode::Memory);
    assert_eq!(disk.mode().0, "none");
    assert!(disk.store(task(1, "c1")).unwrap().failed.is_some());
    std::fs::remove_file(&path).unwrap();
    let (mut other, _) = opened(&path, StateMode::Memory);
    assert!(other.store(anew(1, "theirs")).unwrap().failed.is_none());
    let held = disk.tick(disk.deadline().unwrap()).unwrap();
    assert!(!held.again && held.failed.unwrap().detail.contains("in use by another"));
    drop(other);
    assert!(disk.tick(disk.deadline().unwrap()).unwrap().again);
    assert!(disk.store(anew(2, "ours")).unwrap().failed.is_none());
    drop(disk);
    assert_eq!(channels(&opened(&path, StateMode::Memory).1), ["ours"]);
    assert_eq!(aside(&path).len(), 1);
}

#[test]
fn the_directory_is_private() {
    let path = path();
    let (mut disk, _) = opened(&path, StateMode::Memory);
    assert!(disk.store(anew(1, "c1")).unwrap().failed.is_none());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("journal.000001")), mode(&path.join("lock"))), (0o700, 0o600, 0o600));
}

#[test]
fn attachments_of_a_former_life_are_gone() {
    let path = path();
    std::fs::create_dir_all(path.join("attachments/t_old")).unwrap();
    let (disk, _) = opened(&path, StateMode::Memory);
    assert!(disk.attachments().starts_with(&path) && !path.join("attachments").exists());
}
