//! One agent in one guild: what proves that it is heard, what shows that it is not, and every kind of rejection.

use crate::world::{Fault, Habit, Rejection, What, World, mins, model, secs};
use guild_bridge::reason::{Reason, Why};

const LINK: &str = "recruiter@acme";

#[test]
fn connected_is_not_live() {
    let mut w = World::silent(1);
    w.run_for(mins(30));
    assert!(w.story.seen.iter().all(|s| s.state != "live"));
    assert_eq!(w.state(), "unproven");
    assert!(!w.link().detail.is_empty(), "status says in words why it is not live");
}

#[test]
fn unproven_is_no_failure_and_never_ends_a_connection() {
    let mut w = World::silent(2);
    w.run_for(mins(360));
    assert_eq!((w.story.count("dial"), w.story.offered.len()), (1, 1));
    assert_eq!((w.state(), w.link().reason), ("unproven", None));
}

#[test]
fn an_ok_ack_proves() {
    let mut w = World::chatty(3);
    let took = w.run_till(secs(5), "it is live", |w| w.state() == "live");
    assert!(took < 500, "live after {took} ms");
    let link = w.link();
    assert_eq!((link.channels_total, link.channels_joined, link.channels_proven), (1, 1, 1));
    assert!(link.last_proof_at.is_some() && link.last_event_at.is_none());
}

#[test]
fn a_message_of_the_channel_proves() {
    let mut w = World::silent(4);
    w.run_for(secs(30));
    assert_eq!(w.state(), "unproven");
    w.say("general", "alice", "hi");
    w.run_for(100);
    assert_eq!(w.state(), "live");
    assert!(w.link().last_event_at.is_some());
}

#[test]
fn the_echo_of_an_own_post_proves() {
    let mut w = World::silent(5);
    w.run_for(secs(30));
    w.send("general", "good morning");
    w.run_for(secs(2));
    assert_eq!((w.state(), w.heard().len()), ("live", 0));
}

#[test]
fn http_proves_nothing_about_the_socket() {
    let mut w = World::silent(6);
    w.guild().model.options.echo = false;
    w.run_for(secs(30));
    w.send("general", "good morning");
    w.run_for(mins(5));
    assert_eq!(w.answers("general"), ["good morning"]);
    assert!(w.story.seen.iter().all(|s| s.state != "live"));
}

#[test]
fn one_proven_channel_of_many_makes_a_link_live() {
    let mut w = World::silent(7);
    w.guild().model.add_channel("other", "channel", &["alice", "recruiter"]);
    w.run_for(secs(20));
    w.say("other", "alice", "hi");
    w.run_for(100);
    let link = w.link();
    assert_eq!((link.state, link.channels_joined, link.channels_proven), ("live", 2, 1));
}

#[test]
fn the_join_is_repeated_at_1_and_5_s_until_proven() {
    let mut w = World::silent(8);
    w.run_for(mins(10));
    let connected = w.story.moments("< connect")[0];
    let joins: Vec<u64> = w.story.moments("> join general").iter().map(|at| at - connected).collect();
    assert_eq!(joins.len(), 3, "{joins:?}");
    assert!(joins[0] < 600 && (900..=2_100).contains(&joins[1]) && (4_900..=6_600).contains(&joins[2]), "{joins:?}");
}

#[test]
fn a_proven_channel_is_not_joined_again() {
    let mut w = World::chatty(9);
    w.run_for(mins(10));
    assert_eq!(w.story.count("> join general"), 1);
}

#[test]
fn a_denied_channel_is_named_and_not_joined_again() {
    let mut w = World::chatty(10);
    w.guild().model.add_channel("secret", "channel", &["alice", "recruiter"]);
    w.guild().model.faults.set(Fault::JoinDenied("secret".into()));
    w.run_for(secs(50));
    assert_eq!((w.story.count("> join secret"), w.story.count("> join general")), (1, 1));
    assert_eq!((w.state(), w.story.offered.len()), ("live", 1));
}

#[test]
fn a_guild_that_denies_every_channel_leaves_the_link_connected_with_the_reason() {
    for how in [Rejection::AckNo, Rejection::Exception] {
        let mut w = World::chatty(11);
        w.guild().model.faults.set(Fault::Reject(how));
        w.run_for(secs(50));
        assert!(w.story.reasons(LINK).contains(&"auth.denied_channel"), "{how:?}: {:?}", w.story.seen);
        assert_eq!(w.story.count("> join general"), 1, "{how:?}");
        assert!(w.story.seen.iter().all(|s| s.state != "live"), "{how:?}");
    }
}

