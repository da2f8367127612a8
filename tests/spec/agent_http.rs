//! One POST for each turn (CONTRACT section 2), against servers on loopback.

use crate::agent_desk::{Desk, Dir, ONE, at_desk, none, reply, turn, until};
use crate::loopback::{Identity, answering, header, read_request, serve};
use guild_bridge::agent::{Cancel, Said, line};
use guild_bridge::budget;
use guild_bridge::reason::{Reason, Why};
use guild_bridge::settings::Transport;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

struct Post {
    url: String,
    headers: BTreeMap<String, String>,
    bearer_file: Option<std::path::PathBuf>,
    body: Option<String>,
    pointer: Option<String>,
}

fn to(address: SocketAddr) -> Post {
    let url = format!("http://{address}/v1/chat?key=secret");
    Post { url, headers: BTreeMap::new(), bearer_file: None, body: None, pointer: None }
}

impl Post {
    fn pointer(mut self, pointer: &str) -> Self {
        self.pointer = Some(pointer.to_owned());
        self
    }
}

async fn hire(desk: &mut Desk, post: Post) {
    let Post { url, headers, bearer_file, body, pointer } = post;
    desk.hire(ONE, "recruiter", Transport::Http { url, headers, bearer_file, body, pointer });
    assert_eq!(desk.next().await, Said::Here);
}

/// Hires an agent and asks it one turn.
async fn run(desk: &mut Desk, post: Post) -> Said<'static> {
    hire(desk, post).await;
    desk.ask("t_1", "hi");
    desk.next().await
}

