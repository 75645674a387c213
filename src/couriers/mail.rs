//! Mail: one letter over one connection to the configured server (RFC 5321).
//!
//! Invariant: nothing is said to the server in clear but the greeting and STARTTLS. The letter's
//! Message-ID is made of its id, so that one that comes twice can be known as such.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use super::{Failure, Why, fault};
use crate::adapters::egress;
use crate::base::{Finding, Timestamp};
use crate::config::adapter::Network;
use crate::config::notices::{MailSection, MailSecurity};
use crate::config::read_private;

/// The way to the mail server.
pub struct Mail {
    host: String,
    port: u16,
    allow: Vec<Network>,
    security: MailSecurity,
    tls: TlsParameters,
    from: Address,
    hello: ClientId,
    credentials: Option<Credentials>,
    timeout: Duration,
}

/// What is sent.
pub struct Mailing {
    /// The id: the same however often it is sent.
    pub id: String,
    /// To whom: an address such as `zhang@civil.example`.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text, with `\n` between lines.
    pub text: String,
    /// The date in its head.
    pub at: Timestamp,
}

impl Mail {
    /// Reads the files that the section names.
    ///
    /// # Errors
    /// What cannot be used, and why.
    pub fn new(section: &MailSection, timeout: Duration) -> Result<Self, Finding> {
        let from: Address = section.from.parse().map_err(|_| {
            let what = "`from` of [notices.mail] is not an address";
            Finding::error("courier", &section.from, 0, what, "such as sluice@example.gov.cn")
        })?;
        Ok(Self {
            host: section.host.clone(),
            port: section.port.get(),
            allow: section.allow.clone(),
            security: section.security,
            tls: parameters(&section.host, &section.ca)?,
            hello: ClientId::Domain(from.domain().to_owned()),
            from,
            credentials: credentials(section)?,
            timeout,
        })
    }

    /// Sends a letter, and has it arrived once the server answers for it.
    ///
    /// # Errors
    /// Why the server did not take it, as far as we know.
    pub async fn send(&self, mailing: &Mailing) -> Result<(), Failure> {
        let message = self.message(mailing).ok_or(Failure::of(Why::NotThis))?;
        let sent = tokio::time::timeout(self.timeout, self.hand_over(&message)).await;
        sent.unwrap_or(Err(Failure::of(Why::TooSlow)))
    }

    async fn hand_over(&self, message: &Message) -> Result<(), Failure> {
        let addresses = egress::addresses(&self.allow, &self.host, self.port).await;
        let addresses = addresses.map_err(|_| Failure::of(Why::Unreachable))?;
        let wrapped = (self.security == MailSecurity::Tls).then(|| self.tls.clone());
        // To the server as such: what it refuses here says nothing of the letter.
        let unreachable = |error: smtp::Error| failure(&error, Why::Unreachable);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(&*addresses, Some(self.timeout), &self.hello, wrapped, None)
                .await
                .map_err(unreachable)?;
        if self.security == MailSecurity::Starttls {
            connection.starttls(self.tls.clone(), &self.hello).await.map_err(unreachable)?;
        }
        if let Some(credentials) = &self.credentials {
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], credentials)
                .await
                .map_err(|error| failure(&error, Why::NotLetIn))?;
        }
        let sent = connection.send(message.envelope(), &message.formatted()).await;
        sent.map_err(|error| failure(&error, if error.is_permanent() { Why::NotThis } else { Why::NotNow }))?;
        // It has arrived, however the goodbye goes.
        connection.quit().await.ok();
        Ok(())
    }

    /// `None` when an address is none: who wrote it down must mend it.
    fn message(&self, mailing: &Mailing) -> Option<Message> {
        let since = Duration::from_micros(u64::try_from(mailing.at.micros()).ok()?);
        // RFC 3834: programs do not answer what programs wrote.
        let automatic = HeaderName::new_from_ascii("Auto-Submitted".into()).ok()?;
        Message::builder()
            .from(Mailbox::new(None, self.from.clone()))
            .to(Mailbox::new(None, mailing.to.parse().ok()?))
            .subject(mailing.subject.clone())
            .date(UNIX_EPOCH + since)
            .message_id(Some(format!("<{}@{}>", mailing.id, self.from.domain())))
            .raw_header(HeaderValue::new(automatic, "auto-generated".into()))
            .header(ContentType::TEXT_PLAIN)
            .body(mailing.text.replace('\n', "\r\n"))
            .ok()
    }
}

/// Without the server's words: they may hold the address of a person.
fn failure(error: &smtp::Error, why: Why) -> Failure {
    let status = error.status().map(u16::from);
    // The mail server answers a sign-in that it cannot check now with 4xx: that is not a refusal.
    let why = if why == Why::NotLetIn && error.is_transient() { Why::NotNow } else { why };
    Failure { why, status }
}

fn parameters(host: &str, ca: &Path) -> Result<TlsParameters, Finding> {
    let wrong = |what: String| fault(ca, what, "name a readable PEM file with the CA");
    let pem = std::fs::read(ca).map_err(|error| wrong(error.to_string()))?;
    let roots = Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
    TlsParameters::builder(host.to_owned())
        .certificate_store(CertificateStore::None)
        .add_root_certificate(roots)
        .build()
        .map_err(|error| wrong(error.to_string()))
}

fn credentials(section: &MailSection) -> Result<Option<Credentials>, Finding> {
    match (&section.user, &section.password_file) {
        (None, None) => Ok(None),
        (Some(user), Some(file)) => {
            let password = read_private(file)?.trim_end_matches(['\r', '\n']).to_owned();
            Ok(Some(Credentials::new(user.clone(), password)))
        }
        _ => {
            let what = "`user` and `password_file` of [notices.mail] belong together";
            Err(Finding::error("courier", &section.host, 0, what, "give both, or neither"))
        }
    }
}
