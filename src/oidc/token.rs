//! An ID token, and what must hold before its word is taken (OpenID Connect Core 1.0, section
//! 3.1.3.7). Pure: the keys and the time are given.
//!
//! Invariant: whoever has a subject from here has it from a token that this issuer signed, for this
//! client alone, for this very sign-in, and not long ago. A fault says what is wrong, never what
//! stands in the token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys::{Algorithm, KeySet};
use crate::base::secret::same;
use crate::base::{Timestamp, json};

/// Seconds by which the provider's clock may differ from ours.
const SKEW: i64 = 60;
/// The longest token that is looked at.
const LONGEST: usize = 16 << 10;
/// The deepest nesting of its JSON.
const DEEPEST: usize = 8;

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is none.
    #[error("the ID token cannot be read")]
    Malformed,
    /// It is not signed, or otherwise than by RS256 or ES256.
    #[error("the ID token is signed in no way that is accepted")]
    Algorithm,
    /// It is not signed with a key of the provider.
    #[error("the ID token is signed with none of the provider's keys")]
    Signature,
    /// Somebody else issued it.
    #[error("the ID token has another issuer")]
    Issuer,
    /// It is for somebody else, or for somebody else too.
    #[error("the ID token is for another audience")]
    Audience,
    /// Its time is over.
    #[error("the ID token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the ID token is of the future")]
    Early,
    /// It answers another sign-in.
    #[error("the ID token answers another sign-in")]
    Nonce,
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who issues it.
    pub issuer: &'a str,
    /// Whom it is for.
    pub client: &'a str,
    /// Which sign-in it answers.
    pub nonce: &'a str,
    /// The present moment.
    pub now: Timestamp,
}

/// A token in its parts, of which nothing is believed yet.
pub struct Unverified<'a> {
    /// What its header says that it is signed with.
    pub algorithm: Algorithm,
    /// Which key its header names.
    pub key: Option<String>,
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood, of which we understand none (RFC 7515 section 4.1.11).
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    azp: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl<'a> Unverified<'a> {
    /// Takes a token apart (JWS compact serialization, RFC 7515 section 7.1).
    ///
    /// # Errors
    /// `Malformed`, `Algorithm`.
    pub fn read(token: &'a str) -> Result<Self, Fault> {
        if token.len() > LONGEST {
            return Err(Fault::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Fault::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Fault::Malformed)?;
        let header: Header = decoded(header)?;
        if header.crit.is_some() {
            return Err(Fault::Algorithm);
        }
        Ok(Self {
            algorithm: Algorithm::named(&header.alg).ok_or(Fault::Algorithm)?,
            key: header.kid,
            signed,
            claims,
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| Fault::Malformed)?,
        })
    }

    /// The subject at the issuer, if everything is as it must be.
    ///
    /// # Errors
    /// What is wrong.
    pub fn subject(&self, keys: &KeySet, expected: &Expected<'_>) -> Result<String, Fault> {
        if !keys.verify(self.algorithm, self.key.as_deref(), self.signed.as_bytes(), &self.signature) {
            return Err(Fault::Signature);
        }
        let claims: Claims = decoded(self.claims)?;
        if claims.iss != expected.issuer {
            return Err(Fault::Issuer);
        }
        let for_us_alone = match &claims.aud {
            Audience::One(audience) => audience == expected.client,
            Audience::Many(all) => !all.is_empty() && all.iter().all(|audience| audience == expected.client),
        };
        if !for_us_alone || claims.azp.is_some_and(|party| party != expected.client) {
            return Err(Fault::Audience);
        }
        let now = expected.now.seconds();
        if claims.exp.saturating_add(SKEW) <= now {
            return Err(Fault::Expired);
        }
        if claims.iat.max(claims.nbf.unwrap_or(i64::MIN)).saturating_sub(SKEW) > now {
            return Err(Fault::Early);
        }
        if !claims.nonce.is_some_and(|nonce| same(nonce.as_bytes(), expected.nonce.as_bytes())) {
            return Err(Fault::Nonce);
        }
        Ok(claims.sub)
    }
}

fn decoded<T: DeserializeOwned>(part: &str) -> Result<T, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Malformed)?;
    // Strictly: a member that stands twice could be read in two ways.
    let value = json::parse(&bytes, DEEPEST).map_err(|_| Fault::Malformed)?;
    serde_json::from_value(value).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
