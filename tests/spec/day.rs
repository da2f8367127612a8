use guild_bridge::budget::{DAY_STEP_MS, DAY_STEPS};
use guild_bridge::day::{Day, Fare, Step};
use guild_bridge::moment::Moment;

const BEGIN: Moment = Moment(10 * DAY_STEP_MS);

fn after(steps: u64, ms: u64) -> Moment {
    BEGIN.after_ms(steps * DAY_STEP_MS + ms)
}

#[test]
fn a_step_tells_how_long_each_fare_took_in_it() {
    let mut day = Day::new(Fare::Away, [0, 0], BEGIN);
    day.note(Fare::Unproven, [0, 0], after(0, DAY_STEP_MS / 10));
    day.note(Fare::Live, [0, 0], after(0, DAY_STEP_MS / 5));
    day.note(Fare::Deaf, [0, 0], after(0, DAY_STEP_MS * 4 / 5));
    let steps = day.steps(after(1, DAY_STEP_MS / 2));
    assert_eq!(steps.len(), 2);
    assert_eq!((steps[0].shares, steps[1].shares), ([153, 25, 25, 51], [0, 0, 0, 127]));
}

#[test]
fn what_passed_is_counted_in_the_step_in_which_it_passed() {
    let mut day = Day::new(Fare::Live, [5, 7], BEGIN);
    day.note(Fare::Live, [6, 7], after(0, 1));
    day.note(Fare::Live, [9, 8], after(2, 0));
    let counts: Vec<_> = day.steps(after(2, 1)).iter().map(|step| step.counts).collect();
    assert_eq!(counts, [[1, 0], [0, 0], [3, 1]]);
    day.note(Fare::Live, [200_000, 8], after(2, 2));
    assert_eq!(day.steps(after(2, 3))[2].counts, [u16::MAX, 1], "it says no less than it can");
}

#[test]
fn a_day_has_144_steps_at_most_and_a_longer_sleep_leaves_the_last_ones() {
    let mut day = Day::new(Fare::Live, [0, 0], BEGIN);
    day.note(Fare::Away, [1, 0], after(3, 0));
    let most = DAY_STEPS as u64;
    let steps = day.steps(after(most - 1, DAY_STEP_MS / 2));
    assert_eq!((steps.len(), steps[0].shares, steps[3].counts), (DAY_STEPS, [255, 0, 0, 0], [1, 0]));
    let steps = day.steps(after(most, DAY_STEP_MS / 2));
    assert_eq!((steps.len(), steps[2].counts), (DAY_STEPS, [1, 0]), "the oldest went");
    // a year of sleep, and a moment behind all others: the day is what the last fare made of it
    for long in [after(365 * most, 0), Moment(u64::MAX)] {
        let steps = day.steps(long);
        assert!((DAY_STEPS - 1..=DAY_STEPS).contains(&steps.len()), "{}", steps.len());
        assert!(steps[1..steps.len() - 1].iter().all(|step| *step == Step { shares: [0, 0, 255, 0], counts: [0, 0] }));
    }
}

#[test]
fn asking_changes_nothing_and_a_clock_that_stands_still_neither() {
    let mut day = Day::new(Fare::Live, [0, 0], BEGIN);
    let first = day.steps(after(5, 9));
    assert_eq!(day.steps(after(5, 9)), first);
    day.note(Fare::Live, [0, 0], BEGIN);
    day.note(Fare::Live, [0, 0], Moment(0));
    assert_eq!(day.steps(after(5, 9)), first);
}
