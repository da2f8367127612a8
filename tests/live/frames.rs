//! Faults of frames and of TCP, made by the proxy: a typed reason, a new session, nothing lost.

use crate::guild::Options;
use crate::guild::frame::{BINARY, Frame, TEXT};
use crate::guild::hostile::{Bad, Leg};
use crate::guild::proxy::{Fate, Way};
use crate::scene::{Held, Scene};
use crate::{Ended, Scenario};
use serde_json::Value;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_half_open_link_is_net_silent", 40, half_open),
    Scenario("a_frozen_link_is_net_silent", 40, frozen),
    Scenario("a_reset_link_comes_back", 30, || cut(|scene| scene.proxy().reset(), &["net.closed", "net.protocol"])),
    Scenario("a_link_cut_in_a_frame_comes_back", 30, || {
        cut(|scene| scene.proxy().cut_mid_frame(), &["net.closed", "net.protocol"])
    }),
    Scenario("an_end_without_a_word_comes_back", 30, || {
        cut(|scene| scene.proxy().end(), &["net.closed", "guild.restarting"])
    }),
    Scenario("a_close_without_a_code_comes_back", 30, || {
        cut(|scene| scene.proxy().close(None, ""), &["guild.restarting", "net.closed", "auth.disconnected"])
    }),
    Scenario("a_close_4001_is_about_the_token", 30, || {
        cut(|scene| scene.proxy().close(Some(4001), "token expired"), &["auth.disconnected", "auth.expired"])
    }),
    Scenario("an_injected_41_is_auth_disconnected", 30, || {
        cut(|scene| scene.proxy().inject("41"), &["auth.disconnected"])
    }),
    Scenario("an_injected_44_is_auth_connect_error", 30, || {
        cut(|scene| scene.proxy().inject(r#"44{"message":"gone"}"#), &["auth.connect_error"])
    }),
    Scenario("a_44_with_a_bare_string_is_auth_connect_error", 30, || {
        cut(|scene| scene.proxy().inject(r#"44"gone""#), &["auth.connect_error"])
    }),
    Scenario("an_upgrade_of_502_is_a_guild_that_restarts", 30, || {
        upgrade(
            "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\noops",
            &["guild.restarting", "http.status"],
        )
    }),
    Scenario("an_upgrade_of_503_with_retry_after_is_rate_limited", 30, || {
        upgrade("HTTP/1.1 503 Busy\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n", &["rate.limited"])
    }),
    Scenario("an_upgrade_answered_by_a_web_page_is_http_portal", 30, || {
        upgrade(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 12\r\n\r\n<html></html",
            &["http.portal"],
        )
    }),
    Scenario("an_upgrade_that_is_sent_elsewhere_is_http_portal", 30, || {
        upgrade("HTTP/1.1 302 Found\r\nlocation: http://portal.invalid/\r\ncontent-length: 0\r\n\r\n", &["http.portal"])
    }),
    Scenario("a_polling_only_server_is_cfg_transport", 30, || {
        let body = r#"{"code":0,"message":"Transport unknown"}"#;
        upgrade(
            &format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
            &["cfg.transport"],
        )
    }),
    Scenario("an_upgrade_that_is_refused_401_is_about_the_token", 30, || {
        upgrade("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", &["auth.connect_error", "auth.http_401"])
    }),
    Scenario("malformed_frames_never_end_the_daemon", 90, malformed),
    Scenario("binary_frames_and_events_are_passed_over", 30, binary),
    Scenario("an_extra_last_argument_is_no_matter", 30, extra_argument),
    Scenario("deep_json_is_refused_and_history_goes_on", 40, deep_json),
    Scenario("a_message_of_one_megabyte_is_a_gap_and_the_next_ones_are_answered", 60, megabyte),
    Scenario("only_what_the_protocol_allows_goes_out", 30, speaks_well),
    Scenario("a_network_that_comes_and_goes_loses_nothing", 60, flapping),
];

fn quick() -> Options {
    Options { ping_interval_ms: 700, ping_timeout_ms: 500, ..Options::default() }
}

/// What it holds behind its first messages.
fn settled(scene: &mut Scene) -> Held {
    scene.talk("to begin with", 5);
    scene.held()
}

fn half_open() -> Ended {
    let mut scene = Scene::proxied(quick()).live();
    scene.proxy().black_hole(true);
    scene.bridge.wait_reason("recruiter", &["net.silent"], 8);
    scene.proxy().black_hole(false);
    scene.proxy().end();
    scene.bridge.wait_state("recruiter", "live", 15);
    scene.talk("hello", 5);
    scene.end()
}

fn frozen() -> Ended {
    let mut scene = Scene::proxied(quick()).live();
    scene.proxy().freeze();
    scene.say("held");
    scene.bridge.wait_reason("recruiter", &["net.silent"], 8);
    scene.proxy().thaw();
    scene.answered("held", 15);
    scene.bridge.wait_state("recruiter", "live", 15);
    scene.end()
}

/// Something ends a live session: this reason, then live again, and nothing lost.
fn cut(how: impl Fn(&Scene), reasons: &[&str]) -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    scene.talk("before", 5);
    how(&scene);
    scene.say("meanwhile");
    scene.bridge.wait_reason("recruiter", reasons, 10);
    scene.answered("meanwhile", 10);
    let link = scene.bridge.wait_state("recruiter", "live", 10);
    assert!(link["attempts"].as_u64() >= Some(2), "{link}");
    scene.talk("after", 5);
    scene.end()
}

fn upgrade(answer: &str, reasons: &[&str]) -> Ended {
    let scene = Scene::proxied(Options::default());
    scene.proxy().answer_upgrades(answer.as_bytes(), None);
    let mut scene = scene.started();
    let link = scene.bridge.wait_reason("recruiter", reasons, 10);
    let long = reasons[0].starts_with("cfg.");
    scene.proxy().answer_upgrades_well();
    if long {
        assert!(link["next_try_s"].as_u64().is_some_and(|s| s >= 20), "a configuration fault rests long: {link}");
        assert_eq!(scene.bridge.call(&["restart", "recruiter"]).0, 0);
    }
    scene.bridge.wait_state("recruiter", "live", 10);
    scene.talk("hello", 5);
    scene.end()
}

fn malformed() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    let held = settled(&mut scene);
    let texts = [
        "",
        "9",
        "4",
        "49",
        "42",
        "42{oops",
        "42[]",
        "42{\"a\":1}",
        "42[1,2]",
        "421",
        "43",
        "43x[]",
        "45",
        "451",
        "451-",
        "4518446744073709551616-[\"x\"]",
        "40",
        "41/x,",
        "42/other,[\"message.created\",{}]",
        "42[\"message.created\"]",
        "42[\"message.created\",null]",
        "42[\"message.created\",{\"id\":7}]",
        "42[\"message.created\",\"\u{1F980}\"]",
        "0{\"pingInterval\":18446744073709551616}",
        "4299999999999999999999[\"x\"]",
        "\u{0}",
        "3",
        "6",
        "5",
        "1",
        "42[\"message.created\",{\"id\":\"x\",\"channelId\":\"general\",\"authorId\":1e999,\"text\":\"\\ud800\"}]",
    ];
    for text in texts {
        scene.proxy().inject(text);
        std::thread::sleep(Duration::from_millis(30));
        assert!(scene.bridge.runs(), "{text:?} ended the daemon; its log:\n{}", scene.bridge.tail());
        scene.bridge.wait_state("recruiter", "live", 12);
    }
    let raws: [&[u8]; 7] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0x83, 0x01, b'x'],
        &[0x81, 0x81, 1, 2, 3, 4, 5],
        &[0x81, 0x02, 0xff, 0xfe],
        &[0x88, 0x01, 0x00],
        &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x81, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0],
    ];
    for raw in raws {
        scene.proxy().inject_raw(raw);
        std::thread::sleep(Duration::from_millis(60));
        assert!(scene.bridge.runs(), "{raw:?} ended the daemon; its log:\n{}", scene.bridge.tail());
        scene.bridge.wait_state("recruiter", "live", 12);
    }
    scene.talk("hello", 5);
    scene.cost_little(held);
    scene.end()
}

