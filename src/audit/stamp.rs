//! Timestamps over checkpoints: RFC 3161, a request built and a token checked.
//!
//! A token is a CMS SignedData (RFC 5652) over a TSTInfo: "this hash was shown to me at this time",
//! signed by a certificate that is for nothing else. What is stamped is a checkpoint as it stands,
//! note and signature, under SHA-256; so `openssl ts -verify -data CHECKPOINT -in TOKEN -token_in`
//! checks the same without this program.
//!
//! Invariant: a [`Stamped`] exists only for a token that names this very checkpoint, whose
//! signature holds, by a certificate that the token itself commits to (RFC 5816) and that leads to
//! a given CA at the time that the token says. Not checked is whether the authority's certificate
//! was revoked. Signatures are RSA (PKCS#1), ECDSA (P-256, P-384) and Ed25519; others are refused.

use std::fmt;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use serde::{Deserialize, Deserializer};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::checkpoint::Checkpoint;
use super::der::{self, Reader};
use super::tree::Hash;
use crate::base::Timestamp;

/// The longest answer that is read: a token with a chain of several certificates is a tenth of it.
pub const MAX_ANSWER: usize = 64 << 10;

/// Bytes of the nonce by which an answer belongs to its request.
pub const NONCE: usize = 16;

// Object identifiers, as DER has them.
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNING_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];

/// Why a token was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// The bytes are not a timestamp.
    #[error("not a timestamp as RFC 3161 has it")]
    Malformed,
    /// The authority did not stamp; its status.
    #[error("the authority refused, with status {0}")]
    Refused(u8),
    /// It is over something else.
    #[error("the timestamp is over something else")]
    OtherImprint,
    /// It answers another request.
    #[error("the timestamp answers another request")]
    OtherNonce,
    /// It is under another policy than was asked for.
    #[error("the timestamp is under another policy")]
    OtherPolicy,
    /// Its time is not that of its making.
    #[error("the timestamp's time is too far from this machine's")]
    OtherTime,
    /// The signature does not hold.
    #[error("the timestamp's signature does not hold")]
    BadSignature,
    /// The certificate leads nowhere, or is not one for timestamps.
    #[error("the timestamp's certificate is not one for timestamps from the given CA")]
    Untrusted,
}

/// A policy's object identifier, such as `1.2.156.10197.6.1`.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy(Vec<u8>);

impl Policy {
    /// Parses the dotted form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut arcs = text.split('.').map(|arc| arc.parse::<u32>().ok());
        let (first, second) = (arcs.next()??, arcs.next()??);
        if first > 2 || (first < 2 && second > 39) {
            return None;
        }
        let mut bytes = Vec::new();
        push_arc(&mut bytes, (first * 40).checked_add(second)?);
        for arc in arcs {
            push_arc(&mut bytes, arc?);
        }
        Some(Self(bytes))
    }
}

/// In groups of seven bits, the first ones marked.
fn push_arc(out: &mut Vec<u8>, arc: u32) {
    for shift in [28, 21, 14, 7] {
        if arc >> shift > 0 {
            out.push((arc >> shift & 0x7f) as u8 | 0x80);
        }
    }
    out.push((arc & 0x7f) as u8);
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({})", crate::base::ids::hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("not an object identifier such as 1.2.156.1.1"))
    }
}

/// The CAs whose authorities are believed.
#[derive(Debug)]
pub struct Roots(Vec<TrustAnchor<'static>>);

impl Roots {
    /// Reads certificates as PEM; `None` when there is none, or one is no CA's.
    pub fn parse(pem: &[u8]) -> Option<Self> {
        let roots = CertificateDer::pem_slice_iter(pem)
            .map(|certificate| Some(webpki::anchor_from_trusted_cert(&certificate.ok()?).ok()?.to_owned()));
        let roots: Vec<_> = roots.collect::<Option<_>>()?;
        (!roots.is_empty()).then_some(Self(roots))
    }
}

/// A checkpoint that was stamped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// When, by the authority's clock.
    pub time: Timestamp,
    policy: Vec<u8>,
    nonce: Vec<u8>,
}

