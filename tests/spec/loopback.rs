//! Small servers on loopback, written with std alone: what they answer is bytes that a test wrote.

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use guild_bridge::io::dns::Dns;
use guild_bridge::io::tls::Rules;
use guild_bridge::io::{Happening, Post};
use guild_bridge::settings::{DialectName, Guild, Settings};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use smol::channel::Receiver;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Serves each connection on a thread of its own, which ends with the test's process at the latest.
pub fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let each = Arc::new(each);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let each = each.clone();
            std::thread::spawn(move || each(stream));
        }
    });
    address
}

/// A server that answers every connection's first request with these bytes and hangs up.
pub fn answering(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    serve(move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(&bytes);
    })
}

/// One request, its body included (Content-Length only), as text.
pub fn read_request(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            _ => break,
        }
    }
    let head = String::from_utf8_lossy(&text).into_owned();
    let length = header(&head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    let _ = stream.read_exact(&mut body);
    head + &String::from_utf8_lossy(&body)
}

/// A header of a request.
pub fn header(request: &str, name: &str) -> Option<String> {
    let found = request.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
    Some(found.split_once(':')?.1.trim().to_owned())
}

/// Reads an upgrade request and answers 101.
pub fn upgrade(stream: &mut (impl Read + Write)) -> String {
    upgrade_with(stream, "")
}

/// The same, with further header lines.
pub fn upgrade_with(stream: &mut (impl Read + Write), more: &str) -> String {
    let request = read_request(stream);
    let key = derive_accept_key(header(&request, "sec-websocket-key").unwrap().as_bytes());
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let _ = stream.write_all(format!("{head}Sec-WebSocket-Accept: {key}\r\n{more}\r\n").as_bytes());
    request
}

/// An unmasked frame of less than 64 KiB: its first byte (FIN and opcode) and its payload.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length @ 0..126) => bytes.push(length),
        _ => {
            bytes.push(126);
            bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

/// The payload of one masked frame of less than 126 bytes, with its first byte.
pub fn read_frame(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0; 6];
    stream.read_exact(&mut head).unwrap();
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut payload).unwrap();
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= head[2 + at % 4];
    }
    (head[0], payload)
}

/// Whose certificate a TLS server shows.
pub struct Identity {
    pub config: Arc<ServerConfig>,
    pub authority: PathBuf,
}

impl Identity {
    /// A certificate for this name, changed by `change`, from an authority of its own.
    pub fn of(name: &str, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Self {
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(vec![]).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issued = authority.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self::showing(&[&certificate], &key, &issued)
    }

    /// A certificate that signs itself, and is its own authority.
    pub fn by_itself(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        Self::showing(&[&certificate], &key, &certificate)
    }

    /// A certificate of an intermediate authority, which is shown beside it or not.
    pub fn behind_an_intermediate(name: &str, shown: bool) -> Self {
        let authority = |name: &str| {
            let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            (params, rcgen::KeyPair::generate().unwrap())
        };
        let (root, root_key) = authority("root");
        let issued = root.self_signed(&root_key).unwrap();
        let (between, between_key) = authority("between");
        let root = rcgen::Issuer::new(root, root_key);
        let middle = between.signed_by(&between_key, &root).unwrap();
        let between = rcgen::Issuer::new(between, between_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &between).unwrap();
        if shown { Self::showing(&[&leaf, &middle], &key, &issued) } else { Self::showing(&[&leaf], &key, &issued) }
    }

    fn showing(chain: &[&rcgen::Certificate], key: &rcgen::KeyPair, authority: &rcgen::Certificate) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let chain = chain.iter().map(|certificate| certificate.der().clone()).collect();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let path = temporary("ca.pem");
        std::fs::write(&path, authority.pem()).unwrap();
        Self { config: Arc::new(config), authority: path }
    }

    /// The server's side of a TLS connection.
    pub fn accept(config: &Arc<ServerConfig>, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
    }
}

/// A path that nothing else uses.
pub fn temporary(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = format!("guild-bridge-spec-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let directory = std::env::temp_dir().join(directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

/// The rules of one guild.
pub fn rules(extra_ca: Option<&Path>) -> Vec<Arc<Rules>> {
    Rules::of(&settings(extra_ca)).unwrap()
}

/// One guild, not allowed plain text beyond loopback.
pub fn settings(extra_ca: Option<&Path>) -> Settings {
    let guild = Guild {
        name: "acme".into(),
        dialect: DialectName::Fabric,
        center: String::new(),
        url: String::new(),
        extra_ca: extra_ca.map(Path::to_owned),
        plaintext: false,
        paths: Default::default(),
        namespace: "/".into(),
    };
    Settings { guilds: vec![guild], ..Settings::default() }
}

/// A resolver that knows `localhost` and `elsewhere.example` as this machine.
pub fn names() -> Dns {
    Dns::with(Box::new(|_| Ok(vec!["127.0.0.1".parse().unwrap()])))
}

/// The loop's ends.
pub fn post() -> (Post, Receiver<Happening>) {
    smol::channel::bounded(guild_bridge::budget::HAPPENINGS)
}
