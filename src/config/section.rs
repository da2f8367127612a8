//! Reads the tree by the table: every field is checked for its kind and range before anything asks for its value, and
//! every fault is kept, so that one run tells them all.

use super::jsonc::{Entry, Node, Offset, Value};
use super::schema::{ANSWERS, Field, Kind, Shape, TEXT_BYTES, nearest};
use crate::budget;
use std::collections::{BTreeMap, BTreeSet};

/// What was found while reading: faults refuse the configuration, warnings do not.
#[derive(Default)]
pub struct Findings {
    /// What refuses it.
    pub faults: Vec<Finding>,
    /// What is worth a look.
    pub warnings: Vec<Finding>,
    /// Faults beyond `budget::CONFIG_FAULTS`.
    pub more: usize,
}

/// Something at a place.
pub struct Finding {
    /// Where it stands in the file.
    pub at: Offset,
    /// The field, `agents.recruiter.key_file`.
    pub path: String,
    /// What is wrong; what to do.
    pub what: String,
}

impl Findings {
    /// Keeps a fault.
    pub fn fault(&mut self, at: Offset, path: impl Into<String>, what: impl Into<String>) {
        if self.faults.len() < budget::CONFIG_FAULTS {
            self.faults.push(Finding { at, path: path.into(), what: what.into() });
        } else {
            self.more += 1;
        }
    }

    /// Keeps a warning; there are few of them, since only what is otherwise good is warned about.
    pub fn warn(&mut self, at: Offset, path: impl Into<String>, what: impl Into<String>) {
        self.warnings.push(Finding { at, path: path.into(), what: what.into() });
    }
}

/// A string of a list.
#[derive(Clone, Copy)]
pub struct Item<'n> {
    /// Its place in the list, from 0.
    pub place: usize,
    /// Where it stands in the file.
    pub at: Offset,
    /// The string.
    pub text: &'n str,
}

/// An object of the configuration whose fields are known to fit their kinds.
pub struct Section<'n> {
    at: Offset,
    path: String,
    fields: Vec<(&'static Field, &'n Node)>,
}

impl<'n> Section<'n> {
    /// Checks `node` against `shape`. What does not fit is a fault, and left out; `None` when it is no object at all.
    pub fn open(node: &'n Node, shape: &'static Shape, path: &str, found: &mut Findings) -> Option<Self> {
        let mut section = Self { at: node.at, path: path.to_owned(), fields: Vec::new() };
        let entries = entries(node, path, found)?;
        for entry in &entries {
            match shape.fields.iter().find(|field| field.name == entry.name) {
                Some(field) => {
                    if fits(&entry.node, &field.kind, &section.path_of(field.name), found) {
                        section.fields.push((field, &entry.node));
                    }
                }
                None => found.fault(entry.at, section.path_of(&entry.name), unknown(&entry.name, shape)),
            }
        }
        let known = || shape.fields.iter().map(|field| field.name);
        for field in shape.fields.iter().filter(|field| field.required) {
            // a misspelt one is told once, where it stands
            let meant = |entry: &&Entry| entry.name == field.name || nearest(&entry.name, known()) == Some(field.name);
            if !entries.iter().any(meant) {
                let what = format!("is missing; give {}: {}", wanted(&field.kind), field.about);
                found.fault(section.at, section.path_of(field.name), what);
            }
        }
        Some(section)
    }

    /// Where it begins.
    #[must_use]
    pub fn at(&self) -> Offset {
        self.at
    }

    /// Where a field's value stands; the section itself without that field.
    #[must_use]
    pub fn at_of(&self, name: &str) -> Offset {
        self.node(name).map_or(self.at, |node| node.at)
    }

    /// A field's whole name.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A fault of one of its fields.
    pub fn fault(&self, name: &str, what: impl Into<String>, found: &mut Findings) {
        found.fault(self.at_of(name), self.path_of(name), what);
    }

    /// A warning about one of its fields.
    pub fn warn(&self, name: &str, what: impl Into<String>, found: &mut Findings) {
        found.warn(self.at_of(name), self.path_of(name), what);
    }

