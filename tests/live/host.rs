//! Faults of the host: a log that nobody reads, files, names, memory and entropy that are short, signals that come twice.
//! Each scenario looks for the tool that it needs and says what is missing where it cannot run.

use crate::guild::bridge::wait_for;
use crate::guild::{Fault, Options};
use crate::scene::{BRIDGE, Running, Scene, options};
use crate::{Ended, Scenario};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde_json::{Value, json};
use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_log_that_nobody_reads_holds_up_nothing", 60, unread_log),
    Scenario("a_second_term_ends_it_at_once_and_what_was_open_is_answered_later", 40, second_term),
    Scenario("a_mint_that_hangs_lets_pings_be_answered", 40, hung_mint),
    Scenario("without_a_file_descriptor_it_rests_and_recovers", 70, no_files),
    Scenario("a_resolver_that_says_no_or_fails_or_is_silent_is_net_dns", 90, resolver),
    Scenario("a_start_waits_for_no_entropy", 40, entropy),
    Scenario("a_small_memory_is_enough_and_a_kill_by_the_kernel_loses_nothing", 120, small_memory),
    Scenario("files_of_another_user_are_named_with_what_to_do", 40, another_user),
];

/// Starts the daemon through this program (`sh -c SCRIPT sh BRIDGE run …`), its log into a file.
pub fn through(scene: &Scene, script: &str) -> Running {
    scene.bridge.write();
    let own = scene.bridge.command(&["run"]);
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", BRIDGE]).args(own.get_args());
    let log = std::fs::File::create(log_of(scene)).expect("the log can be written");
    command.env("RUST_LOG", "debug").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Running(command.spawn().expect("sh starts"))
}

fn log_of(scene: &Scene) -> PathBuf {
    scene.bridge.dir.0.join("own.log")
}

fn log(scene: &Scene) -> String {
    std::fs::read_to_string(log_of(scene)).unwrap_or_default()
}

pub fn wait_own(scene: &mut Scene, what: &str, seconds: u64, good: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        let link = scene.bridge.link("recruiter");
        if good(&link) {
            return link;
        }
        assert!(Instant::now() < until, "no {what} within {seconds} s: {link}; log:\n{}", log(scene));
        std::thread::sleep(Duration::from_millis(60));
    }
}

/// A program that a scenario needs.
fn has(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|out| out.status.success())
}

fn unread_log() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.write();
    let mut command = scene.bridge.command(&["run"]);
    let command = command.env("RUST_LOG", "debug").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut daemon = Running(command.spawn().expect("it starts"));
    wait_own(&mut scene, "live link", 10, |link| link["state"] == "live");
    let resident = |daemon: &Running| -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|kb| kb.parse().ok()).unwrap_or(0)
    };
    let before = resident(&daemon);
    // each of these reloads is refused and logs as many faults as are told at once
    let faults: String = (0..100).map(|n| format!("\"field-{n:03}-that-is-not-known-here\": {n},")).collect();
    scene.bridge.dir.file("config.json", 0o644, &format!("{{{faults}}}"));
    let mut slowest = Duration::ZERO;
    for _ in 0..160 {
        let begun = Instant::now();
        assert_eq!(scene.bridge.call(&["reload"]).0, 1);
        slowest = slowest.max(begun.elapsed());
    }
    scene.bridge.write();
    scene.talk("hello", 5);
    let process = scene.bridge.status()["process"].clone();
    let dropped = process["log_dropped"].as_u64().unwrap_or_default();
    println!("unread log: {dropped} lines dropped, slowest answer {slowest:?}, {before} to {} kB", resident(&daemon));
    assert!(dropped > 1_000 && slowest < Duration::from_secs(5), "{process}, {slowest:?}");
    assert!(resident(&daemon) < before + 1_024, "the log is not kept instead");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended(8), Some(0));
    let mut text = String::new();
    daemon.0.stderr.take().expect("piped").read_to_string(&mut text).expect("the log is text");
    assert!(text.len() > 32 * 1024 && text.contains("joined 1 channel(s)"), "{} bytes were kept", text.len());
    scene.check();
    Ended::Well
}

