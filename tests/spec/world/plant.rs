//! Bugs planted between the relay and its world, to see them found: each breaks one thing that the schedules look for.
//! None touches what ships.

mod lie;
mod slip;

pub use lie::Lie;
pub use slip::Slip;

use super::hall::Hall;
use super::happening::{Happening, Response};
use super::model::Message;
use super::{World, mins};
use guild_bridge::journal::{Packed, Record, Task};
use guild_bridge::message::{AgentId, Line, Turn};
use guild_bridge::port::{Client, Command, Told};
use guild_bridge::reason::{Reason, Why};
use guild_bridge::settings::Settings;
use serde_json::Value;
use std::collections::BTreeSet;

/// One bug; the number says each how-manieth time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A write to the journal is told as done and is not kept.
    LosesWrites(u32),
    /// A sync of the disk is told as done and writes nothing.
    LosesSyncs(u64),
    /// The record of a letter says that its post is over.
    LosesLetters,
    /// What moves a cursor is written again and again.
    WritesMuch,
    /// A turn that is over is given again.
    GivesAgain(u32),
    /// A message reaches the bridge by no way.
    HidesMessages(u32),
    /// A handshake offers the token of the first.
    OffersAgain,
    /// A post is answered 201 and is in no history.
    ForgetsPosts(u32),
    /// What somebody asked to be sent is answered 201 and is in no history.
    ForgetsSends,
    /// Somebody is told that a post waits, and the daemon never heard of it.
    SwallowsSends,
    /// Somebody is told that a post is stored while it waits.
    SaysDone,
    /// A post goes out twice, without its key.
    PostsTwice(u32),
    /// What somebody asked to be sent goes out twice.
    SendsTwice,
    /// A post goes into another channel, too.
    PostsElsewhere(u32),
    /// An answer stands before the one that was posted earlier.
    Overtakes(u32),
    /// The answer of a post never comes.
    LosesAnswers(u32),
    /// Two messages of a socket change places.
    SwapsMessages,
    /// More turns than `parallel`.
    Crowds,
    /// Rests are a tenth of what the configuration says.
    Hurries,
    /// Rests do not grow, in a minute in which every connection breaks.
    Hammers,
    /// Rests are two hundred times what the configuration says.
    Dawdles,
    /// Status says what is not so.
    Says(Lie),
    /// The relay asks for what it must not.
    Asks(Slip),
}

/// What a bug has grown to.
#[derive(Default)]
pub struct Growth {
    count: u32,
    offer: Option<String>,
    held: Option<(Line, String)>,
    hidden: BTreeSet<String>,
}

impl Growth {
    /// Whether this is an `n`-th time.
    fn nth(&mut self, n: u32) -> bool {
        self.count += 1;
        self.count % n == 0
    }
}

impl World {
    /// Plants a bug, or none.
    pub fn plant(&mut self, plant: Option<Plant>) {
        self.plant = plant;
        self.halls.iter_mut().for_each(|hall| hall.plant = plant);
        if let Some(Plant::LosesSyncs(n)) = plant {
            self.disk.lazy_syncs = Some(n);
        }
    }

