//! The eight silent forms: each ends in the right state and reason, and is mended without losing or doubling a message.

use super::server::{ALICE, EPOCH_MS};
use super::stage::{Stage, settings};
use crate::world::log;
use guild_bridge::call::{Answer, Got};
use guild_bridge::doctor::Step;
use guild_bridge::doctor::examination::Examination;
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::{Input, Output};
use guild_bridge::reason::Reason;
use guild_bridge::secret::Secret;

/// Says something and waits for the one answer to it.
fn answers(stage: &mut Stage, text: &str, within_ms: u64) {
    stage.server.say("general", ALICE, text, None);
    answered(stage, text, within_ms);
}

fn answered(stage: &mut Stage, text: &str, within_ms: u64) {
    let want = format!("re: {text}");
    let count = |stage: &Stage| stage.server.posted("general").iter().filter(|(said, ..)| *said == want).count();
    assert!(stage.run_till(within_ms, |stage| count(stage) > 0), "{text} is not answered: {:?}", stage.status());
    stage.run(120_000);
    assert_eq!(count(stage), 1, "{text} is answered once");
}

#[test]
fn a_token_that_the_server_does_not_know_any_more_is_found_out_by_the_join_and_another_is_signed_in_for() {
    let mut stage = Stage::new();
    stage.run_live();
    // the server's secret changed while it was down: nobody told anybody
    stage.server.stamp += 1;
    stage.server.sockets.clear();
    stage.drop_lines();
    let dials = stage.dials;
    assert!(
        stage.run_till(10_000, |stage| stage.status().reason == Some("auth.connect_error")),
        "{:?}",
        stage.status()
    );
    assert_eq!((stage.status().state, stage.dials), ("backoff", dials + 1));
    stage.run_live();
    answers(&mut stage, "hello", 10_000);
    assert_eq!(stage.server.sign_ins.len(), 2);
}

#[test]
fn a_token_that_ends_is_renewed_a_minute_before_and_nothing_is_lost() {
    let mut stage = Stage::new();
    stage.server.life_s = Some(600);
    stage.run_live();
    stage.run(535_000);
    assert_eq!(stage.server.sign_ins.len(), 1);
    for n in 0..20 {
        stage.server.say("general", ALICE, &format!("word {n}"), None);
        stage.run(1_000);
    }
    stage.run(120_000);
    assert_eq!(stage.server.sign_ins.len(), 2, "signed in for again within its last minute");
    let wanted: Vec<String> = (0..20).map(|n| format!("word {n}")).collect();
    assert_eq!(stage.heard(), wanted);
    assert_eq!(stage.server.posted("general").len(), 20);
}

#[test]
fn an_account_that_waits_for_an_admin_is_refused_and_live_once_it_is_accepted() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.server.role = "pending";
    stage.server.revoke();
    assert!(stage.run_till(30_000, |stage| stage.status().state == "refused"), "{:?}", stage.status());
    let link = stage.status();
    assert_eq!(link.reason, Some("auth.key_refused"));
    assert!(link.detail.contains("pending"), "{}", link.detail);
    stage.server.say("general", ALICE, "while away", None);
    stage.run(300_000);
    stage.server.role = "user";
    answered(&mut stage, "while away", 2_700_000);
    assert_eq!(stage.status().state, "live");
}

#[test]
fn a_wrong_password_is_refused_and_a_reload_with_the_right_one_mends_it() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.server.password = "another".into();
    stage.server.revoke();
    assert!(stage.run_till(30_000, |stage| stage.status().state == "refused"), "{:?}", stage.status());
    assert_eq!(stage.status().reason, Some("auth.key_refused"));
    let mut right = settings();
    right.agents[0].key = Ok(Secret::new("another"));
    let client = guild_bridge::port::Client(1);
    let now = guild_bridge::moment::Now { at: guild_bridge::moment::Moment(stage.at), wall_ms: stage.at };
    let command = guild_bridge::port::Command::Reload(Box::new(right));
    stage.relay.handle(guild_bridge::port::Input::Control(client, command), now);
    answers(&mut stage, "hello", 40_000);
}

