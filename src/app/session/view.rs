//! What people are told of their sessions.

use serde::Serialize;
use utoipa::ToSchema;

use super::SignedIn;
use crate::base::Secret;
use crate::store::state::Session;

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// The session, as its records name it.
    pub session: String,
    /// The account.
    pub account: String,
    /// How the person is called.
    pub name: String,
    /// The department in which the roles hold.
    pub department: String,
    /// What the account may do.
    pub roles: Vec<String>,
    /// What was signed in with: `password`, `certificate` or `oidc`.
    pub means: String,
    /// Since when, UTC.
    pub since: String,
    /// When the session ends, used or not, UTC.
    pub expires: String,
    /// The password is a one-time password: nothing else can be done before it is changed.
    pub must_change_password: bool,
    /// There is no code generator: nothing else can be done before one is set up.
    pub must_set_up_code: bool,
}

impl From<&SignedIn> for SessionView {
    fn from(signed_in: &SignedIn) -> Self {
        let session = &signed_in.session;
        let account = &session.profile.account;
        Self {
            session: session.id.clone(),
            account: account.id.to_string(),
            name: account.name.clone(),
            department: account.department.to_string(),
            roles: account.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            means: session.means.as_str().to_owned(),
            since: session.since.to_string(),
            expires: signed_in.ends.to_string(),
            must_change_password: signed_in.must_change_password(),
            must_set_up_code: signed_in.must_set_up_code(),
        }
    }
}

/// The sessions of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// One line for each, newest first.
    pub sessions: Vec<SessionLine>,
}

/// A session in the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionLine {
    /// Its name: to sign out of it.
    pub session: String,
    /// What was signed in with.
    pub means: String,
    /// Since when, UTC.
    pub since: String,
    /// When it was last used, UTC, within a minute.
    pub used: String,
    /// Is it the one that asks?
    pub current: bool,
}

impl SessionLine {
    pub(super) fn of(session: Session, current: &str) -> Self {
        Self {
            current: session.id == current,
            session: session.id,
            means: session.means.as_str().to_owned(),
            since: session.since.to_string(),
            used: session.used.to_string(),
        }
    }
}

/// What a code generator is to be given. It is shown once.
#[derive(Serialize, ToSchema)]
pub struct CodeOffer {
    /// For the code generator, as a picture often (Key Uri Format). It is in use once a code of it
    /// was sent back.
    pub otpauth: String,
}

impl CodeOffer {
    pub(super) fn of(uri: &Secret<String>) -> Self {
        Self { otpauth: uri.reveal().clone() }
    }
}
