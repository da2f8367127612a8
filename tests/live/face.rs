//! The daemon's own face: commands, signals, exit codes, configuration faults, status.

use crate::guild::bridge::wait_for;
use crate::guild::{Fault, Options};
use crate::scene::{BRIDGE, Running, Scene};
use crate::{Ended, Scenario};
use rustix::process::Signal;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("send_posts_as_the_agent_and_says_what_became_of_it", 50, send),
    Scenario("send_to_a_guild_that_is_away_is_queued_and_stored_later", 50, send_queued),
    Scenario("tail_follows_what_passes", 30, tail),
    Scenario("the_log_tells_a_turn_in_two_lines_and_even_at_trace_no_token", 40, log_lines),
    Scenario("restart_reconnects_one_agent_and_leaves_the_others_alone", 30, restart),
    Scenario("reload_takes_a_new_agent_in_and_keeps_the_others_connections", 40, || reload(true)),
    Scenario("sighup_is_reload", 40, || reload(false)),
    Scenario("a_reload_says_what_it_will_change_first_and_a_dry_run_changes_nothing", 40, planned_reload),
    Scenario("a_bad_file_changes_nothing_and_says_so", 30, bad_reload),
    Scenario("sigterm_ends_it_with_0_and_what_was_open_is_answered_after_the_next_start", 40, sigterm),
    Scenario("a_second_copy_exits_75_and_names_the_pid", 20, second_copy),
    Scenario("a_configuration_fault_exits_78_and_names_file_line_and_field", 10, configuration_fault),
    Scenario("an_agent_without_a_usable_key_is_unbound_and_harms_nobody", 30, unbound),
    Scenario("status_answers_with_its_exit_code", 30, status_codes),
    Scenario("status_watch_redraws_in_place_and_outlives_the_daemon", 40, watch),
    Scenario("without_a_daemon_status_exits_69_and_wrong_usage_64", 10, no_daemon),
    Scenario("no_writable_state_is_a_mode_that_status_names", 30, no_state),
    Scenario("version_and_help_need_no_configuration", 10, version),
    Scenario("an_idle_link_over_tls_keeps_its_memory_within_bounds", 30, idle_memory),
];

