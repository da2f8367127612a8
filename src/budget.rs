//! Every bound of the daemon, each with its reason. A queue, buffer or count without one here does not pass review. What
//! they come to for a configuration is in [`ceiling`].

pub mod ceiling;

/// Longest guild message taken (bytes of its JSON): `limits.message_bytes` by default.
pub const MESSAGE_BYTES: usize = 64 * 1024;
/// A configuration that says what it has to say is hardly shorter.
pub const CONFIG_LEAST_BYTES: usize = 1024;
/// `limits.message_bytes` is no less.
pub const MESSAGE_LEAST_BYTES: usize = 1024;
/// What a frame may carry beyond the message in it: packet type, namespace, event name, a recovery offset.
pub const FRAME_ENVELOPE_BYTES: usize = 2 * 1024;
/// JSON nested deeper is not looked at: no message of ours is deeper than 4.
pub const JSON_DEPTH: usize = 32;
/// Arguments of one event that are cut out: the message and perhaps a recovery offset.
pub const EVENT_ARGS: usize = 4;
/// Attachments of a binary packet that are waited for; the official server's own limit is 10.
pub const BINARY_ATTACHMENTS: u32 = 10;
/// A namespace that a guild names in a packet; ours is checked against the configuration.
pub const NAMESPACE_BYTES: usize = 256;

/// Read and write buffer of a WebSocket: an idle link keeps both.
pub const WEBSOCKET_BUFFER_BYTES: usize = 4 * 1024;
/// What a server may say to the upgrade, its refusal's text included.
pub const UPGRADE_BYTES: usize = 16 * 1024;
/// What may wait in a WebSocket's write buffer before the connection counts as stuck.
pub const WEBSOCKET_WRITE_MAX_BYTES: usize = 64 * 1024;
/// Pongs and acks owed that wait to be sent, and their bytes (a pong repeats its ping): a guild that asks for more answers
/// than it takes is hostile.
pub const OWED_FRAMES: usize = 1024;
/// See `OWED_FRAMES`.
pub const OWED_BYTES: usize = 64 * 1024;
/// Frames without a whole message between them (pings, empty continuations) before a peer counts as hostile.
pub const EMPTY_FRAMES: u32 = 1024;
/// Plaintext that rustls may hold back for a slow socket (its default is 64 KiB).
pub const TLS_SEND_BUFFER_BYTES: usize = 16 * 1024;

/// TLS tickets kept for resumption, 8 for a server: a resumed handshake spares a board the certificate's check.
pub const TLS_SESSIONS: usize = 16;
/// Bytes of a file of roots that are read; Debian's bundle has 220 KB.
pub const CA_BYTES: u64 = 2 * 1024 * 1024;
/// Certificates taken from one file of roots; Debian's bundle has 150.
pub const CA_CERTIFICATES: usize = 512;
/// Names and keys of the authorities that are kept of them; Debian's 144 have 62 KB. What is beyond is not trusted, and said.
pub const ROOTS_BYTES: usize = 72 * 1024;
/// Addresses of one name that are tried.
pub const ADDRESSES: usize = 8;
/// Lookups that wait for the one resolver: every link and both workers.
pub const DNS_WAITING: usize = LINKS + 8;
/// The next address of a name is tried so long after the last, while that one is silent (RFC 8305 says 250 ms).
pub const STAGGER_MS: u64 = 250;
/// Bytes that were sent and not acknowledged for so long end a connection (TCP_USER_TIMEOUT).
pub const UNACKED_MS: u32 = 30_000;

/// Answer of the mint, of a post and of other small calls.
pub const SMALL_BODY_BYTES: usize = 16 * 1024;
/// Answer of the channel list, read row by row.
pub const CHANNELS_BODY_BYTES: usize = 256 * 1024;
/// One page of history; a larger one is asked for again with half the limit.
pub const HISTORY_BODY_BYTES: usize = 96 * 1024;
/// How far an answer that is too large alone is read (not kept) to find the message's id.
pub const OVERSIZE_SCAN_BYTES: usize = 8 * 1024 * 1024;
/// Messages asked for in one page of history.
pub const HISTORY_LIMIT: usize = 20;
/// Pages read to find the end of a history whose list has no `lastMessageId`.
pub const HISTORY_SEEK_PAGES: u32 = 200;
/// Pages that one link reads to find places that its journal lost; beyond them it reads one more of each channel.
pub const RECALL_PAGES: u32 = 5 * HISTORY_SEEK_PAGES;
/// Messages behind the last answered one that such a search remembers: ids, for one channel at a time.
pub const RECALLED: usize = 256;
/// Reconciling history calls a second, for each link.
pub const HISTORY_CALLS_PER_S: u64 = 5;
/// ureq's buffers, each way; its default is 128 KiB.
pub const HTTP_BUFFER_BYTES: usize = 8 * 1024;
/// Response headers of one HTTP answer.
pub const HTTP_HEADER_BYTES: usize = 8 * 1024;
/// A token, in bytes; JWTs are 0.2 to 2 KiB.
pub const TOKEN_BYTES: usize = 8 * 1024;

