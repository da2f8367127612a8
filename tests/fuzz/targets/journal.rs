//! The journal: any files that may lie in the state directory, a single file of it, and a keeper whose disk fills up and
//! whose daemon is killed at any operation and byte.
#![no_main]

use guild_bridge::budget;
use guild_bridge::journal::segment::{self, Header};
use guild_bridge::journal::{Keeper, Kept, Letter, Post, Record, Task, encode, replay, size};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::settings::StateMode;
use guild_bridge_fuzz::{Disk, Feed, Memory, within};
use libfuzzer_sys::fuzz_target;

const MODES: [StateMode; 3] = [StateMode::Memory, StateMode::Group, StateMode::Each];

fuzz_target!(|bytes: &[u8]| {
    within(2 * 1024 * 1024 + 64 * bytes.len(), || {
        let mut feed = Feed::new(bytes);
        match feed.below(3) {
            0 => one_file(feed.rest().as_bytes(), bytes),
            1 => any_files(&mut feed),
            _ => kept_by(&mut feed),
        }
    });
});

/// One file: read no further than it is good, the same again from there, and again from what it said.
fn one_file(text: &[u8], bytes: &[u8]) {
    for bytes in [text, bytes] {
        let (kept, said) = replay(bytes);
        assert!(said.good_bytes <= bytes.len());
        let (again, said_again) = replay(&bytes[..said.good_bytes]);
        assert_eq!((&again, said_again.records), (&kept, said.records));
        shortest(&kept);
    }
}

/// The shortest log says the same, and saying all of it twice changes nothing.
fn shortest(kept: &Kept) {
    let mut log = Header { first: 1, base_bytes: None }.bytes().to_vec();
    for (seq, record) in (1..).zip(kept.records().iter().chain(&kept.records())) {
        let from = log.len();
        encode(record, seq, &mut log);
        assert_eq!(log.len() - from, size(record));
    }
    let (once, said) = replay(&log);
    assert_eq!(said.why_cut, None);
    assert_eq!(&once, kept);
}

/// Whatever lies in the directory: it is opened, it can be written, and a second start finds what the first did.
fn any_files(feed: &mut Feed<'_>) {
    let mut files = Memory::default();
    while !feed.over() && files.files.len() < 8 {
        let name = match feed.below(8) {
            0 => "journal".to_owned(),
            1 => "journal.new".to_owned(),
            2 => format!("journal.000001.bad-{}", feed.byte()),
            3 => feed.text().to_owned(),
            _ => segment::name(feed.below(5) as u64 + 1),
        };
        let bytes = file(feed);
        files.files.insert(name, bytes);
    }
    let (mode, now) = (feed.one(&MODES), Now { at: Moment(1), wall_ms: feed.number() });
    let (mut keeper, kept) = Keeper::open(&mut files, mode, now);
    shortest(&kept);
    let (_, again) = Keeper::open(&mut files.clone(), mode, now);
    assert_eq!(again, kept, "a second start finds something else");
    let records = vec![Record::Forget { link: "x@y".into(), channel: "z".into() }];
    let stored = keeper.take(
        &mut files,
        &Task { seq: 1, records: records.into(), anew: keeper.failed().is_some(), pressing: true },
        Moment(1),
    );
    keeper.end(&mut files, Moment(2));
    assert!(stored.is_none_or(|stored| stored.failed.is_none()));
    let (_, again) = Keeper::open(&mut files, mode, now);
    assert!(keeper.failed().is_some() || again == kept, "what was there is not there after a write");
}

