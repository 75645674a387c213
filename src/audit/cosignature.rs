//! Cosignatures: what a witness says of a checkpoint. C2SP tlog-cosignature, version 1, Ed25519
//! (signature type 0x04).
//!
//! ```text
//! cosignature/v1
//! time 1679315147
//! example.com/behind-the-sofa
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//! ```
//!
//! is what is signed; the signature line of the note holds the time (8 bytes, big-endian) and the
//! signature. It says: at that time this was the largest tree of the log that I had seen, and
//! whatever I had seen before is a part of it.
//!
//! Invariant: a witness counts once, by its public key and not by its name: with two names for one
//! key nobody has two witnesses.

use std::collections::BTreeSet;
use std::fmt;

use ring::rand::SecureRandom;
use serde::{Deserialize, Deserializer};

use super::checkpoint::Checkpoint;
use super::note::{NoteError, SignatureType, SigningKey, VerifyingKey, split};
use crate::base::{Secret, Timestamp};

/// The most witnesses whose lines still fit into a note beside those of a log that changes keys.
pub const MAX_WITNESSES: usize = 12;

/// The public key of a witness, with its name.
#[derive(Clone, PartialEq, Eq)]
pub struct WitnessKey(VerifyingKey);

impl WitnessKey {
    /// Parses the text `<name>+<key id>+<base64 of 0x04 || public key>`.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        VerifyingKey::parse_as(SignatureType::Cosignature, text).map(Self)
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Checks that `note` carries this witness's cosignature and that it holds; gives the time that
    /// the witness says, the newest if there are several.
    pub fn verify(&self, note: &str) -> Result<Timestamp, NoteError> {
        let (text, lines) = split(note)?;
        let mut newest = None;
        for line in lines {
            let Some(bytes) = self.0.signature_in(line)? else { continue };
            let (seconds, signature) = bytes.split_first_chunk().ok_or(NoteError::MalformedNote)?;
            let seconds = i64::from_be_bytes(*seconds);
            if seconds < 0 {
                return Err(NoteError::MalformedNote);
            }
            self.0.check(message(text, seconds).as_bytes(), signature)?;
            newest = newest.max(Some(Timestamp::default().plus_seconds(seconds)));
        }
        newest.ok_or(NoteError::NotSigned)
    }