fn binary() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    let held = settled(&mut scene);
    scene.proxy().inject(r#"452-["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    scene.proxy().inject_raw(&Frame::from_server(BINARY, &[1, 2, 3]).raw);
    scene.proxy().inject_raw(&Frame::from_server(BINARY, &[4, 5]).raw);
    scene.talk("after a binary event", 5);
    assert_eq!(scene.number("attempts"), 1, "the session goes on");
    scene.cost_little(held);
    scene.end()
}

fn extra_argument() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    scene.proxy().judge(|way, frame| match frame.text().and_then(|text| text.strip_suffix("}]")) {
        Some(cut) if way == Way::ToClient && cut.starts_with("42[\"message.created\"") => {
            Fate::Instead(Frame::from_server(TEXT, format!("{cut}}},\"Q894RpI\"]").as_bytes()))
        }
        _ => Fate::Pass,
    });
    scene.talk("with an offset", 5);
    assert_eq!((scene.number("attempts"), scene.number("replayed")), (1, 0));
    scene.end()
}

fn deep_json() -> Ended {
    let scene = Scene::proxied(Options::default());
    scene.proxy().by_request();
    let mut scene = scene.live();
    let held = settled(&mut scene);
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    scene.proxy().inject(&format!("42[\"message.created\",{deep}]"));
    scene.bridge.wait_reason("recruiter", &["net.protocol"], 5);
    scene.talk("after deep JSON", 12);
    assert_eq!(scene.number("attempts"), 1, "it costs no connection");
    // and where history has it, too
    scene.proxy().refuse(true);
    scene.proxy().end();
    let id = scene.say("what history cannot show");
    let row = format!(r#"[{{"id":"{id}","channelId":"general","authorId":"u7","text":"a","n":{deep}}}]"#);
    scene.proxy().make_bad(Leg::History, Bad::answer("200 OK", "application/json", &row));
    scene.proxy().refuse(false);
    let counted = |link: &Value| link["gaps_by_reason"]["unreadable"] == 1;
    scene.bridge.wait_link("recruiter", "unreadable gap", 15, counted);
    scene.proxy().make_well();
    scene.talk("after it in history", 15);
    assert!(scene.replies().iter().all(|reply| reply != "re: what history cannot show"));
    scene.cost_little(held);
    scene.end()
}

fn megabyte() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    let held = settled(&mut scene);
    scene.say("before");
    scene.say(&"x".repeat(1 << 20));
    scene.say("after");
    scene.answered("before", 10);
    scene.answered("after", 25);
    scene.wait_number("gaps", 1, 10);
    scene.bridge.wait_state("recruiter", "live", 15);
    let attempts = scene.number("attempts");
    scene.talk("once more", 10);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(scene.number("attempts"), attempts, "no loop over the message that is too large");
    scene.cost_little(held);
    scene.end()
}

