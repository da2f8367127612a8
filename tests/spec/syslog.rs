//! The system's log: a datagram a line, each with its own level.

use crate::folder::Folder;
use guild_bridge::io::lossy::Lossy;
use guild_bridge::io::syslog::Syslog;
use std::io::Write;
use std::os::unix::net::UnixDatagram;

fn heard(ear: &UnixDatagram) -> Vec<String> {
    ear.set_nonblocking(true).unwrap();
    let mut buffer = [0; 8192];
    std::iter::from_fn(|| ear.recv(&mut buffer).ok().map(|n| String::from_utf8(buffer[..n].to_vec()).unwrap()))
        .collect()
}

#[test]
fn each_line_goes_with_its_own_level_under_the_facility_of_daemons() {
    let folder = Folder::new();
    let path = folder.path().join("log");
    let ear = UnixDatagram::bind(&path).unwrap();
    let mut log = Syslog::open(&path).unwrap();
    log.write_all(b"<3>broken\n").unwrap();
    log.write_all(b"<6>recruiter: joined 2 channel(s) on acme\n").unwrap();
    log.write_all(b"<9>no level of ours\n").unwrap();
    log.write_all(b"plain").unwrap();
    let pid = std::process::id();
    let want = [
        format!("<27>guild-bridge[{pid}]: broken"),
        format!("<30>guild-bridge[{pid}]: recruiter: joined 2 channel(s) on acme"),
        format!("<28>guild-bridge[{pid}]: <9>no level of ours"),
        format!("<28>guild-bridge[{pid}]: plain"),
    ];
    assert_eq!(heard(&ear), want);
}

#[test]
fn a_log_that_is_started_again_is_found_again() {
    let folder = Folder::new();
    let path = folder.path().join("log");
    let first = UnixDatagram::bind(&path).unwrap();
    let mut log = Syslog::open(&path).unwrap();
    log.write_all(b"<6>one").unwrap();
    assert_eq!(heard(&first).len(), 1);
    drop(first);
    std::fs::remove_file(&path).unwrap();
    assert!(log.write_all(b"<6>to nobody").is_err());
    let second = UnixDatagram::bind(&path).unwrap();
    log.write_all(b"<6>two").unwrap();
    assert!(heard(&second)[0].ends_with(": two"));
    assert!(Syslog::open(folder.path().join("nobody")).is_err());
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up_and_the_number_dropped_is_said_as_a_warning() {
    let folder = Folder::new();
    let path = folder.path().join("log");
    let ear = UnixDatagram::bind(&path).unwrap();
    let mut log = Lossy::new(Syslog::open(&path).unwrap());
    (0..5_000).for_each(|n| log.write_all(format!("<6>line {n}\n").as_bytes()).unwrap());
    let kept = heard(&ear).len();
    assert!(kept > 0 && kept < 5_000, "{kept}");
    log.write_all(b"<6>again\n").unwrap();
    let told = heard(&ear);
    assert!(told[0].starts_with("<28>") && told[0].contains(&format!("{} line(s)", 5_000 - kept)), "{told:?}");
    assert!(told[1].ends_with(": again"), "{told:?}");
}
