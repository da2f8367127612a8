//! (to be written)

/// What came of a call, owned.
pub struct Answered;
