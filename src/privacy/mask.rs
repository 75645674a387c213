//! `mask`: part of the characters.
//!
//! Invariant: the mask has as many graphemes as the value, each either the value's own or `*`;
//! which ones stay follows from the kind, the number of graphemes and, for names, from whether a
//! double surname leads. A value too short for its kind is an error, because the fixed parts
//! that stay would be most of it.

use std::ops::RangeInclusive;

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use crate::base::Code;
use crate::catalogue::MaskKind;

/// The masked text.
///
/// # Errors
/// `ProviderInvalid` for what is not text, is empty, or has not the length its kind requires.
pub(super) fn of(kind: MaskKind, value: &Value) -> Result<String, Code> {
    let text = value.as_str().ok_or(Code::ProviderInvalid)?;
    let graphemes: Vec<&str> = text.graphemes(true).collect();
    let count = graphemes.len();
    let (lengths, first, last) = kept(kind, text, count);
    if !lengths.contains(&count) {
        return Err(Code::ProviderInvalid);
    }
    let stays = |place: usize| place < first || place >= count - last;
    let masked =
        graphemes.iter().enumerate().map(|(place, grapheme)| if stays(place) { grapheme } else { "*" });
    Ok(masked.collect())
}

/// The lengths that a kind may have, and how many graphemes stay at the start and at the end.
fn kept(kind: MaskKind, text: &str, count: usize) -> (RangeInclusive<usize>, usize, usize) {
    const ANY: RangeInclusive<usize> = 1..=usize::MAX;
    match kind {
        MaskKind::ResidentId => (18..=18, 6, 4),
        MaskKind::Mobile => (11..=11, 3, 4),
        MaskKind::BankCard => (12..=19, 0, 4),
        MaskKind::Name if count > 2 && has_double_surname(text) => (ANY, 2, usize::from(count > 3)),
        MaskKind::Name | MaskKind::Text => (ANY, usize::from(count > 1), usize::from(count > 2)),
    }
}

fn has_double_surname(name: &str) -> bool {
    DOUBLE_SURNAMES.iter().any(|surname| name.starts_with(surname))
}

/// Surnames of two characters in use today (复姓): halving one would hide a part of the surname
/// and show it as the given name's.
const DOUBLE_SURNAMES: [&str; 48] = [
    "欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "司徒", "司空", "夏侯",
    "独孤", "南宫", "长孙", "宇文", "端木", "百里", "东郭", "呼延", "轩辕", "钟离", "申屠", "公冶", "濮阳",
    "淳于", "单于", "太叔", "仲孙", "澹台", "赫连", "闻人", "鲜于", "闾丘", "亓官", "拓跋", "谷梁", "西门",
    "左丘", "万俟", "乐正", "公羊", "漆雕", "梁丘", "宰父", "司寇", "南门",
];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_published_masks_come_out_as_published() {
        let file: Value = serde_json::from_str(include_str!("../../tests/vectors/masks.json")).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let kind = json!(vector[0].as_str().unwrap().replace('_', "-"));
            let masked = of(serde_json::from_value(kind).unwrap(), &vector[1]).unwrap();
            assert_eq!(masked, vector[2].as_str().unwrap());
        }
    }

    #[test]
    fn short_texts_keep_less() {
        for (text, masked) in [("a", "*"), ("ab", "a*"), ("abc", "a*c"), ("欧阳锋", "欧*锋")] {
            assert_eq!(of(MaskKind::Text, &json!(text)).as_deref(), Ok(masked));
        }
        assert_eq!(of(MaskKind::Name, &json!("欧阳")).as_deref(), Ok("欧*"));
    }

    #[test]
    fn one_grapheme_is_one_star_however_many_code_points_it_has() {
        assert_eq!(of(MaskKind::Text, &json!("a👨‍👩‍👧e\u{301}z")).as_deref(), Ok("a**z"));
    }

    #[test]
    fn a_value_too_short_for_its_kind_is_not_masked_but_refused() {
        for (kind, text) in [
            (MaskKind::ResidentId, "110105491231002"),
            (MaskKind::Mobile, "8000"),
            (MaskKind::BankCard, "0000"),
            (MaskKind::Name, ""),
            (MaskKind::Text, ""),
        ] {
            assert_eq!(of(kind, &json!(text)), Err(Code::ProviderInvalid));
        }
        assert_eq!(of(MaskKind::Text, &json!(12)), Err(Code::ProviderInvalid));
    }
}
