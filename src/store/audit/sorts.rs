//! What records are alike in, by number: all that is searched by but who acted makes a sort, and who
//! acted is a number of its own.
//!
//! Records repeat each other: the same systems ask the same datasets for the same fields, and the same
//! rules decide. So there are few sorts even of very many records, and a search decides about each
//! sort once.
//!
//! Invariant: a number never changes its meaning as long as the index is the same. There are at most
//! [`MAX_SORTS`] and [`MAX_ACTORS`]; records of more are not told apart, and a search compares them
//! themselves. Names are those of the catalogue, and of officials: nothing of a person asked about.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::block::UNTOLD;
use super::read::Filter;
use super::schema::{actor, sort};
use crate::audit::facets::Facets;

/// The most sorts that are told apart.
const MAX_SORTS: usize = 1 << 16;

/// The most officials and accounts.
const MAX_ACTORS: usize = 1 << 18;

/// Names of a sort before those of its fields.
const HEAD: usize = 6;

/// Records that are alike, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The kind of record.
    pub kind: Arc<str>,
    /// The caller's department.
    pub department: Arc<str>,
    /// The calling system.
    pub system: Arc<str>,
    /// The dataset.
    pub dataset: Arc<str>,
    /// The purpose.
    pub purpose: Arc<str>,
    /// The code that the caller saw.
    pub outcome: Arc<str>,
    /// What was decided, field by field.
    pub fields: Vec<CountField>,
    /// How many.
    pub records: u64,
}

/// One field of such records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountField {
    /// The field.
    pub field: Arc<str>,
    /// The form that it was given in.
    pub form: Arc<str>,
    /// The rule or grant that decided.
    pub rule: Arc<str>,
}

/// Does a record match?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Yes,
    No,
    /// Only the record itself can tell.
    Maybe,
}

impl Says {
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Maybe,
        }
    }
}

/// What a filter comes to, sort by sort.
#[derive(Debug)]
pub(super) struct Wanted {
    sorts: Vec<Says>,
    actor: Option<u32>,
}

impl Wanted {
    /// Does it match what a sort says?
    pub fn sort(&self, id: u32) -> Says {
        self.sorts.get(id as usize).copied().unwrap_or(Says::Maybe)
    }

    /// Does it match who acted?
    pub fn actor(&self, id: u32) -> Says {
        match self.actor {
            None => Says::Yes,
            Some(wanted) if wanted == id && id != UNTOLD => Says::Yes,
            Some(_) if id == UNTOLD => Says::Maybe,
            Some(_) => Says::No,
        }
    }
}

/// The names that there are, each with its number.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Names {
    fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    fn add(&mut self, name: &str) -> u32 {
        if let Some(number) = self.number(name) {
            return number;
        }
        let (name, number) = (Arc::<str>::from(name), self.names.len() as u32);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    fn name(&self, number: u32) -> Arc<str> {
        self.names.get(number as usize).cloned().unwrap_or_default()
    }
}

/// One sort.
#[derive(Debug)]
struct Sort {
    /// When the first record of it was, in microseconds.
    first: i64,
    /// The numbers of its names.
    names: Arc<[u32]>,
}

impl Sort {
    fn fields(&self) -> &[[u32; 3]] {
        self.names.get(HEAD..).unwrap_or_default().as_chunks().0
    }
}

/// The sorts and actors of an index.
#[derive(Debug, Default)]
pub(super) struct Known {
    names: Names,
    sorts: Vec<Sort>,
    by_names: HashMap<Arc<[u32]>, u32>,
    actors: Names,
    /// Where names are put together to be looked up.
    scratch: Vec<u32>,
}

impl Known {
    /// How many sorts there are.
    pub fn sorts(&self) -> usize {
        self.sorts.len()
    }

    /// Reads what an index has told apart.
    pub fn load(index: &mut SqliteConnection) -> QueryResult<Self> {
        let mut known = Self::default();
        let sorts: Vec<(i64, String)> =
            sort::table.order(sort::id).select((sort::first, sort::names)).load(index)?;
        for (first, names) in sorts {
            let names: Vec<String> = serde_json::from_str(&names)
                .map_err(|e| diesel::result::Error::DeserializationError(Box::new(e)))?;
            let names = names.iter().map(|name| known.names.add(name)).collect();
            known.add(first, names);
        }
        let actors: Vec<String> = actor::table.order(actor::id).select(actor::name).load(index)?;
        actors.iter().for_each(|name| {
            known.actors.add(name);
        });
        Ok(known)
    }

