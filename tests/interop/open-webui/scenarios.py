"""The release binary in the channels of a real Open WebUI server. Each scenario is a function; main.rs names them.

usage: scenarios.py NAME, with BINARY, DIR (the server's), PORT and WORK (an empty directory) in the environment.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
from websockets.sync.client import connect

BINARY, DIR, PORT, WORK = (os.environ[name] for name in ("BINARY", "DIR", "PORT", "WORK"))
HERE = os.path.dirname(os.path.abspath(__file__))
BASE = f"http://127.0.0.1:{PORT}"
PASSWORD = "Passw0rd!loopback"
BOT = "bot@example.org"
EVERYBODY = [{"principal_type": "user", "principal_id": "*", "permission": may} for may in ("read", "write")]


class Person:
    """Signed in once for all scenarios: sign-ins are rationed, and the daemon's count."""

    def __init__(self, client, email, name, admin=None):
        self.client = client
        kept = os.path.join(DIR, "data", f"{email}.json")
        if not os.path.exists(kept):
            form = {"email": email, "password": PASSWORD, "name": name}
            if admin is None:
                answer = client.post("/api/v1/auths/signup", json=form)
            else:
                answer = admin.send("/api/v1/auths/add", {**form, "role": "user"})
            if answer.status_code != 200:
                answer = client.post("/api/v1/auths/signin", json=form)
            answer.raise_for_status()
            with open(kept, "w") as file:
                json.dump({"id": answer.json()["id"], "token": answer.json()["token"]}, file)
        with open(kept) as file:
            known = json.load(file)
        self.id, self.headers = known["id"], {"Authorization": f"Bearer {known['token']}"}

    def send(self, path, form):
        return self.client.post(path, headers=self.headers, json=form)

    def get(self, path):
        answer = self.client.get(path, headers=self.headers)
        answer.raise_for_status()
        return answer.json()

    def say(self, channel, text, **more):
        answer = self.send(f"/api/v1/channels/{channel}/messages/post", {"content": text, **more})
        answer.raise_for_status()
        return answer.json()["id"]


class Guild:
    """The server with its people."""

    def __init__(self):
        self.client = httpx.Client(base_url=BASE, timeout=60, trust_env=False)
        self.admin = Person(self.client, "admin@example.org", "Admin")
        self.bot = Person(self.client, BOT, "Bot", self.admin)
        self.alice = Person(self.client, "alice@example.org", "Alice", self.admin)
        self.expiry("4w")

    def expiry(self, word):
        config = self.admin.get("/api/v1/auths/admin/config")
        config.update(JWT_EXPIRES_IN=word, ENABLE_CHANNELS=True)
        self.admin.send("/api/v1/auths/admin/config", config).raise_for_status()

    def channel(self, name):
        name = f"{name}-{time.time_ns()}"
        return self.admin.send("/api/v1/channels/create", {"name": name, "access_grants": EVERYBODY}).json()["id"]

    def among(self, kind, name=""):
        form = {"name": name, "type": kind, "user_ids": [self.bot.id]}
        return self.alice.send("/api/v1/channels/create", form).json()["id"]

    def change_bot(self, **more):
        form = {"role": "user", "name": "Bot", "email": BOT, "profile_image_url": "/user.png", **more}
        self.admin.send(f"/api/v1/users/{self.bot.id}/update", form).raise_for_status()

    def rows(self, channel, parent=None):
        rows, skip = {}, 0
        while True:
            if parent:
                page = self.alice.get(f"/api/v1/channels/{channel}/messages/{parent}/thread?skip={skip}&limit=100")
            else:
                page = self.alice.get(f"/api/v1/channels/{channel}/messages?skip={skip}&limit=400")
            rows.update((row["id"], row) for row in page)
            if len(page) < (100 if parent else 400):
                return sorted(rows.values(), key=lambda row: row["created_at"])
            skip += len(page) - 5

    def answers(self, channel, message, parent=None):
        own = (row for row in self.rows(channel, parent) if row["user_id"] == self.bot.id)
        return [row["content"] for row in own if row["reply_to_id"] == message]


