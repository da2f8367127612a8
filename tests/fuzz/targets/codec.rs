//! The codecs: what they take they write again, and JSON is read as another reader of it reads it.
#![no_main]

use guild_bridge::budget;
use guild_bridge::codec::engine::{self, Handshake};
use guild_bridge::codec::json::{self, IdScan};
use guild_bridge::codec::socket::{self, Event, Kind};
use guild_bridge_fuzz::within;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let text = std::str::from_utf8(bytes);
    within(16 * 1024 + 4 * bytes.len(), || {
        if let Ok(text) = text {
            frame(text);
            cut(text);
        }
        rows(bytes);
    });
    if let Ok(text) = text {
        as_another_reads(text);
        written(text);
    }
});

/// A frame: decoded and written again, byte for byte.
fn frame(text: &str) {
    let Ok(packet) = engine::Packet::decode(text) else { return };
    let mut again = String::new();
    packet.encode(&mut again);
    assert_eq!(again, text);
    match packet {
        engine::Packet::Open(json) => {
            if let Ok(said) = Handshake::read(json) {
                assert!(json::scan(json).is_ok());
                assert!(budget::PING_MS.contains(&said.ping_interval_ms), "{said:?}");
                assert!(budget::PING_MS.contains(&said.ping_timeout_ms), "{said:?}");
            }
        }
        engine::Packet::Message(message) => packet_of(message),
        engine::Packet::Close
        | engine::Packet::Ping(_)
        | engine::Packet::Pong(_)
        | engine::Packet::Upgrade
        | engine::Packet::Noop => {}
    }
}

fn packet_of(text: &str) {
    let Ok(packet) = socket::Packet::decode(text) else { return };
    let mut again = String::new();
    packet.encode(&mut again);
    assert_eq!(socket::Packet::decode(&again), Ok(packet));
    // no known server writes the namespace `/` out, or leaves out the comma behind another
    let head = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let odd = head.starts_with("/,") || head == "/" || (head.starts_with('/') && !head.contains(','));
    assert!(odd || again == text, "{text:?} is written {again:?}");
    assert!(packet.namespace.len() <= budget::NAMESPACE_BYTES);
    match packet.kind {
        Kind::Event | Kind::BinaryEvent(_) => event(packet.json),
        Kind::Ack | Kind::BinaryAck(_) => assert!(packet.ack.is_some()),
        Kind::ConnectError => {
            let said = socket::connect_error(packet.json);
            assert!(!said.trim().is_empty() && said.len() <= 200 && !said.chars().any(char::is_control), "{said:?}");
        }
        Kind::Connect | Kind::Disconnect => {}
    }
}

/// An event that is read is an array that was scanned, cut where the scanner cuts it.
fn event(text: &str) {
    let read = Event::read(text);
    let whole = json::scan(text).is_ok();
    let Ok(event) = read else {
        let named = json::elements(text).next().is_some_and(|name| json::string(name).is_some());
        return assert!(!(whole && named), "an event was refused: {text:?}");
    };
    assert!(whole, "an event that no scan takes: {text:?}");
    let elements: Vec<&str> = json::elements(text).collect();
    assert_eq!(elements.len(), event.count + 1);
    assert_eq!(json::string(elements[0]).as_ref(), Some(&event.name));
    for (arg, element) in event.args.iter().zip(&elements[1..]) {
        assert_eq!(arg.as_ref(), Some(element));
        assert!(json::scan(element).is_ok());
    }
}

/// Pieces may be cut out of any text.
fn cut(text: &str) {
    let count = json::elements(text).count();
    assert!(count <= text.len());
    let _ = (json::member(text, "id"), json::member(text, ""), json::string(text));
}

/// Against serde_json: the same texts are JSON, and the same things are in them.
fn as_another_reads(text: &str) {
    let known = serde_json::from_str::<serde::de::IgnoredAny>(text);
    match json::scan(text) {
        Ok(()) => assert!(known.is_ok(), "scanned, but serde_json says {known:?}: {text:?}"),
        Err(why) if why.0.contains("deep") => return,
        Err(why) => return assert!(known.is_err(), "{why}: {text:?}"),
    }
    // serde_json refuses half a surrogate pair and a number beyond f64 where it keeps them
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    match &value {
        Value::Array(elements) => {
            let ours: Vec<Value> = json::elements(text).map(parsed).collect();
            assert_eq!(&ours, elements);
            assert!(json::member(text, "id").is_none());
        }
        Value::Object(members) => {
            for (name, value) in members {
                assert_eq!(json::member(text, name).map(parsed).as_ref(), Some(value), "{name:?} in {text:?}");
            }
            assert_eq!(json::elements(text).count(), 0);
        }
        Value::String(said) => assert_eq!(json::string(text.trim()).as_deref(), Some(said.as_str())),
        Value::Null | Value::Bool(_) | Value::Number(_) => assert!(json::string(text.trim()).is_none()),
    }
}

fn parsed(piece: &str) -> Value {
    serde_json::from_str(piece).expect("a piece of JSON is JSON")
}

/// Rows of an answer that may be cut anywhere, and its first id as the bytes pass by.
fn rows(bytes: &[u8]) {
    let mut rows = json::rows(bytes);
    let (mut good, mut bad) = (0, 0);
    for row in &mut rows {
        match row {
            Ok(row) => {
                good += 1;
                assert!(json::scan(row).is_ok());
            }
            Err(_) => bad += 1,
        }
    }
    assert!(good + bad <= bytes.len() + 1);
    let (mut whole, mut pieces) = (IdScan::new(), IdScan::new());
    whole.feed(bytes);
    let (step, mut rest) = (1 + bytes.len() % 7, bytes);
    while let Some((piece, behind)) = rest.split_at_checked(step) {
        pieces.feed(piece);
        rest = behind;
    }
    pieces.feed(rest);
    assert_eq!(pieces.id(), whole.id(), "pieces of {step}");
    assert!(whole.id().is_none_or(|id| !id.is_empty() && id.len() <= budget::ID_BYTES));
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| json::scan(text).is_ok()) else { return };
    if !text.trim_start().starts_with('[') {
        return;
    }
    assert_eq!((rows.ended(), bad, good), (true, 0, json::elements(text).count()), "{text:?}");
    let first = json::elements(text).next().filter(|row| row.starts_with('{')).unwrap_or_default();
    if first.matches("id").count() == 1 && !first.contains('\\') {
        let id = json::member(first, "id").and_then(json::string);
        let id = id.filter(|id| !id.is_empty() && id.len() <= budget::ID_BYTES);
        assert_eq!(whole.id().as_deref(), id.as_deref(), "{first:?}");
    }
}

/// Any text is written as a JSON string that is read as the same text.
fn written(text: &str) {
    let mut literal = String::new();
    json::write_string(text, &mut literal);
    assert!(json::scan(&literal).is_ok());
    assert_eq!(json::string(&literal).as_deref(), Some(text));
    assert_eq!(serde_json::from_str::<String>(&literal).ok().as_deref(), Some(text));
}
