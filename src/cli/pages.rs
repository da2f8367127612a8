//! Manual pages and completions for shells, written from the tables of commands and fields. The program itself has none of
//! this: packages ship the files below `board/common`, and a test writes them and holds them to the tables.

mod man;
mod shells;

use crate::config::schema::{Field, Kind};

/// A file by its place below `board/common`, and what it holds.
pub type Page = (&'static str, fn() -> String);

/// All of them.
pub const PAGES: &[Page] = &[
    ("man/guild-bridge.1", man::command),
    ("man/guild-bridge.json.5", man::configuration),
    ("completions/guild-bridge.bash", shells::bash),
    ("completions/_guild-bridge", shells::zsh),
    ("completions/guild-bridge.fish", shells::fish),
];

/// What a field may hold, in words.
#[must_use]
pub fn holds(field: &Field) -> String {
    let seconds = |ms: &u64| format!("{}", *ms as f64 / 1000.0);
    match &field.kind {
        Kind::Flag => "true, false".into(),
        Kind::Whole(from, to) => format!("{from} to {to}"),
        Kind::Seconds(from, to) => format!("{} to {}", seconds(from), seconds(to)),
        Kind::Text(bytes) => format!("text up to {bytes} bytes"),
        Kind::Word(words) => words.join(", "),
        Kind::Texts(least, most, bytes) => format!("list of {least} to {most} texts up to {bytes} bytes"),
        Kind::TextOrTexts(most, _) => format!("name, or a list of up to {most}"),
        Kind::Wholes(to, most) => format!("list of up to {most} numbers up to {to}"),
        Kind::Strings(most) => format!("object of up to {most} texts"),
        Kind::Object(_) | Kind::Answer => "object".into(),
        Kind::Named(_, most) => format!("object of up to {most}"),
        Kind::Pointer => "JSON pointer".into(),
        Kind::Json => "any JSON".into(),
    }
}

/// The lines of `--help` as one.
fn whole(about: &str) -> String {
    about.lines().collect::<Vec<_>>().join(" ")
}

/// The first part of what something does.
fn brief(about: &str) -> String {
    let whole = whole(about);
    whole.split([';', ':']).next().unwrap_or_default().to_owned()
}
