//! `src/budget.rs`: what a board's memory and flash are planned with, and how the bounds stand to one another.

use guild_bridge::budget::ceiling::{Counts, PLANNED_BYTES, Pressure, Share, ceiling, items, plain};
use guild_bridge::budget::{
    AGENT_CHUNK_BYTES, AGENT_LINE_BYTES, AGENT_QUEUE_BYTES, AGENT_STACK_BYTES, AGENT_WRITE_BYTES, ATTACHMENT_BYTES,
    CA_BYTES, CALL_STACK_BYTES, CHANNELS_BODY_BYTES, CONFIG_BYTES, CONFIG_LEAST_BYTES, CONTROL_ANSWER_BYTES,
    CONTROL_LINE_BYTES, DISK_STACK_BYTES, DNS_STACK_BYTES, DNS_WAITING, FRAME_ENVELOPE_BYTES, GAP_MARKS, GROUP_BYTES,
    GUILD_WORKERS, HISTORY_BODY_BYTES, HTTP_BUFFER_BYTES, HTTP_HEADER_BYTES, ID_BYTES, JOURNAL_BYTES,
    JOURNAL_PIECE_BYTES, JOURNAL_READ_BYTES, JOURNAL_RECORD_BYTES, JOURNAL_SEGMENT_BYTES, JOURNAL_UNSURE_BYTES,
    KEY_BYTES, LARGE_BYTES, LETTER_BYTES, LINKS, MESSAGE_BYTES, MESSAGE_LEAST_BYTES, MINT_STACK_BYTES, OUTBOX_BYTES,
    OUTBOX_LEAST_BYTES, OUTBOXES_BYTES, OVERSIZE_SCAN_BYTES, OWED_BYTES, OWN_POST_BYTES, PAGE_REQUEST_BYTES,
    REPLY_BYTES, ROOTS_BYTES, SENDS_BYTES, SMALL_BODY_BYTES, STDERR_BYTES, TAIL_BYTES, TLS_SEND_BUFFER_BYTES,
    TOKEN_BYTES, UPGRADE_BYTES, WEBSOCKET_BUFFER_BYTES, WEBSOCKET_WRITE_MAX_BYTES, WINDOW_BYTES, WINDOW_LEAST_BYTES,
    WINDOWS_BYTES,
};
use guild_bridge::budget::{CHANNELS, LETTERS_BYTES};
use guild_bridge::message::{Attachment, Author, Message};

/// Names and values of constants, in KiB.
macro_rules! kib {
    ($($kib:literal: $($name:ident)+;)+) => { &[$($((stringify!($name), $name as u64, $kib * 1024),)+)+] };
}

