//! Names to addresses, for both legs: one named thread, one lookup at a time. `getaddrinfo` cannot be cancelled, so a
//! lookup that hangs keeps the thread; until it comes back further lookups fail at once instead of piling up.

use super::clock;
use crate::budget;
use crate::moment::Moment;
use crate::reason::{Reason, Why};
use smol::channel::{Receiver, Sender, bounded};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a lookup is done with: the system's resolver, or a test's own.
pub type Lookup = Box<dyn Fn(&str) -> std::io::Result<Vec<IpAddr>> + Send>;

type Found = Result<Vec<IpAddr>, String>;

/// The resolver. Cheap to clone; its thread starts with the first name that is not an address, and ends with the last clone.
pub struct Dns {
    desk: Arc<Desk>,
}

struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(String, Sender<Found>)>,
    /// Clones of `Dns`: without one the thread ends.
    users: usize,
    /// Since when the thread has been at a lookup.
    busy_since: Option<Moment>,
    /// The thread is not started while this is here.
    lookup: Option<Lookup>,
}

impl Dns {
    /// The system's resolver.
    #[must_use]
    pub fn system() -> Self {
        Self::with(Box::new(|host| Ok((host, 0).to_socket_addrs()?.map(|found| found.ip()).collect())))
    }

    /// A resolver of one's own.
    #[must_use]
    pub fn with(lookup: Lookup) -> Self {
        let state = State { lookup: Some(lookup), users: 1, ..State::default() };
        Self { desk: Arc::new(Desk { state: Mutex::new(state), changed: Condvar::new() }) }
    }

    /// The addresses of `host` (a name, an IPv4 address, or an IPv6 address with or without brackets): at least one, at
    /// most 8, the families taking turns.
    ///
    /// # Errors
    /// `net.dns`, after `deadline_ms` at the latest.
    pub async fn resolve(&self, host: &str, port: u16, deadline_ms: u64) -> Result<Vec<SocketAddr>, Why> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(literal) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(literal, port)]);
        }
        let failed = |what: String| Why::new(Reason::NetDns, format!("looking up `{}`: {what}", super::clip(host)));
        let answer = self.ask(host).map_err(&failed)?;
        let found = match clock::within(deadline_ms, answer.recv()).await {
            Some(Ok(found)) => found.map_err(&failed)?,
            Some(Err(_)) => return Err(failed("the resolver's thread ended".into())),
            None => return Err(failed(format!("no answer within {deadline_ms} ms; check the board's DNS"))),
        };
        if found.is_empty() {
            return Err(failed("the name has no address".into()));
        }
        Ok(interleaved(&found).map(|ip| SocketAddr::new(ip, port)).collect())
    }

    fn ask(&self, host: &str) -> Result<Receiver<Found>, String> {
        let (sender, receiver) = bounded(1);
        let mut state = self.desk.lock();
        if let Some(since) = state.busy_since {
            let ms = clock::now().at.since_ms(since);
            if ms > budget::DNS_MS {
                return Err(format!(
                    "resolver busy: another lookup has hung for {} s; check the board's DNS",
                    ms / 1000
                ));
            }
        }
        // whoever gave up waiting makes room
        state.waiting.retain(|(_, asker)| !asker.is_closed());
        if state.waiting.len() >= budget::DNS_WAITING {
            return Err("resolver busy: too many lookups wait".into());
        }
        state.waiting.push_back((host.to_owned(), sender));
        if let Some(lookup) = state.lookup.take() {
            self.start(lookup)?;
        }
        self.desk.changed.notify_one();
        Ok(receiver)
    }

    fn start(&self, lookup: Lookup) -> Result<(), String> {
        let desk = self.desk.clone();
        let body = move || desk.serve(&lookup);
        let started = std::thread::Builder::new().name("dns".into()).stack_size(budget::DNS_STACK_BYTES).spawn(body);
        started.map(drop).map_err(|error| format!("the resolver's thread does not start: {error}"))
    }
}

impl Clone for Dns {
    fn clone(&self) -> Self {
        self.desk.lock().users += 1;
        Self { desk: self.desk.clone() }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.desk.lock().users -= 1;
        self.desk.changed.notify_one();
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, lookup: &Lookup) {
        while let Some(host) = self.next() {
            let found = lookup(&host).map_err(|error| super::clip(&error.to_string()));
            let mut state = self.lock();
            state.busy_since = None;
            // everybody who waits for this name has the answer; one who gave up does not hear it
            state.waiting.retain(|(asked, asker)| {
                let same = *asked == host;
                if same {
                    let _ = asker.try_send(found.clone());
                }
                !same
            });
        }
    }

    /// The next name to look up; `None` once nobody can ask any more.
    fn next(&self) -> Option<String> {
        let mut state = self.lock();
        loop {
            state.waiting.retain(|(_, asker)| !asker.is_closed());
            if let Some((host, _)) = state.waiting.front() {
                let host = host.clone();
                state.busy_since = Some(clock::now().at);
                return Some(host);
            }
            if state.users == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// At most 8, beginning with the family that the resolver put first, the families taking turns.
fn interleaved(found: &[IpAddr]) -> impl Iterator<Item = IpAddr> + use<> {
    let first_is_six = found.first().is_some_and(IpAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) = found.iter().partition(|ip| ip.is_ipv6() == first_is_six);
    first.dedup();
    second.dedup();
    let mut mixed = Vec::with_capacity(budget::ADDRESSES);
    for turn in 0..budget::ADDRESSES {
        mixed.extend(first.get(turn).into_iter().chain(second.get(turn)));
    }
    mixed.truncate(budget::ADDRESSES);
    mixed.into_iter()
}
