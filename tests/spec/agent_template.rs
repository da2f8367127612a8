//! Placeholders in arguments, headers and JSON bodies (CONTRACT section 2).

use crate::agent_desk::turn;
use guild_bridge::codec::json as scanner;
use guild_bridge::io::agent::template::{argument, fill, json};
use std::rc::Rc;

#[test]
fn every_placeholder_stands_for_its_own() {
    let filled = fill("{agent}@{guild} {channel} {conv} {turn} {author}: {text}", &turn("t_1", "hi"));
    assert_eq!(filled, "recruiter@acme General acme.general t_1 alice: hi");
}

#[test]
fn who_has_no_name_is_named_by_the_id() {
    let mut asked = turn("t_1", "hi");
    Rc::make_mut(&mut asked.conv).name.clear();
    asked.message.author.name.clear();
    assert_eq!(fill("{channel}/{author}", &asked), "general/u7");
}

#[test]
fn what_a_text_brings_along_is_never_a_placeholder() {
    let asked = turn("t_1", "{turn} {text} {");
    assert_eq!(fill("<{text}>", &asked), "<{turn} {text} {>");
    assert_eq!(json(r#"{"a":"{text}"}"#, &asked), r#"{"a":"{turn} {text} {"}"#);
}

#[test]
fn other_braces_stay() {
    let asked = turn("t_1", "hi");
    assert_eq!(fill("{} {x} { {text} {{text}} {text", &asked), "{} {x} { hi {hi} {text");
}

#[test]
fn an_argument_with_a_nul_is_refused() {
    let asked = turn("t_1", "a\0b");
    assert!(argument("say {text}", &asked).unwrap_err().contains("NUL"));
    assert_eq!(argument("say {conv}", &asked), Ok("say acme.general".to_owned()));
}

#[test]
fn a_body_stays_json_whatever_the_text_is() {
    let template = r#"{"model":"m","user":"{conv}","n":[1,{"content":"<{text}>\"{turn}\\"}],"{text}":"{author}"}"#;
    for text in ["\"}],\"x\":\"", "\\", "\\\"", "a\nb\u{1}\0", "\u{2028}\u{1f600}", "{text}"] {
        let body = json(template, &turn("t_1", text));
        assert_eq!(scanner::scan(&body), Ok(()), "{body}");
        let row = scanner::elements(scanner::member(&body, "n").unwrap()).nth(1).unwrap();
        let content = scanner::string(scanner::member(row, "content").unwrap()).unwrap();
        assert_eq!(content, format!("<{text}>\"t_1\\"));
    }
}

#[test]
fn names_of_fields_are_not_filled() {
    let body = json(r#"{"{text}" : "{text}", "k":{"{turn}":"{turn}"}}"#, &turn("t_1", "hi"));
    assert_eq!(body, r#"{"{text}" : "hi", "k":{"{turn}":"t_1"}}"#);
}
