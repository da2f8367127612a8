//! OpenWrt's configuration (UCI) turned into ours: what `uci export guild-bridge` prints in, JSON out. Which options there
//! are comes from the same table as the JSON's fields, so none can be forgotten:
//!
//! - `config daemon` has the fields of the file itself, `config guild NAME` and `config agent NAME` theirs; what stands in
//!   `answer` stands in the agent's own section.
//! - A field of an object within is `OBJECT_FIELD`: `option paths_token '/t'`, `option timing_reconcile_s '60'`.
//! - A list is `list`; names with values are `list env 'NAME=VALUE'`; JSON is JSON in one option.
//! - A section's name has no `-` in UCI: `_` in it means `-`, or `option name` has the name.
//! - `option enabled '0'` leaves a guild or an agent out.

mod read;

use super::jsonc::{self, Entry, Node, Value};
use super::schema::{AGENT, ANSWERS, Field, GUILD, Kind, ROOT, Shape, nearest};
use crate::budget;
use read::{Given, Section};

/// What is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its line, from 1.
    pub line: usize,
    /// The section and the option, `agent recruiter: parallel`.
    pub path: String,
    /// What is wrong; what to do.
    pub what: String,
}

/// Options that mean something to whoever starts the daemon, or here, and are no fields.
const NAME: &str = "name";
const ENABLED: &str = "enabled";

/// The configuration as JSON, a field a line. It is not checked further: [`super::load`] does that.
///
/// # Errors
/// Every fault, in the order of the file; at most `budget::CONFIG_FAULTS`.
pub fn convert(text: &str) -> Result<String, Vec<Fault>> {
    let mut work = Work::default();
    let sections = match read::sections(text) {
        Ok(sections) => sections,
        Err(fault) => return Err(vec![fault]),
    };
    for section in &sections {
        work.section(section);
    }
    if work.faults.is_empty() { Ok(work.whole()) } else { Err(work.faults) }
}

#[derive(Default)]
struct Work {
    root: Vec<Entry>,
    guilds: Vec<Entry>,
    agents: Vec<Entry>,
    faults: Vec<Fault>,
}

impl Work {
    fn fault(&mut self, line: usize, path: String, what: String) {
        if self.faults.len() < budget::CONFIG_FAULTS {
            self.faults.push(Fault { line, path, what });
        }
    }

    fn section(&mut self, section: &Section) {
        match section.kind.as_str() {
            "daemon" => {
                if let Some(entries) = self.object(section, &[&ROOT], &[ENABLED]) {
                    self.root.extend(entries);
                }
            }
            "guild" => self.named(section, &[&GUILD]),
            "agent" => {
                let shapes: Vec<&Shape> = std::iter::once(&AGENT).chain(ANSWERS.iter().copied()).collect();
                self.named(section, &shapes);
            }
            kind => {
                let kinds = ["daemon", "guild", "agent"];
                let what = format!("is no section of ours{}", hint(kind, kinds.into_iter(), "daemon, guild and agent"));
                self.fault(section.line, format!("config {kind}"), what);
            }
        }
    }

