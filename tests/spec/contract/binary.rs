//! Sentences of the contract that only the program itself can show, without a guild.

use crate::folder::Folder;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const BRIDGE: &str = env!("CARGO_BIN_EXE_guild-bridge");
const CONFIG: &str = r#"{"guilds":{"acme":{"dialect":"fabric","url":"http://127.0.0.1:1"}},
"agents":{"recruiter":{"guild":"acme","key_file":"key","answer":{"exec":["/bin/cat"]}}}}"#;

/// A daemon whose guild is not there; its log is a file, at trace.
struct Daemon {
    folder: Folder,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        let folder = Folder::new();
        folder.file("key", 0o600, "k-of-the-recruiter\n");
        folder.file("config.json", 0o644, CONFIG);
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(BRIDGE);
        command.arg("run").args(files(&folder)).env("RUST_LOG", "trace").env_remove("JOURNAL_STREAM");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { folder, child }
    }

    /// Its status, once its link says so.
    fn status(&self, state: &str) -> Value {
        for _ in 0..200 {
            let out = Command::new(BRIDGE).args(["status", "--json"]).args(files(&self.folder)).output().unwrap();
            let status: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
            if status["links"][0]["state"] == state {
                return status;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it never was in {state}; its log:\n{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn files(folder: &Folder) -> Vec<String> {
    let pairs = [("--config", "config.json"), ("--state-dir", "state"), ("--socket", "control.sock")];
    pairs
        .iter()
        .flat_map(|(option, file)| [option.to_string(), folder.path().join(file).display().to_string()])
        .collect()
}

#[test]
fn as_root_it_warns_once_and_otherwise_not() {
    let daemon = Daemon::start();
    daemon.status("backoff");
    let warned = daemon.log().matches("agents would run as root").count();
    assert_eq!(warned, usize::from(rustix::process::geteuid().is_root()), "{}", daemon.log());
}

#[test]
fn status_tells_the_heap_and_the_size_of_the_process() {
    let daemon = Daemon::start();
    let process = daemon.status("backoff")["process"].clone();
    let number = |field: &str| process[field].as_u64().unwrap_or_else(|| panic!("{field}: {process}"));
    assert_eq!(number("pid"), u64::from(daemon.child.id()));
    assert!((1..=number("heap_peak_bytes")).contains(&number("heap_bytes")), "{process}");
    assert!(number("rss_bytes") > number("heap_bytes"), "{process}");
    assert!(process["heap_limit_bytes"].is_u64() && process["state_mode"] == "memory", "{process}");
}

#[test]
fn no_library_logs_and_no_key_is_logged_even_at_trace() {
    let daemon = Daemon::start();
    daemon.status("backoff");
    let log = daemon.log();
    assert!(log.contains("recruiter: acme: net.refused"), "{log}");
    // this program speaks at info and above; below that only libraries do
    for word in ["k-of-the-recruiter", "agentKey", " DEBUG ", " TRACE "] {
        assert!(!log.contains(word), "{word}: {log}");
    }
}

#[test]
fn files_that_are_not_named_are_where_help_says() {
    let ask = |arguments: &[&str]| {
        let out = Command::new(BRIDGE).args(arguments).output().unwrap();
        String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
    };
    let help = ask(&["--help"]);
    for file in ["config.json", "state", "control.sock"] {
        let folder = if file == "config.json" { "/etc" } else { "/run" };
        assert!(help.contains(&format!("{folder}/guild-bridge/{file}")), "{file}: {help}");
    }
    assert!(help.contains("/var/lib/guild-bridge where"), "{help}");
    assert!(ask(&["check"]).contains("/etc/guild-bridge/config.json"));
    let status = ask(&["status"]);
    assert!(status.contains("/run/guild-bridge/control.sock") || status.contains("up "), "{status}");
}

#[test]
fn an_output_that_cannot_be_written_is_an_internal_fault_and_exits_70() {
    // a device that is always full
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return println!("SKIP no /dev/full here") };
    let out = Command::new(BRIDGE).arg("--version").stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(out.status.code(), Some(70), "{}", String::from_utf8_lossy(&out.stderr));
}
