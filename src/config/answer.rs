//! How an agent is asked: `agents.NAME.answer`, one of four transports (CONTRACT section 2).

use super::jsonc::{Node, Offset, Value};
use super::schema::{self, ANSWERS, Shape};
use super::section::{Findings, Section};
use super::{Places, url};
use crate::io::secret;
use crate::settings::{Child, Stdin, Stdout, Transport};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where a program without a folder is looked for, when the daemon has no PATH itself.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Headers that belong to the request itself.
const OWN_HEADERS: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "upgrade", "expect"];

/// Reads it; what is wrong with it is a fault, and `None` when it cannot be told at all.
pub fn read(node: &Node, path: &str, places: &Places, found: &mut Findings) -> Option<Transport> {
    let shape = shape(node, path, found)?;
    let section = Section::open(node, shape, path, found)?;
    match shape.name() {
        "exec" => exec(&section, places, found),
        "stdio" => stdio(&section, places, found),
        "socket" => socket(&section, found),
        _ => http(&section, places, found),
    }
}

/// Which transport it names: exactly one.
fn shape(node: &Node, path: &str, found: &mut Findings) -> Option<&'static Shape> {
    let Value::Object(entries) = &node.value else { return None };
    let named = |shape: &&&'static Shape| entries.iter().any(|entry| entry.name == shape.name());
    let mut shapes = ANSWERS.iter().filter(named);
    match (shapes.next(), shapes.next()) {
        (Some(shape), None) => Some(shape),
        (Some(_), Some(_)) => {
            found.fault(node.at, path, "names more than one of exec, stdio, socket and http; keep one of them");
            None
        }
        (None, _) => {
            let names = || ANSWERS.iter().map(|shape| shape.name());
            let near = entries.iter().find_map(|entry| schema::nearest(&entry.name, names()));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            found.fault(node.at, path, format!("needs one of exec, stdio, socket and http{hint}"));
            None
        }
    }
}

fn exec(section: &Section<'_>, places: &Places, found: &mut Findings) -> Option<Transport> {
    let argv = argv(section, "exec", found)?;
    for item in section.texts("exec").into_iter().filter(|item| item.place > 0) {
        placeholders(item.text, item.at, &section.path_of(&format!("exec[{}]", item.place)), found);
    }
    let pointer = section.text("pointer");
    let stdout = match (section.text("stdout"), pointer) {
        (Some("json"), Some(pointer)) => Stdout::Json(pointer.to_owned()),
        (Some("json"), None) => {
            section.fault("stdout", "json needs a `pointer` to the reply, such as /reply", found);
            Stdout::Text
        }
        (_, Some(_)) => {
            section.fault("pointer", "goes with \"stdout\": \"json\" only; add that, or remove the pointer", found);
            Stdout::Text
        }
        (_, None) => Stdout::Text,
    };
    let stdin = match section.text("stdin") {
        Some("json") => Stdin::Json,
        Some("none") => Stdin::None,
        Some(_) | None => Stdin::Text,
    };
    Some(Transport::Exec { argv, stdin, stdout, child: child(section, places, found) })
}

fn stdio(section: &Section<'_>, places: &Places, found: &mut Findings) -> Option<Transport> {
    Some(Transport::Stdio { argv: argv(section, "stdio", found)?, child: child(section, places, found) })
}

fn socket(section: &Section<'_>, found: &mut Findings) -> Option<Transport> {
    let path = section.text("socket")?;
    if !path.starts_with('/') {
        section.fault("socket", format!("`{path}` is not a whole path; begin it with /"), found);
    }
    let uids = section.wholes("uids").into_iter().filter_map(|uid| u32::try_from(uid).ok()).collect();
    Some(Transport::Socket { path: PathBuf::from(path), uids })
}

fn http(section: &Section<'_>, places: &Places, found: &mut Findings) -> Option<Transport> {
    let url = match url::whole(section.text("http")?) {
        Ok(url) => url,
        Err(what) => {
            section.fault("http", what, found);
            return None;
        }
    };
    let bearer_file = section.text("bearer_file").map(|file| places.secret(file));
    if let Some(file) = &bearer_file {
        if let Err(what) = secret::read(file, places.credentials.as_deref()) {
            section.warn("bearer_file", what, found);
        }
        if !url.encrypted && !url.loopback {
            section.warn("bearer_file", "goes over the network unencrypted; use https", found);
        }
    }
    let headers = headers(section, bearer_file.is_some(), found);
    let body = section.node("body").map(|node| {
        templates(node, &section.path_of("body"), found);
        let mut text = String::new();
        node.value.write(&mut text);
        text
    });
    let pointer = section.text("pointer").map(str::to_owned);
    Some(Transport::Http { url: url.text, headers, bearer_file, body, pointer })
}

