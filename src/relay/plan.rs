//! What a configuration that was read again will change, worked out before anything is done: it is what is told, and then
//! what is done.

use super::Relay;
use crate::link::{Link, Seat};
use crate::settings::{Agent, Guild, Settings, Timing};

/// A line names so many at most, and counts the others: it stays one line of a log.
const NAMED: usize = 32;

/// All that a configuration changes.
pub struct Plan {
    /// The configuration itself.
    pub settings: Settings,
    /// Agents that go, then those of the configuration in its order.
    pub agents: Vec<Change>,
    /// What is not an agent's: a verb, what, and its fields.
    beside: Vec<(Verb, String, Vec<&'static str>)>,
    /// `state` differs from what the daemon runs with.
    state: bool,
}

/// What becomes of one agent.
pub struct Change {
    pub name: String,
    pub standing: Standing,
    /// Guilds in which its link ends.
    pub ends: Vec<String>,
    /// Its guilds, and what becomes of its link in each.
    pub links: Vec<(String, Move)>,
    /// Fields that end the way it is asked and begin another: open turns are given again.
    pub asked_anew: Vec<&'static str>,
    /// Fields that change while everything goes on.
    in_place: Vec<&'static str>,
    /// It has no key to connect with.
    unbound: bool,
    /// It goes, and so many of its replies wait to be posted.
    kept: usize,
}

/// How an agent stands to the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is new.
    Comes,
    /// It was removed and has not left yet.
    ComesBack,
    /// It was there and stays.
    Stays,
    /// It is not there any more.
    Goes,
}

/// What becomes of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// It is new.
    Connects,
    /// It keeps its connection.
    Keeps,
    /// It hangs up and connects anew, for the sake of these fields.
    Reconnects(Vec<&'static str>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Change,
    Remove,
}

impl Relay {
    /// What a configuration would change. Nothing is done.
    pub(super) fn plan(&self, settings: Settings) -> Plan {
        let mut agents: Vec<Change> = Vec::new();
        for crew in self.crew.iter().filter(|crew| crew.leaving.is_none()) {
            if !settings.agents.iter().any(|agent| agent.name == crew.agent.name) {
                let mine = self.links.iter().filter(|link| link.seat().agent.name == crew.agent.name);
                let kept = mine.map(|link| link.posts_waiting()).sum();
                agents.push(Change::goes(&crew.agent, &settings, kept));
            }
        }
        agents.extend(settings.agents.iter().map(|agent| self.plan_agent(agent, &settings)));
        let old = &self.settings;
        let mut beside = guilds(&old.guilds, &settings.guilds);
        let limits = [
            ("message_bytes", old.message_bytes != settings.message_bytes),
            ("heap_bytes", old.heap_bytes != settings.heap_bytes),
            ("channels", old.channels != settings.channels),
        ];
        let looked_at =
            [("page", old.page != settings.page), ("metrics_file", old.metrics_file != settings.metrics_file)];
        for (name, fields) in [
            ("timing", timing(&old.timing, &settings.timing)),
            ("limits", differing(&limits)),
            ("what is looked at", differing(&looked_at)),
        ] {
            if !fields.is_empty() {
                beside.push((Verb::Change, name.to_owned(), fields));
            }
        }
        let state = old.state != settings.state;
        Plan { settings, agents, beside, state }
    }

    fn plan_agent(&self, agent: &Agent, settings: &Settings) -> Change {
        let crew = self.crew.iter().find(|crew| crew.agent.name == agent.name);
        let standing = match crew {
            None => Standing::Comes,
            Some(crew) if crew.leaving.is_some() => Standing::ComesBack,
            Some(_) => Standing::Stays,
        };
        let mine: Vec<&Seat> = self.links.iter().map(Link::seat).filter(|seat| seat.agent.name == agent.name).collect();
        let left = |seat: &&&Seat| !agent.guilds.contains(&seat.guild.name);
        let links = agent.guilds.iter().filter_map(|name| {
            let guild = settings.guilds.iter().find(|guild| guild.name == *name)?;
            let link = match mine.iter().find(|seat| seat.guild.name == *name) {
                None => Move::Connects,
                Some(seat) => match [who(seat, agent), whereabouts(&seat.guild, guild)].concat() {
                    same if same.is_empty() => Move::Keeps,
                    differs => Move::Reconnects(differs),
                },
            };
            Some((name.clone(), link))
        });
        Change {
            name: agent.name.clone(),
            standing,
            ends: mine.iter().filter(left).map(|seat| seat.guild.name.clone()).collect(),
            links: links.collect(),
            asked_anew: crew.map(|crew| way(&crew.agent, agent)).unwrap_or_default(),
            in_place: crew.map(|crew| manner(&crew.agent, agent)).unwrap_or_default(),
            unbound: agent.key.is_err(),
            kept: 0,
        }
    }
}

