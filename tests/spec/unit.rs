//! Agents that the daemon starts itself, under a unit that starts nothing.

use crate::folder::Folder;
use crate::world::World;
use guild_bridge::cli::unit::warning;
use guild_bridge::settings::{Child, Settings, Transport};
use std::collections::BTreeMap;
use std::path::Path;

const UNIT: &str = include_str!("../../board/common/guild-bridge.service");
const DROP_IN: &str = include_str!("../../board/common/agents.conf");
const MARK: &str = "\nEnvironment=GUILD_BRIDGE_UNIT=";

fn settings(socket: bool) -> Settings {
    let mut settings = World::new(1).settings;
    let child = Child { cwd: None, env: BTreeMap::new(), env_files: BTreeMap::new() };
    let answer = match socket {
        true => Transport::Socket { path: "/run/guild-bridge/agents.sock".into(), uids: Vec::new() },
        false => Transport::Stdio { argv: vec!["/usr/bin/agent".into()], child },
    };
    settings.agents.iter_mut().for_each(|agent| agent.answer = answer.clone());
    settings
}

#[test]
fn agents_that_it_starts_itself_are_warned_about_under_the_hard_unit_and_no_others() {
    let nowhere = Path::new("/nowhere/at/all");
    let told = warning(&settings(false), Some("hard"), nowhere, false).unwrap();
    assert!(told.contains("recruiter") && told.contains("agents.conf"), "{told}");
    assert_eq!(warning(&settings(true), Some("hard"), nowhere, false), None);
    assert_eq!(warning(&settings(false), Some("agents"), nowhere, true), None);
    assert_eq!(warning(&settings(false), None, nowhere, true), None);
}

#[test]
fn a_check_by_hand_looks_at_the_installed_unit_and_its_drop_in() {
    let root = Folder::new();
    let unit = root.path().join("usr/lib/systemd/system");
    std::fs::create_dir_all(&unit).unwrap();
    std::fs::write(unit.join("guild-bridge.service"), UNIT).unwrap();
    assert!(warning(&settings(false), None, root.path(), true).is_some());
    assert_eq!(warning(&settings(false), None, root.path(), false), None, "the configuration is not the service's");
    let drop_ins = root.path().join("etc/systemd/system/guild-bridge.service.d");
    std::fs::create_dir_all(&drop_ins).unwrap();
    std::fs::write(drop_ins.join("mine.conf"), "[Service]\nMemoryMax=64M\n").unwrap();
    assert!(warning(&settings(false), None, root.path(), true).is_some());
    std::fs::write(drop_ins.join("agents.conf"), DROP_IN).unwrap();
    assert_eq!(warning(&settings(false), None, root.path(), true), None);
}

#[test]
fn the_unit_and_its_drop_in_say_which_they_are() {
    assert!(UNIT.contains(&format!("{MARK}hard\n")) && DROP_IN.contains(&format!("{MARK}agents\n")));
}
