//! Where agents are asked in tests: the pumps on a real executor, and the end of the channel that the core would read.

use guild_bridge::agent::Said;
use guild_bridge::io::agent::Agents;
use guild_bridge::io::dns::Dns;
use guild_bridge::io::{Happening, clock};
use guild_bridge::message::{AgentId, Author, Conversation, Kind, Message, Turn};
use guild_bridge::secret::Secret;
use guild_bridge::settings::{self, Child, RespondTo, Stdin, Stdout, Transport};
use smol::LocalExecutor;
use smol::channel::Receiver;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;

/// The agent of most tests.
pub const ONE: AgentId = AgentId(1);
/// Another.
pub const TWO: AgentId = AgentId(2);
/// Longer than anything here should take, on a busy machine too.
const PATIENCE_MS: u64 = 30_000;

pub struct Desk {
    pub agents: Agents,
    heard: Receiver<Happening>,
}

impl Desk {
    pub fn hire(&mut self, id: AgentId, name: &str, answer: Transport) {
        self.agents.hire(id, agent(name, answer));
    }

    pub fn ask(&mut self, id: &str, text: &str) {
        self.agents.ask(ONE, Rc::new(turn(id, text)));
    }

    /// The next saying of anybody, with who says it.
    pub async fn next_of(&self) -> (AgentId, Said<'static>) {
        match clock::within(PATIENCE_MS, self.heard.recv()).await {
            Some(Ok(Happening::Agent(id, said))) => (id, said),
            Some(_) => panic!("pumps of agents speak of agents alone"),
            None => panic!("nothing was said"),
        }
    }

    pub async fn next(&self) -> Said<'static> {
        self.next_of().await.1
    }

    /// Whether nobody says anything for so long.
    pub async fn quiet(&self, ms: u64) -> bool {
        clock::within(ms, self.heard.recv()).await.is_none()
    }

    /// Hires an exec agent that runs `script` under sh, and asks it one turn.
    pub async fn run(&mut self, script: &str, text: &str) -> Said<'static> {
        self.hire(ONE, "recruiter", sh(script));
        assert_eq!(self.next().await, Said::Here);
        self.ask("t_1", text);
        self.next().await
    }
}

/// Runs `work` at a desk of its own.
pub fn at_desk(work: impl AsyncFnOnce(&mut Desk)) {
    let executor = Rc::new(LocalExecutor::new());
    let (post, heard) = smol::channel::bounded(guild_bridge::budget::HAPPENINGS);
    let agents = Agents::new(executor.clone(), post, Dns::system(), PathBuf::from("/nonexistent"));
    let mut desk = Desk { agents, heard };
    smol::block_on(executor.run(work(&mut desk)));
}

pub fn turn(id: &str, text: &str) -> Turn {
    Turn {
        id: id.to_owned(),
        attempt: 1,
        agent: "recruiter".to_owned(),
        conv: Rc::new(Conversation {
            key: "acme.general".to_owned(),
            guild: "acme".into(),
            channel: "general".into(),
            name: "General".to_owned(),
            kind: Kind::Channel,
            thread: None,
        }),
        message: Message {
            id: "00000042".to_owned(),
            at: "2026-11-23T15:24:16Z".to_owned(),
            text: text.to_owned(),
            author: Author { id: "u7".to_owned(), name: "alice".to_owned(), bot: false },
            mention: true,
            ..Message::default()
        },
        deadline_ms: 600_000,
        replayed: false,
    }
}

pub fn agent(name: &str, answer: Transport) -> settings::Agent {
    settings::Agent {
        name: name.to_owned(),
        guilds: vec!["acme".to_owned()],
        id: name.to_owned(),
        login: None,
        names: Vec::new(),
        key_file: PathBuf::from("/nonexistent"),
        key: Ok(Secret::new("k")),
        answer,
        parallel: 2,
        deadline_s: 600,
        backfill: 0,
        respond_to: RespondTo::Mentions,
        bots_all: false,
        attachment_bytes: None,
    }
}

/// An exec agent that runs a script; the message's text is on its standard input.
pub fn sh(script: &str) -> Transport {
    exec(&["sh", "-c", script], Stdin::Text, Stdout::Text)
}

pub fn exec(argv: &[&str], stdin: Stdin, stdout: Stdout) -> Transport {
    let argv = argv.iter().map(|arg| (*arg).to_owned()).collect();
    Transport::Exec { argv, stdin, stdout, child: Child::default() }
}

pub fn reply(turn: &str, text: &str) -> Said<'static> {
    Said::Reply { turn: turn.to_owned().into(), text: text.to_owned().into(), last: true }
}

pub fn none(turn: &str) -> Said<'static> {
    Said::None { turn: turn.to_owned().into() }
}

/// A directory of this test's own, gone with it.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gb-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file of this mode.
    pub fn write(&self, name: &str, mode: u32, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
        std::fs::set_permissions(self.0.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until `done`; a test that waits in vain fails.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..PATIENCE_MS / 20 {
        if done() {
            return;
        }
        smol::Timer::after(std::time::Duration::from_millis(20)).await;
    }
    panic!("in vain: {what}");
}

/// Whether a process runs: there, and no zombie.
pub fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}
