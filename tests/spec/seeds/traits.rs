//! What the world of a schedule is like from the start.

use crate::world::Rejection;
use guild_bridge::settings::StateMode;
use serde::{Deserialize, Serialize};

/// What the world is like from the start. The default of each is the simplest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traits {
    /// The guild acks joins.
    pub acks: bool,
    /// Its list carries `lastMessageId`.
    pub lists: bool,
    /// It ends sessions as their tokens end.
    pub kicks: bool,
    /// It has connection state recovery on.
    pub recovery: bool,
    /// It honours idempotency keys.
    pub keys: bool,
    /// Messages carry the key of their post.
    pub nonces: bool,
    /// Answers carry `Date`.
    pub date: bool,
    /// Messages carry `mentions`.
    pub mentions: bool,
    /// Authors hear their own posts.
    pub echo: bool,
    pub life_s: u64,
    pub rejection: Turned,
    pub latency_ms: u64,
    pub jitter_ms: u64,
    pub parallel: u16,
    pub takes_ms: u64,
    pub agents: u8,
    pub guilds: u8,
    pub state: Kept,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            acks: true,
            lists: true,
            kicks: false,
            recovery: false,
            keys: true,
            nonces: true,
            date: true,
            mentions: false,
            echo: true,
            life_s: 900,
            rejection: Turned::Silent,
            latency_ms: 5,
            jitter_ms: 0,
            parallel: 1,
            takes_ms: 20,
            agents: 1,
            guilds: 1,
            state: Kept::Memory,
        }
    }
}

/// How hard the journal is kept: `StateMode`, written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    Memory,
    Group,
    Each,
}

impl Kept {
    pub fn mode(self) -> StateMode {
        match self {
            Self::Memory => StateMode::Memory,
            Self::Group => StateMode::Group,
            Self::Each => StateMode::Each,
        }
    }
}

/// How a guild turns a session away: `Rejection`, written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Turned {
    Silent,
    Soft41,
    Close41,
    ConnectError,
    Exception,
    AckNo,
}

impl Turned {
    pub const ALL: [Self; 6] =
        [Self::Silent, Self::Soft41, Self::Close41, Self::ConnectError, Self::Exception, Self::AckNo];

    pub fn rejection(self) -> Rejection {
        match self {
            Self::Silent => Rejection::Silent,
            Self::Soft41 => Rejection::Soft41,
            Self::Close41 => Rejection::Close41,
            Self::ConnectError => Rejection::ConnectError,
            Self::Exception => Rejection::Exception,
            Self::AckNo => Rejection::AckNo,
        }
    }
}
