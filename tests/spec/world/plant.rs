//! Bugs planted between the relay and its world, to see them found: each breaks one thing that the schedules look for.
//! None touches what ships.

use super::World;
use super::hall::Hall;
use super::happening::Happening;
use guild_bridge::journal::Task;
use guild_bridge::message::{AgentId, Line, Turn};
use guild_bridge::settings::Settings;
use guild_bridge::status::Status;

/// One bug; the number says each how-manieth time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A write to the journal is told as done and is not kept.
    LosesWrites(u32),
    /// A turn that is over is given again.
    GivesAgain(u32),
    /// A handshake offers the token of the first.
    OffersAgain,
    /// A post is answered 201 and is in no history.
    ForgetsPosts(u32),
    /// A post goes out twice, without its key.
    PostsTwice(u32),
    /// Two messages of a socket change places.
    SwapsMessages,
    /// More turns than `parallel`.
    Crowds,
    /// Status says `live`, whatever is so.
    SaysLive,
    /// Status tells of no gap.
    HidesGaps,
    /// Rests are a tenth of what the configuration says.
    Hurries,
}

/// What a bug has grown to.
#[derive(Default)]
pub struct Growth {
    count: u32,
    offer: Option<String>,
    held: Option<(Line, String)>,
}

impl Growth {
    /// Whether this is an `n`-th time.
    fn nth(&mut self, n: u32) -> bool {
        self.count += 1;
        self.count % n == 0
    }
}

impl World {
    pub(super) fn planted_task(&mut self, task: Task) -> Task {
        match self.plant {
            Some(Plant::LosesWrites(n)) if self.planted.nth(n) => Task { records: Vec::new(), anew: false, ..task },
            _ => task,
        }
    }

    pub(super) fn planted_turn(&mut self, agent: AgentId, turn: &Turn) {
        if let Some(Plant::GivesAgain(n)) = self.plant {
            if self.planted.nth(n) {
                let turn = turn.clone();
                self.at(5_000, move |w| {
                    if w.names.contains_key(&agent) {
                        w.give(agent, turn);
                    }
                });
            }
        }
    }

    pub(super) fn planted_frame(&mut self, frame: String) -> String {
        match self.plant {
            Some(Plant::OffersAgain) if frame.starts_with("40{") => self.planted.offer.get_or_insert(frame).clone(),
            _ => frame,
        }
    }

    pub(super) fn planted_happening(&mut self, happening: Happening) -> Option<Happening> {
        if self.plant != Some(Plant::SwapsMessages) {
            return Some(happening);
        }
        match happening {
            Happening::Text(line, text) if text.starts_with("42[\"message.created\"") => {
                match self.planted.held.take() {
                    Some((held_line, held)) if held_line == line => {
                        self.feed(Happening::Text(line, text));
                        Some(Happening::Text(line, held))
                    }
                    _ => {
                        self.planted.held = Some((line, text));
                        None
                    }
                }
            }
            other => Some(other),
        }
    }

    pub(super) fn planted_settings(&self) -> Settings {
        let mut settings = self.settings.clone();
        match self.plant {
            Some(Plant::Crowds) => settings.agents.iter_mut().for_each(|agent| agent.parallel += 1),
            Some(Plant::Hurries) => {
                settings.timing.backoff_base_ms /= 10;
                settings.timing.backoff_cap_ms /= 10;
            }
            _ => {}
        }
        settings
    }

    pub(super) fn lie(&self, status: &mut Status) {
        for link in &mut status.links {
            match self.plant {
                Some(Plant::SaysLive) if link.state == "unproven" => link.state = "live",
                Some(Plant::HidesGaps) => {
                    link.gaps = 0;
                    link.gaps_by_reason.clear();
                }
                _ => {}
            }
        }
    }
}

impl Hall {
    /// Behind a post that was stored.
    pub(super) fn planted_post(&mut self, channel: &str) -> bool {
        match self.plant {
            Some(Plant::ForgetsPosts(n)) if self.planted.nth(n) => {
                let stored = self.model.channels.get_mut(channel).and_then(|c| c.messages.last_mut());
                let said = self.model.said.last_mut();
                stored.into_iter().chain(said).for_each(|message| message.author = "nobody".into());
                false
            }
            Some(Plant::PostsTwice(n)) => self.planted.nth(n),
            _ => false,
        }
    }
}