#[test]
fn asynchronous_verification_is_cured_by_the_repeat() {
    for (ms, joins) in [(800, 2), (3_000, 3)] {
        let mut w = World::chatty(12);
        w.guild().model.faults.set(Fault::VerifyAfter(ms));
        w.run_till(secs(8), "it is live", |w| w.state() == "live");
        assert_eq!((w.story.count("> join general"), w.story.offered.len()), (joins, 1), "verified after {ms} ms");
    }
}

#[test]
fn a_naive_client_that_keeps_its_token_goes_deaf_and_guild_bridge_does_not() {
    let mut w = World::chatty(39);
    let wall = w.guild().wall();
    let model = &mut w.guild().model;
    model.add_agent("naive", "naive", "key-of-naive");
    model.channels.get_mut("general").unwrap().members.insert("naive".into());
    let body = br#"{"agentId":"naive","agentKey":"key-of-naive"}"#;
    let mint = model::Request { method: "POST", target: "/auth/token", body, ..model::Request::default() };
    let minted: serde_json::Value = serde_json::from_slice(&model.http(&mint, wall).body).unwrap();
    let token = minted["guildAccessToken"].as_str();
    let offers = [model.offer(token, wall), model.offer(token, wall + secs(9))];
    let joins = offers.clone().map(|(session, _)| model.join(session, "general", wall + secs(10)));
    assert!(offers.iter().all(|(_, verdict)| *verdict == model::Verdict::Welcome), "both times it connects");
    assert!(joins[0] != model::Joined::Silence && joins[1] == model::Joined::Silence, "the second hears nothing");
    for text in ["one", "two", "three"] {
        w.run_live();
        w.say("general", "alice", text);
        w.run_for(secs(1));
        w.drop_lines();
    }
    assert_eq!(w.answers("general"), ["re: one", "re: two", "re: three"]);
}

#[test]
fn a_guild_that_accepts_and_stays_silent_is_found_out() {
    let mut w = World::silent(13);
    w.guild().deaf_sessions = u32::MAX;
    w.run_for(secs(20));
    for i in 0..30 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(secs(20));
    }
    assert_eq!((w.state(), w.reason()), ("deaf", "deaf.history"));
    assert_eq!(w.heard(), (0..30).map(|i| format!("m{i}")).collect::<Vec<_>>());
    assert_eq!(w.answers("general").len(), 30);
}

#[test]
fn a_deaf_socket_delays_by_a_poll_and_loses_nothing() {
    let mut w = World::silent(14);
    w.guild().deaf_sessions = u32::MAX;
    w.run_for(secs(20));
    for i in 0..40 {
        w.say("general", "alice", &format!("m{i}"));
        let took = w.run_till(secs(60), "it is answered", |w| w.answers("general").len() == i + 1);
        assert!(took <= 32_000, "m{i} waited {took} ms");
        w.run_for(secs(7));
    }
}

#[test]
fn the_first_miss_joins_again_on_the_same_connection() {
    let mut w = World::chatty(15);
    w.say("general", "alice", "old");
    w.run_live();
    w.guild().model.lose_rooms();
    w.say("general", "alice", "unheard");
    let took = w.run_till(secs(80), "a second join", |w| w.story.count("> join general") == 2);
    assert!(took >= 5_000, "the socket had only {took} ms to bring it");
    w.say("general", "alice", "heard");
    w.run_for(secs(1));
    assert_eq!((w.state(), w.story.offered.len()), ("live", 1));
    assert_eq!(w.answers("general"), ["re: unheard", "re: heard"]);
    assert!(!w.agent().asked[1].turn.replayed);
}

