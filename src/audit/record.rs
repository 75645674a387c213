//! What is written down: a record as canonical JSON.
//!
//! Invariant: a leaf is one JSON object with sorted ASCII member names, no floats, no space, and
//! integers over 2^53 as strings, so that one content has one text. The bytes are made once and
//! hashed as they are; nothing ever hashes a re-serialisation. This module must not know what
//! the members mean, except the ones that the log itself writes:
//!
//! | member | meaning |
//! |---|---|
//! | `v` | version of this list, 1 |
//! | `index` | position in the log, from 0 |
//! | `time` | when the log took it in, UTC, never before the record in front of it |
//! | `kind` | what sort of event |
//! | `log` | in the log's own records, what it says of itself: [`Own`] |
//! | `subjects` | per data subject: `type`, `commitment`, and the hash of the sealed `opening` |
//!
//! ```text
//! {"index":7,"kind":"query","outcome":"ok","time":"2026-11-22T08:00:00.000000Z","v":1}
//! ```

use std::ops::Range;

use serde::Deserialize;

use crate::base::{Secret, Timestamp};

/// The longest leaf, in bytes: what an entry bundle's length prefix can say (tlog-tiles).
pub const MAX_LEAF: usize = 65_535;

/// The most data subjects of one record.
pub const MAX_SUBJECTS: usize = 128;

/// The greatest integer that every JSON reader keeps exactly.
const MAX_EXACT: u64 = 1 << 53;

/// A JSON object under construction. Members may be added in any order; a name given twice
/// keeps the last value.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Sorted by name; each value's place in `bytes`.
    members: Vec<(&'static str, Range<usize>)>,
    bytes: Vec<u8>,
}

impl Object {
    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a string.
    pub fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.member(name, |out| write_string(out, value))
    }

    /// Adds a whole number; over 2^53 it is written as a string.
    pub fn number(&mut self, name: &'static str, value: u64) -> &mut Self {
        self.member(name, |out| {
            let quote: &[u8] = if value > MAX_EXACT { b"\"" } else { b"" };
            out.extend_from_slice(quote);
            out.extend_from_slice(value.to_string().as_bytes());
            out.extend_from_slice(quote);
        })
    }

    /// Adds true or false.
    pub fn flag(&mut self, name: &'static str, value: bool) -> &mut Self {
        self.member(name, |out| out.extend_from_slice(if value { b"true" } else { b"false" }))
    }

    /// Adds bytes as lower-case hex digits.
    pub fn hex(&mut self, name: &'static str, value: &[u8]) -> &mut Self {
        self.text(name, &crate::base::ids::hex(value))
    }

    /// Adds an object.
    pub fn object(&mut self, name: &'static str, value: &Object) -> &mut Self {
        self.member(name, |out| value.write(out))
    }

    /// Adds a list of objects.
    pub fn objects<'a>(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = &'a Object>,
    ) -> &mut Self {
        self.member(name, |out| write_list(out, values, |out, value| value.write(out)))
    }

    /// Adds a list of strings.
    pub fn texts<'a>(&mut self, name: &'static str, values: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.member(name, |out| write_list(out, values, write_string))
    }

    /// Adds a list of pairs of whole numbers, each at most 2^53.
    pub fn pairs(&mut self, name: &'static str, values: impl IntoIterator<Item = (u64, u64)>) -> &mut Self {
        self.member(name, |out| {
            write_list(out, values, |out, (a, b)| out.extend_from_slice(format!("[{a},{b}]").as_bytes()));
        })
    }

    /// Appends the object to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (position, (name, range)) in self.members.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            // The range was made from these bytes and they only grow.
            out.extend_from_slice(self.bytes.get(range.clone()).unwrap_or_default());
        }
        out.push(b'}');
    }

    /// About how long the object is, in bytes.
    pub fn len_hint(&self) -> usize {
        self.bytes.len() + self.members.iter().map(|(name, _)| name.len() + 4).sum::<usize>() + 2
    }

    fn member(&mut self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        debug_assert!(name.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\'));
        let start = self.bytes.len();
        write(&mut self.bytes);
        let range = start..self.bytes.len();
        match self.members.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => {
                if let Some(member) = self.members.get_mut(at) {
                    member.1 = range;
                }
            }
            Err(at) => self.members.insert(at, (name, range)),
        }
        self
    }
}

