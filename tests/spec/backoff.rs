//! Rests: CONTRACT section 1, "Rejections are told apart".

use fastrand::Rng;
use guild_bridge::backoff::{Backoff, Class, Outcome};
use guild_bridge::reason::Reason;
use std::time::Duration;

/// The rests, in milliseconds, of so many failures in a row.
fn rests(backoff: &mut Backoff, class: Class, count: usize, rng: &mut Rng) -> Vec<u64> {
    let mut rest = || backoff.rest_after(Outcome::Failed(class), rng).as_millis() as u64;
    (0..count).map(|_| rest()).collect()
}

fn rest_ms(backoff: &mut Backoff, outcome: Outcome, rng: &mut Rng) -> u64 {
    backoff.rest_after(outcome, rng).as_millis() as u64
}

const LIMITS: [(Class, u64, u64); 3] =
    [(Class::Network, 1_000, 120_000), (Class::KeyRefused, 30_000, 900_000), (Class::Configuration, 30_000, 300_000)];

#[test]
fn every_rest_lies_between_the_base_and_thrice_the_last_or_the_cap() {
    for (class, base, cap) in LIMITS {
        for seed in 0..200 {
            let (mut backoff, mut last) = (Backoff::new(1_000, 120_000), base);
            for rest in rests(&mut backoff, class, 40, &mut Rng::with_seed(seed)) {
                let least = base.max((last / 3).min(cap / 3));
                assert!((least..=cap.min(last * 3)).contains(&rest), "{class:?} {rest} after {last}");
                last = rest;
            }
        }
    }
}

#[test]
fn rests_grow_to_the_cap_and_go_on_being_spread() {
    for (class, base, cap) in LIMITS {
        let mut rng = Rng::with_seed(7);
        let late: Vec<u64> = rests(&mut Backoff::new(1_000, 120_000), class, 400, &mut rng)[50..].to_vec();
        assert!(late.iter().any(|rest| *rest > cap / 10 * 9) && late.iter().filter(|rest| **rest == cap).count() < 9);
        let mean = late.iter().sum::<u64>() / late.len() as u64;
        assert!((cap / 2..cap).contains(&mean), "{class:?}: {mean}");
        assert!(late.iter().any(|rest| *rest < cap / 2 && *rest > base));
    }
}

#[test]
fn two_links_that_fail_together_do_not_come_back_together() {
    let first = |seed| rests(&mut Backoff::new(1_000, 120_000), Class::Network, 10, &mut Rng::with_seed(seed));
    let same = (0..500).filter(|seed| first(*seed)[0] == first(seed + 500)[0]).count();
    assert!(same < 10, "{same} of 500 pairs");
    assert_eq!(first(3), first(3), "the same seed tells the same story");
}

#[test]
fn each_class_has_a_record_of_its_own() {
    let (mut backoff, mut rng) = (Backoff::new(1_000, 120_000), Rng::with_seed(1));
    rests(&mut backoff, Class::KeyRefused, 30, &mut rng);
    assert!(rests(&mut backoff, Class::Network, 1, &mut rng)[0] <= 3_000);
    rests(&mut backoff, Class::Network, 30, &mut rng);
    assert!(rests(&mut backoff, Class::Configuration, 1, &mut rng)[0] <= 90_000);
}

#[test]
fn proof_of_life_clears_the_record_and_nothing_else_does() {
    let (mut backoff, mut rng) = (Backoff::new(1_000, 120_000), Rng::with_seed(2));
    rests(&mut backoff, Class::Network, 30, &mut rng);
    let mut other = backoff.clone();
    backoff.clear();
    assert!(rest_ms(&mut backoff, Outcome::Failed(Class::Network), &mut Rng::with_seed(9)) <= 3_000);
    let _ = other.rest_after(Outcome::ToldToWait(Duration::from_secs(5)), &mut rng);
    let _ = other.rest_after(Outcome::Expired, &mut rng);
    assert!(rest_ms(&mut other, Outcome::Failed(Class::Network), &mut Rng::with_seed(9)) > 3_000);
}

#[test]
fn a_session_that_lived_rests_as_after_a_first_failure() {
    for seed in 0..200 {
        let (mut backoff, mut rng) = (Backoff::new(1_000, 120_000), Rng::with_seed(seed));
        rests(&mut backoff, Class::Network, 30, &mut rng);
        let lived = Outcome::Lived(Duration::from_secs(61));
        assert!((1_000..=3_000).contains(&rest_ms(&mut backoff, lived, &mut rng)));
    }
}

#[test]
fn a_guild_that_says_when_is_believed_within_a_second_and_an_hour_and_a_quarter_is_added() {
    let mut rng = Rng::with_seed(4);
    for (asked_s, least, most) in [(0, 1_000, 1_250), (20, 20_000, 25_000), (u64::MAX, 3_600_000, 4_500_000)] {
        let outcome = Outcome::ToldToWait(Duration::from_secs(asked_s));
        let rests: Vec<u64> = (0..300).map(|_| rest_ms(&mut Backoff::new(1_000, 120_000), outcome, &mut rng)).collect();
        assert!(rests.iter().all(|rest| (least..=most).contains(rest)), "{asked_s}");
        assert!(rests.iter().any(|rest| *rest > (least + most) / 2), "{asked_s}");
    }
}

#[test]
fn an_expiry_that_the_guild_enforces_costs_a_second_at_most_and_is_no_failure() {
    let (mut backoff, mut rng) = (Backoff::new(1_000, 120_000), Rng::with_seed(5));
    assert!((0..300).all(|_| rest_ms(&mut backoff, Outcome::Expired, &mut rng) <= 1_000));
    assert!(rest_ms(&mut backoff, Outcome::Failed(Class::Network), &mut rng) <= 3_000);
}

#[test]
fn limits_may_change_and_absurd_ones_still_give_a_rest() {
    let (mut backoff, mut rng) = (Backoff::new(1_000, 120_000), Rng::with_seed(6));
    rests(&mut backoff, Class::Network, 30, &mut rng);
    backoff.set_limits(2_000, 4_000);
    assert!(rests(&mut backoff, Class::Network, 50, &mut rng).iter().all(|rest| (2_000..=4_000).contains(rest)));
    let mut absurd = Backoff::new(0, 0);
    assert!(rests(&mut absurd, Class::Network, 50, &mut rng).iter().all(|rest| *rest == 1));
    assert!(rests(&mut Backoff::new(u64::MAX, 0), Class::Network, 3, &mut rng).iter().all(|rest| *rest == u64::MAX));
}

#[test]
fn reasons_rest_as_the_contract_says() {
    let configuration = [Reason::CfgPath, Reason::CfgNamespace, Reason::CfgTransport, Reason::CfgKeyFile];
    for reason in Reason::ALL.iter().copied() {
        let expected = match reason {
            Reason::AuthKeyRefused => Class::KeyRefused,
            reason if configuration.contains(&reason) => Class::Configuration,
            _ => Class::Network,
        };
        assert_eq!(Class::of(reason), expected, "{reason}");
    }
}
