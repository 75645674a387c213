//! Signed notes and keys as text: C2SP signed-note with Ed25519 (signature type 0x01).
//!
//! ```text
//! If you think cryptography is the answer to your problem,
//! then you don't know what your problem is.
//!
//! — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
//! ```
//!
//! The text ends in a newline; an empty line follows; then a line per signature: an em dash, the
//! key's name, and base64 of key id (4 bytes) and signature. The key id is the beginning of
//! SHA-256(name || 0x0A || 0x01 || public key). Keys as text:
//!
//! ```text
//! verifier  <name>+<key id, hex>+<base64 of 0x01 || public key>
//! signer    PRIVATE+KEY+<name>+<key id, hex>+<base64 of 0x01 || seed>
//! ```
//!
//! Invariant: a signature line of an unknown key is passed over, one of a known key must hold.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Deserializer};

use crate::base::ids::{decode_hex, hex};

/// What a key signs, as its text and its id say it: the "signature type" of signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureType {
    /// Notes: the text as it stands.
    Note = 0x01,
    /// Checkpoints of others, with the time: see [`super::cosignature`].
    Cosignature = 0x04,
}

const MAX_NOTE: usize = 64 * 1024;
const MAX_SIGNATURES: usize = 16;

/// Why a key or a note was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text of a key does not follow the form.
    #[error("not a key: expected <name>+<key id>+<base64>")]
    MalformedKey,
    /// The note does not follow the form.
    #[error("not a signed note")]
    MalformedNote,
    /// No signature by the key.
    #[error("not signed by the key")]
    NotSigned,
    /// A signature under the key's name and id that does not hold.
    #[error("the signature does not hold")]
    BadSignature,
}

/// A public key with the name of the log it belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    signs: SignatureType,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifyingKey {
    /// Parses a verifier key's text.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        Self::parse_as(SignatureType::Note, text)
    }

    pub(super) fn parse_as(signs: SignatureType, text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim_end().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::MalformedKey);
        };
        let key = Self::new(name, signs, &decode_key(signs, key)?).ok_or(NoteError::MalformedKey)?;
        match decode_hex(id) {
            Some(id) if id == key.id => Ok(key),
            _ => Err(NoteError::MalformedKey),
        }
    }

    /// The name: the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks that `note` carries a signature by this key that holds, and gives its text.
    pub fn verify<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let (text, lines) = split(note)?;
        let mut signed = false;
        for line in lines {
            if let Some(signature) = self.signature_in(line)? {
                self.check(text.as_bytes(), &signature)?;
                signed = true;
            }
        }
        if signed { Ok(text) } else { Err(NoteError::NotSigned) }
    }

    /// The signature on a line, if the line is this key's.
    pub(super) fn signature_in(&self, line: &str) -> Result<Option<Vec<u8>>, NoteError> {
        let (name, signature) = parse_line(line)?;
        let (id, signature) = signature.split_at_checked(4).ok_or(NoteError::MalformedNote)?;
        Ok((name == self.name && id == self.id).then(|| signature.to_vec()))
    }

    pub(super) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), NoteError> {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(message, signature).map_err(|_| NoteError::BadSignature)
    }

    /// The key itself, whatever its name and what it signs.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.public
    }

    fn new(name: &str, signs: SignatureType, public: &[u8; 32]) -> Option<Self> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
            return None;
        }
        let mut hashed = Vec::with_capacity(name.len() + 34);
        hashed.extend_from_slice(name.as_bytes());
        hashed.extend_from_slice(&[b'\n', signs as u8]);
        hashed.extend_from_slice(public);
        let digest = ring::digest::digest(&ring::digest::SHA256, &hashed);
        let id = *digest.as_ref().first_chunk()?;
        Some(Self { name: name.into(), signs, id, public: *public })
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex(&self.id), encode_key(self.signs, &self.public))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for VerifyingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A private key with the name of the log it signs for.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: crate::base::Secret<[u8; 32]>,
    public: VerifyingKey,
}

impl SigningKey {
    /// A new key for the log `name`; `None` when the name has a space or a plus sign, or the
    /// machine gives no randomness.
    pub fn generate(name: &str, rng: &dyn SecureRandom) -> Option<Self> {
        Self::generate_as(SignatureType::Note, name, rng)
    }

    pub(super) fn generate_as(signs: SignatureType, name: &str, rng: &dyn SecureRandom) -> Option<Self> {
        let mut seed = [0; 32];
        rng.fill(&mut seed).ok()?;
        Self::from_seed(name, signs, seed)
    }

