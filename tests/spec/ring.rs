//! The window of ids.

use fastrand::Rng;
use guild_bridge::ring::Window;
use std::collections::{HashSet, VecDeque};

/// The window as anybody would write it who has memory to spare.
struct Plain {
    capacity: usize,
    order: VecDeque<String>,
    ids: HashSet<String>,
}

impl Plain {
    fn insert(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > self.capacity {
            self.ids.remove(&self.order.pop_front().unwrap());
        }
        true
    }
}

fn both(capacity: usize, seed: u64) -> (Window, Plain) {
    (Window::seeded(capacity, seed), Plain { capacity, order: VecDeque::new(), ids: HashSet::new() })
}

#[test]
fn an_id_that_is_removed_is_new_again_and_leaves_in_its_turn() {
    let mut window = Window::new(4);
    ["a", "b", "c", "d"].iter().for_each(|id| assert!(window.insert(id)));
    window.remove("b");
    window.remove("nobody");
    assert!(!window.contains("b") && window.insert("b") && !window.insert("b"));
    assert!(!window.contains("a"), "its turn came");
    assert!(window.insert("e") && window.insert("f") && window.contains("b"));
    assert!(window.insert("g") && window.insert("h") && !window.contains("b"));
}

#[test]
fn an_id_is_new_once_until_as_many_others_came() {
    let mut window = Window::new(3);
    assert!(window.insert("a") && window.insert("b") && window.insert("c") && !window.insert("a"));
    assert!(window.insert("d"));
    assert!(!window.contains("a") && window.contains("b") && window.contains("d"));
    assert!(window.insert("a") && !window.contains("b"));
    assert_eq!(window.len(), 3);
}

#[test]
fn the_window_remembers_exactly_what_a_plain_one_does() {
    for (seed, capacity) in [1, 2, 3, 16, 17, 100, 257, 4_096].into_iter().enumerate() {
        let (mut window, mut plain) = both(capacity, seed as u64);
        let mut rng = Rng::with_seed(seed as u64);
        for _ in 0..120_000 {
            let id = rng.usize(0..capacity * 2 + 3).to_string();
            assert_eq!(window.contains(&id), plain.ids.contains(&id));
            assert_eq!(window.insert(&id), plain.insert(&id));
            assert_eq!(window.len(), plain.ids.len());
        }
    }
}

#[test]
fn millions_of_ids_pass_and_the_last_ones_are_remembered() {
    let mut window = Window::new(4_096);
    for n in 0..2_000_000u32 {
        assert!(window.insert(&format!("{n:08}")), "{n}");
    }
    assert_eq!(window.len(), 4_096);
    let remembered = (0..2_000_000u32).filter(|n| window.contains(&format!("{n:08}")));
    assert!(remembered.eq(2_000_000 - 4_096..2_000_000));
}

#[test]
fn an_id_costs_at_most_twelve_bytes_and_an_empty_window_nothing() {
    for capacity in [16, 100, 4_096, 5_000, 65_535] {
        let mut window = Window::new(capacity);
        assert_eq!(window.heap_bytes(), 0);
        assert_eq!((0..10).filter(|n| window.insert(&n.to_string())).count(), 10);
        assert!(window.heap_bytes() <= 16 * 12);
        assert_eq!((10..capacity * 2).filter(|n| window.insert(&n.to_string())).count(), capacity * 2 - 10);
        assert!(window.heap_bytes() <= capacity * 12, "{capacity}: {}", window.heap_bytes());
    }
}

#[test]
fn a_window_of_no_room_or_too_much_has_some() {
    let mut least = Window::new(0);
    assert!(
        least.is_empty()
            && least.insert("a")
            && !least.is_empty()
            && !least.insert("a")
            && least.insert("b")
            && !least.contains("a")
    );
    let mut most = Window::new(usize::MAX);
    assert!((0..70_000).all(|n| most.insert(&n.to_string())));
    assert_eq!(most.len(), 65_535);
}