/// The request (TimeStampReq) to stamp `note`, with the certificates that check the answer.
pub fn request(note: &str, policy: Option<&Policy>, nonce: &[u8; NONCE]) -> Vec<u8> {
    let hash = Hash::of_bytes(note.as_bytes());
    let algorithm =
        der::value(der::SEQUENCE, &[&der::value(der::OID, &[SHA256]), &der::value(der::NULL, &[])]);
    let imprint = der::value(der::SEQUENCE, &[&algorithm, &der::value(der::OCTETS, &[&hash.0])]);
    let policy = policy.map(|policy| der::value(der::OID, &[&policy.0])).unwrap_or_default();
    let certificates = der::value(der::BOOLEAN, &[&[0xff]]);
    der::value(
        der::SEQUENCE,
        &[&der::unsigned(&[1]), &imprint, &policy, &der::unsigned(nonce), &certificates],
    )
}

/// The token in an answer (TimeStampResp) to [`request`], after all checks; `now` is this machine's
/// time, from which the authority's may differ by `skew` seconds.
///
/// # Errors
/// What is wrong with it.
pub fn accept(
    answer: &[u8],
    asked: (&str, Option<&Policy>, &[u8; NONCE]),
    roots: &Roots,
    (now, skew): (Timestamp, u32),
) -> Result<(Vec<u8>, Stamped), StampError> {
    let (note, policy, nonce) = asked;
    let token = token_in(answer)?;
    let stamped = check(token, note, roots)?;
    if stamped.nonce != Reader::new(&der::unsigned(nonce)).take(der::INTEGER).unwrap_or_default() {
        return Err(StampError::OtherNonce);
    }
    if policy.is_some_and(|policy| policy.0 != stamped.policy) {
        return Err(StampError::OtherPolicy);
    }
    if stamped.time.seconds().abs_diff(now.seconds()) > u64::from(skew) {
        return Err(StampError::OtherTime);
    }
    Ok((token.to_vec(), stamped))
}

/// Checks a token over the checkpoint in `note`.
///
/// # Errors
/// What is wrong with it.
pub fn check(token: &[u8], note: &str, roots: &Roots) -> Result<Stamped, StampError> {
    let signed = Signed::read(token).ok_or(StampError::Malformed)?;
    let (imprint, stamped) = info(signed.content).ok_or(StampError::Malformed)?;
    if imprint != Hash::of_bytes(note.as_bytes()).0 {
        return Err(StampError::OtherImprint);
    }
    signed.verify(roots, stamped.time)?;
    Ok(stamped)
}

/// The checkpoint of the log `origin` in a note that was stamped: the authority's signature, which
/// [`check`] has seen to, stands for the log's own, whose key may have changed since.
pub fn checkpoint(note: &str, origin: &str, _: &Stamped) -> Option<Checkpoint> {
    let (text, _) = super::note::split(note).ok()?;
    Checkpoint::parse(text, origin).ok()
}

/// TimeStampResp: a status, and the token when it is one of the first two.
fn token_in(answer: &[u8]) -> Result<&[u8], StampError> {
    let read = || {
        let mut answer = Reader::new(answer).enter(der::SEQUENCE)?;
        let status = answer.enter(der::SEQUENCE)?.take(der::INTEGER)?;
        Some((*status.last()?, answer.optional(der::SEQUENCE).map(|token| token.whole)))
    };
    match read().ok_or(StampError::Malformed)? {
        (0 | 1, Some(token)) => Ok(token),
        (0 | 1, None) => Err(StampError::Malformed),
        (status, _) => Err(StampError::Refused(status)),
    }
}

