//! Strict JSON (RFC 8259, the subset of RFC 7493): one meaning for every text, and bounded.
//!
//! serde_json keeps the last of two members with one name; a peer may keep the first. Where two
//! readers of one message can see two requests, one of them can be lied to: so a name that
//! stands twice is an error here, and so is nesting beyond a bound.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::code::Code;
use super::locate::escape;

/// Why a text was not accepted, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// [`Code::MalformedJson`], [`Code::DuplicateKey`] or [`Code::TooDeep`].
    pub code: Code,
    /// JSON Pointer to the value in which parsing stopped.
    pub pointer: String,
}

/// Parses `text`, which may nest at most `max_depth` objects and arrays.
///
/// # Errors
/// The first fault of the text.
pub fn parse(text: &[u8], max_depth: usize) -> Result<Value, Fault> {
    let path = Path { steps: RefCell::default(), fault: Cell::new(Code::MalformedJson), max_depth };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let parsed = Strict { path: &path }.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    parsed.map_err(|_| Fault { code: path.fault.get(), pointer: path.pointer() })
}

/// Where the parser stands, and what it found wrong.
struct Path {
    steps: RefCell<Vec<Step>>,
    fault: Cell<Code>,
    max_depth: usize,
}

enum Step {
    Member(String),
    Item(usize),
}

impl Path {
    fn enter(&self, step: Step) {
        self.steps.borrow_mut().push(step);
    }

    fn leave(&self) {
        self.steps.borrow_mut().pop();
    }

    fn check_depth<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.steps.borrow().len() < self.max_depth {
            return Ok(());
        }
        self.fault.set(Code::TooDeep);
        Err(E::custom("too deep"))
    }

    /// Only names that look like members are repeated: a client that put a person's number where
    /// a name belongs must not find it in an error.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in self.steps.borrow().iter() {
            match step {
                Step::Item(index) => pointer.push_str(&format!("/{index}")),
                Step::Member(name) if is_member_name(name) => pointer.push_str(&format!("/{}", escape(name))),
                Step::Member(_) => break,
            }
        }
        pointer
    }
}

/// Does `name` look like a member of an interface: lower-case words joined by `_`?
pub fn is_member_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

struct Strict<'a> {
    path: &'a Path,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.path.check_depth()?;
        let mut items = Vec::new();
        loop {
            self.path.enter(Step::Item(items.len()));
            let Some(item) = seq.next_element_seed(Strict { path: self.path })? else { break };
            self.path.leave();
            items.push(item);
        }
        self.path.leave();
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.path.check_depth()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            self.path.enter(Step::Member(name.clone()));
            if members.contains_key(&name) {
                self.path.fault.set(Code::DuplicateKey);
                return Err(A::Error::custom("duplicate"));
            }
            members.insert(name, map.next_value_seed(Strict { path: self.path })?);
            self.path.leave();
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (Code, String) {
        let fault = parse(text.as_bytes(), 4).unwrap_err();
        (fault.code, fault.pointer)
    }

    #[test]
    fn ordinary_json_reads_as_serde_json_reads_it() {
        for text in ["null", "[]", r#"{"a":[1,-2,3.5,"x\u0041",true,null],"b":{}}"#, "18446744073709551615"] {
            assert_eq!(parse(text.as_bytes(), 4).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        assert_eq!(fault(r#"{"a":1,"a":2}"#), (Code::DuplicateKey, "/a".into()));
        assert_eq!(fault(r#"{"a":[0,{"b":1,"b":1}]}"#), (Code::DuplicateKey, "/a/1/b".into()));
        assert_eq!(fault(r#"{"a":[1,}"#), (Code::MalformedJson, "/a/1".into()));
        assert_eq!(fault("[[[[[1]]]]]"), (Code::TooDeep, "/0/0/0/0".into()));
        assert_eq!(fault("{} {}"), (Code::MalformedJson, String::new()));
        assert_eq!(fault("1e999"), (Code::MalformedJson, String::new()));
        assert_eq!(fault(""), (Code::MalformedJson, String::new()));
    }

    #[test]
    fn invalid_utf8_is_malformed() {
        assert_eq!(parse(b"\"\xff\"", 4).unwrap_err().code, Code::MalformedJson);
    }

    #[test]
    fn a_persons_number_used_as_a_name_is_not_repeated() {
        assert_eq!(fault(r#"{"11010519491231002X":[}"#).1, "");
    }
}
