//! The fields of the configuration in one table: what the reader checks, what errors name, and what a schema can be
//! written from.

use crate::budget;
use crate::settings::DialectName;

/// An object of the configuration.
#[derive(Debug)]
pub struct Shape {
    /// Its fields, all of them.
    pub fields: &'static [Field],
}

impl Shape {
    /// Its first field's name: for a transport of `answer`, the transport's own.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.fields.first().map_or("", |field| field.name)
    }
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it says, in half a line.
    pub about: &'static str,
}

/// What a field may hold.
#[derive(Debug)]
pub enum Kind {
    /// true or false
    Flag,
    /// A whole number from..=to.
    Whole(u64, u64),
    /// Seconds, fractions allowed, in milliseconds from..=to.
    Seconds(u64, u64),
    /// A string that is not empty, of at most so many bytes.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of strings: at least and at most so many, each of at most so many bytes.
    Texts(usize, usize, usize),
    /// A string or a list of strings, as in `Texts`.
    TextOrTexts(usize, usize),
    /// A list of whole numbers up to this one, at most so many.
    Wholes(u64, usize),
    /// An object whose names are free and whose values are strings; at most so many.
    Strings(usize),
    /// An object of this shape.
    Object(&'static Shape),
    /// An object whose names are names, each with an object of this shape; at most so many.
    Named(&'static Shape, usize),
    /// A JSON pointer (RFC 6901).
    Pointer,
    /// Read elsewhere: an agent's `answer` has a shape for each transport.
    Answer,
    /// Any JSON.
    Json,
}

/// Longest string of the configuration: a path, a URL, an argument.
pub const TEXT_BYTES: usize = 4096;
/// Longest name of a guild or an agent.
pub const NAME_CHARS: usize = 32;
/// Entries of a list or of an object with free names: arguments, headers, environment.
const ENTRIES: usize = 64;
/// An hour and a day in milliseconds, the ends of the timing's ranges.
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;
/// Shortest time that can be set: below it a timer is a busy loop.
const SHORTEST_MS: u64 = 50;

const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about }
}

const fn must(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: true, about }
}

/// The whole file.
pub const ROOT: Shape = Shape {
    fields: &[
        must("guilds", Kind::Named(&GUILD, budget::LINKS), "the guilds, by a name of yours"),
        must("agents", Kind::Named(&AGENT, budget::AGENTS), "the agents, by a name of yours"),
        field("state", Kind::Word(&["memory", "group", "each"]), "how hard the journal is kept"),
        field("limits", Kind::Object(&LIMITS), "what is too large"),
        field("timing", Kind::Object(&TIMING), "how long to wait for what"),
        field("page", Kind::Text(64), "address and port of the page, none by default"),
        field("page_hosts", Kind::Texts(0, 16, 255), "names that the page may be called by beyond loopback"),
        field("metrics_file", Kind::Text(TEXT_BYTES), "a file for metrics, written every 15 s"),
    ],
};

/// One guild.
pub const GUILD: Shape = Shape {
    fields: &[
        must("dialect", Kind::Word(DialectName::WORDS), "what the guild speaks"),
        must("url", Kind::Text(TEXT_BYTES), "the guild's base URL"),
        field("center", Kind::Text(TEXT_BYTES), "base URL of what mints tokens; the guild's own by default"),
        field("extra_ca", Kind::Text(TEXT_BYTES), "a PEM file of roots beside the system's"),
        field("plaintext", Kind::Flag, "allow plain http and ws beyond loopback"),
        field("paths", Kind::Object(&PATHS), "paths that differ from the dialect's own"),
        field("namespace", Kind::Text(128), "the Socket.IO namespace, / by default"),
    ],
};

/// A guild's paths.
pub const PATHS: Shape = Shape {
    fields: &[
        field("token", Kind::Text(256), "the mint, /auth/token by default"),
        field("channels", Kind::Text(256), "the list of channels, /channels by default"),
        field("history", Kind::Text(256), "a channel's history, /channels/{id}/messages by default"),
        field("post", Kind::Text(256), "where to post, /channels/{id}/messages by default"),
        field("attachment", Kind::Text(256), "an attachment, /attachments/{id} by default"),
        field("socket", Kind::Text(256), "the Socket.IO server, /socket.io/ by default"),
    ],
};

/// One agent.
pub const AGENT: Shape = Shape {
    fields: &[
        must("guild", Kind::TextOrTexts(budget::LINKS, NAME_CHARS), "its guild, or a list of them"),
        field("id", Kind::Text(budget::ID_BYTES), "who the guild knows it as; its name by default"),
        field(
            "login",
            Kind::Text(budget::ID_BYTES),
            "the e-mail address it signs in with, where its guild has sign-ins",
        ),
        field("names", Kind::Texts(0, 32, budget::NAME_BYTES), "further names that mention it after an @"),
        must("key_file", Kind::Text(TEXT_BYTES), "the file with its key, mode 0600"),
        must("answer", Kind::Answer, "how it is asked"),
        field("parallel", Kind::Whole(1, budget::PARALLEL as u64), "turns open at once, 1 by default"),
        field("deadline_s", Kind::Whole(1, 86_400), "how long a turn may take, 600 by default"),
        field("backfill", Kind::Whole(0, 1000), "old messages answered in a new channel, 0 by default"),
        field("respond_to", Kind::Word(&["mentions", "all", "direct"]), "what it answers, mentions by default"),
        field("bots", Kind::Word(&["mentions", "all"]), "which bots' messages count, mentions by default"),
        field("attachments", Kind::Object(&ATTACHMENTS), "fetch attachments before a turn"),
    ],
};

