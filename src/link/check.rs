//! What was believed of a socket that said more than history may be asked about is looked at once its channel is quiet: what the
//! socket skipped there comes late.

use super::channel::{Channel, Gate};
use super::gaps::Missing;
use super::{Link, in_channel};
use crate::gap::Gap;
use crate::lane::{Lane, Stretch};
use crate::step::Step;

impl Link {
    /// A channel whose history is to be read again, where nothing else is to be read and there is room.
    pub(super) fn check_next(&mut self, room: bool) -> Option<usize> {
        if !room {
            return None;
        }
        for at in 0..self.channels.len() {
            let channel = self.channels.get_mut(at)?;
            let Some(first) = channel.lane.check_due().filter(|_| may_check(channel)) else { continue };
            if self.seen.contains(&in_channel(&channel.id, first)) {
                channel.lane.begin_check();
                channel.wanted = true;
                return Some(at);
            }
            self.count_doubted(at, Lane::end_check);
        }
        None
    }

    /// Whether an answer is of what is looked at again. `None`: it cannot be, now that so much was said since, or the guild
    /// refuses the place (`refused`); reading goes on where it stood.
    pub(super) fn checks(&mut self, at: usize, refused: bool) -> Option<bool> {
        let channel = self.channels.get_mut(at)?;
        let Some(first) = channel.lane.checked() else { return Some(false) };
        let remembered = self.seen.contains(&in_channel(&channel.id, first));
        if remembered && !refused && !channel.lane.crowded() {
            return Some(true);
        }
        channel.wanted = true;
        if !remembered {
            self.count_doubted(at, Lane::end_check);
        } else if refused {
            self.check_refused(at);
        } else {
            // it is a busy channel again
            channel.lane.put_off_check();
        }
        None
    }

    /// A page of what is looked at again brought nothing: reading goes on where it stood, and it is tried later.
    pub(super) fn check_refused(&mut self, at: usize) {
        let Some(channel) = self.channels.get_mut(at).filter(|channel| channel.lane.checked().is_some()) else {
            return;
        };
        channel.wanted = true;
        self.count_doubted(at, Lane::refuse_check);
    }

    /// What a lane gives up was brought by a socket that was found to skip: a gap.
    pub(super) fn count_doubted(&mut self, at: usize, give_up: fn(&mut Lane) -> Option<Stretch>) {
        let Some(channel) = self.channels.get_mut(at) else { return };
        let Some(Stretch { from, count, .. }) = give_up(&mut channel.lane) else { return };
        let (id, to) = (channel.id.clone(), channel.lane.read().id.clone());
        let detail = format!(
            "{}: {count} message(s) came faster than history may be asked, by a socket that then did not bring what it shows",
            channel.name(),
        );
        let missing = Missing { channel: Some(&id), from: from.as_deref(), to: to.as_deref() };
        self.gap(Gap::Unchecked, 1, missing, &detail);
    }

    /// Something was skipped: its place is written before what says that messages behind it are done. It says nothing of
    /// what the socket brings now, and that it may have skipped elsewhere.
    pub(super) fn late(&mut self, at: usize, step: &mut Step<'_>) {
        self.doubt_what_was_trusted();
        let Some(channel) = self.channels.get(at) else { return };
        self.keep_cursor(channel, step);
    }
}

fn may_check(channel: &Channel) -> bool {
    matches!(channel.gate, Gate::Open) && channel.baseline && !channel.wanted && channel.failing_since.is_none()
}
