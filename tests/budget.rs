//! What a message costs in memory, counted by an allocator of this binary's own. One test at a time counts.
#![allow(clippy::unwrap_used, missing_docs)]

use guild_bridge::budget::ceiling::{Share, items, plain};
use guild_bridge::config;
use guild_bridge::dialect::{ChannelRow, Newest};
use guild_bridge::io::tls;
use guild_bridge::journal::{Letter, Post};
use guild_bridge::lane::{Lane, Place};
use guild_bridge::letters::Letters;
use guild_bridge::link::channel::{Channel, Gate};
use guild_bridge::message::{Kind, Message};
use guild_bridge::outbox::{AskedBy, Item, Outbox};
use guild_bridge::ring::Window;
use guild_bridge::settings::{DialectName, Guild};
use guild_bridge::{budget, text};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard};

#[path = "budget/read.rs"]
mod read;
#[path = "budget/relayed.rs"]
mod relayed;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

const FRAME: &str = r#"42["message.created",{"id":"00000042","channelId":"general","authorId":"u7","author":{"name":"alice","bot":false},"text":"what about the second candidate?","replyTo":null,"clientNonce":"n1","mentions":["recruiter"],"attachments":[],"createdAt":"2026-11-23T15:24:16Z"}]"#;

fn guild() -> Guild {
    Guild {
        name: "acme".into(),
        dialect: DialectName::Fabric,
        center: "http://127.0.0.1".into(),
        url: "http://127.0.0.1".into(),
        extra_ca: None,
        plaintext: false,
        paths: BTreeMap::new(),
        namespace: "/".into(),
    }
}

/// Allocations of `work`, the least of some runs: the test runner's own threads may allocate beside it.
fn allocations(mut work: impl FnMut()) -> usize {
    (0..20)
        .map(|_| {
            let region = Region::new(HEAP);
            work();
            let change = region.change();
            change.allocations + change.reallocations
        })
        .min()
        .unwrap()
}

/// Bytes of heap that `work` leaves in use.
fn held<T>(work: impl FnOnce() -> T) -> (T, isize) {
    let region = Region::new(HEAP);
    let made = work();
    let change = region.change();
    (made, isize::try_from(change.bytes_allocated).unwrap() - isize::try_from(change.bytes_deallocated).unwrap())
}

#[test]
fn the_dedupe_window_costs_at_most_twelve_bytes_an_id_and_stops_growing() {
    let _alone = alone();
    let (mut window, first) = held(|| {
        let mut window = Window::new(budget::DEDUPE_IDS);
        for n in 0..budget::DEDUPE_IDS {
            window.insert(&n.to_string());
        }
        window
    });
    assert!(first <= 12 * budget::DEDUPE_IDS as isize + 1024, "{first} bytes");
    let later = |window: &mut Window| {
        for n in 0..100_000 {
            window.insert(&format!("later {n}"));
        }
    };
    // the test runner's own threads may allocate beside it
    let more = (0..5).map(|_| held(|| later(&mut window)).1).min().unwrap();
    assert!(more <= 1024, "{more} bytes more after 100,000 further ids");
}

#[test]
fn a_lane_gives_back_what_a_hundred_thousand_messages_took() {
    let _alone = alone();
    let mut lane = Lane::at(Place::default());
    lane.read_to_end();
    let message = Message { text: "x".repeat(300), ..Message::default() };
    let pass = |lane: &mut Lane, from: usize, count: usize| {
        for n in from..from + count {
            let id = format!("{n:08}");
            lane.heard(&id, Some(Box::new(Message { id: id.clone(), ..message.clone() })));
            assert!(lane.give_next(&|_| false).is_some_and(|(message, _)| message.id == id));
            lane.done(&id);
            lane.trust(budget::CHANNEL_ENTRIES);
        }
    };
    pass(&mut lane, 0, 2_000);
    // the test runner's own threads may allocate beside it
    let grown = (0..3).map(|n| held(|| pass(&mut lane, 2_000 + n * 100_000, 100_000)).1.abs()).min().unwrap();
    assert!(grown <= 1024, "{grown} bytes more after 100,000 messages");
}

#[test]
fn splitting_a_reply_needs_no_more_than_a_few_times_its_size() {
    let _alone = alone();
    let reply = "A sentence that says something. ".repeat(budget::REPLY_BYTES / 32);
    let (parts, bytes) = held(|| text::split_reply(&reply, 4000));
    assert!(parts.len() > 15 && bytes <= 2 * reply.len() as isize, "{} parts, {bytes} bytes", parts.len());
}

/// What an item of the ceiling allows a link of the planned shape, four agents in one guild.
fn allowed(name: &str) -> isize {
    let item = items(&plain(4)).into_iter().find(|item| item.name == name).unwrap();
    (item.bytes / 4) as isize
}

/// Ids as most guilds make them: 36 letters.
fn uuid(n: usize) -> String {
    format!("8f14e45f-ceea-467f-a8b9-{n:012}").into_boxed_str().into_string()
}

/// Bytes that what is made holds, the least of some times: the test runner's own threads may allocate beside it.
fn holds<T>(mut made: impl FnMut() -> T) -> isize {
    (0..5).map(|_| held(&mut made).1).min().unwrap()
}

