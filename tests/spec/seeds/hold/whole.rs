//! What must be so of the whole daemon in the end.

use super::{Failure, Held};
use crate::world::{World, twice};
use guild_bridge::budget;

pub(super) fn no_key_is_stored_twice(w: &World) -> Held {
    for hall in w.halls.iter().filter(|hall| hall.model.options.honours_keys) {
        let keyed = hall.model.said.iter().filter_map(|m| m.key.clone().map(|key| (m.author.clone(), key)));
        let doubled = twice(keyed);
        holds!(doubled.is_empty(), "doubled", "{doubled:?} is in {} twice", hall.name);
    }
    Ok(())
}

pub(super) fn everything_is_over(w: &World) -> Held {
    for link in &w.status().links {
        holds!(link.outbox_depth == 0, "lost", "posts wait for ever: {link:?}");
    }
    for agent in &w.status().agents {
        holds!((agent.turns_open, agent.waiting) == (0, 0), "lost", "turns wait for ever: {agent:?}");
    }
    Ok(())
}

pub(super) fn posts_wait_as_they_are_told(w: &World) -> Held {
    for hall in &w.halls {
        let early = hall.answered.early.first();
        holds!(early.is_none(), "early", "a post went out before the time that the guild asked for: {early:?}");
    }
    Ok(())
}

/// Every rest is within the table, and no link tries more often than the shortest rests allow, in any ten seconds.
pub(super) fn rests_are_kept(w: &World) -> Held {
    let asked = &w.story.hurries;
    for (link, dials) in &w.story.dials {
        for (at, from) in dials.iter().enumerate() {
            let span = dials[at..].iter().take_while(|other| **other < from + 10_000).count();
            let hurried = asked.iter().filter(|h| (*from..from + 10_000).contains(*h)).count();
            holds!(span <= 12 + hurried, "backoff", "{link:?}: {span} attempts within 10 s of {from} ms");
        }
    }
    for rest in w.story.rests() {
        let hurried = asked.iter().any(|h| (rest.from..=rest.from + rest.ms).contains(h));
        let (least, most) = bounds_of_rest(w, rest.reason);
        holds!(hurried || (least..=most).contains(&rest.ms), "backoff", "a rest outside of {least}..={most}: {rest:?}");
    }
    Ok(())
}

/// What the table of rests allows for a reason; a guild may have told it to wait, up to an hour and a quarter.
fn bounds_of_rest(w: &World, reason: Option<&str>) -> (u64, u64) {
    let timing = &w.settings.timing;
    let told = budget::RETRY_AFTER_MS.end() * 5 / 4;
    match reason {
        Some("auth.expired") => (0, 1_000),
        Some("auth.key_refused") => (30_000, 900_000),
        Some("cfg.path" | "cfg.namespace" | "cfg.transport") => (30_000, 300_000),
        Some("rate.limited" | "http.status" | "guild.restarting") => (*budget::RETRY_AFTER_MS.start(), told),
        _ => (timing.backoff_base_ms, timing.backoff_cap_ms),
    }
}
