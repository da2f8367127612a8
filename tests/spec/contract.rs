//! Sentences of the contract that belong to no single file of `src`.

use crate::world::{Habit, What, World, log, mins, secs};
use guild_bridge::agent::Said;
use guild_bridge::dialect::{self, Row};
use guild_bridge::port::Command;
use guild_bridge::reason::{Reason, Why};
use guild_bridge::secret::Secret;
use guild_bridge::status::{AgentStatus, LinkStatus, ProcessStatus, Status};
use std::collections::BTreeSet;

mod binary;

const DAY_MS: i64 = 24 * 3_600_000;

#[test]
fn every_path_of_the_dialect_can_be_another() {
    let mut guild = World::new(1).settings.guilds.remove(0);
    let own = ["/t", "/c", "/h/{id}", "/p/{id}", "/a/{id}", "/s/"];
    for (name, path) in ["token", "channels", "history", "post", "attachment", "socket"].into_iter().zip(own) {
        guild.paths.insert(name.into(), path.into());
    }
    let fabric = dialect::of(&guild);
    assert_eq!(fabric.mint("recruiter", &Secret::new("k")).url, "https://center.acme.example/t");
    assert_eq!(fabric.channels().url, "https://acme.example/c");
    assert_eq!(fabric.history("x", Some("7"), 20).url, "https://acme.example/h/x?after=7&limit=20");
    assert_eq!(fabric.post("x", "hi", None, "key").url, "https://acme.example/p/x");
    assert_eq!(fabric.attachment("f"), "https://acme.example/a/f");
    assert_eq!(fabric.socket_url(), "wss://acme.example/s/?EIO=4&transport=websocket");
}

