//! Replies that the guild refused for good: kept, listed, sent again, dropped; over restarts, within their bounds.

use crate::world::hall::What;
use crate::world::{Habit, World, log, mins, secs};
use guild_bridge::budget;
use guild_bridge::cli::letters::View;
use guild_bridge::journal::{Kept, Letter, Post, Record, replay};
use guild_bridge::letters::Letters;
use guild_bridge::port::{Command, Told};
use guild_bridge::status::LettersStatus;

/// A world in which the guild refused so many replies of recruiter's in general.
fn refused(seed: u64, count: u32) -> World {
    let mut w = World::chatty(seed);
    w.run_live();
    w.guild().trouble("post", count, What::Body(422, "application/json", r#"{"message":"bad words"}"#.into()));
    (0..count).for_each(|n| drop(w.say("general", "alice", &format!("m{n}"))));
    w.run_for(mins(2));
    assert_eq!((w.link().letters, w.link().outbox_depth, w.answers("general").len()), (count as usize, 0, 0));
    w
}

fn listed(w: &mut World) -> LettersStatus {
    let client = w.ask(Command::Letters);
    let told = w.told.iter().rev().find_map(|(who, told)| match told {
        Told::Letters(letters) if *who == client => Some((**letters).clone()),
        _ => None,
    });
    told.expect("letters are listed at once")
}

/// What the daemon says to a command: done, or refused.
fn says(w: &mut World, command: Command) -> Result<String, String> {
    let client = w.ask(command);
    let told = w.told.iter().rev().find(|(who, _)| *who == client).map(|(_, told)| told);
    match told {
        Some(Told::Done(said)) => Ok(said.clone()),
        Some(Told::Refused(why)) => Err(why.to_string()),
        other => panic!("{other:?}"),
    }
}

fn again(w: &mut World, which: Option<&str>) -> Result<String, String> {
    says(w, Command::LettersAgain { which: which.map(str::to_owned) })
}

fn forget(w: &mut World, which: Option<&str>) -> Result<String, String> {
    says(w, Command::DropLetters { which: which.map(str::to_owned) })
}

#[test]
fn a_refused_reply_is_kept_whole_with_what_the_guild_said() {
    let mut w = refused(1, 1);
    let asked = w.halls[0].model.said[0].id.clone();
    let letters = listed(&mut w);
    let [letter] = &letters.listed[..] else { panic!("{letters:?}") };
    assert_eq!(
        (letter.agent.as_str(), letter.guild.as_str(), letter.channel.as_str()),
        ("recruiter", "acme", "general")
    );
    assert_eq!((letter.text.as_str(), letter.bytes, letter.reply_to.as_ref()), ("re: m0", 6, Some(&asked)));
    assert_eq!(letter.reason, "guild.refused_post");
    assert_eq!(letter.detail, r#"answered 422: {"message":"bad words"}"#);
    assert!(letter.key.starts_with("gb_") && letter.at.starts_with("20"), "{letter:?}");
    assert_eq!((letters.total, w.link().gaps), (1, 0), "what is kept is no gap");
}

#[test]
fn every_4xx_but_five_makes_a_letter_and_no_other_status_does() {
    for status in (300..=399).chain(400..=499).chain([500, 502, 503, 504, 599]) {
        let mut w = World::chatty(2);
        w.run_live();
        w.guild().trouble("post", 1, What::Status(status, None));
        w.say("general", "alice", "hi");
        w.run_for(mins(2));
        let for_good = (400..=499).contains(&status) && ![401, 407, 408, 425, 429].contains(&status);
        let answers = usize::from(!for_good);
        assert_eq!((w.link().letters, w.answers("general").len()), (1 - answers, answers), "{status}");
    }
}

#[test]
fn a_refusal_of_what_stands_before_the_guild_makes_no_letter() {
    let page = "<html><body>not found</body></html>";
    for (status, kind, body, letters) in [
        (404, "text/html", page, 0),
        (404, "text/plain", "404 page not found", 0),
        (403, "text/plain", page, 0),
        (403, "text/html", "blocked", 0),
        (404, "application/json", "{\"message\":\"no such channel\"}", 1),
        (404, "", "", 1),
        (413, "text/html", page, 1),
    ] {
        let mut w = World::chatty(2);
        w.run_live();
        w.guild().trouble("post", 1, What::Body(status, kind, body.into()));
        w.say("general", "alice", "hi");
        w.run_for(mins(2));
        assert_eq!((w.link().letters, w.answers("general").len()), (letters, 1 - letters), "{status} {kind}: {body}");
    }
}

#[test]
fn letters_outlive_a_restart_at_any_moment() {
    let mut w = refused(3, 3);
    let before = listed(&mut w).listed;
    w.crash();
    w.run_for(mins(1));
    let keys = |letters: &[guild_bridge::status::LetterStatus]| {
        letters.iter().map(|letter| (letter.key.clone(), letter.text.clone(), letter.at.clone())).collect::<Vec<_>>()
    };
    assert_eq!(keys(&listed(&mut w).listed), keys(&before));
    w.crash();
    w.run_for(mins(1));
    assert_eq!(listed(&mut w).total, 3, "what is written anew has them too");
    assert!(w.answers("general").is_empty());
}

#[test]
fn a_letter_that_is_sent_again_is_posted_once_under_its_key() {
    let mut w = refused(4, 2);
    let keys: Vec<String> = listed(&mut w).listed.into_iter().map(|letter| letter.key).collect();
    assert_eq!(again(&mut w, None), Ok("2 letters are in the outbox again".into()));
    w.run_for(mins(1));
    assert_eq!((w.answers("general"), w.link().letters, w.link().outbox_depth), (vec!["re: m0", "re: m1"], 0, 0));
    let stored: Vec<_> = w.halls[0].model.said.iter().filter_map(|message| message.key.clone()).collect();
    assert_eq!(stored, keys);
    w.crash();
    w.run_for(mins(1));
    assert_eq!((w.answers("general").len(), w.link().letters), (2, 0));
}

#[test]
fn a_letter_that_is_refused_again_is_a_letter_again() {
    let mut w = refused(5, 1);
    w.guild().trouble("post", 1, What::Status(403, None));
    assert!(again(&mut w, None).is_ok());
    w.run_for(mins(1));
    let letters = listed(&mut w);
    assert_eq!((letters.total, letters.listed[0].detail.starts_with("answered 403")), (1, true), "{letters:?}");
}

#[test]
fn a_letter_sent_again_goes_behind_what_waits_in_its_channel() {
    let mut w = refused(6, 1);
    w.guild().trouble("post", 1, What::Status(429, Some(20_000)));
    w.say("general", "alice", "later");
    w.run_for(secs(5));
    assert!(again(&mut w, Some("recruiter")).is_ok());
    w.run_for(mins(1));
    assert_eq!(w.answers("general"), ["re: later", "re: m0"]);
}

#[test]
fn a_daemon_killed_after_a_retry_posts_it_once() {
    for gap in 0..40 {
        let mut w = refused(7, 1);
        assert!(again(&mut w, None).is_ok());
        w.run_for(gap);
        w.crash();
        w.run_for(mins(2));
        // either the word reached the journal, or the letter is still one
        let (answers, letters) = (w.answers("general").len(), w.link().letters);
        assert_eq!(answers + letters, 1, "killed {gap} ms later");
        assert_eq!(w.link().outbox_depth, 0);
    }
}

#[test]
fn one_letter_or_one_agents_can_be_meant() {
    let mut w = refused(8, 3);
    let keys: Vec<String> = listed(&mut w).listed.into_iter().map(|letter| letter.key).collect();
    assert_eq!(forget(&mut w, Some(&keys[1])), Ok("1 letter is dropped".into()));
    assert_eq!(again(&mut w, Some(&keys[2])), Ok("1 letter is in the outbox again".into()));
    w.run_for(mins(1));
    assert_eq!(w.answers("general"), ["re: m2"]);
    assert_eq!(listed(&mut w).listed[0].key, keys[0]);
    assert_eq!(forget(&mut w, Some("recruiter")), Ok("1 letter is dropped".into()));
    assert_eq!(forget(&mut w, None), Ok("no letter is dropped".into()));
    w.run_for(secs(1));
    w.crash();
    w.run_for(mins(1));
    assert_eq!(listed(&mut w).total, 0, "what was dropped stays so");
    assert_eq!(w.answers("general"), ["re: m2"]);
}

#[test]
fn the_log_says_what_somebody_did_with_letters_and_nothing_where_there_was_none() {
    let mut w = refused(8, 3);
    let key = listed(&mut w).listed.swap_remove(0).key;
    let did = || log::lines().into_iter().filter(|line| line.contains("as somebody asked")).collect::<Vec<_>>();
    forget(&mut w, Some(&key)).unwrap();
    again(&mut w, Some("recruiter")).unwrap();
    let told = [
        format!("1 letter is dropped, as somebody asked ({key})"),
        "2 letters are in the outbox again, as somebody asked (recruiter)".to_owned(),
    ];
    assert_eq!(did(), told);
    w.run_for(mins(1));
    assert_eq!(again(&mut w, None), Ok("no letter is in the outbox again".into()), "done, as far as a script cares");
    assert_eq!(forget(&mut w, Some("recruiter")), Ok("no letter is dropped".into()));
    assert_eq!(did(), told);
}

#[test]
fn what_is_neither_a_key_nor_an_agent_is_refused_clearly() {
    let mut w = refused(9, 1);
    for which in ["gb_nothing", "nobody", "bad\u{1b}[2J"] {
        for command in [again, forget] {
            let said = command(&mut w, Some(which)).unwrap_err();
            assert!(said.starts_with("control.request: there is no letter with the key "), "{said}");
            assert!(!said.contains('\u{1b}'), "{said:?}");
        }
    }
    assert_eq!(w.link().letters, 1);
}

#[test]
fn while_the_outbox_is_full_a_letter_stays_one() {
    let mut w = refused(10, 2);
    w.guild().trouble("post", 9_999, What::Status(503, Some(600_000)));
    for n in 0..300 {
        w.send("general", &format!("said {n}"));
    }
    w.run_for(secs(5));
    assert_eq!(w.link().outbox_depth, budget::OUTBOX_POSTS);
    let said = again(&mut w, None).unwrap_err();
    assert!(said.contains("no letter is in the outbox again; 2 stay: the outbox is full"), "{said}");
    assert_eq!(w.link().letters, 2);
}

#[test]
fn a_whole_outbox_that_is_refused_fits_and_beyond_it_the_oldest_fall_out_as_gaps() {
    let over = 3;
    let mut w = World::chatty(11);
    w.run_live();
    let count = budget::LETTERS + over;
    w.guild().trouble("post", count as u32, What::Status(403, None));
    for n in 0..count {
        w.say("general", "alice", &format!("m{n}"));
        w.run_for(secs(2));
    }
    w.run_for(mins(2));
    let link = w.link();
    assert_eq!((link.letters, link.gaps_by_reason.get("letters_full").copied()), (budget::LETTERS, Some(over as u64)));
    let texts: Vec<String> = listed(&mut w).listed.into_iter().map(|letter| letter.text).collect();
    assert_eq!((texts[0].as_str(), texts.len()), ("re: m3", budget::LETTERS));
    w.crash();
    w.run_for(mins(1));
    assert_eq!(listed(&mut w).listed[0].text, "re: m3");
    assert_eq!(w.link().gaps_by_reason["letters_full"], over as u64, "what fell out does not fall out again");
}

fn letter(key: &str, bytes: usize) -> Letter {
    let post = Post { key: key.into(), text: "x".repeat(bytes), ..Post::default() };
    Letter { channel: "c".into(), post, detail: String::new(), at_ms: 1 }
}

#[test]
fn letters_are_bounded_in_bytes_too() {
    let mut letters = Letters::default();
    // a letter is charged for what holds it, too
    let quarter = budget::LETTER_BYTES / 4 - size_of::<Letter>() - 2;
    for key in ["a", "b", "c", "d"] {
        assert!(letters.push(letter(key, quarter)).is_empty());
    }
    let fallen: Vec<String> = letters.push(letter("e", quarter + 1)).into_iter().map(|old| old.post.key).collect();
    assert_eq!(fallen, ["a", "b"]);
    assert_eq!(letters.take("c").map(|one| one.post.key), Some("c".into()));
    assert!(letters.push(letter("f", quarter)).is_empty() && letters.push(letter("f", quarter)).is_empty());
    assert_eq!(letters.count(), 3);
    assert_eq!(letters.push(letter("g", budget::LETTER_BYTES + 1)).len(), 4, "even one that is too large alone");
}

#[test]
fn a_send_that_is_refused_tells_whoever_sent_it_and_is_a_letter_too() {
    let mut w = World::chatty(12);
    w.run_live();
    w.guild().trouble("post", 1, What::Status(422, None));
    let client = w.send("general", "good morning");
    w.run_for(secs(10));
    let told = w.told.iter().rev().find(|(who, _)| *who == client).map(|(_, told)| format!("{told:?}")).unwrap();
    assert!(told.contains("answered 422") && told.contains("it is kept as letter gs_"), "{told}");
    assert_eq!(listed(&mut w).listed[0].text, "good morning");
}

#[test]
fn a_letters_text_is_clipped_where_it_is_listed_and_posted_whole() {
    let mut w = World::chatty(13);
    w.run_live();
    let text = format!("\u{1b}[2J{}", "long ".repeat(300));
    w.agent().habit = Habit::Says(text.clone());
    w.guild().trouble("post", 1, What::Status(422, None));
    w.say("general", "alice", "hi");
    w.run_for(secs(30));
    let letter = listed(&mut w).listed.remove(0);
    assert!(letter.text.len() <= 400 && !letter.text.contains('\u{1b}'), "{letter:?}");
    assert_eq!(letter.bytes, text.len());
    let client = w.ask(Command::ShowLetter { key: letter.key.clone() });
    let shown = w.told.iter().rev().find_map(|(who, told)| match told {
        Told::Letters(letters) if *who == client => Some((**letters).clone()),
        _ => None,
    });
    let whole = shown.unwrap();
    assert_eq!((whole.total, whole.listed[0].text.as_str(), &whole.listed[0].key), (1, text.as_str(), &letter.key));
    let none = says(&mut w, Command::ShowLetter { key: "gb_nothing".into() });
    assert!(none.unwrap_err().contains("there is no letter with the key gb_nothing"));
    assert!(again(&mut w, None).is_ok());
    w.run_for(secs(30));
    assert_eq!(w.answers("general"), [text.as_str()]);
}

#[test]
fn no_token_that_a_guild_says_back_stands_in_a_letter() {
    let mut w = World::chatty(14);
    w.run_live();
    let token = w.halls[0].model.tokens.keys().next().unwrap().clone();
    w.guild().trouble("post", 1, What::Body(403, "text/plain", format!("forbidden for {token}")));
    w.say("general", "alice", "hi");
    w.run_for(secs(30));
    assert_eq!(listed(&mut w).listed[0].detail, "answered 403: forbidden for [token]");
}

#[test]
fn letters_of_a_removed_agent_are_kept_for_30_days() {
    for (days, letters) in [(29, 1), (31, 0)] {
        let mut w = refused(15, 1);
        let agent = w.settings.agents.pop().unwrap();
        w.ask(Command::Reload(Box::new(w.settings.clone())));
        w.run_for(mins(1));
        w.kill();
        w.clock_offset_ms += days * 24 * 3_600_000;
        w.start();
        w.run_for(mins(1));
        w.settings.agents.push(agent);
        w.ask(Command::Reload(Box::new(w.settings.clone())));
        w.run_for(mins(1));
        assert_eq!(w.link().letters, letters, "after {days} days");
    }
}

#[test]
fn one_record_moves_a_post_to_the_letters_and_one_moves_it_back() {
    let record = |letter| Record::Letter { link: "a@g".into(), letter };
    let post = |key: &str| letter(key, 3).post;
    let mut kept = Kept::default();
    let waits = |key| Record::Post { link: "a@g".into(), channel: "c".into(), post: post(key) };
    [waits("1"), waits("2"), record(letter("1", 3)), record(letter("1", 3))].into_iter().for_each(|r| kept.apply(r));
    assert_eq!((kept.posts["a@g"].len(), kept.letters["a@g"].len()), (1, 1));
    kept.apply(waits("1"));
    assert_eq!((kept.posts["a@g"].len(), kept.letters.get("a@g")), (2, None));
    kept.apply(record(letter("2", 3)));
    kept.apply(Record::Posted { link: "a@g".into(), key: "2".into(), message: None });
    assert_eq!((kept.posts["a@g"].len(), kept.letters.get("a@g")), (1, None));
}

#[test]
fn people_see_what_was_refused_why_and_what_to_do() {
    let json = r#"{"total":2,"listed":[{"agent":"rex","guild":"acme","key":"gb_1","channel":"general","text":"hi\u001b[2J",
        "bytes":2,"reason":"guild.refused_post","detail":"answered 422","at":"2026-11-23T11:58:30Z","new":1}]}"#;
    let screen = View::read(json).unwrap().screen(1_795_435_200_000);
    let told = "gb_1: rex in acme, channel general, 2 bytes, 1m 30s ago\n    \
        guild.refused_post: the guild refused a reply for good; answered 422\n    hi\\u{1b}[2J\nand 1 more\n\n";
    assert!(screen.starts_with(told), "{screen}");
    assert!(screen.contains("letters retry [KEY|AGENT] posts them again"), "{screen}");
    let json = json.replace(r"hi\u001b[2J", r"hi\u001b[2J\n\n  there\r\n");
    let whole = View::read(&json).unwrap().whole(1_795_435_200_000);
    assert!(whole.ends_with("answered 422\n\nhi\\u{1b}[2J\n\n  there\\r\n\n"), "{whole:?}");
    let turned = json.replace(r"\r\n", r"\u202etxt.exe\u200b");
    let whole = View::read(&turned).unwrap().whole(1_795_435_200_000);
    assert!(whole.ends_with("  there\\u{202e}txt.exe\\u{200b}\n"), "{whole:?}");
    assert_eq!(
        View::read("{}").unwrap().screen(0),
        "no letters of the agents that are configured; those of removed ones come back with them\n"
    );
}

#[test]
fn a_journal_with_letters_says_the_same_written_anew() {
    let mut w = refused(16, 2);
    w.crash();
    let (kept, replayed) = replay(w.disk.bytes(&w.disk.last_name()));
    assert_eq!((kept.letters["recruiter@acme"].len(), replayed.why_cut), (2, None));
    let mut again = Kept::default();
    kept.records().into_iter().for_each(|record| again.apply(record));
    assert_eq!(again, kept);
}
