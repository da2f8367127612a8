//! The world heals: whatever was, every link is live in the end, and nothing is left waiting.

use super::{Stage, guild};
use guild_bridge::agent::Said;
use guild_bridge::call::{Answer, Got};
use guild_bridge::message::Line;
use guild_bridge::port::{Client, Command, Input, Lost, Wire};
use guild_bridge::reason::{Reason, Why};

/// So long may a link have been told to wait (an hour and a quarter), and some attempts.
const LONGEST_MS: u64 = 4 * 3_600_000;
/// All but what was told to wait longer is over by then. The hour that may follow is made cheap: whatever ends it is not
/// found by a ping more or a list more.
const BUSY_MS: u64 = 5 * 60_000;
/// Within the ping interval of the connections that follow.
const SELDOM_MS: u64 = 250_000;
const STEPS: usize = 20_000;

impl Stage {
    /// # Panics
    /// If a link is not live, or something still waits, when it should be long over.
    pub(super) fn calm(&mut self) {
        if self.ending {
            self.disk.kill(0, 0);
            self.start();
        }
        self.disk.has_room();
        self.calm = true;
        self.guild.unlisted = 0;
        self.guild.silent_list = false;
        self.set_clock();
        let settings = self.heal_settings();
        self.feed(Input::Control(Client(0), Command::Reload(Box::new(settings))));
        let agents: Vec<_> = self.agents.keys().copied().collect();
        agents.into_iter().for_each(|agent| self.feed(Input::Agent(agent, Said::Here)));
        let (from, mut speaks, mut rest_ms, mut busy) = (self.now.at, 0, 30_000, true);
        for _ in 0..STEPS {
            if self.settle() {
                continue;
            }
            if self.is_well() {
                self.looks = 31;
                return self.look();
            }
            assert!(self.now.at.since_ms(from) < LONGEST_MS, "not well in {LONGEST_MS} ms: {}", self.words());
            if busy && self.now.at.since_ms(from) >= BUSY_MS {
                busy = false;
                self.guild_restarts();
                continue;
            }
            if self.now.at.0 >= speaks {
                rest_ms *= 2;
                speaks = self.now.at.0 + rest_ms;
                for channel in 0..guild::CHANNELS.len() {
                    let message = self.guild.say(channel, "alice", "good morning", 0);
                    self.bring(&message);
                }
                continue;
            }
            self.wait(if busy { 60_000 } else { SELDOM_MS });
        }
        panic!("not well in {STEPS} steps: {}", self.words());
    }

    /// Every connection ends, as with a guild that starts anew: the next ones are pinged as seldom as is believed.
    fn guild_restarts(&mut self) {
        let lines: Vec<Line> = self.lines.keys().copied().collect();
        for line in lines {
            self.lines.remove(&line);
            self.gone.push(line);
            let why = Why::new(Reason::GuildRestarting, "simulated");
            self.feed(Input::Wire(line, Wire::Lost(Lost { why, retry_after_ms: None })));
        }
    }

    /// Does what is to be done at this moment, one thing; false where there is nothing.
    fn settle(&mut self) -> bool {
        if self.disk.waits() {
            if let Some(stored) = self.disk.write(self.now.at) {
                self.feed(Input::Disk(stored));
            }
            return true;
        }
        if let Some((ticket, call)) = (!self.calls.is_empty()).then(|| self.calls.remove(0)) {
            self.answered.push(ticket);
            let secrets = &mut self.secrets;
            let whole = self.guild.answer(&call, || secrets.mint(), Some(900));
            let (content_type, date_ms) = (Some("application/json".into()), Some(self.now.wall_ms));
            let got =
                Got { status: whole.status, body: whole.body.as_bytes(), content_type, date_ms, ..Got::default() };
            self.feed(Input::Answer(ticket, Answer::Got(got)));
            return true;
        }
        if let Some((agent, turn)) = self.turns.pop() {
            self.feed(Input::Agent(agent, Said::None { turn: turn.id.into() }));
            return true;
        }
        let lines: Vec<Line> = self.lines.keys().copied().collect();
        lines.into_iter().any(|line| self.next_on(line, 0))
    }

    /// Time goes on to the next deadline; pings come in time for it.
    fn wait(&mut self, longest_ms: u64) {
        let due = [self.deadline(), self.disk.due()].into_iter().flatten().min();
        let due = due.map_or(1_000, |at| at.since_ms(self.now.at));
        if due > 1 {
            self.pass(due.min(longest_ms) - 1);
            let up: Vec<Line> = self.lines.iter().filter(|(_, cable)| cable.engine).map(|(line, _)| *line).collect();
            for line in up {
                self.feed(Input::Wire(line, Wire::Text("2")));
            }
        } else {
            self.pass(1);
        }
    }

    fn is_well(&self) -> bool {
        let Some(status) = self.relay.as_ref().map(|relay| relay.status(self.now)) else { return false };
        status.links.iter().all(|link| link.state == "live" && link.outbox_depth == 0)
            && status.agents.iter().all(|agent| agent.waiting == 0 && agent.turns_open == 0)
    }

    fn words(&self) -> String {
        format!("{:?} {:?}", self.relay.as_ref().map(|relay| relay.status(self.now)), self.deadline())
    }
}
