//! The row of files: what it says again, whatever became of one of them.

use super::{any_record, cursor, forget, journal, kept, place, post, posted, turn};
use crate::world::Disk;
use fastrand::Rng;
use guild_bridge::budget;
use guild_bridge::journal::segment::{self, HEADER_BYTES, Header};
use guild_bridge::journal::{Kept, Log, Record, encode, replay};

const WALL_MS: u64 = 1_795_448_119_306;

/// What is lost of it is another matter, see `loss`.
fn opened(disk: &mut Disk) -> (Log, Kept) {
    let (log, mut kept, failed) = Log::open(disk, true, WALL_MS);
    assert_eq!(failed, None);
    kept.loss_is_over();
    (log, kept)
}

/// What a start says that it could not read.
fn loss(disk: &mut Disk) -> Option<String> {
    Log::open(disk, true, WALL_MS).1.loss().map(|lost| lost.detail.clone())
}

/// A file of these records that goes on with the number `first`.
fn segment(first: u64, records: &[Record]) -> Vec<u8> {
    let mut bytes = Header { first, base_bytes: None }.bytes().to_vec();
    (first..).zip(records).for_each(|(seq, record)| encode(record, seq, &mut bytes));
    bytes
}

/// A log of so many random records, five at a time; what they say.
fn long_log(disk: &mut Disk, records: usize) -> Vec<Record> {
    let (mut log, mut rng) = (opened(disk).0, Rng::with_seed(11));
    let records: Vec<Record> = (0..records).map(|_| any_record(&mut rng)).collect();
    for some in records.chunks(5) {
        log.append(disk, some).unwrap();
    }
    log.sync(disk).unwrap();
    records
}

fn aside(disk: &Disk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.contains(".bad-")).map(str::to_owned).collect()
}

#[test]
fn a_log_goes_on_over_its_segments_and_each_has_its_bound() {
    let mut disk = Disk::new(1);
    let records = long_log(&mut disk, 1_500);
    assert!(disk.names().len() >= 4, "{:?}", disk.names());
    for name in disk.names() {
        assert!(disk.bytes(name).len() <= budget::JOURNAL_SEGMENT_BYTES, "{name}");
    }
    let before = disk.ops;
    assert_eq!(opened(&mut disk).1, kept(&records));
    assert_eq!(disk.ops, before, "a whole log is left as it is");
}

#[test]
fn a_base_says_everything_and_the_files_before_it_go() {
    let mut disk = Disk::new(2);
    let records = long_log(&mut disk, 600);
    let (mut log, kept) = opened(&mut disk);
    log.begin(&mut disk, &kept.records()).unwrap();
    assert_eq!((disk.names().len(), opened(&mut disk).1), (1, super::kept(&records)));
    log.append(&mut disk, &[cursor("new", None, None)]).unwrap();
    assert!(opened(&mut disk).1.cursors.contains_key(&place("new")));
}

#[test]
fn behind_a_missing_segment_all_counts_but_a_cursor_that_may_have_passed_a_lost_reply() {
    let mut disk = Disk::new(3);
    disk.put(&segment::name(1), &segment(1, &[cursor("c", None, Some("1")), turn("c", "2", vec![post("k2", "two")])]));
    let behind = [
        turn("c", "5", vec![post("k5", "five")]),
        posted("k2", Some("g2")),
        cursor("c", Some("8"), Some("9")),
        cursor("d", None, Some("3")),
        forget("e"),
    ];
    disk.put(&segment::name(3), &segment(7, &behind));
    for life in 0..2 {
        let kept = opened(&mut disk).1;
        assert_eq!(kept.cursors[&place("c")].id.as_deref(), Some("1"), "life {life}: history shows 2 to 9 again");
        assert_eq!(kept.cursors[&place("d")].id.as_deref(), Some("3"), "a channel without a cursor begins at its end");
        assert_eq!(kept.done[&place("c")], ["2", "5"], "and what is done is not given again");
        assert_eq!(kept.posts[super::LINK], [("c".into(), post("k5", "five"))]);
        assert_eq!(disk.names(), [segment::name(4)], "it was written anew");
    }
}

