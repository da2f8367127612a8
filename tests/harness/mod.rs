//! What the tests of the real binary share: the daemon as a child, and a runner whose skips are lines and a count.
#![allow(dead_code, missing_docs)]

pub mod bridge;
pub mod runner;
