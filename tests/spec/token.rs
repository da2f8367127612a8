//! Tokens. That one cannot be offered twice is shown where it does not compile: the examples in src/token.rs.

use guild_bridge::budget;
use guild_bridge::moment::Moment;
use guild_bridge::token::{FreshToken, Life, UNKNOWN_LIFE_MS};

fn life(life_ms: Option<u64>) -> Life {
    FreshToken::minted("t", Moment(1_000), life_ms).map(|token| token.life()).unwrap()
}

#[test]
fn an_offer_and_its_bearer_are_one_token_with_one_life() {
    let fresh = FreshToken::minted("secret", Moment(5), Some(900_000)).unwrap();
    let life = fresh.life();
    let (offer, bearer) = fresh.offer();
    assert_eq!((offer.into_text().as_str(), bearer.expose(), bearer.life()), ("secret", "secret", life));
    let bearer = FreshToken::minted("other", Moment(5), None).unwrap().for_calls();
    assert_eq!(bearer.expose(), "other");
}

#[test]
fn life_is_counted_from_when_the_mint_was_sent() {
    assert_eq!(life(Some(900_000)).end(), Moment(901_000));
    assert_eq!(life(None).end(), Moment(1_000 + UNKNOWN_LIFE_MS));
    assert_eq!(life(Some(u64::MAX)).end(), Moment(u64::MAX));
}

#[test]
fn a_token_nears_its_end_a_fifth_of_its_life_before_and_at_most_a_minute() {
    assert!(!life(Some(900_000)).nears_end(Moment(841_000)));
    assert!(life(Some(900_000)).nears_end(Moment(841_001)));
    assert!(!life(Some(10_000)).nears_end(Moment(9_000)));
    assert!(life(Some(10_000)).nears_end(Moment(9_001)));
    assert!(life(Some(10_000)).nears_end(Moment(50_000)));
    assert!(!life(Some(10_000)).nears_end(Moment(0)));
}

#[test]
fn a_token_without_life_is_near_its_end_at_once_or_right_after() {
    assert!(life(Some(0)).end() == Moment(1_000));
    assert!(life(Some(5)).nears_end(Moment(1_005)));
}

#[test]
fn what_cannot_go_into_a_header_is_no_token() {
    let minted = |text: &str| FreshToken::minted(text, Moment(0), None).map(|_| ());
    assert_eq!(minted(""), Err("the token is empty"));
    assert_eq!(minted(&"x".repeat(budget::TOKEN_BYTES)), Ok(()));
    assert_eq!(minted(&"x".repeat(budget::TOKEN_BYTES + 1)), Err("the token is longer than 8 KiB"));
    for text in ["a b", "a\r\nX-Evil: 1", "a\0", "a\u{7f}", "é", "a\n"] {
        assert_eq!(minted(text), Err("the token holds characters that no header may carry"), "{text:?}");
    }
}
