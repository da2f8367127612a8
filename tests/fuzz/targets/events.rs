//! What a guild says, read by both JSON libraries: events, history, the channel list, the mint, posts and acks. Each is
//! held against serde_json's own tree of the same text.
#![no_main]

use guild_bridge::budget;
use guild_bridge::codec::json;
use guild_bridge::codec::socket::Event;
use guild_bridge::dialect::{self, ChannelRow, Dialect, Heard, Incoming, JoinAnswer, Newest, Row};
use guild_bridge::moment::Moment;
use guild_bridge::settings::{DialectName, Guild};
use guild_bridge::token::FreshToken;
use guild_bridge_fuzz::within;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let guild = Guild {
        name: "acme".into(),
        dialect: DialectName::Fabric,
        center: "https://center.example".into(),
        url: "https://acme.example".into(),
        extra_ca: None,
        plaintext: false,
        paths: [("history".to_owned(), "/h/{id}?x=1".to_owned())].into(),
        namespace: "/".into(),
    };
    let dialect = dialect::of(&guild);
    // 65 KB of `[` cost megabytes where they are not scanned first
    let room = 64 * 1024 + 32 * bytes.len();
    within(room, || {
        history(dialect.as_ref(), bytes);
        list(dialect.as_ref(), bytes);
        mint(dialect.as_ref(), bytes);
    });
    let workspace = dialect::of(&Guild { dialect: DialectName::OpenWebUi, paths: Default::default(), ..guild });
    within(room, || open_webui(workspace.as_ref(), bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    within(room, || {
        event(dialect.as_ref(), text);
        requests(dialect.as_ref(), text);
    });
});

/// The tree that serde_json makes of a text, where it makes one.
fn tree(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn id(value: &Value) -> Option<&str> {
    value["id"].as_str().filter(|id| !id.is_empty() && id.len() <= budget::ID_BYTES)
}

fn history(dialect: &dyn Dialect, body: &[u8]) {
    let mut rows = json::rows(body);
    let whole = dialect.history_rows(body, &mut |row| {
        let scanned = rows.next().expect("a row of history is a row of the body");
        match row {
            Row::Message(incoming, size) => {
                let text = scanned.expect("what was read was scanned");
                assert_eq!(size, text.len());
                message(&incoming, text);
            }
            Row::Unreadable(known, _) => {
                assert!(known.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= budget::ID_BYTES));
                let Some(value) = scanned.ok().and_then(tree) else { return };
                assert!(!value.is_object() || id(&value).is_none(), "a message was not read: {value}");
            }
        }
    });
    assert!(rows.next().is_none());
    assert_eq!(whole, rows.ended());
}

