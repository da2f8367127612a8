//! A machine with the daemon on it, asked line by line: a shell reads commands and says `@@ CODE` after each. It is this
//! machine, the program run by an emulator or by itself; or a board that was booted, asked over its serial console. Either
//! ends by itself when nobody asks any more.

use crate::cpio::Cpio;
use crate::kind::{Kind, Machine as Board};
use crate::{Asked, guild::bridge::Dir};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What a booted board has.
pub const MEMORY_MB: u32 = 64;
/// Nobody boots a board for longer.
const LIFE_S: u32 = 900;
const LOOP: &str = "while read -r line; do eval \"$line\" </dev/null; echo \"@@ $?\"; done";

pub struct Machine {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// Everything that it said, for whoever wants to know why it did not work.
    said: Vec<String>,
    _dir: Dir,
}

/// The files that the daemon needs: name, mode, content.
pub type Files = Vec<(&'static str, u32, String)>;

impl Machine {
    /// This machine: the files in a folder of their own, `$D`, the program in it as `$D/guild-bridge`.
    pub fn here(asked: &Asked, kind: &Kind, files: Files) -> Self {
        let dir = Dir::new();
        for (name, mode, content) in files {
            dir.file(name, mode, &content.replace("$D", &dir.0.display().to_string()));
        }
        let emulator = match &asked.emulator {
            Some(path) => format!("'{}' -cpu {} ", path.display(), kind.cpu),
            None => String::new(),
        };
        dir.file("guild-bridge", 0o755, &format!("#!/bin/sh\nexec {emulator}'{}' \"$@\"\n", asked.binary.display()));
        let script = format!("{LOOP}\n[ -f $D/pid ] && kill -9 $(cat $D/pid)");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).env("D", &dir.0);
        Self::start(command, dir)
    }

    /// A board with a kernel, busybox, the daemon and its files, and nothing else; once its shell is there.
    pub fn boot(asked: &Asked, kind: &Kind, files: Files) -> Result<Self, String> {
        let board = kind.machine.as_ref().ok_or_else(|| format!("nothing boots {}", kind.target))?;
        let dir = Dir::new();
        let image = dir.0.join("initramfs");
        std::fs::write(&image, initramfs(asked, board, files)?).map_err(|error| error.to_string())?;
        let path = |given: &Option<PathBuf>, name: &str| given.clone().ok_or(format!("--{name} is missing"));
        let mut command = Command::new(path(&asked.emulator, "emulator")?);
        command.args(board.options).args(["-smp", "1", "-nographic", "-no-reboot", "-m", &format!("{MEMORY_MB}M")]);
        command
            .args(["-netdev", "user,id=n0", "-kernel"])
            .arg(path(&asked.kernel, "kernel")?)
            .arg("-initrd")
            .arg(image);
        command.arg("-append").arg(format!("console={} panic=-1 quiet loglevel=1", board.console));
        let mut machine = Self::start(command, dir);
        match machine.hear("the shell of a board", 180)? {
            (0, _) => Ok(machine),
            (code, _) => Err(format!("its network ended with {code}:\n{}", machine.last())),
        }
    }

    fn start(mut command: Command, dir: Dir) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("it starts");
        let (stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (tells, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
                if tells.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, said: Vec::new(), _dir: dir }
    }

    /// Runs a line of shell to its end: its exit code, and what it printed.
    pub fn ask(&mut self, line: &str) -> Result<(i32, String), String> {
        writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush()).map_err(|error| error.to_string())?;
        self.hear(line, 60)
    }

    /// As `ask`, where only yes will do.
    pub fn must(&mut self, line: &str) -> Result<String, String> {
        match self.ask(line)? {
            (0, out) => Ok(out),
            (code, out) => Err(format!("`{line}` ended with {code}: {out}")),
        }
    }

    fn hear(&mut self, what: &str, seconds: u64) -> Result<(i32, String), String> {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut out = Vec::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if let Some(code) = line.strip_prefix("@@ ").and_then(|code| code.trim().parse().ok()) {
                        return Ok((code, out.join("\n")));
                    }
                    out.push(line);
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{what}: nothing within {seconds} s; it said last:\n{}", self.last()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("{what}: the machine is gone; it said last:\n{}", self.last()));
                }
            }
        }
    }

    fn last(&self) -> String {
        self.said[self.said.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.ask("[ -f $D/pid ] && kill -9 $(cat $D/pid); rm -f $D/pid");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn initramfs(asked: &Asked, board: &Board, files: Files) -> Result<Vec<u8>, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let given = |path: &Option<PathBuf>, name: &str| path.clone().ok_or(format!("--{name} is missing"));
    let mut cpio = Cpio::default();
    ["bin", "dev", "proc", "sys", "tmp", "lib", "gb"].into_iter().for_each(|name| cpio.folder(name));
    cpio.file("bin/busybox", 0o755, &read(&given(&asked.busybox, "busybox")?)?);
    cpio.link("bin/sh", "busybox");
    cpio.file("gb/guild-bridge", 0o755, &read(&asked.binary)?);
    let modules = given(&asked.modules, "modules")?;
    let mut names = Vec::new();
    for module in board.modules {
        let name = module.rsplit('/').next().unwrap_or(module);
        cpio.file(&format!("lib/{name}.ko"), 0o644, &read(&modules.join(format!("kernel/{module}.ko")))?);
        names.push(name);
    }
    for (name, mode, content) in files {
        cpio.file(&format!("gb/{name}"), mode, content.replace("$D", "/gb").as_bytes());
    }
    let init = format!(
        "#!/bin/busybox sh\n\
         export PATH=/bin D=/gb; /bin/busybox --install -s /bin\n\
         mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; stty -echo\n\
         (sleep {LIFE_S}; poweroff -f) &\n\
         for m in {}; do insmod /lib/$m.ko; done\n\
         for n in 1 2 3 4 5 6 7 8 9 10; do [ -e /sys/class/net/eth0 ] && break; sleep 1; done\n\
         ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2\n\
         echo \"@@ $?\"\n{LOOP}\npoweroff -f\n",
        names.join(" ")
    );
    cpio.file("init", 0o755, init.as_bytes());
    Ok(cpio.pack())
}
