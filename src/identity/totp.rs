//! One-time codes from a code generator (RFC 6238: HMAC-SHA-1, 30 seconds, 6 digits).
//!
//! Invariant: a code is good within one step of its own, and only for a step later than the last
//! one used; so that a code seen over a shoulder is worth nothing. Time is a parameter.
//!
//! ```text
//! step = seconds since 1970 / 30
//! code = truncate(HMAC-SHA-1(secret, step as 8 bytes)) mod 10^6     (RFC 4226 section 5.3)
//! ```

use ring::hmac;
use ring::rand::SecureRandom;

use crate::base::secret::same;
use crate::base::{Secret, Timestamp};

/// The length of a step, in seconds.
const STEP: i64 = 30;
/// Steps by which a clock may differ.
const SKEW: i64 = 1;

/// The secret that a code generator shares with the gateway: 160 bits, as RFC 4226 recommends.
#[derive(Clone, Debug)]
pub struct CodeSecret(Secret<[u8; 20]>);

impl CodeSecret {
    /// A new one; none when the machine gives no randomness.
    pub fn random(rng: &dyn SecureRandom) -> Option<Self> {
        let mut bytes = [0; 20];
        rng.fill(&mut bytes).ok()?;
        Some(Self(Secret::new(bytes)))
    }

    /// From its bytes.
    pub fn of(bytes: [u8; 20]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Its bytes: to be sealed.
    pub fn reveal(&self) -> &[u8; 20] {
        self.0.reveal()
    }

    /// As people type it into a code generator: base32.
    pub fn text(&self) -> Secret<String> {
        Secret::new(base32(self.0.reveal()))
    }

    /// The step that `code` is for, if it is good at `now` and no step up to `used` was its.
    pub fn step_of(&self, code: &str, now: Timestamp, used: i64) -> Option<i64> {
        let current = now.seconds().div_euclid(STEP);
        // All are computed, whichever it is: the time taken says nothing.
        let mut found = None;
        for step in current - SKEW..=current + SKEW {
            if same(self.code(step).as_bytes(), code.as_bytes()) && step > used {
                found = Some(step);
            }
        }
        found
    }

    /// The code of the moment: what a code generator shows.
    pub fn code_at(&self, now: Timestamp) -> String {
        self.code(now.seconds().div_euclid(STEP))
    }

    fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.reveal());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = tag.last().map_or(0, |byte| usize::from(byte & 15));
        let four = tag.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
    }

    /// What a code generator reads, often from a picture (Key Uri Format). Account ids and `issuer`
    /// have no character that would need escaping.
    pub fn uri(&self, issuer: &str, account: &str) -> Secret<String> {
        let secret = base32(self.0.reveal());
        Secret::new(format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}"))
    }
}

/// RFC 4648 section 6, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut bits = [0; 8];
        bits.iter_mut().skip(3).zip(chunk).for_each(|(to, from)| *to = *from);
        let bits = u64::from_be_bytes(bits);
        let letters = (chunk.len() * 8).div_ceil(5);
        let letter = |n: usize| ALPHABET.get((bits >> (35 - 5 * n)) as usize & 31).map(|l| char::from(*l));
        out.extend((0..letters).filter_map(letter));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = CodeSecret::of(*b"12345678901234567890");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.code_at(Timestamp::default().plus_seconds(seconds)), code);
        }
    }

    #[test]
    fn a_code_is_good_for_one_step_either_side_and_once() {
        let secret = CodeSecret::of([7; 20]);
        let at = |seconds| Timestamp::default().plus_seconds(seconds);
        let code = secret.code_at(at(3000));
        for (now, good) in [(2969, false), (2970, true), (3000, true), (3059, true), (3060, false)] {
            assert_eq!(secret.step_of(&code, at(now), 0).is_some(), good, "{now}");
        }
        let step = secret.step_of(&code, at(3000), 0).unwrap_or_default();
        assert_eq!(secret.step_of(&code, at(3001), step), None, "used");
        assert_eq!(secret.step_of("", at(3000), 0), None);
    }

    /// RFC 4648 section 10.
    #[test]
    fn base32_is_that_of_the_rfc() {
        let vectors = [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ")];
        for (text, encoded) in vectors.into_iter().chain([("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI")]) {
            assert_eq!(base32(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn the_secret_cannot_be_printed() {
        assert!(!format!("{:?}", CodeSecret::of([65; 20])).contains("65"));
    }
}
