//! HTTP Message Signatures (RFC 9421) with HMAC-SHA256, and Content-Digest (RFC 9530), as far as a
//! webhook needs them. A worked example that a receiver can check itself by: docs/notices.md.
//!
//! Invariant: pure functions over bytes. What is signed is what decides how a notice is taken:
//! method, target, type, content, the notice's id, and when it was signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::hmac;

/// For how many seconds after its creation a signature is to be accepted.
pub const VALID_SECONDS: i64 = 300;

/// The label of the signature, should others be added on the way.
const LABEL: &str = "sluice";

/// A message to sign. No part may hold a line break or a quotation mark; URLs and ids do not.
pub struct Message<'a> {
    /// The URL that it is sent to.
    pub target: &'a str,
    /// The content, which is JSON.
    pub content: &'a [u8],
    /// The notice's id: the same however often it is sent.
    pub id: &'a str,
    /// The name of the secret: the department.
    pub key_id: &'a str,
    /// When it is signed, in seconds since 1970.
    pub created: i64,
}

/// The header fields that carry a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `Content-Digest`
    pub content_digest: String,
    /// `Idempotency-Key`
    pub idempotency_key: String,
    /// `Signature-Input`
    pub signature_input: String,
    /// `Signature`
    pub signature: String,
}

/// Signs a message.
pub fn sign(secret: &[u8], message: &Message<'_>) -> Signed {
    let Message { target, content, id, key_id, created } = message;
    let content_digest = format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, content)));
    let idempotency_key = format!("\"{id}\"");
    let expires = created.saturating_add(VALID_SECONDS);
    let parameters = format!(
        "(\"@method\" \"@target-uri\" \"content-type\" \"content-digest\" \"idempotency-key\")\
         ;created={created};expires={expires};keyid=\"{key_id}\";alg=\"hmac-sha256\""
    );
    let base = format!(
        "\"@method\": POST\n\
         \"@target-uri\": {target}\n\
         \"content-type\": application/json\n\
         \"content-digest\": {content_digest}\n\
         \"idempotency-key\": {idempotency_key}\n\
         \"@signature-params\": {parameters}"
    );
    Signed {
        content_digest,
        idempotency_key,
        signature_input: format!("{LABEL}={parameters}"),
        signature: format!("{LABEL}=:{}:", mac(secret, &base)),
    }
}

/// HMAC-SHA256 of a signature base (RFC 9421 section 3.3.3), in base64.
fn mac(secret: &[u8], base: &str) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), base.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// RFC 9421, Appendix B.2.5 with the shared secret of B.1.5.
    #[test]
    fn the_rfcs_example_is_reproduced() {
        let secret =
            "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
        let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
                    \"@authority\": example.com\n\
                    \"content-type\": application/json\n\
                    \"@signature-params\": (\"date\" \"@authority\" \"content-type\")\
                    ;created=1618884473;keyid=\"test-shared-secret\"";
        assert_eq!(
            mac(&STANDARD.decode(secret).unwrap(), base),
            "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
        );
    }

    /// RFC 9530, Appendix D, and RFC 9421 section 2.5: the digest of `{"hello": "world"}`.
    #[test]
    fn the_digest_is_that_of_the_rfc() {
        let message =
            Message { target: "", content: br#"{"hello": "world"}"#, id: "", key_id: "", created: 0 };
        let expected = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
        assert_eq!(sign(b"", &message).content_digest, expected);
    }

    /// What receivers check themselves by. Its numbers were made by Python's `hmac` and `hashlib`.
    #[test]
    fn the_example_in_the_documents_is_true() {
        let page = include_str!("../../docs/notices.md");
        let after = |begin: &str| page.split(begin).nth(1).and_then(|rest| rest.lines().next()).unwrap();
        let content = format!("{{\"id\":{}", after("{\"id\":"));
        let secret: Vec<u8> = (0..32).collect();
        let message = Message {
            target: "https://notices.civil.example/sluice",
            content: content.as_bytes(),
            id: "1795334400-7",
            key_id: "civil",
            created: 1_795_334_400,
        };
        let signed = sign(&secret, &message);
        assert_eq!(after("Content-Digest: "), signed.content_digest);
        assert_eq!(after("Idempotency-Key: "), signed.idempotency_key);
        assert_eq!(after("Signature-Input: "), signed.signature_input);
        assert_eq!(after("Signature: "), signed.signature);
    }

    #[test]
    fn whatever_is_changed_changes_the_signature() {
        let message = || Message {
            target: "https://hook.example/n",
            content: b"{}",
            id: "1-1",
            key_id: "civil",
            created: 1_795_334_400,
        };
        let signature = |secret: &[u8], message: Message<'_>| sign(secret, &message).signature;
        let sound = signature(b"secret", message());
        for changed in [
            signature(b"other", message()),
            signature(b"secret", Message { target: "https://hook.example/m", ..message() }),
            signature(b"secret", Message { content: b"[]", ..message() }),
            signature(b"secret", Message { id: "1-2", ..message() }),
            signature(b"secret", Message { key_id: "housing", ..message() }),
            signature(b"secret", Message { created: 1_795_334_401, ..message() }),
        ] {
            assert_ne!(changed, sound);
        }
    }
}
