//! Tokens that live two seconds, fifty links that are ended at each expiry, and messages all the time: every handshake
//! has a token of its own that is still good, nothing is lost or doubled, and nothing grows.

use crate::growth::{Sample, nothing_grew};
use crate::guild::bridge::{Bridge, wait_for};
use crate::node::{Guild, wait, where_it_can_run};
use crate::runner::Scenario;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] =
    &[Scenario("five_thousand_handshakes_of_fifty_links_leak_nothing_and_lose_nothing", 480, || {
        where_it_can_run(|| churn(5_000, 390))
    })];

/// Asked for with `--soak`.
pub const SOAK: &[Scenario] = &[Scenario("fifty_thousand_handshakes_of_fifty_links_leak_nothing", 3_600, || {
    where_it_can_run(|| churn(50_000, 3_500))
})];

const LINKS: usize = 50;
const TOKEN_LIFE_S: &str = "2";
/// Handshakes before the first measurement: every link has gone round, every buffer has its size.
const WARM_UP: usize = 10 * LINKS;
/// One message somewhere in each.
const MESSAGE_MS: u64 = 100;
/// So long everything has to be answered once nobody speaks any more.
const ANSWER_S: u64 = 40;
/// What is answered twice is answered again within this, while the links go on being ended: a turn that failed is tried
/// again after 2 and after 10 s, a post that failed after 1, 2 and 4 s, and history is read at every handshake.
const LATE_DOUBLES: Duration = Duration::from_secs(13);

fn name(link: usize) -> String {
    format!("a{link:02}")
}

fn channel(link: usize) -> String {
    format!("c{link:02}")
}

/// A guild that ends every session with its token, and that ends by itself only after `seconds`.
fn hall(seconds: u64) -> (Guild, Bridge) {
    let limit = seconds.to_string();
    let guild = Guild::start(&["--joinAck", "ok", "--kickOnExpiry", "--ttl", TOKEN_LIFE_S, "--limit", &limit]);
    let mut bridge = Bridge::new(env!("CARGO_BIN_EXE_guild-bridge"), &guild.url());
    bridge.log_level = "warn";
    let socket = bridge.dir.0.join("agents.sock");
    for link in 0..LINKS {
        let (name, key) = (name(link), format!("key-{link}"));
        guild.ask(&json!({"cmd": "agent", "id": name, "name": name, "key": key}));
        guild.ask(&json!({"cmd": "channel", "id": channel(link), "members": [name, "alice"]}));
        bridge.agent(&name, &key, json!({"socket": socket}), json!({"respond_to": "all"}));
    }
    (guild, bridge)
}

/// One program that answers for all of them, until the daemon ends.
fn answer_for_all(stream: UnixStream) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let names: Vec<String> = (0..LINKS).map(name).collect();
    writeln!(writer, "{}", json!({"v": 1, "type": "hello", "agents": names}))?;
    for line in BufReader::new(stream).lines() {
        let ask: Value = serde_json::from_str(&line?).map_err(std::io::Error::other)?;
        if ask["type"] == "message" {
            let text = format!("re: {}", ask["message"]["text"].as_str().unwrap_or_default());
            writeln!(writer, "{}", json!({"v": 1, "type": "reply", "turn": ask["turn"], "text": text, "final": true}))?;
        }
    }
    Ok(())
}

/// A number of the guild's tokens in CONNECTs: all, twice, expired, unknown.
fn offers(guild: &Guild, which: &str) -> usize {
    let count = guild.ask(&json!({"cmd": "offers"}))[which].as_u64().expect("a number of offers");
    usize::try_from(count).unwrap()
}

fn churn(handshakes: usize, seconds: u64) {
    let (guild, mut bridge) = hall(seconds + 90);
    bridge.start();
    let socket = bridge.dir.0.join("agents.sock");
    let stream = wait("the agents' socket", 10, || UnixStream::connect(&socket).ok(), || bridge.tail());
    std::thread::spawn(move || answer_for_all(stream));
    wait_for("every link's first handshake", 30, || offers(&guild, "all") >= LINKS);
    sleep(Duration::from_secs(1));
    let began = Instant::now();
    let (mut said, mut samples) = (Vec::new(), Vec::new());
    loop {
        let done = offers(&guild, "all");
        if done >= handshakes + LINKS {
            break;
        }
        let left = Duration::from_secs(seconds).checked_sub(began.elapsed());
        assert!(left.is_some(), "{done} handshakes in {seconds} s; log:\n{}", bridge.tail());
        if done >= WARM_UP && done - WARM_UP >= samples.len() * (handshakes - WARM_UP) / 40 {
            samples.push(Sample { vitals: bridge.vitals(), messages: said.len(), links: LINKS });
        }
        let to = channel(said.len() % LINKS);
        let spoken = guild.ask(&json!({"cmd": "say", "channel": to, "text": format!("m{}", said.len())}));
        said.push(spoken["ids"][0].as_str().unwrap().to_owned());
        sleep(Duration::from_millis(MESSAGE_MS));
    }
    let took = began.elapsed();
    let answered = settled(&guild, &said);
    assert!(bridge.runs(), "the daemon ended; log:\n{}", bridge.tail());
    for fault in ["twice", "expired", "unknown"] {
        assert_eq!(offers(&guild, fault), 0, "tokens offered {fault}; log:\n{}", bridge.tail());
    }
    assert!(answered.is_ok(), "{}; log:\n{}", answered.unwrap_err(), bridge.tail());
    println!(
        "  {} handshakes of {LINKS} links in {:.0} s, {} messages: 0 lost, 0 doubled; no token twice, expired or unknown",
        offers(&guild, "all"),
        took.as_secs_f32(),
        said.len(),
    );
    nothing_grew(&samples);
}

/// Waits until everything was answered and until a second answer would be there; what was not answered once, in words.
fn settled(guild: &Guild, said: &[String]) -> Result<(), String> {
    let answers = || guild.ask(&json!({"cmd": "answers"}))["answers"].as_object().unwrap().clone();
    let until = Instant::now() + Duration::from_secs(ANSWER_S);
    while answers().len() < said.len() && Instant::now() < until {
        sleep(Duration::from_millis(200));
    }
    sleep(LATE_DOUBLES);
    let mut answers = answers();
    let lost: Vec<&String> = said.iter().filter(|id| answers.get(*id).is_none()).collect();
    answers.retain(|_, times| *times != 1);
    if lost.is_empty() && answers.is_empty() {
        return Ok(());
    }
    Err(format!("lost {lost:?}, answered more than once {answers:?}"))
}
