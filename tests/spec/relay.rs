//! The daemon as one value: several links, restarts, reloads, ends, the control socket, and a status that is true.

mod crash;
mod ends;
mod plan;
mod power;
mod reload;

use crate::world::model::iso;
use crate::world::{Habit, World, hall, mins, secs};
use guild_bridge::port::Command;
use guild_bridge::settings::RespondTo;

#[test]
fn several_agents_share_a_guild_with_a_link_and_tokens_each() {
    let mut w = World::new(9);
    w.add_agent("scout", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "recruiter", "scout"]);
    w.run_for(secs(5));
    w.say("pair", "alice", "@recruiter one");
    w.say("pair", "alice", "@scout two");
    w.run_for(secs(5));
    assert_eq!((w.heard(), w.hands["scout"].heard()), (vec!["@recruiter one"], vec!["@scout two"]));
    assert_eq!((w.status().links.len(), w.story.offered.len()), (2, 2));
    assert!(w.status().links.iter().all(|l| l.state == "live"));
}

#[test]
fn one_agent_in_two_guilds_has_a_link_in_each() {
    let mut w = World::new(10);
    w.add_guild("beta");
    w.settings.agents[0].guilds.push("beta".into());
    w.hall(1).model.add_agent("recruiter", "recruiter", "key-of-recruiter");
    w.hall(1).model.add_channel("general", "channel", &["alice", "recruiter"]);
    w.run_for(secs(5));
    w.say("general", "alice", "@recruiter here");
    w.hall(1).say("general", "alice", "@recruiter and here");
    w.run_for(secs(5));
    assert_eq!(w.answers("general"), ["re: @recruiter here"]);
    assert_eq!(w.hall(1).said_by("general", "recruiter"), ["re: @recruiter and here"]);
    let keys: Vec<String> = w.agent().asked.iter().map(|a| a.turn.conv.key.clone()).collect();
    assert_eq!(keys, ["acme.general", "beta.general"]);
}

#[test]
fn a_guild_that_is_gone_does_not_hold_up_another() {
    let mut w = World::chatty(11);
    w.add_guild("beta");
    w.settings.agents[0].guilds.push("beta".into());
    w.hall(1).dark = true;
    w.run_for(secs(45));
    w.say("general", "alice", "hi");
    w.run_for(secs(45));
    assert_eq!((w.answers("general"), w.state()), (vec!["re: hi"], "live"));
    assert!(w.status().links[1].state != "live");
}

#[test]
fn an_agent_without_a_usable_key_is_unbound_and_never_retried() {
    let mut w = World::chatty(12);
    w.add_agent("scout", &["acme"]);
    w.settings.agents[1].key = Err("mode 0644, want 0600: chmod 600 /keys/scout".into());
    w.run_for(mins(120));
    let scout = w.status().links.iter().find(|l| l.agent == "scout").unwrap().clone();
    assert_eq!((scout.state, scout.reason, scout.attempts), ("unbound", Some("cfg.key_file"), 0));
    assert!(scout.detail.contains("chmod 600"), "{}", scout.detail);
    assert_eq!((scout.tokens_minted, scout.next_try_s), (0, None));
    assert_eq!(w.state(), "live");
}

#[test]
fn send_posts_as_the_agent_by_id_by_name_and_by_guild_and_channel() {
    for channel in ["general", "acme.general", "The Hall", "acme.The Hall"] {
        let mut w = World::chatty(28);
        w.guild().model.rename_channel("general", "The Hall");
        w.run_live();
        let client = w.send(channel, "hello");
        w.run_for(secs(2));
        assert_eq!((w.answers("general"), w.heard().len()), (vec!["hello"], 0), "{channel}");
        assert!(w.told(client).last().unwrap().starts_with("Done"), "{channel}: {:?}", w.told(client));
    }
}

