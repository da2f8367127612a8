//! `--help` and `--version`.

use super::table::{EXITS, GLOBAL, ROWS};

/// What `--version` prints: version, target, features, commit.
#[must_use]
pub fn version() -> String {
    format!(
        "guild-bridge {} ({}, features: {}, commit {})",
        env!("CARGO_PKG_VERSION"),
        env!("BUILT_TARGET"),
        env!("BUILT_FEATURES"),
        env!("BUILT_COMMIT")
    )
}

/// Where what a command does begins.
const COLUMN: usize = 29;

/// What `--help` prints: the table of commands, and a little around it.
#[must_use]
pub fn text() -> String {
    let mut out = "\
guild-bridge keeps an agent's seat in a guild: a fresh token before every handshake, proof that it is heard,
nothing lost that the guild still has.

usage: guild-bridge COMMAND [--config FILE] [--state-dir DIR] [--socket FILE]

"
    .to_owned();
    for row in ROWS {
        line(&mut out, 2, row.usage, row.about);
        row.options.iter().for_each(|option| line(&mut out, 4, option.usage, option.about));
    }
    out += "\n";
    GLOBAL.iter().for_each(|option| line(&mut out, 2, option.usage, option.about));
    out += "
RUST_LOG sets the level of the log (error, warn, info, debug, trace; info by default) for this program alone.
GUILD_BRIDGE_LOG=syslog sends it to the system's log instead of standard error.

exit codes:
";
    for (exit, about) in EXITS {
        out += &format!("  {:<3} {about}\n", *exit as u8);
    }
    out.truncate(out.trim_end().len());
    out
}

fn line(out: &mut String, indent: usize, usage: &str, about: &str) {
    for (at, text) in about.lines().enumerate() {
        let usage = if at == 0 { usage } else { "" };
        let width = COLUMN - indent;
        *out += &format!("{:indent$}{usage:<width$}{text}\n", "");
    }
}
