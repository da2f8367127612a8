//! Commands, help, manual pages and completions are of one table, and real shells complete what it says.

use crate::folder::Folder;
use guild_bridge::cli::pages::{PAGES, holds};
use guild_bridge::cli::table::{EXITS, GLOBAL, ROWS, Row, is_word, options};
use guild_bridge::config::schema::{ANSWERS, Field, Kind, ROOT, Shape};
use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

const BRIDGE: &str = env!("CARGO_BIN_EXE_guild-bridge");
const COMMON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/board/common");
const README: &str = include_str!("../../README.md");

fn page(name: &str) -> String {
    PAGES.iter().find(|(file, _)| file.ends_with(name)).unwrap().1()
}

/// A page of the manual as it is read, in one line and without roff's marks but the requests.
fn read(name: &str) -> String {
    page(name)
        .replace('\n', " ")
        .replace("\\-", "-")
        .replace("\\fB", "")
        .replace("\\fI", "")
        .replace("\\fR", "")
        .replace("\\e", "\\")
}

/// What a program prints; none, with a line that says so, where it is not here.
fn tool(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let Ok(out) = Command::new("timeout").args(["20", program]).args(arguments).env("LC_ALL", "C").output() else {
        println!("SKIP {program}: timeout is not here");
        return None;
    };
    if out.status.code() == Some(127) {
        println!("SKIP {program} is not here");
        return None;
    }
    let text = [out.stdout, out.stderr].concat();
    Some((out.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

fn file(name: &str) -> String {
    let (file, _) = PAGES.iter().find(|(file, _)| file.ends_with(name)).unwrap();
    format!("{COMMON}/{file}")
}

#[test]
fn the_shipped_pages_are_written_from_the_tables() {
    for (name, text) in PAGES {
        let (path, want) = (Path::new(COMMON).join(name), text());
        if std::env::var_os("WRITE_PAGES").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &want).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == want, "{name} is another now; write it: WRITE_PAGES=1 cargo test --test spec -- pages");
    }
}

/// A command line of a row, with something for each argument.
fn typed(row: &Row, option: Option<&str>) -> Vec<String> {
    let words = row.usage.split(' ').filter(|part| !part.starts_with('['));
    let value = |part: &str| if part == "SECONDS" { "0".to_owned() } else { part.to_owned() };
    words.chain(option.into_iter().flat_map(|option| option.split(' '))).map(value).collect()
}

#[test]
fn every_command_and_option_of_the_table_is_taken() {
    let folder = Folder::new();
    // nobody listens there, and nothing can be read there: each command says so, and none that it is not known
    let nowhere = folder.path().join("nowhere").display().to_string();
    for row in ROWS {
        let options = row.options.iter().map(|option| Some(option.usage));
        for option in options.chain([None]) {
            // what watches goes on until it is ended
            let mut command = Command::new("timeout");
            command.args(["2", BRIDGE]).args(typed(row, option)).args(["--config", &nowhere, "--state-dir", &nowhere]);
            let out = command.args(["--socket", &nowhere]).stdin(std::process::Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.code() != Some(64), "{} {option:?}: {said}", row.usage);
        }
        for option in options_beside(row) {
            let out = Command::new(BRIDGE).args(typed(row, Some(option))).output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(out.status.code() == Some(64) && said.contains(" goes with "), "{} {option}: {said}", row.usage);
        }
    }
}

/// Options that do not go with a row.
fn options_beside(row: &Row) -> impl Iterator<Item = &'static str> {
    options().filter(|option| !row.takes(option.name())).map(|option| option.usage)
}

#[test]
fn every_command_and_option_is_in_help_the_manual_and_each_completion() {
    let help = String::from_utf8(Command::new(BRIDGE).arg("--help").output().unwrap().stdout).unwrap();
    let manual = read("guild-bridge.1");
    let rows = ROWS.iter().map(|row| (row.usage, row.about));
    for (usage, about) in rows.chain(options().map(|option| (option.usage, option.about))) {
        assert!(help.lines().any(|line| line.trim_start().starts_with(usage)), "help does not say {usage}");
        let entry = format!(".TP {usage} {}", about.replace('\n', " "));
        assert!(manual.contains(&entry), "the manual does not say {entry}");
        for shell in ["bash", "_guild-bridge", "fish"] {
            let script = page(shell);
            for word in usage.split(' ').filter(|word| is_word(word) || word.starts_with("--")) {
                let name = if shell == "fish" { word.trim_start_matches('-') } else { word };
                assert!(script.contains(name), "{shell} does not complete {word} of {usage}");
            }
        }
    }
    let codes = EXITS.iter().map(|(exit, about)| (*exit as u8, *about));
    codes.for_each(|(code, about)| {
        assert!(help.contains(&format!("  {code:<3} {about}")), "{code}");
        assert!(manual.contains(&format!(".TP {code} {about}")), "{code}");
    });
}

