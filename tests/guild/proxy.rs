//! A TCP proxy before the guild that reads WebSocket frames both ways and can inject, hold, drop, change and cut.
//! Other HTTP passes through untouched, or is answered as a hostile server would: see [`super::hostile`]. Threads of its
//! own; loopback; ends when it is dropped.

use super::frame::{Frame, TEXT};
use super::hostile::{Bad, Exchange, Leg};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToGuild,
    ToClient,
}

/// What is done to a frame that passes.
pub enum Fate {
    Pass,
    Drop,
    /// Something else goes instead, from the server's side.
    Instead(Frame),
}

type Judge = Arc<dyn Fn(Way, &Frame) -> Fate + Send + Sync>;

/// A proxy.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    thawed: Condvar,
    over: AtomicBool,
}

#[derive(Default)]
struct State {
    upstream: u16,
    lines: Vec<Line>,
    next_line: usize,
    upgrades: usize,
    /// Canned answers to upgrades: the bytes, and how often (None: always).
    canned: Option<(Vec<u8>, Option<u32>)>,
    frozen: bool,
    hole: bool,
    refusing: bool,
    judge: Option<Judge>,
    transcript: Vec<(usize, Way, String)>,
    /// What is wrong with requests of a leg, until it is made well.
    bad: Option<(Leg, Bad)>,
    /// Counts what was made wrong and well: whoever is held is let go at the next change.
    epoch: u64,
    /// Each request on a connection of its own: none passes unseen behind another one.
    by_request: bool,
    /// Connections are taken and never read from, in a window of a few kB.
    unread: bool,
    asked: Vec<(Leg, Instant)>,
    /// Lines whose client ended its side.
    left: Vec<usize>,
}

/// One WebSocket that passes through.
struct Line {
    id: usize,
    client: Arc<Mutex<TcpStream>>,
    guild: TcpStream,
}

impl Proxy {
    /// Starts before this port.
    pub fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().unwrap().port();
        let state = Mutex::new(State { upstream, ..State::default() });
        let shared = Arc::new(Shared { state, thawed: Condvar::new(), over: AtomicBool::new(false) });
        let takes = shared.clone();
        spawn("proxy", move || {
            for client in listener.incoming() {
                if takes.over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                let shared = takes.clone();
                spawn("proxy line", move || drop(shared.carry(client)));
            }
        });
        Self { port, shared }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A text frame to every client.
    pub fn inject(&self, text: &str) {
        self.inject_raw(&Frame::from_server(TEXT, text.as_bytes()).raw);
    }

    /// Bytes, whatever they mean, to every client.
    pub fn inject_raw(&self, bytes: &[u8]) {
        for client in self.clients() {
            let _ = client.lock().unwrap().write_all(bytes);
        }
    }

    /// A close frame to every client, with a code or without, and the end of the connection.
    pub fn close(&self, code: Option<u16>, why: &str) {
        self.inject_raw(&Frame::close(code, why).raw);
        thread::sleep(Duration::from_millis(20));
        self.end();
    }

    /// Half a frame to every client, and the end.
    pub fn cut_mid_frame(&self) {
        let whole = Frame::from_server(TEXT, b"42[\"message.created\",{\"id\":\"cut\",\"channelId\":\"general\"}]").raw;
        self.inject_raw(&whole[..whole.len() / 2]);
        self.end();
    }

    /// FIN on every line, both ways.
    pub fn end(&self) {
        for line in self.shared.lock().lines.drain(..) {
            let _ = line.client.lock().unwrap().shutdown(Shutdown::Both);
            let _ = line.guild.shutdown(Shutdown::Both);
        }
    }

    /// RST to every client.
    pub fn reset(&self) {
        let lines: Vec<Line> = self.shared.lock().lines.drain(..).collect();
        for line in lines {
            let client = line.client.lock().unwrap();
            let _ = rustix::net::sockopt::set_socket_linger(&*client, Some(Duration::ZERO));
            // the reset goes out when the last handle is closed; shutting the read side ends the other ones
            let _ = client.shutdown(Shutdown::Read);
            let _ = line.guild.shutdown(Shutdown::Both);
        }
    }

    /// Every frame is held, both ways, until `thaw`; TCP stays open. New lines open and are held too.
    pub fn freeze(&self) {
        self.shared.lock().frozen = true;
    }

