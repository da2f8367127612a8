//! `doctor`: for each fault of the table it names the step and the reason within 30 s, says what mends it, and leaves a
//! daemon that runs alone.

use crate::guild::authority::Authority;
use crate::guild::bridge::{Bridge, Dir, wait_for};
use crate::guild::gate::{Gate, Shows};
use crate::guild::hostile::{Bad, Leg};
use crate::guild::{Fault, Options, Rejection};
use crate::scene::{BRIDGE, Running, Scene, options};
use crate::{Ended, Scenario};
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("doctor_names_step_and_reason_of_each_fault_within_30_s", 300, each_fault),
    Scenario("doctor_walks_a_good_link_whole_and_leaves_the_daemon_alone", 60, good_link),
    Scenario("doctor_says_what_it_saw_what_it_means_and_what_mends_it", 30, words),
    Scenario("doctor_does_not_take_a_silent_guild_for_a_good_one", 40, silent_guild),
    Scenario("doctor_tells_the_clock_and_the_certificate_that_end_soon", 40, soon),
    Scenario("doctor_tells_what_an_agent_writes_that_cannot_be_read_and_takes_its_answer", 30, odd_agent),
    Scenario("doctor_that_is_interrupted_leaves_no_agent_behind", 30, interrupted),
    Scenario("doctor_does_not_blame_a_guild_whose_tokens_live_shortly", 60, short_life),
    Scenario("doctor_tells_a_link_that_the_daemon_still_refuses_with_its_old_key", 40, old_key),
    Scenario("doctor_walks_links_side_by_side_and_tells_them_in_order", 60, side_by_side),
    Scenario("doctor_of_an_agent_without_a_channel_says_what_could_not_be_tried", 30, no_channel),
    Scenario("doctor_of_root_walks_as_the_user_of_the_daemon", 30, of_root),
    Scenario("doctor_leaves_an_agent_that_connects_by_itself_to_the_daemon", 30, socket_agent),
];

/// Makes a scene wrong; what it returns has to live as long as the walk.
type Wrong = fn(&mut Scene) -> Option<Gate>;

