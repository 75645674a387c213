//! The postman: from the outbox into letters, and with these to their recipients.
//!
//! Invariant: a letter counts as sent only after the recipient's server said so, so it arrives at
//! least once, and a postman who is killed leaves it to the next. Whoever cannot be reached holds
//! up nobody but himself; what cannot be delivered is given up in the end, loudly.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::letter;
use crate::base::clock::SHANGHAI;
use crate::base::ids::AccountId;
use crate::base::{Clock, Finding, Timestamp};
use crate::catalogue::Catalogue;
use crate::config::NoticesSection;
use crate::config::notices::Hour;
use crate::couriers::{Failure, Mail, Mailing, Post, Webhooks, Why};
use crate::identity::Account;
use crate::store::state::notice::{Notice, Recipient};
use crate::store::state::outbox::{Address, Channel, Letter, Outcome};
use crate::store::state::{StateError, StateStore};
use crate::telemetry::Metrics;

/// The accounts that a recipient stands for now: the account itself, or the holders of the role.
/// It is not asked about departments.
pub type Directory = Arc<dyn Fn(&Recipient) -> Result<Vec<Account>, StateError> + Send + Sync>;

/// Notices that are addressed in one transaction.
const BATCH: i64 = 200;
/// Letters that are under way at one time, by each way.
const AT_ONCE: i64 = 8;
/// Seconds that a letter stays with its postman beyond the time that sending may take.
const GRACE: i64 = 10;
/// Attempts at one letter: with the pauses between them, about three days.
const ATTEMPTS: i32 = 80;
/// Seconds before the second attempt; doubled from one to the next, up to an hour.
const FIRST_PAUSE: i64 = 30;
const LONGEST_PAUSE: i64 = 3600;
/// Seconds that what is finished is kept: 30 days.
const KEPT: i64 = 30 * 86_400;

/// What carries notices from the outbox to their recipients.
pub struct Postman {
    state: StateStore,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    directory: Directory,
    mail: Option<Mail>,
    webhooks: Webhooks,
    link: String,
    hour: Hour,
    /// Seconds that a letter is claimed for.
    hold: i64,
}

/// What became of a letter for whom there is nobody.
const NOBODY: &str = "the account is gone, inactive or without an address";

