//! A daemon in an official guild, and what must be true of every such scene at its end.

use crate::guild::bridge::Bridge;
use crate::guild::proxy::Proxy;
use crate::node::{Guild, wait};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Seconds within which what was said is answered, however it comes to the agent.
const ANSWER_S: u64 = 25;
/// Seconds within which a state or a reason is there.
const STATE_S: u64 = 20;
/// A second answer to the same message would come within this.
const SETTLE: Duration = Duration::from_millis(400);

/// What one side of a conversation comes to: texts as the agent says them, each with the id of what is answered.
type Side = Vec<(String, String)>;

/// A daemon in a guild, with a proxy between them where one was asked for.
pub struct Scene {
    pub bridge: Bridge,
    pub proxy: Option<Proxy>,
    pub guild: Guild,
}

impl Scene {
    /// A guild with these flags, and a daemon that echoes.
    pub fn new(flags: &[&str]) -> Self {
        Self::with(flags, |_| {})
    }

    /// The same with a configuration that `change` has changed.
    pub fn with(flags: &[&str], change: impl FnOnce(&mut Bridge)) -> Self {
        let guild = Guild::start(flags);
        let bridge = started(&guild.url(), change);
        Self { bridge, proxy: None, guild }
    }

    /// A guild behind a proxy that `prepare` has prepared.
    pub fn behind(flags: &[&str], prepare: impl FnOnce(&Proxy)) -> Self {
        let guild = Guild::start(flags);
        let proxy = Proxy::before(guild.port);
        prepare(&proxy);
        let bridge = started(&proxy.url(), |_| {});
        Self { bridge, proxy: Some(proxy), guild }
    }

    /// The link now.
    pub fn link(&mut self) -> Value {
        self.bridge.link("recruiter")
    }

    /// The link as soon as it is as `fits` says.
    pub fn until(&mut self, what: &str, seconds: u64, fits: impl Fn(&Value) -> bool) -> Value {
        self.bridge.wait_link("recruiter", what, seconds, fits)
    }

    /// The link as soon as it is in this state.
    pub fn until_state(&mut self, state: &str) -> Value {
        self.bridge.wait_state("recruiter", state, STATE_S)
    }

    /// The link as soon as it gives this reason.
    pub fn until_reason(&mut self, reason: &str) -> Value {
        self.bridge.wait_reason("recruiter", &[reason], STATE_S)
    }

    /// The proxy of a scene that has one.
    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("a scene behind a proxy")
    }

    /// Says something and waits for the answer.
    pub fn talk(&self, text: &str) {
        self.guild.say(text);
        self.answered();
    }

    /// Waits until everything said so far was answered, once and in order.
    pub fn answered(&self) {
        self.answered_within(ANSWER_S);
    }

    /// The same with a time of its own.
    pub fn answered_within(&self, seconds: u64) {
        let story = || format!("{}\n{}", self.conversation(), self.bridge.tail());
        wait("an answer to everything", seconds, || self.all_answered().then_some(()), story);
    }

    /// Waits until a number of the guild's state has come to `at_least`.
    pub fn until_count(&self, what: &str, at_least: u64) {
        let story = || format!("{}\n{}", self.guild.state(), self.bridge.tail());
        wait(&format!("{what} >= {at_least}"), 20, || (self.guild.count(what) >= at_least).then_some(()), story);
    }

    fn all_answered(&self) -> bool {
        let (asked, answers) = self.sides();
        asked == answers
    }

    /// What the agent should have said, and what it said.
    fn sides(&self) -> (Side, Side) {
        let (said, answers): (Vec<Value>, Vec<Value>) =
            self.guild.messages().into_iter().partition(|message| message["authorId"] != "recruiter");
        let text = |message: &Value| message["text"].as_str().unwrap().to_owned();
        let said = said.iter().map(|m| (format!("re: {}", text(m)), m["id"].as_str().unwrap().to_owned()));
        let answers = answers.iter().map(|m| (text(m), m["replyTo"].as_str().unwrap_or("nothing").to_owned()));
        (said.collect(), answers.collect())
    }

    fn conversation(&self) -> String {
        let (asked, answers) = self.sides();
        let cut = |side: &[(String, String)]| {
            format!("{} in all, the last {:?}", side.len(), side.iter().rev().take(5).collect::<Vec<_>>())
        };
        format!("asked: {}\nanswers: {}\nguild: {}", cut(&asked), cut(&answers), self.guild.state())
    }

    /// Ends the scene: everything was answered once and in order, no token was offered twice or expired, nothing was
    /// offered but a token, the daemon still runs, tells no token, and ends when it is asked to.
    pub fn end(mut self) {
        self.answered();
        sleep(SETTLE);
        assert!(self.all_answered(), "something was answered twice\n{}", self.conversation());
        self.end_unanswered();
    }

    /// The same for a scene in which nothing can be answered.
    pub fn end_unanswered(&mut self) {
        let state = self.guild.state();
        for fault in ["offeredTwice", "offeredExpired", "offeredUnknown"] {
            assert_eq!(state[fault], 0, "{fault}: {state}");
        }
        let names = state["authKeys"].as_array().unwrap();
        assert!(names.iter().all(|name| name == "token"), "CONNECT carried {names:?}");
        assert!(self.bridge.runs(), "the daemon ended by itself\n{}", self.bridge.log());
        let log = self.bridge.log();
        let tokens = state["tokens"].as_array().unwrap();
        assert!(!tokens.iter().any(|token| log.contains(token.as_str().unwrap())), "a token is in the log");
        assert!(!log.contains("recruiter-key"), "the key is in the log");
        let asked = Instant::now();
        let ended = self.bridge.terminate();
        assert_eq!(ended.code(), Some(0), "the exit code after SIGTERM\n{log}");
        assert!(asked.elapsed() < Duration::from_secs(6), "the end took {:?}", asked.elapsed());
    }
}

/// A daemon that runs, in the guild at `url`, with one agent that answers everything with `re: ` and what was said.
fn started(url: &str, change: impl FnOnce(&mut Bridge)) -> Bridge {
    let mut bridge = Bridge::new(env!("CARGO_BIN_EXE_guild-bridge"), url);
    let sed = json!({ "exec": ["/bin/sed", "s/^/re: /"], "stdin": "text" });
    bridge.agent("recruiter", "recruiter-key", sed, json!({ "respond_to": "all" }));
    change(&mut bridge);
    bridge.start();
    bridge
}
