//! The configuration: a file becomes [`Settings`], or a list of every fault with its file, line and field.

mod agent;
mod answer;
mod guild;
pub mod jsonc;
mod page;
pub mod schema;
mod section;
pub mod uci;
mod url;

use crate::budget;
use crate::budget::ceiling::{self, Counts};
use crate::settings::{Settings, StateMode, Timing};
use crate::text::plain;
use jsonc::Offset;
use section::{Finding, Findings, Section};
use std::fmt::Display;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A configuration that can be run.
#[derive(Debug)]
pub struct Loaded {
    /// What it says. An agent whose key cannot be used has the reason in its `key`.
    pub settings: Settings,
    /// The same reasons with their places: faults to `check`, unbound agents to `run`.
    pub keys: Vec<Remark>,
    /// What is worth a look: a program that is missing, a guild that nobody uses.
    pub warnings: Vec<Remark>,
}

/// Something about the configuration, in a line: `FILE:LINE:COL: path.to.field: what is wrong; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The configuration file.
    pub file: PathBuf,
    /// Line and column, both from 1, the column in characters; `None` where it is about the file as a whole.
    pub place: Option<(usize, usize)>,
    /// The field; empty where there is none.
    pub path: String,
    /// What is wrong; what to do.
    pub what: String,
}

impl Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", plain(&self.path))?;
        }
        write!(f, " {}", plain(&self.what))
    }
}

/// Where relative names of files lead: the configuration's own folder, and systemd's credentials.
pub struct Places {
    /// The folder of the configuration file.
    pub folder: PathBuf,
    /// `$CREDENTIALS_DIRECTORY`, where it is set.
    pub credentials: Option<PathBuf>,
}

impl Places {
    /// A file beside the configuration, unless `name` is absolute.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file with a secret: a relative `name` is a credential where there is one of that name, else beside the
    /// configuration. Whoever looks by hand is handed no credentials: `keys_NAME` is then `keys/NAME`, of which the
    /// service's unit makes it.
    #[must_use]
    pub fn secret(&self, name: &str) -> PathBuf {
        let is_there = |file: &PathBuf| file.symlink_metadata().is_ok();
        let credential = self.credentials.as_ref().map(|credentials| credentials.join(name)).filter(is_there);
        let beside = self.beside(name);
        let keys = self.beside("keys");
        credential.unwrap_or_else(|| match name.strip_prefix("keys_") {
            Some(key) if !is_there(&beside) && keys.is_dir() => keys.join(key),
            Some(_) | None => beside,
        })
    }
}

/// Reads the configuration at `path`, and each agent's key. `credentials` is `$CREDENTIALS_DIRECTORY`.
///
/// # Errors
/// Every fault, in the order of the file; at most `budget::CONFIG_FAULTS` and a last line that counts the others.
pub fn load(path: &Path, credentials: Option<&Path>) -> Result<Loaded, Vec<Remark>> {
    let whole = |what: String| vec![Remark { file: path.to_owned(), place: None, path: String::new(), what }];
    let bytes = read(path).map_err(&whole)?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
            let place = Some(place(&before, before.len()));
            let what = "is not UTF-8 here; save it as UTF-8".to_owned();
            return Err(vec![Remark { file: path.to_owned(), place, path: String::new(), what }]);
        }
    };
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let places = Places { folder, credentials: credentials.map(Path::to_owned) };
    let remark = |found: Finding| Remark {
        file: path.to_owned(),
        place: Some(place(text, found.at)),
        path: found.path,
        what: found.what,
    };

    let mut found = Findings::default();
    let mut keys = Findings::default();
    let settings = match jsonc::parse(text) {
        Ok(root) => settings(&root, text.len(), &places, &mut found, &mut keys),
        Err(broken) => {
            found.fault(broken.at, "", broken.what);
            None
        }
    };
    match settings {
        Some(settings) if found.faults.is_empty() => Ok(Loaded {
            settings,
            keys: keys.faults.into_iter().map(remark).collect(),
            warnings: found.warnings.into_iter().map(remark).collect(),
        }),
        _ => {
            found.faults.extend(keys.faults);
            found.faults.sort_by_key(|finding| finding.at);
            let mut all: Vec<Remark> = found.faults.into_iter().map(remark).collect();
            if found.more > 0 {
                all.extend(whole(format!("{} more faults; mend these first", found.more)));
            }
            Err(all)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable =
        |error: std::io::Error| format!("cannot be read: {error}; create it, or give the right one with --config FILE");
    let bytes = std::fs::File::open(path).and_then(read_within_bound).map_err(unreadable)?;
    bytes.ok_or_else(|| format!("is larger than {} bytes; is it the configuration?", budget::CONFIG_BYTES))
}

/// All that a source of configuration holds; none: it is larger than a configuration may be.
///
/// # Errors
/// As the source says.
pub fn read_within_bound(source: impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(budget::CONFIG_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= budget::CONFIG_BYTES).then_some(bytes))
}

