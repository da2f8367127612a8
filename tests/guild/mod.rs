//! A test guild: the fabric contract on a real Socket.IO server, with faults on demand (also the demo's guild).
#![allow(dead_code, unused_imports, missing_docs)]

pub mod model;
