//! The list of reasons.

use guild_bridge::reason::{Reason, Why};
use std::collections::BTreeSet;
use std::path::Path;

/// The place of a reason in `Reason::ALL`: a variant that is missing here does not compile, one missing there is found.
fn place(reason: Reason) -> usize {
    let found = Reason::ALL.iter().position(|each| *each == reason);
    found.unwrap_or_else(|| panic!("{reason:?} is not in Reason::ALL"))
}

/// Every variant, by a match that a new one breaks.
fn next(reason: Option<Reason>) -> Option<Reason> {
    use Reason::*;
    Some(match reason {
        None => NetDns,
        Some(NetDns) => NetRefused,
        Some(NetRefused) => NetUnreachable,
        Some(NetUnreachable) => NetTimeout,
        Some(NetTimeout) => NetClosed,
        Some(NetClosed) => NetSilent,
        Some(NetSilent) => NetProtocol,
        Some(NetProtocol) => NetTooBig,
        Some(NetTooBig) => TlsExpired,
        Some(TlsExpired) => TlsNotYet,
        Some(TlsNotYet) => TlsName,
        Some(TlsName) => TlsUnknownCa,
        Some(TlsUnknownCa) => TlsFailed,
        Some(TlsFailed) => HttpPortal,
        Some(HttpPortal) => HttpStatus,
        Some(HttpStatus) => HttpBody,
        Some(HttpBody) => AuthKeyRefused,
        Some(AuthKeyRefused) => AuthConnectError,
        Some(AuthConnectError) => AuthDisconnected,
        Some(AuthDisconnected) => AuthHttp401,
        Some(AuthHttp401) => AuthDeniedChannel,
        Some(AuthDeniedChannel) => AuthExpired,
        Some(AuthExpired) => AuthCachedToken,
        Some(AuthCachedToken) => DeafHistory,
        Some(DeafHistory) => CfgPath,
        Some(CfgPath) => CfgNamespace,
        Some(CfgNamespace) => CfgTransport,
        Some(CfgTransport) => CfgKeyFile,
        Some(CfgKeyFile) => CfgFault,
        Some(CfgFault) => RateLimited,
        Some(RateLimited) => ClockUnset,
        Some(ClockUnset) => GuildRestarting,
        Some(GuildRestarting) => GuildRefusedPost,
        Some(GuildRefusedPost) => AgentMissing,
        Some(AgentMissing) => AgentTimeout,
        Some(AgentTimeout) => AgentFailed,
        Some(AgentFailed) => AgentBusy,
        Some(AgentBusy) => AgentGarbled,
        Some(AgentGarbled) => AgentDenied,
        Some(AgentDenied) => AgentGone,
        Some(AgentGone) => DiskFailed,
        Some(DiskFailed) => DiskDamaged,
        Some(DiskDamaged) => HostShort,
        Some(HostShort) => HostMemory,
        Some(HostMemory) => HostPage,
        Some(HostPage) => ControlRequest,
        Some(ControlRequest) => Asked,
        Some(Asked) => return None,
    })
}

#[test]
fn the_list_holds_every_reason_once_in_order() {
    let all = std::iter::successors(next(None), |reason| next(Some(*reason))).collect::<Vec<_>>();
    assert!(all.iter().enumerate().all(|(at, reason)| place(*reason) == at));
    assert_eq!(all.len(), Reason::ALL.len());
}

#[test]
fn codes_are_unique_and_of_a_class_and_a_detail() {
    let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
    for code in codes.into_iter().filter(|code| *code != "asked") {
        let (class, detail) = code.split_once('.').unwrap();
        let word = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert!(class.len() >= 2 && detail.len() >= 2 && word(class) && word(detail), "{code}");
    }
}

#[test]
fn the_codes_that_the_contract_names_are_there() {
    let contract = "net.dns net.refused net.timeout net.closed net.silent tls.expired tls.not_yet tls.name tls.unknown_ca \
                    http.portal http.status http.body auth.key_refused auth.connect_error auth.disconnected auth.http_401 \
                    auth.denied_channel deaf.history cfg.path cfg.namespace cfg.transport rate.limited clock.unset \
                    guild.restarting";
    for code in contract.split_whitespace() {
        assert!(Reason::ALL.iter().any(|reason| reason.code() == code), "{code}");
    }
}

#[test]
fn sentences_are_said_to_people() {
    let sentences: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.sentence()).collect();
    assert_eq!(sentences.len(), Reason::ALL.len(), "no two are the same");
    for sentence in sentences {
        let fits = (12..=110).contains(&sentence.len()) && sentence.contains(' ') && sentence.trim() == sentence;
        assert!(fits, "{sentence:?}");
        assert!(!sentence.ends_with(['.', '!', ':', ';', ',']), "{sentence:?}");
        assert!(sentence.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{sentence:?}");
        assert!(
            !sentence.starts_with(|c: char| c.is_ascii_uppercase()) || sentence.starts_with("CONNECT"),
            "{sentence:?}"
        );
    }
}

#[test]
fn every_warning_and_error_in_the_log_carries_a_code() {
    let mut seen = 0;
    for path in crate::floors::sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = std::fs::read_to_string(&path).unwrap();
        for begun in ["log::warn!(", "log::error!("] {
            for call in source.split(begun).skip(1) {
                let call = call.split(");").next().unwrap_or_default();
                // a Why is written with its code first; a gap has a code of its own list; a panic has none
                let carries = ["Reason::", "{code}", "{why}", "why(failed)", "gap.code()", "{panic}"];
                let why = call.contains("Some(why)") || carries.iter().any(|code| call.contains(code));
                assert!(why, "{}: a line without a reason code: {begun}{call}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen} lines");
}

#[test]
fn a_why_is_said_with_its_code_first() {
    assert_eq!(Why::new(Reason::NetDns, "guild.example").to_string(), "net.dns: guild.example");
    assert_eq!(Reason::Asked.to_string(), "asked");
}
