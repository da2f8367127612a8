//! What comes faster than history may be asked about is believed, and looked at once its channel is quiet: what the socket
//! skipped there comes late. What cannot be looked at any more is doubted where the socket is then found to skip.

use crate::hold::{hall, say_all};
use crate::world::{What, World, secs};
use guild_bridge::budget;

/// Four channels in a burst that is believed, of which the socket skips one message of c0. All but that one has come.
fn burst(seed: u64) -> World {
    let mut w = hall(seed, 4, 1);
    w.guild().whisper("c0", "alice", "skipped");
    say_all(&mut w, 4, 0..300);
    w.run_till(secs(10), "the burst came", |w| w.heard().len() == 4 * 300);
    assert_eq!(times(&w, "skipped"), 0, "history was asked about it meanwhile");
    w
}

fn times(w: &World, text: &str) -> usize {
    w.heard().iter().filter(|heard| **heard == text).count()
}

/// Whether so many came in each channel and the skipped one, each once, and nothing was counted as lost.
fn came_once(w: &World, channels: usize, messages: usize) {
    let twice: Vec<usize> = (0..messages).filter(|i| times(w, &format!("m{i}")) != channels).collect();
    assert_eq!((twice, times(w, "skipped")), (Vec::new(), 1));
    assert_eq!((w.link().gaps, w.link().replayed), (0, 1), "{:?}", w.link());
}

#[test]
fn what_a_socket_skips_in_a_burst_comes_once_its_channel_is_quiet() {
    let mut w = burst(1);
    w.run_till(secs(60), "the skipped one came", |w| times(w, "skipped") == 1);
    w.run_for(secs(120));
    came_once(&w, 4, 300);
}

#[test]
fn a_burst_that_was_brought_whole_is_read_again_once_and_nothing_comes_of_it() {
    let mut w = hall(2, 4, 1);
    say_all(&mut w, 4, 0..300);
    w.run_for(secs(120));
    let link = w.link();
    assert_eq!((w.heard().len(), link.gaps, link.replayed, link.reason), (4 * 300, 0, 0, None), "{link:?}");
    let pages = w.calls_of("history");
    assert!(pages * budget::HISTORY_LIMIT < 3 * 4 * 300, "{pages} pages");
    w.run_for(secs(600));
    assert_eq!(w.calls_of("history"), pages, "it is looked at again and again");
}

/// The daemon is killed while the skipped message's turn is open.
fn killed_late(mut w: World, said: usize) {
    w.hand("recruiter").takes_ms = secs(30);
    w.run_till(secs(60), "the skipped one came", |w| times(w, "skipped") == 1);
    w.run_for(secs(20));
    w.hand("recruiter").takes_ms = 1;
    w.crash();
    w.run_for(secs(120));
    assert_eq!((w.heard().len(), times(&w, "skipped"), w.link().gaps), (said + 2, 2, 0), "{:?}", w.link());
}

#[test]
fn what_was_skipped_is_given_again_after_a_kill_and_what_followed_it_is_not() {
    killed_late(burst(3), 4 * 300);
}

#[test]
fn what_was_skipped_comes_after_a_kill_before_the_look_too() {
    for ms in [300, 6_000, 9_000, 12_000] {
        let mut w = burst(40 + ms);
        w.run_for(ms);
        assert_eq!(times(&w, "skipped"), 0, "{ms}");
        w.crash();
        w.run_for(secs(120));
        assert_eq!((w.heard().len(), times(&w, "skipped")), (4 * 300 + 1, 1), "{ms}: {:?}", w.link());
    }
}

#[test]
fn two_that_were_skipped_far_apart_make_no_deaf_link() {
    let mut w = hall(50, 4, 1);
    for i in 0..3 {
        w.guild().whisper("c0", "alice", "skipped");
        say_all(&mut w, 4, i * 40..i * 40 + 40);
    }
    say_all(&mut w, 4, 120..300);
    w.run_till(secs(120), "all came", |w| w.heard().len() == 4 * 300 + 3);
    w.run_for(secs(120));
    let link = w.link();
    assert_eq!((link.attempts, link.state, link.gaps, link.replayed), (1, "live", 0, 3), "{link:?}");
}

