//! Who is addressed, and what a turn says.

use crate::world::{World, mins, secs, twice};
use guild_bridge::port::Command;
use guild_bridge::settings::RespondTo;

#[test]
fn a_direct_message_always_counts() {
    for respond_to in [RespondTo::All, RespondTo::Mentions, RespondTo::Direct] {
        let mut w = World::new(27);
        w.settings.agents[0].respond_to = respond_to;
        w.guild().model.add_channel("dm1", "dm", &["alice", "recruiter"]);
        w.run_live();
        w.say("dm1", "alice", "psst");
        w.run_for(secs(3));
        assert_eq!(w.answers("dm1"), ["re: psst"], "{respond_to:?}");
    }
}

#[test]
fn respond_to_says_what_counts_beside_direct_messages() {
    for (respond_to, heard) in [
        (RespondTo::All, vec!["plain", "@recruiter named"]),
        (RespondTo::Mentions, vec!["@recruiter named"]),
        (RespondTo::Direct, vec![]),
    ] {
        let mut w = World::new(28);
        w.settings.agents[0].respond_to = respond_to;
        w.run_live();
        w.say("general", "alice", "plain");
        w.say("general", "alice", "@recruiter named");
        w.run_for(mins(2));
        assert_eq!(w.heard(), heard, "{respond_to:?}");
        assert_eq!(w.link().gaps, 0, "what does not count is no gap");
    }
}

#[test]
fn an_agent_is_mentioned_by_id_by_name_and_by_its_names_as_whole_words() {
    let mut w = World::new(29);
    w.settings.agents[0].id = "u42".into();
    w.settings.agents[0].names = vec!["Rita".into(), "recruiting".into()];
    w.guild().model.add_agent("u42", "recruiter", "key-of-recruiter");
    w.guild().model.add_channel("hall", "channel", &["alice", "u42"]);
    w.run_for(secs(5));
    let yes = ["@u42 a", "b @recruiter", "c @Rita!", "(@recruiting) d", "@recruiter, e", "@recruiter"];
    let no = ["u42 f", "@u421 g", "@recruiterx h", "recruiter i", "@ recruiter j", "@Ritas k", "x"];
    yes.iter().chain(&no).for_each(|t| drop(w.say("hall", "alice", t)));
    w.run_for(mins(2));
    assert_eq!(w.heard(), yes);
    assert!(w.agent().asked.iter().all(|a| a.turn.message.mention));
}

#[test]
fn the_mentions_field_decides_where_the_guild_sends_it() {
    let mut w = World::new(30);
    w.guild().model.options.mentions = true;
    w.settings.agents[0].names = vec!["Rita".into()];
    w.run_live();
    w.say("general", "alice", "@recruiter listed");
    w.say("general", "alice", "@Rita not listed");
    w.run_for(mins(2));
    assert_eq!(w.heard(), ["@recruiter listed"]);
}

#[test]
fn a_reply_to_an_own_post_is_a_mention() {
    let mut w = World::new(31);
    w.run_live();
    w.say("general", "alice", "@recruiter hi");
    w.run_for(secs(3));
    let own = w.guild().model.said_by("general", "recruiter")[0].id.clone();
    let other = w.say("general", "bob", "lunch?");
    w.guild().say_to("general", "alice", "thanks", &own);
    w.guild().say_to("general", "alice", "yes", &other);
    w.run_for(secs(3));
    assert_eq!(w.heard(), ["@recruiter hi", "thanks"]);
}

#[test]
fn a_reply_to_what_the_agent_posted_before_it_was_removed_and_came_back_is_a_mention() {
    let mut w = World::new(34);
    w.run_live();
    w.say("general", "alice", "@recruiter hi");
    w.run_for(secs(3));
    let own = w.guild().model.said_by("general", "recruiter")[0].id.clone();
    // the place goes on: what was posted is not read again
    (0..3).for_each(|n| drop(w.say("general", "bob", &format!("lunch {n}?"))));
    w.run_for(mins(2));
    let agent = w.settings.agents.pop().unwrap();
    for agents in [vec![], vec![agent]] {
        w.settings.agents = agents;
        w.ask(Command::Reload(Box::new(w.settings.clone())));
        w.run_for(mins(1));
    }
    w.guild().say_to("general", "alice", "thanks", &own);
    w.run_for(secs(3));
    assert_eq!(w.heard(), ["@recruiter hi", "thanks"]);
}

#[test]
fn a_turn_says_where_and_what() {
    let mut w = World::new(32);
    w.run_live();
    let id = w.say("general", "alice", "@recruiter status?");
    w.run_for(secs(3));
    let turn = w.agent().asked[0].turn.clone();
    assert!(turn.id.starts_with("t_") && turn.attempt == 1 && turn.agent == "recruiter");
    assert_eq!((turn.conv.key.as_str(), &*turn.conv.guild), ("acme.general", "acme"));
    assert_eq!((&*turn.conv.channel, turn.conv.kind.word(), turn.conv.thread.clone()), ("general", "channel", None));
    assert_eq!((turn.message.id.as_str(), turn.message.text.as_str()), (id.as_str(), "@recruiter status?"));
    assert_eq!((turn.message.author.name.as_str(), turn.message.author.bot), ("Alice", false));
    assert!(turn.message.mention && !turn.replayed && turn.deadline_ms == 60_000);
}

#[test]
fn a_conversation_key_of_a_strange_channel_id_keeps_to_its_alphabet() {
    let mut w = World::chatty(33);
    let ids = ["a b", "a/b", "é", &"x".repeat(128), "a?b&c=d", "ok-1._"];
    ids.iter().for_each(|id| w.guild().model.add_channel(id, "channel", &["alice", "recruiter"]));
    w.run_live();
    ids.iter().for_each(|id| drop(w.say(id, "alice", id)));
    w.run_for(mins(2));
    let keys: Vec<String> = w.agent().asked.iter().map(|a| a.turn.conv.key.clone()).collect();
    let fits = |k: &String| k.len() <= 128 && k.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    assert!(keys.len() == ids.len() && keys.iter().all(fits), "{keys:?}");
    assert!(twice(keys).is_empty());
    assert!(ids.iter().all(|id| w.answers(id).len() == 1));
}
