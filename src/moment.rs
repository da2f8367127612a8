//! Time as an argument: what the clock said is handed in, no machine below `io/` reads one.

use std::time::Duration;

/// Milliseconds of CLOCK_BOOTTIME: monotonic, and counting through suspend (std's `Instant` does not).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `ms` milliseconds later; saturates.
    #[must_use]
    pub fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The moment `rest` later; saturates.
    #[must_use]
    pub fn after(self, rest: Duration) -> Self {
        self.after_ms(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX))
    }

    /// Milliseconds from `earlier` to here; 0 if `earlier` is later.
    #[must_use]
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What the clocks say at one happening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The clock that every timer and token life is counted on.
    pub at: Moment,
    /// Milliseconds since 1970 by the wall clock: for people, never for decisions.
    pub wall_ms: u64,
}

impl Now {
    /// The wall clock's reading of `at`, as far as it can be told from here.
    #[must_use]
    pub fn wall_of(&self, at: Moment) -> u64 {
        self.wall_ms.saturating_sub(self.at.since_ms(at)).saturating_add(at.since_ms(self.at))
    }
}

/// The earlier of two deadlines, where there may be none.
#[must_use]
pub fn sooner(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
