//! How soon a board hears again after an outage, with the default timing, and how hard it and a thousand like it knock
//! meanwhile. The figures are printed; the README quotes them.

use crate::world::{World, mins, secs};

/// Boards of one outage: as many seeds.
const BOARDS: u64 = 1_000;

/// What one board did in an outage: how long after the guild's return its agent had a message that was said then, when
/// it knocked in the outage's first hour, and when after the return; milliseconds from each beginning.
struct Outage {
    heard: u64,
    knocks: Vec<u64>,
    after: Vec<u64>,
}

/// A board that was live for a while is cut off, with all others at one instant, for so long.
fn outage(seed: u64, ms: u64) -> Outage {
    let mut w = World::chatty(seed);
    w.run_live();
    w.run_for(mins(2));
    let cut = w.at;
    w.guild().up = false;
    w.guild().close_lines();
    w.run_for(ms);
    let back = w.at;
    w.guild().up = true;
    w.say("general", "alice", "are you there?");
    let heard = w.run_till(mins(10), "it hears again", |w| w.state() == "live" && !w.heard().is_empty());
    let mints = w.halls[0].calls.iter().filter(|call| call.1 == "mint").map(|call| call.0);
    let (knocks, after): (Vec<u64>, Vec<u64>) = mints.filter(|at| *at >= cut).partition(|at| *at < back);
    let (knocks, after) = (knocks.iter().map(|at| at - cut).collect(), after.iter().map(|at| at - back).collect());
    Outage { heard, knocks, after }
}

fn outages(ms: u64) -> Vec<Outage> {
    (0..BOARDS).map(|seed| outage(seed, ms)).collect()
}

/// The median and the 99th of a hundred.
fn median_and_p99(mut values: Vec<u64>) -> (u64, u64) {
    values.sort_unstable();
    (values[values.len() / 2], values[values.len() * 99 / 100])
}

/// Knocks in the fullest second after the guild's return, in thousandths of the boards.
fn fullest_second(outages: &[Outage]) -> usize {
    let mut seconds = vec![0; 601];
    for at in outages.iter().flat_map(|o| &o.after) {
        seconds[(at / 1_000).min(600) as usize] += 1;
    }
    seconds.iter().max().unwrap() * 1_000 / outages.len()
}

/// Prints what an outage cost, and holds it against its bounds in milliseconds and thousandths.
fn costs(ms: u64, median: u64, p99: u64, share: usize) {
    let outages = outages(ms);
    let (half, late) = median_and_p99(outages.iter().map(|o| o.heard).collect());
    let fullest = fullest_second(&outages);
    println!(
        "an outage of {} s: heard again after {half} ms (median) and {late} ms (p99); the fullest second has {}.{} % of {BOARDS} boards",
        ms / 1_000,
        fullest / 10,
        fullest % 10
    );
    assert!(half <= median && late <= p99, "{half} ms and {late} ms after {ms} ms");
    assert!(fullest <= share, "{fullest} of 1,000 boards knock in one second after {ms} ms");
}

#[test]
fn after_an_outage_of_5_s_a_board_hears_within_3_s_and_10_s_and_a_thousand_do_not_come_at_once() {
    costs(secs(5), secs(3), secs(10), 300);
}

#[test]
fn after_an_outage_of_300_s_a_board_hears_within_45_s_and_120_s_and_a_thousand_do_not_come_at_once() {
    costs(secs(300), secs(45), secs(120), 50);
}

#[test]
fn after_an_outage_of_a_day_a_board_hears_within_45_s_and_120_s() {
    let heard = (0..300).map(|seed| outage(seed, mins(24 * 60)).heard).collect();
    let (half, late) = median_and_p99(heard);
    println!("an outage of a day: heard again after {half} ms (median) and {late} ms (p99) of 300 boards");
    assert!(half <= secs(45) && late <= secs(120), "{half} ms and {late} ms");
}

#[test]
fn a_board_knocks_at_most_120_times_in_the_first_hour_of_an_outage() {
    let outages = outages(mins(60));
    let (half, most) = median_and_p99(outages.iter().map(|o| o.knocks.len() as u64).collect());
    println!("the first hour of an outage: {half} attempts (median), {most} (p99) of {BOARDS} boards");
    assert!(most <= 120, "{most} attempts");
}