#[test]
fn send_to_what_is_not_there_or_not_unique_is_refused() {
    let mut w = World::chatty(29);
    w.guild().model.add_channel("a", "channel", &["recruiter"]);
    w.guild().model.add_channel("b", "channel", &["recruiter"]);
    ["a", "b"].iter().for_each(|c| w.guild().model.rename_channel(c, "twin"));
    w.run_live();
    for channel in ["nowhere", "twin", "beta.general"] {
        let client = w.send(channel, "hello");
        w.run_for(secs(15));
        assert!(w.told(client).last().unwrap().starts_with("Refused"), "{channel}: {:?}", w.told(client));
    }
    let command = Command::Send { agent: "nobody".into(), channel: "general".into(), text: "hello".into() };
    let client = w.ask(command);
    assert!(w.told(client)[0].starts_with("Refused"), "{:?}", w.told(client));
    assert!(w.guild().model.said.is_empty());
}

#[test]
fn a_send_that_waits_says_so_and_is_posted_later() {
    let mut w = World::chatty(30);
    w.run_live();
    w.guild().up = false;
    w.guild().close_lines();
    w.run_for(secs(5));
    let client = w.send("general", "hello");
    w.run_for(secs(15));
    assert!(w.told(client).iter().any(|t| t.starts_with("Queued")), "{:?}", w.told(client));
    w.guild().up = true;
    w.run_for(mins(4));
    assert_eq!(w.answers("general"), ["hello"]);
}

#[test]
fn tail_follows_what_passes_until_the_client_leaves() {
    let mut w = World::chatty(31);
    w.run_live();
    let (all, other) = (w.ask(Command::Tail { agent: None }), w.ask(Command::Tail { agent: Some("recruiter".into()) }));
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    let lines = w.told(all).len();
    assert!(lines >= 1 && w.told(other).len() == lines, "{:?}", w.told(all));
    w.ask_as(all, Command::Left);
    w.say("general", "alice", "again");
    w.run_for(secs(2));
    assert_eq!(w.told(all).len(), lines);
    assert!(w.told(other).len() > lines);
}

#[test]
fn peer_text_in_a_tail_is_one_line() {
    let mut w = World::chatty(32);
    w.run_live();
    let client = w.ask(Command::Tail { agent: None });
    w.say("general", "alice", "one\ntwo\r\n\u{1b}[31mred\u{202e}");
    w.run_for(secs(2));
    let raw = w.told.iter().filter(|t| t.0 == client).map(|t| match &t.1 {
        guild_bridge::port::Told::Tail(line) => line.clone(),
        other => format!("{other:?}"),
    });
    for line in raw.collect::<Vec<_>>() {
        assert!(!line.contains(['\n', '\r', '\u{1b}', '\u{202e}']), "{line:?}");
    }
}

#[test]
fn status_counts_what_happened() {
    let mut w = World::chatty(33);
    w.run_live();
    (0..5).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.run_for(secs(10));
    w.drop_lines();
    w.run_for(secs(30));
    let link = w.link().clone();
    assert_eq!((link.delivered, link.replies_posted, link.outbox_depth, link.gaps), (5, 5, 0, 0));
    assert_eq!((link.attempts, link.tokens_minted), (2, w.halls[0].model.minted()));
    assert_eq!((link.channels_total, link.channels_joined, link.channels_proven), (1, 1, 1));
    let agent = w.status().agents[0].clone();
    assert_eq!((agent.agent.as_str(), agent.transport, agent.state), ("recruiter", "socket", "ready"));
    assert_eq!((agent.turns_open, agent.waiting, agent.turns_done, agent.turns_failed), (0, 0, 5, 0));
}

#[test]
fn status_says_since_when_and_what_the_socket_brought_last() {
    let mut w = World::chatty(34);
    w.run_live();
    w.run_for(secs(100));
    w.say("general", "alice", "hi");
    let said = w.at;
    w.run_for(secs(100));
    w.look();
    let link = w.link().clone();
    let second = |at: u64| iso(hall::WALL + at)[..19].to_owned();
    assert_eq!(link.since[..19], second(w.story.seen.iter().find(|s| s.state == "live").unwrap().at));
    let event = link.last_event_at.unwrap()[..19].to_owned();
    assert!((second(said)..=second(said + 1_000)).contains(&event), "{event}");
    assert_eq!(w.status().uptime_s, (w.at - 1_000) / 1000);
}

