//! `page`: one small page over HTTP/1.1 to look at, its live feed (server-sent events), and `/metrics`. It reads and never
//! changes anything: GET only. A browser that was lured to this address under another name is turned away by its Host
//! (DNS rebinding); no other site may read the answers, since none of them says that it may. Who may connect is decided by
//! the address that it listens at.

pub mod request;

use super::{Post, Seen, clock, look};
use crate::budget;
use crate::metrics;
use crate::reason::Reason;
use crate::settings;
use request::{Refusal, asked};
use serde::Serialize;
use smol::io::AsyncWriteExt;
use smol::{Async, LocalExecutor, Task};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::rc::{Rc, Weak};

/// What the page consists of: path, content type, text. At most 20 KB in all.
pub const PARTS: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
];

/// Nothing from elsewhere, nothing inline, in nobody's frame, kept by nobody.
const GUARDS: &str = "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n";

/// The page, while it is served. With it go its connections.
pub struct Page {
    _accepting: Task<()>,
}

impl Page {
    /// Listens.
    ///
    /// # Errors
    /// A sentence with the address and what to do.
    pub fn open(page: &settings::Page, executor: &Rc<LocalExecutor<'static>>, post: Post) -> Result<Self, String> {
        let listener = Async::<TcpListener>::bind(page.listen).map_err(|error| {
            format!("{} cannot be listened at: {error}; free it, or give `page` another address", page.listen)
        })?;
        let names = Rc::new(page.clone());
        Ok(Self { _accepting: executor.spawn(accept(listener, Rc::downgrade(executor), names, post)) })
    }
}

async fn accept(
    listener: Async<TcpListener>,
    executor: Weak<LocalExecutor<'static>>,
    page: Rc<settings::Page>,
    post: Post,
) {
    let mut guests: Vec<Task<()>> = Vec::new();
    let readers = Rc::new(Cell::new(0));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // out of descriptors, most likely: trying at once would spin
                log::warn!("page: {}: {error}", Reason::HostShort);
                clock::sleep_until(clock::now().at.after_ms(1000)).await;
                continue;
            }
        };
        guests.retain(|guest| !guest.is_finished());
        let Some(executor) = executor.upgrade() else { return };
        let full = guests.len() >= budget::PAGE_CLIENTS;
        let (page, post, readers) = (page.clone(), post.clone(), readers.clone());
        guests.push(executor.spawn(async move {
            if full {
                let what = format!("{} browsers are here already; close one", budget::PAGE_CLIENTS);
                return refuse(&stream, &Refusal { status: "503 Service Unavailable", allow: None, what }).await;
            }
            serve(&stream, &page, &post, &readers).await;
        }));
        // those beyond the bound are told and gone soon; no more of them are kept than of the others
        if guests.len() > 2 * budget::PAGE_CLIENTS {
            drop(guests.pop());
        }
    }
}

/// One request, one answer.
async fn serve(stream: &Async<TcpStream>, page: &settings::Page, post: &Post, readers: &Rc<Cell<usize>>) {
    let path = match clock::within(budget::PAGE_MS, asked(stream, page)).await {
        Some(Ok(path)) => path,
        Some(Err(Some(refusal))) => return refuse(stream, &refusal).await,
        None | Some(Err(None)) => return,
    };
    match path.as_str() {
        "/events" => match Reader::seated(readers) {
            Some(_reader) => events(stream, post).await,
            None => {
                let what = format!("{} browsers follow the page already; close one", budget::PAGE_READERS);
                refuse(stream, &Refusal { status: "503 Service Unavailable", allow: None, what }).await;
            }
        },
        "/metrics" => {
            let Some(seen) = look(post, false).await else { return };
            answer(stream, "200 OK", metrics::CONTENT_TYPE, "", &metrics::exposition(&seen.status)).await;
        }
        _ => match PARTS.iter().find(|(at, ..)| *at == path) {
            Some((_, kind, text)) => answer(stream, "200 OK", kind, "", text).await,
            None => {
                let what = "there is nothing at this path; there are / and /metrics".to_owned();
                refuse(stream, &Refusal { status: "404 Not Found", allow: None, what }).await;
            }
        },
    }
}

