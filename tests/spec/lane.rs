//! One channel's lane, by itself: what is settled, and what its bounds do.

use guild_bridge::budget::CHANNEL_ENTRIES;
use guild_bridge::lane::{Lane, Place};

/// So many messages that ask for no turn are heard.
fn hear(lane: &mut Lane, ids: std::ops::Range<usize>) {
    for id in ids {
        lane.heard(&id.to_string(), None);
        lane.trust(CHANNEL_ENTRIES);
    }
}

fn cursor(lane: &Lane) -> Option<&str> {
    lane.cursor().id.as_deref()
}

#[test]
fn a_channel_busier_than_history_may_be_asked_about_is_settled_from_its_oldest_on() {
    let mut lane = Lane::at(Place::default());
    lane.read_to_end();
    hear(&mut lane, 0..CHANNEL_ENTRIES);
    assert_eq!((lane.done_ids().count(), cursor(&lane)), (CHANNEL_ENTRIES, None), "history can still be asked");
    hear(&mut lane, CHANNEL_ENTRIES..CHANNEL_ENTRIES + 1);
    assert_eq!((lane.done_ids().count(), cursor(&lane)), (CHANNEL_ENTRIES, Some("0")));
}

#[test]
fn a_channel_that_was_flooded_before_it_is_followed_is_settled_as_soon_as_it_is() {
    let mut lane = Lane::at(Place::default());
    hear(&mut lane, 0..CHANNEL_ENTRIES + 200);
    assert_eq!(cursor(&lane), None, "what is not followed waits for history");
    lane.read_to_end();
    hear(&mut lane, CHANNEL_ENTRIES + 200..CHANNEL_ENTRIES + 201);
    assert_eq!((lane.done_ids().count(), cursor(&lane)), (CHANNEL_ENTRIES, Some("200")));
}
