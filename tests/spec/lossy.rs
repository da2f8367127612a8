//! A log that nobody reads.

use guild_bridge::io::clock;
use guild_bridge::io::lossy::{Lossy, dropped};
use std::io::{Read, Result, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

/// One line, as a logger gives it: by one write.
fn line(log: &mut Lossy<UnixStream>, text: &str) {
    log.write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// What can be read now.
fn read(mut end: &UnixStream) -> String {
    end.set_nonblocking(true).unwrap();
    let mut bytes = Vec::new();
    let _ = end.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_line_that_nobody_reads_is_dropped_and_counted_and_the_number_is_said_once_there_is_room() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut log = Lossy::new(ours);
    let (begun, before) = (clock::now().at, dropped());
    for n in 0..20_000 {
        line(&mut log, &format!("line {n}"));
    }
    assert!(clock::now().at.since_ms(begun) < 5_000, "nobody was waited for");
    let text = read(&theirs);
    let kept = text.lines().count() as u64;
    let lost = 20_000 - kept;
    assert!(lost > 0 && kept > 10 && dropped() - before >= lost, "{lost} dropped, {kept} kept");
    assert!(
        text.lines().enumerate().all(|(n, line)| line == format!("line {n}")),
        "the first ones, whole and in order"
    );
    line(&mut log, "again");
    let note = format!("{lost} line(s) of this log were dropped here: nobody read them in time\nagain\n");
    assert_eq!(read(&theirs), note);
}

#[test]
fn a_line_longer_than_a_pipe_takes_at_once_is_cut() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut log = Lossy::new(ours);
    line(&mut log, &"x".repeat(10_000));
    line(&mut log, &"y".repeat(4_095));
    assert_eq!(read(&theirs), format!("{}\n{}\n", "x".repeat(4_095), "y".repeat(4_095)));
}

#[test]
fn a_reader_that_is_gone_is_no_fault() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let mut log = Lossy::new(ours);
    line(&mut log, "hello?");
    line(&mut log, "hello?");
}

#[test]
fn lines_of_one_round_are_written_together_and_those_before_a_longer_one_first() {
    static IN_ROUND: AtomicBool = AtomicBool::new(true);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut log = Lossy::new(ours).gathering(&IN_ROUND);
    line(&mut log, "one");
    line(&mut log, "two");
    assert_eq!(read(&theirs), "");
    log.flush().unwrap();
    assert_eq!(read(&theirs), "one\ntwo\n");
    line(&mut log, "three");
    line(&mut log, &"x".repeat(4_093));
    assert_eq!(read(&theirs), "three\n", "no more is gathered than a pipe takes at once");
    IN_ROUND.store(false, Ordering::Relaxed);
    line(&mut log, "four");
    assert_eq!(read(&theirs), format!("{}\nfour\n", "x".repeat(4_093)));
}

#[test]
fn each_line_that_was_gathered_and_not_taken_is_counted() {
    static IN_ROUND: AtomicBool = AtomicBool::new(true);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut log = Lossy::new(ours).gathering(&IN_ROUND);
    (0..20_000).for_each(|n| line(&mut log, &format!("line {n}")));
    log.flush().unwrap();
    let text = read(&theirs);
    let lost = 20_000 - text.lines().count();
    assert!(lost > 0 && text.lines().enumerate().all(|(n, line)| line == format!("line {n}")), "{lost}");
    line(&mut log, "again");
    log.flush().unwrap();
    assert!(read(&theirs).starts_with(&format!("{lost} line(s) of this log were dropped here")));
}

/// A file on a disk that is nearly full: it takes so many bytes, and after that there is room again.
struct NearlyFull {
    file: std::fs::File,
    left: usize,
}

impl Write for NearlyFull {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let taken = self.file.write(&bytes[..bytes.len().min(self.left)])?;
        self.left = if taken < bytes.len() { 1_000 } else { self.left - taken };
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl AsFd for NearlyFull {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[test]
fn of_lines_that_were_gathered_those_behind_a_tear_are_counted_and_no_others() {
    static IN_ROUND: AtomicBool = AtomicBool::new(true);
    for (left, kept, lost) in [(8, "one\ntwo\n", 1), (6, "one\ntw\n", 2), (0, "", 3)] {
        let path = std::env::temp_dir().join(format!("guild-bridge-lossy-{}-{left}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        let mut log = Lossy::new(NearlyFull { file, left }).gathering(&IN_ROUND);
        for text in ["one", "two", "three"] {
            log.write_all(format!("{text}\n").as_bytes()).unwrap();
        }
        log.flush().unwrap();
        log.write_all(b"four\n").unwrap();
        log.flush().unwrap();
        let told = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let note = format!("{lost} line(s) of this log were dropped here: nobody read them in time\n");
        assert_eq!(told, format!("{kept}{note}four\n"), "{left} bytes were taken");
    }
}
