//! What a relay must never ask for.

use super::{Plant, World};
use guild_bridge::call::{Call, Method};
use guild_bridge::message::Line;
use guild_bridge::port::{Client, Output, Told};

/// One slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// A line is dialled twice.
    DialsTwice,
    /// A link dials again and again.
    DialsMore,
    /// Lines are left open.
    KeepsLines,
    /// A line that nobody dialled is hung up.
    HangsUpAnother,
    /// A frame behind the end of a line.
    SpeaksOn,
    /// Two frames at once.
    TwoFrames,
    /// A call that no guild knows.
    WrongPath,
    /// A call without its token.
    NoBearer,
    /// A call that may take for ever.
    Patient,
    /// An agent is hired twice.
    HiresTwice,
    /// A second turn in a conversation.
    SplitsTurns,
    /// A key is told to a client.
    TellsKey,
    /// There is always something more to be done.
    NeverDone,
    /// There is always something due now.
    NeverLater,
}

impl World {
    fn slips(&self, slip: Slip) -> bool {
        self.plant == Some(Plant::Asks(slip))
    }

    /// As a life begins.
    pub(in super::super) fn planted_start(&mut self) {
        if self.slips(Slip::NeverLater) {
            now_and_now(self);
        }
    }

    /// Before an output is done; false: it is not done.
    pub(in super::super) fn planted_output(&mut self, output: &mut Output) -> bool {
        let Some(Plant::Asks(slip)) = self.plant else { return true };
        match (slip, output) {
            (Slip::DialsTwice, Output::Dial { line, url, guild }) => self.dial(*line, url.clone(), usize::from(*guild)),
            (Slip::TwoFrames, Output::Send(line, frame)) => self.frame(*line, frame.to_string()),
            (Slip::DialsMore, Output::Dial { line, url, guild }) => {
                for more in [1_000, 2_000] {
                    self.dial(Line { attempt: line.attempt + more, ..*line }, url.clone(), usize::from(*guild));
                }
            }
            (Slip::KeepsLines, Output::HangUp(..)) => return false,
            (Slip::HangsUpAnother, Output::HangUp(line, _)) => {
                self.hang_up(Line { attempt: line.attempt + 1_000, ..*line }, Vec::new());
            }
            (Slip::SpeaksOn, Output::HangUp(line, last)) => {
                self.hang_up(*line, std::mem::take(last));
                self.frame(*line, "2".into());
            }
            (Slip::WrongPath | Slip::NoBearer | Slip::Patient, Output::Call(_, call)) => spoil(slip, call),
            (Slip::HiresTwice, Output::Hire(agent, settings)) => self.hire(*agent, settings.name.clone()),
            (Slip::SplitsTurns, Output::Ask(agent, turn)) => {
                let mut other = (**turn).clone();
                other.id.push_str("-again");
                self.give(*agent, other);
            }
            (Slip::TellsKey, Output::Tell(client, told)) if *client != super::super::WATCHER => {
                *told = Told::Done("the key is key-of-recruiter".into());
            }
            _ => {}
        }
        true
    }

    /// When nothing is left to be done.
    pub(in super::super) fn planted_more(&self) -> Option<Output> {
        self.slips(Slip::NeverDone).then(|| Output::Tell(Client(0), Told::Done("nothing".into())))
    }
}

fn spoil(slip: Slip, call: &mut Call) {
    match slip {
        Slip::WrongPath => call.url.push_str("/more"),
        Slip::NoBearer if call.method == Method::Get => call.bearer = None,
        Slip::Patient => call.deadline_ms = 600_000,
        _ => {}
    }
}

fn now_and_now(w: &mut World) {
    w.at(0, now_and_now);
}
