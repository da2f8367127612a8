//! Answers out: what becomes of a turn's end, of a reply and of what is sent unasked.

use super::answers::{is_last_word, refused_call, unreadable};
use super::calls::Purpose;
use super::channel::Channel;
use super::gaps::Missing;
use super::keep::Known;
use super::look_up::LookUp;
use super::{Link, News};
use crate::backoff::{Backoff, Outcome};
use crate::budget;
use crate::call::{Answer, Got};
use crate::dialect::{REPLY_KEY, SEND_KEY};
use crate::gap::Gap;
use crate::inbox::About;
use crate::journal::{Post, Record, size};
use crate::outbox::{AskedBy, Due, Item};
use crate::reason::{Reason, Why};
use crate::step::Step;
use crate::text;
use std::time::Duration;

/// A 429 or 503 without a time asks for so long.
const WAIT_MS: u64 = 5_000;

impl Link {
    /// A reply: split, kept and put on its way. The one that ends the turn is kept together with the turn's end.
    pub fn reply(&mut self, about: &About, said: &str, last: bool, step: &mut Step<'_>) {
        if !last && !self.outbox.has_room() {
            let detail =
                format!("a part of {} bytes that ends no turn, for {}", said.len(), text::Clipped(&about.channel));
            let missing = Missing::message(&about.channel, &about.message);
            return self.gap(Gap::OutboxFull, 1, missing, &detail);
        }
        let parts = text::split_reply(said, self.dialect.post_limit());
        let (agent, guild) = (self.seat.agent.name.clone(), self.seat.guild.name.clone());
        let mut posts = Vec::with_capacity(parts.len());
        for (n, part) in parts.into_iter().enumerate() {
            let count = format!("{}.{n}", about.reply);
            let key = text::hash_id(REPLY_KEY, &[&guild, &agent, &about.channel, &about.message, &count]);
            let reply_to = (n == 0).then(|| about.message.clone());
            if last || !self.posted_keys.contains(&key) {
                posts.push(Post { key, text: part, reply_to, message: Some(about.message.clone()) });
            }
        }
        log::info!("{agent}: deliver len={}", said.len());
        let link = self.name();
        if last {
            // parts of it that found no room: no life gives the turn again, which would count them
            self.keep_gaps(step);
            let (channel, message) = (about.channel.to_string(), about.message.clone());
            Self::keep_end(Record::Turn { link, channel, message, posts: posts.clone() }, step);
        } else {
            for post in &posts {
                let (link, channel) = (link.clone(), about.channel.to_string());
                step.record(Record::Post { link, channel, post: post.clone() });
            }
        }
        for post in posts {
            self.take_post(&about.channel, post, AskedBy::Turn, step.awaited(), about.replayed && !last);
        }
        if last {
            self.turn_over(about);
        }
        self.stir();
    }

    /// Keeps a turn's end. Fences that are opened in every part can make a reply larger than a record may be: then its
    /// parts stand before the end, and a log that is cut between them gives the turn again, under the same keys.
    fn keep_end(mut end: Record, step: &mut Step<'_>) {
        if size(&end) > budget::JOURNAL_RECORD_BYTES {
            if let Record::Turn { link, channel, posts, .. } = &mut end {
                for post in posts.drain(..) {
                    step.record(Record::Post { link: link.clone(), channel: channel.clone(), post });
                }
            }
        }
        step.record(end);
    }

    /// A turn ended without a reply.
    pub fn silent(&mut self, about: About, step: &mut Step<'_>) {
        self.keep_gaps(step);
        self.turn_over(&about);
        let About { channel, message, .. } = about;
        let channel = channel.to_string();
        step.record(Record::Turn { link: self.name(), channel, message, posts: Vec::new() });
        self.stir();
    }

    /// A turn was given up after its attempts: a gap.
    pub fn given_up(&mut self, about: &About, why: &Why, step: &mut Step<'_>) {
        let missing = Missing::message(&about.channel, &about.message);
        let detail = format!("message {} was given up: {why}", text::Clipped(&about.message));
        self.gap(Gap::TurnFailed, 1, missing, &detail);
        // the record that counts it finishes it
        self.keep_gaps(step);
        self.turn_over(about);
        self.stir();
    }

