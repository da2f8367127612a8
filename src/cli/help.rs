//! `--help` and `--version`.

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

/// What `--help` prints.
pub const TEXT: &str = "\
guild-bridge keeps an agent's seat in a guild: a fresh token before every handshake, proof that it is heard,
nothing lost that the guild still has.

usage: guild-bridge COMMAND [--config FILE] [--state-dir DIR] [--socket FILE]

  run                        the daemon, in the foreground
  check                      every fault of the configuration with file, line and field; no network
  doctor [AGENT]             walks each link step by step, from the key to the history, and asks the agent a test line:
                             which step fails, what it saw, what to do; the running daemon is left alone
    --json                   the same as JSON, one line
  status                     what the running daemon says of its links and agents, the worst first
    --json                   the same as JSON, one line
    --watch                  the same again every second, in place, until interrupted
    --wait SECONDS           until every link with a key is live (or --check says yes), at most so long
    --check local            yes when the daemon answers: its loop turns; links do not count
    --check guild            yes when every link with a key is live, or unproven without a fault
  send AGENT CHANNEL TEXT    posts as the agent; CHANNEL: an id, a unique name, or guild.channel; TEXT - reads
                             standard input; a TEXT that begins with - goes after --
  tail [AGENT]               follows what passes, one line a message, until interrupted
  letters                    the replies that a guild refused for good, with their keys
    --json                   the same as JSON, one line
  letters show KEY           one of them with its whole text; --json as above
  letters retry [KEY|AGENT]  posts them again: all, one, or an agent's
  letters drop [KEY|AGENT]   forgets them
                             both: done where there is none, too; no where KEY or AGENT is not known, or some stay
  restart AGENT              reconnects one agent's links, leaving the others alone
  reload                     reads the configuration again, as SIGHUP does: says what it will change, and changes it
    --dry-run                says it and changes nothing
  nudge                      links that rest try now: for scripts that know that the network came up
  config from-uci [FILE]     OpenWrt's configuration, as `uci export guild-bridge` prints it, as JSON

  --config FILE              default /etc/guild-bridge/config.json
  --state-dir DIR            default /run/guild-bridge/state, or /var/lib/guild-bridge where \"state\" is not memory
  --socket FILE              the control socket, default /run/guild-bridge/control.sock
  --version                  version, target, features, commit
  --help                     this

RUST_LOG sets the level of the log (error, warn, info, debug, trace; info by default) for this program alone.
GUILD_BRIDGE_LOG=syslog sends it to the system's log instead of standard error.

exit codes: 0 done, 1 the answer is no, 64 usage, 69 the daemon does not answer, 70 internal, 75 temporary (send: still
queued after 10 s; run: another copy uses the state directory), 78 configuration";
