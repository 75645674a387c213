//! What the address of a page asks for: its parameters, and addresses that ask for something else.
//!
//! Invariant: an input that was left empty asks for nothing; what is put into an address is escaped.

use std::collections::BTreeMap;
use std::str::FromStr;

use actix_web::HttpRequest;
use url::form_urlencoded;

use crate::base::{Code, Error, Result, Timestamp};

/// The parameters of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked(BTreeMap<String, String>);

impl Asked {
    /// Those of a request; of a name that stands twice, the last.
    pub fn of(req: &HttpRequest) -> Self {
        Self::parse(req.query_string())
    }

    fn parse(query: &str) -> Self {
        form_urlencoded::parse(query.as_bytes()).collect()
    }

    /// What is asked for under that name; empty where nothing is.
    pub fn value(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The same, where something is.
    pub fn given(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Is anything asked for under one of these names?
    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains_key(*name))
    }

    /// A number.
    ///
    /// # Errors
    /// `invalid-request` when it is none.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| fault(name))
    }

    /// A moment as an input for one has it: `2026-11-22T08:00`, in Asia/Shanghai.
    ///
    /// # Errors
    /// `invalid-request` when it is none.
    pub fn moment(&self, name: &str) -> Result<Option<Timestamp>> {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        let minute = text.get(..16).unwrap_or(text);
        Timestamp::parse(&format!("{minute}:00+08:00")).map(Some).ok_or_else(|| fault(name))
    }

    /// The same parameters with another value for one; an empty one takes it away. Where a page goes on
    /// is part of what was asked, and is taken away too.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut asked = self.0.clone();
        for place in ["before", "after"] {
            asked.remove(place);
        }
        if value.is_empty() {
            asked.remove(name)
        } else {
            asked.insert(name.to_owned(), value.to_owned())
        };
        Self(asked)
    }

    /// The same parameters without those that `is` holds of, be it of their names.
    pub fn without(&self, is: impl Fn(&str) -> bool) -> Self {
        let kept = self.0.iter().filter(|(name, value)| !is(name) && !is(value));
        Self(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The address of `path` with these parameters.
    pub fn at(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish();
        format!("{path}?{query}")
    }
}

impl<N: Into<String>, V: AsRef<str>> FromIterator<(N, V)> for Asked {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let trimmed = pairs.into_iter().map(|(name, value)| (name.into(), value.as_ref().trim().to_owned()));
        Self(trimmed.filter(|(_, value)| !value.is_empty()).collect())
    }
}

/// A moment as an input for one has it.
pub fn local(at: Timestamp) -> String {
    let ahead = at.plus_seconds(8 * 3600).to_string();
    ahead.get(..16).unwrap_or_default().to_owned()
}

fn fault(name: &str) -> Error {
    Error::at(Code::InvalidRequest, format!("/{name}"), Code::NotAllowedValue)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_empty_asks_for_nothing_and_an_address_is_escaped() {
        let asked = Asked::parse("kind=query&system=&outcome=a%26b+c&before=9");
        assert_eq!((asked.value("kind"), asked.given("system")), ("query", None));
        assert_eq!(asked.with("kind", "").at("/p"), "/p?outcome=a%26b+c");
        assert_eq!(asked.with("kind", "x=y").at("/p"), "/p?kind=x%3Dy&outcome=a%26b+c");
        assert_eq!(Asked::default().at("/p"), "/p");
    }

    #[test]
    fn a_moment_is_of_shanghai_there_and_back() {
        let asked = Asked::parse("from=2026-11-23T00:30&until=soon");
        let from = asked.moment("from").unwrap().unwrap();
        assert_eq!(from.to_string().get(..16), Some("2026-11-22T16:30"));
        assert_eq!(local(from), "2026-11-23T00:30");
        assert!(asked.moment("until").is_err());
    }
}
