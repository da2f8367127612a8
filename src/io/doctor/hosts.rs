//! The hosts of a guild: names, addresses, TLS; each on a connection of its own that says nothing.

use super::expiry::not_after;
use super::{Found, Step, Verdict, found};
use crate::budget;
use crate::io::dns::Dns;
use crate::io::tls::{self, Rules};
use crate::io::{clip, clock, tcp};
use crate::moment::Now;
use crate::reason::{Reason, Why};
use crate::settings::Guild;
use rustls::pki_types::ServerName;
use smol::{Async, LocalExecutor};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use ureq::http::Uri;

/// A certificate that ends sooner is told.
const ENDS_SOON_MS: u64 = 14 * 86_400_000;

struct Host {
    name: String,
    port: u16,
    secure: bool,
}

/// The center's host and the guild's, or the one that is both. Ends with the first failure.
pub async fn look(executor: &LocalExecutor<'static>, dns: &Dns, guild: &Guild, rules: &[Arc<Rules>]) -> Vec<Found> {
    let mut all = Vec::new();
    for host in hosts(guild) {
        let begun = clock::now();
        let addresses = match dns.resolve(&host.name, host.port, budget::DNS_MS).await {
            Ok(addresses) => addresses,
            Err(why) => {
                all.push(failed(Step::Name, why, begun));
                return all;
            }
        };
        let listed: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        all.push(found(Step::Name, Verdict::Good, format!("{}: {}", clip(&host.name), listed.join(", ")), begun));
        let begun = clock::now();
        let stream = match knock(executor, dns, &host, &addresses).await {
            Ok((stream, verdict, seen)) => {
                all.push(found(Step::Tcp, verdict, seen, begun));
                stream
            }
            Err(why) => {
                all.push(failed(Step::Tcp, why, begun));
                return all;
            }
        };
        let (true, Some(rules)) = (host.secure, rules.first()) else { continue };
        let begun = clock::now();
        match shake(&host, stream, rules).await {
            Ok((verdict, seen)) => all.push(found(Step::Tls, verdict, seen, begun)),
            Err(why) => {
                all.push(failed(Step::Tls, why, begun));
                return all;
            }
        }
    }
    all
}

/// A certificate cannot be judged by a clock that is not set: then it is the clock that failed.
fn failed(step: Step, why: Why, begun: Now) -> Found {
    let unset = clock::ClockState::of(begun.wall_ms) == clock::ClockState::BeforeBuild;
    if step == Step::Tls && unset && why.reason != Reason::NetTimeout {
        return found(Step::Clock, Verdict::Failed(Reason::ClockUnset), why.to_string(), begun);
    }
    found(step, Verdict::Failed(why.reason), why.detail, begun)
}

fn hosts(guild: &Guild) -> Vec<Host> {
    let mut hosts: Vec<Host> = Vec::new();
    for url in [&guild.center, &guild.url] {
        let Ok(uri) = url.parse::<Uri>() else { continue };
        let secure = uri.scheme_str() == Some("https");
        let name = uri.host().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        if !hosts.iter().any(|host| host.name == name && host.port == port) {
            hosts.push(Host { name, port, secure });
        }
    }
    hosts
}

/// Each address by itself, all at once: one that does not answer slows every connection down.
async fn knock(
    executor: &LocalExecutor<'static>,
    dns: &Dns,
    host: &Host,
    addresses: &[SocketAddr],
) -> Result<(Async<TcpStream>, Verdict, String), Why> {
    let knocks: Vec<_> = addresses
        .iter()
        .map(|address| {
            let (ip, port, dns) = (address.ip().to_string(), host.port, dns.clone());
            executor.spawn(async move {
                let target = tcp::Target { host: &ip, port, loopback_only: false };
                tcp::connect(&dns, &target, budget::TCP_MS).await
            })
        })
        .collect();
    let (mut open, mut dead) = (None, Vec::new());
    for knock in knocks {
        match knock.await {
            Ok(stream) => open = open.or(Some(stream)),
            Err(why) => dead.push(why),
        }
    }
    let answer = addresses.len() - dead.len();
    let seen = format!("port {} answers at {answer} of {} address(es)", host.port, addresses.len());
    match (open, dead.into_iter().next()) {
        (Some(stream), None) => Ok((stream, Verdict::Good, seen)),
        (Some(stream), Some(why)) => Ok((stream, Verdict::Unsure, format!("{seen}; {why}"))),
        (None, Some(why)) => Err(why),
        (None, None) => Err(Why::new(Reason::NetDns, "the name has no address")),
    }
}

async fn shake(host: &Host, stream: Async<TcpStream>, rules: &Rules) -> Result<(Verdict, String), Why> {
    let bare = host.name.trim_start_matches('[').trim_end_matches(']');
    let told = |why: Why| Why::new(why.reason, format!("TLS with {}: {}", clip(&host.name), why.detail));
    let name =
        ServerName::try_from(bare.to_owned()).map_err(|_| told(Why::new(Reason::TlsName, "that is no host name")))?;
    let connector = futures_rustls::TlsConnector::from(rules.tls());
    let stream = match clock::within(budget::TLS_MS, connector.connect(name, stream)).await {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => {
            let broke =
                || Why::new(Reason::TlsFailed, format!("the handshake broke off: {}", clip(&error.to_string())));
            return Err(told(tls::reason_of_io(&error).unwrap_or_else(broke)));
        }
        None => {
            let text = format!("the handshake did not end within {} ms", budget::TLS_MS);
            return Err(told(Why::new(Reason::NetTimeout, text)));
        }
    };
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS 1.2",
    };
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let wall_ms = clock::now().wall_ms;
    Ok(match certificate.and_then(|der| not_after(der)) {
        Some(end) => {
            let (days, left) = (end.saturating_sub(wall_ms) / 86_400_000, end.saturating_sub(wall_ms));
            let verdict = if left < ENDS_SOON_MS { Verdict::Unsure } else { Verdict::Good };
            (verdict, format!("{}: {version}, certificate good for {days} more day(s)", clip(&host.name)))
        }
        None => (Verdict::Good, format!("{}: {version}, certificate good", clip(&host.name))),
    })
}
