//! How long a link rests before its next attempt (CONTRACT section 1, "Rejections are told apart"). Total: whatever
//! happened, it gives a rest. Its record is cleared by proof of life alone.

use crate::budget;
use crate::reason::Reason;
use std::time::Duration;

/// What kind of failure it was: each kind has its own limits and its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Network, restart, `41`, CONNECT_ERROR, silence, deafness, 401 with a fresh token: what time may cure.
    Network,
    /// The mint refuses the key: what a person has to cure, soon perhaps.
    KeyRefused,
    /// Path, namespace, transport: what a person has to cure, here or in the guild.
    Configuration,
}

impl Class {
    /// The class of a reason. Those that end no attempt of a link count as `Network`.
    #[must_use]
    pub fn of(reason: Reason) -> Self {
        match reason {
            Reason::AuthKeyRefused => Self::KeyRefused,
            Reason::CfgPath | Reason::CfgNamespace | Reason::CfgTransport | Reason::CfgKeyFile => Self::Configuration,
            Reason::NetDns
            | Reason::NetRefused
            | Reason::NetUnreachable
            | Reason::NetTimeout
            | Reason::NetClosed
            | Reason::NetSilent
            | Reason::NetProtocol
            | Reason::NetTooBig
            | Reason::TlsExpired
            | Reason::TlsNotYet
            | Reason::TlsName
            | Reason::TlsUnknownCa
            | Reason::TlsFailed
            | Reason::HttpPortal
            | Reason::HttpStatus
            | Reason::HttpBody
            | Reason::AuthConnectError
            | Reason::AuthDisconnected
            | Reason::AuthHttp401
            | Reason::AuthDeniedChannel
            | Reason::AuthExpired
            | Reason::AuthCachedToken
            | Reason::DeafHistory
            | Reason::RateLimited
            | Reason::ClockUnset
            | Reason::GuildRestarting
            | Reason::GuildRefusedPost
            | Reason::AgentMissing
            | Reason::AgentTimeout
            | Reason::AgentFailed
            | Reason::AgentBusy
            | Reason::AgentGarbled
            | Reason::AgentDenied
            | Reason::AgentGone
            | Reason::ControlRequest
            | Reason::DiskFailed
            | Reason::CfgFault
            | Reason::DiskDamaged
            | Reason::HostShort
            | Reason::HostMemory
            | Reason::HostPage
            | Reason::Asked => Self::Network,
        }
    }
}

/// How an attempt, or the session that came of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It failed.
    Failed(Class),
    /// It was proven, or stable, for so long, and then ended: the record is cleared, the rest is that of a first failure.
    Lived(Duration),
    /// The guild said when to come again (429, 503); the record stays.
    ToldToWait(Duration),
    /// The guild ended a proven session as its token ended: no failure; the record stays.
    Expired,
}

/// The record of one link: decorrelated jitter, `uniform(max(base, last / 3), 3 x last)`, and where that passes the cap
/// `uniform(cap / 3, cap)`: no rest falls back to the first ones by chance, and none gathers at the cap.
#[derive(Clone, Debug)]
pub struct Backoff {
    network: Record,
    key_refused: Record,
    configuration: Record,
}

#[derive(Clone, Debug)]
struct Record {
    base_ms: u64,
    cap_ms: u64,
    last_ms: u64,
}

/// Longest rest after a session that ended with its token.
const EXPIRED_MS: u64 = 1_000;

impl Backoff {
    /// Nothing failed yet. The limits are those of `Class::Network`; the other classes have their own.
    #[must_use]
    pub fn new(base_ms: u64, cap_ms: u64) -> Self {
        Self {
            network: Record::new(base_ms, cap_ms),
            key_refused: Record::new(30_000, 900_000),
            configuration: Record::new(30_000, 300_000),
        }
    }

    /// Changes the limits of `Class::Network`; the record stays, within them.
    pub fn set_limits(&mut self, base_ms: u64, cap_ms: u64) {
        let last_ms = self.network.last_ms;
        self.network = Record::new(base_ms, cap_ms);
        self.network.last_ms = last_ms.clamp(self.network.base_ms, self.network.cap_ms);
    }

    /// How long to rest now.
    #[must_use]
    pub fn rest_after(&mut self, outcome: Outcome, rng: &mut fastrand::Rng) -> Duration {
        Duration::from_millis(match outcome {
            Outcome::Failed(Class::Network) => self.network.next_ms(rng),
            Outcome::Failed(Class::KeyRefused) => self.key_refused.next_ms(rng),
            Outcome::Failed(Class::Configuration) => self.configuration.next_ms(rng),
            Outcome::Lived(_) => {
                self.clear();
                self.network.next_ms(rng)
            }
            Outcome::ToldToWait(wait) => {
                let asked_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                let ms = asked_ms.clamp(*budget::RETRY_AFTER_MS.start(), *budget::RETRY_AFTER_MS.end());
                ms + rng.u64(0..=ms / 4)
            }
            Outcome::Expired => rng.u64(0..=EXPIRED_MS),
        })
    }

    /// There was proof of life: what failed before counts no more.
    pub fn clear(&mut self) {
        for record in [&mut self.network, &mut self.key_refused, &mut self.configuration] {
            record.last_ms = record.base_ms;
        }
    }
}

impl Record {
    fn new(base_ms: u64, cap_ms: u64) -> Self {
        let base_ms = base_ms.max(1);
        Self { base_ms, cap_ms: cap_ms.max(base_ms), last_ms: base_ms }
    }

    fn next_ms(&mut self, rng: &mut fastrand::Rng) -> u64 {
        let least_ms = self.base_ms.max(self.last_ms / 3);
        let drawn_ms = rng.u64(least_ms..=self.last_ms.saturating_mul(3));
        self.last_ms = match drawn_ms <= self.cap_ms {
            true => drawn_ms,
            false => rng.u64(self.base_ms.max(self.cap_ms / 3)..=self.cap_ms),
        };
        self.last_ms
    }
}