#[test]
fn the_readme_says_every_command_option_and_exit_code() {
    let rows: Vec<&str> = README.lines().filter(|line| line.starts_with('|')).collect();
    let starts = |with: &str| rows.iter().any(|row| row.replace("\\|", "|").starts_with(&format!("| {with} |")));
    for row in ROWS {
        assert!(starts(&format!("`{}`", row.usage)), "no row for {}", row.usage);
        for option in row.options {
            let own = format!("`{} {}`", row.usage, option.usage);
            // `letters show KEY` says its --json beside it
            let beside = rows.iter().any(|line| line.contains(row.usage) && line.contains(option.name()));
            assert!(starts(&own) || beside, "no row for {own}");
        }
    }
    GLOBAL.iter().for_each(|option| assert!(README.contains(option.name()), "{}", option.usage));
    EXITS.iter().for_each(|(exit, _)| {
        assert!(
            starts(&(*exit as u8).to_string())
                || rows.iter().any(|row| row.starts_with(&format!("| {} |", *exit as u8)))
        )
    });
}

/// Every field of an object and of those in it.
fn fields(shape: &'static Shape, all: &mut Vec<&'static Field>) {
    for field in shape.fields {
        all.push(field);
        match field.kind {
            Kind::Object(inner) | Kind::Named(inner, _) => fields(inner, all),
            Kind::Answer => ANSWERS.iter().for_each(|answer| fields(answer, all)),
            _ => {}
        }
    }
}

#[test]
fn every_field_of_the_configuration_is_in_its_manual_with_what_it_holds() {
    let (manual, mut all) = (read("guild-bridge.json.5"), Vec::new());
    fields(&ROOT, &mut all);
    assert!(all.len() > 45, "{} fields", all.len());
    for field in all {
        let must = if field.required { ", must be there" } else { "" };
        let (first, rest) = field.about.split_at(1);
        let entry = format!(".TP {} ({}{must}) {}{rest}.", field.name, holds(field), first.to_uppercase());
        assert!(manual.contains(&entry), "{entry}");
    }
}

/// Names of environment variables that the sources read by name.
fn variables(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            variables(&path, found);
        } else if path.file_name().is_some_and(|name| name != "build.rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for reader in ["env::var(\"", "env::var_os(\"", "said(\"", "variable(\""] {
                found.extend(source.split(reader).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }
}

#[test]
fn the_manual_names_every_variable_of_the_environment_that_is_read() {
    let mut found = BTreeSet::new();
    variables(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    let manual = read("guild-bridge.1");
    assert!(found.len() >= 6 && found.contains("SSL_CERT_FILE"), "{found:?}");
    let unsaid: Vec<_> = found.iter().filter(|name| !manual.contains(name.as_str())).collect();
    assert!(unsaid.is_empty(), "{unsaid:?}");
}

#[test]
fn the_manual_is_clean_to_those_who_read_it() {
    for name in ["guild-bridge.1", "guild-bridge.json.5"] {
        if let Some((_, said)) = tool("mandoc", &["-T", "lint", "-W", "style", &file(name)]) {
            assert!(said.is_empty(), "{said}");
        }
        if let Some((done, said)) = tool("man", &["--warnings", "-l", &file(name)]) {
            assert!(done && said.contains("guild-bridge") && !said.contains("warning"), "{said}");
        }
    }
}

/// A daemon that answers these questions, one after another, and names two agents.
fn daemon(folder: &Folder) -> String {
    let socket = folder.path().join("control.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut asked = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(&client), &mut asked).unwrap();
            let said = match asked.contains("letters") {
                true => r#"{"letters":{"total":1,"listed":[{"agent":"scout","key":"gb_7"}]}}"#,
                false => {
                    r#"{"status":{"links":[{"agent":"scout"}],"agents":[{"agent":"scout"},{"agent":"recruiter"}]}}"#
                }
            };
            let _ = std::io::Write::write_all(&mut client, format!("{said}\n").as_bytes());
        }
    });
    socket.display().to_string()
}