/// Rows of one page of a history that is listed newest first, and messages that one reading of it keeps, the oldest first:
/// such a page has to be turned round.
pub const TIMELINE_ROWS: usize = 40;
/// Such a reading keeps a quarter of a link's window at most, in bytes of JSON: what it keeps goes there.
pub const TIMELINE_PART: usize = 4;
/// Rows looked at behind the place for threads that were answered since.
pub const TIMELINE_BEHIND: usize = 200;
/// The same where the list tells of a newer message than they explain: it stands in an older thread, or is gone.
pub const TIMELINE_FAR: usize = 2_000;
/// Pages that one reading turns on its way to the place: beyond them what is older is a gap.
pub const TIMELINE_PAGES: u32 = 1000;
/// Such threads that one reading remembers with what is left of them, those of one more page among them: beyond them it looks
/// again.
pub const TIMELINE_THREADS: usize = 256;
/// People whom one message mentions; further ones are not looked at.
pub const MENTIONS: usize = 64;

/// Channels of one link at most: `limits.channels`. By default the links share `CHANNELS_SHARED`; further ones are not
/// joined, and counted. As many places are kept of channels that are not in the list now.
pub const CHANNELS: usize = 1024;
/// Channels that all links share where `limits.channels` says nothing.
pub const CHANNELS_SHARED: usize = 160;
/// A link's channels where `limits.channels` says nothing and the links are many.
pub const CHANNELS_LEAST: usize = 64;
/// What a channel is planned with: its row, its conversation, two places, the beginning of its lane. A link whose channels
/// have longer ids and names joins fewer.
pub const CHANNEL_BYTES: usize = 1208;
/// Links of one daemon.
pub const LINKS: usize = 256;
/// Accounts of which is remembered when the next sign-in may be sent: those of all links, and as many that were left lately.
pub const ACCOUNTS: usize = 2 * LINKS;
/// Agents of one daemon.
pub const AGENTS: usize = 64;
/// An id that a guild gives (message, channel, user): longer ones are malformed.
pub const ID_BYTES: usize = 128;
/// A channel's or author's name kept in memory.
pub const NAME_BYTES: usize = 128;
/// Messages of one link that wait in memory with their text; what history can refill waits there.
pub const WINDOW_MESSAGES: usize = 64;
/// The same where the socket is followed: it is not asked for what it brings. Further ones are left to history.
pub const FOLLOWED_MESSAGES: usize = 192;
/// From so many of them on, or half of the window's bytes, the socket is read no further while turns make room: what is
/// under way in the loop still finds it.
pub const HOLD_MESSAGES: usize = FOLLOWED_MESSAGES - 2 * HAPPENINGS;
/// A socket is not read for so long at once, and then what finds no room is left to history.
pub const HOLD_MS: u64 = 1_000;
/// The same in all, while the window is not at rest; at most half of the guild's pingTimeout: a ping waits behind what is
/// not read. Under the 5 s that the socket has to bring what history shows.
pub const HOLDS_MS: u64 = 4_000;
/// A window that was not full for so long is at rest.
pub const HOLD_REST_MS: u64 = 1_000;
/// Bytes of text that wait in memory for the one link of a daemon: below them another message is taken, which may pass
/// them. Ids that wait for history or an open turn may take half as much.
pub const WINDOW_BYTES: usize = 128 * 1024;
/// The same for all links of a daemon that has several: each has its part.
pub const WINDOWS_BYTES: usize = 64 * 1024;
/// A link's part of them where the links are many.
pub const WINDOW_LEAST_BYTES: usize = 16 * 1024;
/// Messages of one channel whose place in the history is not settled yet; ids only once their turn is done.
pub const CHANNEL_ENTRIES: usize = 512;
/// The same, where all channels of a link hold as much of that as they may together.
pub const CHANNEL_ENTRIES_LEAST: usize = 16;
/// Ids remembered for each link to know a message that came twice.
pub const DEDUPE_IDS: usize = 4096;
/// Own posts remembered for each link, to know a reply to them as a mention.
pub const OWN_POSTS: usize = 256;
/// Bytes of their ids: all of them where an id has 48 bytes, as most have fewer.
pub const OWN_POST_BYTES: usize = 12 * 1024;
/// Ids that the present socket brought, remembered for each link to tell a miss from a race.
pub const BROUGHT_IDS: usize = 512;
/// Keys of its last posts that a link remembers: those of a whole outbox that the journal kept.
pub const POSTED_KEYS: usize = OUTBOX_POSTS;
/// Replies that wait to be posted, for each link.
pub const OUTBOX_POSTS: usize = 64;
/// Bytes of replies that wait to be posted, for the one link of a daemon: below them a turn is given, whose reply may pass
/// them.
pub const OUTBOX_BYTES: usize = 256 * 1024;
/// The same for all links of a daemon that has several: each has its part, `OUTBOX_LEAST_BYTES` at least.
pub const OUTBOXES_BYTES: usize = 88 * 1024;
/// Room for the longest post that a guild takes, 4,000 UTF-16 units of three bytes, and what belongs to it.
pub const OUTBOX_LEAST_BYTES: usize = 16 * 1024;
/// Replies that the guild refused for good, kept for each link: a whole outbox that is refused, as where a channel is
/// gone, fits. The oldest falls out.
pub const LETTERS: usize = OUTBOX_POSTS;
/// Bytes of such replies, for the one link of a daemon.
pub const LETTER_BYTES: usize = OUTBOX_BYTES;
/// The same for all links of a daemon that has several: each has its part, `OUTBOX_LEAST_BYTES` at least.
pub const LETTERS_BYTES: usize = OUTBOXES_BYTES;
/// Letters that are listed at once, each with a part of its text: within `CONTROL_ANSWER_BYTES`; the rest are counted.
pub const LETTERS_LISTED: usize = 256;
/// What a guild says to a refusal, in a letter.
pub const REFUSAL_BYTES: usize = 160;
/// Messages that one record of gaps marks as passed over: within `JOURNAL_RECORD_BYTES` with ids of the longest kind.
pub const GAP_MARKS: usize = 256;
/// What is kept of the last gap of a reason, in words.
pub const GAP_DETAIL_BYTES: usize = 200;
/// Turns open at once for one agent (`parallel` at most).
pub const PARALLEL: u16 = 64;
/// Bot messages that count in one conversation within `BOT_SPAN_MS`.
pub const BOT_TURNS: usize = 20;
/// The span of the bot-to-bot budget.
pub const BOT_SPAN_MS: u64 = 60_000;
/// Replies of one open turn that are known again when a later attempt says them; further ones are posted as they come.
pub const REPLIES_KNOWN: usize = 64;
/// Conversations whose bot-to-bot budget is remembered; the oldest goes.
pub const BOT_CONVERSATIONS: usize = 64;
/// `send`s remembered by their id, for each agent.
pub const SENDS: usize = 1024;
/// Bytes of their ids and outcomes: all of them where the two have 100 bytes together.
pub const SENDS_BYTES: usize = 160 * 1024;

