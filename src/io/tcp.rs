//! One TCP connection to a host, for both legs: lookup, then its addresses 250 ms apart until one answers.

use super::clock;
use super::dns::Dns;
use crate::budget;
use crate::moment::Moment;
use crate::reason::{Reason, Why};
use smol::Async;
use std::future::{Future, poll_fn};
use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::Poll;

/// Where to, and under which rules.
pub struct Target<'a> {
    /// A name or an address, brackets allowed.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// Only addresses of this machine: plain text that the configuration does not allow beyond it.
    pub loopback_only: bool,
}

/// Connects, within `budget::DNS_MS` and `budget::TCP_MS` for each address, and `deadline_ms` in all.
///
/// # Errors
/// `net.dns`, `net.refused`, `net.unreachable`, `net.timeout`; the detail names the step and the address.
pub async fn connect(dns: &Dns, target: &Target<'_>, deadline_ms: u64) -> Result<Async<TcpStream>, Why> {
    let until = clock::now().at.after_ms(deadline_ms);
    let mut addresses = dns.resolve(target.host, target.port, deadline_ms.min(budget::DNS_MS)).await?;
    if target.loopback_only {
        addresses.retain(|address| address.ip().is_loopback());
        if addresses.is_empty() {
            let text = format!("plain text to `{}` refused: it needs `\"plaintext\": true`", super::clip(target.host));
            return Err(Why::new(Reason::TlsFailed, text));
        }
    }
    let stream = race(&addresses, until).await?;
    tune(stream.get_ref());
    Ok(stream)
}

type Attempt = Pin<Box<dyn Future<Output = Result<Async<TcpStream>, Error>> + Send>>;

/// The first that connects. The next address begins when the last failed or has been silent for the stagger.
async fn race(addresses: &[SocketAddr], until: Moment) -> Result<Async<TcpStream>, Why> {
    let mut waiting = addresses.iter().copied();
    let mut running: Vec<(SocketAddr, Attempt)> = Vec::new();
    let mut first_failure = None;
    loop {
        if let Some(address) = waiting.next() {
            running.push((address, Box::pin(attempt(address, until))));
        }
        let pause_ms = if waiting.len() > 0 { budget::STAGGER_MS } else { budget::TCP_MS };
        while !running.is_empty() {
            match clock::within(pause_ms, next(&mut running)).await {
                Some((_, Ok(stream))) => return Ok(stream),
                Some((address, Err(error))) => {
                    let better = first_failure.as_ref().is_none_or(|(_, known)| unreachable(known));
                    if better {
                        first_failure = Some((address, error));
                    }
                    if waiting.len() > 0 {
                        break;
                    }
                }
                None if waiting.len() > 0 => break,
                None => {}
            }
        }
        if running.is_empty() && waiting.len() == 0 {
            return Err(told(first_failure, addresses.len()));
        }
    }
}

async fn attempt(address: SocketAddr, until: Moment) -> Result<Async<TcpStream>, Error> {
    let ms = until.since_ms(clock::now().at).min(budget::TCP_MS);
    match clock::within(ms, Async::<TcpStream>::connect(address)).await {
        Some(result) => result,
        None => Err(Error::new(ErrorKind::TimedOut, format!("no answer within {ms} ms"))),
    }
}

/// The next attempt that ends, whichever it is; it is taken out.
async fn next(running: &mut Vec<(SocketAddr, Attempt)>) -> (SocketAddr, Result<Async<TcpStream>, Error>) {
    poll_fn(|context| {
        for at in 0..running.len() {
            if let Some((address, attempt)) = running.get_mut(at) {
                if let Poll::Ready(result) = attempt.as_mut().poll(context) {
                    let address = *address;
                    drop(running.swap_remove(at));
                    return Poll::Ready((address, result));
                }
            }
        }
        Poll::Pending
    })
    .await
}

fn unreachable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable)
}

fn told(failure: Option<(SocketAddr, Error)>, tried: usize) -> Why {
    let Some((address, error)) = failure else {
        return Why::new(Reason::NetUnreachable, "connecting: no address to try");
    };
    let reason = match error.kind() {
        ErrorKind::ConnectionRefused => Reason::NetRefused,
        ErrorKind::TimedOut => Reason::NetTimeout,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Reason::NetClosed,
        _ => Reason::NetUnreachable,
    };
    let among = if tried > 1 { format!(" ({tried} addresses tried)") } else { String::new() };
    Why::new(reason, format!("connecting to {address}: {error}{among}"))
}

/// Small frames go at once; a path that takes no bytes is noticed. Where the kernel lacks an option, deadlines remain.
fn tune(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, budget::UNACKED_MS);
}
