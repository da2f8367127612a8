//! WebSockets, one task for each line: it dials, posts what arrives, sends one frame at a time, and says once how it
//! ended. It never reconnects. The steps of a dial are in [`open`], the reasons in [`why`].

mod frames;
mod metered;
mod open;
mod why;

use super::dns::Dns;
use super::tls::Rules;
use super::{Happening, Post, clock};
use crate::budget;
use crate::message::Line;
use crate::port::Lost;
use crate::reason::{Reason, Why};
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Error, Message};
use futures_lite::{StreamExt, future};
use metered::Metered;
use smol::channel::{Receiver, Sender, bounded};
use smol::{LocalExecutor, Task};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// All WebSockets of the daemon. They run on the executor of the loop's thread.
pub struct Lines {
    executor: Rc<LocalExecutor<'static>>,
    dns: Dns,
    rules: Vec<Arc<Rules>>,
    message_bytes: usize,
    desk: Rc<Desk>,
    all_gone: Receiver<()>,
}

/// What a line's task shares with `Lines`.
struct Desk {
    post: Post,
    open: RefCell<HashMap<Line, Open>>,
    /// Held by every task: when all are gone, all goodbyes are said.
    tasks: RefCell<Option<Sender<()>>>,
}

struct Open {
    orders: Sender<Order>,
    /// 101 was seen: a close frame makes sense.
    upgraded: Rc<Cell<bool>>,
    /// Not read for now.
    held: Rc<Cell<bool>>,
    task: Task<()>,
}

enum Order {
    Send(Box<str>),
    HangUp(Vec<Box<str>>),
    /// It may be read again.
    Go,
}

type Socket = WebSocketStream<Metered>;

impl Lines {
    /// None yet. `rules`: one for each guild, in the order of the settings. `message_bytes`: longest message taken.
    #[must_use]
    pub fn new(
        executor: Rc<LocalExecutor<'static>>,
        post: Post,
        dns: Dns,
        rules: Vec<Arc<Rules>>,
        message_bytes: usize,
    ) -> Self {
        let (tasks, all_gone) = bounded(1);
        let desk = Rc::new(Desk { post, open: RefCell::default(), tasks: RefCell::new(Some(tasks)) });
        Self { executor, dns, rules, message_bytes, desk, all_gone }
    }

    /// From here on dials name guilds of other settings; lines that are open keep what they began with.
    pub fn reload(&mut self, rules: Vec<Arc<Rules>>, message_bytes: usize) {
        self.rules = rules;
        self.message_bytes = message_bytes;
    }

    /// Opens a WebSocket: `Opened` or `Lost` follows.
    pub fn dial(&self, line: Line, url: String, guild: u16) {
        let Some(rules) = self.rules.get(usize::from(guild)).cloned() else {
            debug_assert!(false, "a dial names a guild that is not in the settings");
            let lost = Why::new(Reason::CfgPath, "the guild is not in the configuration any more").into();
            let post = self.desk.post.clone();
            let told = async move { drop(post.send(Happening::Lost(line, lost)).await) };
            return self.executor.spawn(told).detach();
        };
        // a frame, a `Go`, and the end
        let (orders, inbox) = bounded(3);
        let (upgraded, held) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let dial = open::Dial { url, rules, dns: self.dns.clone(), message_bytes: self.message_bytes };
        let pump = Pump { line, desk: self.desk.clone(), inbox, upgraded: upgraded.clone(), held: held.clone() };
        let alive = self.desk.tasks.borrow().clone();
        let task = self.executor.spawn(async move {
            pump.run(dial).await;
            drop(alive);
        });
        self.desk.open.borrow_mut().insert(line, Open { orders, upgraded, held, task });
    }

    /// Sends one text frame: `FrameSent` or `Lost` follows. A line that is over is passed over.
    pub fn send(&self, line: Line, text: Box<str>) {
        if let Some(open) = self.desk.open.borrow().get(&line) {
            let sent = open.orders.try_send(Order::Send(text));
            debug_assert!(sent.is_ok(), "one frame at a time");
        }
    }

    /// Reads a line no further, or goes on. A line that is over is passed over.
    pub fn hold(&self, line: Line, held: bool) {
        if let Some(open) = self.desk.open.borrow().get(&line) {
            open.held.set(held);
            if !held && open.orders.is_empty() {
                // any other order wakes it as well
                let _ = open.orders.try_send(Order::Go);
            }
        }
    }

    /// Ends a line and says nothing more of it. The last texts and the close frame go out in the background.
    pub fn hang_up(&self, line: Line, last: Vec<Box<str>>) {
        let Some(open) = self.desk.open.borrow_mut().remove(&line) else { return };
        if open.upgraded.get() && open.orders.try_send(Order::HangUp(last)).is_ok() {
            open.task.detach();
        }
    }

    /// Lines that are open or being opened.
    #[must_use]
    pub fn count(&self) -> usize {
        self.desk.open.borrow().len()
    }

    /// Hangs up everywhere and waits until the goodbyes are said, at most so long. Nothing is dialled after it.
    pub async fn close(&self, ms: u64) {
        let lines: Vec<Line> = self.desk.open.borrow().keys().copied().collect();
        for line in lines {
            self.hang_up(line, Vec::new());
        }
        self.desk.tasks.take();
        clock::within(ms, self.all_gone.recv()).await;
    }
}

impl Desk {
    /// Posts for a line that was not hung up.
    async fn say(&self, line: Line, happening: Happening) {
        if self.open.borrow().contains_key(&line) {
            // a closed channel: the loop is gone, and with it whoever would care
            let _ = self.post.send(happening).await;
        }
    }