const PAGE: &str = "<!doctype html><title>Hotel Wi-Fi</title><p>Please sign in.";
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// What is wrong, the step that finds it, its reason.
const FAULTS: &[(&str, Wrong, &str, &str)] = &[
    ("no key file", |s| agent(s, "key_file", json!("/nonexistent/key")), "key", "cfg.key_file"),
    ("a key file that others may read", readable_key, "key", "cfg.key_file"),
    ("an empty key file", empty_key, "key", "cfg.key_file"),
    ("a name that does not resolve", |s| hosts(s, "https://no-such-name.invalid"), "dns", "net.dns"),
    ("nobody listens", |s| hosts(s, "http://127.0.0.1:1"), "tcp", "net.refused"),
    (
        "a certificate that is over",
        |s| tls(s, |p| p.not_after = rcgen::date_time_ymd(2020, 1, 1)),
        "tls",
        "tls.expired",
    ),
    (
        "a certificate that begins later",
        |s| tls(s, |p| p.not_before = rcgen::date_time_ymd(2090, 1, 1)),
        "tls",
        "tls.not_yet",
    ),
    ("a certificate for another host", other_host, "tls", "tls.name"),
    ("a certificate of another authority", other_authority, "tls", "tls.unknown_ca"),
    (
        "plain text where TLS was due",
        |s| gate(s, Shows::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\nplain")),
        "tls",
        "tls.failed",
    ),
    ("a TLS handshake that is never answered", |s| gate(s, Shows::Silence), "tls", "net.timeout"),
    ("a key that is refused", refused_key, "mint", "auth.key_refused"),
    ("a mint of 500", |s| fault(s, Fault::MintStatus(500, None)), "mint", "http.status"),
    ("a mint that asks to wait", |s| fault(s, Fault::MintStatus(503, Some("60".into()))), "mint", "rate.limited"),
    ("a mint of 502", |s| fault(s, Fault::MintStatus(502, None)), "mint", "guild.restarting"),
    ("a mint of no JSON", |s| fault(s, Fault::MintGarbage), "mint", "http.body"),
    ("a captive portal", |s| fault(s, Fault::MintPage), "mint", "http.portal"),
    (
        "a portal that redirects",
        |s| bad(s, Leg::Mint, Bad::status("302 Found", "location: http://portal.invalid/\r\n")),
        "mint",
        "http.portal",
    ),
    ("a mint that never answers", |s| bad(s, Leg::Mint, Bad::Hole), "mint", "net.timeout"),
    ("a mint that hangs up", |s| bad(s, Leg::Mint, Bad::Cut), "mint", "net.closed"),
    (
        "what is not HTTP",
        |s| bad(s, Leg::Mint, Bad::Says(b"220 mail.example ESMTP\r\n".to_vec())),
        "mint",
        "net.protocol",
    ),
    ("a mint that answers from a cache", |s| fault(s, Fault::MintSameToken), "mint", "auth.cached_token"),
    ("a network that wants a login", |s| fault(s, Fault::MintStatus(511, None)), "mint", "http.portal"),
    ("a proxy that wants a login", |s| fault(s, Fault::MintStatus(407, None)), "mint", "http.portal"),
    ("a wrong path", |s| guild(s, "paths", json!({"socket": "/nowhere/"})), "websocket", "cfg.path"),
    ("a proxy that knows no WebSocket", |s| upgrade(s, "426 Upgrade Required"), "websocket", "cfg.transport"),
    ("a proxy that takes the Upgrade away", upgrade_lost, "websocket", "cfg.transport"),
    ("a WebSocket server of another kind", another_kind, "engine.io", "net.protocol"),
    ("a server that only polls", polling_only, "websocket", "cfg.transport"),
    ("a proxy whose guild is down", |s| upgrade(s, "502 Bad Gateway"), "websocket", "guild.restarting"),
    ("an upgrade that is refused", |s| upgrade(s, "403 Forbidden"), "websocket", "auth.connect_error"),
    (
        "a web page instead of the upgrade",
        |s| bad(s, Leg::Upgrade, Bad::answer("200 OK", "text/html", PAGE)),
        "websocket",
        "http.portal",
    ),
    ("an upgrade that never comes", |s| bad(s, Leg::Upgrade, Bad::Hole), "websocket", "net.timeout"),
    ("a namespace that is not there", |s| guild(s, "namespace", json!("/nowhere")), "connect", "cfg.namespace"),
    ("a token that is refused", |s| fault(s, Fault::Reject(Rejection::ConnectError)), "connect", "auth.connect_error"),
    ("a CONNECT that is never answered", |s| fault(s, Fault::ConnectSilence), "connect", "net.timeout"),
    ("a soft 41", |s| fault(s, Fault::Reject(Rejection::Soft41)), "connect", "auth.disconnected"),
    ("a 41 and a close", |s| fault(s, Fault::Reject(Rejection::Close41)), "connect", "auth.disconnected"),
    ("a list of 500", |s| fault(s, Fault::ChannelsStatus(500)), "channels", "http.status"),
    ("a list behind a portal", |s| fault(s, Fault::ChannelsPage), "channels", "http.portal"),
    ("calls that get 401", |s| fault(s, Fault::Unauthorized), "channels", "auth.http_401"),
    ("a join that is denied", |s| fault(s, Fault::Reject(Rejection::AckNo)), "join", "auth.denied_channel"),
    (
        "a join answered by an exception",
        |s| fault(s, Fault::Reject(Rejection::Exception)),
        "join",
        "auth.denied_channel",
    ),
    ("a history of 500", |s| fault(s, Fault::HistoryStatus(500)), "history", "http.status"),
    (
        "a history behind a portal",
        |s| bad(s, Leg::History, Bad::answer("200 OK", "text/html", PAGE)),
        "history",
        "http.portal",
    ),
    ("no such program", |s| exec(s, &["/nonexistent/agent"]), "agent", "agent.missing"),
    ("an agent that fails", |s| exec(s, &["/bin/sh", "-c", "echo broken >&2; exit 3"]), "agent", "agent.failed"),
    ("an agent that sleeps", |s| exec(s, &["/bin/sleep", "60"]), "agent", "agent.timeout"),
    ("an agent of which nobody listens", http_agent, "agent", "agent.missing"),
];

fn guild(scene: &mut Scene, field: &str, value: Value) -> Option<Gate> {
    scene.bridge.config["guilds"]["acme"][field] = value;
    None
}

fn agent(scene: &mut Scene, field: &str, value: Value) -> Option<Gate> {
    scene.bridge.config["agents"]["recruiter"][field] = value;
    None
}

fn hosts(scene: &mut Scene, url: &str) -> Option<Gate> {
    guild(scene, "center", json!(url));
    guild(scene, "url", json!(url))
}

fn fault(scene: &mut Scene, fault: Fault) -> Option<Gate> {
    scene.guild.set_fault(fault);
    None
}

fn bad(scene: &mut Scene, leg: Leg, bad: Bad) -> Option<Gate> {
    scene.proxy().by_request();
    scene.proxy().make_bad(leg, bad);
    None
}

fn upgrade(scene: &mut Scene, status: &str) -> Option<Gate> {
    bad(scene, Leg::Upgrade, Bad::status(status, ""))
}

/// As engine.io 6 answers a request for its websocket transport that is no upgrade.
fn upgrade_lost(scene: &mut Scene) -> Option<Gate> {
    bad(
        scene,
        Leg::Upgrade,
        Bad::answer("400 Bad Request", "application/json", r#"{"code":3,"message":"Bad request"}"#),
    )
}

/// It says `hello`.
fn another_kind(scene: &mut Scene) -> Option<Gate> {
    bad(scene, Leg::Upgrade, Bad::DripsFrames(b"\x81\x05hello".to_vec(), 1))
}

fn polling_only(scene: &mut Scene) -> Option<Gate> {
    let body = r#"{"code":0,"message":"Transport unknown"}"#;
    bad(scene, Leg::Upgrade, Bad::answer("400 Bad Request", "application/json", body))
}

fn exec(scene: &mut Scene, argv: &[&str]) -> Option<Gate> {
    agent(scene, "answer", json!({"exec": argv, "stdin": "text"}));
    agent(scene, "deadline_s", json!(2))
}

fn http_agent(scene: &mut Scene) -> Option<Gate> {
    agent(scene, "answer", json!({"http": "http://127.0.0.1:1/answer"}))
}

fn readable_key(scene: &mut Scene) -> Option<Gate> {
    let key = scene.bridge.dir.file("readable", 0o644, "key-1");
    agent(scene, "key_file", json!(key))
}

fn empty_key(scene: &mut Scene) -> Option<Gate> {
    let key = scene.bridge.dir.file("empty", 0o600, "\n");
    agent(scene, "key_file", json!(key))
}

fn refused_key(scene: &mut Scene) -> Option<Gate> {
    scene.guild.with(|guild, _| guild.refuse_agent("recruiter"));
    None
}

fn tls(scene: &mut Scene, change: fn(&mut rcgen::CertificateParams)) -> Option<Gate> {
    let authority = Authority::new();
    let ca = scene.bridge.dir.file("ca.pem", 0o644, &authority.pem);
    guild(scene, "extra_ca", json!(ca));
    gate(scene, Shows::Certificate(authority.server(&NAMES, change)))
}

fn other_host(scene: &mut Scene) -> Option<Gate> {
    tls(scene, |params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("elsewhere.example".try_into().unwrap())];
    })
}

