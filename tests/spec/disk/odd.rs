//! What somebody else put into the state directory, or took out of it.

use super::{anew, aside, channels, opened, path, task};
use crate::world::log;
use guild_bridge::io::disk::Disk;
use guild_bridge::journal::Kept;
use guild_bridge::port::Stored;
use guild_bridge::reason::Reason;
use guild_bridge::settings::StateMode;
use std::os::unix::fs::symlink;
use std::path::Path;

fn memory(path: &Path) -> (Disk, Kept) {
    opened(path, StateMode::Memory)
}

fn written(stored: Option<Stored>) {
    assert!(stored.as_ref().is_some_and(|stored| stored.failed.is_none() && !stored.again), "{stored:?}");
}

/// A state directory with something in it.
fn with(what: impl Fn(&Path)) -> std::path::PathBuf {
    let path = path();
    std::fs::create_dir_all(&path).unwrap();
    what(&path);
    path
}

#[test]
fn a_journal_that_is_removed_under_the_daemon_is_noticed_by_the_next_write_and_written_anew() {
    let thefts: [fn(&Path); 3] = [
        |path| std::fs::remove_dir_all(path).unwrap(),
        |path| std::fs::remove_file(path.join("journal.000001")).unwrap(),
        |path| std::fs::rename(path, path.with_extension("moved")).unwrap(),
    ];
    for theft in thefts {
        let path = path();
        let (mut disk, _) = memory(&path);
        written(disk.store(anew(1, "c1")));
        theft(&path);
        let stored = disk.store(task(2, "c2")).unwrap();
        assert!(stored.again && stored.upto == 1, "it does not count as written: {stored:?}");
        written(disk.store(anew(3, "all")));
        assert!(Disk::open(path.clone(), StateMode::Memory, &super::post().0).is_err(), "it is still only ours");
        drop(disk);
        assert_eq!(channels(&memory(&path).1), ["all"]);
    }
}

#[test]
fn nothing_is_written_into_a_directory_that_cannot_be_locked() {
    let path = with(|path| std::fs::create_dir(path.join("lock")).unwrap());
    let (mut disk, _) = memory(&path);
    assert_eq!(disk.mode().0, "none");
    let stored = disk.store(anew(1, "c1")).unwrap();
    assert_eq!(stored.failed.as_ref().map(|why| why.reason), Some(Reason::DiskFailed));
    assert!(stored.failed.unwrap().detail.contains("lock: "), "what stands in the way is named");
    assert!(!path.join("journal.000001").exists());
    std::fs::remove_dir(path.join("lock")).unwrap();
    assert!(disk.tick(disk.deadline().unwrap()).unwrap().again);
    written(disk.store(anew(2, "c2")));
}

#[test]
fn a_pipe_or_a_directory_of_a_journals_name_is_set_aside_and_not_waited_for() {
    let pipe = |path: &Path| {
        let pipe = path.join("journal.000001");
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    };
    for path in [with(pipe), with(|path| std::fs::create_dir(path.join("journal.000001")).unwrap())] {
        let (mut disk, mut kept) = memory(&path);
        assert!(kept.loss().is_some());
        kept.loss_is_over();
        assert_eq!((kept, disk.mode().0, aside(&path).len()), (Kept::default(), "memory", 1));
        written(disk.store(anew(1, "c1")));
    }
}

#[test]
fn nothing_is_written_through_a_link_that_somebody_laid() {
    for name in ["journal.new", "lock"] {
        let path = with(|path| {
            std::fs::write(path.with_extension("precious"), "precious").unwrap();
            symlink(path.with_extension("precious"), path.join(name)).unwrap();
        });
        let (mut disk, _) = memory(&path);
        let stored = disk.store(anew(1, "c1")).unwrap();
        assert_eq!(stored.failed.is_some(), name == "lock", "a lock that is not ours is none");
        assert_eq!(std::fs::read_to_string(path.with_extension("precious")).unwrap(), "precious", "{name}");
    }
}

