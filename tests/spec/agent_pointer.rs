//! What an answer's pointer leads to (RFC 6901).

use guild_bridge::agent::pointer::text;

const DOC: &str = r#" {"foo":["bar","baz"],"":0,"a/b":1,"m~n":8,"choices":[{"message":{"content":"hi\n\"you\""}}],
    "nil":null,"yes":true,"x":{"deep":{}},"e":1.5e3} "#;

fn at(pointer: &str) -> Result<Option<String>, String> {
    text(DOC, pointer).map(|found| found.map(std::borrow::Cow::into_owned))
}

fn some(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text.to_owned()))
}

#[test]
fn a_pointer_finds_what_rfc_6901_says() {
    assert_eq!(at("/foo/0"), some("bar"));
    assert_eq!(at("/foo/1"), some("baz"));
    assert_eq!(at("/"), some("0"));
    assert_eq!(at("/a~1b"), some("1"));
    assert_eq!(at("/m~0n"), some("8"));
    assert_eq!(at("/choices/0/message/content"), some("hi\n\"you\""));
    assert_eq!(text(r#""all of it""#, ""), Ok(Some("all of it".into())));
}

#[test]
fn numbers_and_truth_are_given_as_written_and_null_is_nothing() {
    assert_eq!(at("/e"), some("1.5e3"));
    assert_eq!(at("/yes"), some("true"));
    assert_eq!(at("/nil"), Ok(None));
}

#[test]
fn a_pointer_that_leads_nowhere_says_so() {
    for pointer in
        ["/bar", "/foo/2", "/foo/00", "/foo/-", "/foo/+1", "/foo/x", "/yes/1", "/nil/a", "/choices/0/message/content/0"]
    {
        assert_eq!(at(pointer), Err(format!("its JSON has nothing at {pointer}")));
    }
    assert_eq!(at("/foo/99999999999999999999999"), Err("its JSON has nothing at /foo/99999999999999999999999".into()));
}

#[test]
fn a_tree_is_no_text() {
    assert!(at("/x").unwrap_err().contains("object or array at /x"));
    assert!(at("/foo").unwrap_err().contains("object or array at /foo"));
    assert!(at("").unwrap_err().contains("object or array"));
}

#[test]
fn what_is_no_json_and_what_is_no_pointer_is_refused() {
    assert!(text("<html>", "/a").unwrap_err().starts_with("not the JSON that was due"));
    assert!(text("", "/a").is_err());
    assert!(text("{}", "a").unwrap_err().contains("does not begin with /"));
    assert!(text(&"[".repeat(60_000), "/0").unwrap_err().contains("too deep"));
}
