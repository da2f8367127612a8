//! `socket`: the bridge listens, agents connect and say `hello` (CONTRACT section 2). Several agents may share a path,
//! and one connection may claim several agents; the newest that claims an agent has it.

mod door;

use super::lines::{self, End, Full, Line, Queue, Reader};
use super::{Voice, absent, busy, sent_line};
use crate::agent::line::{self, Heard};
use crate::agent::{Cancel, Said, Sent};
use crate::budget;
use crate::io::clock;
use crate::message::Turn;
use crate::reason::{Reason, Why};
use crate::text::Clipped;
use door::Stream;
use smol::LocalExecutor;
use smol::channel::{Sender, bounded};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The sockets that are listened on, by path.
pub struct Doors {
    executor: Weak<LocalExecutor<'static>>,
    open: BTreeMap<PathBuf, Weak<Door>>,
}

/// One listening socket: it closes, with all its connections, when the last seat behind it is given up.
struct Door {
    room: Rc<Room>,
    _keep: Sender<()>,
}

impl Doors {
    /// None yet.
    #[must_use]
    pub fn new(executor: &Rc<LocalExecutor<'static>>) -> Self {
        Self { executor: Rc::downgrade(executor), open: BTreeMap::new() }
    }

    /// A seat for an agent behind the socket at `path`, which opens with its first seat.
    pub fn seat(&mut self, path: PathBuf, uids: Vec<u32>, voice: Rc<Voice>) -> Seat {
        self.open.retain(|_, door| door.strong_count() > 0);
        let door = self.open.get(&path).and_then(Weak::upgrade).unwrap_or_else(|| self.door(path, voice.slow.clone()));
        let name = voice.name.clone();
        door.room.members.borrow_mut().insert(name.clone(), Member { voice, uids, client: None });
        Seat { door, name: name.into() }
    }

    fn door(&mut self, path: PathBuf, slow: Arc<AtomicBool>) -> Rc<Door> {
        let (keep, kept) = bounded(1);
        let room = Rc::new(Room {
            path: path.clone(),
            executor: self.executor.clone(),
            members: RefCell::default(),
            connections: Cell::new(0),
            slow,
        });
        if let Some(executor) = self.executor.upgrade() {
            executor.spawn(door::listen(room.clone(), kept)).detach();
        }
        let door = Rc::new(Door { room, _keep: keep });
        self.open.insert(path, Rc::downgrade(&door));
        door
    }
}

/// One agent's place behind a socket. Dropping it tells whoever has the agent.
pub struct Seat {
    door: Rc<Door>,
    name: Rc<str>,
}

impl Seat {
    /// Gives a turn to whoever has the agent; what to say at once where it cannot be given.
    pub fn ask(&self, turn: &Turn) -> Option<Said<'static>> {
        let Some(client) = self.client() else { return Some(absent(&turn.id, "no connection has claimed it")) };
        if client.queue.give(&turn.id, line::message(turn)) == Err(Full) {
            return Some(busy(&turn.id));
        }
        client.give(&turn.id, self.name.clone());
        None
    }

    /// Takes a turn back.
    pub fn cancel(&self, turn: &str, why: Cancel) {
        let Some(client) = self.client() else { return };
        if client.take_back(turn) && !client.queue.take_back(turn) {
            client.tell(line::cancel(turn, why));
        }
    }

    /// Answers a `send`.
    pub fn sent(&self, id: &str, sent: &Sent) {
        if let Some(client) = self.client() {
            client.tell(sent_line(id, sent));
        }
    }

    fn client(&self) -> Option<Rc<Client>> {
        self.door.room.members.borrow().get(&*self.name)?.client.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let member = self.door.room.members.borrow_mut().remove(&*self.name);
        if let Some(client) = member.and_then(|member| member.client) {
            client.lose(&self.name, "dismissed", "is not among this bridge's agents any more");
        }
    }
}

/// Who may come in by one socket, and who is there.
struct Room {
    path: PathBuf,
    executor: Weak<LocalExecutor<'static>>,
    members: RefCell<BTreeMap<String, Member>>,
    connections: Cell<usize>,
    slow: Arc<AtomicBool>,
}

/// One agent behind a socket.
struct Member {
    voice: Rc<Voice>,
    uids: Vec<u32>,
    client: Option<Rc<Client>>,
}

