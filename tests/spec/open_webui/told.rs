//! Stories of an agent on a simulated Open WebUI server.

use super::server::{ALICE, BOT, SECOND};
use super::stage::{Stage, settings};
use guild_bridge::secret::Secret;
use guild_bridge::settings::{RespondTo, Settings};
use serde_json::{Value, json};

#[test]
fn an_hour_of_a_flapping_network_takes_one_sign_in() {
    let mut stage = Stage::new();
    stage.run_live();
    for n in 0..60 {
        stage.run(20_000);
        stage.drop_lines();
        stage.server.say("general", ALICE, &format!("word {n}"), None);
        stage.cut = n % 3 == 0;
        stage.run(40_000);
        stage.cut = false;
    }
    stage.run(300_000);
    assert_eq!((stage.server.sign_ins.len(), stage.server.refused), (1, 0));
    assert!(stage.dials > 60);
    let wanted: Vec<String> = (0..60).map(|n| format!("word {n}")).collect();
    assert_eq!(stage.heard(), wanted, "nothing lost, nothing doubled, in order");
    assert_eq!(stage.server.posted("general").len(), 60);
}

#[test]
fn sign_ins_are_at_least_20_s_apart_and_a_429_is_waited_for_a_minute() {
    let mut stage = Stage::new();
    stage.server.sign_ins = vec![0; 15];
    stage.run(59_000);
    assert_eq!(stage.status().reason, Some("rate.limited"));
    assert_eq!(stage.server.sign_ins.len(), 16, "one was tried, and then it waits");
    stage.server.sign_ins.truncate(1);
    stage.run_live();
    for _ in 0..20 {
        stage.server.revoke();
        stage.run(5_000);
    }
    let apart = stage.server.sign_ins.windows(2).skip(1).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(apart >= 20_000, "{apart} ms apart");
    assert_eq!(stage.server.refused, 1, "no 429 of our own making");
}

#[test]
fn what_was_said_while_away_is_answered_in_order_the_oldest_first_over_many_pages() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.cut = true;
    stage.drop_lines();
    for n in 0..500 {
        stage.server.say("general", ALICE, &format!("word {n}"), None);
        stage.run(10);
    }
    stage.cut = false;
    stage.run(600_000);
    let wanted: Vec<String> = (0..500).map(|n| format!("word {n}")).collect();
    assert_eq!(stage.heard(), wanted);
    assert!(stage.turns.iter().all(|turn| turn.replayed));
    assert!(stage.server.reads < 130, "{} pages were read", stage.server.reads);
    assert_eq!(stage.status().gaps, 0);
}

#[test]
fn messages_that_come_while_history_is_read_shift_it_and_none_is_lost() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.cut = true;
    stage.drop_lines();
    (0..200).for_each(|n| drop(stage.server.say("general", ALICE, &format!("word {n}"), None)));
    stage.cut = false;
    for n in 200..300 {
        stage.run(70);
        stage.server.say("general", ALICE, &format!("word {n}"), None);
    }
    stage.run(600_000);
    let mut heard = stage.heard();
    heard.sort_unstable();
    heard.dedup();
    assert_eq!((heard.len(), stage.turns.len()), (300, 300));
}

#[test]
fn replies_in_threads_that_came_while_away_are_found_through_their_parents() {
    let mut stage = Stage::new();
    stage.run_live();
    let old = stage.server.say("general", ALICE, "old parent", None);
    (0..60).for_each(|n| drop(stage.server.say("general", ALICE, &format!("word {n}"), None)));
    stage.run(60_000);
    stage.cut = true;
    stage.drop_lines();
    stage.run(1_000);
    let new = stage.server.say("general", ALICE, "new parent", None);
    stage.server.say("general", ALICE, "to the new one", Some(&new));
    stage.server.say("general", ALICE, "to the old one", Some(&old));
    stage.cut = false;
    stage.run(120_000);
    let in_thread = |parent: &str| {
        let all = stage.server.posted("general");
        all.into_iter().filter(|(.., of)| of.as_deref() == Some(parent)).map(|(said, ..)| said).collect::<Vec<_>>()
    };
    assert_eq!(in_thread(&new), ["re: to the new one"]);
    assert_eq!(in_thread(&old), ["re: to the old one"]);
    assert!(stage.turns.iter().any(|turn| turn.conv.key == format!("home.general.{old}")));
}

/// A message, so many others, and a reply in its thread that comes while the agent is away.
pub fn away_from_an_old_thread(others: usize) -> (Stage, String) {
    let mut stage = Stage::new();
    let old = stage.server.say("general", ALICE, "old parent", None);
    (0..others).for_each(|n| drop(stage.server.say("general", "hook", &format!("row {n}"), None)));
    stage.run_live();
    stage.cut = true;
    stage.drop_lines();
    stage.run(1_000);
    stage.server.say("general", ALICE, "to the old one", Some(&old));
    stage.cut = false;
    (stage, old)
}