#[test]
fn what_stands_where_the_journal_is_written_is_named() {
    let path = with(|path| std::fs::create_dir(path.join("journal.new")).unwrap());
    let stored = memory(&path).0.store(anew(1, "c1")).unwrap();
    assert!(stored.failed.unwrap().detail.contains("journal.new: "));
}

#[test]
fn a_crowd_of_other_files_hides_no_journal() {
    let path = with(|path| (0..5_000).for_each(|n| std::fs::write(path.join(format!("other-{n}")), "").unwrap()));
    let (mut disk, _) = memory(&path);
    written(disk.store(anew(1, "c1")));
    drop(disk);
    assert_eq!(channels(&memory(&path).1), ["c1"]);
}

#[test]
fn a_crowd_of_names_like_a_journals_hides_none() {
    for like in ["journal-", "journal.bak.", "journal.000001.old", "journal.000001.bad-1"] {
        let path = path();
        written(memory(&path).0.store(anew(1, "c1")));
        (0..4_200).for_each(|n| std::fs::write(path.join(format!("{like}{n}")), "").unwrap());
        let (disk, kept) = memory(&path);
        assert_eq!((channels(&kept), disk.mode().0), (vec!["c1"], "memory"), "{like}");
        std::fs::remove_dir_all(&path).unwrap();
    }
}

#[test]
fn what_stands_where_the_lock_is_made_is_told_with_what_to_do() {
    let link = |path: &Path| symlink("/nowhere", path.join("lock")).unwrap();
    let directory = |path: &Path| std::fs::create_dir(path.join("lock")).unwrap();
    let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path.join("lock")).unwrap());
    for (path, what) in
        [(with(link), "a link"), (with(directory), "a directory"), (with(socket), "something that is no file")]
    {
        let (mode, detail) = memory(&path).0.mode();
        let told =
            format!("{}/lock: {what} stands where the daemon makes a file: remove it, or move it away", path.display());
        assert_eq!((mode, detail.contains(&told)), ("none", true), "{detail}");
    }
}

#[test]
fn what_is_set_aside_is_said_once_it_is_done() {
    let path = with(|path| std::fs::write(path.join("journal.999999999999999999"), "from elsewhere").unwrap());
    log::begin();
    let (mut disk, _) = memory(&path);
    assert!(disk.store(anew(1, "c1")).unwrap().failed.is_some());
    let lines = log::lines();
    let told = |lines: &[String], what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!((told(&lines, "it is not a journal"), told(&lines, "set aside")), (1, 0), "{lines:?}");
    drop(disk);
    std::fs::rename(path.join("journal.999999999999999999"), path.join("journal.000007")).unwrap();
    log::begin();
    written(memory(&path).0.store(anew(1, "c1")));
    let (lines, aside) = (log::lines(), aside(&path));
    let done =
        format!("disk.damaged: journal.000007 is set aside as {}: remove it when you have looked at it", aside[0]);
    assert_eq!((aside.len(), told(&lines, &done)), (1, 1), "{lines:?}");
}

#[test]
fn a_file_with_the_last_number_there_is_costs_no_state_in_silence() {
    let path = with(|path| std::fs::write(path.join("journal.999999999999999999"), "from elsewhere").unwrap());
    let (mut disk, _) = memory(&path);
    let stored = disk.store(anew(1, "c1")).unwrap();
    assert!(stored.failed.unwrap().detail.contains("journal.999999999999999999: move that file away"));
    drop(disk);
    std::fs::remove_file(path.join("journal.999999999999999999")).unwrap();
    std::fs::write(path.join("journal.0000007"), "no number of ours").unwrap();
    let (mut disk, _) = memory(&path);
    written(disk.store(anew(1, "c1")));
    written(disk.store(task(2, "c2")));
    drop(disk);
    assert_eq!(channels(&memory(&path).1), ["c1", "c2"]);
}
