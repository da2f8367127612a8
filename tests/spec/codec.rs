//! The codecs away from recordings: their laws, their bounds, and JSON against another reader of it.

use fastrand::Rng;
use guild_bridge::budget;
use guild_bridge::codec::Malformed;
use guild_bridge::codec::engine::{self, Handshake};
use guild_bridge::codec::json::{self, IdScan};
use guild_bridge::codec::socket::{self, Event, Kind, Packet};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::borrow::Cow;

fn socket_again(text: &str) -> String {
    let mut out = String::new();
    Packet::decode(text).unwrap().encode(&mut out);
    out
}

fn socket_why(text: &str) -> &'static str {
    Packet::decode(text).unwrap_err().0
}

#[test]
fn packets_of_every_shape_are_written_as_they_were_read() {
    let packets = [
        "0",
        "0{}",
        "0/guild,{\"token\":\"t\"}",
        "1",
        "1/guild,",
        "2[\"a\"]",
        "20[\"a\"]",
        "2/g?x=1,12[\"a\"]",
        "30[]",
        "4\"Unable to connect\"",
        "4{\"message\":\"no\"}",
        "4",
        "4/nope,{\"message\":\"Invalid namespace\"}",
        "52-[\"bin\",{\"_placeholder\":true,\"num\":0}]",
        "51-/g,7[\"bin\"]",
        "61-0[]",
        "3/g,4294967295[1]",
    ];
    for text in packets {
        assert_eq!(socket_again(text), text);
    }
}

#[test]
fn a_packet_is_cut_where_its_parts_end() {
    let packet = Packet::decode("52-/guild,17[\"bin\",1]").unwrap();
    let expected = Packet { kind: Kind::BinaryEvent(2), namespace: "/guild", ack: Some(17), json: "[\"bin\",1]" };
    assert_eq!(packet, expected);
    assert_eq!(Packet::decode("1/guild,").unwrap().namespace, "/guild");
    assert_eq!(Packet::decode("1/guild").unwrap().namespace, "/guild");
    assert_eq!(Packet::decode("0{\"sid\":\"/a,\"}").unwrap().namespace, "/");
    for text in ["4/,/,/)", "4/,/guild,{}"] {
        let mut again = String::new();
        Packet::decode(text).unwrap().encode(&mut again);
        assert_eq!(again, text);
    }
}

#[test]
fn a_head_that_no_server_writes_is_malformed() {
    assert_eq!(socket_why("34294967296[]"), "a number that is too large in a Socket.IO packet");
    assert_eq!(socket_why("399999999999999999999[]"), "a number that is too large in a Socket.IO packet");
    assert_eq!(socket_why("3-1[]"), "an ack that is not an array");
    assert_eq!(socket_why("3[]"), "an ack without its id");
    assert_eq!(socket_why("5[\"a\"]"), "a binary packet without its count");
    assert_eq!(socket_why("511-[\"a\"]"), "a binary packet with no or too many attachments");
    assert_eq!(socket_why("54294967296-[\"a\"]"), "a number that is too large in a Socket.IO packet");
    assert_eq!(socket_why(&format!("2/{},[\"a\"]", "n".repeat(300))), "a namespace that is too long");
    assert_eq!(socket_why("1[]"), "a DISCONNECT that carries something");
    assert_eq!(socket_why("07{}"), "an ack id where none belongs");
    assert_eq!(socket_why("é"), "an unknown Socket.IO packet type");
}

#[test]
fn engine_packets_are_written_as_they_were_read_or_have_no_reading() {
    for text in ["0{}", "1", "2", "2probe", "3", "3probe", "4", "42[]", "5", "6"] {
        let mut out = String::new();
        engine::Packet::decode(text).unwrap().encode(&mut out);
        assert_eq!(out, text);
    }
    for text in ["", "7", "9", "1x", "6 ", "é", "b", "HTTP/1.1 400 Bad Request"] {
        assert!(engine::Packet::decode(text).is_err(), "{text}");
    }
}

