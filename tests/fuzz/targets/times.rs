//! Times that a guild writes: `Retry-After`, HTTP dates, ISO-8601, and the rest that follows.
#![no_main]

use guild_bridge::backoff::{Backoff, Outcome};
use guild_bridge::io::http::retry_after_ms;
use guild_bridge::moment::instant;
use guild_bridge_fuzz::{Feed, within};
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, UNIX_EPOCH};

fuzz_target!(|bytes: &[u8]| {
    let mut feed = Feed::new(bytes);
    let date_ms = feed.number();
    let text = feed.rest();
    within(16 * 1024 + 16 * text.len(), || {
        if let Some(ms) = retry_after_ms(text, Some(date_ms)) {
            waited(text, date_ms, ms);
        }
        if let Some(ms) = instant(text) {
            // what it says again is the same moment
            if let Some(time) = UNIX_EPOCH.checked_add(Duration::from_millis(ms)).filter(|_| ms < 253_402_300_800_000) {
                let again = humantime::format_rfc3339_millis(time).to_string();
                assert_eq!(instant(&again), Some(ms), "{text:?} is {again}");
            }
        }
    });
});

/// Seconds count as they are, a date from the answer's own; the rest is within its bounds.
fn waited(text: &str, date_ms: u64, ms: u64) {
    let text = text.trim();
    let date = httpdate::parse_http_date(text).ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    match (text.parse::<u64>(), date) {
        (Ok(s), _) => assert_eq!(ms, s.saturating_mul(1000)),
        (Err(_), Some(date)) => assert_eq!(u128::from(ms), date.as_millis().saturating_sub(u128::from(date_ms))),
        (Err(_), None) => assert!(ms == u64::MAX && text.bytes().all(|b| b.is_ascii_digit()), "{text:?} is {ms}"),
    }
    let mut rng = fastrand::Rng::with_seed(date_ms);
    let rest = Backoff::new(1_000, 120_000).rest_after(Outcome::ToldToWait(Duration::from_millis(ms)), &mut rng);
    let least = ms.clamp(1_000, 3_600_000);
    let rest = rest.as_millis();
    assert!((u128::from(least)..=u128::from(least + least / 4)).contains(&rest), "told {ms}, rests {rest}");
}
