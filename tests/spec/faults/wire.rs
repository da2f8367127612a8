//! Faults of Socket.IO and Engine.IO, frame by frame.

use crate::session::event;
use crate::world::{What, World, mins, secs, twice};

/// Where it cost a session, it was for what it is; how many sessions it cost.
fn protocol_at_most(w: &World, frame: &str) -> usize {
    let said = w.story.reasons("recruiter@acme");
    assert!(said.is_empty() || said == ["net.protocol"], "{said:?} after {frame:.90}");
    said.len()
}

/// After this frame the next message is still answered, and there was no loop of connections.
fn survived(w: &mut World, frame: &str, handshakes: usize) {
    let text = format!("after {}", w.story.offered.len() + w.halls[0].model.said.len());
    w.run_for(secs(10));
    w.say("general", "alice", &text);
    w.run_for(mins(2));
    assert_eq!(w.answers("general").last().copied(), Some(format!("re: {text}").as_str()), "{frame:.90}\n{}", w.tail());
    assert!(w.story.offered.len() <= handshakes, "{} handshakes after {frame:.90}", w.story.offered.len());
}

#[test]
fn an_engine_that_says_close_is_left_and_what_is_no_packet_for_us_is_nothing() {
    for (frame, handshakes) in [("1", 2), ("6", 1), ("2probe", 1), ("5", 1), ("41", 2)] {
        let mut w = World::chatty(1);
        w.run_live();
        w.guild().inject(frame);
        survived(&mut w, frame, handshakes);
        assert_eq!((w.state(), w.story.offered.len()), ("live", handshakes), "{frame}");
        let said = w.story.reasons("recruiter@acme");
        let wanted: &[&str] = match frame {
            "1" => &["net.closed"],
            "41" => &["auth.disconnected"],
            _ => &[],
        };
        assert_eq!(said, wanted, "{frame}");
    }
}

#[test]
fn events_in_another_order_are_each_given_once() {
    let mut w = World::chatty(2);
    w.run_live();
    let events: Vec<String> = (0..4).map(|i| event(&mut w, "general", "alice", &format!("m{i}"))).collect();
    for at in [2, 0, 3, 1, 0] {
        w.guild().inject(&events[at]);
    }
    w.run_for(mins(5));
    let mut heard = w.heard();
    heard.sort_unstable();
    assert_eq!(heard, ["m0", "m1", "m2", "m3"]);
    assert!(twice(w.answers("general")).is_empty() && w.link().duplicates_dropped >= 1);
    assert_eq!((w.state(), w.link().gaps, w.story.offered.len()), ("live", 0, 1));
}

#[test]
fn numbers_that_overflow_and_members_that_come_twice_cost_one_message_at_most() {
    let mut w = World::chatty(3);
    w.run_live();
    let head = r#""channelId":"general","authorId":"alice""#;
    for rest in [
        r#""id":"x1","text":"a","n":1e999"#,
        r#""id":"x2","text":"a","attachments":[{"id":"a1","type":"t","name":"n","size":1e999}]"#,
        r#""id":"x3","text":"a","attachments":[{"id":"a1","type":"t","name":"n","size":-7}]"#,
        r#""id":"x4","id":"x5","text":"a","text":"b""#,
        r#""id":18446744073709551616,"text":"a""#,
        r#""id":"x6","text":-0e-999999999999999999999,"createdAt":1e400"#,
        r#""id":"x7","text":"a","author":{"name":7,"bot":1e9}"#,
    ] {
        let frame = format!(r#"42["message.created",{{{head},{rest}}}]"#);
        w.guild().inject(&frame);
        survived(&mut w, &frame, 1);
    }
}

/// What the socket cannot bring is history's matter; only what cannot be read there either is lost, and counted.
#[test]
fn a_message_that_history_has_and_nobody_can_read_is_an_unreadable_gap_and_the_next_is_answered() {
    let deep = format!("{}{}", "[".repeat(3_000), "]".repeat(3_000));
    for broken in
        [|id: &str, deep: &str| format!(r#""id":"{id}","n":{deep}"#), |_: &str, _: &str| r#""id":1e999"#.into()]
    {
        let mut w = World::chatty(6);
        w.run_live();
        w.say("general", "alice", "first");
        w.run_for(mins(1));
        w.drop_lines();
        let id = w.say("general", "alice", "what history cannot show");
        let broken: String = broken(&id, &deep);
        let row = format!(r#"[{{"channelId":"general","authorId":"alice","text":"a",{broken}}}]"#);
        w.guild().trouble("history", 1, What::Body(200, "application/json", row));
        w.run_for(mins(2));
        let gaps = w.link().gaps_by_reason.clone();
        assert_eq!(gaps.get("unreadable"), Some(&1), "{broken:.40}: {gaps:?}");
        w.say("general", "alice", "next");
        w.run_for(mins(1));
        assert_eq!(w.answers("general").last(), Some(&"re: next"), "{broken:.40}");
    }
}

#[test]
fn an_ack_id_that_is_none_costs_a_session_at_most() {
    let mut ended = 0;
    for frame in [
        "43123456789012345678901[{\"ok\":true}]",
        "434294967296[{\"ok\":true}]",
        "43-1[]",
        "43[]",
        "42123456789012345678901[\"message.created\",{}]",
        "424294967296[\"x\"]",
        "424294967295[\"x\"]",
        "42-1[\"x\"]",
    ] {
        let mut w = World::chatty(4);
        w.run_live();
        w.guild().inject(frame);
        survived(&mut w, frame, 2);
        ended += protocol_at_most(&w, frame);
    }
    assert!(ended > 0, "none of them is the end of a session");
}

#[test]
fn binary_packets_with_attachments_that_never_come_or_are_too_many_cost_a_session_at_most() {
    let mut ended = 0;
    for frame in [
        r#"451-["x",{"_placeholder":true,"num":0}]"#,
        r#"450-["x"]"#,
        r#"4511-["x"]"#,
        r#"454294967297-["x"]"#,
        r#"4518446744073709551617-["x"]"#,
        r#"45-["x"]"#,
        r#"45["x"]"#,
        r#"461-7[{"_placeholder":true,"num":0}]"#,
    ] {
        let mut w = World::chatty(5);
        w.run_live();
        w.guild().inject(frame);
        w.guild().inject(frame);
        survived(&mut w, frame, 2);
        ended += protocol_at_most(&w, frame);
    }
    assert!(ended > 0, "none of them is the end of a session");
}
