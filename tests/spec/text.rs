//! Text: what a log shows, how replies are split, keys, mentions.

use fastrand::Rng;
use guild_bridge::text::{Clipped, conversation_key, hash_id, names_agent, split_reply};
use std::collections::BTreeMap;

#[test]
fn what_steers_a_terminal_or_misleads_an_eye_is_written_out() {
    let shown = |text: &str| Clipped(text).to_string();
    assert_eq!(shown("a\nb\r\tc\u{1b}[31m\0"), "a\\nb\\r\\tc\\u{1b}[31m\\u{0}");
    assert_eq!(shown("\u{7f}\u{9b}\u{202e}\u{2066}\u{200b}"), "\\u{7f}\\u{9b}\\u{202e}\\u{2066}\\u{200b}");
    assert_eq!(shown("\u{feff}\u{2028}\u{e0041}\u{ad}"), "\\u{feff}\\u{2028}\\u{e0041}\\u{ad}");
    assert_eq!(shown("\u{34f}\u{1160}\u{17b4}\u{180b}\u{3164}"), "\\u{34f}\\u{1160}\\u{17b4}\\u{180b}\\u{3164}");
    assert_eq!(shown("\u{ffa0}\u{1bca3}\u{1d173}\u{e0fff}"), "\\u{ffa0}\\u{1bca3}\\u{1d173}\\u{e0fff}");
    assert_eq!(shown("❤\u{fe0f} 辻\u{e0100}"), "❤\u{fe0f} 辻\u{e0100}", "an emoji and an ideograph stay what they are");
    assert_eq!(shown("héllo \u{1f600} 日本 \\n"), "héllo \u{1f600} 日本 \\n");
}

#[test]
fn a_clip_ends_at_a_whole_character_within_its_bound() {
    assert_eq!(Clipped(&"x".repeat(80)).to_string(), "x".repeat(80));
    assert_eq!(Clipped(&"x".repeat(81)).to_string(), format!("{}…", "x".repeat(77)));
    assert_eq!(Clipped::to("日本語日本語", 10).to_string(), "日本…");
    assert_eq!(Clipped::to("ab\ncd", 6).to_string(), "ab\\ncd");
    assert_eq!(Clipped::to("ab\ncde", 6).to_string(), "ab…", "an escape is not cut");
    assert_eq!(Clipped::to("abc", 0).to_string(), "…");
}