/// Line and column of a place, both from 1.
fn place(text: &str, at: Offset) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn settings(
    root: &jsonc::Node,
    config_bytes: usize,
    places: &Places,
    found: &mut Findings,
    keys: &mut Findings,
) -> Option<Settings> {
    let section = Section::open(root, &schema::ROOT, "", found)?;
    let guilds: Vec<_> =
        section.named("guilds").into_iter().filter_map(|entry| guild::read(entry, places, found)).collect();
    let names: Vec<&str> = section.named("guilds").into_iter().map(|entry| entry.name.as_str()).collect();
    let read = |entry| agent::read(entry, &names, places, found, keys);
    let agents: Vec<_> = section.named("agents").into_iter().filter_map(read).collect();
    agent::compare(&section, &agents, &guilds, found);
    let mut settings = Settings {
        guilds,
        agents,
        state: state(section.text("state")),
        message_bytes: budget::MESSAGE_BYTES,
        config_bytes,
        ..Settings::default()
    };
    let limits = section.node("limits").and_then(|n| Section::open(n, &schema::LIMITS, "limits", found));
    if let Some(limits) = &limits {
        let size = |name| limits.whole(name).and_then(|bytes| usize::try_from(bytes).ok());
        settings.message_bytes = size("message_bytes").unwrap_or(settings.message_bytes);
        settings.channels = size("channels");
        settings.heap_bytes = size("heap_bytes");
    }
    if let Some(timing) = section.node("timing").and_then(|n| Section::open(n, &schema::TIMING, "timing", found)) {
        settings.timing = self::timing(&timing, found);
    }
    settings.page = page::read(&section, found);
    settings.metrics_file = section.text("metrics_file").map(|file| places.beside(file));
    // a bare name is beside a configuration that was given by a bare name
    let folder = settings.metrics_file.as_ref().and_then(|file| file.parent()).filter(|at| !at.as_os_str().is_empty());
    if let Some(Err(error)) = folder.map(std::fs::metadata) {
        section.warn("metrics_file", format!("its folder cannot be read: {error}; create it"), found);
    }
    if let (Some(limits), true) = (&limits, found.faults.is_empty()) {
        heap(limits, &settings, found);
    }
    Some(settings)
}

/// Digits that the number which is proposed may have more than the one that was refused.
const HEAP_DIGITS: usize = 16;

/// A heap that is smaller than what all else can come to is refused, with the one change that saves most.
fn heap(limits: &Section<'_>, settings: &Settings, found: &mut Findings) {
    let (counts, limit) = (settings.counts(), settings.heap_limit());
    let now = ceiling::ceiling(&counts);
    if limit >= now {
        return;
    }
    // the number that is to be given may have more digits
    let needed = ceiling::ceiling(&Counts { config_bytes: counts.config_bytes + HEAP_DIGITS, ..counts });
    let changed = |which| {
        let mut changed = counts;
        let (item, change) = changed.change(which);
        (ceiling::ceiling(&changed), item, change)
    };
    let least = (0..Counts::CHANGES).map(changed).min_by_key(|(sum, ..)| *sum);
    let advice = match least {
        Some((sum, item, change)) if sum < now => {
            format!("most can be saved of `{item}`: {change} makes it {sum} at least; or give")
        }
        Some(_) | None => "nothing of it can be less: give".to_owned(),
    };
    let what = format!(
        "is {limit}, and this configuration can come to {needed} bytes; {advice} {needed} here; guild-bridge budget on it \
         without heap_bytes says every item"
    );
    limits.fault("heap_bytes", what, found);
}

fn state(word: Option<&str>) -> StateMode {
    match word {
        Some("group") => StateMode::Group,
        Some("each") => StateMode::Each,
        Some(_) | None => StateMode::Memory,
    }
}

fn timing(section: &Section<'_>, found: &mut Findings) -> Timing {
    let default = Timing::default();
    let ms = |name, otherwise| section.seconds_ms(name).unwrap_or(otherwise);
    let timing = Timing {
        reconcile_ms: ms("reconcile_s", default.reconcile_ms),
        unproven_ms: ms("unproven_s", default.unproven_ms),
        handshake_ms: ms("handshake_s", default.handshake_ms),
        stable_ms: ms("stable_s", default.stable_ms),
        backoff_base_ms: ms("backoff_base_s", default.backoff_base_ms),
        backoff_cap_ms: ms("backoff_cap_s", default.backoff_cap_ms),
    };
    if timing.backoff_cap_ms < timing.backoff_base_ms {
        section.fault("backoff_cap_s", "is less than backoff_base_s; make it as long or longer", found);
    }
    timing
}
