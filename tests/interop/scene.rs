//! A daemon in an official guild, and what must be true of every such scene at its end.

use crate::guild::proxy::Proxy;
use crate::harness::bridge::{self, Bridge, wait};
use crate::node::Guild;
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

/// Seconds within which what was said is answered, however it comes to the agent.
const ANSWER_S: u64 = 25;
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
    pub fn with(flags: &[&str], change: impl FnOnce(&mut Value)) -> Self {
        let guild = Guild::start(flags);
        let mut config = bridge::config(&guild.url(), bridge::echo_agent());
        change(&mut config);
        Self { bridge: Bridge::started(&config), proxy: None, guild }
    }

    /// A guild behind a proxy that `prepare` has prepared.
    pub fn behind(flags: &[&str], prepare: impl FnOnce(&Proxy)) -> Self {
        let guild = Guild::start(flags);
        let proxy = Proxy::before(guild.port);
        prepare(&proxy);
        let config = bridge::config(&proxy.url(), bridge::echo_agent());
        Self { bridge: Bridge::started(&config), proxy: Some(proxy), guild }
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
        let story = || format!("{}\n{}", self.conversation(), self.bridge.tale());
        wait("an answer to everything", seconds, || self.all_answered().then_some(()), story);
    }

    /// Waits until a number of the guild's state has come to `at_least`.
    pub fn until_count(&self, what: &str, at_least: u64) {
        let story = || format!("{}\n{}", self.guild.state(), self.bridge.tale());
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
        let (code, took) = self.bridge.stop();
        assert_eq!(code, Some(0), "the exit code after SIGTERM\n{log}");
        assert!(took < Duration::from_secs(6), "the end took {took:?}");
    }
}