/// A message that was read says what the tree says.
fn message(incoming: &Incoming<'_>, text: &str) {
    assert!(!incoming.id.is_empty() && incoming.id.len() <= budget::ID_BYTES);
    let Some(value) = tree(text) else { return };
    assert!(value.is_object(), "a message that is no object: {text}");
    assert_eq!(Some(incoming.id.as_ref()), value["id"].as_str(), "{text}");
    let said = |name: &str| value[name].as_str();
    assert_eq!(incoming.channel, said("channelId").unwrap_or_default(), "{text}");
    assert_eq!(incoming.author, said("authorId").unwrap_or_default(), "{text}");
    assert_eq!(incoming.text, said("text").unwrap_or_default(), "{text}");
    assert_eq!(incoming.reply_to.as_deref(), said("replyTo"), "{text}");
    assert_eq!(incoming.nonce.as_deref(), said("clientNonce"), "{text}");
    assert_eq!(incoming.at, said("createdAt").unwrap_or_default(), "{text}");
    assert_eq!(incoming.author_name.as_deref(), value["author"]["name"].as_str(), "{text}");
    assert_eq!(incoming.bot, value["author"]["bot"] == true, "{text}");
    let mentions = value["mentions"].as_array().map(|ids| ids.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let ours = incoming.mentions.as_ref().map(|ids| ids.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    assert_eq!(ours, mentions, "{text}");
    let files: Vec<&Value> = value["attachments"].as_array().into_iter().flatten().collect();
    assert!(incoming.attachments.len() <= files.len(), "{text}");
    for file in &incoming.attachments {
        assert!(files.iter().any(|known| id(known) == Some(file.id.as_str())), "{text}");
    }
}

fn list(dialect: &dyn Dialect, body: &[u8]) {
    let mut rows = json::rows(body);
    let whole = dialect.channel_rows(body, &mut |row| {
        let scanned = rows.next().expect("a row of the list is a row of the body");
        let Ok(row) = row else { return };
        let text = scanned.expect("what was read was scanned");
        channel(&row, text);
    });
    assert!(rows.next().is_none());
    assert_eq!(whole, rows.ended());
}

fn channel(row: &ChannelRow, text: &str) {
    assert!(!row.id.is_empty() && row.id.len() <= budget::ID_BYTES, "{row:?}");
    assert!(!row.name.is_empty() && row.name.len() <= budget::NAME_BYTES, "{row:?}");
    let Some(value) = tree(text) else { return };
    assert_eq!(Some(row.id.as_str()), id(&value), "{text}");
    match &row.last {
        Newest::Unsaid => assert!(value.get("lastMessageId").is_none(), "{text}"),
        Newest::Nothing => assert!(value.get("lastMessageId").is_some_and(|last| !last.is_string()), "{text}"),
        Newest::Id(last) => assert_eq!(Some(last.as_str()), value["lastMessageId"].as_str(), "{text}"),
    }
}

fn mint(dialect: &dyn Dialect, body: &[u8]) {
    let date_ms = body.first().map(|byte| u64::from(*byte) << 33);
    let minted = dialect.minted(body, date_ms);
    let text = std::str::from_utf8(body).ok().filter(|text| json::scan(text).is_ok());
    let value = text.and_then(tree);
    match minted {
        Ok(minted) => {
            assert!(text.is_some(), "a token from what no scan takes");
            if let Some(value) = value.as_ref().filter(|value| value.is_object() && !doubled(text)) {
                assert_eq!(Some(minted.token.as_str()), value["guildAccessToken"].as_str());
                if let Some(s) = value["expiresIn"].as_u64() {
                    assert!(minted.life_ms.is_some_and(|ms| ms / 1000 == s || s > 1 << 50), "{:?}", minted.life_ms);
                }
            }
            if let Ok(fresh) = FreshToken::minted(&minted.token, Moment(5), minted.life_ms) {
                let (offer, bearer) = fresh.offer();
                assert!(bearer.life().nears_end(bearer.life().end()));
                assert_eq!(offer.into_text(), bearer.expose());
                assert!(bearer.expose().bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
        Err(_) => {
            let known = value.filter(|value| value.is_object() && value["guildAccessToken"].is_string());
            assert!(known.is_none() || doubled(text), "a token was not read: {known:?}");
        }
    }
}

/// Whether a member may stand twice: which of them counts is each library's own affair.
fn doubled(text: Option<&str>) -> bool {
    let text = text.unwrap_or_default();
    ["guildAccessToken", "expiresIn", "expiresAt"].iter().any(|name| text.matches(name).count() > 1)
        || text.contains("\\u")
}

fn event(dialect: &dyn Dialect, text: &str) {
    if json::scan(text).is_ok() {
        let value = tree(text);
        let answer = dialect.join_answer(text);
        let ok = value.as_ref().map(|value| &value[0]["ok"]);
        match answer {
            JoinAnswer::Joined => assert!(ok.is_none_or(|ok| *ok == true), "{text}"),
            JoinAnswer::Denied(why) => {
                assert!(ok.is_none_or(|ok| *ok == false) && !why.is_empty() && why.len() <= 80, "{text}");
            }
            JoinAnswer::Unclear => assert!(ok.is_none_or(|ok| !ok.is_boolean()), "{text}"),
        }
        let stored = dialect.posted(text.as_bytes());
        assert_eq!(
            stored.as_deref(),
            json::member(text, "id")
                .and_then(json::string)
                .as_deref()
                .filter(|id| { !id.is_empty() && id.len() <= budget::ID_BYTES })
        );
    }
    // the same text as the argument of either event
    for name in ["message.created", "exception"] {
        let args = format!("[\"{name}\",{text}]");
        let Ok(event) = Event::read(&args) else { continue };
        match dialect.event(&event) {
            Heard::Message(incoming, size) => {
                let first = event.args[0].expect("a message is an argument");
                assert_eq!((size, name), (first.len(), "message.created"));
                assert!(!incoming.channel.is_empty());
                message(&incoming, first);
            }
            Heard::Unreadable(_) => assert_eq!(name, "message.created"),
            Heard::Denied(_, why) => assert!(name == "exception" && !why.is_empty() && why.len() <= 80),
            Heard::Echo { .. } | Heard::Relist => panic!("fabric has neither"),
            Heard::Other => {}
        }
    }
}

/// The other dialect takes what comes, and its ids and places hold together.
fn open_webui(dialect: &dyn Dialect, bytes: &[u8]) {
    let timeline = dialect.timeline().expect("its history is listed newest first");
    let read = |incoming: &Incoming<'_>| {
        let id = incoming.id.as_ref();
        assert!(id.len() <= budget::ID_BYTES && timeline.time(id).is_some() && timeline.is_same(id, id));
        assert_eq!(timeline.thread_of(id), incoming.thread.as_deref());
        assert_eq!(timeline.time(&timeline.behind(id)), timeline.time(id));
        assert!(incoming.mentions.as_ref().is_none_or(|ids| ids.len() <= budget::MENTIONS));
    };
    dialect.history_rows(bytes, &mut |row| match row {
        Row::Message(incoming, _) => read(&incoming),
        Row::Unreadable(id, _) => assert!(id.is_none_or(|id| timeline.time(&id).is_some())),
    });
    timeline.threads(bytes, &mut |_, _, _| {});
    timeline.detailed(bytes, &mut Incoming::default());
    dialect.channel_rows(bytes, &mut |row| {
        if let Ok(row) = row {
            assert!(!row.id.is_empty() && row.name.len() <= budget::NAME_BYTES.max(row.id.len()));
        }
    });
    let _ = dialect.minted(bytes, Some(1_795_765_370_000));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let post = dialect.post_about(text, Some(text), text, Some(text), text);
    let body = tree(&post.body.unwrap_or_default()).expect("a post is JSON");
    assert_eq!((body["content"].as_str(), body["data"]["client_id"].as_str()), (Some(text), Some(text)));
    for event in [dialect.probe(text), dialect.typing(text, Some(text), true), dialect.join_all(text)] {
        assert!(tree(&event.expect("it has one")).is_some(), "an event is JSON");
    }
    if json::scan(text).is_ok() {
        let _ = dialect.joined_as(text, "me");
        for args in [format!("[\"events:channel\",{text}]"), format!("[\"events:channel\",{{\"data\":{text}}}]")] {
            let Ok(event) = Event::read(&args) else { continue };
            if let Heard::Message(incoming, _) = dialect.event(&event) {
                read(&incoming);
            }
        }
    }
}

/// What is asked for is a URL, whatever an id holds.
fn requests(dialect: &dyn Dialect, text: &str) {
    let posted = dialect.post(text, text, Some(text), text);
    let body = posted.body.unwrap_or_default();
    let value = tree(&body).expect("a post is JSON");
    assert_eq!((value["text"].as_str(), value["replyTo"].as_str()), (Some(text), Some(text)));
    let asked = [posted.url, dialect.attachment(text), dialect.history(text, Some(text), 20).url];
    for url in asked {
        assert!(url.starts_with("https://acme.example/") && url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
        assert!(!url.contains("/../") && !url.ends_with("/.."), "{url} walks its path");
    }
    assert_eq!(tree(&dialect.join(text)).expect("a join is JSON")[1].as_str(), Some(text));
    assert_eq!(tree(&dialect.connect_payload(text)).expect("CONNECT is JSON")["token"].as_str(), Some(text));
}
