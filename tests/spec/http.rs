//! Calls over loopback: every answer of a server is an answer, everything else is a reason.

use crate::loopback::*;
use guild_bridge::budget;
use guild_bridge::call::{Answer, Call, Method, Sink, Ticket, Worker};
use guild_bridge::io::Happening;
use guild_bridge::io::http::{Answered, Workers, retry_after_ms};
use guild_bridge::moment::Moment;
use guild_bridge::reason::Reason;
use guild_bridge::token::FreshToken;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

fn get(url: String) -> Box<Call> {
    Box::new(Call {
        worker: Worker::Call,
        method: Method::Get,
        url,
        bearer: None,
        idempotency_key: None,
        body: None,
        sink: Sink::Memory(1024),
        deadline_ms: 5_000,
        guild: 0,
    })
}

fn at(address: SocketAddr) -> Box<Call> {
    get(format!("http://{address}/channels"))
}

fn made(call: Box<Call>) -> Answered {
    made_with(call, None)
}

fn made_with(call: Box<Call>, extra_ca: Option<&Path>) -> Answered {
    let (post, answers) = post();
    let workers = Workers::start(&post, &names(), rules(extra_ca)).unwrap();
    if let Err(answered) = workers.call(Ticket(1), call) {
        return *answered;
    }
    match answers.recv_blocking().unwrap() {
        Happening::Answer(Ticket(1), answered) => answered,
        _ => panic!("not the answer"),
    }
}

fn got(answered: &Answered) -> guild_bridge::call::Got<'_> {
    match answered.as_answer() {
        Answer::Got(got) => got,
        Answer::Failed { why, .. } => panic!("{why}"),
    }
}

/// Reason, whether a byte may have been sent, detail.
fn failed(answered: &Answered) -> (Reason, bool, String) {
    match answered.as_answer() {
        Answer::Got(got) => panic!("{got:?}"),
        Answer::Failed { why, sent } => (why.reason, sent, why.detail),
    }
}

