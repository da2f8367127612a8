//! TLS as it fails in the field, on both legs: the mint's (`center`) and the guild's own (`url`: the WebSocket first). A
//! gate before the plain guild shows what a row of the table says; once it shows a good certificate, all is well again.

use crate::guild::authority::Authority;
use crate::guild::bridge::wait_for;
use crate::guild::gate::{Gate, Shows};
use crate::guild::hostile::{Bad, Leg};
use crate::guild::{Guild, Options};
use crate::scene::{Scene, words};
use crate::{Ended, Scenario};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_certificate_that_is_over_is_tls_expired_on_both_legs", 60, || {
        certificate("tls.expired", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))
    }),
    Scenario("a_certificate_that_begins_later_is_tls_not_yet_on_both_legs", 60, || {
        certificate("tls.not_yet", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1))
    }),
    Scenario("a_certificate_for_another_host_is_tls_name_on_both_legs", 60, || {
        let other = rcgen::SanType::DnsName("elsewhere.example".try_into().unwrap());
        certificate("tls.name", move |params| params.subject_alt_names = vec![other])
    }),
    Scenario("a_certificate_of_another_authority_is_tls_unknown_ca_on_both_legs", 60, || {
        fails("tls.unknown_ca", |_| Shows::Certificate(Authority::new().server(&NAMES, |_| {})))
    }),
    Scenario("a_handshake_that_is_never_answered_is_net_timeout_on_both_legs", 60, || {
        fails("net.timeout", |_| Shows::Silence)
    }),
    Scenario("garbage_instead_of_tls_is_tls_failed_on_both_legs", 60, || {
        fails("tls.failed", |_| Shows::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\nplain"))
    }),
    Scenario("a_body_that_ends_without_close_notify_is_not_taken_for_whole", 60, no_goodbye),
    Scenario("a_clock_at_1970_is_said_and_waited_for", 600, clock_at_1970),
    Scenario("a_clock_at_2099_is_tls_expired_until_it_is_set", 600, clock_at_2099),
];

const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

fn certificate(reason: &str, change: impl FnOnce(&mut rcgen::CertificateParams) + Clone + Sync) -> Ended {
    fails(reason, |authority| Shows::Certificate(authority.server(&NAMES, change.clone())))
}

/// A link that works meets this on one leg, and then on the other.
fn fails(reason: &str, bad: impl Fn(&Authority) -> Shows + Sync) -> Ended {
    std::thread::scope(|scope| {
        let legs = ["center", "url"].map(|leg| (leg, scope.spawn(|| fails_on(leg, reason, &bad))));
        for (leg, run) in legs {
            if let Err(payload) = run.join() {
                panic!("{leg}: {}", words(payload));
            }
        }
    });
    Ended::Well
}

fn fails_on(leg: &str, reason: &str, bad: &impl Fn(&Authority) -> Shows) {
    let authority = Authority::new();
    let good = Shows::Certificate(authority.server(&NAMES, |_| {}));
    let mut scene = Scene::proxied(Options::default());
    let gate = Gate::before(scene.proxy().port(), good.clone());
    let ca = scene.bridge.dir.file("ca.pem", 0o644, &authority.pem);
    scene.bridge.config["guilds"]["acme"]["extra_ca"] = json!(ca);
    scene.bridge.config["guilds"]["acme"][leg] = json!(gate.url());
    let mut scene = scene.live();
    scene.talk("before", 10);
    gate.show(bad(&authority));
    scene.proxy().close(Some(1012), "service restart");
    scene.say("meanwhile");
    let link = scene.bridge.wait_reason("recruiter", &[reason], 25);
    assert_ne!(link["state"], "live", "{link}");
    assert!(!link["detail"].as_str().unwrap_or_default().is_empty(), "a sentence beside it: {link}");
    let before = gate.came();
    std::thread::sleep(Duration::from_secs(3));
    assert!(gate.came() - before <= 4, "{} connections in 3 s", gate.came() - before);
    gate.show(good);
    scene.answered("meanwhile", 20);
    scene.bridge.wait_state("recruiter", "live", 15);
    scene.talk("after", 10);
    assert_eq!(scene.replies(), ["re: before", "re: meanwhile", "re: after"]);
    assert_eq!(scene.number("gaps"), 0, "{}", scene.bridge.tail());
    drop(scene.end());
}

