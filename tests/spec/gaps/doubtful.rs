//! What looks like a gap and is none, and a gap that looks like nothing.

use crate::world::{World, mins};

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
