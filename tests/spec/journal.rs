//! The journal: what it says again after any cut.

mod keeper;
mod log;
mod power;

use fastrand::Rng;
use guild_bridge::budget;
use guild_bridge::journal::segment::{HEADER_BYTES, Header};
use guild_bridge::journal::{Cursor, Kept, Letter, Noted, Post, Record, Replayed, encode, replay, size};

const LINK: &str = "recruiter@acme";

/// A file that goes on from nothing.
fn header() -> Vec<u8> {
    Header { first: 1, base_bytes: None }.bytes().to_vec()
}

/// A file of these records, the first with the number 1.
pub fn journal(records: &[Record]) -> Vec<u8> {
    let mut bytes = header();
    (1..).zip(records).for_each(|(seq, record)| encode(record, seq, &mut bytes));
    bytes
}

fn kept(records: &[Record]) -> Kept {
    let (kept, replayed) = replay(&journal(records));
    assert_eq!((replayed.records, replayed.why_cut), (records.len() as u64, None));
    kept
}

fn place(channel: &str) -> (String, String) {
    (LINK.into(), channel.into())
}

fn cursor(channel: &str, before: Option<&str>, id: Option<&str>) -> Record {
    let (link, channel) = place(channel);
    Record::Cursor {
        link,
        channel,
        before: before.map(str::to_owned),
        id: id.map(str::to_owned),
        at_ms: 1_795_448_119_306,
    }
}

fn post(key: &str, text: &str) -> Post {
    Post { key: key.into(), text: text.into(), reply_to: None, message: Some("m".into()) }
}

fn turn(channel: &str, message: &str, posts: Vec<Post>) -> Record {
    let (link, channel) = place(channel);
    Record::Turn { link, channel, message: message.into(), posts }
}

fn posted(key: &str, message: Option<&str>) -> Record {
    Record::Posted { link: LINK.into(), key: key.into(), message: message.map(str::to_owned) }
}

fn forget(channel: &str) -> Record {
    let (link, channel) = place(channel);
    Record::Forget { link, channel }
}

fn any_text(rng: &mut Rng, max: usize) -> String {
    (0..rng.usize(0..=max)).map(|_| if rng.bool() { rng.alphanumeric() } else { rng.char(..) }).collect()
}

fn any_post(rng: &mut Rng) -> Post {
    let reply_to = rng.bool().then(|| any_text(rng, 9));
    let message = rng.bool().then(|| rng.u8(0..20).to_string());
    Post { key: rng.u8(0..40).to_string(), text: any_text(rng, 400), reply_to, message }
}

pub fn any_record(rng: &mut Rng) -> Record {
    let (link, channel) = (format!("a{}@g", rng.u8(0..2)), format!("c{}", rng.u8(0..3)));
    let id = |rng: &mut Rng| rng.bool().then(|| rng.u8(0..20).to_string());
    match rng.u8(0..12) {
        0..=2 => Record::Cursor { link, channel, before: id(rng), id: id(rng), at_ms: rng.u64(..) },
        3..=5 => {
            let posts = (0..rng.usize(0..3)).map(|_| any_post(rng)).collect();
            Record::Turn { link, channel, message: rng.u8(0..20).to_string(), posts }
        }
        6 => Record::Post { link, channel, post: any_post(rng) },
        10 => {
            let (count, at_ms, detail) = (rng.u64(..), rng.u64(..), any_text(rng, 20));
            let noted = Noted { count, at_ms, channel: id(rng), from: id(rng), to: id(rng), detail };
            let done = (0..rng.usize(0..3)).map(|_| (channel.clone(), rng.u8(0..20).to_string())).collect();
            Record::Gap { link, reason: rng.u8(0..4).to_string(), noted, done }
        }
        9 => {
            let letter = Letter { channel, post: any_post(rng), detail: any_text(rng, 20), at_ms: rng.u64(..) };
            Record::Letter { link, letter }
        }
        7 | 8 => Record::Posted { link, key: rng.u8(0..40).to_string(), message: id(rng) },
        _ => Record::Forget { link, channel },
    }
}

#[test]
fn a_cursor_that_moved_is_where_it_was_last() {
    let kept = kept(&[cursor("c", None, None), cursor("d", None, Some("1")), cursor("c", Some("1"), Some("2"))]);
    let at = |before: Option<&str>, id: Option<&str>| Cursor {
        before: before.map(str::to_owned),
        id: id.map(str::to_owned),
        at_ms: 1_795_448_119_306,
    };
    assert_eq!(kept.cursors[&place("c")], at(Some("1"), Some("2")));
    assert_eq!(kept.cursors[&place("d")], at(None, Some("1")));
}

