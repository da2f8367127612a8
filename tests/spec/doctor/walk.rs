//! The walk itself, in a simulated guild: what each step says, and where a step that fails ends it.

use crate::world::hall::{Hall, WALL, What};
use crate::world::happening::{AtGuild, Event, Happening, Request, Socket};
use crate::world::{Fault, Rejection, World, secs};
use guild_bridge::call::{Method, Sink};
use guild_bridge::doctor::examination::Examination;
use guild_bridge::doctor::{Found, Step, Verdict};
use guild_bridge::message::Line;
use guild_bridge::moment::{Moment, Now};
use guild_bridge::port::Output;
use guild_bridge::reason::Reason;
use std::collections::BTreeMap;

/// The examination's world: one guild, and the way to it.
struct Walk {
    hall: Hall,
    at: u64,
    queue: BTreeMap<(u64, usize), Event>,
    pushed: usize,
    /// So much later the guild's DISCONNECT comes.
    disconnect_late_ms: u64,
}

/// A world as `wrong` makes it is walked; what was found.
fn walked(wrong: fn(&mut World)) -> Vec<Found> {
    walked_late(wrong, 0)
}

fn walked_late(wrong: fn(&mut World), disconnect_late_ms: u64) -> Vec<Found> {
    let mut w = World::new(1);
    wrong(&mut w);
    let (agent, guild) = (&w.settings.agents[0], &w.settings.guilds[0]);
    let mut walk = Walk { hall: w.halls.remove(0), at: w.at, queue: BTreeMap::new(), pushed: 0, disconnect_late_ms };
    let mut examination = Examination::new(&w.settings, agent, guild, 1, WALL - 86_400_000, walk.now());
    examination.tick(walk.now());
    let mut found = Vec::new();
    for _ in 0..1_000 {
        while let Some(output) = examination.poll() {
            walk.perform(output);
        }
        found.extend(examination.found());
        if examination.is_over() {
            return found;
        }
        walk.go_on(&mut examination);
    }
    panic!("the walk does not end: {found:?}");
}

impl Walk {
    fn now(&self) -> Now {
        Now { at: Moment(self.at), wall_ms: WALL + self.at }
    }

    /// The next thing happens, or the examination's time has come.
    fn go_on(&mut self, examination: &mut Examination) {
        for (due, event) in std::mem::take(&mut self.hall.out) {
            let late = match &event {
                Event::Relay(_, Happening::Text(_, text)) if text.starts_with("41") => self.disconnect_late_ms,
                _ => 0,
            };
            self.push(due + late, event);
        }
        let queued = self.queue.first_key_value().map(|(key, _)| *key);
        let due = examination.deadline().map_or(u64::MAX, |due| due.0.max(self.at));
        self.at = queued.map_or(due, |(at, _)| at.min(due));
        self.hall.now = self.at;
        match queued.filter(|(at, _)| *at <= self.at).and_then(|key| self.queue.remove(&key)) {
            Some(Event::Guild(_, at_guild)) => self.hall.take(at_guild),
            Some(Event::Relay(_, happening)) => happening.into_input(|input| examination.handle(input, self.now())),
            Some(Event::WorkerFree(..) | Event::Written(_) | Event::Script(_)) => {}
            None => examination.tick(self.now()),
        }
    }

    fn push(&mut self, due: u64, event: Event) {
        self.pushed += 1;
        self.queue.insert((due.max(self.at), self.pushed), event);
    }

    fn reach(&mut self, at_guild: AtGuild) {
        self.push(self.at + self.hall.latency_ms, Event::Guild(0, at_guild));
    }

    fn perform(&mut self, output: Output) {
        let socket = |line: Line| Socket { life: 1, line: (line.link.0, line.attempt) };
        match output {
            Output::Dial { line, url, .. } => self.reach(AtGuild::Dialled(socket(line), url)),
            Output::Send(line, frame) => {
                self.push(self.at, Event::Relay(1, Happening::Sent(line)));
                self.reach(AtGuild::Frame(socket(line), frame.into()));
            }
            Output::Hold(..) => panic!("a walk reads all"),
            Output::HangUp(line, _) => self.reach(AtGuild::HungUp(socket(line))),
            Output::Call(ticket, call) => {
                assert!(call.method == Method::Get || call.url.ends_with("/auth/token"), "a walk posts nothing");
                let (Sink::Memory(sink_bytes) | Sink::MemoryOrId(sink_bytes)) = call.sink else { panic!("a file") };
                let request = Request {
                    post: call.method == Method::Post,
                    url: call.url,
                    bearer: call.bearer.map(|bearer| bearer.expose().to_owned()),
                    body: call.body.unwrap_or_default(),
                    sink_bytes,
                    deadline: self.at + call.deadline_ms,
                    ..Request::default()
                };
                self.reach(AtGuild::Request(1, ticket, 0, Box::new(request)));
            }
            _ => panic!("a walk dials, sends, hangs up and calls, and asks for nothing else"),
        }
    }
}

