//! Messages in: which of them become turns, and which is next.

use super::channel::Gate;
use super::gaps::Missing;
use super::{Link, State, in_channel};
use crate::address::{Verdict, verdict};
use crate::budget;
use crate::dialect::Incoming;
use crate::gap::Gap;
use crate::message::{Author, Conversation, Message};
use crate::moment::Moment;
use crate::step::Step;
use crate::text;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Bot messages that count, for each conversation.
#[derive(Default)]
pub struct BotBudget {
    turns: BTreeMap<String, VecDeque<Moment>>,
    told: bool,
}

impl BotBudget {
    /// Whether another bot message counts in a conversation; it is counted if so.
    fn admit(&mut self, conversation: &str, now: Moment) -> bool {
        if self.turns.len() >= budget::BOT_CONVERSATIONS && !self.turns.contains_key(conversation) {
            self.turns.retain(|_, times| times.back().is_some_and(|at| now.since_ms(*at) < budget::BOT_SPAN_MS));
            if self.turns.len() >= budget::BOT_CONVERSATIONS {
                return false;
            }
        }
        let times = self.turns.entry(conversation.to_owned()).or_default();
        while times.front().is_some_and(|at| now.since_ms(*at) >= budget::BOT_SPAN_MS) {
            times.pop_front();
        }
        let within = times.len() < budget::BOT_TURNS;
        if within {
            times.push_back(now);
            self.told = false;
        }
        within
    }

    /// Whether it was said already that the budget is spent.
    fn tell_once(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}

impl Link {
    /// The socket brought a message of a channel.
    pub(super) fn take_from_socket(&mut self, message: &Incoming<'_>, bytes: usize, step: &mut Step<'_>) {
        let now = step.now.at;
        let id = message.id.as_ref();
        self.confirmed_by_echo(message, true, step);
        let Some(at) = self.channels.iter().position(|channel| channel.is(&message.channel)) else {
            // a channel that is not in the list yet: the list is asked for, and history brings the message
            if let State::Up(live) = &mut self.state {
                live.list_at = live.list_at.min(now.after_ms(1_000));
            }
            return;
        };
        let Some(channel) = self.channels.get_mut(at) else { return };
        if let Gate::Seeking(seek) = &mut channel.gate {
            // its first cursor is not found yet: that it was heard says that it lies behind it
            seek.heard.get_or_insert_with(|| id.to_owned());
            return;
        }
        if self.seen.contains(&in_channel(&message.channel, id)) || channel.lane.holds(id) {
            self.tally.duplicates += 1;
            return;
        }
        // what a lane that is not followed holds can only be given once history was read: it leaves room for that
        let following = channel.lane.following();
        let room = if following { self.has_room_to_follow() } else { self.has_room_to_hold(bytes) };
        let crowded = self.crowded();
        let Some(channel) = self.channels.get_mut(at) else { return };
        if !room || !channel.lane.has_room(crowded) {
            channel.lane.overflowed(id);
            channel.wanted = true;
            channel.follow_where_history_fails(now);
            return;
        }
        let owned = self.judge(at, message, bytes, step);
        self.seen.insert(&in_channel(&message.channel, id));
        if let Some(channel) = self.channels.get_mut(at) {
            channel.lane.heard(id, owned);
        }
        self.make_room(at, step);
    }

    /// What history has not listed yet takes no more than its part: where it nears that, history is asked, at its pace; and
    /// what is beyond that pace is trusted, the oldest of the channel that has most of it. Nothing is where the socket was
    /// found to skip messages.
    fn make_room(&mut self, at: usize, step: &mut Step<'_>) {
        let (mut held, most) = (self.entries_bytes(), self.seat.share.window_bytes);
        let near = held >= most / 4;
        if near {
            // what may be trusted next is asked about first
            if let Some(next) = self.channels.iter_mut().max_by_key(|channel| channel.lane.trustable()) {
                next.wanted |= next.lane.trustable() > 0;
            }
        }
        let Some(channel) = self.channels.get_mut(at) else { return };
        channel.wanted = channel.wanted || channel.lane.crowded() || near;
        if channel.wanted {
            // before what comes together with it is trusted
            self.read_on(step);
        }
        if !matches!(&self.state, State::Up(live) if !live.missed) {
            return;
        }
        // a page that is under way begins where its channel stood
        let page = self.history.page_of();
        let Some(channel) = self.channels.get_mut(at) else { return };
        if page != Some(at) {
            held -= channel.lane.trust(budget::CHANNEL_ENTRIES);
        }
        while held >= most / 8 * 3 {
            let others = self.channels.iter().enumerate().filter(|(at, _)| page != Some(*at));
            let longest = others.map(|(at, channel)| (channel.lane.trustable(), at)).max();
            let Some((length @ 1.., at)) = longest else { return };
            if let Some(channel) = self.channels.get_mut(at) {
                held -= channel.lane.trust(length - 1);
            }
        }
    }

