//! What must be so after every schedule. `World` holds the rest at every moment of it.

use super::play::Marks;
use super::{Failure, LATE};
use crate::world::agent::Hand;
use crate::world::hall::{Hall, WALL};
use crate::world::model::Message;
use crate::world::{World, secs};
use std::collections::{BTreeMap, BTreeSet};

/// What the journal is given is written within this, synced where that was asked for.
const WRITTEN_MS: u64 = secs(6);

type Held = Result<(), Failure>;

/// Fails with the first that is not so.
macro_rules! holds {
    ($so:expr, $kind:literal, $($words:tt)+) => {
        if !$so {
            return Err(Failure { kind: $kind.into(), words: format!($($words)+) });
        }
    };
}

mod whole;

/// An agent in a guild, and what is known of both.
struct Seat<'a> {
    hand: &'a Hand,
    hall: &'a Hall,
    marks: &'a Marks,
    /// Gaps that its link counted, by reason.
    gaps: BTreeMap<&'static str, u64>,
    /// Replies that the guild refused for good, by channel and text.
    letters: BTreeSet<(String, String)>,
    /// More of them, that a long list leaves out.
    unlisted: u64,
    /// So often a post may be there: where keys are not honoured, what was known of it may be lost with a disk, each time
    /// that a life ends without one, or with a history that forgot it.
    most: u32,
    /// By channel: when the journal was first given a place with a message before it.
    places: BTreeMap<String, u64>,
    /// A life ended without a disk: a place that it knew may be lost.
    without_disk: bool,
    /// When the daemon had to find a place for the late channel, though it was told of it before: until then.
    late_until: u64,
}

/// All of them.
pub fn hold(w: &mut World, marks: &Marks) -> Held {
    holds!(w.vouched.broken.is_empty(), "kept", "{}", w.vouched.broken.join("; "));
    let letters = w.letters();
    for agent in &w.settings.agents {
        for hall in w.halls.iter().filter(|h| agent.guilds.contains(&h.name)) {
            let name = format!("{}@{}", agent.name, hall.name);
            let mine = letters.listed.iter().filter(|l| l.agent == agent.name && l.guild == hall.name);
            let link = w.status().links.iter().find(|l| l.agent == agent.name && l.guild == hall.name);
            let unlisted = link.map_or(0, |l| l.letters) - mine.clone().count();
            let places = w.story.places.iter().filter(|((link, _), _)| *link == name);
            let seat = Seat {
                hand: &w.hands[&agent.name],
                hall,
                marks,
                gaps: w.story.gaps_of(&name),
                letters: mine.map(|l| (l.channel.clone(), l.text.clone())).collect(),
                unlisted: unlisted as u64,
                most: match hall.model.options.honours_keys {
                    true => 1,
                    false => 1 + w.board.died_without_disk + u32::from(!marks.cut.is_empty()),
                },
                places: places.map(|((_, channel), at)| (channel.clone(), *at)).collect(),
                without_disk: w.board.died_without_disk > 0,
                late_until: late_until(w, hall, &agent.name),
            };
            seat.every_message_is_answered()?;
            seat.the_order_is_kept()?;
            seat.gaps_have_their_reasons()?;
            seat.sends_are_posted(w)?;
            seat.nothing_stored_goes_out_again()?;
        }
        let again = w.hands[&agent.name].again_without_cause.first();
        holds!(again.is_none(), "doubled", "a turn is given again without a cause: {again:?}");
    }
    whole::no_key_is_stored_twice(w)?;
    whole::everything_is_over(w)?;
    whole::posts_wait_as_they_are_told(w)?;
    whole::rests_are_kept(w)
}

/// Deeds for which a socket may not have brought what history shows, when its connection ends or later.
const AT_THE_SOCKET: [&str; 14] = [
    "CloseLines",
    "Clock",
    "Deafen",
    "DeafSessions",
    "EventsLost",
    "Flaps",
    "FreezeLines",
    "Kick",
    "Latency",
    "LoseRooms",
    "Outage",
    "Restart",
    "Revoke",
    "Suspend",
];

