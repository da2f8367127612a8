//! The heap of the real binary, as its own allocator counts it, against its budget.

use crate::growth::RECONCILE_S;
use crate::guild::bridge::{Bridge, wait_for};
use crate::guild::hostile::{Bad, Leg};
use crate::guild::proxy::Proxy;
use crate::guild::{Fault, Guild, Options, agent};
use crate::host::{Cgroup, through, wait_own};
use crate::scene::{BRIDGE, Running, Scene, small};
use crate::{Ended, Scenario};
use guild_bridge::budget;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("the_planned_shape_filled_to_its_bounds_stays_within_what_budget_says", 150, filled),
    Scenario("four_megabytes_are_enough_for_a_link_over_tls_and_its_work", 120, four_megabytes),
    Scenario("channel_lists_of_four_slow_guilds_make_no_daemon_shed", 40, slow_lists),
    Scenario("a_further_link_over_tls_with_ten_channels_holds_at_most_30_kib", 60, further_links),
    Scenario("a_flood_that_the_heap_cannot_hold_is_shed_and_comes_whole", 150, flood),
];

/// Of a message that is nearly as long as they may be.
const LONG: usize = 60_000;
/// What is read is not said back: each reply is so long.
const REPLY: usize = 12_000;

/// A guild of these agents and channels, all in all of them, and a daemon whose agents take a second for a long reply.
fn hall(agents: &[&str], channels: usize, parallel: u16) -> (Guild, Bridge) {
    let guild = Guild::start(Options::default());
    let mut bridge = Bridge::new(BRIDGE, &guild.url());
    let members: Vec<&str> = agents.iter().copied().chain(["u7"]).collect();
    guild.with(|guild, _| {
        guild.add_person("u7", "alice", false);
        agents.iter().for_each(|name| guild.add_agent(name, name, &format!("key-{name}")));
        (0..channels).for_each(|n| guild.add_channel(&format!("c{n}"), "channel", &members));
    });
    let script = format!("cat >/dev/null; sleep 1; head -c {REPLY} /dev/zero | tr '\\0' x");
    for name in agents {
        let answer = json!({"exec": ["/bin/sh", "-c", script]});
        bridge.agent(name, &format!("key-{name}"), answer, json!({"respond_to": "all", "parallel": parallel}));
    }
    bridge.start();
    agents.iter().for_each(|name| drop(bridge.wait_state(name, "live", 20)));
    let joined = |link: &Value| link["channels_joined"] == channels;
    agents.iter().for_each(|name| drop(bridge.wait_link(name, "all joins", 20, joined)));
    (guild, bridge)
}

/// How often each message was answered, by agent.
fn answered(guild: &Guild) -> BTreeMap<(String, String), usize> {
    let mut all = BTreeMap::new();
    guild.with(|guild, _| {
        for message in guild.said.iter().filter(|message| message.reply_to.is_some()) {
            *all.entry((message.author.clone(), message.reply_to.clone().unwrap())).or_default() += 1;
        }
    });
    all
}

/// Every message is answered once by every agent, and no link counted a gap.
fn whole(guild: &Guild, bridge: &mut Bridge, agents: usize, messages: usize) -> Value {
    let what = format!("{messages} messages answered by {agents} agents");
    wait_for(&what, 100, || answered(guild).len() == agents * messages);
    assert!(answered(guild).values().all(|times| *times == 1), "answered twice; log:\n{}", bridge.tail());
    let status = bridge.status();
    assert!(status["links"].as_array().unwrap().iter().all(|link| link["gaps"] == 0), "{status}");
    status["process"].clone()
}

fn number(process: &Value, field: &str) -> u64 {
    process[field].as_u64().unwrap_or_else(|| panic!("{field}: {process}"))
}