fn flapping() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    let mut said = 0;
    for round in 0..10 {
        for _ in 0..4 {
            scene.say(&format!("m{said}"));
            said += 1;
            std::thread::sleep(Duration::from_millis(120));
        }
        match round % 3 {
            0 => scene.proxy().reset(),
            1 => scene.proxy().cut_mid_frame(),
            _ => scene.proxy().end(),
        }
    }
    scene.answered(&format!("m{}", said - 1), 20);
    scene.wait_replies(said, 20);
    let mut told = scene.replies();
    told.sort_by_key(|text| text.trim_start_matches("re: m").parse::<usize>().unwrap_or(0));
    let all: Vec<String> = (0..said).map(|n| format!("re: m{n}")).collect();
    assert_eq!(told, all, "every one, once");
    scene.end()
}

fn speaks_well() -> Ended {
    let mut scene = Scene::proxied(quick()).live();
    scene.talk("one", 5);
    scene.proxy().end();
    scene.answered("one", 5);
    scene.bridge.wait_link("recruiter", "second session", 10, |link| link["attempts"] == 2 && link["state"] == "live");
    std::thread::sleep(Duration::from_secs(2));
    assert!(scene.bridge.terminate().success());
    let transcript = scene.proxy().transcript();
    for line in [1, 2] {
        let kinds: Vec<(Way, &str)> =
            transcript.iter().filter(|entry| entry.0 == line).map(|(_, way, kind)| (*way, kind.as_str())).collect();
        let sent: Vec<&str> = kinds.iter().filter(|(way, _)| *way == Way::ToGuild).map(|(_, kind)| *kind).collect();
        let pings = kinds.iter().filter(|kind| **kind == (Way::ToClient, "2")).count();
        let count = |kind: &str| sent.iter().filter(|sent| **sent == kind).count();
        assert!(sent.iter().all(|kind| ["40", "3", "42 join_channel", "41", "close"].contains(kind)), "{sent:?}");
        assert_eq!((count("40"), count("42 join_channel")), (1, 1), "{sent:?}");
        assert!(count("3") <= pings && count("3") + 1 >= pings, "{pings} pings: {sent:?}");
        assert_eq!(kinds.first(), Some(&(Way::ToClient, "0")), "it waits for the open packet");
    }
    scene.check();
    Ended::Well
}
