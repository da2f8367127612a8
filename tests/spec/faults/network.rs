//! Faults of the network: links that flap, paths that swallow, names and addresses that lead nowhere.

use crate::loopback::{frame, post, rules, serve, upgrade};
use crate::world::hall::Trouble;
use crate::world::{What, World, mins, secs, twice};
use guild_bridge::budget;
use guild_bridge::io::dns::Dns;
use guild_bridge::io::tcp::{Target, connect};
use guild_bridge::io::websocket::Lines;
use guild_bridge::io::{Happening, clock};
use guild_bridge::message::{Line, LinkId};
use guild_bridge::reason::Reason;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use smol::LocalExecutor;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn a_link_that_flaps_each_second_for_ten_minutes_is_tried_by_the_backoff_and_loses_nothing() {
    let mut w = World::chatty(1);
    w.run_live();
    let mut said = Vec::new();
    for second in 0..600 {
        match second % 2 {
            0 => w.guild().close_lines(),
            _ => w.guild().up = true,
        }
        w.guild().up = second % 2 == 1;
        if second % 10 == 5 {
            said.push(format!("m{second}"));
            w.say("general", "alice", &said[said.len() - 1].clone());
        }
        w.run_for(secs(1));
    }
    assert!(w.story.rests().iter().all(|rest| rest.ms >= 1_000), "{:?}", w.story.rests());
    assert!(w.story.reasons("recruiter@acme").contains(&"net.refused"), "{:?}", w.story.reasons("recruiter@acme"));
    assert!(w.link().attempts <= 310, "{} attempts in 600 s", w.link().attempts);
    assert!(w.link().tokens_minted <= w.link().attempts, "{} of {}", w.link().tokens_minted, w.link().attempts);
    w.guild().up = true;
    w.run_for(mins(5));
    assert_eq!((w.heard(), w.link().gaps), (said.iter().map(String::as_str).collect(), 0));
}

#[test]
fn a_path_that_swallows_what_is_large_holds_up_that_channel_alone() {
    let mut w = World::chatty(2);
    w.guild().model.add_channel("other", "channel", &["alice", "recruiter"]);
    w.run_live();
    w.guild().trouble.push(Trouble { route: "post", channel: Some("general".into()), what: What::Hangs, times: 9_999 });
    w.say("general", "alice", "large");
    for i in 0..60 {
        w.say("other", "alice", &format!("m{i}"));
        let took = w.run_till(mins(1), "the other channel is answered", |w| w.answers("other").len() == i + 1);
        // a call that hangs has the worker until its deadline
        assert!(took <= budget::CALL_MS + secs(2), "m{i} waited {took} ms");
        w.run_for(mins(1));
    }
    assert_eq!((w.state(), w.answers("general").len(), w.link().outbox_depth), ("live", 0, 1));
    w.guild().trouble.clear();
    w.run_for(mins(5));
    assert_eq!((w.answers("general"), w.link().gaps), (vec!["re: large"], 0));
}

#[test]
fn a_nat_that_forgets_an_idle_line_is_found_out_by_the_missing_ping_and_costs_no_message() {
    let mut w = World::chatty(3);
    w.guild().ping = (60_000, 20_000);
    w.run_live();
    w.run_for(secs(35));
    w.guild().freeze_lines();
    w.say("general", "alice", "into the void");
    let took = w.run_till(mins(3), "it is found out", |w| w.reason() == "net.silent");
    assert!(took <= secs(81), "{took} ms");
    w.run_till(secs(30), "it is live again", |w| w.state() == "live");
    w.run_for(secs(10));
    assert_eq!(w.answers("general"), ["re: into the void"]);
}

