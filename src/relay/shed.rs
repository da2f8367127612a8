//! What the relay does when the heap comes near its budget: what history can bring again is let go, and new messages are
//! taken one at a time until there is room.

use super::Relay;
use crate::budget::ceiling::Pressure;
use crate::reason::Reason;

impl Relay {
    /// How the heap stood when the relay was last told.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// So many bytes of heap are in use, so many may be.
    pub(super) fn heap(&mut self, used: usize, limit: usize) {
        let before = self.pressure;
        self.pressure = before.next(used, limit);
        let (now_is, again) = (self.pressure, Pressure::Easy.next(used, limit) == Pressure::Shed);
        if before == now_is && !again {
            return;
        }
        let let_go: usize = self.links.iter_mut().map(|link| link.pressed(now_is)).sum();
        self.let_go += let_go as u64;
        match (before, now_is) {
            (Pressure::Easy, Pressure::Shed) => {
                self.sheds += 1;
                // the first, the second, the fourth … are said; all are counted
                if self.sheds.is_power_of_two() {
                    log::warn!(
                        "{}: the heap holds {used} of {limit} bytes: {let_go} message(s) that wait are let go until history brings them again ({} time(s) so far)",
                        Reason::HostMemory,
                        self.sheds
                    );
                }
            }
            (Pressure::Shed, Pressure::Easy) if self.sheds.is_power_of_two() => {
                log::info!("the heap holds {used} of {limit} bytes: it goes on");
            }
            (Pressure::Shed, Pressure::Easy) | (Pressure::Easy, Pressure::Easy) | (Pressure::Shed, Pressure::Shed) => {}
        }
    }
}
