//! References that a caller gives and the log keeps for years: business cases, officials.
//!
//! Invariant: a reference that passed here names nobody. A resident ID used as a case number
//! would stand in the log for ever, where nothing can be erased.

use time::Date;

use super::identifier::{IdentifierKind, luhn_holds};
use crate::base::Code;

/// The longest reference, in characters.
pub const MAX_LEN: usize = 64;
/// The characters of a reference, as a JSON Schema pattern.
pub const PATTERN: &str = "^[A-Za-z0-9._:/-]+$";

/// Is `text` a reference that may be kept?
///
/// # Errors
/// `out-of-bounds` or `wrong-pattern` by its form; `not-allowed-value` when it holds what looks
/// like a person's or an organisation's number, with separators between or without.
pub fn check(text: &str, today: Date) -> Result<(), Code> {
    if text.len() > MAX_LEN {
        return Err(Code::OutOfBounds);
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || is_separator(b)) {
        return Err(Code::WrongPattern);
    }
    if names_somebody(text, today) { Err(Code::NotAllowedValue) } else { Ok(()) }
}

/// Does `text`, of whatever kind, hold what looks like a person's or an organisation's number?
pub fn names_somebody(text: &str, today: Date) -> bool {
    let text: String = text.chars().map(narrow).collect();
    let separates = |c: char| c.is_whitespace() || c.is_ascii() && is_separator(c as u8);
    let joined: String = text.chars().filter(|c| !separates(*c)).collect();
    let checked = |kind: IdentifierKind| windows(&joined, 18).any(|window| kind.parse(window, today).is_ok());
    // Case numbers hold long runs of digits too, so for numbers without a strong check only a
    // whole run counts, and of cards only those that pass theirs.
    checked(IdentifierKind::ResidentId)
        || checked(IdentifierKind::SocialCreditCode)
        || digit_runs(&text).any(|run| IdentifierKind::Mobile.parse(run, today).is_ok())
        || digit_runs(&text).any(is_bank_card)
}

/// The ASCII character that a full-width one (U+FF01 to U+FF5E) stands for: a number is one in either.
fn narrow(c: char) -> char {
    match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// Cards of payment networks begin with 3 to 6 (ISO/IEC 7812-1), long case numbers with a year.
fn is_bank_card(digits: &str) -> bool {
    matches!(digits.len(), 16..=19) && digits.starts_with(['3', '4', '5', '6']) && luhn_holds(digits)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b':' | b'/' | b'-')
}

fn windows(text: &str, width: usize) -> impl Iterator<Item = &str> {
    (0..text.len()).filter_map(move |start| text.get(start..start + width))
}

fn digit_runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 22);

    #[test]
    fn case_numbers_and_officials_are_references() {
        for text in [
            "QZ-2026-000123",
            "hc-0231",
            "20261122000123",
            "GZ/2026:7.1",
            "2026112200012345678",
            &"x".repeat(64),
        ] {
            assert_eq!(check(text, TODAY), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_persons_number_is_no_reference_however_it_is_written() {
        for text in [
            "11010519491231002X",
            "QZ-11010519491231002x-1",
            "110105-19491231-002X",
            "13812345678",
            "tel:13812345678",
            "6222020000000000000",
            "4111111111111111",
            "91350100M000100Y43",
            "9135/0100/M000/100Y/43",
        ] {
            assert_eq!(check(text, TODAY), Err(Code::NotAllowedValue), "{text}");
        }
    }

    #[test]
    fn words_with_a_number_name_somebody_be_it_in_full_width() {
        for text in
            ["李某，１１０１０５１９４９１２３１００２Ｘ", "电话１３８１２３４５６７８", "tel. 13812345678"]
        {
            assert!(names_somebody(text, TODAY), "{text}");
        }
        assert!(!names_somebody("２０２６年第１２３号", TODAY));
    }

    #[test]
    fn other_forms_are_told_apart() {
        assert_eq!(check("", TODAY), Err(Code::WrongPattern));
        assert_eq!(check("张三", TODAY), Err(Code::WrongPattern));
        assert_eq!(check("a b", TODAY), Err(Code::WrongPattern));
        assert_eq!(check(&"x".repeat(65), TODAY), Err(Code::OutOfBounds));
    }
}
