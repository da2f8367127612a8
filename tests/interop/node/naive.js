// The client that goes deaf: the official one with the token of its first connection. Prints a JSON line for what it sees.
// node naive.js URL TOKEN CHANNEL SECONDS
'use strict';
const { io } = require('socket.io-client');

const [url, token, channel, seconds] = process.argv.slice(2);
const tell = (what, more = {}) => process.stdout.write(`${JSON.stringify({ what, ...more })}\n`);
const socket = io(url, { transports: ['websocket'], auth: { token }, reconnectionDelay: 100, reconnectionDelayMax: 300 });

socket.on('connect', () => {
  tell('connect');
  socket.emit('join_channel', channel);
});
socket.on('connect_error', (error) => tell('connect_error', { message: error.message }));
socket.on('disconnect', (reason) => tell('disconnect', { reason }));
socket.on('message.created', ({ text }) => tell('message', { text }));
process.stdin.on('end', () => process.exit(0)).resume();
setTimeout(() => process.exit(0), Number(seconds) * 1000);