    /// What was held goes on.
    pub fn thaw(&self) {
        self.shared.lock().frozen = false;
        self.shared.thawed.notify_all();
    }

    /// Half-open: what comes in on lines that are open now or later is thrown away, both ways; TCP stays open.
    pub fn black_hole(&self, on: bool) {
        self.shared.lock().hole = on;
    }

    /// New connections of any kind are ended at once.
    pub fn refuse(&self, on: bool) {
        self.shared.lock().refusing = on;
    }

    /// Each frame is judged.
    pub fn judge(&self, judge: impl Fn(Way, &Frame) -> Fate + Send + Sync + 'static) {
        self.shared.lock().judge = Some(Arc::new(judge));
    }

    /// Every frame passes again.
    pub fn pass_all(&self) {
        self.shared.lock().judge = None;
    }

    /// Upgrades are answered with these bytes (so many times; None: until `answer_upgrades_well`).
    pub fn answer_upgrades(&self, bytes: impl Into<Vec<u8>>, times: Option<u32>) {
        self.shared.lock().canned = Some((bytes.into(), times));
    }

    /// Upgrades reach the guild again.
    pub fn answer_upgrades_well(&self) {
        self.shared.lock().canned = None;
    }

    /// Upgrades asked for so far.
    pub fn upgrades(&self) -> usize {
        self.shared.lock().upgrades
    }

    /// WebSockets open now.
    pub fn open_lines(&self) -> usize {
        self.shared.lock().lines.len()
    }

    /// What passed, in order: which line, which way, what kind.
    pub fn transcript(&self) -> Vec<(usize, Way, String)> {
        self.shared.lock().transcript.clone()
    }

    /// From here on each request has a connection of its own, so that its leg can be made wrong.
    pub fn by_request(&self) {
        self.shared.lock().by_request = true;
    }

    /// Requests of this leg meet this, until `make_well`.
    pub fn make_bad(&self, leg: Leg, bad: Bad) {
        let mut state = self.shared.lock();
        state.bad = Some((leg, bad));
        state.epoch += 1;
        state.asked.clear();
    }

    /// New connections are taken and never read from, until `make_well`.
    pub fn read_nothing(&self) {
        let mut state = self.shared.lock();
        state.unread = true;
        state.epoch += 1;
    }

    /// Requests reach the guild again; what was held is ended.
    pub fn make_well(&self) {
        let mut state = self.shared.lock();
        state.bad = None;
        state.unread = false;
        state.epoch += 1;
    }

    /// When requests of this leg came since it was made wrong.
    pub fn asked(&self, leg: Leg) -> Vec<Instant> {
        self.shared.lock().asked.iter().filter(|(at, _)| *at == leg).map(|(_, when)| *when).collect()
    }

    /// Whether the client of this line (they count from 1) ended its side.
    pub fn client_left(&self, line: usize) -> bool {
        self.shared.lock().left.contains(&line)
    }

