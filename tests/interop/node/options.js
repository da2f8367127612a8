// What the guild can be told: flags at the start, the same names in `{"cmd":"set"}` later.
'use strict';
const { parseArgs } = require('node:util');

// name: [kind, default, what it does]
const OPTIONS = {
  port: ['number', 0, 'port on loopback; 0: a free one'],
  keep: ['string', '', 'file that tokens, messages and keys outlive the process in'],
  limit: ['number', 600, 'seconds after which it stops by itself'],
  cert: ['string', '', 'PEM certificate: https and wss'],
  key: ['string', '', 'its PEM key'],
  // the Socket.IO server
  namespace: ['string', '/', 'where the guild lives'],
  path: ['string', '/socket.io', 'where the server listens'],
  transports: ['string', 'websocket,polling', 'transports offered'],
  pingInterval: ['number', 25000, 'ms'],
  pingTimeout: ['number', 20000, 'ms'],
  connectTimeout: ['number', 45000, 'ms'],
  maxPayload: ['number', 1000000, 'longest client frame, bytes'],
  forbid: ['string', '', 'allowRequest refuses every handshake with this text'],
  recovery: ['number', 0, 'connection state recovery, ms'],
  deflate: ['boolean', false, 'perMessageDeflate'],
  // tokens
  ttl: ['number', 900, 'life of a token, seconds'],
  kickOnExpiry: ['boolean', false, 'a session ends with its token: 41 and close'],
  verifyDelay: ['number', 0, 'ms until a connected token is verified; joins before are ignored'],
  reject: ['string', 'silent', 'how a bad token is turned away: disconnect, soft, silent, middleware'],
  refuse: ['number', 0, 'so many next CONNECTs are turned away whatever their token; -1: all'],
  // joins
  joinAck: ['string', 'none', 'none: never answered; ok: {"ok":true}; deny: {"ok":false}, not joined'],
  joinDenied: ['string', 'none', 'answer to the join of a session without a good token: none, exception, ack'],
  ignoreJoins: ['boolean', false, 'joins go into the void'],
  // HTTP
  lastMessageId: ['boolean', true, 'the channel list carries it'],
  mintStatus: ['number', 0, 'the mint answers this status instead'],
};

function convert(name, text) {
  const [kind] = OPTIONS[name];
  if (kind !== 'number') return text;
  const number = Number(text);
  if (!Number.isFinite(number)) throw new Error(`--${name}: ${text} is no number`);
  return number;
}

// The options of a command line; an unknown flag throws.
function parse(argv) {
  const known = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, [kind]]) => [name, { type: kind === 'boolean' ? 'boolean' : 'string' }]),
  );
  const { values } = parseArgs({ args: argv, options: known, strict: true });
  const options = Object.fromEntries(Object.entries(OPTIONS).map(([name, [, otherwise]]) => [name, otherwise]));
  for (const [name, text] of Object.entries(values)) options[name] = convert(name, text);
  return options;
}

// Changes options of a running guild; an unknown name throws.
function change(options, changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (!(name in OPTIONS)) throw new Error(`no option ${name}`);
    options[name] = value;
  }
}

module.exports = { parse, change };
