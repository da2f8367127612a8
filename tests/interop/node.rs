//! The official Node server as a child: finding node, installing its packages once, talking to the guild in it.

use crate::runner::Ended;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const NODE_MAJOR: u32 = 18;
/// Seconds after which a guild that was forgotten ends by itself, where its flags do not say otherwise.
const LIMIT_S: &str = "300";

/// Seconds that a scenario may take; the longest says 2,000 messages.
pub const SCENARIO_S: u64 = 150;

/// A table of scenarios of these functions' names, each a skip where the official server cannot run.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => { &[$(
        $crate::runner::Scenario(stringify!($name), $crate::node::SCENARIO_S, || $crate::node::where_it_can_run($name))
    ),*] };
}
pub(crate) use scenarios;

/// Runs a scenario, or says what is missing.
pub fn where_it_can_run(scenario: fn()) -> Ended {
    match ready() {
        Ok(()) => {
            scenario();
            Ended::Well
        }
        Err(missing) => Ended::Skipped(missing),
    }
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/node")
}

/// Whether the official server can run here: what is missing otherwise, in words. Found out once.
pub fn ready() -> Result<(), String> {
    static READY: OnceLock<Result<(), String>> = OnceLock::new();
    READY.get_or_init(|| find_node().and_then(|()| install())).clone()
}

fn find_node() -> Result<(), String> {
    let said = Command::new("node").arg("--version").output().map_err(|error| format!("node is missing: {error}"))?;
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let major: Option<u32> = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => Err(format!("node is too old: {version}, {NODE_MAJOR} is needed")),
    }
}

/// `npm ci`, where what is installed is not what the lockfile says.
fn install() -> Result<(), String> {
    let lock = fs::read(home().join("package-lock.json")).map_err(|error| format!("package-lock.json: {error}"))?;
    let stamp = home().join("node_modules/.lock-that-was-installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--fetch-retries=1", "--loglevel=error"]).current_dir(home());
    let done = npm.output().map_err(|error| format!("npm is missing: {error}"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).trim().replace('\n', " | ");
        return Err(format!("the official server's packages cannot be installed: npm ci: {said}"));
    }
    fs::write(stamp, lock).map_err(|error| format!("node_modules: {error}"))
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

/// A fabric guild on the official server. It ends with this value.
pub struct Guild {
    flags: Vec<String>,
    keep: tempfile::Keep,
    pub port: u16,
    process: Option<Process>,
}

struct Process {
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Guild {
    /// Starts one with these flags (`options.js`) on a free port.
    pub fn start(flags: &[&str]) -> Self {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut guild = Self { flags, keep: tempfile::Keep::new(), port: 0, process: None };
        guild.resume();
        guild
    }

    /// Starts it again: same port, same flags, same memory.
    pub fn resume(&mut self) {
        let mut node = Command::new("node");
        node.arg(home().join("guild.js")).args(["--limit", LIMIT_S]).args(&self.flags);
        node.arg("--port").arg(self.port.to_string()).arg("--keep").arg(self.keep.path());
        let mut child = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node starts");
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let process = Process { child, pipes: RefCell::new(pipes) };
        let ready = process.read()["ready"].as_u64().expect("the guild says its port");
        self.port = u16::try_from(ready).unwrap();
        self.process = Some(process);
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Carries out a command (`control.js`); its answer.
    pub fn ask(&self, command: &Value) -> Value {
        let answer = self.process.as_ref().expect("the guild runs").ask(command);
        assert!(answer["error"].is_null(), "{command} was answered {answer}");
        answer
    }

    /// A command without arguments.
    pub fn tell(&self, command: &str) {
        self.ask(&json!({ "cmd": command }));
    }

    /// Changes options while it runs.
    pub fn set(&self, options: &Value) {
        self.ask(&json!({ "cmd": "set", "options": options }));
    }

    /// Alice says something in `general`; its id.
    pub fn say(&self, text: &str) -> String {
        self.ask(&json!({ "cmd": "say", "text": text }))["ids"][0].as_str().unwrap().to_owned()
    }

    pub fn state(&self) -> Value {
        self.ask(&json!({ "cmd": "state" }))
    }

    /// One number of the state.
    pub fn count(&self, what: &str) -> u64 {
        self.state()[what].as_u64().expect(what)
    }

    /// Everything said in `general`, oldest first.
    pub fn messages(&self) -> Vec<Value> {
        self.ask(&json!({ "cmd": "messages" }))["messages"].as_array().unwrap().clone()
    }

    /// Its process is sent a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.process.as_ref().and_then(|process| i32::try_from(process.child.id()).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("the guild runs");
        rustix::process::kill_process(pid, signal).expect("the signal is taken");
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }

    /// Ends as a server does that is stopped by its operator.
    pub fn close(&mut self) {
        self.tell("close");
        let mut process = self.process.take().unwrap();
        let ended = wait("the guild's end", 10, || process.child.try_wait().unwrap(), String::new);
        assert!(ended.success(), "the guild ended with {ended}");
    }
}

impl Drop for Guild {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    fn ask(&self, command: &Value) -> Value {
        writeln!(self.pipes.borrow_mut().0, "{command}").expect("the guild reads its commands");
        self.read()
    }

    fn read(&self) -> Value {
        let mut line = String::new();
        self.pipes.borrow_mut().1.read_line(&mut line).expect("the guild answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the guild said {line:?}: {error}"))
    }
}

/// The official client with the token of its first connection.
pub struct Naive {
    child: Child,
    log: PathBuf,
    _keep: tempfile::Keep,
}

impl Naive {
    /// Connects to `general` as the agent `scribe`.
    pub fn connect(guild: &Guild) -> Self {
        let minted = guild.ask(&json!({ "cmd": "mint", "agent": "scribe", "key": "scribe-key" }));
        let keep = tempfile::Keep::new();
        let log = keep.path().to_owned();
        let mut node = Command::new("node");
        node.arg(home().join("naive.js")).arg(guild.url());
        node.args([minted["guildAccessToken"].as_str().unwrap(), "general", "60"]);
        let child = node.stdin(Stdio::piped()).stdout(fs::File::create(&log).unwrap()).spawn().expect("node starts");
        Self { child, log, _keep: keep }
    }

    /// What it saw so far: connect, disconnect, message…
    pub fn saw(&self, what: &str) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).unwrap();
        let seen = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        seen.filter(|line| line["what"] == what).collect()
    }
}

impl Drop for Naive {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

mod tempfile {
    //! A file's name that is nobody else's; the file goes with the value.
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    pub struct Keep(PathBuf);

    impl Keep {
        pub fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("gb-guild-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            Self(std::env::temp_dir().join(name))
        }

        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Keep {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}
