//! `cargo run --release --example demo`: a guild, people, an agent, and all that usually makes an agent go deaf.
//! Builds the release binary and runs that file. Ends with the sum; exit 0 only if nothing was lost or doubled.
#![allow(clippy::unwrap_used, clippy::string_slice, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "it stands outside the daemon, where the clock is")]

#[path = "../guild/mod.rs"]
mod guild;
#[path = "../harness/release.rs"]
mod release;

mod stage;

use guild::naive::Naive;
use guild::{Fault, Rejection};
use stage::Stage;

fn main() {
    guild::agent::run_if_asked();
    let program = release::build();
    let mut stage = Stage::open(&program);
    first_words(&mut stage);
    the_classic_failure(&mut stage);
    a_deaf_guild(&mut stage);
    a_restart(&mut stage);
    a_power_cut(&mut stage);
    std::process::exit(stage.sum());
}

fn first_words(stage: &mut Stage) {
    stage.act("People talk");
    stage.say("general", "alice", "good morning, is anyone there?");
    stage.say("general", "bob", "two candidates came in over night");
    stage.say("alice-dm", "alice", "between us: which one is better?");
    stage.pass(900);
}

fn the_classic_failure(stage: &mut Stage) {
    stage.act("The network drops, after the first tokens have expired");
    let mut old = Naive::connect(stage.proxy.port(), "old-client", "key-old", "general");
    stage.tell("old client", "connects with a token, keeps it, and hears #general");
    old.listen(50);
    stage.pass(stage::TOKEN_LIFE_MS);
    stage.proxy.end();
    stage.tell("network", "every connection is cut");
    old.reconnect();
    stage.tell("old client", "reconnects with the token it has: TCP, WebSocket, CONNECT, join all succeed");
    stage.until("the bridge to be live again", 8, |link| link["state"] == "live");
    for (who, text) in [("carol", "did the line drop just now?"), ("alice", "I am still here"), ("bob", "so am I")] {
        stage.say("general", who, text);
        stage.pass(500);
    }
    old.heard.clear();
    old.listen(300);
    let pings = old.pings;
    stage.tell(
        "old client",
        &format!("heard {} of 3 messages, answered {pings} pings: deaf, and no error anywhere", old.heard.len()),
    );
}

fn a_deaf_guild(stage: &mut Stage) {
    stage.act("The guild goes deaf: sessions look connected and no message comes through");
    stage.guild.with(|guild, _| {
        guild.lose_rooms();
        guild.faults.set(Fault::JoinsIgnored);
        guild.faults.set(Fault::Reject(Rejection::Silent));
    });
    stage.tell("guild", "loses its rooms and turns every new session away without a word");
    let found_out = |link: &serde_json::Value| link["state"] != "live" && link["reason"] == "deaf.history";
    let words = [("alice", "can you hear me?"), ("carol", "hello?"), ("bob", "it worked a minute ago")];
    for (who, text) in words.into_iter().chain([("alice", "very odd"), ("carol", "I will wait")]) {
        stage.say("general", who, text);
        stage.pass(2_400);
    }
    stage.until("the bridge to find it out", 10, found_out);
    stage.guild.clear_faults();
    stage.tell("guild", "is well again");
    stage.pass(1_500);
    stage.say("general", "alice", "and now?");
    stage.until("the bridge to be live again", 12, |link| link["state"] == "live");
}

fn a_restart(stage: &mut Stage) {
    stage.act("The guild restarts");
    stage.guild.stop(true);
    stage.tell("guild", "goes away");
    stage.pass(300);
    stage.say("general", "carol", "said while the bridge could not hear");
    stage.say("alice-dm", "alice", "and this one in private");
    stage.pass(900);
    stage.guild.open();
    stage.tell("guild", "is back on its port");
    stage.until("the bridge to be live again", 10, |link| link["state"] == "live");
    stage.pass(600);
}

fn a_power_cut(stage: &mut Stage) {
    stage.act("The daemon is killed with answers under way");
    for n in 1..=4 {
        stage.guild.say("general", "bob", &format!("question {n} of 4"));
    }
    stage.kill();
    stage.say("general", "carol", "asked while nobody was there");
    stage.pass(500);
    stage.start_again();
    stage.until("the bridge to be live again", 8, |link| link["state"] == "live");
    stage.settle(6);
}
