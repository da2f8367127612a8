//! An agent of the configuration: `agents.NAME`.

use super::jsonc::Entry;
use super::section::{Findings, Item, Section};
use super::{Places, answer, guild, schema};
use crate::budget;
use crate::io::secret;
use crate::settings::{Agent, Guild, RespondTo, Transport};

/// Reads one; `guilds` are the names that can be meant. What is wrong with its key goes to `keys`.
pub fn read(
    entry: &Entry,
    guilds: &[&str],
    places: &Places,
    found: &mut Findings,
    keys: &mut Findings,
) -> Option<Agent> {
    let path = format!("agents.{}", entry.name);
    guild::name(entry, &path, found);
    let section = Section::open(&entry.node, &schema::AGENT, &path, found)?;
    let own_guilds = self::guilds(&section, guilds, found);
    let key = section.text("key_file").map(|file| {
        let file = places.secret(file);
        let key = secret::read(&file, places.credentials.as_deref());
        if let Err(what) = &key {
            section.fault("key_file", what.clone(), keys);
        }
        (file, key)
    });
    let answer = section.node("answer").and_then(|node| answer::read(node, &section.path_of("answer"), places, found));
    let attachments = section.node("attachments");
    let attachments = attachments
        .and_then(|node| Section::open(node, &schema::ATTACHMENTS, &section.path_of("attachments"), found))
        .and_then(|attachments| attachments.whole("max_bytes"));
    let id = section.text("id").unwrap_or(&entry.name);
    if id.chars().any(char::is_control) {
        section.fault("id", "holds control characters; give the id as the guild knows it", found);
    }
    let login = section.text("login");
    if login.is_some_and(|login| login.chars().any(char::is_control)) {
        section.fault("login", "holds control characters; give the address that it signs in with", found);
    }
    let (key_file, key) = key?;
    Some(Agent {
        name: entry.name.clone(),
        guilds: own_guilds,
        id: id.to_owned(),
        login: login.map(str::to_owned),
        names: names(&section, found),
        key_file,
        key,
        answer: answer?,
        parallel: section.whole("parallel").and_then(|n| u16::try_from(n).ok()).unwrap_or(1),
        deadline_s: section.whole("deadline_s").unwrap_or(600),
        backfill: section.whole("backfill").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        respond_to: match section.text("respond_to") {
            Some("all") => RespondTo::All,
            Some("direct") => RespondTo::Direct,
            Some(_) | None => RespondTo::Mentions,
        },
        bots_all: section.text("bots") == Some("all"),
        attachment_bytes: attachments,
    })
}

fn guilds(section: &Section<'_>, known: &[&str], found: &mut Findings) -> Vec<String> {
    let mut own: Vec<String> = Vec::new();
    for Item { at, text: name, .. } in section.texts("guild") {
        if own.iter().any(|earlier| earlier == name) {
            found.fault(at, section.path_of("guild"), format!("names `{name}` twice; one link is kept for each guild"));
        } else if known.contains(&name) {
            own.push(name.to_owned());
        } else {
            let what = match schema::nearest(name, known.iter().copied()) {
                Some(near) => format!("there is no guild `{name}`; did you mean `{near}`?"),
                None => format!("there is no guild `{name}`; add it under `guilds`"),
            };
            found.fault(at, section.path_of("guild"), what);
        }
    }
    own
}

fn names(section: &Section<'_>, found: &mut Findings) -> Vec<String> {
    let mut names = Vec::new();
    for Item { at, text: name, .. } in section.texts("names") {
        if name.trim().is_empty() || name.starts_with('@') || name.chars().any(char::is_control) {
            let what = "holds a name that no @ can stand before; give it as people write it, without the @";
            found.fault(at, section.path_of("names"), what);
        }
        names.push(name.to_owned());
    }
    names
}

