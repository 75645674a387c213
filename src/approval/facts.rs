//! What the handler must know beside the application itself.

use super::application::Application;
use super::command::As;
use super::terms::Terms;
pub use super::workflow::Workflow;
use crate::base::Timestamp;
use crate::base::ids::{AccountId, PersonId};
use crate::catalogue::Catalogue;
use crate::identity::{Account, Registry, Role};

/// A role lent for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Whose role it is.
    pub from: Account,
    /// Which account may act in it.
    pub to: AccountId,
    /// The role.
    pub role: Role,
    /// From this moment.
    pub since: Timestamp,
    /// Until this moment.
    pub until: Timestamp,
}

/// That one person approved what another applied for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastApproval {
    /// Who applied.
    pub applicant: PersonId,
    /// Who approved.
    pub approver: PersonId,
    /// When.
    pub at: Timestamp,
}

/// Who gives the command.
#[derive(Debug, Clone)]
pub enum By<'a> {
    /// A person, signed in.
    Person {
        /// The account.
        account: &'a Account,
        /// In which role, for whom.
        acting: &'a As,
    },
    /// The timers.
    Timer,
}

/// Everything that a decision about a command rests on, beside the application.
pub struct Facts<'a> {
    /// What can be asked.
    pub catalogue: &'a Catalogue,
    /// Which systems there are.
    pub registry: &'a Registry,
    /// The rules of the workflow.
    pub workflow: &'a Workflow,
    /// Delegations to the account that gives the command.
    pub delegations: &'a [Delegation],
    /// All accounts of the people who act: of who gives the command, and of who lent the role.
    /// Somebody who has one in the requester's department benefits, and does not decide.
    pub accounts: &'a [Account],
    /// The application that a new one says it renews.
    pub renewed: Option<&'a Application>,
    /// The other terms that the requester has in force, of whatever dataset: for toxic combinations
    /// over all of them.
    pub in_force: &'a [Terms],
    /// Approvals within the window for rings.
    pub approvals: &'a [PastApproval],
    /// Does `policies/grants.toml` say that the grant is suspended? What the files stop, the files let
    /// go on.
    pub stopped_by_files: bool,
    /// The present moment.
    pub now: Timestamp,
}
