//! One channel of a link: its join, what proves it, and its lane.

use super::oldest::Oldest;
use super::recall::Recall;
use super::walk::Hint;
use crate::budget;
use crate::dialect::{ChannelRow, Newest};
use crate::lane::{Lane, Place};
use crate::message::Conversation;
use crate::moment::{Moment, sooner};
use crate::text;
use std::collections::VecDeque;
use std::rc::Rc;

/// After the first join, so long until the next ones: backends that verify asynchronously ignore the first.
const JOINS_MS: [u64; 3] = [0, 1_000, 5_000];
/// History that cannot be read for so long is not waited for any more.
const FOLLOW_ANYWAY_MS: u64 = 60_000;
/// A join that was not answered counts as heard by the guild after so long: most never answer.
const JOIN_SETTLES_MS: u64 = 500;

/// The guild's name in a conversation's key, as long as names are.
const GUILD_BYTES: usize = 32;
/// A conversation, which turns share with its channel, and the id, which all its conversations share: how many do is counted
/// beside each.
const CONVERSATION_BYTES: usize = size_of::<Conversation>() + 4 * size_of::<usize>();

/// A channel.
pub struct Channel {
    /// Its id.
    pub id: Rc<str>,
    /// Its newest message, as the list says it.
    pub last: Newest,
    /// Where it stands, as agents see it (the thread empty).
    pub conv: Rc<Conversation>,
    /// Its messages.
    pub lane: Lane,
    /// What stands before the first join.
    pub gate: Gate,
    /// We are to find out whether we are in its room.
    pub probe_due: bool,
    /// Where reading goes on, where history is listed newest first and more of it is there.
    pub hint: Option<Box<Hint>>,
    /// More of such a history is there than was read.
    pub in_parts: bool,
    /// Proven on the present connection, and when.
    pub proven: Option<Moment>,
    /// Misses on the present connection since the socket last brought something here.
    pub misses: u8,
    /// History was read once since the join: what it shows newly from here on should have come by the socket.
    pub baseline: bool,
    /// History should be read.
    pub wanted: bool,
    /// The next page goes on behind the last one, without asking for the message before.
    pub goes_on: bool,
    /// Rows asked for in a page.
    pub limit: usize,
    /// The reading that is under way began with the oldest that history keeps.
    pub from_start: bool,
    /// The oldest message that history keeps, where that matters.
    pub oldest: Oldest,
    /// That nothing is left of its history was counted.
    pub emptied: bool,
    /// How often history had to be read again before the socket was believed to be whole.
    pub doubts: u32,
    /// Since when neither the list nor history could be read.
    pub failing_since: Option<Moment>,
    join: Join,
}

/// What stands before the first join of a channel.
pub enum Gate {
    /// Its first cursor is looked for.
    Seeking(Box<Seek>),
    /// Its first cursor is being written: the number of the write.
    Storing(u64),
    /// It may be joined.
    Open,
}

/// The search for a first cursor: history is paged through.
#[derive(Default)]
pub struct Seek {
    /// The last messages seen: one more than `keep`.
    pub tail: VecDeque<String>,
    /// So many of the last messages are answered.
    pub keep: usize,
    /// The first message later than this ends the search: the cursor stands before it.
    pub later_than_ms: Option<u64>,
    /// A message without a time counts as later.
    pub undated_is_later: bool,
    /// The first message that the socket brought meanwhile ends the search, too.
    pub heard: Option<String>,
    /// Pages read so far.
    pub pages: u32,
    /// The listed newest message, which ends the search: without an answer of the agent's the cursor stands behind it.
    pub until: Option<String>,
    /// The journal lost the place: it may stand behind the agent's last answer.
    pub recall: Option<Recall>,
}

#[derive(Default)]
struct Join {
    sent: usize,
    first_at: Option<Moment>,
    next_at: Option<Moment>,
    acks: [Option<u32>; JOINS_MS.len()],
    answered: bool,
    denied: bool,
}

impl Channel {
    /// A channel with the place where it begins.
    #[must_use]
    pub fn new(guild: &Rc<str>, row: ChannelRow, place: Place, gate: Gate) -> Self {
        let id: Rc<str> = row.id.into();
        let conv = Conversation {
            key: text::conversation_key(guild, &id, None),
            guild: guild.clone(),
            channel: id.clone(),
            name: row.name,
            kind: row.kind,
            thread: None,
        };
        Self {
            id,
            last: row.last,
            conv: Rc::new(conv),
            lane: Lane::at(place),
            gate,
            probe_due: false,
            hint: None,
            in_parts: false,
            proven: None,
            misses: 0,
            baseline: false,
            wanted: false,
            goes_on: false,
            from_start: false,
            emptied: false,
            limit: budget::HISTORY_LIMIT,
            oldest: Oldest::Unasked,
            doubts: 0,
            failing_since: None,
            join: Join::default(),
        }
    }

    /// Whether it has this id.
    #[must_use]
    pub fn is(&self, id: &str) -> bool {
        *self.id == *id
    }

