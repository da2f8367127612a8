"""The local program of a measurement: takes lines over a Unix socket and says `none` to each.

sink.py SOCKET AGENT COUNT SECONDS

Connects to SOCKET, says `hello` for AGENT and reads messages (guild-agent/1) until COUNT different ones came or SECONDS
are over. Then it prints one JSON object: how many came, how many twice, when the first and the last did and how late they
were, in nanoseconds of CLOCK_MONOTONIC. A text begins with the nanosecond at which it was sent.
"""

import json
import socket
import sys
import time

TURN, TEXT = b'"turn":"', b'"text":"'


def connect(path, end):
    while True:
        try:
            stream = socket.socket(socket.AF_UNIX)
            stream.connect(path)
            return stream
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def after(line, mark, stop):
    begin = line.index(mark) + len(mark)
    return line[begin:line.index(stop, begin)]


def main(path, agent, count, seconds):
    end = time.monotonic() + seconds
    stream = connect(path, end)
    stream.sendall(b'{"v":1,"type":"hello","agents":["%s"]}\n' % agent.encode())
    came, twice, first, last, rest = {}, 0, 0, 0, b""
    while len(came) < count and time.monotonic() < end:
        stream.settimeout(max(end - time.monotonic(), 0.001))
        try:
            chunk = stream.recv(1 << 18)
        except TimeoutError:
            break
        if not chunk:
            break
        last = time.monotonic_ns()
        *lines, rest = (rest + chunk).split(b"\n")
        answers = []
        for line in lines:
            if b'"type":"message"' not in line:
                continue
            sent = int(after(line, TEXT, b" "))
            twice += sent in came
            came.setdefault(sent, last - sent)
            answers.append(b'{"v":1,"type":"none","turn":"%s"}\n' % after(line, TURN, b'"'))
        first = first or (last if came else 0)
        stream.settimeout(None)
        stream.sendall(b"".join(answers))
    late = sorted(came.values()) or [0]
    said = {"came": len(came), "twice": twice, "first": first, "last": last,
            "p50": late[len(late) // 2], "p99": late[len(late) * 99 // 100], "max": late[-1]}
    print(json.dumps(said), flush=True)


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