/// Windows, outboxes and turns are full of what is long while the guild takes no post; then it takes them again.
fn filled() -> Ended {
    let agents = ["one", "two", "three", "four"];
    let (guild, mut bridge) = hall(&agents, 64, 1);
    guild.set_fault(Fault::PostStatus(503, Some("1".into())));
    for n in 0..12 {
        guild.say(&format!("c{}", n % 64), "u7", &"m".repeat(if n % 3 == 0 { LONG } else { 4_000 }));
    }
    for name in agents {
        bridge.wait_link(name, "two posts that wait", 30, |link| link["outbox_depth"].as_u64().is_some_and(|n| n >= 2));
    }
    std::thread::sleep(Duration::from_secs(3));
    guild.clear_faults();
    let process = whole(&guild, &mut bridge, agents.len(), 12);
    let (peak, limit) = (number(&process, "heap_peak_bytes"), number(&process, "heap_limit_bytes"));
    let (code, out, _) = bridge.call(&["budget", "--json"]);
    let budget: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &budget["ceiling_bytes"]), (0, &json!(limit)));
    assert!(number(&budget["used"], "heap_peak_bytes") >= peak && limit <= 1536 * 1024, "{budget}");
    println!(
        "four agents, 64 channels, filled: heap at most {peak} of {limit} bytes, shed {} time(s)",
        process["sheds"]
    );
    assert!(peak <= limit, "{peak} bytes of heap, the budget is {limit}");
    assert!(bridge.runs());
    Ended::Well
}

/// One agent is given more long messages at once than the heap may hold.
fn flood() -> Ended {
    const MESSAGES: usize = 40;
    let (guild, mut bridge) = hall(&["one"], MESSAGES, 64);
    for n in 0..MESSAGES {
        guild.say(&format!("c{n}"), "u7", &"m".repeat(LONG));
    }
    let process = whole(&guild, &mut bridge, 1, MESSAGES);
    let (peak, limit) = (number(&process, "heap_peak_bytes"), number(&process, "heap_limit_bytes"));
    println!(
        "{MESSAGES} messages of {LONG} bytes at once: heap at most {peak} of {limit} bytes, shed {} time(s), {} let go",
        process["sheds"], process["let_go"]
    );
    assert!(
        number(&process, "sheds") > 0 && bridge.log().contains("host.memory"),
        "{process}; log:\n{}",
        bridge.tail()
    );
    assert!(peak <= limit, "{peak} bytes of heap, the budget is {limit}");
    wait_for("the end of the shedding", 10, || bridge.status()["process"]["shedding"] == false);
    Ended::Well
}

/// All that is charged to the daemon: its heap, its stacks, its sockets, what it reads and writes. Pages of its program that
/// the machine has read before are charged to whoever read them; a static binary's are 3 MB at most by themselves.
fn four_megabytes() -> Ended {
    let group = match Cgroup::new(4 << 20) {
        Ok(group) => group,
        Err(why) => return Ended::Skipped(format!("no memory cgroup of one's own: {why}")),
    };
    let mut scene = Scene::new(Options { tls: true, ..Options::default() });
    let (dir, log) = (scene.bridge.dir.0.clone(), scene.bridge.turn_log("recruiter"));
    let (socket, ca) = (dir.join("agents.sock"), scene.bridge.dir.file("ca.pem", 0o644, scene.guild.ca_pem()));
    scene.bridge.config["guilds"]["acme"]["extra_ca"] = json!(ca);
    scene.bridge.config["agents"]["recruiter"]["answer"] = json!({"socket": socket});
    let mut daemon = through(&scene, &group.script());
    wait_for("the agents' socket", 10, || UnixStream::connect(&socket).is_ok());
    let argv = agent::argv("socket", &log);
    let mut hire = Command::new(&argv[0]);
    let _hired = Running(hire.args(&argv[1..]).arg(&socket).arg("recruiter").stderr(Stdio::null()).spawn().unwrap());
    wait_own(&mut scene, "live link", 10, |link| link["state"] == "live");
    for n in 0..300 {
        scene.say(&format!("m{n} {}", "x".repeat(3_000)));
        // a connection that is cut costs a handshake, and what was said meanwhile comes from history
        if n % 100 == 50 {
            scene.guild.with(|guild, _| guild.kick("recruiter", true));
        }
    }
    scene.wait_replies(300, 60);
    assert!(daemon.0.try_wait().expect("it can be asked").is_none(), "it ended in 4 MB");
    let process = scene.bridge.status()["process"].clone();
    let peak = group.peak();
    println!(
        "  in 4 MB: 300 messages answered over TLS with 3 reconnects; charged at most {peak:?} bytes, heap at most {}",
        process["heap_peak_bytes"]
    );
    assert!(peak.is_none_or(|peak| peak > number(&process, "heap_bytes")), "nothing is charged to the group");
    scene.check();
    Ended::Well
}

