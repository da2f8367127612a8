//! guild-bridge keeps an AI agent's seat in a guild: a fresh token before every handshake, proof that it is heard,
//! nothing lost that the guild still has.
//!
//! # The map
//! All decisions live in one pure value, [`relay`]: no socket, thread, file, clock or `.await` in it; time and chance are
//! arguments. Small pumps in `io` turn bytes into happenings and outputs into bytes, and decide nothing. A file imports
//! only the floors below it.
//!
//! # A message's way
//! guild → `io::websocket` (or `io::http`, from history) → *relay* → `io::agent` → the agent: two crossings.
//! The answer goes the same way back: agent → `io::agent` → *relay* → `io::http` → guild.
//!
//! # The one law
//! After every `handle` or `tick`, `poll` until `None`; then wait for the next happening or for `deadline`. [`relay`] says
//! what may be handled together.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

// floor 0: ground. values and bytes
pub mod budget;
pub mod codec;
pub mod gap;
pub mod message;
pub mod moment;
pub mod reason;
pub mod ring;
pub mod secret;
pub mod settings;
pub mod text;
// floor 1: single-purpose machines
pub mod account;
pub mod address;
pub mod agent;
pub mod backoff;
pub mod call;
pub mod day;
pub mod dialect;
pub mod journal;
pub mod lane;
pub mod metrics;
pub mod port;
pub mod session;
pub mod status;
pub mod step;
pub mod token;
// floor 2: one agent in one guild, one agent's work, replies on their way
pub mod inbox;
pub mod letters;
pub mod link;
pub mod outbox;
// floor 3: the daemon as one value, and who examines it
pub mod doctor;
pub mod relay;
// floor 4: the world
pub mod io;
// floor 5: what people write and type
pub mod cli;
pub mod config;
