//! (to be written)
#![allow(clippy::unwrap_used, clippy::string_slice, missing_docs)]
#[path = "../guild/mod.rs"]
mod guild;
fn main() {}
