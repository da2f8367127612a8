//! Where connections come in: TCP, with TLS or without, each with a handle that ends it from outside.

use super::authority::Authority;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A certificate for 127.0.0.1 and localhost with the authority that signed it.
#[derive(Clone)]
pub struct Tls {
    pub ca_pem: String,
    config: Arc<ServerConfig>,
}

impl Tls {
    pub fn new() -> Self {
        let authority = Authority::new();
        let config = authority.server(&["127.0.0.1", "localhost"], |_| {});
        Self { ca_pem: authority.pem, config }
    }
}

/// Who came in: ends the connection from outside.
#[derive(Clone, Debug, Default)]
pub struct Peer(Arc<Mutex<Ending>>);

#[derive(Debug, Default)]
struct Ending {
    how: Option<How>,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Cut,
    CloseFrame,
}

impl Peer {
    /// The TCP connection ends, as if the server had died.
    pub fn cut(&self) {
        self.end(How::Cut);
    }

    /// A WebSocket close frame without a code goes out, and then the end.
    pub fn close(&self) {
        self.end(How::CloseFrame);
    }

    fn end(&self, how: How) {
        let mut ending = self.0.lock().unwrap();
        ending.how = Some(how);
        if let Some(waker) = ending.waker.take() {
            waker.wake();
        }
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Takes connections in.
pub struct Door {
    address: SocketAddr,
    ready: tokio::sync::mpsc::Receiver<Stream>,
}

impl Door {
    pub async fn open(address: SocketAddr, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().unwrap();
        let (sender, ready) = tokio::sync::mpsc::channel(64);
        tokio::spawn(async move {
            let tls = tls.map(|tls| TlsAcceptor::from(tls.config));
            while let Ok((tcp, _)) = listener.accept().await {
                let _ = tcp.set_nodelay(true);
                let (sender, tls) = (sender.clone(), tls.clone());
                tokio::spawn(async move {
                    let carried = match tls {
                        None => Carried::Plain(tcp),
                        Some(tls) => match tls.accept(tcp).await {
                            Ok(stream) => Carried::Tls(Box::new(stream)),
                            Err(_) => return,
                        },
                    };
                    let _ = sender.send(Stream { carried, peer: Peer::default(), life: Life::Running }).await;
                });
            }
        });
        Self { address, ready }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Listener for Door {
    type Io = Stream;
    type Addr = Peer;

    async fn accept(&mut self) -> (Stream, Peer) {
        match self.ready.recv().await {
            Some(stream) => {
                let peer = stream.peer.clone();
                (stream, peer)
            }
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer::default())
    }
}

/// One connection.
pub struct Stream {
    carried: Carried,
    peer: Peer,
    life: Life,
}

enum Life {
    Running,
    /// The end is asked for; what the server still writes goes out first.
    Lingering(Pin<Box<tokio::time::Sleep>>),
    Ended,
}

enum Carried {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl Carried {
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let how = {
            let mut ending = this.peer.0.lock().unwrap();
            ending.waker = Some(cx.waker().clone());
            ending.how
        };
        if let (Some(_), Life::Running) = (how, &this.life) {
            let linger = std::time::Duration::from_millis(15);
            this.life = Life::Lingering(Box::pin(tokio::time::sleep(linger)));
        }
        if let Life::Lingering(sleep) = &mut this.life
            && sleep.as_mut().poll(cx).is_ready()
        {
            if how == Some(How::CloseFrame) {
                let _ = this.carried.write(cx, &[0x88, 0x00]);
            }
            let _ = this.carried.shutdown(cx);
            this.life = Life::Ended;
        }
        if let Life::Ended = this.life {
            return Poll::Ready(Ok(()));
        }
        match &mut this.carried {
            Carried::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Carried::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.carried.write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carried {
            Carried::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Carried::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carried.shutdown(cx)
    }
}
