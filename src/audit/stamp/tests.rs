//! Timestamps, tried on vectors that were made with `openssl ts`, and with `openssl cms` where that
//! refuses to.

use proptest::prelude::*;

use super::*;

const NOTE: &str = include_str!("../../../tests/vectors/timestamp/checkpoint");
const REQUEST: &[u8] = include_bytes!("../../../tests/vectors/timestamp/request.tsq");
/// ECDSA P-256 with SHA-256, and the certificate's hash by SHA-256.
const EC: &[u8] = include_bytes!("../../../tests/vectors/timestamp/ec.tsr");
/// RSA with SHA-512, an intermediate CA, and the certificate's hash by SHA-1.
const RSA: &[u8] = include_bytes!("../../../tests/vectors/timestamp/rsa.tsr");
const REFUSED: &[u8] = include_bytes!("../../../tests/vectors/timestamp/refused.tsr");
const CA: &[u8] = include_bytes!("../../../tests/vectors/timestamp/ca.pem");
/// A CA of the same name with another key.
const OTHER_CA: &[u8] = include_bytes!("../../../tests/vectors/timestamp/other-ca.pem");
/// Signed by a certificate that is for servers as well.
const FOR_SERVERS: &[u8] = include_bytes!("../../../tests/vectors/timestamp/web-token.der");
/// Signed rightly, but the signed attributes do not say with which certificate.
const UNCOMMITTED: &[u8] = include_bytes!("../../../tests/vectors/timestamp/uncommitted-token.der");

const TIME: &str = "2026-11-22T12:18:38Z";

fn nonce() -> [u8; NONCE] {
    std::array::from_fn(|at| at as u8 + 1)
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap()
}

fn time() -> Timestamp {
    Timestamp::parse(TIME).unwrap()
}

fn roots() -> Roots {
    Roots::parse(CA).unwrap()
}

fn taken(answer: &[u8], roots: &Roots) -> Result<Timestamp, StampError> {
    let asked = (NOTE, Some(&policy("1.2.156.1.2")), &nonce());
    accept(answer, asked, roots, (time().plus_seconds(100), 100)).map(|(_, stamped)| stamped.time)
}

#[test]
fn the_request_is_the_one_that_openssl_answers() {
    assert_eq!(request(NOTE, Some(&policy("1.2.156.1.2")), &nonce()), REQUEST);
}

#[test]
fn what_openssl_stamps_is_accepted_with_its_time() {
    assert_eq!(taken(EC, &roots()), Ok(time()));
    assert_eq!(taken(RSA, &roots()), Ok(time()));
}

#[test]
fn an_answer_to_something_else_is_refused() {
    fn ask(note: &str, policy: &Policy, nonce: &[u8; NONCE], now: Timestamp) -> StampError {
        accept(EC, (note, Some(policy), nonce), &roots(), (now, 100)).unwrap_err()
    }
    let own = policy("1.2.156.1.2");
    assert_eq!(ask("another\n", &own, &nonce(), time()), StampError::OtherImprint);
    assert_eq!(ask(NOTE, &policy("1.2.156.1.1"), &nonce(), time()), StampError::OtherPolicy);
    assert_eq!(ask(NOTE, &own, &[1; NONCE], time()), StampError::OtherNonce);
    assert_eq!(ask(NOTE, &own, &nonce(), time().plus_seconds(101)), StampError::OtherTime);
    assert_eq!(ask(NOTE, &own, &nonce(), time().plus_seconds(-101)), StampError::OtherTime);
    assert_eq!(taken(REFUSED, &roots()), Err(StampError::Refused(2)));
}

#[test]
fn a_certificate_from_elsewhere_or_for_something_else_is_refused() {
    assert_eq!(taken(EC, &Roots::parse(OTHER_CA).unwrap()), Err(StampError::Untrusted));
    assert_eq!(taken(RSA, &Roots::parse(OTHER_CA).unwrap()), Err(StampError::Untrusted));
    assert_eq!(check(FOR_SERVERS, NOTE, &roots()), Err(StampError::Untrusted));
    assert_eq!(check(UNCOMMITTED, NOTE, &roots()), Err(StampError::Untrusted));
    assert!(Roots::parse(b"").is_none() && Roots::parse(NOTE.as_bytes()).is_none());
}

#[test]
fn a_token_changed_in_what_it_says_is_refused() {
    for answer in [EC, RSA] {
        let token = token_in(answer).unwrap();
        let signed = Signed::read(token).unwrap();
        let start = signed.content.as_ptr() as usize - token.as_ptr() as usize;
        let signature = signed.signature.as_ptr() as usize - token.as_ptr() as usize;
        let said = (start..start + signed.content.len()).chain(signature..signature + signed.signature.len());
        for at in said {
            let mut bytes = token.to_vec();
            bytes[at] ^= 1;
            assert!(check(&bytes, NOTE, &roots()).is_err(), "byte {at}");
        }
        for end in 0..token.len() {
            assert!(check(&token[..end], NOTE, &roots()).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn policies_are_encoded_as_the_standard_has_them() {
    assert_eq!(policy("1.2.840.113549").0, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]);
    assert_eq!(policy("2.999.3").0, [0x88, 0x37, 0x03]);
    for bad in ["", "1", "1.40", "3.1", "1.2.", "1.2.x", "1.2.-3", "1.2.4294967296"] {
        assert!(Policy::parse(bad).is_none(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn foreign_bytes_are_refused_and_nothing_worse(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0..EC.len(),
    ) {
        prop_assert!(taken(&bytes, &roots()).is_err());
        let mut changed = EC.to_vec();
        let end = changed.len().min(at + bytes.len());
        changed[at..end].copy_from_slice(&bytes[..end - at]);
        // Whatever it says: it ends.
        taken(&changed, &roots()).ok();
    }
}
