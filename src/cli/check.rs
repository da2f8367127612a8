//! `check`: every fault of the configuration; no network.

use super::{Exit, Typed, complain, put, unit};
use crate::config::{Remark, load};
use crate::io::secret::credentials;
use std::path::Path;

/// Says each on a line of standard error.
pub fn complain_of(remarks: &[Remark]) {
    remarks.iter().for_each(|remark| eprint_line(&remark.to_string()));
}

fn eprint_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// 0 when there is no fault; warnings are said and change nothing.
pub fn check(typed: &Typed) -> Exit {
    let path = typed.config();
    let loaded = match load(&path, credentials().as_deref()) {
        Ok(loaded) => loaded,
        Err(faults) => {
            complain_of(&faults);
            complain(format_args!("{} has {}", path.display(), count(faults.len(), "fault")));
            return Exit::Config;
        }
    };
    for warning in &loaded.warnings {
        eprint_line(&format!("{warning} (a warning)"));
    }
    if let Some(warning) =
        unit::warning(&loaded.settings, unit::told().as_deref(), Path::new("/"), typed.is_installed())
    {
        eprint_line(&format!("{}: {warning} (a warning)", path.display()));
    }
    if !loaded.keys.is_empty() {
        complain_of(&loaded.keys);
        complain(format_args!("{} has {}", path.display(), count(loaded.keys.len(), "fault")));
        return Exit::Config;
    }
    let settings = &loaded.settings;
    let sum = format!(
        "{} is good: {}, {}",
        path.display(),
        count(settings.guilds.len(), "guild"),
        count(settings.agents.len(), "agent")
    );
    put(&sum).err().unwrap_or(Exit::Done)
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