#[test]
fn an_account_without_the_permission_has_a_good_ack_and_is_found_out_by_the_list() {
    let mut stage = Stage::new();
    stage.server.permitted = false;
    assert!(stage.run_till(10_000, |stage| stage.status().reason == Some("auth.http_401")), "{:?}", stage.status());
    assert_eq!(stage.status().state, "backoff");
    stage.run(3_600_000);
    assert_eq!(stage.server.refused, 0, "no 429 of our own making");
    stage.server.permitted = true;
    assert!(stage.run_till(900_000, |stage| stage.status().state == "live"), "{:?}", stage.status());
    answers(&mut stage, "hello", 10_000);
}

#[test]
fn a_history_that_is_refused_while_the_socket_works_takes_four_sign_ins_an_hour_in_the_end() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.run(3_600_000);
    stage.server.unread = true;
    stage.server.say("general", ALICE, "while it is refused", None);
    stage.drop_lines();
    let since = |stage: &Stage, from: u64| stage.server.sign_ins.iter().filter(|at| **at >= from).count();
    let from = stage.at;
    assert!(stage.run_till(10_000, |stage| since(stage, from) == 1), "the first doubt is acted on at once");
    stage.run(61_000);
    assert_eq!(since(&stage, from), 3, "20 s and 40 s later another two");
    stage.run(3_529_000);
    assert!((5..=9).contains(&since(&stage, from)), "{}", since(&stage, from));
    let next_s = stage.status().next_try_s;
    let from = stage.at;
    stage.run(7_200_000);
    assert!((7..=8).contains(&since(&stage, from)), "{} in two hours", since(&stage, from));
    assert!(next_s.is_some_and(|s| s > 60), "that it waits is told: {next_s:?}");
    stage.server.unread = false;
    stage.ask(guild_bridge::port::Command::Restart { agent: "echo".into() });
    answered(&mut stage, "while it is refused", 10_000);
}

#[test]
fn a_token_that_served_for_long_is_doubted_without_a_rest_however_many_were_doubted_before() {
    let mut stage = Stage::new();
    stage.run_live();
    for _ in 0..12 {
        stage.run(910_000);
        stage.server.revoke();
        stage.run(5_000);
        assert_eq!(stage.status().state, "live", "{:?}", stage.status());
    }
    assert_eq!(stage.server.sign_ins.len(), 13);
}

#[test]
fn the_log_says_when_the_next_attempt_is_where_a_sign_in_has_to_wait() {
    log::begin();
    let mut stage = Stage::new();
    stage.run_live();
    let was = stage.at;
    stage.server.revoke();
    stage.run(1_000);
    let said = log::lines();
    let said = said.iter().find_map(|line| line.split_once("next attempt in ")).map(|(_, rest)| rest.to_owned());
    let seconds: f64 = said.and_then(|said| said.split(' ').next()?.parse().ok()).expect("it is told");
    let left = (20_000 - was) as f64 / 1000.0;
    assert!((seconds - left).abs() < 1.0, "{seconds} of {left}");
    assert!((18..=20).contains(&stage.status().next_try_s.unwrap()));
}

#[test]
fn a_good_ack_that_lets_nobody_in_is_not_live_and_history_answers_meanwhile() {
    let mut stage = Stage::new();
    stage.server.deaf_joins = true;
    stage.run(30_000);
    let link = stage.status();
    assert_eq!((link.state, link.channels_proven), ("unproven", 0));
    answers(&mut stage, "through history", 60_000);
    stage.server.say("general", ALICE, "again", None);
    stage.run_till(120_000, |stage| stage.status().state == "deaf");
    assert_eq!(stage.status().reason, Some("deaf.history"));
    stage.server.deaf_joins = false;
    stage.run(400_000);
    answers(&mut stage, "hello", 60_000);
    stage.run_live();
}

#[test]
fn a_channel_that_comes_later_is_joined_though_nothing_tells_of_it() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.server.add_channel("later");
    stage.server.say("later", ALICE, "before the join", None);
    stage.run_till(70_000, |stage| stage.status().channels_proven == 3);
    stage.run(10_000);
    stage.server.say("later", ALICE, "after it", None);
    stage.run(5_000);
    let said: Vec<String> = stage.server.posted("later").into_iter().map(|(said, ..)| said).collect();
    assert_eq!(said, ["re: before the join", "re: after it"]);
}

