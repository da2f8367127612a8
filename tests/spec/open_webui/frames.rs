//! Frames as version 0.12.4 of the real server sent them.

use super::stage::settings;
use guild_bridge::codec::socket::{self, Event};
use guild_bridge::dialect::{self, Dialect, Heard, Incoming, JoinAnswer, Row};
use guild_bridge::secret::Secret;

const GOOD: &str = include_str!("frames/s01_good_session.jsonl");
const BAD_TOKEN: &str = include_str!("frames/s02_bad_token.jsonl");
const LATER: &str = include_str!("frames/s06_new_channels_while_connected.jsonl");
const FILES: &str = include_str!("frames/s08_files.jsonl");
const PROBES: &str = include_str!("frames/s12_typing_probe.jsonl");
const BOT: &str = "7c0d36b3-331a-453b-9197-432fb78c4d5d";
const ALICE: &str = "bc732e3e-5467-44ba-8c02-0a17c082a2f2";

fn spoken() -> Box<dyn Dialect> {
    dialect::of(&settings().guilds[0])
}

/// The texts that went one way.
fn texts(frames: &str, way: &str) -> Vec<String> {
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let went = frames.lines().map(read).filter(|frame| frame["dir"] == way);
    went.filter_map(|frame| frame["text"].as_str().map(str::to_owned)).collect()
}

/// The events of a recording, as the dialect hears them.
fn each(frames: &str, mut hear: impl FnMut(Heard<'_>)) {
    let dialect = spoken();
    for text in texts(frames, "s2c") {
        let Some(packet) = text.strip_prefix('4').and_then(|text| socket::Packet::decode(text).ok()) else { continue };
        if packet.kind == socket::Kind::Event {
            hear(dialect.event(&Event::read(packet.json).unwrap()));
        }
    }
}

fn messages(frames: &str) -> Vec<Incoming<'static>> {
    let mut messages = Vec::new();
    each(frames, |heard| {
        if let Heard::Message(message, _) = heard {
            messages.push(message.into_owned());
        }
    });
    messages
}

#[test]
fn a_message_of_the_real_server_is_read_with_its_author_time_and_mentions() {
    let first = &messages(GOOD)[0];
    assert_eq!(first.id, "1795448171622840051.3867e628-9e23-4349-8536-8ba8c5707b9c");
    assert_eq!((first.author.as_ref(), first.author_name.as_deref()), (ALICE, Some("Alice")));
    assert_eq!(first.text, format!("hello <@U:{BOT}|Bot> ünïcødé 👋"));
    assert_eq!(first.mentions.as_deref(), Some(&[BOT.into()][..]));
    assert_eq!((first.at.as_ref(), first.bot), ("2026-11-23T15:36:11.622Z", false));
    assert_eq!(first.channel, "23b3a622-1045-49a8-aa1d-ac2929567e42");
}

#[test]
fn edits_reactions_deletions_and_the_parents_of_replies_are_no_messages() {
    let (mut others, mut parents) = (0, 0);
    each(GOOD, |heard| others += usize::from(matches!(heard, Heard::Other)));
    for text in texts(GOOD, "s2c") {
        parents += usize::from(text.contains("\"type\":\"message:reply\""));
    }
    assert!(parents > 0 && others >= parents, "{others} of which {parents} are parents");
    let mut ids: Vec<_> = messages(GOOD).iter().map(|message| message.id.to_string()).collect();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "no message came twice");
}

#[test]
fn a_reply_in_a_thread_names_its_thread_and_is_posted_back_there() {
    let replies: Vec<_> = messages(GOOD).into_iter().filter(|message| message.thread.is_some()).collect();
    let reply = replies.first().expect("the recording has a reply in a thread");
    let thread = reply.thread.as_deref().unwrap();
    let post = spoken().post_about("c", Some(&reply.id), "yes", Some(&reply.id), "gb_1");
    let body: serde_json::Value = serde_json::from_str(&post.body.unwrap()).unwrap();
    assert_eq!(body["parent_id"], thread);
    assert_eq!(body["reply_to_id"], reply.id.split('.').nth(1).unwrap());
    assert_eq!(body["data"]["client_id"], "gb_1");
}

