//! The test guild keeps its own promises: without them no other scenario shows anything.

use crate::guild::frame::{Frame, TEXT};
use crate::guild::naive::{Naive, http};
use crate::guild::proxy::{Fate, Proxy, Way};
use crate::guild::{Fault, Options, Rejection, model};
use crate::scene::small;
use crate::{Ended, Scenario};
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_client_that_keeps_its_token_goes_deaf_after_a_reconnect", 20, naive_goes_deaf),
    Scenario("the_guild_answers_the_whole_contract_over_http", 20, contract_over_http),
    Scenario("the_guild_kicks_at_expiry_when_told_to", 20, kicks_at_expiry),
    Scenario("the_guild_keeps_its_history_over_a_restart", 20, history_survives),
    Scenario("the_proxy_passes_injects_drops_and_cuts", 20, proxy_works),
];

fn naive_goes_deaf() -> Ended {
    let options = Options { ping_interval_ms: 300, ping_timeout_ms: 200, ..Options::default() };
    let guild = small(options);
    let mut naive = Naive::connect(guild.port(), "recruiter", "key-1", "general");
    naive.listen(200);
    guild.say("general", "u7", "one");
    naive.listen(300);
    assert_eq!(naive.heard, ["one"]);
    naive.reconnect();
    naive.listen(200);
    let pings = naive.pings;
    guild.say("general", "u7", "two");
    naive.listen(700);
    assert_eq!(naive.heard, ["one"], "deaf");
    assert!(naive.pings > pings, "and the pings go on");
    assert_eq!(guild.with(|guild, _| guild.offered_twice()), 1);
    Ended::Well
}

fn contract_over_http() -> Ended {
    let guild = small(Options::default());
    let port = guild.port();
    let mint = http(port, "POST", "/auth/token", &[], r#"{"agentId":"recruiter","agentKey":"key-1"}"#);
    let token: serde_json::Value = serde_json::from_str(&mint.1).unwrap();
    let bearer = format!("Bearer {}", token["guildAccessToken"].as_str().unwrap());
    let auth = ("authorization", bearer.as_str());
    assert_eq!(token["expiresIn"], 900);
    assert_eq!(http(port, "POST", "/auth/token", &[], r#"{"agentId":"recruiter","agentKey":"no"}"#).0, 401);
    assert_eq!(http(port, "GET", "/channels", &[], "").0, 401);
    let post = |key: &str, text: &str| {
        let body = serde_json::json!({"text": text}).to_string();
        http(port, "POST", "/channels/general/messages", &[auth, ("idempotency-key", key)], &body)
    };
    assert_eq!((post("k1", "hello").0, post("k1", "hello").0, post("k2", "").0), (201, 200, 422));
    assert_eq!(post("k3", &"é".repeat(4001)).0, 422);
    let list = http(port, "GET", "/channels", &[auth], "").1;
    assert!(list.contains(r#""lastMessageId":"00000001""#), "{list}");
    (2..=5).for_each(|n| drop(guild.say("general", "u7", &format!("m{n}"))));
    let page = http(port, "GET", "/channels/general/messages?after=00000002&limit=2", &[auth], "").1;
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    assert_eq!((page[0]["text"].as_str(), page[1]["text"].as_str()), (Some("m3"), Some("m4")));
    assert_eq!(page.as_array().map(Vec::len), Some(2));
    assert_eq!(http(port, "GET", "/channels/none/messages", &[auth], "").0, 404);
    guild.set_fault_times(Fault::PostAnswerLost, 1);
    assert_eq!(post("k4", "lost").0, 0, "no answer came");
    assert_eq!(post("k4", "lost").0, 200, "and it was stored");
    Ended::Well
}

fn kicks_at_expiry() -> Ended {
    let mut options = Options::default();
    options.guild = model::Options { token_life_ms: 700, kicks_at_expiry: true, ..options.guild };
    let guild = small(options);
    let proxy = Proxy::before(guild.port());
    let mut naive = Naive::connect(proxy.port(), "recruiter", "key-1", "general");
    naive.listen(1500);
    let told = proxy.transcript().into_iter().filter(|(_, way, kind)| *way == Way::ToClient && kind != "2");
    let kinds: Vec<String> = told.map(|(_, _, kind)| kind).collect();
    assert_eq!(kinds, ["0", "40", "41", "close"]);
    Ended::Well
}

fn history_survives() -> Ended {
    let mut guild = small(Options::default());
    guild.say("general", "u7", "before");
    guild.restart();
    guild.say("general", "u7", "after");
    assert_eq!(guild.with(|guild, _| guild.said_by("general", "u7").len()), 2);
    let mut naive = Naive::connect(guild.port(), "recruiter", "key-1", "general");
    naive.listen(100);
    guild.with(|guild, _| guild.faults.set(Fault::Reject(Rejection::Soft41)));
    guild.say("general", "u7", "live");
    naive.listen(200);
    assert_eq!(naive.heard, ["live"]);
    Ended::Well
}

fn proxy_works() -> Ended {
    let guild = small(Options::default());
    let proxy = Proxy::before(guild.port());
    let mut naive = Naive::connect(proxy.port(), "recruiter", "key-1", "general");
    naive.listen(100);
    proxy.inject(r#"42["message.created",{"text":"injected"}]"#);
    proxy.judge(|way, frame| match frame.text() {
        Some(text) if way == Way::ToClient && text.contains("secret") => Fate::Drop,
        Some(text) if way == Way::ToClient && text.contains("old") => {
            Fate::Instead(Frame::from_server(TEXT, text.replace("old", "new").as_bytes()))
        }
        _ => Fate::Pass,
    });
    ["secret", "old", "plain"].into_iter().for_each(|text| drop(guild.say("general", "u7", text)));
    naive.listen(200);
    proxy.freeze();
    guild.say("general", "u7", "held");
    naive.listen(200);
    assert_eq!(naive.heard, ["injected", "new", "plain"]);
    proxy.thaw();
    naive.listen(200);
    assert_eq!(naive.heard.last().map(String::as_str), Some("held"));
    proxy.reset();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!((proxy.open_lines(), guild.with(|guild, _| guild.seats())), (0, 0));
    Ended::Well
}