    pub(super) fn planted_task(&mut self, task: Task) -> Task {
        let records = match self.plant {
            Some(Plant::LosesWrites(n)) if self.planted.nth(n) => {
                return Task { records: Packed::default(), anew: false, ..task };
            }
            Some(Plant::LosesLetters) => task.records.iter().map(over).collect(),
            Some(Plant::WritesMuch) => {
                let times = |record: &Record| if matches!(record, Record::Cursor { .. }) { 400 } else { 1 };
                let again = |record: Record| std::iter::repeat_n(record.clone(), times(&record));
                task.records.iter().flat_map(again).collect()
            }
            _ => task.records,
        };
        Task { records, ..task }
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

    pub(super) fn planted_telling(&self, told: Told) -> Told {
        match told {
            Told::Queued(text) if self.plant == Some(Plant::SaysDone) => Told::Done(text),
            told => told,
        }
    }

    /// Whether somebody who asks is not heard.
    pub(super) fn planted_deafness(&mut self, client: Client, command: &Command) -> bool {
        let swallows = self.plant == Some(Plant::SwallowsSends) && matches!(command, Command::Send { .. });
        if swallows {
            self.told.push((client, Told::Queued("it is in the outbox".into())));
        }
        swallows
    }

    pub(super) fn planted_frame(&mut self, frame: String) -> String {
        match self.plant {
            Some(Plant::OffersAgain) if frame.starts_with("40{") => self.planted.offer.get_or_insert(frame).clone(),
            _ => frame,
        }
    }

    pub(super) fn planted_happening(&mut self, happening: Happening) -> Option<Happening> {
        match self.plant {
            Some(Plant::SwapsMessages) => self.swapped(happening),
            Some(Plant::HidesMessages(n)) => self.hidden(happening, n),
            Some(Plant::Hammers) if (mins(3)..mins(4)).contains(&self.at) => Some(broken(happening)),
            _ => Some(happening),
        }
    }

    fn hidden(&mut self, happening: Happening, n: u32) -> Option<Happening> {
        match happening {
            Happening::Text(line, text) if text.starts_with("42[\"message.created\"") => {
                let args: Value = serde_json::from_str(&text[2..]).unwrap_or_default();
                let id = args[1]["id"].as_str().map(str::to_owned);
                let hides = id.as_ref().is_some_and(|id| self.planted.hidden.contains(id) || self.planted.nth(n));
                self.planted.hidden.extend(id.filter(|_| hides));
                (!hides).then_some(Happening::Text(line, text))
            }
            Happening::Answer(ticket, Response::Got(head, body)) => {
                let rows: Option<Vec<Value>> = serde_json::from_slice(&body).ok();
                let hidden = |row: &Value| row["id"].as_str().is_some_and(|id| self.planted.hidden.contains(id));
                let body = match rows {
                    Some(mut rows) if rows.iter().any(hidden) => {
                        rows.retain(|row| !hidden(row));
                        Value::Array(rows).to_string().into_bytes()
                    }
                    _ => body,
                };
                Some(Happening::Answer(ticket, Response::Got(head, body)))
            }
            other => Some(other),
        }
    }

    fn swapped(&mut self, happening: Happening) -> Option<Happening> {
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
            Some(Plant::Hammers) => {
                settings.timing.backoff_base_ms = 10;
                settings.timing.backoff_cap_ms = 200;
            }
            Some(Plant::Dawdles) => {
                settings.timing.backoff_base_ms *= 200;
                settings.timing.backoff_cap_ms *= 10;
            }
            _ => {}
        }
        settings
    }
}

impl Hall {
    /// Behind a post that was stored: what of it goes out once more, as if it were another.
    pub(super) fn planted_post(&mut self, channel: &str) -> Option<String> {
        let is_send = self.model.said.last().is_some_and(|m| !m.text.starts_with("re: "));
        match self.plant? {
            Plant::ForgetsPosts(n) if self.planted.nth(n) => self.forget_last(channel),
            Plant::ForgetsSends if is_send => self.forget_last(channel),
            Plant::PostsTwice(n) if self.planted.nth(n) => return Some(channel.into()),
            Plant::SendsTwice if is_send => return Some(channel.into()),
            Plant::PostsElsewhere(n) if self.planted.nth(n) => {
                return self.model.channels.keys().find(|other| *other != channel).cloned();
            }
            Plant::Overtakes(n) if !is_send && self.planted.nth(n) => self.overtake(),
            _ => {}
        }
        None
    }

    fn forget_last(&mut self, channel: &str) {
        let stored = self.model.channels.get_mut(channel).and_then(|c| c.messages.last_mut());
        let said = self.model.said.last_mut();
        stored.into_iter().chain(said).for_each(|message| message.author = "nobody".into());
    }

    /// The last answer and the one before it change places, for whoever reads them.
    fn overtake(&mut self) {
        let said = &mut self.model.said;
        let Some((last, before)) = said.split_last_mut() else { return };
        let is_before =
            |m: &&mut Message| m.author == last.author && m.channel == last.channel && m.text.starts_with("re: ");
        if let Some(before) = before.iter_mut().rev().find(is_before) {
            std::mem::swap(&mut before.text, &mut last.text);
        }
    }

    /// Whether the answer of a post is lost, though nothing says so.
    pub(super) fn planted_silence(&mut self, route: &str) -> bool {
        matches!(self.plant, Some(Plant::LosesAnswers(n)) if route == "post" && self.planted.nth(n))
    }
}

/// What breaks a connection.
fn broken(happening: Happening) -> Happening {
    match happening {
        Happening::Text(line, _) => Happening::Lost(line, Why::new(Reason::NetClosed, "broken"), None),
        other => other,
    }
}

/// A letter that is over.
fn over(record: Record) -> Record {
    match record {
        Record::Letter { link, letter } => Record::Posted { link, key: letter.post.key, message: None },
        other => other,
    }
}
