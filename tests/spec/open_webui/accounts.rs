//! Agents that share an account: the server counts its sign-ins, whoever asks.

use super::server::ALICE;
use super::stage::{Stage, settings};
use guild_bridge::port::Command;
use guild_bridge::secret::Secret;
use guild_bridge::settings::Settings;

/// So many agents with one login and one password.
fn together(count: usize) -> Settings {
    let mut settings = settings();
    let first = settings.agents[0].clone();
    for n in 1..count {
        let mut agent = first.clone();
        agent.name = format!("echo-{n}");
        settings.agents.push(agent);
    }
    settings
}

fn all_live(stage: &Stage) -> bool {
    stage.links().iter().all(|link| link.state == "live" && link.channels_proven == link.channels_total)
}

/// The least time between two sign-ins.
fn apart(stage: &Stage) -> u64 {
    stage.server.sign_ins.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(u64::MAX)
}

#[test]
fn agents_that_share_an_account_share_its_sign_in() {
    let mut stage = Stage::of(together(5));
    assert!(stage.run_till(5_000, all_live), "{:?}", stage.links());
    stage.drop_lines();
    stage.run(10_000);
    assert!(stage.run_till(30_000, all_live));
    assert_eq!((stage.links().len(), stage.server.sign_ins.len()), (5, 1));
}

#[test]
fn several_agents_that_flap_on_one_account_make_no_429_of_their_own() {
    let mut stage = Stage::of(together(5));
    assert!(stage.run_till(5_000, all_live));
    for n in 0..120 {
        // all their tokens are void, and the network is away every third time
        stage.server.revoke();
        stage.cut = n % 3 == 0;
        stage.drop_lines();
        stage.run(5_000);
    }
    assert_eq!(stage.server.refused, 0);
    assert!(apart(&stage) >= 20_000, "{} ms apart", apart(&stage));
    stage.cut = false;
    assert!(stage.run_till(200_000, all_live), "{:?}", stage.links());
    stage.server.say("general", ALICE, "hello", None);
    stage.run(5_000);
    assert_eq!((stage.heard().len(), stage.server.refused), (5, 0), "each of them hears");
}

#[test]
fn a_wrong_password_of_many_agents_is_tried_no_more_often_than_the_server_allows() {
    let mut stage = Stage::of(together(12));
    stage.server.password = "another".into();
    stage.run(3_600_000);
    assert_eq!(stage.server.refused, 0);
    assert!(apart(&stage) >= 20_000, "{} ms apart", apart(&stage));
    assert!(stage.links().iter().all(|link| link.reason == Some("auth.key_refused")), "{:?}", stage.links());
}

#[test]
fn one_429_is_waited_for_by_all_who_share_the_account() {
    let mut stage = Stage::of(together(5));
    stage.server.sign_ins = vec![0; 15];
    stage.run(59_000);
    assert_eq!((stage.server.sign_ins.len(), stage.server.refused), (16, 1));
}

#[test]
fn an_agent_with_another_password_has_no_part_in_its_neighbours_sign_in() {
    let mut settings = together(2);
    settings.agents[1].key = Ok(Secret::new("wrong"));
    let mut stage = Stage::of(settings);
    stage.run(120_000);
    let links = stage.links();
    assert_eq!((links[0].state, links[1].state), ("live", "refused"));
    assert!(apart(&stage) >= 20_000 && stage.server.refused == 0);
}

#[test]
fn a_server_under_two_names_counts_once() {
    let mut settings = settings();
    let mut again = settings.guilds[0].clone();
    again.name = "again".into();
    settings.guilds.push(again);
    settings.agents[0].guilds.push("again".into());
    let mut stage = Stage::of(settings);
    assert!(stage.run_till(5_000, all_live), "{:?}", stage.links());
    assert_eq!((stage.links().len(), stage.server.sign_ins.len()), (2, 1));
}

#[test]
fn an_account_that_was_left_is_signed_in_to_anew_and_no_sooner_than_it_may() {
    let mut stage = Stage::new();
    stage.run_live();
    let mut none = settings();
    none.agents.clear();
    stage.ask(Command::Reload(Box::new(none)));
    stage.run(6_000);
    stage.ask(Command::Reload(Box::new(settings())));
    stage.run_live();
    assert_eq!((stage.server.sign_ins.len(), apart(&stage)), (2, 20_000));
}
