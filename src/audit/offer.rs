//! The body with which a log offers a checkpoint to a witness: C2SP tlog-witness, `add-checkpoint`.
//!
//! ```text
//! old 20852014
//! PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
//! jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
//!
//! example.com/behind-the-sofa
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```
//!
//! Invariant: an offer says nothing that is believed before it is checked; see [`Offer::grows`].

use std::fmt;

use super::checkpoint::Checkpoint;
use super::proof::check_consistency;
use super::tree::Hash;

/// The most hashes of a consistency proof that the protocol allows.
const MAX_PROOF: usize = 63;

/// A checkpoint, and the proof that it grew from the one that the witness saw before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The size that the witness is thought to have cosigned last; 0 if none.
    pub old: u64,
    /// The consistency proof (RFC 6962 section 2.1.2) from there.
    pub proof: Vec<Hash>,
    /// The checkpoint, a signed note.
    pub note: String,
}

impl Offer {
    /// Reads a body; `None` when it does not follow the form.
    pub fn parse(body: &str) -> Option<Self> {
        let (head, note) = body.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = lines.next()?.strip_prefix("old ")?;
        let size: u64 = old.parse().ok()?;
        let proof: Vec<Hash> = lines.map(Hash::parse).collect::<Option<_>>()?;
        let well = size.to_string() == old && proof.len() <= MAX_PROOF;
        well.then(|| Self { old: size, proof, note: note.to_owned() })
    }

    /// The log that it claims to be of: the first line of the note.
    pub fn origin(&self) -> &str {
        self.note.split('\n').next().unwrap_or_default()
    }

    /// Does the proof lead from the `root` that the witness has at size `old` to `checkpoint`,
    /// which is the note with its signature checked?
    pub fn grows(&self, root: &Hash, checkpoint: &Checkpoint) -> bool {
        match self.old {
            // Nothing was seen, so there is nothing to prove.
            0 => self.proof.is_empty(),
            old => check_consistency(old, checkpoint.size, &self.proof, root, &checkpoint.root),
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    #[test]
    fn the_example_of_the_specification_reads_back_and_is_written_so() {
        let offer = Offer::parse(EXAMPLE).unwrap();
        assert_eq!((offer.old, offer.proof.len()), (20_852_014, 4));
        assert_eq!(offer.origin(), "example.com/behind-the-sofa");
        assert_eq!(offer.to_string(), EXAMPLE);
    }

    #[test]
    fn a_first_offer_has_no_proof() {
        let offer = Offer { old: 0, proof: Vec::new(), note: "a\n1\nb\n\n\u{2014} a b\n".into() };
        assert_eq!(offer.to_string(), "old 0\n\na\n1\nb\n\n\u{2014} a b\n");
        assert_eq!(Offer::parse(&offer.to_string()), Some(offer));
    }

    #[test]
    fn another_form_is_no_offer() {
        let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=";
        for bad in [
            "".into(),
            "old 1\n".into(),
            "old 1\na\n".into(),
            "old 01\n\na\n".into(),
            "old -1\n\na\n".into(),
            "old  1\n\na\n".into(),
            "new 1\n\na\n".into(),
            format!("old 1\n{hash}=\n\na\n"),
            format!("old 1\n{}\n\na\n", &hash[1..]),
            format!("old 1\n{}\na\n", format!("{hash}\n").repeat(64)),
        ] {
            assert_eq!(Offer::parse(&bad), None, "{bad:?}");
        }
        assert!(Offer::parse(&format!("old 1\n{}\na\n", format!("{hash}\n").repeat(63))).is_some());
    }
}
