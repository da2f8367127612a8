//! Faults of the mint.

use crate::loopback::settings;
use crate::world::model::iso;
use crate::world::{What, World, mins, secs};
use guild_bridge::dialect::Dialect;
use guild_bridge::dialect::fabric::Fabric;

/// An answer of the mint with a token.
fn minted(token: &str) -> String {
    serde_json::json!({"guildAccessToken": token, "expiresIn": 900}).to_string()
}

#[test]
fn a_429_without_a_time_is_waited_for_by_the_backoff() {
    let mut w = World::chatty(1);
    w.guild().trouble("mint", 9_999, What::Status(429, None));
    w.run_for(mins(60));
    let rests = w.story.rests();
    assert!((20..=120).contains(&rests.len()), "{} rests in an hour", rests.len());
    assert!(rests.iter().all(|rest| rest.reason == Some("rate.limited") && rest.ms >= 1_000), "{rests:?}");
}

#[test]
fn what_is_no_token_is_offered_to_nobody() {
    let crlf = minted("gat.1\r\nX-Evil: 1");
    let long = minted(&"x".repeat(8 * 1024 + 1));
    let (empty, spaced, other) = (minted(""), minted("two words"), minted("é"));
    let bodies = ["", "null", "[]", "{}", "{\"guildAccessToken\":7}", &empty, &spaced, &other, &crlf, &long];
    for body in bodies {
        let mut w = World::chatty(2);
        w.guild().trouble("mint", 3, What::Body(201, "application/json", body.into()));
        w.run_till(secs(60), "the mint is asked three times", |w| w.calls_of("mint") == 3);
        w.run_for(200);
        assert_eq!((w.story.reasons("recruiter@acme"), w.story.offered.len()), (vec!["http.body"], 0), "{body:.40}");
        w.run_till(mins(3), "a token ends it", |w| w.state() == "live");
    }
}

#[test]
fn a_mint_that_sends_us_elsewhere_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let mut w = World::chatty(3);
        w.guild().trouble("mint", 2, What::Status(status, None));
        w.run_till(secs(30), "the mint is asked twice", |w| w.calls_of("mint") == 2);
        w.run_for(200);
        assert_eq!((w.reason(), w.story.offered.len()), ("http.portal", 0), "{status}: {}", w.link().detail);
        w.run_till(mins(3), "it is live", |w| w.state() == "live");
    }
}

#[test]
fn a_mint_that_hangs_holds_up_no_ping_of_a_session() {
    let mut w = World::chatty(4);
    w.guild().ping = (1_000, 900);
    w.guild().model.options.token_life_ms = secs(30);
    w.run_live();
    w.guild().trouble("mint", 9_999, What::Hangs);
    w.run_for(mins(5));
    assert!(w.calls_of("mint") > 5, "calls want a token of their own: {}", w.calls_of("mint"));
    assert_eq!((w.story.offered.len(), w.story.count("< ping timeout"), w.state()), (1, 0, "live"));
    w.say("general", "alice", "hi");
    w.run_for(secs(2));
    assert_eq!(w.heard(), ["hi"]);
}

#[test]
fn an_end_by_the_guilds_clock_is_counted_from_the_guilds_own_date() {
    let day = 86_400_000;
    let fabric = Fabric::new(&settings(None).guilds[0]);
    let now = crate::world::hall::WALL;
    for guild_now in [now, now - day, now + day] {
        let body = serde_json::json!({"guildAccessToken": "t", "expiresAt": iso(guild_now + secs(900))}).to_string();
        let life = |date| fabric.minted(body.as_bytes(), date).unwrap().life_ms;
        assert_eq!(life(Some(guild_now)), Some(secs(900)));
        assert_eq!(life(None), None, "without a date it is not known");
    }
}
