//! The guild on a real Socket.IO server: socketioxide and axum on one thread of their own, loopback, a free port.
//! What is said and answered is the model's; this file carries it.

use super::door::{Door, Peer, Tls};
use super::model::{self, Delivery, Joined, Model, Push, Session, Verdict};
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use socketioxide::extract::{AckSender, Data, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::Sid;
use socketioxide::{SendError, SocketError, SocketIo, TransportType};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How the server stands, beside what the guild is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The guild itself.
    pub guild: model::Options,
    pub ping_interval_ms: u64,
    pub ping_timeout_ms: u64,
    /// Socket.IO's path, with its slashes.
    pub socket_path: String,
    pub namespace: String,
    /// Speaks TLS with a certificate of its own authority.
    pub tls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            guild: model::Options::default(),
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            socket_path: "/socket.io/".into(),
            namespace: "/".into(),
            tls: false,
        }
    }
}

/// A guild that runs until it is dropped.
pub struct Guild {
    options: Options,
    shared: Arc<Shared>,
    port: u16,
    tls: Option<Tls>,
    running: Option<Running>,
}

struct Running {
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
    io: SocketIo,
    runtime: tokio::runtime::Handle,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    model: Model,
    sessions: HashMap<Sid, Session>,
    sockets: HashMap<Session, SocketRef>,
    /// Said to a session before its socket was there.
    early: Vec<(Session, Push)>,
    calls: Vec<String>,
}

impl Guild {
    /// Starts the server on a free loopback port.
    pub fn start(options: Options) -> Self {
        let model = Model::new(options.guild.clone());
        let state =
            State { model, sessions: HashMap::new(), sockets: HashMap::new(), early: Vec::new(), calls: Vec::new() };
        let tls = options.tls.then(Tls::new);
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let mut guild = Self { options, shared, port: 0, tls, running: None };
        guild.open();
        guild
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The PEM of the authority that signed its certificate.
    pub fn ca_pem(&self) -> &str {
        self.tls.as_ref().map_or("", |tls| &tls.ca_pem)
    }

    /// Looks at the guild, or changes it; what it has to say then is sent before this returns.
    pub fn with<T>(&self, act: impl FnOnce(&mut Model, u64) -> T) -> T {
        // a socket that is ended tells its end in a task
        let _entered = self.running.as_ref().map(|running| running.runtime.enter());
        let mut state = self.shared.lock();
        let out = act(&mut state.model, wall_ms());
        state.carry();
        out
    }

    /// Somebody says something; its id is returned.
    pub fn say(&self, channel: &str, author: &str, text: &str) -> String {
        self.with(|guild, now| guild.say(channel, author, text, now))
    }

    /// Wrong until it is cleared.
    pub fn set_fault(&self, fault: model::Fault) {
        self.with(|guild, _| guild.faults.set(fault));
    }

    /// Wrong so many times.
    pub fn set_fault_times(&self, fault: model::Fault, times: u32) {
        self.with(|guild, _| guild.faults.set_times(fault, times));
    }

    /// Nothing is wrong any more.
    pub fn clear_faults(&self) {
        self.with(|guild, _| guild.faults.clear());
    }

    /// HTTP calls so far, `METHOD target`.
    pub fn calls(&self) -> Vec<String> {
        self.shared.lock().calls.clone()
    }

    /// The server goes away: politely (a WebSocket close to everyone) or as when it is killed.
    pub fn stop(&mut self, politely: bool) {
        let Some(running) = self.running.take() else { return };
        if politely {
            let io = running.io.clone();
            running.runtime.spawn(async move { io.close().await });
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = running.stop.send(());
        let _ = running.thread.join();
        let mut state = self.shared.lock();
        state.model.lose_sessions();
        state.sessions.clear();
        state.sockets.clear();
        state.early.clear();
    }

    /// The server is there again, on the same port, with all it had stored.
    pub fn open(&mut self) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let (told, hears) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (shared, options, tls) = (self.shared.clone(), self.options.clone(), self.tls.clone());
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let door = Door::open(address, tls).await;
                let (app, io) = application(&options, &shared);
                told.send((door.port(), io, tokio::runtime::Handle::current())).unwrap();
                let service = app.into_make_service_with_connect_info::<Peer>();
                let served = std::future::IntoFuture::into_future(axum::serve(door, service));
                tokio::select! {
                    _ = served => {}
                    _ = stopped => {}
                    () = shared.clone().keep_time() => {}
                }
            });
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("guild".into()).spawn(serve).unwrap();
        let (port, io, runtime) = hears.recv().expect("the guild's port is free");
        self.port = port;
        self.running = Some(Running { stop, thread, io, runtime });
    }

    /// Away and back at once.
    pub fn restart(&mut self) {
        self.stop(true);
        self.open();
    }
}

