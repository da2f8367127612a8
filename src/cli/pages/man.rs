//! guild-bridge(1) and guild-bridge.json(5), in the macros of man(7).

use super::{holds, whole};
use crate::cli::table::{EXITS, GLOBAL, Opt, ROWS};
use crate::config::schema::{ANSWERS, Field, Kind, PLACEHOLDERS, ROOT, Shape};

/// When what is written here by hand was last changed.
const DATE: &str = "2026-11-27";

const SIGNALS: &[(&str, &str)] = &[
    (
        "TERM, INT",
        "It takes no more work, finishes or gives back what is open within 5 s, and exits 0. A second one ends it at once.",
    ),
    ("HUP", "As reload."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "RUST_LOG",
        "The level of the log: error, warn, info, debug or trace; info by default. It is for this program's own lines alone.",
    ),
    ("GUILD_BRIDGE_LOG", "syslog sends the log to /dev/log with its levels, syslog:/PATH elsewhere."),
    (
        "GUILD_BRIDGE_UNIT",
        "Set by the service's unit: whether agents that the daemon starts itself can start under it.",
    ),
    ("CREDENTIALS_DIRECTORY", "Where systemd puts credentials: a key_file that is the name of one is read there."),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
        "As in sd_notify(3): the service manager is told READY, RELOADING, STOPPING and how many links are live, and its watchdog is fed.",
    ),
    ("JOURNAL_STREAM", "Set by systemd: lines of the log carry their level."),
    ("SSL_CERT_FILE", "Roots of certificates, instead of the system's bundle."),
    ("NO_COLOR, TERM", "No colours where NO_COLOR is not empty or TERM is dumb."),
    ("PATH, LANG, TZ", "What agents that the daemon starts get of its environment."),
];

const FILES: &[(&str, &str)] = &[
    ("/etc/guild-bridge/config.json", "The configuration, as guild-bridge.json(5) says."),
    ("/etc/guild-bridge/keys", "Agents' keys, a file of mode 0600 for each."),
    (
        "/run/guild-bridge/control.sock",
        "The control socket, mode 0660: members of its group can do what these commands do.",
    ),
    ("/run/guild-bridge/state, /var/lib/guild-bridge", "Places in channels, replies that are not posted yet, letters."),
];

/// guild-bridge(1)
#[must_use]
pub fn command() -> String {
    let mut page = Page::begin("GUILD-BRIDGE", 1, "guild-bridge", "keeps an agent's seat in a guild");
    page.section("SYNOPSIS");
    page.line("\\fBguild\\-bridge\\fR \\fICOMMAND\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-state\\-dir\\fR \\fIDIR\\fR] [\\fB\\-\\-socket\\fR \\fIFILE\\fR]");
    page.section("DESCRIPTION");
    page.text("guild-bridge keeps an AI agent's seat in a guild, a chat backend with channels that speaks Socket.IO. It mints a fresh token before every handshake, proves that it is heard instead of believing that it is connected, hands messages to programs on the same machine, and posts their answers.");
    page.section("COMMANDS");
    for row in ROWS {
        page.entry(&usage(row.usage), &whole(row.about));
        page.options(row.options);
    }
    page.section("OPTIONS");
    for option in GLOBAL {
        page.entry(&usage(option.usage), &whole(option.about));
    }
    page.section("EXIT STATUS");
    for (exit, about) in EXITS {
        page.entry(&bold(&(*exit as u8).to_string()), about);
    }
    page.entries("SIGNALS", SIGNALS);
    page.entries("ENVIRONMENT", ENVIRONMENT);
    page.entries("FILES", FILES);
    page.section("SEE ALSO");
    page.line("\\fBguild\\-bridge.json\\fR(5)");
    page.out
}

/// guild-bridge.json(5)
#[must_use]
pub fn configuration() -> String {
    let mut page = Page::begin("GUILD-BRIDGE.JSON", 5, "guild-bridge.json", "the configuration of guild-bridge");
    page.section("DESCRIPTION");
    page.text("guild-bridge(1) reads /etc/guild-bridge/config.json, or the file that --config names: JSON with // and /* */ comments and trailing commas. Unknown fields are errors that name the nearest known one. Names of guilds and agents are 1 to 32 of a-z, 0-9 and -, and do not begin with -. A relative path is meant from the configuration's own folder. guild-bridge check says every fault with file, line and field.");
    page.text(&format!("In the arguments of exec, and in the headers and the body of http, these are replaced within their own string: {}.", PLACEHOLDERS.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(" ")));
    page.shape("", &ROOT);
    page.section("EXAMPLE");
    page.line(".nf");
    EXAMPLE.lines().for_each(|line| page.line(&escaped(line)));
    page.line(".fi");
    page.section("SEE ALSO");
    page.line("\\fBguild\\-bridge\\fR(1)");
    page.out
}

