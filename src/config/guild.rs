//! A guild of the configuration: `guilds.NAME`.

use super::jsonc::Entry;
use super::section::{Findings, Section};
use super::{Places, schema, url};
use crate::io::tls;
use crate::settings::{DialectName, Guild};
use std::collections::BTreeMap;

/// Paths that hold the id of a channel or an attachment.
const WITH_ID: &[&str] = &["history", "post", "attachment"];

/// Reads one; what is wrong with it is a fault, and `None` when it cannot be told at all.
pub fn read(entry: &Entry, places: &Places, found: &mut Findings) -> Option<Guild> {
    let path = format!("guilds.{}", entry.name);
    name(entry, &path, found);
    let section = Section::open(&entry.node, &schema::GUILD, &path, found)?;
    let plaintext = section.flag("plaintext").unwrap_or(false);
    let url = address(&section, "url", plaintext, found);
    let center = address(&section, "center", plaintext, found);
    let paths =
        section.node("paths").and_then(|node| Section::open(node, &schema::PATHS, &format!("{path}.paths"), found));
    let paths = paths.map(|paths| self::paths(&paths, found)).unwrap_or_default();
    let namespace = section.text("namespace").unwrap_or("/");
    if !namespace.starts_with('/') || namespace.contains([',', '?']) || !visible(namespace) {
        section.fault(
            "namespace",
            format!("`{namespace}` is no namespace; it begins with /, without comma or blank"),
            found,
        );
    }
    let extra_ca = section.text("extra_ca").map(|file| places.beside(file));
    if let Some(Err(what)) = extra_ca.as_deref().map(tls::check_roots) {
        section.fault("extra_ca", what, found);
    }
    let dialect = section.text("dialect").and_then(DialectName::of);
    if let Some(dialect) = dialect.filter(|dialect| !dialect.has_places()) {
        for name in ["center", "paths", "namespace"].into_iter().filter(|name| section.node(name).is_some()) {
            let what = format!("has no meaning in the dialect {}; remove it", dialect.word());
            section.fault(name, what, found);
        }
    }
    let url = url?;
    Some(Guild {
        name: entry.name.clone(),
        // a word that is not known is a fault already
        dialect: dialect.unwrap_or(DialectName::Fabric),
        center: center.unwrap_or_else(|| url.clone()),
        url,
        extra_ca,
        plaintext,
        paths,
        namespace: namespace.to_owned(),
    })
}

/// Names of guilds and agents: `[a-z0-9][a-z0-9-]{0,31}`. Anything else is a fault.
pub fn name(entry: &Entry, path: &str, found: &mut Findings) {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = entry.name.starts_with(letter)
        && entry.name.chars().all(|c| letter(c) || c == '-')
        && entry.name.len() <= schema::NAME_CHARS;
    if !good {
        let most = schema::NAME_CHARS;
        let what = format!("is no name; give 1 to {most} of a-z, 0-9 and -, not beginning with -");
        found.fault(entry.at, path, what);
    }
}

fn address(section: &Section<'_>, name: &str, plaintext: bool, found: &mut Findings) -> Option<String> {
    let url = match url::base(section.text(name)?) {
        Ok(url) => url,
        Err(what) => {
            section.fault(name, what, found);
            return None;
        }
    };
    if !url.encrypted && !url.loopback && !plaintext {
        let what = format!("`{}` would send the key unencrypted; use https, or set \"plaintext\": true", url.text);
        section.fault(name, what, found);
    }
    Some(url.text)
}

fn paths(section: &Section<'_>, found: &mut Findings) -> BTreeMap<String, String> {
    let mut paths = BTreeMap::new();
    for field in schema::PATHS.fields {
        let Some(path) = section.text(field.name) else { continue };
        if !path.starts_with('/') || path.contains(['?', '#']) || !visible(path) {
            let what = format!("`{path}` is no path; it begins with /, without blanks, query and fragment");
            section.fault(field.name, what, found);
        }
        let want = usize::from(WITH_ID.contains(&field.name));
        if path.matches("{id}").count() != want {
            let what = if want == 1 { "must hold {id} once, where the id goes" } else { "has no id; remove {id}" };
            section.fault(field.name, format!("`{path}` {what}"), found);
        }
        paths.insert(field.name.to_owned(), path.to_owned());
    }
    paths
}

fn visible(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}
