//! The history of `open-webui`: newest first, by offset. Its own ids say nothing of their order, so ours begin with the
//! time: `1795765370946067861.78f2b1d4-…`, and in a thread `….PARENT`.

use super::super::request::{get, percent};
use super::{OpenWebUi, rows};
use crate::budget;
use crate::call::Sink;
use crate::codec::json;
use crate::dialect::{Incoming, Request, Timeline};
use std::fmt::Write;

/// Nanoseconds in a millisecond.
const NS: u64 = 1_000_000;
/// Digits of a time: nanoseconds since 1970, until the year 2286.
const TIME_BYTES: usize = 19;

/// An id of ours.
pub fn id(time: u64, bare: &str, thread: Option<&str>) -> String {
    let mut id = String::with_capacity(TIME_BYTES + 1 + bare.len() + thread.map_or(0, |thread| 1 + thread.len()));
    // a string takes all that is written to it
    let _ = write!(id, "{time}.{bare}");
    if let Some(thread) = thread {
        id.push('.');
        id.push_str(thread);
    }
    id
}

/// The server's own id in one of ours, or in one that the server gave.
pub fn bare(id: &str) -> &str {
    id.split('.').nth(1).unwrap_or(id)
}

impl Timeline for OpenWebUi {
    fn time(&self, id: &str) -> Option<u64> {
        id.split('.').next()?.parse().ok()
    }

    fn place(&self, wall_ms: u64) -> String {
        wall_ms.saturating_mul(NS).to_string()
    }

    fn behind(&self, id: &str) -> String {
        id.split('.').next().unwrap_or_default().to_owned()
    }

    fn thread_of<'a>(&self, id: &'a str) -> Option<&'a str> {
        id.split('.').nth(2)
    }

    fn id_at(&self, time: u64, bare: &str) -> String {
        id(time, bare, None)
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        bare(one) == bare(other)
    }

    fn page(&self, channel: &str, thread: Option<&str>, skip: usize, limit: usize) -> Request {
        let rest = match thread {
            Some(thread) => format!("/messages/{}/thread?skip={skip}&limit={limit}", percent(thread)),
            None => format!("/messages?skip={skip}&limit={limit}"),
        };
        get(self.channel(channel, &rest), Sink::MemoryOrId(budget::HISTORY_BODY_BYTES))
    }

    fn threads(&self, body: &[u8], each: &mut dyn FnMut(&str, u64, u64)) {
        for row in json::rows(body).flatten() {
            let latest = json::member(row, "latest_reply_at").and_then(|at| at.parse().ok());
            let parent = rows::id(row);
            let time = parent.as_deref().and_then(|parent| self.time(parent));
            if let (Some(parent), Some(time), Some(latest)) = (parent, time, latest) {
                each(bare(&parent), time, latest);
            }
        }
    }

    fn detail(&self, channel: &str, id: &str) -> Request {
        let url = self.channel(channel, &format!("/messages/{}/data", percent(bare(id))));
        // what files hold may be copied into it
        get(url, Sink::Memory(budget::HISTORY_BODY_BYTES))
    }

    fn detailed(&self, body: &[u8], message: &mut Incoming<'_>) -> bool {
        let text = std::str::from_utf8(body).ok().filter(|text| json::scan(text).is_ok());
        let Some(data) = text else { return false };
        rows::detail(data, message);
        message.asks_nothing |= message.text.trim().is_empty() && message.attachments.is_empty();
        true
    }
}
