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
