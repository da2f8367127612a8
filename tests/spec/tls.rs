//! Certificates: every refusal has its own reason, on both legs; nothing is ever taken unchecked.

use crate::loopback::*;
use guild_bridge::call::{Answer, Call, Method, Sink, Ticket, Worker};
use guild_bridge::cli::status::View;
use guild_bridge::io::Happening;
use guild_bridge::io::clock::{self, BUILD_MS, ClockState};
use guild_bridge::io::http::Workers;
use guild_bridge::io::tls::{self, Rules};
use guild_bridge::io::websocket::Lines;
use guild_bridge::message::{Line, LinkId};
use guild_bridge::reason::{Reason, Why};
use smol::LocalExecutor;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_certificate_out_of_its_time_says_when_and_how_long_in_words() {
    use rustls::pki_types::UnixTime;
    use rustls::{CertificateError, Error};
    let at = |text: &str| {
        let ms = guild_bridge::moment::instant(text).unwrap();
        UnixTime::since_unix_epoch(Duration::from_millis(ms))
    };
    let (early, late) = (at("2024-01-01T00:00:00Z"), at("2024-01-31T06:30:00Z"));
    let over =
        tls::reason_of(&Error::InvalidCertificate(CertificateError::ExpiredContext { time: late, not_after: early }));
    assert_eq!(over, Why::new(Reason::TlsExpired, "the certificate ended 2024-01-01T00:00:00Z, 30days 6h ago"));
    let begins = CertificateError::NotValidYetContext { time: early, not_before: late };
    let begins = tls::reason_of(&Error::InvalidCertificate(begins));
    assert_eq!(begins, Why::new(Reason::TlsNotYet, "the certificate begins 2024-01-31T06:30:00Z, in 30days 6h"));
    let last = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let never =
        tls::reason_of(&Error::InvalidCertificate(CertificateError::ExpiredContext { time: last, not_after: last }));
    assert_eq!(never.detail, "the certificate ended 9999-12-31T23:59:59Z, 0s ago");
}

/// What an HTTPS call to `localhost` comes to, and whether it may have been sent.
fn called(address: SocketAddr, rules: Vec<Arc<Rules>>) -> Result<u16, (Why, bool)> {
    let (post, answers) = post();
    let workers = Workers::start(&post, &names(), rules).unwrap();
    let url = format!("https://localhost:{}/", address.port());
    let call = Call {
        worker: Worker::Call,
        method: Method::Get,
        url,
        bearer: None,
        idempotency_key: None,
        body: None,
        sink: Sink::Memory(1024),
        deadline_ms: 1_000,
        guild: 0,
    };
    workers.call(Ticket(1), Box::new(call)).unwrap();
    let Happening::Answer(_, answered) = answers.recv_blocking().unwrap() else { panic!("no answer") };
    match answered.as_answer() {
        Answer::Got(got) => Ok(got.status),
        Answer::Failed { why, sent } => Err((why, sent)),
    }
}

/// How a WebSocket to `localhost` is lost.
fn dialled(address: SocketAddr, rules: Vec<Arc<Rules>>) -> Why {
    let executor = Rc::new(LocalExecutor::new());
    let (post, heard) = post();
    let lines = Lines::new(executor.clone(), post, names(), rules, 65_536);
    lines.dial(Line { link: LinkId(1), attempt: 1 }, format!("wss://localhost:{}/", address.port()), 0);
    match smol::block_on(executor.run(heard.recv())).unwrap() {
        Happening::Lost(_, lost) => lost.why,
        _ => panic!("not lost"),
    }
}

fn showing(identity: &Identity) -> SocketAddr {
    let config = identity.config.clone();
    serve(move |stream| {
        let mut stream = Identity::accept(&config, stream);
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    })
}

fn refused_on_both_legs(identity: &Identity, authority: Option<&Path>, reason: Reason) {
    let (why, sent) = called(showing(identity), rules(authority)).unwrap_err();
    assert_eq!((why.reason, sent), (reason, false), "{why}");
    let why = dialled(showing(identity), rules(authority));
    assert_eq!(why.reason, reason, "{why}");
    assert!(why.detail.starts_with("TLS with localhost: "), "{why}");
}