#[test]
fn a_call_carries_its_token_key_and_body_and_brings_the_answer() {
    let (seen, request) = mpsc::channel();
    let address = serve(move |mut stream| {
        seen.send(read_request(&mut stream)).unwrap();
        let _ = stream.write_all(OK.as_bytes());
    });
    let mut call = at(address);
    (call.method, call.body) = (Method::Post, Some(r#"{"text":"hi"}"#.into()));
    call.bearer = Some(FreshToken::minted("t0ken", Moment(0), None).unwrap().for_calls());
    call.idempotency_key = Some("k1".into());
    let answered = made(call);
    assert_eq!((got(&answered).status, got(&answered).body), (200, b"{}".as_slice()));
    let request = request.recv().unwrap();
    assert_eq!(header(&request, "authorization").unwrap(), "Bearer t0ken");
    assert_eq!(header(&request, "idempotency-key").unwrap(), "k1");
    assert!(request.starts_with("POST /channels HTTP/1.1\r\n") && request.ends_with(r#"{"text":"hi"}"#));
}

#[test]
fn a_mint_asks_caches_to_stay_out() {
    let (seen, request) = mpsc::channel();
    let address = serve(move |mut stream| {
        seen.send(read_request(&mut stream)).unwrap();
        let _ = stream.write_all(OK.as_bytes());
    });
    let mut call = at(address);
    call.worker = Worker::Mint;
    assert_eq!(got(&made(call)).status, 200);
    let request = request.recv().unwrap();
    assert_eq!(header(&request, "cache-control").unwrap(), "no-store");
    assert_eq!(header(&request, "accept").unwrap(), "application/json");
    assert!(header(&request, "user-agent").unwrap().starts_with("guild-bridge/"));
    assert_eq!(header(&request, "authorization"), None);
}

#[test]
fn any_status_is_an_answer_and_a_redirect_is_not_followed() {
    for status in [204, 302, 401, 404, 422, 500, 503] {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(got(&made(at(answering(head)))).status, status);
    }
}

#[test]
fn early_hints_are_passed_over() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(100);
    assert_eq!(got(&made(at(answering(hints + OK)))).status, 200);
}

#[test]
fn an_answers_headers_say_when_to_come_back_and_that_a_post_was_known() {
    let head = "HTTP/1.1 429 X\r\nDate: Mon, 23 Nov 2026 15:00:00 GMT\r\nIdempotent-Replayed: true\r\n\
                Retry-After: Mon, 23 Nov 2026 15:00:07 GMT\r\nContent-Type: text/html; x\r\nContent-Length: 0\r\n\r\n";
    let answered = made(at(answering(head)));
    let got = got(&answered);
    assert_eq!((got.retry_after_ms, got.date_ms, got.replayed), (Some(7_000), Some(1_795_446_000_000), true));
    assert_eq!(got.content_type.as_deref(), Some("text/html; x"));
}

#[test]
fn a_retry_after_is_seconds_or_a_date_and_never_overflows() {
    let date = Some(1_795_446_000_000);
    assert_eq!(retry_after_ms(" 3 ", date), Some(3_000));
    assert_eq!(retry_after_ms("99999999999999999999999", date), Some(u64::MAX));
    assert_eq!(retry_after_ms("18446744073709551615", date), Some(u64::MAX));
    assert_eq!(retry_after_ms("Mon, 23 Nov 2026 14:00:00 GMT", date), Some(0));
    for nothing in ["", "-1", "soon", "1.5", "Mon, 99 Nov 2026 15:00:00 GMT"] {
        assert_eq!(retry_after_ms(nothing, date), None, "{nothing}");
    }
}

#[test]
fn a_body_over_its_bound_is_cut_and_says_so() {
    let endless = |mut stream: std::net::TcpStream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while stream.write_all(&[b"1000\r\n".as_slice(), &[b' '; 4096], b"\r\n"].concat()).is_ok() {}
    };
    let answered = made(at(serve(endless)));
    assert_eq!((got(&answered).body.len(), got(&answered).cut), (1024, true));
}

#[test]
fn a_body_that_just_fits_is_not_cut() {
    let answered = made(at(answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n{}", "x".repeat(1024)))));
    assert_eq!((got(&answered).body.len(), got(&answered).cut), (1024, false));
}

#[test]
fn a_page_with_one_huge_message_still_tells_its_id() {
    let body = format!(r#"[{{"text":"{}","id":"m7"}}]"#, "x".repeat(300_000));
    let mut call = at(answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())));
    call.sink = Sink::MemoryOrId(1024);
    let answered = made(call);
    assert_eq!((got(&answered).cut, got(&answered).first_id.as_deref()), (true, Some("m7")));
}

#[test]
fn what_is_not_http_is_a_protocol_fault_and_may_have_been_sent() {
    let flood = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(50_000));
    for bytes in ["SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", &flood] {
        let (reason, sent, detail) = failed(&made(at(answering(bytes))));
        assert_eq!((reason, sent), (Reason::NetProtocol, true), "{detail}");
        assert!(detail.starts_with("GET 127.0.0.1/channels: "), "{detail}");
    }
}

#[test]
fn a_body_that_ends_early_is_not_taken_for_whole() {
    let heads = ["Content-Length: 9\r\n\r\nshort", "Transfer-Encoding: chunked\r\n\r\n9\r\nshort", "Content-Le"];
    for head in heads {
        let (reason, sent, detail) = failed(&made(at(answering(format!("HTTP/1.1 200 OK\r\n{head}")))));
        assert_eq!((reason, sent), (Reason::NetClosed, true), "{head}: {detail}");
    }
}

#[test]
fn a_server_that_drips_is_cut_off_at_the_deadline() {
    for head in ["HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"] {
        let mut call = at(serve(move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(b"H").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }));
        call.deadline_ms = 400;
        let begun = guild_bridge::io::clock::now().at;
        let (reason, _, detail) = failed(&made(call));
        assert_eq!(reason, Reason::NetTimeout, "{detail}");
        assert!((400..1400).contains(&guild_bridge::io::clock::now().at.since_ms(begun)));
    }
}

#[test]
fn a_request_that_never_left_is_known_not_to_be_sent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (reason, sent, detail) = failed(&made(at(closed)));
    assert_eq!((reason, sent), (Reason::NetRefused, false));
    assert!(detail.contains(&format!("connecting to {closed}")), "{detail}");
    let (reason, sent, _) = failed(&made(get("http://a b/".into())));
    assert_eq!((reason, sent), (Reason::CfgPath, false));
}

