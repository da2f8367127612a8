//! The floors of `src/lib.rs`: a file imports its own floor and those below. STYLE's first four habits, read from the
//! source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What only the world may name: sockets, files, threads, clocks, and the libraries that bring them.
const WORLD: &[&str] = &[
    "std::net",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "std::os",
    "std::time::Instant",
    "std::time::SystemTime",
    "smol",
    "futures_lite",
    "futures_rustls",
    "async_tungstenite",
    "async_signal",
    "rustls",
    "ureq",
    "rustix",
];

/// What has more than one owner: for the world and the binary only.
const SHARED: &[&str] = &[
    "Arc",
    "Mutex",
    "RwLock",
    "Condvar",
    "OnceLock",
    "LazyLock",
    "OnceCell",
    "LazyCell",
    "thread_local",
    "mpsc",
    "atomic",
    "RefCell",
];

/// The floor of each module, as the comments of `src/lib.rs` say it.
fn floors(lib: &str) -> BTreeMap<String, u32> {
    let (mut floor, mut floors) = (None, BTreeMap::new());
    for line in lib.lines() {
        if let Some(said) = line.strip_prefix("// floor ") {
            floor = said.split(':').next().and_then(|number| number.parse().ok());
        } else if let Some(module) = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod ")) {
            floors.insert(module.trim_end_matches(';').to_owned(), floor.expect("a module before the first floor"));
        }
    }
    floors
}

/// Source without comments and without what stands in strings and characters.
fn bare(source: &str) -> String {
    let (mut out, mut rest) = (String::new(), source);
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let raw = rest.strip_prefix('r').map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let raw =
            raw.filter(|hashes| after[*hashes..].starts_with('"') && !out.ends_with(|c: char| c.is_alphanumeric()));
        rest = if rest.starts_with("//") {
            rest.find('\n').map_or("", |end| &rest[end..])
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or("", |end| &rest[end + 2..])
        } else if let Some(hashes) = raw {
            let inner = &after[hashes + 1..];
            let close = format!("\"{}", "#".repeat(hashes));
            inner.find(&close).map_or("", |end| &inner[end + close.len()..])
        } else if c == '"' {
            behind_quote(after, '"')
        } else if c == '\'' && (after.starts_with('\\') || after.chars().nth(1) == Some('\'')) {
            behind_quote(after, '\'')
        } else {
            out.push(c);
            after
        };
    }
    out
}

/// What follows a string or character literal, its first quote gone already.
fn behind_quote(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return &text[at + c.len_utf8()..],
            _ => {}
        }
    }
    ""
}

/// Words and marks of bare source.
fn tokens(bare: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), bare.trim_start());
    while let Some(c) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let end = match c {
            c if word(c) || c == '\'' => {
                rest[c.len_utf8()..].find(|c| !word(c)).map_or(rest.len(), |end| end + c.len_utf8())
            }
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    tokens
}

/// Every path that a source names, groups in braces written out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tokens: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens.get(at + 1) == Some(&"::") && tokens[at].starts_with(|c: char| c.is_alphabetic() || c == '_') {
            at = path(tokens, at, String::new(), &mut paths);
        } else {
            at += 1;
        }
    }
    paths
}

/// Reads the path at a place and gives the place behind it.
fn path(tokens: &[&str], mut at: usize, mut so_far: String, paths: &mut Vec<String>) -> usize {
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = if tokens[at] == "," { at + 1 } else { path(tokens, at, so_far.clone(), paths) };
                }
                return at + 1;
            }
            Some(word) => so_far.push_str(word),
            None => return at,
        }
        at += 1;
        if tokens.get(at) == Some(&"as") {
            at += 2;
        }
        if tokens.get(at) != Some(&"::") || tokens.get(at + 1) == Some(&"<") {
            paths.push(so_far);
            return at.max(1);
        }
        so_far.push_str("::");
        at += 1;
    }
}