/// A line of `guild-agent/1`, an exec agent's standard output, an HTTP agent's answer.
pub const REPLY_BYTES: usize = 64 * 1024;
/// A JSON line of an agent: a reply with every byte escaped would be longer, and is refused by name.
pub const AGENT_LINE_BYTES: usize = 160 * 1024;
/// Tail of an agent's stderr that is logged.
pub const STDERR_BYTES: usize = 2 * 1024;
/// Agents' connections on one socket.
pub const AGENT_CLIENTS: usize = 16;
/// Lines that wait for a line agent to read: a message and a `cancel` for each open turn, answers to its sends.
pub const AGENT_QUEUE_LINES: usize = 256;
/// Bytes of lines that wait for a line agent to read; a turn beyond them is handed back as busy.
pub const AGENT_QUEUE_BYTES: usize = 512 * 1024;
/// Lines are written to a line agent at once up to so many bytes; a longer one alone.
pub const AGENT_WRITE_BYTES: usize = 8 * 1024;
/// Read at once from an agent, and what a line is charged for in `AGENT_READS_PER_S`.
pub const AGENT_CHUNK_BYTES: usize = 4 * 1024;
/// Lines that a turn makes due, read as they come: that it was accepted, typing on and off, its reply or none.
pub const AGENT_LINES_OF_A_TURN: u32 = 4;
/// Other lines, and full chunks, read in a second from one line agent; beyond it the agent waits, nothing is kept or
/// dropped.
pub const AGENT_READS_PER_S: u32 = 200;
/// Deadline of writing one line to an agent: one that does not read for so long is ended.
pub const AGENT_WRITE_MS: u64 = 10_000;
/// Deadline of the `hello` of a connected agent.
pub const AGENT_HELLO_MS: u64 = 10_000;
/// Between TERM and KILL for an agent's process group.
pub const AGENT_TERM_MS: u64 = 2_000;
/// How long output is read on after a child's exit, while something that it started holds the pipe open.
pub const AGENT_DRAIN_MS: u64 = 1_000;
/// Shortest and longest rest before a resident child is started, or a socket bound, again.
pub const AGENT_REST_MS: std::ops::RangeInclusive<u64> = 1_000..=60_000;
/// A program that is not there is looked for so often, until it was there once.
pub const AGENT_LOOK_MS: u64 = 5_000;
/// A resident child that ran so long begins its rests anew.
pub const AGENT_STABLE_MS: u64 = 60_000;
/// Between two log lines of a resident child's stderr.
pub const AGENT_STDERR_EVERY_MS: u64 = 10_000;
/// Tail of an agent's stderr, or of its HTTP answer, that goes into a reason's detail.
pub const DETAIL_BYTES: usize = 300;
/// Attachments fetched for one message.
pub const ATTACHMENTS: usize = 8;