fn http(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A server whose one answer is this, and the requests that it got.
fn noting(answer: String) -> (SocketAddr, mpsc::Receiver<String>) {
    let (note, noted) = mpsc::channel();
    let address = serve(move |mut stream| {
        let _ = note.send(read_request(&mut stream));
        let _ = stream.write_all(answer.as_bytes());
    });
    (address, noted)
}

fn failed(said: Said<'_>) -> Why {
    match said {
        Said::Failed { turn, why } if turn == "t_1" => why,
        other => panic!("a failure was due, not {other:?}"),
    }
}

#[test]
fn a_turn_is_one_post_of_the_message_under_its_own_key() {
    at_desk(async |desk| {
        let (address, requests) = noting(http("200 OK", "", "yes\n"));
        assert_eq!(run(desk, to(address)).await, reply("t_1", "yes"));
        let request = requests.recv().unwrap();
        assert!(request.starts_with("POST /v1/chat?key=secret HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(&request, "idempotency-key").as_deref(), Some("t_1"));
        assert_eq!(header(&request, "content-type").as_deref(), Some("application/json"));
        assert!(header(&request, "transfer-encoding").is_none() && header(&request, "authorization").is_none());
        assert!(request.ends_with(&format!("\r\n\r\n{}", line::message(&turn("t_1", "hi")))), "{request}");
    });
}

#[test]
fn a_body_of_one_s_own_headers_with_placeholders_and_a_pointer() {
    at_desk(async |desk| {
        let answer = r#"{"choices":[{"message":{"content":"four"}}]}"#;
        let (address, requests) = noting(http("201 Created", "", answer));
        let mut post = to(address).pointer("/choices/0/message/content");
        post.body = Some(r#"{"user":"{conv}","messages":[{"role":"user","content":"{text}"}]}"#.to_owned());
        post.headers = [("X-Session-Id".to_owned(), "{conv}".to_owned())].into();
        hire(desk, post).await;
        desk.ask("t_1", "2+2?\n\"now\"");
        assert_eq!(desk.next().await, reply("t_1", "four"));
        let request = requests.recv().unwrap();
        assert_eq!(header(&request, "x-session-id").as_deref(), Some("acme.general"));
        let body = r#"{"user":"acme.general","messages":[{"role":"user","content":"2+2?\n\"now\""}]}"#;
        assert!(request.ends_with(body), "{request}");
    });
}

#[test]
fn an_empty_answer_is_none() {
    at_desk(async |desk| {
        assert_eq!(run(desk, to(answering("HTTP/1.1 204 No Content\r\n\r\n"))).await, none("t_1"));
        assert_eq!(run(desk, to(answering(http("200 OK", "", "")))).await, none("t_1"));
        assert_eq!(run(desk, to(answering(http("200 OK", "", "\n"))).pointer("/a")).await, none("t_1"));
        assert_eq!(run(desk, to(answering(http("200 OK", "", r#"{"a":null}"#))).pointer("/a")).await, none("t_1"));
    });
}

#[test]
fn a_bearer_is_read_at_each_call_and_must_be_private() {
    at_desk(async |desk| {
        let dir = Dir::new("bearer");
        let file = dir.0.join("key");
        let (address, requests) = noting(http("200 OK", "", "yes"));
        let mut post = to(address);
        post.bearer_file = Some(file.clone());
        let Said::Absent { why, .. } = run(desk, post).await else { panic!("its bearer is not there") };
        assert!(why.reason == Reason::AgentMissing && why.detail.starts_with("its bearer: "), "{why}");
        for (mode, sent) in [(0o600, Some("Bearer k1")), (0o644, None)] {
            std::fs::write(&file, "k1\n").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            desk.ask("t_1", "hi");
            match (desk.next().await, sent) {
                (Said::Reply { .. }, Some(_)) => {
                    assert_eq!(header(&requests.recv().unwrap(), "authorization").as_deref(), sent);
                }
                (Said::Absent { why, .. }, None) => {
                    assert!(why.detail.contains("mode 0644, want 0600: chmod 600"), "{why}")
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn an_agent_that_asks_for_time_is_busy() {
    at_desk(async |desk| {
        let busy = |retry_ms| Said::Busy { turn: "t_1".into(), retry_ms };
        let answer = |status, more| to(answering(http(status, more, "slow down")));
        assert_eq!(run(desk, answer("429 Too Many Requests", "Retry-After: 7\r\n")).await, busy(Some(7_000)));
        assert_eq!(run(desk, answer("503 Service Unavailable", "")).await, busy(None));
        let dates = "Date: Mon, 23 Nov 2026 15:00:00 GMT\r\nRetry-After: Mon, 23 Nov 2026 15:00:09 GMT\r\n";
        assert_eq!(run(desk, answer("503 Service Unavailable", dates)).await, busy(Some(9_000)));
    });
}

#[test]
fn any_other_status_fails_the_turn_and_shows_what_was_said() {
    at_desk(async |desk| {
        let page = format!("<html>\u{1b}[2J{}</html>", "x".repeat(5_000));
        let why = failed(run(desk, to(answering(http("500 Internal Server Error", "", &page)))).await);
        assert!(why.reason == Reason::AgentFailed && why.detail.starts_with("it answered 500: <html>\\u{1b}"), "{why}");
        assert!(why.detail.len() < 400);
        let elsewhere = http("302 Found", "Location: http://127.0.0.1:9/\r\n", "");
        assert_eq!(failed(run(desk, to(answering(elsewhere))).await).detail, "it answered 302: no body");
    });
}

#[test]
fn an_answer_that_cannot_be_read_fails_the_turn() {
    at_desk(async |desk| {
        let why = failed(run(desk, to(answering(http("200 OK", "", "<html>"))).pointer("/a")).await);
        assert!(why.reason == Reason::AgentGarbled && why.detail.contains("not the JSON that was due"), "{why}");
        let long = http("200 OK", "", &"x".repeat(budget::REPLY_BYTES + 1));
        assert_eq!(failed(run(desk, to(answering(long))).await).detail, "it wrote more than 64 KiB");
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
        assert_eq!(failed(run(desk, to(answering(cut))).await).reason, Reason::AgentFailed);
        assert_eq!(failed(run(desk, to(answering("garbage\r\n\r\n"))).await).reason, Reason::AgentFailed);
        assert_eq!(failed(run(desk, to(answering(""))).await).reason, Reason::AgentFailed);
    });
}

#[test]
fn the_longest_answer_fits_and_invalid_utf_8_is_replaced_and_said() {
    at_desk(async |desk| {
        let long = "x".repeat(budget::REPLY_BYTES);
        assert_eq!(run(desk, to(answering(http("200 OK", "", &long)))).await, reply("t_1", &long));
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\xffb".to_vec();
        let said = run(desk, to(answering(bytes))).await;
        assert_eq!(
            said,
            Said::Garbled(Why::new(Reason::AgentGarbled, "an answer is not UTF-8 in 1 place(s); they were replaced"))
        );
        assert_eq!(desk.next().await, reply("t_1", "a\u{fffd}b"));
    });
}

#[test]
fn an_agent_that_does_not_listen_is_waited_for_and_its_url_is_shown_without_secrets() {
    at_desk(async |desk| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let Said::Absent { turn, why } = run(desk, to(free)).await else { panic!("nobody listens") };
        assert_eq!((turn.as_ref(), why.reason), ("t_1", Reason::AgentMissing));
        assert!(why.detail.contains(&format!("http://{free}/v1/chat")) && !why.detail.contains("secret"), "{why}");
    });
}

#[test]
fn an_agent_that_does_not_answer_in_time_fails_the_turn() {
    at_desk(async |desk| {
        let silent = serve(|mut stream| drop((read_request(&mut stream), read_request(&mut stream))));
        hire(desk, to(silent)).await;
        let mut asked = turn("t_1", "hi");
        asked.deadline_ms = 300;
        desk.agents.ask(ONE, Rc::new(asked));
        assert_eq!(failed(desk.next().await).reason, Reason::AgentTimeout);
    });
}

#[test]
fn a_late_answer_to_a_cancelled_turn_is_not_heard_and_its_second_asking_is() {
    at_desk(async |desk| {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let address = serve(move |mut stream| {
            read_request(&mut stream);
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_millis(500));
                let _ = stream.write_all(http("200 OK", "", "late").as_bytes());
            }
            let _ = stream.write_all(http("200 OK", "", "new").as_bytes());
        });
        hire(desk, to(address)).await;
        desk.ask("t_1", "hi");
        until("the first call is there", || count.load(Ordering::SeqCst) == 1).await;
        desk.agents.cancel(ONE, "t_1", Cancel::Timeout);
        desk.ask("t_1", "hi");
        assert_eq!(desk.next().await, reply("t_1", "new"));
        assert!(desk.quiet(700).await);
    });
}

#[test]
fn turns_run_side_by_side_on_named_threads() {
    at_desk(async |desk| {
        let both = Arc::new(Barrier::new(2));
        let address = serve(move |mut stream| {
            read_request(&mut stream);
            both.wait();
            let _ = stream.write_all(http("200 OK", "", "met").as_bytes());
        });
        hire(desk, to(address)).await;
        desk.ask("t_1", "hi");
        desk.ask("t_2", "hi");
        assert!(matches!(desk.next().await, Said::Reply { text, .. } if text == "met"));
        assert!(matches!(desk.next().await, Said::Reply { text, .. } if text == "met"));
        let names = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        assert!(names.filter(|name| name.trim() == "agent-recruiter").count() >= 2);
    });
}

#[test]
fn a_certificate_of_nobody_s_fails_the_turn() {
    at_desk(async |desk| {
        let identity = Identity::of("127.0.0.1", |_| {});
        let address = serve(move |stream| drop(read_request(&mut Identity::accept(&identity.config, stream))));
        let mut post = to(address);
        post.url = format!("https://{address}/");
        let why = failed(run(desk, post).await);
        assert!(why.reason == Reason::AgentFailed && why.detail.starts_with("tls.unknown_ca: "), "{why}");
    });
}

#[test]
fn what_cannot_go_into_a_header_fails_the_turn() {
    at_desk(async |desk| {
        let mut post = to(answering(http("200 OK", "", "yes")));
        post.headers = [("X-Text".to_owned(), "{text}".to_owned())].into();
        hire(desk, post).await;
        desk.ask("t_1", "a\r\nHost: evil");
        assert!(failed(desk.next().await).detail.contains("header"));
        desk.ask("t_1", "a\0b");
        assert!(failed(desk.next().await).detail.contains("NUL"));
        desk.ask("t_1", "fine");
        assert_eq!(desk.next().await, reply("t_1", "yes"));
    });
}
