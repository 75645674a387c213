//! Carries notices out of the house.
//!
//! Invariant: mail and webhooks do not wait for each other, and nothing else waits for either.

use std::sync::Arc;
use std::time::Duration;

use super::{Failing, every};
use crate::app::Gateway;
use crate::app::notices::{Channel, Postman};

/// How often the outbox is looked into.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is measured and tidied.
const TIDY: Duration = Duration::from_secs(10);

/// Addresses and delivers notices. Runs until it is dropped; a letter that is then under way is
/// sent again later.
pub async fn carry_notices(gateway: Arc<Gateway>, postman: Postman) {
    let (gateway, postman) = (&gateway, &postman);
    let deliver = async |channel, what| {
        let mut failing = Failing::new(what);
        every(LOOK, async || {
            let catalogue = Arc::clone(&gateway.world().catalogue);
            note(&mut failing, postman.deliver(channel, &catalogue).await);
        })
        .await;
    };
    let address = async {
        let mut failing = Failing::new("notices could not be addressed; they wait");
        every(LOOK, async || note(&mut failing, postman.address().await)).await;
    };
    let tidy = async {
        let mut failing = Failing::new("the outbox could not be measured or tidied");
        every(TIDY, async || note(&mut failing, postman.look_after().await)).await;
    };
    tokio::join!(
        address,
        tidy,
        deliver(Channel::Mail, "the outbox of mail could not be read or written; letters wait"),
        deliver(Channel::Webhook, "the outbox of webhooks could not be read or written; letters wait"),
    );
}

fn note<E: std::fmt::Display>(failing: &mut Failing, done: Result<(), E>) {
    match done {
        Ok(()) => failing.over(),
        Err(error) => failing.say(&error),
    }
}
