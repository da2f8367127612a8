//! Agents that connect (CONTRACT section 2): one socket for several, the newest claim has the agent.

use crate::agent_desk::{Desk, Dir, ONE, TWO, at_desk, none, reply, turn};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use guild_bridge::agent::{Cancel, Said, Sent, line};
use guild_bridge::budget;
use guild_bridge::io::clock;
use guild_bridge::message::AgentId;
use guild_bridge::reason::{Reason, Why};
use guild_bridge::settings::Transport;
use smol::Async;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;

/// An agent's side of a connection.
struct Peer(Async<UnixStream>);

impl Peer {
    async fn connect(path: &str) -> Self {
        for _ in 0..500 {
            if let Ok(stream) = Async::<UnixStream>::connect(path).await {
                return Self(stream);
            }
            clock::within(20, std::future::pending::<()>()).await;
        }
        panic!("nobody listens on {path}")
    }

    /// Connects and is welcomed.
    async fn hello(path: &str, agents: &str) -> Self {
        let mut peer = Self::connect(path).await;
        peer.say(&format!(r#"{{"v":1,"type":"hello","agents":[{agents}]}}"#)).await;
        assert_eq!(peer.hear().await, format!(r#"{{"v":1,"type":"welcome","agents":[{agents}]}}"#));
        peer
    }

    async fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line; empty at the end.
    async fn hear(&mut self) -> String {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while self.0.read(&mut byte).await.unwrap_or(0) == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }
}

fn seat(desk: &mut Desk, id: AgentId, name: &str, path: &str, uids: &[u32]) {
    desk.hire(id, name, Transport::Socket { path: path.into(), uids: uids.to_vec() });
}

fn error(code: &str, message: &str) -> String {
    line::error(None, code, message)
}

fn gone(detail: &str) -> Said<'static> {
    Said::Gone(Why::new(Reason::AgentGone, detail))
}

#[test]
fn an_agent_connects_says_hello_and_answers() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-hello");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        let mut peer = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "hi");
        assert_eq!(peer.hear().await, line::message(&turn("t_1", "hi")));
        peer.say(r#"{"v":1,"type":"reply","turn":"t_1","text":"yes"}"#).await;
        assert_eq!(desk.next().await, reply("t_1", "yes"));
        desk.ask("t_2", "still there?");
        peer.hear().await;
        desk.agents.cancel(ONE, "t_2", Cancel::Timeout);
        assert_eq!(peer.hear().await, line::cancel("t_2", Cancel::Timeout));
        drop(peer);
        assert_eq!(desk.next().await, gone("its connection was closed"));
    });
}

#[test]
fn the_socket_is_for_its_group_and_its_directory_too() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-mode");
        let path = dir.file("run/s");
        seat(desk, ONE, "recruiter", &path, &[]);
        let _peer = Peer::hello(&path, r#""recruiter""#).await;
        let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&path), mode(&dir.file("run"))), (0o660, 0o750));
    });
}

#[test]
fn a_hello_that_is_none_or_names_nobody_here_is_told_and_closed() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-odd");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        for (said, code, part) in [
            (
                r#"{"v":1,"type":"hello","agents":["recruiter","ghost"]}"#,
                "unknown_agent",
                "no agent ghost answers on this socket, but recruiter",
            ),
            (r#"{"v":1,"type":"none","turn":"t_1"}"#, "garbled", "the first line must be a hello"),
            ("GET / HTTP/1.1", "garbled", "a line is not JSON"),
            (r#"{"v":2,"type":"hello","agents":["recruiter"]}"#, "garbled", "only 1 is spoken here"),
        ] {
            let mut peer = Peer::connect(&dir.file("s")).await;
            peer.say(said).await;
            let answer = peer.hear().await;
            assert!(answer.contains(&format!(r#""code":"{code}""#)) && answer.contains(part), "{answer}");
            assert_eq!(peer.hear().await, "", "and closed");
        }
        assert!(desk.quiet(50).await);
    });
}

#[test]
fn a_connection_without_a_hello_is_closed_after_10_s() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-mute");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        let mut peer = Peer::connect(&dir.file("s")).await;
        assert!(clock::within(9_000, peer.hear()).await.is_none());
        assert_eq!(peer.hear().await, error("timeout", "no hello came within 10 s"));
        assert_eq!(peer.hear().await, "");
    });
}