class Ear:
    """A person's own client: it hears who is shown to write in a channel."""

    def __init__(self, person, channel):
        self.token = person.headers["Authorization"].split()[1]
        self.channel, self.shown, self.joined = channel, [], threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()
        assert self.joined.wait(10), "the server does not answer the join"

    def listen(self):
        with connect(f"ws://127.0.0.1:{PORT}/ws/socket.io/?EIO=4&transport=websocket", proxy=None) as socket:
            socket.send("40" + json.dumps({"token": self.token}))
            socket.send("420" + json.dumps(["user-join", {"auth": {"token": self.token}}]))
            for frame in socket:
                if frame == "2":
                    socket.send("3")
                elif frame.startswith("430"):
                    self.joined.set()
                elif frame.startswith("42"):
                    self.hear(*json.loads(frame[2:])[:2])

    def hear(self, name, event):
        if name == "events:channel" and event["data"]["type"] == "typing" and event["channel_id"] == self.channel:
            self.shown.append(event["data"]["data"]["typing"])

    def until(self, on, seconds):
        until(f"it is shown to write: {on}", seconds, lambda: self.shown[-1:] == [on], lambda: str(self.shown))


class Daemon:
    """The binary, with an agent that says what was said, and nothing to what begins with `mute`."""

    def __init__(self, **more):
        self.words = os.path.join(WORK, "words")
        open(self.words, "a").close()
        self.key = os.path.join(WORK, "bot.key")
        self.password(PASSWORD)
        told = f'text=$(cat); printf "%s\\n" "$text" >>{self.words}; case $text in mute*) ;; *) printf "re: %s" "$text";; esac'
        agent = {"guild": "home", "login": BOT, "key_file": self.key, "respond_to": "all",
                 "answer": {"exec": ["/bin/sh", "-c", told], "stdin": "text"}, **more}
        config = {"guilds": {"home": {"dialect": "open-webui", "url": BASE}}, "agents": {"bot": agent}}
        self.config = os.path.join(WORK, "config.json")
        with open(self.config, "w") as file:
            json.dump(config, file)
        self.child = None
        self.start()

    def password(self, word):
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(word + "\n")

    def start(self):
        log = open(os.path.join(WORK, "log"), "a")
        args = ["run", "--config", self.config, "--state-dir", os.path.join(WORK, "state"), *self.socket()]
        self.child = subprocess.Popen([BINARY, *args], stderr=log, env={"RUST_LOG": "info", "PATH": os.environ["PATH"]})
        atexit.register(self.child.kill)
        self.live()

    def socket(self):
        return ["--socket", os.path.join(WORK, "sock")]

    def ask(self, *command):
        return subprocess.run([BINARY, *command, *self.socket()], capture_output=True, text=True)

    def link(self):
        said = self.ask("status", "--json")
        return json.loads(said.stdout)["links"][0] if said.stdout.startswith("{") else {"state": "", "reason": ""}

    def until(self, what, seconds, fits):
        def so():
            link = self.link()
            return link if fits(link) else None

        return until(what, seconds, so, lambda: f"{self.link()}\n{self.log()}")

    def live(self, seconds=60):
        whole = lambda link: link["state"] == "live" and link["channels_proven"] == link["channels_total"]
        return self.until("live, every channel proven", seconds, whole)

    def heard(self):
        with open(self.words) as file:
            return file.read().splitlines()

    def log(self):
        with open(os.path.join(WORK, "log")) as file:
            return "".join(file.readlines()[-15:])

    def end(self, sign=signal.SIGTERM):
        self.child.send_signal(sign)
        code = self.child.wait(timeout=15)
        assert sign != signal.SIGTERM or code == 0, f"it ended with {code}"
        log = open(os.path.join(WORK, "log")).read()
        assert PASSWORD not in log and "eyJ" not in log, "a secret is in the log"


def until(what, seconds, so, story=lambda: ""):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = so()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}\n{story()}")


