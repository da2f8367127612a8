//! Lookups: one at a time, none for ever.

use guild_bridge::budget;
use guild_bridge::io::clock;
use guild_bridge::io::dns::Dns;
use guild_bridge::io::tcp::{Target, connect};
use guild_bridge::reason::{Reason, Why};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn resolve(dns: &Dns, host: &str, ms: u64) -> Result<Vec<SocketAddr>, Why> {
    smol::block_on(dns.resolve(host, 443, ms))
}

/// Finds these addresses for any name.
fn finding(addresses: &[&str]) -> Dns {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| ip(text)).collect();
    Dns::with(Box::new(move |_| Ok(addresses.clone())))
}

#[test]
fn an_address_needs_no_lookup() {
    let dns = Dns::with(Box::new(|host| panic!("{host} was looked up")));
    for (host, address) in [("192.0.2.7", "192.0.2.7"), ("[2001:db8::7]", "2001:db8::7"), ("::1", "::1")] {
        assert_eq!(resolve(&dns, host, 100).unwrap(), [SocketAddr::new(ip(address), 443)]);
    }
}

#[test]
fn this_machine_is_found_by_its_name() {
    let found = resolve(&Dns::system(), "localhost", 5_000).unwrap();
    assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 443), "{found:?}");
}

#[test]
fn families_take_turns_and_eight_addresses_are_enough() {
    let six: Vec<String> = (1..=9).map(|n| format!("2001:db8::{n}")).collect();
    let all = six.iter().map(String::as_str).chain(["192.0.2.1", "192.0.2.2"]).collect::<Vec<_>>();
    let found = resolve(&finding(&all), "many", 1_000).unwrap();
    let found: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
    assert_eq!(found[..5], ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3"]);
    assert_eq!(found.len(), budget::ADDRESSES);
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let dns = Dns::with(Box::new(|_| Err(std::io::Error::other("Name does not resolve"))));
    let why = resolve(&dns, "no.such.example", 1_000).unwrap_err();
    assert_eq!(why, Why::new(Reason::NetDns, "looking up `no.such.example`: Name does not resolve"));
    assert_eq!(resolve(&finding(&[]), "empty", 1_000).unwrap_err().reason, Reason::NetDns);
}

#[test]
fn askers_of_one_name_share_one_lookup() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let dns = Dns::with(Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(100));
        Ok(vec![ip("192.0.2.1")])
    }));
    let askers: Vec<_> =
        (0..8).map(|_| dns.clone()).map(|dns| std::thread::spawn(move || resolve(&dns, "x", 5_000))).collect();
    assert!(askers.into_iter().all(|asker| asker.join().unwrap().is_ok()));
    assert!(count.load(Ordering::SeqCst) <= 2);
}

#[test]
fn a_lookup_that_hangs_is_given_up_and_the_next_fail_at_once() {
    let dns = Dns::with(Box::new(|_| {
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    }));
    let why = resolve(&dns, "first", 100).unwrap_err();
    assert!(why.detail.contains("no answer within 100 ms"), "{why}");
    std::thread::sleep(Duration::from_millis(budget::DNS_MS + 50));
    let begun = clock::now().at;
    let why = resolve(&dns, "second", 5_000).unwrap_err();
    assert!(why.reason == Reason::NetDns && why.detail.contains("resolver busy"), "{why}");
    assert!(clock::now().at.since_ms(begun) < 100);
}

fn connected(dns: &Dns, port: u16) -> Result<SocketAddr, Why> {
    let target = Target { host: "guild.example", port, loopback_only: false };
    smol::block_on(connect(dns, &target, 5_000)).map(|stream| stream.get_ref().peer_addr().unwrap())
}

#[test]
fn a_dead_address_does_not_hide_a_living_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // refused, and then one that leads nowhere and is silent or unreachable
    for dead in ["127.0.0.77", "2001:db8::1"] {
        let begun = clock::now().at;
        assert_eq!(connected(&finding(&[dead, "127.0.0.1"]), port).unwrap().ip(), ip("127.0.0.1"));
        assert!(clock::now().at.since_ms(begun) < 2_000);
    }
}

#[test]
fn an_address_that_leads_nowhere_is_net_unreachable_where_no_other_helps() {
    // the kernel takes no connection to a multicast address and says what it says without a route
    for nowhere in ["ff0e::1", "224.0.0.1"] {
        let why = connected(&finding(&[nowhere]), 443).unwrap_err();
        assert!(why.reason == Reason::NetUnreachable && why.detail.contains(nowhere), "{why}");
    }
}

#[test]
fn when_every_address_fails_the_first_that_answered_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let why = connected(&finding(&["127.0.0.1", "127.0.0.2"]), closed.port()).unwrap_err();
    assert_eq!(why.reason, Reason::NetRefused);
    assert!(why.detail.starts_with(&format!("connecting to {closed}: ")), "{why}");
    assert!(why.detail.ends_with("(2 addresses tried)"), "{why}");
}
