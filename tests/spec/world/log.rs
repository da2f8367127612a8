//! What the core writes to the log of a story, each line held to be plain.

use guild_bridge::text::Clipped;
use std::cell::RefCell;

/// A line is no longer than this.
const LINE_BYTES: usize = 4096;

thread_local! {
    /// The lines of the story that this thread tells. The logger is one for the whole process: other threads have other stories.
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// A story begins with an empty log.
pub fn begin() {
    static LOGGER: Logger = Logger;
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
    LINES.set(Some(Vec::new()));
}

/// The lines since the last story of this thread began.
pub fn lines() -> Vec<String> {
    LINES.with_borrow(|lines| lines.clone().unwrap_or_default())
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, of: &log::Metadata<'_>) -> bool {
        of.target().starts_with("guild_bridge")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        LINES.with_borrow_mut(|lines| {
            let Some(lines) = lines else { return };
            let line = record.args().to_string();
            let plain = Clipped::to(&line, LINE_BYTES).to_string();
            assert_eq!(plain, line, "a line in the log has a peer's characters or more than {LINE_BYTES} bytes");
            lines.push(line);
        });
    }

    fn flush(&self) {}
}