#[test]
fn a_finished_turn_and_its_reply_are_kept_together_until_it_is_posted() {
    let turn = turn("c", "m1", vec![post("k0", "one"), post("k1", "two")]);
    let unposted = kept(std::slice::from_ref(&turn));
    assert_eq!(unposted.done[&place("c")], ["m1"]);
    assert_eq!(unposted.posts[LINK], [("c".into(), post("k0", "one")), ("c".into(), post("k1", "two"))]);
    let half = kept(&[turn.clone(), posted("k0", Some("g1"))]);
    assert_eq!((half.posts[LINK].len(), half.own[LINK].as_slice()), (1, &["g1".to_owned()][..]));
    let whole = kept(&[turn, posted("k0", Some("g1")), posted("k1", None)]);
    assert!(whole.posts.is_empty() && whole.own[LINK] == ["g1"] && whole.done[&place("c")] == ["m1"]);
}

#[test]
fn a_turn_that_ended_out_of_order_outlives_the_cursor_that_has_not_reached_it() {
    let kept = kept(&[turn("c", "m3", vec![]), turn("c", "m1", vec![]), cursor("c", None, Some("m1"))]);
    assert_eq!(kept.done[&place("c")], ["m3"]);
}

#[test]
fn a_channel_that_is_forgotten_leaves_only_what_is_still_to_be_posted() {
    let kept =
        kept(&[cursor("c", None, Some("1")), turn("c", "2", vec![post("k", "x")]), forget("c"), forget("never")]);
    assert!(kept.cursors.is_empty() && kept.done.is_empty() && kept.posts[LINK].len() == 1);
}

#[test]
fn what_is_remembered_has_its_bound_and_the_oldest_goes() {
    let ids = budget::DEDUPE_IDS + 10;
    let mut records: Vec<Record> = (0..ids).map(|n| turn("c", &n.to_string(), vec![])).collect();
    records.extend((0..budget::OWN_POSTS + 10).map(|n| posted("", Some(&n.to_string()))));
    let kept = kept(&records);
    let (done, own) = (&kept.done[&place("c")], &kept.own[LINK]);
    assert_eq!((done.len(), done[0].as_str(), done.last().unwrap().as_str()), (budget::DEDUPE_IDS, "10", "4105"));
    assert_eq!((own.len(), own[0].as_str()), (budget::OWN_POSTS, "10"));
}

#[test]
fn replaying_a_snapshot_and_what_came_after_it_is_replaying_all() {
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let records: Vec<Record> = (0..rng.usize(0..80)).map(|_| any_record(&mut rng)).collect();
        let (before, after) = records.split_at(rng.usize(0..=records.len()));
        let mut snapshot = kept(before).records();
        assert_eq!(kept(&snapshot), kept(before), "{seed}");
        snapshot.extend_from_slice(after);
        assert_eq!(kept(&snapshot), kept(&records), "{seed}");
    }
}

#[test]
fn a_snapshot_said_twice_says_the_same() {
    let named = kept(&[cursor("c", Some("1"), Some("2")), turn("c", "2", vec![]), turn("c", "1", vec![])]);
    assert!(named.done.is_empty(), "the cursor says both");
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let kept_once = kept(&(0..80).map(|_| any_record(&mut rng)).collect::<Vec<_>>());
        let snapshot = kept_once.records();
        assert_eq!(kept(&[snapshot.clone(), snapshot].concat()), kept_once, "{seed}");
    }
}

#[test]
fn a_record_written_twice_in_a_row_counts_once() {
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let once: Vec<Record> = (0..60).map(|_| any_record(&mut rng)).collect();
        let twice: Vec<Record> = once.iter().flat_map(|record| [record.clone(), record.clone()]).collect();
        assert_eq!(kept(&twice), kept(&once), "{seed}");
    }
}

#[test]
fn the_size_of_a_record_is_told_before_it_is_written() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..2_000 {
        let (record, mut bytes) = (any_record(&mut rng), Vec::new());
        encode(&record, 7, &mut bytes);
        assert_eq!(bytes.len(), size(&record));
    }
    let longest = turn("c", "m", vec![post("k", &"x".repeat(budget::REPLY_BYTES))]);
    assert!(size(&longest) < budget::JOURNAL_RECORD_BYTES);
    let too_long = turn("c", "m", vec![post("k", &"x".repeat(budget::JOURNAL_RECORD_BYTES))]);
    assert_eq!(replay(&journal(&[too_long])).1.why_cut, Some("a record's length is impossible"));
}

