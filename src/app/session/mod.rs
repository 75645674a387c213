//! People signed in: by password and code, by certificate, or on another authority's word.
//!
//! Invariant: a request of a person is told with the account as the database has it at that
//! moment, so a session that was ended, or a role that was taken away, is gone on the next request.
//! There is no memory to go stale: to find out that nothing changed would cost the same one read.
//! And a session is one that the gateway has begun, whatever the database says.
//!
//! - [`sign_in`]: how a session begins, and how it does not.
//! - [`oidc`]: the same by way of the identity provider; [`journey`] is what ties there and back.
//! - [`own`]: what a person does about the own sessions and credentials.

pub mod journey;
pub mod oidc;
pub mod own;
pub mod sign_in;
pub mod view;

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use self::oidc::Abroad;
use super::attempts::Attempts;
use super::call::PersonCaller;
use super::gateway::Gateway;
use super::hashing::Hashing;
use super::sealing::{CredentialKey, SessionRow, Shown};
use crate::base::ids::{AccountId, hex};
use crate::base::{Code, Error, Result, Secret, Timestamp};
use crate::config::SessionsSection;
use crate::store::state::{Lasting, Means, Session, StateError, StateStore};

/// What signing in works with.
pub struct Entry {
    pub(super) attempts: Attempts,
    pub(super) hashing: Hashing,
    pub(super) key: CredentialKey,
    pub(super) lasting: Lasting,
    pub(super) abroad: Option<Abroad>,
}

impl Entry {
    /// Puts it together; none when the machine gives no randomness.
    pub fn new(key: CredentialKey, section: &SessionsSection) -> Option<Self> {
        let lasting = Lasting {
            idle: i64::from(section.idle_minutes.get()) * 60,
            whole: i64::from(section.hours.get()) * 3600,
            per_account: section.per_account.get(),
        };
        let hashing = Hashing::new(key.pepper().clone(), &SystemRandom::new())?;
        Some(Self { attempts: Attempts::new(key.attempts()), hashing, key, lasting, abroad: None })
    }

    /// Is there an identity provider to sign in at?
    pub fn has_provider(&self) -> bool {
        self.abroad.is_some()
    }

    /// With an identity provider.
    pub fn with_provider(self, abroad: Option<Abroad>) -> Self {
        Self { abroad, ..self }
    }
}

/// The seconds of use that are not written down: a request a minute is, the others are not.
const UNNOTED: i64 = 60;

/// A person who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Arc<Session>,
    /// The certificate that it was begun with, if it was: to be looked at whether it still is good.
    pub shown: Option<Shown>,
    /// When it ends, used or not.
    pub ends: Timestamp,
}

impl SignedIn {
    /// Who calls.
    pub fn caller(&self) -> PersonCaller {
        let account = Arc::new(self.session.profile.account.clone());
        PersonCaller { account, session: self.session.id.as_str().into() }
    }

    /// Is everything set up? Until the one-time password is changed and there is a code generator,
    /// who signed in with a password can do that and nothing else.
    pub fn is_finished(&self) -> bool {
        !self.must_change_password() && !self.must_set_up_code()
    }

    /// Is the password a one-time password?
    pub fn must_change_password(&self) -> bool {
        self.session.means == Means::Password && !self.session.profile.has_password
    }

    /// Is there no code generator yet?
    pub fn must_set_up_code(&self) -> bool {
        self.session.means == Means::Password && !self.session.profile.has_code
    }
}

impl Gateway {
    /// Who is signed in with this token.
    ///
    /// # Errors
    /// `sign-in-required` when nobody is, or no longer; `audit-unavailable` when the account was
    /// changed and the log does not have it yet, or the log does not bear it out; `not-ready`.
    pub async fn signed_in(&self, token: &str) -> Result<SignedIn> {
        self.signed_in_by(token, true).await
    }

    /// The same for what a page asks by itself: it is no use that anybody makes of the session, and
    /// does not keep it alive.
    ///
    /// # Errors
    /// As for [`Gateway::signed_in`].
    pub async fn still_signed_in(&self, token: &str) -> Result<SignedIn> {
        self.signed_in_by(token, false).await
    }

    async fn signed_in_by(&self, token: &str, used: bool) -> Result<SignedIn> {
        self.lease.check()?;
        let (token, lasting, now) = (fingerprint(token), self.entry.lasting, self.now());
        let find = move |state: &StateStore| {
            let Some(session) = state.session(&token, lasting, now)? else { return Ok(None) };
            if used && now >= session.used.plus_seconds(UNNOTED) {
                state.touch_session(&session.id, now)?;
            }
            let unrecorded = state.is_pending(session.profile.account.id.as_str())?;
            Ok(Some((session, unrecorded)))
        };
        let mut found = self.with_state(find.clone()).await?;
        if found.as_ref().is_some_and(|(_, unrecorded)| *unrecorded) {
            // What was changed is not in force before it is recorded.
            self.in_force().await?;
            found = self.with_state(find.clone()).await?;
        }
        let (mut session, _) = found.ok_or(Code::SignInRequired)?;
        let unconfirmed = |e| Error::new(Code::AuditUnavailable).because(e);
        if self.confirm_account(&session.profile).is_err() {
            // It may have changed this moment, and another gateway may have recorded that.
            self.recall().await.map_err(unconfirmed)?;
            (session, _) = self.with_state(find).await?.ok_or(Code::SignInRequired)?;
            self.confirm_account(&session.profile).map_err(unconfirmed)?;
        }
        let shown = self.sealed_in(&session)?;
        Ok(SignedIn { ends: session.since.plus_seconds(lasting.whole), session: Arc::new(session), shown })
    }

    /// The certificate that a session was begun with, if it was.
    ///
    /// # Errors
    /// `sign-in-required` when the gateway did not make the session as it is, or the certificate's key
    /// is the account's no longer.
    fn sealed_in(&self, session: &Session) -> Result<Option<Shown>> {
        let opened = self.entry.key.open_session(&SessionRow::of(session), &session.seal);
        let shown = opened.ok_or_else(|| {
            tracing::error!(session = %session.id, "a session is not as the gateway made it: it signs nobody in");
            Code::SignInRequired
        })?;
        match shown {
            Some(shown) if !session.profile.keys.contains(&shown.key) => Err(Code::SignInRequired.into()),
            shown => Ok(shown),
        }
    }

    /// Does blocking work with the state database.
    pub(super) async fn with_state<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StateStore) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T> {
        let state = self.state.clone();
        // Boxed: else each work makes a task of a type of its own.
        let work: Box<dyn FnOnce() -> Result<T, StateError> + Send> = Box::new(move || work(&state));
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.map_err(|e| Error::new(Code::Internal).because(e))?;
        done.map_err(|e| Error::new(Code::NotReady).because(e))
    }

    /// Random bytes.
    pub(super) fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes).map_err(|_| Code::NotReady)?;
        Ok(bytes)
    }
}

/// A new token, and what is kept of it.
fn new_token(gateway: &Gateway) -> Result<(Secret<String>, String)> {
    let token = hex(&gateway.random::<32>()?);
    let kept = fingerprint(&token);
    Ok((Secret::new(token), kept))
}

/// What is kept of a token. It is random and long: no salt, no slow hash is needed.
fn fingerprint(token: &str) -> String {
    hex(digest(&SHA256, token.as_bytes()).as_ref())
}

/// The name of an account as it was typed, if it can be one.
fn account_named(typed: &str) -> Option<AccountId> {
    AccountId::parse(typed)
}
