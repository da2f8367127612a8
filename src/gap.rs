//! What cannot be kept, by its reason: the stable codes that people and scripts read, the worst first. The list is this
//! enum; the README's table is checked against it.

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gap {
    /// A turn was given up after its attempts.
    TurnFailed,
    /// What followed the cursor is not in history any more.
    HistoryCut,
    /// What came faster than history may be asked about, by a socket that skipped messages.
    Unchecked,
    /// Something of the journal could not be read at a start.
    JournalLost,
    /// A refused reply has no place among the letters any more.
    LettersFull,
    /// Part after part of a reply that does not end, beyond the outbox.
    OutboxFull,
    /// A message over the limit, or larger than a page of history.
    Oversize,
    /// A message that is not as the contract says.
    Unreadable,
    /// Bots' messages beyond their budget.
    BotBudget,
    /// The end of a history was not found.
    HistoryLong,
    /// Channels beyond those that are joined.
    ChannelsOver,
    /// Rows of the channel list that could not be read.
    ChannelsUnread,
    /// Places of channels that left the list.
    PlacesForgotten,
}

impl Gap {
    /// Every reason, in the order of the README's table.
    pub const ALL: &'static [Gap] = &[
        Gap::TurnFailed,
        Gap::HistoryCut,
        Gap::Unchecked,
        Gap::JournalLost,
        Gap::LettersFull,
        Gap::OutboxFull,
        Gap::Oversize,
        Gap::Unreadable,
        Gap::BotBudget,
        Gap::HistoryLong,
        Gap::ChannelsOver,
        Gap::ChannelsUnread,
        Gap::PlacesForgotten,
    ];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.words().0
    }

    /// What it means, in a sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        self.words().1
    }

    /// The reason of this code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|gap| gap.code() == code)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::TurnFailed => ("turn_failed", "the agent failed three times at a message"),
            Self::HistoryCut => ("history_cut", "the guild had removed messages from history before they were read"),
            Self::Unchecked => (
                "unchecked",
                "messages came faster than history may be asked about them, by a socket that then did not bring what history shows",
            ),
            Self::JournalLost => (
                "journal_lost",
                "the journal could not be read whole at a start: replies may be lost, and what was said in a channel whose place is not found again",
            ),
            Self::LettersFull => ("letters_full", "a reply that the guild refused for good fell out of the letters"),
            Self::OutboxFull => ("outbox_full", "an agent sent part after part of a reply while the outbox was full"),
            Self::Oversize => ("oversize", "a message over `limits.message_bytes`"),
            Self::Unreadable => ("unreadable", "a message that is not as the contract says"),
            Self::BotBudget => ("bot_budget", "more than 20 messages of bots within 60 s in a conversation"),
            Self::HistoryLong => (
                "history_long",
                "the end of a history was not found in 200 pages, or the thread of a reply in 2,000 messages",
            ),
            Self::ChannelsOver => {
                ("channels_over", "the guild lists more channels for an agent than `limits.channels` allows")
            }
            Self::ChannelsUnread => ("channels_unread", "rows of the channel list that could not be read"),
            Self::PlacesForgotten => (
                "places_forgotten",
                "more channels left an agent's list than may be joined; one that comes back may begin anew",
            ),
        }
    }
}
