//! What the papers say is what the program takes: the README's tables and configurations, the board's configuration.

use crate::folder::Folder;
use guild_bridge::agent::Said;
use guild_bridge::agent::line::{self, Heard};
use guild_bridge::budget::ceiling::{ceiling, plain};
use guild_bridge::cli::budget::Budget;
use guild_bridge::cli::pages::holds;
use guild_bridge::config::schema::{self, Field, Shape};
use guild_bridge::config::{Loaded, load};
use guild_bridge::gap::Gap;
use guild_bridge::reason::Reason;
use guild_bridge::settings::{Timing, Transport};
use std::io::Write;
use std::process::{Command, Stdio};

const README: &str = include_str!("../../README.md");
const BOARD: &str = include_str!("../../board/common/config.jsonc");

/// The fenced blocks of the README with this mark.
fn blocks(mark: &str) -> Vec<&'static str> {
    let open = format!("```{mark}\n");
    README.split(open.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A configuration with its secrets' files replaced by one that is there.
fn read(text: &str) -> Loaded {
    let folder = Folder::new();
    let key = folder.file("recruiter.key", 0o600, "k-123\n");
    folder.file("bot.key", 0o600, "k-123\n");
    let mut own = String::new();
    for (place, part) in text.split('"').enumerate() {
        let secret = place % 2 == 1 && part.starts_with("/etc/guild-bridge/keys/");
        own.push_str(if place > 0 { "\"" } else { "" });
        own.push_str(if secret { key.to_str().unwrap() } else { part });
    }
    let file = folder.file("config.json", 0o644, own);
    load(&file, None)
        .unwrap_or_else(|faults| panic!("{text}\n{}", faults.iter().map(|f| format!("{f}\n")).collect::<String>()))
}

/// The cells of the tables below a heading.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, below) = README.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let rows = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn every_configuration_in_the_papers_is_good() {
    let blocks = blocks("jsonc");
    assert!(blocks.len() >= 5, "{} blocks", blocks.len());
    for block in blocks {
        let whole = block.trim_start().starts_with('{');
        let text = match whole {
            true => block.to_owned(),
            false => format!(
                r#"{{"guilds":{{"acme":{{"dialect":"fabric","url":"https://guild.example"}}}},"agents":{{"recruiter":{{"guild":"acme","key_file":"/etc/guild-bridge/keys/recruiter",{block}}}}}}}"#
            ),
        };
        assert!(read(&text).keys.is_empty(), "{block}");
    }
    assert!(read(BOARD).keys.is_empty());
}

#[test]
fn the_boards_configuration_names_every_field() {
    let named = |shape: &Shape, but: &str| {
        let missing =
            shape.fields.iter().map(|field| field.name).filter(|name| !but.split(' ').any(|but| but == *name));
        let missing: Vec<_> = missing.filter(|name| !BOARD.contains(&format!("\"{name}\":"))).collect();
        assert!(missing.is_empty(), "not there: {missing:?}");
    };
    [&schema::ROOT, &schema::GUILD, &schema::PATHS, &schema::AGENT].into_iter().for_each(|shape| named(shape, ""));
    [&schema::ATTACHMENTS, &schema::LIMITS, &schema::TIMING].into_iter().for_each(|shape| named(shape, ""));
    schema::ANSWERS.iter().for_each(|shape| named(shape, ""));
}

#[test]
fn the_boards_configuration_shows_the_defaults() {
    let settings = read(BOARD).settings;
    let small = r#"{"guilds":{"g":{"dialect":"fabric","url":"https://g.example"}},"agents":{"a":{"guild":"g","key_file":"/etc/guild-bridge/keys/a","answer":{"exec":["/bin/sh"]}}}}"#;
    let plain = read(small).settings;
    assert_eq!(
        (settings.state, settings.message_bytes, settings.timing),
        (plain.state, plain.message_bytes, plain.timing)
    );
    assert_eq!(settings.timing, Timing::default());
    let kinds: Vec<_> = settings.agents.iter().map(|agent| std::mem::discriminant(&agent.answer)).collect();
    assert_eq!(kinds.len(), 4, "one agent for each transport");
    assert!(kinds.iter().enumerate().all(|(at, kind)| !kinds[..at].contains(kind)));
    let usual = |agent: &guild_bridge::settings::Agent| {
        (agent.parallel, agent.deadline_s, agent.backfill, agent.respond_to, agent.bots_all)
    };
    assert_eq!(usual(&settings.agents[0]), usual(&plain.agents[0]));
    assert!(matches!(settings.agents[0].answer, Transport::Exec { .. }));
}

