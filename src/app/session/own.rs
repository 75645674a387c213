//! What people do about their own sessions and credentials.
//!
//! Invariant: who changes what is signed in with has given the password in force once more, so a
//! session that was left open cannot be made into an account that was taken over; and the session
//! in which it was changed goes on under another token, the others end.

use serde::Deserialize;

use super::view::{CodeOffer, SessionLine, SessionList};
use super::{SignedIn, new_token};
use crate::app::attempts::Source;
use crate::app::call::{Call, PersonCaller};
use crate::app::gateway::Gateway;
use crate::app::sealing::SessionRow;
use crate::app::subject;
use crate::app::trail::Trail;
use crate::base::ids::decode_hex;
use crate::base::{Code, Error, Result, Secret, Timestamp};
use crate::identity::{CodeSecret, password};
use crate::store::state::{Credentials, Rotation, StateError, StateStore};

/// What a code generator shows as the issuer.
pub const ISSUER: &str = "Sluice";

/// A session that goes on under another token.
pub struct Renewed {
    /// Who is signed in, as it is now.
    pub signed_in: SignedIn,
    /// The new token.
    pub token: Secret<String>,
}

/// What setting up a code generator came to.
pub enum CodeStep {
    /// It is offered, and not in use yet.
    Offered(CodeOffer),
    /// It is in use.
    Taken(Renewed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
    new: String,
}

/// The password to begin, a code to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCode {
    password: Option<String>,
    code: Option<String>,
}

