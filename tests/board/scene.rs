//! A guild behind TLS, and the daemon on another machine that is told to keep a seat in it.

use crate::guild::authority::Authority;
use crate::guild::gate::{Gate, Shows};
use crate::guild::proxy::Proxy;
use crate::guild::{Guild, Options};
use crate::kind::Kind;
use crate::machine::{Files, Machine};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};

/// Seconds between two looks into history while all is well.
pub const RECONCILE_S: u64 = 2;
/// How long a link rests at first where only a step of the clock is to end its rest.
pub const LONG_REST_S: u64 = 120;

pub struct Scene {
    pub kind: &'static Kind,
    pub machine: Machine,
    pub guild: Guild,
    pub proxy: Proxy,
    pub size: u64,
    pub booted_s: u64,
    _gate: Gate,
}

/// The guild with its doors: HTTP and sockets alike go through the gate and the proxy.
pub struct Doors {
    guild: Guild,
    proxy: Proxy,
    gate: Gate,
    authority: Authority,
}

impl Doors {
    pub fn open() -> Self {
        let guild = Guild::start(Options::default());
        guild.with(|guild, _| {
            guild.add_agent("recruiter", "Recruiter", "key-1");
            guild.add_person("u7", "alice", false);
            guild.add_channel("general", "channel", &["recruiter", "u7"]);
        });
        let proxy = Proxy::before(guild.port());
        let authority = Authority::new();
        // valid since a minute ago: later than any build, so that a board in 1970 is told that it is not valid yet
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since = rcgen::date_time_ymd(1970, 1, 1) + since.saturating_sub(Duration::from_secs(60));
        let config = authority.server(&["127.0.0.1", "10.0.2.2"], |params| params.not_before = since);
        let gate = Gate::before(proxy.port(), Shows::Certificate(config));
        Self { guild, proxy, gate, authority }
    }

    /// What the daemon needs; `$D` is its folder.
    pub fn files(&self, host: &str) -> Files {
        let url = self.gate.url().replace("127.0.0.1", host);
        let config = |rest_s: u64| {
            let answer = json!({"exec": ["/bin/sh", "-c", "printf 're: '; cat"], "stdin": "text"});
            json!({
                "guilds": {"acme": {"dialect": "fabric", "center": url, "url": url, "extra_ca": "$D/ca.pem"}},
                "agents": {"recruiter": {"guild": "acme", "key_file": "$D/key", "respond_to": "all", "answer": answer}},
                "timing": {"reconcile_s": RECONCILE_S, "unproven_s": 1, "backoff_base_s": rest_s, "backoff_cap_s": rest_s},
            })
            .to_string()
        };
        vec![
            ("ca.pem", 0o644, self.authority.pem.clone()),
            ("key", 0o600, "key-1\n".into()),
            ("config.json", 0o644, config(1)),
            ("patient.json", 0o644, config(LONG_REST_S)),
        ]
    }

    pub fn scene(self, kind: &'static Kind, machine: Machine, size: u64, booted_s: u64) -> Scene {
        Scene { kind, machine, size, booted_s, guild: self.guild, proxy: self.proxy, _gate: self.gate }
    }
}

impl Scene {
    /// Starts the daemon; its log is `$D/log`.
    pub fn start(&mut self, config: &str) -> Result<(), String> {
        let run = format!("$D/guild-bridge run --config $D/{config} --state-dir $D/state --socket $D/control.sock");
        self.machine.must(&format!("{run} >$D/log 2>&1 & echo $! >$D/pid")).map(drop)
    }

    /// TERM, and its end with exit code 0.
    pub fn stop(&mut self) -> Result<(), String> {
        self.machine.must("kill $(cat $D/pid) && wait $(cat $D/pid); c=$?; rm -f $D/pid; (exit $c)").map(drop)
    }

    /// The one link, or null while the daemon does not answer.
    pub fn link(&mut self) -> Result<Value, String> {
        let (code, out) = self.machine.ask("$D/guild-bridge status --json --socket $D/control.sock 2>/dev/null")?;
        if code != 0 {
            return Ok(Value::Null);
        }
        let object = out.lines().find(|line| line.starts_with('{')).unwrap_or_default();
        let status: Value = serde_json::from_str(object).map_err(|error| format!("status: {error}: {out}"))?;
        Ok(status["links"][0].clone())
    }

    pub fn until_link(&mut self, what: &str, seconds: u64, good: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            let link = self.link()?;
            if good(&link) {
                return Ok(link);
            }
            if Instant::now() > until {
                return Err(format!("not {what} within {seconds} s; the link: {link}; the log:\n{}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub fn until_live(&mut self, seconds: u64) -> Result<Value, String> {
        self.until_link("live", seconds, |link| link["state"] == "live")
    }

    pub fn log(&mut self) -> String {
        self.machine.ask("tail -n 40 $D/log").map_or_else(|why| why, |(_, out)| out)
    }

    pub fn say(&self, text: &str) {
        self.guild.say("general", "u7", text);
    }

    /// Waits for the one answer to this text, and a moment longer for one too many.
    pub fn answered(&mut self, text: &str, seconds: u64) -> Result<(), String> {
        let wanted = format!("re: {text}");
        let count = |guild: &Guild| {
            guild.with(|guild, _| {
                guild.said_by("general", "recruiter").iter().filter(|message| message.text == wanted).count()
            })
        };
        let until = Instant::now() + Duration::from_secs(seconds);
        while count(&self.guild) == 0 {
            if Instant::now() > until {
                let link = self.link()?;
                return Err(format!("no answer to {text:?} within {seconds} s; {link}; the log:\n{}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(300));
        match count(&self.guild) {
            1 => Ok(()),
            answers => Err(format!("{text:?} was answered {answers} times")),
        }
    }

    pub fn talk(&mut self, text: &str) -> Result<(), String> {
        self.say(text);
        self.answered(text, 30)
    }
}