/// Kinds of record that the log knows: all but the last it writes of its own accord.
pub mod kind {
    /// Record 0: the log and its first key.
    pub const CREATED: &str = "log-created";
    /// The next record on is signed by another key.
    pub const ROTATION: &str = "key-rotation";
    /// The clock went back a little; records keep the last time until it has caught up.
    pub const CLOCK: &str = "clock-step";
    /// Openings were deleted.
    pub const ERASURE: &str = "erasure";
    /// The copy of the newest checkpoint was found empty and begun anew.
    pub const COPY_RESET: &str = "checkpoint-copy-reset";
    /// Something was done on which decisions rest.
    pub const ADMINISTRATION: &str = "administration";
}

/// What happened, before the log gave it a place: built by a use case, completed by the writer.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    members: Object,
    subjects: Vec<Subject>,
}

/// Whom a record is about: a kind of identifier and the identifier itself.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The kind of identifier, such as `id_number`.
    pub kind: String,
    /// The identifier.
    pub identifier: Secret<String>,
}

impl Draft {
    /// A record of `kind`, such as `query`.
    pub fn new(kind: &'static str) -> Self {
        let mut members = Object::new();
        members.text("kind", kind);
        Self { members, subjects: Vec::new() }
    }

    /// The members, to add to. `v`, `index`, `time`, `log` and `subjects` are the log's own: they
    /// must not be put here.
    pub fn members(&mut self) -> &mut Object {
        &mut self.members
    }

    /// Names a data subject. Only a commitment goes into the record.
    pub fn subject(&mut self, kind: &str, identifier: &str) -> &mut Self {
        self.subjects.push(Subject { kind: kind.into(), identifier: Secret::new(identifier.into()) });
        self
    }

    /// Takes the draft apart, for the writer: the members, and whom they are about.
    pub fn into_parts(self) -> (Object, Vec<Subject>) {
        (self.members, self.subjects)
    }
}

/// Completes the members into leaf bytes.
pub fn leaf(members: &mut Object, index: u64, time: Timestamp) -> Vec<u8> {
    members.number("index", index).text("time", &time.to_string()).number("v", 1);
    let mut bytes = Vec::with_capacity(members.len_hint());
    members.write(&mut bytes);
    bytes
}

/// The members that the log itself reads back out of a leaf.
#[derive(Debug, Deserialize)]
pub struct LeafHead<'a> {
    /// `index`.
    pub index: u64,
    /// `time`.
    pub time: Timestamp,
    /// `kind`.
    #[serde(borrow)]
    pub kind: std::borrow::Cow<'a, str>,
    /// `subjects`; empty when there are none.
    #[serde(borrow, default)]
    pub subjects: Vec<LeafSubject<'a>>,
    /// `log`; empty in all records but the log's own.
    #[serde(default)]
    pub log: Own,
}

/// What the log says of itself, in the member `log` of its own kinds of record.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Own {
    /// In a `log-created`: the first verifier key. In a `key-rotation`: the one that signs from
    /// the next record on.
    pub key: Option<String>,
    /// In an `erasure`: every opening that was deleted, by index of its record and position among
    /// its subjects.
    pub openings: Vec<(u64, u64)>,
}

/// One entry of `subjects`.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct LeafSubject<'a> {
    /// The commitment, hex.
    pub commitment: &'a str,
    /// SHA-256 of the sealed opening, hex.
    pub opening: &'a str,
}

