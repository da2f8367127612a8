//! The words of a test: its body, and the bodies of what it names of its own file, as far as that goes. What a row of a
//! catalogue says to be seen has to stand among them.

use crate::living::sources;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Every Rust file below `tests/spec`, `tests/live` and `tests/interop`.
pub struct Files(Vec<(&'static str, PathBuf, String)>);

impl Files {
    pub fn read() -> Self {
        let kinds = ["spec", "live", "interop"].into_iter();
        Self(kinds.flat_map(|kind| sources(kind).into_iter().map(move |(path, text)| (kind, path, text))).collect())
    }

    /// The words of the test that a row calls `name`; `None` where it is of another kind, or not there.
    pub fn words_of(&self, name: &str) -> Option<String> {
        let (kind, name) = name.split_once("::")?;
        let mine = self.0.iter().filter(|(of, ..)| *of == kind);
        for (_, path, text) in mine {
            let module = path.with_extension("").to_string_lossy().replace('/', "::");
            let begins = match kind {
                "spec" => name.strip_prefix(&format!("{module}::")).filter(|rest| !rest.contains("::")),
                _ => scenario(text, name),
            };
            if let Some(begins) = begins {
                return Some(with_what_it_names(text, begins));
            }
        }
        None
    }
}

/// The words of a scenario's line, or its name where it is the function's.
fn scenario<'a>(text: &'a str, name: &'a str) -> Option<&'a str> {
    let quoted = format!("Scenario(\"{name}\"");
    if let Some((_, rest)) = text.split_once(&quoted) {
        let end = rest.find("Scenario(\"").or(rest.find("];")).unwrap_or(rest.len());
        return rest.get(..end);
    }
    let (_, listed) = text.split_once("= scenarios![")?;
    let (listed, _) = listed.split_once(']')?;
    listed.split(',').any(|one| one.trim() == name).then_some(name)
}

/// These words, and the items of the file that they name, and what those name.
fn with_what_it_names(text: &str, begins: &str) -> String {
    let items = items(text);
    let (mut all, mut next, mut seen) = (begins.to_owned(), vec![begins.to_owned()], BTreeSet::new());
    while let Some(words) = next.pop() {
        let names = words.split(|c: char| !c.is_alphanumeric() && c != '_');
        for name in names.filter(|name| items.contains_key(name)) {
            if seen.insert(name.to_owned()) {
                all.push_str(&items[name]);
                next.push(items[name].clone());
            }
        }
    }
    all
}

/// Functions and constants by their names, as rustfmt sets them: an item ends where its indentation comes back.
fn items(text: &str) -> BTreeMap<&str, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut items: BTreeMap<&str, String> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let head = line.trim_start().trim_start_matches("pub ").trim_start_matches("async ");
        let kind = ["const fn ", "fn ", "const ", "static "].into_iter().find(|kind| head.starts_with(kind));
        let Some(rest) = kind.and_then(|kind| head.strip_prefix(kind)) else { continue };
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let closes = format!("{}}}", " ".repeat(line.len() - line.trim_start().len()));
        let is_function = kind.is_some_and(|kind| kind.ends_with("fn "));
        let ends = |line: &&str| if is_function { line.starts_with(&closes) } else { line.ends_with(';') };
        let alone = line.ends_with(';') || (is_function && line.ends_with('}'));
        let length = if alone { 0 } else { lines[at..].iter().position(ends).unwrap_or(0) };
        let body = items.entry(name).or_default();
        lines[at..=at + length].iter().for_each(|line| {
            body.push_str(line);
            body.push('\n');
        });
    }
    items
}

#[test]
fn the_words_of_a_test_are_its_own_and_those_of_what_it_names() {
    let text = "const REASON: &str =\n    \"net.dns\";\n\n#[test]\nfn one() {\n    helped(REASON);\n}\n\nfn helped(what: &str) {\n    \
                other();\n}\n\nfn other() {}\n\nfn two() {\n    \"tls.name\";\n}\n";
    let words = with_what_it_names(text, "one");
    assert!(words.contains("net.dns") && words.contains("other();") && !words.contains("tls.name"), "{words}");
    let table = "&[\n    Scenario(\"a\", 30, || two()),\n    Scenario(\"b\", 30, one),\n];\n";
    let of = |name: &str| with_what_it_names(&format!("{table}{text}"), scenario(table, name).unwrap());
    assert!(of("a").contains("tls.name") && !of("a").contains("net.dns"), "{}", of("a"));
    assert!(of("b").contains("net.dns") && !of("b").contains("tls.name"), "{}", of("b"));
    assert!(scenario(table, "c").is_none());
}
