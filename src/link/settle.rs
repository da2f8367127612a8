//! What follows from happenings: done once for all that came together.

use super::Link;
use crate::port::Output;
use crate::step::Step;

impl Link {
    /// Something happened: what follows from it is done by the next `settle`.
    pub fn stir(&mut self) {
        self.stirred = true;
    }

    /// After every happening, or those that came together: the next frame, the next read, the next post.
    pub fn settle(&mut self, step: &mut Step<'_>) {
        if !std::mem::take(&mut self.stirred) {
            return;
        }
        self.date_gaps(step.now.wall_ms);
        self.joins(step);
        self.read_on(step);
        self.post_on(step);
        self.write_on(step);
        self.send_on(step);
        self.hold_on(step);
        self.note_day(step.now.at);
    }

    fn send_on(&mut self, step: &mut Step<'_>) {
        let line = self.line();
        let Some(cable) = self.cable() else { return };
        if !cable.sending {
            if let Some(frame) = cable.frames.pop_front() {
                cable.sending = true;
                step.out.push_back(Output::Send(line, frame));
            }
        }
    }
}