/// A whole configuration.
pub const EXAMPLE: &str = r#"{
  "guilds": {
    "acme": { "dialect": "fabric", "center": "https://center.example", "url": "https://guild.example" },
  },
  "agents": {
    "recruiter": {
      "guild": "acme",
      "key_file": "/etc/guild-bridge/keys/recruiter",  // mode 0600
      "answer": { "http": "http://127.0.0.1:8000/turn" },
    },
  },
}"#;

/// A page that is being written.
struct Page {
    out: String,
}

impl Page {
    fn begin(title: &str, section: u8, name: &str, about: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let mut page =
            Self { out: ".\\\" written from the tables of the program: cargo test --test spec -- pages\n".to_owned() };
        page.line(&format!(".TH {} {section} {DATE} \"guild\\-bridge {version}\"", escaped(title)));
        page.section("NAME");
        page.line(&format!("{} \\- {}", escaped(name), escaped(about)));
        page
    }

    fn line(&mut self, line: &str) {
        self.out += line;
        self.out.push('\n');
    }

    fn section(&mut self, name: &str) {
        self.line(&format!(".SH {name}"));
    }

    fn text(&mut self, text: &str) {
        if !self.out.trim_end().lines().next_back().is_some_and(|line| line.starts_with(".SH")) {
            self.line(".PP");
        }
        self.wrapped(text);
    }

    /// Text in lines that are not too long for those who read the source.
    fn wrapped(&mut self, text: &str) {
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.len() + word.len() > 70 {
                self.line(&escaped(&line));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&escaped(&line));
    }

    /// `term` is roff, `about` is not.
    fn entry(&mut self, term: &str, about: &str) {
        self.line(".TP");
        self.line(term);
        self.wrapped(about);
    }

    fn entries(&mut self, section: &str, entries: &[(&str, &str)]) {
        self.section(section);
        for (term, about) in entries {
            self.entry(&bold(term), about);
        }
    }

    fn options(&mut self, options: &[Opt]) {
        if options.is_empty() {
            return;
        }
        self.line(".RS");
        for option in options {
            self.entry(&usage(option.usage), &whole(option.about));
        }
        self.line(".RE");
    }

    /// The fields of an object, and then the objects in it.
    fn shape(&mut self, path: &str, shape: &Shape) {
        let heading = if path.is_empty() { "THE FILE" } else { path };
        self.section(&format!("\"{}\"", escaped(heading)));
        self.fields(shape);
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for field in shape.fields {
            match field.kind {
                Kind::Object(inner) => self.shape(&below(field.name), inner),
                Kind::Named(inner, _) => self.shape(&format!("{}.NAME", below(field.name)), inner),
                Kind::Answer => self.answers(&below(field.name)),
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
                | Kind::Json => {}
            }
        }
    }

    fn answers(&mut self, path: &str) {
        self.section(&format!("\"{}\"", escaped(path)));
        let names: Vec<&str> = ANSWERS.iter().map(|shape| shape.name()).collect();
        self.text(&format!("One of {}, each with what belongs to it.", names.join(", ")));
        for shape in ANSWERS {
            self.line(&format!(".SS \"with {}\"", escaped(shape.name())));
            self.fields(shape);
        }
    }

    fn fields(&mut self, shape: &Shape) {
        for field in shape.fields {
            self.entry(&term(field), &format!("{}.", sentence(field.about)));
        }
    }
}

fn term(field: &Field) -> String {
    let must = if field.required { ", must be there" } else { "" };
    format!("{} ({}{must})", bold(field.name), escaped(&holds(field)))
}

fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// Words as they are typed in bold, what stands for something in italics.
fn usage(usage: &str) -> String {
    let part = |part: &str| match part.trim_matches(['[', ']']) {
        inner if inner.starts_with(|c: char| c.is_ascii_uppercase()) => {
            let inner = format!("\\fI{}\\fR", escaped(inner));
            if part.starts_with('[') { format!("[{inner}]") } else { inner }
        }
        word => bold(word),
    };
    usage.split(' ').map(part).collect::<Vec<_>>().join(" ")
}

/// Text that means itself to roff.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.strip_prefix(['.', '\'']) {
        Some(_) => format!("\\&{text}"),
        None => text,
    }
}
