//! `run`: the daemon, in the foreground.

use super::check::complain_of;
use super::{Exit, Typed, complain, log as logging, unit};
use crate::config::{Loaded, Remark, load};
use crate::io::secret::credentials;
use crate::io::shell::{self, Fatal, Options};
use crate::reason::Reason;
use crate::settings::{Settings, StateMode};
use std::path::{Path, PathBuf};

/// Runs until a signal, a bad configuration at the start, or a fault of its own.
pub fn run(typed: &Typed, heap: fn() -> (usize, usize)) -> Exit {
    let config_path = typed.config();
    let credentials = credentials();
    let loaded = match load(&config_path, credentials.as_deref()) {
        Ok(loaded) => loaded,
        Err(faults) => {
            complain_of(&faults);
            complain("the configuration cannot be run");
            return Exit::Config;
        }
    };
    logging::start(&logging::Wish::of_environment());
    if rustix::process::geteuid().is_root() {
        log::warn!(
            "{}: running as root: agents would run as root, too; give the daemon a user of its own",
            Reason::CfgFault
        );
    }
    let settings = remark(loaded);
    let state_dir = typed.state_dir.clone().unwrap_or_else(|| state_dir(settings.state));
    let reread = config_path.clone();
    let reload = move || load(&reread, credentials.as_deref()).map(remark).map_err(|faults| refusal(&reread, &faults));
    let options = Options { settings, config_path, state_dir, socket: typed.socket(), heap, reload: Box::new(reload) };
    match shell::run(options) {
        Ok(()) => Exit::Done,
        Err(Fatal::Taken(who)) => {
            complain(who);
            Exit::Temporary
        }
        Err(Fatal::Config(what)) => {
            complain(what);
            Exit::Config
        }
        Err(Fatal::Internal(what)) => {
            complain(what);
            Exit::Internal
        }
    }
}

fn state_dir(state: StateMode) -> PathBuf {
    PathBuf::from(match state {
        StateMode::Memory => "/run/guild-bridge/state",
        StateMode::Group | StateMode::Each => "/var/lib/guild-bridge",
    })
}

/// Logs what is worth a look; an agent without a key is unbound, no more.
fn remark(loaded: Loaded) -> Settings {
    for remark in loaded.warnings.iter().chain(&loaded.keys) {
        log::warn!("{}: {remark}", Reason::CfgFault);
    }
    if let Some(warning) = unit::warning(&loaded.settings, unit::told().as_deref(), Path::new("/"), false) {
        log::warn!("{}: {warning}", Reason::CfgFault);
    }
    loaded.settings
}

/// Faults that are told to whoever asked for a reload, and logged.
const TOLD: usize = 8;

/// Why a configuration that was read again changes nothing, a line for each fault.
fn refusal(path: &Path, faults: &[Remark]) -> String {
    let mut lines = vec!["nothing was changed:".to_owned()];
    lines.extend(faults.iter().take(TOLD).map(ToString::to_string));
    if faults.len() > TOLD {
        lines.push(format!("and {} more; see guild-bridge check --config {}", faults.len() - TOLD, path.display()));
    }
    lines.join("\n")
}
