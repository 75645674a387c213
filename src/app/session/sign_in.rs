//! How a session begins.
//!
//! Invariant: an account that is not there, one that may not sign in, a wrong password and a wrong
//! code are told apart by nobody: the same answer after the same work. The record names the account
//! when there is one, and never what was typed when there is none.

use serde::Deserialize;

use super::{SignedIn, account_named, new_token};
use crate::app::attempts::Source;
use crate::app::call::Call;
use crate::app::gateway::Gateway;
use crate::app::sealing::{SessionRow, Shown};
use crate::app::subject;
use crate::app::trail::Trail;
use crate::audit::record::Draft;
use crate::base::ids::{AccountId, RequestId, hex};
use crate::base::{Code, Error, Result, Secret};
use crate::identity::CodeSecret;
use crate::store::state::{Credentials, Means, NewSession};

/// Somebody who is not known yet.
#[derive(Debug)]
pub struct Visit {
    /// The id of the request.
    pub request_id: RequestId,
    /// Its W3C `traceparent`.
    pub trace: String,
    /// The network it comes from.
    pub network: Source,
    /// What the device kept from an earlier sign-in, if anything.
    pub device: Option<Secret<String>>,
    /// The client certificate, if one was shown and is good now.
    pub certificate: Result<Shown, Code>,
}

/// A session that has begun, and what the device is to keep.
pub struct Begun {
    /// Who is signed in.
    pub signed_in: SignedIn,
    /// The session's token.
    pub token: Secret<String>,
    /// By what the device is known next time, where a password was given on it.
    pub device: Option<Secret<String>>,
}

/// How somebody signs in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    by: Option<By>,
    account: Option<String>,
    password: Option<String>,
    totp: Option<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum By {
    Password,
    Certificate,
}

/// Signs in with what `body` says.
///
/// # Errors
/// `sign-in-failed`, `too-many-attempts`; without a good certificate `certificate-required` and the
/// like; the faults of the body; `overloaded`, `audit-unavailable`, `not-ready`.
pub async fn sign_in(gateway: &Gateway, visit: &Visit, body: Result<impl AsRef<[u8]>>) -> Result<Begun> {
    let ask = match body.and_then(|body| subject::read::<Ask>(body.as_ref())) {
        Ok(ask) => ask,
        Err(error) => return Err(refuse(gateway, visit, None, error).await),
    };
    match ask {
        Ask { by: Some(By::Certificate), account: None, password: None, totp: None } => {
            by_certificate(gateway, visit).await
        }
        Ask { by: None | Some(By::Password), account: Some(account), password: Some(password), totp } => {
            let [password, totp] = [password, totp.unwrap_or_default()].map(Secret::new);
            by_password(gateway, visit, &account, password, &totp).await
        }
        _ => {
            let error = Error::at(Code::InvalidRequest, "", Code::MissingMember);
            Err(refuse(gateway, visit, None, error).await)
        }
    }
}

/// Begins a session for an account whose holder has shown `means`: for ways of signing in that
/// are looked into elsewhere.
///
/// # Errors
/// `sign-in-failed` when the account may not sign in; `audit-unavailable`, `not-ready`.
pub async fn sign_in_as(
    gateway: &Gateway,
    visit: &Visit,
    account: &AccountId,
    means: Means,
) -> Result<Begun> {
    match begin(gateway, visit, account, means, None).await {
        Ok(begun) => Ok(begun),
        Err(error) => Err(refuse(gateway, visit, Some(account), error).await),
    }
}

async fn by_certificate(gateway: &Gateway, visit: &Visit) -> Result<Begun> {
    let key = match &visit.certificate {
        Ok(shown) => shown.key,
        Err(code) => return Err(refuse(gateway, visit, None, (*code).into()).await),
    };
    match gateway.with_state(move |state| state.account_of_key(&key)).await? {
        Some(account) => sign_in_as(gateway, visit, &account, Means::Certificate).await,
        None => Err(refuse(gateway, visit, None, Code::CertificateUnknown.into()).await),
    }
}

async fn by_password(
    gateway: &Gateway,
    visit: &Visit,
    typed: &str,
    password: Secret<String>,
    code: &Secret<String>,
) -> Result<Begun> {
    let account = account_named(typed);
    // A row is looked for even where none can be: it takes the same time.
    let look_up = account.clone();
    let credentials = gateway
        .with_state(move |state| look_up.map_or(Ok(None), |account| state.credentials(&account)))
        .await?;
    let known = account.as_ref().filter(|_| credentials.is_some());
    let entry = &gateway.entry;
    let device = visit.device.as_ref().and_then(|mark| entry.key.known_device(typed, mark.reveal()));
    let source = device.map_or(visit.network, Source::Device);
    if let Err(error) = gateway.attempt_begins(typed, source).await {
        return Err(refuse(gateway, visit, known, error).await);
    }
    let begun = match (known, credentials) {
        (Some(account), Some(credentials)) => {
            match checked(gateway, account, &credentials, password, code, device.is_some()).await {
                Ok(step) => begin(gateway, visit, account, Means::Password, step).await,
                Err(error) => Err(error),
            }
        }
        _ => nobody(gateway, password, code, device.is_some()).await,
    };
    match (begun, known) {
        (Ok(begun), Some(account)) => {
            gateway.attempt_succeeded(typed, source).await;
            let device = match visit.device.clone().filter(|_| device.is_some()) {
                None => entry.key.device(account, &gateway.rng),
                kept => kept,
            };
            Ok(Begun { device, ..begun })
        }
        (Ok(_), None) => Err(Code::Internal.into()),
        (Err(error), _) => {
            // Whatever the gateway could not look at, nobody has tried.
            if error.code != Code::SignInFailed {
                gateway.attempt_not_made(typed, source).await;
            }
            Err(refuse(gateway, visit, known, error).await)
        }
    }
}

