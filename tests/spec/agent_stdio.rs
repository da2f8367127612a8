//! One resident child that speaks lines (CONTRACT section 2), with real programs.

use crate::agent_desk::{Dir, ONE, at_desk, none, reply, runs, until};
use futures_lite::AsyncRead;
use guild_bridge::agent::{Cancel, Said, Sent};
use guild_bridge::budget;
use guild_bridge::io::agent::lines::{Full, Line, Queue, Reader, talk};
use guild_bridge::io::clock;
use guild_bridge::reason::{Reason, Why};
use guild_bridge::settings::{Child, Transport};
use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Answers every message with its process id, every cancel with an error, every other line with `none` for turn `seen`.
const ANSWERS: &str = r#"while read -r line; do
    turn=${line#*'"turn":"'}; turn=${turn%%'"'*}
    case $line in
        *'"type":"message"'*) printf '{"v":1,"type":"reply","turn":"%s","text":"%s"}\n' "$turn" $$ ;;
        *'"type":"cancel"'*) printf '{"v":1,"type":"error","turn":"%s","code":"cancelled"}\n' "$turn" ;;
        *) printf '{"v":1,"type":"none","turn":"seen"}\n' ;;
    esac
done"#;

fn stdio(script: &str) -> Transport {
    Transport::Stdio { argv: ["sh", "-c", script].map(str::to_owned).to_vec(), child: Child::default() }
}

fn text(said: Said<'_>) -> String {
    match said {
        Said::Reply { text, .. } => text.into_owned(),
        other => panic!("a reply was due, not {other:?}"),
    }
}

fn why(said: Said<'_>) -> Why {
    match said {
        Said::Gone(why) | Said::Garbled(why) | Said::Failed { why, .. } => why,
        other => panic!("not {other:?}"),
    }
}

fn garbled(detail: &str) -> Said<'static> {
    Said::Garbled(Why::new(Reason::AgentGarbled, detail))
}

#[test]
fn one_child_answers_all_turns() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", stdio(ANSWERS));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "hi");
        let first = text(desk.next().await);
        desk.ask("t_2", "hi again");
        assert_eq!(desk.next().await, reply("t_2", &first));
    });
}

#[test]
fn a_cancel_and_the_answer_to_a_send_are_lines_too() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", stdio(ANSWERS));
        assert_eq!(desk.next().await, Said::Here);
        desk.agents.cancel(ONE, "t_1", Cancel::Timeout);
        assert_eq!(why(desk.next().await).detail, "it said cancelled: ");
        desk.agents.sent(ONE, "s_1", &Sent::Stored { message: "m_1".to_owned() });
        assert_eq!(desk.next().await, none("seen"));
        desk.agents.sent(ONE, "s_2", &Sent::refused(Reason::GuildRefusedPost, "no such channel"));
        assert_eq!(desk.next().await, none("seen"));
    });
}

#[test]
fn a_child_that_ends_is_gone_with_its_last_words_and_started_again() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", stdio("read -r line; echo 'out of memory' >&2; exit 3"));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "hi");
        let gone = Why::new(Reason::AgentGone, "it exited with 3; stderr: out of memory");
        assert_eq!(desk.next().await, Said::Gone(gone));
        assert!(desk.quiet(500).await, "it rests");
        assert_eq!(desk.next().await, Said::Here);
    });
}

#[test]
fn a_program_that_is_not_there_is_missing_until_it_is() {
    at_desk(async |desk| {
        let dir = Dir::new("late");
        let program = dir.file("agent");
        desk.hire(ONE, "recruiter", Transport::Stdio { argv: vec![program.clone()], child: Child::default() });
        let missing = why(desk.next().await);
        assert!(missing.reason == Reason::AgentMissing && missing.detail.contains(&program), "{missing}");
        desk.ask("t_1", "hi");
        assert!(matches!(desk.next().await, Said::Absent { turn, .. } if turn == "t_1"));
        std::os::unix::fs::symlink("/bin/cat", &program).unwrap();
        while desk.next().await != Said::Here {}
    });
}

