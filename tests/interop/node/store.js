// What the guild knows: channels, messages, tokens, idempotency keys. With a file it outlives the process.
'use strict';
const fs = require('node:fs');
const crypto = require('node:crypto');

const AGENTS = { recruiter: { key: 'recruiter-key', name: 'Recruiter' }, scribe: { key: 'scribe-key', name: 'Scribe' } };
const TEXT_UNITS = 4000;

class Store {
  constructor(file) {
    this.channels = new Map(); // id -> {id, name, kind, members, messages}
    this.tokens = new Map(); // token -> {agent, endsAt, offered}
    this.keys = new Map(); // agent + key -> message
    this.agents = new Map(Object.entries(AGENTS)); // id -> {key, name}
    this.offers = { all: 0, twice: 0, expired: 0, unknown: 0 }; // tokens in CONNECTs; an unknown one counts as expired too
    this.count = 0;
    this.file = file;
    this.channel({ id: 'general', members: Object.keys(AGENTS) });
    if (file && fs.existsSync(file)) this.#replay(fs.readFileSync(file, 'utf8'));
  }

  #replay(text) {
    const file = this.file;
    this.file = '';
    for (const line of text.split('\n').filter(Boolean)) {
      const [what, value] = JSON.parse(line);
      this[what](value);
    }
    this.file = file;
  }

  #record(what, value) {
    if (this.file) fs.appendFileSync(this.file, JSON.stringify([what, value]) + '\n');
  }

  channel({ id, kind = 'channel', members }) {
    this.channels.set(id, { id, name: id, kind, members: new Set(members), messages: [] });
    if (id !== 'general') this.#record('channel', { id, kind, members });
  }

  agent({ id, name, key }) {
    this.agents.set(id, { name, key });
    this.#record('agent', { id, name, key });
  }

  mint(agent, key, ttl_s) {
    const known = this.agents.get(agent);
    if (!known || known.key !== key) return null;
    const token = crypto.randomBytes(24).toString('base64url');
    const endsAt = Date.now() + ttl_s * 1000;
    this.token({ token, agent, endsAt });
    return { guildAccessToken: token, expiresIn: ttl_s, expiresAt: new Date(endsAt).toISOString() };
  }

  token({ token, agent, endsAt }) {
    this.tokens.set(token, { agent, endsAt, offered: 0 });
    this.#record('token', { token, agent, endsAt });
  }

  // The agent whose unexpired token this is.
  bearer(token) {
    const known = this.tokens.get(token);
    return known && Date.now() < known.endsAt ? known.agent : null;
  }

  // A token was in a CONNECT.
  offer(token) {
    const known = this.tokens.get(token);
    this.offered({ token, known: Boolean(known), expired: !this.bearer(token), again: (known?.offered ?? 0) > 0 });
  }

  offered(offer) {
    const known = this.tokens.get(offer.token);
    if (known) known.offered += 1;
    this.offers.all += 1;
    this.offers.twice += offer.again ? 1 : 0;
    this.offers.expired += offer.expired ? 1 : 0;
    this.offers.unknown += offer.known ? 0 : 1;
    this.#record('offered', offer);
  }

  post(agent, channel, { text, replyTo = null, clientNonce = null }, key) {
    const before = key && this.keys.get(`${agent} ${key}`);
    if (before) return { status: 200, message: before };
    if (!this.channels.get(channel)?.members.has(agent)) return { status: 404 };
    if (typeof text !== 'string' || text.length < 1 || text.length > TEXT_UNITS) return { status: 422 };
    const message = this.say({ channelId: channel, authorId: agent, text, replyTo, clientNonce });
    if (key) this.key([agent, key, message]);
    return { status: 201, message };
  }

  key([agent, key, message]) {
    this.keys.set(`${agent} ${key}`, message);
    this.#record('key', [agent, key, message]);
  }

  // Stores a message; where its id and time are not given they are made.
  say({ channelId, authorId, text, replyTo = null, clientNonce = null, id, createdAt }) {
    this.count += 1;
    const agent = this.agents.get(authorId);
    const message = {
      id: id ?? String(this.count).padStart(8, '0'),
      channelId,
      authorId,
      author: { name: agent?.name ?? authorId, bot: Boolean(agent) },
      text,
      replyTo,
      clientNonce,
      attachments: [],
      createdAt: createdAt ?? new Date().toISOString(),
    };
    this.channels.get(channelId).messages.push(message);
    this.#record('say', message);
    return message;
  }

  list(agent, withLast) {
    return [...this.channels.values()]
      .filter((channel) => channel.members.has(agent))
      .map(({ id, name, kind, messages }) => {
        const row = { id, name, kind };
        if (withLast) row.lastMessageId = messages.at(-1)?.id ?? null;
        return row;
      });
  }

  // How often each message was answered, by its id.
  answers() {
    const times = {};
    for (const { messages } of this.channels.values()) {
      for (const { replyTo } of messages) if (replyTo) times[replyTo] = (times[replyTo] ?? 0) + 1;
    }
    return times;
  }

  history(channel, after, limit) {
    const { messages } = this.channels.get(channel);
    const at = after === null ? -1 : messages.findIndex((message) => message.id === after);
    return messages.slice(at + 1, at + 1 + limit);
  }
}

module.exports = { Store };