#[test]
fn a_reply_in_a_far_older_thread_is_found_where_the_list_tells_of_it_and_history_does_not() {
    let (mut stage, old) = away_from_an_old_thread(1_900);
    stage.run(120_000);
    assert_eq!(stage.heard(), ["to the old one"]);
    let posted = stage.server.posted("general");
    assert_eq!(posted.iter().filter(|(.., thread)| thread.as_ref() == Some(&old)).count(), 1);
    assert_eq!(stage.status().gaps, 0);
}

#[test]
fn a_reply_in_a_thread_that_is_older_still_is_a_gap_and_is_looked_for_once() {
    let (mut stage, _) = away_from_an_old_thread(2_500);
    stage.run(120_000);
    let reads = stage.server.reads;
    assert_eq!((stage.heard().len(), stage.status().gaps), (0, 1));
    stage.run(600_000);
    assert!(stage.server.reads < reads + 100, "{} pages were read again", stage.server.reads - reads);
    assert_eq!(stage.status().gaps, 1);
}

#[test]
fn a_newest_message_that_is_gone_is_no_gap() {
    let (mut stage, old) = away_from_an_old_thread(500);
    stage.server.channels[0].messages.retain(|message| message.id != old);
    stage.run(300_000);
    assert_eq!((stage.heard().len(), stage.status().gaps), (0, 0));
}

#[test]
fn a_post_whose_answer_is_lost_is_looked_for_and_not_repeated() {
    for parent in [false, true] {
        let mut stage = Stage::new();
        stage.run_live();
        let parent = parent.then(|| stage.server.say("general", BOT, "parent", None));
        stage.server.lose_answer = true;
        // the echo is lost, too
        let told = stage.server.say("general", ALICE, "hello", parent.as_deref());
        stage.run_till(1_000, |stage| stage.server.posted("general").iter().any(|(said, ..)| said == "re: hello"));
        stage.server.out.clear();
        stage.run(120_000);
        let posted = stage.server.posted("general");
        let answers: Vec<_> = posted.iter().filter(|(said, ..)| said == "re: hello").collect();
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].1.as_ref(), &answers[0].2), (Some(&told), &parent));
        assert_eq!((stage.status().outbox_depth, stage.status().replies_posted), (0, 1));
    }
}

#[test]
fn history_tells_the_files_that_its_rows_leave_out() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.cut = true;
    stage.drop_lines();
    let files =
        json!({"files": [{"type": "file", "id": "f1", "name": "a.txt", "content_type": "text/plain", "size": 3}]});
    stage.server.store("general", ALICE, "", None, None, files, Value::Null, false);
    stage.server.store("general", ALICE, "", None, None, Value::Null, Value::Null, false);
    stage.cut = false;
    stage.run(60_000);
    assert_eq!(stage.turns.len(), 1, "an empty post asks for nothing, unless files hang on it");
    assert_eq!(stage.turns[0].message.attachments[0].name, "a.txt");
}

#[test]
fn the_agents_own_posts_webhooks_and_models_answers_get_no_answer() {
    let mut settings = settings();
    settings.agents[0].respond_to = RespondTo::All;
    let mut stage = Stage::of(settings);
    stage.run_live();
    stage.server.say("general", BOT, "mine", None);
    stage.server.say("general", "hook", "built", None);
    stage.server.store("general", ALICE, "42", None, None, Value::Null, json!({"model_id": "llama"}), true);
    stage.server.say("general", ALICE, "a person's", None);
    stage.run(130_000);
    assert_eq!(stage.heard(), ["a person's"]);
}

#[test]
fn a_mention_is_by_id_and_a_direct_message_always_counts() {
    let mut settings = settings();
    settings.agents[0].respond_to = RespondTo::Mentions;
    let mut stage = Stage::of(settings);
    stage.run_live();
    stage.server.say("general", ALICE, "for nobody", None);
    let mention = format!("<@U:{BOT}|Bot> for you");
    stage.server.say("general", ALICE, &mention, None);
    stage.server.say("general", ALICE, &format!("<@U:{ALICE}|Alice> for her"), None);
    stage.server.say("dm", ALICE, "direct", None);
    stage.run(10_000);
    let mut heard = stage.heard();
    heard.sort_unstable();
    assert_eq!(heard, [mention.as_str(), "direct"]);
}

#[test]
fn what_is_older_than_the_first_list_is_not_answered_and_backfill_answers_the_last_n() {
    for backfill in [0, 1, 3, 30] {
        let mut settings = settings();
        settings.agents[0].backfill = backfill;
        let mut stage = Stage::of(settings);
        (1..=25).for_each(|n| drop(stage.server.say("general", ALICE, &format!("old {n}"), None)));
        stage.run(60_000);
        let from = 26 - (backfill as usize).min(25);
        let wanted: Vec<String> = (from..26).map(|n| format!("old {n}")).collect();
        assert_eq!(stage.heard(), wanted, "backfill {backfill}");
    }
}

