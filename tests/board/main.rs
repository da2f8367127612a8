//! `cargo run --example board -- run|boot --target TARGET --binary FILE …`: the binary of a board with a guild over TLS on
//! this machine. `run`: under `--emulator`, a user-mode QEMU, or by itself without one. `boot`: on a whole machine with 64 MB,
//! `--emulator` a system QEMU, with `--kernel`, its `--modules` and `--busybox`. A line for each promise, `ok` or `FAILED`, a line
//! of figures; exit 1 if one failed. Every wait is bounded, and what was started is ended.
#![allow(clippy::unwrap_used, clippy::string_slice, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "it stands outside the daemon, where the clock is")]

#[path = "../guild/mod.rs"]
mod guild;

mod cpio;
mod kind;
mod machine;
mod scene;

use machine::Machine;
use scene::{Doors, LONG_REST_S, RECONCILE_S, Scene};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One promise: its sentence, and what shows it.
struct Scenario(&'static str, fn(&mut Scene) -> Result<(), String>);

const IN_1970: &[Scenario] = &[
    Scenario("a_board_in_1970_says_that_its_clock_is_not_set", the_clock_is_not_set),
    Scenario("it_goes_on_at_once_when_the_clock_is_set", the_clock_is_set),
];

const RELAYS: &[Scenario] = &[
    Scenario("it_connects_over_tls_is_heard_and_relays", relays),
    Scenario("a_forced_reconnect_takes_a_fresh_token_and_loses_and_doubles_nothing", reconnects),
    Scenario("its_timers_fire_while_nothing_else_happens", timers_fire),
];

const BOOTED: &[Scenario] = &[Scenario("a_board_with_64_mb_has_room_for_it", has_room)];

/// What the command line asks for.
pub struct Asked {
    pub binary: PathBuf,
    pub emulator: Option<PathBuf>,
    pub kernel: Option<PathBuf>,
    pub modules: Option<PathBuf>,
    pub busybox: Option<PathBuf>,
}

fn main() -> ExitCode {
    let (boots, target, asked) = match read() {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("board: {why}");
            return ExitCode::from(64);
        }
    };
    let Some(kind) = kind::kind(&target) else {
        eprintln!("board: there is no target {target}");
        return ExitCode::from(64);
    };
    let size = match std::fs::metadata(&asked.binary) {
        Ok(metadata) => metadata.len(),
        Err(error) => {
            eprintln!("board: {}: {error}", asked.binary.display());
            return ExitCode::from(66);
        }
    };
    let (doors, begun) = (Doors::open(), Instant::now());
    let machine = match boots {
        true => Machine::boot(&asked, kind, doors.files("10.0.2.2")),
        false => Ok(Machine::here(&asked, kind, doors.files("127.0.0.1"))),
    };
    let machine = match machine {
        Ok(machine) => machine,
        Err(why) => {
            println!("FAILED {target} boots: {why}");
            return ExitCode::FAILURE;
        }
    };
    let mut scene = doors.scene(kind, machine, size, begun.elapsed().as_secs());
    let story: Vec<&Scenario> = match boots {
        true => IN_1970.iter().chain(RELAYS).chain(BOOTED).collect(),
        false => RELAYS.iter().collect(),
    };
    if play(&mut scene, &story) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each goes on from where the one before ended: after a failure the rest says nothing.
fn play(scene: &mut Scene, story: &[&Scenario]) -> bool {
    for (at, Scenario(name, shows)) in story.iter().enumerate() {
        let begun = Instant::now();
        match shows(scene) {
            Ok(()) => println!("ok {name} {:.1}s", begun.elapsed().as_secs_f32()),
            Err(why) => {
                println!("FAILED {name} {:.1}s {why}", begun.elapsed().as_secs_f32());
                story[at + 1..].iter().for_each(|Scenario(name, _)| println!("FAILED {name} not come to"));
                return false;
            }
        }
    }
    true
}

fn read() -> Result<(bool, String, Asked), String> {
    let mut arguments = std::env::args().skip(1);
    let boots = match arguments.next().as_deref() {
        Some("run") => false,
        Some("boot") => true,
        _ => return Err("run or boot".into()),
    };
    let (mut target, mut binary) = (None, None);
    let mut asked = Asked { binary: PathBuf::new(), emulator: None, kernel: None, modules: None, busybox: None };
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(format!("{option} wants a value"))?;
        match option.as_str() {
            "--target" => target = Some(value),
            "--binary" => binary = Some(value.into()),
            "--emulator" => asked.emulator = Some(value.into()),
            "--kernel" => asked.kernel = Some(value.into()),
            "--modules" => asked.modules = Some(value.into()),
            "--busybox" => asked.busybox = Some(value.into()),
            _ => return Err(format!("unknown option {option}")),
        }
    }
    asked.binary = binary.ok_or("--binary is missing")?;
    asked.binary = asked.binary.canonicalize().map_err(|error| format!("{}: {error}", asked.binary.display()))?;
    Ok((boots, target.ok_or("--target is missing")?, asked))
}

