//! The loop: one thread that takes what happened, hands it to the relay and does what the relay asks for. It decides
//! nothing. The one law is the relay's: after every happening, or those that came together, `poll` until `None`.

use super::agent::Agents;
use super::clock::Alarm;
use super::control::Control;
use super::disk::Disk;
use super::dns::Dns;
use super::http::Workers;
use super::notify::Manager;
use super::process::{self, Heap};
use super::tls::Rules;
use super::websocket::Lines;
use super::windows::Windows;
use super::{Happening, Post, Seen, Watcher, clock, lossy, signals, steps};
use crate::budget;
use crate::budget::ceiling::Pressure;
use crate::moment::{Moment, Now, sooner};
use crate::port::{Client, Command, Input, Output, Told, Wire};
use crate::reason::{Reason, Why};
use crate::relay::{self, Relay};
use crate::settings::Settings;
use crate::status::Status;
use smol::channel::Receiver;
use smol::{LocalExecutor, future};
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// What the daemon is started with.
pub struct Options {
    /// The configuration, good.
    pub settings: Settings,
    /// The file it came from.
    pub config_path: PathBuf,
    /// Where state is kept.
    pub state_dir: PathBuf,
    /// Where the control socket listens.
    pub socket: PathBuf,
    /// Bytes of heap in use, and the most that were.
    pub heap: fn() -> (usize, usize),
    /// Reads the configuration again; a sentence when it cannot be run.
    pub reload: Box<dyn Fn() -> Result<Settings, String>>,
}

/// Why the daemon ends at once.
#[derive(Debug, PartialEq, Eq)]
pub enum Fatal {
    /// Another copy has the state directory or the control socket.
    Taken(String),
    /// Something that the configuration or the command line names cannot be used.
    Config(String),
    /// A fault of this program or of the machine.
    Internal(String),
}

/// Runs until a signal, or until it cannot begin.
///
/// # Errors
/// Why it cannot begin.
pub fn run(options: Options) -> Result<(), Fatal> {
    let executor = Rc::new(LocalExecutor::new());
    let (post, happenings) = smol::channel::bounded(budget::HAPPENINGS);
    let signals = signals::listen().map_err(|error| Fatal::Internal(format!("signals: {error}")))?;
    executor.spawn(signals::pump(signals, post.clone())).detach();
    executor.spawn(steps::pump(post.clone())).detach();
    // not `smol::block_on`: it takes the reactor from its thread and back, 12 context switches a ping instead of 3
    future::block_on(executor.run(async {
        let mut shell = Shell::start(options, &executor, post)?;
        shell.serve(&happenings).await;
        shell.end().await;
        Ok(())
    }))
}

/// Everything that has to do with the world.
struct Shell {
    relay: Relay,
    lines: Lines,
    workers: Workers,
    agents: Agents,
    control: Control,
    disk: Disk,
    manager: Manager,
    windows: Windows,
    /// What was known at once: it does not go through the queue, which may be full.
    known: VecDeque<Happening>,
    heap: fn() -> (usize, usize),
    heap_limit: usize,
    /// When the heap was last looked at while it was near its budget.
    weighed: Moment,
    reload: Box<dyn Fn() -> Result<Settings, String>>,
    alarm: Alarm,
    /// When time was last told to the relay.
    ticked: Moment,
    ended: bool,
}

/// Between two ticks: a deadline that only a happening can move starves neither the tasks nor the board.
const TICK_MS: u64 = 5;

