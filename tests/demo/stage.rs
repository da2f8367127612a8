//! The demo's stage: guild, proxy, daemon, and a line on the screen for whatever happens.

use crate::guild::bridge::Bridge;
use crate::guild::proxy::Proxy;
use crate::guild::{Guild, Options, agent};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the guild's tokens live.
pub const TOKEN_LIFE_MS: u64 = 3_000;

pub struct Stage {
    pub guild: Guild,
    pub proxy: Proxy,
    bridge: Bridge,
    started: Instant,
    colours: bool,
    told: usize,
    last: (String, String),
    /// `replayed` and peak memory of earlier lives, and of this one so far.
    replayed: (u64, u64),
    peak_kb: u64,
    kills: u32,
}

impl Stage {
    pub fn open(program: &Path) -> Self {
        let mut options = Options { ping_interval_ms: 1_000, ping_timeout_ms: 1_000, ..Options::default() };
        options.guild.token_life_ms = TOKEN_LIFE_MS;
        let guild = Guild::start(options);
        guild.with(|guild, _| {
            guild.add_agent("recruiter", "Recruiter", "key-of-the-recruiter");
            guild.add_agent("old-client", "Old client", "key-old");
            let people = ["alice", "bob", "carol"];
            people.into_iter().for_each(|name| guild.add_person(name, name, false));
            guild.add_channel("general", "channel", &["recruiter", "old-client", "alice", "bob", "carol"]);
            guild.add_channel("alice-dm", "dm", &["recruiter", "alice"]);
        });
        let proxy = Proxy::before(guild.port());
        let mut bridge = Bridge::new(program, &guild.url());
        bridge.config["guilds"]["acme"]["url"] = json!(proxy.url());
        let answer = json!({"stdio": agent::argv("stdio", &bridge.turn_log("recruiter"))});
        bridge.agent("recruiter", "key-of-the-recruiter", answer, json!({"respond_to": "all", "parallel": 2}));
        let mut stage = Self {
            guild,
            proxy,
            bridge,
            started: Instant::now(),
            colours: std::io::stdout().is_terminal(),
            told: 0,
            last: Default::default(),
            replayed: (0, 0),
            peak_kb: 0,
            kills: 0,
        };
        let life_s = TOKEN_LIFE_MS / 1000;
        stage.act("A guild opens and the bridge takes the recruiter's seat");
        stage.tell("guild", &format!("listens on 127.0.0.1:{}; a token lives {life_s} s", stage.guild.port()));
        stage.bridge.start();
        stage.until("the bridge to be live", 10, |link| link["state"] == "live");
        stage
    }