impl Plan {
    /// Whether everything stays as it is.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.beside.is_empty() && !self.state && self.agents.iter().all(Change::is_idle)
    }

    /// What will be done: a line for each agent and for each thing beside them that does not stay as it is.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.agents.iter().filter(|change| !change.is_idle()).map(Change::line).collect();
        for (verb, what, fields) in &self.beside {
            lines.push(match verb {
                Verb::Add => format!("will add {what}"),
                Verb::Remove => format!("will remove {what}"),
                Verb::Change => format!("will change {what}: {}", fields.join(", ")),
            });
        }
        if self.state {
            lines.push("will leave state as it is: it changes when the daemon is started again".to_owned());
        }
        if lines.is_empty() {
            lines.push("will change nothing".to_owned());
        }
        lines
    }

    /// What was done, once it was.
    #[must_use]
    pub fn done(&self) -> String {
        let of = |verb: Verb| {
            let agents = self.agents.iter().filter(|change| !change.is_idle() && change.standing.verb() == verb);
            let beside = self.beside.iter().filter(|(of, ..)| *of == verb).map(|(_, what, _)| what.as_str());
            some(agents.map(|change| change.name.as_str()).chain(beside).collect())
        };
        let words = [("added", of(Verb::Add)), ("changed", of(Verb::Change)), ("removed", of(Verb::Remove))];
        let parts: Vec<String> =
            words.into_iter().filter_map(|(verb, names)| Some(format!("{verb} {}", names?))).collect();
        if parts.is_empty() { "nothing changed".into() } else { parts.join("; ") }
    }
}

impl Change {
    fn goes(agent: &Agent, settings: &Settings, kept: usize) -> Self {
        let gone = |name: &&String| !settings.guilds.iter().any(|guild| guild.name == **name);
        Self {
            name: agent.name.clone(),
            standing: Standing::Goes,
            ends: agent.guilds.iter().filter(gone).cloned().collect(),
            links: Vec::new(),
            asked_anew: Vec::new(),
            in_place: Vec::new(),
            unbound: false,
            kept,
        }
    }

    fn is_idle(&self) -> bool {
        let keeps = self.links.iter().all(|(_, link)| *link == Move::Keeps);
        self.standing == Standing::Stays
            && keeps
            && [self.ends.is_empty(), self.asked_anew.is_empty(), self.in_place.is_empty()] == [true; 3]
    }

    fn line(&self) -> String {
        let which = |wanted: &Move| {
            some(self.links.iter().filter(|(_, link)| link == wanted).map(|(guild, _)| guild.as_str()).collect())
        };
        let mut parts = Vec::new();
        if self.unbound && which(&Move::Keeps).is_none() {
            parts.push("it is unbound: its key cannot be used".to_owned());
        }
        parts.extend(which(&Move::Connects).map(|guilds| format!("connects in {guilds}")));
        parts.extend(self.anew());
        parts.extend(which(&Move::Keeps).map(|guilds| format!("keeps its connection in {guilds}")));
        let ends = some(self.ends.iter().map(String::as_str).collect());
        parts.extend(ends.map(|guilds| format!("ends at once in {guilds}")));
        if !self.asked_anew.is_empty() {
            parts.push(format!("is asked anew ({}), open turns are given again", self.asked_anew.join(", ")));
        }
        if self.kept > 0 {
            parts.push(format!("replies that wait are kept for 30 days: {}", self.kept));
        }
        if !self.in_place.is_empty() {
            parts.push(format!("in place: {}", self.in_place.join(", ")));
        }
        let name = &self.name;
        match self.standing {
            Standing::Comes => format!("will add {name}: {}", parts.join("; ")),
            Standing::ComesBack => format!("will take {name} back: {}", parts.join("; ")),
            Standing::Stays => format!("will change {name}: {}", parts.join("; ")),
            Standing::Goes if parts.is_empty() => format!("will remove {name}: its open turns have 5 s"),
            Standing::Goes => format!("will remove {name}: its open turns have 5 s; {}", parts.join("; ")),
        }
    }

    /// Links that connect anew, by what makes them.
    fn anew(&self) -> Vec<String> {
        let mut told: Vec<(&[&str], Vec<&str>)> = Vec::new();
        for (guild, link) in &self.links {
            let Move::Reconnects(fields) = link else { continue };
            match told.iter_mut().find(|(of, _)| of == fields) {
                Some((_, guilds)) => guilds.push(guild),
                None => told.push((fields, vec![guild])),
            }
        }
        told.into_iter()
            .filter_map(|(fields, guilds)| Some(format!("reconnects in {} ({})", some(guilds)?, fields.join(", "))))
            .collect()
    }
}

