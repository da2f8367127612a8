//! Time as an argument: what the clock said is handed in, no machine below `io/` reads one.

use std::time::{Duration, UNIX_EPOCH};

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

/// The last millisecond that RFC 3339 has room for.
const CALENDAR_MS: u64 = 253_402_300_799_999;

/// Milliseconds since 1970 that can be written as RFC 3339. A board's clock may say anything: what lies behind the year
/// 9999 is its last moment.
#[must_use]
pub fn on_calendar(wall_ms: u64) -> u64 {
    wall_ms.min(CALENDAR_MS)
}

/// ISO-8601 (RFC 3339, or without a zone: UTC) to milliseconds since 1970.
#[must_use]
pub fn instant(text: &str) -> Option<u64> {
    let text = text.trim();
    let (text, shift_ms) = zone(text);
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    let ms = i64::try_from(since.as_millis()).ok()?;
    u64::try_from(ms - shift_ms).ok()
}

/// Cuts `+hh:mm` off; humantime reads UTC only.
fn zone(text: &str) -> (&str, i64) {
    let Some(split) = text.len().checked_sub(6).filter(|at| text.is_char_boundary(*at) && *at >= 10) else {
        return (text, 0);
    };
    let (time, zone) = text.split_at(split);
    let (sign, zone) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(zone), _) => (1, zone),
        (_, Some(zone)) => (-1, zone),
        (None, None) => return (text, 0),
    };
    match zone.split_once(':').map(|(h, m)| (h.parse::<i64>(), m.parse::<i64>())) {
        Some((Ok(hours), Ok(minutes))) => (time, sign * (hours * 60 + minutes) * 60_000),
        _ => (text, 0),
    }
}

/// Seconds as people say them: the two largest units.
#[must_use]
pub fn span(seconds: u64) -> String {
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// A wall clock's milliseconds since 1970 as RFC 3339, to the second.
#[must_use]
pub fn rfc3339(wall_ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(on_calendar(wall_ms));
    humantime::format_rfc3339_seconds(time).to_string()
}

/// The same, to the millisecond.
#[must_use]
pub fn rfc3339_millis(wall_ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(on_calendar(wall_ms));
    humantime::format_rfc3339_millis(time).to_string()
}
