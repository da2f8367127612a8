//! WebSockets over loopback: what arrives is told as it came, every end has its reason, once.

use crate::loopback::*;
use async_tungstenite::tungstenite::Utf8Bytes;
use guild_bridge::budget;
use guild_bridge::io::Happening;
use guild_bridge::io::websocket::Lines;
use guild_bridge::message::{Line, LinkId};
use guild_bridge::port::Lost;
use guild_bridge::reason::Reason;
use smol::LocalExecutor;
use smol::channel::Receiver;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

const LINE: Line = Line { link: LinkId(1), attempt: 1 };

/// One line on an executor of its own.
struct Seat {
    executor: Rc<LocalExecutor<'static>>,
    lines: Lines,
    heard: Receiver<Happening>,
}

impl Seat {
    fn dialling(url: String, extra_ca: Option<&Path>) -> Self {
        let executor = Rc::new(LocalExecutor::new());
        let (post, heard) = post();
        let lines = Lines::new(executor.clone(), post, names(), rules(extra_ca), budget::MESSAGE_BYTES);
        lines.dial(LINE, url, 0);
        Self { executor, lines, heard }
    }

    fn at(address: SocketAddr) -> Self {
        Self::dialling(format!("ws://{address}/socket.io/?EIO=4&transport=websocket"), None)
    }

    /// At a server that answers 101, does this and hangs up.
    fn after_101(then: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::at(serve(move |mut stream| {
            upgrade(&mut stream);
            then(&mut stream);
        }))
    }

