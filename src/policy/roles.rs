//! What the roles of systems and people may do in the interface, apart from which data they get.
//!
//! Invariant: casbin answers for every role and action once, when a version is loaded; what it
//! did not allow then is not allowed.

use std::collections::BTreeSet;

use super::csv::rows;
use super::judge;
use crate::base::{Finding, Findings, Sources};
use crate::identity::{Account, Role, System};

const ROLES: &str = "policies/roles.csv";
const MODEL: &str = "policies/roles.conf";

/// The role that every system has.
const EVERY_SYSTEM: &str = "system";
/// The role that every person has.
const EVERY_PERSON: &str = "person";

/// Something that the interface lets some do and others not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read the catalogue as it concerns the caller.
    DatasetsRead,
    /// Ask for data; which data is the decision's business.
    DatasetsQuery,
    /// Have requests of the own department explained.
    ExplainOwn,
    /// Have any request explained.
    ExplainAll,
    /// Read the audit records that concern the own department.
    AuditReadOwn,
    /// Read all audit records.
    AuditReadAll,
    /// Learn who asked about one person.
    SubjectsHistory,
    /// Erase one person from the log.
    SubjectsErase,
    /// Write applications and command them, and lend roles; what exactly, the approval room says.
    ApplicationsWrite,
    /// Read the applications and grants that the own department has a side in.
    ApplicationsReadOwn,
    /// Read all applications and grants.
    ApplicationsReadAll,
    /// Open emergency access, where enrolled.
    EmergencyOpen,
    /// Enrol people for emergency access to the own department's data.
    EmergencyEnrol,
    /// Review emergency access to the own department's data.
    EmergencyReview,
    /// See the accounts of the own department.
    PeopleReadOwn,
    /// See all accounts.
    PeopleReadAll,
    /// Make accounts, without roles.
    PeopleManage,
    /// Give roles to accounts and take them away.
    PeopleRoles,
    /// See how much is asked and refused, and how the gateway stands; no single record.
    OverviewRead,
    /// Stop systems and operators, and let them go on.
    CallersSuspend,
    /// Let them go on, as the second who says so.
    CallersResume,
    /// See the rules in force, what a proposed change would change, and who is connected.
    OperationsRead,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 22] = [
        Action::DatasetsRead,
        Action::DatasetsQuery,
        Action::ExplainOwn,
        Action::ExplainAll,
        Action::AuditReadOwn,
        Action::AuditReadAll,
        Action::SubjectsHistory,
        Action::SubjectsErase,
        Action::ApplicationsWrite,
        Action::ApplicationsReadOwn,
        Action::ApplicationsReadAll,
        Action::EmergencyOpen,
        Action::EmergencyEnrol,
        Action::EmergencyReview,
        Action::PeopleReadOwn,
        Action::PeopleReadAll,
        Action::PeopleManage,
        Action::PeopleRoles,
        Action::OverviewRead,
        Action::CallersSuspend,
        Action::CallersResume,
        Action::OperationsRead,
    ];

    /// The name in `roles.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::DatasetsRead => "datasets.read",
            Action::DatasetsQuery => "datasets.query",
            Action::ExplainOwn => "explain.own",
            Action::ExplainAll => "explain.all",
            Action::AuditReadOwn => "audit.read_own",
            Action::AuditReadAll => "audit.read_all",
            Action::SubjectsHistory => "subjects.history",
            Action::SubjectsErase => "subjects.erase",
            Action::ApplicationsWrite => "applications.write",
            Action::ApplicationsReadOwn => "applications.read_own",
            Action::ApplicationsReadAll => "applications.read_all",
            Action::EmergencyOpen => "emergency.open",
            Action::EmergencyEnrol => "emergency.enrol",
            Action::EmergencyReview => "emergency.review",
            Action::PeopleReadOwn => "people.read_own",
            Action::PeopleReadAll => "people.read_all",
            Action::PeopleManage => "people.manage",
            Action::PeopleRoles => "people.roles",
            Action::OverviewRead => "overview.read",
            Action::CallersSuspend => "callers.suspend",
            Action::CallersResume => "callers.resume",
            Action::OperationsRead => "operations.read",
        }
    }
}

/// Every role by name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    [EVERY_SYSTEM, EVERY_PERSON].into_iter().chain(Role::ALL.map(Role::as_str))
}

/// What casbin allows each role.
#[derive(Debug, Default)]
pub(super) struct Roles(BTreeSet<(&'static str, Action)>);

impl Roles {
    /// Reads `roles.csv` and has casbin answer for every role and action.
    pub fn load(sources: &Sources, findings: &mut Findings) -> Self {
        let mut lines = Vec::new();
        for (line, row) in rows(sources.file(ROLES).unwrap_or_default()) {
            let &["p", role, action] = row.as_slice() else {
                let fix = "write `p, auditor, audit.read_all`, say";
                findings.push(Finding::error("csv-syntax", ROLES, line, "not `p, role, action`", fix));
                continue;
            };
            if !names().any(|name| name == role) {
                let what = format!("there is no role `{role}`");
                findings.push(Finding::error("unknown-role", ROLES, line, what, "correct the name"));
            }
            if !Action::ALL.iter().any(|known| known.as_str() == action) {
                let what = format!("there is no action `{action}`");
                findings.push(Finding::error("unknown-action", ROLES, line, what, "correct the name"));
            }
            lines.push(vec![role.to_owned(), action.to_owned()]);
        }
        if lines.is_empty() {
            let what = "no role may do anything";
            findings.push(Finding::error("no-rules", ROLES, 0, what, "say who may do what"));
            return Self::default();
        }
        let model = sources.file(MODEL).unwrap_or_default();
        let asked = || names().flat_map(|role| Action::ALL.map(|action| (role, action)));
        match judge::allowed_pairs(model, lines, asked().map(|(role, action)| (role, action.as_str()))) {
            Ok(answers) => {
                Self(asked().zip(answers).filter_map(|(pair, allowed)| allowed.then_some(pair)).collect())
            }
            Err(what) => {
                findings.push(Finding::error("model", MODEL, 0, what, "restore the model"));
                Self::default()
            }
        }
    }

    /// May `system` do it?
    pub fn may(&self, system: &System, action: Action) -> bool {
        self.role_may(EVERY_SYSTEM, action) || self.any_may(&system.roles, action)
    }

    /// May the person do it?
    pub fn person_may(&self, account: &Account, action: Action) -> bool {
        account.active && (self.role_may(EVERY_PERSON, action) || self.any_may(&account.roles, action))
    }

    fn any_may(&self, roles: &[Role], action: Action) -> bool {
        roles.iter().any(|role| self.role_may(role.as_str(), action))
    }

    /// May a role do it?
    pub fn role_may(&self, role: &'static str, action: Action) -> bool {
        self.0.contains(&(role, action))
    }
}