/// A journal of some bytes, its records, and where each ends.
fn long_journal(bytes: usize) -> (Vec<u8>, Vec<Record>, Vec<usize>) {
    let (mut rng, mut journal, mut records, mut ends) = (Rng::with_seed(3), header(), Vec::new(), Vec::new());
    while journal.len() < bytes {
        let record = any_record(&mut rng);
        encode(&record, records.len() as u64 + 1, &mut journal);
        records.push(record);
        ends.push(journal.len());
    }
    (journal, records, ends)
}

#[test]
fn a_journal_torn_or_flipped_at_any_byte_keeps_every_whole_record_before_it() {
    let (journal, records, ends) = long_journal(64 * 1024);
    let (mut whole, mut good, mut expected) = (0, HEADER_BYTES, Kept::default());
    let mut flipped = journal.clone();
    for at in HEADER_BYTES..=journal.len() {
        while ends.get(whole).is_some_and(|end| *end <= at) {
            expected.apply(records[whole].clone());
            good = ends[whole];
            whole += 1;
        }
        let holds = |(kept, replayed): (Kept, Replayed), why: Option<&str>| {
            assert_eq!((replayed.records, replayed.good_bytes), (whole as u64, good), "byte {at}");
            assert!(kept == expected && why.is_none_or(|why| replayed.why_cut == Some(why)), "byte {at}");
            replayed
        };
        let torn = holds(replay(&journal[..at]), (at > good).then_some("a record is torn"));
        assert_eq!(torn.why_cut.is_some(), at > good, "byte {at}");
        if let Some(byte) = flipped.get_mut(at) {
            *byte ^= 1 << (at % 8);
            let replayed = holds(replay(&flipped), None);
            assert!(replayed.why_cut.is_some(), "byte {at}");
            flipped[at] = journal[at];
        }
    }
    assert_eq!(whole, records.len());
}

#[test]
fn a_journal_with_its_header_torn_or_flipped_says_nothing() {
    let (journal, ..) = long_journal(2 * 1024);
    for at in 0..HEADER_BYTES {
        let mut flipped = journal.clone();
        flipped[at] ^= 1 << (at % 8);
        for bytes in [&journal[..at], &flipped] {
            assert_eq!((replay(bytes).0, replay(bytes).1.records), (Kept::default(), 0), "byte {at}");
        }
    }
}

#[test]
fn a_flipped_bit_ends_the_replay_at_its_record() {
    let (journal, _, ends) = long_journal(4 * 1024);
    for bit in HEADER_BYTES * 8..journal.len() * 8 {
        let mut flipped = journal.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let at = ends.iter().position(|end| bit / 8 < *end).unwrap();
        let good = if at == 0 { HEADER_BYTES } else { ends[at - 1] };
        let (_, replayed) = replay(&flipped);
        assert_eq!((replayed.records, replayed.good_bytes), (at as u64, good), "bit {bit}");
        assert!(replayed.why_cut.is_some());
    }
}

#[test]
fn what_is_not_a_journal_of_this_version_is_said() {
    let said = |bytes: &[u8]| (replay(bytes).1.good_bytes, replay(bytes).1.why_cut);
    assert_eq!(said(b""), (0, None));
    assert_eq!(said(&header()), (HEADER_BYTES, None));
    (1..HEADER_BYTES).for_each(|cut| assert_eq!(said(&header()[..cut]), (0, Some("its header is torn"))));
    assert_eq!(said(&[0; 4096]), (0, Some("its header is torn")), "a length that was written before its content");
    let newer = b"guild-bridge journal 3\nwhat nobody knows yet, and long enough";
    assert_eq!(said(newer), (0, Some("it is of another version of this program")));
    assert_eq!(said(b"{\"cursors\":[]}"), (0, Some("it is not a journal")));
}

#[test]
fn no_bytes_make_a_replay_panic() {
    let (journal, ..) = long_journal(2 * 1024);
    let mut rng = Rng::with_seed(4);
    for _ in 0..20_000 {
        let mut bytes = journal.clone();
        (0..rng.usize(1..20)).for_each(|_| bytes[rng.usize(0..2_000)] = rng.u8(..));
        let good = replay(&bytes).1.good_bytes;
        assert!(good <= bytes.len());
        let noise: Vec<u8> = header().into_iter().chain((0..rng.usize(0..200)).map(|_| rng.u8(..))).collect();
        assert!(replay(&noise).1.good_bytes <= noise.len());
    }
}
