"""A seat held with python-socketio, as its documentation shows: a fresh token for each attempt, joins at each connect.

client.py URL AGENT KEY SINK [CA]: what is heard goes to the program at SINK as lines of guild-agent/1.
"""

import asyncio
import json
import ssl
import sys

import aiohttp
import socketio


async def main(url, agent, key, sink, ca=None):
    programs = []

    async def hired(reader, writer):
        programs[:] = [writer]
        while await reader.read(1 << 16):
            pass

    await asyncio.start_unix_server(hired, sink)
    context = ssl.create_default_context(cafile=ca) if ca else None
    web = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context) if context else None)
    client, token = socketio.AsyncClient(http_session=web), ""

    async def mint():
        nonlocal token
        async with web.post(f"{url}/auth/token", json={"agentId": agent, "agentKey": key}) as answer:
            token = (await answer.json())["guildAccessToken"]
        return {"token": token}

    @client.event
    async def connect():
        async with web.get(f"{url}/channels", headers={"authorization": f"Bearer {token}"}) as answer:
            for channel in await answer.json():
                await client.emit("join_channel", channel["id"])

    def heard(message):
        author = {"id": message["authorId"], **message["author"]}
        line = {"v": 1, "type": "message", "turn": message["id"], "attempt": 1, "agent": agent, "guild": "acme",
                "conv": {"key": f"acme.{message['channelId']}", "kind": "channel"},
                "message": {"id": message["id"], "at": message["createdAt"], "text": message["text"], "author": author}}
        if programs:
            programs[0].write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    client.on("message.created", heard)
    await client.connect(url, auth=mint, transports=["websocket"])
    while True:
        await asyncio.sleep(3600)


asyncio.run(main(*sys.argv[1:]))