/// The sessions of the caller's account.
///
/// # Errors
/// `not-ready`.
pub async fn sessions(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<SessionList> {
    let (account, lasting, now) = (call.caller.account.id.clone(), gateway.entry.lasting, gateway.now());
    let found = gateway.with_state(move |state| state.sessions_of(&account, lasting, now)).await?;
    let lines = found.into_iter().map(|session| SessionLine::of(session, &call.caller.session));
    Ok(SessionList { sessions: lines.collect() })
}

/// Signs out of a session of the caller's account: this one or another.
///
/// # Errors
/// `not-found` when the account has no such session; `audit-unavailable`, `not-ready`.
pub async fn sign_out(gateway: &Gateway, call: &Call<PersonCaller>, id: &str) -> Result<()> {
    let mut trail = Trail::new("sign-out", call);
    let (account, session) = (call.caller.account.id.clone(), id.to_owned());
    if !gateway.with_state(move |state| state.end_session(&account, &session)).await? {
        return Err(gateway.record_failure(&call.caller, trail, Code::NotFound.into()).await);
    }
    trail.note("session", id);
    gateway.record(trail.end(Code::Ok)).await.map(|_| ())
}

/// Has the caller's own choice in place of the password.
///
/// # Errors
/// `invalid-request` with the member at fault; `too-many-attempts`, `overloaded`;
/// `audit-unavailable`, `not-ready`.
pub async fn change_password(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<Renewed> {
    let trail = Trail::new("password-change", call);
    match choose(gateway, call, body).await {
        Ok(token) => settle(gateway, trail, token).await,
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

async fn choose(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<Secret<String>> {
    let NewPassword { password: old, new } = subject::read(body?.as_ref())?;
    let account = call.caller.account.id.as_str();
    password::check(&new, account).map_err(|code| Error::at(Code::InvalidRequest, "/new", code))?;
    if new == old {
        return Err(Error::at(Code::InvalidRequest, "/new", Code::NotAllowedValue));
    }
    known_again(gateway, call, Secret::new(old)).await?;
    let kept = gateway.entry.hashing.keep(Secret::new(new)).await?;
    rotate(gateway, call, move |state, rotation, now| state.choose_password(rotation, &kept, now)).await
}

/// Sets up a code generator: with the password it is offered, with a code of it it is in use.
///
/// # Errors
/// As for [`change_password`].
pub async fn change_code(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<CodeStep> {
    let trail = Trail::new("code-change", call);
    let done = match body.and_then(|body| subject::read::<NewCode>(body.as_ref())) {
        Ok(NewCode { password: Some(password), code: None }) => {
            match offer(gateway, call, Secret::new(password)).await {
                Ok(offer) => {
                    gateway.record(trail.end(Code::Ok)).await?;
                    return Ok(CodeStep::Offered(offer));
                }
                Err(error) => Err(error),
            }
        }
        Ok(NewCode { password: None, code: Some(code) }) => confirm(gateway, call, &Secret::new(code)).await,
        Ok(_) => Err(Error::at(Code::InvalidRequest, "", Code::MissingMember)),
        Err(error) => Err(error),
    };
    match done {
        Ok(token) => settle(gateway, trail, token).await.map(CodeStep::Taken),
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

async fn offer(gateway: &Gateway, call: &Call<PersonCaller>, password: Secret<String>) -> Result<CodeOffer> {
    known_again(gateway, call, password).await?;
    let account = call.caller.account.id.clone();
    let secret = CodeSecret::random(&gateway.rng).ok_or(Code::NotReady)?;
    let sealed = gateway.entry.key.seal(&account, &secret, &gateway.rng).ok_or(Code::NotReady)?;
    let offer = CodeOffer::of(&secret.uri(ISSUER, account.as_str()));
    gateway.with_state(move |state| state.offer_code(&account, &sealed)).await?;
    Ok(offer)
}

async fn confirm(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    code: &Secret<String>,
) -> Result<Secret<String>> {
    let wrong = || Error::at(Code::InvalidRequest, "/code", Code::NotAllowedValue);
    let attempt = attempt(gateway, call).await?;
    let sealed = credentials(gateway, call).await?.code_pending.ok_or_else(wrong)?;
    let secret = gateway.entry.key.open(&call.caller.account.id, &sealed).ok_or_else(wrong)?;
    let step = secret.step_of(code.reveal(), gateway.now(), 0).ok_or_else(wrong)?;
    gateway.attempt_succeeded(call.caller.account.id.as_str(), attempt).await;
    rotate(gateway, call, move |state, rotation, now| state.take_code(rotation, &sealed, step, now)).await
}

/// Has the person give the password in force once more.
async fn known_again(gateway: &Gateway, call: &Call<PersonCaller>, password: Secret<String>) -> Result<()> {
    let attempt = attempt(gateway, call).await?;
    let looked_at = async {
        let kept = credentials(gateway, call).await?.password;
        gateway.entry.hashing.verify(password, kept, true).await
    };
    let (looked_at, account) = (looked_at.await, call.caller.account.id.as_str());
    match looked_at {
        Ok(true) => gateway.attempt_succeeded(account, attempt).await,
        Ok(false) => return Err(Error::at(Code::InvalidRequest, "/password", Code::NotAllowedValue)),
        Err(error) => {
            gateway.attempt_not_made(account, attempt).await;
            return Err(error);
        }
    }
    Ok(())
}

/// A session tries no more passwords and codes than a stranger.
async fn attempt(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<Source> {
    let source = Source::Session(decode_hex::<8>(&call.caller.session).unwrap_or_default());
    gateway.attempt_begins(call.caller.account.id.as_str(), source).await?;
    Ok(source)
}

async fn credentials(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<Credentials> {
    let account = call.caller.account.id.clone();
    let found = gateway.with_state(move |state| state.credentials(&account)).await?;
    found.ok_or_else(|| Code::SignInRequired.into())
}

/// Makes a change in which the session gets another token; gives that.
async fn rotate(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    change: impl FnOnce(&StateStore, Rotation<'_>, Timestamp) -> Result<bool, StateError> + Send + 'static,
) -> Result<Secret<String>> {
    let (token, kept) = new_token(gateway)?;
    let (caller, lasting, now) = (call.caller.clone(), gateway.entry.lasting, gateway.now());
    let own = gateway.with_state(move |state| {
        let own = state.sessions_of(&caller.account.id, lasting, now)?;
        Ok(own.into_iter().find(|session| *session.id == *caller.session))
    });
    let session = own.await?.ok_or(Code::SignInRequired)?;
    let shown = gateway.sealed_in(&session)?;
    let next = SessionRow { token: &kept, ..SessionRow::of(&session) };
    let seal = gateway.entry.key.seal_session(&next, shown.as_ref(), &gateway.rng).ok_or(Code::NotReady)?;
    let changed = gateway.with_state(move |state| {
        let (account, token) = (&session.profile.account.id, &*kept);
        change(state, Rotation { account, session: &session.id, token, seal: &seal }, now)
    });
    if changed.await? { Ok(token) } else { Err(Code::SignInRequired.into()) }
}

/// Has the log record the change, then tells how the session stands.
async fn settle(gateway: &Gateway, trail: Trail, token: Secret<String>) -> Result<Renewed> {
    gateway.in_force().await?;
    gateway.record(trail.end(Code::Ok)).await?;
    let signed_in = gateway.signed_in(token.reveal()).await?;
    Ok(Renewed { signed_in, token })
}