fn send() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    let (code, out, err) = scene.bridge.call(&["send", "recruiter", "general", "of my own accord"]);
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, err) = scene.bridge.call(&["send", "recruiter", "acme.general", "and again"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(scene.replies(), ["of my own accord", "and again"]);
    let (code, out, err) = scene.bridge.call(&["send", "recruiter", "nowhere", "x"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!((out + &err).contains("nowhere"));
    scene.guild.set_fault_times(Fault::PostStatus(422, None), 1);
    assert_eq!(scene.bridge.call(&["send", "recruiter", "general", "refused"]).0, 1);
    scene.talk("hello", 5);
    scene.end()
}

fn send_queued() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.guild.stop(false);
    let (code, out, err) = scene.bridge.call(&["send", "recruiter", "general", "later"]);
    assert_eq!(code, 75, "{out}{err}");
    scene.guild.open();
    scene.wait_replies(1, 15);
    assert_eq!(scene.replies(), ["later"]);
    scene.bridge.wait_state("recruiter", "live", 10);
    scene.end()
}

fn tail() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    let mut child =
        scene.bridge.command(&["tail", "recruiter"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let tailing = Running(child);
    let (tells, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tells.send(line)));
    std::thread::sleep(Duration::from_millis(500));
    scene.talk("hello tail", 5);
    let mut lines = Vec::new();
    while let Ok(line) = hears.recv_timeout(Duration::from_secs(2)) {
        lines.push(line);
    }
    drop(tailing);
    assert!(lines.len() >= 2, "a line for the message and one for its answer: {lines:?}");
    assert!(lines.iter().any(|line| line.contains("general")), "{lines:?}");
    scene.end()
}

fn log_lines() -> Ended {
    let mut scene = Scene::new(Options { tls: true, ..Options::default() });
    let ca = scene.bridge.dir.file("ca.pem", 0o644, scene.guild.ca_pem());
    scene.bridge.config["guilds"]["acme"]["extra_ca"] = json!(ca);
    scene.bridge.log_level = "trace";
    let mut scene = scene.live();
    scene.talk("hello", 5);
    wait_for("the post's line", 5, || scene.bridge.log().contains("recruiter: deliver len=9"));
    let log = scene.bridge.log();
    assert!(log.contains("recruiter: dispatch") && log.contains("recruiter: joined 1 channel(s) on acme"), "{log}");
    for word in [" DEBUG ", " TRACE ", "Bearer", "guildAccessToken"] {
        assert!(!log.contains(word), "{word}: {log}");
    }
    scene.end()
}

fn two() -> Scene {
    let mut scene = Scene::new(Options::default());
    scene.guild.with(|guild, _| {
        guild.add_agent("helper", "Helper", "key-2");
        guild.channels.get_mut("general").unwrap().members.insert("helper".into());
    });
    scene.bridge.exec_agent("helper", "key-2", json!({"respond_to": "mentions"}));
    scene
}

fn restart() -> Ended {
    let mut scene = two().live();
    scene.bridge.wait_state("helper", "live", 10);
    let (code, out, err) = scene.bridge.call(&["restart", "recruiter"]);
    assert_eq!(code, 0, "{out}{err}");
    scene.bridge.wait_link("recruiter", "second attempt", 10, |link| link["attempts"] == 2 && link["state"] == "live");
    assert_eq!(scene.bridge.link("helper")["attempts"], 1);
    assert_eq!(scene.bridge.call(&["restart", "nobody"]).0, 1);
    scene.talk("hello", 5);
    scene.end()
}

fn reload(by_command: bool) -> Ended {
    let mut scene = two();
    let helper = scene.bridge.config["agents"].as_object_mut().unwrap().remove("helper").unwrap();
    let mut scene = scene.live();
    let reload = |scene: &Scene| {
        scene.bridge.write();
        match by_command {
            true => assert_eq!(scene.bridge.call(&["reload"]).0, 0),
            false => scene.bridge.signal(Signal::HUP),
        }
    };
    scene.bridge.config["agents"]["helper"] = helper;
    reload(&scene);
    scene.bridge.wait_state("helper", "live", 10);
    assert_eq!(scene.bridge.link("recruiter")["attempts"], 1, "its connection was kept");
    scene.bridge.config["agents"].as_object_mut().unwrap().remove("helper");
    reload(&scene);
    scene.bridge.wait_link("helper", "end of the helper's link", 8, serde_json::Value::is_null);
    assert_eq!(scene.bridge.link("recruiter")["attempts"], 1, "its connection was kept");
    scene.talk("hello", 5);
    scene.end()
}

fn planned_reload() -> Ended {
    let mut scene = two().live();
    scene.bridge.wait_state("helper", "live", 10);
    scene.bridge.config["agents"]["recruiter"]["id"] = serde_json::json!("helper");
    scene.bridge.config["agents"]["recruiter"]["key_file"] =
        scene.bridge.config["agents"]["helper"]["key_file"].clone();
    scene.bridge.config["agents"].as_object_mut().unwrap().remove("helper");
    scene.bridge.write();
    let will =
        "will remove helper: its open turns have 5 s\nwill change recruiter: reconnects in acme (id, key, key_file)\n";
    assert_eq!(scene.bridge.call(&["reload", "--dry-run"]), (0, will.to_owned(), String::new()));
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!((scene.number("attempts"), scene.bridge.link("helper")["state"].as_str()), (1, Some("live")));
    assert!(!scene.bridge.log().contains("reload: "), "a plan alone is not logged as a reload");
    let said = format!("{will}changed recruiter; removed helper\n");
    assert_eq!(scene.bridge.call(&["reload"]), (0, said, String::new()));
    scene.wait_number("attempts", 2, 10);
    let log = scene.bridge.log();
    let at = |words: &str| log.find(words).unwrap_or_else(|| panic!("no {words:?} in the log:\n{log}"));
    assert!(
        at("reload: will remove helper") < at("reload: will change recruiter: reconnects in acme (id, key, key_file)")
    );
    assert!(at("reload: will change recruiter") < at("reload: changed recruiter; removed helper"));
    scene.end()
}

fn bad_reload() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.bridge.dir.file(
        "config.json",
        0o644,
        "{\n  \"guilds\": {},\n  \"agents\": {\"recruiter\": {\"gild\": \"acme\"}}\n}",
    );
    let (code, out, err) = scene.bridge.call(&["reload"]);
    let said = out + &err;
    assert!(code != 0 && said.contains("gild"), "{code}: {said}");
    scene.bridge.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(500));
    scene.talk("still the old one", 5);
    assert_eq!(scene.number("attempts"), 1);
    scene.end()
}