#[test]
fn a_segment_broken_in_the_middle_is_set_aside_and_the_others_count() {
    let mut disk = Disk::new(4);
    let records = long_log(&mut disk, 1_500);
    let count = |bytes: &[u8]| replay(bytes).1.records as usize;
    let (name, mut expected) = (segment::name(2), Kept::default());
    let (first, mut bytes) = (count(disk.bytes(&segment::name(1))), disk.bytes(&name).to_vec());
    let third = first + count(&bytes);
    bytes[20_000] ^= 0x10;
    disk.put(&name, &bytes);
    let good = first + count(&bytes);
    assert!(first < good && good < third && third < records.len());
    records[..good].iter().for_each(|record| expected.apply(record.clone()));
    records[third..].iter().for_each(|record| expected.apply_behind_a_hole(record.clone()));
    assert_eq!(opened(&mut disk).1, expected);
    let aside = aside(&disk);
    assert_eq!((aside.len(), disk.bytes(&aside[0])), (1, bytes.as_slice()));
    assert_eq!(opened(&mut disk).1, expected, "and the next start finds it in order");
}

#[test]
fn a_broken_base_loses_only_what_is_broken() {
    let mut disk = Disk::new(5);
    let (mut log, _) = opened(&mut disk);
    let base: Vec<Record> = (0..40).map(|n| cursor(&format!("c{n}"), None, Some("1"))).collect();
    log.begin(&mut disk, &base).unwrap();
    log.append(&mut disk, &[cursor("later", None, Some("1"))]).unwrap();
    let mut bytes = disk.bytes(&segment::name(1)).to_vec();
    bytes[700] ^= 1;
    disk.put(&segment::name(1), &bytes);
    let kept = opened(&mut disk).1;
    assert!((10..39).contains(&kept.cursors.len()), "{}", kept.cursors.len());
    assert_eq!(aside(&disk).len(), 1, "a base is never torn: whole records stand behind what is broken");
}

#[test]
fn a_piece_of_an_older_log_does_not_count() {
    let mut disk = Disk::new(6);
    disk.put(&segment::name(1), &segment(1, &[cursor("c", None, Some("5")), cursor("c", None, Some("6"))]));
    disk.put(&segment::name(2), &segment(2, &[cursor("c", None, Some("2"))]));
    assert_eq!(opened(&mut disk).1.cursors[&place("c")].id.as_deref(), Some("6"));
    assert_eq!(aside(&disk).len(), 1);
}

#[test]
fn a_record_out_of_its_place_ends_the_replay() {
    let mut bytes = Header { first: 1, base_bytes: None }.bytes().to_vec();
    encode(&cursor("c", None, Some("1")), 1, &mut bytes);
    encode(&cursor("c", None, Some("2")), 3, &mut bytes);
    let (_, replayed) = replay(&bytes);
    assert_eq!((replayed.records, replayed.why_cut), (1, Some("a record is not the one that follows")));
    // and so does one whose number differs only in what is not written
    let mut bytes = Header { first: 1, base_bytes: None }.bytes().to_vec();
    encode(&cursor("c", None, Some("1")), (1 << 32) + 1, &mut bytes);
    assert_eq!(replay(&bytes).1.why_cut, Some("a record's checksum is wrong"));
}

#[test]
fn the_journal_of_version_1_is_taken_over_whole() {
    // written by the daemon of version 1 during the live scenario of twenty kills
    let old = include_bytes!("version-1.journal");
    let mut disk = Disk::new(7);
    // without its last record: the last reply waits
    let unposted = &old[..old.len() - OLD_LAST_BYTES];
    disk.put("journal", unposted);
    let kept = opened(&mut disk).1;
    assert_eq!(replay(unposted).1.records, 25);
    assert_eq!(kept.cursors.len(), 4);
    assert_eq!(kept.own["recruiter@acme"].len(), 8);
    assert_eq!(kept.posts["recruiter@acme"].len(), 1);
    assert!(kept.posts["recruiter@acme"][0].1.text.starts_with("re: m"));
    assert_eq!(disk.names(), [segment::name(1)]);
    assert_eq!(opened(&mut disk).1, kept);
}

/// Bytes of the last record of `version-1.journal`.
const OLD_LAST_BYTES: usize = 76;

