//! What must be so after every schedule. `World` holds the rest at every moment of it.

use super::Failure;
use crate::world::agent::Hand;
use crate::world::hall::Hall;
use crate::world::model::Message;
use crate::world::{World, twice};
use guild_bridge::budget;
use std::collections::{BTreeMap, BTreeSet};

type Held = Result<(), Failure>;

/// Fails with the first that is not so.
macro_rules! holds {
    ($so:expr, $kind:literal, $($words:tt)+) => {
        if !$so {
            return Err(Failure { kind: $kind.into(), words: format!($($words)+) });
        }
    };
}

/// All of them.
pub fn hold(w: &World) -> Held {
    for agent in &w.settings.agents {
        let hand = &w.hands[&agent.name];
        for hall in w.halls.iter().filter(|h| agent.guilds.contains(&h.name)) {
            every_message_is_answered(w, hand, hall)?;
            the_order_is_kept(hand, hall)?;
        }
        no_turn_is_given_again_without_a_cause(hand)?;
    }
    no_key_is_stored_twice(w)?;
    everything_is_over(w)?;
    gaps_have_their_reasons(w)?;
    attempts_are_few(w)
}

/// Each text that an agent had for a message is in the guild once, and no other: or the turn failed for good, or it is
/// a part that found the outbox full, and that was counted.
fn every_message_is_answered(w: &World, hand: &Hand, hall: &Hall) -> Held {
    let mut posts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for message in hall.model.said.iter().filter(|m| m.author == hand.name) {
        *posts.entry((&message.channel, &message.text)).or_default() += 1;
    }
    let mut expected = BTreeSet::new();
    let gaps = w.story.gaps_of(&format!("{}@{}", hand.name, hall.name));
    let mut overflown = gaps.get("outbox_full").copied().unwrap_or_default();
    for message in hall.model.said.iter().filter(|m| is_person(m)) {
        let texts = hand.texts_for(&hall.name, &message.id, &message.text);
        let given_up = hand.gave_up(&hall.name, &message.id);
        let settled = hand.settled(&hall.name, &message.id) || given_up;
        holds!(settled, "lost", "{} never came to an end with {}", hand.name, message.text);
        for (at, text) in texts.iter().enumerate() {
            let count = posts.get(&(message.channel.as_str(), text.as_str())).copied().unwrap_or_default();
            let (agent, of) = (&hand.name, format!("{} in {}.{}", message.text, hall.name, message.channel));
            let overflew = count == 0 && at + 1 < texts.len() && overflown > 0;
            overflown -= u64::from(overflew);
            holds!(count > 0 || given_up || overflew, "lost", "{text} of {agent} for {of} is not in the guild");
            holds!(count <= 1, "doubled", "{text} of {agent} for {of} is in the guild {count} times");
            expected.insert((message.channel.clone(), text.clone()));
        }
    }
    let foreign = posts.keys().find(|(channel, text)| !expected.contains(&((*channel).into(), (*text).into())));
    holds!(foreign.is_none(), "foreign", "{} never wanted to say {foreign:?}", hand.name);
    Ok(())
}

/// Messages of a channel are given in its order, but for what history brought late; answers stand in the order in which
/// their messages were given last.
fn the_order_is_kept(hand: &Hand, hall: &Hall) -> Held {
    let (mut given, mut given_last) = (BTreeMap::<&str, (usize, bool)>::new(), BTreeMap::<&str, usize>::new());
    for (at, asked) in hand.asked.iter().enumerate().filter(|(_, a)| a.turn.conv.guild == hall.name) {
        given.entry(&asked.turn.message.id).or_insert((at, asked.turn.replayed));
        given_last.insert(&asked.turn.message.id, at);
    }
    for channel in hall.model.channels.keys() {
        let said = hall.model.said.iter().filter(|m| m.channel == *channel);
        let mut last: Option<(usize, &Message)> = None;
        for message in said.clone().filter(|m| is_person(m)) {
            let Some((at, late)) = given.get(message.id.as_str()) else { continue };
            if let Some((before, earlier)) = last.filter(|(before, _)| at < before) {
                let (_, earlier_late) = given[earlier.id.as_str()];
                let words = format!("{} came after {} in {channel} ({before}, {at})", earlier.text, message.text);
                holds!(earlier_late || *late, "order", "{words}");
            }
            last = Some((*at, message));
        }
        let mut last = None;
        for answer in said.filter(|m| m.author == hand.name) {
            let Some(about) = hall.model.said.iter().find(|m| answers(&answer.text, &m.text)) else { continue };
            let at = given_last.get(about.id.as_str()).copied();
            holds!(at >= last, "order", "the answer {} in {channel} overtook an earlier one", answer.text);
            last = at;
        }
    }
    Ok(())
}

/// A turn is given again after a failed attempt, an agent that left or asked for time, or in another life of the daemon.
fn no_turn_is_given_again_without_a_cause(hand: &Hand) -> Held {
    let again = hand.again_without_cause.first();
    holds!(again.is_none(), "doubled", "{again:?}");
    Ok(())
}

fn no_key_is_stored_twice(w: &World) -> Held {
    for hall in &w.halls {
        let keyed = hall.model.said.iter().filter_map(|m| m.key.clone().map(|key| (m.author.clone(), key)));
        let doubled = twice(keyed);
        holds!(doubled.is_empty(), "doubled", "{doubled:?} is in {} twice", hall.name);
    }
    Ok(())
}

fn everything_is_over(w: &World) -> Held {
    for link in &w.status().links {
        holds!(link.outbox_depth == 0, "lost", "posts wait for ever: {link:?}");
    }
    for agent in &w.status().agents {
        holds!((agent.turns_open, agent.waiting) == (0, 0), "lost", "turns wait for ever: {agent:?}");
    }
    let bytes = w.disk.len();
    holds!(bytes <= 2 * budget::JOURNAL_BYTES, "bounds", "the journal has {bytes} bytes");
    Ok(())
}

/// A gap is counted where, and only where, there was a cause for it.
fn gaps_have_their_reasons(w: &World) -> Held {
    for agent in &w.settings.agents {
        let hand = &w.hands[&agent.name];
        for hall in w.halls.iter().filter(|h| agent.guilds.contains(&h.name)) {
            let counted = w.story.gaps_of(&format!("{}@{}", agent.name, hall.name));
            let given_up = |m: &&Message| hand.gave_up(&hall.name, &m.id);
            let failed = hall.model.said.iter().filter(given_up).count() as u64;
            let told = counted.get("turn_failed").copied().unwrap_or_default();
            holds!(told >= failed, "gaps", "{failed} turns were given up, {told} counted by {}", agent.name);
            let others = counted.keys().find(|reason| !["unreadable", "turn_failed", "outbox_full"].contains(reason));
            holds!(others.is_none(), "gaps", "a gap without a cause: {counted:?}");
        }
    }
    Ok(())
}

/// No link tries more often than the shortest rests allow, in any ten seconds; no mint without a need.
fn attempts_are_few(w: &World) -> Held {
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

fn is_person(message: &Message) -> bool {
    ["alice", "bob"].contains(&message.author.as_str())
}

/// Whether `answer` is one of an agent's texts for a message.
fn answers(answer: &str, text: &str) -> bool {
    answer.strip_prefix("re: ").and_then(|a| a.strip_prefix(text)).is_some_and(|a| a.is_empty() || a.starts_with('#'))
}