impl<'a> LeafHead<'a> {
    /// Reads a leaf; the error says where the text ends to be JSON, and quotes nothing of it.
    pub fn parse(leaf: &'a [u8]) -> Result<Self, LeafError> {
        serde_json::from_slice(leaf).map_err(|e| LeafError { column: e.column(), cut_short: e.is_eof() })
    }
}

/// A leaf that is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record from byte {column} on")]
pub struct LeafError {
    /// Where, in bytes from 1.
    pub column: usize,
    /// Whether it simply ends too early.
    pub cut_short: bool,
}

fn write_list<T>(out: &mut Vec<u8>, values: impl IntoIterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (position, value) in values.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(out, value);
    }
    out.push(b']');
}

/// A JSON string. Besides what RFC 8259 section 7 demands, everything that is not printable in
/// one line is escaped (DEL, C1 controls, U+2028/9, bidirectional marks), so that a record looks
/// on a terminal like what it is.
fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    // Names, codes and numbers: nearly every text is printable ASCII through and through.
    if text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\') {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes()),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn text(object: &Object) -> String {
        let mut out = Vec::new();
        object.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_are_sorted_whatever_the_order_they_came_in() {
        let mut inner = Object::new();
        inner.text("system", "housing.aid").text("department", "housing");
        let mut draft = Draft::new("query");
        draft.members().texts("fields", ["b", "a"]).object("caller", &inner).flag("found", true);
        let (mut members, _) = draft.into_parts();
        let bytes = leaf(&mut members, 7, Timestamp::from_micros(0));
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"{"caller":{"department":"housing","system":"housing.aid"},"fields":["b","a"],"found":true,"index":7,"kind":"query","time":"1970-01-01T00:00:00.000000Z","v":1}"#);
    }

    #[test]
    fn an_integer_that_json_readers_would_round_is_a_string() {
        let mut object = Object::new();
        object.number("a", MAX_EXACT).number("b", MAX_EXACT + 1);
        assert_eq!(text(&object), r#"{"a":9007199254740992,"b":"9007199254740993"}"#);
    }

    #[test]
    fn what_does_not_print_in_one_line_is_escaped_and_reads_back() {
        let odd = "姓名\"\\\n\u{0}\u{7f}\u{85}\u{202e}\u{feff}\u{1f600}";
        let mut object = Object::new();
        object.text("a", odd);
        assert_eq!(
            text(&object),
            "{\"a\":\"姓名\\\"\\\\\\u000a\\u0000\\u007f\\u0085\\u202e\\ufeff\u{1f600}\"}"
        );
        let back: serde_json::Value = serde_json::from_str(&text(&object)).unwrap();
        assert_eq!(back, serde_json::json!({ "a": odd }));
        for short in ["\"", "a\\", "\u{7f}", "\n"] {
            let mut object = Object::new();
            object.text("a", short);
            let back: serde_json::Value = serde_json::from_str(&text(&object)).unwrap();
            assert_eq!(back, serde_json::json!({ "a": short }));
            assert!(text(&object).bytes().all(|b| matches!(b, b' '..=b'~')), "{short:?}");
        }
    }

    #[test]
    fn a_name_given_twice_stands_once_with_the_last_value() {
        let mut object = Object::new();
        object.number("a", 1).number("a", 2);
        assert_eq!(text(&object), r#"{"a":2}"#);
    }

    #[test]
    fn the_log_overwrites_members_that_are_its_own() {
        let mut draft = Draft::new("query");
        draft.members().number("index", 99).text("time", "never");
        let bytes = leaf(&mut draft.into_parts().0, 3, Timestamp::from_micros(5));
        let head = LeafHead::parse(&bytes).unwrap();
        assert_eq!((head.index, head.time, &*head.kind), (3, Timestamp::from_micros(5), "query"));
    }

    #[test]
    fn a_leaf_cut_short_is_told_from_a_leaf_that_is_wrong() {
        assert!(LeafHead::parse(b"{\"index\":1,\"ki").unwrap_err().cut_short);
        assert!(!LeafHead::parse(b"{\"index\":1]").unwrap_err().cut_short);
    }
}
