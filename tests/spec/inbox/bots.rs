//! Bots, and what an agent never gets.

use crate::world::{Habit, World, mins, secs};

#[test]
fn an_agent_never_gets_its_own_messages() {
    let mut w = World::chatty(24);
    w.settings.agents[0].bots_all = true;
    w.run_live();
    w.send("general", "@recruiter talking to myself");
    w.say("general", "alice", "hi");
    w.run_for(mins(3));
    w.drop_lines();
    w.run_for(mins(3));
    assert_eq!(w.heard(), ["hi"]);
}

#[test]
fn a_bots_message_counts_only_when_it_mentions_the_agent() {
    for (bots_all, heard) in [(false, vec!["@recruiter named"]), (true, vec!["plain", "@recruiter named"])] {
        let mut w = World::chatty(25);
        w.settings.agents[0].bots_all = bots_all;
        w.guild().model.add_person("robo", "Robo", true);
        w.run_live();
        w.say("general", "robo", "plain");
        w.say("general", "robo", "@recruiter named");
        w.run_for(secs(30));
        assert_eq!(w.heard(), heard);
    }
}

#[test]
fn a_bots_direct_message_counts_only_when_it_mentions_the_agent() {
    let mut w = World::chatty(26);
    w.guild().model.add_person("robo", "Robo", true);
    w.guild().model.add_channel("dm1", "dm", &["robo", "recruiter"]);
    w.run_live();
    w.say("dm1", "robo", "plain");
    w.say("dm1", "robo", "@recruiter named");
    w.run_for(secs(30));
    assert_eq!(w.heard(), ["@recruiter named"]);
}

#[test]
fn bots_get_20_turns_in_60_s_of_a_conversation_and_the_rest_is_a_gap() {
    let mut w = World::chatty(27);
    w.guild().model.add_person("robo", "Robo", true);
    w.guild().model.add_channel("other", "channel", &["robo", "recruiter"]);
    w.run_live();
    (0..30).for_each(|i| drop(w.say("general", "robo", &format!("@recruiter {i}"))));
    w.say("other", "robo", "@recruiter elsewhere");
    w.say("general", "alice", "a person");
    w.run_for(secs(20));
    assert_eq!((w.heard().len(), w.link().gaps), (22, 10));
    assert_eq!(w.link().gaps_by_reason.get("bot_budget"), Some(&10));
    let told = w.link().last_gap.as_ref().unwrap().detail.clone();
    assert!(told.contains("more than 20 bot messages within 60 s in acme.general"), "{told}");
    w.run_for(secs(60));
    w.say("general", "robo", "@recruiter later");
    w.run_for(secs(5));
    assert_eq!((w.heard().len(), w.link().gaps), (23, 10));
}

#[test]
fn two_agents_of_one_daemon_are_bots_to_each_other() {
    let mut w = World::chatty(28);
    w.add_agent("twin", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "recruiter", "twin"]);
    w.settings.agents[1].respond_to = guild_bridge::settings::RespondTo::All;
    w.guild().model.add_person("recruiter", "recruiter", false);
    w.run_for(secs(5));
    w.say("pair", "alice", "hello both");
    w.run_for(mins(3));
    assert_eq!((w.heard(), w.hands["twin"].heard()), (vec!["hello both"], vec!["hello both"]));
}

#[test]
fn two_agents_that_mention_each_other_stop_by_the_budget() {
    let mut w = World::chatty(29);
    w.add_agent("twin", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "recruiter", "twin"]);
    w.hand("twin").habit = Habit::Says("@recruiter no, you".into());
    w.hand("recruiter").habit = Habit::Says("@twin no, you".into());
    w.run_for(secs(5));
    w.say("pair", "alice", "@twin go");
    w.run_for(mins(10));
    let posts = w.guild().model.said.len();
    assert!((20..=430).contains(&posts), "{posts} posts in ten minutes");
}