fn other_authority(scene: &mut Scene) -> Option<Gate> {
    gate(scene, Shows::Certificate(Authority::new().server(&NAMES, |_| {})))
}

fn gate(scene: &mut Scene, shows: Shows) -> Option<Gate> {
    let gate = Gate::before(scene.proxy().port(), shows);
    hosts(scene, &gate.url());
    Some(gate)
}

/// A scene whose every request passes the proxy; no daemon runs.
fn scene() -> Scene {
    let mut scene = Scene::proxied(Options::default());
    let url = scene.proxy().url();
    hosts(&mut scene, &url);
    scene
}

/// `doctor --json`: its exit code and what it found.
fn walked(scene: &Scene) -> (i32, Value) {
    let (code, out, err) = scene.bridge.call(&["doctor", "--json"]);
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("no JSON ({error}): {out}{err}")))
}

fn steps(found: &Value) -> Vec<Value> {
    found
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|walk| walk["steps"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// The first of this name.
fn step(found: &Value, name: &str) -> Value {
    let step = steps(found).into_iter().find(|step| step["step"] == name);
    step.unwrap_or_else(|| panic!("no step {name}: {found}"))
}

fn each_fault() -> Ended {
    let (next, failures) = (Mutex::new(0..FAULTS.len()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(at) = next.lock().unwrap().next() {
                    if let Err(what) = one_fault(at) {
                        failures.lock().unwrap().push(format!("{}: {what}", FAULTS[at].0));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {} faults:\n{}", failures.len(), FAULTS.len(), failures.join("\n"));
    Ended::Well
}

fn one_fault(at: usize) -> Result<(), String> {
    let (_, make_wrong, step, reason) = FAULTS[at];
    let mut scene = scene();
    let _gate = make_wrong(&mut scene);
    scene.bridge.write();
    let begun = Instant::now();
    let (code, found) = walked(&scene);
    let took = begun.elapsed();
    let steps = steps(&found);
    let failed: Vec<&Value> = steps.iter().filter(|found| found["verdict"] == "failed").collect();
    let [failure] = failed[..] else { return Err(format!("{} steps failed: {found}", failed.len())) };
    if failure["step"] != step || failure["reason"] != reason {
        return Err(format!("{step} {reason} was due: {failure}"));
    }
    let said = |field: &str| failure[field].as_str().is_some_and(|text| text.len() > 10);
    if code != 1 || !["seen", "means", "mend"].into_iter().all(said) {
        return Err(format!("exit code {code}: {failure}"));
    }
    if took > Duration::from_secs(30) {
        return Err(format!("it took {took:?}"));
    }
    if scene.guild.with(|guild, _| guild.offered_twice()) != 0 {
        return Err("a token was offered twice".into());
    }
    Ok(())
}

fn good_link() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.talk("before", 10);
    let (code, found) = walked(&scene);
    assert_eq!(code, 0, "{found}");
    let walked: Vec<String> =
        steps(&found).iter().map(|s| format!("{} {}", s["step"], s["verdict"]).replace('"', "")).collect();
    let wanted = "key ok|clock ok|dns ok|tcp ok|mint ok|clock ok|websocket ok|engine.io ok|connect ok|channels \
        ok|join ok|history ok|post untried|daemon ok|agent ok|daemon ok";
    assert_eq!(walked.join("|"), wanted);
    scene.talk("after", 10);
    assert_eq!(scene.number("attempts"), 1, "the daemon's own link stayed");
    assert_eq!(scene.replies(), ["re: before", "re: after"], "nothing of the walk was posted");
    scene.end()
}

/// Nothing proves the join, so that it is waited for longer than the first token lives.
fn short_life() -> Ended {
    let scene = Scene::new(options(|guild| guild.token_life_ms = 4_000));
    scene.guild.set_fault(Fault::NoAcks);
    scene.bridge.write();
    let (code, found) = walked(&scene);
    assert!(code == 0 && step(&found, "history")["verdict"] == "ok", "{found}");
    Ended::Well
}

/// The agent says who it runs as, and the key file is readable by that user alone.
fn of_root() -> Ended {
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        return Ended::Skipped("only root can start a daemon of another user".to_owned());
    }
    let guild = crate::scene::small(Options::default());
    let place = Dir::new();
    let program = place.0.join("guild-bridge");
    std::fs::copy(BRIDGE, &program).expect("the program can be copied");
    let mut bridge = Bridge::new(program, &guild.url());
    bridge.agent("recruiter", "key-1", json!({"exec": ["/usr/bin/id", "-u"]}), json!({}));
    for path in [bridge.dir.0.clone(), bridge.dir.0.join("key-recruiter")] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root gives files away");
    }
    bridge.uid = Some(NOBODY);
    bridge.start();
    bridge.wait_state("recruiter", "live", 10);
    let (code, out, err) = bridge.call(&["doctor"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("it answered a test line: 65534"), "{out}");
    std::os::unix::fs::chown(bridge.dir.0.join("key-recruiter"), Some(0), Some(0)).expect("root takes it back");
    let (code, out, _) = bridge.call(&["doctor"]);
    assert!(code == 1 && out.contains("cfg.key_file"), "what root alone can read is no key of the daemon: {out}");
    Ended::Well
}

fn words() -> Ended {
    let scene = Scene::new(Options::default());
    scene.guild.with(|guild, _| guild.refuse_agent("recruiter"));
    scene.bridge.write();
    let (code, out, err) = scene.bridge.call(&["doctor", "recruiter"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    for said in [
        "recruiter in acme:\n",
        &format!("auth.key_refused: the mint at {} answered 401\n", scene.guild.url()),
        "it means: the guild refuses who this agent says it is, or its key or password\n",
        "to mend it: correct agents.recruiter.id, or write the agent's key into ",
    ] {
        assert!(out.contains(said), "{said:?} is missing:\n{out}");
    }
    assert!(!out.contains("key-1"), "{out}");
    let (code, _, err) = scene.bridge.call(&["doctor", "nobody"]);
    assert!(code == 64 && err.contains("has no agent nobody"), "{code} {err}");
    Ended::Well
}

/// The rejection that this program exists for: everything is answered, and nothing will ever be heard.
fn silent_guild() -> Ended {
    let mut scene = scene();
    fault(&mut scene, Fault::Reject(Rejection::Silent));
    scene.bridge.write();
    let (code, found) = walked(&scene);
    let join = step(&found, "join");
    assert!(join["verdict"] == "look" && code == 0, "{code} {join}");
    assert!(join["seen"].as_str().is_some_and(|seen| seen.contains("nothing was said yet that could prove")), "{join}");
    Ended::Well
}

fn no_channel() -> Ended {
    let scene = Scene::new(Options::default());
    scene.guild.with(|guild, _| guild.remove_channel("general"));
    scene.bridge.write();
    let (code, found) = walked(&scene);
    let channels = step(&found, "channels");
    assert!(code == 0 && channels["verdict"] == "look", "{code} {channels}");
    assert!(channels["seen"].as_str().is_some_and(|seen| seen.contains("make it a member")), "{channels}");
    for name in ["join", "history", "post"] {
        assert_eq!(step(&found, name)["seen"], "there is no channel to try it in");
    }
    Ended::Well
}

/// A walk goes by what the files say now, the daemon by what it read.
fn old_key() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.guild.with(|guild, _| guild.refuse_agent("recruiter"));
    scene.bridge.start();
    scene.bridge.wait_state("recruiter", "refused", 10);
    scene.guild.with(|guild, _| guild.add_agent("recruiter", "Recruiter", "key-1"));
    let (code, found) = walked(&scene);
    let daemon = step(&found, "daemon");
    assert!(code == 1 && daemon["reason"] == "auth.key_refused", "{code} {daemon}");
    assert!(
        daemon["seen"].as_str().is_some_and(|seen| seen.starts_with("the daemon that runs says refused")),
        "{daemon}"
    );
    assert!(daemon["mend"].as_str().is_some_and(|mend| mend.contains("guild-bridge reload")), "{daemon}");
    assert_eq!(scene.bridge.call(&["restart", "recruiter"]).0, 0);
    scene.bridge.wait_state("recruiter", "live", 10);
    let (code, found) = walked(&scene);
    assert!(code == 0 && step(&found, "daemon")["verdict"] == "ok", "{code} {found}");
    scene.end()
}

/// Nothing proves a join, so that each walk waits 8 s for it.
fn side_by_side() -> Ended {
    const AGENTS: usize = 12;
    let mut scene = Scene::new(Options::default());
    scene.guild.set_fault(Fault::NoAcks);
    let names: Vec<String> = (0..AGENTS).map(|n| format!("agent-{n:02}")).collect();
    for name in &names {
        scene.guild.with(|guild, _| {
            guild.add_agent(name, name, "key-1");
            guild.add_channel(name, "channel", &[name]);
        });
        scene.bridge.agent(name, "key-1", json!({"exec": ["/bin/cat"], "stdin": "text"}), json!({}));
    }
    scene.bridge.write();
    let begun = Instant::now();
    let (code, out, err) = scene.bridge.call(&["doctor"]);
    let took = begun.elapsed();
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(took < Duration::from_secs(30), "{AGENTS} walks took {took:?}, one takes 8 s");
    let titles: Vec<&str> = out.lines().filter(|line| !line.starts_with(' ')).collect();
    let walks = names.iter().map(String::as_str).chain(["recruiter"]);
    let mut wanted: Vec<String> =
        walks.flat_map(|name| [format!("{name} in acme:"), format!("{name} itself:")]).collect();
    wanted.push(format!("none of {} walks failed", 2 * (AGENTS + 1)));
    assert_eq!(titles, wanted);
    Ended::Well
}

fn soon() -> Ended {
    let mut scene = scene();
    let in_days = |days: u64| std::time::SystemTime::now() + Duration::from_secs(days * 86_400);
    let day = humantime::format_rfc3339(in_days(6)).to_string();
    let part = |range: std::ops::Range<usize>| day[range].parse::<u16>().unwrap();
    let (year, month, day) = (i32::from(part(0..4)), part(5..7) as u8, part(8..10) as u8);
    let authority = Authority::new();
    let config = authority.server(&NAMES, |params| params.not_after = rcgen::date_time_ymd(year, month, day));
    let ca = scene.bridge.dir.file("ca.pem", 0o644, &authority.pem);
    guild(&mut scene, "extra_ca", json!(ca));
    let _gate = gate(&mut scene, Shows::Certificate(config));
    scene.bridge.write();
    let (code, found) = walked(&scene);
    let tls = step(&found, "tls");
    assert!(tls["verdict"] == "look" && code == 0, "{code} {tls}");
    assert!(tls["seen"].as_str().is_some_and(|seen| seen.contains("good for 5 more day(s)")), "{tls}");
    Ended::Well
}

fn interrupted() -> Ended {
    use rustix::process::{Pid, Signal, test_kill_process};
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut scene = Scene::new(Options::default());
        let note = scene.bridge.dir.0.join("pid");
        exec(&mut scene, &["/bin/sh", "-c", &format!("echo $$ >{0}.new; mv {0}.new {0}; sleep 60", note.display())]);
        agent(&mut scene, "deadline_s", json!(60));
        scene.bridge.write();
        let mut doctor = scene.bridge.command(&["doctor"]);
        let mut doctor = Running(doctor.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"));
        wait_for("the agent to be asked", 10, || note.exists());
        let started =
            std::fs::read_to_string(&note).unwrap().trim().parse().ok().and_then(Pid::from_raw).expect("a pid");
        doctor.signal(signal);
        assert_eq!(doctor.ended(10), Some(1), "{signal:?}");
        wait_for("the agent's end", 5, || test_kill_process(started).is_err());
    }
    Ended::Well
}

fn odd_agent() -> Ended {
    let mut scene = Scene::new(Options::default());
    exec(&mut scene, &["/bin/printf", "hello \\377"]);
    scene.bridge.write();
    let (code, found) = walked(&scene);
    let asked = step(&found, "agent");
    assert!(code == 0 && asked["verdict"] == "look", "{code} {asked}");
    let seen = asked["seen"].as_str().unwrap_or_default();
    assert!(seen.contains("it answered a test line: hello") && seen.contains("agent.garbled"), "{seen}");
    Ended::Well
}

fn socket_agent() -> Ended {
    let mut scene = Scene::new(Options::default());
    let path = scene.bridge.dir.0.join("agent.sock");
    agent(&mut scene, "answer", json!({"socket": path}));
    scene.bridge.write();
    let (code, found) = walked(&scene);
    let asked = step(&found, "agent");
    assert!(code == 0 && asked["verdict"] == "untried", "{code} {asked}");
    assert!(!path.exists(), "{BRIDGE} doctor opens no socket of the daemon's");
    Ended::Well
}
