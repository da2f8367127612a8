//! Hostile answers to each request that the daemon makes: the mint, the upgrade, the channel list, history, a post. Each
//! row of the table has its reason in status; the daemon waits between its attempts, keeps its memory, and when it is
//! over it is live again and nothing was lost or doubled.

use crate::guild::Options;
use crate::guild::bridge::wait_for;
use crate::guild::hostile::{Bad, Elsewhere, Leg};
use crate::scene::{Scene, words};
use crate::{Ended, Scenario};
use serde_json::json;
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_web_page_is_http_portal_whatever_was_asked", 60, || everywhere(&page(), &["http.portal"])),
    Scenario("a_redirect_to_another_host_is_never_followed", 60, || redirect("302 Found")),
    Scenario("a_redirect_that_keeps_the_method_is_never_followed", 60, || redirect("307 Temporary Redirect")),
    Scenario("a_redirect_to_itself_is_asked_once_an_attempt", 60, || {
        everywhere(&Bad::status("302 Found", "location: /\r\n"), &["http.portal"])
    }),
    Scenario("an_answer_byte_by_byte_is_net_timeout_at_one_deadline", 120, byte_by_byte),
    Scenario("an_answer_that_never_comes_is_net_timeout", 120, || everywhere(&Bad::Hole, &["net.timeout"])),
    Scenario("an_answer_cut_in_the_middle_is_net_closed", 60, || everywhere(&Bad::Cut, &["net.closed"])),
    Scenario("an_answer_reset_in_the_middle_is_net_closed", 60, || everywhere(&Bad::Reset, &["net.closed"])),
    Scenario("a_body_of_fifty_megabytes_is_cut_at_its_bound", 120, endless_body),
    Scenario("a_flood_of_headers_is_net_protocol", 90, header_flood),
    Scenario("what_is_not_http_is_net_protocol", 60, || {
        everywhere(&Bad::Says(b"\x15\x03\x03\x00\x02\x02\x46HTTP/9.9 what\r\n\r\n".to_vec()), &["net.protocol"])
    }),
    Scenario("a_status_that_is_no_number_is_net_protocol", 60, || {
        everywhere(&Bad::Says(b"HTTP/1.1 two hundred OK\r\n\r\n".to_vec()), &["net.protocol"])
    }),
    Scenario("early_hints_are_passed_over_whatever_was_asked", 60, early_hints),
    Scenario("an_absurd_retry_after_is_an_hour_at_most", 60, || retry_after("99999999999", 3_600..=4_500)),
    Scenario("a_retry_after_that_is_no_number_is_no_time", 60, || retry_after("-5", 0..=3)),
    Scenario("a_retry_after_in_the_past_is_a_second", 60, || retry_after("Thu, 01 Jan 1970 00:00:00 GMT", 0..=2)),
    Scenario("a_compression_that_was_not_asked_for_is_net_protocol", 60, || upgrade_only(compressed, "net.protocol")),
    Scenario("a_wrong_accept_key_is_net_protocol", 60, || upgrade_only(wrong_key, "net.protocol")),
    Scenario("frames_byte_by_byte_are_net_timeout_at_the_handshakes_deadline", 60, dripped_open),
    Scenario("a_server_that_takes_connections_and_reads_nothing_is_net_timeout", 90, reads_nothing),
    Scenario("proxy_variables_are_not_used_and_hear_no_token", 60, proxy_variables),
];

/// The legs whose answers are HTTP, and the upgrade.
const LEGS: [Leg; 5] = [Leg::Mint, Leg::Upgrade, Leg::Channels, Leg::History, Leg::Post];

fn page() -> Bad {
    Bad::answer("200 OK", "text/html; charset=utf-8", "<!doctype html><title>Hotel Wi-Fi</title><p>Please sign in.")
}

/// A scene whose every request passes the proxy on a connection of its own.
fn scene() -> Scene {
    let mut scene = Scene::proxied(Options::default());
    let url = scene.proxy().url();
    scene.bridge.config["guilds"]["acme"]["center"] = json!(url);
    scene.proxy().by_request();
    scene
}

fn everywhere(bad: &Bad, reasons: &[&str]) -> Ended {
    side_by_side(&LEGS, |leg| {
        on(leg, bad, reasons);
    })
}

