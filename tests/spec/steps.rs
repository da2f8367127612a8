//! Steps of the wall clock. That the kernel tells them is shown by the booted boards (`board/check`), whose clocks can be set.

use guild_bridge::io::steps::step;
use guild_bridge::moment::{Moment, Now};

fn at(at_s: u64, wall_s: u64) -> Now {
    Now { at: Moment(at_s * 1_000), wall_ms: wall_s * 1_000 }
}

#[test]
fn a_clock_that_was_set_is_told_from_time_that_passed() {
    let begun = at(100, 50);
    assert_eq!(step(begun, at(3_700, 3_650)), None, "an hour passed on both");
    assert_eq!(step(begun, at(101, 1_790_000_051)), Some(1_790_000_000_000), "from 1970 to today");
    assert_eq!(step(at(0, 1_790_000_000), at(1, 1_789_996_401)), Some(-3_600_000), "an hour back");
    assert_eq!(step(begun, at(101, 60)), None, "nine seconds are no news");
    assert_eq!(step(begun, at(101, 61)), Some(10_000));
    assert!(step(at(0, 0), at(u64::MAX / 1_000, 0)).is_some_and(|ms| ms < 0), "whatever the clocks say");
}
