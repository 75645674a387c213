//! The one error of a request.
//!
//! Invariant: what a client may see (a [`Code`], pointers, names from the catalogue) and what an
//! operator may see (the internal cause) are different members; only the first is ever rendered
//! to a client. Neither holds a value or an identifier of a subject.

use std::fmt;

use super::code::Code;
use super::ids::{FieldName, RuleId};

/// What a request comes to when it is not answered.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was not answered.
#[derive(Debug)]
pub struct Error {
    /// What the caller, the log and the metrics are told.
    pub code: Code,
    /// Faults of single members, for `invalid-request` and the like.
    pub invalid: Vec<Invalid>,
    /// Refused fields, for `refused`.
    pub fields: Vec<FieldRefusal>,
    /// Seconds after which a new try makes sense.
    pub retry_after: Option<u32>,
    /// The bound that was reached, for `quota-exhausted` and the like.
    pub bound: Option<Bound>,
    /// For the operator's log only.
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A bound on how often something may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its name in the interface, such as `grant-day`.
    pub name: &'static str,
    /// How much is allowed in the window.
    pub quota: u64,
    /// How much of it is left: less than was asked for.
    pub remaining: u64,
    /// The length of the window.
    pub window_seconds: u32,
}

/// A fault of one member of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// JSON Pointer (RFC 6901) into the request body.
    pub pointer: String,
    /// What is wrong there.
    pub code: Code,
    /// What was expected, in the catalogue's own names: never what was sent.
    pub expected: Option<String>,
}

/// Why one field is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRefusal {
    /// The field.
    pub field: FieldName,
    /// Why.
    pub code: Code,
    /// The rule or grant that decided, where one did.
    pub rule: Option<RuleId>,
    /// The most revealing form that may be asked for instead.
    pub permitted: Option<&'static str>,
    /// Where to apply for it, where applying can help.
    pub apply: Option<String>,
}

impl Error {
    /// An error of which the code says everything.
    pub fn new(code: Code) -> Self {
        Self { code, invalid: Vec::new(), fields: Vec::new(), retry_after: None, bound: None, cause: None }
    }

    /// One fault at one place of the request.
    pub fn at(code: Code, pointer: impl Into<String>, fault: Code) -> Self {
        Self::invalid(code, vec![Invalid { pointer: pointer.into(), code: fault, expected: None }])
    }

    /// Faults of members of the request.
    pub fn invalid(code: Code, invalid: Vec<Invalid>) -> Self {
        Self { invalid, ..Self::new(code) }
    }

    /// Fields that are not given.
    pub fn refused(fields: Vec<FieldRefusal>) -> Self {
        Self { fields, ..Self::new(Code::Refused) }
    }

    /// With the internal cause, which only the operator's log shows.
    pub fn because(self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// With the seconds after which a new try makes sense.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// With the bound that was reached.
    pub fn bound(self, bound: Bound) -> Self {
        Self { bound: Some(bound), ..self }
    }

    /// The internal cause, for the operator's log.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Error {}