#[test]
fn lines_that_cannot_be_read_end_nothing() {
    at_desk(async |desk| {
        let script = r#"echo hello; head -c 200000 /dev/zero; echo; echo '{"v":1,"type":"dance"}'; echo
            printf '{"v":1,"type":"reply","turn":"t_1","text":"a\377"}\n'; cat"#;
        desk.hire(ONE, "recruiter", stdio(script));
        assert_eq!(desk.next().await, Said::Here);
        assert_eq!(desk.next().await, garbled("a line is not JSON: a value is missing in JSON"));
        assert_eq!(desk.next().await, garbled("a line beyond 160 KiB was skipped"));
        assert_eq!(desk.next().await, garbled("a line has the type \"dance\", which is not known here"));
        assert_eq!(desk.next().await, garbled("a line is not UTF-8 in 1 place(s); they were replaced"));
        assert_eq!(desk.next().await, reply("t_1", "a\u{fffd}"));
    });
}

#[test]
fn a_child_that_dies_in_the_middle_of_a_line_is_told_apart() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", stdio(r#"printf '{"v":1,"type":"reply","turn":"t_1","te'; kill -9 $$"#));
        assert_eq!(desk.next().await, Said::Here);
        assert_eq!(desk.next().await, garbled("its output ended in the middle of a line"));
        let gone = Why::new(Reason::AgentGone, "signal 9 ended it, nothing on stderr");
        assert_eq!(desk.next().await, Said::Gone(gone));
    });
}

#[test]
fn a_flood_is_slowed_by_reading_slower() {
    at_desk(async |desk| {
        let script = r#"yes '{"v":1,"type":"typing","turn":"t_1"}'"#;
        desk.hire(ONE, "recruiter", stdio(script));
        assert_eq!(desk.next().await, Said::Here);
        let count = Cell::new(0_u32);
        let count_all = async {
            while matches!(desk.next().await, Said::Typing { .. }) {
                count.set(count.get() + 1);
            }
        };
        assert_eq!(clock::within(2_500, count_all).await, None);
        let most = 3 * budget::AGENT_READS_PER_S;
        assert!((budget::AGENT_READS_PER_S..=most).contains(&count.get()), "{} in 2.5 s", count.get());
    });
}

/// One turn after the other: by the pace of other lines these were ten seconds.
#[test]
fn lines_that_turns_have_made_due_are_read_as_they_come() {
    const TURNS: u32 = 10 * budget::AGENT_READS_PER_S;
    let (mine, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let echo = std::thread::spawn(move || {
        let mut lines = std::io::BufReader::new(&theirs);
        let mut line = String::new();
        while std::io::BufRead::read_line(&mut lines, &mut line).is_ok_and(|n| n > 0) {
            std::io::Write::write_all(&mut &theirs, line.as_bytes()).unwrap();
            line.clear();
        }
    });
    smol::block_on(async {
        let mine = smol::Async::new(mine).unwrap();
        let (queue, mut heard) = (Queue::default(), 0);
        queue.give("t_0", "0".into()).unwrap();
        let hear = async |line| {
            assert_eq!(line, Line::Text(heard.to_string(), 0));
            heard += 1;
            match heard {
                TURNS => queue.close(),
                next => queue.give(&format!("t_{next}"), next.to_string()).unwrap(),
            }
        };
        let mut reader = Reader::new(&mine);
        let talked = talk(&mut reader, &mine, &queue, hear);
        assert!(clock::within(5_000, talked).await.is_some(), "it takes longer than 5 s");
        assert_eq!(heard, TURNS);
    });
    echo.join().unwrap();
}

/// Bytes without end and without a newline; it counts what was read.
struct Endless(usize);

impl AsyncRead for Endless {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut [u8]) -> Poll<std::io::Result<usize>> {
        into.fill(b'x');
        self.0 += into.len();
        Poll::Ready(Ok(into.len()))
    }
}

#[test]
fn a_line_without_an_end_is_skipped_no_faster_than_others_are_read() {
    let mut endless = Endless(0);
    let read = async { Reader::new(&mut endless).next().await };
    assert_eq!(smol::block_on(clock::within(1_500, read)), None);
    let most = (2 * budget::AGENT_READS_PER_S as usize + 1) * budget::AGENT_CHUNK_BYTES;
    assert!((budget::AGENT_LINE_BYTES..=most).contains(&endless.0), "{} bytes in 1.5 s", endless.0);
}

#[test]
fn while_memory_is_short_a_line_is_read_piece_by_piece_and_whole() {
    let slow = Arc::new(AtomicBool::new(true));
    let line = "z".repeat(3 * budget::AGENT_CHUNK_BYTES);
    let begun = clock::now().at;
    let read = smol::block_on(Reader::slowed(format!("{line}\n").as_bytes(), slow.clone()).next());
    assert_eq!(read, Some(Line::Text(line.clone(), 0)));
    assert!(clock::now().at.since_ms(begun) >= 3 * budget::SHED_PIECE_MS);
    slow.store(false, Ordering::Relaxed);
    let begun = clock::now().at;
    smol::block_on(Reader::slowed(format!("{line}\n").as_bytes(), slow).next());
    assert!(clock::now().at.since_ms(begun) < 2 * budget::SHED_PIECE_MS);
}

