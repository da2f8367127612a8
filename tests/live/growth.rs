//! Nothing grows: what a daemon holds at rest is the same after any number of messages and reconnects, but for the places of
//! queues that double, which keep what their longest took.
//!
//! *At rest*: every message answered, every link live, its channels' histories read past the last message (two
//! reconciliations ago), no connection, call or turn under way: the least of some looks. *Before* is a rest behind work
//! of the same kind that filled what has a bound (each link heard and posted more than its windows of ids hold, and offered
//! as many tokens as it remembers) and that was harder: all links cut at once, more messages under way. Then come the
//! messages and reconnects that count, some links away at any time. Both end with the same few short messages.

use crate::guild::bridge::{Bridge, wait_for};
use crate::guild::{Guild, Options};
use crate::scene::BRIDGE;
use crate::{Ended, Scenario};
use guild_bridge::budget;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] =
    &[Scenario("twenty_thousand_messages_and_sixty_reconnects_leave_nothing_behind", 200, || grows(20_000, 60))];

/// Asked for with `--soak`.
pub const SOAK: &[Scenario] =
    &[Scenario("a_million_messages_and_ten_thousand_reconnects_leave_nothing_behind", 5_400, || {
        grows(1_000_000, 10_000)
    })];

const LINKS: usize = 4;
const CHANNELS: usize = 3;
/// Messages under way at once: while all is warmed, and while it counts.
const UNDER_WAY: [usize; 2] = [64, 16];
/// Links away at once while it counts; all of them while all is warmed.
const AWAY: usize = 3;
/// Tokens that a link remembers, to know one that comes twice.
const OFFERS: usize = 64;
/// One message in so many is long, and one is answered: every channel has its part of both.
const LONG_EVERY: usize = 499;
const ANSWERED_EVERY: usize = 7;
const LONG_BYTES: usize = 50_000;
/// Longer than an HTTP connection stays open without a request: between two there is a moment without one.
pub const RECONCILE_S: u64 = budget::HTTP_IDLE_MS / 1_000 + 2;
/// What the heap may be more: the task list of the executor and the queues between its tasks double where more is under way at
/// once by chance. A byte a message, or 64 a reconnect, is more than this.
const HEAP_GROWTH_BYTES: u64 = 8 * 1024;
/// What RssAnon may be more.
const RSS_GROWTH_KB: u64 = 256;

fn name(link: usize) -> String {
    format!("a{link:02}")
}

fn channel(link: usize, at: usize) -> String {
    format!("c{link:02}-{at}")
}

/// A guild over TLS, a daemon with a link for each agent, and one program that answers for all of them.
struct Hall {
    guild: Arc<Guild>,
    bridge: Bridge,
    said: usize,
    answered: Arc<AtomicUsize>,
}