/// What is typed, what must be offered, and what must not.
fn questions(socket: &str) -> Vec<(String, Vec<&'static str>, &'static str)> {
    let typed = |line: &str| format!("{BRIDGE} --socket {socket} {line}");
    vec![
        (typed("sta"), vec!["status"], "send"),
        (typed("letters "), vec!["show", "retry", "drop"], "status"),
        (typed("status --w"), vec!["--watch", "--wait"], "--json"),
        (typed("status --check "), vec!["local", "guild"], "status"),
        (typed("reload --"), vec!["--dry-run", "--config"], "--watch"),
        (typed("letters retry --"), vec!["--socket"], "--json"),
        (typed("restart "), vec!["recruiter", "scout"], "gb_7"),
        (typed("send re"), vec!["recruiter"], "scout"),
        (typed("letters drop "), vec!["gb_7", "scout"], "show"),
        (typed("config "), vec!["from-uci"], "run"),
    ]
}

fn offered(shell: &str, ask: impl Fn(&str) -> Option<(bool, String)>) {
    let folder = Folder::new();
    let socket = daemon(&folder);
    for (line, wanted, unwanted) in questions(&socket) {
        let Some((_, said)) = ask(&line) else { return };
        let offers: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).map(str::trim_end).collect();
        let all = wanted.iter().all(|word| offers.contains(word));
        assert!(all && !offers.contains(&unwanted), "{shell}: {line:?} offers {said:?}");
    }
}

#[test]
fn bash_completes_commands_options_and_the_daemons_agents_and_letters() {
    let script = "source \"$1\"; read -ra COMP_WORDS <<<\"$2\"; [[ $2 != *' ' ]] || COMP_WORDS+=(''); \
                  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _guild_bridge \"${COMP_WORDS[0]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    offered("bash", |line| tool("bash", &["--norc", "-uc", script, "bash", &file("bash"), line]));
}

#[test]
fn fish_completes_commands_options_and_the_daemons_agents_and_letters() {
    let own = |line: &str| line.replace(BRIDGE, "guild-bridge");
    let script = |line: &str| {
        let folder = Path::new(BRIDGE).parent().unwrap().display();
        format!("set -x PATH {folder} $PATH; source {}; complete -C '{}'", file("fish"), own(line))
    };
    offered("fish", |line| tool("fish", &["--no-config", "-c", &script(line)]));
}

#[test]
fn zsh_completes_commands_options_and_the_daemons_agents_and_letters() {
    // the function as it is, in a completion that writes its matches down instead of a screen
    let script = r#"
        zmodload zsh/zpty; zpty z zsh -f -i
        r() { local l; zpty -r z l "$1"; REPLY=$l }
        zpty -w z "PROMPT=; unsetopt zle_bracketed_paste; fpath=(${1:h} \$fpath); autoload -Uz compinit; compinit -u -D; compdef _guild-bridge ${${=2}[1]##*/}"
        zpty -w z "compadd() { local -a m; [[ \${@[(r)-O]} == -O || \${@[(r)-A]} == -A || \${@[(r)-D]} == -D ]] && { builtin compadd \"\$@\"; return }; builtin compadd -O m \"\$@\"; print -rl -- \$m >>\$OUT; builtin compadd \"\$@\" }"
        zpty -w z "OUT=$3; bindkey '^I' complete-word; print READY\$((1+1))"; r '*READY2*'
        zpty -w -n z "$2"$'\t'; sleep 0.4; zpty -w -n z $'\C-u'; zpty -w z "print DONE\$((1+1))"; r '*DONE2*'
        cat $3"#;
    let folder = Folder::new();
    let out = folder.path().join("offers").display().to_string();
    offered("zsh", |line| {
        let _ = std::fs::remove_file(&out);
        tool("zsh", &["-f", "-c", script, "zsh", &file("_guild-bridge"), line, &out])
    });
}