#[test]
fn lines_are_found_wherever_reads_cut_them() {
    let long = "y".repeat(budget::AGENT_LINE_BYTES);
    let bytes = format!("one\r\n\n{long}\n{long}y\ntwo\nthr");
    smol::block_on(async {
        let mut reader = Reader::new(bytes.as_bytes());
        let text = |text: &str| Some(Line::Text(text.to_owned(), 0));
        assert_eq!(reader.next().await, text("one"));
        assert_eq!(reader.next().await, text(&long));
        assert_eq!(reader.next().await, Some(Line::TooLong));
        assert_eq!(reader.next().await, text("two"));
        assert_eq!(reader.next().await, Some(Line::Cut));
        assert_eq!(reader.next().await, None);
    });
}

#[test]
fn turns_beyond_what_may_wait_are_handed_back_as_busy() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", stdio("sleep 600"));
        assert_eq!(desk.next().await, Said::Here);
        let long = "z".repeat(budget::MESSAGE_BYTES);
        for n in 0..12 {
            desk.ask(&format!("t_{n}"), &long);
        }
        assert_eq!(desk.next().await, Said::Busy { turn: "t_7".into(), retry_ms: None });
    });
}

#[test]
fn a_turn_that_still_waits_is_taken_back_without_a_word() {
    let queue = Queue::default();
    queue.give("t_1", "one".to_owned()).unwrap();
    assert!(queue.take_back("t_1"));
    assert!(!queue.take_back("t_1"));
    for _ in 0..budget::AGENT_QUEUE_LINES {
        queue.tell("x".to_owned()).unwrap();
    }
    assert_eq!(queue.tell("x".to_owned()), Err(Full));
}

#[test]
fn a_child_that_does_not_read_for_10_s_is_ended() {
    at_desk(async |desk| {
        let dir = Dir::new("deaf");
        let pid = dir.0.join("pid");
        desk.hire(ONE, "recruiter", stdio(&format!("echo $$ >{}; exec sleep 600", pid.display())));
        assert_eq!(desk.next().await, Said::Here);
        for turn in ["t_1", "t_2"] {
            desk.ask(turn, &"z".repeat(budget::MESSAGE_BYTES));
        }
        let gone = Why::new(Reason::AgentGone, "it did not read its standard input for 10 s");
        assert_eq!(desk.next().await, Said::Gone(gone));
        assert!(!runs(&std::fs::read_to_string(pid).unwrap()));
    });
}

#[test]
fn a_child_that_closes_its_output_is_gone_though_it_runs() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", stdio("exec >&-; exec sleep 600"));
        assert_eq!(desk.next().await, Said::Here);
        assert_eq!(why(desk.next().await).detail, "it closed its standard input or output");
    });
}

#[test]
fn a_grandchild_that_holds_the_pipe_does_not_hide_the_end() {
    at_desk(async |desk| {
        let dir = Dir::new("hold");
        let pid = dir.0.join("pid");
        desk.hire(ONE, "recruiter", stdio(&format!("sleep 600 & echo $! >{}; exit 4", pid.display())));
        assert_eq!(desk.next().await, Said::Here);
        assert!(why(desk.next().await).detail.starts_with("it exited with 4"));
        let pid = std::fs::read_to_string(pid).unwrap();
        until("the grandchild is gone", || !runs(&pid)).await;
    });
}

#[test]
fn a_dismissed_child_may_clean_up_and_says_nothing_more() {
    at_desk(async |desk| {
        let dir = Dir::new("bye");
        let (up, down) = (dir.0.join("up"), dir.0.join("down"));
        let script = "trap 'echo {}; sleep 0.3; touch DOWN; exit' TERM; touch UP; while :; do sleep 0.05; done";
        let script = script.replace("DOWN", down.to_str().unwrap()).replace("UP", up.to_str().unwrap());
        desk.hire(ONE, "recruiter", stdio(&script));
        assert_eq!(desk.next().await, Said::Here);
        until("it runs", || up.exists()).await;
        desk.agents.dismiss(ONE);
        until("it cleaned up", || down.exists()).await;
        assert!(desk.quiet(300).await);
    });
}