#[test]
fn no_text_makes_a_codec_panic_and_what_it_takes_it_writes_again() {
    let mut rng = Rng::with_seed(1);
    let alphabet = "0123456789-/,[]{}\":\\ abé\u{1f600}\n?=";
    let letters: Vec<char> = alphabet.chars().collect();
    for _ in 0..200_000 {
        let text: String = (0..rng.usize(0..14)).map(|_| rng.choice(&letters).unwrap()).collect();
        let _ = (Event::read(&text), Handshake::read(&text), socket::connect_error(&text));
        let Ok(packet) = Packet::decode(&text) else { continue };
        let mut out = String::new();
        packet.encode(&mut out);
        assert_eq!(Packet::decode(&out), Ok(packet), "{text:?}");
    }
}

#[test]
fn a_handshake_is_believed_within_bounds() {
    let read = |json: &str| Handshake::read(json).map(|h| (h.ping_interval_ms, h.ping_timeout_ms));
    assert_eq!(read("{\"sid\":\"a\",\"pingInterval\":300,\"pingTimeout\":200}"), Ok((300, 200)));
    assert_eq!(read("{\"pingInterval\":9223372036854775808,\"pingTimeout\":1e400}"), Ok((300_000, 300_000)));
    assert_eq!(read("{\"pingInterval\":0,\"pingTimeout\":99}"), Ok((100, 100)));
    assert_eq!(read("{\"pingInterval\":-1,\"pingTimeout\":\"200\"}"), Ok((25_000, 20_000)));
    assert_eq!(read("{\"pingInterval\":1500.9,\"pingTimeout\":null}"), Ok((1_500, 20_000)));
    assert_eq!(read(" {} "), Ok((25_000, 20_000)));
    assert_eq!(read("[]"), Err(Malformed("a handshake that is not a JSON object")));
    assert!(read("").is_err() && read("{").is_err());
}

#[test]
fn an_event_is_cut_into_its_arguments() {
    let event = Event::read("[\"message.created\", {\"id\":\"1,]\"} ,\"offset\"]").unwrap();
    assert!(matches!(event.name, Cow::Borrowed("message.created")));
    assert_eq!(event.args, [Some("{\"id\":\"1,]\"}"), Some("\"offset\""), None, None]);
    assert_eq!(event.count, 2);
    let many = Event::read("[\"a\\u0041\",1,2,3,4,5,6]").unwrap();
    assert_eq!((many.name.as_ref(), many.args[3], many.count), ("aA", Some("4"), 6));
}

#[test]
fn an_event_that_is_not_one_says_why() {
    let why = |json: &str| Event::read(json).unwrap_err().0;
    assert_eq!(why("[]"), "an event without a name");
    assert_eq!(why("[1,2]"), "an event whose name is not a string");
    assert_eq!(why("{}"), "a payload that is not an array");
    assert_eq!(why("[\"a\",]"), "a value is missing in JSON");
    assert_eq!(why("[\"a\"]]"), "text after the JSON value");
    assert_eq!(why("[\"a\",{\"b\":1e}]"), "a bad number in JSON");
    assert_eq!(why("[\"a\""), "a comma or a closing bracket is missing in JSON");
    assert_eq!(why(&("[".repeat(60_000))), "JSON that is nested too deep");
}

#[test]
fn depth_is_counted_from_the_outermost_bracket() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(json::scan(&nested(budget::JSON_DEPTH)).is_ok());
    assert!(json::scan(&nested(budget::JSON_DEPTH + 1)).is_err());
    let event = |depth: usize| format!("[\"a\",{}]", nested(depth - 1));
    assert!(Event::read(&event(budget::JSON_DEPTH)).is_ok());
    assert!(Event::read(&event(budget::JSON_DEPTH + 1)).is_err());
    let members = |depth: usize| json::scan_members(&format!("{{\"a\":{}}}", nested(depth - 1)), |_, _| {});
    assert!(members(budget::JSON_DEPTH).is_ok());
    assert!(members(budget::JSON_DEPTH + 1).is_err());
}

