//! Steps of the wall clock, as they happen: a timer on `CLOCK_REALTIME` that the kernel cancels when somebody sets it
//! (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). It costs no wake-up while nobody does.

use super::control::NOBODY;
use super::{Happening, Post, clock};
use crate::moment::Now;
use crate::port::Command;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use smol::Async;

/// A smaller step is no news: certificates and backoffs do not notice it.
const STEP_MS: u64 = 10_000;
/// The timer's own end, ten years away: nobody waits for it.
const AWAY_S: i64 = 10 * 366 * 86_400;

/// Posts a nudge after each step, as long as the daemon runs: a link that rests because the clock was not set tries at once.
pub async fn pump(post: Post) {
    let timer = match timer() {
        Ok(timer) => timer,
        Err(error) => {
            log::info!("steps of the clock are not noticed at once: {error}");
            return;
        }
    };
    let mut before = clock::now();
    loop {
        if let Err(error) = arm(&timer) {
            log::info!("steps of the clock are no longer noticed at once: {error}");
            return;
        }
        // one that came between the arming and here is seen by the difference
        let set = async { timer.readable().await.is_ok() };
        if !set.await {
            return;
        }
        let mut spent = [0; 8];
        let _ = rustix::io::read(&timer, &mut spent);
        let now = clock::now();
        if let Some(step_ms) = step(before, now) {
            log::info!("the clock was set by {:+} s; links that rest try now", step_ms / 1_000);
            if post.send(Happening::Control(NOBODY, Command::Nudge)).await.is_err() {
                return;
            }
        }
        before = now;
    }
}

/// By how much the wall clock stepped between two looks, where it is worth a word: ahead, or (negative) back.
#[must_use]
pub fn step(before: Now, now: Now) -> Option<i64> {
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let passed = signed(now.at.since_ms(before.at));
    let step_ms = signed(now.wall_ms).saturating_sub(signed(before.wall_ms)).saturating_sub(passed);
    (step_ms.unsigned_abs() >= STEP_MS).then_some(step_ms)
}

fn timer() -> std::io::Result<Async<OwnedFd>> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    Async::new_nonblocking(timer)
}

fn arm(timer: &Async<OwnedFd>) -> Result<(), Errno> {
    let now_s = i64::try_from(clock::now().wall_ms / 1_000).unwrap_or_default();
    let end = Timespec { tv_sec: now_s.saturating_add(AWAY_S), tv_nsec: 0 };
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    match timerfd_settime(timer.as_fd(), flags, &Itimerspec { it_interval: never, it_value: end }) {
        // the step before was not read: it is armed all the same
        Ok(_) | Err(Errno::CANCELED) => Ok(()),
        Err(error) => Err(error),
    }
}
