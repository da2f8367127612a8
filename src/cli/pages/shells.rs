//! Completions for bash, zsh and fish. Names of agents and keys of letters are the running daemon's: it is asked.

use super::brief;
use crate::cli::table::{GLOBAL, Opt, ROWS, Row, is_word, options};
use std::fmt::Write;

const HEAD: &str =
    "# completion for guild-bridge, written from the program's table of commands: cargo test --test spec -- pages\n";

/// What was typed so far, as far as it stands as it is, and what may follow: further words, or arguments.
fn states() -> Vec<(String, Vec<(&'static str, &'static Row)>)> {
    let mut states: Vec<(String, Vec<(&'static str, &'static Row)>)> = Vec::new();
    for row in ROWS {
        let words: Vec<&str> = row.words().collect();
        for (at, part) in row.usage.split(' ').enumerate().take(words.len() + 1) {
            let typed = words.iter().take(at).copied().collect::<Vec<_>>().join(" ");
            match states.iter_mut().find(|(known, _)| *known == typed) {
                Some((_, next)) if next.iter().any(|(known, _)| *known == part) => {}
                Some((_, next)) => next.push((part, row)),
                None => states.push((typed, vec![(part, row)])),
            }
        }
    }
    states
}

/// A row's words, and whether arguments may follow them.
fn typed(row: &Row) -> (String, bool) {
    (row.words().collect::<Vec<_>>().join(" "), row.arguments().next().is_some())
}

/// Options with what they do, one of each name.
fn one_each(options: &'static [Opt]) -> Vec<&'static Opt> {
    let mut seen: Vec<&Opt> = Vec::new();
    for option in options {
        if !seen.iter().any(|known| known.name() == option.name()) {
            seen.push(option);
        }
    }
    seen
}

/// Words that an option takes.
fn words_of(name: &str) -> Vec<&'static str> {
    let of = options().filter(|option| option.name() == name);
    of.filter_map(|option| option.value().filter(|value| is_word(value))).collect()
}

/// Options that a value follows, in their order.
fn valued() -> Vec<&'static str> {
    let mut names: Vec<&str> = options().filter(|option| option.value().is_some()).map(Opt::name).collect();
    names.dedup();
    names
}

/// What is asked of the daemon for an argument: the command, and the member of its JSON that names one.
fn asked(argument: &str) -> Vec<(&'static str, &'static str)> {
    let argument = argument.trim_matches(['[', ']']);
    let agents = argument.contains("AGENT").then_some(("status", "agent"));
    let letters = argument.contains("KEY").then_some(("letters", "key"));
    letters.into_iter().chain(agents).collect()
}

