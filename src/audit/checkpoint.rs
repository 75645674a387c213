//! Checkpoints: size and root of the log at one moment, signed. C2SP tlog-checkpoint.
//!
//! ```text
//! sluice.example.gov.cn/log
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — sluice.example.gov.cn/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```
//!
//! Invariant: a [`Checkpoint`] exists only with a signature over its text checked: the log's own, or
//! that of a witness or a timestamp authority who saw it. Nothing else parses one.

use super::note::{NoteError, SigningKey, VerifyingKey};
use super::tree::Hash;

/// A checkpoint whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Records in it.
    pub size: u64,
    /// Root hash over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Opens a signed checkpoint; the key's name must be the log's origin.
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Self, NoteError> {
        Self::parse(key.verify(note)?, key.name())
    }

    /// The checkpoint of the log `name` in a text for which somebody's signature was checked.
    pub(super) fn parse(text: &str, name: &str) -> Result<Self, NoteError> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::MalformedNote);
        };
        let size = size.parse().ok().filter(|n: &u64| n.to_string() == size);
        match (size, Hash::parse(root)) {
            (Some(size), Some(root)) if origin == name => Ok(Self { origin: origin.into(), size, root }),
            _ => Err(NoteError::MalformedNote),
        }
    }

    /// The text that is signed.
    pub fn text(origin: &str, size: u64, root: &Hash) -> String {
        format!("{origin}\n{size}\n{root}\n")
    }

    /// Signs a checkpoint for the log that the key is named after, with more keys beside it while
    /// the log goes over from one to the next.
    pub fn sign(size: u64, root: &Hash, key: &SigningKey, beside: &[&SigningKey]) -> String {
        let text = Self::text(key.public().name(), size, root);
        let mut note = key.sign(&text);
        beside.iter().for_each(|key| note.push_str(&key.sign_line(&text)));
        note
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key(name: &str) -> SigningKey {
        SigningKey::generate(name, &ring::rand::SystemRandom::new()).unwrap()
    }

    #[test]
    fn a_checkpoint_reads_back_and_lays_out_as_specified() {
        let key = key("sluice.test/log");
        let root = Hash::of_empty();
        let note = Checkpoint::sign(7, &root, &key, &[]);
        assert!(note.starts_with(
            "sluice.test/log\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\u{2014} sluice.test/log "
        ));
        let checkpoint = Checkpoint::open(&note, key.public()).unwrap();
        assert_eq!(checkpoint, Checkpoint { origin: "sluice.test/log".into(), size: 7, root });
    }

    #[test]
    fn a_checkpoint_of_another_log_or_shape_is_refused_though_signed() {
        let key = key("a");
        let root = Hash::of_empty();
        for text in [
            format!("b\n7\n{root}\n"),
            format!("a\n07\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            "a\n7\nAAAA\n".to_owned(),
            "a\n7\n".to_owned(),
        ] {
            assert!(Checkpoint::open(&key.sign(&text), key.public()).is_err(), "{text}");
        }
    }
}
