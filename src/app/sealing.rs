//! What is kept of people's secrets: sealed, so that the state database alone signs nobody in.
//!
//! Invariant: a sealed secret opens for the account it was sealed for and for no other; and nothing
//! here can be printed.
//!
//! ```text
//! sealed = base64( nonce, 12 random bytes | AES-256-GCM of the secret, with the account's id )
//! device = hex( nonce, 16 random bytes ) "." hex( HMAC-SHA-256 of account, 0, nonce )
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::SecureRandom;

use crate::base::Secret;
use crate::base::ids::{AccountId, decode_hex, hex};
use crate::identity::CodeSecret;
use crate::identity::password::Pepper;

/// The keys under which secrets of people are kept.
pub struct CredentialKey {
    seal: LessSafeKey,
    devices: hmac::Key,
    pepper: Pepper,
}

impl CredentialKey {
    /// From three keys derived for this; none when the first is not a key.
    pub fn new(seal: &Secret<[u8; 32]>, devices: &Secret<[u8; 32]>, pepper: Pepper) -> Option<Self> {
        let seal = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, seal.reveal()).ok()?);
        Some(Self { seal, devices: hmac::Key::new(hmac::HMAC_SHA256, devices.reveal()), pepper })
    }

    /// The key that goes into the hash of every password.
    pub fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    /// The key under which it is kept where attempts to sign in came from.
    pub fn attempts(&self) -> hmac::Key {
        // What is signed for a device is longer, and ends otherwise.
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.devices, b"attempts").as_ref())
    }

    /// Seals the secret of an account's code generator; none when the machine gives no randomness.
    pub fn seal(&self, account: &AccountId, secret: &CodeSecret, rng: &dyn SecureRandom) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill(&mut nonce).ok()?;
        let mut sealed = secret.reveal().to_vec();
        let about = Aad::from(account.as_str());
        let unique = Nonce::assume_unique_for_key(nonce);
        self.seal.seal_in_place_append_tag(unique, about, &mut sealed).ok()?;
        Some(STANDARD_NO_PAD.encode([&nonce[..], &sealed[..]].concat()))
    }

    /// Opens what was sealed for this account.
    pub fn open(&self, account: &AccountId, sealed: &str) -> Option<CodeSecret> {
        let bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let about = Aad::from(account.as_str());
        let opened =
            self.seal.open_in_place(Nonce::assume_unique_for_key(*nonce), about, &mut sealed).ok()?;
        Some(CodeSecret::of(<[u8; 20]>::try_from(&*opened).ok()?))
    }

    /// What a device on which somebody signed in to the account keeps, to be known by next time;
    /// none when the machine gives no randomness.
    pub fn device(&self, account: &AccountId, rng: &dyn SecureRandom) -> Option<Secret<String>> {
        let mut nonce = [0; 16];
        rng.fill(&mut nonce).ok()?;
        let tag = hmac::sign(&self.devices, &marked(account.as_str(), &nonce));
        Some(Secret::new(format!("{}.{}", hex(&nonce), hex(tag.as_ref()))))
    }

    /// The device that shows `mark`, if somebody signed in to the account on it before.
    pub fn known_device(&self, account: &str, mark: &str) -> Option<[u8; 16]> {
        let (nonce, tag) = mark.split_once('.')?;
        let (nonce, tag) = (decode_hex::<16>(nonce)?, decode_hex::<32>(tag)?);
        hmac::verify(&self.devices, &marked(account, &nonce), &tag).ok().map(|()| nonce)
    }
}

fn marked(account: &str, nonce: &[u8; 16]) -> Vec<u8> {
    [account.as_bytes(), &[0], nonce].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    fn key() -> CredentialKey {
        CredentialKey::new(&Secret::new([1; 32]), &Secret::new([2; 32]), Secret::new([3; 32])).unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_account_and_for_no_other() {
        let (key, rng) = (key(), SystemRandom::new());
        let (own, other) = (AccountId::parse("a").unwrap(), AccountId::parse("b").unwrap());
        let sealed = key.seal(&own, &CodeSecret::of([7; 20]), &rng).unwrap();
        assert_eq!(key.open(&own, &sealed).unwrap().reveal(), &[7; 20]);
        assert!(key.open(&other, &sealed).is_none());
        assert!(key.open(&own, &sealed.replace(&sealed[20..21], "_")).is_none());
        assert!(key.open(&own, "").is_none());
    }

    #[test]
    fn a_device_is_known_by_what_it_was_given_for_that_account_alone() {
        let (key, own) = (key(), AccountId::parse("a").unwrap());
        let mark = key.device(&own, &SystemRandom::new()).unwrap();
        assert!(key.known_device("a", mark.reveal()).is_some());
        assert!(key.known_device("b", mark.reveal()).is_none());
        let forged = format!("0{}", &mark.reveal()[1..]);
        assert!(forged == *mark.reveal() || key.known_device("a", &forged).is_none());
    }
}
