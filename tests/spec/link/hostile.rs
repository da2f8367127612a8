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
