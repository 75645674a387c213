//! The rows of the policy files, as casbin's own files have them: values between commas, `#` for
//! comments.
//!
//! Invariant: no quoting, because no id holds a comma, a quote or a `#`; a row that needs any is
//! not a policy.

/// The rows of `text` that say something: line from 1, and the values without blanks around them.
pub(super) fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let said = line.split_once('#').map_or(line, |(before, _)| before).trim();
        (!said.is_empty()).then(|| (at + 1, said.split(',').map(str::trim).collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_say_nothing_and_keep_the_count() {
        let rows: Vec<_> = rows("# head\n\np, a,b  # why\n  \np,,c").collect();
        assert_eq!(rows, [(3, vec!["p", "a", "b"]), (5, vec!["p", "", "c"])]);
    }
}
