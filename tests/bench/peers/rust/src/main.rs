//! A seat held with rust_socketio, as its documentation shows: a fresh token for each attempt, joins at each connect.
//! `client URL AGENT KEY SINK [CA]`: what is heard goes to the program at SINK as lines of guild-agent/1.

use futures_util::future::FutureExt;
use rust_socketio::asynchronous::{Client, ClientBuilder, ReconnectSettings};
use rust_socketio::{Payload, TransportType};
use serde_json::{json, Value};
use std::error::Error;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::UnixListener;
use tokio::sync::Mutex;

struct Seat {
    url: String,
    agent: String,
    key: String,
    web: reqwest::Client,
    token: Mutex<String>,
    program: Mutex<Option<OwnedWriteHalf>>,
}

impl Seat {
    async fn mint(&self) -> Value {
        let body = json!({"agentId": self.agent, "agentKey": self.key});
        let asked = self.web.post(format!("{}/auth/token", self.url)).json(&body).send().await;
        let answer: Value = match asked {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        };
        let token = answer["guildAccessToken"].as_str().unwrap_or_default().to_owned();
        *self.token.lock().await = token.clone();
        json!({"token": token})
    }

    async fn join(&self, client: Client) {
        let token = self.token.lock().await.clone();
        let asked = self.web.get(format!("{}/channels", self.url)).bearer_auth(token).send().await;
        let Ok(answer) = asked else { return };
        let list: Value = answer.json().await.unwrap_or_default();
        for channel in list.as_array().into_iter().flatten() {
            let _ = client.emit("join_channel", channel["id"].clone()).await;
        }
    }

    async fn heard(&self, message: &Value) {
        let mut author = message["author"].clone();
        author["id"] = message["authorId"].clone();
        let line = json!({
            "v": 1, "type": "message", "turn": message["id"], "attempt": 1, "agent": self.agent, "guild": "acme",
            "conv": {"key": format!("acme.{}", message["channelId"].as_str().unwrap_or_default()), "kind": "channel"},
            "message": {"id": message["id"], "at": message["createdAt"], "text": message["text"], "author": author},
        });
        if let Some(program) = &mut *self.program.lock().await {
            let _ = program.write_all(format!("{line}\n").as_bytes()).await;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [url, agent, key, sink, ca @ ..] = &given[..] else { return Err("client URL AGENT KEY SINK [CA]".into()) };
    let (mut web, mut tls) = (reqwest::Client::builder(), native_tls::TlsConnector::builder());
    for path in ca {
        let pem = std::fs::read(path)?;
        web = web.add_root_certificate(reqwest::Certificate::from_pem(&pem)?);
        tls.add_root_certificate(native_tls::Certificate::from_pem(&pem)?);
    }
    let seat = Arc::new(Seat {
        url: url.clone(),
        agent: agent.clone(),
        key: key.clone(),
        web: web.build()?,
        token: Mutex::default(),
        program: Mutex::default(),
    });
    let (first, again, opened, heard) = (seat.clone(), seat.clone(), seat.clone(), seat.clone());
    let _client = ClientBuilder::new(url.clone())
        .transport_type(TransportType::Websocket)
        .tls_config(tls.build()?)
        .auth(first.mint().await)
        .reconnect_on_disconnect(true)
        .on_reconnect(move || {
            let seat = again.clone();
            async move {
                let mut settings = ReconnectSettings::new();
                settings.auth(seat.mint().await);
                settings
            }
            .boxed()
        })
        .on("open", move |_: Payload, client: Client| {
            let seat = opened.clone();
            async move { seat.join(client).await }.boxed()
        })
        .on("message.created", move |payload: Payload, _: Client| {
            let seat = heard.clone();
            async move {
                if let Payload::Text(values) = payload {
                    if let Some(message) = values.first() {
                        seat.heard(message).await;
                    }
                }
            }
            .boxed()
        })
        .connect()
        .await?;
    let listener = UnixListener::bind(sink)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (mut read, write) = stream.into_split();
        *seat.program.lock().await = Some(write);
        tokio::spawn(async move {
            let mut answers = vec![0; 1 << 16];
            while read.read(&mut answers).await.is_ok_and(|n| n > 0) {}
        });
    }
}