/// An agent's attachments.
pub const ATTACHMENTS: Shape =
    Shape { fields: &[must("max_bytes", Kind::Whole(1, budget::ATTACHMENT_BYTES), "the largest one that is fetched")] };

/// `limits`
pub const LIMITS: Shape = Shape {
    fields: &[
        field(
            "message_bytes",
            Kind::Whole(budget::MESSAGE_LEAST_BYTES as u64, budget::HISTORY_BODY_BYTES as u64),
            "the largest message taken, 65536 by default",
        ),
        field("channels", Kind::Whole(1, budget::CHANNELS as u64), "channels that a link joins"),
        field("heap_bytes", Kind::Whole(1 << 20, 1 << 40), "what the daemon's heap may hold; see guild-bridge budget"),
    ],
};

/// `timing`
pub const TIMING: Shape = Shape {
    fields: &[
        field("reconcile_s", Kind::Seconds(SHORTEST_MS, DAY_MS), "between looks at history while live, 60 by default"),
        field("unproven_s", Kind::Seconds(SHORTEST_MS, HOUR_MS), "between looks before proof, 15 by default"),
        field("handshake_s", Kind::Seconds(SHORTEST_MS, HOUR_MS), "for a handshake, 30 by default"),
        field("stable_s", Kind::Seconds(SHORTEST_MS, DAY_MS), "connected that clears the backoff, 60 by default"),
        field("backoff_base_s", Kind::Seconds(SHORTEST_MS, HOUR_MS), "the shortest rest, 1 by default"),
        field("backoff_cap_s", Kind::Seconds(SHORTEST_MS, DAY_MS), "the longest rest, 120 by default"),
    ],
};

const CWD: Field = field("cwd", Kind::Text(TEXT_BYTES), "working directory and HOME, / by default");
const ENV: Field = field("env", Kind::Strings(ENTRIES), "environment beyond PATH, LANG, TZ and HOME");
const ENV_FILES: Field = field("env_files", Kind::Strings(ENTRIES), "environment read from files");

/// `answer` with one process for each turn.
pub const EXEC: Shape = Shape {
    fields: &[
        must("exec", Kind::Texts(1, ENTRIES, TEXT_BYTES), "the program and its arguments"),
        field("stdin", Kind::Word(&["text", "json", "none"]), "what it reads, text by default"),
        field("stdout", Kind::Word(&["text", "json"]), "what it writes, text by default"),
        field("pointer", Kind::Pointer, "where the reply is in its JSON (RFC 6901)"),
        CWD,
        ENV,
        ENV_FILES,
    ],
};

/// `answer` with one resident child.
pub const STDIO: Shape = Shape {
    fields: &[must("stdio", Kind::Texts(1, ENTRIES, TEXT_BYTES), "the program and its arguments"), CWD, ENV, ENV_FILES],
};

/// `answer` over a socket that agents connect to.
pub const SOCKET: Shape = Shape {
    fields: &[
        must("socket", Kind::Text(100), "the socket's path"),
        field("uids", Kind::Wholes(u32::MAX as u64 - 1, ENTRIES), "user ids that may connect"),
    ],
};

/// `answer` with one POST for each turn.
pub const HTTP: Shape = Shape {
    fields: &[
        must("http", Kind::Text(TEXT_BYTES), "the URL"),
        field("headers", Kind::Strings(ENTRIES), "further headers"),
        field("bearer_file", Kind::Text(TEXT_BYTES), "a file whose content goes into Authorization: Bearer"),
        field("body", Kind::Json, "the JSON to send, with placeholders in its strings"),
        field("pointer", Kind::Pointer, "where the reply is in the answer's JSON (RFC 6901)"),
    ],
};

/// The transports of `answer`; the first field of each names it.
pub const ANSWERS: &[&Shape] = &[&EXEC, &STDIO, &SOCKET, &HTTP];

/// What may stand in braces in arguments and bodies (CONTRACT section 2).
pub const PLACEHOLDERS: &[&str] = &["text", "conv", "turn", "channel", "author", "agent", "guild"];

/// The known name that `name` was meant to be: one that it begins, or the nearest where at most a third differs (two
/// letters in a word of four or five: a swap is two).
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let begun = |known: &&str| name.len() > 2 && known.starts_with(name);
    if let Some(begun) = known.clone().into_iter().find(begun) {
        return Some(begun);
    }
    let near = |known: &'a str| (distance(name, known), known);
    let (far, best) = known.into_iter().map(near).min_by_key(|(far, _)| *far)?;
    let most = if best.len() < 4 { 1 } else { (best.len() / 3).max(2) };
    (far <= most).then_some(best)
}

/// Edits (insert, delete, replace) from one to the other; case does not count. Names longer than a known one can be are
/// cut, so that this stays small.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().take(64).map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, above) in b.iter().zip(row.iter().skip(1)) {
            left = (corner + usize::from(ca != cb)).min(left + 1).min(above + 1);
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
