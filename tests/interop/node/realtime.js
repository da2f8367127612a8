// The Socket.IO half: CONNECT, join_channel, message.created, and every way of turning a session away.
'use strict';
const { Server } = require('socket.io');

function settings(options) {
  const chosen = {
    serveClient: false,
    path: options.path,
    transports: options.transports.split(','),
    pingInterval: options.pingInterval,
    pingTimeout: options.pingTimeout,
    connectTimeout: options.connectTimeout,
    maxHttpBufferSize: options.maxPayload,
    perMessageDeflate: options.deflate ? { threshold: 0 } : false,
  };
  if (options.recovery) chosen.connectionStateRecovery = { maxDisconnectionDuration: options.recovery };
  chosen.allowRequest = (req, done) => (options.forbid ? done(options.forbid, false) : done(null, true));
  return chosen;
}

class Realtime {
  constructor(server, store, options) {
    this.store = store;
    this.options = options;
    this.seen = { connects: 0, joins: 0, pongs: 0, frames: [], authKeys: new Set() };
    this.io = new Server(server, settings(options));
    this.guild = this.io.of(options.namespace);
    this.io.engine.on('connection', (engine) => this.#watch(engine));
    this.guild.use((socket, next) => this.#admit(socket, next));
    this.guild.on('connection', (socket) => this.#welcome(socket));
  }

  // Sees every CONNECT, also those of namespaces that do not exist.
  #watch(engine) {
    engine.on('packet', ({ type, data }) => {
      if (type === 'pong') this.seen.pongs += 1;
      if (type !== 'message' || typeof data !== 'string') return;
      this.seen.frames.push(data.replace(/"token":"[^"]*"/, '"token":"…"'));
      if (this.seen.frames.length > 64) this.seen.frames.shift();
      if (!data.startsWith('0')) return;
      this.seen.connects += 1;
      const at = data.indexOf('{');
      const auth = at < 0 ? {} : JSON.parse(data.slice(at));
      Object.keys(auth).forEach((name) => this.seen.authKeys.add(name));
      this.store.offer(auth.token);
    });
  }

  // The agent of a session, or null where it is to be turned away.
  #judge(socket) {
    const { options } = this;
    if (options.refuse !== 0) {
      options.refuse -= options.refuse > 0 ? 1 : 0;
      return null;
    }
    return this.store.bearer(socket.handshake.auth.token);
  }

  #admit(socket, next) {
    socket.data.verdict = this.#judge(socket);
    if (socket.data.verdict || this.options.reject !== 'middleware') return next();
    return next(Object.assign(new Error('unauthorized'), { data: { code: 'UNAUTHORIZED' } }));
  }

  // As a NestJS gateway does: the handlers are there at once, the verdict may come later.
  #welcome(socket) {
    socket.on('join_channel', (channel, ack) => this.#join(socket, channel, ack));
    const settle = () => this.#settle(socket);
    if (this.options.verifyDelay) setTimeout(settle, this.options.verifyDelay);
    else settle();
  }

  #settle(socket) {
    socket.data.agent = socket.data.verdict;
    if (socket.data.agent) return this.#until(socket);
    if (this.options.reject === 'disconnect') socket.disconnect(true);
    if (this.options.reject === 'soft') socket.disconnect();
  }

  #until(socket) {
    if (!this.options.kickOnExpiry) return;
    const { endsAt } = this.store.tokens.get(socket.handshake.auth.token);
    const timer = setTimeout(() => socket.disconnect(true), Math.max(endsAt - Date.now(), 0));
    socket.on('disconnect', () => clearTimeout(timer));
  }

  #join(socket, channel, ack) {
    const { joinAck, joinDenied, ignoreJoins } = this.options;
    const say = (value) => ack instanceof Function && ack(value);
    this.seen.joins += 1;
    if (!socket.data.agent) {
      const cause = { pattern: 'join_channel', data: channel };
      if (joinDenied === 'exception') socket.emit('exception', { status: 'error', message: 'Unauthorized', cause });
      if (joinDenied === 'ack') say({ ok: false, error: 'unauthorized' });
      return;
    }
    if (ignoreJoins) return;
    const member = this.store.channels.get(channel)?.members.has(socket.data.agent);
    if (joinAck === 'deny' || !member) return say({ ok: false, error: 'forbidden' });
    socket.join(channel);
    if (joinAck === 'ok') say({ ok: true });
  }

  broadcast(message) {
    this.guild.to(message.channelId).emit('message.created', message);
  }

  // Bytes that wait for the sessions to read them.
  unsent() {
    const waiting = ({ writeBuffer, transport }) => writeBuffer.length * 512 + (transport.socket?.bufferedAmount ?? 0);
    return Object.values(this.io.engine.clients).reduce((sum, engine) => sum + waiting(engine), 0);
  }

  // How many sockets hear a channel.
  hearers(channel) {
    return this.guild.adapter.rooms.get(channel)?.size ?? 0;
  }

  // Asks every socket for an ack; how many answered within the time.
  async ask(event, args, ms) {
    const answers = [...this.guild.sockets.values()].map((socket) => socket.timeout(ms).emitWithAck(event, ...args));
    return (await Promise.allSettled(answers)).filter(({ status }) => status === 'fulfilled').length;
  }

  // Cuts every TCP connection of the engine, without a word.
  cut() {
    for (const engine of Object.values(this.io.engine.clients)) engine.transport.socket._socket.destroy();
  }

  // The engine's own end: a close frame and no 41.
  closeEngines() {
    for (const engine of Object.values(this.io.engine.clients)) engine.close();
  }
}

module.exports = { Realtime };