#[test]
fn a_log_of_a_newer_version_is_set_aside_whole_and_so_many_are_kept() {
    let mut disk = Disk::new(8);
    let newer = b"guild-bridge journal 3\nand what only a newer program knows, longer than a header";
    for number in 1..=5 {
        disk.put(&segment::name(number), newer);
    }
    for life in 0..10 {
        let (_, mut kept, failed) = Log::open(&mut disk, true, WALL_MS + life as u64 * 1000);
        assert!(kept.loss().is_some());
        kept.loss_is_over();
        assert_eq!((kept, failed), (Kept::default(), None));
        assert_eq!(aside(&disk).len(), (5 + life).min(budget::JOURNALS_ASIDE));
        assert!(life > 0 || aside(&disk).iter().all(|name| disk.bytes(name) == newer));
        let ours = disk.last_name();
        assert_eq!(disk.names().len(), aside(&disk).len() + 1);
        disk.put(&ours, newer);
    }
}

#[test]
fn a_record_too_long_to_be_read_again_is_left_out_and_what_follows_is_kept() {
    let mut disk = Disk::new(9);
    let (mut log, _) = opened(&mut disk);
    let long = turn("c", "m", vec![post("k", &"x".repeat(budget::JOURNAL_RECORD_BYTES))]);
    log.append(&mut disk, &[cursor("c", None, None), long, cursor("d", None, None)]).unwrap();
    let kept = opened(&mut disk).1;
    assert_eq!((kept.cursors.len(), kept.posts.len()), (2, 0));
}

#[test]
fn what_could_not_be_read_is_said_until_it_is_counted_and_a_torn_end_is_no_loss() {
    type Damage = fn(&mut Disk);
    let damages: [(&str, Damage); 5] = [
        ("journal.000001 could not be read whole", |disk| disk.put(&segment::name(1), b"from elsewhere")),
        ("journal.000002 could not be read whole", |disk| {
            let mut bytes = disk.bytes(&segment::name(2)).to_vec();
            bytes[20_000] ^= 0x10;
            disk.put(&segment::name(2), &bytes);
        }),
        ("records before journal.000003 are missing", |disk| disk.put(&segment::name(2), b"")),
        ("journal.000006 could not be read whole", |disk| flip_in_last(disk, 200)),
        ("", |disk| {
            let (name, mut bytes) = (disk.last_name(), disk.bytes(&disk.last_name()).to_vec());
            bytes.truncate(bytes.len() - 3);
            disk.put(&name, &bytes);
        }),
    ];
    for (seed, (said, damage)) in (20..).zip(damages) {
        let mut disk = Disk::new(seed);
        long_log(&mut disk, 1_500);
        assert_eq!(loss(&mut disk), None);
        damage(&mut disk);
        for _ in 0..2 {
            assert_eq!(loss(&mut disk).as_deref(), Some(said).filter(|said| !said.is_empty()), "{said}");
        }
    }
    let mut disk = Disk::new(30);
    let base: Vec<Record> = (0..40).map(|n| cursor(&format!("c{n}"), None, Some("1"))).collect();
    opened(&mut disk).0.begin(&mut disk, &base).unwrap();
    let mut bytes = disk.bytes(&segment::name(1)).to_vec();
    bytes[1_000] ^= 1;
    disk.put(&segment::name(1), &bytes);
    assert!(loss(&mut disk).is_some(), "a base is never torn by a power cut");
}

/// A bit of the last file flips, so far before its end.
fn flip_in_last(disk: &mut Disk, before_end: usize) {
    let (name, mut bytes) = (disk.last_name(), disk.bytes(&disk.last_name()).to_vec());
    let at = bytes.len() - before_end;
    bytes[at] ^= 0x10;
    disk.put(&name, &bytes);
}

/// One file of so many small records, and where each ends.
fn small_log(disk: &mut Disk, records: usize) -> Vec<usize> {
    let mut log = opened(disk).0;
    let end = |n: usize, log: &mut Log, disk: &mut Disk| {
        log.append(disk, &[turn("c", &format!("message {n}"), Vec::new())]).unwrap();
        disk.bytes(&disk.last_name()).len()
    };
    let ends = (0..records).map(|n| end(n, &mut log, disk)).collect();
    log.sync(disk).unwrap();
    ends
}

#[test]
fn a_flipped_bit_in_the_last_file_is_counted_and_in_the_last_record_it_is_a_torn_end() {
    let mut ends = Vec::new();
    for bit in 0.. {
        let mut disk = Disk::new(bit as u64);
        ends = small_log(&mut disk, 12);
        let (first, last) = (ends[0], ends[ends.len() - 2]);
        let (at, end) = (first + bit / 8, ends[ends.len() - 1]);
        if at >= end {
            break;
        }
        flip_in_last(&mut disk, end - at);
        let counted = loss(&mut disk).is_some();
        assert_eq!(counted, at < last, "bit {bit} of byte {at}, the last record begins at {last}");
        assert_eq!(aside(&disk).len(), usize::from(counted), "bit {bit} of byte {at}");
    }
    assert!(ends.len() == 12);
}

