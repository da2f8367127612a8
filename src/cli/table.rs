//! The commands, their options and the exit codes in one table: what is taken, what `--help` says, what shells complete and
//! what the manual tells.

use super::Exit;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// `run`
    Run,
    /// `check`
    Check,
    /// `doctor`
    Doctor,
    /// `status`
    Status,
    /// `send`
    Send,
    /// `tail`
    Tail,
    /// `letters`
    Letters,
    /// `letters show`
    ShowLetter,
    /// `letters retry`
    RetryLetters,
    /// `letters drop`
    DropLetters,
    /// `restart`
    Restart,
    /// `reload`
    Reload,
    /// `budget`
    Budget,
    /// `nudge`
    Nudge,
    /// `config from-uci`
    FromUci,
}

/// One way to give a command.
#[derive(Debug)]
pub struct Row {
    /// What is typed: words, ARGUMENTS, and [THOSE] that may be left out.
    pub usage: &'static str,
    /// What it does.
    pub does: Does,
    /// The same for people, in lines of `--help`.
    pub about: &'static str,
    /// What goes with it, beside `GLOBAL`.
    pub options: &'static [Opt],
}

/// An option, or one value of it.
#[derive(Debug)]
pub struct Opt {
    /// What is typed: `--name`, `--name VALUE` or `--name word`.
    pub usage: &'static str,
    /// What it says, in lines of `--help`.
    pub about: &'static str,
}

const fn row(does: Does, usage: &'static str, about: &'static str, options: &'static [Opt]) -> Row {
    Row { usage, does, about, options }
}

const fn opt(usage: &'static str, about: &'static str) -> Opt {
    Opt { usage, about }
}

const JSON: Opt = opt("--json", "the same as JSON, one line");

/// All commands.
pub const ROWS: &[Row] = &[
    row(Does::Run, "run", "the daemon, in the foreground", &[]),
    row(Does::Check, "check", "every fault of the configuration with file, line and field; no network", &[]),
    row(
        Does::Doctor,
        "doctor [AGENT]",
        "walks each link step by step, from the key to the history, and asks the agent a test line:\n\
         which step fails, what it saw, what to do; the running daemon is left alone",
        &[JSON],
    ),
    row(
        Does::Status,
        "status",
        "what the running daemon says of its links and agents, the worst first",
        &[
            JSON,
            opt("--watch", "the same again every second, in place, until interrupted"),
            opt("--wait SECONDS", "until every link with a key is live (or --check says yes), at most so long"),
            opt("--check local", "yes when the daemon answers: its loop turns; links do not count"),
            opt("--check guild", "yes when every link with a key is live, or unproven without a fault"),
        ],
    ),
    row(
        Does::Send,
        "send AGENT CHANNEL TEXT",
        "posts as the agent; CHANNEL: an id, a unique name, or guild.channel; TEXT - reads\n\
         standard input; a TEXT that begins with - goes after --",
        &[],
    ),
    row(Does::Tail, "tail [AGENT]", "follows what passes, one line a message, until interrupted", &[]),
    row(Does::Letters, "letters", "the replies that a guild refused for good, with their keys", &[JSON]),
    row(Does::ShowLetter, "letters show KEY", "one of them with its whole text", &[JSON]),
    row(Does::RetryLetters, "letters retry [KEY|AGENT]", "posts them again: all, one, or an agent's", &[]),
    row(
        Does::DropLetters,
        "letters drop [KEY|AGENT]",
        "forgets them; retry and drop: done where there is none, too; no where KEY or AGENT is not\n\
         known, or some stay",
        &[],
    ),
    row(Does::Restart, "restart AGENT", "reconnects one agent's links, leaving the others alone", &[]),
    row(
        Does::Reload,
        "reload",
        "reads the configuration again, as SIGHUP does: says what it will change, and changes it",
        &[opt("--dry-run", "says what it would change, and changes nothing")],
    ),
    row(
        Does::Budget,
        "budget",
        "what the heap may come to with this configuration, item by item, and, where the daemon\nruns, what it uses",
        &[JSON],
    ),
    row(Does::Nudge, "nudge", "links that rest try now: for scripts that know that the network came up", &[]),
    row(
        Does::FromUci,
        "config from-uci [FILE]",
        "OpenWrt's configuration, as `uci export guild-bridge` prints it, as JSON",
        &[],
    ),
];

/// What goes with every command.
pub const GLOBAL: &[Opt] = &[
    opt("--config FILE", "default /etc/guild-bridge/config.json"),
    opt("--state-dir DIR", "default /run/guild-bridge/state, or /var/lib/guild-bridge where \"state\" is not memory"),
    opt("--socket FILE", "the control socket, default /run/guild-bridge/control.sock"),
    opt("--version", "version, target, features, commit"),
    opt("--help", "this"),
];

/// How a command ends.
pub const EXITS: &[(Exit, &str)] = &[
    (Exit::Done, "done"),
    (Exit::No, "the answer is no: --check, --wait, a step of doctor, or the daemon refuses"),
    (Exit::Usage, "usage: the command line is wrong"),
    (Exit::Unavailable, "the daemon does not answer"),
    (Exit::Internal, "internal: a fault of this program or of the machine"),
    (Exit::Temporary, "temporary: send is still queued after 10 s, another copy uses the state directory of run"),
    (Exit::Config, "configuration"),
];

/// Whether a part of a usage is typed as it stands.
#[must_use]
pub fn is_word(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_lowercase())
}

impl Row {
    /// The words that are typed as they stand.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.usage.split(' ').take_while(|part| is_word(part))
    }

    /// What follows them.
    pub fn arguments(&self) -> impl Iterator<Item = &'static str> {
        self.usage.split(' ').skip_while(|part| is_word(part))
    }

    /// The command itself.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.words().next().unwrap_or_default()
    }

    /// Whether this is what was typed.
    #[must_use]
    pub fn fits(&self, typed: &[&str]) -> bool {
        let mut typed = typed.iter();
        let fits = self.usage.split(' ').all(|part| match typed.next() {
            Some(word) => !is_word(part) || *word == part,
            None => part.starts_with('['),
        });
        fits && typed.next().is_none()
    }

    /// Whether an option goes with it.
    #[must_use]
    pub fn takes(&self, option: &str) -> bool {
        self.options.iter().chain(GLOBAL).any(|known| known.name() == option)
    }
}

impl Opt {
    /// `--name`
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or_default()
    }

    /// `VALUE` or a word, where there is one.
    #[must_use]
    pub fn value(&self) -> Option<&'static str> {
        self.usage.split(' ').nth(1)
    }
}

/// All options, some more than once.
pub fn options() -> impl Iterator<Item = &'static Opt> + Clone {
    ROWS.iter().flat_map(|row| row.options).chain(GLOBAL)
}

/// All commands, some more than once.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    ROWS.iter().map(Row::name)
}

/// The commands that an option goes with, in a row.
#[must_use]
pub fn with(option: &str) -> String {
    let rows = ROWS.iter().filter(|row| row.options.iter().any(|known| known.name() == option));
    in_a_row(&rows.map(|row| row.words().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>(), "and")
}

/// What a command takes: its forms in a row.
#[must_use]
pub fn forms(name: &str) -> String {
    let rest = |row: &Row| row.usage.split_once(' ').map_or("nothing", |(_, rest)| rest).to_owned();
    in_a_row(&ROWS.iter().filter(|row| row.name() == name).map(rest).collect::<Vec<_>>(), "or")
}

fn in_a_row(all: &[String], last: &str) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}
