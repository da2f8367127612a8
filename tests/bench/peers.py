"""Who is measured: guild-bridge and the clients that others would hold the seat with, each with its start and its size."""

import json
import os
import subprocess
import sys
from pathlib import Path

from stand import NODE, ROOT, Daemon, linkage, run

HERE = Path(__file__).resolve().parent / "peers"


class Held:
    """A process that holds a seat."""

    def __init__(self, command, log, env=None):
        with open(log, "w") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env={**os.environ, **(env or {})})
        self.log = log


class Bridge:
    name = "guild-bridge"

    def __init__(self, binary):
        self.binary = binary

    def install(self, _):
        self.version = run(self.binary, "--version").split()[1] + f" ({linkage(self.binary)})"
        self.bytes = self.binary.stat().st_size

    def hold(self, place, url, agent, key, sink, ca):
        return Daemon(self.binary, place, url, [(agent, key, {"socket": str(sink)})], ca)


class Node:
    name = "socket.io-client"

    def install(self, _):
        run("npm", "ci", "--ignore-scripts", "--loglevel=error", cwd=NODE)
        self.version = json.loads((NODE / "node_modules/socket.io-client/package.json").read_text())["version"]
        self.version += f", Node {run('node', '--version').strip().lstrip('v')}"
        listed = run("npm", "ls", "--all", "--parseable", "socket.io-client", cwd=NODE)
        needed = {"socket.io-client", "socket.io-parser", "engine.io-client", "engine.io-parser", "ws", "debug", "ms",
                  "xmlhttprequest-ssl", "@socket.io/component-emitter"}
        assert "socket.io-client" in listed, listed
        program = Path(run("node", "-p", "process.execPath").strip())
        self.bytes = program.stat().st_size + sum(size(NODE / "node_modules" / name) for name in needed)

    def hold(self, place, url, agent, key, sink, ca):
        env = {"NODE_EXTRA_CA_CERTS": str(ca)} if ca else {}
        return Held(["node", HERE / "client.js", url, agent, key, sink], place / "log", env)


class Python:
    name = "python-socketio"

    def install(self, cache):
        self.python = cache / "python" / "bin" / "python"
        if not self.python.exists():
            run(sys.executable, "-m", "venv", cache / "python")
        run(self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt")
        said = run(self.python, "-c", "import importlib.metadata as m, platform, sysconfig;"
                   "print(m.version('python-socketio'), platform.python_version(), sysconfig.get_path('stdlib'),"
                   "sysconfig.get_path('purelib'))").split()
        self.version = f"{said[0]}, Python {said[1]}"
        shared = {"pip", "setuptools", "_distutils_hack", "pkg_resources", "dist-packages", "site-packages", "test"}
        self.bytes = size(Path(said[2]), shared) + size(Path(said[3]), shared)

    def hold(self, place, url, agent, key, sink, ca):
        command = [self.python, HERE / "client.py", url, agent, key, sink, *([ca] if ca else [])]
        return Held(command, place / "log")


class Rust:
    name = "rust_socketio"

    def install(self, cache):
        target = cache / "rust"
        manifest = HERE / "rust" / "Cargo.toml"
        run("cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir", target)
        self.binary = target / "release" / "client"
        meta = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", manifest))
        self.version = next(package["version"] for package in meta["packages"] if package["name"] == "rust_socketio")
        self.bytes = self.binary.stat().st_size

    def hold(self, place, url, agent, key, sink, ca):
        return Held([self.binary, url, agent, key, sink, *([ca] if ca else [])], place / "log")


def size(folder, without=frozenset()):
    """Bytes of the files below a folder, but for entries of these names in it."""
    total = 0
    for entry in folder.iterdir():
        if entry.name in without or entry.is_symlink():
            continue
        files = entry.rglob("*") if entry.is_dir() else [entry]
        total += sum(file.stat().st_size for file in files
                     if file.is_file() and not file.is_symlink() and "__pycache__" not in file.parts)
    return total


def all_of(binary):
    return [Bridge(binary), Node(), Python(), Rust()]


CACHE = ROOT / "target" / "bench"
