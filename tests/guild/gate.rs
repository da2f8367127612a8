//! TLS before a plain port: shows a certificate and carries bytes both ways, or fails as TLS servers were seen to fail.
//! What it shows can be changed while it stands. A thread of its own; loopback; ends when it is dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What whoever comes in meets.
#[derive(Clone)]
pub enum Shows {
    /// A certificate, and then what stands behind the gate.
    Certificate(Arc<ServerConfig>),
    /// The same, but a connection ends without close_notify.
    NoGoodbye(Arc<ServerConfig>),
    /// The handshake is never answered.
    Silence,
    /// These bytes instead of TLS, and the end.
    Garbage(&'static [u8]),
}

/// A gate.
pub struct Gate {
    port: u16,
    shows: Arc<Mutex<Shows>>,
    came: Arc<Mutex<usize>>,
    /// Dropped with the gate: its thread ends.
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Gate {
    /// Stands before this port.
    pub fn before(upstream: u16, shows: Shows) -> Self {
        let (told, hears) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let shows = Arc::new(Mutex::new(shows));
        let came = Arc::new(Mutex::new(0));
        let (showing, counts) = (shows.clone(), came.clone());
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
                told.send(listener.local_addr().unwrap().port()).unwrap();
                let takes = async {
                    while let Ok((tcp, _)) = listener.accept().await {
                        let _ = tcp.set_nodelay(true);
                        *counts.lock().unwrap() += 1;
                        let shows = showing.lock().unwrap().clone();
                        tokio::spawn(carry(tcp, upstream, shows));
                    }
                };
                tokio::select! {
                    () = takes => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("gate".into()).spawn(serve).unwrap();
        let port = hears.recv().expect("the gate stands");
        Self { port, shows, came, _stop: stop }
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// From here on this is what new connections meet.
    pub fn show(&self, shows: Shows) {
        *self.shows.lock().unwrap() = shows;
    }

    /// Connections so far.
    pub fn came(&self) -> usize {
        *self.came.lock().unwrap()
    }
}

async fn carry(mut tcp: TcpStream, upstream: u16, shows: Shows) {
    match shows {
        Shows::Silence => drop(tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await),
        Shows::Garbage(bytes) => {
            let mut hello = [0; 512];
            let _ = tcp.read(&mut hello).await;
            let _ = tcp.write_all(bytes).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Shows::Certificate(config) => {
            let Ok(mut tls) = TlsAcceptor::from(config).accept(tcp).await else { return };
            let Some(mut guild) = dial(upstream).await else { return };
            let _ = copy_bidirectional(&mut tls, &mut guild).await;
        }
        Shows::NoGoodbye(config) => {
            let Ok(tls) = TlsAcceptor::from(config).accept(tcp).await else { return };
            let Some(guild) = dial(upstream).await else { return };
            until_the_guild_ends(tls, guild).await;
        }
    }
}

async fn dial(port: u16) -> Option<TcpStream> {
    TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.ok()
}

/// Both ways until the guild has said all, and then nothing more: what is dropped says no goodbye.
async fn until_the_guild_ends(client: impl AsyncRead + AsyncWrite, guild: TcpStream) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_guild, mut to_guild) = guild.into_split();
    let down = async {
        let _ = copy(&mut from_guild, &mut to_client).await;
        let _ = to_client.flush().await;
    };
    let up = async {
        let _ = copy(&mut from_client, &mut to_guild).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = down => {}
        () = up => {}
    }
}