/// A line on the control socket.
pub const CONTROL_LINE_BYTES: usize = 64 * 1024;
/// Clients of the control socket at once.
pub const CONTROL_CLIENTS: usize = 16;
/// A client that asked for nothing for so long gives its place up where others wait.
pub const CONTROL_IDLE_MS: u64 = 1_000;
/// Lines that wait for a slow `tail`; further ones are counted and dropped.
pub const TAIL_LINES: usize = 256;
/// Bytes that wait for a slow `tail`.
pub const TAIL_BYTES: usize = 128 * 1024;
/// An answer on the control socket, as its client takes it: the status of `LINKS` links.
pub const CONTROL_ANSWER_BYTES: usize = 1024 * 1024;
/// How long a client of the control socket may take to say what it wants, and to take its answer.
pub const CONTROL_MS: u64 = 10_000;
/// A configuration file.
pub const CONFIG_BYTES: usize = 256 * 1024;
/// Faults of a configuration that are listed; the rest are counted.
pub const CONFIG_FAULTS: usize = 100;
/// The largest attachment that can be asked for: it is kept in the state directory, on a board's RAM.
pub const ATTACHMENT_BYTES: u64 = 64 * 1024 * 1024;
/// A key file.
pub const KEY_BYTES: usize = 4 * 1024;

/// The journal is written anew when its log grows past this, and past twice what is live: that costs flash half as many
/// bytes again at most, and a start reads it in no time.
pub const JOURNAL_BYTES: usize = 256 * 1024;
/// A segment of the log takes no more records past this: what is broken in one costs no other.
pub const JOURNAL_SEGMENT_BYTES: usize = 64 * 1024;
/// Records that the journal begins anew with lie in memory, and are written, in pieces of so many bytes: 256 own posts of
/// each of 50 links are 0.6 MB, and a board's memory has no such hole to spare.
pub const JOURNAL_PIECE_BYTES: usize = 16 * 1024;
/// Bytes of a journal that are read at the start; a longer one is no journal of ours.
pub const JOURNAL_READ_BYTES: usize = 16 * 1024 * 1024;
/// What a power cut can tear off the end of a log: what waited for a sync, and the write that was under way. More than that
/// is kept for whoever wants to look.
pub const JOURNAL_UNSURE_BYTES: usize = GROUP_BYTES + JOURNAL_RECORD_BYTES;
/// Files set aside that are kept: a whole log of a newer version can be taken back.
pub const JOURNALS_ASIDE: usize = 8;
/// `state: group`: what something waits for is synced so long after the last sync, or at once where that is longer ago. Each
/// sync costs the page that it ends in once more: at 20 messages a second 250 ms cost 1.1 KB a message, a second 0.46 KB.
pub const GROUP_MS: u64 = 1_000;
/// `state: group`: what nothing waits for is synced so long after it was written, or with the next that is waited for.
pub const GROUP_LAZY_MS: u64 = 5_000;
/// `state: group`: so many bytes are synced at once, since a page costs the same now or later.
pub const GROUP_BYTES: usize = 32 * 1024;
/// A disk that failed is tried again so often.
pub const DISK_RETRY_MS: u64 = 60_000;
/// Writing what is left at the end may take so long.
pub const DISK_END_MS: u64 = 2_000;
/// One record of the journal: a reply of the longest kind with its keys.
pub const JOURNAL_RECORD_BYTES: usize = 96 * 1024;

