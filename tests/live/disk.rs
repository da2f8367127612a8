//! A disk without room and one that takes no write, for real: a small file system in a namespace of its own lies under
//! the daemon's state. The daemon says so and goes on; once the disk takes writes again it is kept as before.

use crate::guild::bridge::{Bridge, Dir, wait_for};
use crate::guild::{Options, agent};
use crate::scene::{BRIDGE, Running, Scene};
use crate::{Ended, Scenario};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const SCENARIOS: &[Scenario] = &[
    Scenario("a_full_disk_is_said_stops_nothing_and_is_written_again_once_it_has_room", 180, || FULL.run(false)),
    Scenario("a_disk_that_becomes_read_only_is_said_stops_nothing_and_is_written_again", 180, || READ_ONLY.run(false)),
    Scenario("a_disk_that_is_read_only_at_the_start_is_said_and_taken_once_it_is_writable", 180, || {
        READ_ONLY.run(true)
    }),
];

/// What the disk does, in words of the shell: `$0` is the state directory.
struct Trouble {
    begins: &'static str,
    ends: &'static str,
    /// What the kernel says.
    words: &'static str,
}

const FULL: Trouble = Trouble {
    begins: "dd if=/dev/zero of=\"$0/other\" bs=4k 2>/dev/null; test $(df --output=avail \"$0\" | tail -n 1) = 0",
    ends: "rm \"$0/other\"",
    words: "No space left on device",
};

/// A mount that has files open for writing stays writable; what is put above it does not, and no new file comes to be.
const READ_ONLY: Trouble = Trouble {
    begins: "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"",
    ends: "umount \"$0\"",
    words: "Read-only file system",
};

/// Room for the journal, which begins anew at 256 KiB, old and new.
const SIZE: &str = "1m";
/// 50 messages a second: a file of the journal is full after some hundreds, a page of it after ten.
const EVERY: Duration = Duration::from_millis(20);
const MOST: usize = 3_000;
/// `budget::DISK_RETRY_MS` and some.
const RETRY_S: u64 = 75;
const KILLS: usize = 3;
/// Turns that a life may have open, and those that ended and are not written yet: some 60 ms at this rate.
const GIVEN_AGAIN: usize = 3;
/// A turn that failed is tried again after 2 s, a post after 1 and 2 s, and history is read every 2 s.
const LATE_DOUBLES: Duration = Duration::from_secs(4);

/// A file system of our own; it goes with the process that holds its namespace.
struct Small {
    holder: Running,
    home: Dir,
}

impl Small {
    /// Mounts it; in words why that cannot be.
    fn mount() -> Result<Self, String> {
        let home = Dir::new();
        std::fs::create_dir(home.0.join("state")).map_err(|error| error.to_string())?;
        let script = format!("mount -t tmpfs -o size={SIZE},mode=700 tmpfs \"$0\" && echo mounted && exec cat");
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(home.0.join("state"));
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = Running(unshare.spawn().map_err(|error| format!("unshare: {error}"))?);
        let mut said = String::new();
        let _ = BufReader::new(holder.0.stdout.take().unwrap()).read_line(&mut said);
        if said.trim() != "mounted" {
            let mut why = String::new();
            let _ = holder.0.stderr.take().unwrap().read_to_string(&mut why);
            return Err(format!("no file system in a namespace of our own: {}", why.trim().replace('\n', " | ")));
        }
        Ok(Self { holder, home })
    }

    fn state(&self) -> PathBuf {
        self.home.0.join("state")
    }

    /// What runs a program where the file system is seen.
    fn enter(&self) -> Vec<String> {
        let pid = self.holder.0.id().to_string();
        ["nsenter", "--target", &pid, "--user", "--mount", "--preserve-credentials"].map(str::to_owned).into()
    }