#[test]
fn plain_text_beyond_loopback_is_refused_by_the_worker_itself() {
    let (reason, sent, detail) = failed(&made(get("http://192.0.2.1/channels".into())));
    assert_eq!((reason, sent), (Reason::TlsFailed, false));
    assert!(detail.contains("plaintext"), "{detail}");
}

fn into_file(body: &str, status: u16, path: &Path) -> Answered {
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut call = at(answering(head));
    call.sink = Sink::File(path.to_owned(), 10);
    made(call)
}

#[test]
fn an_attachment_goes_into_a_private_file_of_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let path = temporary("attachments").join("t_1").join("a1");
    let answered = into_file("ten bytes.", 200, &path);
    assert_eq!((got(&answered).status, got(&answered).body), (200, b"".as_slice()));
    assert_eq!(std::fs::read(&path).unwrap(), b"ten bytes.");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(failed(&into_file("other", 200, &path)).0, Reason::DiskFailed, "it is never written over");
    assert_eq!(std::fs::read(&path).unwrap(), b"ten bytes.");
}

#[test]
fn an_attachment_that_is_too_long_or_cut_leaves_no_file() {
    let path = temporary("a1");
    assert_eq!(failed(&into_file("eleven byte", 200, &path)).0, Reason::HttpBody);
    assert!(!path.exists());
    let mut call = at(answering("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nshort"));
    call.sink = Sink::File(path.clone(), 10);
    assert_eq!(failed(&made(call)).0, Reason::NetClosed);
    assert!(!path.exists());
}

#[test]
fn a_refused_attachment_is_an_answer_and_no_file() {
    let path = temporary("a1");
    let answered = into_file("no such file here", 404, &path);
    assert_eq!((got(&answered).status, got(&answered).body), (404, b"no such file here".as_slice()));
    assert!(!path.exists());
}

#[test]
fn calls_that_follow_each_other_share_a_connection_and_mints_do_not() {
    for (worker, expected) in [(Worker::Call, 1), (Worker::Mint, 3)] {
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let address = serve(move |mut stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            while !read_request(&mut stream).is_empty() && stream.write_all(OK.as_bytes()).is_ok() {}
        });
        let (post, answers) = post();
        let workers = Workers::start(&post, &names(), rules(None)).unwrap();
        for ticket in 0..3 {
            let mut call = at(address);
            call.worker = worker;
            workers.call(Ticket(ticket), call).unwrap();
            assert!(matches!(answers.recv_blocking(), Ok(Happening::Answer(..))));
        }
        assert_eq!(count.load(Ordering::SeqCst), expected);
    }
}

#[test]
fn an_idle_connection_is_let_go() {
    let (closed, news) = mpsc::channel();
    let address = serve(move |mut stream| {
        while !read_request(&mut stream).is_empty() && stream.write_all(OK.as_bytes()).is_ok() {}
        closed.send(()).unwrap();
    });
    let (post, answers) = post();
    let workers = Workers::start(&post, &names(), rules(None)).unwrap();
    workers.call(Ticket(1), at(address)).unwrap();
    assert!(matches!(answers.recv_blocking(), Ok(Happening::Answer(..))));
    news.recv_timeout(Duration::from_millis(budget::HTTP_IDLE_MS + 2_000)).unwrap();
}

#[test]
fn a_full_queue_fails_the_call_at_once() {
    let address = serve(|mut stream| drop(std::io::Read::read_to_end(&mut stream, &mut Vec::new())));
    let (post, _answers) = post();
    let workers = Workers::start(&post, &names(), rules(None)).unwrap();
    let refused =
        (0..budget::CALLS_QUEUED as u64 + 2).find_map(|ticket| workers.call(Ticket(ticket), at(address)).err());
    let (reason, sent, detail) = failed(&refused.unwrap());
    assert_eq!((reason, sent), (Reason::NetTimeout, false));
    assert!(detail.contains("queued up"), "{detail}");
}

#[test]
fn a_call_goes_over_tls_to_an_authority_that_the_guild_names() {
    let identity = Identity::of("localhost", |_| {});
    let config = identity.config.clone();
    let address = serve(move |stream| {
        let mut stream = Identity::accept(&config, stream);
        read_request(&mut stream);
        let _ = stream.write_all(OK.as_bytes());
    });
    let call = get(format!("https://localhost:{}/channels", address.port()));
    assert_eq!(got(&made_with(call, Some(&identity.authority))).status, 200);
}
