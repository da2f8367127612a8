//! One Socket.IO session: handshake, heartbeat, and what a server may send that nobody asked for.

use crate::world::model::Options;
use crate::world::{Fault, World, mins, secs};

/// A `message.created` of the first guild, raw, as the server would send it.
pub fn event(w: &mut World, channel: &str, author: &str, text: &str) -> String {
    let id = w.guild().whisper(channel, author, text);
    let message = w.guild().model.said.iter().find(|m| m.id == id).unwrap().clone();
    format!("42{}", serde_json::json!(["message.created", w.guild().model.as_json(&message)]))
}

#[test]
fn every_ping_is_answered_with_a_pong_and_nothing_else_pings() {
    let mut w = World::chatty(1);
    w.run_for(mins(10));
    let pings = w.story.count("< ping");
    assert!((23..=24).contains(&pings), "{pings} pings in ten minutes of 25 s");
    assert!(w.story.count("> pong").abs_diff(pings) <= 1);
    assert_eq!(w.story.offered.len(), 1);
}

#[test]
fn pings_are_answered_while_connect_is_still_unanswered() {
    let mut w = World::chatty(2);
    w.guild().ping = (1_000, 900);
    w.guild().model.faults.set_times(Fault::ConnectSilence, 1);
    w.run_for(secs(20));
    assert!(w.story.count("> pong") >= 18, "{}", w.tail());
    assert_eq!(w.story.count("< ping timeout"), 0);
}

#[test]
fn a_connect_that_is_never_answered_ends_the_session_after_handshake_s() {
    let mut w = World::chatty(3);
    w.guild().model.faults.set_times(Fault::ConnectSilence, 1);
    w.run_till(secs(40), "the bridge hangs up", |w| w.story.count("> close") == 1);
    let took = w.story.moments("> close")[0] - w.story.moments("dial")[0];
    assert!((29_900..=30_200).contains(&took), "hung up after {took} ms");
    assert_eq!(w.reason(), "net.timeout");
    w.run_till(secs(10), "the next attempt is live", |w| w.state() == "live");
}

#[test]
fn a_server_that_stops_pinging_is_left_after_interval_and_timeout() {
    let mut w = World::chatty(4);
    w.run_live();
    w.guild().freeze_lines();
    let took = w.run_till(secs(120), "the session is given up", |w| w.state() == "backoff");
    assert!((19_000..=51_000).contains(&took), "given up after {took} ms");
    assert_eq!(w.reason(), "net.silent");
    w.run_till(secs(10), "it is live again", |w| w.state() == "live");
}

#[test]
fn a_line_that_goes_dark_right_after_connect_is_left_at_45_s_and_not_before() {
    let mut w = World::chatty(5);
    w.guild().pings = false;
    w.run_live();
    let took = w.run_till(secs(120), "the session is given up", |w| w.state() == "backoff");
    assert!((44_500..=50_000).contains(&took), "given up after {took} ms");
    assert_eq!(w.reason(), "net.silent");
}

#[test]
fn a_huge_ping_interval_is_believed_for_five_minutes_at_most() {
    let mut w = World::chatty(6);
    (w.guild().announces, w.guild().pings) = (Some((u64::MAX, u64::MAX)), false);
    w.run_live();
    let took = w.run_till(mins(20), "the session is given up", |w| w.state() == "backoff");
    assert!((595_000..=610_000).contains(&took), "given up after {took} ms");
    assert_eq!(w.reason(), "net.silent");
}

#[test]
fn a_ping_interval_of_nothing_is_believed_to_be_100_ms() {
    let mut w = World::chatty(7);
    (w.guild().announces, w.guild().ping) = (Some((0, 0)), (90, 20_000));
    w.run_for(secs(20));
    assert_eq!(w.story.offered.len(), 1, "{}", w.tail());
    assert!(w.story.count("> pong") > 200);
}

#[test]
fn an_event_before_the_connect_answer_is_accepted() {
    let mut w = World::chatty(8);
    w.run_live();
    w.guild().freeze_lines();
    let early = event(&mut w, "general", "alice", "early");
    w.guild().early = vec![early];
    w.run_for(mins(2));
    assert_eq!(w.answers("general"), ["re: early"]);
}

#[test]
fn an_extra_last_argument_of_an_event_is_ignored_and_recovery_is_never_asked_for() {
    let mut w = World::chatty(9);
    w.guild().recovery = true;
    for text in ["one", "two"] {
        w.run_live();
        w.say("general", "alice", text);
        w.run_for(secs(2));
        w.guild().close_lines();
        w.run_for(secs(1));
    }
    assert_eq!(w.answers("general"), ["re: one", "re: two"]);
    assert!(w.story.offered.len() >= 2, "World refuses a CONNECT with pid or offset");
}

