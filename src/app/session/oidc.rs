//! Signing in at the identity provider: there, and back.
//!
//! Invariant: a session begins only for the account that is bound to the subject of whom the
//! provider speaks; nobody gets an account by having a name there. Somebody who is not known there,
//! who has no account here, or whose account may not sign in is told the same, and every failure is
//! recorded as one of any other way to sign in.

use serde::Deserialize;

use super::journey::JourneyKey;
use super::sign_in::{Begun, Visit, refuse, sign_in_as};
use crate::app::gateway::Gateway;
use crate::base::{Code, Error, Result, Secret};
use crate::identity::Outside;
use crate::oidc::{Failure, IdentityProvider};
use crate::store::state::Means;

/// The longest code that is looked at.
const LONGEST_CODE: usize = 2048;

/// The provider, and how people who were sent there are known again.
pub struct Abroad {
    /// The provider.
    pub provider: IdentityProvider,
    /// The key of journeys.
    pub journeys: JourneyKey,
}

/// Somebody is sent to the provider.
pub struct Departure {
    /// Where.
    pub location: String,
    /// What the browser keeps meanwhile.
    pub kept: Secret<String>,
}

/// What the provider has the browser bring back (RFC 6749 section 4.1.2). What else it says is not
/// looked at.
#[derive(Deserialize)]
pub struct Return {
    code: Option<String>,
    state: Option<String>,
    /// The provider's name (RFC 9207), where it gives it.
    iss: Option<String>,
}

/// Sends somebody to the provider. Nothing is recorded of that: nothing has been done yet.
///
/// # Errors
/// `not-found` when there is no provider; `identity-provider-failed`, `audit-unavailable`,
/// `not-ready`.
pub async fn depart(gateway: &Gateway, visit: &Visit) -> Result<Departure> {
    let abroad = gateway.entry.abroad.as_ref().ok_or(Code::NotFound)?;
    let now = gateway.now();
    let (kept, challenge) = abroad.journeys.begin(&gateway.rng, now).ok_or(Code::NotReady)?;
    match abroad.provider.authorization(&challenge, now).await {
        Ok(url) => Ok(Departure { location: url.into(), kept }),
        Err(failure) => Err(refuse(gateway, visit, None, told(failure)).await),
    }
}

/// Signs in whoever comes back from the provider.
///
/// # Errors
/// `sign-in-failed`; `not-found` when there is no provider; `identity-provider-failed`,
/// `overloaded`, `audit-unavailable`, `not-ready`.
pub async fn arrive(
    gateway: &Gateway,
    visit: &Visit,
    kept: Option<Secret<String>>,
    back: Option<Return>,
) -> Result<Begun> {
    let abroad = gateway.entry.abroad.as_ref().ok_or(Code::NotFound)?;
    let subject = match subject(abroad, gateway, kept, back).await {
        Ok(subject) => subject,
        Err(error) => return Err(refuse(gateway, visit, None, error).await),
    };
    match gateway.with_state(move |state| state.account_of_outside(&subject)).await? {
        Some(account) => sign_in_as(gateway, visit, &account, Means::Oidc).await,
        None => Err(refuse(gateway, visit, None, Code::SignInFailed.into()).await),
    }
}

async fn subject(
    abroad: &Abroad,
    gateway: &Gateway,
    kept: Option<Secret<String>>,
    back: Option<Return>,
) -> Result<Outside> {
    let (provider, now) = (&abroad.provider, gateway.now());
    let failed = |why: &'static str| Error::new(Code::SignInFailed).because(why);
    let Return { code, state, iss } = back.ok_or_else(|| failed("the answer cannot be read"))?;
    let (kept, state) = kept.zip(state).ok_or_else(|| failed("there is no journey"))?;
    let challenge = abroad.journeys.end(kept.reveal(), &state, now);
    let challenge = challenge.ok_or_else(|| failed("the journey is over, or another's"))?;
    if iss.is_some_and(|iss| iss != provider.issuer()) {
        return Err(failed("the answer is another provider's"));
    }
    let code = code.filter(|code| code.len() <= LONGEST_CODE);
    let code = code.ok_or_else(|| failed("the provider signed nobody in"))?;
    let subject = provider.redeem(&code, &challenge, now).await.map_err(told)?;
    Outside::new(provider.issuer(), &subject).ok_or_else(|| failed("the subject cannot be anybody's"))
}

/// What the person is told; why, the operator's log says.
fn told(failure: Failure) -> Error {
    let code = match failure {
        Failure::Unreachable(_) | Failure::Unusable(_) => Code::IdentityProviderFailed,
        Failure::Busy => return Error::new(Code::Overloaded).retry_after(1).because(failure),
        Failure::Code | Failure::Token(_) => Code::SignInFailed,
    };
    Error::new(code).because(failure)
}
