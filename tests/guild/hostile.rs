//! What a hostile or broken server, or something between, does to one request: the proxy asks here what becomes of it.

use super::proxy::read_head;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Which request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    Mint,
    Channels,
    History,
    Post,
    Upgrade,
    Other,
}

impl Leg {
    /// By its head.
    pub fn of(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let mut words = head.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        match (method, path) {
            _ if head.contains("upgrade: websocket") => Self::Upgrade,
            ("post", "/auth/token") => Self::Mint,
            ("get", "/channels") => Self::Channels,
            ("get", _) if path.ends_with("/messages") => Self::History,
            ("post", _) if path.ends_with("/messages") => Self::Post,
            _ => Self::Other,
        }
    }
}

/// What becomes of it.
#[derive(Clone)]
pub enum Bad {
    /// These bytes, and the end. The guild never hears of the request.
    Says(Vec<u8>),
    /// The head, and then the rest again and again, so many bytes in all.
    Goes { head: Vec<u8>, again: Vec<u8>, bytes: usize },
    /// These bytes one by one, so many milliseconds apart, over and over.
    Drips(Vec<u8>, u64),
    /// The guild's own answer as far as the middle of its body, and the end.
    Cut,
    /// The same, and a reset.
    Reset,
    /// Nothing; the connection stays.
    Hole,
    /// These bytes and no more; the connection stays.
    Stall(Vec<u8>),
    /// These bytes, and then the guild's own answer.
    Before(Vec<u8>),
    /// The guild's own answer to an upgrade, rewritten.
    Rewritten(fn(&str) -> String),
    /// The guild's own answer to an upgrade, and behind it these bytes one by one.
    DripsFrames(Vec<u8>, u64),
}

/// A request that meets it.
pub struct Exchange<'a> {
    pub head: &'a [u8],
    pub upgrade: bool,
    /// The guild's port.
    pub guild: u16,
    /// Until this says no, what holds it may go on.
    pub held: &'a dyn Fn() -> bool,
}

impl Bad {
    /// An answer of this status with this content type and body.
    pub fn answer(status: &str, content_type: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
        Self::Says((head + body).into_bytes())
    }

    /// An answer of this status with these header lines and no body.
    pub fn status(status: &str, headers: &str) -> Self {
        Self::Says(format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n").into_bytes())
    }

    /// Whether the answer is its own, rather than the guild's with something added.
    pub fn answers(&self) -> bool {
        !matches!(self, Self::Before(_) | Self::Rewritten(_) | Self::DripsFrames(..))
    }

    /// Does it.
    pub fn act(&self, mut client: TcpStream, exchange: &Exchange<'_>) -> io::Result<()> {
        let body = read_body(&mut client, exchange.head)?;
        match self {
            Self::Says(bytes) => {
                client.write_all(bytes)?;
                client.shutdown(Shutdown::Write)?;
                client.set_read_timeout(Some(Duration::from_secs(2)))?;
                let _ = client.read(&mut [0; 512]);
            }
            Self::Goes { head, again, bytes } => {
                client.write_all(head)?;
                let mut gone = head.len();
                while gone < *bytes && (exchange.held)() {
                    client.write_all(again)?;
                    gone += again.len();
                }
            }
            Self::Drips(bytes, rest_ms) => Self::drip(&mut client, bytes, *rest_ms, exchange.held)?,
            Self::Cut => client.write_all(&exchange.half(&body)?)?,
            Self::Reset => {
                client.write_all(&exchange.half(&body)?)?;
                thread::sleep(Duration::from_millis(50));
                rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
            }
            Self::Hole | Self::Stall(_) => {
                if let Self::Stall(bytes) = self {
                    client.write_all(bytes)?;
                }
                client.set_read_timeout(Some(Duration::from_millis(50)))?;
                while (exchange.held)() && !matches!(client.read(&mut [0; 512]), Ok(0)) {}
                // a silence that ends by a FIN is what a wrong path looks like
                rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
            }
            Self::Before(_) | Self::Rewritten(_) | Self::DripsFrames(..) => {}
        }
        Ok(())
    }

    /// Byte by byte, until the other side goes or `held` says no.
    pub fn drip(client: &mut TcpStream, bytes: &[u8], rest_ms: u64, held: &dyn Fn() -> bool) -> io::Result<()> {
        for byte in bytes.iter().cycle() {
            if !held() {
                break;
            }
            client.write_all(&[*byte])?;
            thread::sleep(Duration::from_millis(rest_ms));
        }
        Ok(())
    }
}

impl Exchange<'_> {
    /// The guild's own answer as far as the middle of its body; of an upgrade, as far as the middle of its head.
    fn half(&self, body: &[u8]) -> io::Result<Vec<u8>> {
        let mut guild = TcpStream::connect(("127.0.0.1", self.guild))?;
        guild.write_all(self.head)?;
        guild.write_all(body)?;
        let mut answer = read_head(&mut guild)?;
        let whole = answer.len();
        if self.upgrade {
            answer.truncate(whole / 2);
            return Ok(answer);
        }
        guild.read_to_end(&mut answer)?;
        answer.truncate(whole + (answer.len() - whole) / 2);
        Ok(answer)
    }
}

fn read_body(client: &mut TcpStream, head: &[u8]) -> io::Result<Vec<u8>> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    Ok(body)
}

/// Another host (127.0.0.2): nobody should ever come here. Remembers what whoever came said.
pub struct Elsewhere {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
    came: Arc<Mutex<usize>>,
}

impl Elsewhere {
    pub fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.2", 0)).expect("all of 127.0.0.0/8 is loopback");
        let port = listener.local_addr().unwrap().port();
        let (heard, came) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<usize>>::default());
        let (hears, counts) = (heard.clone(), came.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                *counts.lock().unwrap() += 1;
                let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                let mut said = [0; 4096];
                let until = Instant::now() + Duration::from_secs(1);
                while Instant::now() < until {
                    let Ok(bytes @ 1..) = stream.read(&mut said) else { break };
                    hears.lock().unwrap().extend(&said[..bytes]);
                }
            }
        });
        Self { port, heard, came }
    }

    pub fn authority(&self) -> String {
        format!("127.0.0.2:{}", self.port)
    }

    /// How many came, and what they said.
    pub fn seen(&self) -> (usize, String) {
        (*self.came.lock().unwrap(), String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned())
    }
}
