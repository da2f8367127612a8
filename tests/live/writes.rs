//! What the journal costs a real disk: bytes from /proc/PID/io, syncs from strace. The figures are printed.

use crate::guild::Options;
use crate::guild::agent;
use crate::scene::{BRIDGE, Scene};
use crate::{Ended, Scenario};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_relayed_message_costs_flash_at_most_600_bytes_at_20_a_second_in_group_mode", 120, group_writes),
    Scenario("each_mode_and_memory_mode_write_what_they_say", 150, other_writes),
    Scenario("nothing_is_synced_in_memory_mode", 60, || syncs("memory", |count| count == 0)),
    Scenario("every_reply_is_synced_in_each_mode_and_once_a_second_in_group_mode", 120, hard_syncs),
    Scenario("a_sync_that_fails_costs_no_message_and_its_file_is_left_alone", 60, failing_sync),
];

/// Between two messages: 20 a second.
const EVERY: Duration = Duration::from_millis(50);
/// `budget::GROUP_LAZY_MS` and some: everything is synced.
const SETTLED: Duration = Duration::from_millis(7_000);
const TMPFS: u64 = 0x0102_1994;

/// A directory of our own on something that is not RAM; it goes when it is dropped.
struct Flash(PathBuf);

impl Drop for Flash {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn flash() -> Option<Flash> {
    let places = [PathBuf::from(env!("CARGO_TARGET_TMPDIR")), std::env::temp_dir(), "/var/tmp".into()];
    let real = |place: &&PathBuf| {
        let kind = rustix::fs::statfs(place.as_path()).map(|fs| fs.f_type as u64);
        kind.is_ok_and(|kind| kind != TMPFS)
    };
    let place = places.iter().find(real)?.join(format!("flash-{}-{}", std::process::id(), fastrand::u64(..)));
    std::fs::create_dir_all(&place).ok()?;
    Some(Flash(place))
}

/// A daemon in this mode with its state on flash, and an agent that is one child from the start to the end: what a child
/// wrote counts as its parent's once it is over.
fn scene(mode: &str, flash: &Flash, program: &Path) -> Scene {
    let mut scene = Scene::new(Options::default());
    let mut bridge = crate::guild::bridge::Bridge::new(program, &scene.guild.url());
    bridge.exec_agent("recruiter", "key-1", json!({"parallel": 4}));
    bridge.config["agents"]["recruiter"]["answer"] =
        json!({"stdio": agent::argv("stdio", &bridge.turn_log("recruiter"))});
    bridge.config["state"] = json!(mode);
    std::os::unix::fs::symlink(&flash.0, bridge.dir.0.join("state")).expect("a link to the state directory");
    scene.bridge = bridge;
    let mut scene = scene.live();
    scene.talk("the first is not counted", 10);
    std::thread::sleep(SETTLED);
    scene
}

/// `write_bytes` (what went to the disk, by the page) and `wchar` (all that was handed to `write`) of the daemon.
fn written(scene: &Scene) -> (u64, u64) {
    let pid = scene.bridge.pid().expect("it runs");
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).expect("its own user may read it");
    let field = |name: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(name)).expect("a field of /proc/PID/io");
        line.trim().parse().expect("a number")
    };
    (field("write_bytes:"), field("wchar:"))
}

/// Says so many, 20 a second, and waits until all are answered and written: seconds that the saying took, bytes.
fn relay(scene: &mut Scene, count: usize) -> (f64, u64, u64) {
    let (before, had) = (written(scene), scene.replies().len());
    let begun = Instant::now();
    for n in 0..count {
        scene.say(&format!("message {n} of some forty bytes of text"));
        let next = EVERY * (n as u32 + 1);
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
    }
    let seconds = begun.elapsed().as_secs_f64();
    scene.wait_replies(had + count, 30);
    std::thread::sleep(SETTLED);
    let after = written(scene);
    (seconds, after.0 - before.0, after.1 - before.1)
}

fn measured(mode: &str) -> Option<(u64, u64)> {
    let flash = flash()?;
    let mut scene = scene(mode, &flash, Path::new(BRIDGE));
    let (seconds, bytes, handed) = relay(&mut scene, 500);
    let (_, single, _) = relay(&mut scene, 1);
    let each = bytes / 500;
    println!(
        "  {mode}: 500 messages in {seconds:.1} s: {each} bytes written to disk a message (write_bytes), {} handed to write \
         (wchar, log and network included); one alone: {single} bytes",
        handed / 500
    );
    let Ended::Well = scene.end() else { panic!("it ended badly") };
    Some((each, single))
}

