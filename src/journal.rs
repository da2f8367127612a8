//! What outlives the process: cursors, finished turns, posts on their way.
//!
//! The log is a row of files, `journal.000001` and on, each [`segment::Header`] and then records:
//! `length u24 | kind u8 | seq u32 | crc32 u32 | payload`, little-endian. The length is the payload's. Records are numbered
//! over all files without a hole; a record has the lower half of its number written and all of it in its CRC, which is over
//! everything but itself. A number within a payload is a LEB128; a string is its length and its UTF-8; an optional one
//! begins with a byte, 0 or 1.
//!
//! A file that begins with a *base*, records of all that is live, voids every file before it. It is written beside, then
//! renamed, then the others go: a power cut between any two steps leaves the old log or the new one. The first file of all has
//! one, if an empty one: its header is never torn by a power cut.
//!
//! What decides is here and pure; [`Files`] is all that it asks of a disk.

mod files;
mod keeper;
mod kept;
mod log;
mod packed;
mod reader;
pub mod segment;
mod standing;
mod wire;

pub use files::{Failed, Files};
pub use keeper::{Keeper, Task};
pub use kept::Kept;
pub use log::Log;
pub use packed::{Packed, Unpacked};
pub use reader::{Replayed, replay};
pub use standing::Standing;
pub use wire::{Bare, Entry, encode, size};

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
    /// So much could not be kept by now, for this reason. It stands before what passes over it.
    Gap {
        /// `agent@guild`.
        link: String,
        /// The reason's code.
        reason: String,
        /// How much in all, and the last of it.
        noted: Noted,
        /// Channel and id of messages that are finished with it, as those of a `Turn`: counted and passed over, or neither.
        done: Vec<(String, String)>,
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
    /// The message whose turn brought it, or the newest that was known when it was sent: older than the post.
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

/// What could not be kept for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// How much, since the journal began.
    pub count: u64,
    /// When the last was found, milliseconds since 1970.
    pub at_ms: u64,
    /// In which channel, where it was in one.
    pub channel: Option<String>,
    /// The first message of it, or the last one before it, where that is known.
    pub from: Option<String>,
    /// The last message of it, or the first one after it, where that is known.
    pub to: Option<String>,
    /// What was found, in words; clipped.
    pub detail: String,
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
