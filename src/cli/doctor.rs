//! `doctor`: walks each link step by step and says which step fails, what it saw and what to do.

use super::check::complain_of;
use super::{Exit, Typed, complain, plain, put, put_json};
use crate::config::load;
use crate::doctor::mend::advice;
use crate::doctor::{Found, Verdict};
use crate::io::doctor::{self, Interrupt, Interrupted};
use crate::io::secret::credentials;
use crate::settings::{Agent, Guild, Settings};
use serde::Serialize;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// One link, or one agent, as JSON.
#[derive(Serialize)]
struct Walked<'a> {
    agent: &'a str,
    guild: Option<&'a str>,
    ok: bool,
    steps: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    step: &'static str,
    verdict: &'static str,
    ms: u64,
    seen: String,
    reason: Option<&'static str>,
    means: Option<&'static str>,
    mend: Option<String>,
}

/// 0 when no step failed, 1 when one did, 78 when the configuration cannot be read.
pub fn doctor(typed: &Typed, which: Option<&str>) -> Exit {
    if let Some(exit) = go_on_as_the_daemon(typed) {
        return exit;
    }
    let path = typed.config();
    let loaded = match load(&path, credentials().as_deref()) {
        Ok(loaded) => loaded,
        Err(faults) => {
            complain_of(&faults);
            complain("the configuration cannot be read, so no link can be walked");
            return Exit::Config;
        }
    };
    let settings = &loaded.settings;
    let wanted = |agent: &&Agent| which.is_none_or(|name| name == agent.name);
    let agents: Vec<&Agent> = settings.agents.iter().filter(wanted).collect();
    if agents.is_empty() {
        complain(format_args!("{} has no agent {}", path.display(), which.map(plain).unwrap_or_default()));
        return Exit::Usage;
    }
    let mut screen = Screen { json: typed.status.json, failed: false, gone: None };
    let mut interrupt = Interrupt::listen();
    match walk(typed, settings, &agents, &mut interrupt, &mut screen) {
        Ok(walked) => screen.end(&walked),
        Err(Interrupted) => {
            complain("interrupted; what it started is ended");
            Exit::No
        }
    }
}

/// Root walks as the user of the daemon that runs: what root may read and start says nothing of what the daemon may. This
/// process becomes that user's; it comes back where there is no such user, or with what went wrong.
fn go_on_as_the_daemon(typed: &Typed) -> Option<Exit> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let daemon = UnixStream::connect(typed.socket()).ok()?;
    let user = rustix::net::sockopt::socket_peercred(&daemon).ok()?;
    if user.uid.is_root() {
        return None;
    }
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let error = Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).uid(uid).gid(gid).exec();
    complain(format_args!("doctor cannot go on as the daemon's user {uid}: {error}; run it as that user"));
    Some(Exit::No)
}

/// Every link of these agents, and each agent itself.
fn walk<'a>(
    typed: &Typed,
    settings: &'a Settings,
    agents: &[&'a Agent],
    interrupt: &mut Interrupt,
    screen: &mut Screen,
) -> Result<Vec<Walked<'a>>, Interrupted> {
    let mut walked = Vec::new();
    for agent in agents {
        let mut home = None;
        for guild in agent.guilds.iter().filter_map(|name| settings.guilds.iter().find(|guild| guild.name == *name)) {
            home.get_or_insert(guild);
            screen.title(&format!("{} in {}", agent.name, guild.name));
            let steps = screen.link(settings, agent, guild, interrupt)?;
            walked.push(told(agent, Some(guild), steps));
        }
        let Some(guild) = home else { continue };
        screen.title(&format!("{} itself", agent.name));
        let mut steps = Vec::new();
        doctor::ask(agent, typed.is_installed(), interrupt, &mut |found| steps.push(screen.step(found, agent, guild)))?;
        walked.push(told(agent, None, steps));
    }
    Ok(walked)
}

fn told<'a>(agent: &'a Agent, guild: Option<&'a Guild>, steps: Vec<Told>) -> Walked<'a> {
    let ok = steps.iter().all(|step| step.reason.is_none());
    Walked { agent: &agent.name, guild: guild.map(|guild| guild.name.as_str()), ok, steps }
}

/// Lines as they come, or JSON at the end.
struct Screen {
    json: bool,
    failed: bool,
    /// Nobody reads any more.
    gone: Option<Exit>,
}

impl Screen {
    fn link(
        &mut self,
        settings: &Settings,
        agent: &Agent,
        guild: &Guild,
        interrupt: &mut Interrupt,
    ) -> Result<Vec<Told>, Interrupted> {
        let mut steps = Vec::new();
        doctor::link(settings, agent, guild, interrupt, &mut |found| steps.push(self.step(found, agent, guild)))?;
        Ok(steps)
    }

    fn title(&mut self, title: &str) {
        self.line(&format!("{title}:"));
    }

    fn step(&mut self, found: Found, agent: &Agent, guild: &Guild) -> Told {
        let reason = found.reason();
        let mend = reason.map(|reason| plain(&advice(reason, found.step, agent, guild)));
        let told = Told {
            step: found.step.word(),
            verdict: found.verdict.word(),
            ms: found.ms,
            seen: plain(&found.seen),
            reason: reason.map(crate::reason::Reason::code),
            means: reason.map(crate::reason::Reason::sentence),
            mend,
        };
        self.failed |= matches!(found.verdict, Verdict::Failed(_));
        let code = told.reason.map(|code| format!("{code}: ")).unwrap_or_default();
        self.line(&format!("  {:<8} {:<10} {:>6} ms  {code}{}", told.verdict, told.step, told.ms, told.seen));
        if let (Some(means), Some(mend)) = (told.means, &told.mend) {
            self.line(&format!("{:31}it means: {means}", ""));
            self.line(&format!("{:31}to mend it: {mend}", ""));
        }
        told
    }

    fn line(&mut self, line: &str) {
        if !self.json && self.gone.is_none() {
            self.gone = put(line).err();
        }
    }

    fn end(self, walked: &[Walked<'_>]) -> Exit {
        if self.json {
            // plain values: serde_json cannot fail at them
            if let Err(exit) = put_json(&serde_json::to_string(walked).unwrap_or_default()) {
                return exit;
            }
        }
        let mut screen = self;
        if walked.len() > 2 {
            screen.line(&sum(walked));
        }
        match screen.gone {
            Some(exit) => exit,
            None if screen.failed => Exit::No,
            None => Exit::Done,
        }
    }
}

/// After many walks: which of them failed, and where.
fn sum(walked: &[Walked<'_>]) -> String {
    let failed = walked.iter().filter_map(|walk| {
        let step = walk.steps.iter().find(|step| step.reason.is_some())?;
        let place = walk.guild.map_or_else(|| "itself".to_owned(), |guild| format!("in {guild}"));
        Some(format!("{} {place} ({} {})", walk.agent, step.step, step.reason.unwrap_or_default()))
    });
    let failed: Vec<String> = failed.collect();
    match failed.len() {
        0 => format!("none of {} walks failed", walked.len()),
        n => format!("{n} of {} walks failed: {}", walked.len(), failed.join(", ")),
    }
}
