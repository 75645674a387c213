//! Identifiers of subjects, checked as their standards say.
//!
//! Invariant: what [`IdentifierKind::parse`] gives is normalised, so that two texts for the same
//! subject are one text afterwards. An error names the fault, never the text. Checks run in one
//! order for every kind (length, characters, check digit, birth date), so that a caller always
//! sees the same code for the same mistake. Whether an identifier was ever issued is not known
//! here.

use serde::{Deserialize, Serialize};
use time::{Date, Month};

use crate::base::Code;

/// The standard of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifierKind {
    /// 公民身份号码, GB 11643: 18 characters with check digit and birth date.
    ResidentId,
    /// 统一社会信用代码, GB 32100: 18 characters with check character.
    SocialCreditCode,
    /// A mobile number of mainland China: 11 digits.
    Mobile,
    /// A bank card, 12 to 19 digits; a failing Luhn check (ISO/IEC 7812-1) only warns.
    BankCard,
}

impl IdentifierKind {
    /// The name in schemas and records.
    pub fn as_str(self) -> &'static str {
        match self {
            IdentifierKind::ResidentId => "resident-id",
            IdentifierKind::SocialCreditCode => "social-credit-code",
            IdentifierKind::Mobile => "mobile",
            IdentifierKind::BankCard => "bank-card",
        }
    }

    /// Checks `text` as the standard says and normalises it (a final `x` of a resident ID
    /// becomes `X`). `today` bounds the birth date.
    ///
    /// # Errors
    /// `IdLength`, `IdCharacters`, `IdCheckDigit` or `IdBirthDate`: the first that applies.
    pub fn parse(self, text: &str, today: Date) -> Result<String, Code> {
        match self {
            IdentifierKind::ResidentId => resident_id(text, today),
            IdentifierKind::SocialCreditCode => social_credit_code(text),
            IdentifierKind::Mobile => mobile(text),
            IdentifierKind::BankCard => bank_card(text),
        }
    }
}

/// The check digit that belongs behind the first 17 digits of a resident ID (GB 11643,
/// ISO 7064 MOD 11-2). `None` unless `body` is exactly 17 ASCII digits.
pub fn resident_check_digit(body: &str) -> Option<char> {
    if body.len() != 17 {
        return None;
    }
    let mut sum = 0;
    for digit in body.chars() {
        sum = (sum + digit.to_digit(10)?) * 2 % 11;
    }
    char::from_digit((12 - sum) % 11, 11).map(|digit| if digit == 'a' { 'X' } else { digit })
}

/// The check character that belongs behind the first 17 characters of a unified social credit
/// code (GB 32100, modulus 31). `None` unless `body` is 17 characters of its alphabet.
pub fn social_credit_check_character(body: &str) -> Option<char> {
    if body.len() != 17 {
        return None;
    }
    let (mut sum, mut weight) = (0, 1);
    for character in body.chars() {
        sum += CREDIT_ALPHABET.find(character)? * weight;
        weight = weight * 3 % 31;
    }
    CREDIT_ALPHABET.chars().nth((31 - sum % 31) % 31)
}

/// Does the Luhn check (ISO/IEC 7812-1 Annex B) hold for these digits? Cards are in use for which
/// it does not, so a failure is worth a warning and nothing more.
pub fn luhn_holds(digits: &str) -> bool {
    let mut sum = 0;
    for (place, character) in digits.chars().rev().enumerate() {
        let Some(digit) = character.to_digit(10) else { return false };
        sum += if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 };
    }
    sum % 10 == 0
}

/// Digits and capitals without I, O, S, V and Z; a character's place is its value (GB 32100).
const CREDIT_ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

fn resident_id(text: &str, today: Date) -> Result<String, Code> {
    length(text, 18..=18)?;
    let normal = text.replace('x', "X");
    let (body, check) = normal.split_at_checked(17).ok_or(Code::IdCharacters)?;
    if !all_digits(body) || !(all_digits(check) || check == "X") {
        return Err(Code::IdCharacters);
    }
    if !resident_check_digit(body).is_some_and(|digit| check.starts_with(digit)) {
        return Err(Code::IdCheckDigit);
    }
    match birth_date(body) {
        Some(birth) if birth <= today => Ok(normal),
        _ => Err(Code::IdBirthDate),
    }
}

