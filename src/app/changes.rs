//! Who gets which field otherwise by another wording of the catalogue or the policies.
//!
//! Invariant: all are counted; the first are listed, those that are alike together.

use crate::catalogue::Form;

/// The most lines of each list.
pub(super) const LINES: usize = 200;

/// Who would get which field otherwise: what is gained first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// How many would get more.
    pub gains: usize,
    /// How many would get less.
    pub losses: usize,
    /// The first of them.
    pub lines: Vec<Change>,
}

impl Changes {
    pub(super) fn new(mut changes: Vec<Change>) -> Self {
        let gains = changes.iter().filter(|change| change.is_gain()).count();
        let losses = changes.len() - gains;
        // What is alike stands together, so that it can be read as one.
        changes.sort_by(|a, b| a.alike().cmp(&b.alike()));
        changes.truncate(LINES);
        Self { gains, losses, lines: changes }
    }

    /// Are there more than are listed?
    pub fn is_cut(&self) -> bool {
        self.gains + self.losses > self.lines.len()
    }
}

/// A field that a system would get otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The system.
    pub system: String,
    /// Its department.
    pub department: String,
    /// The dataset.
    pub dataset: String,
    /// The purpose.
    pub purpose: String,
    /// The field.
    pub field: String,
    /// The most revealing form now; none where it is refused.
    pub before: Option<Form>,
    /// The most revealing form then; none where it would be refused.
    pub after: Option<Form>,
    /// The rule or grant that decides then, or decided until then.
    pub rule: Option<String>,
}

impl Change {
    /// Would more be disclosed than now?
    pub fn is_gain(&self) -> bool {
        self.after > self.before
    }

    /// What changes that are alike have in common: the same field from one form to another.
    pub fn alike(&self) -> (bool, &str, &str, Option<Form>, Option<Form>) {
        (!self.is_gain(), &self.dataset, &self.field, self.before, self.after)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn more_changes_than_are_listed_are_counted_and_what_is_alike_stands_together() {
        let change = |number: usize| Change {
            system: format!("s.{number:03}"),
            department: "civil".into(),
            dataset: "d".into(),
            purpose: "p".into(),
            field: ["b", "a"][number % 2].into(),
            before: if number < 10 { None } else { Some(Form::Plain) },
            after: Some(Form::Mask),
            rule: None,
        };
        let all = Changes::new((0..300).map(change).collect());
        assert_eq!((all.gains, all.losses, all.lines.len(), all.is_cut()), (10, 290, LINES, true));
        let groups: Vec<_> = all.lines.chunk_by(|a, b| a.alike() == b.alike()).collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [5, 5, 145, 45]);
        assert!(groups[0][0].is_gain() && groups[0][0].field == "a");
    }
}
