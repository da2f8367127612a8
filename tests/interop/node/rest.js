// The HTTP half of the contract: mint, channels, history, posts.
'use strict';

const BODY_BYTES = 64 * 1024;

function answer(res, status, value, headers = {}) {
  const body = JSON.stringify(value);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers });
  res.end(body);
}

async function read(req) {
  let text = '';
  for await (const chunk of req.setEncoding('utf8')) {
    text += chunk;
    if (text.length > BODY_BYTES) return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function mint(store, options, req, res) {
  const body = await read(req);
  if (options.mintStatus) return answer(res, options.mintStatus, { error: 'as told' });
  const minted = body && store.mint(body.agentId, body.agentKey, options.ttl);
  return minted ? answer(res, 201, minted) : answer(res, 401, { error: 'unknown agent or key' });
}

async function post(store, broadcast, agent, channel, req, res) {
  const body = await read(req);
  if (!body) return answer(res, 422, { error: 'no JSON' });
  const { status, message } = store.post(agent, channel, body, req.headers['idempotency-key']);
  if (!message) return answer(res, status, { error: status === 404 ? 'no such channel' : 'text: 1 to 4000 characters' });
  if (status === 201) broadcast(message);
  return answer(res, status, message, status === 200 ? { 'idempotent-replayed': 'true' } : {});
}

// Handles a request; `broadcast` tells everyone in the room of a new message.
async function handle(store, options, broadcast, req, res) {
  const url = new URL(req.url, 'http://guild');
  if (req.method === 'POST' && url.pathname === '/auth/token') return mint(store, options, req, res);
  const agent = store.bearer((req.headers.authorization ?? '').replace(/^Bearer /, ''));
  if (!agent) return answer(res, 401, { error: 'token expired or unknown' });
  if (req.method === 'GET' && url.pathname === '/channels') return answer(res, 200, store.list(agent, options.lastMessageId));
  const channel = /^\/channels\/([^/]+)\/messages$/.exec(url.pathname)?.[1];
  const id = channel && decodeURIComponent(channel);
  if (!id || !store.channels.get(id)?.members.has(agent)) return answer(res, 404, { error: 'no such channel' });
  if (req.method === 'POST') return post(store, broadcast, agent, id, req, res);
  const limit = Math.min(Math.max(Number(url.searchParams.get('limit') ?? 50), 1), 100);
  return answer(res, 200, store.history(id, url.searchParams.get('after'), limit));
}

module.exports = { handle };