    /// Parses a signer key's text.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        Self::parse_as(SignatureType::Note, text)
    }

    pub(super) fn parse_as(signs: SignatureType, text: &str) -> Result<Self, NoteError> {
        let text = text.trim_end().strip_prefix("PRIVATE+KEY+").ok_or(NoteError::MalformedKey)?;
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(seed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::MalformedKey);
        };
        let key = Self::from_seed(name, signs, decode_key(signs, seed)?).ok_or(NoteError::MalformedKey)?;
        match decode_hex(id) {
            Some(id) if id == key.public.id => Ok(key),
            _ => Err(NoteError::MalformedKey),
        }
    }

    /// The text to keep in a file that nobody else can read.
    pub fn to_secret_text(&self) -> crate::base::Secret<String> {
        let VerifyingKey { name, signs, id, .. } = &self.public;
        let seed = encode_key(*signs, self.seed.reveal());
        crate::base::Secret::new(format!("PRIVATE+KEY+{name}+{}+{seed}", hex(id)))
    }

    /// The public half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// A signature line for `text`, which must end in a newline.
    pub fn sign_line(&self, text: &str) -> String {
        self.line(&self.signature(text.as_bytes()))
    }

    pub(super) fn signature(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        bytes
    }

    /// The line that says that this key made `signature`.
    pub(super) fn line(&self, signature: &[u8]) -> String {
        let bytes = [&self.public.id, signature].concat();
        format!("\u{2014} {} {}\n", self.public.name, STANDARD.encode(bytes))
    }

    /// The signed note of `text`, which must end in a newline.
    pub fn sign(&self, text: &str) -> String {
        format!("{text}\n{}", self.sign_line(text))
    }

    fn from_seed(name: &str, signs: SignatureType, seed: [u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let public = VerifyingKey::new(name, signs, pair.public_key().as_ref().try_into().ok()?)?;
        Some(Self { pair, seed: crate::base::Secret::new(seed), public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, ***)", self.public)
    }
}

/// Splits a note into its text and its signature lines, without checking a signature.
pub(super) fn split(note: &str) -> Result<(&str, Vec<&str>), NoteError> {
    let fits = note.len() <= MAX_NOTE && !note.contains(|c: char| c < ' ' && c != '\n');
    let (text, signatures) = note.rsplit_once("\n\n").filter(|_| fits).ok_or(NoteError::MalformedNote)?;
    let lines: Vec<_> = signatures.strip_suffix('\n').ok_or(NoteError::MalformedNote)?.split('\n').collect();
    // The newline before the empty line belongs to the text.
    let text = note.get(..=text.len()).ok_or(NoteError::MalformedNote)?;
    if lines.len() > MAX_SIGNATURES { Err(NoteError::MalformedNote) } else { Ok((text, lines)) }
}

fn parse_line(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let (name, signature) = line
        .strip_prefix("\u{2014} ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or(NoteError::MalformedNote)?;
    Ok((name, STANDARD.decode(signature).map_err(|_| NoteError::MalformedNote)?))
}

fn decode_key(signs: SignatureType, text: &str) -> Result<[u8; 32], NoteError> {
    match STANDARD.decode(text).as_deref() {
        Ok([first, key @ ..]) if *first == signs as u8 => key.try_into().map_err(|_| NoteError::MalformedKey),
        _ => Err(NoteError::MalformedKey),
    }
}

fn encode_key(signs: SignatureType, key: &[u8; 32]) -> String {
    STANDARD.encode([&[signs as u8], &key[..]].concat())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    // The example of the format's first implementation; Ed25519 is deterministic.
    const SIGNER: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    // The example of the specification.
    const SPEC_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const SPEC_NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    #[test]
    fn the_published_examples_come_out_byte_for_byte() {
        let key = SigningKey::parse(SIGNER).unwrap();
        assert_eq!(key.public().to_string(), VERIFIER);
        assert_eq!(key.to_secret_text().reveal(), SIGNER);
        assert_eq!(key.sign(TEXT), format!("{TEXT}\n{LINE}"));
        assert_eq!(VerifyingKey::parse(VERIFIER).unwrap().verify(&key.sign(TEXT)), Ok(TEXT));
        let spec = VerifyingKey::parse(SPEC_KEY).unwrap();
        assert_eq!(spec.verify(SPEC_NOTE), Ok("This is an example message.\n"));
    }

    #[test]
    fn a_note_changed_anywhere_is_refused() {
        let key = VerifyingKey::parse(VERIFIER).unwrap();
        let note = format!("{TEXT}\n{LINE}");
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(key.verify(&changed).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_signature_of_a_stranger_neither_helps_nor_harms() {
        let key = SigningKey::parse(SIGNER).unwrap();
        let stranger = SigningKey::generate("other", &ring::rand::SystemRandom::new()).unwrap();
        let both = format!("{}{}", stranger.sign(TEXT), key.sign_line(TEXT));
        assert_eq!(key.public().verify(&both), Ok(TEXT));
        assert_eq!(stranger.public().verify(&both), Ok(TEXT));
        assert_eq!(key.public().verify(&stranger.sign(TEXT)), Err(NoteError::NotSigned));
    }

    #[test]
    fn a_key_with_a_wrong_id_is_no_key() {
        for bad in [
            &VERIFIER.replace("c74f20a3", "c74f20a4"),
            "",
            "a+b",
            "a b+c74f20a3+AA==",
            &format!("{VERIFIER}A"),
        ] {
            assert_eq!(VerifyingKey::parse(bad), Err(NoteError::MalformedKey), "{bad}");
        }
    }

    #[test]
    fn a_private_key_does_not_print() {
        let key = SigningKey::parse(SIGNER).unwrap();
        assert!(!format!("{key:?}").contains("AYEKFALV"));
    }
}