#[test]
fn a_file_of_the_real_server_is_an_attachment_with_its_path() {
    let message = messages(FILES).into_iter().find(|message| !message.attachments.is_empty()).unwrap();
    let file = &message.attachments[0];
    assert_eq!((file.name.as_str(), file.media_type.as_str(), file.size), ("note ü.txt", "text/plain", 17));
    let url = spoken().attachment(&file.id);
    assert_eq!(url, format!("http://127.0.0.1:8080/api/v1/files/{}/content", file.id));
}

#[test]
fn what_we_send_to_a_room_comes_back_as_our_own_echo() {
    let mut echoes = 0;
    each(PROBES, |heard| echoes += usize::from(matches!(heard, Heard::Echo { author, .. } if author == BOT)));
    assert!(echoes > 0);
    let sent = texts(PROBES, "c2s");
    let channel = messages(GOOD)[0].channel.to_string();
    let probe = spoken().probe(&channel).unwrap();
    let event = probe.strip_prefix('[').unwrap();
    assert!(sent.iter().any(|text| text.ends_with(event)), "{probe} is not as the recording's own: {sent:?}");
}

#[test]
fn a_channel_that_is_new_is_told_without_its_name_and_the_list_is_asked_for() {
    let mut told = 0;
    each(LATER, |heard| told += usize::from(matches!(heard, Heard::Relist)));
    // two groups were made, and an ending of two channels is told in other words
    assert_eq!(told, 4);
}

#[test]
fn an_ack_with_nobody_in_it_is_a_refusal_and_one_with_somebody_else_too() {
    let dialect = spoken();
    let ack = |frames| texts(frames, "s2c").into_iter().find_map(|text| text.strip_prefix("431").map(str::to_owned));
    assert_eq!(dialect.joined_as(&ack(GOOD).unwrap(), BOT), JoinAnswer::Joined);
    assert!(matches!(dialect.joined_as(&ack(GOOD).unwrap(), ALICE), JoinAnswer::Denied(_)));
    assert!(matches!(dialect.joined_as(&ack(BAD_TOKEN).unwrap(), BOT), JoinAnswer::Denied(_)));
}

