//! `[history]`: what it takes to see who asked about a person.

use std::num::NonZeroU8;

use serde::Deserialize;

/// The most hours that a consent may be asked for: a week.
const MOST: u8 = 168;

/// `[history]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HistorySection {
    /// With it, an officer sees a person's history only with the consent of a second one; what is asked,
    /// and the consent to it, stand for so many hours, 1 to 168. Without it, a case is enough.
    pub consent_hours: Option<ConsentHours>,
}

/// Hours for which a consent is asked and stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct ConsentHours(NonZeroU8);

impl ConsentHours {
    /// How many.
    pub fn get(self) -> u8 {
        self.0.get()
    }
}

impl TryFrom<i64> for ConsentHours {
    type Error = String;

    fn try_from(hours: i64) -> Result<Self, String> {
        let within = u8::try_from(hours).ok().filter(|hours| *hours <= MOST).and_then(NonZeroU8::new);
        within.map(Self).ok_or_else(|| format!("{hours} hours: expected a whole number from 1 to {MOST}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::file;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(default)]
        history: HistorySection,
    }

    fn read(text: &str) -> Result<Option<u8>, String> {
        let read =
            file::parse::<Sample>("sluice.toml", text, &[]).map_err(|findings| findings.to_string())?;
        Ok(read.history.consent_hours.map(ConsentHours::get))
    }

    #[test]
    fn without_the_key_a_case_is_enough() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("[history]\n"), Ok(None));
        assert_eq!(read("[history]\nconsent_hours = 24\n"), Ok(Some(24)));
    }

    #[test]
    fn hours_that_cannot_be_are_named_with_their_line_and_what_was_expected() {
        for wrong in ["0", "-1", "169", "1000000"] {
            let said = read(&format!("\n[history]\nconsent_hours = {wrong}\n")).unwrap_err();
            assert!(said.starts_with("sluice.toml:3: error[config]: "), "{said}");
            assert!(said.contains("expected a whole number from 1 to 168"), "{said}");
        }
        let said = read("[history]\nconsent_hours = \"a day\"\n").unwrap_err();
        assert!(said.starts_with("sluice.toml:2: ") && said.contains("expected i64"), "{said}");
        let said = read("[history]\nconsent_hour = 24\n").unwrap_err();
        assert!(said.contains("did you mean `consent_hours`"), "{said}");
    }
}
