//! Tokens by the way they may be used. A `FreshToken` is for one handshake and is gone with it;
//! a `Bearer` is for HTTP headers and no handshake takes one. That a token is not offered twice is
//! not checked anywhere: it does not compile.
//!
//! ```compile_fail
//! # use guild_bridge::{token::FreshToken, moment::Moment};
//! let fresh = FreshToken::minted("t", Moment(0), None).unwrap();
//! let again = fresh.clone(); // a FreshToken is not Clone
//! ```
//! ```compile_fail
//! # use guild_bridge::{token::FreshToken, moment::Moment};
//! let fresh = FreshToken::minted("t", Moment(0), None).unwrap();
//! let first = fresh.offer();
//! let second = fresh.offer(); // it was spent by the first offer
//! ```
//! ```compile_fail
//! # use guild_bridge::{token::FreshToken, moment::Moment};
//! let (_offer, bearer) = FreshToken::minted("t", Moment(0), None).unwrap().offer();
//! bearer.offer(); // a Bearer cannot be offered
//! ```
//! ```compile_fail
//! # use guild_bridge::{token::FreshToken, moment::Moment};
//! println!("{:?}", FreshToken::minted("t", Moment(0), None)); // nor printed
//! ```
//! ```
//! # use guild_bridge::{token::FreshToken, moment::Moment};
//! let (offer, bearer) = FreshToken::minted("t", Moment(0), None).unwrap().offer();
//! assert_eq!(offer.into_text(), bearer.expose());
//! ```

use crate::budget;
use crate::moment::Moment;

/// A token without an expiry is taken to live so long.
pub const UNKNOWN_LIFE_MS: u64 = 300_000;
/// A token nears its expiry at the latest so long before it.
const NEAR_MS: u64 = 60_000;

/// A token that no handshake has seen yet. Not Clone, no Debug.
pub struct FreshToken {
    text: Box<str>,
    life: Life,
}

/// The token on its way into CONNECT: it can only be turned into text, once.
pub struct Offer(Box<str>);

/// A token for `Authorization: Bearer`. No handshake takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer {
    text: Box<str>,
    life: Life,
}

/// Counted on the monotonic clock from the moment the mint was *sent*.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    from: Moment,
    ms: u64,
}

impl Life {
    /// When its mint was sent.
    #[must_use]
    pub fn begin(self) -> Moment {
        self.from
    }

    /// When the token ends.
    #[must_use]
    pub fn end(self) -> Moment {
        self.from.after_ms(self.ms)
    }

    /// Less than a fifth of its life, at most 60 s, is left.
    #[must_use]
    pub fn nears_end(self, now: Moment) -> bool {
        let left = self.end().since_ms(now);
        left == 0 || left < (self.ms / 5).min(NEAR_MS)
    }

    /// From when on it nears its end.
    #[must_use]
    pub fn near_end(self) -> Moment {
        self.from.after_ms(self.ms - (self.ms / 5).min(NEAR_MS)).after_ms(1)
    }
}

impl FreshToken {
    /// A token as it was minted. `sent_at`: when the mint request was sent. `life_ms`: how long it lives, if that was said.
    ///
    /// # Errors
    /// A sentence, when the text cannot be a token: empty, too long, or not visible ASCII (it goes into a header).
    pub fn minted(text: &str, sent_at: Moment, life_ms: Option<u64>) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("the token is empty");
        }
        if text.len() > budget::TOKEN_BYTES {
            return Err("the token is longer than 8 KiB");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("the token holds characters that no header may carry");
        }
        Ok(Self { text: text.into(), life: Life { from: sent_at, ms: life_ms.unwrap_or(UNKNOWN_LIFE_MS) } })
    }

    /// Its life.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life
    }

    /// Spends it: the offer goes into one CONNECT, the bearer into HTTP calls.
    #[must_use]
    pub fn offer(self) -> (Offer, Bearer) {
        (Offer(self.text.clone()), Bearer { text: self.text, life: self.life })
    }

    /// Spends it without a handshake: for HTTP calls only.
    #[must_use]
    pub fn for_calls(self) -> Bearer {
        Bearer { text: self.text, life: self.life }
    }
}

/// A token of a guild that lets one be offered more than once, because its mints are rationed: it makes a `FreshToken` for
/// each attempt. Not Clone, no Debug.
pub struct SignIn(FreshToken);

impl SignIn {
    /// Keeps a token.
    #[must_use]
    pub fn keep(token: FreshToken) -> Self {
        Self(token)
    }

    /// Its life.
    #[must_use]
    pub fn life(&self) -> Life {
        self.0.life
    }

    /// Whether it is the same token.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }

    /// The token, for one attempt.
    #[must_use]
    pub fn fresh(&self) -> FreshToken {
        FreshToken { text: self.0.text.clone(), life: self.0.life }
    }
}

impl Offer {
    /// The text, for the CONNECT packet.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0.into()
    }
}

impl Bearer {
    /// The text, for the header.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Its life.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life
    }
}