fn group_writes() -> Ended {
    let Some((each, single)) = measured("group") else { return no_flash() };
    assert!((1..=600).contains(&each), "{each} bytes a message");
    assert!((4_096..=12_288).contains(&single), "{single} bytes for one alone");
    Ended::Well
}

fn other_writes() -> Ended {
    let (Some(memory), Some(each)) = (measured("memory"), measured("each")) else { return no_flash() };
    // what was never synced is written when the kernel likes, each page once
    assert!(memory.0 <= 600 && memory.1 <= 8_192, "{memory:?}");
    assert!((4_096..=20_000).contains(&each.0), "{each:?}");
    Ended::Well
}

fn no_flash() -> Ended {
    Ended::Skipped("every directory for temporary files is on RAM".into())
}

/// A program that runs the daemon under strace with these arguments. A strace that is killed would let its daemon go on:
/// the kernel ends it too.
fn traced(flash: &Flash, arguments: &str) -> Option<PathBuf> {
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    // it may be there and not be allowed to
    let tried = ["-qq", "-e", "trace=none", "setpriv", "--pdeathsig", "KILL", "true"];
    let works = quiet(Command::new("strace").args(tried)).is_ok_and(|status| status.success());
    let program = flash.0.with_extension("traced");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = run ] || exec {BRIDGE} \"$@\"\nexec strace -f -qq {arguments} setpriv --pdeathsig KILL {BRIDGE} \"$@\"\n"
    );
    std::fs::write(&program, text).ok()?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).ok()?;
    works.then_some(program)
}

/// How often the disk was asked to sync while so many messages were relayed.
fn count_syncs(mode: &str, messages: usize) -> Option<usize> {
    let flash = flash()?;
    let trace = flash.0.with_extension("trace");
    let calls = "fsync,fdatasync,sync_file_range,msync,sync,syncfs";
    let program = traced(&flash, &format!("-e trace={calls} -o {}", trace.display()))?;
    let mut scene = scene(mode, &flash, &program);
    let lines =
        || std::fs::read_to_string(&trace).map_or(0, |text| text.lines().filter(|l| l.contains("sync")).count());
    let before = if mode == "memory" { 0 } else { lines() };
    relay(&mut scene, messages);
    scene.check();
    // strace takes the daemon with it
    scene.bridge.kill();
    let count = lines() - before;
    println!("  {mode}: {count} syncs for {messages} messages, 20 a second (strace)");
    let _ = (std::fs::remove_file(&program), std::fs::remove_file(&trace));
    Some(count)
}

fn syncs(mode: &str, good: impl Fn(usize) -> bool) -> Ended {
    match count_syncs(mode, 100) {
        Some(count) if good(count) => Ended::Well,
        Some(count) => panic!("{count} syncs in mode {mode}"),
        None => Ended::Skipped("strace or setpriv is not there or may not trace, or there is no disk but RAM".into()),
    }
}

fn hard_syncs() -> Ended {
    match syncs("each", |count| count >= 200) {
        Ended::Well => syncs("group", |count| (3..=20).contains(&count)),
        skipped @ Ended::Skipped(_) => skipped,
    }
}

fn failing_sync() -> Ended {
    let Some(flash) = flash() else { return no_flash() };
    // the fourth sync of a file fails, and the kernel forgets what it was asked to write
    let Some(program) = traced(&flash, "-o /dev/null -e trace=fdatasync -e inject=fdatasync:error=EIO:when=4") else {
        return Ended::Skipped("strace or setpriv is not there or may not trace".into());
    };
    let mut scene = scene("each", &flash, &program);
    for n in 0..10 {
        scene.talk(&format!("m{n}"), 10);
    }
    let log = scene.bridge.log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains("disk.failed: ")).collect();
    assert!(said.len() == 1 && said[0].contains("all is written anew"), "{said:?}");
    assert_eq!(scene.bridge.status()["process"]["state_mode"], "each");
    scene.bridge.kill();
    scene.bridge.spawn();
    scene.talk("after it", 20);
    assert_eq!(scene.bridge.turns("recruiter").len(), 12, "a turn was given again");
    scene.check();
    scene.bridge.kill();
    let _ = std::fs::remove_file(&program);
    Ended::Well
}
