//! Every rejection and every broken answer has its own reason in status; none of them ends the daemon, and when it is
//! over the agent answers again.

use crate::guild::{Fault, Model, Options, Rejection};
use crate::scene::{Scene, options};
use crate::{Ended, Scenario};
use serde_json::json;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_connect_error_is_auth_connect_error", 40, || told_apart(Rejection::ConnectError, "auth.connect_error")),
    Scenario("a_soft_41_is_auth_disconnected", 40, || told_apart(Rejection::Soft41, "auth.disconnected")),
    Scenario("a_41_with_a_close_is_auth_disconnected", 40, || told_apart(Rejection::Close41, "auth.disconnected")),
    Scenario("a_denied_join_is_auth_denied_channel", 40, || denied(Rejection::AckNo)),
    Scenario("an_exception_event_is_auth_denied_channel", 40, || denied(Rejection::Exception)),
    Scenario("a_connect_that_is_never_answered_is_net_timeout", 40, || {
        broken(vec![Fault::ConnectSilence], &["net.timeout"])
    }),
    Scenario("a_mint_of_503_is_waited_for", 40, || {
        broken(vec![Fault::MintStatus(503, None)], &["rate.limited", "guild.restarting", "http.status"])
    }),
    Scenario("a_mint_of_500_is_http_status", 40, || broken(vec![Fault::MintStatus(500, None)], &["http.status"])),
    Scenario("a_mint_of_no_json_is_http_body", 40, || broken(vec![Fault::MintGarbage], &["http.body"])),
    Scenario("a_mint_behind_a_portal_is_http_portal", 40, || broken(vec![Fault::MintPage], &["http.portal"])),
    Scenario("a_mint_that_hands_out_one_token_twice_is_auth_cached_token", 60, cached_token),
    Scenario("a_channel_list_behind_a_portal_is_http_portal", 40, || {
        broken(vec![Fault::ChannelsPage], &["http.portal"])
    }),
    Scenario("a_channel_list_of_500_is_http_status", 40, || broken(vec![Fault::ChannelsStatus(500)], &["http.status"])),
    Scenario("calls_that_get_401_with_a_fresh_token_are_auth_http_401", 40, || {
        broken(vec![Fault::Unauthorized], &["auth.http_401"])
    }),
    Scenario("a_mint_of_429_is_waited_for_as_it_says", 40, retry_after),
    Scenario("a_key_that_is_refused_is_a_state_of_its_own", 30, key_refused),
    Scenario("a_slow_mint_is_waited_for", 30, slow_mint),
    Scenario("a_token_without_expiry_serves", 30, no_expiry),
    Scenario("a_token_that_nears_its_end_is_thrown_away_and_minted_again", 30, near_expiry),
    Scenario("a_revoked_token_costs_one_mint_for_the_call", 30, revoked),
    Scenario("a_name_that_does_not_resolve_is_net_dns", 30, no_such_name),
    Scenario("nobody_listening_is_net_refused", 30, nobody_listens),
    Scenario("a_wrong_path_is_cfg_path", 40, wrong_path),
    Scenario("a_wrong_namespace_is_cfg_namespace", 30, wrong_namespace),
    Scenario("another_namespace_and_path_serve", 30, other_namespace),
    Scenario("plain_http_beyond_loopback_is_a_fault_of_the_configuration", 10, plain_http),
    Scenario("tls_with_its_authority_serves", 30, tls_with_extra_ca),
    Scenario("tls_without_its_authority_is_tls_unknown_ca", 30, tls_without),
];

fn told_apart(how: Rejection, reason: &str) -> Ended {
    broken(vec![Fault::Reject(how)], &[reason])
}

/// Broken at the start, with this reason; then right again.
fn broken(faults: Vec<Fault>, reasons: &[&str]) -> Ended {
    let scene = Scene::new(Options::default());
    faults.into_iter().for_each(|fault| scene.guild.set_fault(fault));
    let mut scene = scene.started();
    let link = scene.bridge.wait_reason("recruiter", reasons, 15);
    assert_ne!(link["state"], "live");
    assert!(!link["detail"].as_str().unwrap_or_default().is_empty(), "a sentence beside it: {link}");
    let attempts = scene.guild.calls().len();
    std::thread::sleep(Duration::from_secs(2));
    assert!(scene.guild.calls().len() < attempts + 24, "no hot loop");
    scene.guild.clear_faults();
    scene.bridge.wait_state("recruiter", "live", 15);
    scene.talk("hello", 5);
    scene.end()
}

fn denied(how: Rejection) -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.guild.set_fault(Fault::Reject(how));
    scene = scene.started();
    let link = scene.bridge.wait_reason("recruiter", &["auth.denied_channel"], 15);
    assert_ne!(link["state"], "live");
    scene.say("still answered from history");
    scene.answered("still answered from history", 15);
    scene.end()
}

fn cached_token() -> Ended {
    let mut scene = Scene::proxied(Options::default()).live();
    scene.guild.set_fault(Fault::MintSameToken);
    scene.proxy().end();
    scene.bridge.wait_reason("recruiter", &["auth.cached_token"], 15);
    scene.guild.clear_faults();
    scene.bridge.wait_state("recruiter", "live", 20);
    scene.talk("hello", 5);
    scene.end()
}