#[test]
fn a_refusal_is_told_in_one_clipped_line() {
    assert_eq!(socket::connect_error("{\"message\":\"un\\nauth\",\"data\":{}}"), "un\\nauth");
    assert_eq!(socket::connect_error("\"Unable to connect\""), "Unable to connect");
    assert_eq!(socket::connect_error("{\"code\":7}"), "{\"code\":7}");
    assert_eq!(socket::connect_error("{\"message\":42}"), "42");
    assert_eq!(socket::connect_error("oops\u{1b}[0m"), "oops\\u{1b}[0m");
    assert_eq!(socket::connect_error(""), "no reason given");
    assert_eq!(socket::connect_error(&format!("\"{}\"", "x".repeat(900))).len(), 200);
}

/// A JSON text of any shape, with space here and there.
fn any_json(rng: &mut Rng, depth: usize) -> String {
    let words = [
        "null",
        "true",
        "0",
        "-1.5e+3",
        "12",
        "1E9",
        "\"\"",
        "\"a\\n\\u00e9\\ud83d\\ude00\"",
        "\"é,]}\\\\\"",
        "\"id\"",
    ];
    let pad = ["", "", " ", "\n\t"][rng.usize(0..4)];
    let shape = rng.usize(0..if depth < 5 { 4 } else { 2 });
    if shape < 2 {
        return format!("{pad}{}{pad}", words[rng.usize(0..words.len())]);
    }
    let pieces = (0..rng.usize(0..4)).map(|_| any_json(rng, depth + 1)).collect::<Vec<_>>();
    if shape == 2 {
        return format!("{pad}[{}]{pad}", pieces.join(","));
    }
    let members = pieces.iter().map(|value| format!("{pad}\"k{}\"{pad}:{value}", rng.usize(0..3)));
    format!("{{{}{pad}}}", members.collect::<Vec<_>>().join(","))
}

/// The text with a few characters changed.
fn broken(text: &str, rng: &mut Rng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let letters: Vec<char> = "[]{},:\"\\u0d8e.-+1tnf \u{1}é/".chars().collect();
    for _ in 0..rng.usize(1..3) {
        let at = rng.usize(0..=chars.len());
        match rng.usize(0..3) {
            0 => chars.insert(at, *rng.choice(&letters).unwrap()),
            1 if at < chars.len() => drop(chars.remove(at)),
            _ if at < chars.len() => chars[at] = *rng.choice(&letters).unwrap(),
            _ => chars.truncate(rng.usize(0..=chars.len())),
        }
    }
    chars.into_iter().collect()
}

#[test]
fn json_is_taken_and_refused_as_another_reader_does() {
    let (mut rng, mut taken) = (Rng::with_seed(2), 0);
    for _ in 0..100_000 {
        let whole = any_json(&mut rng, 0);
        let text = if rng.bool() { broken(&whole, &mut rng) } else { whole };
        let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        assert_eq!(json::scan(&text).is_ok(), theirs, "{text:?}");
        assert_eq!(json::scan_members(&text, |_, _| {}), json::scan(&text), "{text:?}");
        taken += usize::from(theirs);
    }
    assert!((55_000..95_000).contains(&taken), "{taken}");
}

