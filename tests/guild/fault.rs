//! What can be wrong with the guild, on demand: for good, or for the next so many times.

use super::Rejection;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Every CONNECT is turned away, however fresh its token.
    Reject(Rejection),
    /// CONNECT is never answered.
    ConnectSilence,
    /// Joins earlier than so many milliseconds after CONNECT are ignored.
    VerifyAfter(u64),
    /// Joins go into the void.
    JoinsIgnored,
    /// The join of this channel is denied.
    JoinDenied(String),
    /// Joins work and are never acked.
    NoAcks,
    /// A message is stored and no socket brings it.
    EventsLost,
    /// The mint answers this status, with this Retry-After.
    MintStatus(u16, Option<String>),
    /// The mint answers 200 with bytes that are no JSON.
    MintGarbage,
    /// The mint answers 200 with a web page.
    MintPage,
    /// The mint takes so many milliseconds.
    MintSlow(u64),
    /// The mint hands out the agent's last token again.
    MintSameToken,
    /// The mint says neither expiry.
    MintNoExpiry,
    /// The mint hands out tokens that have so many milliseconds left.
    MintNearExpiry(u64),
    /// The channel list answers this status.
    ChannelsStatus(u16),
    /// The channel list is a web page.
    ChannelsPage,
    /// History answers this status.
    HistoryStatus(u16),
    /// Every call but the mint is answered 401, however fresh its token.
    Unauthorized,
    /// A post is answered this status, with this Retry-After, and not stored.
    PostStatus(u16, Option<String>),
    /// A post is stored at once, and its answer takes so many milliseconds.
    PostSlow(u64),
    /// A post is stored and its answer lost with the connection.
    PostAnswerLost,
    /// A post is stored and answered 500.
    PostStoredThen500,
    /// An attachment answers this status.
    AttachmentStatus(u16),
}

/// What is wrong now.
#[derive(Clone, Debug, Default)]
pub struct Faults(Vec<(Fault, Option<u32>)>);

impl Faults {
    /// Wrong until it is cleared.
    pub fn set(&mut self, fault: Fault) {
        self.0.push((fault, None));
    }

    /// Wrong so many times.
    pub fn set_times(&mut self, fault: Fault, times: u32) {
        self.0.push((fault, Some(times)));
    }

    /// Nothing is wrong any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// This one is right again.
    pub fn clear_one(&mut self, fault: &Fault) {
        self.0.retain(|(f, _)| f != fault);
    }

    /// Whether it is wrong; counts nothing.
    pub fn has(&self, fault: &Fault) -> bool {
        self.0.iter().any(|(f, _)| f == fault)
    }

    /// Whether it is wrong; one time is over.
    pub fn strike(&mut self, fault: &Fault) -> bool {
        self.strike_map(|f| (f == fault).then_some(())).is_some()
    }

    /// The first fault that `pick` takes; one time of it is over.
    pub fn strike_map<T>(&mut self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let (at, picked) = self.0.iter().enumerate().find_map(|(at, (fault, _))| Some((at, pick(fault)?)))?;
        match &mut self.0[at].1 {
            None => {}
            Some(times) if *times > 1 => *times -= 1,
            Some(_) => drop(self.0.remove(at)),
        }
        Some(picked)
    }

    pub(super) fn strike_rejection(&mut self) -> Option<Rejection> {
        self.strike_map(|f| if let Fault::Reject(how) = f { Some(*how) } else { None })
    }

    pub(super) fn verify_after_ms(&self) -> u64 {
        self.0.iter().find_map(|(f, _)| if let Fault::VerifyAfter(ms) = f { Some(*ms) } else { None }).unwrap_or(0)
    }
}
