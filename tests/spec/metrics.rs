use crate::world::{World, mins, secs};
use guild_bridge::metrics::{AGENT_STATES, LINK_STATES, exposition};
use guild_bridge::status::{AgentStatus, LinkStatus, ProcessStatus, Status};
use std::collections::{BTreeMap, BTreeSet};

const README: &str = include_str!("../../README.md");

/// A status in which every metric has something to say.
fn full() -> Status {
    let link = LinkStatus {
        agent: "rex".into(),
        guild: "a\"b\\c\nd".into(),
        state: "deaf",
        since: "2026-11-23T12:00:00Z".into(),
        reason: Some("deaf.history"),
        next_try_s: Some(7),
        last_event_at: Some("2026-11-23T11:00:00Z".into()),
        last_proof_at: Some("2026-11-23T10:00:00Z".into()),
        delivered: 12,
        gaps: 3,
        gaps_by_reason: BTreeMap::from([("oversize", 3)]),
        ..LinkStatus::default()
    };
    let agent = AgentStatus { agent: "rex".into(), transport: "exec", state: "ready", ..AgentStatus::default() };
    let process = ProcessStatus { heap_limit_bytes: 9, state_mode: "memory", ..ProcessStatus::default() };
    Status { version: "1.2.3".into(), links: vec![link], agents: vec![agent], process, ..Status::default() }
}

/// The families: name to type; each sample's name, labels and value are checked on the way (exposition format 0.0.4).
fn families(text: &str) -> BTreeMap<String, String> {
    let (mut families, mut current, mut seen) = (BTreeMap::new(), String::new(), BTreeSet::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(words.len() > 5 && words.ends_with('.'), "{line}");
            current = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(
                name == current && families.insert(name.into(), kind.into()).is_none(),
                "a family stands once: {line}"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<u64>().is_ok() && seen.insert(sample.to_owned()), "a sample stands once: {line}");
            assert_eq!(sample.split('{').next(), Some(current.as_str()), "{line}");
        }
    }
    families
}

#[test]
fn the_metrics_are_in_the_text_format_with_their_units_and_every_series_once() {
    let text = exposition(&full());
    let families = families(&text);
    assert!(families.keys().all(|name| name.starts_with("guild_bridge_")));
    for line in [
        "guild_bridge_build_info{version=\"1.2.3\"} 1",
        "guild_bridge_link_delivered_total{agent=\"rex\",guild=\"a\\\"b\\\\c\\nd\"} 12",
        "guild_bridge_link_last_proof_timestamp_seconds{agent=\"rex\",guild=\"a\\\"b\\\\c\\nd\"} 1795428000",
        "guild_bridge_link_gaps_total{agent=\"rex\",guild=\"a\\\"b\\\\c\\nd\",reason=\"oversize\"} 3",
        "guild_bridge_agent_state{agent=\"rex\",transport=\"exec\",state=\"ready\"} 1",
    ] {
        assert!(text.lines().any(|there| there == line), "{line}\n{text}");
    }
}

#[test]
fn each_state_is_a_series_and_one_of_them_is_1() {
    for state in LINK_STATES {
        let mut status = full();
        status.links[0].state = state;
        let text = exposition(&status);
        let states: Vec<&str> = text.lines().filter(|line| line.starts_with("guild_bridge_link_state{")).collect();
        let on: Vec<_> = states.iter().filter(|line| line.ends_with(" 1")).collect();
        assert_eq!((states.len(), on.len()), (LINK_STATES.len(), 1), "{state}: {states:?}");
        assert!(on[0].contains(&format!("state=\"{state}\"")));
    }
    assert!(README.contains(&format!("| `state` | {} |", LINK_STATES.join(", "))));
    assert!(README.contains(&format!("`state` ({})", AGENT_STATES.join(", "))));
}

#[test]
fn a_daemon_without_links_says_what_it_can() {
    let families = families(&exposition(&Status::default()));
    assert!(families.keys().all(|name| !name.contains("link") && !name.contains("agent")), "{families:?}");
    assert!(
        families.contains_key("guild_bridge_heap_bytes") && !families.contains_key("guild_bridge_heap_limit_bytes")
    );
}

#[test]
fn the_readme_names_every_metric_with_its_labels() {
    let (_, below) = README.split_once("\n### Metrics\n").unwrap();
    let rows = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).skip(2);
    let told: BTreeSet<&str> = rows.map(|row| row.trim_start_matches("| `").split('`').next().unwrap()).collect();
    let families = families(&exposition(&full()));
    let there: BTreeSet<&str> = families.keys().map(String::as_str).collect();
    assert_eq!(told, there);
}

#[test]
fn a_link_that_fares_badly_is_seen_in_its_metrics_and_in_its_day() {
    let mut w = World::chatty(5);
    w.settings.page = Some(guild_bridge::settings::Page { listen: "127.0.0.1:80".parse().unwrap(), hosts: Vec::new() });
    w.run_live();
    w.say("general", "alice", "hi");
    w.run_for(mins(30));
    w.drop_lines();
    w.guild().dark = true;
    w.run_for(mins(30));
    let text = exposition(w.status());
    let line = "guild_bridge_link_state{agent=\"recruiter\",guild=\"acme\",state=\"backoff\"} 1";
    assert!(text.lines().any(|there| there == line), "{text}");
    let days = w.days();
    let (link, agent) = (&days.links[0], &days.agents[0]);
    let board_began_ms = crate::world::hall::WALL;
    let (began_ms, ago_ms) = (days.step_began_ms - board_began_ms, board_began_ms + w.at - days.step_began_ms);
    assert!(began_ms % days.step_ms == 0 && ago_ms < days.step_ms, "the last step begins at {began_ms} ms");
    assert_eq!((link.agent.as_str(), link.guild.as_deref(), agent.guild.as_deref()), ("recruiter", Some("acme"), None));
    let sum = |place: usize| link.steps.iter().map(|step| u32::from(step.shares[place])).sum::<u32>();
    assert!(sum(0) > 2 * 255 && sum(2) > 2 * 255 && sum(3) == 0, "half an hour of each: {:?}", link.steps);
    let passed = |steps: &[guild_bridge::day::Step]| steps.iter().map(|step| u32::from(step.counts[0])).sum::<u32>();
    assert_eq!((passed(&link.steps), passed(&agent.steps)), (1, 1));
    w.settings.page = None;
    w.ask(guild_bridge::port::Command::Reload(Box::new(w.settings.clone())));
    w.run_for(secs(5));
    assert!(w.days().links.is_empty() && w.days().agents.is_empty(), "nobody looks: nothing is kept");
}