/// For bash.
#[must_use]
pub fn bash() -> String {
    let mut out = HEAD.to_owned();
    out += r#"
# _guild_bridge_said PROGRAM COMMAND MEMBER [--socket FILE]: names that the running daemon says
_guild_bridge_said() {
    timeout 2 "$1" "$2" --json "${@:4}" 2>/dev/null | grep -o "\"$3\":\"[A-Za-z0-9_.-]*\"" | cut -d '"' -f 4 | sort -u
}

_guild_bridge() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at offers='' files='' options='' words=() socket=()
    COMPREPLY=()
    [[ $cur != '=' ]] || cur=''
    [[ $prev != '=' ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
"#;
    let _ = writeln!(out, "        {})", valued().join(" | "));
    out += r#"            local option=${COMP_WORDS[at]}
            at=$((at + 1))
            [[ ${COMP_WORDS[at]} != '=' ]] || at=$((at + 1))
            [[ $option != --socket ]] || socket=(--socket "${COMP_WORDS[at]}")
            ;;
        -*) ;;
        *) words+=("${COMP_WORDS[at]}") ;;
        esac
    done
    case $prev in
"#;
    for name in valued() {
        let words = words_of(name);
        let does = match options().find(|option| option.name() == name).and_then(Opt::value) {
            Some("FILE") => "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")".to_owned(),
            Some("DIR") => "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")".to_owned(),
            _ if !words.is_empty() => {
                format!("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")", words.join(" "))
            }
            _ => "true".to_owned(),
        };
        let _ = writeln!(out, "    {name}) {does} && return ;;");
    }
    out += "    esac\n    case ${words[*]} in\n";
    for row in ROWS.iter().filter(|row| !row.options.is_empty()) {
        let (words, more) = typed(row);
        let also = if more { format!(" | '{words} '*") } else { String::new() };
        let names: Vec<&str> = one_each(row.options).into_iter().map(Opt::name).collect();
        let _ = writeln!(out, "    '{words}'{also}) options='{}' ;;", names.join(" "));
    }
    let global: Vec<&str> = GLOBAL.iter().map(Opt::name).collect();
    let _ = writeln!(
        out,
        "    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W \"$options {}\" -- \"$cur\")
        return
    fi
    case ${{words[*]}} in",
        global.join(" ")
    );
    for (words, next) in states() {
        let literal: Vec<&str> = next.iter().map(|(part, _)| *part).filter(|part| is_word(part)).collect();
        let mut does: Vec<String> = Vec::new();
        if !literal.is_empty() {
            does.push(format!("offers='{}'", literal.join(" ")));
        }
        for (part, _) in next.iter().filter(|(part, _)| !is_word(part)) {
            for (command, member) in asked(part) {
                does.push(format!("offers+=\" $(_guild_bridge_said \"$1\" {command} {member} \"${{socket[@]}}\")\""));
            }
            if part.contains("FILE") {
                does.push("files=yes".to_owned());
            }
        }
        if !does.is_empty() {
            let _ = writeln!(out, "    '{words}') {} ;;", does.join("; "));
        }
    }
    out += r#"    esac
    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$cur")
    [[ -z $files ]] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
}
complete -F _guild_bridge guild-bridge
"#;
    out
}