#[test]
fn a_binary_packet_is_skipped_with_its_attachments() {
    let mut w = World::chatty(10);
    w.run_live();
    w.guild().inject(r#"452-["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    w.guild().inject_binary(70_000);
    w.guild().inject_binary(3);
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    assert_eq!(w.answers("general"), ["re: hi"]);
    assert_eq!(w.story.offered.len(), 1);
}

#[test]
fn an_ack_that_nobody_asked_for_and_an_unknown_event_are_ignored() {
    let mut w = World::chatty(11);
    w.run_live();
    for frame in ["43999[{\"ok\":true}]", "42[\"typing\",{\"who\":\"bob\"}]", "42[\"typing\"]", "42/other,[\"x\"]", "6"]
    {
        w.guild().inject(frame);
    }
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    assert_eq!(w.answers("general"), ["re: hi"]);
    assert_eq!(w.story.offered.len(), 1);
}

#[test]
fn a_malformed_frame_ends_the_session_or_nothing_but_never_the_seat() {
    let mut ended = 0;
    for frame in
        ["", "9", "4", "49", "42{}", "42[", "42[1]", "40[]", "2probe", "42[\"message.created\"]", "45x-[]", "é"]
    {
        let mut w = World::chatty(12);
        w.run_live();
        w.guild().inject(frame);
        w.run_for(secs(10));
        w.say("general", "alice", "hi");
        w.run_for(mins(2));
        assert_eq!(w.answers("general"), ["re: hi"], "after {frame:?}");
        let said = w.story.reasons("recruiter@acme");
        assert!(said.is_empty() || said == ["net.protocol"], "{said:?} after {frame:?}");
        ended += said.len();
    }
    assert!(ended > 0, "none of them is the end of a session");
}

#[test]
fn sixty_three_malformed_packets_are_skipped_and_the_next_ends_the_connection() {
    let mut w = World::chatty(12);
    w.run_live();
    let injected = |w: &mut World, count| (0..count).for_each(|_| w.guild().inject("42{}"));
    injected(&mut w, 63);
    w.run_for(secs(10));
    assert_eq!((w.state(), w.story.offered.len()), ("live", 1));
    injected(&mut w, 1);
    w.run_till(secs(10), "the connection is given up", |w| w.story.count("> close") == 1);
    assert_eq!(w.reason(), "net.protocol");
    w.run_live();
}

#[test]
fn a_first_frame_that_is_no_open_packet_is_told_at_once() {
    let mut w = World::chatty(12);
    w.guild().opens_with = Some("hello".into());
    let took = w.run_till(secs(5), "it is told", |w| w.state() == "backoff");
    assert!(took < 2_000 && w.reason() == "net.protocol", "after {took} ms: {}", w.reason());
    assert!(w.link().detail.contains("no Engine.IO open packet"), "{}", w.link().detail);
}

#[test]
fn a_namespace_is_carried_in_every_packet() {
    let mut w = World::chatty(13);
    w.settings.guilds[0].namespace = "/guild".into();
    w.guild().namespace = "/guild".into();
    w.run_live();
    w.say("general", "alice", "hi");
    w.run_for(mins(2));
    assert_eq!(w.answers("general"), ["re: hi"]);
    assert_eq!(w.story.offered.len(), 1);
}

#[test]
fn a_frame_larger_than_the_bound_costs_one_connection_and_not_a_loop_of_them() {
    let mut w = World::chatty(14);
    w.run_live();
    w.say("general", "alice", &"x".repeat(80_000));
    w.say("general", "alice", "small");
    w.run_for(mins(5));
    assert_eq!(w.answers("general"), ["re: small"]);
    assert!(w.story.offered.len() <= 2, "{} handshakes", w.story.offered.len());
    assert_eq!(w.story.reasons("recruiter@acme"), ["net.too_big"]);
    assert_eq!((w.link().gaps, w.link().gaps_by_reason.get("oversize")), (1, Some(&1)));
}

#[test]
fn nothing_is_sent_before_the_open_packet_and_connect_comes_first() {
    let mut w = World::chatty(15);
    w.run_live();
    let kinds = w.story.kinds();
    let at = |kind: &str| kinds.iter().position(|k| *k == kind).unwrap();
    assert!(at("call mint") < at("dial"), "the mint comes before the handshake");
    assert!(at("dial") < at("< open") && at("< open") < at("> connect"));
    assert!(at("> connect") < at("< connect") && at("< connect") < at("> join general"));
}

#[test]
fn a_server_without_join_acks_gets_the_same_first_packets() {
    let first = |acks| {
        let mut w = World::chatty(16);
        w.guild().model.options = Options { acks, ..Options::default() };
        w.run_for(500);
        w.story.kinds().iter().filter(|k| k.starts_with('>')).map(|k| (*k).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(first(true), ["> connect", "> join general"]);
    assert_eq!(first(true), first(false));
}
