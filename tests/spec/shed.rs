//! A heap that comes near its budget: what history can bring again is let go, and comes again, once and in order.

use crate::world::{What, World, mins, secs};
use guild_bridge::metrics;

/// So many messages at once before an agent that takes half a second for each.
fn burst(seed: u64, count: usize) -> World {
    let mut w = World::chatty(seed);
    w.hand("recruiter").takes_ms = 500;
    w.run_live();
    w.run_for(secs(10));
    (0..count).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
    w.run_for(secs(2));
    w
}

fn waiting(w: &World) -> usize {
    w.status().agents[0].waiting
}

fn answers(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("re: m{n}")).collect()
}

#[test]
fn what_is_let_go_comes_again_from_history_once_and_in_order() {
    let mut w = burst(1, 40);
    let before = waiting(&w);
    w.heap(75, 100);
    let process = &w.status().process;
    assert!(before > 20 && process.let_go as usize == before && process.shedding, "{before}: {process:?}");
    w.run_for(secs(3));
    assert!(waiting(&w) <= 1, "{} wait while the heap is near its budget", waiting(&w));
    w.heap(59, 100);
    w.run_for(mins(1));
    assert_eq!(w.answers("general"), answers(40));
    assert_eq!((w.link().gaps, w.status().process.shedding, w.status().process.sheds), (0, false, 1));
}

#[test]
fn a_heap_that_stays_near_its_budget_holds_nothing_up_for_good() {
    let mut w = burst(2, 40);
    for _ in 0..90 {
        w.heap(80, 100);
        w.run_for(secs(1));
        assert!(waiting(&w) <= 1 && w.status().agents[0].turns_open <= 1, "{:?}", w.status().agents);
    }
    assert_eq!(w.answers("general"), answers(40));
    assert_eq!((w.link().gaps, w.link().state), (0, "live"));
}

#[test]
fn what_is_let_go_while_history_fails_comes_once_it_is_back() {
    let mut w = burst(3, 30);
    w.guild().trouble("history", 6, What::Status(500, None));
    w.heap(80, 100);
    w.run_for(secs(15));
    assert!(w.answers("general").len() < 30 && w.status().process.let_go > 10);
    w.heap(50, 100);
    w.run_for(mins(8));
    let mut said: Vec<&str> = w.answers("general");
    said.sort_by_key(|text| text.trim_start_matches("re: m").parse::<usize>().unwrap());
    assert_eq!(said, answers(30));
    assert_eq!(w.link().gaps, 0);
}

#[test]
fn bots_messages_have_a_budget_and_are_not_let_go_to_be_counted_twice() {
    let mut w = World::chatty(4);
    w.guild().model.add_person("robot", "Robot", true);
    w.hand("recruiter").takes_ms = secs(2);
    w.run_live();
    w.run_for(secs(10));
    (0..15).for_each(|n| drop(w.say("general", "robot", &format!("@recruiter m{n}"))));
    w.run_for(secs(2));
    w.heap(80, 100);
    w.heap(50, 100);
    w.run_for(mins(2));
    assert_eq!((w.answers("general").len(), w.link().gaps), (15, 0));
}

#[test]
fn crashes_and_a_heap_that_comes_and_goes_lose_and_double_nothing() {
    for seed in 0..40 {
        let mut w = burst(seed, 5);
        for n in 5..60 {
            w.say("general", "alice", &format!("m{n}"));
            match w.rng.u8(..8) {
                0 => w.heap(80, 100),
                1 => w.heap(50, 100),
                2 if n % 3 == 0 => w.crash(),
                _ => {}
            }
            let rest = w.rng.u64(..1_500);
            w.run_for(rest);
        }
        w.heap(50, 100);
        w.run_for(mins(5));
        assert_eq!(w.answers("general"), answers(60), "seed {seed}");
        assert_eq!(w.link().gaps, 0, "seed {seed}");
    }
}

#[test]
fn the_metrics_tell_that_the_heap_came_near_its_budget() {
    let mut w = burst(5, 30);
    let let_go = waiting(&w);
    w.heap(80, 100);
    let told = metrics::exposition(w.status());
    for line in ["heap_shedding 1", "heap_sheds_total 1", &format!("heap_let_go_total {let_go}")] {
        assert!(told.contains(&format!("\nguild_bridge_{line}\n")), "{line}: {told}");
    }
}
