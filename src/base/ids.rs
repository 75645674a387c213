//! Names of things, each a type of its own so that one cannot stand for another.
//!
//! Invariant: an id is short, printable ASCII and holds no personal data, so it may be logged.

use std::fmt;
use std::sync::Arc;

use ring::rand::SecureRandom;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Timestamp;

/// The longest id, in bytes.
pub const MAX_LEN: usize = 64;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an id: 1 to 64 characters of `a-z A-Z 0-9 . _ : -`.
            pub fn parse(text: &str) -> Option<Self> {
                is_id(text).then(|| Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom("1 to 64 characters of a-z A-Z 0-9 . _ : -"))
            }
        }
    )+};
}

id! {
    /// A department (部门), such as `civil`.
    DepartmentId,
    /// A system (系统) of a department, such as `housing.aid`.
    SystemId,
    /// A dataset (目录项), such as `civil.subsistence`.
    DatasetId,
    /// A field (数据项) of a dataset, such as `monthly_income`.
    FieldName,
    /// A purpose (用途), such as `housing-aid.review`.
    PurposeId,
    /// An account (账号) of a person, such as `civil.zhang`.
    AccountId,
    /// A natural person, by the personnel number that all accounts of the person share.
    PersonId,
    /// An application (共享申请), such as `A-2026-000001`.
    ApplicationId,
    /// A policy rule or grant that decided something, such as `CS-010` or `grant:G-2026-0001`.
    RuleId,
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LEN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}

/// The id of one request: 16 bytes as 32 hex digits, the time in milliseconds and then 80 bits of
/// chance (as in a UUID of version 7, RFC 9562 section 5.7): who looks requests up by id files one
/// beside the one before, and not each in another place. Known to the caller, the log and the logs of all parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// A new id; `None` when the machine gives no randomness.
    pub fn new(now: Timestamp, rng: &dyn SecureRandom) -> Option<Self> {
        let mut bytes = [0; 16];
        let (time, chance) = bytes.split_at_mut(6);
        let millis = (now.micros() / 1000).to_be_bytes();
        time.iter_mut().zip(millis.iter().skip(2)).for_each(|(to, from)| *to = *from);
        rng.fill(chance).ok()?;
        Some(Self(bytes))
    }

    /// Parses 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        decode_hex(text).map(Self)
    }

    /// When it was made, to the millisecond.
    pub fn time(&self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = self.0;
        let millis = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Timestamp::from_micros(millis.saturating_mul(1000))
    }

    /// Its bytes.
    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The SHA-256 of a certificate's public key (its SubjectPublicKeyInfo in DER): what a system is
/// registered by, so that a certificate renewed for the same key stays known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a SubjectPublicKeyInfo in DER.
    pub fn of_spki(der: &[u8]) -> Self {
        Self::of(der)
    }

    /// Of a whole certificate in DER: what the audit record names beside the key.
    pub fn of_certificate(der: &[u8]) -> Self {
        Self::of(der)
    }

    fn of(der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, der).as_ref());
        Self(bytes)
    }

    /// Parses 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        decode_hex(text).map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("64 lower-case hex digits"))
    }
}

/// Bytes as lower-case hex digits. Records, receipts and answers are full of them, so that the
/// formatting machinery would show in a profile.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
    let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    // Digits are always text.
    String::from_utf8(digits).unwrap_or_default()
}

/// Exactly `N` bytes from lower-case hex digits.
pub fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(out)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_str(&hex(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_printable_ascii() {
        assert!(DatasetId::parse("civil.subsistence").is_some());
        for bad in ["", "a b", "a/b", "名", "a\n", &"x".repeat(65)] {
            assert!(DatasetId::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn request_ids_are_different_and_in_the_order_of_their_milliseconds() {
        let rng = ring::rand::SystemRandom::new();
        let id = |time: &str| RequestId::new(Timestamp::parse(time).unwrap(), &rng).unwrap();
        let (one, other) = (id("2026-03-02T09:00:00.001Z"), id("2026-03-02T09:00:00.001Z"));
        let later = id("2026-03-02T09:00:00.002Z");
        assert_ne!(one, other);
        assert!(one.bytes().max(other.bytes()) < later.bytes());
        assert_eq!(one.to_string().get(..12), Some("019cadc69a81"));
    }

    #[test]
    fn hex_survives_both_ways_and_refuses_the_rest() {
        assert_eq!(decode_hex::<3>(&hex(&[0, 127, 255])), Some([0, 127, 255]));
        for bad in ["", "0g", "0G", "000", "0000"] {
            assert_eq!(decode_hex::<1>(bad), None, "{bad:?}");
        }
    }
}