fn sigterm() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.talk("before", 5);
    scene.say("slow 6000");
    wait_for("open turn", 5, || scene.bridge.turns("recruiter").len() == 2);
    scene.say("behind it");
    let started = std::time::Instant::now();
    let status = scene.bridge.terminate();
    assert_eq!(status.code(), Some(0), "{}", scene.bridge.tail());
    assert!(started.elapsed() < Duration::from_secs(6));
    scene.bridge.spawn();
    scene.answered("behind it", 25);
    assert_eq!(scene.replies(), ["re: before", "re: slow 6000", "re: behind it"]);
    scene.end()
}

fn second_copy() -> Ended {
    let scene = Scene::new(Options::default()).live();
    let (code, out, err) = scene.bridge.call(&["run"]);
    assert_eq!(code, 75, "{out}{err}");
    let pid = scene.bridge.pid().unwrap().to_string();
    assert!(err.contains(&pid), "it names {pid}: {err}");
    scene.end()
}

fn configuration_fault() -> Ended {
    let mut scene = Scene::new(Options::default());
    let text = "{\n  // a comment\n  \"guilds\": {\"acme\": {\"dialect\": \"fabric\", \"url\": \"http://127.0.0.1:1\"}},\n  \"agents\": {\n    \"recruiter\": {\n      \"guild\": \"acme\",\n      \"key_fil\": \"/nowhere\",\n      \"answer\": {\"exec\": []},\n    },\n  },\n}\n";
    let path = scene.bridge.dir.file("config.json", 0o644, text);
    for command in ["check", "run"] {
        let (code, out, err) = scene.bridge.call(&[command]);
        let said = out + &err;
        assert_eq!(code, 78, "{command}: {said}");
        for wanted in
            [&format!("{}:7", path.display()), "key_fil", "key_file", &format!("{}:8", path.display()), "exec"]
        {
            assert!(said.contains(wanted), "{command} does not say {wanted}: {said}");
        }
    }
    scene.bridge.kill();
    Ended::Well
}

fn unbound() -> Ended {
    let scene = two();
    let key = scene.bridge.dir.file("key-helper", 0o644, "key-2");
    scene.bridge.write();
    let (code, out, err) = scene.bridge.call(&["check"]);
    let said = out + &err;
    assert_eq!(code, 78, "{said}");
    assert!(said.contains(&format!("chmod 600 {}", key.display())) && said.contains("0644"), "{said}");
    let mut scene = scene.live();
    let link = scene.bridge.wait_state("helper", "unbound", 5);
    assert_eq!(link["reason"], "cfg.key_file", "{link}");
    assert_eq!(link["attempts"], 0);
    scene.talk("hello", 5);
    assert_eq!(scene.bridge.call(&["status", "--check", "local"]).0, 0, "the daemon is healthy");
    scene.end()
}

