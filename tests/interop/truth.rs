//! What status and the page say, held against what the official server does: how long they can be wrong, and what a reload
//! at any moment leaves alone.

use crate::node::{Guild, scenarios};
use crate::runner::Scenario;
use crate::scene::Scene;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = scenarios![
    status_and_page_are_wrong_about_a_deaf_room_for_a_reconcile_at_most,
    status_and_page_are_wrong_about_a_frozen_server_for_a_ping_and_its_timeout_at_most,
    a_reload_at_any_of_a_thousand_moments_cuts_no_unchanged_link_and_loses_and_doubles_nothing,
];

const RECONCILE: Duration = Duration::from_secs(3);
const PING: Duration = Duration::from_millis(2_000);
const PING_TIMEOUT: Duration = Duration::from_millis(500);
/// For the guild's answers, and for asking again, on a machine that does other things too.
const ANSWERS: Duration = Duration::from_millis(700);
/// The page looks so often.
const PAGE_LOOK: Duration = Duration::from_millis(guild_bridge::budget::PAGE_LOOK_MS);
const ROUNDS: u32 = 5;

/// Whether the link is told as well: live, and nothing said against it.
fn well(link: &Value) -> bool {
    link["state"] == "live" && link["reason"].is_null()
}

/// What the page is told of the only link, as it is told it.
#[derive(Clone)]
struct Feed(Arc<Mutex<Vec<(Instant, bool)>>>);

impl Feed {
    fn of(port: u16) -> Self {
        let feed = Self(Arc::default());
        let told = feed.0.clone();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the page is served");
        write!(stream, "GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let data = line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok());
                if let Some(link) = data.as_ref().and_then(|data| data["status"]["links"].get(0)) {
                    told.lock().unwrap().push((Instant::now(), well(link)));
                }
            }
        });
        feed
    }

    /// When it first told something else than that all is well, after this.
    fn doubts_since(&self, since: Instant) -> Option<Instant> {
        self.0.lock().unwrap().iter().find(|(at, well)| *at > since && !well).map(|(at, _)| *at)
    }
}

/// The longest that status and the page say that all is well after `spoil`, over rounds that begin at different moments.
fn worst(flags: &[&str], spoil: impl Fn(&Guild) -> Instant, mend: impl Fn(&Scene)) -> (Duration, Duration) {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port();
    let mut scene = Scene::with(flags, |bridge| {
        bridge.config["page"] = json!(format!("127.0.0.1:{port}"));
        bridge.config["timing"] = json!({"reconcile_s": RECONCILE.as_secs(), "unproven_s": 1, "handshake_s": 3, "stable_s": 3,
                                         "backoff_base_s": 1, "backoff_cap_s": 2});
    });
    let mut feed = None;
    let mut worst = (Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        scene.until("all is well", 30, well);
        let feed = feed.get_or_insert_with(|| Feed::of(port));
        sleep(PAGE_LOOK + RECONCILE / ROUNDS * round);
        let from = spoil(&scene.guild);
        scene.until("a doubt", 20, |link| !well(link));
        worst.0 = worst.0.max(from.elapsed());
        let told = crate::node::wait("a doubt on the page", 20, || feed.doubts_since(from), || scene.bridge.tail());
        worst.1 = worst.1.max(told - from);
        mend(&scene);
        scene.talk("heard again");
    }
    scene.end();
    worst
}

fn status_and_page_are_wrong_about_a_deaf_room_for_a_reconcile_at_most() {
    let unheard = |guild: &Guild| {
        guild.tell("leave");
        guild.say("nobody brings this");
        Instant::now()
    };
    let (status, page) = worst(&["--joinAck", "ok"], unheard, |scene| {
        crate::node::wait("in the room again", 20, || (scene.guild.count("hearers") == 1).then_some(()), String::new);
    });
    println!("  wrong for {status:?} in status, {page:?} on the page; a reconcile is {RECONCILE:?}");
    assert!(status <= RECONCILE + ANSWERS && page <= RECONCILE + ANSWERS + PAGE_LOOK, "{status:?}, {page:?}");
    assert!(status > RECONCILE / 2, "the rounds met no bad moment: {status:?}");
}

fn status_and_page_are_wrong_about_a_frozen_server_for_a_ping_and_its_timeout_at_most() {
    let pings = [PING, PING_TIMEOUT].map(|time| time.as_millis().to_string());
    let flags = ["--joinAck", "ok", "--pingInterval", &pings[0], "--pingTimeout", &pings[1]];
    let freeze = |guild: &Guild| {
        let from = Instant::now();
        guild.signal(Signal::STOP);
        from
    };
    let (status, page) = worst(&flags, freeze, |scene| scene.guild.signal(Signal::CONT));
    println!(
        "  wrong for {status:?} in status, {page:?} on the page; a ping and its timeout are {:?}",
        PING + PING_TIMEOUT
    );
    let most = PING + PING_TIMEOUT + ANSWERS;
    assert!(status <= most && page <= most + PAGE_LOOK, "{status:?}, {page:?}");
    assert!(status > PING_TIMEOUT, "the rounds met no bad moment: {status:?}");
}

/// Beside the agent that is left alone, one that each reload changes: its key file, how it is asked, whether it is there.
fn a_reload_at_any_of_a_thousand_moments_cuts_no_unchanged_link_and_loses_and_doubles_nothing() {
    let mut scene = Scene::with(&["--joinAck", "ok"], |bridge| {
        bridge.agent("scribe", "scribe-key", json!({"exec": ["/bin/true"]}), json!({}));
    });
    scene.until_state("live");
    let keys = ["key-a", "key-b"].map(|name| scene.bridge.dir.file(name, 0o600, "scribe-key"));
    let mut rng = fastrand::Rng::with_seed(5);
    let mut said = 0;
    for n in 0..1_000_usize {
        let mut agents = scene.bridge.config["agents"].clone();
        agents["scribe"]["key_file"] = json!(keys[n % 2]);
        agents["scribe"]["deadline_s"] = json!(60 + n % 3);
        agents["scribe"]["answer"] = json!({"exec": ["/bin/true", (n / 2 % 2).to_string()]});
        if n % 5 == 4 {
            agents.as_object_mut().unwrap().remove("scribe");
        }
        let whole = std::mem::replace(&mut scene.bridge.config["agents"], agents);
        scene.bridge.config["timing"]["reconcile_s"] = json!(2 + n % 4);
        scene.bridge.write();
        scene.bridge.config["agents"] = whole;
        if n % 4 == 0 {
            scene.guild.say(&format!("said {n}"));
            said += 1;
        }
        sleep(Duration::from_micros(rng.u64(0..15_000)));
        let (code, out, err) = scene.bridge.call(&["reload"]);
        assert_eq!(code, 0, "reload {n}: {out}{err}");
        assert!(out.contains("scribe") && !out.contains("recruiter"), "reload {n} says {out}");
    }
    scene.answered_within(60);
    let link = scene.link();
    assert_eq!((&link["attempts"], &link["gaps"]), (&json!(1), &json!(0)), "{link}");
    println!("  1,000 reloads, {said} messages, {} tokens minted in all", scene.guild.count("minted"));
    scene.end();
}