#[test]
fn a_mint_asks_with_id_and_key_and_takes_200_and_201() {
    for status in [200, 201] {
        let mut w = World::chatty(2);
        let body = format!(r#"{{"guildAccessToken":"t-{status}","expiresIn":900}}"#);
        w.guild().trouble("mint", 1, What::Body(status, "application/json", body));
        w.run_for(secs(1));
        assert!(w.story.offered[0].2.starts_with(&format!("t-{status}")), "{:?}", w.story.offered);
        let mint = &w.halls[0].calls.iter().find(|call| call.1 == "mint").unwrap().3;
        assert_eq!(mint.body, r#"{"agentId":"recruiter","agentKey":"key-of-recruiter"}"#);
        assert!(mint.post && mint.bearer.is_none());
    }
}

#[test]
fn a_message_of_the_least_and_of_too_much_is_a_message() {
    let fabric = dialect::of(&World::new(3).settings.guilds[0]);
    let page = r#"[{"id":"1"},{"id":"2","text":"hi","zzz":{"a":[1]},"author":{"name":"Al","bot":false,"hat":1}}]"#;
    let mut read = Vec::new();
    let whole = fabric.history_rows(page.as_bytes(), &mut |row| match row {
        Row::Message(message, _) => read.push((message.id.into_owned(), message.text.into_owned())),
        Row::Unreadable(id, why) => panic!("{id:?}: {why}"),
    });
    assert!(whole);
    assert_eq!(read, [("1".into(), String::new()), ("2".to_owned(), "hi".to_owned())]);
}

#[test]
fn a_list_is_no_message_and_names_no_author() {
    let fabric = dialect::of(&World::new(3).settings.guilds[0]);
    let page = r#"[["1","general","u7"],{"id":"2","author":["Al",true],"attachments":[["a1","p.jpg"]]}]"#;
    let mut read = Vec::new();
    fabric.history_rows(page.as_bytes(), &mut |row| {
        read.push(match row {
            Row::Message(message, _) => Some((message.author_name.is_none(), message.bot, message.attachments.len())),
            Row::Unreadable(..) => None,
        });
    });
    assert_eq!(read, [None, Some((true, false, 0))]);
}

#[test]
fn history_is_looked_at_every_unproven_s_before_proof_and_every_reconcile_s_after() {
    let mut w = World::silent(4);
    w.run_for(secs(30));
    let before = w.calls_of("channels");
    w.run_for(mins(10));
    let unproven = w.calls_of("channels") - before;
    w.say("general", "alice", "hi");
    w.run_for(mins(1));
    let before = w.calls_of("channels");
    w.run_for(mins(10));
    let live = w.calls_of("channels") - before;
    assert!((38..=41).contains(&unproven) && (9..=11).contains(&live), "{unproven} unproven, {live} live");
}

#[test]
fn typing_is_understood_and_goes_nowhere_where_the_dialect_has_none() {
    let mut w = World::chatty(5);
    w.agent().takes_ms = 5_000;
    w.run_live();
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    let turn = w.agent().asked[0].turn.id.clone();
    let (story, calls) = (w.story.kinds().len(), w.halls[0].calls.len());
    w.says("recruiter", Said::Typing { turn: turn.into(), on: true });
    w.run_for(secs(1));
    assert_eq!((w.story.kinds().len(), w.halls[0].calls.len()), (story, calls));
    assert_eq!((w.status().agents[0].garbled, w.status().agents[0].turns_open), (0, 1));
    w.run_for(secs(10));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

#[test]
fn cursors_of_a_removed_agent_are_kept_for_30_days() {
    for (days, heard) in [(29, vec!["known", "meanwhile"]), (31, vec!["known"])] {
        let mut w = World::chatty(6);
        w.run_live();
        w.say("general", "alice", "known");
        w.run_for(mins(1));
        let agent = w.settings.agents.pop().unwrap();
        w.ask(Command::Reload(Box::new(w.settings.clone())));
        w.run_for(mins(1));
        w.say("general", "alice", "meanwhile");
        w.kill();
        w.clock_offset_ms += days * DAY_MS;
        w.settings.agents.push(agent);
        w.start();
        w.run_for(mins(1));
        assert_eq!(w.heard(), heard, "after {days} days");
    }
}

#[test]
fn what_a_removed_agent_leaves_behind_is_said_to_be_given_up_where_it_is_something() {
    for waits in [true, false] {
        let mut w = World::chatty(6);
        w.run_live();
        if waits {
            w.guild().trouble("post", 1, What::Status(422, None));
        }
        w.say("general", "alice", "known");
        w.run_for(mins(1));
        w.settings.agents.clear();
        w.ask(Command::Reload(Box::new(w.settings.clone())));
        w.run_for(mins(1));
        w.kill();
        w.clock_offset_ms += 31 * DAY_MS;
        w.start();
        w.run_for(mins(1));
        let told = "asked: recruiter@acme is gone for 30 days: 0 replies and 1 letters of it are given up";
        let said: Vec<String> = log::lines().into_iter().filter(|line| line.contains("given up")).collect();
        assert_eq!(said, if waits { vec![told] } else { vec![] });
    }
}

#[test]
fn cursors_of_an_agent_that_left_while_nothing_ran_or_the_clock_was_not_set_count_from_when_it_was_known() {
    for (days, heard) in [(29, vec!["known", "meanwhile"]), (31, vec!["known"])] {
        let mut w = World::chatty(6);
        w.run_live();
        w.say("general", "alice", "known");
        w.run_for(mins(1));
        w.kill();
        let agent = w.settings.agents.pop().unwrap();
        w.clock_offset_ms = -20_000 * DAY_MS;
        w.start();
        w.run_for(mins(1));
        w.kill();
        w.clock_offset_ms = 40 * DAY_MS;
        w.start();
        w.run_for(mins(1));
        w.say("general", "alice", "meanwhile");
        w.kill();
        w.clock_offset_ms += days * DAY_MS;
        w.settings.agents.push(agent);
        w.start();
        w.run_for(mins(1));
        assert_eq!(w.heard(), heard, "after {days} days");
    }
}

#[test]
fn cursors_of_an_agent_that_came_back_are_kept_for_good() {
    let mut w = World::chatty(6);
    w.run_live();
    w.say("general", "alice", "known");
    w.run_for(mins(1));
    let with = w.settings.clone();
    w.settings.agents.clear();
    w.ask(Command::Reload(Box::new(w.settings.clone())));
    w.run_for(mins(1));
    w.guild().up = false;
    w.settings = with.clone();
    w.ask(Command::Reload(Box::new(with)));
    w.run_for(mins(1));
    w.kill();
    w.guild().up = true;
    w.clock_offset_ms += 31 * DAY_MS;
    w.say("general", "alice", "meanwhile");
    w.start();
    w.run_for(mins(1));
    assert_eq!(w.heard(), ["known", "meanwhile"]);
}

#[test]
fn status_has_every_field_that_is_promised() {
    let status = Status {
        links: vec![LinkStatus::default()],
        agents: vec![AgentStatus::default()],
        process: ProcessStatus::default(),
        ..Status::default()
    };
    let json = serde_json::to_value(status).unwrap();
    let holds = |object: &serde_json::Value, fields: &str| {
        fields.split_whitespace().for_each(|field| assert!(object.get(field).is_some(), "no {field} in {object}"));
    };
    holds(&json, "version uptime_s links agents process");
    holds(&json["links"][0], "agent guild state since reason detail next_try_s channels_total channels_joined");
    holds(&json["links"][0], "channels_proven last_event_at last_proof_at attempts tokens_minted delivered replayed");
    holds(
        &json["links"][0],
        "duplicates_dropped replies_posted outbox_depth letters gaps gaps_by_reason last_gap timers",
    );
    holds(&json["process"], "heap_bytes heap_peak_bytes heap_limit_bytes rss_bytes");
}

/// A world in trouble, and how long it is looked at.
fn states_of(seed: u64, trouble: fn(&mut World)) -> BTreeSet<&'static str> {
    let mut w = World::silent(seed);
    trouble(&mut w);
    for i in 0..5 {
        w.run_for(mins(1));
        w.say("general", "alice", &format!("m{i}"));
    }
    w.run_for(mins(2));
    w.story.seen.iter().map(|seen| seen.state).collect()
}

#[test]
fn every_state_of_a_link_is_reached_and_told() {
    let troubles: [fn(&mut World); 6] = [
        |_| {},
        |w| w.guild().deaf_sessions = 9,
        |w| w.guild().upgrades.push_back((Why::new(Reason::NetRefused, "nobody listens"), None)),
        |w| w.guild().upgrades.push_back((Why::new(Reason::ClockUnset, "1970"), None)),
        |w| w.guild().model.refuse_agent("recruiter"),
        |w| w.settings.agents[0].key = Err("mode 0644".into()),
    ];
    let seen: BTreeSet<_> =
        troubles.into_iter().zip(7..).flat_map(|(trouble, seed)| states_of(seed, trouble)).collect();
    let promised = "minting connecting joining unproven live deaf backoff waiting_clock unbound refused";
    assert_eq!(seen, promised.split(' ').collect());
}

#[test]
fn gaps_are_counted_by_their_reason() {
    let mut w = World::chatty(13);
    w.settings.message_bytes = 3_000;
    w.run_live();
    w.say("general", "alice", &"too long ".repeat(400));
    w.run_for(secs(20));
    w.agent().next.extend([Habit::Fails, Habit::Fails, Habit::Fails]);
    w.say("general", "alice", "the agent will not answer");
    w.run_for(mins(1));
    let link = w.link();
    assert_eq!((link.gaps, link.gaps_by_reason.values().sum::<u64>()), (2, 2));
    assert!(
        link.gaps_by_reason.contains_key("oversize") && link.gaps_by_reason.contains_key("turn_failed"),
        "{:?}",
        link.gaps_by_reason
    );
}