    fn shell(&self, script: &str) {
        let enter = self.enter();
        let mut command = Command::new(&enter[0]);
        let done = command.args(&enter[1..]).args(["sh", "-c", script]).arg(self.state()).output().expect("nsenter");
        assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A daemon in `group` mode whose state lies here, with an agent that is one child.
    fn scene(&self) -> Scene {
        let mut scene = Scene::new(Options::default());
        let mut bridge = Bridge::new(BRIDGE, &scene.guild.url());
        let answer = json!({"stdio": agent::argv("stdio", &bridge.turn_log("recruiter"))});
        bridge.agent("recruiter", "key-1", answer, json!({"respond_to": "all"}));
        bridge.config["state"] = json!("group");
        std::os::unix::fs::symlink(self.state(), bridge.dir.0.join("state")).expect("a link to the state directory");
        bridge.started_by = self.enter();
        scene.bridge = bridge;
        scene
    }
}

/// People who go on talking, and what they should have been answered.
struct Talk {
    scene: Scene,
    said: Vec<String>,
}

impl Talk {
    fn say(&mut self) {
        let text = format!("m{}", self.said.len());
        self.scene.say(&text);
        self.said.push(format!("re: {text}"));
        std::thread::sleep(EVERY);
    }

    fn mode(&mut self) -> (String, String) {
        let status = self.scene.bridge.status();
        let field = |name: &str| status["process"][name].as_str().unwrap_or_default().to_owned();
        (field("state_mode"), field("state_detail"))
    }

    /// Talks until status names this mode, and on for ten messages; what else it says of it.
    fn until_mode(&mut self, mode: &str, seconds: u64) -> String {
        let until = Instant::now() + Duration::from_secs(seconds);
        while self.mode().0 != mode {
            let story = format!("{} said, {:?}; log:\n{}", self.said.len(), self.mode(), self.scene.bridge.tail());
            assert!(Instant::now() < until && self.said.len() < MOST, "no state mode {mode}: {story}");
            self.say();
        }
        (0..10).for_each(|_| self.say());
        self.mode().1
    }

    /// All was answered once and in order.
    fn answered(&self, seconds: u64) {
        wait_for("every answer", seconds, || self.scene.replies().len() >= self.said.len());
        std::thread::sleep(LATE_DOUBLES);
        assert!(self.scene.replies() == self.said, "{} answers to {}", self.scene.replies().len(), self.said.len());
    }

    fn lines(&self, words: &str) -> Vec<String> {
        let log = self.scene.bridge.log();
        log.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

impl Trouble {
    fn run(&self, from_the_start: bool) -> Ended {
        let small = match Small::mount() {
            Ok(small) => small,
            Err(why) => return Ended::Skipped(why),
        };
        if from_the_start {
            small.shell(self.begins);
        }
        let mut talk = Talk { scene: small.scene().live(), said: Vec::new() };
        if !from_the_start {
            talk.until_mode("group", 10);
            talk.answered(10);
            small.shell(self.begins);
        }
        let detail = talk.until_mode("none", 60);
        assert!(detail.contains(self.words), "{detail}");
        let (before, said) = (talk.said.len(), talk.lines("disk.failed: "));
        assert!(said.iter().all(|line| line.contains(self.words)), "{said:?}");
        let without = said.iter().filter(|line| line.contains("going on without")).count();
        assert!(said.len() <= 2 && without == 1, "written anew at once, and then given up for a minute: {said:?}");
        talk.answered(20);
        small.shell(self.ends);
        talk.until_mode("group", RETRY_S);
        assert_eq!(talk.lines("is written again").len(), 1, "{}", talk.scene.bridge.tail());
        let after = talk.said.len();
        for _ in 0..KILLS {
            (0..40).for_each(|_| talk.say());
            talk.scene.bridge.kill();
            (0..5).for_each(|_| talk.say());
            talk.scene.bridge.spawn();
        }
        talk.answered(30);
        let (said, turns) = (talk.said.len(), talk.scene.bridge.turns("recruiter").len());
        println!(
            "  {}: said after {before} messages, written again after {after}; {KILLS} kills later {said} messages, 0 lost, \
             0 doubled, {} turns given again",
            self.words,
            turns - said
        );
        // what was under way; a journal that had stayed as it was would know of nothing since the trouble
        assert!(turns - said <= KILLS * GIVEN_AGAIN, "{turns} turns for {said} messages");
        talk.scene.end()
    }
}
