//! Characters that are not seen.
//!
//! Invariant: what is named here changes how the text around it reads, or can stand in it without being
//! noticed; so it has no place in a name, and is shown by its number in a text.

/// Controls; marks of direction and format (Unicode Standard Annex #9 and general category Cf);
/// characters without width, ignored ones (Default_Ignorable_Code_Point) and tags.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_hides_is_unseen_and_what_is_written_is_not() {
        for c in "\0\n\u{61c}\u{ad}\u{34f}\u{115f}\u{180e}\u{200b}\u{202e}\u{2069}\u{3164}\u{fe0f}\u{e0041}"
            .chars()
        {
            assert!(is_unseen(c), "{:04x}", u32::from(c));
        }
        for c in "魏·Ж ﷲمرحبا　<b>'\"é한".chars() {
            assert!(!is_unseen(c), "{c} {:04x}", u32::from(c));
        }
    }
}