/// The program and its arguments. The program is a whole path or a bare name, without placeholders: a message must not
/// choose what runs.
fn argv(section: &Section<'_>, name: &str, found: &mut Findings) -> Option<Vec<String>> {
    let arguments: Vec<String> = section.texts(name).into_iter().map(|item| item.text.to_owned()).collect();
    let Some(first) = section.texts(name).into_iter().find(|item| item.place == 0) else { return Some(arguments) };
    let (at, program) = (first.at, first.text);
    let path = section.path_of(&format!("{name}[0]"));
    if program.is_empty() {
        found.fault(at, path, "is empty; give the program's path");
    } else if program.contains('/') && !program.starts_with('/') {
        found.fault(at, path, format!("`{program}` is neither a whole path nor a bare name; begin it with /"));
    } else if braces(program).next().is_some() {
        found.fault(at, path, "the program cannot be a placeholder; name it");
    } else if let Some(what) = unrunnable(program) {
        found.warn(at, path, what);
    }
    Some(arguments)
}

/// Why a program cannot be started, as far as files tell.
fn unrunnable(program: &str) -> Option<String> {
    let runs = |path: &Path| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let path = Path::new(program);
    if path.is_absolute() {
        return match path.metadata() {
            Err(error) => Some(format!("{program} is not there ({error}); its messages wait until it is")),
            Ok(_) if !runs(path) => Some(format!("{program} is not executable: chmod +x {program}")),
            Ok(_) => None,
        };
    }
    let folders = std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned());
    let here = std::env::split_paths(&folders).any(|folder| runs(&folder.join(program)));
    (!here).then(|| format!("{program} is in no folder of PATH; give its whole path"))
}

fn child(section: &Section<'_>, places: &Places, found: &mut Findings) -> Child {
    let cwd = section.text("cwd").map(PathBuf::from);
    if let Some(cwd) = &cwd {
        if !cwd.is_absolute() {
            section.fault("cwd", format!("`{}` is not a whole path; begin it with /", cwd.display()), found);
        } else if !cwd.is_dir() {
            section.warn("cwd", format!("{} is no folder; the agent cannot start there", cwd.display()), found);
        }
    }
    let env = section.strings("env");
    let env_files = section.strings("env_files");
    let entries = section
        .named("env")
        .into_iter()
        .map(|e| ("env", e))
        .chain(section.named("env_files").into_iter().map(|e| ("env_files", e)));
    for (field, entry) in entries {
        let path = section.path_of(&format!("{field}.{}", entry.name));
        if entry.name.is_empty() || entry.name.contains(['=', '\0']) {
            found.fault(entry.at, path, "is no name of a variable; give one without = and NUL");
        } else if field == "env_files" && env.contains_key(&entry.name) {
            found.fault(entry.at, path, "is in `env`, too; keep one of them");
        }
    }
    let env_files: BTreeMap<String, PathBuf> =
        env_files.into_iter().map(|(name, file)| (name, places.secret(&file))).collect();
    for (name, file) in &env_files {
        if let Err(what) = secret::read(file, places.credentials.as_deref()) {
            section.warn("env_files", format!("{name}: {what}"), found);
        }
    }
    Child { cwd, env, env_files }
}

fn headers(section: &Section<'_>, bearer: bool, found: &mut Findings) -> BTreeMap<String, String> {
    for entry in section.named("headers") {
        let path = section.path_of(&format!("headers.{}", entry.name));
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let name = entry.name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(token) {
            found.fault(entry.at, path.clone(), "is no name of a header; use letters, digits and -");
        } else if OWN_HEADERS.contains(&name.as_str()) {
            found.fault(entry.at, path.clone(), "is set by the request itself; remove it");
        } else if name == "authorization" && bearer {
            found.fault(entry.at, path.clone(), "is set by `bearer_file`, too; keep one of them");
        } else if name == "authorization" {
            found.warn(
                entry.at,
                path.clone(),
                "is a secret in the configuration; put it into a file and `bearer_file`",
            );
        }
        if let Value::Text(value) = &entry.node.value {
            if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
                found.fault(entry.node.at, path.clone(), "holds what no header can carry; use visible ASCII");
            }
            placeholders(value, entry.node.at, &path, found);
        }
    }
    section.strings("headers")
}

/// Placeholders in all strings of a body.
fn templates(node: &Node, path: &str, found: &mut Findings) {
    match &node.value {
        Value::Text(text) => placeholders(text, node.at, path, found),
        Value::List(nodes) => {
            nodes.iter().enumerate().for_each(|(place, node)| templates(node, &format!("{path}[{place}]"), found));
        }
        Value::Object(entries) => {
            entries.iter().for_each(|entry| templates(&entry.node, &format!("{path}.{}", entry.name), found));
        }
        Value::Null | Value::Flag(_) | Value::Number(_) => {}
    }
}

/// A word in braces must be a known placeholder: a misspelt one would go to the agent as it stands.
fn placeholders(template: &str, at: Offset, path: &str, found: &mut Findings) {
    for name in braces(template).filter(|name| !schema::PLACEHOLDERS.contains(name)) {
        let what = match schema::nearest(name, schema::PLACEHOLDERS.iter().copied()) {
            Some(near) => format!("{{{name}}} is no placeholder; did you mean {{{near}}}?"),
            None => format!("{{{name}}} is no placeholder; known: {{{}}}", schema::PLACEHOLDERS.join("} {")),
        };
        found.fault(at, path, what);
    }
}

/// Words of a-z and _ in braces; other braces are text.
fn braces(template: &str) -> impl Iterator<Item = &str> {
    let word = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    template.split('{').skip(1).filter_map(|after| Some(after.split_once('}')?.0)).filter(word)
}
