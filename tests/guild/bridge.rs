//! The real daemon as a process: a configuration in a directory of its own, started, killed, asked through its CLI.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A directory that goes when it is dropped.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("guild-bridge-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary directory can be written");
        Self(path)
    }

    /// A file with these bits and this content.
    pub fn file(&self, name: &str, mode: u32, content: &str) -> PathBuf {
        let path = self.0.join(name);
        let _ = std::fs::remove_file(&path);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&path).expect("a new file");
        std::io::Write::write_all(&mut file, content.as_bytes()).expect("the file takes its content");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("the file takes its mode");
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Daemons that run now: what a scenario that never ended leaves behind is ended with the program.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends every daemon that this program started and did not end.
pub fn end_all() {
    for pid in RUNNING.lock().unwrap().drain(..) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

fn ended(pid: u32) {
    RUNNING.lock().unwrap().retain(|running| *running != pid);
}

/// What a daemon holds at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    pub heap_bytes: u64,
    pub rss_anon_kb: u64,
    pub threads: u64,
    pub files: u64,
}

/// A daemon, or where one will be.
pub struct Bridge {
    pub dir: Dir,
    /// What its configuration file holds; `write` puts it there.
    pub config: Value,
    /// Its RUST_LOG.
    pub log_level: &'static str,
    /// What the daemon has in its environment beside what this program has.
    pub env: Vec<(String, String)>,
    /// The user that the daemon runs as, where it is another.
    pub uid: Option<u32>,
    /// The program, with its arguments, that starts the daemon and becomes it; empty: none does.
    pub started_by: Vec<String>,
    program: PathBuf,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
}

impl Bridge {
    /// One guild `acme` at this URL, no agents yet, and timing for people in a hurry.
    pub fn new(program: impl Into<PathBuf>, url: &str) -> Self {
        let config = json!({
            "guilds": {"acme": {"dialect": "fabric", "center": url, "url": url}},
            "agents": {},
            "timing": {"reconcile_s": 2, "unproven_s": 1, "handshake_s": 3, "stable_s": 3,
                       "backoff_base_s": 1, "backoff_cap_s": 2},
        });
        let (dir, log_level, program) = (Dir::new(), "info", program.into());
        Self {
            dir,
            config,
            log_level,
            env: Vec::new(),
            uid: None,
            started_by: Vec::new(),
            program,
            child: None,
            log: Arc::default(),
        }
    }

    /// An agent with its key in a file.
    pub fn agent(&mut self, name: &str, key: &str, answer: Value, more: Value) {
        let key_file = self.dir.file(&format!("key-{name}"), 0o600, key);
        let mut agent = json!({"guild": "acme", "key_file": key_file, "answer": answer});
        for (field, value) in more.as_object().into_iter().flatten() {
            agent[field] = value.clone();
        }
        self.config["agents"][name] = agent;
    }

    /// The test agent by exec, as JSON, that answers everything.
    pub fn exec_agent(&mut self, name: &str, key: &str, more: Value) {
        let argv = super::agent::argv("exec", &self.turn_log(name));
        let mut all = json!({"respond_to": "all"});
        for (field, value) in more.as_object().into_iter().flatten() {
            all[field] = value.clone();
        }
        self.agent(name, key, json!({"exec": argv, "stdin": "json"}), all);
    }

    /// Where the test agent of this name writes its turns down.
    pub fn turn_log(&self, name: &str) -> PathBuf {
        self.dir.0.join(format!("turns-{name}"))
    }

    /// The turns that the test agent of this name was given.
    pub fn turns(&self, name: &str) -> Vec<Value> {
        super::agent::turns(&self.turn_log(name))
    }

    pub fn config_path(&self) -> PathBuf {
        self.dir.0.join("config.json")
    }

    /// Writes the configuration file.
    pub fn write(&self) {
        self.dir.file("config.json", 0o644, &format!("{:#}", self.config));
    }

    /// Writes the configuration and starts the daemon.
    pub fn start(&mut self) {
        self.write();
        self.spawn();
    }

