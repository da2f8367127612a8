//! Addresses: `http` or `https`, a host, perhaps a port and a path.

use std::net::IpAddr;
use ureq::http::Uri;

/// An address that was understood.
pub struct Url {
    /// As it was written, its scheme in small letters; a base has no trailing slash.
    pub text: String,
    /// `https`
    pub encrypted: bool,
    /// The host is this machine: `localhost`, 127/8 or `::1`.
    pub loopback: bool,
}

/// A base URL: nothing but scheme, host, port and path.
///
/// # Errors
/// What is wrong; what to do.
pub fn base(text: &str) -> Result<Url, String> {
    if text.contains('?') {
        return Err(format!("`{text}` has a query; leave out what follows the question mark"));
    }
    let mut url = whole(text)?;
    url.text.truncate(url.text.trim_end_matches('/').len());
    Ok(url)
}

/// A URL that is used as it stands, query included.
///
/// # Errors
/// What is wrong; what to do.
pub fn whole(text: &str) -> Result<Url, String> {
    let wrong = |why: &str| Err(format!("`{text}` {why}"));
    let after = text.split_once("://").map_or(text, |(_, after)| after);
    if after.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@')) {
        // not shown: it may be a password
        return Err("holds a user or a password; remove them, the key belongs into `key_file`".to_owned());
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return wrong("has blanks or letters beyond ASCII; percent-encode them, and write the host as xn--…");
    }
    if text.contains('#') {
        return wrong("has a fragment; leave out what follows the #");
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return wrong("is no URL; write it as https://host or http://127.0.0.1:port");
    };
    let scheme = scheme.to_ascii_lowercase();
    let encrypted = match scheme.as_str() {
        "https" => true,
        "http" => false,
        "ws" | "wss" => return wrong("is a WebSocket's; write http or https, the rest follows"),
        _ => return wrong("is neither http nor https"),
    };
    let Ok(uri) = text.parse::<Uri>() else { return wrong("is no URL; write it as https://host[:port][/path]") };
    let Some(authority) = uri.authority() else { return wrong("names no host") };
    let host = authority.host();
    if host.is_empty() || host == "[]" {
        return wrong("names no host");
    }
    let port = authority.as_str().strip_prefix(host).unwrap_or_default();
    if !port.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
        return wrong("has a port that is none; give 1 to 65535");
    }
    Ok(Url { text: format!("{scheme}://{rest}"), encrypted, loopback: loopback(host) })
}

fn loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}
