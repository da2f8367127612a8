//! `page` and `page_hosts`: where the page listens, and what it may be called by.

use super::section::{Findings, Section};
use crate::settings::Page;
use core::net::{IpAddr, SocketAddr};

/// The page, where one is asked for and good.
pub fn read(section: &Section<'_>, found: &mut Findings) -> Option<Page> {
    let hosts = section.texts("page_hosts");
    for item in hosts.iter().filter(|item| !is_host(item.text)) {
        let what = format!("`{}` is no host; give a name or an address as it stands in a browser, no port", item.text);
        found.fault(item.at, format!("page_hosts[{}]", item.place), what);
    }
    let Some(text) = section.text("page") else {
        if !hosts.is_empty() {
            section.fault("page_hosts", "belongs to a page; give `page` an address, or leave this out", found);
        }
        return None;
    };
    if !cfg!(feature = "page") {
        section.fault("page", "this build has no page; leave it out, or take one with the feature `page`", found);
    }
    let Ok(listen) = text.parse::<SocketAddr>() else {
        let what = format!("`{text}` is no address with a port; give 127.0.0.1:8080, or [::1]:8080");
        section.fault("page", what, found);
        return None;
    };
    if listen.port() == 0 {
        section.fault("page", "has port 0; give the port that browsers ask for", found);
    }
    if !listen.ip().is_loopback() && hosts.is_empty() {
        let what = format!(
            "{} is not loopback: all who reach it could read the status; name what it is called by there in page_hosts, \
             or give 127.0.0.1:{}",
            listen.ip(),
            listen.port()
        );
        section.fault("page", what, found);
    }
    Some(Page { listen, hosts: hosts.iter().map(|item| item.text.to_ascii_lowercase()).collect() })
}

/// A name, or an address; IPv6 in brackets.
fn is_host(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match inner {
        Some(inner) => matches!(inner.parse(), Ok(IpAddr::V6(_))),
        None => !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    }
}
