//! `[notices]`: how people, and departments' own programs, are told.
//!
//! Invariant: letters leave encrypted, to a server whose CA is named and at an address that is
//! allowed; there is no key that says otherwise. Secrets are in files of their own.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use url::Url;

use super::adapter::Network;
use crate::base::ids::DepartmentId;

/// `[notices]`. Left out, nobody is told anything.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticesSection {
    /// Where people find an application: what links in letters begin with; its id follows.
    pub link: HttpsUrl,
    /// The hour of the letter of the day, in Asia/Shanghai.
    #[serde(default)]
    pub digest_hour: Hour,
    /// Seconds that sending one letter may take.
    #[serde(default = "timeout")]
    pub timeout_seconds: NonZeroU32,
    /// The mail server. Left out, no mail is sent.
    pub mail: Option<MailSection>,
    /// The departments' own programs.
    #[serde(default)]
    pub webhook: Vec<WebhookSection>,
}

/// `[notices.mail]`: the mail server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSection {
    /// Its name, as in its certificate.
    pub host: String,
    /// Its port.
    pub port: NonZeroU16,
    /// The only addresses that are connected to for it. Nothing is allowed by default.
    pub allow: Vec<Network>,
    /// How the connection is encrypted.
    pub security: MailSecurity,
    /// The CA of its certificate, PEM.
    pub ca: PathBuf,
    /// The address that letters come from, such as `sluice@example.gov.cn`.
    pub from: String,
    /// The name to sign in with; left out, it is not signed in.
    pub user: Option<String>,
    /// The file with the password. Readable by the gateway alone.
    pub password_file: Option<PathBuf>,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// From the first byte (RFC 8314), usually on port 465.
    Tls,
    /// After STARTTLS (RFC 3207), usually on port 587. A server that does not offer it gets nothing.
    Starttls,
}

/// `[[notices.webhook]]`: a department's own program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSection {
    /// The department.
    pub department: DepartmentId,
    /// Where it takes notices.
    pub url: HttpsUrl,
    /// The only addresses that are connected to for it. Nothing is allowed by default.
    pub allow: Vec<Network>,
    /// The CA of its certificate, PEM.
    pub ca: PathBuf,
    /// The file with the secret that its notices are signed with: 32 random bytes as 64 hex
    /// digits. Readable by the gateway alone.
    pub secret_file: PathBuf,
}

impl NoticesSection {
    /// Anchors its paths at `dir`.
    pub fn resolve(&mut self, dir: &Path) {
        let mail = self.mail.iter_mut().flat_map(|mail| [Some(&mut mail.ca), mail.password_file.as_mut()]);
        let hooks =
            self.webhook.iter_mut().flat_map(|hook| [Some(&mut hook.ca), Some(&mut hook.secret_file)]);
        for path in mail.chain(hooks).flatten() {
            *path = dir.join(&*path);
        }
    }
}

/// An `https:` URL with a host and without credentials or a fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpsUrl(Url);

impl HttpsUrl {
    /// Reads one; none when `text` is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| {
            let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
            url.scheme() == "https" && url.has_host() && bare
        });
        url.map(Self)
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<'de> Deserialize<'de> for HttpsUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "expected an https URL without user and fragment, such as https://sluice.example/",
            )
        })
    }
}

/// An hour of the day, from 0 to 23. Default: 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour(u8);

impl Hour {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Hour {
    fn default() -> Self {
        Self(8)
    }
}

impl<'de> Deserialize<'de> for Hour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hour = u8::deserialize(deserializer)?;
        (hour < 24)
            .then_some(Self(hour))
            .ok_or_else(|| serde::de::Error::custom("expected an hour from 0 to 23"))
    }
}

fn timeout() -> NonZeroU32 {
    NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::base::Finding;
    use crate::config::file;

    fn parse(text: &str) -> Result<NoticesSection, Finding> {
        file::parse("sluice.toml", text, &[]).map_err(|findings| findings.0[0].clone())
    }

    #[test]
    fn a_section_with_a_link_alone_is_enough() {
        let section = parse("link = \"https://sluice.example/applications/\"").unwrap();
        assert_eq!((section.digest_hour.get(), section.timeout_seconds.get()), (8, 20));
        assert!(section.mail.is_none() && section.webhook.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let link = "link = \"https://sluice.example/\"\n";
        let hook = "[[webhook]]\ndepartment = \"civil\"\nallow = []\nca = \"ca\"\nsecret_file = \"s\"\n";
        for (text, line) in [
            ("link = \"http://sluice.example/\"".to_owned(), 1),
            ("link = \"https://user@sluice.example/\"".to_owned(), 1),
            (format!("{link}digest_hour = 24"), 2),
            (format!("{link}timeout_seconds = 0"), 2),
            (format!("{link}[mail]\nhost = \"mail\"\nport = 25\nsecurity = \"none\""), 5),
            (format!("{link}{hook}url = \"http://hook.example/\""), 7),
        ] {
            let finding = parse(&text).unwrap_err();
            assert_eq!((finding.file.as_str(), finding.line), ("sluice.toml", line), "{text}\n{finding}");
        }
    }
}