/// Each guild's list is a little longer than what is small, and stands still before its end.
fn slow_lists() -> Ended {
    const GUILDS: usize = 4;
    let mut scene = Scene::new(Options::default());
    let others: Vec<Guild> = (1..GUILDS).map(|_| small(Options::default())).collect();
    let guilds = others.iter().chain([&scene.guild]);
    let proxies: Vec<(String, Proxy)> =
        guilds.enumerate().map(|(n, guild)| (format!("guild-{n}"), Proxy::before(guild.port()))).collect();
    let row =
        |n| json!({"id": format!("channel-{n:04}"), "name": format!("a channel with a name {n}"), "type": "channel"});
    let list = serde_json::to_vec(&(0..250).map(row).collect::<Vec<Value>>()).unwrap();
    assert!((17_000..32_000).contains(&list.len()), "{} bytes", list.len());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", list.len());
    let stalled = [head.as_bytes(), &list[..17_000]].concat();
    for (name, proxy) in &proxies {
        proxy.by_request();
        proxy.make_bad(Leg::Channels, Bad::Stall(stalled.clone()));
        scene.bridge.config["guilds"][name] =
            json!({"dialect": "fabric", "center": proxy.url(), "url": proxy.url(), "plaintext": true});
    }
    scene.bridge.config["guilds"].as_object_mut().unwrap().remove("acme");
    let names: Vec<&String> = proxies.iter().map(|(name, _)| name).collect();
    scene.bridge.config["agents"]["recruiter"]["guild"] = json!(names);
    let mut scene = scene.started();
    let asked = || proxies.iter().all(|(_, proxy)| !proxy.asked(Leg::Channels).is_empty());
    wait_for("every list to be asked for", 10, asked);
    std::thread::sleep(Duration::from_secs(2));
    let process = scene.bridge.status()["process"].clone();
    println!("  four lists under way: heap {} of {}", process["heap_bytes"], process["heap_limit_bytes"]);
    assert_eq!(number(&process, "sheds"), 0, "{process}");
    let most = budget::SMALL_BODY_BYTES + list.len();
    assert!(number(&process, "heap_peak_bytes") < number(&process, "heap_limit_bytes") / 4 + (GUILDS * most) as u64);
    scene.end()
}

/// Two daemons, one with more links, each at rest behind its second list. What is resident is some 8 % more: 32 KiB.
fn further_links() -> Ended {
    const FURTHER: usize = 8;
    const CHANNELS: usize = 10;
    let held = [1, 1 + FURTHER].map(|links| {
        let guild = Guild::start(Options { tls: true, ..Options::default() });
        let mut bridge = Bridge::new(BRIDGE, &guild.url());
        bridge.config["guilds"]["acme"]["extra_ca"] = json!(bridge.dir.file("ca.pem", 0o644, guild.ca_pem()));
        bridge.config["timing"]["reconcile_s"] = json!(RECONCILE_S);
        let names: Vec<String> = (0..links).map(|n| format!("agent-{n}")).collect();
        let members: Vec<&str> = names.iter().map(String::as_str).collect();
        guild.with(|guild, _| {
            names.iter().for_each(|name| guild.add_agent(name, name, "key"));
            (0..CHANNELS).for_each(|n| guild.add_channel(&format!("channel-{n}"), "channel", &members));
        });
        let socket = json!({"socket": bridge.dir.0.join("agents.sock")});
        names.iter().for_each(|name| bridge.agent(name, "key", socket.clone(), json!({})));
        bridge.start();
        names.iter().for_each(|name| drop(bridge.wait_state(name, "live", 20)));
        std::thread::sleep(Duration::from_secs(RECONCILE_S));
        let looks = (0..RECONCILE_S * 10).map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            bridge.vitals().heap_bytes
        });
        let least = looks.min().unwrap();
        let status = bridge.status();
        let joined = |link: &Value| link["channels_joined"] == CHANNELS;
        assert!(status["links"].as_array().unwrap().iter().all(joined), "{status}");
        assert_eq!(status["links"].as_array().unwrap().len(), links);
        least
    });
    let [one, more] = held;
    let each = more.saturating_sub(one) / FURTHER as u64;
    println!("  a further TLS link with {CHANNELS} channels: {each} bytes of heap");
    assert!((8 * 1024..=30 * 1024).contains(&each), "{each} bytes, {held:?}");
    Ended::Well
}