/// What is measured is within its item, and most of the item is there to be measured.
fn within(name: &str, measured: isize, allowed: isize) {
    println!("{name}: {measured} of {allowed} bytes");
    assert!(measured <= allowed, "{name}: {measured} bytes, {allowed} are planned");
    assert!(measured > allowed / 3, "{name}: {measured} bytes measure nothing of {allowed}");
}

#[test]
fn a_links_windows_of_ids_are_within_their_item() {
    let _alone = alone();
    let sizes = [budget::DEDUPE_IDS, budget::BROUGHT_IDS, budget::POSTED_KEYS, 64];
    let bytes = holds(|| {
        let mut windows: Vec<Window> = sizes.iter().map(|size| Window::new(*size)).collect();
        for window in &mut windows {
            (0..10_000).for_each(|n| {
                window.insert(&uuid(n));
            });
        }
        let own: std::collections::VecDeque<(String, u8)> = (0..budget::OWN_POSTS).map(|n| (uuid(n), 0)).collect();
        (windows, own)
    });
    within("ids", bytes, allowed("ids"));
}

#[test]
fn a_links_channels_are_within_their_item() {
    let _alone = alone();
    let share = Share::of(&plain(4));
    let row =
        |n| ChannelRow { id: uuid(n), name: format!("channel {n:04}"), kind: Kind::Channel, last: Newest::Id(uuid(n)) };
    let bytes = holds(|| {
        let guild = Rc::from("a-guild-with-a-name");
        let channel = |n| {
            let place = Place { before: Some(uuid(1)), id: Some(uuid(2)) };
            let mut channel = Channel::new(&guild, row(n), place, Gate::Open);
            channel.lane.read_to_end();
            (3..9).for_each(|n| channel.lane.listed(&uuid(n), None));
            channel
        };
        (0..share.channels).map(channel).collect::<Vec<Channel>>()
    });
    within("channels", bytes, allowed("channels"));
    let charged = share.channels * Channel::bytes_of(&row(1));
    assert!(charged as isize <= allowed("channels") && charged as isize >= bytes, "charged {charged}, held {bytes}");
}

#[test]
fn a_links_outbox_and_letters_are_within_their_item() {
    let _alone = alone();
    let share = Share::of(&plain(4));
    let post = |n: usize| Post {
        key: uuid(n),
        text: "a reply of some words".into(),
        reply_to: Some(uuid(n)),
        message: Some(uuid(n)),
    };
    let bytes = holds(|| {
        let mut outbox = Outbox::of(share.outbox_bytes);
        let mut n = 0;
        while outbox.has_room() {
            outbox.push(Item::of(uuid(1), post(n), AskedBy::Turn), 0, false);
            n += 1;
        }
        let mut letters = Letters::of(share.letter_bytes);
        for n in 0..200 {
            let letter = Letter { channel: uuid(1), post: post(n), detail: "answered 403".into(), at_ms: 1 };
            drop(letters.push(letter));
        }
        (outbox, letters)
    });
    within("outboxes", bytes, allowed("outboxes"));
}

#[test]
fn a_links_window_is_within_its_item() {
    let _alone = alone();
    let share = Share::of(&plain(4));
    let message =
        |n| Message { id: uuid(n), text: "x".repeat(300), at: "2026-11-23T15:24:16Z".into(), ..Message::default() };
    let bytes = holds(|| {
        let mut lane = Lane::at(Place::default());
        lane.read_to_end();
        (0..)
            .take_while(|n| {
                lane.heard(&uuid(*n), Some(Box::new(message(*n))));
                lane.waiting_bytes() < share.window_bytes
            })
            .for_each(drop);
        (1_000..)
            .take_while(|n| {
                lane.heard(&uuid(*n), None);
                lane.entries_bytes() < share.window_bytes / 2
            })
            .for_each(drop);
        lane
    });
    within("windows", bytes, allowed("windows"));
}

#[test]
fn the_roots_are_within_their_item() {
    let _alone = alone();
    let (roots, bytes) = held(tls::system);
    let item = items(&plain(1)).into_iter().find(|item| item.name == "roots").unwrap();
    within("roots", bytes, item.bytes as isize);
    drop(roots);
}

#[test]
fn a_configuration_is_within_its_item() {
    let _alone = alone();
    let folder = std::env::temp_dir().join(format!("guild-bridge-budget-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let agent = |n| {
        format!(
            r#""a{n}": {{"guild": "g", "key_file": "key", "answer": {{"exec": ["/usr/bin/my-agent", "--once"]}}, "respond_to": "all"}}"#
        )
    };
    let agents = (0..40).map(agent).collect::<Vec<_>>().join(",\n");
    let text = format!(
        r#"{{"guilds": {{"g": {{"dialect": "fabric", "url": "https://guild.example"}}}}, "agents": {{{agents}}}}}"#
    );
    let file = folder.join("config.json");
    std::fs::write(&file, &text).unwrap();
    let (loaded, bytes) = held(|| config::load(&file, None).unwrap().settings);
    std::fs::remove_dir_all(&folder).unwrap();
    let item = items(&loaded.counts()).into_iter().find(|item| item.name == "configuration").unwrap();
    // its tree is gone: what is left are the settings, of which the relay, links and pumps keep a copy each
    within("configuration", 4 * bytes, item.bytes as isize);
}