/// TSTInfo: the imprint under SHA-256, and what else counts.
fn info(content: &[u8]) -> Option<(&[u8], Stamped)> {
    let mut info = Reader::new(content).enter(der::SEQUENCE)?;
    if info.take(der::INTEGER)? != [1] {
        return None;
    }
    let policy = info.take(der::OID)?.to_vec();
    let mut imprint = info.enter(der::SEQUENCE)?;
    if imprint.enter(der::SEQUENCE)?.take(der::OID)? != SHA256 {
        return None;
    }
    let imprint = imprint.take(der::OCTETS)?;
    info.take(der::INTEGER)?;
    let time = generalized_time(info.take(der::TIME)?)?;
    // Accuracy and ordering say nothing that is needed here.
    info.optional(der::SEQUENCE);
    info.optional(der::BOOLEAN);
    let nonce = info.take(der::INTEGER).unwrap_or_default().to_vec();
    Some((imprint, Stamped { time, policy, nonce }))
}

/// `20261122080000Z` or with a fraction of a second.
fn generalized_time(bytes: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (date, clock) = text.split_at_checked(8)?;
    let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
    let (hour, minute, rest) = (clock.get(..2)?, clock.get(2..4)?, clock.get(4..)?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{rest}"))
}

/// What of a SignedData matters.
struct Signed<'a> {
    content: &'a [u8],
    certificates: Vec<CertificateDer<'a>>,
    digest: &'a [u8],
    attributes: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(token: &'a [u8]) -> Option<Self> {
        let mut outer = Reader::new(token).enter(der::SEQUENCE)?;
        if outer.take(der::OID)? != SIGNED_DATA {
            return None;
        }
        let mut data = outer.enter(der::context(0))?.enter(der::SEQUENCE)?;
        data.take(der::INTEGER)?;
        data.take(der::SET)?;
        let mut encapsulated = data.enter(der::SEQUENCE)?;
        if encapsulated.take(der::OID)? != TST_INFO {
            return None;
        }
        let content = encapsulated.enter(der::context(0))?.take(der::OCTETS)?;
        let mut certificates = Vec::new();
        let mut given = data.enter(der::context(0)).unwrap_or(Reader::new(&[]));
        while let Some(certificate) = given.optional(der::SEQUENCE) {
            certificates.push(CertificateDer::from(certificate.whole));
        }
        data.optional(der::context(1));
        let mut signers = data.enter(der::SET)?;
        let mut signer = signers.enter(der::SEQUENCE)?;
        // RFC 3161 section 2.4.2: no signature but the authority's.
        if !signers.is_empty() {
            return None;
        }
        signer.take(der::INTEGER)?;
        signer.any()?;
        let digest = signer.enter(der::SEQUENCE)?.take(der::OID)?;
        let attributes = signer.take(der::context(0))?;
        signer.take(der::SEQUENCE)?;
        let signature = signer.take(der::OCTETS)?;
        Some(Self { content, certificates, digest, attributes, signature })
    }

    /// The one value of a signed attribute.
    fn attribute(&self, kind: &[u8]) -> Option<Reader<'a>> {
        let mut attributes = Reader::new(self.attributes);
        while let Some(mut attribute) = attributes.enter(der::SEQUENCE) {
            if attribute.take(der::OID)? == kind {
                return attribute.enter(der::SET);
            }
        }
        None
    }

    fn verify(&self, roots: &Roots, time: Timestamp) -> Result<(), StampError> {
        let digest = digest(self.digest).ok_or(StampError::Malformed)?;
        let named = self.attribute(CONTENT_TYPE).and_then(|mut value| value.take(der::OID));
        let hashed = self.attribute(MESSAGE_DIGEST).and_then(|mut value| value.take(der::OCTETS));
        let computed = ring::digest::digest(digest, self.content);
        if named != Some(TST_INFO) || hashed != Some(computed.as_ref()) {
            return Err(StampError::BadSignature);
        }
        let certificate = self.signer().ok_or(StampError::Untrusted)?;
        let entity = EndEntityCert::try_from(certificate).map_err(|_| StampError::Untrusted)?;
        // They are signed as the set that they are, not as the field that they stand in.
        let message = der::value(der::SET, &[self.attributes]);
        let mut algorithms = signatures(self.digest).into_iter();
        if !algorithms.any(|one| entity.verify_signature(one, &message, self.signature).is_ok()) {
            return Err(StampError::BadSignature);
        }
        if !is_for_timestamps(certificate) {
            return Err(StampError::Untrusted);
        }
        let at = UnixTime::since_unix_epoch(Duration::from_secs(
            u64::try_from(time.seconds()).map_err(|_| StampError::Malformed)?,
        ));
        entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &roots.0,
                &self.certificates,
                at,
                TimestampsOrAnything,
                None,
                None,
            )
            .map(|_| ())
            .map_err(|_| StampError::Untrusted)
    }

    /// The certificate whose hash stands among the signed attributes: that the signer meant.
    fn signer(&self) -> Option<&CertificateDer<'a>> {
        let (algorithm, wanted) = match self.attribute(SIGNING_CERTIFICATE_V2) {
            Some(mut value) => {
                let mut id = value.enter(der::SEQUENCE)?.enter(der::SEQUENCE)?.enter(der::SEQUENCE)?;
                let algorithm = match id.enter(der::SEQUENCE) {
                    Some(mut algorithm) => algorithm.take(der::OID)?,
                    None => SHA256,
                };
                (algorithm, id.take(der::OCTETS)?)
            }
            None => {
                let mut value = self.attribute(SIGNING_CERTIFICATE)?;
                let mut id = value.enter(der::SEQUENCE)?.enter(der::SEQUENCE)?.enter(der::SEQUENCE)?;
                (SHA1, id.take(der::OCTETS)?)
            }
        };
        let algorithm = digest(algorithm)?;
        self.certificates.iter().find(|c| ring::digest::digest(algorithm, c).as_ref() == wanted)
    }
}