#[test]
fn the_newest_claim_has_the_agent_and_open_turns_are_given_again() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-newest");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        let mut old = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "hi");
        old.hear().await;
        let mut new = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        assert_eq!(desk.next().await, Said::Here);
        assert_eq!(old.hear().await, error("replaced", "recruiter was claimed by a newer connection"));
        let _ = old.0.write_all(b"{\"v\":1,\"type\":\"reply\",\"turn\":\"t_1\",\"text\":\"late\"}\n").await;
        assert_eq!(old.hear().await, "", "and closed");
        desk.ask("t_1", "hi");
        assert_eq!(new.hear().await, line::message(&turn("t_1", "hi")));
        new.say(r#"{"v":1,"type":"none","turn":"t_1"}"#).await;
        assert_eq!(desk.next().await, none("t_1"));
    });
}

#[test]
fn several_agents_share_a_socket_and_a_connection() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-two");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        seat(desk, TWO, "writer", &dir.file("s"), &[]);
        let mut peer = Peer::hello(&dir.file("s"), r#""recruiter","writer""#).await;
        assert_eq!((desk.next_of().await, desk.next_of().await), ((ONE, Said::Here), (TWO, Said::Here)));
        desk.agents.ask(TWO, Rc::new(turn("t_2", "hi")));
        peer.hear().await;
        peer.say(r#"{"v":1,"type":"none","turn":"t_2"}"#).await;
        assert_eq!(desk.next_of().await, (TWO, none("t_2")));
        let sent = || Said::Send { id: "s".into(), conv: "acme.general".into(), text: "x".into() };
        peer.say(r#"{"v":1,"type":"send","id":"s","conv":"acme.general","text":"x"}"#).await;
        assert_eq!(desk.next_of().await, (ONE, sent()), "the first it named speaks");
        peer.say(r#"{"v":1,"type":"send","id":"s","conv":"acme.general","text":"x","agent":"writer"}"#).await;
        assert_eq!(desk.next_of().await, (TWO, sent()));
        peer.say(r#"{"v":1,"type":"send","id":"s","conv":"acme.general","text":"x","agent":"ghost"}"#).await;
        assert!(peer.hear().await.contains(r#""id":"s","code":"unknown_agent""#));
    });
}

#[test]
fn a_connection_that_loses_one_agent_keeps_the_other() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-keep");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        seat(desk, TWO, "writer", &dir.file("s"), &[]);
        let mut both = Peer::hello(&dir.file("s"), r#""recruiter","writer""#).await;
        assert_eq!((desk.next().await, desk.next().await), (Said::Here, Said::Here));
        let _new = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        assert_eq!(both.hear().await, error("replaced", "recruiter was claimed by a newer connection"));
        assert_eq!(desk.next_of().await, (ONE, Said::Here));
        desk.agents.ask(TWO, Rc::new(turn("t_2", "hi")));
        assert_eq!(both.hear().await, line::message(&turn("t_2", "hi")));
        drop(both);
        assert_eq!(desk.next_of().await, (TWO, gone("its connection was closed")));
    });
}

#[test]
fn a_user_that_is_not_named_is_sent_away() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-uid");
        let me = rustix::process::geteuid().as_raw();
        seat(desk, ONE, "recruiter", &dir.file("s"), &[me + 1]);
        let mut peer = Peer::connect(&dir.file("s")).await;
        assert_eq!(peer.hear().await, error("denied", &format!("uid {me} may not connect here: see `uids`")));
        assert_eq!(peer.hear().await, "");
        seat(desk, TWO, "writer", &dir.file("s"), &[me]);
        let mut peer = Peer::connect(&dir.file("s")).await;
        peer.say(r#"{"v":1,"type":"hello","agents":["writer","recruiter"]}"#).await;
        assert_eq!(
            peer.hear().await,
            error("denied", &format!("uid {me} may not speak for recruiter: see its `uids`"))
        );
        let _peer = Peer::hello(&dir.file("s"), r#""writer""#).await;
        assert_eq!(desk.next_of().await, (TWO, Said::Here));
    });
}

#[test]
fn a_dead_socket_is_replaced() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-dead");
        drop(UnixListener::bind(dir.file("s")).unwrap());
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        let _peer = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        assert_eq!(desk.next().await, Said::Here);
    });
}

