//! Counting different people without knowing later who they were.
//!
//! Invariant: a token is the same for one person within one grant and day, which is all that
//! counting needs. Across grants or days tokens cannot be linked, and without the key nobody can
//! tell whether a person is among them. HMAC-SHA256 (RFC 2104) as a pseudo-random function, cut
//! to 16 bytes; every part of a message is preceded by its length.

use ring::hmac;
use time::Date;

use crate::base::Secret;
use crate::base::ids::RuleId;

/// The key under which people are counted.
#[derive(Debug, Clone)]
pub struct CountingKey(hmac::Key);

impl CountingKey {
    /// From 32 bytes of good randomness.
    pub fn new(master: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, master.reveal()))
    }

    /// The token of the subject with this normalised identifier, under a grant on a day.
    pub fn token(&self, grant: &RuleId, day: Date, kind: &str, identifier: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.0);
        let day = day.to_julian_day().to_be_bytes();
        for part in [grant.as_str().as_bytes(), &day, kind.as_bytes(), identifier.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut token = [0; 16];
        token.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        token
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn one_person_is_one_token_under_a_grant_and_day_and_another_everywhere_else() {
        let key = CountingKey::new(&Secret::new([7; 32]));
        let of = |key: &CountingKey, grant: &str, day, person| {
            key.token(&RuleId::parse(grant).unwrap(), day, "resident-id", person)
        };
        let (today, person) = (date!(2026 - 11 - 22), "11010519491231002X");
        let token = of(&key, "grant:G-1", today, person);
        assert_eq!(token, of(&key, "grant:G-1", today, person));
        let another = CountingKey::new(&Secret::new([8; 32]));
        for other in [
            of(&key, "grant:G-2", today, person),
            of(&key, "grant:G-1", date!(2026 - 11 - 23), person),
            of(&key, "grant:G-1", today, "440306199001011236"),
            of(&another, "grant:G-1", today, person),
        ] {
            assert_ne!(token, other);
        }
    }
}
