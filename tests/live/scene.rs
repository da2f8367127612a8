//! What most scenarios need: a guild, perhaps a proxy before it, a daemon with one exec agent in it.

use crate::Ended;
use crate::guild::bridge::{Bridge, wait_for};
use crate::guild::proxy::Proxy;
use crate::guild::{Guild, Model, Options, model};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use std::process::Child;
use std::time::{Duration, Instant};

pub const BRIDGE: &str = env!("CARGO_BIN_EXE_guild-bridge");

/// A process beside the scene's own daemon; it ends when this is dropped, so with its scenario, however that ends.
pub struct Running(pub Child);

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("the signal is taken");
    }

    /// Its exit code, once it ended.
    pub fn ended(&mut self, seconds: u64) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            if let Ok(Some(status)) = self.0.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end within {seconds} s");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a daemon held before something hostile came.
#[derive(Clone, Copy)]
pub struct Held {
    heap_peak: u64,
    own_kb: u64,
}

/// What something hostile may add to it, whatever it sends: the longest answer that is read.
const HOSTILE_BYTES: u64 = 256 * 1024;

/// What the allocator keeps of it when it is given back, beside: it takes 64 KiB at a time, and a body in
/// chunks has 16 KiB before it has its bound.
const KEPT_KB: u64 = 64;

/// A guild with people in it, and a daemon beside it.
pub struct Scene {
    pub bridge: Bridge,
    pub proxy: Option<Proxy>,
    pub guild: Guild,
}

/// What a thread that panicked said.
pub fn words(payload: Box<dyn std::any::Any + Send>) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or(payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// A guild with one agent, one person and one channel.
pub fn small(options: Options) -> Guild {
    let guild = Guild::start(options);
    guild.with(|guild, _| {
        guild.add_agent("recruiter", "Recruiter", "key-1");
        guild.add_person("u7", "alice", false);
        guild.add_channel("general", "channel", &["recruiter", "u7"]);
    });
    guild
}

/// Options that differ in the guild itself.
pub fn options(change: impl FnOnce(&mut model::Options)) -> Options {
    let mut options = Options::default();
    change(&mut options.guild);
    options
}

impl Scene {
    /// A guild and a daemon that is not started yet.
    pub fn new(options: Options) -> Self {
        let guild = small(options);
        let mut bridge = Bridge::new(BRIDGE, &guild.url());
        bridge.exec_agent("recruiter", "key-1", json!({}));
        Self { bridge, proxy: None, guild }
    }

    /// As `new`, with a proxy between the daemon and the guild.
    pub fn proxied(options: Options) -> Self {
        let mut scene = Self::new(options);
        let proxy = Proxy::before(scene.guild.port());
        scene.bridge.config["guilds"]["acme"]["url"] = json!(proxy.url());
        scene.proxy = Some(proxy);
        scene
    }

    /// Starts the daemon and waits until it is live.
    pub fn live(mut self) -> Self {
        self.bridge.start();
        self.bridge.wait_state("recruiter", "live", 10);
        self
    }

    pub fn started(mut self) -> Self {
        self.bridge.start();
        self
    }

    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("a scene with a proxy")
    }

    pub fn say(&self, text: &str) -> String {
        self.guild.say("general", "u7", text)
    }

    /// What the agent said in the channel, in order.
    pub fn replies(&self) -> Vec<String> {
        self.guild.with(|guild, _| guild.said_by("general", "recruiter").iter().map(|m| m.text.clone()).collect())
    }

    /// Says it and waits for its answer.
    pub fn talk(&mut self, text: &str, seconds: u64) {
        self.say(text);
        self.answered(text, seconds);
    }

    /// Waits for the answer to this text.
    pub fn answered(&mut self, text: &str, seconds: u64) {
        let wanted = format!("re: {text}");
        let guild = &self.guild;
        let there = |guild: &mut Model, _| guild.said_by("general", "recruiter").iter().any(|m| m.text == wanted);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
        while !guild.with(there) {
            if std::time::Instant::now() > until {
                let link = self.bridge.link("recruiter");
                panic!("no answer to {text:?} within {seconds} s; link {link}; log:\n{}", self.bridge.tail());
            }
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
    }

    /// What holds at the end of every scenario: the daemon runs, no token was offered twice, nobody was answered twice,
    /// no secret was logged, nothing panicked.
    pub fn end(mut self) -> Ended {
        assert!(self.bridge.runs(), "the daemon ended; its log:\n{}", self.bridge.tail());
        self.check();
        Ended::Well
    }

    /// As `end`, for a scenario that ended the daemon itself.
    pub fn check(&self) {
        let twice = self.guild.with(|guild, _| guild.offered_twice());
        assert_eq!(twice, 0, "tokens offered twice");
        let doubled = self.doubled();
        assert!(doubled.is_empty(), "answered twice: {doubled:?}; log:\n{}", self.bridge.tail());
        let log = self.bridge.log();
        for secret in ["key-1", "gat.", "panicked"] {
            assert!(!log.contains(secret), "the log holds {secret:?}:\n{}", self.bridge.tail());
        }
        if let Some((peak, own)) = self.bridge.memory_kb() {
            assert!(peak < 24 * 1024 && own < 8 * 1024, "{peak} kB at its peak, {own} kB of its own");
        }
    }

    /// What the daemon holds now.
    pub fn held(&mut self) -> Held {
        let process = self.bridge.status()["process"].clone();
        let number = |field: &str| process[field].as_u64().unwrap_or_else(|| panic!("{field}: {process}"));
        let (_, own_kb) = self.bridge.memory_kb().expect("its memory is told");
        Held { heap_peak: number("heap_peak_bytes"), own_kb }
    }

    /// What something hostile added to the heap's peak, and to what is the process's own at rest.
    pub fn cost_little(&mut self, before: Held) {
        let now = self.held();
        let (peak, own_kb) = (now.heap_peak, now.own_kb);
        assert!(
            peak <= before.heap_peak + HOSTILE_BYTES,
            "{} bytes of heap at the peak, then {peak}",
            before.heap_peak
        );
        let most_kb = before.own_kb + HOSTILE_BYTES / 1024 + KEPT_KB;
        assert!(own_kb <= most_kb, "{} kB of its own, then {own_kb}", before.own_kb);
    }

    /// Texts that the agent posted more than once in answer to one message.
    pub fn doubled(&self) -> Vec<String> {
        self.guild.with(|guild, _| {
            let said = guild.said.iter().filter(|m| m.author == "recruiter" && m.reply_to.is_some());
            let mut seen = std::collections::BTreeSet::new();
            said.filter(|m| !seen.insert((m.reply_to.clone(), m.text.clone()))).map(|m| m.text.clone()).collect()
        })
    }

    /// A number of the link, from status.
    pub fn number(&mut self, field: &str) -> u64 {
        self.bridge.link("recruiter")[field].as_u64().unwrap_or_else(|| panic!("status has no number {field}"))
    }

    pub fn wait_number(&mut self, field: &str, at_least: u64, seconds: u64) {
        let good = |link: &Value| link[field].as_u64().is_some_and(|n| n >= at_least);
        self.bridge.wait_link("recruiter", &format!("{field} of {at_least}"), seconds, good);
    }

    pub fn wait_replies(&mut self, count: usize, seconds: u64) {
        wait_for(&format!("{count} replies"), seconds, || self.replies().len() >= count);
    }
}