    /// What a channel of this row is charged for.
    #[must_use]
    pub fn bytes_of(row: &ChannelRow) -> usize {
        charged(&row.id, &row.name, &row.last)
    }

    /// What it is charged for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        charged(&self.id, &self.conv.name, &self.last)
    }

    /// What people know it as, as a line for them shows it: its name, which is the guild's text, or its id where it has none.
    #[must_use]
    pub fn name(&self) -> text::Clipped<'_> {
        text::Clipped(if self.conv.name.is_empty() { &self.id } else { &self.conv.name })
    }

    /// A session ended: whatever was joined and proven is not any more.
    pub fn session_over(&mut self) {
        self.join = Join::default();
        self.probe_due = false;
        self.proven = None;
        self.misses = 0;
        self.lane.session_over();
        self.doubt();
    }

    /// History has to be read again before the socket is believed to be whole.
    pub fn doubt(&mut self) {
        self.doubts = self.doubts.wrapping_add(1);
        self.baseline = false;
        self.wanted = false;
        self.hint = None;
        self.goes_on = false;
        self.oldest = Oldest::Unasked;
        self.lane.reread();
    }

    /// A list or a page failed. After a minute of that, what the socket brings is given on all the same: order comes
    /// before speed, but a history that cannot be read must not silence a socket that can.
    pub fn read_failed(&mut self, now: Moment) {
        self.failing_since.get_or_insert(now);
        self.follow_where_history_fails(now);
    }

    /// Whether neither the list nor history could be read for so long that they are not waited for.
    #[must_use]
    pub fn given_up(&self, now: Moment) -> bool {
        self.failing_since.is_some_and(|since| now.since_ms(since) >= FOLLOW_ANYWAY_MS)
    }

    /// Gives on what the socket brings, where history has failed for so long that it is not waited for.
    pub fn follow_where_history_fails(&mut self, now: Moment) {
        if self.given_up(now) && self.joined() {
            self.lane.follow_anyway();
        }
    }

    /// The next list, asked for once the guild can have heard the join, decides what has to be read.
    #[must_use]
    pub fn waits_for_list(&self) -> bool {
        !self.baseline && !self.wanted && !matches!(self.gate, Gate::Seeking(_))
    }

    /// Joins begin (again) now.
    pub fn join_from(&mut self, now: Moment) {
        self.join = Join { next_at: Some(now), ..Join::default() };
    }

    /// Whether a join is due.
    #[must_use]
    pub fn join_due(&self, now: Moment) -> bool {
        matches!(self.gate, Gate::Open) && self.join.next_at.is_some_and(|at| at <= now)
    }

    /// A join was sent under this ack id.
    pub fn join_sent(&mut self, ack: u32, now: Moment) {
        if let Some(slot) = self.join.acks.get_mut(self.join.sent) {
            *slot = Some(ack);
        }
        self.join.sent += 1;
        let first = *self.join.first_at.get_or_insert(now);
        let again = JOINS_MS.get(self.join.sent).filter(|_| self.proven.is_none());
        self.join.next_at = again.map(|ms| first.after_ms(*ms).max(now.after_ms(500)));
    }

    /// Whether an ack id is one of this channel's joins.
    #[must_use]
    pub fn asked_under(&self, ack: u32) -> bool {
        self.join.acks.contains(&Some(ack))
    }

    /// The guild answered a join, whatever it said.
    pub fn join_answered(&mut self) {
        self.join.answered = true;
    }

    /// Proven: no more joins but the first. A guild may speak of a channel before it was asked for; history is read behind
    /// that join alone.
    pub fn prove(&mut self, now: Moment) {
        self.proven = Some(now);
        if self.joined() {
            self.join.next_at = None;
        }
        self.join.answered = true;
        self.join.denied = false;
    }

    /// The guild denied it.
    pub fn deny(&mut self) {
        self.join.next_at = None;
        self.join.answered = true;
        self.join.denied = true;
        self.proven = None;
    }

    /// Whether the guild denied it on this connection.
    #[must_use]
    pub fn denied(&self) -> bool {
        self.join.denied
    }

    /// Whether a join was sent on this connection.
    #[must_use]
    pub fn joined(&self) -> bool {
        self.join.sent > 0
    }

    /// When the guild can be believed to have heard the join, if it was sent.
    #[must_use]
    pub fn join_settles(&self) -> Option<Moment> {
        let sent = self.join.first_at?;
        Some(if self.join.answered { sent } else { sent.after_ms(JOIN_SETTLES_MS) })
    }

    /// When the next join is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.gate {
            Gate::Open => sooner(None, self.join.next_at),
            Gate::Seeking(_) | Gate::Storing(_) => None,
        }
    }
}

/// Itself, its conversation, its texts and its places.
fn charged(id: &str, name: &str, last: &Newest) -> usize {
    let last = if let Newest::Id(last) = last { last.len() } else { 0 };
    // the conversation's key holds the id once more; cursor and place in history name two messages each, a reading its end
    let texts = 2 * id.len() + name.len() + 6 * last + GUILD_BYTES;
    size_of::<Channel>() + CONVERSATION_BYTES + Lane::LEAST_BYTES + texts
}