/// Calls that wait for one worker; a further one fails at once.
pub const CALLS_QUEUED: usize = 64;
/// Idle HTTP connection kept by the `call` worker: under the 5 s after which Node.js closes it.
pub const HTTP_IDLE_MS: u64 = 4_000;

/// A text or an answer beyond this waits until the loop has taken all that was posted before it.
pub const LARGE_BYTES: usize = 16 * 1024;
/// Happenings that wait for the loop; pumps wait when it is full.
pub const HAPPENINGS: usize = 64;

/// Guilds whose calls have threads of their own: one that is sick holds up nobody else. Further ones share.
pub const GUILD_WORKERS: usize = 4;
/// Stack of the thread that mints.
pub const MINT_STACK_BYTES: usize = 192 * 1024;
/// Stack of the thread that makes every other call.
pub const CALL_STACK_BYTES: usize = 192 * 1024;
/// Stack of the thread that looks names up: getaddrinfo of glibc wants room.
pub const DNS_STACK_BYTES: usize = 128 * 1024;
/// Stack of the thread that writes the journal.
pub const DISK_STACK_BYTES: usize = 64 * 1024;
/// Stack of a thread that waits for an HTTP agent.
pub const AGENT_STACK_BYTES: usize = 192 * 1024;

/// Deadline of a name lookup.
pub const DNS_MS: u64 = 5_000;
/// Deadline of a TCP connect, for each address.
pub const TCP_MS: u64 = 5_000;
/// Deadline of a TLS handshake.
pub const TLS_MS: u64 = 10_000;
/// Deadline of the WebSocket upgrade.
pub const UPGRADE_MS: u64 = 10_000;
/// Deadline of a write on a WebSocket.
pub const WRITE_MS: u64 = 10_000;
/// Deadline of a close.
pub const CLOSE_MS: u64 = 2_000;
/// At the end, goodbyes that are not said within this are left unsaid.
pub const FAREWELL_MS: u64 = 300;
/// Deadline of the mint.
pub const MINT_MS: u64 = 10_000;
/// Deadline of any other call.
pub const CALL_MS: u64 = 20_000;

/// Shortest and longest ping interval and timeout that a guild is believed.
pub const PING_MS: std::ops::RangeInclusive<u64> = 100..=300_000;
/// Shortest and longest Retry-After that a guild is believed.
pub const RETRY_AFTER_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// Steps of the day that the page shows, for each link and each agent: 12 bytes each.
pub const DAY_STEPS: usize = 144;
/// One of them: ten minutes.
pub const DAY_STEP_MS: u64 = 600_000;
/// Between two writes of the metrics' file.
pub const METRICS_MS: u64 = 15_000;
/// Browsers and scrapers at once.
pub const PAGE_CLIENTS: usize = 8;
/// Of them, browsers that follow the page: a scraper finds a place beside them.
pub const PAGE_READERS: usize = 6;
/// A request for the page: its line and its headers.
pub const PAGE_REQUEST_BYTES: usize = 4 * 1024;
/// Headers of such a request.
pub const PAGE_HEADERS: usize = 48;
/// How long a browser may take to ask, and to take an answer or a piece of one.
pub const PAGE_MS: u64 = 10_000;
/// While the heap is near its budget it is looked at so often, beside every happening.
pub const SHED_LOOK_MS: u64 = 1_000;
/// Meanwhile a piece of what an agent writes is read so often: `AGENT_CHUNK_BYTES`.
pub const SHED_PIECE_MS: u64 = 100;
/// Between two looks for a page that is open.
pub const PAGE_LOOK_MS: u64 = 1_000;
/// Between two looks at the days for it.
pub const PAGE_DAYS_MS: u64 = 10_000;