    /// A heading.
    pub fn act(&self, title: &str) {
        let (on, off) = if self.colours { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        println!("\n{on}{title}{off}");
    }

    /// A line: when, who, what.
    pub fn tell(&self, who: &str, what: &str) {
        let colour = match who {
            "bridge" => "\x1b[36m",
            "guild" | "network" | "power" => "\x1b[33m",
            "old client" => "\x1b[31m",
            "recruiter" => "\x1b[32m",
            _ => "",
        };
        let (on, off) = if self.colours { (colour, "\x1b[0m") } else { ("", "") };
        println!("{:6.1}  {on}{who:<11}{what}{off}", self.started.elapsed().as_secs_f32());
    }

    /// Somebody says something.
    pub fn say(&mut self, channel: &str, who: &str, text: &str) {
        self.guild.say(channel, who, text);
        self.watch();
    }

    /// Time passes, and what happens is told.
    pub fn pass(&mut self, ms: u64) {
        let until = Instant::now() + Duration::from_millis(ms);
        while Instant::now() < until {
            self.watch();
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// Time passes until the link is so.
    pub fn until(&mut self, what: &str, seconds: u64, good: impl Fn(&Value) -> bool) {
        let until = Instant::now() + Duration::from_secs(seconds);
        while !good(&self.watch()) {
            if Instant::now() > until {
                self.tell("demo", &format!("waited {seconds} s for {what}, in vain; the daemon's log ends:"));
                println!("{}", self.bridge.tail());
                return;
            }
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// Waits until everyone is answered, at most so long.
    pub fn settle(&mut self, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        while !self.unanswered().is_empty() && Instant::now() < until {
            self.pass(100);
        }
        self.pass(500);
    }

    /// SIGKILL to the daemon.
    pub fn kill(&mut self) {
        self.bridge.kill();
        self.watch();
        self.kills += 1;
        self.replayed = (self.replayed.0 + self.replayed.1, 0);
        self.last = Default::default();
        self.tell("power", "SIGKILL: the daemon is gone, its agent with it");
    }

    pub fn start_again(&mut self) {
        self.tell("power", "the daemon is started again");
        self.bridge.spawn();
    }

    /// Tells what happened since the last time; the link as it is now.
    fn watch(&mut self) -> Value {
        let news: Vec<_> = self.guild.with(|guild, _| guild.said.iter().skip(self.told).cloned().collect());
        self.told += news.len();
        for message in news {
            let place = if message.channel == "general" { "#general" } else { "(direct)" };
            self.tell(&message.author, &format!("{place}  {}", message.text));
        }
        if self.bridge.pid().is_none() {
            return Value::Null;
        }
        let link = self.bridge.link("recruiter");
        self.peak_kb = self.peak_kb.max(self.bridge.memory_kb().map_or(0, |memory| memory.0));
        self.replayed.1 = self.replayed.1.max(link["replayed"].as_u64().unwrap_or(0));
        let word = |field: &str| link[field].as_str().unwrap_or_default().to_owned();
        let now = (word("state"), word("reason"));
        if now != self.last && !now.0.is_empty() {
            let proven = format!("{} of {} channels proven", link["channels_proven"], link["channels_total"]);
            // what went wrong last stays in status; while the link is well it is no news
            let well = now.0 == "live" && now.1 != "deaf.history";
            let why = if well { proven } else { word("detail") };
            let reason = if well || now.1.is_empty() { String::new() } else { format!(" [{}]", now.1) };
            self.tell("bridge", &format!("{}{reason}  {why}", now.0));
            self.last = now;
        }
        link
    }

    /// People's messages without an answer.
    fn unanswered(&self) -> Vec<String> {
        self.guild.with(|guild, _| {
            let answered =
                |id: &str| guild.said.iter().any(|m| m.author == "recruiter" && m.reply_to.as_deref() == Some(id));
            let asked = guild.said.iter().filter(|m| m.author != "recruiter");
            asked.filter(|m| !answered(&m.id)).map(|m| m.text.clone()).collect()
        })
    }

    /// The sum; the exit code.
    pub fn sum(mut self) -> i32 {
        self.settle(5);
        let lost = self.unanswered();
        let replayed = self.replayed.0 + self.replayed.1;
        let (said, answers, minted, twice) = self.guild.with(|guild, _| {
            let said = guild.said.iter().filter(|m| m.author != "recruiter").count();
            let mine = |agent: &str| agent == "recruiter";
            let twice: u32 =
                guild.tokens.values().filter(|t| mine(&t.agent)).map(|t| t.offered.saturating_sub(1)).sum();
            let minted = guild.tokens.values().filter(|t| mine(&t.agent)).count();
            (said, guild.said.len() - said, minted, twice)
        });
        let doubled = answers - (said - lost.len());
        let ended = self.bridge.terminate();
        self.act("The sum");
        let rows = [
            ("messages said", said.to_string()),
            ("answered", (said - lost.len()).to_string()),
            ("brought by history (replayed)", replayed.to_string()),
            ("answered twice (doubled)", doubled.to_string()),
            ("lost", lost.len().to_string()),
            ("tokens minted", minted.to_string()),
            ("tokens offered twice", twice.to_string()),
            ("times the daemon was killed", self.kills.to_string()),
            ("peak memory of the daemon", format!("{:.1} MB", self.peak_kb as f64 / 1024.0)),
            ("seconds", format!("{:.0}", self.started.elapsed().as_secs_f32())),
        ];
        rows.into_iter().for_each(|(what, value)| println!("  {what:<32}{value:>8}"));
        lost.iter().for_each(|text| println!("  lost: {text}"));
        let well = lost.is_empty() && doubled == 0 && twice == 0 && ended.success();
        println!("\n{}", if well { "Nothing was lost, nothing was doubled." } else { "It did not hold." });
        i32::from(!well)
    }
}
