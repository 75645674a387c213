//! The two languages of the interface.
//!
//! Invariant: a text that a person reads exists in both languages or not at all.

use serde::{Deserialize, Serialize};

/// A language of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lang {
    /// Chinese as written in China, `zh-CN`: the default.
    #[default]
    #[serde(rename = "zh-CN")]
    Zh,
    /// English, `en`.
    #[serde(rename = "en")]
    En,
}

impl Lang {
    /// The language tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Lang::Zh => "zh-CN",
            Lang::En => "en",
        }
    }

    /// Chooses from an `Accept-Language` value (RFC 9110 section 12.5.4).
    ///
    /// The supported language with the highest weight wins; a tie goes to the one named first;
    /// nothing usable gives the default.
    pub fn negotiate(accept: Option<&str>) -> Lang {
        let mut best: Option<(f32, Lang)> = None;
        for part in accept.unwrap_or_default().split(',').take(16) {
            let (range, weight) = part.split_once(';').unwrap_or((part, "q=1"));
            let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).unwrap_or(0.0);
            let primary = range.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            let lang = match primary.as_str() {
                "zh" | "*" => Lang::Zh,
                "en" => Lang::En,
                _ => continue,
            };
            if weight > 0.0 && best.is_none_or(|(w, _)| weight > w) {
                best = Some((weight, lang));
            }
        }
        best.map_or(Lang::default(), |(_, lang)| lang)
    }
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Text {
    /// The text in `lang`.
    pub fn lang(&self, lang: Lang) -> &str {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_supported_language_wins() {
        for (accept, lang) in [
            (None, Lang::Zh),
            (Some("en"), Lang::En),
            (Some("fr, en;q=0.5"), Lang::En),
            (Some("en;q=0.3, zh-CN;q=0.8"), Lang::Zh),
            (Some("en-GB"), Lang::En),
            (Some("en;q=0"), Lang::Zh),
            (Some("en;q=abc"), Lang::Zh),
            (Some("*"), Lang::Zh),
        ] {
            assert_eq!(Lang::negotiate(accept), lang, "{accept:?}");
        }
    }
}