/// Each leg has a guild and a daemon of its own; every leg that failed is told.
fn side_by_side(legs: &[Leg], act: impl Fn(Leg) + Sync) -> Ended {
    let failures: Vec<String> = std::thread::scope(|scope| {
        let legs: Vec<_> = legs.iter().map(|leg| (leg, scope.spawn(|| act(*leg)))).collect();
        let failed = legs.into_iter().filter_map(|(leg, run)| Some(format!("{leg:?}: {}", words(run.join().err()?))));
        failed.collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ended::Well
}

/// A link that works meets this on one leg; its reason is told, its rests are kept, and nothing is lost or doubled.
/// Returned: from the first request that met it to the reason in status.
fn on(leg: Leg, bad: &Bad, reasons: &[&str]) -> Duration {
    let mut scene = scene().live();
    scene.talk("before", 10);
    let held = scene.held();
    scene.proxy().make_bad(leg, bad.clone());
    if leg != Leg::Post {
        scene.proxy().close(Some(1012), "service restart");
    }
    scene.say("meanwhile");
    wait_for("the fault to be met", 10, || !scene.proxy().asked(leg).is_empty());
    let link = scene.bridge.wait_reason("recruiter", reasons, 40);
    let known_after = scene.proxy().asked(leg).first().map(Instant::elapsed).expect("the fault was met");
    assert!(!link["detail"].as_str().unwrap_or_default().is_empty(), "a sentence beside it: {link}");
    if matches!(leg, Leg::Mint | Leg::Upgrade) {
        assert_ne!(link["state"], "live", "{link}");
    }
    std::thread::sleep(Duration::from_secs(3));
    let asked = scene.proxy().asked(leg);
    let rested = |pair: &[Instant]| pair[1] - pair[0] >= Duration::from_millis(900);
    assert!(asked.windows(2).all(rested), "{leg:?} asked without a rest: {:?}", since(&asked));
    scene.proxy().make_well();
    scene.answered("meanwhile", 30);
    scene.bridge.wait_state("recruiter", "live", 15);
    scene.talk("after", 10);
    assert_eq!(scene.replies(), ["re: before", "re: meanwhile", "re: after"]);
    assert_eq!(scene.number("gaps"), 0, "{}", scene.bridge.tail());
    scene.cost_little(held);
    drop(scene.end());
    known_after
}

fn since(asked: &[Instant]) -> Vec<Duration> {
    asked.iter().map(|at| *at - asked[0]).collect()
}

fn redirect(status: &str) -> Ended {
    let elsewhere = Elsewhere::open();
    let bad = Bad::status(status, &format!("location: http://{}/auth/token\r\n", elsewhere.authority()));
    side_by_side(&LEGS, |leg| {
        on(leg, &bad, &["http.portal"]);
    });
    assert_eq!(elsewhere.seen(), (0, String::new()), "nobody was sent there");
    Ended::Well
}

fn byte_by_byte() -> Ended {
    let drips =
        Bad::Drips(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-slow: loris\r\nx-slower: ".to_vec(), 120);
    side_by_side(&LEGS, |leg| {
        let known_after = on(leg, &drips, &["net.timeout"]);
        let bound = match leg {
            Leg::Upgrade => 3,
            Leg::Mint => 10,
            Leg::Channels | Leg::History | Leg::Post | Leg::Other => 20,
        };
        let late = known_after.as_secs_f32() - bound as f32;
        assert!((-0.5..4.0).contains(&late), "{leg:?} was given up after {known_after:?}, not {bound} s");
    })
}

fn endless_body() -> Ended {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let again = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
    let bad = Bad::Goes { head, again, bytes: 50 << 20 };
    side_by_side(&LEGS, |leg| {
        let reasons = if leg == Leg::Upgrade { "http.portal" } else { "http.body" };
        on(leg, &bad, &[reasons]);
    })
}

fn header_flood() -> Ended {
    let again = format!("x-flood: {}\r\n", "f".repeat(1_000)).into_bytes();
    let bad = Bad::Goes { head: b"HTTP/1.1 200 OK\r\n".to_vec(), again, bytes: 5 << 20 };
    everywhere(&bad, &["net.protocol"])
}

/// A hundred of them before the answer: no fault, but before 101, where nobody sends them.
fn early_hints() -> Ended {
    let bad = Bad::Before("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n".repeat(100).into_bytes());
    let mut scene = scene();
    for leg in [Leg::Mint, Leg::Channels, Leg::History, Leg::Post] {
        scene.proxy().make_bad(leg, bad.clone());
        if leg == Leg::Mint {
            scene = scene.live();
        }
        scene.proxy().end();
        scene.talk(&format!("through {leg:?}"), 15);
        scene.bridge.wait_state("recruiter", "live", 15);
        assert!(!scene.proxy().asked(leg).is_empty(), "{leg:?} was asked");
    }
    side_by_side(&[Leg::Upgrade], |leg| {
        on(leg, &bad, &["http.status"]);
    });
    scene.end()
}

/// A 429 (of an upgrade, a 503) with this time: what is waited for, in seconds.
fn retry_after(value: &str, seconds: std::ops::RangeInclusive<u64>) -> Ended {
    side_by_side(&[Leg::Mint, Leg::Upgrade], |leg| {
        let mut scene = scene();
        let bad = Bad::status("429 Slow Down", &format!("retry-after: {value}\r\n"));
        scene.proxy().make_bad(leg, bad);
        scene = scene.started();
        let there = |link: &serde_json::Value| link["reason"] == "rate.limited" && !link["next_try_s"].is_null();
        let link = scene.bridge.wait_link("recruiter", "rate.limited", 10, there);
        let next = link["next_try_s"].as_u64().unwrap();
        assert!(next >= seconds.start().saturating_sub(10) && seconds.contains(&next.max(*seconds.start())), "{link}");
        scene.proxy().make_well();
        if next > 10 {
            assert_eq!(scene.bridge.call(&["restart", "recruiter"]).0, 0, "a person may cut it short");
        }
        scene.bridge.wait_state("recruiter", "live", 15);
        scene.talk("hello", 5);
        drop(scene.end());
    })
}

fn upgrade_only(rewrite: fn(&str) -> String, reason: &str) -> Ended {
    on(Leg::Upgrade, &Bad::Rewritten(rewrite), &[reason]);
    Ended::Well
}

fn compressed(head: &str) -> String {
    let (head, _) = head.split_at(head.len() - 2);
    format!("{head}sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n\r\n")
}

fn wrong_key(head: &str) -> String {
    let lines = head.split("\r\n").map(|line| {
        let is_key = line.to_ascii_lowercase().starts_with("sec-websocket-accept:");
        if is_key { "sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=" } else { line }
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

/// 101 at once, and then the open packet at a byte in 200 ms: the handshake as a whole has one deadline.
fn dripped_open() -> Ended {
    let open = format!(r#"0{{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000{}"#, " ".repeat(60));
    let frame = [&[0x81, open.len() as u8], open.as_bytes()].concat();
    let known_after = on(Leg::Upgrade, &Bad::DripsFrames(frame, 200), &["net.timeout"]);
    let known_after = known_after.as_secs_f32();
    assert!((2.5..7.0).contains(&known_after), "handshake_s is 3, and it was known after {known_after} s");
    Ended::Well
}

/// A window that never opens: mint (its own deadline) and upgrade (the handshake's).
fn reads_nothing() -> Ended {
    side_by_side(&[Leg::Mint, Leg::Upgrade], |leg| {
        let mut scene = scene();
        if leg == Leg::Upgrade {
            let url = scene.guild.url();
            scene.bridge.config["guilds"]["acme"]["center"] = json!(url);
        }
        scene = scene.live();
        scene.talk("before", 10);
        scene.proxy().read_nothing();
        scene.proxy().end();
        scene.say("meanwhile");
        scene.bridge.wait_reason("recruiter", &["net.timeout"], 25);
        scene.proxy().make_well();
        scene.answered("meanwhile", 20);
        scene.bridge.wait_state("recruiter", "live", 15);
        assert_eq!(scene.replies(), ["re: before", "re: meanwhile"]);
        drop(scene.end());
    })
}

/// What a shell sets for other programs is not for this one: it neither goes there nor says anything there.
fn proxy_variables() -> Ended {
    let elsewhere = Elsewhere::open();
    let mut scene = scene();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        scene.bridge.env.push((name.into(), format!("http://{}", elsewhere.authority())));
    }
    let mut scene = scene.live();
    scene.talk("hello", 5);
    scene.proxy().end();
    scene.talk("again", 10);
    assert_eq!(elsewhere.seen(), (0, String::new()), "nobody was sent there");
    scene.end()
}
