//! Guilds that answer and send what no guild should: nothing grows, nothing spins, nothing of the others is lost.

use crate::world::{Habit, What, World, mins, secs};

#[test]
fn a_guild_that_asks_for_more_pongs_than_it_takes_is_left() {
    for ping in ["2".to_owned(), format!("2{}", "x".repeat(30_000))] {
        let mut w = World::chatty(1);
        w.run_live();
        w.guild().stuck = true;
        (0..1_100).for_each(|_| w.guild().inject(&ping));
        w.run_for(secs(1));
        assert_eq!(w.reason(), "net.protocol", "{}", w.link().detail);
    }
}

#[test]
fn channels_that_count_their_messages_each_from_one_hide_none_of_each_other() {
    let mut w = World::chatty(2);
    w.guild().model.add_channel("other", "channel", &["alice", "recruiter"]);
    w.run_live();
    for channel in ["general", "other"] {
        let message = format!(r#"{{"id":"1","channelId":"{channel}","authorId":"alice","text":"in {channel}"}}"#);
        w.guild().inject(&format!(r#"42["message.created",{message}]"#));
    }
    w.run_for(secs(2));
    assert_eq!(w.heard(), ["in general", "in other"]);
}

#[test]
fn what_waited_in_a_channel_that_leaves_the_list_is_given_when_it_comes_back() {
    let mut w = World::chatty(3);
    w.run_live();
    w.settings.agents[0].parallel = 1;
    w.agent().takes_ms = secs(3);
    w.agent().next.push_back(Habit::Hangs);
    ["one", "two", "three"].iter().for_each(|text| drop(w.say("general", "alice", text)));
    w.run_for(secs(1));
    w.guild().trouble("channels", 1, What::Body(200, "application/json", "[]".into()));
    w.run_for(mins(10));
    assert_eq!(w.answers("general"), ["re: one", "re: two", "re: three"]);
}

#[test]
fn a_channel_whose_history_fails_for_long_goes_on_and_is_whole_once_it_heals() {
    let mut w = World::chatty(4);
    w.agent().habit = Habit::None;
    w.run_live();
    w.guild().trouble("history", 1_000_000, What::Status(500, None));
    for i in 0..1_700 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(40);
        if i == 300 {
            w.drop_lines();
            w.run_for(mins(3));
        }
    }
    let before = w.heard().len();
    assert!(before > 1_400, "{before} came while history failed");
    w.guild().heal();
    w.say("general", "alice", "last");
    w.run_for(mins(10));
    assert!(w.heard().contains(&"last") && w.heard().len() == 1_701, "{}", w.heard().len());
}

#[test]
fn an_agent_that_floods_parts_of_a_reply_fills_the_outbox_and_no_more() {
    let mut w = World::chatty(5);
    w.run_live();
    w.guild().trouble("post", 1_000, What::Status(429, Some(mins(30))));
    w.agent().next.push_back(Habit::Parts((0..500).map(|i| format!("part {i}")).collect()));
    w.say("general", "alice", "hi");
    w.run_for(mins(2));
    assert!((64..=65).contains(&w.link().outbox_depth), "{}", w.link().outbox_depth);
    assert_eq!(w.link().gaps_by_reason.get("outbox_full").copied(), Some(435));
}

#[test]
fn calls_that_find_no_place_to_wait_for_a_token_fail_and_hold_no_turn_for_ever() {
    let mut w = World::chatty(6);
    w.settings.agents[0].attachment_bytes = Some(1 << 20);
    w.settings.agents[0].parallel = 20;
    let rooms: Vec<String> = (0..12).map(|i| format!("c{i}")).collect();
    rooms.iter().for_each(|room| w.guild().model.add_channel(room, "channel", &["alice", "recruiter"]));
    w.run_live();
    w.run_for(secs(5));
    w.guild().model.revoke_tokens("recruiter");
    w.guild().trouble("mint", 1, What::Slow(secs(8)));
    let files: Vec<String> = (0..8).map(|i| format!("f{i}")).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|id| (id.as_str(), 10)).collect();
    rooms.iter().for_each(|room| w.guild().say_with(room, "alice", room, &files));
    w.run_for(mins(3));
    assert_eq!(w.heard().len(), 12);
}

#[test]
fn a_post_that_was_told_to_wait_waits_over_a_reconnection_too() {
    let mut w = World::chatty(7);
    w.run_live();
    w.guild().trouble("post", 1, What::Status(500, None));
    w.guild().trouble("post", 1, What::Status(429, Some(mins(10))));
    w.say("general", "alice", "hi");
    w.run_for(secs(30));
    w.drop_lines();
    w.run_for(mins(9));
    assert_eq!((w.calls_of("post"), w.answers("general").len()), (2, 0));
    w.run_for(mins(5));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

#[test]
fn a_history_that_always_answers_the_same_page_is_not_read_without_rest() {
    let mut w = World::chatty(8);
    let row = |i| format!(r#"{{"id":"h{i:02}","channelId":"general","authorId":"alice","text":"old {i}"}}"#);
    let page = format!("[{}]", (0..20).map(row).collect::<Vec<_>>().join(","));
    w.say("general", "alice", "begins");
    w.run_live();
    w.guild().trouble("history", 1_000_000, What::Body(200, "application/json", page));
    w.whisper("unheard");
    w.run_for(mins(10));
    assert!(w.calls_of("history") < 100, "{} pages", w.calls_of("history"));
    assert_eq!(w.link().reason, Some("http.body"));
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    assert!(w.heard().contains(&"hi"), "what the socket brings is given on");
}

#[test]
fn a_list_beyond_the_bound_is_one_gap_a_channel_however_often_it_is_read() {
    let mut w = World::chatty(9);
    for i in 0..1_030 {
        w.guild().model.add_channel(&format!("c{i:04}"), "channel", &["alice", "recruiter"]);
    }
    w.run_for(mins(10));
    assert!(w.calls_of("channels") > 5);
    assert_eq!(w.link().gaps_by_reason.get("channels_over").copied(), Some(7));
}

#[test]
fn a_guild_that_lists_other_channels_each_time_leaves_no_more_places_than_are_kept() {
    let mut w = World::chatty(10);
    other_channels(&mut w, 5, 800);
    w.run_for(mins(10));
    let forgotten = w.link().gaps_by_reason.get("places_forgotten").copied().unwrap_or_default();
    assert_eq!(forgotten, 5 * 800 - 1_024);
}

/// A list of other channels each time.
fn other_channels(w: &mut World, lists: usize, channels: usize) {
    for list in 0..lists {
        let row = |i| format!(r#"{{"id":"l{list}-{i}","lastMessageId":null}}"#);
        let rows: Vec<String> = (0..channels).map(row).collect();
        w.guild().trouble("channels", 1, What::Body(200, "application/json", format!("[{}]", rows.join(","))));
    }
}

#[test]
fn a_guild_that_lists_other_channels_each_time_is_not_asked_again_at_once() {
    let mut w = World::chatty(12);
    other_channels(&mut w, 200, 5);
    w.run_for(secs(20));
    assert!((10..=45).contains(&w.calls_of("channels")), "{} lists", w.calls_of("channels"));
}

#[test]
fn a_channel_that_leaves_the_list_before_it_has_a_place_does_not_begin_at_its_beginning() {
    let mut w = World::chatty(14);
    (0..100).for_each(|n| drop(w.say("general", "alice", &format!("old {n}"))));
    for list in [r#"[{"id":"general"}]"#, r#"[{"id":"other","lastMessageId":null}]"#] {
        w.guild().trouble("channels", 1, What::Body(200, "application/json", list.to_owned()));
    }
    w.settings.timing.unproven_ms = 1_000;
    w.guild().trouble("history", 6, What::Slow(secs(4)));
    w.run_for(mins(5));
    assert_eq!((w.heard(), w.link().channels_proven), (vec![], 1));
    w.say("general", "alice", "new");
    w.run_for(secs(5));
    assert_eq!(w.heard(), ["new"]);
}

#[test]
fn a_guild_that_says_our_token_back_gets_it_into_no_status() {
    let mut w = World::chatty(11);
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyIn0.c2ln";
    let minted = format!(r#"{{"guildAccessToken":"{token}","expiresIn":900}}"#);
    w.guild().trouble("mint", 1, What::Body(200, "application/json", minted));
    w.guild().connects.push_back(format!(r#"44{{"message":"bad token {token}"}}"#));
    w.run_for(secs(1));
    assert_eq!((w.reason(), w.link().detail.contains(token)), ("auth.connect_error", false), "{}", w.link().detail);
    assert!(w.link().detail.contains("bad token [token]"));
}

#[test]
fn what_is_no_array_where_rows_were_due_is_told_and_is_no_gap() {
    for (route, body, reason) in [
        ("channels", "<html>Please sign in</html>", "http.portal"),
        ("channels", " ", "http.body"),
        ("history", "<html>Please sign in</html>", "http.portal"),
        ("history", " ", "http.body"),
    ] {
        let mut w = World::chatty(9);
        w.run_live();
        // longer than any answer of its kind is read
        let long = What::Body(200, "application/json", body.to_owned() + &" ".repeat(300_000));
        w.guild().trouble(route, 3, long);
        w.drop_lines();
        w.whisper("meanwhile");
        w.run_for(mins(5));
        let told = |s: &crate::world::story::Seen| s.reason == Some(reason);
        assert!(w.story.seen.iter().any(told), "{route}: {:?}", w.story.seen);
        assert_eq!(w.answers("general"), ["re: meanwhile"], "{route}");
        assert_eq!(w.link().gaps, 0, "{route}: {:?}", w.link().gaps_by_reason);
    }
}

#[test]
fn a_reply_whose_post_something_else_answers_is_posted_once_it_can_be() {
    for body in ["<html>Please sign in</html>", "", "{}", "[1]"] {
        let mut w = World::chatty(10);
        w.run_live();
        w.guild().trouble("post", 3, What::Body(200, "application/json", body.into()));
        w.say("general", "alice", "hi");
        w.run_for(secs(2));
        assert_eq!(w.link().outbox_depth, 1, "{body:?}");
        assert!(["http.portal", "http.body"].contains(&w.reason()), "{body:?}: {}", w.reason());
        w.run_for(mins(5));
        assert_eq!(w.answers("general"), ["re: hi"], "{body:?}");
    }
}

#[test]
fn a_post_that_fails_says_so_in_status() {
    let post = |what: What| {
        let mut w = World::chatty(11);
        w.run_live();
        w.guild().trouble("post", 2, what);
        w.say("general", "alice", "hi");
        w.run_for(secs(2));
        let reason = w.reason().to_owned();
        w.run_for(mins(1));
        assert_eq!(w.answers("general"), ["re: hi"]);
        reason
    };
    assert_eq!(post(What::Refused), "net.refused");
    assert_eq!(post(What::Status(500, None)), "http.status");
    assert_eq!(post(What::Status(502, None)), "guild.restarting");
    assert_eq!(post(What::Status(429, Some(2_000))), "rate.limited");
}
