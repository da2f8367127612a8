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
        return answered;
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