#[test]
fn clips_keep_to_their_bound_and_a_clip_of_a_clip_is_the_same() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..50_000 {
        let text: String =
            (0..rng.usize(0..40)).map(|_| if rng.bool() { rng.char('\0'..'a') } else { rng.char(..) }).collect();
        let max = rng.usize(3..60);
        let clip = Clipped::to(&text, max).to_string();
        assert!(clip.len() <= max && !clip.chars().any(char::is_control), "{text:?} {max}");
        assert_eq!(Clipped::to(&clip, max).to_string(), clip);
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[test]
fn a_reply_that_fits_stays_as_it_is_and_a_blank_one_is_none() {
    assert_eq!(split_reply(" hello\n\nworld \n", 15), [" hello\n\nworld \n"]);
    assert_eq!(split_reply(&"\u{1f600}".repeat(10), 20).len(), 1, "units, not bytes");
    assert_eq!(split_reply(&"\u{1f600}".repeat(10), 19).len(), 2, "units, not characters");
    assert!(split_reply("", 10).is_empty() && split_reply(" \n\t ", 2).is_empty());
}

#[test]
fn a_long_reply_is_cut_at_the_best_place_that_leaves_no_short_part() {
    assert_eq!(split_reply("One two.\nThree\n\nFour five six", 20), ["One two.\nThree", "Four five six"]);
    assert_eq!(split_reply("One two.\nThree four five six", 20), ["One two.", "Three four five six"]);
    assert_eq!(split_reply("One two. Three four five six", 20), ["One two.", "Three four five six"]);
    assert_eq!(split_reply("One two three four five six", 20), ["One two three four", "five six"]);
    assert_eq!(split_reply("一二三。四五六七八九十", 9), ["一二三。", "四五六七八九十"]);
    assert_eq!(split_reply("abcdefghijklmnopqrstuvwxyz", 20), ["abcdefghijklmnopqrst", "uvwxyz"]);
    assert_eq!(split_reply("Hi\n\nOne two three four five six", 24), ["Hi\n\nOne two three four", "five six"]);
}

#[test]
fn a_code_block_that_is_cut_is_closed_and_opened_again() {
    let text = "See:\n```rust\nlet one = 1;\nlet two = 2;\nlet three = 3;\n```\nDone.";
    let parts = split_reply(text, 48);
    assert_eq!(parts, ["See:\n```rust\nlet one = 1;\nlet two = 2;\n```", "```rust\nlet three = 3;\n```\nDone."]);
    let tildes = text.replace("```rust", "~~~~ x").replace("```", "~~~~~");
    let parts = split_reply(&tildes, 48);
    assert_eq!(parts, ["See:\n~~~~ x\nlet one = 1;\nlet two = 2;\n~~~~", "~~~~ x\nlet three = 3;\n~~~~~\nDone."]);
}

#[test]
fn a_code_block_that_fits_a_part_of_its_own_is_not_cut() {
    let block = "```\n1234567890\n1234567890\n```";
    let text = format!("Some words before it.\n{block}\nAnd some after.");
    assert_eq!(split_reply(&text, 40), ["Some words before it.", block, "And some after."]);
}

#[test]
fn a_cut_before_a_blocks_end_leaves_no_empty_block() {
    let text = "```\naaaaaaaaaa\nbbbbbbbbbb\n```\n\nThe words behind it are long enough.";
    let parts = split_reply(text, 36);
    assert_eq!(parts, ["```\naaaaaaaaaa\nbbbbbbbbbb\n```", "The words behind it are long enough."]);
    let parts = split_reply("```\naaaaaaaaaa\nbbbbbbbbbb\n```````\nThe end", 30);
    assert_eq!(parts, ["```\naaaaaaaaaa\nbbbbbbbbbb\n```", "The end"]);
}

#[test]
fn indentation_within_code_is_kept_at_a_seam() {
    let text = "```\nfn main() {\n    one();\n    two();\n    three();\n}\n```";
    let parts = split_reply(text, 36);
    assert_eq!(parts, ["```\nfn main() {\n    one();\n```", "```\n    two();\n    three();\n}\n```"]);
}

#[test]
fn a_block_that_nobody_closed_is_carried_to_the_end() {
    let parts = split_reply("```js\naaaa\nbbbb\ncccc\ndddd", 23);
    assert_eq!(parts, ["```js\naaaa\nbbbb\n```", "```js\ncccc\ndddd"]);
}

#[test]
fn a_fence_whose_line_takes_more_than_a_quarter_of_the_limit_is_text_and_bytes_do_not_count() {
    let words = "word ".repeat(30);
    // a quarter is 10 units: 19 of them, and 9 of them in 15 bytes
    let long = split_reply(&format!("```language-so-long\n{words}"), 40);
    assert!(long.len() > 3 && long[1..].iter().all(|part| !part.contains('`')), "{long:?}");
    let short = split_reply(&format!("```éééééé\n{words}```"), 40);
    assert!(short.len() > 3 && short.iter().all(|part| part.starts_with("```éééééé\n")), "{short:?}");
}

#[test]
fn no_text_is_too_odd_to_be_split() {
    let odd = ["`", " ", "\n", "```\n", "x ", "~~~\n\n", "\u{1f600}", "\n    "];
    for text in odd.map(|piece| format!("x{}x", piece.repeat(700))) {
        for limit in [0, 1, 2, 3, 7, 12, 16, 33, 100] {
            let parts = split_reply(&text, limit);
            let fits = |part: &String| units(part) <= limit.max(2) && !part.trim().is_empty();
            assert!(parts.iter().all(fits), "{limit} {parts:?}");
        }
    }
}

#[test]
fn the_longest_reply_of_nearly_nothing_is_split_as_fast_as_any() {
    for space in [" ", "\n", " \n", "\t\t\n\n"] {
        let text = format!("x{}y", space.repeat(64 * 1024 / space.len()));
        assert_eq!(split_reply(&text, 4_000), ["x", "y"]);
    }
    assert_eq!(split_reply(&"x".repeat(64 * 1024), 4_000).len(), 17);
    assert_eq!(split_reply(&"- x\n".repeat(16 * 1024), 4_000).len(), 17);
}

/// A text of pieces as agents write them.
fn any_reply(rng: &mut Rng) -> String {
    let pieces = [
        "word ",
        "a longer word, and some. ",
        "日本語。",
        "\n",
        "\n\n",
        "  ",
        "\u{1f600}",
        "```\n",
        "\n```\n",
        "\n```rust\n",
        "\n~~~\n",
        "`inline`",
        "\n    indented();\n",
        "\n````md x\n",
        "\n  ```\n",
        "unbrokenunbrokenunbroken",
        "\n- item: one\n",
        "\t",
        "``",
        "\r\n",
        "\n```a`b\n",
        "~",
    ];
    (0..rng.usize(1..60)).map(|_| pieces[rng.usize(0..pieces.len())]).collect()
}

/// What is said: no space, and none of the characters that fences are made of.
fn said(text: &str) -> String {
    let fence = |line: &str| ["```", "~~~"].iter().any(|mark| line.trim_start().starts_with(mark));
    let lines = text.lines().filter(|line| !fence(line));
    lines.flat_map(str::chars).filter(|c| !c.is_whitespace() && !matches!(c, '`' | '~')).collect()
}

/// Whether every fence of a text is closed, as a reader of Markdown sees it.
fn closed(text: &str) -> bool {
    let mut open: Option<(char, usize)> = None;
    for line in text.lines().map(str::trim) {
        let mark = line.chars().next().unwrap_or(' ');
        let marks = line.chars().take_while(|c| *c == mark).count();
        let rest: String = line.chars().skip(marks).collect();
        open = match open {
            None if matches!(mark, '`' | '~') && marks >= 3 && !(mark == '`' && rest.contains('`')) => {
                Some((mark, marks))
            }
            Some((m, n)) if m == mark && marks >= n && rest.is_empty() => None,
            other => other,
        };
    }
    open.is_none()
}

/// Texts with limits; no line of theirs that looks like a fence takes more than a quarter of the limit.
fn fenced_texts(seed: u64) -> impl Iterator<Item = (String, usize)> {
    let mut rng = Rng::with_seed(seed);
    let texts = std::iter::repeat_with(move || (any_reply(&mut rng), rng.usize(60..200))).take(60_000);
    let fence = |line: &str| line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
    texts.filter(move |(text, limit)| text.lines().filter(|line| fence(line)).all(|line| units(line) <= limit / 4))
}

#[test]
fn nothing_is_lost_or_too_long_or_blank_however_a_text_is_split() {
    let plain = fenced_texts(2).map(|(text, limit)| (text.replace(['`', '~'], ""), limit / 9));
    for (text, limit) in fenced_texts(1).chain(plain) {
        let parts = split_reply(&text, limit);
        let fits = |part: &String| units(part) <= limit && !part.trim().is_empty();
        assert!(parts.iter().all(fits), "{limit} {text:?} {parts:?}");
        assert_eq!(said(&parts.join("\n")), said(&text), "{limit} {text:?} {parts:?}");
    }
}

#[test]
fn every_part_closes_the_fences_it_opens() {
    let mut cut = 0;
    for (text, limit) in fenced_texts(3) {
        let mut parts = split_reply(&text, limit);
        cut += usize::from(parts.len() > 1);
        if !closed(&text) {
            parts.pop(); // nobody closed the last one
        }
        assert!(parts.iter().all(|part| closed(part)), "{limit} {text:?} {parts:?}");
    }
    assert!(cut > 20_000, "{cut}");
}

#[test]
fn plain_places_have_plain_keys() {
    assert_eq!(conversation_key("acme", "general", None), "acme.general");
    assert_eq!(conversation_key("acme", "general", Some("t.1")), "acme.general.t.1");
    assert_eq!(conversation_key("acme", "00000042_A-b", None), "acme.00000042_A-b");
}

#[test]
fn other_places_have_a_readable_prefix_and_a_hash() {
    let key = conversation_key("acme", "a b/ü", None);
    assert!(key.starts_with("acme.a_b__-") && key.len() == "acme.a_b__-".len() + 26, "{key}");
    let long = conversation_key("acme", &"c".repeat(500), Some("t"));
    assert!(long.starts_with("acme.ccc") && long.len() == 128, "{long}");
    assert_eq!(conversation_key("acme", "a b/ü", None), key, "the same after any restart");
}

#[test]
fn no_two_places_share_a_key() {
    let ids = ["a", "a.b", "b", "", "a b", "a_b", ".", "..", "a.", ".a", "ü", "-", "A"];
    let taken = conversation_key("g", "a b", None);
    let ids: Vec<&str> = ids.into_iter().chain([taken.strip_prefix("g.").unwrap()]).collect();
    let mut keys = BTreeMap::new();
    for place in ids.iter().flat_map(|a| ids.iter().map(move |b| (*a, Some(*b))).chain([(*a, None)])) {
        let key = conversation_key("g", place.0, place.1);
        let fits =
            (1..=128).contains(&key.len()) && key.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        assert!(fits, "{key}");
        assert_eq!(keys.insert(key, place), None, "{place:?}");
    }
}

#[test]
fn a_hash_tells_parts_cut_otherwise_apart_and_never_changes() {
    assert_eq!(hash_id("t_", &["acme", "general", "1"]), "t_qmh75ur8p92hadv88uuv0fs0ok");
    assert_ne!(hash_id("", &["ab", "c"]), hash_id("", &["a", "bc"]));
    assert_ne!(hash_id("", &["a"]), hash_id("", &["a", ""]));
    assert!(hash_id("", &[]).chars().all(|c| c.is_ascii_digit() || ('a'..='v').contains(&c)));
}

#[test]
fn a_name_behind_an_at_is_a_mention_as_a_whole_word() {
    for text in [
        "@bot",
        "@Bot, status?",
        "hey (@BOT)!",
        "@bot.",
        "@bot…",
        "@bot's",
        "@bot- x",
        "a@b @bot",
        "@@bot",
        "@bot你好",
        "@bot\nx",
    ] {
        assert!(names_agent(text, &["bot"]), "{text}");
    }
    for text in [
        "", "bot", "@", "@botany", "@bot2", "@bot_x", "mail@bot", "@bot-two", "@bot.two", "@ bot", "@bo", "é@bot",
        "@boté",
    ] {
        assert!(!names_agent(text, &["bot"]), "{text}");
    }
}

#[test]
fn any_of_an_agents_names_will_do_whatever_it_is_made_of() {
    let names = ["recruiter", "Frau Müller", "ΑΓΓΕΛΟΣ", "机器人", ""];
    for text in ["@frau müller: hallo", "@FRAU MÜLLER", "@αγγελοσ", "@机器人 你好", "x @Recruiter"] {
        assert!(names_agent(text, &names), "{text}");
    }
    for text in ["@frau", "@frau müllers", "@机器人们", "@", "@ "] {
        assert!(!names_agent(text, &names), "{text}");
    }
    assert!(!names_agent("@x", &[]) && !names_agent("@", &[""]));
}