impl Seat<'_> {
    /// Each text that an agent had for a message is in the guild once, and no other; or it is a letter, or its turn failed
    /// for good, or it is a part that found the outbox full, or history forgot the message: and that was counted.
    fn every_message_is_answered(&self) -> Held {
        let (hand, hall) = (self.hand, self.hall);
        let mut posts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for message in hall.model.said.iter().filter(|m| m.author == hand.name) {
            *posts.entry((&message.channel, &message.text)).or_default() += 1;
        }
        let mut expected: BTreeSet<(&str, String)> = BTreeSet::new();
        let (mut overflown, mut fallen) = (self.counted("outbox_full"), self.counted("letters_full") + self.unlisted);
        for message in hall.model.said.iter().filter(|m| self.is_owed(m)) {
            let texts = hand.texts_for(&hall.name, &message.id, &message.text);
            let given_up = hand.gave_up(&hall.name, &message.id);
            let excused = given_up || self.is_excused(message);
            let text: String = message.text.chars().take(20).collect();
            let (agent, of) = (&hand.name, format!("{text} in {}.{}", hall.name, message.channel));
            let settled = hand.settled(&hall.name, &message.id) || excused;
            holds!(settled, "lost", "{agent} never came to an end with {of}; gaps: {:?}", self.gaps);
            for (at, text) in texts.iter().enumerate() {
                let place = (message.channel.clone(), text.clone());
                let count = posts.get(&(message.channel.as_str(), text.as_str())).copied().unwrap_or_default();
                let overflew = count == 0 && at + 1 < texts.len() && overflown > 0;
                overflown -= u64::from(overflew);
                let kept = count > 0 || excused || overflew || self.letters.contains(&place);
                let fell = !kept && fallen > 0;
                fallen -= u64::from(fell);
                let kept = kept || fell;
                holds!(kept, "lost", "{text} of {agent} for {of} is not in the guild");
                holds!(count <= self.most, "doubled", "{text} of {agent} for {of} is in the guild {count} times");
                expected.insert((&message.channel, text.clone()));
            }
            let may_say = hand.may_say(&hall.name, &message.id, &message.text);
            expected.extend(may_say.into_iter().map(|text| (message.channel.as_str(), text)));
        }
        let sent = self.marks.sends.iter().filter(|s| s.agent == hand.name).map(|s| (s.channel, s.text.clone()));
        expected.extend(sent);
        let foreign = posts.keys().find(|(channel, text)| !expected.contains(&(*channel, (*text).to_owned())));
        holds!(foreign.is_none(), "foreign", "{} never wanted to say {foreign:?}", hand.name);
        Ok(())
    }

    /// Whether an answer is due: people's messages, and those of bots that mention the agent.
    fn is_owed(&self, message: &Message) -> bool {
        is_person(message) || self.marks.bots.get(&self.place(message)).is_some_and(|name| *name == self.hand.name)
    }

    /// Whether it need not be answered, and that was counted where it has to be.
    fn is_excused(&self, message: &Message) -> bool {
        let (place, marks) = (self.place(message), self.marks);
        let said_at = message.created_ms - WALL;
        (message.channel == LATE && said_at < self.late_until)
            || (marks.cut.contains_key(&place) && (self.counted("history_cut") > 0 || self.leaves_no_trace(message)))
            || (marks.oversize.contains(&place) && self.counted("oversize") + self.counted("unreadable") > 0)
            || (marks.bots.contains_key(&place) && self.counted("bot_budget") > 0)
    }

    /// A message that history forgot before the bridge heard of it, without a trace. History is held against a place and
    /// the message before it: where the journal had no such place yet, there is nothing to hold it against. And where the
    /// list names no newest message, a channel of which nothing is left looks like one where nobody speaks.
    fn leaves_no_trace(&self, message: &Message) -> bool {
        let knew = self.places.get(&message.channel).is_some_and(|at| at + WRITTEN_MS < message.created_ms - WALL);
        let left = self.hall.model.channels.get(&message.channel).map_or(0, |c| c.messages.len());
        !knew || self.without_disk || (left == 0 && !self.hall.model.options.last_message_id)
    }

    fn place(&self, message: &Message) -> (String, String) {
        (self.hall.name.clone(), message.id.clone())
    }

    fn counted(&self, reason: &str) -> u64 {
        self.gaps.get(reason).copied().unwrap_or_default()
    }

    /// Messages of a channel are given in its order, but for what history brought late; answers stand in the order in
    /// which their messages were given.
    fn the_order_is_kept(&self) -> Held {
        let (hand, hall) = (self.hand, self.hall);
        let mut given = BTreeMap::<&str, (usize, bool)>::new();
        for (at, asked) in hand.asked.iter().enumerate().filter(|(_, a)| *a.turn.conv.guild == *hall.name) {
            given.entry(&asked.turn.message.id).or_insert((at, asked.turn.replayed));
        }
        for channel in hall.model.channels.keys() {
            let said = hall.model.said.iter().filter(|m| m.channel == *channel);
            let mut last: Option<(usize, &Message)> = None;
            for message in said.clone().filter(|m| is_person(m)) {
                let Some((at, late)) = given.get(message.id.as_str()) else { continue };
                // the order is that of history, while history has it
                if self.marks.cut.get(&self.place(message)).is_some_and(|cut_at| *cut_at <= hand.asked[*at].at) {
                    continue;
                }
                if let Some((before, earlier)) = last.filter(|(before, _)| at < before) {
                    let (_, earlier_late) = given[earlier.id.as_str()];
                    let words = format!("{} came after {} in {channel} ({before}, {at})", earlier.text, message.text);
                    holds!(earlier_late || *late, "order", "{words}");
                }
                last = Some((*at, message));
            }
            self.answers_are_in_order(channel)?;
        }
        Ok(())
    }

    /// Answers stand in the order in which their turns were given. Where a turn was given again, parts of its earlier attempt
    /// may still wait to be posted: an answer counts for any attempt that had said it by then. What was refused for good
    /// once stands where it was sent again, by somebody, by a turn that was given again or by a life that does not know of
    /// the refusal. Where a post may be there twice, its first place counts.
    fn answers_are_in_order(&self, channel: &str) -> Held {
        let model = &self.hall.model;
        let mine = model.posts.iter().filter(|p| p.channel == channel && p.agent == self.hand.name);
        let refused = mine.filter(|post| matches!(post.status, 404 | 422)).map(|post| post.text.as_str());
        let mut passed: BTreeSet<&str> = refused.collect();
        let mut last = 0;
        for answer in model.said.iter().filter(|m| m.channel == channel && m.author == self.hand.name) {
            let place = (self.hall.name.clone(), answer.text.clone());
            let Some(said) = self.hand.said.get(&place).filter(|_| !passed.contains(answer.text.as_str())) else {
                continue;
            };
            if self.most > 1 {
                passed.insert(&answer.text);
            }
            let told_at = answer.created_ms - WALL;
            let asked = said.iter().find(|(at, asked)| *at <= told_at && *asked >= last).map(|(_, asked)| *asked);
            holds!(asked.is_some(), "order", "{} in {channel} overtook an earlier answer", answer.text);
            last = asked.unwrap_or(last);
        }
        Ok(())
    }

    /// A gap is counted where, and only where, there was a cause for it.
    fn gaps_have_their_reasons(&self) -> Held {
        let (hand, hall, done) = (self.hand, self.hall, &self.marks.done);
        let failed = hall.model.said.iter().filter(|m| hand.gave_up(&hall.name, &m.id)).count() as u64;
        let told = self.counted("turn_failed");
        holds!(told >= failed, "gaps", "{failed} turns were given up, {told} counted by {}", hand.name);
        let caused = |reason: &str| match reason {
            "unreadable" => done.contains("Inject") || done.contains("Oversize"),
            "turn_failed" => done.iter().any(|kind| kind.starts_with("Agent.")),
            "outbox_full" => done.contains("Agent.Parts") || done.contains("Agent.Floods"),
            // a channel that comes back may have been cut for all that the bridge can tell
            "history_cut" => done.contains("Cut") || done.contains("Away"),
            // a guild that does not bring an agent its own posts is taken for one that skips them
            "unchecked" => !hall.model.options.echo || AT_THE_SOCKET.iter().any(|deed| done.contains(*deed)),
            "letters_full" => done.contains("RefusePosts") || done.contains("Away"),
            "oversize" => done.contains("Oversize"),
            "bot_budget" => done.contains("Bot"),
            _ => false,
        };
        let other = self.gaps.keys().find(|reason| !caused(reason));
        holds!(other.is_none(), "gaps", "a gap without a cause: {other:?} of {:?}", self.gaps);
        Ok(())
    }

    /// What the daemon knows as stored goes out once more only where the agent says it once more.
    fn nothing_stored_goes_out_again(&self) -> Held {
        for (from, until, agent, text) in &self.hall.answered.again {
            let said = self.hand.said.get(&(self.hall.name.clone(), text.clone())).into_iter().flatten();
            let said = said.filter(|(at, _)| (from..=until).contains(&at)).count();
            let text: String = text.chars().take(20).collect();
            holds!(
                *agent != self.hand.name || said > 0,
                "again",
                "{text} went out at {until} ms, and was stored before"
            );
        }
        Ok(())
    }

    /// What somebody asked to be posted, and was told that it is, is there; nothing is there twice.
    fn sends_are_posted(&self, w: &World) -> Held {
        let mine = |s: &&super::play::Send| s.agent == self.hand.name && w.halls[s.place].name == self.hall.name;
        for send in self.marks.sends.iter().filter(mine) {
            let said = self.hall.model.said.iter().filter(|m| m.author == self.hand.name && m.text == send.text);
            let (count, told) = (said.count(), w.told(send.client));
            let same = || self.marks.sends.iter().filter(mine).filter(|other| other.text == send.text);
            let is_done = |send: &&super::play::Send| w.story.done.contains_key(&send.client);
            let is_taken = |send: &&super::play::Send| w.told(send.client).iter().any(|t| t.starts_with("Queued"));
            let (done, queued) = (same().filter(is_done).count(), same().filter(is_taken).count());
            holds!(
                count <= self.most as usize * same().count(),
                "doubled",
                "{} is in the guild {count} times",
                send.text
            );
            let said_at = self.hall.model.said.iter().find(|m| m.author == self.hand.name && m.text == send.text);
            let said_at = said_at.map_or(u64::MAX, |m| m.created_ms - WALL);
            let done_at = w.story.done.get(&send.client);
            holds!(
                done_at.is_none() || count >= done,
                "lost",
                "{} was told to be stored, and is not in the guild",
                send.text
            );
            holds!(
                done_at.is_none_or(|at| said_at <= *at),
                "told",
                "{} was told to be stored before it was",
                send.text
            );
            let fell = self.unlisted + self.counted("letters_full") > 0 || w.doubts(send.at);
            let kept = count >= queued || fell || self.letters.contains(&(send.channel.to_owned(), send.text.clone()));
            let taken = told.iter().any(|told| told.starts_with("Queued"));
            holds!(!taken || kept, "lost", "{} was taken to be sent, and is nowhere", send.text);
        }
        Ok(())
    }
}