impl Standing {
    fn verb(self) -> Verb {
        match self {
            Self::Comes | Self::ComesBack => Verb::Add,
            Self::Stays => Verb::Change,
            Self::Goes => Verb::Remove,
        }
    }
}

/// Names in a row; none: there are none.
fn some(names: Vec<&str>) -> Option<String> {
    let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        count if count > NAMED => Some(format!("{named} and {} more", count - NAMED)),
        _ => Some(named),
    }
}

fn differing(fields: &[(&'static str, bool)]) -> Vec<&'static str> {
    fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
}

/// Who the agent is in a guild: a change reconnects it.
fn who(seat: &Seat, b: &Agent) -> Vec<&'static str> {
    let a = &seat.agent;
    // where the guild names it, its id is not asked for
    differing(&[
        ("id", a.id != b.id && !seat.guild.dialect.names_agents()),
        ("login", a.login != b.login),
        ("key", a.key != b.key),
        ("key_file", a.key_file != b.key_file),
    ])
}

/// How the agent is asked: a change begins anew.
fn way(a: &Agent, b: &Agent) -> Vec<&'static str> {
    differing(&[("answer", a.answer != b.answer), ("parallel", a.parallel != b.parallel)])
}

/// What it answers and how: a change applies in place.
fn manner(a: &Agent, b: &Agent) -> Vec<&'static str> {
    // every field by its name: a new one breaks the build here
    let Agent {
        names,
        deadline_s,
        backfill,
        respond_to,
        bots_all,
        attachment_bytes,
        // who it is and how it is asked
        name: _,
        guilds: _,
        id: _,
        login: _,
        key_file: _,
        key: _,
        answer: _,
        parallel: _,
    } = a;
    differing(&[
        ("names", *names != b.names),
        ("deadline_s", *deadline_s != b.deadline_s),
        ("backfill", *backfill != b.backfill),
        ("respond_to", *respond_to != b.respond_to),
        ("bots", *bots_all != b.bots_all),
        ("attachments", *attachment_bytes != b.attachment_bytes),
    ])
}

/// Where a guild is and what it speaks: a change reconnects all that are in it.
fn whereabouts(a: &Guild, b: &Guild) -> Vec<&'static str> {
    let Guild { name: _, dialect, center, url, extra_ca, plaintext, paths, namespace } = a;
    differing(&[
        ("the guild's dialect", *dialect != b.dialect),
        ("the guild's center", *center != b.center),
        ("the guild's url", *url != b.url),
        ("the guild's extra_ca", *extra_ca != b.extra_ca),
        ("the guild's plaintext", *plaintext != b.plaintext),
        ("the guild's paths", *paths != b.paths),
        ("the guild's namespace", *namespace != b.namespace),
    ])
}

fn timing(a: &Timing, b: &Timing) -> Vec<&'static str> {
    let Timing { reconcile_ms, unproven_ms, handshake_ms, stable_ms, backoff_base_ms, backoff_cap_ms } = a;
    differing(&[
        ("reconcile_s", *reconcile_ms != b.reconcile_ms),
        ("unproven_s", *unproven_ms != b.unproven_ms),
        ("handshake_s", *handshake_ms != b.handshake_ms),
        ("stable_s", *stable_ms != b.stable_ms),
        ("backoff_base_s", *backoff_base_ms != b.backoff_base_ms),
        ("backoff_cap_s", *backoff_cap_ms != b.backoff_cap_ms),
    ])
}

/// Guilds that come, go, or are somewhere else.
fn guilds(old: &[Guild], new: &[Guild]) -> Vec<(Verb, String, Vec<&'static str>)> {
    let called = |guild: &Guild| format!("guild {}", guild.name);
    let of = |guild: &Guild, all: &[Guild]| all.iter().position(|other| other.name == guild.name);
    let gone = old.iter().filter(|guild| of(guild, new).is_none());
    let mut told: Vec<_> = gone.map(|guild| (Verb::Remove, called(guild), Vec::new())).collect();
    for guild in new {
        match of(guild, old).and_then(|at| old.get(at)) {
            None => told.push((Verb::Add, called(guild), Vec::new())),
            Some(known) if known != guild => told.push((Verb::Change, called(guild), whereabouts(known, guild))),
            Some(_) => {}
        }
    }
    told
}