#[test]
fn a_certificate_that_is_over_is_told() {
    let identity = Identity::of("localhost", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    refused_on_both_legs(&identity, Some(&identity.authority), Reason::TlsExpired);
}

#[test]
fn whoever_reads_that_a_certificate_is_over_is_told_of_the_boards_clock_too() {
    let json = r#"{"links":[{"agent":"rex","guild":"acme","state":"backoff","reason":"tls.expired"}]}"#;
    let screen = View::read(json).unwrap().screen(0);
    assert!(
        screen.contains("tls.expired: the server's certificate has expired, or the board's clock is ahead"),
        "{screen}"
    );
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_told() {
    let identity = Identity::of("localhost", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1));
    refused_on_both_legs(&identity, Some(&identity.authority), Reason::TlsNotYet);
}

#[test]
fn a_certificate_for_another_name_is_told() {
    let identity = Identity::of("elsewhere.example", |_| {});
    refused_on_both_legs(&identity, Some(&identity.authority), Reason::TlsName);
}

#[test]
fn an_authority_that_nobody_named_is_told() {
    let identity = Identity::of("localhost", |_| {});
    refused_on_both_legs(&identity, None, Reason::TlsUnknownCa);
    let other = Identity::of("localhost", |_| {});
    refused_on_both_legs(&identity, Some(&other.authority), Reason::TlsUnknownCa);
}

#[test]
fn a_certificate_that_signs_itself_is_told() {
    let identity = Identity::by_itself("localhost");
    refused_on_both_legs(&identity, None, Reason::TlsUnknownCa);
}

#[test]
fn a_chain_without_its_intermediate_is_told_and_nothing_is_fetched() {
    let whole = Identity::behind_an_intermediate("localhost", true);
    assert_eq!(called(showing(&whole), rules(Some(&whole.authority))).unwrap(), 200, "with it the chain is good");
    let broken = Identity::behind_an_intermediate("localhost", false);
    refused_on_both_legs(&broken, Some(&broken.authority), Reason::TlsUnknownCa);
}

#[test]
fn records_that_are_too_long_and_versions_that_are_too_old_are_told() {
    let too_long = [&[0x16, 3, 3, 0xff, 0xff][..], &[0; 65_535]].concat();
    let endless_handshake =
        [[0x16, 3, 3, 0x40, 0].as_slice(), &[2, 0xff, 0xff, 0xff], &[0; 16_380]].concat().repeat(40);
    // the alert with which a server of TLS 1.1 answers ours, and an empty one
    let alert = vec![0x15, 3, 1, 0, 2, 2, 70];
    for (bytes, word) in
        [(too_long, ""), (endless_handshake, ""), (alert, "ProtocolVersion"), (vec![0x15, 3, 1, 0, 0], "")]
    {
        let address = serve(move |mut stream| {
            let _ = stream.read(&mut [0; 16 * 1024]);
            let _ = stream.write_all(&bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        for why in [called(address, rules(None)).unwrap_err().0, dialled(address, rules(None))] {
            assert_eq!(why.reason, Reason::TlsFailed, "{why}");
            assert!(why.detail.contains(word), "{why}");
        }
    }
}

#[test]
fn what_is_not_tls_is_told() {
    let address = serve(|mut stream| drop(stream.write_all(b"HTTP/1.1 400 speak plainly\r\n\r\n")));
    assert_eq!(called(address, rules(None)).unwrap_err().0.reason, Reason::TlsFailed);
    assert_eq!(dialled(address, rules(None)).reason, Reason::TlsFailed);
}

#[test]
fn a_handshake_that_hangs_ends_at_the_deadline() {
    let address = serve(|mut stream: TcpStream| drop(stream.read_to_end(&mut Vec::new())));
    let begun = clock::now().at;
    let (why, sent) = called(address, rules(None)).unwrap_err();
    assert_eq!((why.reason, sent), (Reason::NetTimeout, false), "{why}");
    assert!(why.detail.contains("TLS with localhost"), "{why}");
    assert!(clock::now().at.since_ms(begun) < 2_500);
}

#[test]
fn a_body_without_length_that_ends_without_goodbye_is_not_whole() {
    let identity = Identity::of("localhost", |_| {});
    let config = identity.config.clone();
    let address = serve(move |stream| {
        let mut stream = Identity::accept(&config, stream);
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nperhaps more was to come");
        std::thread::sleep(Duration::from_millis(100));
    });
    let (why, sent) = called(address, rules(Some(&identity.authority))).unwrap_err();
    assert_eq!((why.reason, sent), (Reason::NetClosed, true), "{why}");
}

#[test]
fn an_extra_authority_that_cannot_be_read_is_said_plainly() {
    let empty = temporary("empty.pem");
    std::fs::write(&empty, "-----BEGIN NOTHING-----\n").unwrap();
    let broken = temporary("broken.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for path in [Path::new("/nowhere/ca.pem"), &empty, &broken] {
        let fault = Rules::of(&settings(Some(path))).unwrap_err();
        assert!(fault.starts_with("guild `acme`: `extra_ca` "), "{fault}");
        assert!(fault.contains(path.to_str().unwrap()), "{fault}");
    }
}

#[test]
fn guilds_with_the_same_authority_share_one_configuration() {
    let identity = Identity::of("localhost", |_| {});
    let mut settings = settings(Some(&identity.authority));
    settings.guilds.push(settings.guilds[0].clone());
    let rules = Rules::of(&settings).unwrap();
    assert!(Arc::ptr_eq(&rules[0].tls(), &rules[1].tls()));
    assert!(!Arc::ptr_eq(&rules[0].tls(), &tls::system()));
}

#[test]
fn a_clock_before_the_build_date_is_not_set() {
    assert_eq!(ClockState::of(0), ClockState::BeforeBuild);
    assert_eq!(ClockState::of(BUILD_MS - 1), ClockState::BeforeBuild);
    assert_eq!(ClockState::of(BUILD_MS), ClockState::Set);
    assert_eq!(BUILD_MS % 86_400_000, 0);
}