#[test]
fn the_second_miss_is_deaf_and_reconnects_with_a_fresh_token() {
    let mut w = World::chatty(16);
    w.run_live();
    w.guild().deafen();
    w.say("general", "alice", "one");
    w.run_till(secs(80), "a second join", |w| w.story.count("> join general") == 2);
    w.say("general", "alice", "two");
    w.run_till(secs(90), "a second handshake", |w| w.story.offered.len() == 2);
    assert!(w.story.states(LINK).contains(&"deaf") && w.story.reasons(LINK).contains(&"deaf.history"));
    w.run_live();
    w.say("general", "alice", "three");
    w.run_for(secs(1));
    assert_eq!(w.answers("general"), ["re: one", "re: two", "re: three"]);
}

#[test]
fn what_the_socket_brings_within_5_s_of_history_is_no_miss() {
    let mut w = World::chatty(17);
    w.run_live();
    for i in 0..20 {
        w.run_for(secs(59) + 700);
        w.say("general", "alice", &format!("m{i}"));
    }
    w.run_for(mins(3));
    assert_eq!((w.story.count("> join general"), w.story.offered.len()), (1, 1));
    assert_eq!(w.answers("general").len(), 20);
}

#[test]
fn what_was_said_before_the_join_is_never_a_miss() {
    let mut w = World::chatty(18);
    w.run_live();
    w.drop_lines();
    for i in 0..30 {
        w.say("general", "alice", &format!("m{i}"));
    }
    w.run_for(mins(20));
    assert_eq!(w.story.offered.len(), 2);
    assert_eq!(w.answers("general").len(), 30);
    assert_eq!(w.state(), "live");
}

#[test]
fn the_third_deaf_session_stays_connected_and_polls_every_unproven_s() {
    let mut w = World::silent(19);
    w.guild().deaf_sessions = u32::MAX;
    w.agent().habit = Habit::None;
    w.speak_every(secs(10), mins(10));
    let (hung_up, handshakes) = (w.story.count("> close"), w.story.offered.len());
    assert!(hung_up >= 2 && handshakes >= 3, "{hung_up} hang-ups, {handshakes} handshakes");
    let from = w.at;
    w.speak_every(secs(10), mins(20));
    let lists: Vec<u64> = w.story.moments("call channels").into_iter().filter(|at| *at > from).collect();
    assert!(lists.windows(2).all(|p| p[1] - p[0] <= 16_500), "polled too seldom: {lists:?}");
    let deaf: u64 = w.time_in("deaf", from);
    assert!(deaf >= mins(19), "deaf for {deaf} ms of 20 minutes");
}

#[test]
fn only_a_message_of_the_socket_ends_deaf() {
    let mut w = World::chatty(20);
    w.guild().lies = true;
    w.agent().habit = Habit::None;
    w.speak_every(secs(10), mins(15));
    let from = w.at;
    w.speak_every(secs(10), mins(15));
    assert_eq!(w.time_in("live", from), 0, "an ack that lies ended it: {:?}", w.story.seen);
    w.guild().lies = false;
    w.run_till(mins(10), "it tries again and hears", |w| {
        w.story.offered.last().is_some_and(|o| o.0 > from) && w.state() != "live"
    });
    w.speak_every(secs(5), mins(8));
    assert_eq!(w.state(), "live");
}

#[test]
fn rooms_that_a_guild_loses_again_and_again_cost_delay_and_nothing_else() {
    let mut w = World::chatty(21);
    w.run_live();
    for i in 0..20 {
        w.guild().model.lose_rooms();
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(secs(90));
    }
    assert_eq!(w.heard(), (0..20).map(|i| format!("m{i}")).collect::<Vec<_>>());
    assert!(w.story.offered.len() <= 3, "{} handshakes", w.story.offered.len());
}

/// Something that stays wrong: how it is made so, the code it has, the state, the least and most rest at first and ever.
struct Row {
    what: &'static str,
    wrong: fn(&mut World),
    code: &'static str,
    state: &'static str,
    first: (u64, u64),
    cap: u64,
}

const NETWORK: ((u64, u64), u64) = ((1_000, 3_000), 120_000);
const KEY: ((u64, u64), u64) = ((30_000, 90_000), 900_000);
const CONFIG: ((u64, u64), u64) = ((30_000, 90_000), 300_000);

fn row(what: &'static str, code: &'static str, rest: ((u64, u64), u64), wrong: fn(&mut World)) -> Row {
    let state = if rest == KEY { "refused" } else { "backoff" };
    Row { what, wrong, code, state, first: rest.0, cap: rest.1 }
}

