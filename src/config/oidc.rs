//! `[oidc]`: the identity provider at which people may sign in instead (OpenID Connect Core 1.0).
//!
//! Invariant: the provider's CA is named and its addresses are allowed, as those of every server
//! that the gateway connects to; and the issuer is kept letter by letter, for it is compared so.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use url::Url;

use super::adapter::Network;
use super::notices::HttpsUrl;
use crate::base::Finding;

/// Where the provider sends people back to: a path of the gateway.
pub const CALLBACK: &str = "/v1/session/oidc/callback";

/// `[oidc]`. Left out, nobody signs in at an identity provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSection {
    /// The provider, as its discovery document names it.
    pub issuer: Issuer,
    /// What the gateway is called there.
    pub client_id: String,
    /// The file with the secret that the gateway has there. Readable by the gateway alone.
    pub client_secret_file: PathBuf,
    /// Where people come back to: the gateway as browsers see it, and `/v1/session/oidc/callback`.
    pub redirect_url: HttpsUrl,
    /// The only addresses that are connected to for it. Nothing is allowed by default.
    pub allow: Vec<Network>,
    /// The CA of its certificate, PEM.
    pub ca: PathBuf,
}

impl OidcSection {
    /// Anchors its paths at `dir`.
    pub fn resolve(&mut self, dir: &Path) {
        for path in [&mut self.client_secret_file, &mut self.ca] {
            *path = dir.join(&*path);
        }
    }

    /// What types cannot say.
    pub fn check(&self, file: &str) -> Option<Finding> {
        let url = self.redirect_url.url();
        let fault = |what: &str, fix: &str| Some(Finding::error("oidc", file, 0, what, fix));
        if url.path() != CALLBACK || url.query().is_some() {
            return fault("`redirect_url` of [oidc] is not where people come back to", CALLBACK);
        }
        match self.client_id.is_empty() {
            true => fault("`client_id` of [oidc] is empty", "what the gateway is called at the provider"),
            false => None,
        }
    }
}

/// The name of an identity provider: an https URL without query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where it describes itself (OpenID Connect Discovery 1.0, section 4).
    pub fn discovery(&self) -> Option<Url> {
        Url::parse(&format!("{}/.well-known/openid-configuration", self.0.trim_end_matches('/'))).ok()
    }
}

impl<'de> Deserialize<'de> for Issuer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match HttpsUrl::parse(&text).is_some_and(|url| url.url().query().is_none()) {
            true => Ok(Self(text)),
            false => Err(serde::de::Error::custom(
                "expected an https URL without user, query and fragment, such as https://id.example",
            )),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::config::file;

    fn parse(issuer: &str, redirect: &str) -> Result<OidcSection, Finding> {
        let text = format!(
            "issuer = \"{issuer}\"\nclient_id = \"sluice\"\nclient_secret_file = \"secret\"\n\
             redirect_url = \"{redirect}\"\nallow = []\nca = \"ca.pem\"\n"
        );
        file::parse("sluice.toml", &text, &[]).map_err(|findings| findings.0[0].clone())
    }

    #[test]
    fn the_issuer_is_kept_as_written_and_describes_itself_below_its_name() {
        let good = "https://sluice.example/v1/session/oidc/callback";
        for (issuer, discovery) in [
            ("https://id.example", "https://id.example/.well-known/openid-configuration"),
            ("https://id.example/", "https://id.example/.well-known/openid-configuration"),
            ("https://id.example/r/gov", "https://id.example/r/gov/.well-known/openid-configuration"),
        ] {
            let section = parse(issuer, good).unwrap();
            assert_eq!(section.issuer.as_str(), issuer);
            assert_eq!(section.issuer.discovery().unwrap().as_str(), discovery);
            assert_eq!(section.check("sluice.toml"), None);
        }
        for issuer in ["http://id.example", "https://id.example/?a", "https://u@id.example", "id.example"] {
            assert_eq!(parse(issuer, good).unwrap_err().line, 1, "{issuer}");
        }
    }

    #[test]
    fn people_come_back_to_the_callback_and_nowhere_else() {
        for redirect in ["https://sluice.example/", "https://sluice.example/v1/session/oidc/callback?a=b"] {
            let finding = parse("https://id.example", redirect).unwrap().check("sluice.toml").unwrap();
            assert!(finding.what.contains("redirect_url"), "{finding}");
        }
        assert_eq!(parse("https://id.example", "http://sluice.example/").unwrap_err().line, 4);
    }
}
