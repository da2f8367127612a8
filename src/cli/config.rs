//! `config from-uci`: OpenWrt's configuration as ours, on standard output.

use super::{Exit, complain, plain, put_json};
use crate::budget;
use crate::config::{read_within_bound, uci};
use std::fs::File;
use std::io::stdin;

/// Reads `file` (`-`: standard input) and writes JSON; every fault goes to standard error.
pub fn from_uci(file: &str) -> Exit {
    let text = match read(file) {
        Ok(text) => text,
        Err(what) => {
            complain(format_args!("{file}: {what}"));
            return Exit::Config;
        }
    };
    match uci::convert(&text) {
        Ok(json) => put_json(&json).err().unwrap_or(Exit::Done),
        Err(faults) => {
            for uci::Fault { line, path, what } in faults {
                let path = if path.is_empty() { path } else { format!("{}: ", plain(&path)) };
                complain(format_args!("{file}:{line}: {path}{}", plain(&what)));
            }
            Exit::Config
        }
    }
}

fn read(file: &str) -> Result<String, String> {
    let done = match file {
        "-" => read_within_bound(stdin().lock()),
        file => File::open(file).and_then(read_within_bound),
    };
    let bytes = done.map_err(|error| format!("cannot be read: {error}"))?.ok_or_else(|| {
        format!("is larger than {} bytes; is it what `uci export guild-bridge` prints?", budget::CONFIG_BYTES)
    })?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}