fn retry_after() -> Ended {
    let scene = Scene::new(Options::default());
    scene.guild.set_fault_times(Fault::MintStatus(429, Some("4".into())), 1);
    let mut scene = scene.started();
    let link = scene.bridge.wait_reason("recruiter", &["rate.limited"], 10);
    let next = link["next_try_s"].as_u64();
    assert!(next.is_some_and(|s| (2..=5).contains(&s)), "{link}");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scene.guild.calls().len(), 1, "it waits");
    scene.bridge.wait_state("recruiter", "live", 8);
    scene.end()
}

fn key_refused() -> Ended {
    let scene = Scene::new(Options::default());
    scene.guild.with(|guild, _| guild.refuse_agent("recruiter"));
    let mut scene = scene.started();
    let link = scene.bridge.wait_state("recruiter", "refused", 10);
    assert_eq!(link["reason"], "auth.key_refused");
    assert!(link["next_try_s"].as_u64().is_some_and(|s| s >= 20), "{link}");
    std::thread::sleep(Duration::from_secs(3));
    let mints = scene.guild.calls().iter().filter(|call| call.contains("/auth/token")).count();
    assert_eq!(mints, 1, "never in a loop");
    scene.end()
}

fn slow_mint() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.guild.set_fault_times(Fault::MintSlow(2_000), 1);
    scene = scene.started();
    scene.bridge.wait_state("recruiter", "minting", 2);
    scene.bridge.wait_state("recruiter", "live", 8);
    scene.talk("hello", 5);
    scene.end()
}

fn no_expiry() -> Ended {
    let scene = Scene::new(Options::default());
    scene.guild.set_fault(Fault::MintNoExpiry);
    let mut scene = scene.live();
    scene.talk("hello", 5);
    scene.end()
}

fn near_expiry() -> Ended {
    let scene = Scene::new(options(|guild| guild.token_life_ms = 60_000));
    // less than a fifth of its life is left when it has travelled
    scene.guild.set_fault_times(Fault::MintNearExpiry(1_000), 1);
    scene.guild.set_fault_times(Fault::MintSlow(900), 1);
    let mut scene = scene.live();
    let over = |guild: &mut Model, _| guild.tokens.values().filter(|t| t.life_ms == 1_000 && t.offered > 0).count();
    assert_eq!(scene.guild.with(over), 0, "a token that was nearly over was offered");
    assert_eq!(scene.number("tokens_minted"), 2);
    scene.talk("hello", 5);
    scene.end()
}

fn revoked() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.guild.with(|guild, _| guild.revoke_tokens("recruiter"));
    scene.talk("hello", 8);
    assert_eq!(scene.number("attempts"), 1, "the socket stayed");
    scene.end()
}

fn no_such_name() -> Ended {
    let mut scene = Scene::new(Options::default());
    let nowhere =
        json!({"dialect": "fabric", "center": "https://no-such-name.invalid", "url": "https://no-such-name.invalid"});
    scene.bridge.config["guilds"]["acme"] = nowhere;
    scene = scene.started();
    scene.bridge.wait_reason("recruiter", &["net.dns"], 15);
    scene.end()
}

fn nobody_listens() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.guild.stop(false);
    scene = scene.started();
    scene.bridge.wait_reason("recruiter", &["net.refused"], 10);
    scene.guild.open();
    scene.bridge.wait_state("recruiter", "live", 10);
    scene.talk("hello", 5);
    scene.end()
}

fn wrong_path() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["guilds"]["acme"]["paths"] = json!({"socket": "/nowhere/"});
    scene = scene.started();
    let link = scene.bridge.wait_reason("recruiter", &["cfg.path"], 15);
    assert!(link["next_try_s"].as_u64().is_some_and(|s| s >= 20), "a configuration fault rests long: {link}");
    scene.end()
}

fn wrong_namespace() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["guilds"]["acme"]["namespace"] = json!("/nowhere");
    scene = scene.started();
    scene.bridge.wait_reason("recruiter", &["cfg.namespace"], 15);
    scene.end()
}

fn other_namespace() -> Ended {
    let options = Options { namespace: "/guild".into(), socket_path: "/rt/io/".into(), ..Options::default() };
    let mut scene = Scene::new(options);
    scene.bridge.config["guilds"]["acme"]["namespace"] = json!("/guild");
    scene.bridge.config["guilds"]["acme"]["paths"] = json!({"socket": "/rt/io/"});
    scene = scene.live();
    scene.talk("hello", 5);
    scene.end()
}

fn plain_http() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["guilds"]["acme"]["url"] = json!("http://192.0.2.1");
    scene.bridge.write();
    let (code, out, err) = scene.bridge.call(&["check"]);
    assert_eq!(code, 78, "{out}{err}");
    let said = out + &err;
    assert!(said.contains("url") && said.contains("plaintext") && said.contains("config.json:"), "{said}");
    Ended::Well
}

fn tls_with_extra_ca() -> Ended {
    let mut scene = Scene::new(Options { tls: true, ..Options::default() });
    let ca = scene.bridge.dir.file("ca.pem", 0o644, scene.guild.ca_pem());
    scene.bridge.config["guilds"]["acme"]["extra_ca"] = json!(ca);
    scene = scene.live();
    scene.talk("hello", 5);
    scene.end()
}

fn tls_without() -> Ended {
    let scene = Scene::new(Options { tls: true, ..Options::default() });
    let mut scene = scene.started();
    scene.bridge.wait_reason("recruiter", &["tls.unknown_ca"], 10);
    assert_eq!(scene.guild.calls().len(), 0, "nothing was sent");
    scene.end()
}
