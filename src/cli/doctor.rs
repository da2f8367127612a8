//! `doctor`: walks each link step by step and says which step fails, what it saw and what to do.

mod daemon;

use super::check::complain_of;
use super::{Exit, Typed, complain, plain, put, put_json};
use crate::config::load;
use crate::doctor::mend::advice;
use crate::doctor::{Found, Verdict};
use crate::io::doctor::{self, Ground, Interrupt, Interrupted};
use crate::io::secret::credentials;
use crate::settings::{Agent, Guild, Settings};
use futures_lite::future;
use serde::Serialize;
use smol::channel::{Receiver, Sender};
use smol::lock::Semaphore;
use std::future::{Future, poll_fn};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::Command;
use std::task::Poll;

/// Links that are walked at once: each is a thread or two and a TLS session.
const LINKS_AT_ONCE: usize = 8;
/// Agents that are asked at once: each may be a large program.
const AGENTS_AT_ONCE: usize = 2;

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

/// A link of an agent, or the agent itself.
#[derive(Clone, Copy)]
struct Walk<'a> {
    agent: &'a Agent,
    /// The agent itself: its first guild, whose fields advice may name.
    guild: &'a Guild,
    is_link: bool,
}

impl<'a> Walk<'a> {
    /// The links of an agent, then itself.
    fn of(agent: &'a Agent, settings: &'a Settings) -> Vec<Self> {
        let named = |name: &String| settings.guilds.iter().find(|guild| guild.name == *name);
        let mut walks: Vec<Self> =
            agent.guilds.iter().filter_map(named).map(|guild| Self { agent, guild, is_link: true }).collect();
        walks.extend(walks.first().map(|first| Self { is_link: false, ..*first }));
        walks
    }

    /// Takes it, once there is a place, and tells each step as it is done.
    async fn take(self, ground: &Ground, typed: &Typed, settings: &Settings, places: &Places, tell: Sender<Found>) {
        // nobody closes the channel while its reader waits, and it has no bound
        let mut tell = |found| drop(tell.try_send(found));
        if self.is_link {
            let _place = places.links.acquire().await;
            doctor::link(ground, settings, self.agent, self.guild, &mut tell).await;
        } else {
            let _place = places.agents.acquire().await;
            doctor::ask(ground, self.agent, typed.is_installed(), &mut tell).await;
        }
    }
}

struct Places {
    links: Semaphore,
    agents: Semaphore,
}

/// Every link of these agents, and each agent itself: side by side, and told one after the other.
fn walk<'a>(
    typed: &Typed,
    settings: &'a Settings,
    agents: &[&'a Agent],
    interrupt: &mut Interrupt,
    screen: &mut Screen,
) -> Result<Vec<Walked<'a>>, Interrupted> {
    let daemon = daemon::Told::by(&typed.socket());
    let ground = Ground::default();
    let places = Places { links: Semaphore::new(LINKS_AT_ONCE), agents: Semaphore::new(AGENTS_AT_ONCE) };
    let walks: Vec<Walk<'a>> = agents.iter().flat_map(|agent| Walk::of(agent, settings)).collect();
    let (works, reads): (Vec<_>, Vec<_>) = walks
        .iter()
        .map(|walk| {
            let (tell, told) = smol::channel::unbounded();
            (Box::pin(walk.take(&ground, typed, settings, &places, tell)) as Work<'_>, (*walk, told))
        })
        .unzip();
    let read = async {
        let mut walked = Vec::new();
        for (walk, told) in reads {
            walked.push(screen.walk(walk, &told, &daemon).await);
        }
        walked
    };
    Ok(interrupt.or(&ground, future::zip(all(works), read))?.1)
}

type Work<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Does all of these, side by side.
async fn all(mut works: Vec<Work<'_>>) {
    poll_fn(|context| {
        works.retain_mut(|work| work.as_mut().poll(context).is_pending());
        if works.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Lines as they come, or JSON at the end.
struct Screen {
    json: bool,
    failed: bool,
    /// Nobody reads any more.
    gone: Option<Exit>,
}

impl Screen {
    /// The steps of a walk as they come, and what the daemon says.
    async fn walk<'a>(&mut self, walk: Walk<'a>, told: &Receiver<Found>, daemon: &daemon::Told) -> Walked<'a> {
        let Walk { agent, guild, is_link } = walk;
        let guild_name = is_link.then_some(guild.name.as_str());
        match guild_name {
            Some(guild) => self.line(&format!("{} in {guild}:", agent.name)),
            None => self.line(&format!("{} itself:", agent.name)),
        }
        let mut steps = Vec::new();
        while let Ok(found) = told.recv().await {
            steps.push(self.step(found, agent, guild));
        }
        let failed = steps.iter().any(|step| step.reason.is_some());
        steps.push(self.step(daemon.of(&agent.name, guild_name, failed), agent, guild));
        let ok = steps.iter().all(|step| step.reason.is_none());
        Walked { agent: &agent.name, guild: guild_name, ok, steps }
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
