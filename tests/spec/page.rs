use guild_bridge::budget;
use guild_bridge::io::page::PARTS;
use guild_bridge::io::page::request::{Refusal, read};
use guild_bridge::settings::Page;

fn at(listen: &str, hosts: &[&str]) -> Page {
    Page { listen: listen.parse().unwrap(), hosts: hosts.iter().map(|host| (*host).to_owned()).collect() }
}

fn asked(request: &str, page: &Page) -> Result<Option<String>, Option<Refusal>> {
    read(request.as_bytes(), page)
}

/// The status of the refusal.
fn refused(request: &str, page: &Page) -> String {
    asked(request, page).expect_err(request).expect("a refusal").status.to_owned()
}

/// Whether the page answers to this Host.
fn is_called(host: &str, page: &Page) -> bool {
    match asked(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), page) {
        Ok(path) => path.as_deref() == Some("/"),
        Err(refusal) => {
            assert_eq!(refusal.expect("a refusal").status, "421 Misdirected Request", "{host}");
            false
        }
    }
}

#[test]
fn the_page_weighs_at_most_20_kb_and_takes_nothing_from_elsewhere() {
    assert!(PARTS.iter().map(|(.., text)| text.len()).sum::<usize>() <= 20_000);
    for (path, _, text) in PARTS {
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("://") && !elsewhere.contains("url("), "{path}");
        for raw in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", " style=", "onclick"] {
            assert!(!text.contains(raw), "{path}: what peers say could become markup: {raw}");
        }
    }
}

#[test]
fn the_page_answers_to_its_own_names_and_to_no_other() {
    let loopback = at("127.0.0.1:8080", &[]);
    for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "localhost:2222"] {
        assert!(is_called(host, &loopback), "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "[::2]",
        "",
        "192.168.1.2",
        "127.0.0.1:8080.evil.example",
        "localhost:evil.example",
        "localhost:8080:80",
        "[::1]evil.example",
        "[::1",
        "[::1]:x",
    ] {
        assert!(!is_called(host, &loopback), "{host}");
    }
    let open = at("0.0.0.0:8080", &["pi.lan"]);
    assert!(is_called("Pi.LAN:8080", &open) && is_called("localhost", &open) && !is_called("192.168.1.2", &open));
    let lan = at("[fd00::7]:80", &["pi.lan"]);
    assert!(is_called("[fd00::7]", &lan) && is_called("pi.lan", &lan) && !is_called("localhost", &lan));
}

#[test]
fn what_is_no_look_is_refused_with_its_reason() {
    let page = at("127.0.0.1:8080", &[]);
    for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT"] {
        let refusal = asked(&format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n"), &page).unwrap_err().unwrap();
        assert_eq!((refusal.status, refusal.allow), ("405 Method Not Allowed", Some("GET")), "{method}");
    }
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n", &page), "400 Bad Request");
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n", &page), "400 Bad Request");
    assert_eq!(refused("hello\r\n\r\n", &page), "400 Bad Request");
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: localhost\r\n a: b\r\n\r\n", &page), "400 Bad Request");
    let many = "A: b\r\n".repeat(budget::PAGE_HEADERS + 1);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    assert_eq!(refused(&many, &page), "431 Request Header Fields Too Large");
}

#[test]
fn a_request_is_read_once_it_is_whole_and_its_query_is_passed_over() {
    let page = at("127.0.0.1:8080", &[]);
    let whole = "GET /metrics?name=x HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
    for end in 0..whole.len() {
        assert_eq!(read(&whole.as_bytes()[..end], &page), Ok(None), "{end}");
    }
    assert_eq!(asked(whole, &page), Ok(Some("/metrics".into())));
    assert_eq!(asked("GET / HTTP/1.0\nHost: localhost\n\n", &page), Ok(Some("/".into())));
}
