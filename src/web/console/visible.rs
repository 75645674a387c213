//! Texts of people, with what cannot be seen made visible.
//!
//! Invariant: no character of a text changes how the text around it reads. Marks that turn the direction
//! of writing, and other controls, could make a law or a reason read as another; they are shown by
//! number. HTML is not this file's business: the templates escape.

use crate::base::unseen::is_unseen;

/// The text, with every control in it shown by its number; line ends stay.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) && c != '\n' && c != '\t' {
            shown.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_the_writing_is_shown_and_what_is_written_stays() {
        assert_eq!(visible("a\u{202e}b\u{0}c\nd"), "a\u{27e8}U+202E\u{27e9}b\u{27e8}U+0000\u{27e9}c\nd");
        let plain = "《社会救助暂行办法》第七条 مرحبا <b>";
        assert_eq!(visible(plain), plain);
    }
}
