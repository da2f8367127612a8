//! The agent itself: it is started as the daemon starts it and given one test line, whose answer goes nowhere.

use super::super::agent::Agents;
use super::super::dns::Dns;
use super::{Found, Ground, Step, Tell, Verdict, found};
use crate::agent::{Cancel, Said};
use crate::budget;
use crate::io::{Happening, clock};
use crate::message::{AgentId, Author, Conversation, Kind, Message, Turn};
use crate::moment::Now;
use crate::reason::{Reason, Why};
use crate::settings::{self, Transport};
use crate::text::Clipped;
use smol::channel::Receiver;
use std::path::PathBuf;
use std::rc::Rc;

/// So long an answer is waited for, or the agent's own deadline where that is shorter.
const ANSWER_MS: u64 = 20_000;
const DOCTOR: AgentId = AgentId(0);

/// Starts the agent and asks it a test line. One that connects to the daemon by itself is the daemon's to ask. `service`:
/// the configuration is the service's, which has a user of its own: root starts no agent of it. Dropped, it ends what it
/// started.
pub async fn ask(ground: &Ground, agent: &settings::Agent, service: bool, tell: Tell<'_>) {
    let begun = clock::now();
    let is_root = service && rustix::process::geteuid().is_root();
    match &agent.answer {
        Transport::Socket { path, .. } => {
            let text =
                format!("it connects to {} by itself: `guild-bridge status` says whether it is there", path.display());
            return tell(found(Step::Agent, Verdict::Untried, text, begun));
        }
        Transport::Exec { .. } | Transport::Stdio { .. } if is_root => {
            let text = "no agent is started as root, and no daemon runs whose user it could be asked as: start the daemon, or run this as its user".to_owned();
            return tell(found(Step::Agent, Verdict::Untried, text, begun));
        }
        Transport::Exec { .. } | Transport::Stdio { .. } | Transport::Http { .. } => {}
    }
    let (post, happenings) = smol::channel::bounded(budget::HAPPENINGS);
    let mut agents = Agents::new(ground.clone(), post, Dns::system(), PathBuf::new());
    agents.hire(DOCTOR, agent.clone());
    let ms = ANSWER_MS.min(agent.deadline_s.saturating_mul(1000));
    let mut odd = None;
    let answer = clock::within(ms, trial(&mut agents, &happenings, agent, &mut odd)).await;
    agents.cancel(DOCTOR, TURN, Cancel::Shutdown);
    agents.dismiss(DOCTOR);
    let mut found = match answer {
        Some(Ok(seen)) => found(Step::Agent, Verdict::Good, seen, begun),
        Some(Err(why)) => found(Step::Agent, Verdict::Failed(why.reason), why.detail, begun),
        None => late(agent, ms, begun),
    };
    // the daemon counts it and reads on, too
    if let Some(why) = odd {
        found.seen = format!("{}; it wrote what could not be read: {why}", found.seen);
        found.verdict = if found.verdict == Verdict::Good { Verdict::Unsure } else { found.verdict };
    }
    tell(found);
}

fn late(agent: &settings::Agent, ms: u64, begun: Now) -> Found {
    let own_ms = agent.deadline_s.saturating_mul(1000);
    let text = format!("no answer to a test line within {} s", ms / 1000);
    if own_ms <= ms {
        return found(Step::Agent, Verdict::Failed(Reason::AgentTimeout), text, begun);
    }
    let text = format!("{text}; its deadline is {} s, so the daemon would wait on", agent.deadline_s);
    found(Step::Agent, Verdict::Unsure, text, begun)
}

const TURN: &str = "t_doctor";

/// What it answers. `odd`: what could not be read before that.
async fn trial(
    agents: &mut Agents,
    happenings: &Receiver<Happening>,
    agent: &settings::Agent,
    odd: &mut Option<Why>,
) -> Result<String, Why> {
    let mut asked = false;
    loop {
        let Ok(happening) = happenings.recv().await else {
            return Err(Why::new(Reason::AgentGone, "its pump ended"));
        };
        let Happening::Agent(_, said) = happening else { continue };
        match said {
            Said::Here if !asked => {
                asked = true;
                agents.ask(DOCTOR, Rc::new(turn(agent)));
            }
            Said::Reply { text, last: true, .. } => return Ok(format!("it answered a test line: {}", Clipped(&text))),
            Said::None { .. } => return Ok("it took a test line and has nothing to say to it".to_owned()),
            Said::Gone(why) | Said::Failed { why, .. } | Said::Absent { why, .. } => {
                return Err(why);
            }
            Said::Busy { .. } => return Err(Why::new(Reason::AgentBusy, "it asked for time")),
            Said::Garbled(why) => *odd = Some(why),
            Said::Here | Said::Accepted { .. } | Said::Reply { .. } | Said::Typing { .. } | Said::Send { .. } => {}
        }
    }
}

fn turn(agent: &settings::Agent) -> Turn {
    Turn {
        id: TURN.to_owned(),
        attempt: 1,
        agent: agent.name.clone(),
        conv: Rc::new(Conversation {
            key: "doctor.test".to_owned(),
            guild: agent.guilds.first().map(String::as_str).unwrap_or_default().into(),
            channel: "test".into(),
            name: "test".to_owned(),
            kind: Kind::Dm,
            thread: None,
        }),
        message: Message {
            id: "doctor".to_owned(),
            text: "This is a test line of guild-bridge doctor. Please answer with one word.".to_owned(),
            author: Author { id: "doctor".to_owned(), name: "doctor".to_owned(), bot: false },
            mention: true,
            ..Message::default()
        },
        deadline_ms: ANSWER_MS.min(agent.deadline_s.saturating_mul(1000)),
        replayed: false,
    }
}