fn status_codes() -> Ended {
    let scene = Scene::new(Options::default());
    scene.guild.set_fault(Fault::MintStatus(500, None));
    let mut scene = scene.started();
    scene.bridge.wait_reason("recruiter", &["http.status"], 8);
    assert_eq!(scene.bridge.call(&["status", "--check", "guild"]).0, 1);
    assert_eq!(scene.bridge.call(&["status", "--wait", "1"]).0, 1);
    scene.guild.clear_faults();
    let (code, out, err) = scene.bridge.call(&["status", "--wait", "10"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(scene.bridge.call(&["status", "--check", "guild"]).0, 0);
    let (code, out, _) = scene.bridge.call(&["status"]);
    assert!(code == 0 && out.contains("recruiter") && out.contains("live"), "{out}");
    scene.end()
}

fn no_daemon() -> Ended {
    let scene = Scene::new(Options::default());
    scene.bridge.write();
    let (code, out, err) = scene.bridge.call(&["status"]);
    assert_eq!(code, 69, "{out}{err}");
    assert_eq!(scene.bridge.call(&["stauts"]).0, 64);
    Ended::Well
}

fn no_state() -> Ended {
    let scene = Scene::new(Options::default());
    scene.bridge.dir.file("state", 0o644, "a file where a directory was due");
    let mut scene = scene.live();
    let status = scene.bridge.status();
    assert_eq!(status["process"]["state_mode"], "none", "{status}");
    assert!(!status["process"]["state_detail"].as_str().unwrap().is_empty());
    scene.talk("hello", 5);
    scene.end()
}

fn version() -> Ended {
    let call = |argument: &str| {
        let out = Command::new(BRIDGE).arg(argument).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let (code, text) = call("--version");
    assert!(code == Some(0) && text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    let (code, text) = call("--help");
    assert!(code == Some(0) && ["run", "check", "status", "send", "tail"].iter().all(|c| text.contains(c)), "{text}");
    Ended::Well
}

fn idle_memory() -> Ended {
    let mut scene = Scene::new(Options { tls: true, ping_interval_ms: 500, ..Options::default() });
    let ca = scene.bridge.dir.file("ca.pem", 0o644, scene.guild.ca_pem());
    scene.bridge.config["guilds"]["acme"]["extra_ca"] = json!(ca);
    let mut scene = scene.live();
    scene.talk("hello", 5);
    std::thread::sleep(Duration::from_secs(5));
    let Some((peak, own)) = scene.bridge.memory_kb() else { return Ended::Skipped("no /proc here".into()) };
    println!("  idle over TLS: VmHWM {peak} kB, RssAnon {own} kB (this build, not the release)");
    scene.end()
}

/// On a terminal of 100 columns.
fn watch() -> Ended {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let mut scene = Scene::new(Options::default()).live();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it can be used");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name").into_string().unwrap();
    let side = std::fs::OpenOptions::new().read(true).write(true).open(name).expect("its other side");
    let size = rustix::termios::Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&side, size).expect("it takes a size");
    let mut command = scene.bridge.command(&["status", "--watch"]);
    command.env_remove("NO_COLOR").env("TERM", "xterm").stdin(Stdio::null()).stdout(side).stderr(Stdio::null());
    let _watching = Running(command.spawn().expect("it starts"));
    drop(command);
    let mut reader = std::fs::File::from(terminal);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let sink = seen.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = std::io::Read::read(&mut reader, &mut bytes) {
            sink.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    });
    let shows = |what: &str| seen.lock().unwrap().rsplit("\x1b[H").nth(1).is_some_and(|frame| frame.contains(what));
    wait_for("a live link in green", 8, || shows("recruiter in acme: \x1b[32mlive\x1b[0m"));
    wait_for("a third frame", 8, || seen.lock().unwrap().matches("\x1b[H").count() >= 3);
    scene.bridge.signal(Signal::STOP);
    wait_for("the daemon's silence", 15, || shows("the daemon does not answer within 2 s"));
    scene.bridge.signal(Signal::CONT);
    wait_for("its answer", 8, || shows("\x1b[32mlive\x1b[0m"));
    scene.bridge.kill();
    wait_for("the daemon's absence", 8, || shows("no daemon answers at"));
    scene.bridge.spawn();
    wait_for("its return", 12, || shows("recruiter in acme: \x1b[32mlive\x1b[0m"));
    scene.end()
}
