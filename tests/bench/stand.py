"""What the measurements here stand on: the release binary, a guild, certificates, and what the kernel says of a process."""

import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "tests" / "interop" / "node"
SEAT, KEY = "recruiter", "recruiter-key"


class CannotMeasure(Exception):
    pass


def run(*command, cwd=ROOT, env=None):
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotMeasure(f"{' '.join(map(str, command))}: {done.stderr.strip()[-600:]}")
    return done.stdout


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise CannotMeasure(f"missing: {', '.join(missing)}")


def build():
    need("cargo")
    print("building the release binary", file=sys.stderr)
    run("cargo", "build", "--release", "--quiet", "--bin", "guild-bridge")
    meta = json.loads(run("cargo", "metadata", "--no-deps", "--format-version", "1"))
    return Path(meta["target_directory"]) / "release" / "guild-bridge"


def linkage(binary):
    """static, where no interpreter (ELF PT_INTERP) loads it; else dynamic."""
    data = binary.read_bytes()
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    at, entry, count = (0x20, 0x36, 0x38) if wide else (0x1C, 0x2A, 0x2C)
    (table,) = struct.unpack_from(order + ("Q" if wide else "I"), data, at)
    (size,), (number,) = (struct.unpack_from(order + "H", data, offset) for offset in (entry, count))
    kinds = [struct.unpack_from(order + "I", data, table + index * size)[0] for index in range(number)]
    return "dynamic" if 3 in kinds else "static"


def certificate(place):
    """An authority and a certificate of it for 127.0.0.1."""
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (place / "leaf.ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    run(*new, "-x509", "-days", "30", "-subj", "/CN=bench authority", "-keyout", "ca.key", "-out", "ca.pem", cwd=place)
    run(*new, "-subj", "/CN=127.0.0.1", "-keyout", "guild.key", "-out", "guild.csr", cwd=place)
    run("openssl", "x509", "-req", "-days", "30", "-in", "guild.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-extfile", "leaf.ext", "-out", "guild.pem", cwd=place)


class Guild:
    """The official Socket.IO server, over TLS where it has a place with a certificate."""

    def __init__(self, place, limit_s, ping_ms=25_000):
        if not (NODE / "node_modules" / "socket.io").exists():
            run("npm", "ci", "--ignore-scripts", "--loglevel=error", cwd=NODE)
        flags = ["--joinAck", "ok", "--pingInterval", str(ping_ms), "--limit", str(limit_s)]
        if place:
            flags += ["--cert", place / "guild.pem", "--key", place / "guild.key"]
        self.process = subprocess.Popen(["node", NODE / "guild.js", *flags], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = self.read()["ready"]
        self.url = f"{'https' if place else 'http'}://127.0.0.1:{self.port}"

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise CannotMeasure("the guild ended")
        said = json.loads(line)
        if "error" in said:
            raise CannotMeasure(f"the guild says: {said['error']}")
        return said

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        return self.read()

    def pongs(self):
        return self.ask(cmd="state")["pongs"]


class Daemon:
    """guild-bridge with these agents, each a name, a key and the `answer` of the configuration."""

    def __init__(self, binary, place, url, agents, ca=None, timing=None):
        guild = {"dialect": "fabric", "center": url, "url": url}
        if ca:
            guild["extra_ca"] = str(ca)
        # all channels of a run, however many
        config = {"guilds": {"acme": guild}, "agents": {}, "timing": timing or {}, "limits": {"channels": 1024}}
        for name, key, answer in agents:
            file = place / f"{name}.key"
            file.write_text(key + "\n")
            file.chmod(0o600)
            config["agents"][name] = {"guild": "acme", "key_file": str(file), "answer": answer,
                                      "respond_to": "all", "parallel": 64}
        (place / "config.json").write_text(json.dumps(config))
        self.files = ["--config", place / "config.json", "--state-dir", place / "state",
                      "--socket", place / "control.sock"]
        self.binary, self.log = binary, place / "log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([binary, "run", *self.files], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)

    def status(self):
        done = subprocess.run([self.binary, "status", "--json", *self.files], capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def until_live(self, seconds):
        end = time.monotonic() + seconds
        status = None
        while time.monotonic() < end:
            status = self.status()
            if status and all(link["state"] == "live" for link in status["links"]):
                return
            time.sleep(0.2)
        raise CannotMeasure(f"the link is not live after {seconds} s: {status}\n{self.log.read_text()[-2000:]}")


def switches(pid):
    """Voluntary context switches by thread: (id, name) -> count."""
    found = {}
    for task in sorted(Path(f"/proc/{pid}/task").iterdir()):
        status = fields(task / "status")
        found[int(task.name), status["Name"]] = int(status["voluntary_ctxt_switches"])
    return found


def memory(pid):
    """kB"""
    status = fields(Path(f"/proc/{pid}/status"))
    return {name: int(status[name].split()[0]) for name in ("VmRSS", "RssAnon", "RssFile", "VmHWM")}


def cpu_us(pid):
    """Microseconds that its threads ran, of those that are still there."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for task in Path(f"/proc/{pid}/task").iterdir()) / 1000


def fields(path):
    return dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)


def cpu():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith(("model name", "hardware", "cpu model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine():
    return f"{cpu()}, {os.cpu_count()} CPUs, {platform.machine()}, Linux {platform.release()}"