def answered(guild, daemon, channel, message, seconds=30, parent=None):
    until("an answer", seconds, lambda: guild.answers(channel, message, parent), lambda: f"{daemon.link()}\n{daemon.log()}")


def talk(guild, daemon, channel, text, seconds=30, **more):
    message = guild.alice.say(channel, text, **more)
    answered(guild, daemon, channel, message, seconds, more.get("parent_id"))
    return message


def once(guild, channel, *messages, parent=None):
    for message in messages:
        said = guild.answers(channel, message, parent)
        assert len(said) == 1, f"answered {len(said)} times: {said}"


def server(does, *more):
    subprocess.run([os.path.join(HERE, "server"), does, DIR, *more], check=True)


def back():
    server("start", PORT)

    def up():
        try:
            return httpx.get(f"{BASE}/health", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    until("the server is up", 180, up)


def everywhere(guild):
    """Channel, group, direct message, thread, mention, file."""
    general, team, direct = guild.channel("general"), guild.among("group", "team"), guild.among("dm")
    daemon = Daemon(attachments={"max_bytes": 1000})
    places = [(place, talk(guild, daemon, place, f"hello {place}")) for place in (general, team, direct)]
    parent = guild.alice.say(general, "mute parent")
    inside = talk(guild, daemon, general, "in a thread", parent_id=parent)
    file = guild.client.post("/api/v1/files/?process=false", headers=guild.alice.headers,
                             files={"file": ("note.txt", b"seventeen bytes..", "text/plain")},
                             data={"metadata": json.dumps({"channel_id": general})}).json()
    hung = {"type": "file", "id": file["id"], "url": file["id"], "name": "note.txt", "content_type": "text/plain", "size": 17}
    filed = talk(guild, daemon, general, "with a file", data={"files": [hung]})
    time.sleep(2)
    once(guild, general, places[0][1], filed)
    once(guild, general, inside, parent=parent)
    once(guild, team, places[1][1])
    once(guild, direct, places[2][1])
    assert not guild.answers(general, inside), "the answer stands in the thread alone"
    link = daemon.link()
    assert link["gaps"] == 0 and link["tokens_minted"] == 1, link
    daemon.end()


def mentioned(guild):
    """An agent that answers mentions is asked about those alone, and has the file before its turn."""
    general = guild.channel("general")
    out = os.path.join(WORK, "seen")
    seen = f"cat >>{out}; printf ok"
    daemon = Daemon(respond_to="mentions", attachments={"max_bytes": 1000},
                    answer={"exec": ["/bin/sh", "-c", seen], "stdin": "json"})
    guild.alice.say(general, "for nobody")
    guild.alice.say(general, f"<@U:{guild.alice.id}|Alice> for herself")
    file = guild.client.post("/api/v1/files/?process=false", headers=guild.alice.headers,
                             files={"file": ("note.txt", b"seventeen bytes..", "text/plain")},
                             data={"metadata": json.dumps({"channel_id": general})}).json()
    hung = {"type": "file", "id": file["id"], "url": file["id"], "name": "note.txt", "content_type": "text/plain", "size": 17}
    message = talk(guild, daemon, general, f"<@U:{guild.bot.id}|Bot> for you", data={"files": [hung]})
    time.sleep(2)
    once(guild, general, message)
    turns = [json.loads(line) for line in open(out)]
    assert len(turns) == 1 and turns[0]["message"]["mention"], turns
    kept = turns[0]["message"]["attachments"][0]
    assert kept.get("path") and kept["size"] == 17 and kept["name"] == "note.txt", kept
    daemon.end()


def later(guild):
    """A standard channel that comes later, a group, and a direct message that was hidden and comes back."""
    direct = guild.among("dm")
    daemon = Daemon()
    general, team = guild.channel("later"), guild.among("group", "later")
    first = talk(guild, daemon, general, "nobody told you", 90)
    second = talk(guild, daemon, team, "somebody told you", 30)
    guild.bot.send(f"/api/v1/channels/{direct}/members/active", {"is_active": False}).raise_for_status()
    total = daemon.link()["channels_total"]
    daemon.until("the hidden one is gone", 90, lambda link: link["channels_total"] < total)
    third = talk(guild, daemon, direct, "are you there", 90)
    daemon.live(30)
    fourth = talk(guild, daemon, direct, "good", 10)
    time.sleep(2)
    once(guild, general, first)
    once(guild, team, second)
    once(guild, direct, third, fourth)
    assert daemon.link()["attempts"] == 1, daemon.link()
    daemon.end()


def away(guild):
    """What is said while the daemon is killed: in order, with threads of new and of old messages, each once."""
    general = guild.channel("away")
    old = guild.alice.say(general, "mute old parent")
    for n in range(30):
        guild.alice.say(general, f"mute {n}")
    daemon = Daemon()
    talk(guild, daemon, general, "before")
    daemon.end(signal.SIGKILL)
    said = [guild.alice.say(general, f"word {n}") for n in range(60)]
    fresh = guild.alice.say(general, "to a new one", parent_id=said[10])
    stale = guild.alice.say(general, "to an old one", parent_id=old)
    last = guild.alice.say(general, "last")
    daemon.start()
    answered(guild, daemon, general, last, 120)
    answered(guild, daemon, general, fresh, 30, said[10])
    answered(guild, daemon, general, stale, 30, old)
    time.sleep(3)
    once(guild, general, *said, last)
    once(guild, general, fresh, parent=said[10])
    once(guild, general, stale, parent=old)
    words = [word for word in daemon.heard() if word.startswith("word ")]
    assert words == [f"word {n}" for n in range(60)], words
    assert daemon.link()["gaps"] == 0, daemon.link()
    daemon.end()


def expiry(guild):
    """A token that lives a minute is renewed before its end: nothing lost, nothing doubled, no `41`."""
    general = guild.channel("expiry")
    guild.expiry("60s")
    daemon = Daemon()
    said = []
    for n in range(75):
        said.append(guild.alice.say(general, f"word {n}"))
        time.sleep(1)
    guild.expiry("4w")
    answered(guild, daemon, general, said[-1], 60)
    time.sleep(2)
    once(guild, general, *said)
    link = daemon.link()
    assert 2 <= link["tokens_minted"] <= 3, link
    assert "auth.disconnected" not in open(os.path.join(WORK, "log")).read(), daemon.log()
    daemon.end()


def role(guild):
    """A role taken away and given back."""
    general = guild.channel("role")
    daemon = Daemon()
    talk(guild, daemon, general, "before")
    guild.change_bot(role="pending")
    link = daemon.until("refused", 60, lambda link: link["state"] == "refused")
    assert link["reason"] == "auth.key_refused" and "pending" in link["detail"], link
    message = guild.alice.say(general, "meanwhile")
    guild.change_bot(role="user")
    answered(guild, daemon, general, message, 120)
    time.sleep(2)
    once(guild, general, message)
    assert daemon.live()["reason"] is None
    daemon.end()


def password(guild):
    """A password that changes, and a reload with the new one."""
    general = guild.channel("password")
    daemon = Daemon()
    talk(guild, daemon, general, "before")
    try:
        guild.change_bot(password="Another!pass1")
        link = daemon.until("refused", 60, lambda link: link["state"] == "refused")
        assert link["reason"] == "auth.key_refused", link
        message = guild.alice.say(general, "meanwhile")
        daemon.password("Another!pass1")
        assert daemon.ask("reload").returncode == 0
        answered(guild, daemon, general, message, 60)
        time.sleep(2)
        once(guild, general, message)
        daemon.live()
    finally:
        guild.change_bot(password=PASSWORD)
    daemon.end()


def permission(guild):
    """The permission to use channels taken away: the ack stays good, and it is found out. Given back, it is live."""
    general = guild.channel("permission")
    daemon = Daemon()
    talk(guild, daemon, general, "before")
    rights = guild.admin.get("/api/v1/users/default/permissions")
    try:
        guild.admin.send("/api/v1/users/default/permissions", {**rights, "features": {**rights["features"], "channels": False}})
        link = daemon.until("found out", 120, lambda link: link["reason"] == "auth.http_401")
        assert link["state"] != "live", link
    finally:
        guild.admin.send("/api/v1/users/default/permissions", rights).raise_for_status()
    message = guild.alice.say(general, "after")
    answered(guild, daemon, general, message, 150)
    time.sleep(2)
    once(guild, general, message)
    daemon.end()


def restarts(guild):
    """The server ends by SIGTERM, and then by SIGKILL: one sign-in serves for all of it."""
    general = guild.channel("restarts")
    daemon = Daemon()
    said = [talk(guild, daemon, general, "before")]
    for sign in ("TERM", "KILL"):
        said.append(guild.alice.say(general, f"right before SIG{sign}"))
        server("stop", sign)
        daemon.until("it is noticed", 30, lambda link: link["state"] not in ("live", "unproven"))
        back()
        said.append(guild.alice.say(general, f"after SIG{sign}"))
        answered(guild, daemon, general, said[-1], 150)
    time.sleep(3)
    once(guild, general, *said)
    link = daemon.live()
    assert link["tokens_minted"] == 1 and link["gaps"] == 0, link
    daemon.end()


def kills(guild):
    """The daemon is killed again and again while it answers: the journal and a look at history answer each once."""
    general = guild.channel("kills")
    daemon = Daemon(parallel=1)
    said = []
    for n in range(5):
        for m in range(8):
            said.append(guild.alice.say(general, f"word {n} {m}"))
            time.sleep(0.03 * (n + 1))
        daemon.end(signal.SIGKILL)
        daemon.start()
    said.append(guild.alice.say(general, "last"))
    answered(guild, daemon, general, said[-1], 120)
    time.sleep(5)
    once(guild, general, *said)
    link = daemon.link()
    assert link["gaps"] == 0 and link["outbox_depth"] == 0, link
    daemon.end()


def writing(guild):
    """That the agent writes is shown while it answers, and taken back where the daemon ends or the agent is removed."""
    general = guild.channel("writing")
    ear = Ear(guild.alice, general)
    daemon = Daemon(answer={"exec": ["/bin/sleep", "60"]})
    guild.alice.say(general, "think")
    ear.until(True, 30)
    daemon.end()
    ear.until(False, 1)
    daemon.start()
    ear.until(True, 30)
    with open(daemon.config) as file:
        config = json.load(file)
    with open(daemon.config, "w") as file:
        json.dump({**config, "agents": {}}, file)
    assert daemon.ask("reload").returncode == 0
    ear.until(False, 10)
    daemon.end()


def burst(guild):
    """Two thousand messages at once: each reaches the agent once, and every hundredth is answered once."""
    team = guild.among("group", "burst")
    daemon = Daemon(parallel=2)
    number = 2000
    text = lambda n: f"word {n}" if n % 100 == 0 else f"mute {n}"
    began = time.monotonic()
    with ThreadPoolExecutor(4) as four:
        ids = list(four.map(lambda n: guild.alice.say(team, text(n)), range(number)))
    posted = time.monotonic() - began
    until("all of it", 400, lambda: len(daemon.heard()) >= number, lambda: f"{len(daemon.heard())} {daemon.link()}")
    whole = time.monotonic() - began
    answered(guild, daemon, team, ids[-100], 60)
    time.sleep(5)
    count = Counter(daemon.heard())
    assert len(count) == number and max(count.values()) == 1, [word for word, times in count.items() if times > 1][:5]
    once(guild, team, *(message for n, message in enumerate(ids) if n % 100 == 0))
    link = daemon.link()
    assert link["gaps"] == 0 and link["attempts"] == 1, link
    print(f"posted in {posted:.0f} s, all heard after {whole:.0f} s, {link['replayed']} from history")
    daemon.end()


if __name__ == "__main__":
    globals()[sys.argv[1]](Guild())