/// Bytes, or a header and records with good checksums, whatever they hold.
fn file(feed: &mut Feed<'_>) -> Vec<u8> {
    if feed.below(4) == 0 {
        return feed.bytes().to_vec();
    }
    let first = feed.below(4) as u64;
    let mut body = Vec::new();
    let base = feed.flag();
    for seq in (first..).take(feed.below(6)) {
        if feed.flag() {
            encode(&record(feed), seq, &mut body);
        } else {
            let payload = feed.bytes();
            let [a, b, c, _] = u32::try_from(payload.len()).unwrap_or_default().to_le_bytes();
            let head = [a, b, c, feed.byte()];
            let mut sum = crc32fast::Hasher::new();
            [&seq.to_le_bytes()[..], &head, payload].into_iter().for_each(|bytes| sum.update(bytes));
            body.extend_from_slice(&head);
            body.extend_from_slice(&seq.to_le_bytes()[..4]);
            body.extend_from_slice(&sum.finalize().to_le_bytes());
            body.extend_from_slice(payload);
        }
    }
    let base_bytes =
        base.then(|| u32::try_from(body.len()).unwrap_or_default().wrapping_add(u32::from(feed.byte() & 3)));
    let mut bytes = Header { first, base_bytes }.bytes().to_vec();
    bytes.append(&mut body);
    match feed.below(8) {
        7 => bytes.truncate(feed.number() as usize % (bytes.len() + 1)),
        6 => {
            let at = feed.number() as usize % bytes.len();
            bytes[at] ^= feed.byte();
        }
        _ => {}
    }
    bytes
}

/// A keeper's life, and several more; `Disk` holds what it finds against what was promised.
fn kept_by(feed: &mut Feed<'_>) {
    let mode = feed.one(&MODES);
    let (mut disk, mut now, mut seq, mut all) = (Disk::default(), Moment(1), 0, Kept::default());
    disk.open(mode, Now { at: now, wall_ms: 1 });
    while !feed.over() {
        let mut again = false;
        match feed.below(8) {
            0..=3 => {
                let records: Vec<Record> = (0..feed.below(4)).map(|_| record(feed)).collect();
                records.iter().for_each(|record| all.apply(record.clone()));
                seq += 1;
                disk.ask(Task { seq, records: records.into(), anew: false, pressing: feed.flag() });
                again = disk.write(now).is_some_and(|stored| stored.again);
            }
            4 => {
                now = now.after_ms(feed.number().min(100_000));
                again = disk.tick(now).is_some_and(|stored| stored.again);
            }
            5 => disk.fills_up(u32::from(feed.byte() & 15), usize::from(feed.byte())),
            6 => disk.has_room(),
            _ => {
                disk.kill(u32::from(feed.byte() & 15), usize::from(feed.byte()));
                all = disk.open(mode, Now { at: now, wall_ms: now.0 });
                seq = 0;
            }
        }
        if again {
            seq += 1;
            disk.ask(Task { seq, records: all.records().into(), anew: true, pressing: true });
            disk.write(now);
        }
    }
    disk.end(now);
    disk.open(mode, Now { at: now, wall_ms: now.0 });
}

fn record(feed: &mut Feed<'_>) -> Record {
    let link = feed.one(&["recruiter@acme", "clerk@acme", ""]).to_owned();
    let channel = feed.one(&["general", "dev", ""]).to_owned();
    let record = match feed.below(6) {
        0 => Record::Cursor { link, channel, before: id(feed), id: id(feed), at_ms: feed.number() },
        1 => {
            let posts = (0..feed.below(3)).map(|_| post(feed)).collect();
            Record::Turn { link, channel, message: id(feed).unwrap_or_default(), posts }
        }
        2 => Record::Post { link, channel, post: post(feed) },
        3 => Record::Posted { link, key: feed.below(8).to_string(), message: id(feed) },
        4 => {
            let (detail, at_ms) = (feed.text().to_owned(), feed.number());
            Record::Letter { link, letter: Letter { channel, post: post(feed), detail, at_ms } }
        }
        _ => Record::Forget { link, channel },
    };
    assert!(size(&record) <= budget::JOURNAL_RECORD_BYTES);
    record
}

fn post(feed: &mut Feed<'_>) -> Post {
    // now and then a segment's worth
    let text = if feed.below(16) == 15 { "long ".repeat(4000) } else { feed.text().to_owned() };
    Post { key: feed.below(8).to_string(), text, reply_to: id(feed), message: id(feed) }
}

fn id(feed: &mut Feed<'_>) -> Option<String> {
    let byte = feed.byte();
    (byte != 0).then(|| format!("m{}", byte % 16))
}
