//! Recorded conversations with socket.io servers, in `wire/`: `NAME.jsonl` as recorded, `NAME.kinds` what the server
//! says in it, in order, as its scenario asks for.

use guild_bridge::codec::engine::{self, Handshake};
use guild_bridge::codec::socket::{self, Event, Kind};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A text frame of a recording; `cut`: the recording holds only its beginning.
struct Frame {
    text: String,
    cut: bool,
    from_server: bool,
}

fn recordings() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec/wire");
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "jsonl")).collect();
    files.sort();
    files
}

fn frames(recording: &Path) -> Vec<Frame> {
    let lines = std::fs::read_to_string(recording).unwrap();
    let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts = entries.filter(|entry| entry["op"] == "text");
    let frame = |entry: Value| {
        let text = entry["text"].as_str().unwrap().to_owned();
        let cut = entry["len"].as_u64().is_some_and(|len| len > text.encode_utf16().count() as u64);
        Frame { text, cut, from_server: entry["dir"] == "s>c" }
    };
    texts.map(frame).collect()
}

fn server_frames(recording: &Path) -> Vec<Frame> {
    frames(recording).into_iter().filter(|frame| frame.from_server).collect()
}

/// The frame's kind in a word, or why it has none. What events and handshakes carry is read too.
fn kind(text: &str) -> Result<&'static str, &'static str> {
    let message = match engine::Packet::decode(text).map_err(|why| why.0)? {
        engine::Packet::Open(json) => return Handshake::read(json).map(|_| "open").map_err(|why| why.0),
        engine::Packet::Close => return Ok("close"),
        engine::Packet::Ping(_) => return Ok("ping"),
        engine::Packet::Pong(_) => return Ok("pong"),
        engine::Packet::Upgrade => return Ok("upgrade"),
        engine::Packet::Noop => return Ok("noop"),
        engine::Packet::Message(message) => message,
    };
    let packet = socket::Packet::decode(message).map_err(|why| why.0)?;
    if matches!(packet.kind, Kind::Event | Kind::BinaryEvent(_)) {
        Event::read(packet.json).map_err(|why| why.0)?;
    }
    Ok(match packet.kind {
        Kind::Connect => "connect",
        Kind::Disconnect => "disconnect",
        Kind::Event => "event",
        Kind::Ack => "ack",
        Kind::ConnectError => "connect_error",
        Kind::BinaryEvent(_) => "binary_event",
        Kind::BinaryAck(_) => "binary_ack",
    })
}

/// The frame, read and written again, through both codecs.
fn again(text: &str) -> String {
    let packet = engine::Packet::decode(text).unwrap();
    let (mut message, mut frame) = (String::new(), String::new());
    match packet {
        engine::Packet::Message(inner) => {
            socket::Packet::decode(inner).unwrap().encode(&mut message);
            engine::Packet::Message(&message).encode(&mut frame);
        }
        other => other.encode(&mut frame),
    }
    frame
}

#[test]
fn there_are_sixty_recordings_and_an_expectation_beside_each() {
    assert_eq!(recordings().len(), 60);
    for recording in recordings() {
        assert!(recording.with_extension("kinds").is_file(), "{recording:?} has no .kinds");
    }
}

#[test]
fn every_recorded_server_says_what_its_scenario_asks_for() {
    for recording in recordings() {
        let said = server_frames(&recording);
        let said = said.iter().map(|f| if f.cut { "cut" } else { kind(&f.text).unwrap() }).collect::<Vec<_>>();
        let expected = std::fs::read_to_string(recording.with_extension("kinds")).unwrap();
        assert_eq!(said.join(" "), expected.trim(), "{recording:?}");
    }
}

#[test]
fn every_whole_frame_of_a_server_is_written_again_byte_for_byte() {
    let mut whole = 0;
    for frame in recordings().iter().flat_map(|recording| server_frames(recording)).filter(|frame| !frame.cut) {
        assert_eq!(again(&frame.text), frame.text);
        whole += 1;
    }
    assert_eq!(whole, 188);
}

#[test]
fn one_frame_was_recorded_only_in_part_and_is_no_packet_as_it_is() {
    let recordings = recordings();
    let cut = |recording: &PathBuf| server_frames(recording).into_iter().find(|frame| frame.cut);
    let cuts: Vec<_> = recordings.iter().filter_map(|r| cut(r).map(|frame| (r.file_stem().unwrap(), frame))).collect();
    assert_eq!(cuts.len(), 1);
    assert_eq!(cuts[0].0, "11-maxpayload-server-may-exceed");
    assert_eq!(kind(&cuts[0].1.text), Err("a JSON string that does not end"));
}

/// What each client of the `13-invalid-…` recordings sent, and why it is no packet. `None`: it is one, and wrong only
/// where or in whose mouth it stood.
const SENT_WRONGLY: &[(&str, &str, Option<&str>)] = &[
    ("ack-bad-payload", "431{\"a\":1}", Some("an ack that is not an array")),
    ("client-sends-close", "1", None),
    ("client-sends-noop", "6", None),
    ("client-sends-open", "0{}", None),
    ("client-sends-ping", "2", None),
    ("connect-auth-not-object", "40\"tok\"", Some("a CONNECT that is not an object")),
    ("eio-empty-message", "4", Some("an empty Socket.IO packet")),
    ("eio-type-9", "9", Some("an unknown Engine.IO packet type")),
    ("empty-text-frame", "", Some("an empty frame")),
    ("event-before-connect", "42[\"echo\",1]", None),
    ("pong-unsolicited", "3", None),
    ("sio-bad-json", "42{oops", Some("an event that is not an array")),
    ("sio-connect-error-from-client", "44{\"message\":\"x\"}", None),
    ("sio-connect-twice", "40{\"token\":\"x\"}", None),
    ("sio-event-empty-array", "42[]", Some("an event without a name")),
    ("sio-event-object", "42{\"a\":1}", Some("an event that is not an array")),
    ("sio-event-other-namespace", "42/other,[\"x\"]", None),
    ("sio-reserved-event", "42[\"connect\"]", None),
    ("sio-type-9", "49", Some("an unknown Socket.IO packet type")),
    ("sio-unknown-ack", "43999[]", None),
    ("zero-attachments", "450-[\"echo\",1]", Some("a binary packet with no or too many attachments")),
];

#[test]
fn every_recorded_fault_of_a_client_has_its_reason() {
    for (name, text, why) in SENT_WRONGLY {
        let sent = recordings().into_iter().find(|path| path.ends_with(format!("13-invalid-{name}.jsonl")));
        let sent = frames(&sent.unwrap()).into_iter().any(|frame| !frame.from_server && frame.text == *text);
        assert!(sent, "{name} does not hold {text}");
        assert_eq!(kind(text).err(), *why, "{name}");
    }
}
