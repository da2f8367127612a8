// A seat held with the official client, as its documentation shows: a fresh token for each attempt, joins at each connect.
// client.js URL AGENT KEY SINK: what is heard goes to the program at SINK as lines of guild-agent/1.
'use strict';
const net = require('node:net');
const path = require('node:path');
const NODE = path.join(__dirname, '..', '..', 'interop', 'node', 'node_modules');
const { io } = require(path.join(NODE, 'socket.io-client'));

const [url, agent, key, sink] = process.argv.slice(2);

async function mint() {
  const body = JSON.stringify({ agentId: agent, agentKey: key });
  const answer = await fetch(`${url}/auth/token`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  return (await answer.json()).guildAccessToken;
}

let program = null;
net
  .createServer((stream) => {
    program = stream;
    stream.resume();
  })
  .listen(sink);

let token = null;
const socket = io(url, {
  transports: ['websocket'],
  auth: (say) => mint().then((fresh) => say({ token: (token = fresh) }), () => say({})),
});
socket.on('connect', async () => {
  const list = await fetch(`${url}/channels`, { headers: { authorization: `Bearer ${token}` } });
  for (const { id } of await list.json()) socket.emit('join_channel', id, () => {});
});
socket.on('message.created', (message) => {
  const { id, channelId, text, author, createdAt } = message;
  const line = {
    v: 1, type: 'message', turn: id, attempt: 1, agent, guild: 'acme', conv: { key: `acme.${channelId}`, kind: 'channel' },
    message: { id, at: createdAt, text, author: { id: message.authorId, name: author.name, bot: author.bot } },
  };
  program?.write(`${JSON.stringify(line)}\n`);
});
