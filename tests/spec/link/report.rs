//! What a link says of itself, in status and in the log.

use super::LINK;
use crate::world::{Fault, World, log, mins, secs};

/// Lines of the log that hold these words.
fn said(words: &str) -> Vec<String> {
    log::lines().into_iter().filter(|line| line.contains(words)).collect()
}

#[test]
fn a_link_is_joining_until_every_join_is_sent_and_says_then_how_many_once() {
    let mut w = World::silent(50);
    ["a", "b", "c"].iter().for_each(|id| w.guild().model.add_channel(id, "channel", &["alice", "recruiter"]));
    w.run_till(secs(5), "CONNECT is answered", |w| w.state() == "joining");
    // the first join never gets on its way: the second waits behind it, and the others for that one
    w.guild().stuck = true;
    w.run_for(secs(5));
    assert_eq!((w.state(), w.link().channels_total, w.link().channels_joined), ("joining", 4, 2));
    assert_eq!(said("joined "), [""; 0]);
    w.guild().stuck = false;
    w.drop_lines();
    w.run_for(mins(5));
    assert_eq!((w.state(), w.link().channels_joined), ("unproven", 4));
    assert_eq!(said("joined "), ["recruiter: joined 4 channel(s) on acme"]);
}

#[test]
fn a_channel_whose_join_was_denied_does_not_count_as_joined() {
    let mut w = World::chatty(51);
    w.guild().model.add_channel("secret", "channel", &["alice", "recruiter"]);
    w.guild().model.faults.set(Fault::JoinDenied("secret".into()));
    w.run_for(secs(50));
    assert_eq!((w.link().channels_total, w.link().channels_joined, w.link().channels_proven), (2, 1, 1));
}

#[test]
fn a_list_that_changed_is_logged_as_a_resync_and_one_that_did_not_is_not() {
    let mut w = World::chatty(52);
    w.run_live();
    w.run_for(mins(5));
    assert_eq!(said("resync"), [""; 0]);
    w.guild().model.add_channel("new", "channel", &["alice", "recruiter"]);
    w.run_for(mins(5));
    w.guild().model.remove_channel("new");
    w.run_for(mins(5));
    assert_eq!(said("resync"), ["recruiter: channel resync +1 -0", "recruiter: channel resync +0 -1"]);
}

#[test]
fn the_timers_of_status_say_when_history_is_compared_next_and_when_silence_is_death() {
    let mut w = World::chatty(53);
    assert!(w.run_till(secs(30), "a link", |w| w.state() == "minting") < 1_000 && w.link().timers.is_empty());
    w.run_live();
    w.run_for(secs(20));
    w.look();
    let (reconcile, silence) = (w.link().timers["reconcile"], w.link().timers["ping_silence"]);
    // of 60 s, and of 25 s and 20 s behind the open packet
    assert!((35..=45).contains(&reconcile) && (20..=30).contains(&silence), "{reconcile} {silence}");
    w.run_for(secs(10));
    w.look();
    assert_eq!(w.link().timers["reconcile"], reconcile - 10);
}

#[test]
fn a_handshake_that_takes_too_long_says_what_it_waited_for() {
    type Case = (&'static str, fn(&mut World));
    let cases: [Case; 2] = [
        ("the Engine.IO open packet", |w| w.guild().opens_with = Some("6".into())),
        ("the answer to CONNECT", |w| w.guild().model.faults.set_times(Fault::ConnectSilence, 1)),
    ];
    for (waits_for, wrong) in cases {
        let mut w = World::chatty(54);
        wrong(&mut w);
        w.run_till(secs(5), waits_for, |w| w.link().detail == format!("waiting for {waits_for}"));
        w.run_till(secs(40), "it is given up", |w| w.state() == "backoff");
        let told = w.story.seen.iter().rfind(|seen| seen.link == LINK).unwrap();
        assert_eq!((told.reason, &*told.detail), (Some("net.timeout"), &*format!("waited too long for {waits_for}")));
    }
}