/// A browser that follows the feed: some places are left for those who look once.
struct Reader(Rc<Cell<usize>>);

impl Reader {
    fn seated(readers: &Rc<Cell<usize>>) -> Option<Self> {
        let there = readers.get();
        (there < budget::PAGE_READERS).then(|| {
            readers.set(there + 1);
            Self(readers.clone())
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

async fn refuse(stream: &Async<TcpStream>, refusal: &Refusal) {
    let text = format!("{}\n", refusal.what);
    let allow = refusal.allow.map(|methods| format!("Allow: {methods}\r\n")).unwrap_or_default();
    answer(stream, refusal.status, "text/plain; charset=utf-8", &allow, &text).await;
}

async fn answer(stream: &Async<TcpStream>, status: &str, kind: &str, more: &str, body: &str) {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{GUARDS}{more}\r\n", body.len());
    if say(stream, &(head + body)).await {
        hang_up(stream).await;
    }
}

/// Writes; false when the other side is gone or takes nothing.
async fn say(mut stream: &Async<TcpStream>, text: &str) -> bool {
    matches!(clock::within(budget::PAGE_MS, stream.write_all(text.as_bytes())).await, Some(Ok(())))
}

/// What it still says is read and not looked at: closing before would reset the connection under the answer.
async fn hang_up(mut stream: &Async<TcpStream>) {
    let _ = stream.get_ref().shutdown(std::net::Shutdown::Write);
    let rest = async {
        let mut piece = [0; 512];
        let mut left = 128_u32;
        while left > 0 && matches!(smol::io::AsyncReadExt::read(&mut stream, &mut piece).await, Ok(1..)) {
            left -= 1;
        }
    };
    clock::within(1_000, rest).await;
}

/// What the feed says: the status, and the clock that its times are by.
#[derive(Serialize)]
struct Told<'a> {
    at_ms: u64,
    status: &'a crate::status::Status,
}

/// Every reason's sentence, for the page to stand beside its code.
fn sentences() -> String {
    let of = |reason: &Reason| (reason.code(), reason.sentence());
    let all: BTreeMap<&str, &str> = Reason::ALL.iter().map(of).collect();
    serde_json::to_string(&all).unwrap_or_default()
}

/// The live feed: the reasons once, the status every `budget::PAGE_LOOK_MS`, the days every ten seconds.
async fn events(stream: &Async<TcpStream>, post: &Post) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{GUARDS}\r\nretry: 2000\n\nevent: reasons\ndata: {}\n\n",
        sentences()
    );
    if !say(stream, &head).await {
        return;
    }
    let mut days_due = clock::now().at;
    loop {
        let due = days_due <= clock::now().at;
        let Some(seen) = look(post, due).await else { return };
        let Seen { status, days, at_ms } = &*seen;
        let mut text = String::new();
        if let Some(days) = days {
            days_due = clock::now().at.after_ms(budget::PAGE_DAYS_MS);
            // plain values with string keys: serde_json cannot fail at them
            text = format!("event: days\ndata: {}\n\n", serde_json::to_string(days).unwrap_or_default());
        }
        let told = serde_json::to_string(&Told { at_ms: *at_ms, status }).unwrap_or_default();
        text += &format!("event: status\ndata: {told}\n\n");
        if !say(stream, &text).await {
            return;
        }
        // a browser that leaves is noticed at once
        if clock::within(budget::PAGE_LOOK_MS, left(stream)).await.is_some() {
            return;
        }
    }
}

/// Ends when the browser does. It has nothing more to say.
async fn left(mut stream: &Async<TcpStream>) {
    let mut piece = [0; 64];
    while matches!(smol::io::AsyncReadExt::read(&mut stream, &mut piece).await, Ok(1..)) {}
}