    /// Until all that was posted is taken: no two large texts wait at once.
    async fn wait_for_the_loop(&self) {
        while !self.post.is_empty() {
            future::yield_now().await;
        }
    }

    /// The last word of a line.
    async fn lost(&self, line: Line, lost: Lost) {
        self.say(line, Happening::Lost(line, lost)).await;
        let open = self.open.borrow_mut().remove(&line);
        if let Some(open) = open {
            open.task.detach();
        }
    }
}

/// One line's task.
struct Pump {
    line: Line,
    desk: Rc<Desk>,
    inbox: Receiver<Order>,
    upgraded: Rc<Cell<bool>>,
    held: Rc<Cell<bool>>,
}

/// What the task does next.
enum Turn {
    Order(Option<Order>),
    Frame(Option<Result<Message, Error>>),
}

/// How a session ended, and what is said to the peer after `Lost` was posted.
enum End {
    /// Nothing: it is gone, or nobody listens any more.
    Lost(Lost),
    /// It said goodbye; tungstenite answers in kind.
    ClosedByPeer(Lost),
    /// It broke the rules.
    Broken(Lost, CloseCode),
    /// We were told to.
    HungUp(Vec<Box<str>>),
}

impl Pump {
    async fn run(self, dial: open::Dial) {
        // what a dial needs is large, and gone once it is over
        let mut socket = match Box::pin(dial.open()).await {
            Ok(socket) => socket,
            Err(lost) => return self.desk.lost(self.line, lost).await,
        };
        self.upgraded.set(true);
        self.desk.say(self.line, Happening::Opened(self.line)).await;
        let (last, lost, code) = match self.session(&mut socket).await {
            End::HungUp(last) => (last, None, Some(CloseCode::Normal)),
            End::Broken(lost, code) => (Vec::new(), Some(lost), Some(code)),
            End::ClosedByPeer(lost) | End::Lost(lost) => (Vec::new(), Some(lost), None),
        };
        if let Some(lost) = lost {
            self.desk.lost(self.line, lost).await;
        }
        clock::within(budget::CLOSE_MS, goodbye(&mut socket, last, code)).await;
    }

    /// Until it ends. Every frame resets what may arrive without one.
    async fn session(&self, socket: &mut Socket) -> End {
        let mut controls = 0;
        let mut heard = false;
        loop {
            let order = async { Turn::Order(self.inbox.recv().await.ok()) };
            let frame = async {
                if self.held.get() {
                    future::pending::<()>().await;
                }
                Turn::Frame(socket.next().await)
            };
            let message = match future::or(order, frame).await {
                Turn::Order(Some(Order::Send(text))) => match self.write(socket, text).await {
                    Ok(()) => continue,
                    Err(why) => return End::Lost(why.into()),
                },
                Turn::Order(Some(Order::Go)) => continue,
                Turn::Order(Some(Order::HangUp(last))) => return End::HungUp(last),
                Turn::Order(None) => return End::HungUp(Vec::new()),
                Turn::Frame(Some(Ok(message))) => message,
                Turn::Frame(Some(Err(error))) => return why::of_session(&error, heard),
                Turn::Frame(None) => {
                    return End::Lost(Why::new(Reason::NetClosed, "the connection ended").into());
                }
            };
            socket.get_mut().whole_message();
            match message {
                Message::Text(text) => {
                    if text.len() > budget::WEBSOCKET_BUFFER_BYTES {
                        socket.get_mut().hold(text.clone().into());
                    }
                    if text.len() > budget::LARGE_BYTES {
                        self.desk.wait_for_the_loop().await;
                    }
                    self.desk.say(self.line, Happening::Text(self.line, text)).await;
                }
                Message::Binary(bytes) => {
                    let length = bytes.len();
                    socket.get_mut().hold(bytes);
                    self.desk.say(self.line, Happening::Binary(self.line, length)).await;
                }
                Message::Close(frame) => return End::ClosedByPeer(why::of_close(frame).into()),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                    controls += 1;
                    if controls > budget::EMPTY_FRAMES {
                        return why::flooded();
                    }
                    continue;
                }
            }
            (controls, heard) = (0, true);
        }
    }

    async fn write(&self, socket: &mut Socket, text: Box<str>) -> Result<(), Why> {
        let ms = budget::WRITE_MS;
        match clock::within(ms, socket.send(Message::text(String::from(text)))).await {
            Some(Ok(())) => {
                self.desk.say(self.line, Happening::FrameSent(self.line)).await;
                Ok(())
            }
            Some(Err(error)) => Err(why::of_write(&error)),
            None => Err(Why::new(Reason::NetTimeout, format!("writing: the other side took no bytes for {ms} ms"))),
        }
    }
}

/// The last texts, our close frame, and theirs.
async fn goodbye(socket: &mut Socket, last: Vec<Box<str>>, code: Option<CloseCode>) {
    for text in last {
        let _ = socket.send(Message::text(String::from(text))).await;
    }
    match code {
        Some(code) => {
            let close = CloseFrame { code, reason: "".into() };
            if socket.send(Message::Close(Some(close))).await.is_err() || code != CloseCode::Normal {
                return;
            }
            // what still arrives is nobody's any more
            while let Some(Ok(message)) = socket.next().await {
                socket.get_mut().whole_message();
                if message.is_close() {
                    return;
                }
            }
        }
        // reading on sends the answer to the peer's close frame; its FIN is not waited for beyond the deadline
        None => drop(socket.next().await),
    }
}
