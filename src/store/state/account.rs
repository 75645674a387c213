//! An account as it is kept, what can be changed of it, and what a change comes to.
//!
//! Invariant: plain values; who may change what is not decided here.

use crate::base::ids::Fingerprint;
use crate::base::{Secret, Timestamp};
use crate::identity::{Account, Outside, Role};

/// An account, and what it can be signed in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The account.
    pub account: Account,
    /// Does it hold any role? A newer program may have given it one that this program does not know: it
    /// is not among those of `account` and permits nothing here, but an account that has it is not one
    /// without roles.
    pub has_roles: bool,
    /// Has the person chosen the password? A one-time password is not chosen.
    pub has_password: bool,
    /// Has the person set up a code generator?
    pub has_code: bool,
    /// The keys of the certificates that it signs in with.
    pub keys: Vec<Fingerprint>,
    /// Who the person is at the identity provider, where that is what it signs in with.
    pub outside: Option<Outside>,
}

/// An account to be made. It has the roles of `account`.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// The account.
    pub account: &'a Account,
    /// What is kept of its password.
    pub password: &'a Secret<String>,
    /// Until when that can be used, once; none for a password that is the person's own.
    pub until: Option<Timestamp>,
    /// The secret of its code generator, sealed, where it is set up already.
    pub code_secret: Option<&'a str>,
}

/// A change of an account.
#[derive(Debug, Clone)]
pub enum Change {
    /// It gets a role.
    GiveRole(Role),
    /// It loses a role.
    WithdrawRole(Role),
    /// It may no longer sign in or act.
    Disable,
    /// It may again.
    Enable,
    /// It gets a one-time password.
    ResetPassword {
        /// What is kept of it.
        password: Secret<String>,
        /// Until when it can be used.
        until: Timestamp,
        /// Is it refused for an account that has roles and no code generator? Whoever resets a
        /// password knows the new one, and could act in roles that somebody else has given. Who
        /// has the machine could anyhow.
        guarded: bool,
    },
    /// Its code generator is forgotten.
    ResetCode,
    /// Whoever has this key's certificate can sign in with it, and with no one-time password any more.
    /// Only while the account has no role: afterwards that would be a way to somebody else's roles.
    BindCertificate(Fingerprint),
    /// The key signs it in no longer.
    UnbindCertificate(Fingerprint),
    /// Whoever is this at the identity provider can sign in there. Once, and only while the account
    /// has no role, as with certificates.
    BindOutside(Outside),
    /// Where its e-mail goes.
    SetEmail(Option<String>),
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Yes,
    /// It was so already.
    Unchanged,
    /// The name or key belongs to somebody already.
    Taken,
    /// The person would hold two duties that exclude each other.
    Exclusive,
    /// The account has roles.
    HasRoles,
    /// It is bound to somebody else already.
    Bound,
    /// Whoever made the account could still sign in to it.
    Unclaimed,
    /// Something else changed meanwhile: nothing was done.
    Stale,
}

impl Changed {
    /// Is it now as it was asked to be?
    pub(super) fn is_done(self) -> bool {
        matches!(self, Changed::Yes | Changed::Unchanged)
    }
}

/// What the act of making an account says of it: whose it is, and where its roles hold.
pub fn made_as(account: &Account) -> String {
    format!("{} {}", account.department, account.person)
}
