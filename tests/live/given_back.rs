//! What a long message took of the heap is given back with it, however its bytes came, and what channels took that are gone.

use crate::guild::Options;
use crate::guild::bridge::wait_for;
use crate::guild::frame::{BINARY, Frame, TEXT};
use crate::guild::model::Fault;
use crate::scene::{Scene, words};
use crate::{Ended, Scenario};
use guild_bridge::budget;
use serde_json::json;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("what_long_messages_took_is_given_back_at_once", 90, || {
        std::thread::scope(|scope| {
            let runs = [false, true].map(|tls| scope.spawn(move || messages(tls)));
            runs.into_iter().for_each(all_well);
        });
        Ended::Well
    }),
    Scenario("what_a_long_frame_took_is_given_back_however_it_comes", 60, shapes),
    Scenario("frames_in_pieces_of_any_size_are_read", 60, pieces),
    Scenario("a_guild_that_lists_other_channels_each_time_costs_little", 120, other_channels),
];

/// Of a message that is nearly as long as they may be.
const LONG: usize = 60_000;
/// Of a short event beyond its envelope.
const SHORT: usize = 50;
/// What the heap may be more: queues that took a message more.
const MORE_BYTES: u64 = 4_096;
const PING: u8 = 9;
/// Of a first fragment: no FIN.
const NOT_LAST: u8 = 0x7f;

/// Its failure is the scenario's.
fn all_well(run: ScopedJoinHandle<()>) {
    run.join().unwrap_or_else(|failure| panic!("{}", words(failure)));
}

/// Nobody is asked for an answer, so that nothing but pings follows what came.
fn quiet(mut scene: Scene) -> Scene {
    scene.bridge.config["agents"]["recruiter"]["respond_to"] = json!("mentions");
    scene.live()
}

/// The heap once HTTP connections have been idle and are gone.
fn heap(scene: &mut Scene) -> u64 {
    std::thread::sleep(Duration::from_millis(budget::HTTP_IDLE_MS + 2_000));
    (0..10).map(|_| scene.bridge.vitals().heap_bytes).min().unwrap()
}

fn peak(scene: &mut Scene) -> u64 {
    scene.bridge.status()["process"]["heap_peak_bytes"].as_u64().unwrap()
}

/// Long ones among short ones, which come in one read where they come together.
fn messages(tls: bool) {
    let mut scene = Scene::new(Options { tls, ..Options::default() });
    if tls {
        let ca = scene.bridge.dir.file("ca.pem", 0o644, scene.guild.ca_pem());
        scene.bridge.config["guilds"]["acme"]["extra_ca"] = json!(ca);
    }
    let mut scene = quiet(scene);
    scene.say("hello");
    let before = heap(&mut scene);
    for round in 0..4 {
        (0..round * 3).for_each(|n| drop(scene.say(&format!("short {round} {n}"))));
        scene.say(&"m".repeat(LONG));
        (0..round).for_each(|n| drop(scene.say(&format!("short {round} {n} then"))));
        let after = heap(&mut scene);
        println!("  tls {tls}, round {round}: heap {before} bytes, then {after}, {} at most", peak(&mut scene));
        assert!(after <= before + MORE_BYTES, "tls {tls}, round {round}: {before} bytes, then {after}");
        assert!(peak(&mut scene) > before + LONG as u64 * 3 / 4, "it was not read");
    }
    drop(scene.end());
}