    /// The number of a record's sort; a new one is filed.
    pub fn sort_of(&mut self, index: &mut SqliteConnection, of: &Facets<'_>, time: i64) -> QueryResult<u32> {
        let mut key = std::mem::take(&mut self.scratch);
        key.clear();
        let all_known =
            names_of(of).all(|name| self.names.number(name).inspect(|number| key.push(*number)).is_some());
        let known = self.by_names.get(&*key).copied().filter(|_| all_known);
        self.scratch = key;
        if let Some(known) = known {
            return Ok(known);
        }
        if self.sorts.len() >= MAX_SORTS {
            return Ok(UNTOLD);
        }
        let texts: Vec<&str> = names_of(of).collect();
        diesel::insert_into(sort::table)
            .values((
                sort::id.eq(self.sorts.len() as i64),
                sort::first.eq(time),
                sort::names.eq(serde_json::Value::from(texts.clone()).to_string()),
            ))
            .execute(index)?;
        let names = texts.iter().map(|name| self.names.add(name)).collect();
        Ok(self.add(time, names))
    }

    /// The number of who acted; a new one is filed.
    pub fn actor_of(&mut self, index: &mut SqliteConnection, name: &str) -> QueryResult<u32> {
        if let Some(known) = self.actors.number(name) {
            return Ok(known);
        }
        if self.actors.names.len() >= MAX_ACTORS {
            return Ok(UNTOLD);
        }
        diesel::insert_into(actor::table)
            .values((actor::id.eq(self.actors.names.len() as i64), actor::name.eq(name)))
            .execute(index)?;
        Ok(self.actors.add(name))
    }

    fn add(&mut self, first: i64, names: Arc<[u32]>) -> u32 {
        let id = self.sorts.len() as u32;
        self.by_names.insert(Arc::clone(&names), id);
        self.sorts.push(Sort { first, names });
        id
    }

    /// What a filter comes to, but for the time.
    pub fn wanted(&self, filter: &Filter) -> Wanted {
        let number =
            |name: &Option<String>| name.as_deref().map(|name| self.names.number(name).unwrap_or(u32::MAX));
        let head =
            [&filter.kind, &filter.department, &filter.system, &filter.purpose, &filter.outcome].map(number);
        let datasets: Vec<u32> = filter.datasets.iter().filter_map(|name| self.names.number(name)).collect();
        let of_field = [&filter.field, &filter.form, &filter.rule].map(number);
        let is = |asked: &Option<u32>, said: &u32| asked.is_none_or(|asked| asked == *said);
        let says = |sort: &Sort| {
            let [kind, department, system, dataset, purpose, outcome] = sort.names.first_chunk::<HEAD>()?;
            let said = [kind, department, system, purpose, outcome];
            let yes = head.iter().zip(said).all(|(asked, said)| is(asked, said))
                && (filter.datasets.is_empty() || datasets.contains(dataset))
                && (of_field.iter().all(Option::is_none)
                    || sort
                        .fields()
                        .iter()
                        .any(|field| of_field.iter().zip(field).all(|(asked, said)| is(asked, said))));
            Some(if yes { Says::Yes } else { Says::No })
        };
        Wanted {
            sorts: self.sorts.iter().map(|sort| says(sort).unwrap_or(Says::Maybe)).collect(),
            actor: filter.operator.as_deref().map(|name| self.actors.number(name).unwrap_or(UNTOLD)),
        }
    }

    /// The counts by number in words.
    pub fn counts(&self, records: &[u64]) -> Vec<Count> {
        let counted = self.sorts.iter().zip(records).filter(|(_, records)| **records > 0);
        counted.filter_map(|(sort, records)| self.count(sort, *records)).collect()
    }

    fn count(&self, sort: &Sort, records: u64) -> Option<Count> {
        let head = sort.names.first_chunk::<HEAD>()?;
        let [kind, department, system, dataset, purpose, outcome] = head.map(|name| self.names.name(name));
        let field = |names: &[u32; 3]| {
            let [field, form, rule] = names.map(|name| self.names.name(name));
            CountField { field, form, rule }
        };
        let fields = sort.fields().iter().map(field).collect();
        Some(Count { kind, department, system, dataset, purpose, outcome, fields, records })
    }

    /// The same of those who acted, if anybody did.
    pub fn actors(&self, records: &[u64]) -> Vec<(Arc<str>, u64)> {
        let counted = self.actors.names.iter().zip(records);
        counted
            .filter(|(name, records)| **records > 0 && !name.is_empty())
            .map(|(name, n)| (Arc::clone(name), *n))
            .collect()
    }

    /// The systems that ever called, by department and name, each with the time of its first record.
    pub fn first_calls(&self) -> BTreeMap<(Arc<str>, Arc<str>), i64> {
        let mut first = BTreeMap::new();
        for sort in &self.sorts {
            let Some(&[_, department, system, ..]) = sort.names.first_chunk::<HEAD>() else { continue };
            let system = self.names.name(system);
            if !system.is_empty() {
                let known = first.entry((self.names.name(department), system)).or_insert(sort.first);
                *known = sort.first.min(*known);
            }
        }
        first
    }
}

fn names_of<'a>(of: &'a Facets<'a>) -> impl Iterator<Item = &'a str> {
    let head = [&of.kind, &of.caller.department, &of.caller.system, &of.dataset, &of.purpose, &of.outcome];
    let fields = of.fields.iter().flat_map(|field| [&*field.field, &*field.form, &*field.rule]);
    head.map(|name| &**name).into_iter().chain(fields)
}