#[test]
fn a_message_that_was_deleted_costs_no_other_and_answers_none_again() {
    let mut stage = Stage::new();
    stage.run_live();
    (0..10).for_each(|n| drop(stage.server.say("general", ALICE, &format!("old {n}"), None)));
    stage.run(70_000);
    stage.cut = true;
    stage.drop_lines();
    // the last ones that were answered, and all the answers
    stage.server.channels[0].messages.retain(|message| message.user != BOT && message.text.as_str() < "old 7");
    stage.server.say("general", ALICE, "new", None);
    stage.cut = false;
    stage.run(130_000);
    assert_eq!(stage.heard().len(), 11);
    assert_eq!(stage.heard().last(), Some(&"new"));
}

#[test]
fn a_reload_of_the_same_configuration_keeps_the_connection() {
    let mut stage = Stage::new();
    stage.run_live();
    let dials = stage.dials;
    stage.ask(guild_bridge::port::Command::Reload(Box::new(settings())));
    stage.run(10_000);
    assert_eq!(stage.dials, dials);
    stage.server.say("general", BOT, "mine", None);
    stage.run(10_000);
    assert!(stage.turns.is_empty(), "it still knows who it is");
}

/// Two agents with a login each.
fn two() -> Settings {
    let mut settings = settings();
    let mut second = settings.agents[0].clone();
    (second.name, second.id) = ("second".into(), "second".into());
    second.login = Some("second@example.org".into());
    settings.agents.push(second);
    settings
}

#[test]
fn agents_that_start_together_do_not_answer_each_others_old_posts() {
    let mut settings = two();
    settings.agents.iter_mut().for_each(|agent| agent.backfill = 10);
    let mut stage = Stage::of(settings);
    stage.second_ms = 12_000;
    for user in [ALICE, BOT, SECOND] {
        stage.server.say("general", user, &format!("of {user}"), None);
    }
    stage.run(11_000);
    assert!(stage.turns.is_empty(), "who wrote what is not known yet");
    stage.run(60_000);
    let of_alice = format!("of {ALICE}");
    assert_eq!(stage.heard(), [&of_alice, &of_alice], "each answers the person alone");
}

#[test]
fn an_agent_that_cannot_sign_in_holds_up_its_fellows_for_half_a_minute_once() {
    let mut settings = two();
    settings.agents[1].key = Ok(Secret::new("wrong"));
    settings.agents[0].backfill = 1;
    let mut stage = Stage::of(settings);
    stage.server.say("general", ALICE, "hello", None);
    stage.run(29_000);
    assert!(stage.turns.is_empty());
    stage.run(3_000);
    assert_eq!(stage.heard(), ["hello"]);
    stage.drop_lines();
    stage.server.say("general", ALICE, "again", None);
    stage.run(10_000);
    assert_eq!(stage.heard(), ["hello", "again"]);
}

#[test]
fn another_agent_of_this_daemon_counts_as_a_bot_as_soon_as_the_guild_says_who_it_is() {
    let mut settings = two();
    settings.agents[1].respond_to = RespondTo::Direct;
    let mut stage = Stage::of(settings);
    stage.run_live();
    stage.run(5_000);
    stage.server.say("general", SECOND, "for nobody", None);
    let mention = format!("<@U:{BOT}|Bot> for you");
    stage.server.say("general", SECOND, &mention, None);
    stage.run(50_000);
    let asked = |name: &str| stage.turns.iter().filter(|turn| turn.agent == name).count();
    let first = stage.turns.iter().find(|turn| turn.agent == "echo").unwrap();
    assert_eq!(first.message.text, mention);
    assert!(!stage.heard().contains(&"for nobody"));
    // each answers the other's answer to it, and that is where it ends
    assert!(asked("echo") <= 20 && asked("second") <= 20, "{} and {}", asked("echo"), asked("second"));
    assert_eq!(stage.server.sign_ins.len(), 2, "{:?}", stage.links());
}

#[test]
fn what_another_daemons_agent_posted_counts_as_a_bots_though_its_account_is_a_persons() {
    let mut stage = Stage::new();
    stage.run_live();
    for (heard, key) in [(true, "gb_0a"), (true, "gs_0a"), (false, "gb_0b"), (false, "gs_0b")] {
        let data = json!({"client_id": key});
        stage.server.store("general", ALICE, key, None, None, data, Value::Null, heard);
        stage.server.say("general", ALICE, &format!("after {key}"), None);
    }
    stage.run(130_000);
    let mut heard = stage.heard();
    heard.sort_unstable();
    assert_eq!(heard, ["after gb_0a", "after gb_0b", "after gs_0a", "after gs_0b"]);
}
