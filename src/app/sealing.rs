//! What is kept of people's secrets: sealed, so that the state database alone signs nobody in.
//!
//! Invariant: a sealed secret opens for the account it was sealed for and for no other; and nothing
//! here can be printed.
//!
//! ```text
//! sealed = base64( nonce, 12 random bytes | AES-256-GCM of the secret, with the account's id )
//! device = hex( nonce, 16 random bytes ) "." hex( HMAC-SHA-256 of account, 0, nonce )
//! ```
//!
//! A session is sealed like a secret, with its whole row in place of the account's id, and holds the
//! certificate that it was begun with, if it was: so whoever can write the database can neither make
//! a session nor read out of one whose certificate it was.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::SecureRandom;

use crate::base::ids::{AccountId, Fingerprint, decode_hex, hex};
use crate::base::{Secret, Timestamp};
use crate::identity::CodeSecret;
use crate::identity::password::Pepper;
use crate::store::state::idempotency::Key;
use crate::store::state::{Means, Session};

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
        self.sealed(account.as_str(), secret.reveal().to_vec(), rng)
    }

    /// Opens what was sealed for this account.
    pub fn open(&self, account: &AccountId, sealed: &str) -> Option<CodeSecret> {
        let opened = self.opened(account.as_str(), sealed)?;
        Some(CodeSecret::of(<[u8; 20]>::try_from(&*opened).ok()?))
    }

    /// Seals a session, with the certificate that it is begun with; none when the machine gives no
    /// randomness.
    pub fn seal_session(
        &self,
        row: &SessionRow<'_>,
        shown: Option<&Shown>,
        rng: &dyn SecureRandom,
    ) -> Option<String> {
        let held = shown.map(|shown| [shown.key.to_string().as_bytes(), shown.chain.reveal()].concat());
        self.sealed(&row.text(), held.unwrap_or_default(), rng)
    }

    /// The certificate that a session was begun with, if it was with one; none of either when the
    /// gateway did not make the row as it is.
    pub fn open_session(&self, row: &SessionRow<'_>, seal: &str) -> Option<Option<Shown>> {
        let held = self.opened(&row.text(), seal)?;
        if row.means != Means::Certificate {
            return Some(None);
        }
        let (key, chain) = held.split_at_checked(64)?;
        let key = Fingerprint::parse(std::str::from_utf8(key).ok()?)?;
        Some(Some(Shown { key, chain: Secret::new(chain.to_vec()) }))
    }

    /// Seals what is kept to be answered again under a key: it may hold a one-time password; none
    /// when the machine gives no randomness.
    pub fn seal_answer(&self, key: &Key, answer: &Secret<String>, rng: &dyn SecureRandom) -> Option<String> {
        self.sealed(&answered(key), answer.reveal().clone().into_bytes(), rng)
    }

    /// Opens what was sealed under this key.
    pub fn open_answer(&self, key: &Key, sealed: &str) -> Option<Secret<String>> {
        let opened = self.opened(&answered(key), sealed)?;
        String::from_utf8(opened).ok().map(Secret::new)
    }

    /// Seals what somebody typed, for as long as it takes to sign in again; none when the machine gives
    /// no randomness.
    pub fn seal_draft(&self, account: &AccountId, text: String, rng: &dyn SecureRandom) -> Option<String> {
        self.sealed(&drafted(account), text.into_bytes(), rng)
    }

    /// Opens what this account typed.
    pub fn open_draft(&self, account: &AccountId, sealed: &str) -> Option<String> {
        String::from_utf8(self.opened(&drafted(account), sealed)?).ok()
    }

    fn sealed(&self, about: &str, mut text: Vec<u8>, rng: &dyn SecureRandom) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill(&mut nonce).ok()?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.seal.seal_in_place_append_tag(unique, Aad::from(about), &mut text).ok()?;
        Some(STANDARD_NO_PAD.encode([&nonce[..], &text[..]].concat()))
    }

    fn opened(&self, about: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.seal.open_in_place(nonce, Aad::from(about), &mut sealed).ok()?;
        Some(opened.to_vec())
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

/// What of a session's row nobody may change.
#[derive(Debug, Clone, Copy)]
pub struct SessionRow<'a> {
    /// Its name.
    pub id: &'a str,
    /// SHA-256 of its token, in hex.
    pub token: &'a str,
    /// Whose it is.
    pub account: &'a AccountId,
    /// What was signed in with.
    pub means: Means,
    /// Since when.
    pub since: Timestamp,
}

impl<'a> SessionRow<'a> {
    /// That of a session.
    pub fn of(session: &'a Session) -> Self {
        Self {
            id: &session.id,
            token: &session.token,
            account: &session.profile.account.id,
            means: session.means,
            since: session.since,
        }
    }

    /// Not to be mistaken for the id of an account, which has no spaces.
    fn text(&self) -> String {
        let Self { id, token, account, means, since } = self;
        format!("session {id} {token} {account} {} {}", means.as_str(), since.micros())
    }
}

/// The certificate that somebody showed.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its key.
    pub key: Fingerprint,
    /// It and those that vouch for it, as the connection had them: it may hold a person's name.
    pub chain: Secret<Vec<u8>>,
}

fn answered(key: &Key) -> String {
    format!("answer {} {} {}", key.account, key.key, key.request)
}

fn drafted(account: &AccountId) -> String {
    format!("draft {account}")
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
    fn a_draft_opens_for_whom_it_was_typed_by_and_is_no_other_secret() {
        let (key, rng) = (key(), SystemRandom::new());
        let (own, other) = (AccountId::parse("a").unwrap(), AccountId::parse("b").unwrap());
        let sealed = key.seal_draft(&own, "typed".to_owned(), &rng).unwrap();
        assert_eq!(key.open_draft(&own, &sealed).as_deref(), Some("typed"));
        assert!(key.open_draft(&other, &sealed).is_none() && key.open(&own, &sealed).is_none());
    }

    #[test]
    fn a_session_stands_as_the_gateway_made_it_and_with_nothing_of_it_changed() {
        let (key, rng) = (key(), SystemRandom::new());
        let (own, other) = (AccountId::parse("a").unwrap(), AccountId::parse("b").unwrap());
        let since = Timestamp::from_micros(7);
        let row = SessionRow { id: "s", token: "t", account: &own, means: Means::Certificate, since };
        let shown =
            Shown { key: Fingerprint::of_spki(b"key"), chain: Secret::new(b"a chain of them".to_vec()) };
        let seal = key.seal_session(&row, Some(&shown), &rng).unwrap();
        let held = key.open_session(&row, &seal).unwrap().unwrap();
        assert_eq!((held.key, held.chain.reveal()), (shown.key, shown.chain.reveal()));
        for changed in [
            SessionRow { id: "r", ..row },
            SessionRow { token: "u", ..row },
            SessionRow { account: &other, ..row },
            SessionRow { means: Means::Password, ..row },
            SessionRow { since: Timestamp::from_micros(8), ..row },
        ] {
            assert!(key.open_session(&changed, &seal).is_none(), "{changed:?}");
        }
        let bare = SessionRow { means: Means::Password, ..row };
        let seal = key.seal_session(&bare, None, &rng).unwrap();
        assert!(key.open_session(&bare, &seal).unwrap().is_none());
        assert!(key.open_session(&bare, "").is_none());
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
