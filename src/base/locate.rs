//! Finds the line of a JSON file on which the value at a JSON Pointer (RFC 6901) stands.
//!
//! serde_json forgets positions once it has parsed; a fault without a line costs an operator an
//! afternoon. This scanner runs only over text that serde_json has already accepted, so it does
//! not check the grammar again.

use std::collections::HashMap;

/// The lines of every value in a valid JSON text, by JSON Pointer.
#[derive(Debug, Default)]
pub struct Lines(HashMap<String, usize>);

impl Lines {
    /// Scans `text`, which must be valid JSON.
    pub fn of(text: &str) -> Self {
        let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 1, lines: HashMap::new() };
        scan.value(String::new());
        Self(scan.lines)
    }

    /// The line of the value at `pointer`, or of its nearest ancestor that exists.
    pub fn line(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.0.get(pointer) {
                return *line;
            }
            match pointer.rfind('/') {
                Some(cut) => pointer = pointer.get(..cut).unwrap_or_default(),
                None => return 1,
            }
        }
    }
}

/// One step of a JSON Pointer: `~` and `/` escaped (RFC 6901 section 3).
pub fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// The line, from 1, of the byte at `offset`: for parsers that tell offsets.
pub fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    lines: HashMap<String, usize>,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                other => return Some(*other),
            }
            self.at += 1;
        }
        None
    }

    fn value(&mut self, pointer: String) {
        let first = self.peek();
        // The line of a member is the line of its key, which was noted before: keep that one.
        self.lines.entry(pointer.clone()).or_insert(self.line);
        match first {
            Some(b'{') => self.object(&pointer),
            Some(b'[') => self.array(&pointer),
            Some(b'"') => {
                self.string();
            }
            _ => self.scalar(),
        }
    }

    fn object(&mut self, pointer: &str) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    let line = self.line;
                    let member = format!("{pointer}/{}", escape(&self.string()));
                    self.lines.insert(member.clone(), line);
                    self.peek();
                    self.at += 1; // the colon
                    self.value(member);
                }
                b'}' => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1, // a comma
            }
        }
    }

    fn array(&mut self, pointer: &str) {
        self.at += 1;
        let mut index = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b']' => {
                    self.at += 1;
                    return;
                }
                b',' => self.at += 1,
                _ => {
                    self.value(format!("{pointer}/{index}"));
                    index += 1;
                }
            }
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => break,
                _ => {}
            }
        }
        self.bytes.get(start..self.at).and_then(|raw| serde_json::from_slice(raw).ok()).unwrap_or_default()
    }

    fn scalar(&mut self) {
        while self
            .bytes
            .get(self.at)
            .is_some_and(|b| !matches!(b, b',' | b'}' | b']' | b'\n' | b' ' | b'\t' | b'\r'))
        {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_finds_its_line() {
        let lines = Lines::of("{\n \"a\": {\n  \"b/c\": [1,\n   {\"d\": \"x\\\"}\"}],\n  \"e\": 2\n }\n}");
        assert_eq!(lines.line(""), 1);
        assert_eq!(lines.line("/a"), 2);
        assert_eq!(lines.line("/a/b~1c"), 3);
        assert_eq!(lines.line("/a/b~1c/1"), 4);
        assert_eq!(lines.line("/a/b~1c/1/d"), 4);
        assert_eq!(lines.line("/a/e"), 5);
    }

    #[test]
    fn a_missing_member_is_reported_where_it_should_stand() {
        assert_eq!(Lines::of("{\n \"a\": {\n }\n}").line("/a/missing/deeper"), 2);
    }
}
