//! Charging a query to the grants that it uses.
//!
//! Invariant: charged before anything is fetched, found or not, so that a subject without a
//! record costs the same as one with; all grants or none.

use std::sync::Arc;

use super::gateway::Gateway;
use crate::base::{Bound, Code, Error, Result, Timestamp};
use crate::catalogue::Ask;
use crate::policy::{Grant, People};
use crate::privacy::CountingKey;
use crate::store::state::{Charge, Charged, Counted, Use, UsePeople};

const DAY: u32 = 86_400;

/// Charges every grant of `used` once, for all subjects.
///
/// # Errors
/// `quota-exhausted` with the bound that is reached, and nothing charged; `not-ready`.
pub(super) async fn charge<'a>(
    gateway: &Gateway,
    used: impl Iterator<Item = &'a Arc<Grant>>,
    ask: &Ask,
    now: Timestamp,
) -> Result<()> {
    let mut grants: Vec<&Arc<Grant>> = Vec::new();
    for grant in used {
        if !grants.iter().any(|known| known.id == grant.id) {
            grants.push(grant);
        }
    }
    if grants.is_empty() {
        return Ok(());
    }
    let charge = Charge {
        uses: grants.iter().map(|grant| of_grant(&gateway.counting, grant, ask, now)).collect(),
        day: now.day(),
        subjects: u32::try_from(ask.subjects.len()).unwrap_or(u32::MAX),
    };
    match gateway.quotas.charge(charge).await.map_err(|e| Error::new(Code::NotReady).because(e))? {
        Charged::Yes => Ok(()),
        Charged::Exhausted { grant, bound, limit, remaining } => {
            let grant = grants.iter().find(|known| known.rule == grant);
            let (name, window_seconds, wait) = match (bound, grant.and_then(|grant| grant.people)) {
                (Counted::Subjects, _) => ("grant-day", DAY, seconds_to_midnight(now)),
                (Counted::People, Some(People::InAll(_))) => {
                    let until = |from: Timestamp| {
                        let end = grant.map_or(from, |grant| grant.until);
                        u32::try_from(end.seconds() - from.seconds()).unwrap_or(0)
                    };
                    ("grant-distinct", until(grant.map_or(now, |grant| grant.from)), until(now))
                }
                (Counted::People, _) => ("grant-distinct-day", DAY, seconds_to_midnight(now)),
            };
            let (quota, remaining) = (u64::from(limit), u64::from(remaining));
            let bound = Bound { name, quota, remaining, window_seconds };
            Err(Error::new(Code::QuotaExhausted).retry_after(wait).bound(bound))
        }
    }
}

fn of_grant(key: &CountingKey, grant: &Grant, ask: &Ask, now: Timestamp) -> Use {
    let people = grant.people.map(|people| {
        let (limit, day) = match people {
            People::ADay(limit) => (limit, now.day()),
            // Counted under its first day, also past midnight.
            People::InAll(limit) => (limit, grant.from.day()),
        };
        let kind = ask.dataset.entry.subject.identifier.as_str();
        let identifiers = ask.subjects.iter().map(|s| s.reveal().as_str().unwrap_or_default());
        let tokens = identifiers.map(|identifier| key.token(&grant.rule, day, kind, identifier)).collect();
        UsePeople { limit, day, tokens }
    });
    Use { grant: grant.rule.clone(), per_day: grant.per_day, people }
}

/// Seconds until the day turns in Asia/Shanghai, when a day's volume begins anew.
fn seconds_to_midnight(now: Timestamp) -> u32 {
    let day = i64::from(DAY);
    let into_day = (now.seconds() + 8 * 3600).rem_euclid(day);
    u32::try_from(day - into_day).unwrap_or(DAY)
}