#[test]
fn a_sector_that_a_power_cut_left_out_of_what_was_not_synced_is_a_torn_end() {
    for sector in 1.. {
        let mut disk = Disk::new(7);
        let ends = small_log(&mut disk, 100);
        let (name, whole) = (disk.last_name(), disk.bytes(&disk.last_name()).to_vec());
        let (begins, to) = (sector * 512, ((sector + 1) * 512).min(whole.len()));
        if begins >= to {
            return;
        }
        // all of it, or what was written to it behind a record that was there
        for from in ends.iter().copied().filter(|end| (begins..to).contains(end)).chain([begins]) {
            let mut bytes = whole.clone();
            bytes[from..to].fill(0);
            disk.put(&name, &bytes);
            assert_eq!(loss(&mut disk), None, "zeros from byte {from} to {to}");
            assert!(aside(&disk).is_empty());
            disk = Disk::new(7);
            small_log(&mut disk, 100);
        }
    }
}

#[test]
fn zeros_within_a_sector_are_no_sector_that_was_left_out() {
    let mut disk = Disk::new(7);
    let ends = small_log(&mut disk, 100);
    let (name, whole) = (disk.last_name(), disk.bytes(&disk.last_name()).to_vec());
    for end in (512..ends[ends.len() - 2]).filter(|at| at % 512 == 0) {
        for zeros in [1, 7] {
            let mut bytes = whole.clone();
            bytes[end - zeros..end].fill(0);
            if ends.contains(&(end - zeros)) || bytes == whole {
                continue;
            }
            let mut disk = Disk::new(8);
            disk.put(&name, &bytes);
            assert!(loss(&mut disk).is_some(), "{zeros} zeros before byte {end}");
            assert_eq!(aside(&disk).len(), 1);
        }
    }
}

/// What may become of a header, by its name.
fn beheaded(whole: &[u8]) -> Vec<(String, Vec<u8>)> {
    let header = Header { first: 1, base_bytes: None }.bytes().len();
    let flip = |bit: usize| {
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit}"), bytes)
    };
    let cut = |at: usize| (format!("cut to {at} bytes"), whole[..at].to_vec());
    let zeros = ("all zeros".to_owned(), vec![0; whole.len()]);
    (0..header * 8).map(flip).chain((0..header).map(cut)).chain([zeros]).collect()
}

#[test]
fn a_journal_whose_only_header_is_damaged_is_set_aside_and_counted() {
    for base in [false, true] {
        let made = || {
            let mut disk = Disk::new(7);
            let (mut log, kept) = opened(&mut disk);
            log.append(&mut disk, &[cursor("c", None, Some("1")), turn("c", "2", vec![post("k", "x")])]).unwrap();
            log.sync(&mut disk).unwrap();
            if base {
                log.begin(&mut disk, kept.records()).unwrap();
            }
            disk
        };
        let whole = made().bytes(&made().last_name()).to_vec();
        for (what, bytes) in beheaded(&whole) {
            let mut disk = made();
            disk.put(&disk.last_name(), &bytes);
            assert!(loss(&mut disk).is_some(), "{what}, base {base}");
            let aside = aside(&disk);
            assert_eq!((aside.len(), disk.bytes(&aside[0])), (1, bytes.as_slice()), "{what}, base {base}");
        }
    }
}

#[test]
fn a_journal_whose_base_is_not_all_there_is_set_aside_and_counted() {
    let made = || {
        let mut disk = Disk::new(7);
        let (mut log, _) = opened(&mut disk);
        log.begin(&mut disk, &[cursor("c", None, Some("1")), turn("c", "2", vec![post("k", "x")])]).unwrap();
        disk
    };
    let whole = made().bytes(&made().last_name()).to_vec();
    for end in HEADER_BYTES..whole.len() {
        let mut disk = made();
        disk.put(&disk.last_name(), &whole[..end]);
        assert!(loss(&mut disk).is_some(), "cut to {end} bytes");
        let aside = aside(&disk);
        assert_eq!((aside.len(), disk.bytes(&aside[0])), (1, &whole[..end]), "cut to {end} bytes");
    }
}