/// Checks password and code; gives the step of the code, to be used no more.
async fn checked(
    gateway: &Gateway,
    account: &AccountId,
    credentials: &Credentials,
    password: Secret<String>,
    code: &Secret<String>,
    known: bool,
) -> Result<Option<i64>> {
    let now = gateway.now();
    let right = gateway.entry.hashing.verify(password, credentials.password.clone(), known).await?;
    let in_time = credentials.until.is_none_or(|until| now < until);
    let step = match &credentials.code_secret {
        Some(sealed) => {
            let secret = gateway.entry.key.open(account, sealed);
            Some(secret.and_then(|secret| secret.step_of(code.reveal(), now, credentials.code_step)))
        }
        None => None,
    };
    match step {
        // There is no code generator yet: the session can set one up and nothing else.
        None if right && in_time => Ok(None),
        Some(Some(step)) if right && in_time => Ok(Some(step)),
        _ => Err(Code::SignInFailed.into()),
    }
}

/// Does for an account that is not there what would be done for one that is.
async fn nobody(
    gateway: &Gateway,
    password: Secret<String>,
    code: &Secret<String>,
    known: bool,
) -> Result<Begun> {
    gateway.entry.hashing.verify(password, None, known).await?;
    CodeSecret::of([0; 20]).step_of(code.reveal(), gateway.now(), 0);
    Err(Code::SignInFailed.into())
}

/// Begins the session, and records that it has begun.
async fn begin(
    gateway: &Gateway,
    visit: &Visit,
    account: &AccountId,
    means: Means,
    code_step: Option<i64>,
) -> Result<Begun> {
    let (token, kept) = new_token(gateway)?;
    let id = hex(&gateway.random::<8>()?);
    let (lasting, now) = (gateway.entry.lasting, gateway.now());
    let shown = visit.certificate.as_ref().ok().filter(|_| means == Means::Certificate);
    let row = SessionRow { id: &id, token: &kept, account, means, since: now };
    let seal = gateway.entry.key.seal_session(&row, shown, &gateway.rng).ok_or(Code::NotReady)?;
    let (session, holder) = (id.clone(), account.clone());
    let begun = gateway.with_state(move |state| {
        let new = NewSession { id: &session, token: &kept, seal: &seal, account: &holder, means, code_step };
        state.begin_session(&new, lasting, now)
    });
    if !begun.await? {
        return Err(Code::SignInFailed.into());
    }
    let recorded = async {
        let signed_in = gateway.signed_in(token.reveal()).await?;
        let (request_id, trace) = (visit.request_id, visit.trace.clone());
        let mut trail = Trail::new("sign-in", &Call { request_id, trace, caller: signed_in.caller() });
        trail.note("means", means.as_str());
        gateway.record(trail.end(Code::Ok)).await?;
        Ok(signed_in)
    };
    match recorded.await {
        Ok(signed_in) => Ok(Begun { signed_in, token, device: None }),
        Err(error) => {
            // Nobody was given its token; ending it only tidies up.
            let holder = account.clone();
            gateway.with_state(move |state| state.end_session(&holder, &id)).await?;
            Err(error)
        }
    }
}

/// Records a sign-in that failed, within the budget of all who are not known; gives the error to
/// answer with.
pub(super) async fn refuse(
    gateway: &Gateway,
    visit: &Visit,
    account: Option<&AccountId>,
    error: Error,
) -> Error {
    if matches!(error.code, Code::AuditUnavailable | Code::Overloaded | Code::NotReady) {
        gateway.refusals.count(None, 1, gateway.now());
        return error;
    }
    if !gateway.refusals.take(None, gateway.now()) {
        // The answer stays what it is: how many others failed is nobody's business.
        return error;
    }
    let mut draft = Draft::new("sign-in");
    let members = draft.members();
    members.text("request_id", &visit.request_id.to_string());
    members.text("trace", &visit.trace);
    members.text("outcome", error.code.as_str());
    if let Some(account) = account {
        members.text("account", account.as_str());
    }
    match gateway.record(draft).await {
        Ok(_) => error,
        Err(unrecorded) => unrecorded,
    }
}
