//! Ten thousand messages at once to an agent that takes one a second, beside one that is dead and one that is quick:
//! nothing is lost, what waits is bounded, and the quick one does not notice.

use crate::world::{World, secs};
use guild_bridge::budget;

const BURST: usize = 10_000;

/// What came of a story.
struct Told {
    w: World,
    /// How long each answer of the quick agent took.
    quick: Vec<u64>,
    /// The most that waited in memory and in the outbox of any link.
    waiting: usize,
    outbox: usize,
}

/// The three agents, each in its own channel; so many messages at once to the slow one, a tenth to the dead one.
fn story(burst: usize) -> Told {
    let mut w = World::chatty(3);
    for (name, channel) in [("dead", "crypt"), ("quick", "desk")] {
        w.add_agent(name, &["acme"]);
        w.guild().model.add_channel(channel, "channel", &["alice", name]);
    }
    let all = w.settings.agents[0].respond_to;
    w.settings.agents.iter_mut().for_each(|agent| agent.respond_to = all);
    w.hand("dead").here = false;
    w.hand("recruiter").takes_ms = 1_000;
    w.run_till(secs(30), "all are live", |w| w.status().links.iter().filter(|l| l.state == "live").count() == 3);
    w.run_for(secs(10));
    (0..burst).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    (0..burst / 10).for_each(|i| drop(w.say("crypt", "alice", &format!("d{i}"))));
    let mut told = Told { w, quick: Vec::new(), waiting: 0, outbox: 0 };
    for second in 0..BURST as u64 + 600 {
        if second % 50 == 0 {
            told.ask_the_quick_one(second);
        }
        let left = told.w.at % 1_000;
        told.w.run_for(1_000 - left);
        let status = told.w.status();
        told.waiting = told.waiting.max(status.agents.iter().map(|a| a.waiting).max().unwrap());
        told.outbox = told.outbox.max(status.links.iter().map(|l| l.outbox_depth).max().unwrap());
    }
    told
}

impl Told {
    fn ask_the_quick_one(&mut self, second: u64) {
        let answered = self.w.guild().said_by("desk", "quick").len();
        self.w.say("desk", "alice", &format!("q{second}"));
        let took = self.w.run_till(secs(30), "an answer", |w| w.halls[0].said_by("desk", "quick").len() > answered);
        self.quick.push(took);
    }
}

#[test]
fn a_burst_of_ten_thousand_is_answered_whole_within_bounds_and_another_agent_does_not_notice() {
    let (calm, told) = (story(0), story(BURST));
    let expected: Vec<String> = (0..BURST).map(|i| format!("re: m{i}")).collect();
    assert!(told.w.answers("general") == expected, "{} of {BURST} are answered", told.w.answers("general").len());
    let status = told.w.status();
    assert!(status.links.iter().all(|link| link.gaps == 0 && link.outbox_depth == 0), "{status:?}");
    assert!(
        told.waiting <= budget::FOLLOWED_MESSAGES + budget::WINDOW_MESSAGES,
        "{} messages waited in memory",
        told.waiting
    );
    assert!(told.outbox <= budget::OUTBOX_POSTS, "{} posts waited", told.outbox);
    let (before, after) = (calm.quick.iter().max().unwrap(), told.quick.iter().max().unwrap());
    let mean = |took: &[u64]| took.iter().sum::<u64>() / took.len() as u64;
    println!(
        "{BURST} messages at once: none lost, at most {} in memory and {} in an outbox; the quick agent's answers take \
         {} ms on average and {after} ms at most, without the burst {} and {before}",
        told.waiting,
        told.outbox,
        mean(&told.quick),
        mean(&calm.quick)
    );
    assert!(*after <= before + 20, "the quick agent waits {after} ms instead of {before}");
}

#[test]
fn a_dead_agents_burst_waits_for_it_and_comes_whole_when_it_is_back() {
    let mut w = World::chatty(4);
    w.agent().here = false;
    w.run_live();
    (0..1_000).for_each(|i| drop(w.say("general", "alice", &format!("m{i}"))));
    w.run_for(secs(600));
    assert_eq!((w.answers("general").len(), w.link().gaps), (0, 0));
    assert!(w.status().agents[0].waiting <= budget::FOLLOWED_MESSAGES + budget::WINDOW_MESSAGES);
    w.says("recruiter", guild_bridge::agent::Said::Here);
    w.run_for(secs(900));
    assert_eq!(w.answers("general"), (0..1_000).map(|i| format!("re: m{i}")).collect::<Vec<_>>());
}

/// So many messages at once in each of three channels, to an agent that may have four turns open; how long until all are
/// answered, in milliseconds, and pages of history for each message, in hundredths.
fn three_channels(messages: usize, takes_ms: u64) -> (u64, usize) {
    let mut w = World::chatty(5);
    for channel in ["desk", "hall"] {
        w.guild().model.add_channel(channel, "channel", &["alice", "recruiter"]);
    }
    w.hand("recruiter").takes_ms = takes_ms;
    w.run_till(secs(30), "all channels are proven", |w| w.link().channels_proven == 3);
    w.run_for(secs(10));
    let before = w.calls_of("history");
    for i in 0..messages {
        ["general", "desk", "hall"].iter().for_each(|channel| drop(w.say(channel, "alice", &format!("m{i}"))));
    }
    let whole = |w: &World| ["general", "desk", "hall"].iter().all(|channel| w.answers(channel).len() == messages);
    let took = w.run_till(secs(3_600), "all is answered", whole);
    (took, (w.calls_of("history") - before) * 100 / (3 * messages))
}

#[test]
fn what_several_channels_missed_is_given_to_as_many_turns_at_once() {
    let (took, _) = three_channels(200, 1_000);
    // one after the other they would take 600 s
    assert!(took < 300_000, "600 turns of a second each, three at once, took {took} ms");
}

#[test]
fn a_catch_up_reads_pages_and_not_messages() {
    let (_, calls) = three_channels(500, 20);
    assert!(calls <= 30, "{calls} pages of history for a hundred messages");
}

/// What the loop takes together is handled before one `poll`, here as there: random schedules do so in every other seed.
#[test]
fn a_burst_of_one_moment_is_handled_together_and_each_message_is_answered_once() {
    let mut w = World::chatty(5);
    w.together = true;
    w.run_till(secs(30), "live", |w| w.status().links.iter().all(|link| link.state == "live"));
    let ids: Vec<String> = (0..300).map(|n| w.say("general", "alice", &format!("m{n}"))).collect();
    w.run_for(secs(400));
    let asked: Vec<String> = w.agent().asked.iter().map(|asked| asked.turn.message.id.clone()).collect();
    assert_eq!(asked, ids);
    assert!(w.most_together > 30, "{} at most", w.most_together);
}
