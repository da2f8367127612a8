//! What a browser asks the page for: the request's line and its Host, the rest is passed over.

use crate::budget;
use crate::settings::Page;
use crate::text::Clipped;
use smol::Async;
use smol::io::AsyncReadExt;
use std::net::TcpStream;

/// Why a request is not answered as it wished.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Code and phrase (RFC 9110 section 15).
    pub status: &'static str,
    /// The methods that are taken, where the method is what is wrong.
    pub allow: Option<&'static str>,
    /// A sentence: what is wrong and what to do.
    pub what: String,
}

fn refusal(status: &'static str, what: impl Into<String>) -> Option<Refusal> {
    Some(Refusal { status, allow: None, what: what.into() })
}

/// The path that is asked for, without its query.
///
/// # Errors
/// Why not; none when the browser went away.
pub async fn asked(mut stream: &Async<TcpStream>, page: &Page) -> Result<String, Option<Refusal>> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return Err(None),
            Ok(n) => bytes.extend(piece.iter().take(n)),
        }
        if let Some(path) = read(&bytes, page)? {
            return Ok(path);
        }
        if bytes.len() >= budget::PAGE_REQUEST_BYTES {
            let what = format!("a request of more than {} bytes is not read", budget::PAGE_REQUEST_BYTES);
            return Err(refusal("431 Request Header Fields Too Large", what));
        }
    }
}

/// The path, once the head of the request is whole.
///
/// # Errors
/// As [`asked`] says.
pub fn read(bytes: &[u8], page: &Page) -> Result<Option<String>, Option<Refusal>> {
    let mut headers = [httparse::EMPTY_HEADER; budget::PAGE_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            let what = format!("a request with more than {} headers is not read", budget::PAGE_HEADERS);
            return Err(refusal("431 Request Header Fields Too Large", what));
        }
        Err(error) => return Err(refusal("400 Bad Request", format!("this is no HTTP request: {error}"))),
    }
    if request.method != Some("GET") {
        let what = "this page is only looked at: GET".to_owned();
        return Err(Some(Refusal { status: "405 Method Not Allowed", allow: Some("GET"), what }));
    }
    let hosts: Vec<&[u8]> =
        request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host")).map(|h| h.value).collect();
    let [host] = hosts.as_slice() else {
        return Err(refusal("400 Bad Request", "a request has one Host (RFC 9112 section 3.2)"));
    };
    let host = String::from_utf8_lossy(host);
    if !is_ours(&host, page) {
        let what = format!(
            "this page is not called {}; open it as http://{}/, or name that host in page_hosts",
            Clipped(&host),
            page.listen
        );
        return Err(refusal("421 Misdirected Request", what));
    }
    let path = request.path.unwrap_or("/");
    Ok(Some(path.split('?').next().unwrap_or("/").to_owned()))
}

/// Whether the page may be called so. The port does not count: it may be another one, through a tunnel.
fn is_ours(host: &str, page: &Page) -> bool {
    let Some(name) = name_of(host.trim()).map(str::to_ascii_lowercase) else { return false };
    let ip = page.listen.ip();
    let reaches_loopback = ip.is_loopback() || ip.is_unspecified();
    let own = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    name == own
        || reaches_loopback && ["localhost", "127.0.0.1", "[::1]"].contains(&name.as_str())
        || page.hosts.contains(&name)
}

/// The name in `name` or `name:port` (RFC 9110 section 7.2); an IPv6 address keeps its brackets. None: it is neither.
fn name_of(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, rest) = host.split_at_checked(end)?;
    let port = rest.strip_prefix(':').unwrap_or(rest);
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && (rest.is_empty() || rest.starts_with(':'));
    is_port.then_some(name)
}
