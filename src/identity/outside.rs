//! Who somebody is at an identity provider.
//!
//! Invariant: what names somebody there is compared letter by letter, and stands in the log only as
//! a digest.

use ring::digest::{SHA256, digest};

use crate::base::ids::hex;

/// The longest subject (OpenID Connect Core 1.0, section 2).
const LONGEST: usize = 255;

/// A subject at an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    issuer: String,
    subject: String,
}

impl Outside {
    /// Somebody there; none when nobody can be called so: a subject has 1 to 255 printable
    /// characters of ASCII.
    pub fn new(issuer: &str, subject: &str) -> Option<Self> {
        let named = !subject.is_empty() && subject.len() <= LONGEST;
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        (named && printable(subject) && printable(issuer))
            .then(|| Self { issuer: issuer.to_owned(), subject: subject.to_owned() })
    }

    /// The provider.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject there.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// SHA-256 of issuer and subject, in hex: what the log calls them.
    pub fn digest(&self) -> String {
        let text = format!("{}\n{}", self.issuer, self.subject);
        hex(digest(&SHA256, text.as_bytes()).as_ref())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_printable_and_of_bounded_length_and_no_two_have_one_digest() {
        for (subject, good) in
            [("a1b2", true), ("", false), ("a\nb", false), ("张", false), (&"x".repeat(256), false)]
        {
            assert_eq!(Outside::new("https://id.example", subject).is_some(), good, "{subject:?}");
        }
        let digest = |issuer: &str| Outside::new(issuer, "1").unwrap().digest();
        assert_ne!(digest("https://a"), digest("https://a/"));
    }
}
