//! `pseudonym`: a stable token in place of a value.
//!
//! Invariant: for one recipient department and one purpose, equal identifiers give equal tokens,
//! whatever dataset they come from; across recipients or purposes, tokens cannot be linked
//! without the master key. HMAC-SHA256 (RFC 2104) is used as a pseudo-random function twice: to
//! derive one key per recipient and purpose, and to make tokens with it. Every part of a message
//! is preceded by its length, so that no two different messages are the same bytes.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::hmac;
use serde_json::Value;
use time::Date;

use super::Recipient;
use crate::base::ids::DatasetId;
use crate::base::{Code, Secret};
use crate::catalogue::Field;

/// The master key of all pseudonyms. To change it is to change every token.
#[derive(Debug, Clone)]
pub struct PseudonymKey(hmac::Key);

/// The key for one recipient department and purpose.
#[derive(Debug)]
pub(super) struct RecipientKey(hmac::Key);

/// Bytes of a token: at 192 bits no two people ever share one by chance.
const TOKEN_BYTES: usize = 24;

impl PseudonymKey {
    /// From 32 bytes of good randomness.
    pub fn new(master: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, master.reveal()))
    }

    pub(super) fn for_recipient(&self, recipient: Recipient<'_>) -> RecipientKey {
        let parts = ["sluice/pseudonym/1", recipient.department.as_str(), recipient.purpose.as_str()];
        RecipientKey(hmac::Key::new(hmac::HMAC_SHA256, sign(&self.0, &parts).as_ref()))
    }
}

impl RecipientKey {
    /// The token of `value`: `p_` and 32 characters of base64url (RFC 4648 section 5).
    ///
    /// A field that follows an identifier standard is named by the standard, so that a person
    /// joins across datasets; any other field is named by itself.
    ///
    /// # Errors
    /// `ProviderInvalid` for what is neither text nor a whole number, and for an identifier that
    /// its standard does not allow: a token for it would silently join with nothing, and the
    /// recipient would take a typing error for a "no".
    pub(super) fn token(
        &self,
        dataset: &DatasetId,
        field: &Field,
        value: &Value,
        today: Date,
    ) -> Result<String, Code> {
        let tag = match field.identifier {
            Some(kind) => {
                let text = value.as_str().ok_or(Code::ProviderInvalid)?;
                let normal = kind.parse(text, today).map_err(|_| Code::ProviderInvalid)?;
                sign(&self.0, &["identifier", kind.as_str(), &normal])
            }
            None => {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
                    _ => return Err(Code::ProviderInvalid),
                };
                sign(&self.0, &["field", dataset.as_str(), field.name.as_str(), &text])
            }
        };
        let bytes = tag.as_ref().get(..TOKEN_BYTES).ok_or(Code::Internal)?;
        Ok(format!("p_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }
}

fn sign(key: &hmac::Key, parts: &[&str]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.sign()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::tests::{answer, field};
    use super::super::{Disclosure, Form};
    use super::*;
    use crate::catalogue::{IdentifierKind, identifier::resident_check_digit};

    fn token(
        name: &str,
        kind: Option<IdentifierKind>,
        value: &Value,
        to: (&str, &str),
    ) -> Result<String, Code> {
        let field = field(name, kind, json!({"pseudonym": {}}));
        let plan = [Disclosure { field: &field, form: Form::Pseudonym, predicate: None }];
        let answer = answer(&plan, json!({ name: value }), to.0, to.1).map_err(|error| error.code)?;
        Ok(answer[name].as_str().unwrap().to_owned())
    }

    const ID: Option<IdentifierKind> = Some(IdentifierKind::ResidentId);
    const TO: (&str, &str) = ("housing", "housing-aid.review");

    #[test]
    fn a_token_is_pinned_because_recipients_store_it() {
        insta::assert_snapshot!(token("id_number", ID, &json!("11010519491231002X"), TO).unwrap(), @"p_grdYW4pXS_mJNTb9sFrQPHH59yF13O_e");
        insta::assert_snapshot!(token("street", None, &json!("长安街"), TO).unwrap(), @"p_6vjv7hN62hQTOvt2XO3hTEmwj9t8Cfr-");
    }

    #[test]
    fn one_person_is_one_token_in_every_field_that_follows_the_standard() {
        let of = |name, text| token(name, ID, &json!(text), TO).unwrap();
        assert_eq!(of("id_number", "11010519491231002X"), of("spouse_id_number", "11010519491231002x"));
        assert_ne!(of("id_number", "11010519491231002X"), of("id_number", "440306199001011236"));
    }

    #[test]
    fn a_field_without_a_standard_joins_only_with_itself() {
        let of = |name| token(name, None, &json!("11010519491231002X"), TO).unwrap();
        assert_ne!(of("a"), of("b"));
        assert_ne!(of("id_number"), token("id_number", ID, &json!("11010519491231002X"), TO).unwrap());
    }

    #[test]
    fn a_mistyped_identifier_gets_no_token() {
        for bad in [json!("110105194912310021"), json!(1), json!("")] {
            assert_eq!(token("id_number", ID, &bad, TO), Err(Code::ProviderInvalid));
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        let key = PseudonymKey::new(&Secret::new([0x5a; 32]));
        assert!(!format!("{key:?}").to_lowercase().contains("5a"));
    }

    fn resident_id() -> impl Strategy<Value = Value> {
        (0u16..1000, 1u8..29, 1950u16..2020).prop_map(|(serial, day, year)| {
            let body = format!("110105{year}01{day:02}{serial:03}");
            json!(format!("{body}{}", resident_check_digit(&body).unwrap()))
        })
    }

    proptest! {
        #[test]
        fn tokens_cannot_be_linked_across_recipients_or_purposes(
            id in resident_id(), other in resident_id(),
            departments in ("[a-z]{1,8}", "[a-z]{1,8}"), purposes in ("[a-z.]{1,8}", "[a-z.]{1,8}"),
        ) {
            let of = |id: &Value, department: &str, purpose: &str| token("id", ID, id, (department, purpose)).unwrap();
            let here = of(&id, &departments.0, &purposes.0);
            prop_assert_eq!(&here, &of(&id, &departments.0, &purposes.0), "stable");
            prop_assert_eq!(here == of(&other, &departments.0, &purposes.0), id == other, "injective");
            for (department, purpose) in [
                (&departments.1, &purposes.0), (&departments.0, &purposes.1), (&departments.1, &purposes.1),
            ] {
                let same = (department, purpose) == (&departments.0, &purposes.0);
                prop_assert_eq!(here == of(&id, department, purpose), same);
            }
        }

        #[test]
        fn moving_a_letter_from_department_to_purpose_changes_the_token(id in resident_id(), text in "[a-z]{2,16}", cut in 1usize..15) {
            prop_assume!(cut + 1 < text.len());
            let of = |cut: usize| token("id", ID, &id, (&text[..cut], &text[cut..])).unwrap();
            prop_assert_ne!(of(cut), of(cut + 1));
        }
    }
}