#[test]
fn the_agents_state_tells_ready_busy_missing() {
    let mut w = World::chatty(35);
    w.agent().takes_ms = 5_000;
    w.run_live();
    assert_eq!(w.status().agents[0].state, "ready");
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    assert_eq!((w.status().agents[0].state, w.status().agents[0].turns_open), ("busy", 1));
    w.run_for(secs(10));
    assert_eq!(w.status().agents[0].state, "ready");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| {
        let mut w = World::silent(seed);
        w.guild().deaf_sessions = 2;
        w.speak_every(secs(9), mins(10));
        w.guild().up = false;
        w.guild().close_lines();
        w.run_for(mins(10));
        let (name, files) = (w.disk.last_name(), w.disk.len());
        (w.story.transcript, w.disk.bytes(&name).to_vec(), files)
    };
    assert!(story(36) == story(36));
    assert!(story(36) != story(37), "chance has no say at all");
}

#[test]
fn a_nudge_ends_the_rest_of_a_waiting_link() {
    let mut w = World::chatty(37);
    w.guild().up = false;
    w.run_for(mins(60));
    w.guild().up = true;
    let client = w.ask(Command::Nudge);
    w.run_till(secs(5), "it is live", |w| w.state() == "live");
    assert!(w.told(client)[0].contains("1 link(s) that rested try now"), "{:?}", w.told(client));
    let client = w.ask(Command::Nudge);
    w.run_for(secs(1));
    assert!(w.told(client)[0].contains("0 link(s)"), "a live link has nothing to try: {:?}", w.told(client));
    assert_eq!(w.state(), "live");
}

#[test]
fn a_nudge_is_no_reason_to_come_before_the_guild_said() {
    let mut w = World::chatty(39);
    w.guild().model.faults.set(crate::world::Fault::MintStatus(429, Some("600".into())));
    w.run_for(secs(30));
    assert_eq!(w.reason(), "rate.limited");
    let mints = w.halls[0].calls.len();
    (0..60).for_each(|_| {
        w.ask(Command::Nudge);
        w.run_for(secs(5));
    });
    assert_eq!(w.halls[0].calls.len(), mints);
}

#[test]
fn a_day_of_calm_is_one_connection_and_a_bounded_journal() {
    let mut w = World::chatty(38);
    w.run_live();
    for i in 0..24 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(mins(60));
    }
    assert_eq!(w.answers("general").len(), 24);
    assert_eq!(w.story.offered.len(), 1);
    assert!(w.disk.len() <= guild_bridge::budget::JOURNAL_BYTES, "{} bytes", w.disk.len());
}

#[test]
fn cursors_are_written_at_most_once_in_5_s_while_nothing_ends() {
    let mut w = World::chatty(39);
    w.settings.agents[0].respond_to = RespondTo::Direct;
    w.run_live();
    w.run_for(secs(10));
    let before = w.story.count("store");
    for i in 0..600 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(100);
    }
    let stores = w.story.count("store") - before;
    assert!((1..=14).contains(&stores), "{stores} writes in a minute");
}

#[test]
fn the_journal_stays_bounded_however_much_is_said() {
    let mut w = World::chatty(40);
    w.run_live();
    w.agent().takes_ms = 1;
    w.agent().habit = Habit::Says("y".repeat(2_000));
    for i in 0..1_500 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(200);
    }
    assert_eq!(w.answers("general").len(), 1_500);
    let most = 2 * guild_bridge::budget::JOURNAL_BYTES;
    assert!(w.disk.len() <= most, "{} bytes are kept", w.disk.len());
}