/// Says `none`, or where it is asked for an answer a reply.
fn answer_for_all(stream: UnixStream, answered: &AtomicUsize) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let names: Vec<String> = (0..LINKS).map(name).collect();
    writeln!(writer, "{}", json!({"v": 1, "type": "hello", "agents": names}))?;
    for line in BufReader::new(stream).lines() {
        let ask: Value = serde_json::from_str(&line?).map_err(std::io::Error::other)?;
        if ask["type"] != "message" {
            continue;
        }
        let turn = &ask["turn"];
        let text = ask["message"]["text"].as_str().unwrap_or_default();
        let answer = match text.starts_with("answer") {
            true => json!({"v": 1, "type": "reply", "turn": turn, "text": format!("re: {text}"), "final": true}),
            false => json!({"v": 1, "type": "none", "turn": turn}),
        };
        writeln!(writer, "{answer}")?;
        answered.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

impl Hall {
    fn open() -> Self {
        let guild = Guild::start(Options { tls: true, ..Options::default() });
        let mut bridge = Bridge::new(BRIDGE, &guild.url());
        bridge.log_level = "warn";
        bridge.config["guilds"]["acme"]["extra_ca"] = json!(bridge.dir.file("ca.pem", 0o644, guild.ca_pem()));
        bridge.config["timing"]["reconcile_s"] = json!(RECONCILE_S);
        let socket = bridge.dir.0.join("agents.sock");
        guild.with(|guild, _| guild.add_person("u7", "alice", false));
        for link in 0..LINKS {
            guild.with(|guild, _| {
                guild.add_agent(&name(link), &name(link), "key");
                (0..CHANNELS).for_each(|at| guild.add_channel(&channel(link, at), "channel", &[&name(link), "u7"]));
            });
            let more = json!({"respond_to": "all", "parallel": 4});
            bridge.agent(&name(link), "key", json!({"socket": socket}), more);
        }
        bridge.start();
        wait_for("the agents' socket", 10, || UnixStream::connect(&socket).is_ok());
        let (stream, answered) = (UnixStream::connect(&socket).unwrap(), Arc::<AtomicUsize>::default());
        let counts = answered.clone();
        std::thread::spawn(move || answer_for_all(stream, &counts));
        let mut hall = Self { guild: Arc::new(guild), bridge, said: 0, answered };
        hall.all_live();
        hall
    }

    fn all_live(&mut self) {
        (0..LINKS).for_each(|link| drop(self.bridge.wait_state(&name(link), "live", 30)));
    }

    /// Says one more, once less than so many are under way.
    fn say(&mut self, text: &str, under_way: usize) {
        let n = self.said;
        self.guild.say(&channel(n % LINKS, (n / LINKS) % CHANNELS), "u7", text);
        self.said += 1;
        let begun = Instant::now();
        while self.said.saturating_sub(self.answered.load(Ordering::SeqCst)) > under_way {
            std::thread::sleep(Duration::from_micros(200));
            let late = begun.elapsed() > Duration::from_secs(40);
            assert!(!late, "no answer: {}; log:\n{}", self.bridge.status(), self.bridge.tail());
        }
    }

    /// So many messages and reconnects, at least; meanwhile so many links are away at once.
    fn work(&mut self, messages: usize, reconnects: usize, away: usize, under_way: usize) {
        // every cut lies near the end of a token, so that it is no failure and rests for a second at most
        self.guild.with(|guild, _| guild.options.token_life_ms = 4_900);
        let done = Arc::new(AtomicBool::new(false));
        let (cuts, tells) = (Cuts { guild: self.guild.clone(), away }, done.clone());
        let cutter = std::thread::spawn(move || {
            cuts.make(reconnects);
            tells.store(true, Ordering::SeqCst);
        });
        for n in 0.. {
            if n >= messages {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            match n {
                n if n % LONG_EVERY == 1 => self.say(&"l".repeat(LONG_BYTES), under_way),
                n if n % ANSWERED_EVERY == 3 => self.say("answer this", under_way),
                _ => self.say("what about the second candidate?", under_way),
            }
            if n % 10_000 == 0 {
                self.forget();
            }
        }
        cutter.join().expect("the links are cut");
        self.be_quiet();
    }

    /// The guild's own memory is not what is looked at.
    fn forget(&self) {
        for at in 0..LINKS * CHANNELS {
            self.guild.with(|guild, _| guild.cut_history(&channel(at / CHANNELS, at % CHANNELS), 2_000));
        }
    }

    /// Every link has offered as many tokens as it remembers.
    fn fill_offers(&mut self) {
        for _ in 0..OFFERS {
            (0..LINKS).for_each(|link| assert_eq!(self.bridge.call(&["restart", &name(link)]).0, 0));
            self.all_live();
        }
    }

    /// All links once more with tokens that live long, and a few short messages for each of their channels.
    fn be_quiet(&mut self) {
        self.guild.with(|guild, _| guild.options.token_life_ms = 900_000);
        self.all_live();
        (0..LINKS).for_each(|link| self.guild.with(|guild, _| guild.kick(&name(link), true)));
        let heard = |link| self.guild.with(|guild, _| (0..CHANNELS).all(|at| guild.hearers(&channel(link, at)) > 0));
        wait_for("all links again", 20, || (0..LINKS).all(heard));
        self.all_live();
        for n in 0..LINKS * CHANNELS * 20 {
            self.say(if n % ANSWERED_EVERY == 0 { "answer this" } else { "what about the third candidate?" }, 8);
        }
        wait_for("every answer", 30, || self.answered.load(Ordering::SeqCst) >= self.said);
    }

    /// Heap and RssAnon at rest.
    fn rest(&mut self) -> (u64, u64) {
        std::thread::sleep(Duration::from_secs(2 * RECONCILE_S));
        let looks = (0..RECONCILE_S * 11).map(|_| {
            std::thread::sleep(Duration::from_millis(90));
            let vitals = self.bridge.vitals();
            (vitals.heap_bytes, vitals.rss_anon_kb)
        });
        looks.min().unwrap()
    }

    /// The most that the heap held.
    fn peak(&mut self) -> u64 {
        self.bridge.status()["process"]["heap_peak_bytes"].as_u64().unwrap()
    }

    fn attempts(&mut self) -> u64 {
        let status = self.bridge.status();
        status["links"].as_array().unwrap().iter().map(|link| link["attempts"].as_u64().unwrap()).sum()
    }
}

/// Cuts links that hear.
struct Cuts {
    guild: Arc<Guild>,
    away: usize,
}

impl Cuts {
    fn make(&self, reconnects: usize) {
        let hears = |link| self.guild.with(|guild, _| (0..CHANNELS).all(|at| guild.hearers(&channel(link, at)) > 0));
        let (mut made, mut link) = (0, 0);
        while made < reconnects {
            link = (link + 1) % LINKS;
            let away = (0..LINKS).filter(|link| !hears(*link)).count();
            if away < self.away && hears(link) {
                self.guild.with(|guild, _| guild.kick(&name(link), true));
                made += 1;
            } else {
                std::thread::sleep(Duration::from_millis(3));
            }
        }
    }
}

fn grows(messages: usize, reconnects: usize) -> Ended {
    let mut hall = Hall::open();
    hall.fill_offers();
    let fill = LINKS * (budget::DEDUPE_IDS + budget::DEDUPE_IDS / 16);
    hall.work(fill, LINKS * 8, LINKS, UNDER_WAY[0]);
    let (heap, rss_kb) = hall.rest();
    let peak = hall.peak();
    let (said, attempts, begun) = (hall.said, hall.attempts(), Instant::now());
    hall.work(messages, reconnects, AWAY, UNDER_WAY[1]);
    let took = begun.elapsed();
    let (heap_after, rss_kb_after) = hall.rest();
    let (said, attempts) = (hall.said - said, hall.attempts() - attempts);
    println!(
        "  {said} messages and {attempts} reconnects in {:.0} s: heap at rest {heap} and then {heap_after} bytes, at most \
         {peak} and then {}; RssAnon {rss_kb} and then {rss_kb_after} kB",
        took.as_secs_f32(),
        hall.peak()
    );
    assert!(said >= messages && attempts >= reconnects as u64);
    let status = hall.bridge.status();
    assert!(status["links"].as_array().unwrap().iter().all(|link| link["gaps"] == 0), "{status}");
    let log = hall.bridge.tail();
    assert!(heap_after <= heap + HEAP_GROWTH_BYTES, "the heap grew from {heap} to {heap_after} bytes; log:\n{log}");
    assert!(rss_kb_after <= rss_kb + RSS_GROWTH_KB, "RssAnon grew from {rss_kb} to {rss_kb_after} kB");
    Ended::Well
}
