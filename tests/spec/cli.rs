use crate::folder::Folder;
use guild_bridge::io::clock;
use serde_json::{Value, from_str};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

const BRIDGE: &str = env!("CARGO_BIN_EXE_guild-bridge");

/// Runs the program; its exit code, standard output and standard error.
fn bridge(arguments: &[&str]) -> (i32, String, String) {
    told(Command::new(BRIDGE).args(arguments).output().unwrap())
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A daemon that reads one line of each client and answers with these lines, then keeps the connection for `stay`.
/// Joined, it says what it was asked.
struct Daemon {
    folder: Folder,
    asked: JoinHandle<Vec<String>>,
}

fn daemon(answers: &[&[&str]], stay: Duration) -> Daemon {
    let answers: Vec<Vec<String>> =
        answers.iter().map(|lines| lines.iter().map(ToString::to_string).collect()).collect();
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.path().join("control.sock")).unwrap();
    let serve = move |lines: &Vec<String>| {
        let (mut client, _) = listener.accept().unwrap();
        let mut asked = String::new();
        BufReader::new(&client).read_line(&mut asked).unwrap();
        // a client that asked nothing only wakes this up to end
        lines.iter().for_each(|line| drop(client.write_all(format!("{line}\n").as_bytes())));
        std::thread::sleep(stay);
        asked.trim_end().to_owned()
    };
    Daemon { folder, asked: std::thread::spawn(move || answers.iter().map(serve).collect()) }
}

impl Daemon {
    fn socket(&self) -> String {
        self.folder.path().join("control.sock").display().to_string()
    }

    /// Runs a command against it; what came of it, and the daemon's questions.
    fn answers(self, arguments: &[&str]) -> ((i32, String, String), Vec<String>) {
        let done = bridge(&[arguments, &["--socket", &self.socket()]].concat());
        // a client that asked less often than it might leaves the daemon waiting
        while !self.asked.is_finished() {
            let _ = UnixStream::connect(self.socket());
        }
        (done, self.asked.join().unwrap())
    }
}

#[test]
fn wrong_usage_exits_64_and_says_what_would_be_right() {
    for (arguments, wanted) in [
        (&[][..], "a command is missing"),
        (&["stauts"], "unknown command stauts (did you mean status?)"),
        (&["run", "--jsno"], "unknown option --jsno (did you mean --json?)"),
        (&["run", "now"], "run takes no `now`"),
        (&["check", "--json"], "--json goes with doctor, status, letters, letters show and budget, not with check"),
        (&["letters", "--wait", "1"], "--wait goes with status, not with letters"),
        (
            &["letters", "retry", "--json"],
            "--json goes with doctor, status, letters, letters show and budget, not with letters retry",
        ),
        (&["letters", "burn"], "letters takes nothing, show KEY, retry [KEY|AGENT] or drop [KEY|AGENT]"),
        (&["letters", "show"], "letters takes nothing, show KEY, retry [KEY|AGENT] or drop [KEY|AGENT]"),
        (&["letters", "drop", "a", "b"], "letters takes nothing, show KEY, retry [KEY|AGENT] or drop [KEY|AGENT]"),
        (&["status", "--wait", "soon"], "--wait takes whole seconds"),
        (&["status", "--check", "moon"], "--check takes local or guild"),
        (&["send", "a", "b"], "send takes AGENT CHANNEL TEXT"),
        (&["send", "a", "b", " "], "TEXT is empty"),
        (&["restart"], "restart takes AGENT"),
        (&["status", "--watch", "--wait", "3"], "--watch goes without --wait and --check"),
        (&["check", "--watch"], "--watch goes with status, not with check"),
        (&["doctor", "a", "b"], "doctor takes [AGENT]"),
        (&["doctor", "--wait", "3"], "--wait goes with status, not with doctor"),
        (&["restart", "a", "--dry-run"], "--dry-run goes with reload, not with restart"),
        (&["run", "--config"], "missing argument"),
        (&["run", "--config", ""], "--config is empty"),
    ] {
        let (code, out, err) = bridge(arguments);
        assert!(code == 64 && out.is_empty() && err.contains(wanted), "{arguments:?}: {code} {out} {err}");
        assert!(err.ends_with("; see guild-bridge --help\n"), "{err}");
    }
}

