//! The manners of a service: what its manager is told, and where its log goes.

use crate::guild::Options;
use crate::scene::Scene;
use crate::{Ended, Scenario};
use rustix::process::Signal;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_service_manager_is_told_and_its_watchdog_is_fed_by_the_loop", 40, manager),
    Scenario("the_systems_log_gets_each_line_with_its_level", 30, syslog),
];

/// A socket of a name in the scene's directory, and what comes to it.
struct Ear(UnixDatagram);

impl Ear {
    fn of(scene: &mut Scene, name: &str, variable: &str, before: &str) -> Self {
        let path = scene.bridge.dir.0.join(name);
        scene.bridge.env.push((variable.into(), format!("{before}{}", path.display())));
        Self(UnixDatagram::bind(path).expect("a socket"))
    }

    /// The next datagram that begins so within these seconds; others are passed over.
    fn hears(&self, begins: &str, seconds: u64) -> Option<String> {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut buffer = [0; 8192];
        while let Some(rest) = until.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            self.0.set_read_timeout(Some(rest)).expect("a time");
            let Ok(n) = self.0.recv(&mut buffer) else { return None };
            let told = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if told.starts_with(begins) {
                return Some(told);
            }
        }
        None
    }

    /// All that came until now is forgotten.
    fn forget(&self) {
        while self.hears("nothing begins so", 0).is_some() {}
        self.0.set_nonblocking(true).expect("it can be");
        let mut buffer = [0; 8192];
        while self.0.recv(&mut buffer).is_ok() {}
        self.0.set_nonblocking(false).expect("it can be");
    }
}

fn manager() -> Ended {
    let mut scene = Scene::new(Options::default());
    let ear = Ear::of(&mut scene, "notify", "NOTIFY_SOCKET", "");
    scene.bridge.env.push(("WATCHDOG_USEC".into(), "3000000".into()));
    let scene = scene.started();
    assert!(ear.hears("READY=1", 10).is_some(), "it says that it runs");
    assert!(ear.hears("STATUS=1 of 1 links live", 15).is_some(), "it says how its links are");
    (0..3).for_each(|_| assert!(ear.hears("WATCHDOG=1", 2).is_some(), "fed each second"));
    scene.bridge.signal(Signal::STOP);
    ear.forget();
    assert!(ear.hears("WATCHDOG=1", 3).is_none(), "a loop that does not turn feeds nothing");
    scene.bridge.signal(Signal::CONT);
    assert!(ear.hears("WATCHDOG=1", 3).is_some());
    let (code, out, err) = scene.bridge.call(&["reload"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(ear.hears("RELOADING=1", 5).is_some_and(|told| told.contains("MONOTONIC_USEC=")));
    assert!(ear.hears("READY=1", 5).is_some());
    scene.bridge.signal(Signal::TERM);
    assert!(ear.hears("STOPPING=1", 5).is_some());
    scene.end()
}

fn syslog() -> Ended {
    let mut scene = Scene::new(Options::default());
    let ear = Ear::of(&mut scene, "log", "GUILD_BRIDGE_LOG", "syslog:");
    let mut scene = scene.live();
    let pid = scene.bridge.status()["process"]["pid"].clone();
    let runs = ear.hears("<30>", 5).unwrap_or_default();
    assert!(runs.starts_with(&format!("<30>guild-bridge[{pid}]: guild-bridge ")), "{runs}");
    scene.guild.stop(false);
    let warned = ear.hears("<28>", 10).unwrap_or_default();
    assert!(warned.contains("recruiter"), "{warned}");
    assert_eq!(scene.bridge.log(), "", "standard error is quiet");
    scene.guild.open();
    scene.bridge.wait_state("recruiter", "live", 15);
    scene.end()
}
