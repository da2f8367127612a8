//! The client this product is needed for: it signs in once, keeps its token, and joins again after every reconnect.
//! Whatever it is told it writes down; it believes that connected is live.

use async_tungstenite::tungstenite::{Message, WebSocket};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// One naive client.
pub struct Naive {
    port: u16,
    token: String,
    socket: Option<WebSocket<TcpStream>>,
    channel: String,
    /// Messages heard, by their text.
    pub heard: Vec<String>,
    /// Pings answered.
    pub pings: usize,
}

impl Naive {
    /// Mints its one token and connects.
    pub fn connect(port: u16, agent: &str, key: &str, channel: &str) -> Self {
        let body = serde_json::json!({"agentId": agent, "agentKey": key}).to_string();
        let answer = http(port, "POST", "/auth/token", &[], &body);
        let json: Value = serde_json::from_str(&answer.1).expect("the mint answers JSON");
        let token = json["guildAccessToken"].as_str().expect("the mint hands out a token").to_owned();
        let mut naive = Self { port, token, socket: None, channel: channel.into(), heard: Vec::new(), pings: 0 };
        naive.reconnect();
        naive
    }

    /// Connects again, with the token that it has.
    pub fn reconnect(&mut self) {
        self.socket = None;
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).expect("the guild listens");
        tcp.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let url = format!("ws://127.0.0.1:{}/socket.io/?EIO=4&transport=websocket", self.port);
        let (socket, _) = async_tungstenite::tungstenite::client::client(url, tcp).expect("the upgrade succeeds");
        self.socket = Some(socket);
        let soon = Instant::now() + Duration::from_secs(2);
        assert!(self.read(soon).is_some_and(|text| text.starts_with('0')), "Engine.IO opens");
        self.write(format!("40{{\"token\":\"{}\"}}", self.token));
        assert!(self.read(soon).is_some_and(|text| text.starts_with("40")), "CONNECT is accepted");
        self.write(format!("42[\"join_channel\",\"{}\"]", self.channel));
    }

    /// Listens for so long.
    pub fn listen(&mut self, for_ms: u64) {
        let until = Instant::now() + Duration::from_millis(for_ms);
        loop {
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let socket = self.socket.as_mut().expect("connected");
            socket.get_mut().set_read_timeout(Some(left)).unwrap();
            let Some(text) = self.read(until) else { return };
            let event = text.strip_prefix("42").and_then(|json| serde_json::from_str::<Value>(json).ok());
            if let Some(event) = event.filter(|event| event[0] == "message.created") {
                self.heard.push(event[1]["text"].as_str().unwrap_or_default().to_owned());
            }
        }
    }

    fn read(&mut self, until: Instant) -> Option<String> {
        while Instant::now() < until {
            match self.socket.as_mut()?.read() {
                Ok(Message::Text(text)) if text.as_str() == "2" => {
                    self.pings += 1;
                    self.write("3".into());
                }
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
        None
    }

    fn write(&mut self, text: String) {
        if let Some(socket) = &mut self.socket {
            socket.send(Message::text(text)).expect("the socket takes a frame");
        }
    }
}

/// One plain HTTP/1.1 call: status and body.
pub fn http(port: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).expect("the guild listens");
    tcp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut request = format!("{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    tcp.write_all(request.as_bytes()).expect("the guild reads");
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}