fn second_term() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.say("hang");
    wait_for("the turn", 5, || scene.bridge.turns("recruiter").len() == 1);
    let begun = Instant::now();
    scene.bridge.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(700));
    assert!(scene.bridge.runs(), "the first TERM waits for what is open");
    scene.bridge.signal(Signal::TERM);
    let status = scene.bridge.wait_end(3);
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_millis(3_500), "{:?}", begun.elapsed());
    scene.say("and this");
    scene.bridge.start();
    wait_for("the turn again", 10, || scene.bridge.turns("recruiter").len() == 2);
    let turns = scene.bridge.turns("recruiter");
    assert_eq!(turns[0]["turn"], turns[1]["turn"]);
    scene.end()
}

fn hung_mint() -> Ended {
    let mut asked = options(|guild| guild.token_life_ms = 5_000);
    (asked.ping_interval_ms, asked.ping_timeout_ms) = (300, 300);
    let mut scene = Scene::new(asked).live();
    scene.guild.set_fault(Fault::MintSlow(9_500));
    let until = Instant::now() + Duration::from_secs(15);
    while Instant::now() < until {
        let link = scene.bridge.link("recruiter");
        assert!(link["attempts"] == 1 && link["state"] == "live", "{link}; log:\n{}", scene.bridge.tail());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(scene.guild.with(|guild, _| guild.minted()) >= 2, "calls wanted a token of their own");
    scene.end()
}

fn limit_files(pid: u32, files: Option<u64>) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: files, maximum: Some(1_024) };
    rustix::process::prlimit(pid, Resource::Nofile, limit).expect("its limit can be set");
}

