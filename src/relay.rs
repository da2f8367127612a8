//! The daemon as one value. **The one law**: after every `handle` or `tick`, `poll` until `None`; then wait for
//! the next happening or for `deadline`, whichever comes first.

pub use crate::port;
