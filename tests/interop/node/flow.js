// A flow of messages for measurements: at a pace, or as fast as the sessions read.
'use strict';
const { setImmediate: turn, setTimeout: sleep } = require('node:timers/promises');

// What may wait in sockets before an unpaced flow stops, and how many messages go between two looks.
const UNSENT_BYTES = 256 * 1024;
const SLICE = 32;

// Sends `count` messages of `bytes` characters over `channels` in turn, `perSecond` or, where that is 0, as fast as they
// are read. A text begins with the nanosecond of CLOCK_MONOTONIC at which it was sent.
async function flow({ store, realtime }, { count, channels, bytes, perSecond = 0 }) {
  const begun = performance.now();
  const due = () => (perSecond ? Math.floor(((performance.now() - begun) * perSecond) / 1000) : sent + SLICE);
  let sent = 0;
  while (sent < count) {
    const until = Math.min(count, due());
    for (; sent < until; sent += 1) {
      const text = `${process.hrtime.bigint()} `.padEnd(bytes, 'x');
      realtime.broadcast(store.say({ channelId: channels[sent % channels.length], authorId: 'alice', text }));
    }
    if (perSecond) await sleep(1);
    else await turn();
    while (!perSecond && realtime.unsent() > UNSENT_BYTES) await sleep(1);
  }
  return { ms: performance.now() - begun };
}

module.exports = { flow };