    /// A field's value as it stands.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&'n Node> {
        self.fields.iter().find(|(field, _)| field.name == name).map(|(_, node)| *node)
    }

    /// A string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'n str> {
        self.node(name).and_then(text)
    }

    /// true or false
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.node(name)?.value {
            Value::Flag(flag) => Some(flag),
            Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_) => None,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn whole(&self, name: &str) -> Option<u64> {
        self.node(name).and_then(whole)
    }

    /// A time in milliseconds.
    #[must_use]
    pub fn seconds_ms(&self, name: &str) -> Option<u64> {
        self.node(name).and_then(seconds_ms)
    }

    /// A list of strings, or the one string that stands for it; what is no string was told and is left out.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<Item<'n>> {
        let Some(node) = self.node(name) else { return Vec::new() };
        let one = std::slice::from_ref(node);
        let nodes = if let Value::List(nodes) = &node.value { nodes.as_slice() } else { one };
        nodes
            .iter()
            .enumerate()
            .filter_map(|(place, node)| Some(Item { place, at: node.at, text: text(node)? }))
            .collect()
    }

    /// A list of whole numbers.
    #[must_use]
    pub fn wholes(&self, name: &str) -> Vec<u64> {
        match self.node(name).map(|node| &node.value) {
            Some(Value::List(nodes)) => nodes.iter().filter_map(whole).collect(),
            _ => Vec::new(),
        }
    }

    /// Free names with strings.
    #[must_use]
    pub fn strings(&self, name: &str) -> BTreeMap<String, String> {
        self.named(name)
            .into_iter()
            .filter_map(|entry| Some((entry.name.clone(), text(&entry.node)?.to_owned())))
            .collect()
    }

    /// The entries of an object with free names; of two of one name the first.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<&'n Entry> {
        match self.node(name) {
            Some(node) => entries(node, "", &mut Findings::default()).unwrap_or_default(),
            None => Vec::new(),
        }
    }
}

/// The entries of an object without doubled ones, which are faults.
fn entries<'n>(node: &'n Node, path: &str, found: &mut Findings) -> Option<Vec<&'n Entry>> {
    let Value::Object(all) = &node.value else {
        found.fault(node.at, path, format!("is {}; give an object", node.value.kind()));
        return None;
    };
    let mut kept = Vec::new();
    let mut names = BTreeSet::new();
    for entry in all {
        if names.insert(entry.name.as_str()) {
            kept.push(entry);
        } else {
            let path = if path.is_empty() { entry.name.clone() } else { format!("{path}.{}", entry.name) };
            found.fault(entry.at, path, "is given twice; keep one of them");
        }
    }
    Some(kept)
}

fn unknown(name: &str, shape: &Shape) -> String {
    let known = || shape.fields.iter().map(|field| field.name);
    if let Some(other) = transport_of(name).filter(|_| ANSWERS.iter().any(|answer| answer.name() == shape.name())) {
        return format!("goes with `{other}`, not with `{}`; remove it", shape.name());
    }
    match nearest(name, known()) {
        Some(near) => format!("unknown field; did you mean `{near}`?"),
        None => format!("unknown field; known here: {}", known().collect::<Vec<_>>().join(", ")),
    }
}

/// The transport that knows this field.
fn transport_of(field: &str) -> Option<&'static str> {
    ANSWERS.iter().find(|shape| shape.fields.iter().any(|known| known.name == field)).map(|shape| shape.name())
}

fn text(node: &Node) -> Option<&str> {
    if let Value::Text(text) = &node.value { Some(text) } else { None }
}

fn whole(node: &Node) -> Option<u64> {
    if let Value::Number(number) = &node.value { number.parse().ok() } else { None }
}

fn seconds_ms(node: &Node) -> Option<u64> {
    let Value::Number(number) = &node.value else { return None };
    let seconds: f64 = number.parse().ok()?;
    // the cast saturates, and no range reaches that far
    (seconds >= 0.0).then(|| (seconds * 1000.0).round() as u64)
}

/// Whether a value fits its kind, as a whole; what does not is a fault with what would.
fn fits(node: &Node, kind: &Kind, path: &str, found: &mut Findings) -> bool {
    let fault = match (kind, &node.value) {
        (Kind::Flag, Value::Flag(_)) | (Kind::Answer, Value::Object(_)) => None,
        (Kind::Json, _) => holds_nul(&node.value).then(|| "holds a NUL; remove it".to_owned()),
        (Kind::Whole(from, to), Value::Number(number)) => {
            let good = whole(node).is_some_and(|n| (*from..=*to).contains(&n));
            (!good).then(|| format!("is {number}; give {}", wanted(kind)))
        }
        (Kind::Seconds(from, to), Value::Number(number)) => {
            let good = seconds_ms(node).is_some_and(|ms| (*from..=*to).contains(&ms));
            (!good).then(|| format!("is {number}; give {}", wanted(kind)))
        }
        (Kind::Text(most), Value::Text(text)) if text.is_empty() => {
            Some(format!("is empty; give {}", wanted(&Kind::Text(*most))))
        }
        (Kind::Text(most) | Kind::TextOrTexts(_, most), Value::Text(text)) => unfit(text, *most),
        (Kind::Pointer, Value::Text(text)) => unfit(text, TEXT_BYTES)
            .or_else(|| (!pointer(text)).then(|| format!("`{text}` is no JSON pointer; give {}", wanted(kind)))),
        (Kind::Word(words), Value::Text(text)) => (!words.contains(&text.as_str())).then(|| not_a_word(text, words)),
        (Kind::Texts(least, most, bytes), Value::List(nodes)) => {
            all_texts(node, nodes, (*least, *most, *bytes), path, found);
            None
        }
        (Kind::TextOrTexts(most, bytes), Value::List(nodes)) => {
            all_texts(node, nodes, (1, *most, *bytes), path, found);
            None
        }
        (Kind::Wholes(to, most), Value::List(nodes)) => {
            let good = nodes.len() <= *most && nodes.iter().all(|node| whole(node).is_some_and(|n| n <= *to));
            (!good).then(|| format!("does not fit; give {}", wanted(kind)))
        }
        (Kind::Strings(most), Value::Object(all)) => {
            all_strings(node, all, *most, path, found);
            None
        }
        (Kind::Object(_), Value::Object(_)) => None,
        (Kind::Named(_, most), Value::Object(all)) => {
            let _ = entries(node, path, found);
            (all.len() > *most).then(|| format!("has {} entries; at most {most} are taken", all.len()))
        }
        (_, other) => Some(format!("is {}; give {}", other.kind(), wanted(kind))),
    };
    match fault {
        Some(what) => {
            found.fault(node.at, path, what);
            false
        }
        None => true,
    }
}

