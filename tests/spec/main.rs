//! The specification: each test is a promise in a sentence. One file for each file of `src`.
#![allow(clippy::unwrap_used, clippy::string_slice, missing_docs)]

mod loopback;

mod http;
mod websocket;
mod config;
mod control;
mod folder;
mod fabric;
mod inbox;
mod link;
mod outbox;
mod relay;
mod seeds;
mod session;
mod world;
