//! Keys and tokens that no input can hold, and where they must not be seen: in status, in what clients are told, in the log.

use guild_bridge::text::Clipped;
use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    /// What the log must not show, for the logger, which is one for the whole process.
    static HIDDEN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// The secrets of one story.
pub struct Secrets {
    /// A hash of the input: what is made of it cannot stand in the input itself.
    salt: u64,
    minted: u64,
}

impl Secrets {
    /// None yet.
    pub fn new(input: &[u8]) -> Self {
        static LOGGER: Logger = Logger;
        if log::set_logger(&LOGGER).is_ok() {
            log::set_max_level(log::LevelFilter::Info);
        }
        HIDDEN.with_borrow_mut(BTreeSet::clear);
        let salt = input
            .iter()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        Self { salt, minted: 0 }
    }

    fn hide(&self, text: String) -> String {
        HIDDEN.with_borrow_mut(|hidden| hidden.insert(text.clone()));
        text
    }

    /// An agent's key.
    pub fn key(&self, agent: &str) -> String {
        self.hide(format!("key-{agent}-{:016x}", self.salt))
    }

    /// A new token.
    pub fn mint(&mut self) -> String {
        self.minted += 1;
        self.hide(format!("gat-{:016x}-{}", self.salt, self.minted))
    }

    /// The last token, once more: what a cache between us and the mint would answer.
    pub fn mint_again(&self) -> String {
        format!("gat-{:016x}-{}", self.salt, self.minted)
    }

    /// # Panics
    /// If a secret is shown.
    pub fn hidden_in(&self, text: &str) {
        hidden_in(text);
    }
}

fn hidden_in(text: &str) {
    HIDDEN.with_borrow(|hidden| {
        let shown = hidden.iter().find(|secret| text.contains(secret.as_str()));
        assert!(shown.is_none(), "a secret is shown: {text}");
    });
}

/// # Panics
/// If something that steers a terminal or misleads an eye stands in a line for people.
pub fn plain(line: &str) {
    assert_eq!(Clipped::to(line, usize::MAX).to_string(), line, "a peer's characters in a line for people");
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, of: &log::Metadata<'_>) -> bool {
        of.target().starts_with("guild_bridge")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = record.args().to_string();
            hidden_in(&line);
            plain(&line);
            assert!(line.len() <= 4096, "a long line in the log: {line}");
        }
    }

    fn flush(&self) {}
}
