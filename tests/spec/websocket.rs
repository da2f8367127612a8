//! WebSockets over loopback: what arrives is told as it came, every end has its reason, once.

use crate::loopback::*;
use async_tungstenite::tungstenite::Utf8Bytes;
use guild_bridge::budget;
use guild_bridge::io::Happening;
use guild_bridge::io::websocket::Lines;
use guild_bridge::message::{Line, LinkId};
use guild_bridge::reason::Reason;
use guild_bridge::relay::port::Lost;
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