#[test]
fn a_direct_message_that_was_hidden_and_is_revived_is_joined_again() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.server.channels[1].listed = false;
    stage.server.sockets.values_mut().for_each(|socket| socket.rooms.retain(|room| room != "dm"));
    stage.run(130_000);
    assert_eq!(stage.status().channels_total, 1);
    // it is listed again, and whoever hid it is not in its room
    stage.server.say("dm", ALICE, "are you there?", None);
    stage.run(130_000);
    stage.server.say("dm", ALICE, "good", None);
    stage.run(5_000);
    let said: Vec<String> = stage.server.posted("dm").into_iter().map(|(said, ..)| said).collect();
    assert_eq!(said, ["re: are you there?", "re: good"]);
}

#[test]
fn after_41_the_websocket_stays_open_and_pings_and_is_hung_up_all_the_same() {
    let mut stage = Stage::new();
    stage.run_live();
    let dials = stage.dials;
    stage.server.revoke();
    stage.run(1_000);
    assert_eq!(stage.status().reason, Some("auth.disconnected"));
    assert!(stage.server.sockets.is_empty(), "it was hung up");
    stage.run_live();
    assert_eq!(stage.dials, dials + 1);
    answers(&mut stage, "hello", 10_000);
}

#[test]
fn a_session_that_lost_its_token_in_silence_is_found_out_by_the_heartbeat() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.server.stamp += 1;
    assert!(stage.run_till(31_000, |stage| stage.status().state != "live"), "{:?}", stage.status());
    stage.run_live();
    answers(&mut stage, "hello", 10_000);
}

#[test]
fn a_refused_sign_in_says_what_the_server_said_and_never_the_password() {
    let mut stage = Stage::new();
    stage.server.password = "another".into();
    stage.server.refusal = "\u{1b}[2J no\nsuch secret ".into();
    stage.run(1_000);
    let link = stage.status();
    let said = "the mint at http://127.0.0.1:8080 answered 400: \\u{1b}[2J no\\nsuch [key]";
    assert_eq!((link.state, link.detail.as_str()), ("refused", said));
    stage.server.refusal = "long ".repeat(200);
    stage.run(3_600_000);
    assert!(stage.status().detail.len() < 250, "{}", stage.status().detail);
}

#[test]
fn a_walk_of_an_account_that_waits_for_an_admin_ends_at_the_sign_in() {
    let mut stage = Stage::new();
    stage.server.role = "pending";
    let settings = settings();
    let now = Now { at: Moment(0), wall_ms: EPOCH_MS };
    let mut walk = Examination::new(&settings, &settings.agents[0], &settings.guilds[0], 1, 0, now);
    walk.tick(now);
    let Some(Output::Call(ticket, call)) = walk.poll() else { panic!("it signs in") };
    let (status, body) = stage.server.call(true, &call.url, None, call.body.as_deref().unwrap()).unwrap();
    let body = body.to_string();
    let got = Got { status, body: body.as_bytes(), date_ms: Some(EPOCH_MS), ..Got::default() };
    walk.handle(Input::Answer(ticket, Answer::Got(got)), now);
    let [found] = &walk.found()[..] else { panic!("one step is told") };
    assert_eq!((found.step, found.reason()), (Step::Mint, Some(Reason::AuthKeyRefused)));
    assert!(found.seen.contains("`pending`") && walk.is_over(), "{}", found.seen);
}

#[test]
fn channels_that_are_switched_off_are_not_live_and_say_so_until_they_are_on_again() {
    let mut stage = Stage::new();
    stage.run_live();
    stage.server.switched_off = true;
    stage.run(130_000);
    let link = stage.status();
    assert_eq!((link.state, link.reason, link.channels_proven), ("unproven", Some("http.status"), 0));
    assert_eq!(link.detail, "the channel list answered 403: Channels are not enabled");
    stage.server.switched_off = false;
    stage.run(62_000);
    let link = stage.status();
    assert_eq!((link.state, link.reason, link.detail.as_str()), ("live", None, ""));
    answers(&mut stage, "hello", 5_000);
    assert_eq!(stage.server.sign_ins.len(), 1);
}
