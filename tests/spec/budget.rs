//! `src/budget.rs`: what a board's memory and flash are planned with, and how the bounds stand to one another.

use guild_bridge::budget::{
    AGENT_CHUNK_BYTES, AGENT_LINE_BYTES, AGENT_QUEUE_BYTES, AGENT_STACK_BYTES, ATTACHMENT_BYTES, CA_BYTES,
    CALL_STACK_BYTES, CHANNELS_BODY_BYTES, CONFIG_BYTES, CONTROL_ANSWER_BYTES, CONTROL_LINE_BYTES, DISK_STACK_BYTES,
    DNS_STACK_BYTES, DNS_WAITING, FRAME_ENVELOPE_BYTES, GAP_MARKS, GROUP_BYTES, GUILD_WORKERS, HISTORY_BODY_BYTES,
    HTTP_BUFFER_BYTES, HTTP_HEADER_BYTES, ID_BYTES, JOURNAL_BYTES, JOURNAL_PIECE_BYTES, JOURNAL_READ_BYTES,
    JOURNAL_RECORD_BYTES, JOURNAL_SEGMENT_BYTES, JOURNAL_UNSURE_BYTES, KEY_BYTES, LETTER_BYTES, LINKS, MESSAGE_BYTES,
    MINT_STACK_BYTES, OUTBOX_BYTES, OVERSIZE_SCAN_BYTES, OWED_BYTES, PAGE_REQUEST_BYTES, REPLY_BYTES, SMALL_BODY_BYTES,
    STDERR_BYTES, TAIL_BYTES, TLS_SEND_BUFFER_BYTES, TOKEN_BYTES, UPGRADE_BYTES, WEBSOCKET_BUFFER_BYTES,
    WEBSOCKET_WRITE_MAX_BYTES, WINDOW_BYTES,
};
use guild_bridge::message::{Attachment, Author, Message};

/// Names and values of constants, in KiB.
macro_rules! kib {
    ($($kib:literal: $($name:ident)+;)+) => { &[$($((stringify!($name), $name as u64, $kib * 1024),)+)+] };
}

const SIZES: &[(&str, u64, u64)] = kib! {
    2: FRAME_ENVELOPE_BYTES STDERR_BYTES;
    4: WEBSOCKET_BUFFER_BYTES AGENT_CHUNK_BYTES KEY_BYTES PAGE_REQUEST_BYTES;
    8: HTTP_BUFFER_BYTES HTTP_HEADER_BYTES TOKEN_BYTES;
    16: UPGRADE_BYTES TLS_SEND_BUFFER_BYTES SMALL_BODY_BYTES JOURNAL_PIECE_BYTES;
    32: GROUP_BYTES;
    64: MESSAGE_BYTES WEBSOCKET_WRITE_MAX_BYTES OWED_BYTES REPLY_BYTES CONTROL_LINE_BYTES JOURNAL_SEGMENT_BYTES;
    64: DISK_STACK_BYTES;
    96: HISTORY_BODY_BYTES JOURNAL_RECORD_BYTES;
    128: WINDOW_BYTES TAIL_BYTES DNS_STACK_BYTES JOURNAL_UNSURE_BYTES;
    160: AGENT_LINE_BYTES;
    192: MINT_STACK_BYTES CALL_STACK_BYTES AGENT_STACK_BYTES;
    256: CHANNELS_BODY_BYTES OUTBOX_BYTES LETTER_BYTES CONFIG_BYTES JOURNAL_BYTES;
    512: AGENT_QUEUE_BYTES;
    1024: CONTROL_ANSWER_BYTES;
    2048: CA_BYTES;
    8192: OVERSIZE_SCAN_BYTES;
    16_384: JOURNAL_READ_BYTES;
    65_536: ATTACHMENT_BYTES;
};

#[test]
fn every_bound_in_bytes_is_what_a_boards_memory_is_planned_with() {
    for (name, bytes, told) in SIZES {
        assert_eq!(bytes, told, "{name}");
    }
    // those of a few hundred bytes aside
    let written = include_str!("../../src/budget.rs").lines().filter_map(|line| line.strip_prefix("pub const "));
    let large = written.filter(|line| line.contains("1024;") && line.contains("_BYTES"));
    for line in large {
        assert!(SIZES.iter().any(|(name, ..)| line.starts_with(&format!("{name}:"))), "{line} is in no plan");
    }
}

#[test]
fn what_holds_another_thing_has_room_for_it() {
    for (why, room, needed) in [
        ("the longest message as a row of history", HISTORY_BODY_BYTES, MESSAGE_BYTES + FRAME_ENVELOPE_BYTES),
        ("the longest reply as a line, its quotes and line breaks escaped", AGENT_LINE_BYTES, 2 * REPLY_BYTES),
        ("the longest reply as a record, with its keys", JOURNAL_RECORD_BYTES, REPLY_BYTES + 16 * ID_BYTES),
        ("the marks of a gap, with their ids", JOURNAL_RECORD_BYTES, GAP_MARKS * (2 * ID_BYTES + 16)),
        ("some of the longest lines for an agent", AGENT_QUEUE_BYTES, 2 * AGENT_LINE_BYTES),
        ("some of the longest replies", OUTBOX_BYTES, 4 * REPLY_BYTES),
        ("the longest message, waiting", WINDOW_BYTES, MESSAGE_BYTES),
        ("a token in the mint's answer", SMALL_BODY_BYTES, TOKEN_BYTES),
        ("a lookup for every link and both workers of every guild", DNS_WAITING, LINKS + 2 * GUILD_WORKERS),
    ] {
        assert!(room >= needed, "{why}: {room} bytes for {needed}");
    }
    assert_eq!(DNS_WAITING - LINKS, 2 * GUILD_WORKERS);
}

/// What fills a field with so many bytes more.
type Fill = fn(&mut Message, String);

#[test]
fn a_message_that_waits_is_charged_for_everything_that_it_holds() {
    let fills: [Fill; 10] = [
        |message, text| message.id = text,
        |message, text| message.at = text,
        |message, text| message.text = text,
        |message, text| message.author.id = text,
        |message, text| message.author.name = text,
        |message, text| message.reply_to = Some(text),
        |message, text| message.thread = Some(text),
        |message, text| message.attachments[0].id = text,
        |message, text| message.attachments[0].name = text,
        |message, text| message.attachments[1].media_type = text,
    ];
    let plain = || Message {
        author: Author { id: "u".into(), name: "name".into(), bot: false },
        attachments: vec![Attachment::default(), Attachment { name: "a name".into(), ..Attachment::default() }],
        id: "id".into(),
        at: "2026".into(),
        text: "some text".into(),
        reply_to: Some("i".into()),
        thread: Some("thread".into()),
        ..Message::default()
    };
    let mut empty = plain();
    fills.iter().for_each(|fill| fill(&mut empty, String::new()));
    empty.attachments[1].name.clear();
    let bare = Message::default().bytes();
    assert!(bare >= size_of::<Message>() / 2 && bare < 1024, "{bare}");
    assert_eq!((empty.bytes() - bare) % 2, 0);
    assert!((empty.bytes() - bare) / 2 >= size_of::<Attachment>() / 2, "two attachments cost {}", empty.bytes() - bare);
    let held = "idiu2026some textnameithreada name".len();
    assert_eq!(plain().bytes(), empty.bytes() + held - "i".len());
    for (place, fill) in fills.into_iter().enumerate() {
        let mut message = empty.clone();
        fill(&mut message, "x".repeat(1000));
        assert_eq!(message.bytes(), empty.bytes() + 1000, "field {place}");
    }
}
