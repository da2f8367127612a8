//! The daemon's log: plain lines on standard error, or lines to the system's log, of this program's own modules alone. What a
//! library logs can hold tokens, so it is dropped whatever RUST_LOG says. Whoever stops reading it holds nobody up: see
//! [`Lossy`].

use crate::io::clock;
use crate::io::lossy::{IN_ROUND, Lossy, Shared};
use crate::io::syslog::{self, Syslog};
use crate::moment::rfc3339_millis;
use crate::reason::Reason;
use crate::text::Clipped;
use env_logger::Target;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::Write;
use std::os::fd::AsFd;

/// The crate of the library and of the binary.
const OURS: &str = "guild_bridge";

/// Where the environment wants the log.
#[derive(Default)]
pub struct Wish {
    /// `$RUST_LOG`
    pub filter: Option<String>,
    /// `$JOURNAL_STREAM`
    pub journal: Option<String>,
    /// `$GUILD_BRIDGE_LOG`: `syslog`, `syslog:PATH`, or standard error.
    pub place: Option<String>,
}

impl Wish {
    /// As this process's environment has it.
    pub fn of_environment() -> Self {
        let said = |name| std::env::var(name).ok();
        Self { filter: said("RUST_LOG"), journal: said("JOURNAL_STREAM"), place: said("GUILD_BRIDGE_LOG") }
    }
}

/// Starts logging. What could not be done as wished is the first thing logged.
pub fn start(wish: &Wish) {
    let (syslog, complaint) = match wish.place.as_deref() {
        None | Some("" | "stderr") => (None, None),
        Some(place) => match system_log(place) {
            Ok(syslog) => (Some(syslog), None),
            Err(complaint) => (None, Some(complaint)),
        },
    };
    let levels = syslog.is_some() || wish.journal.as_deref().is_some_and(is_stderr);
    let mut builder = env_logger::Builder::new();
    let way = Shared::new(match syslog {
        Some(syslog) => Box::new(Lossy::new(syslog)),
        None => Box::new(Lossy::new(std::io::stderr()).gathering(&IN_ROUND)),
    });
    builder.target(Target::Pipe(Box::new(way.clone())));
    builder.filter_level(LevelFilter::Info).format(move |out, record| {
        let said = record.args().to_string();
        let said = Clipped::to(&said, usize::MAX);
        if levels {
            writeln!(out, "<{}>{said}", priority(record.level()))
        } else {
            writeln!(out, "{} {} {said}", rfc3339_millis(clock::now().wall_ms), record.level())
        }
    });
    if let Some(filter) = &wish.filter {
        builder.parse_filters(filter);
    }
    let logger = builder.build();
    log::set_max_level(logger.filter());
    // a second start keeps the first logger, which is as good
    let _ = log::set_boxed_logger(Box::new(Own { logger, way }));
    // the last words go the same way: a full pipe must not keep a daemon that failed from ending
    std::panic::set_hook(Box::new(|panic| {
        log::error!("{panic}");
        log::logger().flush();
    }));
    if let Some(complaint) = complaint {
        log::warn!("{}: {complaint}", Reason::CfgFault);
    }
}

/// `syslog`, or `syslog:PATH` for a log that listens elsewhere.
fn system_log(place: &str) -> Result<Syslog, String> {
    let path = match place.strip_prefix("syslog") {
        Some("") => syslog::PATH,
        Some(rest) if rest.starts_with(":/") => rest.trim_start_matches(':'),
        _ => return Err(format!("GUILD_BRIDGE_LOG is `{place}`; it can be syslog, syslog:/PATH or stderr")),
    };
    Syslog::open(path).map_err(|error| format!("no system log at {path}: {error}; logging to standard error"))
}

/// Lets this program's records through and no other's.
struct Own {
    logger: env_logger::Logger,
    way: Shared,
}

impl Log for Own {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata.target()) && self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if is_ours(record.target()) {
            self.logger.log(record);
        }
    }

    fn flush(&self) {
        self.way.write_gathered();
    }
}

fn is_ours(target: &str) -> bool {
    target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether `$JOURNAL_STREAM` (device:inode) is what standard error goes to: a child of a service may have redirected it.
fn is_stderr(journal: &str) -> bool {
    let stream = rustix::fs::fstat(std::io::stderr().as_fd());
    stream.is_ok_and(|stream| journal == format!("{}:{}", stream.st_dev, stream.st_ino))
}

/// The priorities of sd-daemon(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
