//! The identity provider at which people may sign in: OpenID Connect Core 1.0, authorization code
//! flow with PKCE (RFC 7636).
//!
//! Invariant: a subject comes out of here only as the provider's own word: out of an ID token that
//! came from its token endpoint and was verified ([`token`]). What the provider is asked is bounded:
//! its description and keys are asked for once for all, again after an hour or when a token names a
//! key that is not known, and not more often than every ten seconds; and codes of a few people at a
//! time. Who has an account is not decided here.

mod https;
pub mod keys;
pub mod token;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use self::https::Https;
use self::keys::KeySet;
use self::token::{Expected, Fault, Unverified};
use crate::base::{Finding, Secret, Timestamp};
use crate::config::notices::HttpsUrl;
use crate::config::{OidcSection, read_private};
use crate::couriers;

/// Seconds for which the provider's description and keys are good.
const FRESH: i64 = 3600;
/// Seconds before they are asked for again, whatever came of it.
const PAUSE: i64 = 10;
/// Codes that are redeemed at one time.
const AT_ONCE: usize = 8;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It cannot be reached.
    #[error("the identity provider cannot be reached: {0}")]
    Unreachable(String),
    /// What it says is of no use to us; the text is ours.
    #[error("the identity provider is of no use: {0}")]
    Unusable(String),
    /// Too many others are being signed in.
    #[error("too many sign-ins at one time")]
    Busy,
    /// It does not take the code: another's, a used one, or one of its own making no longer.
    #[error("the identity provider does not take the code")]
    Code,
    /// Its token does not hold.
    #[error(transparent)]
    Token(#[from] Fault),
}

/// What ties an answer of the provider to the one who was sent there.
pub struct Challenge {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Is shown when the code is redeemed; before, only its SHA-256 was.
    pub verifier: Secret<String>,
}

/// The provider.
pub struct IdentityProvider {
    section: OidcSection,
    secret: Secret<String>,
    https: Https,
    cache: Mutex<Cache>,
    places: Semaphore,
}

#[derive(Default)]
struct Cache {
    known: Option<Arc<Known>>,
    tried: Option<Timestamp>,
}

/// What the provider said of itself.
struct Known {
    metadata: Metadata,
    keys: KeySet,
    since: Timestamp,
}

