//! What a status, or a list, says and is not so.

use super::{Plant, World};
use guild_bridge::status::{LettersStatus, LinkStatus, Status};

/// One lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// An unproven link is live.
    Live,
    /// A link that rests is live.
    LiveAtRest,
    /// A link that rests is connected.
    Connected,
    /// A live link rests.
    Resting,
    /// Nobody knows how long a link rests.
    NoNextTry,
    /// More channels are proven than there are.
    Proven,
    /// There is no gap.
    NoGaps,
    /// There is one more than its reasons say.
    GapWithoutReason,
    /// There is one, and nothing was wrong.
    GapWithoutCause,
    /// There is no letter.
    NoLetters,
    /// There are more than there is room for.
    Letters,
    /// More posts wait than there is room for.
    Outbox,
    /// More messages wait than there is room for.
    Window,
    /// A message waits for ever.
    TurnsWait,
    /// A token, to whoever asks.
    Token,
    /// State is kept, while the disk fails.
    Kept,
    /// No state is kept, while the disk is well.
    NotKept,
}

impl World {
    pub(in super::super) fn lie(&self, status: &mut Status) {
        let Some(Plant::Says(lie)) = self.plant else { return };
        for link in &mut status.links {
            lie_of_link(lie, link);
        }
        for agent in &mut status.agents {
            match lie {
                Lie::Window => agent.waiting += 10_000,
                Lie::TurnsWait => agent.waiting = agent.waiting.max(1),
                _ => {}
            }
        }
        let state = &mut status.process.state_mode;
        match lie {
            Lie::Kept if *state == "none" => *state = "each",
            Lie::NotKept if self.story.lives > 1 => *state = "none",
            _ => {}
        }
    }

    pub(in super::super) fn lie_of_letters(&self, letters: &mut LettersStatus) {
        if self.plant == Some(Plant::Says(Lie::NoLetters)) {
            letters.listed.clear();
        }
    }
}

fn lie_of_link(lie: Lie, link: &mut LinkStatus) {
    let rests = link.state == "backoff";
    match lie {
        Lie::Live if link.state == "unproven" => link.state = "live",
        Lie::LiveAtRest if rests => link.state = "live",
        Lie::Connected if rests => link.state = "unproven",
        Lie::Resting if link.state == "live" => (link.state, link.next_try_s) = ("backoff", Some(1)),
        Lie::NoNextTry if rests => link.next_try_s = None,
        Lie::Proven => link.channels_proven = link.channels_total + 1,
        Lie::NoGaps => {
            link.gaps = 0;
            link.gaps_by_reason.clear();
        }
        Lie::GapWithoutReason if link.delivered > 0 => link.gaps += 1,
        Lie::GapWithoutCause if link.delivered > 0 => {
            link.gaps += 1;
            *link.gaps_by_reason.entry("history_cut").or_default() += 1;
        }
        Lie::NoLetters => link.letters = 0,
        Lie::Letters => link.letters += 1_000,
        Lie::Outbox => link.outbox_depth += 1_000,
        Lie::Token => link.detail = "gat.secret".into(),
        _ => {}
    }
}