#[test]
fn a_sign_in_gives_a_token_its_life_and_who_we_are() {
    let dialect = spoken();
    let request = dialect.mint("bot@example.org", &Secret::new("pass \"word\""));
    assert_eq!(request.body.unwrap(), r#"{"email":"bot@example.org","password":"pass \"word\""}"#);
    let minted = |body: &str| dialect.minted(body.as_bytes(), Some(1_795_765_370_000)).unwrap();
    let good = minted(r#"{"id":"u1","role":"user","token":"t","expires_at":1795765970}"#);
    assert_eq!((good.token.as_str(), good.life_ms, good.me.as_deref()), ("t", Some(600_000), Some("u1")));
    assert!(good.barred.is_none() && minted(r#"{"id":"u1","role":"pending","token":"t"}"#).barred.is_some());
    let for_ever = minted(r#"{"id":"u1","token":"t","expires_at":null}"#).life_ms.unwrap();
    assert!(for_ever > 100 * 365 * 86_400_000, "a token without an end is not signed in for again");
    assert!([400, 401, 403].iter().all(|status| dialect.refuses(*status)) && !dialect.refuses(429));
}

#[test]
fn webhooks_are_bots_and_models_answers_and_empty_posts_ask_for_nothing() {
    let row = |user: &str, content: &str, data: &str, meta: &str| {
        format!(
            r#"[{{"id":"m","user_id":"creator","created_at":1795448171622840051,"content":"{content}","data":{data},
                "meta":{meta},"user":{user}}}]"#
        )
    };
    let read = |page: String, check: &dyn Fn(Incoming<'_>)| {
        let mut rows = 0;
        spoken().history_rows(page.as_bytes(), &mut |row| {
            rows += 1;
            let Row::Message(message, _) = row else { panic!("unreadable") };
            check(message);
        });
        assert_eq!(rows, 1);
    };
    let hook = r#"{"id":"hook","name":"CI","role":"webhook"}"#;
    read(row(hook, "built", "null", "null"), &|message| assert!(message.bot && message.author == "hook"));
    let person = r#"{"id":"u","name":"U","role":"user"}"#;
    read(row(person, "", "false", "null"), &|message| assert!(message.asks_nothing));
    read(row(person, "", "true", "null"), &|message| assert!(!message.asks_nothing && message.has_more));
    read(row(person, "42", "null", r#"{"model_id":"llama"}"#), &|message| assert!(message.asks_nothing));
    read(row("null", "x", "null", "null"), &|message| assert_eq!(message.author, "creator"));
}

#[test]
fn times_keep_their_nanoseconds() {
    let dialect = spoken();
    let timeline = dialect.timeline().unwrap();
    assert_eq!(timeline.time("1795448171622840051.m.p"), Some(1_795_448_171_622_840_051));
    assert!(timeline.time("1795448171622840051.m") > timeline.time("1795448171622840050.n"));
    assert_eq!(timeline.thread_of("1.m.p"), Some("p"));
    assert_eq!(timeline.behind("1795448171622840051.m.p"), "1795448171622840051");
    assert!(timeline.is_same("m", "5.m.p") && !timeline.is_same("5.m", "5.n"));
}

#[test]
fn the_configuration_asks_for_a_login_and_for_nothing_that_has_no_meaning() {
    let faults = |guild: &str, agent: &str| {
        let folder = crate::folder::Folder::new();
        let key = folder.file("bot.key", 0o600, "secret\n");
        let text = format!(
            r#"{{"guilds": {{"home": {{"dialect": "open-webui", "url": "http://127.0.0.1:8080"{guild}}},
                "acme": {{"dialect": "fabric", "url": "https://g.example"}}}},
                "agents": {{"bot": {{{agent}, "key_file": "{}", "answer": {{"exec": ["/bin/cat"]}}}}}}}}"#,
            key.display()
        );
        let file = folder.file("config.json", 0o644, text);
        let found = guild_bridge::config::load(&file, None).err().unwrap_or_default();
        found.into_iter().map(|fault| format!("{}: {}", fault.path, fault.what)).collect::<Vec<_>>()
    };
    let login = r#""guild": "home", "login": "bot@example.org""#;
    assert_eq!(faults("", login), Vec::<String>::new());
    assert_eq!(
        faults("", r#""guild": ["home", "acme"]"#),
        ["agents.bot.login: is missing: home is signed in to; give the account's e-mail address"]
    );
    let alone = &faults("", r#""guild": "acme", "login": "bot@example.org""#)[0];
    assert!(alone.starts_with("agents.bot.login: is for guilds that are signed in to"), "{alone}");
    for field in [r#""center": "https://c.example""#, r#""namespace": "/x""#, r#""paths": {"token": "/t"}"#] {
        let fault = &faults(&format!(", {field}"), login)[0];
        assert!(fault.contains("has no meaning in the dialect open-webui; remove it"), "{fault}");
    }
    let id = r#""login": "bot@example.org", "id": "bot""#;
    assert_eq!(
        faults("", &format!(r#""guild": "home", {id}"#)),
        ["agents.bot.id: has no meaning where the guild says who its agents are (dialect open-webui); remove it"]
    );
    assert_eq!(faults("", &format!(r#""guild": ["home", "acme"], {id}"#)), Vec::<String>::new());
}
