//! What a reload will change is worked out and said first.

use crate::world::{World, log, mins, secs};
use guild_bridge::journal::Kept;
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::{Client, Command, Input, Output, Told};
use guild_bridge::relay::{Options, Relay};
use guild_bridge::secret::Secret;
use guild_bridge::settings::{RespondTo, Settings, StateMode};

fn reload(w: &mut World) -> Client {
    let settings = Box::new(w.settings.clone());
    w.ask(Command::Reload(settings))
}

fn plan(w: &mut World) -> Vec<String> {
    let settings = Box::new(w.settings.clone());
    let client = w.ask(Command::Plan(settings));
    w.told(client)
}

/// A change, what is told of it, and whether the link keeps its connection.
type Row = (fn(&mut Settings), &'static str, bool);

/// Since when each link is as it is: a connection that was kept has not moved.
fn since(w: &World) -> Vec<String> {
    w.status().links.iter().map(|link| format!("{} {}", link.agent, link.since)).collect()
}

#[test]
fn what_will_change_is_said_before_anything_is_done_and_what_changed_after_it() {
    let mut settings = World::new(1).settings;
    let now = Now { at: Moment(1_000), wall_ms: 1_700_000_000_000 };
    let options = Options { attachments: "/run/attachments".into(), seed: 1, build_ms: 0 };
    let mut relay = Relay::new(settings.clone(), Kept::default(), options, now);
    while relay.poll().is_some() {}
    settings.agents[0].key = Ok(Secret::new("another"));
    settings.agents[0].parallel += 1;
    relay.handle(Input::Control(Client(7), Command::Reload(Box::new(settings))), now);
    let outputs: Vec<Output> = std::iter::from_fn(|| relay.poll()).collect();
    let done = outputs.iter().filter(|output| matches!(output, Output::Dismiss(_) | Output::Hire(..))).count();
    let will = "will change recruiter: reconnects in acme (key); is asked anew (parallel), open turns are given again";
    assert!(matches!(&outputs[0], Output::Tell(_, Told::Queued(said)) if said == will));
    assert!(matches!(outputs.last(), Some(Output::Tell(_, Told::Done(said))) if said == "changed recruiter"));
    let said: Vec<String> = log::lines().into_iter().filter(|line| line.starts_with("reload: ")).collect();
    assert_eq!((said, done), (vec![format!("reload: {will}"), "reload: changed recruiter".into()], 2));
}

#[test]
fn each_change_is_told_as_what_it_does() {
    let unbound = "recruiter: it is unbound: its key cannot be used; reconnects in acme (key)";
    let rows: &[Row] = &[
        (|s| s.agents[0].key = Ok(Secret::new("new")), "recruiter: reconnects in acme (key)", false),
        (|s| s.agents[0].key = Err("gone".into()), unbound, false),
        (|s| s.agents[0].id = "other".into(), "recruiter: reconnects in acme (id)", false),
        (|s| s.agents[0].key_file = "/keys/b".into(), "recruiter: reconnects in acme (key_file)", false),
        (
            |s| s.agents[0].respond_to = RespondTo::Mentions,
            "recruiter: keeps its connection in acme; in place: respond_to",
            true,
        ),
        (|s| s.agents[0].deadline_s = 9, "recruiter: keeps its connection in acme; in place: deadline_s", true),
        (
            |s| s.agents[0].attachment_bytes = Some(9),
            "recruiter: keeps its connection in acme; in place: attachments",
            true,
        ),
        (|s| s.agents[0].bots_all = true, "recruiter: keeps its connection in acme; in place: bots", true),
        (|s| s.timing.stable_ms = 9_000, "timing: stable_s", true),
        (|s| s.message_bytes = 9_000, "limits: message_bytes", true),
    ];
    for (change, will, kept) in rows {
        let mut w = World::chatty(31);
        w.run_for(secs(10));
        let before = since(&w);
        change(&mut w.settings);
        let client = reload(&mut w);
        w.run_for(secs(20));
        assert_eq!(w.told(client)[0], format!("Queued(\"will change {will}\")"));
        assert_eq!(since(&w) == before, *kept, "{will}");
    }
}

#[test]
fn a_guild_that_moved_reconnects_those_in_it_and_no_other() {
    let mut w = World::chatty(32);
    w.add_guild("spare");
    w.add_agent("scout", &["spare"]);
    w.hall(1).model.add_channel("pair", "channel", &["alice", "scout"]);
    w.run_for(secs(30));
    let before = since(&w);
    w.settings.guilds[0].plaintext = true;
    let client = reload(&mut w);
    w.run_for(secs(2));
    let field = "the guild's plaintext";
    let will = format!(r"will change recruiter: reconnects in acme ({field})\nwill change guild acme: {field}");
    assert_eq!(w.told(client), [format!("Queued(\"{will}\")"), "Done(\"changed recruiter, guild acme\")".into()]);
    let after = since(&w);
    assert!(before[0] != after[0] && before[1] == after[1], "{before:?} {after:?}");
}

#[test]
fn who_comes_and_goes_is_told_by_name() {
    let mut w = World::chatty(33);
    w.run_live();
    w.agent().takes_ms = secs(3);
    w.say("general", "alice", "hi");
    w.run_for(secs(1));
    let recruiter = w.settings.agents.pop().unwrap();
    w.add_guild("spare");
    w.add_agent("scout", &["acme", "spare"]);
    let client = reload(&mut w);
    let [go, come] = ["will remove recruiter: its open turns have 5 s", "will add scout: connects in acme, spare"];
    assert_eq!(w.told(client)[0], format!(r#"Queued("{go}\n{come}\nwill add guild spare")"#));
    assert_eq!(w.told(client)[1], "Done(\"added scout, guild spare; removed recruiter\")");
    w.settings.agents.push(recruiter);
    w.settings.agents[0].guilds.pop();
    let stay = "will change scout: keeps its connection in acme; ends at once in spare";
    let back = "will take recruiter back: keeps its connection in acme";
    assert_eq!(plan(&mut w), [format!(r#"Done("{stay}\n{back}")"#)]);
}

#[test]
fn an_agent_that_goes_with_its_guild_is_told_to_end_there_at_once() {
    let mut w = World::chatty(36);
    w.add_guild("spare");
    w.add_agent("scout", &["acme", "spare"]);
    w.run_live();
    w.settings.agents.pop();
    let goes = "will remove scout: its open turns have 5 s";
    assert_eq!(plan(&mut w), [format!(r#"Done("{goes}")"#)]);
    w.settings.guilds.pop();
    assert_eq!(plan(&mut w), [format!(r#"Done("{goes}; ends at once in spare\nwill remove guild spare")"#)]);
}

#[test]
fn a_plan_alone_changes_nothing_and_says_the_same_again() {
    let mut w = World::chatty(34);
    w.run_live();
    w.settings.agents[0].key = Ok(Secret::new("another"));
    w.settings.agents[0].parallel += 1;
    let (first, before) = (plan(&mut w), since(&w));
    w.run_for(mins(3));
    assert!(first[0].starts_with("Done(\"will change recruiter: reconnects in acme (key)"), "{first:?}");
    assert_eq!((since(&w), plan(&mut w)), (before, first));
    w.say("general", "alice", "hi");
    w.run_for(secs(5));
    assert_eq!(w.answers("general"), ["re: hi"]);
}

#[test]
fn what_only_a_start_can_change_is_said_at_every_reload_until_then() {
    let mut w = World::chatty(35);
    w.run_live();
    w.settings.state = StateMode::Each;
    for _ in 0..2 {
        let client = reload(&mut w);
        let will = "will leave state as it is: it changes when the daemon is started again";
        assert_eq!(w.told(client), [format!("Queued(\"{will}\")"), "Done(\"nothing changed\")".into()]);
    }
}
