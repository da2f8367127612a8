//! Schedules from seeds.

use super::schedule::{Act, Deed, DiskDoes, Does, Mints, Route, Schedule, Wrong};
use super::traits::{Kept, Traits, Turned};
use super::{CHANNELS, FRAMES};
use crate::world::secs;
use fastrand::Rng;

/// The schedule of a seed.
pub fn draw(seed: u64) -> Schedule {
    let mut rng = Rng::with_seed(seed);
    let traits = traits(&mut rng);
    let acts = (0..rng.usize(20..120)).map(|_| act(&mut rng, &traits)).collect();
    Schedule { seed, traits, acts }
}

fn traits(rng: &mut Rng) -> Traits {
    let one_in = |rng: &mut Rng, n| rng.u32(..n) == 0;
    Traits {
        acks: !one_in(rng, 2),
        lists: !one_in(rng, 3),
        kicks: one_in(rng, 3),
        recovery: one_in(rng, 4),
        keys: !one_in(rng, 4),
        nonces: !one_in(rng, 3),
        date: !one_in(rng, 4),
        mentions: one_in(rng, 2),
        echo: !one_in(rng, 5),
        life_s: [20, 90, 900][rng.usize(..3)],
        rejection: Turned::ALL[rng.usize(..6)],
        latency_ms: [1, 5, 80, 400][rng.usize(..4)],
        jitter_ms: [0, 0, 30, 900][rng.usize(..4)],
        parallel: rng.u16(1..5),
        takes_ms: rng.u64(1..400),
        agents: [1, 1, 1, 2, 3][rng.usize(..5)],
        guilds: [1, 1, 1, 2][rng.usize(..4)],
        state: [Kept::Memory, Kept::Group, Kept::Each][rng.usize(..3)],
    }
}

fn act(rng: &mut Rng, traits: &Traits) -> Act {
    let guild = rng.u8(..traits.guilds);
    let channel = rng.u8(..CHANNELS.len() as u8);
    let deed = match rng.u32(..10) {
        0 => fault(rng, traits, guild),
        1 => fault_of_the_world(rng, traits, guild, channel),
        _ => Deed::Say { guild, channel, count: if rng.u32(..40) == 0 { rng.u16(2..150) } else { 1 } },
    };
    Act { deed, pause: [0, 50, 900, 5_000, 40_000][rng.usize(..5)] }
}

fn fault(rng: &mut Rng, traits: &Traits, guild: u8) -> Deed {
    let times = rng.u32(1..4);
    let agent = rng.u8(..traits.agents);
    match rng.u32(..23) {
        0 => Deed::CloseLines { guild },
        1 => Deed::FreezeLines { guild },
        2 => Deed::LoseRooms { guild },
        3 => Deed::Deafen { guild },
        4 => Deed::DeafSessions { guild, times },
        5 => Deed::EventsLost { guild, times },
        6 => Deed::ConnectSilence { guild, times },
        7 => Deed::Reject { guild, how: Turned::ALL[rng.usize(..6)], times },
        8 => Deed::Revoke { guild, agent },
        9 => Deed::Kick { guild, agent, close: rng.bool() },
        10 => Deed::Inject { guild, frame: rng.u8(..FRAMES.len() as u8) },
        11..=14 => calls(rng, guild, times),
        15 => Deed::Outage { guild, dark: rng.bool(), ms: rng.u64(..secs(100)) },
        16 => Deed::Crash,
        17 => Deed::Down { ms: rng.u64(..secs(90)) },
        18 => Deed::Clock { ms: rng.i64(-400_000_000..400_000_000) },
        19 | 20 => Deed::Agent { agent, does: does(rng) },
        21 => Deed::Reload,
        _ => Deed::Restart { agent },
    }
}

fn fault_of_the_world(rng: &mut Rng, traits: &Traits, guild: u8, channel: u8) -> Deed {
    let times = rng.u32(1..4);
    let agent = rng.u8(..traits.agents);
    let ms = rng.u64(..secs(100));
    match rng.u32(..26) {
        0 => Deed::Stop { ms },
        1 | 2 => Deed::PowerCut { ms },
        3 => Deed::Reboot { ms },
        4 => Deed::Suspend { ms: [ms, secs(3_600)][rng.usize(..2)] },
        5 | 6 => Deed::Disk { does: disk(rng, times, ms) },
        7 => Deed::Latency { guild, ms: [1, 5, 80, 400, 2_500][rng.usize(..5)] },
        8 => Deed::Flaps { guild, times: rng.u32(2..9), gap: rng.u64(100..secs(20)) },
        9 => Deed::Cut { guild, channel, keep: rng.u8(..6) },
        10 => Deed::Away { guild, agent, channel, ms },
        11 => Deed::Deny { guild, channel, ms },
        12 => Deed::NewChannel { guild },
        13 | 14 => Deed::RefusePosts { guild, times },
        15 => Deed::StoredThen500 { guild, times },
        16 => Deed::Mint { guild, does: mints(rng), times },
        17 => Deed::Unauthorized { guild, times: rng.u32(1..8) },
        18 => Deed::KeyRefused { guild, agent, ms },
        19 => Deed::Bot { guild, agent, channel, count: [1, 3, 25][rng.usize(..3)] },
        20 => Deed::Oversize { guild, channel },
        21 | 22 => Deed::Send { guild, agent, channel },
        23 | 24 => Deed::Twins { guild, agent, channel },
        _ => Deed::RetryLetters,
    }
}

fn disk(rng: &mut Rng, times: u32, ms: u64) -> DiskDoes {
    match rng.u32(..5) {
        0 => DiskDoes::Full(ms),
        1 => DiskDoes::ReadOnly(ms),
        2 => DiskDoes::Gone(ms),
        3 => DiskDoes::SyncsFail(times),
        _ => DiskDoes::WritesFail(times),
    }
}

fn mints(rng: &mut Rng) -> Mints {
    match rng.u32(..3) {
        0 => Mints::Same,
        1 => Mints::Near(rng.u64(..20_000)),
        _ => Mints::Garbage,
    }
}

fn calls(rng: &mut Rng, guild: u8, times: u32) -> Deed {
    let route = [Route::Mint, Route::Channels, Route::History, Route::Post][rng.usize(..4)];
    let wrong = match rng.u32(..8) {
        0 => Wrong::Refused,
        1 => Wrong::LostBefore,
        2 => Wrong::LostAfter,
        3 => Wrong::Slow(rng.u64(..25_000)),
        4 => Wrong::Hangs,
        5 => Wrong::Status(429, Some(rng.u64(..20_000))),
        6 => Wrong::Status([500, 502, 503][rng.usize(..3)], None),
        _ => Wrong::Page,
    };
    Deed::Calls { guild, route, wrong, times }
}

fn does(rng: &mut Rng) -> Does {
    match rng.u32(..11) {
        0 => Does::Fails,
        9 => Does::Refuses,
        10 => Does::Floods,
        1 => Does::Hangs,
        2 => Does::Busy(rng.u64(..9_000)),
        3 => Does::Absent,
        4 => Does::Doubles,
        5 => Does::Garbles,
        6 => Does::Nothing,
        7 => Does::Parts(rng.u8(2..5)),
        _ => Does::Dies(rng.u64(..secs(60))),
    }
}