/// For zsh.
#[must_use]
pub fn zsh() -> String {
    let mut out = "#compdef guild-bridge\n".to_owned() + HEAD;
    out += r#"
# _guild_bridge_said COMMAND MEMBER [--socket FILE]: names that the running daemon says
_guild_bridge_said() {
    local -a names
    names=(${(f)"$(timeout 2 $words[1] $1 --json ${@:3} 2>/dev/null | grep -o "\"$2\":\"[A-Za-z0-9_.-]*\"" | cut -d '"' -f 4 | sort -u)"})
    compadd -- $names
}

_guild-bridge() {
    local -a typed socket offers opts
    local prev=$words[CURRENT-1]
    integer at
    for ((at = 2; at < CURRENT; at++)); do
        case $words[at] in
        (--socket=*) socket=($words[at]) ;;
"#;
    let _ = writeln!(out, "        ({})", valued().join("|"));
    out += r#"            [[ $words[at] != --socket ]] || socket=(--socket $words[at+1])
            at+=1
            ;;
        (-*) ;;
        (*) typed+=($words[at]) ;;
        esac
    done
    if [[ $PREFIX == --*=* ]]; then
        prev=${PREFIX%%=*}
        compset -P '*='
    fi
    case $prev in
"#;
    for name in valued() {
        let words = words_of(name);
        let does = match options().find(|option| option.name() == name).and_then(Opt::value) {
            Some("FILE") => "_files".to_owned(),
            Some("DIR") => "_files -/".to_owned(),
            _ if !words.is_empty() => format!("compadd -- {}", words.join(" ")),
            _ => "_message seconds".to_owned(),
        };
        let _ = writeln!(out, "    ({name}) {does}; return ;;");
    }
    out += "    esac\n    if [[ $PREFIX == -* ]]; then\n        case ${(j: :)typed} in\n";
    let described = |options: &[&Opt]| {
        let told = options.iter().map(|option| quoted(&format!("{}:{}", option.name(), brief(option.about))));
        told.collect::<Vec<_>>().join(" ")
    };
    for row in ROWS.iter().filter(|row| !row.options.is_empty()) {
        let (words, more) = typed(row);
        let also = if more { format!("|'{words} '*") } else { String::new() };
        let _ = writeln!(out, "        ('{words}'{also}) opts=({}) ;;", described(&one_each(row.options)));
    }
    let _ = writeln!(out, "        esac\n        opts+=({})", described(&GLOBAL.iter().collect::<Vec<_>>()));
    out += "        _describe -o option opts\n        return\n    fi\n    case ${(j: :)typed} in\n";
    for (words, next) in states() {
        let literal = next.iter().filter(|(part, _)| is_word(part));
        let literal: Vec<String> = literal.map(|(part, row)| quoted(&format!("{part}:{}", brief(row.about)))).collect();
        let mut does: Vec<String> = Vec::new();
        if !literal.is_empty() {
            does.push(format!("offers=({}); _describe command offers", literal.join(" ")));
        }
        for (part, _) in next.iter().filter(|(part, _)| !is_word(part)) {
            does.extend(
                asked(part).iter().map(|(command, member)| format!("_guild_bridge_said {command} {member} $socket")),
            );
            if part.contains("FILE") {
                does.push("_files".to_owned());
            }
        }
        if !does.is_empty() {
            let _ = writeln!(out, "    ('{words}') {} ;;", does.join("; "));
        }
    }
    out += "    esac\n}\n\n_guild-bridge \"$@\"\n";
    out
}

/// For fish.
#[must_use]
pub fn fish() -> String {
    let mut out = HEAD.to_owned();
    let _ = write!(
        out,
        r#"
# what was typed, without the program, options and their values
function __guild_bridge_typed
    set -l skip no
    for word in (commandline -opc)[2..]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case {}
                set skip yes
            case '-*'
            case '*'
                echo $word
        end
    end
end

# whether exactly these words were typed, or, with -a first, these and perhaps more
function __guild_bridge_at
    set -l typed (__guild_bridge_typed)
    if test "$argv[1]" = -a
        set argv $argv[2..]
        test (count $typed) -ge (count $argv); or return 1
        set typed $typed[1..(count $argv)]
    end
    test "$typed" = "$argv"
end

# names that the running daemon says: COMMAND MEMBER
function __guild_bridge_said
    set -l line (commandline -opc)
    set -l socket
    set -l at (contains -i -- --socket $line)
    and set socket --socket $line[(math $at + 1)]
    timeout 2 $line[1] $argv[1] --json $socket 2>/dev/null | grep -o "\"$argv[2]\":\"[A-Za-z0-9_.-]*\"" | cut -d '"' -f 4 | sort -u
end

complete -c guild-bridge -f
"#,
        valued().join(" ")
    );
    for (words, next) in states() {
        let at = format!("complete -c guild-bridge -n '__guild_bridge_at {words}'");
        for (part, row) in next {
            if is_word(part) {
                let _ = writeln!(out, "{at} -a {part} -d {}", quoted(&brief(row.about)));
                continue;
            }
            for (command, member) in asked(part) {
                let _ = writeln!(out, "{at} -a '(__guild_bridge_said {command} {member})' -d {member}");
            }
            if part.contains("FILE") {
                let _ = writeln!(out, "{at} -F");
            }
        }
    }
    for row in ROWS {
        let (words, more) = typed(row);
        let flag = if more { "-a " } else { "" };
        for option in one_each(row.options) {
            let _ =
                writeln!(out, "complete -c guild-bridge -n '__guild_bridge_at {flag}{words}' {}", fish_option(option));
        }
    }
    for option in GLOBAL {
        let _ = writeln!(out, "complete -c guild-bridge {}", fish_option(option));
    }
    out
}

fn fish_option(option: &Opt) -> String {
    let words = words_of(option.name());
    let takes = match option.value() {
        None => "",
        Some("FILE") => " -r -F",
        Some("DIR") => " -x -a '(__fish_complete_directories)'",
        Some(_) if words.is_empty() => " -x",
        Some(_) => &format!(" -x -a '{}'", words.join(" ")),
    };
    format!("-l {}{takes} -d {}", option.name().trim_start_matches('-'), quoted(&brief(option.about)))
}

/// One word to a shell, whatever is in it: bash, zsh and fish read a quote in quotes alike.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
