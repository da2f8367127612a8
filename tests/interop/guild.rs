//! Of the test guild only what stands before a guild: the proxy.
#![allow(dead_code)]

#[path = "../guild/frame.rs"]
pub mod frame;
#[path = "../guild/proxy.rs"]
pub mod proxy;
