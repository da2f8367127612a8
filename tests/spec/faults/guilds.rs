//! What a guild does with messages, channels and agents.

use crate::world::{Habit, What, World, mins, secs};

#[test]
fn an_edit_is_not_delivered_and_an_edited_message_is_not_given_again() {
    let mut w = World::chatty(1);
    w.run_live();
    let id = w.say("general", "alice", "first words");
    w.run_for(secs(2));
    w.guild().model.channels.get_mut("general").unwrap().messages[0].text = "second words".into();
    let edited =
        format!(r#"{{"id":"{id}","channelId":"general","authorId":"alice","text":"second words","edited":true}}"#);
    w.guild().inject(&format!(r#"42["message.updated",{edited}]"#));
    w.guild().inject(&format!(r#"42["message.created",{edited}]"#));
    w.drop_lines();
    w.run_for(mins(10));
    w.say("general", "alice", "later");
    w.run_for(secs(5));
    assert_eq!(w.heard(), ["first words", "later"]);
}

#[test]
fn a_deletion_takes_back_nothing_that_waits_and_hides_nothing_that_follows() {
    let mut w = World::chatty(2);
    w.run_live();
    w.agent().takes_ms = secs(4);
    let ids: Vec<String> = ["one", "two", "three"].iter().map(|text| w.say("general", "alice", text)).collect();
    w.run_for(secs(1));
    w.guild().model.channels.get_mut("general").unwrap().messages.retain(|m| m.id != ids[1]);
    w.guild().inject(&format!(r#"42["message.deleted",{{"id":"{}","channelId":"general"}}]"#, ids[1]));
    w.run_for(mins(3));
    assert_eq!(w.heard(), ["one", "two", "three"]);
    // the newest, which the cursor names, while nobody listens: it cannot be told from a history that was cut
    w.guild().up = false;
    w.guild().close_lines();
    let newest = w.guild().model.channels.get_mut("general").unwrap().messages.pop();
    assert_eq!(newest.unwrap().text, "re: three");
    w.say("general", "alice", "four");
    w.run_for(secs(30));
    w.guild().up = true;
    w.run_for(mins(5));
    assert_eq!(w.heard(), ["one", "two", "three", "four"]);
    let gaps = w.link().gaps_by_reason.clone();
    assert_eq!(gaps, [("history_cut", 1)].into());
}

#[test]
fn an_agent_that_is_thrown_out_is_refused_and_the_others_go_on() {
    let mut w = World::chatty(3);
    w.add_agent("scout", &["acme"]);
    w.guild().model.add_channel("pair", "channel", &["alice", "scout"]);
    w.run_for(secs(10));
    w.guild().model.refuse_agent("recruiter");
    w.guild().model.revoke_tokens("recruiter");
    w.guild().model.kick("recruiter", true);
    w.guild().flush();
    for i in 0..10 {
        w.say("pair", "alice", &format!("@scout {i}"));
        w.run_for(mins(1));
    }
    assert_eq!((w.state(), w.reason()), ("refused", "auth.key_refused"));
    assert_eq!(w.hands["scout"].heard().len(), 10);
    assert_eq!(w.story.offered.iter().filter(|offer| offer.1 == "scout@acme").count(), 1);
    w.guild().model.add_agent("recruiter", "recruiter", "key-of-recruiter");
    w.run_till(mins(16), "it is let in again", |w| w.status().links.iter().all(|link| link.state == "live"));
}

#[test]
fn an_echo_that_overtakes_the_answer_to_its_post_is_not_given_to_its_author() {
    let mut w = World::chatty(4);
    w.settings.agents[0].bots_all = true;
    w.run_live();
    w.guild().trouble("post", 1, What::Slow(secs(6)));
    w.say("general", "alice", "hi");
    w.run_for(secs(3));
    assert_eq!((w.answers("general").len(), w.calls_of("post")), (1, 1), "the echo is there, the answer is not");
    w.run_for(mins(3));
    w.drop_lines();
    w.run_for(mins(3));
    assert_eq!((w.heard(), w.answers("general")), (vec!["hi"], vec!["re: hi"]));
}

/// Alice says something at a time of its own.
fn say_at(w: &mut World, text: &str, created_ms: u64) {
    w.guild().model.say_all("general", "alice", text, None, Vec::new(), created_ms);
    w.guild().flush();
}

#[test]
fn times_that_stand_still_or_run_backwards_say_nothing_about_order() {
    let mut w = World::chatty(5);
    w.run_live();
    let wall = w.guild().wall();
    let times = [wall, wall, wall - 86_400_000, wall + 86_400_000, 0, wall, 253_402_300_799_000];
    for (i, at) in times.into_iter().enumerate() {
        say_at(&mut w, &format!("heard {i}"), at);
    }
    w.run_for(secs(10));
    w.kill();
    for (i, at) in times.into_iter().enumerate() {
        say_at(&mut w, &format!("missed {i}"), at);
    }
    w.run_for(mins(1));
    w.start();
    w.run_for(mins(3));
    let expected = ["heard", "missed"].iter().flat_map(|word| (0..7).map(move |i| format!("{word} {i}")));
    assert_eq!((w.heard(), w.link().gaps), (expected.collect::<Vec<_>>().iter().map(String::as_str).collect(), 0));
}

#[test]
fn ids_that_do_not_grow_are_as_good_as_any() {
    let mut w = World::chatty(6);
    // neither in order nor of one length
    w.guild().model.options.id = |n| format!("{:x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 3 * 16));
    w.say("general", "alice", "before the start");
    w.run_live();
    for i in 0..120 {
        w.say("general", "alice", &format!("m{i}"));
        w.run_for(secs(7));
        match i % 40 {
            10 => w.drop_lines(),
            20 => w.crash(),
            30 => w.whisper(&format!("m{i} unheard")),
            _ => {}
        }
    }
    w.run_for(mins(5));
    let mut heard = w.heard();
    heard.retain(|text| !text.ends_with("unheard"));
    assert_eq!(
        (heard, w.link().gaps),
        ((0..120).map(|i| format!("m{i}")).collect::<Vec<_>>().iter().map(String::as_str).collect(), 0)
    );
    assert_eq!(w.heard().len(), 123);
}

#[test]
fn messages_without_text_of_files_alone_or_of_the_system_are_given_as_they_are() {
    let mut w = World::chatty(7);
    w.run_live();
    w.say("general", "alice", "");
    w.guild().say_with("general", "alice", "", &[("a1", 10)]);
    let system = r#"{"id":"s1","channelId":"general","authorId":null,"type":"join","text":null,"attachments":null}"#;
    w.guild().inject(&format!(r#"42["message.created",{system}]"#));
    w.run_for(secs(10));
    w.say("general", "alice", "words");
    w.run_for(secs(10));
    let files: Vec<usize> = w.agent().asked.iter().map(|asked| asked.turn.message.attachments.len()).collect();
    assert_eq!((w.heard(), files), (vec!["", "", "", "words"], vec![0, 1, 0, 0]));
    assert_eq!((w.state(), w.link().gaps), ("live", 0));
}

#[test]
fn what_an_agent_writes_is_posted_as_it_wrote_it() {
    let mut w = World::chatty(8);
    w.run_live();
    let text = "@everyone <!here> <@u7> [x](javascript:1) \u{202e}txt.exe";
    w.agent().habit = Habit::Says(text.into());
    w.say("general", "alice", "@recruiter2 @RECRUITER\u{200b} hi");
    w.run_for(secs(5));
    assert_eq!(w.answers("general"), [text]);
}
