//! The real binary under SIGKILL at random moments, its starts included, while messages flow: nothing is lost, and no
//! reply is posted twice.

use crate::guild::bridge::Bridge;
use crate::guild::server::wall_ms;
use crate::guild::{Fault, Guild, agent};
use crate::scene::{BRIDGE, options};
use crate::{Ended, Scenario};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_hundred_kills_under_load_lose_nothing_and_double_nothing", 240, || kills(100, true)),
    Scenario("thirty_kills_beside_a_guild_without_keys_lose_and_double_nothing", 150, || kills(30, false)),
];

/// Asked for with `--soak`.
pub const SOAK: &[Scenario] = &[
    Scenario("a_thousand_kills_under_load_lose_nothing_and_double_nothing", 3_600, || kills(1_000, true)),
    Scenario("three_hundred_kills_beside_a_guild_without_keys_lose_and_double_nothing", 2_400, || kills(300, false)),
];

/// Who sits in which channel.
const ROOMS: [(&str, &[&str]); 4] =
    [("c1", &["one"]), ("c2", &["one", "two"]), ("c3", &["two", "three"]), ("c4", &["three"])];

/// How long a post's answer takes.
const POST_MS: u64 = 25;

/// So many answers may be owed; a daemon that lives half a second does not get far with more.
const OWED: usize = 150;

struct Hall {
    guild: Guild,
    bridge: Bridge,
    /// Each message said by a person: its id, and where.
    said: Vec<(String, usize)>,
}

impl Hall {
    fn open(honours_keys: bool) -> Self {
        let guild = Guild::start(options(|guild| guild.honours_keys = honours_keys));
        guild.with(|guild, _| {
            guild.add_person("u7", "alice", false);
            for name in ["one", "two", "three"] {
                guild.add_agent(name, name, &format!("key-{name}"));
            }
            for (room, agents) in ROOMS {
                guild.add_channel(room, "channel", &[agents, &["u7"]].concat());
            }
        });
        // and some while a post is stored and not answered yet
        guild.set_fault(Fault::PostSlow(POST_MS));
        let mut bridge = Bridge::new(BRIDGE, &guild.url());
        bridge.exec_agent("one", "key-one", json!({"parallel": 4}));
        bridge.exec_agent("two", "key-two", json!({}));
        let resident = json!({"stdio": agent::argv("stdio", &bridge.turn_log("three"))});
        bridge.agent("three", "key-three", resident, json!({"respond_to": "all"}));
        Self { guild, bridge, said: Vec::new() }
    }

    /// Answers that are not there yet.
    fn owed(&self) -> usize {
        let due: usize = self.said.iter().map(|(_, room)| ROOMS[*room].1.len()).sum();
        due.saturating_sub(self.guild.with(|guild, _| guild.said.len()) - self.said.len())
    }

    fn say(&mut self, room: usize) {
        // some are killed while the agent thinks
        let number = self.said.len();
        let text = if number % 3 == 0 { format!("slow 40 m{number}") } else { format!("m{number}") };
        self.said.push((self.guild.say(ROOMS[room].0, "u7", &text), room));
    }

    /// Answers to a person's message by each agent that hears it: those that are not there, and those that came twice.
    fn sum(&self) -> (Vec<String>, Vec<String>) {
        let mut answers: BTreeMap<(String, String), usize> = BTreeMap::new();
        self.guild.with(|guild, _| {
            for message in guild.said.iter().filter(|message| message.author != "u7") {
                *answers.entry((message.author.clone(), message.reply_to.clone().unwrap_or_default())).or_default() +=
                    1;
            }
        });
        let (mut lost, mut doubled) = (Vec::new(), Vec::new());
        for (id, room) in &self.said {
            for agent in ROOMS[*room].1 {
                match answers.remove(&((*agent).to_owned(), id.clone())) {
                    None => lost.push(format!("{agent}: {id}")),
                    Some(1) => {}
                    Some(times) => doubled.push(format!("{agent}: {id} x {times}")),
                }
            }
        }
        doubled.extend(answers.into_iter().map(|(to, times)| format!("unasked: {to:?} x {times}")));
        (lost, doubled)
    }

    /// How many of these moments fell between a post and its answer.
    fn in_a_post(&self, ends_ms: &[u64]) -> usize {
        let posts: Vec<u64> = self.guild.with(|guild, _| guild.posts.iter().map(|post| post.at_ms).collect());
        let within = |end: &&u64| posts.iter().any(|at| (*at..at + POST_MS).contains(end));
        ends_ms.iter().filter(within).count()
    }

    fn given_again(&self) -> usize {
        let turns = ["one", "two", "three"].into_iter().flat_map(|agent| self.bridge.turns(agent));
        let turns: Vec<String> = turns.map(|turn| turn["turn"].to_string()).collect();
        turns.len() - turns.iter().collect::<BTreeSet<_>>().len()
    }
}

fn kills(count: usize, honours_keys: bool) -> Ended {
    let mut hall = Hall::open(honours_keys);
    hall.bridge.start();
    ["one", "two", "three"].iter().for_each(|agent| drop(hall.bridge.wait_state(agent, "live", 15)));
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let mut dice = fastrand::Rng::with_seed(seed);
    let (mut starts, mut ends_ms) = (0, Vec::new());
    for _ in 0..count {
        // a quarter dies while it starts
        let starting = dice.u8(..4) == 0;
        starts += usize::from(starting);
        let life = if starting { dice.u64(0..60) } else { dice.u64(60..1_200) };
        let until = Instant::now() + Duration::from_millis(life);
        while Instant::now() < until {
            // people wait while too much is owed: else a long run ends in a long queue and not in its sum
            if hall.owed() < OWED {
                hall.say(dice.usize(..ROOMS.len()));
            }
            std::thread::sleep(Duration::from_millis(dice.u64(5..120)).min(until - Instant::now().min(until)));
        }
        ends_ms.push(wall_ms());
        hall.bridge.kill();
        hall.bridge.spawn();
    }
    let until = Instant::now() + Duration::from_secs(90);
    while !hall.sum().0.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(250));
    }
    // what would be doubled has time to come
    std::thread::sleep(Duration::from_secs(2));
    let (lost, doubled) = hall.sum();
    let said = hall.said.len();
    let story = format!("seed {seed}, {said} said, {}; log:\n{}", hall.bridge.status()["links"], hall.bridge.tail());
    let first = |all: &[String]| all.iter().take(20).cloned().collect::<Vec<_>>();
    let words = format!("{} lost {:?}, {} doubled {:?}", lost.len(), first(&lost), doubled.len(), first(&doubled));
    assert!(lost.is_empty() && doubled.is_empty(), "{words}; {story}");
    assert!(hall.bridge.runs(), "{story}");
    assert_eq!(hall.guild.with(|guild, _| guild.offered_twice()), 0, "tokens offered twice; {story}");
    assert!(!hall.bridge.log().contains("panicked"), "{story}");
    let (posting, again) = (hall.in_a_post(&ends_ms), hall.given_again());
    assert!(
        posting > 0 && again > 0,
        "{posting} kills fell into a post, {again} turns were given again: nothing was tried"
    );
    let keys = if honours_keys { "honoured" } else { "not honoured" };
    println!(
        "  {count} kills ({starts} within 60 ms of a start, {posting} while a post's answer was under way), keys {keys}: {said} messages, \
         {} answers due, 0 lost, 0 doubled; {again} turns were given again (seed {seed})",
        hall.guild.with(|guild, _| guild.said.len()) - said,
    );
    Ended::Well
}
