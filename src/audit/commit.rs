//! Data subjects in the log: named to who may know, and to nobody else.
//!
//! | where | what | who can use it |
//! |---|---|---|
//! | leaf | commitment: HMAC-SHA256(r, type ‖ 0x00 ‖ identifier), r fresh for every record | who is shown the opening |
//! | side table, erasable | opening: r, type and identifier under ChaCha20-Poly1305, bound to the commitment | the gateway |
//! | search index, rebuildable | token: HMAC-SHA256(K, type ‖ 0x00 ‖ identifier), cut to 16 bytes | who holds K and asks for one person |
//!
//! Invariant: without the opening a commitment says nothing, since r has 256 bits; so deleting
//! the opening erases the person from the log while every hash and proof stays as it is.
//! Identifiers have few possible values, so a bare hash of one would be no protection at all.
//! Both keys are derived from one secret by HKDF-SHA256 (RFC 5869).

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};

use super::record::Subject;
use crate::base::Secret;

/// Bytes of the salt r.
const SALT: usize = 32;

/// A person's keyed token in the search index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub [u8; 16]);

/// A data subject, committed to and sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// For the leaf.
    pub commitment: [u8; 32],
    /// For the side table.
    pub opening: Vec<u8>,
}

/// Randomness or encryption failed: the record must not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a data subject could not be sealed")]
pub struct SealError;

/// The keys that seal openings and make tokens.
pub struct SubjectKey {
    seal: LessSafeKey,
    token: hmac::Key,
    rng: SystemRandom,
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey(***)")
    }
}

impl SubjectKey {
    /// Derives both keys from one secret of 32 bytes.
    pub fn new(secret: &Secret<[u8; 32]>) -> Result<Self, SealError> {
        let derived =
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"sluice audit subjects v1").extract(secret.reveal());
        let seal = derived.expand(&[b"opening"], &CHACHA20_POLY1305).map_err(|_| SealError)?;
        let token = derived.expand(&[b"token"], hmac::HMAC_SHA256).map_err(|_| SealError)?;
        Ok(Self {
            seal: LessSafeKey::new(UnboundKey::from(seal)),
            token: hmac::Key::from(token),
            rng: SystemRandom::new(),
        })
    }

    /// Commits to a subject with a fresh salt and seals the opening.
    pub fn seal(&self, subject: &Subject) -> Result<Sealed, SealError> {
        let mut random = [0; SALT + NONCE_LEN];
        self.rng.fill(&mut random).map_err(|_| SealError)?;
        let (salt, nonce) = random.split_at(SALT);
        let named = named(&subject.kind, subject.identifier.reveal());
        let commitment = mac(&hmac::Key::new(hmac::HMAC_SHA256, salt), &named);

        let mut sealed = [salt, &named].concat();
        let key_nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        self.seal
            .seal_in_place_append_tag(key_nonce, Aad::from(commitment), &mut sealed)
            .map_err(|_| SealError)?;
        Ok(Sealed { commitment, opening: [nonce, &sealed].concat() })
    }

    /// Opens what [`seal`](Self::seal) made and checks it against the commitment.
    pub fn open(&self, commitment: &[u8; 32], opening: &[u8]) -> Option<Subject> {
        let (nonce, sealed) = opening.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self.seal.open_in_place(nonce, Aad::from(commitment), &mut sealed).ok()?;
        let (salt, named) = plain.split_at_checked(SALT)?;
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, salt), named, commitment).ok()?;
        let (kind, identifier) = std::str::from_utf8(named).ok()?.split_once('\0')?;
        Some(Subject { kind: kind.into(), identifier: Secret::new(identifier.into()) })
    }

    /// The token under which the index files a person's records.
    pub fn token(&self, kind: &str, identifier: &str) -> Token {
        let mac = mac(&self.token, &named(kind, identifier));
        let mut token = [0; 16];
        token.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        Token(token)
    }
}

/// Does `salt` open `commitment` to this subject? For who is shown an opening; needs no key.
pub fn check_opening(commitment: &[u8; 32], salt: &[u8], kind: &str, identifier: &str) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, salt), &named(kind, identifier), commitment).is_ok()
}

fn named(kind: &str, identifier: &str) -> Vec<u8> {
    // No kind has a NUL, so no two subjects have the same name.
    [kind.as_bytes(), &[0], identifier.as_bytes()].concat()
}

fn mac(key: &hmac::Key, data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(key, data).as_ref());
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SubjectKey {
        SubjectKey::new(&Secret::new([byte; 32])).unwrap()
    }

    fn subject(identifier: &str) -> Subject {
        Subject { kind: "id_number".into(), identifier: Secret::new(identifier.into()) }
    }

    #[test]
    fn a_sealed_subject_opens_to_itself() {
        let sealed = key(1).seal(&subject("A1")).unwrap();
        let opened = key(1).open(&sealed.commitment, &sealed.opening).unwrap();
        assert_eq!((&*opened.kind, opened.identifier.reveal().as_str()), ("id_number", "A1"));
    }

    #[test]
    fn one_person_looks_different_in_every_record() {
        let (one, two) = (key(1).seal(&subject("A1")).unwrap(), key(1).seal(&subject("A1")).unwrap());
        assert_ne!(one.commitment, two.commitment);
        assert_ne!(one.opening, two.opening);
    }

    #[test]
    fn an_opening_opens_neither_changed_nor_elsewhere_nor_by_another_key() {
        let (one, two) = (key(1).seal(&subject("A1")).unwrap(), key(1).seal(&subject("A2")).unwrap());
        assert!(key(1).open(&two.commitment, &one.opening).is_none());
        assert!(key(2).open(&one.commitment, &one.opening).is_none());
        for at in 0..one.opening.len() {
            let mut changed = one.opening.clone();
            changed[at] ^= 1;
            assert!(key(1).open(&one.commitment, &changed).is_none());
        }
        assert!(key(1).open(&one.commitment, &[]).is_none());
    }

    #[test]
    fn a_token_is_the_same_for_a_person_and_another_under_another_key() {
        assert_eq!(key(1).token("id_number", "A1"), key(1).token("id_number", "A1"));
        assert_ne!(key(1).token("id_number", "A1"), key(1).token("passport", "A1"));
        assert_ne!(key(1).token("id_number", "A1"), key(2).token("id_number", "A1"));
    }

    #[test]
    fn a_shown_salt_opens_the_commitment_without_any_key() {
        let salt = [7; 32];
        let commitment = mac(&hmac::Key::new(hmac::HMAC_SHA256, &salt), b"id_number\0A1");
        assert!(check_opening(&commitment, &salt, "id_number", "A1"));
        assert!(!check_opening(&commitment, &salt, "id_number", "A2"));
    }
}