/// What only shows when all agents are read: bounds, sign-ins, shared sockets, shared seats, what nobody uses.
pub fn compare(root: &Section<'_>, agents: &[Agent], guilds: &[Guild], found: &mut Findings) {
    let links: usize = agents.iter().map(|agent| agent.guilds.len()).sum();
    if links > budget::LINKS {
        root.fault("agents", format!("ask for {links} links; at most {} are kept", budget::LINKS), found);
    }
    let at = |name: &str| root.named("agents").iter().find(|entry| entry.name == name).map_or(root.at(), |e| e.at);
    let of_agent = |name: &str, field: &str| {
        let entry = root.named("agents").into_iter().find(|entry| entry.name == name)?;
        entry.node.field(field).map(|entry| entry.node.at)
    };
    for agent in agents {
        let own = || guilds.iter().filter(|guild| agent.guilds.contains(&guild.name));
        let mut signs_in = own().filter(|guild| guild.dialect.signs_in());
        let (place, first) = (at(&agent.name), signs_in.next());
        let path = |field: &str| format!("agents.{}.{field}", agent.name);
        match (first, &agent.login) {
            (Some(guild), None) => {
                let what = format!("is missing: {} is signed in to; give the account's e-mail address", guild.name);
                found.fault(place, path("login"), what);
            }
            (None, Some(_)) if own().next().is_some() => {
                let what =
                    "is for guilds that are signed in to (dialect open-webui), and none of its guilds is; remove it";
                found.fault(place, path("login"), what);
            }
            (Some(_), Some(_)) | (None, _) => {}
        }
        let all_name = own().next().is_some() && own().all(|guild| guild.dialect.names_agents());
        if let Some(at) = of_agent(&agent.name, "id").filter(|_| all_name) {
            let what = "has no meaning where the guild says who its agents are (dialect open-webui); remove it";
            found.fault(at, path("id"), what);
        }
    }
    // maps of what came before would be 6 kB of a router's flash
    for (n, agent) in agents.iter().enumerate() {
        let before = agents.iter().take(n);
        if let Transport::Socket { path, uids } = &agent.answer {
            let shared = before.clone().find_map(|other| match &other.answer {
                Transport::Socket { path: its, uids } if its == path => Some((&other.name, uids)),
                Transport::Socket { .. }
                | Transport::Exec { .. }
                | Transport::Stdio { .. }
                | Transport::Http { .. } => None,
            });
            if let Some((other, _)) = shared.filter(|(_, theirs)| *theirs != uids) {
                let what = format!("differs from agents.{other}'s for the same socket; give both the same");
                found.fault(at(&agent.name), format!("agents.{}.answer.uids", agent.name), what);
            }
        }
        for guild in &agent.guilds {
            let (field, who) = seat_in(agent, guild, guilds);
            let same = |other: &&Agent| other.guilds.contains(guild) && seat_in(other, guild, guilds).1 == who;
            if let Some(other) = before.clone().find(same) {
                let what = format!("is `{who}` in {guild} as agents.{} is: both answer each message", other.name);
                found.warn(at(&agent.name), format!("agents.{}.{field}", agent.name), what);
            }
        }
    }
    let used = |name: &String| agents.iter().any(|agent| agent.guilds.contains(name));
    for entry in root.named("guilds").iter().filter(|entry| !used(&entry.name)) {
        found.warn(entry.at, format!("guilds.{}", entry.name), "no agent is in this guild; nothing connects to it");
    }
    if agents.is_empty() {
        root.warn("agents", "there is none; the daemon has nothing to do", found);
    }
}

/// The field that says who an agent is in a guild, and what it says.
fn seat_in<'a>(agent: &'a Agent, guild: &str, guilds: &[Guild]) -> (&'static str, &'a str) {
    let signs_in = guilds.iter().any(|other| other.name == *guild && other.dialect.signs_in());
    match agent.login.as_deref().filter(|_| signs_in) {
        Some(login) => ("login", login),
        None => ("id", &agent.id),
    }
}