#[test]
fn what_is_not_a_dead_socket_is_left_alone_and_tried_again() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-alive");
        let other = UnixListener::bind(dir.file("s")).unwrap();
        std::fs::write(dir.0.join("f"), "mine").unwrap();
        for (name, part) in [("s", "another program listens there"), ("f", "what is there is no socket")] {
            seat(desk, ONE, "recruiter", &dir.file(name), &[]);
            let Said::Gone(why) = desk.next().await else { panic!("it cannot listen") };
            assert!(why.reason == Reason::AgentMissing && why.detail.contains(part), "{why}");
        }
        assert_eq!(std::fs::read(dir.0.join("f")).unwrap(), b"mine");
        std::fs::remove_file(dir.0.join("f")).unwrap();
        let _peer = Peer::hello(&dir.file("f"), r#""recruiter""#).await;
        drop(other);
    });
}

#[test]
fn a_dismissed_agent_s_connection_is_told_and_the_last_takes_the_socket_along() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-bye");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        seat(desk, TWO, "writer", &dir.file("s"), &[]);
        let mut one = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        let mut two = Peer::hello(&dir.file("s"), r#""writer""#).await;
        assert_eq!((desk.next().await, desk.next().await), (Said::Here, Said::Here));
        for (id, name, peer) in [(ONE, "recruiter", &mut one), (TWO, "writer", &mut two)] {
            desk.agents.dismiss(id);
            let told = error("dismissed", &format!("{name} is not among this bridge's agents any more"));
            assert_eq!((peer.hear().await, peer.hear().await), (told, String::new()));
        }
        assert!(!Path::new(&dir.file("s")).exists());
        assert!(desk.quiet(100).await, "nobody misses a dismissed agent");
    });
}

#[test]
fn more_connections_than_the_bound_are_sent_away() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-full");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        let mut peers = Vec::new();
        for _ in 0..budget::AGENT_CLIENTS {
            peers.push(Peer::connect(&dir.file("s")).await);
        }
        let mut late = Peer::connect(&dir.file("s")).await;
        assert_eq!(late.hear().await, error("full", "16 connections are there already"));
        peers.pop();
        clock::within(100, std::future::pending::<()>()).await;
        let _peer = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
    });
}

#[test]
fn a_client_that_does_not_read_is_let_go_after_10_s() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-deaf");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        let _peer = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        assert_eq!(desk.next().await, Said::Here);
        for n in 0..7 {
            desk.ask(&format!("t_{n}"), &"z".repeat(budget::MESSAGE_BYTES));
        }
        assert_eq!(desk.next().await, gone("its connection did not read for 10 s"));
    });
}

#[test]
fn a_send_is_answered_on_its_connection() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-send");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        let mut peer = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        assert_eq!(desk.next().await, Said::Here);
        desk.agents.sent(ONE, "s_1", &Sent::Stored { message: "m_1".to_owned() });
        assert_eq!(peer.hear().await, r#"{"v":1,"type":"sent","id":"s_1","message":"m_1"}"#);
        desk.agents.sent(ONE, "s_2", &Sent::refused(Reason::GuildRefusedPost, "no such channel"));
        assert_eq!(peer.hear().await, line::error(Some("s_2"), "guild.refused_post", "no such channel"));
        let long = "x".repeat(budget::REPLY_BYTES + 1);
        peer.say(&format!(r#"{{"v":1,"type":"send","id":"s_3","conv":"c","text":"{long}"}}"#)).await;
        assert!(peer.hear().await.contains(r#""id":"s_3","code":"agent.failed""#));
        assert!(matches!(desk.next().await, Said::Garbled(_)));
    });
}

#[test]
fn what_a_connection_garbles_ends_nothing() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-garbled");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        let mut peer = Peer::hello(&dir.file("s"), r#""recruiter""#).await;
        assert_eq!(desk.next().await, Said::Here);
        peer.0.write_all(b"\xff\xfe\n{\"v\":1,\"type\":\"x\"}\n").await.unwrap();
        for _ in 0..3 {
            assert!(matches!(desk.next().await, Said::Garbled(_)));
        }
        peer.say(r#"{"v":1,"type":"accepted","turn":"t_1"}"#).await;
        assert_eq!(desk.next().await, Said::Accepted { turn: "t_1".into() });
    });
}

#[test]
fn an_agent_that_nobody_has_claimed_is_not_there() {
    at_desk(async |desk| {
        let dir = Dir::new("sock-none");
        seat(desk, ONE, "recruiter", &dir.file("s"), &[]);
        desk.ask("t_1", "hi");
        assert!(matches!(desk.next().await, Said::Absent { turn, .. } if turn == "t_1"));
    });
}
