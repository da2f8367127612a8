//! Of the test guild what does not depend on its server: the daemon as a process, its agent, the proxy.
#![allow(dead_code, unused_imports, missing_docs)]

#[path = "../guild/agent.rs"]
pub mod agent;
#[path = "../guild/bridge.rs"]
pub mod bridge;
#[path = "../guild/frame.rs"]
pub mod frame;
#[path = "../guild/hostile.rs"]
pub mod hostile;
#[path = "../guild/proxy.rs"]
pub mod proxy;
