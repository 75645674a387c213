//! DER (X.690), as much of it as a timestamp needs: values read one after the other, and written.
//!
//! Invariant: only what DER allows is read: definite lengths in their shortest form, tags of one
//! byte. Nothing is ever read twice, copied or allocated, so foreign bytes cost what they are long.

/// Universal tags.
pub const INTEGER: u8 = 0x02;
/// OCTET STRING.
pub const OCTETS: u8 = 0x04;
/// NULL.
pub const NULL: u8 = 0x05;
/// OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;
/// GeneralizedTime.
pub const TIME: u8 = 0x18;
/// SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// SET.
pub const SET: u8 = 0x31;
/// BOOLEAN.
pub const BOOLEAN: u8 = 0x01;

/// The context-specific, constructed tag `[number]`.
pub const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Reads values one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

/// One value.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    /// Its tag.
    pub tag: u8,
    /// What it holds.
    pub content: &'a [u8],
    /// All of it, tag and length too.
    pub whole: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The values in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Is there no more?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value, whatever it is.
    pub fn any(&mut self) -> Option<Value<'a>> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
                let shortest = length > 0x7f && digits.first() != Some(&0);
                (Some(length).filter(|_| shortest)?, rest)
            }
            _ => return None,
        };
        let (content, behind) = rest.split_at_checked(length)?;
        let (whole, _) = self.0.split_at_checked(self.0.len() - behind.len())?;
        self.0 = behind;
        Some(Value { tag, content, whole })
    }

    /// The next value, if it has this tag; otherwise it stays the next.
    pub fn optional(&mut self, tag: u8) -> Option<Value<'a>> {
        let mut ahead = *self;
        let value = ahead.any().filter(|value| value.tag == tag)?;
        *self = ahead;
        Some(value)
    }

    /// What the next value holds, which must have this tag.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.optional(tag).map(|value| value.content)
    }

    /// The values in the next value, which must have this tag.
    pub fn enter(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.take(tag).map(Reader)
    }
}

/// A value of `tag` that holds `parts`.
pub fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let used = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
    let digits = digits.get(used..).unwrap_or_default();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        // No more than eight digits, so they are counted in the low bits.
        _ => {
            out.push(0x80 | digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A number without a sign, from its digits of eight bits.
pub fn unsigned(digits: &[u8]) -> Vec<u8> {
    let used = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
    let digits = digits.get(used..).unwrap_or_default();
    // A first bit of 1 would make it negative, and no digit at all is not a number.
    let zero: &[u8] = if digits.first().is_none_or(|first| *first > 0x7f) { &[0] } else { &[] };
    value(INTEGER, &[zero, digits])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let written = value(OCTETS, &[&content]);
            let mut reader = Reader::new(&written);
            let read = reader.any().unwrap();
            assert!(read.tag == OCTETS && read.content == content && read.whole == written, "{length}");
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn numbers_are_never_negative_and_have_no_digit_too_many() {
        for (digits, expected) in [
            (&[][..], &[2, 1, 0][..]),
            (&[0, 0], &[2, 1, 0]),
            (&[0, 5], &[2, 1, 5]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[1, 0], &[2, 2, 1, 0]),
        ] {
            assert_eq!(unsigned(digits), expected, "{digits:?}");
        }
    }

    #[test]
    fn what_der_does_not_allow_is_not_read() {
        for bad in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x81, 1, 0],
            &[4, 0x82, 0, 0x80],
            &[4, 0x84, 0, 0, 0, 1, 0],
            &[0x1f, 1, 1],
        ] {
            assert!(Reader::new(bad).any().is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = Reader::new(&bytes);
            let mut read = 0;
            while let Some(value) = reader.any() {
                read += value.whole.len();
            }
            prop_assert!(read <= bytes.len());
        }
    }
}
