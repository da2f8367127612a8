//! The page as a browser sees it, its feed, `/metrics` and the metrics' file. Pictures are kept in `target/tmp/page`.

use crate::browser::Browser;
use crate::guild::bridge::wait_for;
use crate::guild::{Fault, Options};
use crate::scene::Scene;
use crate::{Ended, Scenario};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_browser_shows_a_link_that_is_live_and_what_it_did", 60, live),
    Scenario("a_browser_shows_a_wrong_key_a_wrong_url_no_network_and_a_dead_agent", 90, troubles),
    Scenario("a_browser_says_that_the_daemon_fell_silent", 60, silent),
    Scenario("the_feed_tells_a_change_within_seconds_and_ends_with_its_reader", 40, feed),
    Scenario("the_page_takes_looks_and_nothing_else", 40, looks),
    Scenario("slow_and_many_readers_of_the_page_hold_nobody_up", 60, crowd),
    Scenario("the_page_moves_with_a_reload_and_one_that_cannot_be_served_ends_nothing", 40, moves),
    Scenario("metrics_are_served_and_written_to_a_file_that_goes_with_the_daemon", 60, metrics),
];

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// A scene whose daemon serves the page at this port; it is not started.
fn scene() -> (Scene, u16) {
    let mut scene = Scene::new(Options::default());
    let port = free_port();
    scene.bridge.config["page"] = json!(format!("127.0.0.1:{port}"));
    (scene, port)
}

/// All that is answered to these bytes.
fn try_raw(port: u16, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn raw(port: u16, request: &str) -> String {
    try_raw(port, request).expect("it answers and hangs up")
}

fn get(port: u16, path: &str) -> String {
    raw(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"))
}

/// The feed: what it says, event by event.
struct Feed(BufReader<TcpStream>);

impl Feed {
    fn open(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the page listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("it takes the request");
        Self(BufReader::new(stream))
    }

    /// The next event of this name.
    fn next(&mut self, name: &str) -> Value {
        let (mut line, mut named) = (String::new(), false);
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("the feed goes on") > 0, "the feed ended");
            named = line.strip_prefix("event: ").map_or(named, |event| event.trim() == name);
            if let Some(data) = line.strip_prefix("data: ").filter(|_| named) {
                return serde_json::from_str(data).expect("JSON");
            }
        }
    }
}

/// The page of this scene's daemon in a browser.
fn browser(scene: &Scene, port: u16) -> Result<Browser, Ended> {
    Browser::open(&scene.bridge.dir.0, &format!("http://127.0.0.1:{port}/"))
}

fn live() -> Ended {
    let (scene, port) = scene();
    let mut scene = scene.live();
    (0..3).for_each(|n| scene.talk(&format!("hello {n}"), 5));
    let mut browser = match browser(&scene, port) {
        Ok(browser) => browser,
        Err(skipped) => return skipped,
    };
    let first =
        ["1 link: 1 live", "recruiter in acme live", "1 listed, 1 joined, 1 proven", "delivered 3", "replies 3"];
    browser.shows("live", &first, 10);
    browser.shows("live", &["messages 3, replies 3 in these hours", "turns 3, failed attempts 0"], 1);
    browser.shows("live", &["recruiter ready by exec", "heap", "resident", "state memory"], 1);
    // it goes on by itself
    scene.talk("hello again", 5);
    scene.guild.stop(true);
    browser.shows("away", &["1 link: 1 backoff", "delivered 4", "next try in", "net."], 10);
    scene.guild.open();
    browser.shows("back", &["1 link: 1 live"], 15);
    scene.end()
}

