//! Accounts (账号) of people.
//!
//! Invariant: an account belongs to one natural person and one department. A person may have
//! several accounts; wherever people are counted or kept apart, the person counts, not the account.

use serde::{Deserialize, Serialize};

use super::role::Role;
use crate::base::Lang;
use crate::base::ids::{AccountId, DepartmentId, PersonId};

/// An account of a person (人员).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its id: the name that is signed in with.
    pub id: AccountId,
    /// The natural person, by personnel number: the same for all accounts of one person.
    pub person: PersonId,
    /// How the person is called.
    pub name: String,
    /// The department in which its roles hold.
    pub department: DepartmentId,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Where e-mail for it goes, if anywhere.
    pub email: Option<String>,
    /// The language of its letters.
    pub lang: Lang,
    /// May it sign in and act?
    pub active: bool,
}

impl Account {
    /// Does it hold the role, and may it act?
    pub fn holds(&self, role: Role) -> bool {
        self.active && self.roles.contains(&role)
    }
}
