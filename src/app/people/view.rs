//! What administrators are told of accounts.

use serde::Serialize;
use utoipa::ToSchema;

use super::OneTime;
use crate::store::state::Profile;

/// An account of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonView {
    /// The account.
    pub account: String,
    /// The natural person, by personnel number.
    pub person: String,
    /// How the person is called.
    pub name: String,
    /// The department in which the roles hold.
    pub department: String,
    /// What it may do.
    pub roles: Vec<String>,
    /// Where its e-mail goes, if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The language of its letters.
    pub lang: String,
    /// May it sign in and act?
    pub active: bool,
    /// Has the person chosen a password?
    pub has_password: bool,
    /// Has the person set up a code generator?
    pub has_code: bool,
    /// The SHA-256 of the keys whose certificates it signs in with.
    pub certificates: Vec<String>,
    /// Who the person is at the identity provider, where the account signs in there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OutsideView>,
}

/// Somebody at an identity provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutsideView {
    /// The provider.
    pub issuer: String,
    /// The subject there.
    pub subject: String,
}

impl From<&Profile> for PersonView {
    fn from(profile: &Profile) -> Self {
        let account = &profile.account;
        Self {
            account: account.id.to_string(),
            person: account.person.to_string(),
            name: account.name.clone(),
            department: account.department.to_string(),
            roles: account.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            email: account.email.clone(),
            lang: account.lang.tag().to_owned(),
            active: account.active,
            has_password: profile.has_password,
            has_code: profile.has_code,
            certificates: profile.keys.iter().map(ToString::to_string).collect(),
            oidc: profile.outside.as_ref().map(|outside| OutsideView {
                issuer: outside.issuer().to_owned(),
                subject: outside.subject().to_owned(),
            }),
        }
    }
}

/// Accounts.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeoplePage {
    /// By account.
    pub people: Vec<PersonView>,
    /// Ask with `after` set to this for the next page; absent when there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An account that was made or changed.
#[derive(Serialize, ToSchema)]
pub struct PersonMade {
    /// The account, as it is now.
    #[serde(flatten)]
    pub person: PersonView,
    /// For the person alone: the password of the first sign-in, at which it is changed. It is
    /// shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_time_password: Option<String>,
    /// Until when that can be used, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable_until: Option<String>,
}

impl PersonMade {
    pub(super) fn of(profile: &Profile, one_time: &OneTime) -> Self {
        Self {
            one_time_password: Some(one_time.password.reveal().clone()),
            usable_until: Some(one_time.until.to_string()),
            ..Self::without_password(profile)
        }
    }

    pub(super) fn without_password(profile: &Profile) -> Self {
        Self { person: PersonView::from(profile), one_time_password: None, usable_until: None }
    }
}
