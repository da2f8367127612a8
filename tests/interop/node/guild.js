// A fabric guild on the official Socket.IO server. Flags: options.js. Commands on standard input: control.js.
// It prints {"ready":PORT}, and ends when standard input ends or its time is over.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const readline = require('node:readline');
const { parse } = require('./options');
const { Store } = require('./store');
const { Realtime } = require('./realtime');
const { handle } = require('./rest');
const { obey } = require('./control');

const options = parse(process.argv.slice(2));
const store = new Store(options.keep);
const server = options.cert
  ? https.createServer({ cert: fs.readFileSync(options.cert), key: fs.readFileSync(options.key) })
  : http.createServer();
const realtime = new Realtime(server, store, options);

// Socket.IO passes on what is not its own.
server.on('request', (req, res) => {
  if (req.url.startsWith(`${options.path.replace(/\/$/, '')}/`)) return;
  handle(store, options, (message) => realtime.broadcast(message), req, res).catch((error) => {
    process.stderr.write(`${req.method} ${req.url}: ${error.stack}\n`);
    res.destroy();
  });
});

function stop() {
  realtime.io.close(() => process.exit(0));
  server.closeAllConnections();
  setTimeout(() => process.exit(0), 1000).unref();
}

server.listen(options.port, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ ready: server.address().port })}\n`);
  obey({ store, realtime, options, stop }, readline.createInterface({ input: process.stdin }), process.stdout).then(() =>
    process.exit(0),
  );
});
server.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
setTimeout(() => process.exit(3), options.limit * 1000).unref();
