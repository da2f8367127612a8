//! The clocks: the only file that reads them. What they said is handed on as a [`Now`].

use crate::moment::{Moment, Now};
use rustix::time::{ClockId, clock_gettime};
use smol::{Timer, future};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

/// No sleep is longer: `CLOCK_MONOTONIC`, on which the reactor sleeps, stops in suspend, `CLOCK_BOOTTIME` does not.
const LONGEST_SLEEP_MS: u64 = 60_000;

/// The day this program was built, `YYYY-MM-DD`; whoever builds a release sets `GUILD_BRIDGE_BUILD_DATE`.
pub const BUILD_DATE: &str = match option_env!("GUILD_BRIDGE_BUILD_DATE") {
    Some(date) => date,
    None => "2026-11-01",
};

/// The same in milliseconds since 1970. A wall clock before it is not set.
pub const BUILD_MS: u64 = days_since_1970(BUILD_DATE.as_bytes()) * 86_400_000;

/// Whether the wall clock can be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockState {
    /// It is after the build date.
    Set,
    /// It is before the build date: a board without a battery that has not heard the time yet.
    BeforeBuild,
}

impl ClockState {
    /// What `wall_ms` (milliseconds since 1970) says.
    #[must_use]
    pub fn of(wall_ms: u64) -> Self {
        if wall_ms < BUILD_MS { Self::BeforeBuild } else { Self::Set }
    }
}

/// What both clocks say.
#[must_use]
pub fn now() -> Now {
    Now { at: Moment(read(ClockId::Boottime)), wall_ms: read(ClockId::Realtime) }
}

/// `CLOCK_MONOTONIC` in microseconds, as a service manager wants it.
#[must_use]
pub fn monotonic_us() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let us = i128::from(time.tv_sec) * 1_000_000 + i128::from(time.tv_nsec) / 1_000;
    u64::try_from(us.max(0)).unwrap_or(u64::MAX)
}

/// Waits until `at`, in sleeps of at most 60 s, so that a resume from suspend is noticed.
pub async fn sleep_until(at: Moment) {
    loop {
        let rest_ms = at.since_ms(now().at);
        if rest_ms == 0 {
            return;
        }
        Timer::after(Duration::from_millis(rest_ms.min(LONGEST_SLEEP_MS))).await;
    }
}

/// Wakes for deadlines that move: one timer, which is set again only for an earlier one. Where a deadline moved on meanwhile
/// it wakes once for nothing; a timer set for each would wake the reactor each time.
#[derive(Default)]
pub struct Alarm {
    set: Option<(Moment, Timer)>,
}

impl Alarm {
    /// Waits until `due`, or for less.
    pub async fn wait(&mut self, due: Moment) {
        let now = now().at;
        if due <= now {
            return;
        }
        let at = due.min(now.after_ms(LONGEST_SLEEP_MS));
        let timer = match self.set.take() {
            Some((set, timer)) if set <= at && set > now => &mut self.set.insert((set, timer)).1,
            _ => &mut self.set.insert((at, Timer::after(Duration::from_millis(at.since_ms(now))))).1,
        };
        timer.await;
        self.set = None;
    }
}

/// `work`'s result, or `None` once `ms` have passed. Work that is ready at once starts no timer; work that becomes ready
/// only when it is asked at the deadline is late.
pub async fn within<T>(ms: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    if let Some(done) = future::poll_once(&mut work).await {
        return Some(done);
    }
    let late = async {
        sleep_until(now().at.after_ms(ms)).await;
        None
    };
    future::or(late, async { Some(work.await) }).await
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let ms = i128::from(time.tv_sec) * 1000 + i128::from(time.tv_nsec) / 1_000_000;
    u64::try_from(ms.max(0)).unwrap_or(u64::MAX)
}

/// Days from 1970-01-01 to `YYYY-MM-DD`; anything else does not compile.
const fn days_since_1970(date: &[u8]) -> u64 {
    assert!(date.len() == 10 && date[4] == b'-' && date[7] == b'-', "GUILD_BRIDGE_BUILD_DATE must be YYYY-MM-DD");
    let (year, month, day) = (number(date, 0, 4), number(date, 5, 7), number(date, 8, 10));
    assert!(year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31, "no such GUILD_BRIDGE_BUILD_DATE");
    // days from civil: the years of the sum begin in March, so that a leap day is a year's last
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + (day - 1) - 719_468
}

const fn number(text: &[u8], from: usize, to: usize) -> u64 {
    let (mut value, mut at) = (0, from);
    while at < to {
        assert!(text[at].is_ascii_digit(), "GUILD_BRIDGE_BUILD_DATE must be YYYY-MM-DD");
        value = value * 10 + (text[at] - b'0') as u64;
        at += 1;
    }
    value
}
