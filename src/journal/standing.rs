//! How state is kept, as status says it.

use crate::port::Stored;
use crate::reason::Why;
use crate::settings::StateMode;

/// As hard as the configuration asks, or not at all while the disk fails.
pub struct Standing {
    mode: StateMode,
    /// Why nothing is written, while that is so.
    failed: Option<Why>,
}

impl Standing {
    /// Of a journal that was opened; `failed`: it cannot be written.
    #[must_use]
    pub fn new(mode: StateMode, failed: Option<Why>) -> Self {
        Self { mode, failed }
    }

    /// Takes note of how a write went. True: the disk began to fail, or takes it again.
    pub fn note(&mut self, stored: &Stored) -> bool {
        let turned = self.failed.is_some() != stored.failed.is_some();
        self.failed.clone_from(&stored.failed);
        turned
    }

    /// memory, group, each; or "none", and why.
    #[must_use]
    pub fn said(&self) -> (&'static str, String) {
        match (&self.failed, self.mode) {
            (Some(why), _) => ("none", why.detail.clone()),
            (None, StateMode::Memory) => ("memory", String::new()),
            (None, StateMode::Group) => ("group", String::new()),
            (None, StateMode::Each) => ("each", String::new()),
        }
    }
}
