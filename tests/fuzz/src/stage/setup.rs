//! How a story begins, and what a configuration that is read again may say.

use super::guild::Guild;
use super::secrets::Secrets;
use super::{Disk, Feed, Stage};
use guild_bridge::moment::{Moment, Now};
use guild_bridge::relay::{Options, Relay};
use guild_bridge::secret::Secret;
use guild_bridge::settings::{Agent, DialectName, RespondTo, Settings, StateMode, Timing, Transport};
use std::collections::{BTreeMap, BTreeSet};

/// 2026-11-23T15:24:16Z.
const WALL_MS: u64 = 1_795_447_456_000;
/// The program was built a day before.
const BUILD_MS: u64 = WALL_MS - 86_400_000;
/// In a calm world lists are looked at seldom: each costs what it costs, and there is little to find.
const RECONCILE_MS: u64 = 600_000;
const GUILDS: [&str; 2] = ["acme", "globex"];
const AGENTS: [&str; 2] = ["recruiter", "clerk"];

impl Stage {
    /// Nothing runs yet.
    pub(super) fn new(input: &[u8], feed: &mut Feed<'_>) -> Self {
        let secrets = Secrets::new(input);
        let settings = settings(&secrets, feed);
        Self {
            settings,
            relay: None,
            now: Now { at: Moment(1_000), wall_ms: WALL_MS },
            seed: feed.number(),
            lines: BTreeMap::new(),
            gone: Vec::new(),
            links: BTreeMap::new(),
            calls: Vec::new(),
            answered: Vec::new(),
            turns: Vec::new(),
            agents: BTreeMap::new(),
            offered: BTreeSet::new(),
            secrets,
            guild: Guild::default(),
            disk: Disk::default(),
            ending: false,
            calm: false,
            looks: 0,
        }
    }

    /// The daemon starts with what the disk holds.
    pub(super) fn start(&mut self) {
        self.lines.clear();
        self.gone.clear();
        self.links.clear();
        self.calls.clear();
        self.answered.clear();
        self.turns.clear();
        self.agents.clear();
        self.offered.clear();
        self.ending = false;
        let options = Options { attachments: "/run/attachments".into(), seed: self.seed, build_ms: BUILD_MS };
        let kept = self.disk.open(self.settings.state, self.now);
        self.relay = Some(Relay::new(self.settings.clone(), kept, options, self.now));
        self.follow();
    }

    /// The configuration is read again, and says something else.
    pub(super) fn other_settings(&mut self, feed: &mut Feed<'_>) -> Settings {
        self.settings = settings(&self.secrets, feed);
        self.settings.clone()
    }

    /// As the board's owner would have it.
    pub(super) fn heal_settings(&mut self) -> Settings {
        let mut healed = self.other_settings(&mut Feed::new(&[3, 3, 3]));
        healed.timing.reconcile_ms = RECONCILE_MS;
        self.settings = healed.clone();
        healed
    }

    /// The clock is set.
    pub(super) fn set_clock(&mut self) {
        self.now.wall_ms = WALL_MS + self.now.at.0;
    }
}

fn settings(secrets: &Secrets, feed: &mut Feed<'_>) -> Settings {
    let (guilds, agents) = (feed.below(4), feed.below(4));
    let timing = match feed.below(4) {
        0 => Timing { reconcile_ms: 50, unproven_ms: 50, ..Timing::default() },
        1 => Timing { handshake_ms: 50, stable_ms: 50, backoff_base_ms: 50, backoff_cap_ms: 50, ..Timing::default() },
        _ => Timing::default(),
    };
    // a bit for each: which are there; at least one
    let there = |bits: usize| move |(at, _): &(usize, &&str)| bits >> at & 1 == 1 || (bits == 0 && *at == 0);
    let named: Vec<String> =
        GUILDS.iter().enumerate().filter(there(guilds)).map(|(_, name)| (*name).to_owned()).collect();
    let agent = |(_, name): (usize, &&str)| agent(name, &named, secrets, feed);
    Settings {
        agents: AGENTS.iter().enumerate().filter(there(agents)).map(agent).collect(),
        guilds: named.iter().map(|name| guild(name)).collect(),
        message_bytes: 4096,
        state: [StateMode::Memory, StateMode::Group, StateMode::Each][agents % 3],
        timing,
        ..Settings::default()
    }
}

fn guild(name: &str) -> guild_bridge::settings::Guild {
    guild_bridge::settings::Guild {
        name: name.into(),
        dialect: DialectName::Fabric,
        center: format!("https://center.{name}.example"),
        url: format!("https://{name}.example"),
        extra_ca: None,
        plaintext: false,
        paths: BTreeMap::new(),
        namespace: "/".into(),
    }
}

fn agent(name: &str, guilds: &[String], secrets: &Secrets, feed: &mut Feed<'_>) -> Agent {
    let bits = feed.byte();
    Agent {
        name: name.into(),
        guilds: if bits & 1 == 0 { guilds.to_vec() } else { guilds.iter().take(1).cloned().collect() },
        id: name.into(),
        login: None,
        names: vec!["bot".into()],
        key_file: format!("/keys/{name}").into(),
        key: match bits & 0x82 {
            0x82 => Err("the key file is empty; put the key in".into()),
            _ => Ok(Secret::new(secrets.key(name))),
        },
        answer: Transport::Socket { path: format!("/run/{}.sock", bits >> 6 & 1).into(), uids: Vec::new() },
        parallel: u16::from(bits >> 4 & 3) + 1,
        deadline_s: [60, 1][usize::from(bits >> 3 & 1)],
        backfill: u32::from(bits & 4),
        respond_to: [RespondTo::All, RespondTo::Mentions, RespondTo::Direct, RespondTo::All]
            [usize::from(bits >> 5 & 3)],
        bots_all: bits & 8 != 0,
        attachment_bytes: (bits & 0x10 != 0).then_some(4096),
    }
}
