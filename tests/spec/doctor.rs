//! `doctor`: what needs no network. The walks of the real binary are in `tests/live/doctor.rs`.

mod walk;

use guild_bridge::config::load;
use guild_bridge::doctor::mend::advice;
use guild_bridge::doctor::{Step, Verdict, against_date};
use guild_bridge::io::doctor::not_after;
use guild_bridge::moment::instant;
use guild_bridge::reason::Reason;
use std::collections::BTreeSet;

use crate::folder::Folder;

#[test]
fn every_reason_has_advice_that_names_what_to_do() {
    let folder = Folder::new();
    folder.file("key", 0o600, "k");
    let text = r#"{"guilds": {"acme": {"dialect": "fabric", "url": "https://guild.example"}},
        "agents": {"recruiter": {"guild": "acme", "key_file": "key", "answer": {"exec": ["/bin/cat"]}}}}"#;
    let settings = load(&folder.file("config.json", 0o644, text), None).unwrap().settings;
    let said = |reason: &Reason| advice(*reason, Step::WebSocket, &settings.agents[0], &settings.guilds[0]);
    for reason in Reason::ALL {
        let advice = said(reason);
        assert!((20..400).contains(&advice.len()) && !advice.contains('\n'), "{reason}: {advice}");
        assert_ne!(advice, reason.sentence(), "{reason}");
    }
    assert!(said(&Reason::AuthKeyRefused).contains("agents.recruiter.id"));
    assert!(said(&Reason::TlsUnknownCa).contains("guilds.acme.extra_ca"));
}

#[test]
fn no_advice_names_a_field_that_has_no_meaning_in_the_dialect() {
    let folder = Folder::new();
    folder.file("key", 0o600, "k");
    let text = r#"{"guilds": {"home": {"dialect": "open-webui", "url": "http://127.0.0.1:8080"}},
        "agents": {"bot": {"guild": "home", "login": "b@example.org", "key_file": "key", "answer": {"exec": ["/bin/cat"]}}}}"#;
    let settings = load(&folder.file("config.json", 0o644, text), None).unwrap().settings;
    for (reason, step) in Reason::ALL.iter().flat_map(|reason| Step::ALL.iter().map(move |step| (*reason, *step))) {
        let advice = advice(reason, step, &settings.agents[0], &settings.guilds[0]);
        for field in ["center", "paths", "namespace", "agents.bot.id", "`bot`"] {
            assert!(!advice.contains(field), "{reason} at {}: {advice}", step.word());
        }
    }
    let status = advice(Reason::HttpStatus, Step::Mint, &settings.agents[0], &settings.guilds[0]);
    assert!(status.contains("guilds.home.url: the server's address alone, without a path"), "{status}");
}

#[test]
fn advice_names_the_address_that_the_step_went_to() {
    let folder = Folder::new();
    folder.file("key", 0o600, "k");
    let text = r#"{"guilds": {"acme": {"dialect": "fabric", "url": "https://guild.example", "center": "https://center.example"}},
        "agents": {"recruiter": {"guild": "acme", "key_file": "key", "answer": {"exec": ["/bin/cat"]}}}}"#;
    let settings = load(&folder.file("config.json", 0o644, text), None).unwrap().settings;
    for reason in [Reason::NetTimeout, Reason::NetClosed, Reason::HttpPortal] {
        let said = |step| advice(reason, step, &settings.agents[0], &settings.guilds[0]);
        let (mint, socket) = (said(Step::Mint), said(Step::WebSocket));
        assert!(mint.contains("https://center.example") && !mint.contains("guild.example"), "{mint}");
        assert!(socket.contains("https://guild.example") && !socket.contains("center"), "{socket}");
    }
    let refused = advice(Reason::NetRefused, Step::Tcp, &settings.agents[0], &settings.guilds[0]);
    assert!(refused.contains("guilds.acme.url or .center"), "{refused}");
}

#[test]
fn every_step_has_a_word_of_its_own() {
    let words: BTreeSet<&str> = Step::ALL.iter().map(|step| step.word()).collect();
    assert_eq!(words.len(), Step::ALL.len());
    assert!(Step::ALL.is_sorted());
}

#[test]
fn a_clock_that_is_two_minutes_off_is_told_and_one_that_is_not_is_good() {
    let date = 1_800_000_000_000;
    assert_eq!(against_date(date + 119_999, date).0, Verdict::Good);
    assert_eq!(against_date(date - 119_999, date).0, Verdict::Good);
    let (ahead, behind) = (against_date(date + 120_000, date), against_date(date - 120_000, date));
    assert_eq!((ahead.0, behind.0), (Verdict::Unsure, Verdict::Unsure));
    assert!(ahead.1.contains("2m ahead of the guild's") && behind.1.contains("2m behind the guild's"));
}

#[test]
fn the_end_of_a_certificate_is_read_and_no_bytes_make_it_panic() {
    // a UTCTime until 2049, a GeneralizedTime from 2050 on (RFC 5280, section 4.1.2.5)
    for (year, month, day) in [(1999, 12, 31), (2026, 11, 30), (2049, 12, 31), (2050, 1, 1), (2120, 2, 29)] {
        let mut params = rcgen::CertificateParams::new(vec!["guild.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(1990, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, month, day);
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(not_after(&der), instant(&format!("{year}-{month:02}-{day:02}T00:00:00Z")));
        for cut in 0..der.len() {
            assert_eq!(not_after(&der[..cut]), None, "cut at {cut}");
            let mut flipped = der.clone();
            flipped[cut] ^= 0xFF;
            let _ = not_after(&flipped);
        }
    }
}

#[test]
fn an_instant_has_a_zone_or_none_and_no_bytes_make_it_panic() {
    let noon = instant("2026-11-23T12:00:00Z");
    assert!(noon.is_some());
    for same in
        ["2026-11-23T12:00:00", "2026-11-23T14:30:00+02:30", "2026-11-23T07:00:00-05:00", " 2026-11-23T12:00:00Z\n"]
    {
        assert_eq!(instant(same), noon, "{same}");
    }
    for odd in ["", "é12345", "2026-11-23T12:00:0é12345", "+02:00", "12:00+02:00", "2026-11-23T12:00:00+ab:cd"] {
        assert_eq!(instant(odd), None, "{odd}");
    }
}
