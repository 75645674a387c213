//! The counts of one batch, on paper: charged one after the other, with no database in the way.
//!
//! Invariant: a sheet has every count and knows every token that its batch asks about, as they
//! stand under the locks of the transaction; a charge counts whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use time::Date;

use super::{Charge, Charged, Counted, Use};
use crate::base::ids::RuleId;

/// Whose count it is: of a grant, on a day.
pub(super) type Key = (RuleId, Date);
/// Somebody who was asked about, under a grant and day.
pub(super) type Person = (Key, [u8; 16]);

/// One count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    /// Subjects.
    pub used: i64,
    /// Different subjects.
    pub people: i64,
    /// Is there a row of it?
    pub stored: bool,
    /// Did the batch change it?
    pub changed: bool,
}

/// The counts that a batch touches, and the people whom it asks about.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// By key, in the order in which rows are locked.
    pub counts: BTreeMap<Key, Count>,
    /// Who was met before.
    pub known: BTreeSet<Person>,
    /// Who was met for the first time in this batch.
    pub met: Vec<Person>,
}

/// The keys that a batch touches, in the order in which rows are locked.
pub(super) fn keys(charges: &[&Charge]) -> BTreeSet<Key> {
    let touched = |charge: &&Charge| {
        let day = charge.day;
        let of_use = move |used: &Use| {
            let people = used.people.as_ref().map(|people| (used.grant.clone(), people.day));
            std::iter::once((used.grant.clone(), day)).chain(people)
        };
        charge.uses.iter().flat_map(of_use).collect::<Vec<_>>()
    };
    charges.iter().flat_map(touched).collect()
}

/// The people whom a batch asks about, each once under a grant and day.
pub(super) fn people(charges: &[&Charge]) -> BTreeSet<Person> {
    let of_use = |used: &Use| {
        let tokens = used.people.iter().flat_map(|people| {
            let key = (used.grant.clone(), people.day);
            people.tokens.iter().map(move |token| (key.clone(), *token))
        });
        tokens.collect::<Vec<_>>()
    };
    charges.iter().flat_map(|charge| charge.uses.iter().flat_map(of_use)).collect()
}

impl Sheet {
    /// Charges each in turn, as if alone.
    pub fn charge_all(mut self, charges: &[&Charge]) -> (Self, Vec<Charged>) {
        let charged = charges.iter().map(|charge| self.charge(charge)).collect();
        (self, charged)
    }

    fn charge(&mut self, charge: &Charge) -> Charged {
        let mut new_people = Vec::new();
        for Use { grant, per_day, people } in &charge.uses {
            let used = self.of(grant, charge.day).used;
            if let Some(exhausted) = exceeds(grant, Counted::Subjects, used, charge.subjects.into(), *per_day)
            {
                return exhausted;
            }
            let Some(people) = people else { continue };
            let key = (grant.clone(), people.day);
            let new = people.tokens.iter().map(|token| (key.clone(), *token));
            let new: Vec<Person> = new.filter(|person| !self.known.contains(person)).collect();
            let known = self.of(grant, people.day).people;
            if let Some(exhausted) = exceeds(grant, Counted::People, known, new.len() as i64, people.limit) {
                return exhausted;
            }
            new_people.extend(new);
        }
        for Use { grant, .. } in &charge.uses {
            let count = self.of(grant, charge.day);
            count.used += i64::from(charge.subjects);
            count.changed = true;
        }
        for person in new_people {
            let (grant, day) = &person.0;
            let count = self.of(grant, *day);
            count.people += 1;
            count.changed = true;
            self.known.insert(person.clone());
            self.met.push(person);
        }
        Charged::Yes
    }

    fn of(&mut self, grant: &RuleId, day: Date) -> &mut Count {
        self.counts.entry((grant.clone(), day)).or_default()
    }
}

/// Would `more` pass the limit?
fn exceeds(grant: &RuleId, bound: Counted, used: i64, more: i64, limit: u32) -> Option<Charged> {
    let left = i64::from(limit) - used;
    // A limit that was lowered during the day may be behind what is used already.
    let remaining = u32::try_from(left).unwrap_or(0);
    (left < more).then(|| Charged::Exhausted { grant: grant.clone(), bound, limit, remaining })
}