    fn clients(&self) -> Vec<Arc<Mutex<TcpStream>>> {
        self.shared.lock().lines.iter().map(|line| line.client.clone()).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.make_well();
        self.thaw();
        self.end();
        // wakes the listener, which then ends
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn carry(self: &Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        if self.lock().refusing {
            return Ok(());
        }
        client.set_nodelay(true)?;
        let epoch = self.lock().epoch;
        if self.lock().unread {
            return self.hold(&client, epoch);
        }
        let mut head = read_head(&mut client)?;
        let leg = Leg::of(&head);
        let upgrade = leg == Leg::Upgrade;
        let (bad, canned, port) = {
            let mut state = self.lock();
            state.asked.push((leg, Instant::now()));
            let bad = state.bad.as_ref().filter(|(at, _)| *at == leg).map(|(_, bad)| bad.clone());
            (bad, upgrade.then(|| state.canned_answer()).flatten(), state.upstream)
        };
        let canned = canned.map(Bad::Says);
        if !upgrade && self.lock().by_request {
            let end = head.len() - 2;
            head.splice(end..end, *b"connection: close\r\n");
        }
        if let Some(bad) = bad.as_ref().or(canned.as_ref()).filter(|bad| bad.answers()) {
            let exchange = Exchange { head: &head, upgrade, guild: port, held: &|| self.is_held(epoch) };
            return bad.act(client, &exchange);
        }
        if let Some(Bad::Before(bytes)) = &bad {
            client.write_all(bytes)?;
        }
        let mut guild = TcpStream::connect(("127.0.0.1", port))?;
        guild.set_nodelay(true)?;
        guild.write_all(&head)?;
        if !upgrade {
            return pass_through(client, guild);
        }
        let mut answer = read_head(&mut guild)?;
        if let Some(Bad::Rewritten(rewrite)) = &bad {
            answer = rewrite(&String::from_utf8_lossy(&answer)).into_bytes();
        }
        client.write_all(&answer)?;
        if let Some(Bad::DripsFrames(bytes, rest_ms)) = &bad {
            return Bad::drip(&mut client, bytes, *rest_ms, &|| self.is_held(epoch));
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            return pass_through(client, guild);
        }
        self.frames(client, guild)
    }

    fn is_held(&self, epoch: u64) -> bool {
        self.lock().epoch == epoch && !self.over.load(Ordering::SeqCst)
    }

    /// The connection stays as it is until what holds it changes.
    fn hold(&self, client: &TcpStream, epoch: u64) -> io::Result<()> {
        while self.is_held(epoch) {
            thread::sleep(Duration::from_millis(20));
        }
        client.shutdown(Shutdown::Both)
    }

    fn frames(self: &Arc<Self>, client: TcpStream, guild: TcpStream) -> io::Result<()> {
        let (mut from_client, mut from_guild, mut to_guild) =
            (client.try_clone()?, guild.try_clone()?, guild.try_clone()?);
        let to_client = Arc::new(Mutex::new(client));
        let id = {
            let mut state = self.lock();
            state.next_line += 1;
            let id = state.next_line;
            state.lines.push(Line { id, client: to_client.clone(), guild });
            id
        };
        let up = self.clone();
        let upward = spawn("proxy up", move || {
            while let Ok(frame) = Frame::read(&mut from_client) {
                if let Some(frame) = up.pass(id, Way::ToGuild, frame)
                    && to_guild.write_all(&frame.raw).is_err()
                {
                    break;
                }
            }
            up.lock().left.push(id);
            let _ = to_guild.shutdown(Shutdown::Both);
        });
        while let Ok(frame) = Frame::read(&mut from_guild) {
            if let Some(frame) = self.pass(id, Way::ToClient, frame)
                && to_client.lock().unwrap().write_all(&frame.raw).is_err()
            {
                break;
            }
        }
        // a half-open line stays open: nobody told the client
        while self.lock().hole && !self.over.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        if self.lock().lines.iter().any(|line| line.id == id) {
            let _ = to_client.lock().unwrap().shutdown(Shutdown::Both);
        }
        self.lock().lines.retain(|line| line.id != id);
        drop(to_client);
        let _ = upward.join();
        Ok(())
    }

    fn pass(&self, id: usize, way: Way, frame: Frame) -> Option<Frame> {
        let mut state = self.lock();
        while state.frozen && !self.over.load(Ordering::SeqCst) {
            state = self.thawed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        if state.hole {
            return None;
        }
        let judge = state.judge.clone();
        state.transcript.push((id, way, frame.kind()));
        drop(state);
        match judge.map_or(Fate::Pass, |judge| judge(way, &frame)) {
            Fate::Pass => Some(frame),
            Fate::Drop => None,
            Fate::Instead(other) => Some(other),
        }
    }
}

impl State {
    fn canned_answer(&mut self) -> Option<Vec<u8>> {
        self.upgrades += 1;
        let (bytes, times) = self.canned.as_mut()?;
        let bytes = bytes.clone();
        match times {
            None => {}
            Some(times) if *times > 1 => *times -= 1,
            Some(_) => self.canned = None,
        }
        Some(bytes)
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new().name(name.into()).stack_size(256 * 1024).spawn(run).expect("a thread")
}

/// Up to and with the empty line; byte by byte, since what follows belongs to someone else.
pub(super) fn read_head(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 64 * 1024 {
        from.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn pass_through(mut client: TcpStream, mut guild: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_guild) = (client.try_clone()?, guild.try_clone()?);
    let upward = spawn("proxy up", move || {
        let _ = io::copy(&mut from_client, &mut to_guild);
        let _ = to_guild.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut guild, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = upward.join();
    Ok(())
}
