//! Splitting of replies, what a log may show, keys of conversations, mentions.
#![no_main]

use guild_bridge::text::{Clipped, conversation_key, hash_id, names_agent, split_reply};
use guild_bridge_fuzz::{Feed, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut feed = Feed::new(bytes);
    let limit = match feed.byte() {
        255 => 4_000,
        small => usize::from(small),
    };
    let clip = feed.below(128);
    let text = feed.rest();
    within(64 * 1024 + 256 * text.len(), || {
        parts(text, limit);
        shown(text, clip);
        keys(text);
    });
});

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// What is neither space nor a fence's mark, which a cut may add or take.
fn content(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn parts(text: &str, limit: usize) {
    let limit = limit.max(2);
    let parts = split_reply(text, limit);
    for part in &parts {
        assert!(units(part) <= limit, "{} units, {limit} are allowed: {part:?}", units(part));
        assert!(!part.trim().is_empty(), "a blank part");
    }
    if units(text) <= limit {
        assert_eq!(parts.len(), usize::from(!text.trim().is_empty()));
        assert!(parts.iter().all(|part| part == text), "a text that fits stays as it is");
    }
    let (whole, said) = (content(text), content(&parts.concat()));
    if !text.contains("```") && !text.contains("~~~") {
        return assert_eq!(whole, said, "nothing is lost and nothing is added");
    }
    // fences are repeated at seams: the text's own characters still come in their order
    let mut said = said.chars();
    let lost: Vec<char> =
        whole.chars().filter(|c| !matches!(c, '`' | '~')).filter(|c| !said.any(|s| s == *c)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    if text.lines().all(|line| units(line) <= limit / 4) {
        closed(&parts);
    }
}

/// No part but the last ends within a code block, as a reader of Markdown counts them. (A line that is long beside the
/// limit may have to be cut anywhere.)
fn closed(parts: &[String]) {
    for part in parts.iter().rev().skip(1) {
        let mut open: Option<(char, usize)> = None;
        for line in part.lines().map(str::trim) {
            let Some(mark) = line.chars().next().filter(|c| matches!(c, '`' | '~')) else { continue };
            let info = line.trim_start_matches(mark);
            let marks = line.len() - info.len();
            open = match open {
                None if marks >= 3 && !(mark == '`' && info.contains('`')) => Some((mark, marks)),
                Some((of, least)) if of == mark && marks >= least && info.is_empty() => None,
                same => same,
            };
        }
        assert!(open.is_none(), "a part ends within a code block: {parts:?}");
    }
}

fn shown(text: &str, clip: usize) {
    let line = Clipped(text).to_string();
    assert!(line.len() <= 80 && !line.chars().any(char::is_control), "{line:?}");
    let short = Clipped::to(text, clip).to_string();
    assert!(short.len() <= clip.max(3) && !short.chars().any(char::is_control), "{clip}: {short:?}");
    if clip >= 3 {
        assert_eq!(Clipped::to(&short, clip).to_string(), short, "a clip of a clip is the same");
    }
}

fn keys(text: &str) {
    let (guild, place) = text.split_once('\n').unwrap_or((text, ""));
    let (channel, thread) = place.split_once('\n').unwrap_or((place, ""));
    let key = conversation_key(guild, channel, Some(thread));
    for key in [conversation_key(guild, channel, None), key, hash_id("t_", &[guild, channel])] {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        assert!((1..=128).contains(&key.len()) && key.chars().all(fits), "{key:?}");
    }
    let named = names_agent(text, &[guild]);
    assert!(!named || text.contains('@'), "a mention needs an @");
    assert!(guild.is_empty() || guild.starts_with(['-', '.']) || names_agent(&format!("@{guild}"), &[guild]));
}
