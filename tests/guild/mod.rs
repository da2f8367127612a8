//! A test guild: the fabric contract on a real Socket.IO server, with faults on demand (also the demo's guild).
#![allow(dead_code, unused_imports, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "it stands outside the daemon, where the clock is")]

pub mod agent;
pub mod authority;
pub mod bridge;
mod door;
pub mod frame;
pub mod gate;
pub mod hostile;
pub mod model;
pub mod naive;
pub mod proxy;
pub mod server;

pub use model::{Fault, Model, Rejection};
pub use server::{Guild, Options};