/// A good configuration of one agent, with these limits.
fn configured(limits: &str) -> Folder {
    let folder = Folder::new();
    folder.file("key", 0o600, "k");
    let text = r#"{"guilds": {"g": {"dialect": "fabric", "url": "https://g.example"}},
        "agents": {"a": {"guild": "g", "key_file": "key", "answer": {"exec": ["/bin/sh"]}}}, "limits": {LIMITS}}"#;
    folder.file("config.json", 0o644, text.replace("LIMITS", limits));
    folder
}

#[test]
fn budget_says_every_item_their_sum_and_what_the_daemon_uses() {
    let folder = configured("");
    let config = folder.path().join("config.json").display().to_string();
    let status = r#"{"status":{"process":{"heap_bytes":224000,"heap_peak_bytes":252000,"heap_limit_bytes":9,"rss_bytes":4000000}}}"#;
    let ((code, out, err), asked) =
        daemon(&[&[status]], Duration::ZERO).answers(&["budget", "--json", "--config", &config]);
    assert!(code == 0 && asked == [r#"{"cmd":"status"}"#], "{code} {out} {err} {asked:?}");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    let parts = told["items"].as_array().unwrap();
    assert_eq!(parts.iter().map(|part| part["bytes"].as_u64().unwrap()).sum::<u64>(), told["ceiling_bytes"]);
    assert_eq!(
        (&told["ceiling_bytes"], told["used"]["heap_peak_bytes"].as_u64()),
        (&told["heap_limit_bytes"], Some(252_000))
    );
    let nobody = folder.path().join("nobody").display().to_string();
    let (code, out, _) = bridge(&["budget", "--config", &config, "--socket", &nobody]);
    let all = parts.iter().all(|part| {
        out.contains(&format!("\n{:<14}{:>10}  ", part["item"].as_str().unwrap(), part["bytes"]))
            || out.starts_with("runtime ")
    });
    assert!(
        code == 0
            && all
            && out.contains("\nceiling ")
            && out.ends_with("no daemon answers: what is used is not known\n"),
        "{code} {out}"
    );
}

#[test]
fn budget_refuses_what_check_refuses() {
    let folder = configured(r#""heap_bytes": 1048576"#);
    let config = folder.path().join("config.json").display().to_string();
    let (code, out, err) = bridge(&["budget", "--config", &config]);
    assert!(
        code == 78 && out.is_empty() && err.contains(":2:") && err.contains("limits.heap_bytes: is 1048576, and"),
        "{code} {out} {err}"
    );
}

#[test]
fn version_and_help_need_no_configuration() {
    let (code, out, _) = bridge(&["--version", "--config", "/nowhere"]);
    assert!(code == 0 && out.starts_with(concat!("guild-bridge ", env!("CARGO_PKG_VERSION"), " (")), "{out}");
    assert!([std::env::consts::ARCH, "features: ", "commit "].iter().all(|part| out.contains(part)), "{out}");
    let (code, out, _) = bridge(&["run", "--help"]);
    assert!(code == 0 && out.lines().all(|line| line.len() <= 120), "{out}");
    let words = [
        "run",
        "check",
        "doctor",
        "status",
        "--json",
        "--wait",
        "--check local",
        "send",
        "tail",
        "letters",
        "restart",
        "reload",
    ];
    assert!(words.iter().all(|word| out.contains(word)), "{out}");
}

#[test]
fn check_says_every_fault_and_run_starts_with_none() {
    let folder = Folder::new();
    let file = folder.file("c.json", 0o644, "{\n \"guilds\": {},\n \"agents\": {\"a\": {\"gild\": 1}},\n \"x\": 1}");
    for command in ["check", "run"] {
        let (code, _, err) = bridge(&[command, "--config", &file.display().to_string()]);
        assert_eq!(code, 78, "{err}");
        assert!(err.contains(":3:19: agents.a.gild: unknown field; did you mean `guild`?\n"), "{err}");
        assert!(
            err.contains(":4:2: x: unknown field; known here: guilds, agents, state, limits, timing, page"),
            "{err}"
        );
    }
}

#[test]
fn check_ends_with_78_at_an_open_key_and_0_once_it_is_closed() {
    let folder = Folder::new();
    let key = folder.file("key", 0o644, "k");
    let text = r#"{"guilds": {"g": {"dialect": "fabric", "url": "https://g.example"}},
        "agents": {"a": {"guild": "g", "key_file": "key", "answer": {"exec": ["/bin/cat"]}}}}"#;
    let file = folder.file("config.json", 0o644, text).display().to_string();
    let (code, _, err) = bridge(&["check", "--config", &file]);
    let wanted = format!("{file}:2:52: agents.a.key_file: mode 0644, want 0600: chmod 600 {}\n", key.display());
    assert!(code == 78 && err.contains(&wanted), "{code} {err}");
    folder.file("key", 0o600, "k");
    assert_eq!(
        bridge(&["check", "--config", &file]),
        (0, format!("{file} is good: 1 guild, 1 agent\n"), String::new())
    );
}

#[test]
fn without_a_daemon_every_question_exits_69() {
    let folder = Folder::new();
    let dead = folder.path().join("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    for socket in [folder.path().join("none.sock"), dead] {
        let socket = socket.display().to_string();
        for question in [
            &["status"][..],
            &["send", "a", "b", "c"],
            &["tail"],
            &["letters"],
            &["letters", "show", "a"],
            &["letters", "retry"],
            &["letters", "drop", "a"],
            &["reload"],
            &["restart", "a"],
            &["status", "--wait", "1"],
        ] {
            let (code, _, err) = bridge(&[question, &["--socket", &socket]].concat());
            assert!(code == 69 && err.contains(&format!("no daemon answers at {socket}")), "{question:?} {code} {err}");
        }
    }
}

#[test]
fn a_daemon_that_hangs_up_or_babbles_is_told_and_exits_69() {
    for (answers, wanted) in [
        (&[&[][..]][..], "hung up"),
        (&[&["hello"]], "says what cannot be read: "),
        (&[&["{}"]], "says what this version does not know"),
    ] {
        let ((code, out, err), _) = daemon(answers, Duration::ZERO).answers(&["status"]);
        assert!(code == 69 && out.is_empty() && err.contains(wanted), "{code} {out} {err}");
    }
}

#[test]
fn status_json_is_what_the_daemon_said_on_one_line() {
    let json = r#"{"version":"1","links":[],"news":{"x":[1.50,null]}}"#;
    let daemon = daemon(&[&[r#"{"status":{"version":"1","links":[],"news":{"x":[1.50,null]}}}"#]], Duration::ZERO);
    let (done, asked) = daemon.answers(&["status", "--json"]);
    assert_eq!(done, (0, format!("{json}\n"), String::new()));
    assert_eq!(asked, [r#"{"cmd":"status"}"#]);
}

const RESTING: &[&str] = &[r#"{"status":{"links":[{"agent":"a","guild":"g","state":"backoff","reason":"net.dns"}]}}"#];
const LIVE: &[&str] = &[r#"{"status":{"links":[{"agent":"a","guild":"g","state":"live"}]}}"#];

#[test]
fn status_wait_looks_again_until_every_link_is_live() {
    let ((code, out, err), asked) =
        daemon(&[RESTING, RESTING, LIVE], Duration::ZERO).answers(&["status", "--wait", "9"]);
    assert!(code == 0 && out.contains("a in g: live") && err.is_empty(), "{code} {out} {err}");
    assert_eq!(asked.len(), 3);
}

#[test]
fn status_check_answers_no_with_1_and_says_which_link() {
    let ((code, _, err), _) = daemon(&[RESTING], Duration::ZERO).answers(&["status", "--check", "guild"]);
    assert!(code == 1 && err.contains("a in g: it rests before the next attempt; net.dns: "), "{code} {err}");
    let ((code, ..), _) = daemon(&[RESTING], Duration::ZERO).answers(&["status", "--check", "local"]);
    assert_eq!(code, 0);
}

#[test]
fn status_wait_gives_up_in_time_with_1() {
    let begun = clock::now().at;
    let ((code, ..), _) =
        daemon(&[RESTING; 20], Duration::ZERO).answers(&["status", "--wait", "1", "--check", "guild"]);
    let took_ms = clock::now().at.since_ms(begun);
    assert!(code == 1 && (1000..4000).contains(&took_ms), "{code} {took_ms} ms");
}

#[test]
fn send_says_what_became_of_it() {
    let stored = r#"{"done":"stored as 42"}"#;
    let (done, asked) =
        daemon(&[&[r#"{"queued":"waits"}"#, stored]], Duration::ZERO).answers(&["send", "a", "c", "hi\n\"you\""]);
    assert_eq!(done, (0, "stored as 42\n".to_owned(), String::new()));
    assert_eq!(asked, [r#"{"cmd":"send","agent":"a","channel":"c","text":"hi\n\"you\""}"#]);
    let refused = &[&[r#"{"refused":{"reason":"guild.refused_post","detail":"422"}}"#][..]];
    let ((code, _, err), _) = daemon(refused, Duration::ZERO).answers(&["send", "a", "c", "hi"]);
    assert_eq!(
        (code, err.as_str()),
        (1, "guild-bridge: 422 (guild.refused_post: the guild refused a reply for good)\n")
    );
}

#[test]
fn a_send_that_is_still_queued_after_10_s_exits_75() {
    let begun = clock::now().at;
    let daemon = daemon(&[&[r#"{"queued":"behind 3 others"}"#]], Duration::from_secs(11));
    let ((code, _, err), _) = daemon.answers(&["send", "a", "c", "hi"]);
    assert_eq!((code, err.as_str()), (75, "guild-bridge: still queued: behind 3 others\n"));
    assert!((10_000..14_000).contains(&clock::now().at.since_ms(begun)));
}

#[test]
fn a_dash_sends_standard_input_without_its_last_line_break() {
    let daemon = daemon(&[&[r#"{"done":"stored"}"#]], Duration::ZERO);
    let mut child = Command::new(BRIDGE)
        .args(["--socket", &daemon.socket(), "send", "a", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("two\nlines\n".as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(daemon.asked.join().unwrap()[0].contains(r#""text":"two\nlines"}"#));
}

#[test]
fn tail_prints_a_line_a_message_and_ends_with_the_daemon() {
    let lines = &[&[r#"{"tail":"a general > hi"}"#, r#"{"tail":"a general < \u001b[1mho"}"#][..]];
    let ((code, out, err), asked) = daemon(lines, Duration::ZERO).answers(&["tail", "a"]);
    assert_eq!(out, "a general > hi\na general < \\u{1b}[1mho\n");
    assert!(code == 69 && err.contains("hung up"), "{code} {err}");
    assert_eq!(asked, [r#"{"cmd":"tail","agent":"a"}"#]);
}

#[test]
fn nobody_reading_on_is_no_fault() {
    let daemon = daemon(&[&[r#"{"tail":"one"}"#, r#"{"tail":"two"}"#]], Duration::from_secs(2));
    // closed before the program begins: it cannot have written everything by then
    let (read, written) = UnixStream::pair().unwrap();
    drop(read);
    let child = Command::new(BRIDGE)
        .args(["--socket", &daemon.socket(), "tail"])
        .stdout(Stdio::from(OwnedFd::from(written)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(told(child.wait_with_output().unwrap()), (0, String::new(), String::new()));
}

#[test]
fn restart_and_reload_pass_on_what_the_daemon_says() {
    let ((code, out, _), asked) =
        daemon(&[&[r#"{"done":"2 links start anew"}"#]], Duration::ZERO).answers(&["restart", "a"]);
    assert_eq!(
        (code, out.as_str(), asked[0].as_str()),
        (0, "2 links start anew\n", r#"{"cmd":"restart","agent":"a"}"#)
    );
    let refused = &[&[r#"{"refused":{"reason":"control.request","detail":"nothing was changed:\nf:1:2: x: y"}}"#][..]];
    let ((code, _, err), asked) = daemon(refused, Duration::ZERO).answers(&["reload"]);
    assert!(code == 1 && err.contains("nothing was changed:\nf:1:2: x: y"), "{code} {err}");
    assert_eq!(asked, [r#"{"cmd":"reload"}"#]);
}

#[test]
fn reload_prints_what_will_change_and_then_what_changed_and_a_dry_run_what_would() {
    let begun = r#"{"queued":"will add scout: connects in acme\nwill change timing: stable_s"}"#;
    let (done, asked) = daemon(&[&[begun, r#"{"done":"added scout"}"#]], Duration::ZERO).answers(&["reload"]);
    let wanted = "will add scout: connects in acme\nwill change timing: stable_s\nadded scout\n";
    assert_eq!((done, asked[0].as_str()), ((0, wanted.to_owned(), String::new()), r#"{"cmd":"reload"}"#));
    let dry = &[&[r#"{"done":"will change nothing"}"#][..]];
    let (done, asked) = daemon(dry, Duration::ZERO).answers(&["reload", "--dry-run"]);
    assert_eq!(done, (0, "will change nothing\n".to_owned(), String::new()));
    assert_eq!(asked, [r#"{"cmd":"reload-plan"}"#]);
}

#[test]
fn json_on_a_terminal_says_the_same_and_holds_nothing_that_misleads_an_eye() {
    let text = "a\u{7f}\u{9b}\u{202e}\u{200b}\u{e0041}\u{1d173}é\u{1f600}";
    let escaped = r"a\u007f\u009b\u202e\u200b\udb40\udc41\ud834\udd73é😀";
    let whole = format!(r#"{{"total":1,"listed":[{{"key":"gb_1","text":"{text}","bytes":3}}]}}"#);
    let letters = format!(r#"{{"letters":{whole}}}"#);
    for command in [&["letters", "--json"][..], &["letters", "show", "gb_1", "--json"]] {
        let ((code, out, _), _) = daemon(&[&[&letters]], Duration::ZERO).answers(command);
        assert_eq!((code, out.trim_end()), (0, whole.replace(text, escaped).as_str()));
        let (said, shown): (Value, Value) = (from_str(&whole).unwrap(), from_str(&out).unwrap());
        assert_eq!(said, shown);
    }
    let status = RESTING[0].replacen(r#"{"status":{"#, &format!(r#"{{"status":{{"note":"{text}","#), 1);
    let ((code, out, _), _) = daemon(&[&[&status]], Duration::ZERO).answers(&["status", "--json"]);
    assert!(code == 0 && out.contains(&format!(r#""note":"{escaped}""#)), "{out}");
}

#[test]
fn letters_lists_what_the_daemon_says_and_passes_on_what_is_meant() {
    let none = &[&[r#"{"letters":{"total":0,"listed":[]}}"#][..]];
    let (done, asked) = daemon(none, Duration::ZERO).answers(&["letters"]);
    assert_eq!(
        done,
        (
            0,
            "no letters of the agents that are configured; those of removed ones come back with them\n".to_owned(),
            String::new()
        )
    );
    assert_eq!(asked, [r#"{"cmd":"letters"}"#]);
    let (done, _) = daemon(none, Duration::ZERO).answers(&["letters", "--json"]);
    assert_eq!(done, (0, "{\"total\":0,\"listed\":[]}\n".to_owned(), String::new()));
    let whole = r#"{"total":1,"listed":[{"key":"gb_1","text":"a\nb","bytes":3}]}"#;
    let said = format!(r#"{{"letters":{whole}}}"#);
    let one: &[&[&str]] = &[&[&said]];
    let ((code, out, _), asked) = daemon(one, Duration::ZERO).answers(&["letters", "show", "gb_1"]);
    assert!(code == 0 && out.starts_with("gb_1: ") && out.ends_with("\n\na\nb\n"), "{code} {out}");
    assert_eq!(asked, [r#"{"cmd":"letters-show","which":"gb_1"}"#]);
    let (done, _) = daemon(one, Duration::ZERO).answers(&["letters", "show", "gb_1", "--json"]);
    assert_eq!(done, (0, format!("{whole}\n"), String::new()));
    let took = &[&[r#"{"done":"1 letter is in the outbox again"}"#][..]];
    let ((code, out, _), asked) = daemon(took, Duration::ZERO).answers(&["letters", "retry", "gb_1"]);
    assert_eq!(
        (code, out.as_str(), asked[0].as_str()),
        (0, "1 letter is in the outbox again\n", r#"{"cmd":"letters-retry","which":"gb_1"}"#)
    );
    let refused = &[&[r#"{"refused":{"reason":"control.request","detail":"there is no letter"}}"#][..]];
    let ((code, _, err), asked) = daemon(refused, Duration::ZERO).answers(&["letters", "drop"]);
    assert_eq!((code, err.as_str()), (1, "guild-bridge: there is no letter\n"));
    for (command, none) in [("retry", "no letter is in the outbox again"), ("drop", "no letter is dropped")] {
        let said = format!(r#"{{"done":"{none}"}}"#);
        let ((code, out, _), _) = daemon(&[&[&said]], Duration::ZERO).answers(&["letters", command, "recruiter"]);
        assert_eq!((code, out), (0, format!("{none}\n")));
    }
    assert_eq!(asked, [r#"{"cmd":"letters-drop"}"#]);
    let ((code, _, err), _) = daemon(&[RESTING], Duration::ZERO).answers(&["letters"]);
    assert!(code == 69 && err.contains("the daemon does not say its letters"), "{code} {err}");
}
