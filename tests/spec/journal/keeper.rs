//! When what is written counts, and what happens when the disk does not take it.

use super::{cursor, kept, post, turn};
use crate::world::Disk;
use guild_bridge::budget;
use guild_bridge::journal::{Keeper, Record, Task};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::Stored;
use guild_bridge::reason::Reason;
use guild_bridge::settings::StateMode;

fn opened(disk: &mut Disk, mode: StateMode) -> Keeper {
    Keeper::open(disk, mode, Now { at: Moment(0), wall_ms: 1_795_448_119_306 }).0
}

fn task(seq: u64, pressing: bool) -> Task {
    Task { seq, records: vec![cursor("c", None, Some(&seq.to_string()))].into(), anew: false, pressing }
}

fn anew(seq: u64) -> Task {
    Task { anew: true, ..task(seq, true) }
}

fn upto(stored: Option<Stored>) -> Option<u64> {
    stored.map(|stored| {
        assert!(stored.failed.is_none() && !stored.again, "{stored:?}");
        stored.upto
    })
}

/// What the disk says again after a power cut.
fn after_power_cut(disk: &Disk) -> Option<String> {
    let mut disk = disk.clone();
    disk.power_cut();
    let kept = Keeper::open(&mut disk, StateMode::Each, Now::default()).1;
    kept.cursors.values().next().and_then(|cursor| cursor.id.clone())
}

#[test]
fn what_something_waits_for_is_synced_at_once_and_then_a_second_after_the_last_sync() {
    let mut disk = Disk::new(1);
    let mut keeper = opened(&mut disk, StateMode::Group);
    assert_eq!(upto(keeper.take(&mut disk, &task(1, true), Moment(50_000))), Some(1));
    assert_eq!(keeper.due(), None, "an idle daemon is not woken");
    assert_eq!(upto(keeper.take(&mut disk, &task(2, true), Moment(50_200))), None);
    assert_eq!(upto(keeper.take(&mut disk, &task(3, false), Moment(50_900))), None);
    assert_eq!(keeper.due(), Some(Moment(51_000)));
    assert_eq!(upto(keeper.tick(&mut disk, Moment(50_999))), None);
    assert_eq!(upto(keeper.tick(&mut disk, Moment(51_000))), Some(3));
    assert_eq!(after_power_cut(&disk).as_deref(), Some("3"));
}

#[test]
fn what_nothing_waits_for_is_synced_within_5_s_or_with_what_is_waited_for() {
    let mut disk = Disk::new(2);
    let mut keeper = opened(&mut disk, StateMode::Group);
    keeper.take(&mut disk, &anew(1), Moment(0));
    assert_eq!(upto(keeper.take(&mut disk, &task(2, false), Moment(10_000))), None);
    assert_eq!(upto(keeper.take(&mut disk, &task(3, false), Moment(14_000))), None);
    assert_eq!(keeper.due(), Some(Moment(15_000)));
    assert_eq!(upto(keeper.tick(&mut disk, Moment(15_000))), Some(3));
    assert_eq!(upto(keeper.take(&mut disk, &task(4, false), Moment(20_000))), None);
    assert_eq!(upto(keeper.take(&mut disk, &task(5, true), Moment(20_001))), Some(5));
    assert_eq!(after_power_cut(&disk).as_deref(), Some("5"));
}

#[test]
fn a_group_of_32_kib_is_synced_at_once() {
    let mut disk = Disk::new(3);
    let mut keeper = opened(&mut disk, StateMode::Group);
    keeper.take(&mut disk, &anew(1), Moment(0));
    let records = vec![turn("c", "m", vec![post("k", &"x".repeat(1_000))])];
    let mut waited = 0;
    for seq in 2.. {
        let stored = keeper.take(
            &mut disk,
            &Task { seq, records: records.clone().into(), anew: false, pressing: false },
            Moment(1),
        );
        if stored.is_some() {
            break;
        }
        waited += 1;
    }
    assert!((30..=33).contains(&waited), "{waited} records of 1 KB waited");
}

#[test]
fn nothing_is_synced_in_memory_and_every_record_in_each() {
    for (mode, syncs) in [(StateMode::Memory, 0), (StateMode::Each, 300)] {
        let mut disk = Disk::new(4);
        let mut keeper = opened(&mut disk, mode);
        for seq in 1..=300 {
            let task = if seq % 100 == 1 { anew(seq) } else { task(seq, false) };
            assert_eq!(upto(keeper.take(&mut disk, &task, Moment(seq))), Some(seq));
            assert_eq!(keeper.due(), None);
        }
        keeper.end(&mut disk, Moment(999));
        assert!(if syncs == 0 { disk.syncs == 0 } else { disk.syncs >= syncs }, "{mode:?}: {} syncs", disk.syncs);
        assert!(mode == StateMode::Memory || after_power_cut(&disk).as_deref() == Some("300"));
    }
}

#[test]
fn a_sync_that_fails_is_not_asked_again_and_all_goes_into_a_new_file_at_once() {
    let mut disk = Disk::new(5);
    let mut keeper = opened(&mut disk, StateMode::Group);
    keeper.take(&mut disk, &anew(1), Moment(0));
    let before = disk.last_name();
    disk.fails_sync(1);
    let stored = keeper.take(&mut disk, &task(2, true), Moment(5_000)).unwrap();
    assert_eq!(stored, Stored { upto: 1, failed: None, again: true }, "what is not synced is not confirmed");
    assert_eq!(keeper.take(&mut disk, &task(3, true), Moment(5_000)), None, "it goes with the rest");
    assert_eq!(upto(keeper.take(&mut disk, &anew(4), Moment(5_001))), Some(4));
    assert_ne!(disk.last_name(), before);
    assert_eq!(after_power_cut(&disk).as_deref(), Some("4"));
    disk.fails_sync(1);
    let why = keeper.take(&mut disk, &task(5, true), Moment(20_000)).and_then(|stored| stored.failed);
    assert_eq!(why.map(|why| why.reason), Some(Reason::DiskFailed), "again within a minute");
}

