//! A configuration that changes, and one agent that is reconnected.

use crate::world::{Habit, What, World, mins, secs};
use guild_bridge::agent::Said;
use guild_bridge::port::{Client, Command};
use guild_bridge::secret::Secret;
use guild_bridge::settings::RespondTo;

fn reload(w: &mut World) -> Client {
    let settings = Box::new(w.settings.clone());
    w.ask(Command::Reload(settings))
}

#[test]
fn a_key_that_becomes_usable_binds_the_agent_at_reload() {
    let mut w = World::chatty(13);
    let key = std::mem::replace(&mut w.settings.agents[0].key, Err("no such file".into()));
    w.run_for(mins(5));
    assert_eq!(w.state(), "unbound");
    w.settings.agents[0].key = key;
    reload(&mut w);
    w.run_live();
}

#[test]
fn a_reload_that_changes_nothing_keeps_every_connection() {
    let mut w = World::chatty(14);
    w.run_live();
    let client = reload(&mut w);
    w.run_for(mins(2));
    assert_eq!((w.story.offered.len(), w.state()), (1, "live"));
    assert_eq!(w.told(client).len(), 1, "{:?}", w.told(client));
}

#[test]
fn a_reload_that_changes_timing_applies_in_place() {
    let mut w = World::chatty(15);
    w.run_live();
    w.settings.timing.reconcile_ms = secs(10);
    reload(&mut w);
    let before = w.calls_of("channels");
    w.run_for(mins(10));
    assert!(w.calls_of("channels") - before >= 50);
    assert_eq!(w.story.offered.len(), 1);
}

#[test]
fn a_reload_that_changes_what_is_answered_applies_in_place() {
    let mut w = World::chatty(16);
    w.run_live();
    w.settings.agents[0].respond_to = RespondTo::Mentions;
    reload(&mut w);
    w.run_for(secs(5));
    w.say("general", "alice", "plain");
    w.say("general", "alice", "@recruiter named");
    w.run_for(mins(2));
    assert_eq!(w.heard(), ["@recruiter named"]);
}

#[test]
fn a_reload_that_adds_an_agent_leaves_the_others_alone() {
    let mut w = World::chatty(17);
    w.run_live();
    w.add_agent("scout", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "scout"]);
    reload(&mut w);
    w.run_for(secs(5));
    w.say("pair", "alice", "@scout hi");
    w.run_for(secs(5));
    assert_eq!(w.hands["scout"].heard(), ["@scout hi"]);
    assert_eq!(w.story.offered.iter().filter(|o| o.1 == "recruiter@acme").count(), 1);
}

#[test]
fn a_changed_key_reconnects_that_agent_alone() {
    let mut w = World::chatty(18);
    w.add_agent("scout", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "scout"]);
    w.run_for(secs(10));
    w.guild().model.add_agent("recruiter", "recruiter", "key-of-another");
    w.settings.agents[0].key = Ok(Secret::new("key-of-another"));
    reload(&mut w);
    w.run_for(secs(30));
    let offers = |name: &str| w.story.offered.iter().filter(|o| o.1.starts_with(name)).count();
    assert_eq!((offers("recruiter"), offers("scout")), (2, 1));
    assert!(w.status().links.iter().all(|l| l.state == "live"));
}

#[test]
fn a_removed_agent_finishes_its_open_turns() {
    let mut w = World::chatty(19);
    w.run_live();
    w.agent().takes_ms = 3_000;
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    let agents = std::mem::take(&mut w.settings.agents);
    reload(&mut w);
    w.run_for(secs(30));
    assert_eq!(w.guild().open_lines().len(), 0);
    w.say("general", "alice", "while removed");
    w.run_for(mins(10));
    w.settings.agents = agents;
    reload(&mut w);
    w.run_for(mins(2));
    assert_eq!(w.answers("general"), ["re: hi", "re: while removed"]);
}

#[test]
fn a_removed_agent_that_hangs_is_cancelled_within_5_s() {
    let mut w = World::chatty(20);
    w.run_live();
    w.agent().habit = Habit::Hangs;
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    w.settings.agents.clear();
    reload(&mut w);
    w.run_for(secs(6));
    assert_eq!((w.status().links.len(), w.status().agents.len()), (0, 0));
    assert!(w.agent().open.is_empty());
}

#[test]
fn restart_reconnects_one_agent_and_leaves_the_others_alone() {
    let mut w = World::chatty(21);
    w.add_agent("scout", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "scout"]);
    w.run_for(secs(10));
    let client = w.ask(Command::Restart { agent: "scout".into() });
    w.run_for(secs(10));
    let offers = |name: &str| w.story.offered.iter().filter(|o| o.1.starts_with(name)).count();
    assert_eq!((offers("recruiter"), offers("scout")), (1, 2));
    assert!(w.told(client)[0].starts_with("Done"), "{:?}", w.told(client));
}

#[test]
fn restart_of_an_unknown_agent_is_refused() {
    let mut w = World::chatty(22);
    w.run_live();
    let client = w.ask(Command::Restart { agent: "nobody".into() });
    assert!(w.told(client)[0].starts_with("Refused"), "{:?}", w.told(client));
}

#[test]
fn restart_ends_a_rest() {
    let mut w = World::chatty(23);
    w.guild().model.refuse_agent("recruiter");
    w.run_for(mins(30));
    assert_eq!(w.state(), "refused");
    w.guild().model.add_agent("recruiter", "recruiter", "key-of-recruiter");
    w.ask(Command::Restart { agent: "recruiter".into() });
    w.run_till(secs(5), "it is live", |w| w.state() == "live");
}

