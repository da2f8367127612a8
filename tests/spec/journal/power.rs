//! The process is killed, or the power goes, at any operation of the disk: what was confirmed is there again.

use super::{kept, post};
use crate::world::Disk;
use fastrand::Rng;
use guild_bridge::budget;
use guild_bridge::journal::{Keeper, Kept, Packed, Record, Task, replay, size};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::settings::StateMode;

const OLD: &[u8] = include_bytes!("version-1.journal");
const HARD: [StateMode; 2] = [StateMode::Group, StateMode::Each];

/// A life of a journal: version 1 is taken over, everything is written anew, a record at a time fills segments, everything
/// is written anew once more. Beside the tasks what the journal says after each, from the start on.
fn life() -> (Vec<Task>, Vec<Kept>) {
    let (mut disk, mut rng) = (Disk::new(0), Rng::with_seed(21));
    disk.put("journal", OLD);
    let mut states = vec![opened(&mut disk).1];
    let mut tasks = Vec::new();
    for seq in 1..=110 {
        let mut kept = states.last().unwrap().clone();
        let anew = seq == 1 || seq == 80;
        let records = if anew { kept.records() } else { vec![record(seq, &mut rng)] };
        records.iter().for_each(|record| kept.apply(record.clone()));
        states.push(kept);
        tasks.push(Task { seq, records: records.into(), anew, pressing: rng.bool() });
    }
    (tasks, states)
}

/// Replies are long: some seventy fill a segment.
fn record(seq: u64, rng: &mut Rng) -> Record {
    let (link, channel) = ("a@g".to_owned(), "c".to_owned());
    match seq % 4 {
        0 => Record::Posted { link, key: format!("k{}", seq - 2), message: Some(format!("g{seq}")) },
        1 => Record::Cursor { link, channel, before: None, id: Some(format!("m{}", seq - 3)), at_ms: seq },
        _ => {
            let posts = vec![post(&format!("k{seq}"), &"x".repeat(rng.usize(500..3_000)))];
            Record::Turn { link, channel, message: format!("m{seq}"), posts }
        }
    }
}

fn opened(disk: &mut Disk) -> (Keeper, Kept) {
    Keeper::open(disk, StateMode::Each, Now { at: Moment(0), wall_ms: 1_795_448_119_306 })
}

/// Runs it until the disk does no more; the last task that was confirmed, and the last that was begun.
fn run(disk: &mut Disk, mode: StateMode, tasks: &[Task]) -> (usize, usize) {
    let mut at = Moment(1_000);
    let (mut keeper, _) = Keeper::open(disk, mode, Now { at, wall_ms: 1_795_448_119_306 });
    let mut confirmed = 0;
    if keeper.failed().is_some() {
        return (0, 0);
    }
    for task in tasks {
        at = at.after_ms(400);
        for stored in [keeper.tick(disk, at), keeper.take(disk, task, at)].into_iter().flatten() {
            if stored.again || stored.failed.is_some() {
                return (confirmed, task.seq as usize);
            }
            confirmed = stored.upto as usize;
        }
    }
    keeper.end(disk, at);
    (confirmed, tasks.len())
}

/// A disk after a life that ended within its nth operation; what was confirmed, and what was begun.
fn ended(seed: u64, n: u64, mode: StateMode, tasks: &[Task]) -> (Disk, usize, usize) {
    let mut disk = Disk::new(seed);
    disk.put("journal", OLD);
    disk.dies_after(n);
    let (confirmed, begun) = run(&mut disk, mode, tasks);
    disk.let_go();
    (disk, confirmed, begun)
}

/// Operations of a whole life.
fn operations(mode: StateMode, tasks: &[Task]) -> u64 {
    ended(0, u64::MAX, mode, tasks).0.ops
}