#[test]
fn a_write_that_fails_in_its_middle_loses_nothing_either() {
    for seed in 0..50 {
        let mut disk = Disk::new(seed);
        let mut keeper = opened(&mut disk, StateMode::Each);
        keeper.take(&mut disk, &anew(1), Moment(0));
        keeper.take(&mut disk, &task(2, true), Moment(0));
        disk.fails_write(1);
        assert!(keeper.take(&mut disk, &task(3, true), Moment(1)).unwrap().again);
        let stands = after_power_cut(&disk).unwrap();
        assert!(["2", "3"].contains(&stands.as_str()), "what is there already stands: {stands}");
        assert_eq!(upto(keeper.take(&mut disk, &anew(4), Moment(1))), Some(4));
        assert_eq!(after_power_cut(&disk).as_deref(), Some("4"));
    }
}

#[test]
fn a_disk_that_fails_twice_in_a_minute_is_not_written_whole_for_every_record() {
    let mut disk = Disk::new(8);
    let mut keeper = opened(&mut disk, StateMode::Each);
    keeper.take(&mut disk, &anew(1), Moment(0));
    disk.fails_sync(1);
    assert!(keeper.take(&mut disk, &task(2, true), Moment(1_000)).unwrap().again);
    assert_eq!(upto(keeper.take(&mut disk, &anew(3), Moment(1_001))), Some(3));
    disk.fails_sync(1);
    let failed = keeper.take(&mut disk, &task(4, true), Moment(1_000 + budget::DISK_RETRY_MS - 1)).unwrap();
    assert!(failed.failed.is_some() && !failed.again && failed.upto == 4, "{failed:?}");
    let due = keeper.due().unwrap();
    assert!(keeper.tick(&mut disk, due).unwrap().again);
    assert_eq!(upto(keeper.take(&mut disk, &anew(5), due)), Some(5));
    disk.fails_sync(1);
    let later = due.after_ms(budget::DISK_RETRY_MS);
    assert!(keeper.take(&mut disk, &task(6, true), later).unwrap().failed.is_none(), "one in a minute is no failure");
}

#[test]
fn while_the_disk_fails_nobody_waits_and_once_a_minute_all_is_offered_again() {
    type Break = fn(&mut Disk, bool);
    let breaks: [Break; 3] = [|d, on| d.full = on, |d, on| d.read_only = on, |d, on| d.gone = on];
    for breaks in breaks {
        let mut disk = Disk::new(6);
        let mut keeper = opened(&mut disk, StateMode::Group);
        keeper.take(&mut disk, &anew(1), Moment(0));
        breaks(&mut disk, true);
        assert!(keeper.take(&mut disk, &task(2, true), Moment(10_000)).unwrap().again);
        let failed = keeper.take(&mut disk, &anew(3), Moment(10_000)).unwrap();
        assert_eq!((failed.upto, failed.again), (3, false));
        assert_eq!(keeper.failed().unwrap().reason, Reason::DiskFailed);
        let before = disk.ops;
        assert_eq!(keeper.take(&mut disk, &task(4, true), Moment(11_000)).unwrap().upto, 4, "and nobody waits");
        assert_eq!(disk.ops, before, "a disk that failed is left alone");
        let due = keeper.due().unwrap();
        assert_eq!(due, Moment(10_000 + budget::DISK_RETRY_MS));
        let asked = keeper.tick(&mut disk, due).unwrap();
        assert!(asked.failed.is_some(), "still");
        if asked.again {
            assert!(keeper.take(&mut disk, &anew(5), due).unwrap().failed.is_some());
        }
        breaks(&mut disk, false);
        let due = keeper.due().unwrap();
        assert!(keeper.tick(&mut disk, due).unwrap().again);
        assert_eq!(upto(keeper.take(&mut disk, &anew(6), due)), Some(6));
        assert!(keeper.failed().is_none() && disk.names().len() == 1, "{:?}", disk.names());
        assert_eq!(after_power_cut(&disk).as_deref(), Some("6"));
    }
}

#[test]
fn a_directory_that_was_not_there_at_the_start_is_written_when_it_comes() {
    let mut disk = Disk::new(7);
    disk.put("journal.000003", &super::journal(&[cursor("c", None, Some("old"))]));
    disk.gone = true;
    let mut keeper = opened(&mut disk, StateMode::Each);
    assert!(keeper.failed().is_some());
    disk.gone = false;
    let due = keeper.due().unwrap();
    assert!(keeper.tick(&mut disk, due).unwrap().again);
    assert_eq!(upto(keeper.take(&mut disk, &anew(1), due)), Some(1));
    let all: Vec<Record> = vec![cursor("c", None, Some("1"))];
    assert_eq!(Keeper::open(&mut disk, StateMode::Each, Now::default()).1, kept(&all));
    assert!(disk.names().iter().any(|name| name.starts_with("journal.000003.bad-")), "{:?}", disk.names());
}