impl Drop for Guild {
    fn drop(&mut self) {
        self.stop(false);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn keep_time(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let mut state = self.lock();
            state.model.tick(wall_ms());
            state.carry();
        }
    }

    async fn admit(&self, socket: SocketRef, auth: Option<serde_json::Value>) -> Result<(), String> {
        let verdict = {
            let mut state = self.lock();
            let token = auth.as_ref().and_then(|auth| auth["token"].as_str());
            let (session, verdict) = state.model.offer(token, wall_ms());
            state.sessions.insert(socket.id, session);
            state.carry();
            verdict
        };
        match verdict {
            Verdict::Welcome => Ok(()),
            Verdict::Refused(why) => Err(why["message"].as_str().unwrap_or("refused").to_owned()),
            Verdict::Nothing => std::future::pending().await,
        }
    }

    fn seat(&self, socket: &SocketRef) {
        let mut state = self.lock();
        let Some(&session) = state.sessions.get(&socket.id) else { return };
        state.sockets.insert(session, socket.clone());
        let early = std::mem::take(&mut state.early);
        for (at, push) in early {
            state.give(at, push);
        }
    }

    fn join(&self, socket: &SocketRef, channel: &str, ack: AckSender) {
        let mut state = self.lock();
        let Some(&session) = state.sessions.get(&socket.id) else { return };
        match state.model.join(session, channel, wall_ms()) {
            Joined::Ack(answer) => drop(ack.send(&answer)),
            Joined::Exception(answer) => drop(socket.emit("exception", &answer)),
            Joined::Silence => {}
        }
        state.carry();
    }

    fn leave(&self, id: Sid) {
        let mut state = self.lock();
        if let Some(session) = state.sessions.remove(&id) {
            state.sockets.remove(&session);
            state.model.gone(session);
        }
    }

    async fn answer(&self, method: Method, uri: Uri, headers: HeaderMap, peer: Peer, body: Bytes) -> Response {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let answer = {
            let mut state = self.lock();
            state.calls.push(format!("{method} {target}"));
            let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            let key = header("idempotency-key");
            let request = model::Request { method: method.as_str(), target, bearer, key, body: &body };
            let answer = state.model.http(&request, wall_ms());
            state.carry();
            answer
        };
        match answer.delivery {
            Delivery::Now => {}
            Delivery::AfterMs(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Delivery::Lost => {
                peer.cut();
                std::future::pending::<()>().await;
            }
        }
        let mut response = Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(*name, value);
        }
        response.body(Body::from(answer.body)).unwrap()
    }
}

impl State {
    /// Sends what the guild has to say.
    fn carry(&mut self) {
        while let Some((session, push)) = self.model.poll() {
            self.give(session, push);
        }
    }

    fn give(&mut self, session: Session, push: Push) {
        let Some(socket) = self.sockets.get(&session) else {
            self.early.push((session, push));
            return;
        };
        match push {
            Push::Created(message) => match socket.emit("message.created", &message) {
                Ok(()) | Err(SendError::Socket(SocketError::Closed)) => {}
                Err(error) => eprintln!("the test guild could not send: {error}"),
            },
            Push::Disconnect { close } => {
                let peer = socket.req_parts().extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.clone());
                let _ = socket.clone().disconnect();
                if let Some(peer) = peer.filter(|_| close) {
                    peer.close();
                }
            }
        }
    }
}

fn application(options: &Options, shared: &Arc<Shared>) -> (axum::Router, SocketIo) {
    let (layer, io) = SocketIo::builder()
        .req_path(options.socket_path.clone())
        .ping_interval(Duration::from_millis(options.ping_interval_ms))
        .ping_timeout(Duration::from_millis(options.ping_timeout_ms))
        .max_buffer_size(16_384)
        .transports([TransportType::Websocket])
        .build_layer();
    let admits = shared.clone();
    let admit = move |socket: SocketRef, TryData(auth): TryData<serde_json::Value>| {
        let shared = admits.clone();
        async move { shared.admit(socket, auth.ok()).await }
    };
    let seats = shared.clone();
    let seat = move |socket: SocketRef| {
        let shared = seats.clone();
        async move {
            let joins = shared.clone();
            socket.on("join_channel", async move |socket: SocketRef, Data(channel): Data<String>, ack: AckSender| {
                joins.join(&socket, &channel, ack);
            });
            let leaves = shared.clone();
            socket.on_disconnect(async move |socket: SocketRef| leaves.leave(socket.id));
            shared.seat(&socket);
        }
    };
    io.ns(options.namespace.clone(), seat.with(admit));
    let answers = shared.clone();
    let answer = move |method, uri, headers, ConnectInfo(peer): ConnectInfo<Peer>, body| {
        let shared = answers.clone();
        async move { shared.answer(method, uri, headers, peer, body).await }
    };
    (axum::Router::new().fallback(answer).layer(layer), io)
}

pub fn wall_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}
