//! What looks like a gap and is none, and a gap that looks like nothing.

use super::counted;
use crate::world::hall::What;
use crate::world::{World, mins, secs};
use guild_bridge::budget;
use guild_bridge::gap::Gap;

#[test]
fn what_was_heard_and_is_gone_before_history_was_read_that_far_is_counted_once() {
    for deleted in [true, false] {
        let mut w = World::chatty(20);
        w.run_live();
        w.say("general", "alice", "one");
        w.run_for(mins(2) + secs(20));
        let id = w.say("general", "alice", "two");
        w.run_for(secs(2));
        if deleted {
            let answers = |message: &crate::world::model::Message| message.reply_to.as_ref() == Some(&id);
            let messages = &mut w.guild().model.channels.get_mut("general").unwrap().messages;
            messages.retain(|message| message.id != id && !answers(message));
        }
        w.drop_lines();
        w.say("general", "alice", "three");
        w.run_for(mins(5));
        assert_eq!(w.heard(), ["one", "two", "three"]);
        assert_eq!(counted(&w, Gap::HistoryCut), u64::from(deleted), "{:?}", w.link().last_gap);
    }
}

#[test]
fn the_newest_message_that_is_deleted_is_no_cut_while_nothing_follows_and_nothing_is_given_again() {
    for (deleted, restart) in [(1, false), (2, false), (1, true)] {
        let mut w = World::chatty(24);
        w.run_live();
        for said in ["one", "two"] {
            w.say("general", "alice", said);
            w.run_for(mins(2));
        }
        let messages = &mut w.guild().model.channels.get_mut("general").unwrap().messages;
        messages.truncate(messages.len() - deleted);
        if restart {
            w.crash()
        } else {
            w.drop_lines()
        }
        w.run_for(mins(5));
        assert_eq!((w.heard(), w.link().gaps), (vec!["one", "two"], 0), "{deleted} {restart} {:?}", w.link().last_gap);
    }
}

#[test]
fn a_channel_that_is_full_of_what_asks_for_nothing_while_history_fails_is_no_gap() {
    let mut w = World::new(23);
    w.run_live();
    w.run_for(mins(2) + secs(20));
    let chatter = |w: &mut World, count: usize| (0..count).for_each(|n| drop(w.say("general", "bob", &format!("{n}"))));
    chatter(&mut w, 10);
    w.run_for(secs(1));
    w.guild().trouble("history", 1_000, What::Status(500, None));
    w.drop_lines();
    w.run_live();
    w.run_for(secs(2));
    // a little more than a channel holds, before history has failed for so long that it is not waited for
    chatter(&mut w, 2 * budget::CHANNEL_ENTRIES - 5);
    w.run_for(secs(5));
    w.guild().heal();
    w.say("general", "alice", "@recruiter hi");
    w.run_for(mins(10));
    assert_eq!(w.heard(), ["@recruiter hi"]);
    assert_eq!(w.link().gaps, 0, "{:?}", w.link().last_gap);
}