/// Until when messages of the late channel are old. One that appears begins behind the last list that did not have it. One
/// that a daemon finds in its first list begins at its newest message: a channel that appeared, and was not joined before
/// the daemon was killed, is such a one in the next life. What was written before a join is not lost, but with a disk. A
/// life that never came to a join excuses no more than it saw; the last one comes to it.
fn late_until(w: &World, hall: &Hall, agent: &str) -> u64 {
    let link = format!("{agent}@{}", hall.name);
    let joined = |life: u32| hall.first_joins.get(&(agent.to_owned(), LATE.to_owned(), life)).copied();
    let begun = w.story.begun.iter().zip(1_u32..).skip(1);
    let lost = begun.filter(|((_, places), life)| {
        let known_before = (1..*life).any(|earlier| joined(earlier).is_some());
        !places.contains(&(link.clone(), LATE.to_owned())) && (!known_before || w.board.died_without_disk > 0)
    });
    let ended = |life: u32| w.story.begun.get(life as usize).map_or(0, |(next, _)| *next);
    let lost_until = lost.map(|(_, life)| joined(life).unwrap_or_else(|| ended(life))).max().unwrap_or(0);
    let listed = hall.not_listed.get(&(agent.to_owned(), LATE.to_owned())).copied();
    lost_until.max(listed.unwrap_or(0))
}

fn is_person(message: &Message) -> bool {
    ["alice", "bob"].contains(&message.author.as_str())
}
