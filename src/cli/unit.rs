//! Whether agents that the daemon starts itself can start where it runs: `board/common/guild-bridge.service` executes
//! nothing but the daemon, until `agents.conf` is put beside it.

use crate::settings::{Settings, Transport};
use std::path::Path;

/// What the unit says of itself to the daemon, and agents.conf instead of it.
const VARIABLE: &str = "GUILD_BRIDGE_UNIT";
/// Where the package puts its unit, and where the drop-in is put.
const UNIT: [&str; 2] = ["usr/lib/systemd/system/guild-bridge.service", "lib/systemd/system/guild-bridge.service"];
const DROP_INS: [&str; 2] = ["etc/systemd/system/guild-bridge.service.d", "run/systemd/system/guild-bridge.service.d"];

/// A warning where agents of `exec` or `stdio` stand under the hard unit. `unit`: `$GUILD_BRIDGE_UNIT`; `root`: `/`.
/// `installed`: the configuration is the service's own, so that its unit counts.
#[must_use]
pub fn warning(settings: &Settings, unit: Option<&str>, root: &Path, installed: bool) -> Option<String> {
    let hard = match unit {
        Some(unit) => unit == "hard",
        None => installed && is_hard(root),
    };
    let child = |transport: &Transport| matches!(transport, Transport::Exec { .. } | Transport::Stdio { .. });
    let children: Vec<&str> =
        settings.agents.iter().filter(|agent| child(&agent.answer)).map(|agent| agent.name.as_str()).collect();
    (hard && !children.is_empty()).then(|| {
        format!(
            "the service's unit starts no programs, and {} would be started by it (exec, stdio): install agents.conf, as \
             /usr/share/guild-bridge/agents.conf says, or use http or socket",
            children.join(", ")
        )
    })
}

/// What this process's environment says of the unit.
#[must_use]
pub fn told() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

fn is_hard(root: &Path) -> bool {
    let lifted = |folder: &&str| {
        let files = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        files.into_iter().any(|file| {
            let lines = std::fs::read_to_string(file.path()).unwrap_or_default();
            lines.lines().any(|line| line.trim() == "Environment=GUILD_BRIDGE_UNIT=agents")
        })
    };
    UNIT.iter().any(|unit| root.join(unit).is_file()) && !DROP_INS.iter().any(lifted)
}