fn the_clock_is_not_set(scene: &mut Scene) -> Result<(), String> {
    println!("board: {} of {} MB after {} s", scene.machine.must("uname -srm")?, machine::MEMORY_MB, scene.booted_s);
    scene.machine.must("date -u -s @86400 >/dev/null")?;
    scene.start("patient.json")?;
    let link = scene.until_link("waiting for the clock", 60, |link| link["state"] == "waiting_clock")?;
    if link["reason"] != "clock.unset" || !link["detail"].as_str().is_some_and(|detail| detail.contains("1970-01-02")) {
        return Err(format!("it does not say so: {link}"));
    }
    scene.machine.must("grep -q clock.unset $D/log").map_err(|_| format!("nor does its log:\n{}", scene.log()))?;
    let rest = link["next_try_s"].as_f64().unwrap_or_default();
    if rest < LONG_REST_S as f64 / 6.0 {
        return Err(format!("it does not rest long enough for what follows to show anything: {link}"));
    }
    match scene.guild.calls() {
        calls if calls.is_empty() => Ok(()),
        calls => Err(format!("what nobody could check was trusted: {calls:?}")),
    }
}

fn the_clock_is_set(scene: &mut Scene) -> Result<(), String> {
    let now_s = guild::server::wall_ms() / 1_000;
    scene.machine.must(&format!("date -u -s @{now_s} >/dev/null"))?;
    scene.until_live(15)?;
    scene.machine.must("grep 'the clock was set by +' $D/log")?;
    scene.talk("what year is it?")?;
    scene.stop()
}

fn relays(scene: &mut Scene) -> Result<(), String> {
    scene.start("config.json")?;
    scene.until_live(60)?;
    ["hello", "are you well?", "good"].into_iter().try_for_each(|text| scene.talk(text))
}

/// The token is over and the connection ends: whoever came back with the old one would be let in and hear nothing.
fn reconnects(scene: &mut Scene) -> Result<(), String> {
    let before = scene.guild.with(|guild, _| (guild.minted(), guild.offers.len()));
    scene.guild.with(|guild, _| guild.revoke_tokens("recruiter"));
    scene.proxy.end();
    scene.say("did the line drop?");
    scene.answered("did the line drop?", 60)?;
    scene.until_live(60)?;
    scene.talk("and now?")?;
    let (minted, offers, twice, hearers) = scene
        .guild
        .with(|guild, _| (guild.minted(), guild.offers.len(), guild.offered_twice(), guild.hearers("general")));
    if minted <= before.0 || offers <= before.1 || twice > 0 || hearers != 1 {
        return Err(format!(
            "{minted} tokens after {}, {offers} handshakes after {}, {twice} offered twice, {hearers} sessions hear",
            before.0, before.1
        ));
    }
    let fresh = scene.guild.with(|guild, _| guild.offers.last().is_some_and(|(_, good)| *good));
    if fresh { Ok(()) } else { Err("the last handshake was not authorised".into()) }
}

/// Only timers let it look into history: nobody speaks, and no ping is due.
fn timers_fire(scene: &mut Scene) -> Result<(), String> {
    // nothing moved: the list of channels says so, and no history is read
    let looks = |scene: &Scene| scene.guild.calls().iter().filter(|call| call.contains(" /channels")).count();
    std::thread::sleep(Duration::from_secs(1));
    let (before, quiet_s) = (looks(scene), 5 * RECONCILE_S);
    std::thread::sleep(Duration::from_secs(quiet_s));
    match looks(scene) - before {
        seen if seen >= 3 => Ok(()),
        seen => Err(format!("it looked into history {seen} times in {quiet_s} s, due every {RECONCILE_S} s")),
    }
}

/// As the board's own kernel counts, after all of the above, with one TLS link. `status` lags behind by up to 64 pages for each
/// thread (SPLIT_RSS_COUNTING), `smaps_rollup` counts anew and knows no peak: the larger counts.
fn has_room(scene: &mut Scene) -> Result<(), String> {
    scene.until_live(30)?;
    let told = scene.machine.must("cat /proc/$(cat $D/pid)/status /proc/$(cat $D/pid)/smaps_rollup")?;
    let kb = |name: &str| -> Result<u64, String> {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok());
        number.ok_or_else(|| format!("no {name} in {told}"))
    };
    let (peak, resident, own, anonymous) = (kb("VmHWM")?, kb("Rss")?, kb("RssAnon")?, kb("Anonymous")?);
    let free = scene.machine.must("grep -E 'MemTotal|MemAvailable' /proc/meminfo")?;
    println!(
        "board: {}: {} bytes; VmHWM {peak} kB, RssAnon {own} kB; counted anew {resident} kB resident, {anonymous} kB anonymous; \
         {} threads; {}",
        scene.kind.target,
        scene.size,
        kb("Threads")?,
        free.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    let (peak, own) = (peak.max(resident), own.max(anonymous));
    match scene.kind.bounds_kb {
        Some((most, most_own)) if peak > most || own > most_own => {
            Err(format!("{peak} kB resident, {most} are allowed; {own} kB anonymous, {most_own} are allowed"))
        }
        _ => scene.stop(),
    }
}