/// The date in characters 7 to 14, if there is such a day.
fn birth_date(body: &str) -> Option<Date> {
    let part = |range| body.get::<std::ops::Range<usize>>(range);
    let month = Month::try_from(part(10..12)?.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(part(6..10)?.parse().ok()?, month, part(12..14)?.parse().ok()?).ok()
}

fn social_credit_code(text: &str) -> Result<String, Code> {
    length(text, 18..=18)?;
    let (body, check) = text.split_at_checked(17).ok_or(Code::IdCharacters)?;
    // Characters 3 to 8 are the administrative division of the registration authority.
    let division = body.get(2..8).ok_or(Code::IdCharacters)?;
    if !text.chars().all(|c| CREDIT_ALPHABET.contains(c)) || !all_digits(division) {
        return Err(Code::IdCharacters);
    }
    if !social_credit_check_character(body).is_some_and(|character| check.starts_with(character)) {
        return Err(Code::IdCheckDigit);
    }
    Ok(text.to_owned())
}

fn mobile(text: &str) -> Result<String, Code> {
    length(text, 11..=11)?;
    let in_use = matches!(text.as_bytes(), [b'1', b'3'..=b'9', ..]);
    if !all_digits(text) || !in_use {
        return Err(Code::IdCharacters);
    }
    Ok(text.to_owned())
}

fn bank_card(text: &str) -> Result<String, Code> {
    length(text, 12..=19)?;
    if !all_digits(text) {
        return Err(Code::IdCharacters);
    }
    Ok(text.to_owned())
}

/// Counts characters, not bytes: eighteen full-width digits have the right length and the wrong
/// characters. Counting stops one past the longest allowed, however long the text.
fn length(text: &str, allowed: std::ops::RangeInclusive<usize>) -> Result<(), Code> {
    let count = text.chars().take(allowed.end() + 1).count();
    if allowed.contains(&count) { Ok(()) } else { Err(Code::IdLength) }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 22);

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/identifiers.json")).unwrap()
    }

    fn each(list: &Value) -> impl Iterator<Item = &str> {
        list.as_array().unwrap().iter().map(|v| v.as_str().unwrap())
    }

    #[test]
    fn the_published_resident_ids_are_told_apart_as_the_vectors_say() {
        let vectors = &vectors()["resident_id"];
        for id in each(&vectors["valid"]) {
            assert_eq!(IdentifierKind::ResidentId.parse(id, TODAY).as_deref(), Ok(id));
        }
        for special in vectors["invalid_or_special"].as_array().unwrap() {
            let (id, why) = (special["value"].as_str().unwrap(), special["why"].as_str().unwrap());
            let expected = match why {
                "check digit" => Err(Code::IdCheckDigit),
                "17 characters" => Err(Code::IdLength),
                "full-width digits" => Err(Code::IdCharacters),
                _ if why.contains("birth date") || why.contains("future") => Err(Code::IdBirthDate),
                _ => Ok(special["normalised"].as_str().unwrap().to_owned()),
            };
            assert_eq!(IdentifierKind::ResidentId.parse(id, TODAY), expected, "{why}");
        }
    }

    #[test]
    fn whoever_is_born_today_has_a_valid_id_and_whoever_is_born_tomorrow_has_not() {
        for (born, expected) in [("20261122", None), ("20261123", Some(Code::IdBirthDate))] {
            let body = format!("110105{born}001");
            let id = format!("{body}{}", resident_check_digit(&body).unwrap());
            assert_eq!(IdentifierKind::ResidentId.parse(&id, TODAY).err(), expected, "{born}");
        }
    }

    #[test]
    fn the_published_social_credit_codes_are_told_apart_as_the_vectors_say() {
        let vectors = &vectors()["social_credit_code"];
        for code in each(&vectors["valid"]) {
            assert_eq!(IdentifierKind::SocialCreditCode.parse(code, TODAY).as_deref(), Ok(code));
        }
        for special in vectors["invalid"].as_array().unwrap() {
            let expected = match special["why"].as_str().unwrap() {
                "check character" => Code::IdCheckDigit,
                _ => Code::IdCharacters,
            };
            let code = special["value"].as_str().unwrap();
            assert_eq!(IdentifierKind::SocialCreditCode.parse(code, TODAY), Err(expected));
        }
    }

    #[test]
    fn the_published_mobile_numbers_are_told_apart_as_the_vectors_say() {
        let vectors = &vectors()["mobile"];
        for number in each(&vectors["valid"]) {
            assert_eq!(IdentifierKind::Mobile.parse(number, TODAY).as_deref(), Ok(number));
        }
        for number in each(&vectors["invalid"]) {
            let number = number.split(' ').next().unwrap();
            assert!(IdentifierKind::Mobile.parse(number, TODAY).is_err(), "{number}");
        }
    }

    #[test]
    fn a_bank_card_that_fails_luhn_is_accepted_all_the_same() {
        for card in each(&vectors()["bank_card"]["luhn_ok"]) {
            assert!(luhn_holds(card), "{card}");
            assert_eq!(IdentifierKind::BankCard.parse(card, TODAY).as_deref(), Ok(card));
        }
        assert!(!luhn_holds("4111111111111112"));
        assert!(IdentifierKind::BankCard.parse("4111111111111112", TODAY).is_ok());
        assert_eq!(IdentifierKind::BankCard.parse("41111111111", TODAY), Err(Code::IdLength));
        assert_eq!(IdentifierKind::BankCard.parse("4111-1111-1111", TODAY), Err(Code::IdCharacters));
    }

    #[test]
    fn an_x_anywhere_but_at_the_end_is_a_wrong_character() {
        let parse = |id| IdentifierKind::ResidentId.parse(id, TODAY);
        assert_eq!(parse("1101051949123100X2"), Err(Code::IdCharacters));
        assert_eq!(parse("1101051949123100x2"), Err(Code::IdCharacters));
    }

    proptest! {
        #[test]
        fn no_text_whatever_makes_a_check_panic(text in "\\PC{0,24}|[0-9xX]{10,20}") {
            for kind in [IdentifierKind::ResidentId, IdentifierKind::SocialCreditCode,
                         IdentifierKind::Mobile, IdentifierKind::BankCard] {
                if let Ok(normal) = kind.parse(&text, TODAY) {
                    prop_assert_eq!(kind.parse(&normal, TODAY), Ok(normal), "normal stays normal");
                }
            }
        }

        #[test]
        fn one_changed_digit_of_a_resident_id_is_always_noticed(
            place in 0usize..17, by in 1u8..10, serial in 0u16..1000,
        ) {
            let body = format!("11010519491231{serial:03}");
            let check = resident_check_digit(&body).unwrap();
            let mut changed = body.into_bytes();
            changed[place] = (changed[place] - b'0' + by) % 10 + b'0';
            let id = format!("{}{check}", String::from_utf8(changed).unwrap());
            prop_assert_eq!(IdentifierKind::ResidentId.parse(&id, TODAY), Err(Code::IdCheckDigit));
        }
    }
}
