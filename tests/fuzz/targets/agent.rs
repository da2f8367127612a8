//! What a local agent writes: lines of `guild-agent/1`, JSON behind a pointer; and what it is given: lines and templates.
#![no_main]

use guild_bridge::agent::{Cancel, Said, line, pointer};
use guild_bridge::budget;
use guild_bridge::codec::json;
use guild_bridge::io::agent::{lossy, template};
use guild_bridge::message::{Author, Conversation, Message, Turn};
use guild_bridge_fuzz::{Feed, within};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::rc::Rc;

fuzz_target!(|bytes: &[u8]| {
    let mut feed = Feed::new(bytes);
    let short = feed.text();
    let long = feed.rest();
    within(64 * 1024 + 64 * bytes.len(), || {
        heard(long);
        pointed(long, short);
        given(long, short);
        let (text, bad) = lossy(bytes.to_vec());
        assert_eq!(bad == 0, std::str::from_utf8(bytes).is_ok());
        assert!(bad <= text.matches('\u{fffd}').count());
    });
});

/// A line that is read says what serde_json's tree of it says.
fn heard(text: &str) {
    let heard = match line::decode(text) {
        Ok(heard) => heard,
        Err(why) => {
            assert!(why.detail.len() < 300 && !why.detail.chars().any(char::is_control), "{why:?}");
            return;
        }
    };
    assert!(json::scan(text).is_ok(), "a line that no scan takes: {text:?}");
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    assert_eq!(value["v"].as_f64(), Some(1.0));
    let kind = value["type"].as_str().unwrap_or_default();
    match heard {
        line::Heard::Hello(names) => {
            assert!(kind == "hello" && (1..=budget::AGENTS).contains(&names.len()));
            let known: Vec<Option<&str>> =
                value["agents"].as_array().into_iter().flatten().map(Value::as_str).collect();
            assert_eq!(names.iter().map(|name| Some(name.as_ref())).collect::<Vec<_>>(), known);
        }
        line::Heard::Said(said) => {
            let (turn, over) = said.turn().expect("it is about a turn");
            assert_eq!(Some(turn), value["turn"].as_str());
            match &said {
                Said::Reply { text, last, .. } => {
                    assert!(kind == "reply" && text.len() <= budget::REPLY_BYTES && over == *last);
                    assert_eq!(Some(text.as_ref()), value["text"].as_str());
                    assert_eq!(*last, value["final"] != false);
                }
                Said::Failed { .. } => assert!(kind == "error" || kind == "reply"),
                Said::Busy { .. } => assert!(kind == "error" && value["code"] == "busy"),
                Said::None { .. } => assert_eq!(kind, "none"),
                Said::Accepted { .. } => assert_eq!(kind, "accepted"),
                Said::Typing { on, .. } => assert_eq!(*on, value["on"] != false),
                other => panic!("a line does not say {other:?}"),
            }
            assert_eq!(
                said.turn().map(|(turn, over)| (turn.to_owned(), over)).as_ref().map(|t| t.0.as_str()),
                Some(turn)
            );
        }
        line::Heard::Send { said, .. } => match said {
            Said::Send { id, text, .. } => {
                assert!(id.len() <= budget::ID_BYTES && text.len() <= budget::REPLY_BYTES);
                assert_eq!((Some(id.as_ref()), Some(text.as_ref())), (value["id"].as_str(), value["text"].as_str()));
            }
            other => panic!("a send is a send: {other:?}"),
        },
        line::Heard::Refused { id, .. } => assert!(kind == "send" && value["id"] == id.as_ref()),
    }
}

/// A pointer leads where serde_json's leads.
fn pointed(doc: &str, pointer: &str) {
    let found = pointer::text(doc, pointer);
    let Ok(value) = serde_json::from_str::<Value>(doc) else { return };
    if json::scan(doc).is_err() {
        return assert!(found.is_err());
    }
    match (found, value.pointer(pointer)) {
        (Ok(Some(text)), Some(Value::String(known))) => assert_eq!(text.as_ref(), known),
        (Ok(Some(text)), Some(known @ (Value::Number(_) | Value::Bool(_)))) => {
            assert_eq!(serde_json::from_str::<Value>(&text).ok().as_ref(), Some(known));
        }
        (Ok(None), Some(Value::Null)) | (Err(_), Some(Value::Array(_) | Value::Object(_)) | None) => {}
        (found, known) => panic!("{pointer:?} in {doc:?} is {found:?}, not {known:?}"),
    }
}

/// A turn is one line of JSON that says the text again; no text breaks out of a template.
fn given(text: &str, short: &str) {
    let turn = Turn {
        id: "t_1".into(),
        attempt: 1,
        agent: "recruiter".into(),
        conv: Rc::new(Conversation { key: "acme.general".into(), name: short.into(), ..Conversation::default() }),
        message: Message {
            text: text.into(),
            author: Author { name: short.into(), ..Author::default() },
            ..Message::default()
        },
        deadline_ms: 1,
        replayed: false,
    };
    let message = line::message(&turn);
    assert!(json::scan(&message).is_ok() && !message.contains(['\n', '\r']));
    let value: Value = serde_json::from_str(&message).expect("a line is JSON");
    assert_eq!(value["message"]["text"], text);
    let lines = [
        line::cancel(short, Cancel::Timeout),
        line::welcome(&[short]),
        line::error(Some(short), "x", text),
        line::sent(short, text),
    ];
    assert!(lines.iter().all(|line| json::scan(line).is_ok() && !line.contains(['\n', '\r'])));

    let asked = r#"{"{text}":["{author}","a {text} b {text","{nothing}",{}],"n":1}"#;
    let filled = template::json(asked, &turn);
    let value: Value = serde_json::from_str(&filled).expect("what was JSON stays JSON");
    let author = if short.is_empty() { "" } else { short };
    let expected = serde_json::json!({"{text}": [author, format!("a {text} b {{text"), "{nothing}", {}], "n": 1});
    assert_eq!(value, expected);
    // the same with a template that somebody wrote: it stays JSON, with as many members
    if json::scan(short).is_ok() {
        assert!(json::scan(&template::json(short, &turn)).is_ok(), "{short:?}");
    }
    assert_eq!(template::fill("{text}", &turn), text);
    if !short.contains('{') {
        assert_eq!(template::fill(short, &turn), short);
    }
    assert!(
        template::argument(short, &turn).is_ok_and(|filled| !filled.contains('\0'))
            || (short.to_owned() + text).contains('\0')
    );
}