#[test]
fn a_damaged_header_of_the_last_of_many_files_is_counted_where_records_stand_behind_it() {
    let made = || {
        let mut disk = Disk::new(7);
        long_log(&mut disk, 1_500);
        disk
    };
    let whole = made().bytes(&made().last_name()).to_vec();
    for (what, bytes) in beheaded(&whole) {
        let mut disk = made();
        disk.put(&disk.last_name(), &bytes);
        // of what was cut or is all zeros nobody can say that it was ever synced
        let there = what.starts_with("bit");
        assert_eq!((loss(&mut disk).is_some(), aside(&disk).len()), (there, usize::from(there)), "{what}");
    }
}

#[test]
fn what_an_older_log_left_behind_the_end_is_no_record_of_this_one() {
    let mut disk = Disk::new(33);
    let mut bytes = segment(100, &[cursor("c", None, Some("1")), cursor("c", None, Some("2"))]);
    bytes.extend(b"torn");
    let stale = segment(40, &(0..40).map(|n| cursor(&n.to_string(), None, Some("0"))).collect::<Vec<_>>());
    bytes.extend(&stale[Header { first: 1, base_bytes: None }.bytes().len()..]);
    disk.put(&segment::name(1), &segment(1, &(1..100).map(|_| cursor("c", None, None)).collect::<Vec<_>>()));
    disk.put(&segment::name(2), &bytes);
    assert_eq!((loss(&mut disk), aside(&disk).len()), (None, 0));
}

/// So many posts of 64 KiB.
fn heavy(count: usize) -> Vec<Record> {
    (0..count).map(|n| turn("c", &n.to_string(), vec![post(&format!("k{n}"), &"x".repeat(64 * 1024))])).collect()
}

#[test]
fn what_no_start_would_read_again_is_not_begun_and_what_is_there_stays() {
    let mut disk = Disk::new(31);
    let mut log = opened(&mut disk).0;
    log.begin(&mut disk, &[cursor("c", None, None)]).unwrap();
    let failed = log.begin(&mut disk, &heavy(budget::JOURNAL_READ_BYTES / (64 * 1024))).unwrap_err();
    assert!(failed.0.contains("which no start would read again"), "{failed}");
    assert_eq!(opened(&mut disk).1, super::kept(&[cursor("c", None, None)]));
}

#[test]
fn a_log_of_many_files_is_read_whole_however_long_it_is() {
    let mut disk = Disk::new(32);
    let mut log = opened(&mut disk).0;
    let records = heavy(budget::JOURNAL_READ_BYTES / (64 * 1024) - 16);
    log.begin(&mut disk, &records).unwrap();
    let more = heavy(budget::JOURNAL_READ_BYTES / (64 * 1024) + 16).split_off(records.len());
    for record in &more {
        log.append(&mut disk, std::slice::from_ref(record)).unwrap();
    }
    log.sync(&mut disk).unwrap();
    assert_eq!(opened(&mut disk).1.posts.values().map(Vec::len).sum::<usize>(), records.len() + more.len());
}

#[test]
fn a_journal_of_no_bytes_is_a_loss_and_no_reason_not_to_go_on() {
    let mut disk = Disk::new(10);
    disk.put(&segment::name(4), b"");
    assert_eq!(loss(&mut disk).as_deref(), Some("journal.000004 could not be read whole"));
    assert_eq!(opened(&mut disk).1, Kept::default());
    let mut log = opened(&mut disk).0;
    log.append(&mut disk, &[cursor("c", None, None)]).unwrap();
    assert_eq!(opened(&mut disk).1, super::kept(&[cursor("c", None, None)]));
    assert_eq!(replay(&journal(&[])).1.why_cut, None);
}

#[test]
fn numbers_at_their_end_are_no_reason_to_panic() {
    let (mut disk, records) = (Disk::new(11), [cursor("c", None, Some("1")), cursor("d", None, None)]);
    let mut bytes = Header { first: u64::MAX, base_bytes: None }.bytes().to_vec();
    records.iter().for_each(|record| encode(record, u64::MAX, &mut bytes));
    disk.put(&segment::name(999_999), &bytes);
    disk.put("journal.18446744073709551615", b"not ours");
    let kept = opened(&mut disk).1;
    let (mut log, again) = opened(&mut disk);
    assert!(kept == again && kept.cursors.contains_key(&place("c")));
    log.append(&mut disk, &records).unwrap();
    assert!(disk.names().contains(&"journal.18446744073709551615"), "what is not ours stays");
}