fn event(bytes: usize) -> Vec<u8> {
    Frame::from_server(TEXT, format!(r#"42["nobody","{}"]"#, "m".repeat(bytes)).as_bytes()).raw
}

fn shapes() -> Ended {
    let (short, long) = (event(SHORT), event(LONG));
    let together = |parts: &[&[u8]]| vec![parts.concat()];
    let split = |at: usize| vec![long[..at].to_vec(), long[at..].to_vec()];
    let binary = |bytes: usize| Frame::from_server(BINARY, &vec![7; bytes]).raw;
    let shapes = [
        ("behind a short one", together(&[&short, &long])),
        ("behind a ping", together(&[&Frame::from_server(PING, b"hi").raw, &long])),
        ("two at once", together(&[&long, &long])),
        ("its header in two after a byte", split(1)),
        ("its header in two after three", split(3)),
        ("short ones behind it", together(&[&long, &short.repeat(20)])),
        ("binary ones that become longer", [30_000, 45_000, 66_000, 67_000].map(binary).to_vec()),
    ];
    std::thread::scope(|scope| {
        let runs: Vec<_> = shapes.iter().map(|(name, parts)| scope.spawn(|| shape(name, parts))).collect();
        runs.into_iter().for_each(all_well);
    });
    Ended::Well
}

fn shape(name: &str, parts: &[Vec<u8>]) {
    let mut scene = quiet(Scene::proxied(Options { ping_interval_ms: 25_000, ..Options::default() }));
    let before = heap(&mut scene);
    for part in parts {
        scene.proxy().inject_raw(part);
        std::thread::sleep(Duration::from_millis(250));
    }
    let after = heap(&mut scene);
    assert_eq!(scene.number("attempts"), 1, "{name}: {}", scene.bridge.link("recruiter"));
    let peak = peak(&mut scene);
    assert!(peak > before + LONG as u64 * 3 / 4, "{name}: {before} bytes of heap, at most {peak}: it was not read");
    assert!(after <= before + MORE_BYTES, "{name}: {before} bytes of heap, then {after}");
    drop(scene.end());
}

/// Texts full of bytes that look like headers, whole or in two fragments with a ping between, written in pieces.
fn pieces() -> Ended {
    // no frame of the guild's own comes between two pieces
    let mut scene = Scene::proxied(Options { ping_interval_ms: 25_000, ..Options::default() }).live();
    let mut dice = fastrand::Rng::with_seed(7);
    for n in 0..150 {
        let bytes = [SHORT, 300, 5_000, LONG][dice.usize(..4)];
        let text = format!("42[\"nobody\",\"{n}{}\"]", "~\u{7f}a".repeat(dice.usize(..bytes) / 3));
        let (text, mut raw) = (text.as_bytes(), Frame::from_server(TEXT, text.as_bytes()).raw);
        if dice.u8(..3) == 0 {
            let (first, last) = text.split_at(dice.usize(1..text.len()));
            raw = Frame::from_server(TEXT, first).raw;
            raw[0] &= NOT_LAST;
            raw.extend(Frame::from_server(PING, b"~~~~").raw);
            raw.extend(Frame::from_server(0, last).raw);
        }
        let mut rest = raw.as_slice();
        while !rest.is_empty() {
            let bytes = [1, 3, 200, 4_096, rest.len()][dice.usize(..5)].min(rest.len());
            let (piece, behind) = rest.split_at(bytes);
            scene.proxy().inject_raw(piece);
            rest = behind;
            std::thread::sleep(Duration::from_micros(300));
        }
    }
    scene.talk("behind them", 10);
    let link = scene.bridge.link("recruiter");
    assert_eq!((scene.number("attempts"), &link["state"], scene.number("gaps")), (1, &json!("live"), 0), "{link}");
    scene.end()
}

/// Channels of each list, whose ids are as long as they come.
const CHANNELS: usize = 40;

/// All channels but one are others at each list. People talk in them, and history, which would settle that, is not to be had.
fn other_channels() -> Ended {
    let mut scene = Scene::new(Options::default());
    (scene.bridge.config["timing"]["reconcile_s"], scene.bridge.config["timing"]["unproven_s"]) = (json!(1), json!(1));
    let mut scene = quiet(scene);
    scene.guild.with(|guild, _| guild.faults.set(Fault::HistoryStatus(503)));
    (0..4).for_each(|list| next_channels(&mut scene, list));
    let held = scene.held();
    (4..40).for_each(|list| next_channels(&mut scene, list));
    assert!(scene.bridge.link("recruiter")["gaps_by_reason"]["places_forgotten"].as_u64() > Some(1_000));
    scene.cost_little(held);
    scene.end()
}

fn next_channels(scene: &mut Scene, list: usize) {
    let names: Vec<String> = (0..CHANNELS).map(|n| format!("{list:04}-{n:02}-{}", "x".repeat(112))).collect();
    scene.guild.with(|guild, _| {
        let gone: Vec<String> = guild.channels.keys().filter(|id| *id != "general").cloned().collect();
        gone.iter().for_each(|id| guild.remove_channel(id));
        names.iter().for_each(|id| guild.add_channel(id, "channel", &["recruiter", "u7"]));
    });
    wait_for("join of every channel", 10, || scene.guild.with(|guild, _| names.iter().all(|id| guild.hearers(id) > 0)));
    names.iter().for_each(|id| (0..7).for_each(|n| drop(scene.guild.say(id, "u7", &format!("{n}")))));
    std::thread::sleep(Duration::from_millis(200));
}
