//! Messages in, answers out: what becomes a turn, what becomes of its reply.

use super::calls::Purpose;
use super::channel::Channel;
use super::{Link, News, State, refused_call, unreadable};
use crate::address::{Verdict, verdict};
use crate::backoff::Outcome;
use crate::budget;
use crate::call::Answer;
use crate::dialect::{Incoming, Row};
use crate::inbox::About;
use crate::journal::{Post, Record};
use crate::message::{Author, Conversation, Fetched, Message};
use crate::moment::Moment;
use crate::outbox::{AskedBy, Due, Item};
use crate::reason::{Reason, Why};
use crate::step::Step;
use crate::text;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// Pages of history in which a post of unknown outcome is looked up.
const LOOK_UP_PAGES: u32 = 10;
/// A 429 or 503 without a time asks for so long.
const WAIT_MS: u64 = 5_000;

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
        self.confirmed_by_echo(message, step);
        let Some(at) = self.channels.iter().position(|channel| channel.row.id == message.channel) else {
            // a channel that is not in the list yet: the list is asked for, and history brings the message
            if let State::Up(live) = &mut self.state {
                live.list_at = live.list_at.min(now.after_ms(1_000));
            }
            return;
        };
        let Some(channel) = self.channels.get_mut(at) else { return };
        if self.seen.contains(id) || channel.lane.holds(id) {
            self.tally.duplicates += 1;
            return;
        }
        // what a lane that is not followed holds can only be given once history was read: it leaves room for that
        let following = channel.lane.following();
        let room = if following { self.has_room() } else { self.has_room_to_hold() };
        let Some(channel) = self.channels.get_mut(at) else { return };
        if !room || !channel.lane.has_room() {
            channel.lane.overflowed();
            channel.wanted = true;
            return;
        }
        let owned = self.judge(at, message, bytes, step);
        self.seen.insert(id);
        if let Some(channel) = self.channels.get_mut(at) {
            channel.lane.heard(id, owned);
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
        let own_posts = |id: &str| self.own_posts.iter().any(|own| own == id);
        let agent = &self.seat.agent;
        step.tell(&agent.name, || {
            let who = message.author_name.as_deref().unwrap_or(&message.author);
            format!("{} {}: {}", conv.key, text::Clipped(who), text::Clipped::to(&message.text, 400))
        });
        let Verdict::Asked { mention, bot } =
            verdict(agent, &self.seat.colleagues, channel.row.kind, message, own_posts)
        else {
            return None;
        };
        if bytes > self.seat.message_bytes {
            let detail = format!(
                "message {} has {bytes} bytes, the limit is {}",
                text::Clipped(&message.id),
                self.seat.message_bytes
            );
            self.gap("oversize", 1, &detail);
            return None;
        }
        let key = text::conversation_key(&conv.guild, &conv.channel, message.thread.as_deref());
        if bot && !self.bots.admit(&key, step.now.at) {
            *self.tally.gaps.entry("bot_budget").or_insert(0) += 1;
            if self.bots.tell_once() {
                log::warn!(
                    "{}: gap bot_budget: more than {} bot messages within {} s in {key}",
                    agent.name,
                    budget::BOT_TURNS,
                    budget::BOT_SPAN_MS / 1000
                );
            }
            return None;
        }
        Some(Box::new(owned(message, mention)))
    }

    /// Gives out the next message that may become a turn; `busy` tells conversations that have one open.
    pub fn next_message(
        &mut self,
        busy: &dyn Fn(&str, Option<&str>) -> bool,
    ) -> Option<(Box<Message>, Conversation, bool)> {
        if !self.outbox.has_room() || matches!(self.state, State::Closed) {
            return None;
        }
        let (at, id) = self.channels.iter().enumerate().find_map(|(at, channel)| {
            if channel.lane.waiting() == 0 {
                return None;
            }
            let id = channel.lane.next(&|thread| busy(&channel.row.id, thread))?;
            Some((at, id.to_owned()))
        })?;
        let channel = self.channels.get_mut(at)?;
        let (message, replayed) = channel.lane.give(&id)?;
        let mut conv = channel.conv.clone();
        if message.thread.is_some() {
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

    /// A reply: split, kept and put on its way. The one that ends the turn is kept together with the turn's end.
    pub fn reply(&mut self, about: &About, said: &str, last: bool, step: &mut Step<'_>) {
        let parts = text::split_reply(said, self.dialect.post_limit());
        let (agent, guild) = (self.seat.agent.name.clone(), self.seat.guild.name.clone());
        let mut posts = Vec::with_capacity(parts.len());
        for (n, part) in parts.into_iter().enumerate() {
            let count = format!("{}.{n}", about.reply);
            let key = text::hash_id("gb_", &[&guild, &agent, &about.channel, &about.message, &count]);
            let reply_to = (n == 0).then(|| about.message.clone());
            posts.push(Post { key, text: part, reply_to, message: Some(about.message.clone()) });
        }
        log::info!("{agent}: deliver len={}", said.len());
        let link = self.name();
        if last {
            let (channel, message) = (about.channel.clone(), about.message.clone());
            step.record(Record::Turn { link, channel, message, posts: posts.clone() });
        } else {
            for post in &posts {
                let (link, channel) = (link.clone(), about.channel.clone());
                step.record(Record::Post { link, channel, post: post.clone() });
            }
        }
        for post in posts {
            self.take_post(&about.channel, post, AskedBy::Turn, step.next_store);
        }
        if last {
            self.turn_over(about);
        }
        self.settle(step);
    }

    /// A turn ended without a reply.
    pub fn silent(&mut self, about: &About, step: &mut Step<'_>) {
        let (channel, message) = (about.channel.clone(), about.message.clone());
        step.record(Record::Turn { link: self.name(), channel, message, posts: Vec::new() });
        self.turn_over(about);
        self.settle(step);
    }

    /// A turn was given up after its attempts: a gap.
    pub fn given_up(&mut self, about: &About, why: &Why, step: &mut Step<'_>) {
        self.gap("turn_failed", 1, &format!("message {} was given up: {why}", text::Clipped(&about.message)));
        self.silent(about, step);
    }

    fn turn_over(&mut self, about: &About) {
        self.tally.delivered += 1;
        if let Some(channel) = self.channels.iter_mut().find(|channel| channel.row.id == about.channel) {
            channel.lane.done(&about.message);
        }
    }

    fn take_post(&mut self, channel: &str, post: Post, asked_by: AskedBy, kept_by: u64) {
        let Post { key, text, reply_to, .. } = post;
        self.outbox.push(Item { key, channel: channel.to_owned(), text, reply_to, asked_by }, kept_by, false);
    }

    /// Takes a post of an earlier life in: it may have been posted then.
    pub fn remember_post(&mut self, channel: String, post: Post) {
        let Post { key, text, reply_to, .. } = post;
        self.outbox.push(Item { key, channel, text, reply_to, asked_by: AskedBy::Turn }, 0, true);
    }

    /// A post that somebody asked for unasked by a message.
    ///
    /// # Errors
    /// The channel is not known, the text is empty, or the outbox is full.
    pub fn send(
        &mut self,
        channel: &str,
        said: &str,
        id: &str,
        asked_by: AskedBy,
        step: &mut Step<'_>,
    ) -> Result<(), Why> {
        let refused = |detail: String| Err(Why::new(Reason::GuildRefusedPost, detail));
        let Some(channel) = self.channel_named(channel) else {
            return refused(format!(
                "{} has no channel {} on {}",
                self.seat.agent.name,
                text::Clipped(channel),
                self.seat.guild.name
            ));
        };
        if said.trim().is_empty() {
            return refused("the text is empty".into());
        }
        if !self.outbox.has_room() {
            return refused("the outbox is full".into());
        }
        let parts = text::split_reply(said, self.dialect.post_limit());
        let last = parts.len().saturating_sub(1);
        let (agent, guild) = (self.seat.agent.name.clone(), self.seat.guild.name.clone());
        for (n, text) in parts.into_iter().enumerate() {
            let key = text::hash_id("gs_", &[&guild, &agent, &channel, id, &n.to_string()]);
            let post = Post { key, text, reply_to: None, message: None };
            step.record(Record::Post { link: self.name(), channel: channel.clone(), post: post.clone() });
            let asked_by = if n == last { asked_by.clone() } else { AskedBy::Turn };
            self.take_post(&channel, post, asked_by, step.next_store);
        }
        self.settle(step);
        Ok(())
    }

    /// Whether a name means one of its channels.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.channel_named(name).is_some()
    }

    /// A channel by its id, its conversation key, or its name if only one has it.
    fn channel_named(&self, name: &str) -> Option<String> {
        let is = |channel: &&Channel| channel.row.id == name || channel.conv.key == name;
        if let Some(channel) = self.channels.iter().find(is) {
            return Some(channel.row.id.clone());
        }
        let mut named = self.channels.iter().filter(|channel| channel.row.name == name);
        match (named.next(), named.next()) {
            (Some(channel), None) => Some(channel.row.id.clone()),
            _ => None,
        }
    }

    /// Whether nothing is being posted now.
    #[must_use]
    pub fn posts_idle(&self) -> bool {
        !self.outbox.busy() || !self.can_call()
    }

    // --- posting ---------------------------------------------------------------------------------------------

    pub(super) fn post_on(&mut self, step: &mut Step<'_>) {
        if !self.can_call() {
            return;
        }
        while let Some((item, due)) = self.outbox.next(step.now.at, self.stored_upto) {
            let purpose = match due {
                Due::Post => Purpose::Post(item.key),
                Due::LookUp => {
                    let after = self.place_before_posts(&item.channel);
                    Purpose::LookUp { key: item.key, channel: item.channel, after, pages: 0 }
                }
            };
            self.call(purpose, false, step);
        }
    }

    /// A message of a channel that is older than every post that waits there: a turn's message is not past the cursor
    /// before its reply is kept.
    fn place_before_posts(&self, channel: &str) -> Option<String> {
        let lane = self.channels.iter().find(|other| other.row.id == channel).map(|other| other.lane.cursor());
        let place = lane.or_else(|| self.parked.get(channel))?;
        place.before.clone().or_else(|| place.id.clone())
    }

    pub(super) fn post_answered(&mut self, key: &str, answer: Answer<'_>, step: &mut Step<'_>) {
        let now = step.now.at;
        let got = match answer {
            Answer::Failed { why, sent } => {
                log::warn!("{}: a post failed, it is tried again: {why}", self.seat.agent.name);
                return if sent { self.outbox.unknown(key, now) } else { self.outbox.failed(key, now) };
            }
            Answer::Got(got) => got,
        };
        match got.status {
            200..=299 => {
                let id = self.dialect.posted(got.body);
                let why = unreadable(&got, "a post was answered with something else than the message");
                if id.is_none() && why.reason == Reason::HttpPortal {
                    log::warn!("{}: {why}; it is looked up", self.seat.agent.name);
                    self.why = Some(why);
                    return self.outbox.unknown(key, now);
                }
                self.posted(key, id, step);
            }
            408 | 425 | 500..=502 | 504..=599 => {
                log::warn!("{}: a post was answered {}, it is tried again", self.seat.agent.name, got.status);
                self.outbox.unknown(key, now);
            }
            429 | 503 => {
                let ms = got.retry_after_ms.unwrap_or(WAIT_MS);
                let outcome = Outcome::ToldToWait(std::time::Duration::from_millis(ms));
                let rest = crate::backoff::Backoff::new(1_000, 60_000).rest_after(outcome, step.rng);
                self.outbox.told_to_wait(key, now.after(rest));
            }
            _ => {
                let (why, _) = refused_call("the guild", &got);
                self.refused(key, &why, step);
            }
        }
    }

    fn posted(&mut self, key: &str, id: Option<String>, step: &mut Step<'_>) {
        if let Some(id) = &id {
            self.remember_own(id.clone());
        }
        let Some(item) = self.outbox.over(key) else { return };
        self.tally.posted += 1;
        step.record(Record::Posted { link: self.name(), key: key.to_owned(), message: id.clone() });
        step.tell(&self.seat.agent.name, || {
            format!("{} {}: {}", item.channel, self.seat.agent.name, text::Clipped::to(&item.text, 400))
        });
        self.tell_asker(item.asked_by, Ok(id.unwrap_or_default()));
    }

    fn refused(&mut self, key: &str, why: &Why, step: &mut Step<'_>) {
        let Some(item) = self.outbox.over(key) else { return };
        let detail = format!("{why}, for a post of {} bytes in {}", item.text.len(), text::Clipped(&item.channel));
        self.gap("refused_post", 1, &detail);
        step.record(Record::Posted { link: self.name(), key: key.to_owned(), message: None });
        self.tell_asker(item.asked_by, Err(Why::new(Reason::GuildRefusedPost, why.detail.clone())));
    }

    fn tell_asker(&mut self, asked_by: AskedBy, result: Result<String, Why>) {
        if asked_by != AskedBy::Turn {
            self.news.push(News::Posted { asked_by, result });
        }
    }

    /// One of the agent's own last posts, by its message id.
    pub fn remember_own(&mut self, id: String) {
        if self.own_posts.contains(&id) {
            return;
        }
        if self.own_posts.len() >= budget::OWN_POSTS {
            self.own_posts.pop_front();
        }
        self.own_posts.push_back(id);
    }

    /// A message of our own came back: where it carries a key of ours, it is posted, whatever HTTP says later.
    pub(super) fn confirmed_by_echo(&mut self, message: &Incoming<'_>, step: &mut Step<'_>) {
        if message.author != self.seat.agent.id {
            return;
        }
        self.remember_own(message.id.to_string());
        if let Some(key) = message.nonce.as_deref().filter(|key| self.outbox.holds(key)) {
            self.posted(&key.to_owned(), Some(message.id.to_string()), step);
        }
    }

    /// A page of history in which a post of unknown outcome is looked for.
    pub(super) fn look_up_answered(
        &mut self,
        key: String,
        channel: String,
        pages: u32,
        answer: Answer<'_>,
        step: &mut Step<'_>,
    ) {
        let now = step.now.at;
        let got = match answer {
            Answer::Got(got) if (200..300).contains(&got.status) => got,
            Answer::Got(got) if matches!(got.status, 400 | 404 | 410) => return self.outbox.not_there(&key),
            Answer::Got(_) | Answer::Failed { .. } => return self.outbox.unknown(&key, now),
        };
        let (mut rows, mut last, mut found) = (0, None, None);
        let whole = self.dialect.history_rows(got.body, &mut |row| {
            rows += 1;
            if let Row::Message(message, _) = row {
                if message.nonce.as_deref() == Some(key.as_str()) {
                    found = Some(message.id.to_string());
                }
                last = Some(message.id.to_string());
            }
        });
        if !whole && !got.cut {
            // a page, or half an answer: no answer
            return self.outbox.unknown(&key, now);
        }
        match (found, last) {
            (Some(id), _) => self.posted(&key, Some(id), step),
            (None, Some(last)) if (rows >= budget::HISTORY_LIMIT || got.cut) && pages < LOOK_UP_PAGES => {
                self.call(Purpose::LookUp { key, channel, after: Some(last), pages: pages + 1 }, false, step);
            }
            (None, _) => self.outbox.not_there(&key),
        }
    }

    /// A call could not be made at all.
    pub(super) fn call_failed(&mut self, purpose: &Purpose, why: Why, step: &mut Step<'_>) {
        match purpose {
            Purpose::Handshake | Purpose::Bearer => {}
            Purpose::Post(key) => self.outbox.failed(key, step.now.at),
            Purpose::LookUp { key, .. } => self.outbox.unknown(key, step.now.at),
            Purpose::Channels => self.channels_answered(Answer::Failed { why, sent: false }, step.now.at, step),
            Purpose::History(page) => {
                self.history_answered(page.clone(), Answer::Failed { why, sent: false }, step.now.at, step);
            }
            Purpose::Attachment { turn, id, path, .. } => {
                let answer = Answer::Failed { why, sent: false };
                self.attachment_answered(turn.clone(), id.clone(), path.clone(), answer);
            }
        }
    }

    // --- attachments -----------------------------------------------------------------------------------------

    /// Fetches a message's attachments, where the agent wants them. Returns how many are on their way.
    pub fn fetch(&mut self, turn: &str, message: &mut Message, into: &Path, step: &mut Step<'_>) -> usize {
        let Some(max_bytes) = self.seat.agent.attachment_bytes else { return 0 };
        let mut under_way = 0;
        for (n, file) in message.attachments.iter_mut().enumerate() {
            if n >= budget::ATTACHMENTS {
                file.fetched =
                    Fetched::Not(format!("only {} attachments of a message are fetched", budget::ATTACHMENTS));
            } else if file.size > max_bytes {
                file.fetched = Fetched::Not(format!("{} bytes, the limit is {max_bytes}", file.size));
            } else {
                let path: PathBuf = into.join(turn).join(file_name(&file.id));
                let (turn, id) = (turn.to_owned(), file.id.clone());
                self.call(Purpose::Attachment { turn, id, path, max_bytes }, false, step);
                under_way += 1;
            }
        }
        under_way
    }

    pub(super) fn attachment_answered(&mut self, turn: String, id: String, path: PathBuf, answer: Answer<'_>) {
        let fetched = match answer {
            Answer::Got(got) if (200..300).contains(&got.status) => Fetched::At(path),
            Answer::Got(got) => Fetched::Not(format!("the guild answered {}", got.status)),
            Answer::Failed { why, .. } => Fetched::Not(why.to_string()),
        };
        self.news.push(News::Fetched { turn, id, fetched });
    }

    /// What the journal needs to begin anew: cursors, finished turns past them, posts that wait, own posts.
    pub fn records(&self, wall_ms: u64) -> Vec<Record> {
        let link = self.name();
        let mut records = Vec::new();
        for channel in &self.channels {
            if matches!(channel.gate, super::channel::Gate::Seeking(_)) {
                continue;
            }
            let (name, place) = (channel.row.id.clone(), channel.lane.cursor().clone());
            records.push(cursor(&link, name.clone(), place, wall_ms));
            records.extend(channel.lane.done_ids().map(|id| turn(&link, &name, id)));
        }
        for (channel, place) in &self.parked {
            records.push(cursor(&link, channel.clone(), place.clone(), wall_ms));
        }
        for (channel, done) in &self.done_before {
            records.extend(done.iter().map(|id| turn(&link, channel, id)));
        }
        for id in &self.own_posts {
            records.push(Record::Posted { link: link.clone(), key: String::new(), message: Some(id.clone()) });
        }
        for item in self.outbox.items() {
            let Item { key, channel, text, reply_to, .. } = item.clone();
            let post = Post { key, text, reply_to, message: None };
            records.push(Record::Post { link: link.clone(), channel, post });
        }
        records
    }
}

/// An attachment's id as a file name: itself where it is one, else a hash of it.
fn file_name(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.chars().all(plain) && !id.starts_with('.') { id.to_owned() } else { text::hash_id("a_", &[id]) }
}

fn turn(link: &str, channel: &str, message: &str) -> Record {
    let (link, channel, message) = (link.to_owned(), channel.to_owned(), message.to_owned());
    Record::Turn { link, channel, message, posts: Vec::new() }
}

fn cursor(link: &str, channel: String, place: crate::lane::Place, at_ms: u64) -> Record {
    let crate::lane::Place { before, id } = place;
    Record::Cursor { link: link.to_owned(), channel, before, id, at_ms }
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
