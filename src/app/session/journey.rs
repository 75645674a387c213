//! The way to the identity provider and back, as the browser keeps it meanwhile.
//!
//! The gateway keeps nothing of a person who is on the way: the cookie holds a random seed and the
//! time of departure, and all else is derived from that under a key of the gateway:
//!
//! ```text
//! cookie   = base64url( seed, 32 random bytes | departure, microseconds, 8 bytes )
//! state    = base64url( HMAC-SHA-256 of "state", 0, cookie's bytes )
//! nonce, verifier: the same with their names
//! ```
//!
//! Invariant: who comes back with a state has the very cookie that it was derived from, so nobody's
//! browser ends a journey that somebody else's began (RFC 6749 section 10.12), and no cookie that was
//! made up has a state; and none is good for longer than ten minutes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SecureRandom;

use crate::base::secret::same;
use crate::base::{Secret, Timestamp};
use crate::oidc::Challenge;

/// How long a journey may take, in seconds.
pub const LONGEST: i64 = 600;

/// The key under which journeys are known again.
pub struct JourneyKey(hmac::Key);

impl JourneyKey {
    /// From a key derived for this.
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.reveal()))
    }

    /// Begins a journey: what the browser keeps, and what the provider is told; none when the
    /// machine gives no randomness.
    pub fn begin(&self, rng: &dyn SecureRandom, now: Timestamp) -> Option<(Secret<String>, Challenge)> {
        let mut seed = [0; 32];
        rng.fill(&mut seed).ok()?;
        let kept = [&seed[..], &now.micros().to_be_bytes()].concat();
        Some((Secret::new(URL_SAFE_NO_PAD.encode(&kept)), self.challenge(&kept)))
    }

    /// The journey of a browser that kept `kept` and came back with `state`, if it is one and not
    /// over.
    pub fn end(&self, kept: &str, state: &str, now: Timestamp) -> Option<Challenge> {
        let kept = URL_SAFE_NO_PAD.decode(kept).ok()?;
        let challenge = self.challenge(&kept);
        if !same(challenge.state.as_bytes(), state.as_bytes()) {
            return None;
        }
        let began = Timestamp::from_micros(i64::from_be_bytes(*kept.last_chunk()?));
        (began <= now && now < began.plus_seconds(LONGEST)).then_some(challenge)
    }

    fn challenge(&self, kept: &[u8]) -> Challenge {
        let derived = |name: &str| {
            let tag = hmac::sign(&self.0, &[name.as_bytes(), &[0], kept].concat());
            URL_SAFE_NO_PAD.encode(tag)
        };
        Challenge {
            state: derived("state"),
            nonce: derived("nonce"),
            verifier: Secret::new(derived("verifier")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_750_000_000_000_000);

    fn key(byte: u8) -> JourneyKey {
        JourneyKey::new(&Secret::new([byte; 32]))
    }

    #[test]
    fn a_journey_ends_for_the_browser_that_began_it_and_in_time() {
        let (key, rng) = (key(1), SystemRandom::new());
        let (kept, there) = key.begin(&rng, NOW).unwrap();
        let back = key.end(kept.reveal(), &there.state, NOW.plus_seconds(LONGEST - 1)).unwrap();
        assert_eq!((&back.nonce, back.verifier.reveal()), (&there.nonce, there.verifier.reveal()));
        assert!(key.end(kept.reveal(), &there.state, NOW.plus_seconds(LONGEST)).is_none(), "too late");
        assert!(key.end(kept.reveal(), &there.state, NOW.plus_seconds(-1)).is_none(), "before it began");
        let (other, _) = key.begin(&rng, NOW).unwrap();
        assert!(key.end(other.reveal(), &there.state, NOW).is_none(), "another browser's");
        assert!(key.end(kept.reveal(), &there.nonce, NOW).is_none(), "another value");
        for made_up in ["", "A", "AAAA", &format!("{}A", kept.reveal())] {
            assert!(key.end(made_up, &there.state, NOW).is_none(), "{made_up:?}");
        }
    }

    #[test]
    fn a_journey_is_known_under_its_key_alone_and_no_value_tells_another() {
        let (kept, there) = key(1).begin(&SystemRandom::new(), NOW).unwrap();
        assert!(key(2).end(kept.reveal(), &there.state, NOW).is_none());
        // RFC 7636 section 4.1: 43 to 128 characters of the unreserved ones.
        assert_eq!(there.verifier.reveal().len(), 43);
        assert!(there.state != there.nonce && there.nonce != *there.verifier.reveal());
        assert!(kept.reveal().len() <= 128, "it fits where cookies are looked at");
    }

    #[test]
    fn the_time_of_departure_cannot_be_set_back() {
        let (kept, there) = key(1).begin(&SystemRandom::new(), NOW).unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(kept.reveal()).unwrap();
        let later = NOW.plus_seconds(LONGEST);
        bytes.truncate(32);
        bytes.extend(later.micros().to_be_bytes());
        assert!(key(1).end(&URL_SAFE_NO_PAD.encode(bytes), &there.state, later).is_none());
    }
}
