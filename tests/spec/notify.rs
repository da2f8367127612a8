//! What a service manager is told.

use crate::folder::Folder;
use guild_bridge::io::clock;
use guild_bridge::io::notify::{Manager, sentence};
use guild_bridge::moment::Moment;
use guild_bridge::status::{LinkStatus, Status};
use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

fn manager(variables: &[(&str, &str)]) -> Manager {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(*value));
    Manager::of(find)
}

/// What it heard since this was last asked.
fn heard(ear: &UnixDatagram) -> Vec<String> {
    ear.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    std::iter::from_fn(|| ear.recv(&mut buffer).ok().map(|n| String::from_utf8(buffer[..n].to_vec()).unwrap()))
        .collect()
}

fn link(agent: &str, state: &'static str, reason: Option<&'static str>) -> LinkStatus {
    LinkStatus { agent: agent.into(), guild: "acme".into(), state, reason, ..LinkStatus::default() }
}

fn status(links: Vec<LinkStatus>) -> Status {
    Status { links, ..Status::default() }
}

#[test]
fn it_is_told_of_the_start_a_reload_and_the_end() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let ear = UnixDatagram::bind(&path).unwrap();
    let mut manager = manager(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    manager.ready();
    assert_eq!(heard(&ear), ["READY=1"]);
    manager.reloading();
    manager.ready();
    manager.stopping();
    let told = heard(&ear);
    assert!(told[0].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{told:?}");
    let us: u64 = told[0].rsplit('=').next().unwrap().parse().unwrap();
    assert!(clock::monotonic_us().abs_diff(us) < 60_000_000);
    assert_eq!(told[1..], ["READY=1", "STOPPING=1"]);
    assert_eq!(manager.deadline(), None, "without a watchdog nothing wakes the loop");
}

#[test]
fn a_name_in_the_abstract_namespace_is_one_too() {
    let name = format!("guild-bridge-test-{}", std::process::id());
    let ear = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    manager(&[("NOTIFY_SOCKET", &format!("@{name}"))]).ready();
    assert_eq!(heard(&ear), ["READY=1"]);
}

#[test]
fn the_watchdog_is_fed_thrice_in_its_time_and_only_where_it_is_meant_for_this_process() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let ear = UnixDatagram::bind(&path).unwrap();
    let mut fed = manager(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "60000000")]);
    fed.ready();
    let begun = clock::now().at;
    let mut feedings = 0;
    for second in 0..=60 {
        let now = begun.after_ms(second * 1_000);
        assert!(fed.deadline().unwrap().since_ms(now) <= 20_000);
        fed.tick(now, || status(Vec::new()));
        feedings += heard(&ear).iter().filter(|told| *told == "WATCHDOG=1").count();
    }
    assert_eq!(feedings, 3, "at 20, 40 and 60 s");
    let other = (std::process::id() + 1).to_string();
    let socket = ("NOTIFY_SOCKET", path.to_str().unwrap());
    assert_eq!(manager(&[socket, ("WATCHDOG_USEC", "60000000"), ("WATCHDOG_PID", &other)]).deadline(), None);
    for (usec, wants) in [("0", false), ("soon", false), ("1", true)] {
        assert_eq!(manager(&[socket, ("WATCHDOG_USEC", usec)]).deadline().is_some(), wants, "{usec}");
    }
}

#[test]
fn how_the_links_are_is_told_where_it_changed_and_at_most_once_in_5_s() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let ear = UnixDatagram::bind(&path).unwrap();
    let mut manager = manager(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let at = |ms: u64| Moment(1_000_000 + ms);
    let live = || status(vec![link("a", "live", None)]);
    let down = || status(vec![link("a", "backoff", Some("net.refused"))]);
    manager.tick(at(0), live);
    assert_eq!(heard(&ear), ["STATUS=1 of 1 links live"]);
    manager.tick(at(1_000), down);
    manager.tick(at(4_999), || panic!("looked at too often"));
    assert!(heard(&ear).is_empty());
    manager.tick(at(5_000), down);
    assert_eq!(heard(&ear), ["STATUS=0 of 1 links live; a@acme backoff (net.refused)"]);
    manager.tick(at(60_000), down);
    assert!(heard(&ear).is_empty());
}

#[test]
fn the_sentence_is_short_however_many_links_there_are() {
    let links: Vec<LinkStatus> = (0..256).map(|n| link(&format!("a{n}"), "unbound", Some("cfg.key_file"))).collect();
    let says = sentence(&links);
    assert!(
        says.starts_with("0 of 256 links live; a0@acme unbound (cfg.key_file); a1@") && says.ends_with("; …"),
        "{says}"
    );
    assert!(says.len() < 300);
}

#[test]
fn nobody_is_told_where_nobody_asked_and_a_manager_that_is_gone_or_deaf_holds_nothing_up() {
    let mut nobody = manager(&[("WATCHDOG_USEC", "1000")]);
    nobody.ready();
    nobody.tick(Moment(1), || panic!("nobody wants it"));
    assert_eq!(nobody.deadline(), None);
    manager(&[("NOTIFY_SOCKET", "/nowhere/at/all")]).ready();
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let ear = UnixDatagram::bind(&path).unwrap();
    let mut deaf = manager(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let begun = clock::now().at;
    (0..10_000).for_each(|_| deaf.ready());
    assert!(clock::now().at.since_ms(begun) < 5_000);
    assert!(!heard(&ear).is_empty());
    drop(ear);
    deaf.ready();
}