    /// What a message asks for: a turn, with the message owned; or nothing.
    pub(super) fn judge(
        &mut self,
        at: usize,
        message: &Incoming<'_>,
        bytes: usize,
        step: &mut Step<'_>,
    ) -> Option<Box<Message>> {
        let channel = self.channels.get(at)?;
        let conv = &channel.conv;
        let own_posts = |id: &str| self.own_posts.iter().any(|(own, _)| own == id);
        let agent = &self.seat.agent;
        if message.author != agent.id {
            step.tell(&agent.name, || {
                let who = message.author_name.as_deref().unwrap_or(&message.author);
                format!("{} {}: {}", conv.key, text::Clipped(who), text::Clipped::to(&message.text, 400))
            });
        }
        if message.asks_nothing {
            return None;
        }
        let Verdict::Asked { mention, bot } =
            verdict(agent, &self.seat.colleagues, channel.conv.kind, message, own_posts)
        else {
            return None;
        };
        if bytes > self.seat.message_bytes {
            let detail = format!(
                "message {} has {bytes} bytes, the limit is {}",
                text::Clipped(&message.id),
                self.seat.message_bytes
            );
            let name = channel.id.clone();
            self.gap(Gap::Oversize, 1, Missing::message(&name, &message.id), &detail);
            return None;
        }
        let key = || text::conversation_key(&conv.guild, &conv.channel, message.thread.as_deref());
        if let Some(key) = bot.then(key).filter(|key| !self.bots.admit(key, step.now.at)) {
            let (most, span_s) = (budget::BOT_TURNS, budget::BOT_SPAN_MS / 1000);
            let detail = format!("more than {most} bot messages within {span_s} s in {key}");
            let name = channel.id.clone();
            let missing = Missing::message(&name, &message.id);
            if self.bots.tell_once() {
                self.gap(Gap::BotBudget, 1, missing, &detail);
            } else {
                self.count_gap(Gap::BotBudget, missing, &detail);
            }
            return None;
        }
        Some(Box::new(owned(message, mention)))
    }

    /// Gives out the next message that may become a turn; `busy` tells conversations that have one open.
    pub fn next_message(
        &mut self,
        busy: &dyn Fn(&str, Option<&str>) -> bool,
    ) -> Option<(Box<Message>, Rc<Conversation>, bool)> {
        if !self.outbox.has_room() || matches!(self.state, State::Closed) {
            return None;
        }
        let outbox = &self.outbox;
        let (channel, (message, replayed)) = self.channels.iter_mut().find_map(|channel| {
            if channel.lane.waiting() == 0 || !outbox.has_room_for(&channel.id) {
                return None;
            }
            let given = channel.lane.give_next(&|thread| busy(&channel.id, thread))?;
            Some((&*channel, given))
        })?;
        if self.dialect.typing(&channel.id, None, true).is_some() {
            self.writing.begin(&channel.id, message.thread.as_deref(), &message.id);
        }
        let mut conv = channel.conv.clone();
        if message.thread.is_some() {
            let conv = Rc::make_mut(&mut conv);
            conv.key = text::conversation_key(&conv.guild, &conv.channel, message.thread.as_deref());
            conv.thread.clone_from(&message.thread);
        }
        Some((message, conv, replayed))
    }

    /// Messages that wait for a turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.channels.iter().map(|channel| channel.lane.waiting()).sum()
    }
}

fn owned(message: &Incoming<'_>, mention: bool) -> Message {
    let mut name = message.author_name.as_deref().unwrap_or(&message.author).to_owned();
    if name.len() > budget::NAME_BYTES {
        name = text::Clipped::to(&name, budget::NAME_BYTES).to_string();
    }
    Message {
        id: message.id.to_string(),
        at: message.at.to_string(),
        text: message.text.to_string(),
        author: Author { id: message.author.to_string(), name, bot: message.bot },
        mention,
        reply_to: message.reply_to.as_deref().map(str::to_owned),
        thread: message.thread.as_deref().map(str::to_owned),
        attachments: message.attachments.clone(),
    }
}
