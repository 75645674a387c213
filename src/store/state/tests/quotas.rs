//! What is counted under grants.

use time::macros::date;

use super::open;
use crate::base::ids::RuleId;
use crate::store::state::*;

const TODAY: time::Date = date!(2026 - 11 - 22);
const TOMORROW: time::Date = date!(2026 - 11 - 23);

fn charge(grants: &[(&str, u32)], day: time::Date, subjects: u32) -> Charge {
    let usage = |(id, per_day): &(&str, u32)| Use { grant: rule(id), per_day: *per_day, people: None };
    Charge { uses: grants.iter().map(usage).collect(), day, subjects }
}

/// A charge about these people, under a grant for so many different ones a day.
fn about(people: &[u8], limit: u32, day: time::Date) -> Charge {
    let people = UsePeople { limit, day, tokens: people.iter().map(|n| [*n; 16]).collect() };
    let subjects = people.tokens.len() as u32;
    Charge {
        uses: vec![Use { grant: rule("grant:G-1"), per_day: 1000, people: Some(people) }],
        day,
        subjects,
    }
}

fn rule(id: &str) -> RuleId {
    RuleId::parse(id).unwrap()
}

fn exhausted(grant: &str, bound: Counted, limit: u32, remaining: u32) -> Charged {
    Charged::Exhausted { grant: rule(grant), bound, limit, remaining }
}

/// Charges all of `charges` at the same time: what each came to.
async fn at_once(state: StateStore, charges: impl Iterator<Item = Charge>) -> Vec<Charged> {
    let quotas = std::sync::Arc::new(Quotas::start(&state).unwrap());
    let tasks: Vec<_> = charges
        .map(|charge| {
            let quotas = std::sync::Arc::clone(&quotas);
            tokio::spawn(async move { quotas.charge(charge).await.unwrap() })
        })
        .collect();
    let mut charged = Vec::new();
    for task in tasks {
        charged.push(task.await.unwrap());
    }
    charged
}

#[tokio::test]
async fn parallel_charges_never_pass_the_limit() {
    let (state, _dir) = open();
    let charged = at_once(state, (0..80).map(|_| charge(&[("grant:G-1", 100)], TODAY, 3))).await;
    assert_eq!(charged.iter().filter(|charged| **charged == Charged::Yes).count(), 33);
}

#[tokio::test]
async fn parallel_charges_never_pass_the_bound_on_different_people() {
    let (state, _dir) = open();
    // 40 pairs out of 41 people, each pair twice: two neighbours share a person.
    let pairs = (0..80u8).map(|n| about(&[n % 40, n % 40 + 1], 25, TODAY));
    let charged = at_once(state.clone(), pairs).await;
    let met: std::collections::BTreeSet<u8> = (0..80u8)
        .zip(&charged)
        .filter(|(_, charged)| **charged == Charged::Yes)
        .flat_map(|(n, _)| [n % 40, n % 40 + 1])
        .collect();
    assert_eq!(met.len(), 25, "no more, and no fewer while one pair adds one person");
    let quotas = Quotas::start(&state).unwrap();
    let known: Vec<u8> = met.into_iter().collect();
    assert_eq!(quotas.charge(about(&known, 25, TODAY)).await.unwrap(), Charged::Yes, "they are known");
}

#[tokio::test]
async fn one_person_counts_once_a_day_however_often_asked_about() {
    let (state, _dir) = open();
    let quotas = Quotas::start(&state).unwrap();
    let ask = async |people: &[u8], day| quotas.charge(about(people, 2, day)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&[1, 2], TODAY).await, Charged::Yes);
    }
    assert_eq!(ask(&[2, 3], TODAY).await, exhausted("grant:G-1", Counted::People, 2, 0));
    assert_eq!(ask(&[2], TODAY).await, Charged::Yes);
    assert_eq!(ask(&[3, 4], TOMORROW).await, Charged::Yes, "a day begins anew");
}

#[tokio::test]
async fn who_was_asked_about_is_forgotten_when_the_day_is_over() {
    let (state, _dir) = open();
    let quotas = Quotas::start(&state).unwrap();
    let kept = || {
        use schema::quota_people::dsl::quota_people;
        quota_people.count().get_result::<i64>(&mut *state.connection().unwrap()).unwrap()
    };
    quotas.charge(about(&[1, 2, 3], 9, TODAY)).await.unwrap();
    quotas.charge(about(&[1], 9, TOMORROW)).await.unwrap();
    assert_eq!(kept(), 4, "a bound over two days may begin yesterday");
    quotas.charge(about(&[1], 9, date!(2026 - 11 - 24))).await.unwrap();
    assert_eq!(kept(), 2);
}

#[tokio::test]
async fn the_count_begins_anew_each_day_and_a_refused_charge_costs_nothing() {
    let (state, _dir) = open();
    let quotas = Quotas::start(&state).unwrap();
    let ask = async |day, subjects| quotas.charge(charge(&[("grant:G-1", 10)], day, subjects)).await.unwrap();
    let short = |remaining| exhausted("grant:G-1", Counted::Subjects, 10, remaining);
    assert_eq!(ask(TODAY, 11).await, short(10));
    assert_eq!(ask(TODAY, 8).await, Charged::Yes);
    assert_eq!(ask(TODAY, 3).await, short(2));
    assert_eq!(ask(TODAY, 2).await, Charged::Yes);
    assert_eq!(ask(TODAY, 1).await, short(0));
    assert_eq!(ask(TOMORROW, 10).await, Charged::Yes);
}

#[tokio::test]
async fn a_query_charges_all_its_grants_or_none() {
    let (state, _dir) = open();
    let quotas = Quotas::start(&state).unwrap();
    let both = charge(&[("grant:A", 10), ("grant:B", 1)], TODAY, 2);
    assert_eq!(quotas.charge(both).await.unwrap(), exhausted("grant:B", Counted::Subjects, 1, 1));
    assert_eq!(quotas.charge(charge(&[("grant:A", 10)], TODAY, 10)).await.unwrap(), Charged::Yes);
    let mut people = about(&[1], 1, TODAY);
    people.uses.insert(0, Use { grant: rule("grant:B"), per_day: 1, people: None });
    assert_eq!(quotas.charge(people.clone()).await.unwrap(), Charged::Yes);
    people.uses.swap(0, 1);
    assert_eq!(quotas.charge(people).await.unwrap(), exhausted("grant:B", Counted::Subjects, 1, 0));
    assert_eq!(quotas.charge(about(&[2], 2, TODAY)).await.unwrap(), Charged::Yes, "nobody was noted");
}
