//! The whole link machine: two guilds, two agents, a disk and a clock that do whatever the input says.
#![no_main]

use guild_bridge_fuzz::{Stage, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    within(64 * 1024 * 1024, || Stage::play(bytes));
});