fn digest(oid: &[u8]) -> Option<&'static ring::digest::Algorithm> {
    match oid {
        // Only to find a certificate among those that come with the token; the chain decides.
        SHA1 => Some(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
        SHA256 => Some(&ring::digest::SHA256),
        SHA384 => Some(&ring::digest::SHA384),
        SHA512 => Some(&ring::digest::SHA512),
        _ => None,
    }
}

/// What a signature over a hash of this kind can be: the certificate's key says which.
fn signatures(digest: &[u8]) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    use webpki::ring::*;
    match digest {
        SHA256 => vec![RSA_PKCS1_2048_8192_SHA256, ECDSA_P256_SHA256, ECDSA_P384_SHA256],
        SHA384 => vec![RSA_PKCS1_2048_8192_SHA384, ECDSA_P256_SHA384, ECDSA_P384_SHA384],
        SHA512 => vec![RSA_PKCS1_2048_8192_SHA512, ED25519],
        _ => Vec::new(),
    }
}

/// RFC 3161 section 2.3: a certificate that is critically for timestamps and for nothing else.
fn is_for_timestamps(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let Ok(Some(purpose)) = certificate.extended_key_usage() else { return false };
    let uses = purpose.value;
    let others = uses.any || uses.server_auth || uses.client_auth || uses.code_signing;
    let others = others || uses.email_protection || uses.ocsp_signing || !uses.other.is_empty();
    purpose.critical && uses.time_stamping && !others
}

/// CAs on the way mostly do not say what they are for; one that does must be for timestamps.
struct TimestampsOrAnything;

impl ExtendedKeyUsageValidator for TimestampsOrAnything {
    fn validate(&self, uses: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        const TIMESTAMPS: &[usize] = &[1, 3, 6, 1, 5, 5, 7, 3, 8];
        let mut silent = true;
        for used in uses {
            if used?.to_decoded_oid() == TIMESTAMPS {
                return Ok(());
            }
            silent = false;
        }
        if silent { Ok(()) } else { Err(webpki::Error::EmptyEkuExtension) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
