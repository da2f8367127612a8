//! `guild-agent/1`, line by line (CONTRACT section 2).

use crate::agent_desk::{none, turn};
use guild_bridge::agent::line::{self, Heard, decode};
use guild_bridge::agent::{Cancel, Said};
use guild_bridge::budget;
use guild_bridge::message::{Attachment, Fetched};
use guild_bridge::reason::{Reason, Why};
use std::borrow::Cow;
use std::rc::Rc;

fn attachment(fetched: Fetched) -> Attachment {
    let (id, name, media_type) = ("a1".to_owned(), "p.jpg".to_owned(), "image/jpeg".to_owned());
    Attachment { id, name, media_type, size: 48211, fetched }
}

fn garbled(text: &str) -> String {
    match decode(text) {
        Err(why) if why.reason == Reason::AgentGarbled => why.detail,
        other => panic!("{text} came out as {other:?}"),
    }
}

#[test]
fn a_send_whose_id_is_too_long_to_be_remembered_is_refused() {
    let line = |bytes: usize| format!(r#"{{"v":1,"type":"send","id":"{}","conv":"c","text":"t"}}"#, "x".repeat(bytes));
    assert!(decode(&line(128)).is_ok());
    assert!(decode(&line(129)).unwrap_err().detail.contains("129 bytes"));
}

#[test]
fn a_turn_is_written_as_the_contract_shows_it() {
    let mut asked = turn("t_9", "status?");
    Rc::make_mut(&mut asked.conv).name = "general".to_owned();
    asked.message.attachments = vec![attachment(Fetched::NotAsked)];
    let shown = concat!(
        r#"{"v":1,"type":"message","turn":"t_9","attempt":1,"agent":"recruiter","guild":"acme","#,
        r#""conv":{"key":"acme.general","kind":"channel","channel":{"id":"general","name":"general"},"thread":null},"#,
        r#""message":{"id":"00000042","at":"2026-11-23T15:24:16Z","text":"status?","author":{"id":"u7","name":"alice","bot":false},"#,
        r#""mention":true,"reply_to":null,"attachments":[{"id":"a1","name":"p.jpg","type":"image/jpeg","size":48211}]},"#,
        r#""deadline_ms":600000,"replayed":false}"#,
    );
    assert_eq!(line::message(&asked), shown);
}

#[test]
fn a_fetched_attachment_has_its_path_and_a_failed_one_says_why() {
    let mut asked = turn("t_9", "");
    asked.message.attachments =
        vec![attachment(Fetched::At("/s/t_9/a1".into())), attachment(Fetched::Not("too large".to_owned()))];
    let text = line::message(&asked);
    assert!(text.contains(r#""size":48211,"path":"/s/t_9/a1"}"#), "{text}");
    assert!(text.contains(r#""size":48211,"path":null,"why":"too large"}"#), "{text}");
}

#[test]
fn whatever_a_message_says_its_line_stays_one_line() {
    let text = line::message(&turn("t_9", "a\n\"b\"\r\u{2028}\0\u{1f600}"));
    assert!(!text.contains(['\n', '\r', '\0']), "{text}");
    assert!(text.contains(r#""text":"a\n\"b\"\r"#), "{text}");
    assert_eq!(guild_bridge::codec::json::scan(&text), Ok(()));
}

#[test]
fn what_else_the_bridge_says_has_its_lines() {
    assert_eq!(line::cancel("t_9", Cancel::Timeout), r#"{"v":1,"type":"cancel","turn":"t_9","reason":"timeout"}"#);
    assert_eq!(line::cancel("t_9", Cancel::Shutdown), r#"{"v":1,"type":"cancel","turn":"t_9","reason":"shutdown"}"#);
    assert_eq!(line::welcome(&["a", "b"]), r#"{"v":1,"type":"welcome","agents":["a","b"]}"#);
    assert_eq!(line::sent("s1", "m7"), r#"{"v":1,"type":"sent","id":"s1","message":"m7"}"#);
    assert_eq!(line::error(None, "replaced", "x"), r#"{"v":1,"type":"error","code":"replaced","message":"x"}"#);
    assert_eq!(line::error(Some("s1"), "c", "x"), r#"{"v":1,"type":"error","id":"s1","code":"c","message":"x"}"#);
}

#[test]
fn everything_an_agent_may_say_is_understood() {
    let said = |text| match decode(text) {
        Ok(Heard::Said(said)) => said,
        other => panic!("{text} came out as {other:?}"),
    };
    assert_eq!(said(r#"{"v":1,"type":"accepted","turn":"t"}"#), Said::Accepted { turn: "t".into() });
    assert_eq!(said(r#"{"v":1,"type":"none","turn":"t"}"#), none("t"));
    assert_eq!(said(r#"{"v":1,"type":"typing","turn":"t","on":false}"#), Said::Typing { turn: "t".into(), on: false });
    let (turn, text) = (Cow::from("t"), Cow::from("hi"));
    assert_eq!(
        said(r#"{"v":1,"type":"reply","turn":"t","text":"hi","final":false}"#),
        Said::Reply { turn, text, last: false }
    );
}

#[test]
fn a_reply_without_final_is_final() {
    let heard = decode(r#"{"v":1,"type":"reply","turn":"t","text":"hi"}"#);
    assert_eq!(heard, Ok(Heard::Said(crate::agent_desk::reply("t", "hi"))));
}

#[test]
fn an_error_is_busy_by_its_code_and_a_failure_by_any_other() {
    let busy = |retry_ms| Ok(Heard::Said(Said::Busy { turn: "t".into(), retry_ms }));
    assert_eq!(decode(r#"{"v":1,"type":"error","turn":"t","code":"busy","retry_after_ms":5000}"#), busy(Some(5000)));
    assert_eq!(decode(r#"{"v":1,"type":"error","turn":"t","code":"busy","retry_after_ms":-1e9}"#), busy(Some(0)));
    assert_eq!(decode(r#"{"v":1,"type":"error","turn":"t","code":"busy"}"#), busy(None));
    let Ok(Heard::Said(Said::Failed { why, .. })) =
        decode(r#"{"v":1,"type":"error","turn":"t","code":"no_model","message":"gone\u001b[2J"}"#)
    else {
        panic!("a failure was due")
    };
    assert_eq!(why, Why::new(Reason::AgentFailed, "it said no_model: gone\\u{1b}[2J"));
}

#[test]
fn a_send_may_name_its_agent_and_a_hello_claims_several() {
    let said = Said::Send { id: "s".into(), conv: "acme.general".into(), text: "hi".into() };
    let heard = decode(r#"{"v":1,"type":"send","id":"s","conv":"acme.general","text":"hi","agent":"b"}"#);
    assert_eq!(heard, Ok(Heard::Send { agent: Some("b".into()), said }));
    let heard = decode(r#"{"v":1,"type":"hello","agents":["a","b"],"sdk":"x"}"#);
    assert_eq!(heard, Ok(Heard::Hello(vec!["a".into(), "b".into()])));
}

#[test]
fn unknown_fields_are_ignored_wherever_they_stand() {
    let heard = decode(r#" {"x":{"turn":"u"},"turn":"t","v":1,"text":7,"type":"none","why":[1,2]} "#);
    assert_eq!(heard, Ok(Heard::Said(none("t"))));
}

#[test]
fn a_line_without_escapes_is_not_copied() {
    let Ok(Heard::Said(Said::Reply { turn, text, .. })) =
        decode(r#"{"v":1,"type":"reply","turn":"t","text":"a\nb","final":true}"#)
    else {
        panic!("a reply was due")
    };
    assert!(matches!(turn, Cow::Borrowed("t")));
    assert!(matches!(text, Cow::Owned(text) if text == "a\nb"));
}

#[test]
fn what_cannot_be_read_is_told_in_a_sentence() {
    assert_eq!(garbled("hello?"), "a line is not JSON: a value is missing in JSON");
    assert_eq!(garbled(r#"{"type":"none","turn":"t"}"#), "a line has no \"v\":1");
    assert_eq!(garbled(r#"{"v":2,"type":"none","turn":"t"}"#), "a line has \"v\":2; only 1 is spoken here");
    assert_eq!(garbled(r#"{"v":1,"turn":"t"}"#), "a line has no text \"type\"");
    assert_eq!(garbled(r#"{"v":1,"type":"dance"}"#), "a line has the type \"dance\", which is not known here");
    assert_eq!(garbled(r#"{"v":1,"type":"reply","turn":"t"}"#), "a reply has no text \"text\"");
    assert_eq!(garbled(r#"{"v":1,"type":"none","turn":7}"#), "a none has no text \"turn\"");
    assert!(garbled(r#"{"v":1,"type":"reply","turn":"t","text":"","final":1}"#).contains("neither true nor false"));
    assert!(garbled(r#"{"v":1,"type":"hello","agents":[]}"#).contains("1 to 64 names"));
    assert!(garbled(r#"{"v":1,"type":"hello","agents":[7]}"#).contains("1 to 64 names"));
    assert!(garbled(&"[".repeat(100_000)).contains("too deep"));
}

#[test]
fn an_unknown_type_cannot_flood_a_log() {
    let detail = garbled(&format!(r#"{{"v":1,"type":"{}"}}"#, "x\\n".repeat(50_000)));
    assert!(detail.len() < 200 && !detail.contains('\n'), "{detail}");
}

#[test]
fn a_reply_longer_than_its_bound_fails_its_turn_and_such_a_send_is_refused() {
    let long = "x".repeat(budget::REPLY_BYTES + 1);
    let heard = format!(r#"{{"v":1,"type":"reply","turn":"t","text":"{long}"}}"#);
    let Ok(Heard::Said(Said::Failed { turn, why })) = decode(&heard) else { panic!("a failure was due") };
    assert_eq!((turn.as_ref(), why.detail.as_str()), ("t", "its reply has 65537 bytes; at most 64 KiB are taken"));
    let heard = format!(r#"{{"v":1,"type":"send","id":"s","conv":"c","text":"{long}"}}"#);
    assert!(matches!(decode(&heard), Ok(Heard::Refused { id, .. }) if id == "s"));
    let fits = format!(r#"{{"v":1,"type":"reply","turn":"t","text":"{}"}}"#, "x".repeat(budget::REPLY_BYTES));
    assert!(matches!(decode(&fits), Ok(Heard::Said(Said::Reply { .. }))));
}
