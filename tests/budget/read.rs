//! What reading costs in allocations: a frame of any kind none, a message at most three, whichever backend says it, and a
//! page of history no more for each of its rows. An Open WebUI message that both answers another and names somebody is a
//! fourth: the list of whom it names.

use super::{FRAME, allocations, alone, guild};
use guild_bridge::codec::{engine, json, socket};
use guild_bridge::dialect::{self, Heard, Row};
use guild_bridge::settings::{DialectName, Guild};
use std::hint::black_box;

fn open_webui() -> Guild {
    Guild { dialect: DialectName::OpenWebUi, ..guild() }
}

fn read_event(frame: &str) -> socket::Event<'_> {
    let engine::Packet::Message(packet) = engine::Packet::decode(frame).unwrap() else { panic!("a message") };
    socket::Event::read(socket::Packet::decode(packet).unwrap().json).unwrap()
}

/// Every kind of packet of the engine and of Socket.IO, with a namespace and without, with an ack and without.
const FRAMES: &[&str] = &[
    r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
    "1",
    "2",
    "2probe",
    "3",
    "5",
    "6",
    r#"40{"sid":"s"}"#,
    r#"40/chat,{"sid":"s"}"#,
    "41",
    r#"42["noise",{"a":[1,2,{"b":null}]},"text"]"#,
    r#"42/chat,17["noise"]"#,
    r#"4312[{"ok":true}]"#,
    r#"43/chat,12[{"ok":false,"error":"unauthorized"}]"#,
    r#"44{"message":"unauthorized"}"#,
    r#"451-["noise",{"_placeholder":true,"num":0}]"#,
    r#"461-3[{"_placeholder":true,"num":0}]"#,
    FRAME,
];

/// All that codec/ does with a frame.
fn cut(frame: &str) {
    let Ok(engine::Packet::Message(packet)) = engine::Packet::decode(frame) else { return };
    let packet = socket::Packet::decode(packet).unwrap();
    match packet.kind {
        socket::Kind::Event => drop(black_box(socket::Event::read(packet.json).unwrap())),
        socket::Kind::Ack => json::scan(black_box(packet.json)).unwrap(),
        _ => drop(black_box(packet)),
    }
}

#[test]
fn cutting_and_decoding_a_frame_of_any_kind_allocates_nothing() {
    let _alone = alone();
    for frame in FRAMES {
        assert!(engine::Packet::decode(frame).is_ok(), "{frame}");
        assert_eq!(allocations(|| cut(black_box(frame))), 0, "{frame}");
    }
}

/// As the real server said it: a message, with the channel and its grants beside it.
const RECORDED: &str = include_str!("../spec/open_webui/frames/s01_good_session.jsonl");

/// The messages that were recorded.
fn recorded() -> Vec<String> {
    let lines = RECORDED.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let came = lines.filter(|line| line["dir"] == "s2c").filter_map(|line| Some(line["text"].as_str()?.to_owned()));
    came.filter(|text| text.contains(r#""type":"message","#)).collect()
}

#[test]
fn reading_a_message_allocates_at_most_three_times() {
    let _alone = alone();
    let frames = [(guild(), vec![FRAME.to_owned()]), (open_webui(), recorded())];
    for (guild, frames) in &frames {
        let dialect = dialect::of(guild);
        assert!(!frames.is_empty());
        for frame in frames {
            let event = read_event(frame);
            let count = allocations(|| {
                let Heard::Message(message, _) = dialect.event(black_box(&event)) else { panic!("a message") };
                assert!(!message.id.is_empty() && !message.channel.is_empty() && !message.author.is_empty());
            });
            println!("{}: {count} allocations", guild.dialect.word());
            assert!(count <= 3, "{count} allocations: {frame}");
        }
    }
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
