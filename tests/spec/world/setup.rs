//! How a story begins: guilds, agents, and the settings that name them.

use super::World;
use super::agent::Hand;
use super::disk::Disk;
use super::hall::Hall;
use super::story::Story;
use guild_bridge::secret::Secret;
use guild_bridge::settings::{Agent, DialectName, Guild, RespondTo, Settings, Timing, Transport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

impl World {
    /// One guild `acme` with the channel `general`, where alice and the agent recruiter are; nothing runs yet.
    pub fn new(seed: u64) -> Self {
        let mut world = Self::empty(seed);
        world.add_guild("acme");
        world.add_agent("recruiter", &["acme"]);
        world.guild().model.add_channel("general", "channel", &["alice", "bob", "recruiter"]);
        world
    }

    /// As `new`, and the agent answers everything.
    pub fn chatty(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.settings.agents[0].respond_to = RespondTo::All;
        world
    }

    /// As `new`, and the guild never acks a join.
    pub fn silent(seed: u64) -> Self {
        let mut world = Self::chatty(seed);
        world.guild().model.options.acks = false;
        world
    }

    fn empty(seed: u64) -> Self {
        super::log::begin();
        let settings = Settings {
            message_bytes: 65_536,
            channels: Some(guild_bridge::budget::CHANNELS),
            timing: Timing::default(),
            ..Settings::default()
        };
        Self {
            settings,
            halls: Vec::new(),
            hands: BTreeMap::new(),
            story: Story::default(),
            rng: fastrand::Rng::with_seed(seed),
            at: 1_000,
            clock_offset_ms: 0,
            disk: Disk::new(seed),
            discarded: Vec::new(),
            ended_at: None,
            told: Vec::new(),
            seed,
            relay: None,
            life: 0,
            queue: BTreeMap::new(),
            order: 0,
            lines: BTreeMap::new(),
            unread: BTreeMap::new(),
            left: BTreeSet::new(),
            places: BTreeMap::new(),
            keeper: None,
            tasks: VecDeque::new(),
            standing: None,
            vouched: Default::default(),
            given: Default::default(),
            workers: Default::default(),
            names: BTreeMap::new(),
            sockets: BTreeMap::new(),
            clients: 0,
            together: false,
            handled: 0,
            most_together: 0,
            down: false,
            board: Default::default(),
            plant: None,
            planted: Default::default(),
        }
    }

    /// A further guild.
    pub fn add_guild(&mut self, name: &str) {
        let mut hall = Hall::new(name, self.halls.len());
        hall.rng = fastrand::Rng::with_seed(self.seed.wrapping_add(1 + self.halls.len() as u64));
        hall.model.add_person("alice", "Alice", false);
        hall.model.add_person("bob", "Bob", false);
        self.halls.push(hall);
        self.settings.guilds.push(Guild {
            name: name.into(),
            dialect: DialectName::Fabric,
            center: format!("https://center.{name}.example"),
            url: format!("https://{name}.example"),
            extra_ca: None,
            plaintext: false,
            paths: BTreeMap::new(),
            namespace: "/".into(),
        });
    }

    /// A further agent, known to its guilds.
    pub fn add_agent(&mut self, name: &str, guilds: &[&str]) {
        let key = format!("key-of-{name}");
        for hall in self.halls.iter_mut().filter(|h| guilds.contains(&h.name.as_str())) {
            hall.model.add_agent(name, name, &key);
        }
        self.hands.insert(name.into(), Hand::new(name));
        self.settings.agents.push(Agent {
            name: name.into(),
            guilds: guilds.iter().map(|g| (*g).into()).collect(),
            id: name.into(),
            login: None,
            names: Vec::new(),
            key_file: format!("/keys/{name}").into(),
            key: Ok(Secret::new(key)),
            answer: Transport::Socket { path: "/run/agents.sock".into(), uids: Vec::new() },
            parallel: 4,
            deadline_s: 60,
            backfill: 0,
            respond_to: RespondTo::Mentions,
            bots_all: false,
            attachment_bytes: None,
        });
    }
}
