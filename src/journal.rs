//! What outlives the process: cursors, finished turns, posts on their way. Records are appended, each with its length and
//! CRC; at the start they are replayed up to the first that is torn or broken.
//!
//! A file is [`HEADER`], then records: `length u32 | kind u8 | 0 0 0 | crc32 u32 | payload`, little-endian; the length is
//! the payload's, the CRC is over all but itself. A string is its length (u32) and its UTF-8; an optional one begins with
//! a byte, 0 or 1.

mod kept;
mod wire;

pub use kept::{Kept, Replayed, replay};
pub use wire::{HEADER, encode, size};

/// One thing that happened. Replaying the same record twice changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A channel's cursor moved: all up to `id` is settled.
    Cursor {
        /// `agent@guild`.
        link: String,
        /// The channel's id.
        channel: String,
        /// The message before the cursor's; none: from the beginning.
        before: Option<String>,
        /// The cursor's message; none: from the beginning.
        id: Option<String>,
        /// When, milliseconds since 1970.
        at_ms: u64,
    },
    /// A turn is finished, with its reply if it had one: both or neither are kept.
    Turn {
        /// `agent@guild`.
        link: String,
        /// The channel's id.
        channel: String,
        /// The id of the message that it answers.
        message: String,
        /// The reply's parts, in order.
        posts: Vec<Post>,
    },
    /// A post that ends no turn: a reply that is not the last, or an unasked `send`.
    Post {
        /// `agent@guild`.
        link: String,
        /// The channel's id.
        channel: String,
        /// What is to be posted.
        post: Post,
    },
    /// A post is stored in the guild, or given up.
    Posted {
        /// `agent@guild`.
        link: String,
        /// The post's key.
        key: String,
        /// The guild's id of it; none: given up, or the guild gave none.
        message: Option<String>,
    },
    /// The guild refused a post for good: it waits no more and is a letter. A `Post` of that key makes it wait again, a
    /// `Posted` ends it.
    Letter {
        /// `agent@guild`.
        link: String,
        /// The post, and why it was refused.
        letter: Letter,
    },
    /// A channel is not the agent's any more: its cursor goes, its posts stay until they are posted or given up.
    Forget {
        /// `agent@guild`.
        link: String,
        /// The channel's id.
        channel: String,
    },
}

/// Something to be posted under a key that never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// The idempotency key.
    pub key: String,
    /// What.
    pub text: String,
    /// The message it answers in the guild's eyes.
    pub reply_to: Option<String>,
    /// The message whose turn brought it.
    pub message: Option<String>,
}

/// A post that the guild refused for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The channel's id.
    pub channel: String,
    /// What was refused.
    pub post: Post,
    /// What the guild said; one line.
    pub detail: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

/// A channel's place in its history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The message before the cursor's; none: from the beginning.
    pub before: Option<String>,
    /// The cursor's message; none: from the beginning.
    pub id: Option<String>,
    /// When it moved, milliseconds since 1970.
    pub at_ms: u64,
}