#[test]
fn answers_that_come_after_the_deadline_double_no_post() {
    for honours_keys in [true, false] {
        let mut w = World::chatty(4);
        (w.guild().model.options.honours_keys, w.guild().model.options.echo) = (honours_keys, false);
        w.run_live();
        w.guild().trouble("post", 4, What::Slow(budget::CALL_MS + secs(5)));
        let texts: Vec<String> = (0..5).map(|i| format!("m{i}")).collect();
        texts.iter().for_each(|text| drop(w.say("general", "alice", text)));
        w.run_for(mins(20));
        assert_eq!(
            w.answers("general"),
            texts.iter().map(|t| format!("re: {t}")).collect::<Vec<_>>(),
            "{honours_keys}"
        );
    }
}

#[test]
fn a_link_slower_than_every_deadline_says_so_and_is_whole_once_it_is_quicker() {
    let mut w = World::chatty(5);
    w.run_live();
    w.guild().latency_ms = secs(11);
    (0..30).for_each(|i| {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(secs(30));
    });
    assert_eq!((w.state(), w.reason()), ("backoff", "net.timeout"));
    w.guild().latency_ms = 200;
    w.run_for(mins(5));
    assert!(twice(w.answers("general")).is_empty());
    assert_eq!(w.heard(), (0..30).map(|i| format!("m{i}")).collect::<Vec<_>>());
}

/// Everything is this machine but `hangs.example`, which no resolver ever answers.
fn half_a_resolver() -> Dns {
    Dns::with(Box::new(|host| {
        if host == "hangs.example" {
            std::thread::sleep(Duration::from_secs(3_600));
        }
        Ok(vec!["127.0.0.1".parse().unwrap()])
    }))
}

#[test]
fn a_resolver_that_never_answers_holds_up_no_line_that_is_open() {
    let address = serve(|mut stream| {
        upgrade(&mut stream);
        while stream.write_all(&frame(0x81, b"2")).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let executor = Rc::new(LocalExecutor::new());
    let (post, heard) = post();
    let lines = Lines::new(executor.clone(), post, half_a_resolver(), rules(None), budget::MESSAGE_BYTES);
    let line = |attempt| Line { link: LinkId(1), attempt };
    lines.dial(line(1), format!("ws://localhost:{}/", address.port()), 0);
    lines.dial(line(2), format!("ws://hangs.example:{}/", address.port()), 0);
    let mut pings = 0;
    let lost = loop {
        match smol::block_on(executor.run(heard.recv())).unwrap() {
            Happening::Lost(lost, why) if lost == line(2) => break why.why,
            Happening::Text(from, _) if from == line(1) => pings += 1,
            Happening::Opened(_) => {}
            _ => panic!("neither a ping nor the end of the lookup"),
        }
    };
    assert!(lost.reason == Reason::NetDns && lost.detail.contains("hangs.example"), "{lost}");
    assert!(pings > 40, "{pings} pings in the lookup's {} ms", budget::DNS_MS);
}

/// An address on this port that takes a connection as if it did not exist: its queue is full, and nobody accepts.
fn silent(port: u16) -> impl Sized {
    let address = SocketAddr::from(([127, 0, 0, 78], port));
    let deaf = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&deaf, &address).unwrap();
    listen(&deaf, 0).unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let full: Vec<_> = (0..8).map_while(|_| connect().ok()).collect();
    assert!(connect().is_err(), "the queue takes no end of connections");
    (deaf, full)
}

#[test]
fn an_address_that_is_silent_costs_a_quarter_of_a_second() {
    let living = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = living.local_addr().unwrap().port();
    let _silent = silent(port);
    let dns = Dns::with(Box::new(|_| Ok(vec!["127.0.0.78".parse().unwrap(), "127.0.0.1".parse().unwrap()])));
    let begun = clock::now().at;
    let target = Target { host: "guild.example", port, loopback_only: false };
    let stream = smol::block_on(connect(&dns, &target, 5_000)).unwrap();
    let took = clock::now().at.since_ms(begun);
    assert_eq!(stream.get_ref().peer_addr().unwrap(), living.local_addr().unwrap());
    assert!((245..1_750).contains(&took), "{took} ms");
}