#[test]
fn every_field_of_the_configuration_is_explained() {
    let tables: &[(&str, &[&Shape])] = &[
        ("### The file", &[&schema::ROOT]),
        ("### `guilds.NAME`", &[&schema::GUILD]),
        ("### `guilds.NAME.paths`", &[&schema::PATHS]),
        ("### `agents.NAME`", &[&schema::AGENT, &schema::ATTACHMENTS]),
        ("### `agents.NAME.answer`", schema::ANSWERS),
        ("### `limits`", &[&schema::LIMITS]),
        ("### `timing`", &[&schema::TIMING]),
    ];
    for (heading, shapes) in tables {
        let rows = table(heading);
        let told: Vec<(String, String)> = rows.iter().map(|row| (row[0].into(), row[1].replace('`', ""))).collect();
        let fields = shapes.iter().flat_map(|shape| shape.fields);
        let mut want: Vec<(String, String)> = fields.map(|field| (named(shapes, field), holds(field))).collect();
        want.dedup_by(|one, other| one == other);
        want.iter().for_each(|row| assert!(told.contains(row), "{heading}: not told: {row:?}; told: {told:?}"));
        told.iter().for_each(|row| assert!(want.contains(row), "{heading}: there is no {row:?}"));
    }
}

/// How the reference names a field.
fn named(shapes: &[&Shape], field: &Field) -> String {
    let of_attachments = schema::ATTACHMENTS.fields.iter().any(|other| std::ptr::eq(other, field));
    let prefix = if shapes.len() == 2 && of_attachments { "attachments." } else { "" };
    let must =
        if field.required && !schema::ANSWERS.iter().any(|answer| answer.name() == field.name) { " *" } else { "" };
    format!("`{prefix}{}`{must}", field.name)
}

#[test]
fn every_default_in_the_reference_is_the_readers_own() {
    for shape in [&schema::ROOT, &schema::GUILD, &schema::PATHS, &schema::AGENT, &schema::LIMITS, &schema::TIMING] {
        let own = shape.fields.iter().filter_map(|field| {
            Some((field.name, field.about.split(", ").find_map(|part| part.strip_suffix(" by default"))?))
        });
        for (name, default) in own {
            let row = README.lines().find(|line| line.starts_with(&format!("| `{name}`")));
            let told =
                row.and_then(|row| row.trim_matches('|').split(" | ").nth(2)).unwrap_or_default().replace('`', "");
            let said = default.rsplit("; ").next().unwrap_or(default);
            assert!(told.trim() == said || told.contains(said), "`{name}`: told {told:?}, is {said:?}");
        }
    }
}

#[test]
fn the_readme_shows_the_budget_that_is_planned() {
    let counts = plain(4);
    let screen = Budget::of(&counts, ceiling(&counts), None).screen();
    let told = screen.lines().filter(|line| !line.starts_with("no daemon")).collect::<Vec<_>>().join("\n");
    assert!(blocks("text").contains(&format!("{told}\n").as_str()), "the block is to be:\n{told}");
}

#[test]
fn the_table_of_reasons_is_the_list_of_reasons() {
    let told: Vec<(String, &str)> =
        table("## Reason codes").iter().map(|row| (row[0].replace('`', ""), row[1])).collect();
    let list: Vec<(String, &str)> =
        Reason::ALL.iter().map(|reason| (reason.code().into(), reason.sentence())).collect();
    assert_eq!(
        told,
        list,
        "the table is to be:\n{}",
        list.iter().map(|(c, s)| format!("| `{c}` | {s} |\n")).collect::<String>()
    );
}

#[test]
fn the_table_of_gaps_is_the_list_of_gaps() {
    let rows = table("## State and delivery");
    let told: Vec<(String, &str)> = rows.iter().map(|row| (row[0].replace('`', ""), row[1])).collect();
    let list: Vec<(String, &str)> = Gap::ALL.iter().map(|gap| (gap.code().into(), gap.sentence())).collect();
    assert_eq!(
        told,
        list,
        "the table is to be:\n{}",
        list.iter().map(|(c, s)| format!("| `{c}` | {s} |\n")).collect::<String>()
    );
}

#[test]
fn the_readme_names_no_machine_and_no_registry() {
    for word in [
        concat!("/wo", "rk/"),
        "/home/",
        "/root/",
        concat!("registry.np", "mjs"),
        concat!("crates", ".io"),
        "localhost:",
    ] {
        assert!(!README.contains(word), "{word}");
    }
}

#[test]
fn the_two_commands_stand_at_the_top() {
    let (top, _) = README.split_once("\n## ").unwrap();
    assert_eq!(blocks("sh").first().copied(), Some("cargo run --release --example demo\ncargo test\n"));
    assert!(top.contains("cargo run --release --example demo"));
}

#[test]
fn the_agent_in_the_readme_answers() {
    let [script] = blocks("python")[..] else { panic!("one agent is shown") };
    let folder = Folder::new();
    let file = folder.file("agent.py", 0o644, script);
    let mut command = Command::new("python3");
    let child = command.arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return println!("SKIP no python3 here") };
    let message = README.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().replace('\n', "");
    writeln!(child.stdin.take().unwrap(), "{message}").unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    let reply = Said::Reply { turn: "t_5f…".into(), text: "you said: status?".into(), last: true };
    assert_eq!(line::decode(said.trim_end()), Ok(Heard::Said(reply)), "{said}");
}
