//! What a message costs in memory, counted by an allocator of this binary's own. One test at a time counts.
#![allow(clippy::unwrap_used, missing_docs)]

use guild_bridge::codec::{engine, socket};
use guild_bridge::dialect::{self, Heard, Row};
use guild_bridge::lane::{Lane, Place};
use guild_bridge::message::Message;
use guild_bridge::ring::Window;
use guild_bridge::settings::{DialectName, Guild};
use guild_bridge::{budget, text};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard};

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

fn read_event(frame: &str) -> socket::Event<'_> {
    let engine::Packet::Message(packet) = engine::Packet::decode(frame).unwrap() else { panic!("a message") };
    socket::Event::read(socket::Packet::decode(packet).unwrap().json).unwrap()
}

#[test]
fn cutting_and_decoding_a_frame_allocates_nothing() {
    let _alone = alone();
    assert_eq!(allocations(|| drop(black_box(read_event(black_box(FRAME))))), 0);
}

#[test]
fn reading_a_message_allocates_at_most_three_times() {
    let _alone = alone();
    let fabric = dialect::of(&guild());
    let event = read_event(FRAME);
    let count = allocations(|| {
        let Heard::Message(message, _) = fabric.event(black_box(&event)) else { panic!("a message") };
        assert_eq!(message.author_name.as_deref(), Some("alice"));
    });
    assert!(count <= 3, "{count} allocations");
}

#[test]
fn a_page_of_history_is_read_row_by_row_without_keeping_it() {
    let _alone = alone();
    let fabric = dialect::of(&guild());
    let row = FRAME.strip_prefix(r#"42["message.created","#).and_then(|rest| rest.strip_suffix(']')).unwrap();
    let page = format!("[{}]", vec![row; 20].join(","));
    let mut rows = 0;
    let count = allocations(|| {
        rows = 0;
        assert!(fabric.history_rows(page.as_bytes(), &mut |row| rows += usize::from(matches!(row, Row::Message(..)))));
    });
    assert_eq!(rows, 20);
    assert!(count <= 3 * 20, "{count} allocations for 20 rows");
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
    let ((), more) = held(|| {
        for n in 0..100_000 {
            window.insert(&format!("later {n}"));
        }
    });
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
            assert!(lane.give(&id).is_some());
            lane.done(&id);
        }
    };
    pass(&mut lane, 0, 2_000);
    let ((), grown) = held(|| pass(&mut lane, 2_000, 100_000));
    assert!(grown.abs() <= 1024, "{grown} bytes more after 100,000 messages");
}

#[test]
fn splitting_a_reply_needs_no_more_than_a_few_times_its_size() {
    let _alone = alone();
    let reply = "A sentence that says something. ".repeat(budget::REPLY_BYTES / 32);
    let (parts, bytes) = held(|| text::split_reply(&reply, 4000));
    assert!(parts.len() > 15 && bytes <= 2 * reply.len() as isize, "{} parts, {bytes} bytes", parts.len());
}
