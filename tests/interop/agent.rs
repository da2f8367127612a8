//! An agent on the bridge's socket: it says hello and answers every message with `re: ` and its text.

use crate::harness::bridge::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An agent; its thread ends with the bridge's socket.
pub struct Agent {
    turns: Arc<AtomicUsize>,
}

impl Agent {
    /// Joins as `name` as soon as the bridge listens, and has been welcomed when this returns.
    pub fn join(socket: PathBuf, name: &str) -> Self {
        let stream = wait("the agents' socket", 20, || UnixStream::connect(&socket).ok(), String::new);
        let turns = Arc::new(AtomicUsize::new(0));
        let (mut lines, mut out) = (BufReader::new(stream.try_clone().unwrap()), stream);
        writeln!(out, "{}", json!({ "v": 1, "type": "hello", "agents": [name] })).unwrap();
        let mut welcome = String::new();
        lines.read_line(&mut welcome).unwrap();
        let said: Value = serde_json::from_str(&welcome).unwrap_or_default();
        assert_eq!(said["type"], "welcome", "hello was answered {welcome:?}");
        let count = turns.clone();
        std::thread::spawn(move || answer(lines, out, &count));
        Self { turns }
    }

    /// Messages it was given.
    pub fn turns(&self) -> usize {
        self.turns.load(Ordering::SeqCst)
    }
}

fn answer(lines: BufReader<UnixStream>, mut out: UnixStream, turns: &AtomicUsize) {
    for line in lines.lines().map_while(Result::ok) {
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        if said["type"] != "message" {
            continue;
        }
        turns.fetch_add(1, Ordering::SeqCst);
        let text = format!("re: {}", said["message"]["text"].as_str().unwrap_or_default());
        let reply = json!({ "v": 1, "type": "reply", "turn": said["turn"], "text": text, "final": true });
        if writeln!(out, "{reply}").is_err() {
            return;
        }
    }
}
