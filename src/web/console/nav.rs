//! The navigation: which pages are offered to whom.
//!
//! Invariant: a link is offered only to who may have its page; which of those pages concern somebody
//! is said here, by role, and is no more than a convenience.

use super::pages::{self, Who};
use crate::identity::{Account, Role};
use crate::policy::Policy;

/// A link of the navigation.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where to.
    pub href: &'static str,
    /// The key of its text.
    pub key: &'static str,
    /// Is it the page, or the part of the console, that is shown?
    pub here: bool,
}

/// One entry: the page, the key of its text, the roles that it concerns; none named means all.
type Entry = (&'static str, &'static str, &'static [Role]);

/// Those who decide about applications.
const DECIDE: &[Role] = &[
    Role::Applicant,
    Role::SectionHead,
    Role::SharingLead,
    Role::Leader,
    Role::ConfidentialityOfficer,
    Role::Coordinator,
    Role::LeadingGroup,
];

/// Those who may lend a role.
const LEND: &[Role] = &[Role::SectionHead, Role::SharingLead, Role::Leader, Role::ConfidentialityOfficer];

const ENTRIES: &[Entry] = &[
    ("/console", "nav.home", &[]),
    ("/console/inbox", "nav.inbox", DECIDE),
    ("/console/applications", "nav.applications", &[]),
    ("/console/catalogue", "nav.catalogue", &[]),
    ("/console/cart", "nav.cart", &[Role::Applicant]),
    ("/console/grants", "nav.grants", &[]),
    ("/console/why", "nav.why", &[Role::Applicant, Role::SharingLead, Role::Auditor]),
    ("/console/delegations", "nav.delegations", LEND),
    ("/console/security", "nav.security", &[Role::Auditor, Role::SecurityAdmin]),
    ("/console/security/events", "nav.events", &[Role::Auditor, Role::ConfidentialityOfficer]),
    ("/console/security/stopped", "nav.stopped", &[Role::SystemAdmin]),
    ("/console/security/person", "nav.person", &[Role::Auditor]),
    ("/console/security/export", "nav.export", &[Role::Auditor]),
    ("/console/coordinator", "nav.coordinator", &[Role::Coordinator, Role::LeadingGroup]),
    ("/console/admin", "nav.admin", &[Role::SystemAdmin, Role::SecurityAdmin, Role::Auditor]),
    ("/console/admin/people", "nav.people", &[Role::SectionHead, Role::SharingLead, Role::Leader]),
    ("/console/integrator", "nav.integrator", &[]),
];

/// The links for an account that looks at `path`.
pub fn links(account: &Account, policy: &Policy, path: &str) -> Vec<Link> {
    let concerns = |roles: &[Role]| roles.is_empty() || roles.iter().any(|role| account.holds(*role));
    let may = |href: &str| {
        let page = pages::all().find(|page| page.path == href);
        page.is_some_and(|page| opens(page.who, account, policy))
    };
    let entries: Vec<&Entry> =
        ENTRIES.iter().filter(|(href, _, roles)| concerns(roles) && may(href)).collect();
    // Of parts within parts, the innermost is where one is.
    let within = entries.iter().map(|(href, _, _)| *href).filter(|href| is_within(path, href));
    let here = within.max_by_key(|href| href.len());
    entries.iter().map(|(href, key, _)| Link { href, key, here: here == Some(*href) }).collect()
}

/// Can applications wait for the account?
pub fn decides(account: &Account) -> bool {
    DECIDE.iter().any(|role| account.holds(*role))
}

/// May the account have what is for `who`?
pub fn opens(who: Who, account: &Account, policy: &Policy) -> bool {
    match who {
        Who::Visitor | Who::Holder | Who::Person => true,
        Who::May(actions) => actions.iter().any(|action| policy.person_may(account, *action)),
    }
}

fn is_within(path: &str, href: &str) -> bool {
    path == href || (href != super::ROOT && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::{apply, world};
    use crate::base::Lang;
    use crate::base::ids::{AccountId, DepartmentId, PersonId};
    use crate::policy::Action;

    fn account(role: Role) -> Account {
        Account {
            id: AccountId::parse("civil.zhang").unwrap(),
            person: PersonId::parse("P-1").unwrap(),
            name: "张".into(),
            department: DepartmentId::parse("civil").unwrap(),
            roles: vec![role],
            email: None,
            lang: Lang::Zh,
            active: true,
        }
    }

    #[test]
    fn a_page_is_open_to_who_may_do_what_its_row_names_and_links_lead_nowhere_else() {
        let sources = apply::read_sources(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let policy = world::check(&sources).unwrap().policy;
        let log = Who::May(&[Action::AuditReadAll, Action::PeopleRoles]);
        for (role, may) in [(Role::Auditor, true), (Role::SecurityAdmin, true), (Role::Applicant, false)] {
            assert_eq!(opens(log, &account(role), &policy), may, "{role:?}");
        }
        let gone = Account { active: false, ..account(Role::Auditor) };
        assert!(!opens(log, &gone, &policy));
        assert!(!opens(Who::May(&[]), &account(Role::Auditor), &policy));
        for role in Role::ALL {
            let account = account(role);
            for link in links(&account, &policy, "/console/applications/A-2026-000001") {
                let page = pages::all().find(|page| page.path == link.href).unwrap();
                assert!(opens(page.who, &account, &policy), "{role:?} {}", link.href);
                assert_eq!(link.here, link.href == "/console/applications", "{}", link.href);
            }
        }
        let entries = ENTRIES.iter().map(|(href, ..)| href);
        assert!(entries.clone().all(|href| pages::all().any(|page| page.path == *href)), "{entries:?}");
    }
}
