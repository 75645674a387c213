//! W3C Trace Context, level 1: takes part in the caller's trace, or begins one.
//!
//! Invariant: what leaves here is always a valid `traceparent` of version 00, whatever came in,
//! so it is safe in logs, in the audit log and in requests to adapters. `tracestate` is not
//! carried on: it is free text of others.
//!
//! ```text
//! traceparent = version "-" trace-id "-" parent-id "-" trace-flags
//!               00      -   32HEXDIG  -  16HEXDIG   -  2HEXDIG      (lower case)
//! ```

use std::fmt;

use crate::base::ids::{RequestId, decode_hex, hex};

/// The gateway's own place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    trace: [u8; 16],
    parent: Option<[u8; 8]>,
    span: [u8; 8],
    sampled: bool,
}

impl Trace {
    /// Joins the trace that the `traceparent` headers name.
    ///
    /// None, several, or one that is not valid begin a new trace, as section 4.3 demands. The
    /// request id, unique, is the trace id then; its second half, which is chance, is the id of the
    /// gateway's span in either case, so that no more randomness is needed.
    pub fn join<'a>(mut headers: impl Iterator<Item = &'a [u8]>, request: &RequestId) -> Self {
        let own = request.bytes();
        let mut span = [0; 8];
        span.iter_mut().zip(own.into_iter().skip(8)).for_each(|(to, from)| *to = from);
        let parent = match (headers.next(), headers.next()) {
            (Some(only), None) => parse(only),
            _ => None,
        };
        match parent {
            Some((trace, parent, sampled)) => Self { trace, parent: Some(parent), span, sampled },
            None => Self { trace: own, parent: None, span, sampled: true },
        }
    }

    /// The caller's span, if it has one.
    pub fn parent(&self) -> Option<[u8; 8]> {
        self.parent
    }

    /// The trace id, 32 hex digits.
    pub fn id(&self) -> String {
        hex(&self.trace)
    }
}

/// The value of a `traceparent` header.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", hex(&self.trace), hex(&self.span), u8::from(self.sampled))
    }
}

/// The trace id, the caller's span and whether it records, from a valid header value (section 3.2).
fn parse(value: &[u8]) -> Option<([u8; 16], [u8; 8], bool)> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.splitn(5, '-');
    let [version] = decode_hex::<1>(parts.next()?)?;
    let trace = decode_hex::<16>(parts.next()?)?;
    let parent = decode_hex::<8>(parts.next()?)?;
    let [flags] = decode_hex::<1>(parts.next()?)?;
    // A later version may have more parts after another dash; version 00 may not, ff is none.
    let well_formed = version != 0xff && (version > 0 || parts.next().is_none());
    (well_formed && trace != [0; 16] && parent != [0; 8]).then_some((trace, parent, flags & 1 == 1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const REQUEST: &str = "00112233445566778899aabbccddeeff";

    fn join(headers: &[&str]) -> String {
        let request = RequestId::parse(REQUEST).unwrap();
        Trace::join(headers.iter().map(|h| h.as_bytes()), &request).to_string()
    }

    #[test]
    fn a_valid_parent_is_joined_under_a_span_of_our_own() {
        for flags in ["00", "01"] {
            assert_eq!(
                join(&[&format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}")]),
                format!("00-4bf92f3577b34da6a3ce929d0e0e4736-8899aabbccddeeff-{flags}")
            );
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for later in [
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-next",
        ] {
            assert_eq!(join(&[later]), "00-4bf92f3577b34da6a3ce929d0e0e4736-8899aabbccddeeff-01");
        }
    }

    #[test]
    fn anything_else_begins_a_trace_named_after_the_request() {
        let fresh = format!("00-{REQUEST}-8899aabbccddeeff-01");
        assert_eq!(join(&[]), fresh);
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{661}-00f067aa0ba902b7-01",
        ] {
            assert_eq!(join(&[bad]), fresh, "{bad:?}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        let one = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(join(&[one, one]), format!("00-{REQUEST}-8899aabbccddeeff-01"));
    }
}
