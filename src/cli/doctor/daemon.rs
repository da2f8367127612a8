//! What the daemon that runs says of a link or an agent: it may still go by a key or by settings that were mended since.

use crate::cli::client::{Daemon, Silence};
use crate::cli::said::{self, Said};
use crate::doctor::{Found, Step, Verdict};
use crate::io::clock;
use crate::reason::Reason;
use std::path::Path;

/// It answers at once, or something is wrong with it.
const ANSWER_MS: u64 = 2_000;
/// States that end by somebody's doing, not by waiting.
const STUCK: &[&str] = &["refused", "unbound", "deaf", "missing"];

/// What it said, once, before the walks began.
pub struct Told {
    said: Result<Standings, (Verdict, String)>,
    ms: u64,
}

struct Standings {
    links: Vec<Standing>,
    agents: Vec<Standing>,
}

struct Standing {
    agent: String,
    guild: String,
    state: String,
    reason: Option<String>,
    detail: String,
}

impl Told {
    /// Asks for its status: that disturbs nothing.
    pub fn by(socket: &Path) -> Self {
        let begun = clock::now().at;
        let said = ask(socket).map_err(|silence| match silence {
            Silence::Late => (Verdict::Unsure, format!("the daemon does not answer within {} s", ANSWER_MS / 1000)),
            Silence::Gone(what) => (Verdict::Untried, what),
        });
        Self { said, ms: clock::now().at.since_ms(begun) }
    }

    /// Of a link, or of an agent itself. `failed`: the walk has named what is wrong, and this only adds to it.
    pub fn of(&self, agent: &str, guild: Option<&str>, failed: bool) -> Found {
        let (verdict, seen) = match &self.said {
            Ok(standings) => standings.of(agent, guild, failed),
            Err((verdict, what)) => (*verdict, what.clone()),
        };
        Found { step: Step::Daemon, verdict, seen, ms: self.ms }
    }
}

impl Standings {
    fn of(&self, agent: &str, guild: Option<&str>, failed: bool) -> (Verdict, String) {
        let all = if guild.is_some() { &self.links } else { &self.agents };
        let mine = |standing: &&Standing| standing.agent == agent && guild.is_none_or(|guild| standing.guild == guild);
        let Some(standing) = all.iter().find(mine) else {
            return (Verdict::Unsure, "the daemon that runs does not know it: `guild-bridge reload`".to_owned());
        };
        let reason = standing.reason.as_deref();
        let known = reason.and_then(|code| Reason::ALL.iter().copied().find(|reason| reason.code() == code));
        let why = reason.map(|code| format!(": {code}: {}", standing.detail)).unwrap_or_default();
        let seen = format!("the daemon that runs says {}{why}", standing.state);
        let verdict = match (known, standing.state.as_str()) {
            (Some(reason), state) if STUCK.contains(&state) && !failed => Verdict::Failed(reason),
            (None, "live" | "unproven" | "ready" | "busy") => Verdict::Good,
            _ => Verdict::Unsure,
        };
        (verdict, seen)
    }
}

fn ask(socket: &Path) -> Result<Standings, Silence> {
    let status = Daemon::status(socket, ANSWER_MS)?;
    said::read(&status, standings).map_err(|what| {
        Silence::Gone(format!("the status of the daemon at {} cannot be read: {what}", socket.display()))
    })
}

fn standings(said: &Said<'_>) -> Standings {
    Standings { links: said.list("links", Standing::of), agents: said.list("agents", Standing::of) }
}

impl Standing {
    fn of(said: &Said<'_>) -> Self {
        Self {
            agent: said.text("agent"),
            guild: said.text("guild"),
            state: said.text("state"),
            reason: said.some_text("reason"),
            detail: said.text("detail"),
        }
    }
}