impl Shell {
    fn start(options: Options, executor: &Rc<LocalExecutor<'static>>, post: Post) -> Result<Self, Fatal> {
        let Options { settings, config_path, state_dir, socket, heap, reload } = options;
        let rules = Rules::of(&settings).map_err(Fatal::Config)?;
        let (disk, kept) = Disk::open(state_dir, settings.state, &post).map_err(|taken| Fatal::Taken(taken.text))?;
        let control = Control::bind(&socket, executor, post.clone()).map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => Fatal::Taken(format!("control socket {error}")),
            _ => Fatal::Config(format!("control socket {error}")),
        })?;
        let dns = Dns::system();
        let workers = Workers::start(&post, &dns, rules.clone())
            .map_err(|error| Fatal::Internal(format!("the HTTP workers do not start: {error}")))?;
        let agents = Agents::new(executor.clone(), post.clone(), dns.clone(), disk.attachments());
        let mut windows = Windows::new(executor.clone(), post.clone());
        windows.open(settings.page.clone(), settings.metrics_file.clone());
        let lines = Lines::new(executor.clone(), post, dns, rules, settings.message_bytes);
        let heap_limit = settings.heap_limit();
        let seed = RandomState::new().build_hasher().finish();
        let options = relay::Options { attachments: disk.attachments(), seed, build_ms: clock::BUILD_MS };
        log::info!("guild-bridge {} runs {}", env!("CARGO_PKG_VERSION"), config_path.display());
        let relay = Relay::new(settings, kept, options, clock::now());
        let manager = Manager::of(|name| std::env::var_os(name));
        let (known, ticked, ended) = (VecDeque::new(), Moment::default(), false);
        Ok(Self {
            relay,
            lines,
            workers,
            agents,
            control,
            disk,
            manager,
            windows,
            known,
            heap,
            heap_limit,
            weighed: Moment::default(),
            reload,
            alarm: Alarm::default(),
            ticked,
            ended,
        })
    }

    async fn serve(&mut self, happenings: &Receiver<Happening>) {
        self.perform();
        self.manager.ready();
        while !self.ended {
            let happening = self.next(happenings).await;
            lossy::begin_round();
            let now = clock::now();
            if let Some(happening) = happening {
                self.take_all(happening, happenings, now);
                self.perform();
            }
            // a stream of happenings does not hold time back
            if self.deadline().is_some_and(|due| due <= now.at) {
                self.ticked = now.at;
                self.relay.tick(now);
            }
            if let Some(stored) = self.disk.tick(now.at) {
                self.known.push_back(Happening::Disk(stored));
            }
            self.perform();
            self.weigh(now);
            self.manager.tick(now.at, || self.relay.status(now));
            lossy::end_round();
        }
    }

    /// What happened next; `None` when a deadline came first.
    async fn next(&mut self, happenings: &Receiver<Happening>) -> Option<Happening> {
        if let Some(known) = self.known.pop_front() {
            return Some(known);
        }
        if let Ok(queued) = happenings.try_recv() {
            return Some(queued);
        }
        let happening = async { happenings.recv().await.ok() };
        let own = sooner(self.disk.deadline(), self.weighing());
        match sooner(sooner(self.deadline(), own), self.manager.deadline()) {
            None => happening.await,
            Some(due) => {
                // a deadline that is always due must not keep the pumps from running
                future::yield_now().await;
                let late = async {
                    self.alarm.wait(due).await;
                    None
                };
                future::or(happening, late).await
            }
        }
    }

    /// Tells the relay when the heap comes near its budget or goes from it, and again while it stays near.
    fn weigh(&mut self, now: Now) {
        let (used, limit) = ((self.heap)().0, self.heap_limit);
        let pressure = self.relay.pressure();
        let changes = pressure.next(used, limit) != pressure;
        if !changes && (pressure == Pressure::Easy || now.at < self.weighed.after_ms(budget::SHED_LOOK_MS)) {
            return;
        }
        self.weighed = now.at;
        self.relay.handle(Input::Heap { used, limit }, now);
        self.agents.slow_down(self.relay.pressure() == Pressure::Shed);
        self.perform();
    }

    /// When the relay is told the time.
    fn deadline(&self) -> Option<Moment> {
        self.relay.deadline().map(|due| due.max(self.ticked.after_ms(TICK_MS)))
    }

    /// When the heap is looked at, beside every happening.
    fn weighing(&self) -> Option<Moment> {
        (self.relay.pressure() == Pressure::Shed).then(|| self.weighed.after_ms(budget::SHED_LOOK_MS))
    }

    /// Takes a happening and what came behind it: what many messages ask for is done at once, and their records are one
    /// write. Others may change what outputs mean, and are taken alone.
    fn take_all(&mut self, first: Happening, happenings: &Receiver<Happening>, now: Now) {
        let mut next = Some(first);
        let mut left = budget::HAPPENINGS;
        while let Some(happening) = next.take() {
            let one_of_many = matches!(happening, Happening::Text(..) | Happening::Agent(..));
            if !one_of_many {
                self.perform();
            }
            self.take(happening, now);
            left -= 1;
            if one_of_many && left > 0 && self.known.is_empty() {
                next = happenings.try_recv().ok();
            }
        }
    }

    fn take(&mut self, happening: Happening, now: Now) {
        let input = match &happening {
            Happening::Opened(line) => Input::Wire(*line, Wire::Opened),
            Happening::Text(line, text) => Input::Wire(*line, Wire::Text(text)),
            Happening::Binary(line, bytes) => Input::Wire(*line, Wire::Binary(*bytes)),
            Happening::FrameSent(line) => Input::Wire(*line, Wire::Sent),
            Happening::Answer(ticket, answered) => Input::Answer(*ticket, answered.as_answer()),
            Happening::EndNow => {
                self.ended = true;
                return;
            }
            Happening::Reread(client) => return self.reread(*client, now),
            Happening::Plan(client) => return self.plan(*client, now),
            Happening::Look(watcher, days) => return self.show(watcher, *days, now),
            Happening::Disk(stored) => {
                self.disk.note(stored);
                return self.take_owned(happening, now);
            }
            Happening::Lost(..) | Happening::Agent(..) | Happening::Control(..) => {
                if matches!(happening, Happening::Control(_, Command::Stop)) {
                    self.manager.stopping();
                }
                return self.take_owned(happening, now);
            }
        };
        self.relay.handle(input, now);
    }

    /// What the relay takes over whole.
    fn take_owned(&mut self, happening: Happening, now: Now) {
        let input = match happening {
            Happening::Lost(line, lost) => Input::Wire(line, Wire::Lost(lost)),
            Happening::Agent(agent, said) => Input::Agent(agent, said),
            Happening::Control(client, command) => Input::Control(client, command),
            Happening::Disk(stored) => Input::Disk(stored),
            Happening::Opened(..)
            | Happening::Text(..)
            | Happening::Binary(..)
            | Happening::FrameSent(..)
            | Happening::Answer(..)
            | Happening::Reread(..)
            | Happening::Plan(..)
            | Happening::Look(..)
            | Happening::EndNow => return,
        };
        self.relay.handle(input, now);
    }

    /// The relay says what will change before anything does. All that was asked for names guilds of the old settings until
    /// here, and of the new ones after.
    fn reread(&mut self, client: Client, now: Now) {
        self.manager.reloading();
        if let Some((rules, settings)) = self.read(client, false) {
            let (message_bytes, heap_limit) = (settings.message_bytes, settings.heap_limit());
            let (page, metrics_file) = (settings.page.clone(), settings.metrics_file.clone());
            self.relay.handle(Input::Control(client, Command::Reload(Box::new(settings))), now);
            self.lines.reload(rules.clone(), message_bytes);
            self.workers.reload(rules);
            self.heap_limit = heap_limit;
            self.windows.open(page, metrics_file);
            for fault in self.windows.faults() {
                self.control.tell(client, Told::Queued(fault));
            }
        }
        self.manager.ready();
    }

    fn plan(&mut self, client: Client, now: Now) {
        if let Some((_, settings)) = self.read(client, true) {
            self.relay.handle(Input::Control(client, Command::Plan(Box::new(settings))), now);
        }
    }

    /// The configuration, read again; where it cannot be run, whoever asked is told.
    fn read(&self, client: Client, plan: bool) -> Option<(Vec<Arc<Rules>>, Settings)> {
        match (self.reload)().and_then(|settings| Ok((Rules::of(&settings)?, settings))) {
            Ok(read) => Some(read),
            Err(text) => {
                // a dry run's faults are its asker's alone
                if !plan {
                    text.lines().for_each(|line| log::error!("reload: {}: {line}", Reason::CfgFault));
                }
                self.control.tell(client, Told::Refused(Why::new(Reason::ControlRequest, text)));
                None
            }
        }
    }

    fn perform(&mut self) {
        while let Some(output) = self.relay.poll() {
            match output {
                Output::Dial { line, url, guild } => self.lines.dial(line, url, guild),
                Output::Send(line, text) => self.lines.send(line, text),
                Output::Hold(line, held) => self.lines.hold(line, held),
                Output::HangUp(line, last) => self.lines.hang_up(line, last),
                Output::Call(ticket, call) => {
                    if let Err(answered) = self.workers.call(ticket, call) {
                        self.known.push_back(Happening::Answer(ticket, *answered));
                    }
                }
                Output::Ask(agent, turn) => self.agents.ask(agent, turn),
                Output::Cancel(agent, turn, why) => self.agents.cancel(agent, &turn, why),
                Output::Sent(agent, send, sent) => self.agents.sent(agent, &send, &sent),
                Output::Hire(agent, how) => self.agents.hire(agent, *how),
                Output::Dismiss(agent) => self.agents.dismiss(agent),
                Output::Store(task) => {
                    if let Some(stored) = self.disk.store(task) {
                        self.known.push_back(Happening::Disk(stored));
                    }
                }
                Output::Discard(turn) => self.discard(&turn),
                Output::Tell(client, told) => self.tell(client, told),
                Output::End => self.ended = true,
            }
        }
    }

    fn discard(&self, turn: &str) {
        if let Err(error) = self.agents.discard(turn) {
            log::warn!("{}: the attachments of {turn} cannot be removed: {error}", Reason::DiskFailed);
        }
    }

    fn tell(&self, client: Client, mut told: Told) {
        if let Told::Status(status) = &mut told {
            self.complete(status);
        }
        self.control.tell(client, told);
    }

    /// The process's part of a status.
    fn complete(&self, status: &mut Status) {
        let (used, peak) = (self.heap)();
        let (shedding, sheds, let_go) = (status.process.shedding, status.process.sheds, status.process.let_go);
        status.process = process::status(Heap { used, peak, limit: self.heap_limit }, self.disk.mode());
        (status.process.shedding, status.process.sheds, status.process.let_go) = (shedding, sheds, let_go);
        (status.process.page, status.process.page_detail, status.process.metrics_detail) = self.windows.seen();
    }

    /// A watcher that went away meanwhile is not told.
    fn show(&self, watcher: &Watcher, days: bool, now: Now) {
        let mut status = self.relay.status(now);
        self.complete(&mut status);
        let _ =
            watcher.try_send(Box::new(Seen { status, days: days.then(|| self.relay.days(now)), at_ms: now.wall_ms }));
    }

    /// The last records, the last goodbyes; agents and the control socket go with their owners.
    async fn end(self) {
        self.lines.close(budget::FAREWELL_MS).await;
        self.disk.close();
        log::info!("guild-bridge ends");
    }
}