    /// The line of `answer` that is this witness's, which must hold for `note`; with its newline.
    pub fn pick(&self, note: &str, answer: &str) -> Result<(String, Timestamp), NoteError> {
        for line in answer.lines() {
            if self.0.signature_in(line)?.is_some() {
                let line = format!("{line}\n");
                let time = self.verify(&format!("{note}{line}"))?;
                return Ok((line, time));
            }
        }
        Err(NoteError::NotSigned)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for WitnessKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The private key of a witness.
#[derive(Debug)]
pub struct WitnessSigningKey {
    key: SigningKey,
    public: WitnessKey,
}

impl WitnessSigningKey {
    /// A new key; `None` when the name has a space or a plus sign, or the machine gives no
    /// randomness.
    pub fn generate(name: &str, rng: &dyn SecureRandom) -> Option<Self> {
        SigningKey::generate_as(SignatureType::Cosignature, name, rng).map(Self::of)
    }

    /// Parses the text that [`to_secret_text`](Self::to_secret_text) gives.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        SigningKey::parse_as(SignatureType::Cosignature, text).map(Self::of)
    }

    /// The text to keep in a file that nobody else can read.
    pub fn to_secret_text(&self) -> Secret<String> {
        self.key.to_secret_text()
    }

    /// The public half.
    pub fn public(&self) -> &WitnessKey {
        &self.public
    }

    /// The line that cosigns the checkpoint in `note` at `time`.
    ///
    /// # Errors
    /// When `note` is no signed note. Whether it should be cosigned is for the caller to know.
    pub fn cosign(&self, note: &str, time: Timestamp) -> Result<String, NoteError> {
        let (text, _) = split(note)?;
        let seconds = time.seconds().max(0);
        let signature = self.key.signature(message(text, seconds).as_bytes());
        Ok(self.key.line(&[&seconds.to_be_bytes()[..], &signature].concat()))
    }

    fn of(key: SigningKey) -> Self {
        let public = WitnessKey(key.public().clone());
        Self { key, public }
    }
}

/// What witnesses say of one checkpoint.
#[derive(Debug, Clone)]
pub struct Witnessed {
    /// The checkpoint, if its text is one of the log that was named and a witness signed it.
    pub checkpoint: Option<Checkpoint>,
    /// How many of the witnesses cosigned it.
    pub by: usize,
    /// The oldest of their times.
    pub since: Option<Timestamp>,
    /// The names of witnesses whose signature is there and does not hold.
    pub broken: Vec<String>,
}

/// Counts which of `keys` have cosigned the checkpoint of the log `origin` in `note`.
pub fn witnessed(note: &str, origin: &str, keys: &[WitnessKey]) -> Witnessed {
    let mut told = Witnessed { checkpoint: None, by: 0, since: None, broken: Vec::new() };
    let mut counted = BTreeSet::new();
    for key in keys {
        match key.verify(note) {
            Ok(time) if counted.insert(key.0.bytes()) => {
                told.by += 1;
                told.since = Some(told.since.map_or(time, |since| since.min(time)));
            }
            Ok(_) | Err(NoteError::NotSigned) => {}
            Err(_) => told.broken.push(key.name().to_owned()),
        }
    }
    if told.by > 0 {
        let text = split(note).map(|(text, _)| text);
        told.checkpoint = text.and_then(|text| Checkpoint::parse(text, origin)).ok();
    }
    told
}

fn message(text: &str, seconds: i64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::audit::Hash;

    const TIME: i64 = 1_679_315_147;

    fn time() -> Timestamp {
        Timestamp::default().plus_seconds(TIME)
    }

    fn witness(name: &str) -> WitnessSigningKey {
        WitnessSigningKey::generate(name, &SystemRandom::new()).unwrap()
    }

    fn note() -> String {
        let log = SigningKey::generate("sluice.test/log", &SystemRandom::new()).unwrap();
        Checkpoint::sign(7, &Hash::of_empty(), &log, &[])
    }

    /// Made apart from this program, with Python's `cryptography`, from what the specification says.
    const FOREIGN_KEY: &str = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    const FOREIGN_SECRET: &str =
        "PRIVATE+KEY+witness.example/w1+e75f6532+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    const BODY: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    const FOREIGN_LINE: &str = "\u{2014} witness.example/w1 519lMgAAAABkGFDLBuRDazBLVac2NE+Y+IjbjQOcXLfF9CSDZVUIoS83rE1nFZsVE8YiWV6Ngr7lV8H6bdoBQGP/l73euDMQ9k+bBQ==\n";

    #[test]
    fn a_cosignature_made_elsewhere_comes_out_byte_for_byte() {
        let note = format!(
            "{BODY}\n\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        );
        let key = WitnessSigningKey::parse(FOREIGN_SECRET).unwrap();
        assert_eq!(key.public().to_string(), FOREIGN_KEY);
        assert_eq!(key.cosign(&note, time()).unwrap(), FOREIGN_LINE);
        let whole = format!("{note}{FOREIGN_LINE}");
        assert_eq!(WitnessKey::parse(FOREIGN_KEY).unwrap().verify(&whole), Ok(time()));
    }

    #[test]
    fn a_cosignature_reads_back_with_its_time() {
        let (witness, note) = (witness("w1"), note());
        let line = witness.cosign(&note, time()).unwrap();
        assert_eq!(witness.public().verify(&format!("{note}{line}")), Ok(time()));
        assert_eq!(witness.public().pick(&note, &line), Ok((line, time())));
        assert_eq!(witness.public().verify(&note), Err(NoteError::NotSigned));
    }

    #[test]
    fn a_cosignature_changed_anywhere_is_refused() {
        let (witness, note) = (witness("w1"), note());
        let whole = format!("{note}{}", witness.cosign(&note, time()).unwrap());
        let text = note.split("\n\n").next().unwrap().len();
        let last = whole.trim_end().rfind('\n').unwrap() + 1;
        for at in (0..text).chain(last..whole.len()) {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(witness.public().verify(&changed).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_key_of_a_log_is_no_key_of_a_witness_nor_the_other_way_round() {
        let log = SigningKey::generate("a", &SystemRandom::new()).unwrap();
        assert_eq!(WitnessKey::parse(&log.public().to_string()), Err(NoteError::MalformedKey));
        let witness = witness("a");
        assert_eq!(VerifyingKey::parse(&witness.public().to_string()), Err(NoteError::MalformedKey));
        assert_eq!(WitnessKey::parse(&witness.public().to_string()).as_ref(), Ok(witness.public()));
        let again = WitnessSigningKey::parse(witness.to_secret_text().reveal()).unwrap();
        assert_eq!(again.public(), witness.public());
    }

    #[test]
    fn a_witness_is_counted_once_whatever_names_it_has() {
        let (one, two, note) = (witness("w1"), witness("w2"), note());
        // Base64 may have a plus sign of its own.
        let seed = one.to_secret_text().reveal().splitn(5, '+').nth(4).unwrap().to_owned();
        // The same key under another name, with the id that goes with it.
        let other = VerifyingKey::parse_as(SignatureType::Cosignature, &one.public().to_string()).unwrap();
        let other = alias(&other, "w3");
        let signer = WitnessSigningKey::parse(&format!(
            "PRIVATE+KEY+w3+{}+{seed}",
            other.to_string().split('+').nth(1).unwrap()
        ));
        let signer = signer.unwrap();
        let whole = [&one, &signer].iter().fold(note.clone(), |whole, key| {
            let line = key.cosign(&note, time()).unwrap();
            format!("{whole}{line}")
        });
        let keys = [one.public().clone(), two.public().clone(), signer.public().clone()];
        let told = witnessed(&whole, "sluice.test/log", &keys);
        assert_eq!((told.by, told.since, told.broken.len()), (1, Some(time()), 0));
        assert_eq!(told.checkpoint.map(|c| c.size), Some(7));
    }

    #[test]
    fn what_no_witness_signed_is_no_checkpoint_and_another_log_is_not_ours() {
        let (one, note) = (witness("w1"), note());
        let keys = [one.public().clone()];
        assert!(witnessed(&note, "sluice.test/log", &keys).checkpoint.is_none());
        let whole = format!("{note}{}", one.cosign(&note, time()).unwrap());
        assert!(witnessed(&whole, "another/log", &keys).checkpoint.is_none());
        let broken = whole.replace("\n7\n", "\n8\n");
        let told = witnessed(&broken, "sluice.test/log", &keys);
        assert_eq!((told.by, told.broken), (0, vec!["w1".to_owned()]));
    }

    fn alias(key: &VerifyingKey, name: &str) -> VerifyingKey {
        let digest = [name.as_bytes(), b"\n\x04", key.bytes()].concat();
        let id = crate::base::ids::hex(&Hash::of_bytes(&digest).0[..4]);
        let text = key.to_string();
        let material = text.splitn(3, '+').nth(2).unwrap();
        VerifyingKey::parse_as(SignatureType::Cosignature, &format!("{name}+{id}+{material}")).unwrap()
    }
}