    fn named(&mut self, section: &Section, shapes: &[&'static Shape]) {
        let name = match (section.option(NAME), &section.name) {
            (Some(name), _) => name.to_owned(),
            (None, Some(name)) => name.replace('_', "-"),
            (None, None) => {
                let what = format!("has no name; write config {} 'NAME'", section.kind);
                return self.fault(section.line, format!("config {}", section.kind), what);
            }
        };
        let Some(mut entries) = self.object(section, shapes, &[ENABLED, NAME]) else { return };
        if section.option(ENABLED).is_some_and(|word| flag(word) == Some(false)) {
            return;
        }
        let mut kept = Vec::new();
        let mut answer = Vec::new();
        for entry in entries.drain(..) {
            let own = shapes.first().is_some_and(|shape| shape.fields.iter().any(|field| field.name == entry.name));
            if own { kept.push(entry) } else { answer.push(entry) }
        }
        if !answer.is_empty() {
            kept.push(entry("answer", Value::Object(answer)));
        }
        let all = if section.kind == "guild" { &mut self.guilds } else { &mut self.agents };
        if all.iter().any(|other| other.name == name) {
            let what = "is there twice; give one of them another `option name`".to_owned();
            return self.fault(section.line, format!("{} {name}", section.kind), what);
        }
        all.push(entry(&name, Value::Object(kept)));
    }

    /// The section's options as fields of one of these shapes; `None` when one of them is wrong.
    fn object(&mut self, section: &Section, shapes: &[&'static Shape], other: &[&str]) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        let faults = self.faults.len();
        for given in &section.given {
            let name = given.name.as_str();
            let path = format!("{}: {name}", section.title());
            if other.contains(&name) {
                if name == ENABLED && given.one().and_then(flag).is_none() {
                    self.fault(given.line, path, "is neither 0 nor 1".to_owned());
                }
                continue;
            }
            let Some((within, field)) = shapes.iter().find_map(|shape| find(shape, name)) else {
                let known: Vec<String> = shapes.iter().flat_map(|shape| options(shape)).collect();
                let known = known.iter().map(String::as_str).chain(other.iter().copied());
                let what = format!("is no option of {}{}", section.kind, hint(name, known, "see the README"));
                self.fault(given.line, path, what);
                continue;
            };
            match value(field, given) {
                Ok(value) => match within {
                    Some(object) => put_within(&mut entries, object, entry(field.name, value)),
                    None => entries.push(entry(field.name, value)),
                },
                Err(what) => self.fault(given.line, path, what),
            }
        }
        (self.faults.len() == faults).then_some(entries)
    }

    fn whole(mut self) -> String {
        self.root.insert(0, entry("agents", Value::Object(self.agents)));
        self.root.insert(0, entry("guilds", Value::Object(self.guilds)));
        let mut out = String::new();
        layout(&Value::Object(self.root), 0, &mut out);
        out.push('\n');
        out
    }
}

fn entry(name: &str, value: Value) -> Entry {
    Entry { at: 0, name: name.to_owned(), node: Node { at: 0, value } }
}

fn put_within(entries: &mut Vec<Entry>, object: &str, field: Entry) {
    if let Some(Entry { node: Node { value: Value::Object(fields), .. }, .. }) =
        entries.iter_mut().find(|entry| entry.name == object)
    {
        fields.push(field);
    } else {
        entries.push(entry(object, Value::Object(vec![field])));
    }
}

/// The field that an option names, and the object that it is in.
fn find(shape: &'static Shape, option: &str) -> Option<(Option<&'static str>, &'static Field)> {
    shape.fields.iter().find_map(|field| match field.kind {
        Kind::Object(inner) => {
            let rest = option.strip_prefix(field.name)?.strip_prefix('_')?;
            Some((Some(field.name), inner.fields.iter().find(|inner| inner.name == rest)?))
        }
        Kind::Named(..) | Kind::Answer => None,
        Kind::Flag
        | Kind::Whole(..)
        | Kind::Seconds(..)
        | Kind::Text(_)
        | Kind::Word(_)
        | Kind::Texts(..)
        | Kind::TextOrTexts(..)
        | Kind::Wholes(..)
        | Kind::Strings(_)
        | Kind::Pointer
        | Kind::Json => (field.name == option).then_some((None, field)),
    })
}

/// The options of a shape.
pub fn options(shape: &'static Shape) -> Vec<String> {
    let mut names = Vec::new();
    for field in shape.fields {
        match field.kind {
            Kind::Object(inner) => {
                names.extend(inner.fields.iter().map(|inner| format!("{}_{}", field.name, inner.name)))
            }
            Kind::Named(..) | Kind::Answer => {}
            _ => names.push(field.name.to_owned()),
        }
    }
    names
}

fn value(field: &Field, given: &Given) -> Result<Value, String> {
    let one = || given.one().ok_or("is a list; write it once, as an option");
    let texts = || Value::List(given.values.iter().map(|text| node(Value::Text(text.clone()))).collect());
    Ok(match field.kind {
        Kind::Flag => Value::Flag(flag(one()?).ok_or("is neither 0 nor 1")?),
        Kind::Whole(..) | Kind::Seconds(..) => number(one()?)?,
        Kind::Text(_) | Kind::Word(_) | Kind::Pointer => Value::Text(one()?.to_owned()),
        Kind::Texts(..) => texts(),
        Kind::TextOrTexts(..) => given.one().map_or_else(texts, |text| Value::Text(text.to_owned())),
        Kind::Wholes(..) => {
            Value::List(given.values.iter().map(|text| number(text).map(node)).collect::<Result<_, _>>()?)
        }
        Kind::Strings(_) => pairs(&given.values)?,
        Kind::Json => jsonc::parse(one()?).map_err(|broken| format!("is no JSON: {}", broken.what))?.value,
        Kind::Object(_) | Kind::Named(..) | Kind::Answer => return Err("is no option".to_owned()),
    })
}

fn node(value: Value) -> Node {
    Node { at: 0, value }
}

/// UCI's words for true and false.
fn flag(word: &str) -> Option<bool> {
    match word {
        "1" | "yes" | "on" | "true" | "enabled" => Some(true),
        "0" | "no" | "off" | "false" | "disabled" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Result<Value, String> {
    match jsonc::parse(text.trim()) {
        Ok(Node { value: Value::Number(number), .. }) => Ok(Value::Number(number)),
        Ok(_) | Err(_) => Err(format!("`{text}` is no number")),
    }
}

fn pairs(values: &[String]) -> Result<Value, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for text in values {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
        if entries.iter().any(|other| other.name == name) {
            return Err(format!("{name} is there twice"));
        }
        entries.push(entry(name, Value::Text(value.to_owned())));
    }
    Ok(Value::Object(entries))
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone, otherwise: &str) -> String {
    match nearest(name, known) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; {otherwise}"),
    }
}

/// Levels that have a line for each field: the file, its guilds and agents, one of them, its answer.
const LINES: usize = 4;

fn layout(value: &Value, depth: usize, out: &mut String) {
    let Value::Object(entries) = value else { return value.write(out) };
    if entries.is_empty() || depth >= LINES {
        return value.write(out);
    }
    for (place, entry) in entries.iter().enumerate() {
        out.push_str(if place == 0 { "{\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        Value::Text(entry.name.clone()).write(out);
        out.push_str(": ");
        layout(&entry.node.value, depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push('}');
}