/// One connection that has said `hello`.
struct Client {
    uid: u32,
    queue: Queue,
    /// The agents it has, in the order it named them.
    claims: RefCell<Vec<String>>,
    /// Whose each open turn is.
    given: RefCell<Vec<(String, Rc<str>)>>,
}

impl Client {
    /// Says something that is not a turn. A client with a full queue does not read: it is let go.
    fn tell(&self, line: String) {
        if self.queue.tell(line) == Err(Full) {
            self.queue.close();
        }
    }

    /// It has a turn of this agent.
    fn give(&self, turn: &str, name: Rc<str>) {
        self.take_back(turn);
        self.given.borrow_mut().push((turn.to_owned(), name));
    }

    /// It has the turn no longer; whether it had it.
    fn take_back(&self, turn: &str) -> bool {
        let mut given = self.given.borrow_mut();
        let at = given.iter().position(|(known, _)| known == turn);
        at.map(|at| given.swap_remove(at)).is_some()
    }

    /// It has this agent no longer; without any it is let go.
    fn lose(&self, name: &str, code: &str, why: &str) {
        self.claims.borrow_mut().retain(|claim| claim != name);
        self.given.borrow_mut().retain(|(turn, whose)| {
            let lost = **whose == *name;
            if lost {
                self.queue.take_back(turn);
            }
            !lost
        });
        self.tell(line::error(None, code, &format!("{name} {why}")));
        if self.claims.borrow().is_empty() {
            self.queue.close();
        }
    }
}