/// The strings of a list, each on its own: one that does not fit leaves the others to be looked at.
fn all_texts(
    list: &Node,
    nodes: &[Node],
    (least, most, bytes): (usize, usize, usize),
    path: &str,
    found: &mut Findings,
) {
    if nodes.len() < least || nodes.len() > most {
        found.fault(list.at, path, format!("has {} entries; give {least} to {most}", nodes.len()));
    }
    for (place, node) in nodes.iter().enumerate() {
        if let Some(what) = not_a_text(node, bytes) {
            found.fault(node.at, format!("{path}[{place}]"), what);
        }
    }
}

/// The strings of an object with free names, each on its own.
fn all_strings(object: &Node, all: &[Entry], most: usize, path: &str, found: &mut Findings) {
    let _ = entries(object, path, found);
    if all.len() > most {
        found.fault(object.at, path, format!("has {} entries; at most {most} are taken", all.len()));
    }
    for entry in all {
        if let Some(what) = not_a_text(&entry.node, TEXT_BYTES) {
            found.fault(entry.node.at, format!("{path}.{}", entry.name), what);
        }
    }
}

fn not_a_text(node: &Node, most: usize) -> Option<String> {
    match &node.value {
        Value::Text(text) => unfit(text, most),
        other => Some(format!("is {}; give a string", other.kind())),
    }
}

fn unfit(text: &str, most: usize) -> Option<String> {
    if text.len() > most {
        return Some(format!("has {} bytes; at most {most} are taken", text.len()));
    }
    text.contains('\0').then(|| "holds a NUL; remove it".to_owned())
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::List(nodes) => nodes.iter().any(|node| holds_nul(&node.value)),
        Value::Object(entries) => entries.iter().any(|e| e.name.contains('\0') || holds_nul(&e.node.value)),
        Value::Null | Value::Flag(_) | Value::Number(_) => false,
    }
}

/// RFC 6901: empty, or parts that each begin with `/`, with `~0` and `~1` as the only escapes.
fn pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

fn not_a_word(text: &str, words: &'static [&'static str]) -> String {
    match nearest(text, words.iter().copied()) {
        Some(near) => format!("`{text}` is not known; did you mean `{near}`?"),
        None => format!("`{text}` is not known; give {}", wanted(&Kind::Word(words))),
    }
}

/// What a kind takes, after "give".
fn wanted(kind: &Kind) -> String {
    match kind {
        Kind::Flag => "true or false".to_owned(),
        Kind::Whole(from, to) => format!("a whole number from {from} to {to}"),
        Kind::Seconds(from, to) => format!("seconds from {} to {}", seconds(*from), seconds(*to)),
        Kind::Text(most) => format!("a string of 1 to {most} bytes"),
        Kind::Word(words) => words.join(" or "),
        Kind::Texts(..) => "a list of strings".to_owned(),
        Kind::TextOrTexts(..) => "a string or a list of strings".to_owned(),
        Kind::Wholes(to, most) => format!("a list of at most {most} whole numbers up to {to}"),
        Kind::Strings(_) => "an object with strings".to_owned(),
        Kind::Object(_) | Kind::Named(..) => "an object".to_owned(),
        Kind::Pointer => "a JSON pointer such as /choices/0/text".to_owned(),
        Kind::Answer => "an object with exec, stdio, socket or http".to_owned(),
        Kind::Json => "JSON".to_owned(),
    }
}

fn seconds(ms: u64) -> String {
    (ms as f64 / 1000.0).to_string()
}