fn upgrades(w: &mut World, reason: Reason) {
    let lost = (Why::new(reason, "simulated"), None);
    w.guild().upgrades = std::iter::repeat_n(lost, 5_000).collect();
}

fn connects(w: &mut World, frame: &str) {
    w.guild().connects = std::iter::repeat_n(frame.to_owned(), 5_000).collect();
}

fn mint(w: &mut World, what: What) {
    w.guild().trouble("mint", 100_000, what);
}

fn table() -> Vec<Row> {
    vec![
        row("nobody listens", "net.refused", NETWORK, |w| w.guild().up = false),
        row("the mint hangs", "net.timeout", NETWORK, |w| mint(w, What::Hangs)),
        row("the mint closes", "net.closed", NETWORK, |w| mint(w, What::LostBefore)),
        row("the mint says 500", "http.status", NETWORK, |w| mint(w, What::Status(500, None))),
        row("the mint is a page", "http.portal", NETWORK, |w| w.guild().model.faults.set(Fault::MintPage)),
        row("the mint is garbage", "http.body", NETWORK, |w| w.guild().model.faults.set(Fault::MintGarbage)),
        row("the mint says 401", "auth.key_refused", KEY, |w| mint(w, What::Status(401, None))),
        row("the mint says 403", "auth.key_refused", KEY, |w| mint(w, What::Status(403, None))),
        row("the key is wrong", "auth.key_refused", KEY, |w| w.guild().model.refuse_agent("recruiter")),
        row("the upgrade times out", "net.timeout", NETWORK, |w| upgrades(w, Reason::NetTimeout)),
        row("the name is gone", "net.dns", NETWORK, |w| upgrades(w, Reason::NetDns)),
        row("the certificate expired", "tls.expired", NETWORK, |w| upgrades(w, Reason::TlsExpired)),
        row("the authority is unknown", "tls.unknown_ca", NETWORK, |w| upgrades(w, Reason::TlsUnknownCa)),
        row("the path is wrong", "cfg.path", CONFIG, |w| upgrades(w, Reason::CfgPath)),
        row("polling only", "cfg.transport", CONFIG, |w| upgrades(w, Reason::CfgTransport)),
        row("no such namespace", "cfg.namespace", CONFIG, |w| connects(w, r#"44{"message":"Invalid namespace"}"#)),
        row("CONNECT_ERROR", "auth.connect_error", NETWORK, |w| connects(w, r#"44{"message":"unauthorized"}"#)),
        row("CONNECT_ERROR, bare", "auth.connect_error", NETWORK, |w| connects(w, r#"44"no""#)),
        row("41 and a close", "auth.disconnected", NETWORK, |w| {
            w.guild().model.faults.set(Fault::Reject(Rejection::Close41));
        }),
        row("41 alone", "auth.disconnected", NETWORK, |w| {
            w.guild().model.faults.set(Fault::Reject(Rejection::Soft41));
        }),
        row("CONNECT is never answered", "net.timeout", NETWORK, |w| w.guild().model.faults.set(Fault::ConnectSilence)),
        row("no ping ever comes", "net.silent", NETWORK, |w| {
            (w.guild().pings, w.guild().ping) = (false, (2_000, 2_000));
            w.guild().model.options.acks = false;
        }),
        row("every call is 401", "auth.http_401", NETWORK, |w| w.guild().model.faults.set(Fault::Unauthorized)),
    ]
}

#[test]
fn each_rejection_has_its_own_reason_and_rest() {
    for Row { what, wrong, code, state, first, cap } in table() {
        let mut w = World::chatty(22);
        wrong(&mut w);
        w.run_for(mins(180));
        let rests = w.story.rests();
        assert!(rests.len() >= 5, "{what}: {} rests in three hours\n{}", rests.len(), w.tail());
        assert!((first.0..=first.1).contains(&rests[0].ms), "{what}: first {:?}", rests[0]);
        for rest in &rests {
            assert_eq!((rest.reason, rest.state), (Some(code), state), "{what}");
            assert!((first.0..=cap).contains(&rest.ms), "{what}: {rest:?}");
        }
        let longest = rests.iter().map(|r| r.ms).max().unwrap();
        assert!(longest > first.1, "{what}: the rests do not grow: {longest} ms");
    }
}

#[test]
fn each_rejection_is_over_when_the_guild_is_well_again() {
    for Row { what, wrong, cap, .. } in table() {
        let mut w = World::chatty(23);
        wrong(&mut w);
        w.run_for(mins(20));
        w.say("general", "alice", what);
        let hall = w.guild();
        (hall.up, hall.pings, hall.ping) = (true, true, (25_000, 20_000));
        hall.trouble.clear();
        hall.upgrades.clear();
        hall.connects.clear();
        hall.model.faults.clear();
        hall.model.add_agent("recruiter", "recruiter", "key-of-recruiter");
        w.run_for(cap + mins(2));
        w.say("general", "alice", "well again");
        w.run_for(secs(20));
        assert_eq!(w.answers("general").last().copied(), Some("re: well again"), "{what}");
    }
}

#[test]
fn retry_after_is_honoured_within_bounds_and_stretched_by_a_quarter_at_most() {
    for (status, asked, least) in
        [(429, 7_000, 7_000), (503, 20_000, 20_000), (429, 0, 1_000), (429, 1 << 50, 3_600_000)]
    {
        let mut w = World::chatty(24);
        mint(&mut w, What::Status(status, Some(asked)));
        w.run_for(mins(240));
        let rests = w.story.rests();
        assert!(rests.len() >= 2, "{asked}");
        for rest in rests {
            assert_eq!(rest.reason, Some("rate.limited"));
            assert!((least..=least + least / 4 + 1).contains(&rest.ms), "asked for {asked}: {rest:?}");
        }
    }
}

#[test]
fn retry_after_of_a_refused_upgrade_is_honoured() {
    let mut w = World::chatty(25);
    w.guild().upgrades.push_back((Why::new(Reason::RateLimited, "503"), Some(40_000)));
    w.run_till(mins(2), "it is live", |w| w.state() == "live");
    let rest = w.story.rests()[0].clone();
    assert_eq!(rest.reason, Some("rate.limited"));
    assert!((40_000..=50_001).contains(&rest.ms), "{rest:?}");
}

#[test]
fn the_record_is_not_cleared_by_101_or_connect() {
    let mut w = World::silent(26);
    w.guild().closes_after_ms = Some(200);
    w.run_for(mins(120));
    let handshakes = w.story.offered.len();
    assert!((60..=300).contains(&handshakes), "{handshakes} handshakes in two hours");
    assert!(w.story.rests().iter().any(|r| r.ms > 30_000));
}

#[test]
fn the_record_is_cleared_by_proof() {
    let mut w = World::chatty(27);
    w.guild().closes_after_ms = Some(secs(8));
    w.run_for(mins(30));
    let rests = w.story.rests();
    assert!(rests.len() > 100, "{} rests", rests.len());
    assert!(rests.iter().all(|r| (1_000..=3_000).contains(&r.ms)), "{:?}", rests.iter().map(|r| r.ms).max());
}

#[test]
fn the_record_is_cleared_by_stable_s_without_a_miss_and_not_earlier() {
    for (stays, clears) in [(secs(58), false), (secs(62), true)] {
        let mut w = World::silent(28);
        w.guild().closes_after_ms = Some(stays);
        w.run_for(mins(90));
        let long = w.story.rests().iter().any(|r| r.ms > 3_000);
        assert_eq!(long, !clears, "connections of {stays} ms");
    }
}

#[test]
fn expiry_enforced_by_the_guild_on_a_proven_link_is_no_failure() {
    let mut w = World::chatty(29);
    w.guild().model.options.token_life_ms = secs(90);
    w.guild().model.options.kicks_at_expiry = true;
    w.run_for(mins(60));
    assert!(w.story.offered.len() >= 38, "{} handshakes", w.story.offered.len());
    assert!(w.story.rests().iter().all(|r| r.ms <= 1_000), "{:?}", w.story.rests());
    let failures = w.story.reasons(LINK);
    assert!(failures.iter().all(|r| *r == "auth.expired"), "{failures:?}");
}

#[test]
fn a_close_far_from_the_tokens_end_is_a_failure_with_its_rest() {
    let mut w = World::chatty(30);
    w.run_live();
    w.run_for(mins(5));
    w.drop_lines();
    w.run_for(secs(10));
    let rests = w.story.rests();
    assert!(rests.len() == 1 && rests[0].ms >= 1_000, "{rests:?}");
}

#[test]
fn expiry_of_a_link_that_was_never_proven_is_a_failure() {
    let mut w = World::silent(31);
    w.guild().model.options.token_life_ms = secs(50);
    w.guild().model.options.kicks_at_expiry = true;
    w.run_for(mins(20));
    assert!(w.story.rests().iter().all(|r| r.ms >= 1_000), "{:?}", w.story.rests());
}

#[test]
fn next_try_s_tells_the_rest() {
    let mut w = World::chatty(32);
    mint(&mut w, What::Status(429, Some(60_000)));
    w.run_till(secs(5), "it waits", |w| w.state() == "backoff");
    w.look();
    let first = w.link().next_try_s.unwrap();
    w.run_for(secs(30));
    w.look();
    let later = w.link().next_try_s.unwrap();
    assert!((60..=76).contains(&first) && (29..=31).contains(&(first - later)), "{first} s, then {later} s");
    w.guild().trouble.clear();
    w.run_for(secs(60));
    assert_eq!(w.link().next_try_s, None);
}

#[test]
fn a_clock_that_is_not_set_is_waited_for() {
    let mut w = World::chatty(33);
    upgrades(&mut w, Reason::ClockUnset);
    w.run_for(mins(5));
    assert_eq!((w.state(), w.reason()), ("waiting_clock", "clock.unset"));
    w.guild().upgrades.clear();
    w.ask(guild_bridge::port::Command::Nudge);
    w.run_till(secs(3), "a nudge makes it try now", |w| w.state() == "live");
}

#[test]
fn a_channel_that_appears_is_joined_and_one_that_is_gone_is_left() {
    let mut w = World::chatty(34);
    w.guild().model.add_channel("old", "channel", &["alice", "recruiter"]);
    w.run_live();
    w.run_for(secs(10));
    w.guild().model.add_channel("new", "channel", &["alice", "recruiter"]);
    w.guild().model.remove_channel("old");
    w.run_for(secs(130));
    w.say("new", "alice", "hello new");
    w.run_for(secs(2));
    let link = w.link();
    assert_eq!((link.channels_total, link.channels_joined, link.state), (2, 2, "live"));
    assert_eq!((w.answers("new"), w.story.offered.len()), (vec!["re: hello new"], 1));
}

#[test]
fn a_channel_that_appears_begins_after_the_last_list_that_did_not_have_it() {
    let mut w = World::chatty(35);
    w.run_live();
    w.run_for(secs(200));
    w.guild().model.add_channel("new", "channel", &["alice"]);
    w.say("new", "alice", "long before");
    w.run_for(secs(150));
    w.guild().model.channels.get_mut("new").unwrap().members.insert("recruiter".into());
    w.say("new", "alice", "just now");
    w.run_for(secs(130));
    assert_eq!(w.heard(), ["just now"]);
}

#[test]
fn a_list_that_is_large_is_joined_whole() {
    let mut w = World::chatty(36);
    for i in 0..300 {
        w.guild().model.add_channel(&format!("c{i:03}"), "channel", &["alice", "recruiter"]);
    }
    w.run_for(mins(2));
    assert_eq!((w.link().channels_total, w.link().channels_proven), (301, 301));
    w.say("c299", "alice", "hi");
    w.run_for(secs(1));
    assert_eq!(w.answers("c299"), ["re: hi"]);
}

#[test]
fn a_half_open_line_that_comes_back_as_a_network_change_costs_its_ping_time_only() {
    let mut w = World::chatty(37);
    w.run_live();
    w.guild().dark = true;
    w.guild().freeze_lines();
    w.run_for(secs(30));
    w.say("general", "alice", "in the dark");
    w.guild().dark = false;
    let took = w.run_till(secs(60), "it is answered", |w| w.answers("general").len() == 1);
    assert!(took <= secs(40), "{took} ms");
}

#[test]
fn a_guild_that_restarts_is_found_again() {
    let mut w = World::chatty(38);
    w.run_live();
    w.guild().up = false;
    w.guild().close_lines();
    w.run_for(secs(20));
    w.say("general", "alice", "while away");
    w.guild().up = true;
    let took = w.run_till(secs(90), "it is answered", |w| w.answers("general").len() == 1);
    assert!(took < secs(60), "{took} ms");
}