#[test]
fn an_agent_that_comes_back_before_it_left_keeps_its_open_turns() {
    let mut w = World::chatty(24);
    w.run_live();
    w.agent().takes_ms = secs(20);
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    let agents = std::mem::take(&mut w.settings.agents);
    reload(&mut w);
    w.run_for(secs(2));
    w.settings.agents = agents;
    reload(&mut w);
    w.run_for(mins(5));
    w.say("general", "alice", "again");
    w.run_for(mins(1));
    assert_eq!(w.answers("general"), ["re: hi", "re: again"]);
}

#[test]
fn an_agent_that_is_asked_another_way_is_given_its_open_turns_again() {
    let mut w = World::chatty(24);
    w.run_live();
    w.agent().takes_ms = secs(20);
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    let turn = w.agent().open[0].id.clone();
    w.settings.agents[0].parallel += 1;
    reload(&mut w);
    w.run_for(mins(1));
    assert!(w.agent().cancelled.iter().any(|(_, cancelled, _)| *cancelled == turn));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

#[test]
fn a_reload_that_changes_parallel_opens_so_many_turns_from_then_on() {
    let mut w = World::chatty(27);
    w.settings.agents[0].parallel = 1;
    ["a", "b", "c"].iter().for_each(|id| w.guild().model.add_channel(id, "channel", &["alice", "recruiter"]));
    w.run_live();
    w.run_for(secs(5));
    for parallel in [1, 3, 2] {
        w.settings.agents[0].parallel = parallel;
        reload(&mut w);
        w.agent().habit = Habit::Hangs;
        ["a", "b", "c"].iter().for_each(|id| drop(w.say(id, "alice", "hi")));
        w.run_for(secs(2));
        assert_eq!(w.agent().open.len(), usize::from(parallel));
        w.agent().habit = Habit::Echo;
        w.says("recruiter", Said::Here);
        w.run_for(secs(5));
    }
}

#[test]
fn a_guild_that_is_removed_takes_its_turns_along_and_frees_the_agent() {
    let mut w = World::chatty(25);
    w.add_guild("other");
    w.settings.agents[0].guilds.push("other".into());
    w.settings.agents[0].parallel = 1;
    w.hall(1).model.add_agent("recruiter", "recruiter", "key-of-recruiter");
    w.hall(1).model.add_channel("there", "channel", &["alice", "recruiter"]);
    w.run_for(secs(10));
    w.agent().next.push_back(Habit::Hangs);
    w.hall(1).say("there", "alice", "@recruiter hi");
    w.run_for(secs(1));
    w.settings.agents[0].guilds.pop();
    reload(&mut w);
    w.say("general", "alice", "here");
    w.run_for(secs(5));
    assert_eq!(w.answers("general"), ["re: here"]);
    w.settings.agents[0].guilds.push("other".into());
    reload(&mut w);
    w.run_for(mins(2));
    assert_eq!(w.halls[1].said_by("there", "recruiter"), ["re: @recruiter hi"]);
}

#[test]
fn who_waits_for_a_post_of_a_guild_that_is_removed_hears_so_and_it_is_posted_when_it_comes_back() {
    let mut w = World::chatty(28);
    w.add_guild("other");
    w.settings.agents[0].guilds.push("other".into());
    w.hall(1).model.add_agent("recruiter", "recruiter", "key-of-recruiter");
    w.hall(1).model.add_channel("there", "channel", &["alice", "recruiter"]);
    w.run_for(secs(10));
    w.hall(1).trouble("post", 99, What::Status(503, Some(60_000)));
    let client = w.send("other.there", "of a person");
    w.says("recruiter", Said::Send { id: "s1".into(), conv: "other.there".into(), text: "of the agent".into() });
    w.run_for(secs(1));
    w.settings.agents[0].guilds.pop();
    reload(&mut w);
    w.run_for(secs(1));
    let told = w.told(client);
    assert!(told.last().is_some_and(|told| told.starts_with("Queued") && told.contains("within 30 days")), "{told:?}");
    assert_eq!(w.agent().sent, [("s1".to_owned(), Err("asked"))]);
    w.hall(1).trouble.clear();
    w.settings.agents[0].guilds.push("other".into());
    reload(&mut w);
    w.run_for(mins(2));
    assert_eq!(w.halls[1].said_by("there", "recruiter"), ["of a person", "of the agent"]);
}

#[test]
fn an_agent_that_leaves_names_its_guild_by_its_new_place() {
    let mut w = World::chatty(26);
    w.add_guild("spare");
    w.run_live();
    w.agent().takes_ms = secs(2);
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    w.settings.agents.clear();
    w.settings.guilds.reverse();
    reload(&mut w);
    w.run_for(secs(4));
    let posted = |call: &&(u64, String, String, crate::world::happening::Request)| call.1 == "post";
    let at_new_place = w.halls[1].calls.iter().find(posted).expect("a call under the rules of the second guild");
    assert!(at_new_place.3.url.starts_with("https://acme.example"), "{}", at_new_place.3.url);
}

#[test]
fn a_removed_guild_and_agent_end_at_once() {
    let mut w = World::chatty(27);
    w.run_live();
    w.agent().takes_ms = secs(2);
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    w.settings.agents.clear();
    w.settings.guilds.clear();
    reload(&mut w);
    w.run_for(secs(10));
    assert_eq!((w.status().links.len(), w.status().agents.len(), w.answers("general").len()), (0, 0, 0));
}
