//! Things that must not be printed: keys, passwords, and the values that departments share.
//!
//! Invariant: neither type here has a `Debug` or `Display` that shows its content, so neither
//! can reach a log line, an error or a trace by accident.

use std::fmt;

use ring::hmac;

/// A secret: a key, a password, a token.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a secret.
    pub fn new(inner: T) -> Self {
        Self(inner)
    }

    /// The secret itself. Each call is a place to review.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Are they the same? Takes the same time whatever they have in common.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"compare");
    hmac::verify(&key, a, hmac::sign(&key, b).as_ref()).is_ok()
}

/// A value from a department's data, or an identifier of a subject.
///
/// It is compared and disclosed, never printed.
#[derive(Clone, PartialEq)]
pub struct Value(serde_json::Value);

impl Value {
    /// Wraps a value as it came from an adapter or a request.
    pub fn new(inner: serde_json::Value) -> Self {
        Self(inner)
    }

    /// The value itself. Each call is a place to review.
    pub fn reveal(&self) -> &serde_json::Value {
        &self.0
    }

    /// Gives the value away.
    pub fn into_inner(self) -> serde_json::Value {
        self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(***)")
    }
}