/// Steps and verdicts, each in a word.
fn words(found: &[Found]) -> Vec<String> {
    found.iter().map(|found| format!("{} {}", found.step.word(), found.verdict.word())).collect()
}

fn at(found: &[Found], step: Step) -> &Found {
    found.iter().find(|found| found.step == step).unwrap_or_else(|| panic!("no {step:?}: {found:?}"))
}

#[test]
fn a_walk_along_a_good_link_says_each_step_once_and_posts_nothing() {
    let found = walked(|w| drop(w.say("general", "alice", "hi")));
    let steps = "mint clock websocket engine.io connect channels join history";
    let good: Vec<String> = steps.split(' ').map(|step| format!("{step} ok")).chain(["post untried".into()]).collect();
    assert_eq!(words(&found), good, "{found:?}");
    assert_eq!(at(&found, Step::Mint).seen, "a fresh token that lives 900 s");
    assert_eq!(at(&found, Step::Channels).seen, "1 channel(s)");
    assert_eq!(at(&found, Step::Join).seen, "1 of 1 channel(s) proven: the guild hears us");
    assert_eq!(at(&found, Step::History).seen, "channel general: it can be read");
    let empty = walked(|_| {});
    assert_eq!((words(&empty), &*at(&empty, Step::History).seen), (good, "channel general: it is empty"));
}

#[test]
fn a_walk_ends_at_the_step_that_fails_and_says_why() {
    type Case = (fn(&mut World), &'static str, Reason);
    let cases: [Case; 6] = [
        (|w| w.guild().model.refuse_agent("recruiter"), "mint", Reason::AuthKeyRefused),
        (
            |w| w.guild().trouble("mint", 9, What::Body(500, "application/json", r#"{"guildAccessToken":"t"}"#.into())),
            "mint",
            Reason::HttpStatus,
        ),
        (|w| w.guild().up = false, "mint", Reason::NetRefused),
        (|w| w.guild().trouble("channels", 9, What::Status(500, None)), "channels", Reason::HttpStatus),
        (|w| w.guild().trouble("history", 9, What::Status(401, None)), "history", Reason::AuthHttp401),
        (|w| w.guild().trouble("history", 9, What::Status(502, None)), "history", Reason::GuildRestarting),
    ];
    for (wrong, step, reason) in cases {
        let found = walked(wrong);
        let (last, before) = found.split_last().unwrap();
        assert_eq!((last.step.word(), last.reason()), (step, Some(reason)), "{found:?}");
        assert!(before.iter().all(|found| found.verdict == Verdict::Good), "{found:?}");
        assert!(!last.seen.is_empty() && last.ms < secs(1), "it is told at once: {last:?}");
    }
}

#[test]
fn a_walk_where_nothing_proves_or_a_row_cannot_be_read_goes_on_and_says_so() {
    let silent = walked(|w| w.guild().model.options.acks = false);
    let join = at(&silent, Step::Join);
    assert_eq!((join.verdict, join.ms), (Verdict::Unsure, 8_000));
    assert!(join.seen.starts_with("1 of 1 channel(s) joined; nothing was said yet"), "{}", join.seen);
    assert_eq!(at(&silent, Step::History).verdict, Verdict::Good);
    let odd = walked(|w| {
        let rows = r#"[{"name":"no id"},{"id":"general","name":"general"},{"id":7}]"#;
        w.guild().trouble("channels", 99, What::Body(200, "application/json", rows.into()));
    });
    let channels = at(&odd, Step::Channels);
    assert_eq!((channels.verdict, &*channels.seen), (Verdict::Unsure, "1 channel(s); 2 rows could not be read"));
    assert_eq!(at(&odd, Step::History).verdict, Verdict::Good);
}

#[test]
fn a_walk_in_which_a_token_nears_its_end_before_it_is_offered_says_each_step_once() {
    let found = walked(|w| {
        w.guild().model.options.token_life_ms = 10_000;
        w.guild().model.faults.set_times(Fault::MintSlow(8_500), 1);
    });
    let mut steps: Vec<Step> = found.iter().map(|found| found.step).collect();
    let all = steps.len();
    steps.dedup();
    assert_eq!((steps.len(), at(&found, Step::Connect).verdict), (all, Verdict::Good), "{found:?}");
}

#[test]
fn a_connect_that_is_refused_once_the_list_is_there_is_still_a_connect_that_is_refused() {
    let refused = |late_ms| {
        let wrong: fn(&mut World) = |w| w.guild().model.faults.set(Fault::Reject(Rejection::Soft41));
        let found = walked_late(wrong, late_ms);
        let list_came = found.iter().any(|found| (found.step, found.verdict) == (Step::Channels, Verdict::Good));
        let last = found.last().unwrap();
        assert_eq!(last.reason(), Some(Reason::AuthDisconnected), "{found:?}");
        (last.step, list_came)
    };
    assert_eq!(refused(0), (Step::Connect, false));
    assert_eq!(refused(300), (Step::Connect, true));
    assert_eq!(refused(2_000), (Step::Join, true));
}
