//! A local agent for tests and the demo: the binary that holds it runs itself again with `--as-agent KIND LOG [SOCKET NAME]`.
//! Each turn is a line in LOG. The first word after the mention says how it answers: hang, die, busy, invalid, flood,
//! (so many MB), long (so many lines), none, slow (so many ms), file, env; anything else is said back.

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The argv of an agent of this kind.
pub fn argv(kind: &str, log: &Path) -> Vec<String> {
    let me = std::env::current_exe().expect("this program has a path");
    vec![me.display().to_string(), "--as-agent".into(), kind.into(), log.display().to_string()]
}

/// Runs as an agent, where the arguments say so, and does not return then.
pub fn run_if_asked() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).map(String::as_str) != Some("--as-agent") {
        return;
    }
    let log = PathBuf::from(arguments.get(3).expect("LOG"));
    match arguments.get(2).map(String::as_str) {
        Some("exec") => exec(&log),
        Some("stdio") => lines(std::io::stdin().lock(), std::io::stdout(), &log),
        Some("socket") => {
            let stream = UnixStream::connect(arguments.get(4).expect("SOCKET")).expect("the bridge listens");
            let mut writer = stream.try_clone().expect("a second handle");
            writeln!(writer, "{}", json!({"v": 1, "type": "hello", "agents": [arguments.get(5).expect("NAME")]}))
                .unwrap();
            lines(BufReader::new(stream), writer, &log);
        }
        other => panic!("no such kind of agent: {other:?}"),
    }
    std::process::exit(0);
}

/// What an agent wrote down: one line for each turn that it was given.
pub fn turns(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn note(log: &Path, ask: &Value) {
    let mut file = OpenOptions::new().append(true).create(true).open(log).expect("the log can be written");
    let line = format!("{ask}\n");
    file.write_all(line.as_bytes()).expect("the log can be written");
}

fn exec(log: &Path) {
    let mut line = String::new();
    std::io::stdin().read_to_string(&mut line).expect("the turn is UTF-8");
    let ask: Value = serde_json::from_str(&line).expect("the turn is JSON");
    note(log, &ask);
    let mut out = std::io::stdout();
    match Answer::to(&ask) {
        Answer::Say(text) => out.write_all(text.as_bytes()).expect("the bridge reads"),
        Answer::Bytes(bytes) => {
            let _ = out.write_all(&bytes);
        }
        Answer::Nothing => {}
        Answer::Hang => hang(),
        Answer::Die => {
            eprintln!("dying as asked");
            std::process::exit(3);
        }
        Answer::Busy => std::process::exit(75),
    }
}

/// Until whoever started this is gone.
fn hang() {
    let parent = rustix::process::getppid();
    while rustix::process::getppid() == parent {
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn lines(from: impl BufRead, mut to: impl Write, log: &Path) {
    for line in from.lines() {
        let Ok(line) = line else { return };
        let ask: Value = serde_json::from_str(&line).expect("a line is JSON");
        if ask["type"] != "message" {
            continue;
        }
        note(log, &ask);
        let turn = &ask["turn"];
        let answer = match Answer::to(&ask) {
            Answer::Say(text) => json!({"v": 1, "type": "reply", "turn": turn, "text": text, "final": true}),
            Answer::Nothing => json!({"v": 1, "type": "none", "turn": turn}),
            Answer::Busy => json!({"v": 1, "type": "error", "turn": turn, "code": "busy", "retry_after_ms": 300}),
            Answer::Hang => continue,
            Answer::Die => std::process::exit(3),
            Answer::Bytes(bytes) => {
                let _ = to.write_all(&bytes).and_then(|()| to.write_all(b"\n"));
                continue;
            }
        };
        if writeln!(to, "{answer}").and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

enum Answer {
    Say(String),
    Bytes(Vec<u8>),
    Nothing,
    Hang,
    Die,
    Busy,
}

impl Answer {
    fn to(ask: &Value) -> Self {
        let text = ask["message"]["text"].as_str().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().filter(|word| !word.starts_with('@')).collect();
        let number = words.get(1).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
        match words.first().copied().unwrap_or_default() {
            "hang" => Self::Hang,
            "die" => Self::Die,
            "busy" if ask["attempt"] == 1 && !Path::new(&busy_mark(ask)).exists() => {
                std::fs::write(busy_mark(ask), "").expect("a mark can be left");
                Self::Busy
            }
            "invalid" => Self::Bytes(b"caf\xe9 \xff\xfe end".to_vec()),
            "flood" => Self::Bytes(vec![b'x'; number.max(1) << 20]),
            "long" => Self::Say(long(number)),
            "none" => Self::Nothing,
            "slow" => {
                std::thread::sleep(Duration::from_millis(number as u64));
                Self::Say(format!("re: {text}"))
            }
            "file" => Self::Say(file(ask)),
            "env" => {
                let mut names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
                names.sort();
                Self::Say(names.join(" "))
            }
            _ => Self::Say(format!("re: {text}")),
        }
    }
}

fn busy_mark(ask: &Value) -> String {
    let turn = ask["turn"].as_str().unwrap_or_default();
    std::env::temp_dir().join(format!("guild-bridge-busy-{turn}")).display().to_string()
}

/// So many numbered lines in paragraphs, with a code fence in the middle.
fn long(lines: usize) -> String {
    let mut text = String::new();
    for line in 1..=lines {
        if line == lines / 3 {
            text.push_str("```text\n");
        }
        text.push_str(&format!("line {line:05} of a reply that does not end where a post does\n"));
        if line == lines / 3 * 2 {
            text.push_str("```\n");
        } else if line % 10 == 0 && (line < lines / 3 || line > lines / 3 * 2) {
            text.push('\n');
        }
    }
    text
}

fn file(ask: &Value) -> String {
    let file = &ask["message"]["attachments"][0];
    match file["path"].as_str().map(std::fs::read) {
        Some(Ok(bytes)) => format!("file {} {}", bytes.len(), bytes.iter().map(|b| u64::from(*b)).sum::<u64>()),
        Some(Err(error)) => format!("file cannot be read: {error}"),
        None => format!("file not there: {}", file["why"].as_str().unwrap_or("no reason given")),
    }
}
