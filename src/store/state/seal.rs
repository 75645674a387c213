//! What shows that a program with the gateway's keys did an act: whoever can only write the state
//! database can make no seal.
//!
//! ```text
//! seal = hex( HMAC-SHA-256 of number, time, then kind, object, detail and actor, each after its length )
//! ```
//!
//! Numbers are of 8 bytes, the highest first; the time is in microseconds since 1970.
//!
//! Invariant: a seal holds for one act, with its number, and with nothing of it changed. It does not say
//! whether the log has the act already: that is looked up there.

use ring::hmac;

use super::Act;
use crate::base::Secret;
use crate::base::ids::{decode_hex, hex};

/// The key under which acts are sealed. Every gateway has it, and every command that does an act.
#[derive(Clone)]
pub struct ActKey(hmac::Key);

impl ActKey {
    /// From a key derived for this.
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.reveal()))
    }

    /// The seal of an act.
    pub fn seal(&self, act: &Act) -> String {
        hex(hmac::sign(&self.0, &message(act)).as_ref())
    }

    /// Was the act sealed under this key, as it is?
    pub fn holds(&self, act: &Act, seal: Option<&str>) -> bool {
        let tag = seal.and_then(decode_hex::<32>);
        tag.is_some_and(|tag| hmac::verify(&self.0, &message(act), &tag).is_ok())
    }
}

fn message(act: &Act) -> Vec<u8> {
    let Act { seq, kind, object, detail, at, actor } = act;
    let mut message = [seq.to_be_bytes(), at.micros().to_be_bytes()].concat();
    for text in [kind, object, detail, actor] {
        message.extend((text.len() as u64).to_be_bytes());
        message.extend(text.as_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    fn act() -> Act {
        Act {
            seq: 7,
            kind: "key-registered".into(),
            object: "housing.aid".into(),
            detail: "aa".into(),
            at: Timestamp::from_micros(1_000),
            actor: "uid 0".into(),
        }
    }

    #[test]
    fn a_seal_holds_for_its_act_and_for_none_that_differs_in_anything() {
        let key = ActKey::new(&Secret::new([1; 32]));
        let seal = key.seal(&act());
        assert!(key.holds(&act(), Some(&seal)));
        for changed in [
            Act { seq: 8, ..act() },
            Act { kind: "key-revoked".into(), ..act() },
            Act { object: "audit.office".into(), ..act() },
            Act { detail: "bb".into(), ..act() },
            Act { at: Timestamp::from_micros(1_001), ..act() },
            Act { actor: "uid 1".into(), ..act() },
            // What ends one member does not begin the next.
            Act { object: "housing.aida".into(), detail: "a".into(), ..act() },
            Act { detail: "aau".into(), actor: "id 0".into(), ..act() },
        ] {
            assert!(!key.holds(&changed, Some(&seal)), "{changed:?}");
        }
        for none in [None, Some(""), Some("00"), Some(&*seal.to_uppercase())] {
            assert!(!key.holds(&act(), none), "{none:?}");
        }
        assert!(!ActKey::new(&Secret::new([2; 32])).holds(&act(), Some(&seal)), "under another key");
    }
}