#[test]
fn a_kill_within_any_operation_loses_nothing_that_was_written() {
    let (tasks, states) = life();
    for mode in [StateMode::Memory, StateMode::Group, StateMode::Each] {
        for n in 0..operations(mode, &tasks) {
            let (mut disk, confirmed, begun) = ended(n, n, mode, &tasks);
            let kept = opened(&mut disk).1;
            let written = begun.saturating_sub(1).max(confirmed);
            assert!(states[written..=begun].contains(&kept), "{mode:?}: killed within operation {n}");
            assert!(opened(&mut disk).1 == kept, "{mode:?}: killed within operation {n}, and read again");
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_keeps_what_was_confirmed_and_cuts_the_rest_at_one_place() {
    let (tasks, states) = life();
    for mode in HARD {
        let operations = operations(mode, &tasks);
        assert!(operations > 100, "{operations}");
        for (n, seed) in (0..=operations).flat_map(|n| (0..3).map(move |seed| (n, seed))) {
            let (mut disk, confirmed, begun) = ended(seed, n, mode, &tasks);
            disk.power_cut();
            // and it goes once more while the log is put in order
            disk.dies_after(seed * 2);
            drop(opened(&mut disk));
            disk.power_cut();
            let kept = opened(&mut disk).1;
            let what = format!("{mode:?}, seed {seed}: power lost at operation {n}, {confirmed} confirmed of {begun}");
            assert!(states[confirmed..=begun].contains(&kept), "{what}");
            assert!(opened(&mut disk).1 == kept, "{what}, and read again");
        }
    }
}

#[test]
fn a_power_cut_in_memory_mode_may_forget_and_never_keeps_the_next_start_from_writing() {
    let (tasks, _) = life();
    for n in 0..=operations(StateMode::Memory, &tasks) {
        let (mut disk, ..) = ended(n, n, StateMode::Memory, &tasks);
        disk.power_cut();
        let (mut keeper, _) = opened(&mut disk);
        let all = vec![Record::Forget { link: "a@g".into(), channel: "c".into() }, super::cursor("new", None, None)];
        let task = Task { seq: 1, records: all.clone().into(), anew: true, pressing: true };
        let stored = keeper.take(&mut disk, &task, Moment(1)).unwrap();
        assert_eq!((stored.upto, stored.failed), (1, None), "power lost at operation {n}");
        assert!(opened(&mut disk).1 == kept(&all), "power lost at operation {n}");
    }
}

#[test]
fn a_base_of_many_pieces_is_there_whole_or_not_at_all_wherever_power_is_lost() {
    let many = |id: &str| (0..1_500).map(|n| super::cursor(&format!("c{n}"), None, Some(id))).collect::<Vec<Record>>();
    let (before, after) = (many("1"), many("2"));
    let task = |seq, records: &[Record]| Task { seq, records: records.to_vec().into(), anew: true, pressing: true };
    let tasks = [task(1, &before), task(2, &after)];
    assert!(tasks[1].records.bytes() > 3 * budget::JOURNAL_PIECE_BYTES, "{} bytes", tasks[1].records.bytes());
    let states = [replay(OLD).0, kept(&before), kept(&after)];
    for mode in [StateMode::Group, StateMode::Each] {
        for n in 0..=operations(mode, &tasks) {
            let (mut disk, confirmed, begun) = ended(n, n, mode, &tasks);
            disk.power_cut();
            let kept = opened(&mut disk).1;
            assert!(states[confirmed..=begun].contains(&kept), "{mode:?}, power lost at operation {n}");
        }
    }
}

#[test]
fn records_that_were_packed_are_the_same_again_and_one_that_is_too_long_is_left_out() {
    let mut rng = Rng::with_seed(8);
    let records: Vec<Record> = (0..2_000).map(|_| super::any_record(&mut rng)).collect();
    let mut packed = Packed::from(records.clone());
    packed.push(&super::turn("c", "m", vec![super::post("k", &"x".repeat(budget::JOURNAL_RECORD_BYTES))]));
    assert!(packed.iter().eq(records.iter().cloned()));
    assert_eq!(packed.bytes(), records.iter().map(size).sum::<usize>());
}
