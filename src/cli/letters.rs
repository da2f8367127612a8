//! `letters [show|retry|drop]`: the replies that a guild refused for good.

use super::client::{self, ANSWER_MS, Answer, Daemon};
use super::said::{self, Said};
use super::status::{age, in_words};
use super::{Exit, complain, plain, put, put_json};
use crate::io::clock;
use crate::io::control::Request;
use std::path::Path;

/// What the daemon says of its letters. Absent fields are as good as empty.
#[derive(Debug, Default)]
pub struct View {
    total: usize,
    listed: Vec<LetterView>,
}

#[derive(Debug, Default)]
struct LetterView {
    agent: String,
    guild: String,
    key: String,
    channel: String,
    text: String,
    bytes: usize,
    reason: String,
    detail: String,
    at: String,
}

/// Lists them: 0, whether there are some or none.
pub fn list(socket: &Path, json: bool) -> Exit {
    let request = Request { cmd: "letters".to_owned(), ..Request::default() };
    ask(socket, &request, json, |view| view.screen(clock::now().wall_ms))
}

/// One with its whole text: 0, or 1 when there is none of this key.
pub fn show(socket: &Path, key: &str, json: bool) -> Exit {
    let request = Request { cmd: "letters-show".to_owned(), which: Some(key.to_owned()), ..Request::default() };
    ask(socket, &request, json, |view| view.whole(clock::now().wall_ms))
}

fn ask(socket: &Path, request: &Request, json: bool, screen: impl FnOnce(&View) -> String) -> Exit {
    let deadline = clock::now().at.after_ms(ANSWER_MS);
    match Daemon::ask(socket, request).and_then(|mut daemon| daemon.next(Some(deadline))) {
        Ok(Answer::Letters(said)) if json => put_json(&said).err().unwrap_or(Exit::Done),
        Ok(Answer::Letters(said)) => match View::read(&said) {
            Ok(view) => put(screen(&view).trim_end()).err().unwrap_or(Exit::Done),
            Err(what) => {
                complain(what);
                Exit::Unavailable
            }
        },
        Ok(Answer::Refused(why)) => {
            complain(why);
            Exit::No
        }
        Ok(Answer::Status(_) | Answer::Tail(_) | Answer::Done(_) | Answer::Queued(_)) => {
            complain("the daemon does not say its letters");
            Exit::Unavailable
        }
        Err(silence) => silence.exit(),
    }
}

/// Sends them again: 0 when all that are meant are in the outbox, be it none; 1 when some stay, or a KEY or AGENT is not known.
pub fn retry(socket: &Path, which: Option<&str>) -> Exit {
    of(socket, "letters-retry", which)
}

/// Forgets them: 0 when none that is meant is left, be it that there was none; 1 when a KEY or AGENT is not known.
pub fn forget(socket: &Path, which: Option<&str>) -> Exit {
    of(socket, "letters-drop", which)
}

fn of(socket: &Path, cmd: &str, which: Option<&str>) -> Exit {
    client::once(socket, &Request { cmd: cmd.to_owned(), which: which.map(str::to_owned), ..Request::default() })
}

impl View {
    /// Reads the daemon's JSON.
    ///
    /// # Errors
    /// A sentence.
    pub fn read(json: &str) -> Result<Self, String> {
        let of = |said: &Said<'_>| Self { total: said.count("total"), listed: said.list("listed", LetterView::of) };
        said::read(json, of).map_err(|what| format!("the daemon's letters cannot be read: {what}"))
    }

    /// Three lines a letter for people, the oldest first, and what can be done; `wall_ms` is now, in milliseconds since
    /// 1970.
    #[must_use]
    pub fn screen(&self, wall_ms: u64) -> String {
        if self.total == 0 {
            return "no letters of the agents that are configured; those of removed ones come back with them\n"
                .to_owned();
        }
        let mut out = String::new();
        for letter in &self.listed {
            out += &letter.lines(wall_ms);
        }
        let more = self.total.saturating_sub(self.listed.len());
        if more > 0 {
            out += &format!("and {more} more\n");
        }
        out + "\nguild-bridge letters show KEY says a whole one, letters retry [KEY|AGENT] posts them again, \
               letters drop [KEY|AGENT] forgets them\n"
    }

    /// Whole letters for people: what is known of each, and its text, line by line as it was written.
    #[must_use]
    pub fn whole(&self, wall_ms: u64) -> String {
        self.listed.iter().map(|letter| letter.head(wall_ms) + "\n" + &letter.whole_text()).collect()
    }
}

impl LetterView {
    fn of(said: &Said<'_>) -> Self {
        Self {
            agent: said.text("agent"),
            guild: said.text("guild"),
            key: said.text("key"),
            channel: said.text("channel"),
            text: said.text("text"),
            bytes: said.count("bytes"),
            reason: said.text("reason"),
            detail: said.text("detail"),
            at: said.text("at"),
        }
    }

    fn lines(&self, wall_ms: u64) -> String {
        format!("{}    {}\n", self.head(wall_ms), plain(&self.text))
    }

    fn head(&self, wall_ms: u64) -> String {
        let (agent, guild, channel) = (plain(&self.agent), plain(&self.guild), plain(&self.channel));
        let when = age(&self.at, wall_ms).map(|age| format!(", {age} ago")).unwrap_or_default();
        format!(
            "{}: {agent} in {guild}, channel {channel}, {} bytes{when}\n    {}; {}\n",
            plain(&self.key),
            self.bytes,
            in_words(&self.reason),
            plain(&self.detail),
        )
    }

    fn whole_text(&self) -> String {
        self.text.split('\n').map(|line| plain(line) + "\n").collect()
    }
}