/// Clock ticks that a process used.
fn ticks(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = text.rsplit_once(')').expect("its name ends").1.split_whitespace().collect();
    [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number")).sum()
}

fn no_files() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    let pid = scene.bridge.pid().expect("it runs");
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count();
    // an agent's program needs files of its own: busy is not failed
    limit_files(pid, Some(open as u64));
    scene.say("while there are none");
    std::thread::sleep(Duration::from_secs(2));
    limit_files(pid, Some(3));
    scene.guild.stop(false);
    scene.guild.open();
    // nobody can ask for the status now: the log has the code
    let code_and_words = |line: &str| line.contains(": net.unreachable: ") && line.contains("Too many open files");
    wait_for("the code and words about it", 10, || scene.bridge.log().lines().any(code_and_words));
    let (before, log_before) = (ticks(pid), scene.bridge.log().len());
    // somebody asks, too: the control socket cannot take them in
    let mut asking = scene.bridge.command(&["status"]);
    let asking = Running(asking.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"));
    std::thread::sleep(Duration::from_secs(8));
    let (used, said) = (ticks(pid) - before, scene.bridge.log().len() - log_before);
    drop(asking);
    println!("no files: {used} clock ticks and {said} bytes of log in 8 s");
    assert!(used <= 40 && said < 8_000, "{used} ticks, {said} bytes of log in 8 s");
    limit_files(pid, Some(1_024));
    scene.bridge.wait_state("recruiter", "live", 15);
    scene.answered("while there are none", 20);
    scene.talk("hello", 5);
    let gaps = scene.number("gaps");
    assert_eq!(gaps, 0);
    scene.end()
}

const SILENT: u8 = 0;
const NO_SUCH_NAME: u8 = 3;
const FAILED: u8 = 2;
const FINDS: u8 = 100;

/// A resolver at an address of its own, that answers as it is told.
fn resolver_at(address: &str) -> std::io::Result<Arc<AtomicU8>> {
    let socket = UdpSocket::bind((address, 53))?;
    let mood = Arc::new(AtomicU8::new(NO_SUCH_NAME));
    let told = mood.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let code = told.load(Ordering::SeqCst);
            let asked = &bytes[..length];
            // the name ends with a zero, type and class follow; what is behind them is not repeated
            let Some(end) = asked[12..].iter().position(|byte| *byte == 0).map(|at| 12 + at + 5) else { continue };
            let for_v4 = asked[end - 4..end - 2] == [0, 1];
            if code == SILENT {
                continue;
            }
            let found = code == FINDS && for_v4;
            let rcode = if code == FINDS { 0 } else { code };
            let mut answer = asked[..end].to_vec();
            answer[2..12].copy_from_slice(&[0x81, 0x80 | rcode, 0, 1, 0, u8::from(found), 0, 0, 0, 0]);
            if found {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    Ok(mood)
}

fn resolver() -> Ended {
    let mood = match resolver_at("127.0.53.53") {
        Ok(mood) => mood,
        Err(error) => return Ended::Skipped(format!("port 53 cannot be had: {error}")),
    };
    let mounts = Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    if !mounts {
        return Ended::Skipped("no mount namespace of one's own here (unshare -m)".into());
    }
    let mut scene = Scene::new(Options::default());
    let conf = scene.bridge.dir.file("resolv.conf", 0o644, "nameserver 127.0.53.53\n");
    let url = format!("http://guild.board.test:{}", scene.guild.port());
    scene.bridge.config["guilds"]["acme"] = json!({"dialect": "fabric", "url": url, "plaintext": true});
    let script =
        format!("exec unshare -m sh -c 'mount --bind {} /etc/resolv.conf && exec \"$@\"' sh \"$@\"", conf.display());
    let _daemon = through(&scene, &script);
    let mut attempts = 0;
    for (answer, word) in
        [(NO_SUCH_NAME, "guild.board.test"), (FAILED, "guild.board.test"), (SILENT, "no answer within 5000 ms")]
    {
        mood.store(answer, Ordering::SeqCst);
        let told = |link: &Value| {
            let detail = link["detail"].as_str().unwrap_or_default();
            link["reason"] == "net.dns" && detail.contains(word) && link["attempts"].as_u64() > Some(attempts + 1)
        };
        let link = wait_own(&mut scene, word, 25, told);
        println!("resolver {answer}: {}", link["detail"]);
        attempts = link["attempts"].as_u64().expect("a number");
    }
    mood.store(FINDS, Ordering::SeqCst);
    wait_own(&mut scene, "live link", 30, |link| link["state"] == "live");
    scene.talk("found", 5);
    scene.check();
    Ended::Well
}

/// The flags GRND_NONBLOCK and GRND_INSECURE: neither waits for the kernel's pool to be filled.
fn waits_for_entropy(call: &str) -> bool {
    !call.contains("GRND_NONBLOCK") && !call.contains("GRND_INSECURE")
}

fn entropy() -> Ended {
    let mut scene = Scene::new(Options::default());
    let traced = scene.bridge.dir.0.join("trace");
    let strace = format!("exec strace -f -e trace=getrandom,listen -o {} \"$@\"", traced.display());
    if !has("strace") {
        return Ended::Skipped("strace is not here".into());
    }
    let mut daemon = through(&scene, &strace);
    wait_own(&mut scene, "live link", 20, |link| link["state"] == "live");
    // strace keeps the signal to itself: the daemon is told, and both end
    let pid = scene.bridge.status()["process"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    let pid = pid.and_then(Pid::from_raw).expect("status names the process");
    rustix::process::kill_process(pid, Signal::TERM).expect("the signal is taken");
    assert_eq!(daemon.ended(10), Some(0));
    let trace = std::fs::read_to_string(&traced).unwrap_or_default();
    if !trace.contains("listen(") {
        return Ended::Skipped(format!("strace cannot trace here: {}", trace.lines().next().unwrap_or("no trace")));
    }
    let before: Vec<&str> = trace.lines().take_while(|line| !line.contains("listen(")).collect();
    let waits: Vec<&&str> =
        before.iter().filter(|line| line.contains("getrandom(") && waits_for_entropy(line)).collect();
    assert!(waits.is_empty(), "asked before anybody can ask the daemon: {waits:?}");
    let later = trace.lines().filter(|line| line.contains("getrandom(") && waits_for_entropy(line)).count();
    println!("entropy: nothing that waits before the control socket listens, {later} call(s) that may wait after");
    Ended::Well
}

/// A memory cgroup of its own, with this limit; it goes with the scenario.
pub struct Cgroup(PathBuf);

impl Cgroup {
    pub fn new(bytes: u64) -> Result<Self, String> {
        let text = std::fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let old = text.lines().find_map(|line| line.split_once(":memory:")).map(|(_, path)| path.to_owned());
        let (root, limit) = match old {
            Some(path) => (format!("/sys/fs/cgroup/memory{path}"), "memory.limit_in_bytes"),
            None => ("/sys/fs/cgroup".to_owned(), "memory.max"),
        };
        let own = Path::new(&root).join(format!("guild-bridge-{}-{bytes}", std::process::id()));
        std::fs::create_dir(&own).map_err(|error| format!("{}: {error}", own.display()))?;
        let own = Self(own);
        std::fs::write(own.0.join(limit), bytes.to_string()).map_err(|error| format!("{limit}: {error}"))?;
        let _ = std::fs::write(own.0.join("memory.swappiness"), "0");
        Ok(own)
    }

    /// The most that was charged to it, where it tells.
    pub fn peak(&self) -> Option<u64> {
        let told =
            ["memory.max_usage_in_bytes", "memory.peak"].map(|name| std::fs::read_to_string(self.0.join(name)).ok());
        told.into_iter().flatten().find_map(|text| text.trim().parse().ok())
    }

    /// A script that goes into it and becomes the daemon.
    pub fn script(&self) -> String {
        format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.0.display())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn small_memory() -> Ended {
    let (enough, too_small) = match (Cgroup::new(12 << 20), Cgroup::new(512 << 10)) {
        (Ok(enough), Ok(too_small)) => (enough, too_small),
        (Err(why), _) | (_, Err(why)) => return Ended::Skipped(format!("no memory cgroup of one's own: {why}")),
    };
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["agents"]["recruiter"]["answer"] = json!({"exec": ["/bin/cat"], "stdin": "text"});
    let mut daemon = through(&scene, &enough.script());
    wait_own(&mut scene, "live link", 10, |link| link["state"] == "live");
    let texts: Vec<String> = (0..300).map(|n| format!("m{n} {}", "x".repeat(3_000))).collect();
    texts.iter().for_each(|text| drop(scene.say(text)));
    scene.wait_replies(300, 60);
    assert!(daemon.0.try_wait().expect("it can be asked").is_none(), "it ended in 12 MB");
    daemon.signal(Signal::KILL);
    let _ = daemon.0.wait();
    texts.iter().for_each(|text| drop(scene.say(&format!("again {text}"))));
    let mut killed = through(&scene, &too_small.script());
    assert_eq!(killed.ended(20), None, "512 kB are too small, and a signal ends it");
    let _well = through(&scene, "exec \"$@\"");
    scene.wait_replies(600, 60);
    let expected: Vec<String> = texts.iter().cloned().chain(texts.iter().map(|text| format!("again {text}"))).collect();
    assert!(scene.replies() == expected, "not each once and in order");
    scene.check();
    Ended::Well
}

fn another_user() -> Ended {
    if !rustix::process::geteuid().is_root() {
        return Ended::Skipped("only root can start the daemon as another user".into());
    }
    let mut scene = Scene::new(Options::default());
    let state = scene.bridge.dir.0.join("state");
    std::fs::create_dir(&state).expect("it can be made");
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it takes its mode");
    scene.bridge.write();
    let run = scene.bridge.dir.0.join("run");
    std::fs::create_dir(&run).expect("it can be made");
    std::os::unix::fs::chown(&run, Some(65_534), None).expect("it can be given away");
    let mut command = scene.bridge.command(&["run"]);
    let log = std::fs::File::create(log_of(&scene)).expect("the log can be written");
    command.uid(65_534).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let _daemon = Running(command.spawn().expect("it starts"));
    let link = wait_own(&mut scene, "unbound link", 10, |link| link["state"] == "unbound");
    let key = scene.bridge.dir.0.join("key-recruiter");
    assert_eq!(link["reason"], "cfg.key_file", "{link}");
    let detail = link["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(&format!("chown 65534 {}", key.display())), "{detail}");
    let process = scene.bridge.status()["process"].clone();
    let detail = process["state_detail"].as_str().unwrap_or_default();
    assert_eq!(process["state_mode"], "none", "{process}");
    assert!(detail.contains(&format!("install -d -o 65534 -m 700 {}", state.display())), "{detail}");
    Ended::Well
}
