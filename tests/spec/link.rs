//! One agent in one guild: what proves that it is heard, what shows that it is not, and every kind of rejection.

mod deaf;
mod hostile;
mod rejections;
mod report;

use crate::world::{Fault, Rejection, World, log, mins, secs};

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
fn a_clock_that_says_any_year_is_shown_as_far_as_the_calendar_goes() {
    let mut w = World::chatty(3);
    w.run_live();
    w.clock_offset_ms = i64::MAX;
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    assert_eq!(w.heard(), ["hi"]);
    assert_eq!(w.link().last_event_at.as_deref(), Some("9999-12-31T23:59:59Z"));
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
fn a_channel_that_speaks_before_it_was_joined_is_joined_and_read_all_the_same() {
    let mut w = World::chatty(3);
    w.guild().model.add_channel("dev", "channel", &["alice", "recruiter"]);
    w.run_live();
    let id = w.guild().whisper("dev", "alice", "first");
    let message = serde_json::json!({"id": id, "channelId": "dev", "authorId": "alice", "text": "first"});
    w.guild().greetings = vec![format!("42[\"message.created\",{message}]")];
    w.drop_lines();
    w.run_for(mins(2));
    assert_eq!(w.heard(), ["first"]);
    assert_eq!((w.link().channels_joined, w.link().channels_proven), (2, 2));
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

/// Whether a channel's name stands in a line, with nothing left in it that steers a terminal.
fn names_plainly(line: &str) -> bool {
    line.contains(r"gen\u{202e}\u{1b}[2J\neral") && !line.contains(['\n', '\u{1b}', '\u{202e}'])
}

#[test]
fn a_channels_name_is_plain_in_the_log_and_in_status() {
    let cut = |w: &mut World| {
        w.run_live();
        w.say("general", "alice", "heard");
        w.run_for(mins(2));
        w.say("general", "alice", "seen");
        w.run_for(mins(2));
        w.kill();
        (0..30).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
        w.guild().model.cut_history("general", 10);
        w.start();
    };
    let deaf = |w: &mut World| {
        w.guild().deaf_sessions = u32::MAX;
        w.run_for(secs(20));
        w.say("general", "alice", "unheard");
    };
    let denied = |w: &mut World| w.guild().model.faults.set(Fault::JoinDenied("general".into()));
    let refused = |w: &mut World| {
        w.run_live();
        w.guild().model.faults.set(Fault::HistoryStatus(400));
        w.say("general", "alice", "one");
        w.drop_lines();
        w.say("general", "alice", "two");
    };
    let cases = [
        ("gap history_cut", false, &cut as &dyn Fn(&mut World)),
        ("deaf.history", true, &deaf),
        ("auth.denied_channel", false, &denied),
        ("history of", false, &refused),
    ];
    for (what, silent, goes_wrong) in cases {
        let mut w = if silent { World::silent(40) } else { World::chatty(40) };
        w.guild().model.rename_channel("general", "gen\u{202e}\u{1b}[2J\neral");
        goes_wrong(&mut w);
        w.run_till(mins(5), what, |_| log::lines().iter().any(|line| line.contains(what) && names_plainly(line)));
        let status = w.status();
        let details = status.links.iter().map(|link| link.detail.as_str());
        assert!(details.clone().all(|of| !of.contains(['\n', '\u{1b}', '\u{202e}'])), "{what}: {status:?}");
    }
}

#[test]
fn a_guild_that_denies_every_channel_is_left_and_tried_again_with_a_fresh_token() {
    for how in [Rejection::AckNo, Rejection::Exception] {
        let mut w = World::chatty(11);
        w.guild().model.faults.set(Fault::Reject(how));
        w.run_for(secs(50));
        assert!(w.story.reasons(LINK).contains(&"auth.denied_channel"), "{how:?}: {:?}", w.story.seen);
        assert_eq!(w.story.count("> join general"), w.story.offered.len(), "one join for each connection: {how:?}");
        assert!((2..=8).contains(&w.story.offered.len()), "it rests in between: {how:?}");
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