#[test]
fn members_and_elements_are_what_another_reader_finds() {
    let mut rng = Rng::with_seed(3);
    for _ in 0..50_000 {
        let text = any_json(&mut rng, 0);
        let value: Value = serde_json::from_str(&text).unwrap();
        let parse = |raw: &str| serde_json::from_str::<Value>(raw).unwrap();
        assert_eq!(json::elements(&text).map(parse).collect::<Vec<_>>(), value.as_array().cloned().unwrap_or_default());
        for key in ["k0", "k1", "k2", "nope"] {
            assert_eq!(json::member(&text, key).map(parse).as_ref(), value.get(key), "{text}");
        }
        let mut scanned = Vec::new();
        json::scan_members(&text, |name, value| scanned.push((json::string(name).unwrap(), value))).unwrap();
        assert_eq!(scanned, json::members(&text).collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn cutting_pieces_from_unscanned_text_does_not_panic() {
    let mut rng = Rng::with_seed(4);
    for _ in 0..100_000 {
        let text = any_json(&mut rng, 0);
        let text = broken(&text, &mut rng);
        let _ = (json::elements(&text).count(), json::member(&text, "k1"), json::string(&text));
        let _ = json::rows(text.as_bytes()).count();
    }
}

#[test]
fn a_string_written_is_the_string_read() {
    let mut rng = Rng::with_seed(5);
    for _ in 0..20_000 {
        let text: String =
            (0..rng.usize(0..20)).map(|_| if rng.bool() { rng.char('\0'..'\u{ff}') } else { rng.char(..) }).collect();
        let mut literal = String::new();
        json::write_string(&text, &mut literal);
        assert_eq!(json::string(&literal).as_deref(), Some(text.as_str()));
        assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        let theirs = serde_json::to_string(&text).unwrap();
        assert_eq!(json::string(&theirs).as_deref(), Some(text.as_str()));
    }
}

#[test]
fn half_a_surrogate_pair_does_not_cost_the_message() {
    assert_eq!(json::string("\"a\\ud83db\"").as_deref(), Some("a\u{fffd}b"));
    assert_eq!(json::string("\"\\ude00\\ud83d\"").as_deref(), Some("\u{fffd}\u{fffd}"));
    assert_eq!(json::string("\"\\ud83d\\ud83d\\ude00\"").as_deref(), Some("\u{fffd}\u{1f600}"));
    assert_eq!(json::string("\"\\ud83d\\u00e9\"").as_deref(), Some("\u{fffd}é"));
    assert!(matches!(json::string("\"plain\""), Some(Cow::Borrowed("plain"))));
    for not in ["", "\"", "a", "\"a", "1", "\"a\"b", "\"\\x\"", "\"\\u12\""] {
        assert_eq!(json::string(not), None, "{not}");
    }
}

/// What the rows of a body are, a bad one as `!`, and whether its end was seen.
fn rows(body: &[u8]) -> (Vec<String>, bool) {
    let mut rows = json::rows(body);
    let read: Vec<String> = rows.by_ref().map(|row| row.map_or("!".into(), str::to_owned)).collect();
    (read, rows.ended())
}

fn texts(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

#[test]
fn rows_are_read_up_to_where_a_body_is_cut() {
    let body = b" [ {\"id\":\"1]\"} , [2] ,3 ] ";
    assert_eq!(rows(body), (texts(&["{\"id\":\"1]\"}", "[2]", "3"]), true));
    assert_eq!(rows(&body[..21]), (texts(&["{\"id\":\"1]\"}"]), false));
    assert_eq!(rows(b"[]"), (vec![], true));
    assert_eq!(rows(b"["), (vec![], false));
    assert_eq!(rows(b"[1"), (vec![], false), "1 may be the beginning of 12");
}

#[test]
fn a_bad_row_does_not_hide_the_next() {
    assert_eq!(rows(b"[1,{\"a\":tru},2]"), (texts(&["1", "!", "2"]), true));
    assert_eq!(rows(b"[1,\"\xff\",2]"), (texts(&["1", "!", "2"]), true));
    assert_eq!(rows(b"[1,,2]"), (texts(&["1", "!", "2"]), true));
    let deep = format!("[1,{}{},2]", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(rows(deep.as_bytes()), (texts(&["1", "!", "2"]), true));
    for not in [&b""[..], b"<html>", b"{\"error\":1}", b"[1}"] {
        assert_eq!(rows(not), (texts(&["!"]), false), "{not:?}");
    }
}

#[test]
fn the_rows_of_a_body_cut_anywhere_begin_as_those_of_the_whole() {
    let mut rng = Rng::with_seed(6);
    for _ in 0..3_000 {
        let body = format!("[{},{}]", any_json(&mut rng, 1), any_json(&mut rng, 1));
        let (whole, ended) = rows(body.as_bytes());
        assert!(ended && whole.len() == 2);
        let (cut, ended) = rows(&body.as_bytes()[..rng.usize(1..body.len())]);
        assert!(whole.starts_with(&cut) && !ended, "{body}");
    }
}

fn first_id(body: &str, piece: usize) -> Option<String> {
    let mut scan = IdScan::new();
    body.as_bytes().chunks(piece).for_each(|bytes| scan.feed(bytes));
    scan.id()
}

#[test]
fn the_first_rows_id_is_found_in_pieces_of_any_size() {
    let body = r#" [ { "text":"\"id\":\"no\" [{", "author":{"id":"no","x":[{"id":"no"}]}, "n":1 , "id" : "m\u00e9\"1" }, {"id":"2"}]"#;
    for piece in 1..body.len() {
        assert_eq!(first_id(body, piece).as_deref(), Some("mé\"1"), "{piece}");
    }
    let long = format!("[{{\"text\":\"{}\",\"id\":\"late\"", "x".repeat(300_000));
    assert_eq!(first_id(&long, 4_096).as_deref(), Some("late"));
}

#[test]
fn an_id_that_is_none_is_not_found() {
    let long = format!("[{{\"id\":\"{}\"}}]", "i".repeat(budget::ID_BYTES + 1));
    let bodies = [
        "",
        "[]",
        "{\"id\":\"a\"}",
        "[[{\"id\":\"a\"}]]",
        "[{\"id\":7}]",
        "[{\"id\":\"\"}]",
        "[{\"ids\":\"a\"}]",
        &long,
    ];
    for body in bodies {
        assert_eq!(first_id(body, 3), None, "{body}");
    }
    for also in ["[{}, {\"id\":\"b\"}]", "[{\"id\":\"unended", "[{\"a\":{\"id\":\"a\"}}]", "[{\"id\":\"\\x\"}]"] {
        assert_eq!(first_id(also, 3), None, "{also}");
    }
    let longest = format!("[{{\"id\":\"{}\"}}]", "i".repeat(budget::ID_BYTES));
    assert!(first_id(&longest, 7).is_some());
}

#[test]
fn the_id_found_in_passing_is_the_id_that_the_row_has() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..20_000 {
        let members: Vec<_> = (0..3).map(|i| format!("\"k{i}\":{}", any_json(&mut rng, 2))).collect();
        let body = format!("[{{{},\"id\":\"x{}\"}}]", members.join(","), rng.u8(..));
        let row = json::elements(&body).next().unwrap();
        let id = json::member(row, "id").and_then(json::string).map(Cow::into_owned);
        assert_eq!(first_id(&body, rng.usize(1..9)), id, "{body}");
    }
}

/// Strings are looked at eight bytes at a time: what ends them, or has no place in them, is found wherever it stands.
#[test]
fn what_a_string_may_not_hold_as_it_is_is_found_in_each_place() {
    for before in 0..20 {
        for after in [0, 1, 7, 8, 9, 20] {
            let around = |special: &str| format!("{}{special}{}", "x".repeat(before), "é".repeat(after));
            for special in ["\"", "\\", "\n", "\u{0}", "\u{1f}"] {
                let text = around(special);
                let mut literal = String::new();
                json::write_string(&text, &mut literal);
                assert_eq!(json::string(&literal).as_deref(), Some(text.as_str()), "{literal}");
                assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text, "{literal}");
                assert!(json::scan(&literal).is_ok(), "{literal}");
                let raw = format!("[\"{text}\"]");
                assert_eq!(
                    json::scan(&raw).is_ok(),
                    serde_json::from_str::<serde::de::IgnoredAny>(&raw).is_ok(),
                    "{raw}"
                );
                let row = format!("[{literal},{literal}]");
                assert_eq!(json::elements(&row).collect::<Vec<_>>(), [&literal, &literal], "{row}");
            }
            let plain = around("\u{7f}\u{80} !#[]{},:");
            let literal = format!("\"{plain}\"");
            assert_eq!(json::string(&literal).as_deref(), Some(plain.as_str()));
        }
    }
}

#[test]
fn a_members_name_is_its_text_and_not_how_it_is_written() {
    let object = r#"{"a\\tb":1,"a\tb":2,"\u0061":3}"#;
    assert_eq!(json::member(object, r"a\tb"), Some("1"));
    assert_eq!(json::member(object, "a\tb"), Some("2"));
    assert_eq!(json::member(object, "a"), Some("3"));
    assert_eq!(json::member(object, r"\u0061"), None);
}