    /// At a server that answers 101 and these frames, and then waits.
    fn hearing(frames: Vec<u8>) -> Self {
        Self::after_101(move |stream| {
            let _ = stream.write_all(&frames);
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    fn next(&self) -> Happening {
        smol::block_on(self.executor.run(async { self.heard.recv().await.unwrap() }))
    }

    fn text(&self) -> Utf8Bytes {
        match self.next() {
            Happening::Text(LINE, text) => text,
            Happening::Lost(_, lost) => panic!("{}", lost.why),
            _ => panic!("no text"),
        }
    }

    fn opened(&self) {
        match self.next() {
            Happening::Opened(LINE) => {}
            Happening::Lost(_, lost) => panic!("{}", lost.why),
            _ => panic!("not opened"),
        }
    }

    fn lost(&self) -> Lost {
        match self.next() {
            Happening::Lost(LINE, lost) => lost,
            Happening::Opened(_) => self.lost(),
            _ => panic!("not lost"),
        }
    }

    /// The end, after one text.
    fn after_text(&self) -> Lost {
        self.opened();
        self.text();
        self.lost()
    }

    /// Lets the background work on for a while.
    fn idle(&self, ms: u64) {
        smol::block_on(self.executor.run(smol::Timer::after(Duration::from_millis(ms))));
    }
}

#[test]
fn text_goes_both_ways_and_a_sent_frame_is_told() {
    let seat = Seat::after_101(|stream| {
        stream.write_all(&frame(0x81, b"0{}")).unwrap();
        let (_, text) = read_frame(stream);
        stream.write_all(&frame(0x81, &text)).unwrap();
        let _ = stream.read(&mut [0]);
    });
    seat.opened();
    assert_eq!(seat.text().as_str(), "0{}");
    seat.lines.send(LINE, "40{}".into());
    assert!(matches!(seat.next(), Happening::FrameSent(LINE)));
    assert_eq!(seat.text().as_str(), "40{}");
}

#[test]
fn an_upgrade_asks_for_no_extension_and_carries_no_token() {
    let (seen, request) = mpsc::channel();
    let seat = Seat::at(serve(move |mut stream| seen.send(upgrade(&mut stream)).unwrap()));
    seat.opened();
    let request = request.recv().unwrap();
    assert!(request.starts_with("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(&request, "sec-websocket-extensions"), None);
    assert_eq!(header(&request, "authorization"), None);
    assert!(header(&request, "user-agent").unwrap().starts_with("guild-bridge/"));
}

#[test]
fn an_answer_that_is_not_101_has_its_own_reason() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n28\r\n{\"code\":0,\"message\":\"Transport unknown\"}\r\n0\r\n\r\n";
    for (answer, reason) in [
        ("200 OK\r\nContent-Type: text/html\r\n\r\n<html>log in</html>", Reason::HttpPortal),
        ("302 Found\r\nLocation: http://portal/\r\n\r\n", Reason::HttpPortal),
        ("400 Bad Request\r\nContent-type: text/html\r\n\r\nTransport unknown", Reason::CfgTransport),
        (&format!("400 Bad Request\r\n{chunked}"), Reason::CfgTransport),
        ("400 Bad Request\r\n\r\nForbidden", Reason::AuthConnectError),
        ("401 Unauthorized\r\n\r\n", Reason::AuthConnectError),
        ("403 Forbidden\r\n\r\n", Reason::AuthConnectError),
        ("404 Not Found\r\n\r\n", Reason::CfgPath),
        ("426 Upgrade Required\r\n\r\n", Reason::CfgTransport),
        ("429 Too Many Requests\r\n\r\n", Reason::RateLimited),
        ("500 Internal Server Error\r\n\r\n", Reason::HttpStatus),
        ("502 Bad Gateway\r\n\r\n", Reason::GuildRestarting),
        ("503 Service Unavailable\r\n\r\n", Reason::GuildRestarting),
        ("504 Gateway Timeout\r\n\r\n", Reason::GuildRestarting),
    ] {
        let lost = Seat::at(answering(format!("HTTP/1.1 {answer}"))).lost();
        assert_eq!(lost.why.reason, reason, "{answer}: {}", lost.why);
        assert!(lost.why.detail.contains(answer.split(' ').next().unwrap()), "{}", lost.why);
    }
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let lost = Seat::at(answering("HTTP/1.1 503 X\r\nRetry-After: 9\r\n\r\n")).lost();
    assert_eq!((lost.why.reason, lost.retry_after_ms), (Reason::RateLimited, Some(9_000)));
}

#[test]
fn a_second_of_silence_and_a_hang_up_is_a_wrong_path() {
    let wrong_path = |pause_ms| {
        serve(move |mut stream| {
            read_request(&mut stream);
            std::thread::sleep(Duration::from_millis(pause_ms));
        })
    };
    assert_eq!(Seat::at(wrong_path(1_000)).lost().why.reason, Reason::CfgPath);
    assert_eq!(Seat::at(wrong_path(0)).lost().why.reason, Reason::NetClosed);
}

#[test]
fn another_engine_io_answers_http_behind_101_and_is_told() {
    let head = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\nContent-Length: 28\r\n\r\n";
    let seat = Seat::after_101(move |stream| {
        let _ = stream.write_all(format!("{head}Unsupported protocol version").as_bytes());
    });
    assert_eq!(seat.lost().why.reason, Reason::CfgTransport);
}

#[test]
fn a_handshake_that_breaks_the_rules_is_refused() {
    let wrong_key = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
    let flood = format!("HTTP/1.1 101 X\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    for bytes in [wrong_key, &flood, "SSH-2.0-OpenSSH_9\r\n\r\n"] {
        let lost = Seat::at(answering(bytes)).lost();
        assert_eq!(lost.why.reason, Reason::NetProtocol, "{}", lost.why);
    }
}

#[test]
fn a_compression_that_nobody_offered_is_refused() {
    let seat = Seat::at(serve(|mut stream| {
        upgrade_with(&mut stream, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    }));
    let lost = seat.lost();
    assert_eq!(lost.why.reason, Reason::NetProtocol);
    assert!(lost.why.detail.contains("permessage-deflate"), "{}", lost.why);
}

#[test]
fn frames_that_break_the_rules_end_the_session() {
    let too_long_a_ping = frame(0x89, &[0; 200]);
    let a_close_of_one_byte = frame(0x88, &[3]);
    let text_within_text = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    let masked = vec![0x81, 0x81, 0, 0, 0, 0, b'a'];
    for bytes in [
        frame(0xc1, b"rsv1"),
        frame(0x83, b"opcode 3"),
        frame(0x80, b"nothing to continue"),
        frame(0x81, b"\xff\xfe"),
        too_long_a_ping,
        a_close_of_one_byte,
        text_within_text,
        masked,
    ] {
        // heard something first: this is not another Engine.IO
        let lost = Seat::hearing([frame(0x81, b"0{}"), bytes.clone()].concat()).after_text();
        assert_eq!(lost.why.reason, Reason::NetProtocol, "{bytes:x?}: {}", lost.why);
    }
}

#[test]
fn a_message_over_the_bound_is_refused_before_it_is_read() {
    let lying = vec![0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0];
    let in_pieces = (0..3).flat_map(|n| frame(if n == 0 { 0x01 } else { 0x00 }, &[b'x'; 40_000])).collect();
    for bytes in [lying, in_pieces] {
        let lost = Seat::hearing(bytes).lost();
        assert_eq!(lost.why.reason, Reason::NetTooBig, "{}", lost.why);
    }
}

#[test]
fn a_message_of_the_longest_kind_is_taken() {
    let seat = Seat::hearing(frame(0x81, &[b'x'; 65_535]));
    seat.opened();
    assert_eq!(seat.text().len(), 65_535);
}

#[test]
fn a_flood_without_a_message_ends_the_session() {
    let pings = frame(0x89, b"").repeat(5_000);
    let empty_pieces = [frame(0x01, b"a"), frame(0x00, b"").repeat(200_000)].concat();
    for bytes in [pings, empty_pieces] {
        let lost = Seat::hearing(bytes).lost();
        assert_eq!(lost.why.reason, Reason::NetProtocol, "{}", lost.why);
        assert!(lost.why.detail.contains("flood"), "{}", lost.why);
    }
}

#[test]
fn a_ping_of_the_websocket_is_answered_and_not_told() {
    let seat = Seat::after_101(|stream| {
        stream.write_all(&frame(0x89, b"p")).unwrap();
        let (first, payload) = read_frame(stream);
        stream.write_all(&frame(0x81, format!("{first:x} {}", payload.len()).as_bytes())).unwrap();
        let _ = stream.read(&mut [0]);
    });
    seat.opened();
    assert_eq!(seat.text().as_str(), "8a 1");
}

#[test]
fn a_binary_message_tells_its_length_alone() {
    let seat = Seat::hearing(frame(0x82, &[0; 300]));
    seat.opened();
    assert!(matches!(seat.next(), Happening::Binary(LINE, 300)));
}

#[test]
fn a_close_frame_has_its_reason_and_its_fin_is_not_waited_for() {
    for (code, reason) in [
        (1001, Reason::GuildRestarting),
        (1012, Reason::GuildRestarting),
        (4001, Reason::AuthDisconnected),
        (4401, Reason::AuthDisconnected),
        (1000, Reason::NetClosed),
        (1009, Reason::NetClosed),
    ] {
        let payload = [&u16::to_be_bytes(code), b"token expired".as_slice()].concat();
        let lost = Seat::hearing(frame(0x88, &payload)).lost();
        assert_eq!(lost.why.reason, reason, "{}", lost.why);
        assert!(lost.why.detail.contains(&code.to_string()) && lost.why.detail.contains("token expired"));
    }
    assert_eq!(Seat::hearing(frame(0x88, b"")).lost().why.reason, Reason::NetClosed);
}

#[test]
fn a_connection_that_is_cut_is_closed_by_the_network() {
    assert_eq!(Seat::after_101(|_| {}).lost().why.reason, Reason::NetClosed);
    let mid_frame = Seat::after_101(|stream| drop(stream.write_all(&[0x81, 100, b'x'])));
    assert_eq!(mid_frame.lost().why.reason, Reason::NetClosed);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(Seat::at(closed).lost().why.reason, Reason::NetRefused);
}

#[test]
fn a_url_that_leads_nowhere_is_told() {
    for url in ["http://127.0.0.1/", "ws:///x", "ws://a b/"] {
        assert_eq!(Seat::dialling(url.into(), None).lost().why.reason, Reason::CfgPath, "{url}");
    }
    let beyond = Seat::dialling("ws://192.0.2.1/".into(), None).lost();
    assert!(beyond.why.detail.contains("plaintext"), "{}", beyond.why);
}

#[test]
fn hanging_up_sends_the_last_texts_and_a_close_frame_and_says_nothing_more() {
    let (seen, frames) = mpsc::channel();
    let seat = Seat::after_101(move |stream| {
        let last = [read_frame(stream), read_frame(stream)];
        seen.send((last, read_frame(stream).0)).unwrap();
        let _ = stream.write_all(&frame(0x81, b"too late"));
    });
    seat.opened();
    seat.lines.hang_up(LINE, vec!["42[]".into(), "41".into()]);
    seat.idle(300);
    assert_eq!(frames.recv().unwrap(), ([(0x81, b"42[]".to_vec()), (0x81, b"41".to_vec())], 0x88));
    assert!(seat.heard.is_empty() && seat.lines.count() == 0);
}

#[test]
fn hanging_up_while_dialling_ends_the_dial() {
    let (seen, ended) = mpsc::channel();
    let seat = Seat::at(serve(move |mut stream| {
        read_request(&mut stream);
        seen.send(stream.read(&mut [0]).unwrap()).unwrap();
    }));
    seat.idle(200);
    seat.lines.hang_up(LINE, Vec::new());
    seat.idle(50);
    assert_eq!(ended.recv_timeout(Duration::from_secs(2)).unwrap(), 0);
    assert!(seat.heard.is_empty());
}

#[test]
fn a_server_that_reads_nothing_is_given_up_at_the_deadline() {
    let seat = Seat::after_101(|_| std::thread::sleep(Duration::from_secs(15)));
    seat.opened();
    let begun = guild_bridge::io::clock::now().at;
    let lost = loop {
        seat.lines.send(LINE, "x".repeat(60_000).into());
        match seat.next() {
            Happening::FrameSent(LINE) => {}
            Happening::Lost(LINE, lost) => break lost,
            _ => panic!("neither sent nor lost"),
        }
    };
    assert_eq!(lost.why.reason, Reason::NetTimeout, "{}", lost.why);
    assert!(guild_bridge::io::clock::now().at.since_ms(begun) < budget::WRITE_MS + 3_000);
}

#[test]
fn text_goes_both_ways_over_tls() {
    let identity = Identity::of("localhost", |_| {});
    let config = identity.config.clone();
    let address = serve(move |stream| {
        let mut stream = Identity::accept(&config, stream);
        upgrade(&mut stream);
        let (_, text) = read_frame(&mut stream);
        let _ = stream.write_all(&frame(0x81, &text));
    });
    let url = format!("wss://localhost:{}/socket.io/", address.port());
    let seat = Seat::dialling(url, Some(&identity.authority));
    seat.opened();
    seat.lines.send(LINE, "hello".into());
    assert!(matches!(seat.next(), Happening::FrameSent(LINE)));
    assert_eq!(seat.text().as_str(), "hello");
}
