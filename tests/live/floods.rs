//! Frames that no server should send: broken ones, floods, a close and then silence, a peer that reads nothing. Each ends
//! the session with its reason, costs 256 KiB at most and loses nothing.

use crate::guild::Options;
use crate::guild::bridge::wait_for;
use crate::guild::frame::{Frame, TEXT};
use crate::scene::Scene;
use crate::{Ended, Scenario};
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_compressed_bit_that_was_not_asked_for_is_net_protocol", 40, || {
        ends(&[0xc1, 1, b'2'], "net.protocol", "Reserved bits are non-zero")
    }),
    Scenario("a_masked_frame_from_the_server_is_net_protocol", 40, || {
        ends(&[0x81, 0x81, 1, 2, 3, 4, b'2' ^ 1], "net.protocol", "masked frame")
    }),
    Scenario("text_that_is_not_utf8_is_net_protocol", 40, || ends(&[0x81, 2, 0xff, 0xfe], "net.protocol", "not UTF-8")),
    Scenario("a_length_of_two_to_the_fortieth_is_net_too_big", 40, || {
        ends(&[&[0x81, 127][..], &(1u64 << 40).to_be_bytes()].concat(), "net.too_big", "1099511627776 bytes")
    }),
    Scenario("empty_fragments_without_end_are_net_protocol", 40, || {
        let begun = [&[0x01, 1, b'4'][..], &[0x00, 0].repeat(200_000)].concat();
        ends(&begun, "net.protocol", "flood")
    }),
    Scenario("a_flood_of_websocket_pings_is_net_protocol", 40, || {
        ends(&[0x89, 0].repeat(5_000), "net.protocol", "flood")
    }),
    Scenario("a_message_in_five_thousand_fragments_is_read", 40, fragments),
    Scenario("a_flood_of_engine_pings_is_answered_or_ended", 40, engine_pings),
    Scenario("a_close_frame_and_then_silence_is_left_at_the_deadline", 40, close_and_silence),
    Scenario("a_peer_that_reads_nothing_is_left_at_the_deadline", 60, stalled),
];

/// These bytes end a live session with this reason, in these words; what is said meanwhile is answered once.
fn ends(bytes: &[u8], reason: &str, words: &str) -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    scene.talk("before", 5);
    let held = scene.held();
    scene.proxy().inject_raw(bytes);
    // nothing else is sent: another frame would break a rule of its own
    let link = scene.bridge.wait_reason("recruiter", &[reason], 10);
    assert!(link["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{link}");
    scene.say("meanwhile");
    scene.answered("meanwhile", 15);
    let link = scene.bridge.wait_state("recruiter", "live", 10);
    assert_eq!(link["attempts"], 2, "one new session: {link}");
    scene.talk("after", 5);
    assert_eq!(scene.replies(), ["re: before", "re: meanwhile", "re: after"]);
    assert_eq!(scene.number("gaps"), 0, "{}", scene.bridge.tail());
    scene.cost_little(held);
    scene.end()
}

/// Many fragments are no fault while there is something in them.
fn fragments() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    let text = format!(r#"42["noise","{}"]"#, "x".repeat(4_986));
    let last = text.len() - 1;
    let frames = text.bytes().enumerate().map(|(at, byte)| {
        let first = if at == 0 { TEXT } else { 0 } | if at == last { 0x80 } else { 0 };
        [first, 1, byte]
    });
    let frames: Vec<u8> = frames.flatten().collect();
    assert_eq!(frames.len(), 5_000 * 3 - 3 * (5_000 - text.len()));
    scene.talk("before", 5);
    let held = scene.held();
    scene.proxy().inject_raw(&frames);
    scene.talk("after it", 5);
    assert_eq!(scene.number("attempts"), 1, "the session goes on");
    scene.cost_little(held);
    scene.end()
}

fn engine_pings() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    scene.talk("before", 5);
    let held = scene.held();
    scene.proxy().inject_raw(&[0x81, 1, b'2'].repeat(20_000));
    scene.talk("after it", 15);
    let link = scene.bridge.wait_state("recruiter", "live", 10);
    let ended = scene.bridge.log().contains("net.protocol: the guild asks for more pongs");
    assert_eq!(link["attempts"], 1 + u64::from(ended), "{link}");
    scene.cost_little(held);
    scene.end()
}

/// The guild says goodbye, hears ours, and never ends the connection: it is ended from here, 2 s later, and nobody waits
/// for that.
fn close_and_silence() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    scene.talk("before", 5);
    scene.proxy().black_hole(true);
    let said = Instant::now();
    scene.proxy().inject_raw(&Frame::close(Some(1001), "going away").raw);
    scene.bridge.wait_reason("recruiter", &["guild.restarting"], 5);
    wait_for("the end from our side", 6, || scene.proxy().client_left(1));
    let after = said.elapsed().as_secs_f32();
    assert!((1.0..5.0).contains(&after), "the connection was kept for {after} s");
    scene.proxy().black_hole(false);
    scene.proxy().end();
    scene.say("meanwhile");
    scene.answered("meanwhile", 15);
    scene.bridge.wait_state("recruiter", "live", 15);
    assert_eq!(scene.replies(), ["re: before", "re: meanwhile"]);
    scene.end()
}

/// Asks for long pongs and takes none.
fn stalled() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    scene.talk("before", 5);
    let held = scene.held();
    scene.proxy().freeze();
    let ping = Frame::from_server(TEXT, format!("2{}", "x".repeat(30_000)).as_bytes()).raw;
    let until = Instant::now() + Duration::from_secs(25);
    // it blocks while the daemon does not read, and fails once the daemon has left
    while !scene.proxy().client_left(1) && Instant::now() < until && scene.bridge.link("recruiter")["reason"].is_null()
    {
        (0..200).for_each(|_| scene.proxy().inject_raw(&ping));
    }
    let link = scene.bridge.wait_reason("recruiter", &["net.timeout", "net.protocol"], 15);
    let words = link["detail"].as_str().unwrap_or_default().to_owned();
    scene.proxy().end();
    scene.proxy().thaw();
    scene.say("meanwhile");
    scene.answered("meanwhile", 15);
    scene.bridge.wait_state("recruiter", "live", 15);
    assert_eq!(scene.replies(), ["re: before", "re: meanwhile"]);
    scene.cost_little(held);
    println!("  a peer that reads nothing: {} ({words})", link["reason"]);
    scene.end()
}
