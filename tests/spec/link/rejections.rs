//! Every kind of rejection, its reason and its rest.

use super::LINK;
use crate::world::{Fault, Rejection, What, World, mins, secs};
use guild_bridge::reason::{Reason, Why};

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
        w.guild().heal();
        w.guild().model.add_agent("recruiter", "recruiter", "key-of-recruiter");
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
