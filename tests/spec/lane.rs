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

/// A lane that trusted its oldest.
fn trusting(newest_first: bool) -> Lane {
    let mut lane = Lane::at(Place::default());
    if newest_first {
        lane.pin("0");
    }
    lane.read_to_end();
    hear(&mut lane, 0..CHANNEL_ENTRIES + 9);
    lane
}

#[test]
fn what_was_trusted_is_doubted_at_once_where_history_is_not_read_over_it_again() {
    assert!(trusting(false).doubt_trusted().is_none(), "it is looked at first");
    let mut lane = trusting(false);
    lane.doubt_trusted();
    assert_eq!(lane.end_check().map(|stretch| (stretch.from, stretch.count)), Some((None, 9)));
    assert_eq!(trusting(true).doubt_trusted().map(|stretch| stretch.count), Some(9), "listed newest first");
    assert!(trusting(true).check_due().is_none() && !trusting(true).cursor_waits());
}

#[test]
fn what_is_looked_at_again_moves_no_cursor_until_something_was_skipped() {
    let mut lane = trusting(false);
    (9..CHANNEL_ENTRIES + 9).for_each(|id| assert!(lane.listed_known(&id.to_string())));
    let end = (CHANNEL_ENTRIES + 8).to_string();
    assert_eq!((cursor(&lane), lane.check_due()), (Some(end.as_str()), Some("0")));
    lane.begin_check();
    assert_eq!((lane.read(), lane.checked()), (&Place::default(), Some("0")));
    lane.listed("0", None);
    lane.listed("1", None);
    assert_eq!((cursor(&lane), lane.read().id.as_deref()), (Some(end.as_str()), Some("1")));
    lane.put_off_check();
    assert_eq!((lane.read(), lane.check_due()), (lane.cursor(), Some("0")));
    lane.begin_check();
    lane.listed("0", None);
    lane.listed_open("skipped");
    assert_eq!((cursor(&lane), lane.is_late(), lane.cursor_waits()), (Some("0"), true, false));
    lane.listed("1", None);
    assert_eq!((cursor(&lane), lane.done_ids().collect::<Vec<_>>()), (Some("0"), vec!["1"]));
    lane.done("skipped");
    assert_eq!(cursor(&lane), Some("1"));
}
