use guild_bridge::cli::status::{Check, Paint, View};
use guild_bridge::cli::watch::frame;

/// 2026-11-23T12:00:00Z
const NOON_MS: u64 = 1_795_435_200_000;

/// A status with one link of this state and these further fields.
fn one(state: &str, more: &str) -> View {
    let link = format!(r#"{{"agent":"rex","guild":"acme","state":"{state}","since":"2026-11-23T11:58:30Z"{more}}}"#);
    View::read(&format!(r#"{{"version":"1.2.3","uptime_s":7265,"links":[{link}],"agents":[]}}"#)).unwrap()
}

fn screen(state: &str, more: &str) -> String {
    one(state, more).screen(NOON_MS)
}

#[test]
fn the_screen_begins_with_the_process_and_its_sizes() {
    let json = r#"{"version":"1.2.3","uptime_s":7265,"process":{"pid":42,"heap_bytes":812000,"heap_peak_bytes":1190000,
        "rss_bytes":4900000,"state_mode":"none","state_detail":"/run/x: read-only","log_dropped":7}}"#;
    let screen = View::read(json).unwrap().screen(NOON_MS);
    assert!(screen.starts_with("guild-bridge 1.2.3, process 42, up 2h 1m; 0 of 0 links live\n"), "{screen}");
    assert!(
        screen.contains("heap 812 kB (at most 1.1 MB), resident 4.9 MB, state none: /run/x: read-only"),
        "{screen}"
    );
    assert!(screen.contains("\n7 line(s) of the log were dropped"), "{screen}");
}

#[test]
fn a_live_link_says_when_it_heard_last_and_needs_no_excuse() {
    let more = r#","channels_total":3,"channels_proven":2,"last_event_at":"2026-11-23T11:59:56Z",
        "last_proof_at":"2026-11-23T09:00:00Z","delivered":7,"gaps":0"#;
    let screen = screen("live", more);
    let line = "rex in acme: live for 1m 30s, 2 of 3 channels proven, last message 4s ago, last proof 3h ago\n";
    assert!(screen.contains(&format!("{line}    7 delivered\n")), "{screen}");
}

#[test]
fn every_state_but_live_says_why_in_words() {
    for state in [
        "minting",
        "connecting",
        "joining",
        "unproven",
        "deaf",
        "backoff",
        "waiting_clock",
        "unbound",
        "refused",
        "new",
    ] {
        let screen = screen(state, "");
        let line = screen.lines().find(|line| line.starts_with("    ")).unwrap_or_default();
        assert!(line.split(' ').count() > 6, "{state}: {line}");
    }
    assert!(screen("unproven", "").contains("nothing was said yet that could prove that it hears"));
}

#[test]
fn a_reason_comes_with_its_sentence_the_detail_and_the_next_try() {
    let screen = screen("backoff", r#","reason":"net.refused","detail":"127.0.0.1:9","next_try_s":75"#);
    assert!(screen.contains("no proof yet, next try in 1m 15s\n"), "{screen}");
    let why = "it rests before the next attempt; net.refused: nobody listens at that address and port; 127.0.0.1:9\n";
    assert!(screen.contains(why), "{screen}");
}

#[test]
fn the_worst_link_comes_first() {
    let link = |state: &str| format!(r#"{{"agent":"{state}","state":"{state}"}}"#);
    let states = ["live", "unproven", "backoff", "unbound", "deaf", "refused", "joining"];
    let json = format!(r#"{{"links":[{}]}}"#, states.map(link).join(","));
    let screen = View::read(&json).unwrap().screen(NOON_MS);
    let names: Vec<_> = screen.lines().filter_map(|line| Some(line.split_once(" in ")?.0)).collect();
    assert_eq!(names, ["deaf", "refused", "unbound", "backoff", "joining", "unproven", "live"]);
}

#[test]
fn agents_are_listed_with_what_troubles_them() {
    let json = r#"{"agents":[{"agent":"rex","transport":"exec","state":"missing","reason":"agent.missing",
        "detail":"/bin/rex","turns_open":1,"waiting":2,"turns_done":3,"turns_failed":4}]}"#;
    let screen = View::read(json).unwrap().screen(NOON_MS);
    assert!(screen.contains("rex (exec): missing, 1 open, 2 waiting, 3 done, 4 failed attempts\n"), "{screen}");
    assert!(screen.contains("    agent.missing: the agent is not there; its messages wait; /bin/rex\n"), "{screen}");
}

#[test]
fn nothing_that_a_guild_says_steers_the_terminal() {
    let screen = screen("deaf", r#","detail":"\u001b[2Jgone\r\n\u009b31m""#);
    assert!(!screen.contains(['\u{1b}', '\r', '\u{9b}']) && screen.contains("[2Jgone"), "{screen:?}");
}

#[test]
fn a_check_counts_links_with_a_key_and_wants_one_at_least() {
    for (state, more, strict, guild) in [
        ("live", "", true, true),
        ("unproven", "", false, true),
        ("unproven", r#","reason":"deaf.history""#, false, false),
        ("backoff", "", false, false),
        ("unbound", r#","reason":"cfg.key_file""#, false, false),
    ] {
        let view = one(state, more);
        assert_eq!(view.wanting(None).is_empty(), strict, "{state}");
        assert_eq!(view.wanting(Some(Check::Guild)).is_empty(), guild, "{state}");
        assert!(view.wanting(Some(Check::Local)).is_empty(), "{state}");
    }
}

#[test]
fn a_link_without_a_key_beside_a_live_one_is_no_reason_to_say_no() {
    let links =
        r#"{"links":[{"agent":"a","guild":"acme","state":"unbound"},{"agent":"b","guild":"acme","state":"live"}]}"#;
    let view = View::read(links).unwrap();
    assert!(view.wanting(None).is_empty() && view.wanting(Some(Check::Guild)).is_empty());
    assert_eq!(View::read("{}").unwrap().wanting(Some(Check::Guild)), ["no link has a key: nobody is heard"]);
}

#[test]
fn a_doubt_about_a_live_link_stands_on_the_screen() {
    let screen = screen("live", r#","reason":"deaf.history","detail":"general: not brought yet""#);
    assert!(screen.contains("    it hears, and there is a doubt; deaf.history: "), "{screen}");
}

#[test]
fn an_unproven_link_with_a_reason_is_not_said_to_wait_for_somebody_to_speak() {
    let screen = screen("unproven", r#","reason":"deaf.history""#);
    assert!(
        screen.contains("    connected, and not proven; deaf.history: ") && !screen.contains("nothing was said"),
        "{screen}"
    );
}

#[test]
fn agents_that_are_not_there_are_counted_at_the_top_and_come_first() {
    let json = r#"{"agents":[{"agent":"well","transport":"exec","state":"ready","turns_done":1},
        {"agent":"new","transport":"http","state":"ready"},{"agent":"gone","transport":"socket","state":"missing"}]}"#;
    let screen = View::read(json).unwrap().screen(NOON_MS);
    assert!(
        screen.lines().next().is_some_and(|top| top.ends_with("0 of 0 links live, 1 of 3 agents not there")),
        "{screen}"
    );
    let names: Vec<_> = screen.lines().filter_map(|line| Some(line.split_once(" (")?.0)).skip(1).collect();
    assert_eq!(names, ["gone", "well", "new"]);
    assert!(screen.contains("new (http): ready (not asked yet), "), "{screen}");
}

#[test]
fn fields_of_a_newer_daemon_are_ignored_and_nonsense_is_told() {
    assert!(View::read(r#"{"version":"9","news":[{}],"links":[{"agent":"a","colour":1}]}"#).is_ok());
    for (nonsense, word) in [
        (r#"{"links":7}"#, "`links`"),
        (r#"{"links":[7]}"#, "`links`"),
        (r#"{"links":[{"delivered":"7"}]}"#, "`delivered`"),
        (r#"{"links":[{"gaps_by_reason":{"cut":-1}}]}"#, "`gaps_by_reason`"),
        (r#"{"uptime_s":1.5}"#, "`uptime_s`"),
        (r#"{"version":{}}"#, "`version`"),
        ("[]", "no object"),
        ("{", "JSON"),
    ] {
        let told = View::read(nonsense).unwrap_err();
        assert!(told.starts_with("the daemon's status cannot be read: ") && told.contains(word), "{nonsense} {told}");
    }
}

#[test]
fn what_the_daemon_leaves_out_or_says_is_null_is_as_good_as_empty() {
    let screen = screen("backoff", r#","reason":null,"next_try_s":null,"delivered":null,"gaps_by_reason":null"#);
    assert_eq!(screen, self::screen("backoff", ""));
}

#[test]
fn letters_are_shown_with_what_to_do() {
    let screen = screen("live", r#","letters":2"#);
    assert!(
        screen.contains("    2 replies were refused for good and are kept: see guild-bridge letters\n"),
        "{screen}"
    );
}

#[test]
fn colours_are_for_terminals_and_change_no_word() {
    let states = ["live", "unproven", "deaf", "of a newer daemon"];
    for (state, colour) in states.into_iter().zip([32, 33, 31, 31]) {
        let (plain, painted) = (screen(state, ""), one(state, "").painted(Paint::Colours).screen(NOON_MS));
        let wanted = format!("rex in acme: \x1b[{colour}m{state}\x1b[0m for 1m 30s");
        assert!(painted.contains(&wanted) && !plain.contains('\x1b'), "{painted}");
        assert_eq!(painted.replace(&format!("\x1b[{colour}m"), "").replace("\x1b[0m", ""), plain);
    }
}

#[test]
fn a_watched_screen_is_redrawn_in_place_and_cut_to_the_window_the_worst_kept() {
    assert_eq!(frame("one\ntwo", 24, 80), "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J");
    // five rows: one is kept free, one says how many lines are missing
    let cut = frame("1\n2\n3\n4\n5\n6", 5, 80);
    assert_eq!(cut, "\x1b[H1\x1b[K\n2\x1b[K\n3\x1b[K\n… and 3 more line(s)\x1b[K\n\x1b[J");
    assert!(frame("1\n2\n3\n4", 5, 80).contains("\n4"), "what fits is not cut");
    // a line of 25 columns takes three rows of 10
    let wide = frame(&format!("{}\nnext", "x".repeat(25)), 5, 10);
    assert!(wide.contains("xxx\x1b[K\nnext\x1b[K"), "{wide}");
    assert!(frame(&format!("{}\nnext\nlast", "x".repeat(25)), 5, 10).contains("… and 2 more"));
    // colours take no room
    assert!(frame(&"\x1b[31mab\x1b[0m\n".repeat(4), 5, 2).ends_with("ab\x1b[0m\x1b[K\n\x1b[J"));
    assert!(frame("x", 0, 0).starts_with("\x1b[Hx"), "a window of unknown size");
}