impl Postman {
    /// A postman as the configuration has it.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn new(
        section: &NoticesSection,
        state: StateStore,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        directory: Directory,
    ) -> Result<Self, Finding> {
        let seconds = section.timeout_seconds.get();
        let timeout = Duration::from_secs(seconds.into());
        Ok(Self {
            mail: section.mail.as_ref().map(|mail| Mail::new(mail, timeout)).transpose()?,
            webhooks: Webhooks::new(&section.webhook, timeout)?,
            link: section.link.url().to_string(),
            hour: section.digest_hour,
            hold: i64::from(seconds) + GRACE,
            state,
            clock,
            metrics,
            directory,
        })
    }

    /// Writes letters for the notices that wait.
    ///
    /// # Errors
    /// When the database fails; what is not addressed then is addressed by the next call.
    pub async fn address(&self) -> Result<(), StateError> {
        let hour = newest_hour(self.clock.now(), self.hour);
        // Who hears of one thing in two roles hears of it once.
        let mut told = HashSet::new();
        loop {
            let waiting = self.blocking(move |state| state.unaddressed(hour, BATCH)).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let mut addressed = Vec::with_capacity(waiting.len());
            for posted in waiting {
                let mut addresses = self.addresses(&posted.notice).await?;
                let Notice { kind, object, about, .. } = &posted.notice;
                addresses
                    .retain(|address| told.insert((address.clone(), *kind, object.clone(), about.version)));
                addressed.push((posted, addresses));
            }
            let now = self.clock.now();
            self.blocking(move |state| state.address(&addressed, hour, now)).await?;
        }
    }

    async fn addresses(&self, notice: &Notice) -> Result<Vec<Address>, StateError> {
        if let Recipient::Department(department) = &notice.recipient {
            let hook = self.webhooks.has(department).then(|| Address::Webhook(department.clone()));
            return Ok(hook.into_iter().collect());
        }
        if self.mail.is_none() {
            return Ok(Vec::new());
        }
        let accounts = self.accounts(notice.recipient.clone()).await?;
        if accounts.is_empty() {
            let (kind, object) = (notice.kind.as_str(), &notice.object);
            tracing::warn!(notice.kind = kind, notice.object = %object, "nobody can be told: no active account with an address");
        }
        Ok(accounts.into_iter().map(|account| Address::Mail(account.id)).collect())
    }

    /// Those who can be written to.
    async fn accounts(&self, recipient: Recipient) -> Result<Vec<Account>, StateError> {
        let directory = Arc::clone(&self.directory);
        let mut accounts = self.blocking(move |_| directory(&recipient)).await?;
        accounts.retain(|account| account.active && account.email.is_some());
        Ok(accounts)
    }

    /// Sends the letters whose time has come, until none is left or the mail server is away.
    ///
    /// # Errors
    /// When the database fails; what was claimed is claimed again later.
    pub async fn deliver(&self, channel: Channel, catalogue: &Catalogue) -> Result<(), StateError> {
        loop {
            let now = self.clock.now();
            let until = now.plus_seconds(self.hold);
            let letters = self.blocking(move |state| state.claim(channel, now, until, AT_ONCE)).await?;
            if letters.is_empty() {
                return Ok(());
            }
            let carried = join_all(letters.into_iter().map(|letter| self.carry(letter, catalogue))).await;
            let results = carried.into_iter().collect::<Result<Vec<_>, _>>()?;
            let away = |sent: &Result<(), Failure>| {
                sent.is_err_and(|failure| matches!(failure.why, Why::Unreachable | Why::TooSlow))
            };
            // There is one mail server: the others need not each find out that it is away.
            if channel == Channel::Mail && results.iter().any(away) {
                return Ok(());
            }
        }
    }

    /// Sends one letter, and notes what became of it.
    async fn carry(&self, letter: Letter, catalogue: &Catalogue) -> Result<Result<(), Failure>, StateError> {
        let sent = match &letter.address {
            Address::Mail(account) => self.mail(&letter, account, catalogue).await?,
            Address::Webhook(department) => {
                let content = letter::webhook(&letter);
                let post = Post { id: letter.code(), content, at: self.clock.now() };
                Some(self.webhooks.send(department, &post).await)
            }
        };
        let now = self.clock.now();
        let outcome = match sent {
            Some(Ok(())) => Outcome::Sent,
            Some(Err(failure)) if !failure.is_final() && letter.attempt < ATTEMPTS => {
                if letter.attempt == 1 {
                    tracing::warn!(letter.id = letter.code(), letter.failure = %failure, "a letter is tried again");
                }
                Outcome::Again(now.plus_seconds(pause(letter.attempt)))
            }
            Some(Err(failure)) => {
                self.give_up(&letter, &failure.to_string());
                Outcome::Parked
            }
            None => {
                self.give_up(&letter, NOBODY);
                Outcome::Parked
            }
        };
        self.blocking(move |state| state.settle(&letter, outcome, now)).await?;
        Ok(sent.unwrap_or(Ok(())))
    }

    /// `None` when there is nobody to write to any more.
    async fn mail(
        &self,
        letter: &Letter,
        account: &AccountId,
        catalogue: &Catalogue,
    ) -> Result<Option<Result<(), Failure>>, StateError> {
        let accounts = self.accounts(Recipient::Account(account.clone())).await?;
        let found = accounts.into_iter().next().and_then(|account| Some((account.email.clone()?, account)));
        let Some(((to, account), mail)) = found.zip(self.mail.as_ref()) else { return Ok(None) };
        let at = self.clock.now();
        let letter::Written { subject, text } = letter::mail(letter, &account, catalogue, &self.link, at);
        Ok(Some(mail.send(&Mailing { id: letter.code(), to, subject, text, at }).await))
    }

    fn give_up(&self, letter: &Letter, why: &str) {
        let (channel, address) = match &letter.address {
            Address::Mail(account) => ("mail", account.as_str()),
            Address::Webhook(department) => ("webhook", department.as_str()),
        };
        tracing::error!(
            letter.id = letter.code(),
            letter.channel = channel,
            letter.address = address,
            letter.attempts = letter.attempt,
            letter.failure = why,
            "a letter was given up"
        );
    }

    /// Measures the outbox, and forgets what was finished long ago.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_after(&self) -> Result<(), StateError> {
        let now = self.clock.now();
        let waiting = self
            .blocking(move |state| {
                state.forget_letters(now.plus_seconds(-KEPT))?;
                state.waiting()
            })
            .await?;
        let age = waiting.oldest.map_or(0, |oldest| now.seconds().saturating_sub(oldest.seconds()));
        self.metrics.notices(waiting.mail, waiting.webhook, waiting.parked, age);
        Ok(())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StateStore) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let state = self.state.clone();
        let done = tokio::task::spawn_blocking(move || work(&state)).await;
        done.unwrap_or_else(|error| Err(StateError::new(error)))
    }
}

/// Seconds until the attempt after this one.
fn pause(attempt: i32) -> i64 {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
    (FIRST_PAUSE << doublings).min(LONGEST_PAUSE)
}

/// The newest moment at which the letter of the day was due.
fn newest_hour(now: Timestamp, hour: Hour) -> Timestamp {
    let local = now.seconds() + i64::from(SHANGHAI.whole_seconds());
    let due = local - local.rem_euclid(86_400) + i64::from(hour.get()) * 3600;
    let due = if due > local { due - 86_400 } else { due };
    Timestamp::from_micros((due - i64::from(SHANGHAI.whole_seconds())) * 1_000_000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_eighty_of_them_last_about_three_days() {
        assert_eq!([1, 2, 3, 8, 79].map(pause), [30, 60, 120, 3600, 3600]);
        let days = (1..ATTEMPTS).map(pause).sum::<i64>() / 86_400;
        assert!((2..=3).contains(&days), "{days}");
    }

    #[test]
    fn the_letter_of_the_day_is_due_at_its_hour_in_shanghai() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        for (now, due) in [
            ("2026-11-23T07:59:59+08:00", "2026-11-22T08:00:00+08:00"),
            ("2026-11-23T08:00:00+08:00", "2026-11-23T08:00:00+08:00"),
            ("2026-11-23T23:59:59+08:00", "2026-11-23T08:00:00+08:00"),
            ("2026-11-24T00:00:00+08:00", "2026-11-23T08:00:00+08:00"),
        ] {
            assert_eq!(newest_hour(at(now), Hour::default()), at(due), "{now}");
        }
    }
}
