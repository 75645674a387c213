//! What the approval room must know beside the application: gathered by reads that are bounded and
//! each have an index.

use std::collections::BTreeSet;

use super::state;
use crate::app::gateway::Gateway;
use crate::app::world::World;
use crate::approval::Application;
use crate::approval::facts::{Delegation, Facts, PastApproval};
use crate::approval::terms::{FieldTerms, Terms};
use crate::base::ids::{ApplicationId, DepartmentId, PersonId};
use crate::base::{Result, Timestamp};
use crate::identity::Account;
use crate::policy::Grant;
use crate::store::state::StateStore;

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// The facts, held for as long as they are looked at.
#[derive(Default)]
pub(super) struct Gathered {
    pub delegations: Vec<Delegation>,
    accounts: Vec<Account>,
    renewed: Option<Application>,
    in_force: Vec<Terms>,
    approvals: Vec<PastApproval>,
    stopped_by_files: bool,
}

/// About what the facts are gathered.
#[derive(Clone, Copy)]
pub(super) enum About<'a> {
    /// An application that there is.
    Existing(&'a Application),
    /// A new one, and the one that it renews.
    New(Option<&'a ApplicationId>),
}

impl Gathered {
    /// Gathers what concerns the person who gives a command.
    pub fn for_person(
        gateway: &Gateway,
        world: &World,
        account: &Account,
        about: About<'_>,
        now: Timestamp,
    ) -> Result<Self> {
        let store = &gateway.state;
        let delegations = delegations(gateway, account, now)?;
        let people = people(account, &delegations);
        let (requester, except, renews) = match about {
            About::Existing(application) => {
                (&application.requester, Some(&application.id), application.renews.as_ref())
            }
            About::New(renews) => (&account.department, None, renews),
        };
        let approvals = match about {
            About::Existing(application) => {
                // A ring of two: the person who acts applied, and who applied here approved.
                let authors: Vec<PersonId> = application.parts.authors.iter().cloned().collect();
                let since = now.plus_seconds(-i64::from(world.workflow.people.ring) * DAY);
                store.approvals_between(&people, &authors, since).map_err(state)?
            }
            About::New(_) => Vec::new(),
        };
        let mut accounts = Vec::new();
        for person in &people {
            accounts.extend(store.accounts_of(person).map_err(state)?);
        }
        let renewed = match renews {
            Some(id) => store.application(id).map_err(state)?,
            None => None,
        };
        Ok(Self {
            in_force: in_force(store, world, requester, except)?,
            stopped_by_files: matches!(about, About::Existing(a) if stopped_by_files(world, &a.id)),
            delegations,
            accounts,
            renewed,
            approvals,
        })
    }

    /// The facts, as the approval room takes them.
    pub fn facts<'a>(&'a self, world: &'a World, now: Timestamp) -> Facts<'a> {
        Facts {
            catalogue: &world.catalogue,
            registry: &world.registry,
            workflow: &world.workflow,
            delegations: &self.delegations,
            accounts: &self.accounts,
            renewed: self.renewed.as_ref(),
            in_force: &self.in_force,
            approvals: &self.approvals,
            stopped_by_files: self.stopped_by_files,
            now,
        }
    }
}

/// What is lent to the account now, with whom it is lent by as that account stands today. What the
/// log does not bear out is not lent.
pub(super) fn delegations(gateway: &Gateway, account: &Account, now: Timestamp) -> Result<Vec<Delegation>> {
    let mut delegations = Vec::new();
    for loan in gateway.state.lent_to(&account.id, now).map_err(state)? {
        let Some(from) = gateway.state.account(&loan.from).map_err(state)? else { continue };
        if let Err(why) = gateway.confirm_loan(&loan, &from) {
            tracing::error!(delegation = loan.id, %why, "a delegation is not in force");
            continue;
        }
        let (role, since, until) = (loan.role, loan.since, loan.until);
        delegations.push(Delegation { from: from.account, to: loan.to, role, since, until });
    }
    Ok(delegations)
}

/// Whom it may be put down to: the person, and those who lend a role.
fn people(account: &Account, delegations: &[Delegation]) -> Vec<PersonId> {
    let lenders = delegations.iter().map(|d| d.from.person.clone());
    let people: BTreeSet<PersonId> = lenders.chain([account.person.clone()]).collect();
    people.into_iter().collect()
}

/// The terms that a department has in force, by grants of applications and of the files.
fn in_force(
    store: &StateStore,
    world: &World,
    requester: &DepartmentId,
    except: Option<&ApplicationId>,
) -> Result<Vec<Terms>> {
    let mut terms = store.terms_in_force(requester, except).map_err(state)?;
    let of_files = world.policy.grants().iter().filter(|g| g.department == *requester && is_of_files(g));
    let others = of_files.filter(|grant| except.is_none_or(|id| id.as_str() != grant.id.as_str()));
    terms.extend(others.map(|grant| terms_of(grant)));
    Ok(terms)
}

/// Is it a grant of `policies/grants.toml`? Those have numbers of four digits.
pub(super) fn is_of_files(grant: &Grant) -> bool {
    grant.id.as_str().rsplit('-').next().is_some_and(|number| number.len() == 4)
}

/// Is it a grant of the files, and do they say that it is suspended?
fn stopped_by_files(world: &World, id: &ApplicationId) -> bool {
    world.policy.authored().iter().any(|grant| grant.suspended && grant.id.as_str() == id.as_str())
}

/// The terms of a grant of the files.
pub(super) fn terms_of(grant: &Grant) -> Terms {
    let field = |field: &crate::policy::GrantedField| FieldTerms {
        field: field.field.clone(),
        form: field.form,
        compare: field.compare.clone(),
        reason: String::new(),
    };
    Terms {
        dataset: grant.dataset.clone(),
        purpose: grant.purpose.clone(),
        basis: grant.basis.clone(),
        scenario: String::new(),
        scope: String::new(),
        mode: "service".to_owned(),
        systems: grant.systems.clone(),
        fields: grant.fields.iter().map(field).collect(),
        per_day: grant.per_day,
        distinct_per_day: grant.per_day,
        // The end is the beginning of the day after the last.
        until: grant.until.plus_seconds(-1).day(),
        toxic_reason: None,
    }
}