/// What is spoilt, and what is to be read then.
type Trouble = (&'static str, fn(&mut Scene), &'static [&'static str]);

const TROUBLES: &[Trouble] = &[
    (
        "wrong-key",
        |scene| drop(scene.bridge.dir.file("key-recruiter", 0o600, "another key")),
        &["1 refused", "auth.key_refused", "next try in"],
    ),
    (
        "wrong-url",
        |scene| scene.bridge.config["guilds"]["acme"]["paths"] = json!({"socket": "/elsewhere/"}),
        &["1 backoff", "cfg.path", "next try in"],
    ),
    (
        "no-network",
        |scene| scene.bridge.config["guilds"]["acme"]["center"] = json!("http://127.0.0.1:9"),
        &["1 backoff", "net.refused", "127.0.0.1:9"],
    ),
    (
        "dead-agent",
        |scene| scene.bridge.config["agents"]["recruiter"]["answer"] = json!({"exec": ["/nowhere/agent"]}),
        &["1 live", "recruiter missing by exec", "agent.", "/nowhere/agent"],
    ),
];

fn troubles() -> Ended {
    for (name, spoil, shown) in TROUBLES {
        let (mut scene, port) = scene();
        spoil(&mut scene);
        let mut scene = scene.started();
        scene.bridge.wait_link("recruiter", "anything to see", 10, |link| {
            link["state"] == "live" || link["reason"].as_str().is_some_and(|reason| shown.contains(&reason))
        });
        scene.say("are you there?");
        match browser(&scene, port) {
            Ok(mut browser) => drop(browser.shows(name, shown, 12)),
            Err(skipped) => return skipped,
        }
    }
    Ended::Well
}

fn silent() -> Ended {
    let (scene, port) = scene();
    let scene = scene.live();
    let mut browser = match browser(&scene, port) {
        Ok(browser) => browser,
        Err(skipped) => return skipped,
    };
    browser.shows("before", &["1 live"], 10);
    assert!(!browser.reads().contains("has said nothing"), "it speaks");
    scene.bridge.signal(Signal::STOP);
    browser.shows("silent", &["The daemon has said nothing for", "what stands below is of then"], 15);
    scene.bridge.signal(Signal::CONT);
    wait_for("the daemon's words", 10, || !browser.reads().contains("has said nothing"));
    scene.end()
}

fn feed() -> Ended {
    let (scene, port) = scene();
    let mut scene = scene.live();
    let mut feed = Feed::open(port);
    let days = feed.next("days");
    assert_eq!((days["links"][0]["agent"].as_str(), days["step_ms"].as_u64()), (Some("recruiter"), Some(600_000)));
    assert_eq!(feed.next("status")["status"]["links"][0]["state"], "live");
    let files = scene.bridge.vitals().files;
    scene.guild.stop(true);
    let begun = Instant::now();
    while feed.next("status")["status"]["links"][0]["state"] == "live" {
        assert!(begun.elapsed() < Duration::from_secs(6), "the feed says what was long ago");
    }
    scene.guild.open();
    while feed.next("status")["status"]["links"][0]["state"] != "live" {
        assert!(begun.elapsed() < Duration::from_secs(20), "it comes back");
    }
    drop(feed);
    wait_for("the connection's end", 5, || scene.bridge.vitals().files < files);
    scene.end()
}

fn looks() -> Ended {
    let (scene, port) = scene();
    let mut scene = scene.live();
    scene.talk("hello", 5);
    for (path, kind) in [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")] {
        let answer = get(port, path);
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(&format!("Content-Type: {kind}")),
            "{answer}"
        );
        assert!(answer.contains("Content-Security-Policy: default-src 'none'; "), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control-allow"), "no other site may read it");
    }
    let status = |answer: &str| answer.split("\r\n").next().unwrap_or_default().to_owned();
    assert_eq!(status(&get(port, "/../etc/passwd")), "HTTP/1.1 404 Not Found");
    assert_eq!(status(&raw(port, "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n{}")), "HTTP/1.1 405 Method Not Allowed");
    let foreign = raw(port, "GET / HTTP/1.1\r\nHost: guild.evil.example\r\n\r\n");
    assert_eq!(status(&foreign), "HTTP/1.1 421 Misdirected Request");
    assert!(foreign.contains("page_hosts"), "what to do: {foreign}");
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {}", "a".repeat(6_000));
    assert_eq!(status(&raw(port, &long)), "HTTP/1.1 431 Request Header Fields Too Large");
    assert_eq!(status(&raw(port, "\x16\x03\x01 this is TLS\r\n\r\n")), "HTTP/1.1 400 Bad Request");
    let (mut all, mut feed) = (get(port, "/metrics"), Feed::open(port));
    all += &(feed.next("days").to_string() + &feed.next("status").to_string());
    for secret in ["key-1", "eyJ", "Bearer", "gat."] {
        assert!(!all.contains(secret), "a secret: {secret}");
    }
    scene.end()
}

fn crowd() -> Ended {
    let (scene, port) = scene();
    let mut scene = scene.live();
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("the page listens");
    let mut silent: Vec<TcpStream> = (0..8).map(|_| connect()).collect();
    let mut refused = String::new();
    wait_for("a refusal", 5, || {
        refused = get(port, "/");
        refused.starts_with("HTTP/1.1 503 ")
    });
    assert!(refused.contains("close one"), "{refused}");
    let mut more: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    scene.talk("is anybody held up?", 5);
    // those who say nothing for 10 s are gone, and there is room again
    let look = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    wait_for("room", 15, || try_raw(port, look).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")));
    more.iter_mut().chain(&mut silent).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    // those who follow the page leave room for those who look once
    let follow = || {
        let mut stream = connect();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).expect("an answer");
        (String::from_utf8_lossy(&first).into_owned(), stream)
    };
    let following: Vec<_> = (0..7).map(|_| follow()).collect();
    let answers: Vec<&str> = following.iter().map(|(answer, _)| answer.as_str()).collect();
    assert_eq!(answers, [["HTTP/1.1 200"; 6].as_slice(), &["HTTP/1.1 503"]].concat());
    assert!(get(port, "/metrics").starts_with("HTTP/1.1 200 "), "a scraper finds a place");
    drop(following);
    wait_for("room for another who follows", 5, || follow().0 == "HTTP/1.1 200");
    // one who asks for the feed and reads nothing
    let mut deaf = connect();
    deaf.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    scene.talk("and now?", 5);
    let before = scene.bridge.vitals();
    std::thread::sleep(Duration::from_secs(5));
    assert!(scene.bridge.vitals().heap_bytes < before.heap_bytes + 64 * 1024, "what is not read is not kept");
    // a request that comes letter by letter
    let mut slow = connect();
    for letter in b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        slow.write_all(&[*letter]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("guild_bridge_link_state{"), "{answer}");
    scene.end()
}

fn moves() -> Ended {
    let (scene, port) = scene();
    let mut scene = scene.live();
    let (taken, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), free_port());
    let occupied = taken.local_addr().unwrap();
    scene.bridge.config["page"] = json!(occupied.to_string());
    scene.bridge.write();
    assert_eq!(scene.bridge.call(&["reload"]).0, 0);
    let process = scene.bridge.status()["process"].clone();
    assert!(
        process["page"].is_null() && process["page_detail"].as_str().unwrap().contains("cannot be listened at"),
        "{process}"
    );
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the old place is left");
    let (code, screen, _) = scene.bridge.call(&["status"]);
    assert!(code == 0 && screen.contains("page: not served: "), "{screen}");
    scene.talk("nothing ended", 5);
    drop(taken);
    assert_eq!(scene.bridge.call(&["reload"]).0, 0);
    assert!(get(occupied.port(), "/").starts_with("HTTP/1.1 200 "));
    scene.bridge.config["page"] = json!(format!("127.0.0.1:{other}"));
    scene.bridge.write();
    assert_eq!(scene.bridge.call(&["reload"]).0, 0);
    assert_eq!(scene.bridge.status()["process"]["page"], json!(format!("http://127.0.0.1:{other}/")));
    let attempts = scene.number("attempts");
    scene.bridge.config.as_object_mut().unwrap().remove("page");
    scene.bridge.write();
    assert_eq!(scene.bridge.call(&["reload"]).0, 0);
    assert!(TcpStream::connect(("127.0.0.1", other)).is_err() && scene.number("attempts") == attempts);
    scene.end()
}

fn metrics() -> Ended {
    let (mut scene, port) = scene();
    let folder = scene.bridge.dir.0.join("collector");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("guild-bridge.prom");
    scene.bridge.config["metrics_file"] = json!(file);
    let mut scene = scene.live();
    scene.talk("hello", 5);
    let served = get(port, "/metrics");
    assert!(served.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{served}");
    let counted = "guild_bridge_link_delivered_total{agent=\"recruiter\",guild=\"acme\"} 1\n";
    assert!(served.contains(counted), "{served}");
    wait_for("the file to say it", 20, || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(counted)));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing beside it");
    let body = served.split_once("\r\n\r\n").expect("a body").1;
    match checked(body) {
        Some(said) => assert!(said.is_empty(), "promtool: {said}"),
        None => {
            println!("  promtool is not here (Debian: prometheus): the format was checked by the specification alone")
        }
    }
    scene.guild.set_fault(Fault::MintStatus(500, None));
    assert_eq!(scene.bridge.terminate().code(), Some(0));
    assert!(!file.exists(), "old numbers do not stand as if they were now");
    scene.check();
    Ended::Well
}

/// What `promtool check metrics` complains of; none: it is not here.
fn checked(text: &str) -> Option<String> {
    let mut command = Command::new("promtool");
    let pipes = command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let out = child.wait_with_output().ok()?;
    Some(String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}
