// Commands on standard input, one JSON object a line; one answer each on standard output, in order.
'use strict';
const { flow } = require('./flow');
const { change } = require('./options');

const COMMANDS = {
  // Somebody says something, `count` times (`text` then ends in its number). Answers the ids.
  say({ store, realtime }, { channel = 'general', author = 'alice', text, count, replyTo }) {
    const ids = [];
    for (let i = 0; i < (count ?? 1); i += 1) {
      const message = store.say({ channelId: channel, authorId: author, text: count ? `${text} ${i}` : text, replyTo });
      realtime.broadcast(message);
      ids.push(message.id);
    }
    return { ids };
  },
  // Many messages, for measurements; answers when the last was sent.
  flow,
  // How many channels the newest session of each agent hears.
  hearing({ realtime }) {
    const sessions = [...realtime.guild.sockets.values()].filter((socket) => socket.data.agent);
    return { hearing: Object.fromEntries(sessions.map((socket) => [socket.data.agent, socket.rooms.size - 1])) };
  },
  // Everything said in a channel, oldest first.
  messages({ store }, { channel = 'general' }) {
    return { messages: store.channels.get(channel).messages };
  },
  // How often each message of any channel was answered.
  answers({ store }) {
    return { answers: store.answers() };
  },
  // Tokens in CONNECTs: all, and those that should not be there.
  offers({ store }) {
    return store.offers;
  },
  // A token for somebody who is not the daemon.
  mint({ store, options }, { agent, key }) {
    return store.mint(agent, key, options.ttl);
  },
  set({ options }, { options: changes }) {
    change(options, changes);
    return {};
  },
  agent({ store }, { id, name, key }) {
    store.agent({ id, name, key });
    return {};
  },
  channel({ store }, { id, kind, members }) {
    store.channel({ id, kind, members });
    return {};
  },
  // Every socket leaves its rooms and is not told.
  leave({ realtime, store }) {
    for (const id of store.channels.keys()) realtime.guild.socketsLeave(id);
    return {};
  },
  disconnect({ realtime }, { close }) {
    realtime.guild.disconnectSockets(close);
    return {};
  },
  closeEngines({ realtime }) {
    realtime.closeEngines();
    return {};
  },
  cut({ realtime }) {
    realtime.cut();
    return {};
  },
  emit({ realtime }, { event, args = [], binary }) {
    const buffers = binary ? [{ name: 'x', data: Buffer.from([1, 2, 3]) }, Buffer.from([4, 5])] : [];
    realtime.guild.emit(event, ...args, ...buffers);
    return {};
  },
  async ask({ realtime }, { event, args = [], ms = 2000 }) {
    return { answered: await realtime.ask(event, args, ms) };
  },
  state({ store, realtime }) {
    const { connects, joins, pongs, frames, authKeys } = realtime.seen;
    return {
      connects, joins, pongs, frames,
      authKeys: [...authKeys],
      minted: store.tokens.size,
      offers: store.offers.all,
      offeredTwice: store.offers.twice,
      offeredExpired: store.offers.expired,
      offeredUnknown: store.offers.unknown,
      tokens: [...store.tokens.keys()],
      sockets: realtime.guild.sockets.size,
      hearers: realtime.hearers('general'),
    };
  },
  // Says goodbye to everyone and ends, as a server does that is restarted.
  async close({ stop }) {
    setImmediate(stop);
    return {};
  },
};

// Carries out the lines of `input` on `guild`, one after another.
async function obey(guild, input, output) {
  for await (const line of input) {
    let said;
    try {
      const { cmd, ...args } = JSON.parse(line);
      if (!Object.hasOwn(COMMANDS, cmd)) throw new Error(`no command ${cmd}`);
      said = await COMMANDS[cmd](guild, args);
    } catch (error) {
      said = { error: error.message };
    }
    output.write(JSON.stringify(said) + '\n');
  }
}

module.exports = { obey };