/// What is wrong with one file: `src/`-relative, like `link/calls.rs`.
fn faults(file: &str, source: &str, floors: &BTreeMap<String, u32>) -> Vec<String> {
    let module = file.split('/').next().unwrap_or(file).trim_end_matches(".rs");
    if module == "main" || module == "lib" {
        return Vec::new();
    }
    let Some(floor) = floors.get(module) else { return vec![format!("{file} stands on no floor of lib.rs")] };
    let depth = file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
    let (bare, root) = (bare(source), "super::".repeat(depth));
    let (tokens, world) = (tokens(&bare), floors["io"]);
    let mut faults = Vec::new();
    for path in paths(&tokens) {
        let inside = path.strip_prefix("crate::").or_else(|| path.strip_prefix(&root));
        let target = inside.and_then(|inside| inside.split("::").next());
        if target.and_then(|target| floors.get(target)).is_some_and(|target| target > floor) {
            faults.push(format!("{file} (floor {floor}) imports {path}, which is above it"));
        }
        let names = |word: &&str| path == **word || path.starts_with(&format!("{word}::"));
        if *floor < world && WORLD.iter().any(names) {
            faults.push(format!("{file} names {path}, which belongs to io/"));
        }
    }
    if module != "io" {
        let shared = tokens.iter().filter(|token| SHARED.contains(token) || **token == "static");
        faults.extend(shared.map(|token| format!("{file} names {token}: what is shared belongs to io/ and main.rs")));
    }
    faults
}

pub fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn every_file_imports_only_its_own_floor_and_those_below() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let floors = floors(&std::fs::read_to_string(src.join("lib.rs")).unwrap());
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        faults(&name, &std::fs::read_to_string(&path).unwrap(), &floors)
    };
    let faults: Vec<String> = sources(&src).into_iter().flat_map(read).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn some_floors() -> BTreeMap<String, u32> {
    floors(
        "// floor 0: x\npub mod text;\npub mod codec;\n// floor 1\npub mod journal;\n// floor 2: y\npub mod link;\n// floor 4\npub mod io;\n",
    )
}

fn one_fault(file: &str, source: &str) -> String {
    let mut faults = faults(file, source, &some_floors());
    assert_eq!(faults.len(), 1, "{source}: {faults:?}");
    faults.remove(0)
}

#[test]
fn an_import_of_a_floor_above_is_named_however_it_is_written() {
    let above = "journal.rs (floor 1) imports crate::link::Link, which is above it";
    assert_eq!(one_fault("journal.rs", "use crate::link::Link;"), above);
    for (file, source) in [
        ("journal.rs", "use crate::{text, link::{self as l}};"),
        ("journal.rs", "fn a() { let b = crate::link::Link::new::<u8>(); }"),
        ("journal.rs", "use super::link::Link;"),
        ("journal/wire.rs", "use super::super::link::Link;"),
        ("text.rs", "fn a(_: crate :: link\n::Post) {}"),
    ] {
        assert!(one_fault(file, source).contains("link"), "{source}");
    }
    assert_eq!(one_fault("lost.rs", ""), "lost.rs stands on no floor of lib.rs");
}

#[test]
fn what_belongs_to_the_world_is_named_below_it() {
    let clock = "link.rs names std::time::Instant, which belongs to io/";
    assert_eq!(one_fault("link.rs", "use std::{fmt, time::{Duration, Instant}};"), clock);
    let shared = "text.rs names Mutex: what is shared belongs to io/ and main.rs";
    assert_eq!(one_fault("text.rs", "use std::sync::Mutex;"), shared);
    assert!(one_fault("text.rs", "fn a() { std::fs::read(b).unwrap(); }").contains("std::fs::read"));
    assert!(one_fault("text.rs", "static A: u8 = 1;").contains("static"));
}

#[test]
fn what_is_allowed_is_not_a_fault() {
    let allowed = r##"
        //! use crate::link::Link; std::fs
        use crate::{codec::Malformed, journal}; use super::wire::x; /* std::net */
        const A: &'static str = "use crate::link::Link; Mutex"; const B: &str = r#"std::fs::read"#;
        fn quote(c: char) -> bool { c == '"' || c == '\'' } // Arc
        mod tests { use super::*; use std::time::Duration; }
    "##;
    assert_eq!(faults("journal.rs", allowed, &some_floors()), Vec::<String>::new());
    assert_eq!(
        faults("io/disk.rs", "use crate::link; use std::{fs, sync::Arc};", &some_floors()),
        Vec::<String>::new()
    );
    assert_eq!(faults("main.rs", "use std::sync::Arc; use guild_bridge::io;", &some_floors()), Vec::<String>::new());
}