    fn turn_over(&mut self, about: &About) {
        self.written(&about.channel, &about.message);
        self.tally.delivered += 1;
        let was_open = self.open_before.get_mut(&*about.channel).is_some_and(|open| open.remove(&about.message));
        self.open_before.retain(|_, open| !open.is_empty());
        let channel = self.channels.iter_mut().find(|channel| channel.is(&about.channel));
        if was_open && channel.as_ref().is_none_or(|channel| !channel.lane.holds(&about.message)) {
            // its channel is not back, or not read so far: the cursor stands before it
            self.done_before.entry(about.channel.to_string()).or_default().push(about.message.clone());
        }
        if let Some(channel) = channel {
            channel.lane.done(&about.message);
        }
    }

    /// `again`: an earlier life may have posted it, and the journal knows nothing more of that.
    fn take_post(&mut self, channel: &str, post: Post, asked_by: AskedBy, kept_by: u64, again: bool) {
        // an agent that repeats an old `send` sends its letter again
        self.letters.take(&post.key);
        self.outbox.push(Item { again, ..Item::of(channel.to_owned(), post, asked_by) }, kept_by, again);
    }

    /// A post that no message asked for, in the channel of this id.
    ///
    /// # Errors
    /// The text is empty, or the outbox is full.
    pub fn send(
        &mut self,
        channel: &str,
        said: &str,
        id: &str,
        asked_by: AskedBy,
        step: &mut Step<'_>,
    ) -> Result<(), Why> {
        let refused = |detail: &str| Err(Why::new(Reason::ControlRequest, detail));
        if said.trim().is_empty() {
            return refused("the text is empty");
        }
        if !self.outbox.has_room() {
            return refused("the outbox is full");
        }
        let parts = text::split_reply(said, self.dialect.post_limit());
        let last = parts.len().saturating_sub(1);
        let (agent, guild) = (self.seat.agent.name.clone(), self.seat.guild.name.clone());
        // what is known now is older than the post: it is looked up behind it
        let lane = self.channels.iter().find(|other| other.is(channel)).map(|other| &other.lane);
        let newest = lane.and_then(|lane| lane.newest());
        // its place, and not the message: it belongs in no thread
        let newest = newest.map(|id| match self.dialect.timeline() {
            Some(timeline) => timeline.behind(id),
            None => id.to_owned(),
        });
        for (n, text) in parts.into_iter().enumerate() {
            let key = text::hash_id(SEND_KEY, &[&guild, &agent, channel, id, &n.to_string()]);
            let post = Post { key, text, reply_to: None, message: newest.clone() };
            step.record(Record::Post { link: self.name(), channel: channel.to_owned(), post: post.clone() });
            let asked_by = if n == last { asked_by.clone() } else { AskedBy::Turn };
            self.take_post(channel, post, asked_by, step.awaited(), false);
        }
        self.stir();
        Ok(())
    }

    /// Ids of the channels that a name may mean: the one with that id or conversation key, else all of that name.
    #[must_use]
    pub fn channels_named(&self, name: &str) -> Vec<String> {
        let is = |channel: &&Channel| channel.is(name) || channel.conv.key == name;
        if let Some(channel) = self.channels.iter().find(is) {
            return vec![channel.id.to_string()];
        }
        self.channels.iter().filter(|channel| channel.conv.name == name).map(|channel| channel.id.to_string()).collect()
    }

    /// Whether nothing is being posted now.
    #[must_use]
    pub fn posts_idle(&self) -> bool {
        !self.outbox.busy() || !self.can_call()
    }

    /// Posts that wait.
    #[must_use]
    pub fn posts_waiting(&self) -> usize {
        self.outbox.depth()
    }

    /// Who waits to hear what became of a post.
    pub fn askers(&self) -> impl Iterator<Item = &AskedBy> {
        self.outbox.items().map(|item| &item.asked_by).filter(|asked_by| **asked_by != AskedBy::Turn)
    }

