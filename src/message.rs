//! The vocabulary: ids, a guild message, the conversation it stands in, the turn an agent is given.

use std::path::PathBuf;
use std::rc::Rc;

/// Which agent of this daemon. Given once, never given again, even over a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId(pub u16);

/// Which link: one agent in one guild. Given once, never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u16);

/// One attempt of a link to be connected. News of an abandoned attempt is told by it, and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// The link.
    pub link: LinkId,
    /// Counts the attempts of that link.
    pub attempt: u32,
}

/// What tells most ids apart without a look at them: of one guild they differ at their ends.
#[must_use]
pub fn mark(id: &str) -> u32 {
    let bytes = id.as_bytes();
    let end = bytes.get(bytes.len().saturating_sub(8)..).unwrap_or_default();
    end.iter().fold(0, |mark, byte| mark.rotate_left(5) ^ u32::from(*byte))
}

/// What kind of place a channel is. A direct message always counts as addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Kind {
    /// A channel with many people.
    #[default]
    Channel,
    /// A direct message.
    Dm,
    /// A group of people.
    Group,
}

impl Kind {
    /// As CONTRACT writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Dm => "dm",
            Self::Group => "group",
        }
    }
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Author {
    /// The guild's id of the author.
    pub id: String,
    /// The name that people see; the id where the guild gave none.
    pub name: String,
    /// Whether the guild says it is a bot.
    pub bot: bool,
}

/// A file that hangs on a message: metadata, and the path once it was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Attachment {
    /// The guild's id of it.
    pub id: String,
    /// The name given by its author: shown, never used as a path.
    pub name: String,
    /// Media type as the guild says it.
    pub media_type: String,
    /// Bytes as the guild says it.
    pub size: u64,
    /// Whether it was fetched, where that was asked for.
    pub fetched: Fetched,
}

/// What became of fetching an attachment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Fetched {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// It lies here.
    At(PathBuf),
    /// It could not be had, and why.
    Not(String),
}

/// One guild message, owned: what a turn is about.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message {
    /// The guild's id.
    pub id: String,
    /// ISO-8601, as the guild wrote it; empty where it gave none.
    pub at: String,
    /// The text, as the guild wrote it.
    pub text: String,
    /// Who wrote it.
    pub author: Author,
    /// Whether it mentions the agent.
    pub mention: bool,
    /// The message it answers.
    pub reply_to: Option<String>,
    /// The thread it stands in, where the guild has threads.
    pub thread: Option<String>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
}

impl Message {
    /// Bytes that it holds in memory: what the window's bound counts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let files: usize = self
            .attachments
            .iter()
            .map(|a| size_of::<Attachment>() + a.id.len() + a.name.len() + a.media_type.len())
            .sum();
        let places = [&self.reply_to, &self.thread].into_iter().flatten().map(String::len).sum::<usize>();
        places
            + self.id.len()
            + self.at.len()
            + self.text.len()
            + self.author.id.len()
            + self.author.name.len()
            + files
            + size_of::<Self>()
    }
}

/// Where a message stands, as agents see it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Conversation {
    /// `guild.channel` or `guild.channel.thread`, `[A-Za-z0-9._-]{1,128}`.
    pub key: String,
    /// The guild's name in the configuration: one for all its channels.
    pub guild: Rc<str>,
    /// The channel's id: one for all its conversations.
    pub channel: Rc<str>,
    /// The channel's name.
    pub name: String,
    /// What kind of channel.
    pub kind: Kind,
    /// The thread's id.
    pub thread: Option<String>,
}

/// One turn: a message that an agent is asked to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The idempotency key both ways: `t_` and a hash of agent, guild, channel and message.
    pub id: String,
    /// Counts from 1.
    pub attempt: u32,
    /// The agent's name in the configuration.
    pub agent: String,
    /// Where.
    pub conv: Rc<Conversation>,
    /// What.
    pub message: Message,
    /// How long the agent has, in milliseconds.
    pub deadline_ms: u64,
    /// It came from history.
    pub replayed: bool,
}