    /// Starts the daemon with the configuration that is there.
    pub fn spawn(&mut self) {
        let mut command = self.command(&["run"]);
        if let Some((starter, arguments)) = self.started_by.split_first() {
            let mut starter = Command::new(starter);
            starter.args(arguments).arg(command.get_program()).args(command.get_args());
            command = starter;
        }
        command.env("RUST_LOG", self.log_level).envs(self.env.iter().cloned());
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let log = self.log.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        RUNNING.lock().unwrap().push(child.id());
        self.child = Some(child);
    }

    /// `guild-bridge ARGS` with this daemon's files.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--config").arg(self.config_path());
        command
            .arg("--state-dir")
            .arg(self.dir.0.join("state"))
            .arg("--socket")
            .arg(self.dir.0.join("run/control.sock"));
        command
    }

    /// Runs a command to its end: exit code, standard output, standard error.
    pub fn call(&self, arguments: &[&str]) -> (i32, String, String) {
        let out = self.command(arguments).stdin(Stdio::null()).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code().unwrap_or(-1), text(&out.stdout), text(&out.stderr))
    }

    /// All that the daemon logged, over all its lives.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            ended(child.id());
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A signal by its number.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.pid().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
        rustix::process::kill_process(pid.expect("it runs"), signal).expect("the signal is taken");
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.wait_end(8)
    }

    /// Waits for its end.
    pub fn wait_end(&mut self, seconds: u64) -> ExitStatus {
        let mut child = self.child.take().expect("it was started");
        ended(child.id());
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            if let Ok(Some(status)) = child.try_wait() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("the daemon did not end within {seconds} s; its log:\n{}", self.tail());
    }

    /// `status --json`, once the daemon answers.
    pub fn status(&mut self) -> Value {
        let (code, out, _) = self.call(&["status", "--json"]);
        if code != 0 {
            return Value::Null;
        }
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("status --json is no JSON ({error}): {out}"))
    }

    /// The link of this agent (its first).
    pub fn link(&mut self, agent: &str) -> Value {
        let status = self.status();
        let mut links = status["links"].as_array().into_iter().flatten();
        links.find(|link| link["agent"] == agent).cloned().unwrap_or_default()
    }

    /// Waits until this agent's link is as `good` says; the link.
    pub fn wait_link(&mut self, agent: &str, what: &str, seconds: u64, good: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            let link = self.link(agent);
            if good(&link) {
                return link;
            }
            if Instant::now() > until {
                panic!("no {what} within {seconds} s; the link: {link}; the log ends:\n{}", self.tail());
            }
            assert!(self.runs(), "the daemon ended while {what} was waited for; its log ends:\n{}", self.tail());
            std::thread::sleep(Duration::from_millis(60));
        }
    }

    pub fn wait_state(&mut self, agent: &str, state: &str, seconds: u64) -> Value {
        self.wait_link(agent, &format!("state {state}"), seconds, |link| link["state"] == state)
    }

    pub fn wait_reason(&mut self, agent: &str, reasons: &[&str], seconds: u64) -> Value {
        let good = |link: &Value| link["reason"].as_str().is_some_and(|reason| reasons.contains(&reason));
        self.wait_link(agent, &format!("reason {reasons:?}"), seconds, good)
    }

    /// The most memory it ever had resident, and what is its own now, in kB.
    pub fn memory_kb(&self) -> Option<(u64, u64)> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Some((field("VmHWM:")?, field("RssAnon:")?))
    }

    /// What it holds now. It must run.
    pub fn vitals(&mut self) -> Vitals {
        let heap_bytes = self.status()["process"]["heap_bytes"].as_u64().expect("status tells the heap");
        let proc = PathBuf::from(format!("/proc/{}", self.pid().expect("it runs")));
        let files = std::fs::read_dir(proc.join("fd")).expect("its files are listed").count() as u64;
        let threads = std::fs::read_dir(proc.join("task")).expect("its threads are listed").count() as u64;
        let (_, rss_anon_kb) = self.memory_kb().expect("its memory is told");
        Vitals { heap_bytes, rss_anon_kb, threads, files }
    }

    /// The last lines of the log.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until something holds; panics with `what` when it does not.
pub fn wait_for(what: &str, seconds: u64, mut good: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !good() {
        assert!(Instant::now() < until, "no {what} within {seconds} s");
        std::thread::sleep(Duration::from_millis(30));
    }
}