const SIZES: &[(&str, u64, u64)] = kib! {
    1: MESSAGE_LEAST_BYTES CONFIG_LEAST_BYTES;
    2: FRAME_ENVELOPE_BYTES STDERR_BYTES;
    4: WEBSOCKET_BUFFER_BYTES AGENT_CHUNK_BYTES KEY_BYTES PAGE_REQUEST_BYTES;
    8: HTTP_BUFFER_BYTES HTTP_HEADER_BYTES TOKEN_BYTES AGENT_WRITE_BYTES;
    16: UPGRADE_BYTES TLS_SEND_BUFFER_BYTES SMALL_BODY_BYTES JOURNAL_PIECE_BYTES LARGE_BYTES;
    12: OWN_POST_BYTES;
    16: WINDOW_LEAST_BYTES OUTBOX_LEAST_BYTES;
    32: GROUP_BYTES;
    64: MESSAGE_BYTES WEBSOCKET_WRITE_MAX_BYTES OWED_BYTES REPLY_BYTES CONTROL_LINE_BYTES JOURNAL_SEGMENT_BYTES;
    64: DISK_STACK_BYTES WINDOWS_BYTES;
    72: ROOTS_BYTES;
    96: HISTORY_BODY_BYTES JOURNAL_RECORD_BYTES;
    88: OUTBOXES_BYTES;
    128: WINDOW_BYTES TAIL_BYTES DNS_STACK_BYTES JOURNAL_UNSURE_BYTES;
    160: AGENT_LINE_BYTES SENDS_BYTES;
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
        ("the longest post that a guild takes", OUTBOX_LEAST_BYTES, 3 * 4_000 + 16 * ID_BYTES),
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

#[test]
fn one_guild_with_up_to_four_agents_fits_in_a_mebibyte_and_a_half() {
    for agents in 1..=4 {
        let counts = plain(agents);
        let sum: usize = items(&counts).iter().map(|item| item.bytes).sum();
        assert!(sum == ceiling(&counts) && sum <= PLANNED_BYTES, "{agents} agents: {sum}");
        // what cannot be let go stays below what makes the daemon shed
        let held = ["room", "windows"];
        let stands: usize =
            items(&counts).iter().filter(|item| !held.contains(&item.name)).map(|item| item.bytes).sum();
        assert!(stands < sum / 4 * 3, "{agents} agents: {stands} of {sum} stand");
    }
    assert!(ceiling(&plain(5)) > PLANNED_BYTES, "the plan is not wider than it says");
}

#[test]
fn whatever_a_configuration_has_more_of_makes_its_ceiling_higher() {
    let base = Counts { line_agents: 1, channels: Some(64), ..plain(4) };
    let more: [(&str, Counts); 9] = [
        ("guilds", Counts { guilds: 2, ..base }),
        ("roots", Counts { roots: 2, ..base }),
        ("agents", Counts { agents: 5, ..base }),
        ("line_agents", Counts { line_agents: 2, ..base }),
        ("links", Counts { links: 5, ..base }),
        ("turns", Counts { turns: 5, ..base }),
        ("channels", Counts { channels: Some(65), ..base }),
        ("message_bytes", Counts { message_bytes: base.message_bytes + 1, ..base }),
        ("page", Counts { page: true, ..base }),
    ];
    for (what, counts) in more {
        assert!(ceiling(&counts) > ceiling(&base), "{what}");
    }
    assert!(ceiling(&Counts { config_bytes: base.config_bytes + 1, ..base }) > ceiling(&base));
}

#[test]
fn one_link_has_the_whole_and_several_have_their_part() {
    let share = |links, channels| Share::of(&Counts { links, channels, ..plain(1) });
    let alone = share(1, None);
    assert_eq!((alone.channels, alone.window_bytes), (160, WINDOW_BYTES));
    assert_eq!((alone.outbox_bytes, alone.letter_bytes), (OUTBOX_BYTES, LETTER_BYTES));
    let four = share(4, None);
    assert_eq!((four.channels, four.window_bytes, four.outbox_bytes), (64, WINDOWS_BYTES / 4, OUTBOXES_BYTES / 4));
    assert_eq!((share(2, None).channels, share(2, None).letter_bytes), (80, LETTERS_BYTES / 2));
    let many = share(LINKS, Some(9_999));
    assert_eq!((many.channels, many.window_bytes), (CHANNELS, WINDOW_LEAST_BYTES));
    assert_eq!((many.outbox_bytes, many.letter_bytes), (OUTBOX_LEAST_BYTES, OUTBOX_LEAST_BYTES));
    assert_eq!((share(0, Some(1)).channels, share(0, None)), (1, alone));
}

#[test]
fn it_sheds_from_three_quarters_and_goes_on_below_three_fifths() {
    use Pressure::{Easy, Shed};
    for (before, used, after) in [
        (Easy, 0, Easy),
        (Easy, 749_999, Easy),
        (Easy, 750_000, Shed),
        (Easy, usize::MAX, Shed),
        (Shed, 600_000, Shed),
        (Shed, 599_999, Easy),
        (Shed, 750_000, Shed),
    ] {
        assert_eq!(before.next(used, 1_000_000), after, "{before:?} at {used}");
    }
}
