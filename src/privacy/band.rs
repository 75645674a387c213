//! `band`: a value generalised to a named band or a coarser unit.
//!
//! Invariant: the output is a function of the band alone, so that two values of one band cannot
//! be told apart; a value that would fill its band entirely (a prefix as long as the text) is an
//! error. The edges are the owner's; this module must not adapt them to the data.

use serde_json::Value;
use time::{Date, Month};
use unicode_segmentation::UnicodeSegmentation;

use crate::base::Code;
use crate::catalogue::BandBy;
use crate::catalogue::sharing::DateUnit;

/// The name of the band that `value` falls into; ages are counted on `today`.
///
/// # Errors
/// `ProviderInvalid` when the value has no band: not a whole number, not a date, too short.
pub(super) fn of(by: &BandBy, value: &Value, today: Date) -> Result<String, Code> {
    let band = match by {
        BandBy::Edges(edges) => between(edges, whole_number(value)),
        BandBy::Age(years) => value.as_str().and_then(|text| age(text, *years, today)),
        BandBy::DateTo(unit) => value.as_str().and_then(|text| coarse(text, *unit)),
        BandBy::Prefix(length) => value.as_str().and_then(|text| prefix(text, usize::from(*length))),
        BandBy::Groups(groups) => value.as_str().map(|text| {
            let group = groups.iter().find(|(_, members)| members.iter().any(|member| member == text));
            group.map_or("other", |(name, _)| name).to_owned()
        }),
    };
    band.ok_or(Code::ProviderInvalid)
}

/// JSON Schema's `integer` has `3200.0` too; whole floats are exact up to 2^53.
fn whole_number(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT);
    value.as_i64().or_else(|| float().map(|number| number as i64))
}

fn between(edges: &[i64], number: Option<i64>) -> Option<String> {
    let number = number?;
    let above = edges.iter().position(|edge| number < *edge).unwrap_or(edges.len());
    let from = above.checked_sub(1).and_then(|below| edges.get(below));
    match (from, edges.get(above)) {
        (None, Some(first)) => Some(format!("<{first}")),
        (Some(from), Some(to)) if to - from == 1 => Some(from.to_string()),
        (Some(from), Some(to)) => Some(format!("{from}-{}", to - 1)),
        (Some(last), None) => Some(format!("{last}+")),
        (None, None) => None,
    }
}

fn age(text: &str, years: u16, today: Date) -> Option<String> {
    let birth = date(text)?;
    let had_birthday = (today.month() as u8, today.day()) >= (birth.month() as u8, birth.day());
    let age = today.year() - birth.year() - i32::from(!had_birthday);
    let from = u16::try_from(age).ok()?.checked_div(years)? * years;
    Some(if years == 1 { from.to_string() } else { format!("{from}-{}", from + (years - 1)) })
}

fn coarse(text: &str, unit: DateUnit) -> Option<String> {
    let date = date(text)?;
    Some(match unit {
        DateUnit::Year => format!("{:04}", date.year()),
        DateUnit::Month => format!("{:04}-{:02}", date.year(), u8::from(date.month())),
    })
}

fn prefix(text: &str, length: usize) -> Option<String> {
    let mut graphemes = text.graphemes(true);
    let kept: String = graphemes.by_ref().take(length).collect();
    graphemes.next().map(|_| kept)
}

/// A calendar date as `YYYY-MM-DD` (ISO 8601).
fn date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-').zip([4, 2, 2]).map(|(part, width)| {
        let digits = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<u16>().ok() } else { None }
    });
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::date;

    use super::*;

    fn band(by: Value, value: Value) -> Result<String, Code> {
        match serde_json::from_value(by) {
            Ok(by) => of(&by, &value, date!(2026 - 11 - 22)),
            Err(_) => Err(Code::Internal),
        }
    }

    #[test]
    fn whole_numbers_fall_between_edges() {
        for (value, expected) in [
            (-1, "<0"),
            (0, "0-1999"),
            (1999, "0-1999"),
            (2000, "2000-3999"),
            (3200, "2000-3999"),
            (4000, "4000"),
            (4001, "4001+"),
            (i64::MAX, "4001+"),
            (i64::MIN, "<0"),
        ] {
            assert_eq!(band(json!({"edges": [0, 2000, 4000, 4001]}), json!(value)).as_deref(), Ok(expected));
        }
        assert_eq!(band(json!({"edges": [0, 2000]}), json!(3200.0)).as_deref(), Ok("2000+"));
    }

    #[test]
    fn what_is_no_whole_number_has_no_band() {
        for value in [json!(3200.5), json!("3200"), json!(true), json!(1e300), json!(u64::MAX)] {
            assert_eq!(band(json!({"edges": [0, 2000]}), value), Err(Code::ProviderInvalid));
        }
    }

    #[test]
    fn an_age_turns_on_the_birthday() {
        for (birth, expected) in [
            ("1956-11-22", "70-79"),
            ("1956-11-23", "60-69"),
            ("2026-11-22", "0-9"),
            ("1920-02-29", "100-109"),
        ] {
            assert_eq!(band(json!({"age": 10}), json!(birth)).as_deref(), Ok(expected), "{birth}");
        }
        for bad in
            ["2026-11-23", "1956-02-30", "1956-1-2", "19561122", "", "1956-11-22T00:00:00Z", "+956-11-22"]
        {
            assert_eq!(band(json!({"age": 10}), json!(bad)), Err(Code::ProviderInvalid), "{bad}");
        }
    }

    #[test]
    fn a_date_becomes_its_year_or_its_month() {
        assert_eq!(band(json!({"date-to": "year"}), json!("1949-12-31")).as_deref(), Ok("1949"));
        assert_eq!(band(json!({"date-to": "month"}), json!("1949-12-31")).as_deref(), Ok("1949-12"));
        assert_eq!(band(json!({"date-to": "month"}), json!("1949-12")), Err(Code::ProviderInvalid));
    }

    #[test]
    fn a_prefix_never_is_the_whole_text() {
        assert_eq!(band(json!({"prefix": 6}), json!("110105001001")).as_deref(), Ok("110105"));
        assert_eq!(band(json!({"prefix": 2}), json!("北京市朝阳区")).as_deref(), Ok("北京"));
        assert_eq!(band(json!({"prefix": 6}), json!("110105")), Err(Code::ProviderInvalid));
    }

    #[test]
    fn a_value_in_no_group_is_other() {
        let groups = json!({"groups": {"aided": ["full", "partial"]}});
        assert_eq!(band(groups.clone(), json!("partial")).as_deref(), Ok("aided"));
        assert_eq!(band(groups.clone(), json!("none")).as_deref(), Ok("other"));
        assert_eq!(band(groups, json!(1)), Err(Code::ProviderInvalid));
    }
}
