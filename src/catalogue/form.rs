//! Disclosure forms: how much of a value is disclosed.
//!
//! Invariant: the order of the variants is the ladder, from least to most revealing, and every
//! comparison of forms in the package is this `Ord`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much of a value is disclosed (披露形式), from least to most revealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Is there a record?
    Exists,
    /// The answer of a comparison with a constant fixed beforehand.
    Predicate,
    /// A named band or a coarser unit.
    Band,
    /// Part of the characters.
    Mask,
    /// A stable token, different for every recipient and purpose.
    Pseudonym,
    /// The value.
    Plain,
}

impl Form {
    /// All forms, from least to most revealing.
    pub const LADDER: [Form; 6] =
        [Form::Exists, Form::Predicate, Form::Band, Form::Mask, Form::Pseudonym, Form::Plain];

    /// The name in requests, policies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Exists => "exists",
            Form::Predicate => "predicate",
            Form::Band => "band",
            Form::Mask => "mask",
            Form::Pseudonym => "pseudonym",
            Form::Plain => "plain",
        }
    }

    /// Parses the name.
    pub fn parse(name: &str) -> Option<Form> {
        Form::LADDER.into_iter().find(|form| form.as_str() == name)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Equal.
    #[serde(rename = "=")]
    Eq,
    /// Not equal.
    #[serde(rename = "!=")]
    Ne,
    /// Less.
    #[serde(rename = "<")]
    Lt,
    /// Less or equal.
    #[serde(rename = "<=")]
    Le,
    /// Greater.
    #[serde(rename = ">")]
    Gt,
    /// Greater or equal.
    #[serde(rename = ">=")]
    Ge,
}

impl Op {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Eq => "=",
            Op::Ne => "!=",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
        }
    }
}

/// A comparison of a field with a constant.
///
/// The constant is fixed by the owner: a caller who could choose it freely would find any value
/// by halving. Numbers compare as numbers; strings (dates as ISO 8601 has them) by code point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// The operator.
    pub op: Op,
    /// The constant: a number, a string or a boolean.
    pub value: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_the_order() {
        assert!(Form::LADDER.is_sorted());
        assert!(Form::LADDER.iter().all(|f| Form::parse(f.as_str()) == Some(*f)));
    }
}
