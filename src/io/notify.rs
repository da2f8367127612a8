//! What a service manager is told (sd_notify(3)): one datagram each to `$NOTIFY_SOCKET`. The watchdog is fed by the loop that
//! does the work, so a loop that hangs is restarted.

use super::clock;
use crate::moment::Moment;
use crate::reason::Reason;
use crate::status::{LinkStatus, Status};
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// The line of `systemctl status` is looked at so often at most.
const STATUS_MS: u64 = 5_000;

/// The service manager; nobody, where `$NOTIFY_SOCKET` is not set or cannot be reached.
#[derive(Default)]
pub struct Manager {
    way: Option<UnixDatagram>,
    /// Between two feedings of its watchdog.
    feeds_ms: Option<u64>,
    fed_at: Moment,
    looked_at: Option<Moment>,
    said: String,
}

impl Manager {
    /// As the environment names it: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    #[must_use]
    pub fn of(environment: impl Fn(&str) -> Option<OsString>) -> Self {
        let Some(name) = environment("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Self::default() };
        let way = match reach(&name) {
            Ok(way) => way,
            Err(error) => {
                log::warn!(
                    "{}: the service manager cannot be told anything: NOTIFY_SOCKET {}: {error}",
                    Reason::CfgFault,
                    Path::new(&name).display()
                );
                return Self::default();
            }
        };
        let number = |name| environment(name)?.to_str()?.parse::<u64>().ok();
        let meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        // half of the time and less, as sd_watchdog_enabled(3) advises
        let feeds_ms = number("WATCHDOG_USEC").filter(|us| meant && *us > 0).map(|us| (us / 1_000 / 3).max(1));
        Self { way: Some(way), feeds_ms, ..Self::default() }
    }

    /// It runs: the configuration is good, its journal and its control socket are open. No guild is waited for.
    pub fn ready(&mut self) {
        self.fed_at = clock::now().at;
        self.tell("READY=1");
    }

    /// It reads its configuration; [`Manager::ready`] follows.
    pub fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_us()));
    }

    /// It ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// When [`Manager::tick`] wants to be called again.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        Some(self.fed_at.after_ms(self.feeds_ms?))
    }

    /// The loop has turned: feeds the watchdog when it is due, and says how the links are where that changed.
    pub fn tick(&mut self, now: Moment, status: impl FnOnce() -> Status) {
        if self.way.is_none() {
            return;
        }
        if self.deadline().is_some_and(|due| due <= now) {
            self.fed_at = now;
            self.tell("WATCHDOG=1");
        }
        if self.looked_at.is_none_or(|at| now.since_ms(at) >= STATUS_MS) {
            self.looked_at = Some(now);
            let says = sentence(&status().links);
            if says != self.said {
                self.tell(&format!("STATUS={says}"));
                self.said = says;
            }
        }
    }

    /// Nobody who does not read holds the loop up.
    fn tell(&self, what: &str) {
        let Some(way) = &self.way else { return };
        if let Err(error) = way.send(what.as_bytes()) {
            log::debug!("the service manager was not told {what:?}: {error}");
        }
    }
}

/// A path, or `@name` in the abstract namespace.
fn reach(name: &OsStr) -> std::io::Result<UnixDatagram> {
    let way = UnixDatagram::unbound()?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => way.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => way.connect(name)?,
    }
    way.set_nonblocking(true)?;
    Ok(way)
}

/// How the links are, in a line: how many are live, and the state of those that are not.
#[must_use]
pub fn sentence(links: &[LinkStatus]) -> String {
    let live = links.iter().filter(|link| link.state == "live").count();
    let mut says = format!("{live} of {} links live", links.len());
    let others = links.iter().filter(|link| link.state != "live");
    for (place, link) in others.enumerate() {
        if place == 3 {
            says.push_str("; …");
            break;
        }
        let reason = link.reason.map(|code| format!(" ({code})")).unwrap_or_default();
        let _ = write!(says, "; {}@{} {}{reason}", link.agent, link.guild, link.state);
    }
    says
}
