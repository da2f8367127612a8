//! The specification: each test is a promise in a sentence. One file for each file of `src`.
#![allow(clippy::unwrap_used, clippy::string_slice, missing_docs)]

mod agent_desk;
mod agent_exec;
mod agent_http;
mod agent_line;
mod agent_pointer;
mod agent_socket;
mod agent_stdio;
mod agent_template;
mod backoff;
mod codec;
mod config;
mod control;
mod disk;
mod dns;
mod fabric;
mod floors;
mod folder;
mod frames;
mod http;
mod inbox;
mod journal;
mod link;
mod loopback;
mod outbox;
mod reason;
mod relay;
mod ring;
mod seeds;
mod session;
mod text;
mod tls;
mod token;
mod websocket;
mod world;