#[test]
fn a_message_that_is_gone_where_the_cursor_stands_ends_the_look() {
    let mut w = hall(51, 4, 1);
    say_all(&mut w, 4, 0..300);
    w.run_till(secs(60), "a look is under way", |w| w.calls_of("history") * budget::HISTORY_LIMIT > 4 * 300 + 60);
    for channel in w.guild().model.channels.values_mut() {
        channel.messages.pop();
    }
    w.hand("recruiter").takes_ms = secs(20);
    (0..60).for_each(|i| drop(w.say("c0", "alice", &format!("after {i}"))));
    w.run_for(secs(5));
    w.crash();
    w.hand("recruiter").takes_ms = 1;
    w.run_for(secs(180));
    let after = (0..60).filter(|i| times(&w, &format!("after {i}")) > 0).count();
    assert_eq!((after, w.link().state), (60, "live"), "{:?}", w.link());
    let twice = (0..300).filter(|i| times(&w, &format!("m{i}")) != 4).count();
    assert_eq!(twice, 0);
}

#[test]
fn nor_is_what_stands_on_the_same_page_as_the_cursor() {
    let mut late = 0;
    for at in 0..12 {
        let mut w = hall(30 + at as u64, 60, 1);
        say_all(&mut w, 60, 0..at);
        w.guild().whisper("c0", "alice", "skipped");
        say_all(&mut w, 60, at..22);
        w.run_till(secs(10), "the burst came", |w| w.heard().len() >= 60 * 22);
        if times(&w, "skipped") == 0 {
            late += 1;
            killed_late(w, 60 * 22);
        }
    }
    assert!(late > 0, "history was asked about all of it meanwhile");
}

#[test]
fn a_burst_that_goes_on_puts_the_look_off() {
    let mut w = burst(4);
    for i in 3..6 {
        w.run_for(1_500);
        say_all(&mut w, 4, i * 100..i * 100 + 100);
    }
    w.run_for(secs(180));
    came_once(&w, 4, 600);
}

#[test]
fn a_connection_that_ends_puts_the_look_off() {
    // before it begins, while it is under way, and behind what was skipped
    for s in 0..16 {
        let mut w = burst(500 + s);
        w.run_for(secs(s) + 500);
        w.drop_lines();
        w.run_for(secs(180));
        came_once(&w, 4, 300);
    }
}

/// The agent is a member of c0, or is not.
fn member(w: &mut World, is: bool) {
    let members = &mut w.guild().model.channels.get_mut("c0").unwrap().members;
    members.retain(|member| member != "recruiter");
    members.extend(is.then(|| "recruiter".to_owned()));
}

#[test]
fn a_channel_that_refuses_the_agent_is_looked_at_once_it_does_not() {
    // it is in the list meanwhile, and not in the next
    for away in [4, 60] {
        let mut w = burst(600 + away);
        w.run_for(500);
        member(&mut w, false);
        w.run_for(secs(away));
        member(&mut w, true);
        w.run_for(secs(180));
        came_once(&w, 4, 300);
    }
}

#[test]
fn a_place_that_is_refused_again_and_again_is_looked_at_no_more() {
    let mut w = hall(6, 4, 1);
    say_all(&mut w, 4, 0..300);
    w.run_till(secs(60), "a look is under way", |w| w.calls_of("history") * budget::HISTORY_LIMIT > 4 * 300 + 60);
    let mut seen = w.calls_of("history");
    let mut refused = 0;
    while refused < 12 {
        // each page in turn: the place, and what is read where it stood
        w.guild().trouble("history", 1, What::Status(404, None));
        refused += 1;
        w.run_for(secs(20));
        w.guild().trouble.clear();
        w.run_for(secs(1));
        if w.calls_of("history") == seen {
            break;
        }
        seen = w.calls_of("history");
    }
    w.say("c0", "alice", "after");
    w.run_for(secs(60));
    let link = w.link();
    assert_eq!((w.heard().len(), link.gaps, link.replayed, link.reason), (4 * 300 + 1, 0, 0, None), "{link:?}");
    assert!(refused < 12, "it is looked at for ever");
}

#[test]
fn what_can_be_looked_at_no_more_is_a_gap_where_the_socket_is_found_to_skip() {
    const EACH: usize = 300;
    const { assert!(20 * EACH > budget::DEDUPE_IDS) };
    let mut w = hall(7, 20, 1);
    say_all(&mut w, 20, 0..EACH);
    w.run_till(secs(60), "all came", |w| w.heard().len() == 20 * EACH);
    assert_eq!(w.link().gaps, 0);
    w.guild().whisper("c3", "alice", "skipped");
    w.run_till(secs(180), "the skipped one came, too", |w| times(w, "skipped") == 1);
    w.run_for(secs(120));
    let unchecked = w.link().gaps_by_reason.get("unchecked").copied().unwrap_or_default();
    assert!(unchecked > 0, "{:?}", w.link().gaps_by_reason);
    assert!(w.link().gaps_by_reason.len() == 1, "{:?}", w.link().gaps_by_reason);
    assert_eq!(w.heard().len(), 20 * EACH + 1);
}
