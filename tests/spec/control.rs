use crate::folder::Folder;
use guild_bridge::budget;
use guild_bridge::io::control::Control;
use guild_bridge::io::{Happening, Post};
use guild_bridge::port::{Client, Command, Told};
use guild_bridge::reason::{Reason, Why};
use guild_bridge::status::{LetterStatus, LettersStatus, Status};
use smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use smol::{LocalExecutor, channel::Receiver, net::unix::UnixStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;

/// A control socket with its folder, executor and the loop's end of what is posted.
struct Desk {
    executor: Rc<LocalExecutor<'static>>,
    heard: Receiver<Happening>,
    post: Post,
    path: PathBuf,
    control: Option<Control>,
    _folder: Folder,
}

impl Desk {
    fn new() -> Self {
        let folder = Folder::new();
        let path = folder.path().join("made/control.sock");
        let (post, heard) = smol::channel::bounded(budget::HAPPENINGS);
        let executor = Rc::new(LocalExecutor::new());
        let control = Some(Control::bind(&path, &executor, post.clone()).unwrap());
        Self { executor, heard, post, path, control, _folder: folder }
    }

    /// Runs a story for at most 10 s.
    fn run<T>(&self, story: impl Future<Output = T>) -> T {
        let late = async {
            smol::Timer::after(std::time::Duration::from_secs(10)).await;
            panic!("the story does not end")
        };
        smol::block_on(self.executor.run(smol::future::or(story, late)))
    }

    async fn client(&self) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(&self.path).await.unwrap())
    }

    async fn command(&self) -> (Client, Command) {
        match self.heard.recv().await.unwrap() {
            Happening::Control(client, command) => (client, command),
            _ => panic!("something else happened"),
        }
    }

    fn tell(&self, client: Client, told: Told) {
        self.control.as_ref().unwrap().tell(client, told);
    }
}

async fn say(client: &mut BufReader<UnixStream>, line: &str) {
    client.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
}

/// The next line; empty at the end.
async fn hear(client: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    let _ = client.read_line(&mut line).await;
    line.trim_end().to_owned()
}

#[test]
fn the_socket_is_0660_in_a_folder_of_0750_and_goes_with_the_daemon() {
    let mut desk = Desk::new();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&desk.path), mode(desk.path.parent().unwrap())), (0o660, 0o750));
    assert_eq!(desk.path.parent().unwrap().read_dir().unwrap().count(), 1);
    desk.control = None;
    assert!(!desk.path.exists());
}

#[test]
fn a_dead_socket_is_replaced() {
    let folder = Folder::new();
    let path = folder.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (post, _heard) = smol::channel::bounded(1);
    assert!(Control::bind(&path, &Rc::new(LocalExecutor::new()), post).is_ok());
}

#[test]
fn a_living_socket_is_refused_with_who_holds_it_and_left_alone() {
    let desk = Desk::new();
    let error = Control::bind(&desk.path, &desk.executor, desk.post.clone()).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&format!("process {} listens there already", std::process::id())), "{error}");
    assert!(desk.path.exists());
}

