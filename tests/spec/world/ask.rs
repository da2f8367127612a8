//! What tests say and ask in a story.

use super::agent::Hand;
use super::hall::Hall;
use super::happening::Happening;
use super::{World, mins, secs, story};
use guild_bridge::port::{Client, Command};
use guild_bridge::status::{LinkStatus, Status};

impl World {
    /// The first guild.
    pub fn guild(&mut self) -> &mut Hall {
        self.hall(0)
    }

    /// A guild by its place.
    pub fn hall(&mut self, place: usize) -> &mut Hall {
        self.halls[place].now = self.at;
        &mut self.halls[place]
    }

    /// An agent by its name.
    pub fn hand(&mut self, name: &str) -> &mut Hand {
        self.hands.get_mut(name).expect("no such agent in this world")
    }

    /// The agent recruiter.
    pub fn agent(&mut self) -> &mut Hand {
        self.hand("recruiter")
    }

    /// Somebody says something in the first guild.
    pub fn say(&mut self, channel: &str, author: &str, text: &str) -> String {
        self.guild().say(channel, author, text)
    }

    /// Something for whoever replays a seed.
    pub fn note(&mut self, note: impl FnOnce() -> String) {
        let at = self.at;
        self.story.note(at, note);
    }

    /// Every link has its channels and has begun in them.
    pub fn listed(&self) -> bool {
        let links = &self.story.status.links;
        !self.disk.is_empty() && !links.is_empty() && links.iter().all(|l| l.channels_joined > 0)
    }

    /// Alice says something in general that no socket brings.
    pub fn whisper(&mut self, text: &str) {
        self.guild().whisper("general", "alice", text);
    }

    /// As `whisper`, and two minutes go by.
    pub fn whisper_and_run(&mut self, text: &str) {
        self.whisper(text);
        self.run_for(mins(2));
    }

    /// The daemon is asked to post as recruiter.
    pub fn send(&mut self, channel: &str, text: &str) -> Client {
        let (agent, channel, text) = ("recruiter".into(), channel.into(), text.into());
        self.ask(Command::Send { agent, channel, text })
    }

    /// Alice says something in general again and again.
    pub fn speak_every(&mut self, gap: u64, ms: u64) {
        for i in 0..ms / gap {
            self.say("general", "alice", &format!("said {i} at {}", self.at));
            self.run_for(gap);
        }
    }

    /// How long the first link was in a state since a moment.
    pub fn time_in(&self, state: &str, from: u64) -> u64 {
        let name = self.story.status.links.first().map(story::link_name).unwrap_or_default();
        let seen: Vec<_> = self.story.seen.iter().filter(|s| s.link == name).collect();
        let spans = seen.iter().enumerate().filter(|(_, s)| s.state == state);
        spans.map(|(i, s)| seen.get(i + 1).map_or(self.at, |n| n.at).saturating_sub(s.at.max(from))).sum()
    }

    /// Every connection of the first guild is closed, and the bridge knows it.
    pub fn drop_lines(&mut self) {
        self.guild().close_lines();
        self.run_till(secs(2), "the bridge notices the close", |w| w.lines.is_empty());
    }

    /// How many calls of a route the first guild got.
    pub fn calls_of(&self, route: &str) -> usize {
        self.halls[0].calls.iter().filter(|c| c.1 == route).count()
    }

    /// What recruiter said in a channel of the first guild.
    pub fn answers(&self, channel: &str) -> Vec<&str> {
        self.halls[0].said_by(channel, "recruiter")
    }

    /// What the first link's state is.
    pub fn state(&self) -> &'static str {
        self.story.status.links.first().map_or("", |l| l.state)
    }

    /// What the first link gives as its reason.
    pub fn reason(&self) -> &'static str {
        self.story.status.links.first().and_then(|l| l.reason).unwrap_or_default()
    }

    /// The status as it was after the last happening.
    pub fn status(&self) -> &Status {
        &self.story.status
    }

    /// The first link's status as it was after the last happening.
    pub fn link(&self) -> &LinkStatus {
        &self.story.status.links[0]
    }

    /// The status is asked for now.
    pub fn look(&mut self) {
        self.begin();
        self.watch();
    }

    /// What the page shows of the last day.
    pub fn days(&self) -> guild_bridge::day::Days {
        self.relay.as_ref().expect("the daemon runs").days(self.now())
    }

    /// Texts of the messages that recruiter was asked about, in order, each attempt.
    pub fn heard(&self) -> Vec<&str> {
        self.hands["recruiter"].heard()
    }

    /// Somebody on the control socket asks for something.
    pub fn ask(&mut self, command: Command) -> Client {
        self.begin();
        self.clients += 1;
        let client = Client(self.clients);
        self.ask_as(client, command);
        client
    }

    /// A client that is known asks for something more.
    pub fn ask_as(&mut self, client: Client, command: Command) {
        if !matches!(command, Command::Status | Command::Send { .. } | Command::Tail { .. }) {
            self.story.hurries.push(self.at);
        }
        if !self.planted_deafness(client, &command) {
            self.feed(Happening::Control(client, command));
        }
    }

    /// What a client was told, in words.
    pub fn told(&self, client: Client) -> Vec<String> {
        let told = self.told.iter().filter(|(c, _)| *c == client);
        told.map(|(_, t)| format!("{t:?}")).collect()
    }

    /// An agent, or its pump, says something by itself.
    pub fn says(&mut self, name: &str, said: guild_bridge::agent::Said<'static>) {
        self.begin();
        let id = self.hand(name).id.expect("the agent was hired");
        self.feed(Happening::Agent(id, said));
    }
}