/// Why a `hello` is refused: a code and a sentence for its sender.
type Refusal = (&'static str, String);

impl Room {
    fn voices(&self) -> Vec<Rc<Voice>> {
        self.members.borrow().values().map(|member| member.voice.clone()).collect()
    }

    /// Whether this user may speak for any agent here.
    fn admits(&self, uid: u32) -> bool {
        self.members.borrow().values().any(|member| member.admits(uid))
    }

    /// One connection from its `hello` to its end.
    async fn serve(self: Rc<Self>, stream: Stream, uid: u32) {
        let mut reader = Reader::slowed(&stream, self.slow.clone());
        let client =
            Rc::new(Client { uid, queue: Queue::default(), claims: RefCell::default(), given: RefCell::default() });
        let hello = clock::within(budget::AGENT_HELLO_MS, reader.next()).await;
        let greeted = match hello {
            Some(Some(line)) => self.greet(line, &client).await,
            Some(None) => return,
            None => Err(("timeout", "no hello came within 10 s".to_owned())),
        };
        if let Err((code, message)) = greeted {
            log::warn!("{}: {}: uid {uid} was sent away: {message}", Reason::AgentDenied, self.path.display());
            lines::write(&mut &stream, &(line::error(None, code, &message) + "\n")).await;
            return;
        }
        let end = lines::talk(&mut reader, &stream, &client.queue, async |line| self.hear(&client, line).await).await;
        self.leave(
            &client,
            match end {
                End::Closed => "its connection was closed",
                End::Stuck => "its connection did not read for 10 s",
                End::Done => "its connection was let go",
            },
        )
        .await;
    }

    async fn greet(&self, first: Line, client: &Rc<Client>) -> Result<(), Refusal> {
        let text = match first {
            Line::Text(text, 0) => text,
            Line::Text(..) => return Err(("garbled", "the first line is not UTF-8".to_owned())),
            Line::TooLong | Line::Cut => return Err(("garbled", "the first line did not end".to_owned())),
        };
        match line::decode(&text) {
            Ok(Heard::Hello(names)) => self.claim(&names, client).await,
            Ok(Heard::Said(_) | Heard::Send { .. } | Heard::Refused { .. }) => {
                Err(("garbled", "the first line must be a hello".to_owned()))
            }
            Err(why) => Err(("garbled", format!("the first line must be a hello; {}", why.detail))),
        }
    }

    /// Gives all these agents to the client, or none.
    async fn claim(&self, names: &[impl AsRef<str>], client: &Rc<Client>) -> Result<(), Refusal> {
        let mut taken = Vec::new();
        {
            let mut members = self.members.borrow_mut();
            for name in names.iter().map(AsRef::as_ref) {
                let Some(member) = members.get(name) else {
                    let known: Vec<_> = members.keys().map(String::as_str).collect();
                    let message =
                        format!("no agent {} answers on this socket, but {}", Clipped(name), known.join(", "));
                    return Err(("unknown_agent", message));
                };
                if !member.admits(client.uid) {
                    return Err(("denied", format!("uid {} may not speak for {name}: see its `uids`", client.uid)));
                }
            }
            for name in names.iter().map(AsRef::as_ref) {
                let Some(member) = members.get_mut(name) else { continue };
                let before = member.client.replace(client.clone());
                if before.as_ref().is_some_and(|before| Rc::ptr_eq(before, client)) {
                    continue;
                }
                client.claims.borrow_mut().push(name.to_owned());
                taken.push((member.voice.clone(), before));
            }
        }
        let claims = client.claims.borrow().clone();
        client.tell(line::welcome(&claims.iter().map(String::as_str).collect::<Vec<_>>()));
        for (voice, before) in taken {
            if let Some(before) = before {
                before.lose(&voice.name, "replaced", "was claimed by a newer connection");
            }
            // open turns are given again: a take-over is no failed attempt
            voice.say(Said::Here).await;
        }
        Ok(())
    }

    async fn hear(&self, client: &Rc<Client>, heard: Line) {
        let Some(first) = self.speaker(client, None) else { return };
        let Some(text) = first.line(heard).await else { return };
        match line::decode(&text) {
            Ok(Heard::Said(said)) => {
                let Some(voice) = self.speaker(client, said.turn().map(|(turn, _)| turn)) else { return };
                if let Some((turn, true)) = said.turn() {
                    client.take_back(turn);
                }
                voice.say(said.into_owned()).await;
            }
            Ok(Heard::Send { agent, said }) => {
                let named = agent.as_deref().map(|name| (name, self.seat_of(client, name)));
                match named {
                    None => first.say(said.into_owned()).await,
                    Some((_, Some(voice))) => voice.say(said.into_owned()).await,
                    Some((name, None)) => {
                        let id = if let Said::Send { id, .. } = &said { Some(id.as_ref()) } else { None };
                        let message = format!("this connection does not have {}", Clipped(name));
                        client.tell(line::error(id, "unknown_agent", &message));
                    }
                }
            }
            Ok(Heard::Refused { id, why }) => {
                client.tell(line::error(Some(&id), why.reason.code(), &why.detail));
                first.say(Said::Garbled(why)).await;
            }
            Ok(Heard::Hello(names)) => {
                if let Err((code, message)) = self.claim(&names, client).await {
                    client.tell(line::error(None, code, &message));
                }
            }
            Err(why) => first.say(Said::Garbled(why)).await,
        }
    }

    /// Who speaks: the agent that has this turn, else the first that the client has; nobody, once it has lost them all.
    fn speaker(&self, client: &Rc<Client>, turn: Option<&str>) -> Option<Rc<Voice>> {
        let (given, claims) = (client.given.borrow(), client.claims.borrow());
        let given = turn.and_then(|turn| given.iter().find(|(known, _)| known == turn));
        let whose = given.map(|(_, name)| &**name);
        self.seat_of(client, whose.or_else(|| claims.first().map(String::as_str))?)
    }

    fn seat_of(&self, client: &Rc<Client>, name: &str) -> Option<Rc<Voice>> {
        let members = self.members.borrow();
        let member = members.get(name)?;
        member.client.as_ref().is_some_and(|now| Rc::ptr_eq(now, client)).then(|| member.voice.clone())
    }

    async fn leave(&self, client: &Rc<Client>, how: &str) {
        let mut left = Vec::new();
        for member in self.members.borrow_mut().values_mut() {
            if member.client.as_ref().is_some_and(|now| Rc::ptr_eq(now, client)) {
                member.client = None;
                left.push(member.voice.clone());
            }
        }
        for voice in left {
            voice.say(Said::Gone(Why::new(Reason::AgentGone, how))).await;
        }
    }
}

impl Member {
    /// The users it names, or the daemon's own and root where it names none.
    fn admits(&self, uid: u32) -> bool {
        if self.uids.is_empty() {
            uid == 0 || uid == rustix::process::geteuid().as_raw()
        } else {
            self.uids.contains(&uid)
        }
    }
}
