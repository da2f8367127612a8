//! A headless Chromium, driven by its own protocol (Chrome DevTools Protocol, the domains Runtime and Page): what a person
//! would read on the screen, and a picture of it.

use crate::Ended;
use crate::scene::Running;
use async_tungstenite::tungstenite::{Message, WebSocket, client};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A browser with one page open.
pub struct Browser {
    socket: WebSocket<TcpStream>,
    asked: u64,
    _running: Running,
}

/// Where pictures are kept.
pub fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

impl Browser {
    /// Opens a page; what it needs for itself goes into `folder`. It is a skip where there is no Chromium.
    pub fn open(folder: &Path, url: &str) -> Result<Self, Ended> {
        let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|program| {
            let tried = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        });
        let Some(program) = found else {
            return Err(Ended::Skipped("no Chromium is here (Debian: apt-get install chromium)".into()));
        };
        let profile = folder.join(format!("browser-{}", fastrand::u32(..)));
        let mut command = Command::new(program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]);
        command.args(["--window-size=900,1200", "--remote-debugging-port=0"]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg(url);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running(quiet.spawn().expect("it starts"));
        let target = target(&profile.join("DevToolsActivePort"), url);
        let authority = target.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).expect("an address");
        let stream = TcpStream::connect(authority).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
        let (socket, _) = client(&target, stream).expect("a WebSocket");
        Ok(Self { socket, asked: 0, _running: running })
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let text = json!({"id": self.asked, "method": method, "params": params}).to_string();
        self.socket.send(Message::text(text)).expect("it takes a question");
        loop {
            let Message::Text(text) = self.socket.read().expect("it answers") else { continue };
            let said: Value = serde_json::from_str(&text).expect("JSON");
            if said["id"] == self.asked {
                assert!(said["error"].is_null(), "{said}");
                return said["result"].clone();
            }
        }
    }

    /// The text that is to be read on the screen now.
    pub fn reads(&mut self) -> String {
        let asked = self.ask("Runtime.evaluate", &json!({"expression": "document.body.innerText"}));
        asked["result"]["value"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until all of these are to be read, keeps a picture, and says what else there is to read.
    pub fn shows(&mut self, name: &str, all: &[&str], seconds: u64) -> String {
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            let text = self.reads();
            let missing: Vec<_> = all.iter().filter(|what| !text.contains(**what)).collect();
            if missing.is_empty() {
                self.picture(name);
                return text;
            }
            assert!(Instant::now() < until, "not on the screen within {seconds} s: {missing:?}\n{text}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn picture(&mut self, name: &str) {
        let shot = self.ask("Page.captureScreenshot", &json!({"format": "png", "captureBeyondViewport": true}));
        let place = pictures().join(format!("{name}.png"));
        let file = std::fs::File::create(&place).expect("a file");
        let mut decoder = Command::new("base64");
        let mut decoder = decoder.arg("-d").stdin(Stdio::piped()).stdout(file).spawn().expect("coreutils' base64");
        let text = shot["data"].as_str().expect("a picture").as_bytes();
        decoder.stdin.take().expect("a pipe").write_all(text).expect("it reads");
        assert!(decoder.wait().is_ok_and(|status| status.success()));
        let bytes = std::fs::read(&place).expect("the picture");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000, "{name}: a picture of {} bytes", bytes.len());
        println!("  a picture: target/tmp/page/{name}.png");
    }
}

/// The WebSocket address of the page, once the browser has it open.
fn target(port_file: &Path, url: &str) -> String {
    let until = Instant::now() + Duration::from_secs(25);
    loop {
        let port = std::fs::read_to_string(port_file).ok().and_then(|text| text.lines().next()?.parse::<u16>().ok());
        let listed = port.and_then(|port| list(port).ok()).unwrap_or_default();
        let page = listed.as_array().into_iter().flatten().find(|page| page["url"].as_str() == Some(url));
        if let Some(target) = page.and_then(|page| page["webSocketDebuggerUrl"].as_str()) {
            return target.to_owned();
        }
        assert!(Instant::now() < until, "the browser does not open {url}: {listed}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn list(port: u16) -> std::io::Result<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    // what it answers for the page's address begins with this Host
    stream.write_all(format!("GET /json/list HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes())?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        // it keeps the connection: the list is whole when it is JSON
        let text = String::from_utf8_lossy(&bytes);
        if let Some(list) = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()) {
            return Ok(list);
        }
        match stream.read(&mut piece)? {
            0 => return Ok(Value::Null),
            n => bytes.extend(&piece[..n]),
        }
    }
}