/// Of its discovery document (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: HttpsUrl,
    token_endpoint: HttpsUrl,
    jwks_uri: HttpsUrl,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl IdentityProvider {
    /// Reads the files that the section names. The provider is not asked yet: it may start later.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn new(section: &OidcSection) -> Result<Self, Finding> {
        let secret = read_private(&section.client_secret_file)?.trim().to_owned();
        if secret.is_empty() {
            let file = section.client_secret_file.display().to_string();
            return Err(Finding::error("oidc", &file, 0, "holds no secret", "the secret of the client"));
        }
        Ok(Self {
            https: Https::new(section.allow.clone(), couriers::tls(&section.ca)?),
            section: section.clone(),
            secret: Secret::new(secret),
            cache: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// The provider's name.
    pub fn issuer(&self) -> &str {
        self.section.issuer.as_str()
    }

    /// Asks the provider what it says of itself, as for a sign-in, for an operator. Gives how many keys
    /// it has that a token may be signed with.
    ///
    /// # Errors
    /// [`Failure::Unreachable`], [`Failure::Unusable`].
    pub async fn reach(&self, now: Timestamp) -> Result<usize, Failure> {
        match self.ask(now).await?.keys.count() {
            0 => Err(Failure::Unusable("among its keys is none that a token may be signed with".into())),
            keys => Ok(keys),
        }
    }

    /// Where a person's browser is sent.
    ///
    /// # Errors
    /// [`Failure::Unreachable`], [`Failure::Unusable`].
    pub async fn authorization(&self, challenge: &Challenge, now: Timestamp) -> Result<Url, Failure> {
        let known = self.known(now, |_| true).await?;
        let mut url = known.metadata.authorization_endpoint.url().clone();
        let hashed = digest(&SHA256, challenge.verifier.reveal().as_bytes());
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("scope", "openid")
            .append_pair("client_id", &self.section.client_id)
            .append_pair("redirect_uri", self.section.redirect_url.url().as_str())
            .append_pair("state", &challenge.state)
            .append_pair("nonce", &challenge.nonce)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(hashed))
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// The subject of whom the provider gave this code to.
    ///
    /// # Errors
    /// Each [`Failure`].
    pub async fn redeem(&self, code: &str, challenge: &Challenge, now: Timestamp) -> Result<String, Failure> {
        let _place = self.places.try_acquire().map_err(|_| Failure::Busy)?;
        let known = self.known(now, |_| true).await?;
        let token = self.tokens(&known.metadata, code, challenge).await?.id_token;
        let token = Unverified::read(&token)?;
        let known = self.known(now, |known| known.keys.has(token.algorithm, token.key.as_deref())).await?;
        let expected =
            Expected { issuer: self.issuer(), client: &self.section.client_id, nonce: &challenge.nonce, now };
        Ok(token.subject(&known.keys, &expected)?)
    }

    async fn tokens(
        &self,
        metadata: &Metadata,
        code: &str,
        challenge: &Challenge,
    ) -> Result<Tokens, Failure> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", self.section.redirect_url.url().as_str())
            .append_pair("code_verifier", challenge.verifier.reveal());
        let mut headers = HeaderMap::new();
        // Where it does not say what it takes, it takes `client_secret_basic`.
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        match methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")) {
            true => {
                headers.insert(AUTHORIZATION, self.basic()?);
            }
            false => {
                form.append_pair("client_id", &self.section.client_id)
                    .append_pair("client_secret", self.secret.reveal());
            }
        }
        let endpoint = metadata.token_endpoint.url();
        match self.https.post(endpoint, headers, form.finish()).await? {
            (StatusCode::OK, tokens) => serde_json::from_value(tokens)
                .map_err(|_| Failure::Unusable("there is no ID token in its answer".into())),
            (StatusCode::BAD_REQUEST, error) if error.get("error").is_some_and(|e| e == "invalid_grant") => {
                Err(Failure::Code)
            }
            (status, _) => Err(Failure::Unusable(format!("its token endpoint answers {}", status.as_u16()))),
        }
    }

    /// The gateway's own name and secret, as RFC 6749 section 2.3.1 has them.
    fn basic(&self) -> Result<HeaderValue, Failure> {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&self.section.client_id), encoded(self.secret.reveal()));
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
            .map_err(|_| Failure::Unusable("the secret cannot stand in a header".into()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// What the provider said of itself: as we have it while it is fresh and `will_do`, or else asked
    /// anew. Whoever comes meanwhile waits for the one who asks.
    async fn known(&self, now: Timestamp, will_do: impl Fn(&Known) -> bool) -> Result<Arc<Known>, Failure> {
        let mut cache = self.cache.lock().await;
        let fresh = |known: &&Arc<Known>| now < known.since.plus_seconds(FRESH);
        if let Some(known) = cache.known.as_ref().filter(fresh).filter(|known| will_do(known)) {
            return Ok(Arc::clone(known));
        }
        if cache.tried.is_some_and(|tried| now < tried.plus_seconds(PAUSE)) {
            let rest = cache.known.as_ref().filter(fresh).cloned();
            return rest.ok_or_else(|| Failure::Unreachable("it could not be a moment ago".into()));
        }
        cache.tried = Some(now);
        let known = Arc::new(self.ask(now).await?);
        cache.known = Some(Arc::clone(&known));
        Ok(known)
    }

    async fn ask(&self, now: Timestamp) -> Result<Known, Failure> {
        let unusable = |what: &str| Failure::Unusable(what.to_owned());
        let discovery = self.section.issuer.discovery().ok_or_else(|| unusable("its name is no URL"))?;
        let metadata: Metadata = serde_json::from_value(self.https.get(&discovery).await?)
            .map_err(|_| unusable("its discovery document lacks something, or is not https throughout"))?;
        if metadata.issuer != self.issuer() {
            return Err(unusable("its discovery document is of another issuer"));
        }
        let keys = KeySet::read(self.https.get(metadata.jwks_uri.url()).await?);
        let keys = keys.ok_or_else(|| unusable("its keys cannot be read"))?;
        Ok(Known { metadata, keys, since: now })
    }
}