/// Answers without a length, whole JSON, and an end that somebody else may have made: neither the token nor the empty
/// list is taken.
fn no_goodbye() -> Ended {
    let answers = [(Leg::Mint, r#"{"guildAccessToken":"gat.forged","expiresIn":900}"#), (Leg::Channels, "[]")];
    for (leg, body) in answers {
        let authority = Authority::new();
        let config = authority.server(&NAMES, |_| {});
        let mut scene = Scene::proxied(Options::default());
        scene.proxy().by_request();
        let gate = Gate::before(scene.proxy().port(), Shows::NoGoodbye(config));
        let ca = scene.bridge.dir.file("ca.pem", 0o644, &authority.pem);
        let acme = json!({"dialect": "fabric", "center": gate.url(), "url": gate.url(), "extra_ca": ca});
        scene.bridge.config["guilds"]["acme"] = acme;
        let mut scene = scene.live();
        scene.talk("before", 10);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        scene.proxy().make_bad(leg, Bad::Says([head, body].concat().into_bytes()));
        scene.proxy().close(Some(1012), "service restart");
        let link = scene.bridge.wait_reason("recruiter", &["net.closed"], 15);
        assert!(link["detail"].as_str().is_some_and(|detail| detail.contains("close_notify")), "{link}");
        scene.proxy().make_well();
        scene.talk("after", 20);
        assert!(!scene.bridge.log().contains("resync +0 -1"), "an empty list was believed:\n{}", scene.bridge.tail());
        drop(scene.end());
    }
    Ended::Well
}

fn clock_at_1970() -> Ended {
    clock_at("1970-01-02 00:00:00", |scene, gate| {
        let link = scene.bridge.wait_state("recruiter", "waiting_clock", 15);
        assert_eq!(link["reason"], "clock.unset", "{link}");
        assert!(link["detail"].as_str().is_some_and(|detail| detail.contains("1970-01-02")), "{link}");
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(scene.guild.calls(), Vec::<String>::new(), "no key is sent to whom nobody could check");
        assert!(gate.came() <= 5, "{} connections: no hot loop", gate.came());
    })
}

fn clock_at_2099() -> Ended {
    clock_at("2099-01-02 00:00:00", |scene, gate| {
        let link = scene.bridge.wait_reason("recruiter", &["tls.expired"], 15);
        assert_eq!(link["state"], "backoff", "{link}");
        let screen = scene.bridge.call(&["status"]).1;
        assert!(screen.contains("the server's certificate has expired, or the board's clock is ahead"), "{screen}");
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(scene.guild.calls(), Vec::<String>::new(), "a certificate that is over is never taken");
        assert!(gate.came() <= 6, "{} connections: no hot loop", gate.came());
    })
}

/// A daemon whose clock stands somewhere, before a guild with a certificate of these years; then the clock is set right.
/// libfaketime hooks the C library's clocks, so the daemon is built once more with rustix on the C library instead of the
/// kernel's own page.
fn clock_at(date: &str, sees: impl FnOnce(&mut Scene, &Gate)) -> Ended {
    let library = ["x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf", "."]
        .map(|triple| format!("/usr/lib/{triple}/faketime/libfaketime.so.1"));
    let Some(library) = library.into_iter().find(|path| Path::new(path).exists()) else {
        return Ended::Skipped("libfaketime is not installed (Debian: apt-get install faketime)".into());
    };
    let program = match build_on_the_c_library() {
        Ok(program) => program,
        Err(why) => return Ended::Skipped(why),
    };
    let authority = Authority::new();
    // valid since yesterday: a clock that stands still before that calls it not valid yet
    let yesterday = humantime::format_rfc3339(SystemTime::now() - Duration::from_secs(86_400)).to_string();
    let part = |range: std::ops::Range<usize>| yesterday[range].parse::<u16>().unwrap();
    let (year, month, day) = (i32::from(part(0..4)), part(5..7) as u8, part(8..10) as u8);
    let config = authority.server(&NAMES, |params| {
        params.not_before = rcgen::date_time_ymd(year, month, day);
        params.not_after = rcgen::date_time_ymd(2098, 1, 1);
    });
    let guild: Guild = crate::scene::small(Options::default());
    let gate = Gate::before(guild.port(), Shows::Certificate(config));
    let mut bridge = crate::guild::bridge::Bridge::new(program, &gate.url());
    bridge.exec_agent("recruiter", "key-1", json!({}));
    let ca = bridge.dir.file("ca.pem", 0o644, &authority.pem);
    bridge.config["guilds"]["acme"]["extra_ca"] = json!(ca);
    let clock = bridge.dir.file("clock", 0o644, &format!("{date}\n"));
    for (name, value) in [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ] {
        bridge.env.push((name.into(), value.into()));
    }
    let mut scene = Scene { bridge, proxy: None, guild }.started();
    sees(&mut scene, &gate);
    scene.bridge.dir.file("clock", 0o644, "+0\n");
    scene.bridge.wait_state("recruiter", "live", 20);
    scene.talk("hello", 10);
    let good = |link: &Value| link["state"] == "live";
    scene.bridge.wait_link("recruiter", "live", 5, good);
    wait_for("rest", 5, || scene.replies() == ["re: hello"]);
    scene.end()
}

fn build_on_the_c_library() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("on-libc");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut build = Command::new("nice");
    build.args(["-n", "10", &cargo, "build", "-q", "--locked", "--bin", "guild-bridge"]);
    build.args(["--features", "rustix/use-libc", "--config", "profile.dev.debug=0", "--target-dir"]).arg(&target);
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    match built {
        Ok(out) if out.status.success() => Ok(target.join("debug/guild-bridge")),
        Ok(out) => Err(format!("no daemon on the C library: {}", String::from_utf8_lossy(&out.stderr).trim())),
        Err(error) => Err(format!("cargo cannot be run: {error}")),
    }
}
