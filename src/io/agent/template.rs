//! The placeholders `{text} {conv} {turn} {channel} {author} {agent} {guild}` in arguments, headers and JSON bodies.
//! Each is replaced inside its own string, once: what a text brings along is never read as a placeholder.

use crate::message::Turn;
use crate::text::Clipped;

/// `template` with its placeholders replaced; any other brace stays as it is.
#[must_use]
pub fn fill(template: &str, turn: &Turn) -> String {
    let mut out = String::with_capacity(template.len());
    fill_into(template, turn, &mut out, |value, out| out.push_str(value));
    out
}

/// An argument, environment value or header, which none of them can carry a NUL in.
///
/// # Errors
/// A sentence, when what was filled in holds a NUL.
pub fn argument(template: &str, turn: &Turn) -> Result<String, String> {
    let filled = fill(template, turn);
    if filled.contains('\0') {
        return Err(format!("\"{}\" would hold a NUL, which only stdin can carry", Clipped(template)));
    }
    Ok(filled)
}

/// A JSON text with the placeholders in its string values replaced; names of fields stay. It is as valid as `template`
/// was, whatever the turn holds.
#[must_use]
pub fn json(template: &str, turn: &Turn) -> String {
    let mut out = String::with_capacity(template.len() + turn.message.text.len() + 64);
    let mut rest = template;
    while let Some((before, from_quote)) = split_at_char(rest, '"') {
        out.push_str(before);
        let (literal, after) = split_literal(from_quote);
        if after.trim_start().starts_with(':') {
            out.push_str(literal);
        } else {
            fill_into(literal, turn, &mut out, push_escaped);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn fill_into(template: &str, turn: &Turn, out: &mut String, put: impl Fn(&str, &mut String)) {
    let mut rest = template;
    while let Some((before, from_brace)) = split_at_char(rest, '{') {
        out.push_str(before);
        let named = from_brace.split_once('}').and_then(|(name, after)| Some((value(name, turn)?, after)));
        rest = if let Some((value, after)) = named {
            put(value, out);
            after
        } else {
            out.push('{');
            from_brace.strip_prefix('{').unwrap_or_default()
        };
    }
    out.push_str(rest);
}

/// What `{name` stands for. People are named as people see them, by their id where they have no name.
fn value<'t>(opened: &str, turn: &'t Turn) -> Option<&'t str> {
    match opened {
        "{text" => Some(&turn.message.text),
        "{conv" => Some(&turn.conv.key),
        "{turn" => Some(&turn.id),
        "{channel" => Some(either(&turn.conv.name, &turn.conv.channel)),
        "{author" => Some(either(&turn.message.author.name, &turn.message.author.id)),
        "{agent" => Some(&turn.agent),
        "{guild" => Some(&turn.conv.guild),
        _ => None,
    }
}

fn either<'t>(name: &'t str, id: &'t str) -> &'t str {
    if name.is_empty() { id } else { name }
}

/// Before the first `mark`, and from it on.
fn split_at_char(text: &str, mark: char) -> Option<(&str, &str)> {
    text.find(mark).and_then(|at| text.split_at_checked(at))
}

/// A string literal with both its quotes, and what follows; one without an end is all of `text`.
fn split_literal(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.split_at_checked(at + 1).unwrap_or((text, "")),
            _ => {}
        }
    }
    (text, "")
}

fn push_escaped(value: &str, out: &mut String) {
    let quoted = serde_json::to_string(value).unwrap_or_default();
    out.push_str(quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap_or_default());
}
