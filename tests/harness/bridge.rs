//! The daemon under test: the real binary with a directory and a configuration of its own.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Lines of the log that a failure shows.
const LOG_LINES: usize = 40;

/// A daemon. It is killed, and its directory removed, when it is dropped.
pub struct Bridge {
    dir: PathBuf,
    child: Option<Child>,
}

/// A configuration with one guild `acme` at `url` and one agent `recruiter` that answers `answer`, with short rests.
pub fn config(url: &str, answer: Value) -> Value {
    json!({
        "guilds": { "acme": { "dialect": "fabric", "center": url, "url": url } },
        "agents": { "recruiter": { "guild": "acme", "key_file": "keys/recruiter", "answer": answer, "respond_to": "all" } },
        "timing": { "reconcile_s": 2, "unproven_s": 1, "handshake_s": 5, "stable_s": 60, "backoff_base_s": 1, "backoff_cap_s": 2 },
    })
}

/// An agent that answers with what it was told, after `re: `.
pub fn echo_agent() -> Value {
    json!({ "exec": ["/bin/sed", "s/^/re: /"], "stdin": "text" })
}

/// Asks until `ask` has an answer; panics with `what` and `state` after `seconds`.
pub fn wait<T>(what: &str, seconds: u64, mut ask: impl FnMut() -> Option<T>, state: impl FnOnce() -> String) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {seconds} s for: {what}\n{}", state());
        std::thread::sleep(Duration::from_millis(30));
    }
}

impl Bridge {
    /// An empty place for a daemon: control socket, state, keys (`recruiter`, and `scribe`) and log live in it.
    pub fn place() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // short: a socket's path has 107 bytes
        let name = format!("gb-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(dir.join("keys")).expect("a temporary directory");
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
        for agent in ["recruiter", "scribe"] {
            let key = dir.join("keys").join(agent);
            fs::write(&key, format!("{agent}-key\n")).unwrap();
            fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        }
        Self { dir, child: None }
    }

    /// Starts the daemon here. Key files with a relative path are taken from here too.
    pub fn start(&mut self, config: &Value) {
        self.write(config);
        self.resume();
    }

    /// Starts the daemon with the configuration that is there.
    pub fn resume(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.dir.join("log")).unwrap();
        let child = self.command("run").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.child = Some(child.expect("the binary starts"));
    }

    /// A place with a daemon that runs.
    pub fn started(config: &Value) -> Self {
        let mut bridge = Self::place();
        bridge.start(config);
        bridge
    }

    /// Writes the configuration.
    pub fn write(&self, config: &Value) {
        let mut config = config.clone();
        for agent in config["agents"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
            if let Some(file) = agent["key_file"].as_str() {
                agent["key_file"] = self.dir.join(file).to_string_lossy().into();
            }
        }
        fs::write(self.dir.join("config.json"), config.to_string()).unwrap();
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The daemon's process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the daemon was started").id()
    }

    fn command(&self, command: &str) -> Command {
        let mut run = Command::new(env!("CARGO_BIN_EXE_guild-bridge"));
        run.arg(command).arg("--config").arg(self.dir.join("config.json"));
        run.arg("--state-dir").arg(self.dir.join("state")).arg("--socket").arg(self.dir.join("control.sock"));
        run.current_dir(&self.dir).env("RUST_LOG", "debug");
        run
    }

    /// Runs one of the other commands to its end.
    pub fn run(&self, command: &str, args: &[&str]) -> Output {
        self.command(command).args(args).stdin(Stdio::null()).output().expect("the binary starts")
    }

    /// `status --json`; none while the daemon does not answer.
    pub fn status(&self) -> Option<Value> {
        let output = self.run("status", &["--json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("status prints JSON"))
    }

    /// The first link.
    pub fn link(&self) -> Value {
        self.status().map_or(Value::Null, |mut status| status["links"][0].take())
    }

    /// The first link as soon as it is as `fits` says; panics, showing what is there, after `seconds`.
    pub fn until(&self, what: &str, seconds: u64, fits: impl Fn(&Value) -> bool) -> Value {
        wait(what, seconds, || Some(self.link()).filter(&fits), || self.tale())
    }

    /// The first link as soon as it is in this state.
    pub fn until_state(&self, state: &str) -> Value {
        self.until(&format!("state {state}"), 20, |link| link["state"] == state)
    }

    /// The first link as soon as it gives this reason.
    pub fn until_reason(&self, reason: &str) -> Value {
        self.until(&format!("reason {reason}"), 20, |link| link["reason"] == reason)
    }

    pub fn log(&self) -> String {
        fs::read(self.dir.join("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The first link and the end of the log, for failures.
    pub fn tale(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n");
        format!("link: {}\nlog:\n{tail}", self.link())
    }

    /// Whether the process is there.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().expect("the daemon was started")), signal).unwrap();
    }

    /// SIGKILL. `resume` starts it again.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; the exit code and how long it took.
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        let mut child = self.child.take().expect("the daemon was started");
        let ended = wait("the end after SIGTERM", 10, || child.try_wait().unwrap(), || self.log());
        (ended.code(), begun.elapsed())
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