    pub(super) fn post_on(&mut self, step: &mut Step<'_>) {
        if !self.can_call() {
            return;
        }
        while let Some((item, due)) = self.outbox.next(step.now.at, self.stored_upto) {
            let purpose = match due {
                Due::Post => Purpose::Post(item.key),
                Due::LookUp => Purpose::LookUp(LookUp::of(item)),
            };
            self.call(purpose, false, step);
        }
    }

    pub(super) fn post_answered(&mut self, key: &str, answer: Answer<'_>, step: &mut Step<'_>) {
        let now = step.now.at;
        let got = match answer {
            Answer::Failed { why, sent } => {
                log::warn!("{}: a post failed, it is tried again: {why}", self.seat.agent.name);
                self.why = Some(why);
                return if sent { self.outbox.unknown(key, now) } else { self.outbox.failed(key, now) };
            }
            Answer::Got(got) => got,
        };
        match got.status {
            200..=299 => {
                let id = self.dialect.posted(got.body);
                let why = unreadable(&got, "a post was answered with something else than the message");
                // 201 and a known key are the guild's own words; a bare 200 may be anybody's
                let guilds = (got.status == 201 || got.replayed) && why.reason != Reason::HttpPortal;
                if id.is_none() && !guilds {
                    log::warn!("{}: {why}; it is looked up", self.seat.agent.name);
                    self.why = Some(why);
                    return self.outbox.unknown(key, now);
                }
                self.posted(key, id, step);
            }
            429 | 503 => {
                self.why = Some(refused_call("a post", &got).0);
                let ms = got.retry_after_ms.unwrap_or(WAIT_MS);
                let outcome = Outcome::ToldToWait(Duration::from_millis(ms));
                let rest = Backoff::new(1_000, 60_000).rest_after(outcome, step.rng);
                self.outbox.told_to_wait(key, now.after(rest));
                if got.status == 503 {
                    // whoever stands before the guild says so, too, when the guild took it and did not answer
                    self.outbox.doubt(key);
                }
            }
            400..=499 if !matches!(got.status, 408 | 425) && is_last_word(&got) => {
                let detail = self.refusal(&got);
                self.refused(key, &detail, step);
            }
            _ => {
                // a fault of the guild; or a redirect, a proxy, an odd status: no answer of the guild at all
                let why = match got.status {
                    400..=406 | 409..=499 if !is_last_word(&got) => unreadable(
                        &got,
                        &format!("a post was answered {} by something else than the guild", got.status),
                    ),
                    _ => refused_call("a post", &got).0,
                };
                log::warn!("{}: {why}; it is tried again", self.seat.agent.name);
                self.why = Some(why);
                self.outbox.unknown(key, now);
            }
        }
    }

    pub(super) fn posted(&mut self, key: &str, id: Option<String>, step: &mut Step<'_>) {
        if let Some(id) = &id {
            self.note_own(id.clone(), Known::Now);
        }
        let Some(item) = self.outbox.over(key) else { return };
        self.tally.posted += 1;
        self.posted_keys.insert(key);
        step.record(Record::Posted { link: self.name(), key: key.to_owned(), message: id.clone() });
        let (agent, guild) = (&self.seat.agent.name, &self.seat.guild.name);
        step.tell(agent, || {
            let key = text::conversation_key(guild, &item.channel, None);
            format!("{key} {agent}: {}", text::Clipped::to(&item.text, 400))
        });
        self.tell_asker(item.asked_by, Ok(id.unwrap_or_default()));
    }

    /// What the guild said to a post that it refuses, in words.
    fn refusal(&self, got: &Got<'_>) -> String {
        let said = String::from_utf8_lossy(got.body.get(..budget::REFUSAL_BYTES * 4).unwrap_or(got.body));
        let said = self.calls.without_token(&said).unwrap_or_else(|| said.into_owned());
        let said = text::Clipped::to(said.trim(), budget::REFUSAL_BYTES).to_string();
        let status = got.status;
        if said.is_empty() { format!("answered {status}") } else { format!("answered {status}: {said}") }
    }

    pub(super) fn tell_asker(&mut self, asked_by: AskedBy, result: Result<String, Why>) {
        if asked_by != AskedBy::Turn {
            self.news.push(News::Posted { asked_by, result });
        }
    }
}