#[test]
fn a_file_that_is_no_socket_is_refused_and_left_alone() {
    let folder = Folder::new();
    let path = folder.file("control.sock", 0o600, "mine");
    let (post, _heard) = smol::channel::bounded(1);
    let error = Control::bind(&path, &Rc::new(LocalExecutor::new()), post).err().unwrap();
    assert!(error.to_string().contains("is there and is no socket"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_file_of_another_daemon_is_not_removed() {
    let mut desk = Desk::new();
    std::fs::remove_file(&desk.path).unwrap();
    std::fs::write(&desk.path, "another's").unwrap();
    desk.control = None;
    assert!(desk.path.exists());
}

#[test]
fn a_send_is_told_that_it_waits_and_then_what_became_of_it() {
    let desk = Desk::new();
    desk.run(async {
        let mut client = desk.client().await;
        say(&mut client, r#"{"cmd":"send","agent":"a","channel":"c","text":"hi\n","new":1}"#).await;
        let (id, command) = desk.command().await;
        assert!(matches!(command, Command::Send { text, .. } if text == "hi\n"));
        desk.tell(id, Told::Queued("waits".into()));
        desk.tell(id, Told::Done("stored".into()));
        assert_eq!(hear(&mut client).await, r#"{"queued":"waits"}"#);
        assert_eq!(hear(&mut client).await, r#"{"done":"stored"}"#);
    });
}

#[test]
fn every_command_reaches_the_loop_and_its_answer_the_client() {
    let desk = Desk::new();
    desk.run(async {
        let mut client = desk.client().await;
        say(&mut client, r#"{"cmd":"status"}"#).await;
        let (id, command) = desk.command().await;
        assert!(matches!(command, Command::Status));
        desk.tell(id, Told::Status(Box::new(Status { version: "9".into(), ..Status::default() })));
        assert!(hear(&mut client).await.starts_with(r#"{"status":{"version":"9","uptime_s":0,"links":[]"#));
        say(&mut client, r#"{"cmd":"restart","agent":"a"}"#).await;
        assert!(matches!(desk.command().await.1, Command::Restart { agent } if agent == "a"));
        desk.tell(id, Told::Refused(Why::new(Reason::AgentMissing, "no \"a\"")));
        assert_eq!(hear(&mut client).await, r#"{"refused":{"reason":"agent.missing","detail":"no \"a\""}}"#);
        say(&mut client, r#"{"cmd":"reload"}"#).await;
        assert!(matches!(desk.heard.recv().await, Ok(Happening::Reread(same)) if same == id));
        desk.tell(id, Told::Done("read".into()));
        hear(&mut client).await;
        say(&mut client, r#"{"cmd":"reload-plan"}"#).await;
        assert!(matches!(desk.heard.recv().await, Ok(Happening::Plan(same)) if same == id));
        desk.tell(id, Told::Done("will change nothing".into()));
        hear(&mut client).await;
        say(&mut client, r#"{"cmd":"letters"}"#).await;
        assert!(matches!(desk.command().await.1, Command::Letters));
        desk.tell(id, Told::Letters(Box::default()));
        assert_eq!(hear(&mut client).await, r#"{"letters":{"total":0,"listed":[]}}"#);
        say(&mut client, r#"{"cmd":"letters-show","which":"k"}"#).await;
        assert!(matches!(desk.command().await.1, Command::ShowLetter { key } if key == "k"));
        // the longest letter that there can be, each byte of it escaped
        let text = "\u{1}".repeat(budget::JOURNAL_RECORD_BYTES);
        let listed = vec![LetterStatus { text: text.clone(), ..LetterStatus::default() }];
        desk.tell(id, Told::Letters(Box::new(LettersStatus { total: 1, listed })));
        let answer = hear(&mut client).await;
        assert!(answer.len() < budget::CONTROL_ANSWER_BYTES && answer.contains(&text.replace('\u{1}', r"\u0001")));
        say(&mut client, r#"{"cmd":"letters-retry","which":"k"}"#).await;
        assert!(matches!(desk.command().await.1, Command::LettersAgain { which: Some(k) } if k == "k"));
        desk.tell(id, Told::Done("again".into()));
        hear(&mut client).await;
        say(&mut client, r#"{"cmd":"letters-drop"}"#).await;
        assert!(matches!(desk.command().await.1, Command::DropLetters { which: None }));
    });
}

#[test]
fn what_is_no_request_is_refused_and_the_next_line_is_heard() {
    let desk = Desk::new();
    desk.run(async {
        let mut client = desk.client().await;
        for (line, told) in [
            ("hello", "not a request: "),
            ("[[[[[[", "not a request: "),
            (r#"{"cmd":"dance"}"#, "no such \\\"cmd\\\"; there are status, send, tail, letters, letters-show, letters-retry, letters-drop, restart, reload"),
            (r#"{"cmd":"send","agent":"a","text":"x"}"#, "send needs \\\"channel\\\""),
            (r#"{"cmd":"letters-show"}"#, "letters-show needs \\\"which\\\""),
            (r#"{"cmd":"restart"}"#, "restart needs \\\"agent\\\""),
            ("\u{0}", "not a request: "),
        ] {
            say(&mut client, line).await;
            let answer = hear(&mut client).await;
            assert!(
                answer.starts_with(r#"{"refused":{"reason":"control.request","#) && answer.contains(told),
                "{answer}"
            );
        }
        say(&mut client, r#"{"cmd":"status"}"#).await;
        assert!(matches!(desk.command().await.1, Command::Status));
    });
}

#[test]
fn a_line_without_an_end_is_cut_off() {
    let desk = Desk::new();
    desk.run(async {
        let mut client = desk.client().await;
        let flood = vec![b'x'; budget::CONTROL_LINE_BYTES + 8192];
        let _ = client.get_mut().write_all(&flood).await;
        assert!(hear(&mut client).await.contains("the line is longer than 65536 bytes"));
        assert_eq!(hear(&mut client).await, "");
        assert!(matches!(desk.command().await.1, Command::Left));
    });
}

#[test]
fn whoever_goes_is_reported_and_whoever_only_stops_talking_is_answered() {
    let desk = Desk::new();
    desk.run(async {
        let mut tail = desk.client().await;
        say(&mut tail, r#"{"cmd":"tail"}"#).await;
        let (id, command) = desk.command().await;
        assert!(matches!(command, Command::Tail { agent: None }));
        drop(tail);
        assert!(matches!(desk.command().await, (same, Command::Left) if same == id));
        let mut asker = desk.client().await;
        say(&mut asker, r#"{"cmd":"status"}"#).await;
        asker.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        let (id, _) = desk.command().await;
        desk.tell(id, Told::Done("late".into()));
        assert_eq!(hear(&mut asker).await, r#"{"done":"late"}"#);
        assert!(matches!(desk.command().await, (same, Command::Left) if same == id));
    });
}

#[test]
fn a_slow_tail_hears_how_much_it_missed_and_holds_nobody_up() {
    let desk = Desk::new();
    desk.run(async {
        let mut tail = desk.client().await;
        say(&mut tail, r#"{"cmd":"tail","agent":"a"}"#).await;
        let (id, _) = desk.command().await;
        (0..1000).for_each(|n| desk.tell(id, Told::Tail(format!("line {n}"))));
        let mut heard = Vec::new();
        while heard.len() <= budget::TAIL_LINES {
            heard.push(hear(&mut tail).await);
        }
        assert_eq!(heard[255], r#"{"tail":"line 255"}"#);
        assert_eq!(heard[256], r#"{"tail":"… 744 lines dropped: this client reads too slowly"}"#);
        desk.tell(id, Told::Tail("again".into()));
        assert_eq!(hear(&mut tail).await, r#"{"tail":"again"}"#);
    });
}

#[test]
fn one_client_too_many_is_refused_and_a_place_that_is_left_is_free() {
    let desk = Desk::new();
    desk.run(async {
        let mut clients = Vec::new();
        for _ in 0..budget::CONTROL_CLIENTS {
            let mut client = desk.client().await;
            say(&mut client, r#"{"cmd":"tail"}"#).await;
            desk.command().await;
            clients.push(client);
        }
        assert!(hear(&mut desk.client().await).await.contains("16 clients are here already"));
        clients.pop();
        assert!(matches!(desk.command().await.1, Command::Left));
        let mut client = desk.client().await;
        say(&mut client, r#"{"cmd":"status"}"#).await;
        assert!(matches!(desk.command().await.1, Command::Status));
    });
}

#[test]
fn clients_that_ask_for_nothing_give_their_places_to_those_who_do() {
    let desk = Desk::new();
    desk.run(async {
        let mut idle = Vec::new();
        for _ in 0..budget::CONTROL_CLIENTS {
            idle.push(desk.client().await);
        }
        assert!(
            hear(&mut desk.client().await).await.contains("16 clients are here already"),
            "they may be about to ask"
        );
        smol::Timer::after(std::time::Duration::from_millis(budget::CONTROL_IDLE_MS + 100)).await;
        for client in idle.iter_mut().take(3) {
            let mut asks = desk.client().await;
            say(&mut asks, r#"{"cmd":"tail"}"#).await;
            assert!(matches!(desk.command().await.1, Command::Left), "a place is given up");
            assert!(matches!(desk.command().await.1, Command::Tail { .. }));
            assert!(hear(client).await.contains("this client asked for nothing"), "the first that came goes first");
            assert_eq!(hear(client).await, "", "its connection ends");
            // a tail stays for as long as it likes
            std::mem::forget(asks);
        }
    });
}

#[test]
fn the_next_request_waits_until_the_last_is_answered() {
    let desk = Desk::new();
    desk.run(async {
        let mut client = desk.client().await;
        say(&mut client, "{\"cmd\":\"status\"}\n{\"cmd\":\"reload\"}").await;
        let (id, _) = desk.command().await;
        smol::future::yield_now().await;
        assert!(desk.heard.is_empty());
        desk.tell(id, Told::Done("1".into()));
        assert!(matches!(desk.heard.recv().await, Ok(Happening::Reread(_))));
        let mut rest = [0; 32];
        let n = client.read(&mut rest).await.unwrap();
        assert_eq!(&rest[..n], b"{\"done\":\"1\"}\n");
    });
}
