//! The stage: a gateway of one's own in a folder of its own, providers that do as they are told,
//! and clients with certificates.
//!
//! Nothing here waits for time to pass: it waits for a line, a port or an answer.

pub mod browser;
pub mod client;
pub mod clock;
pub mod gateway;
#[cfg(feature = "postgres")]
pub mod history;
pub mod idp;
pub mod issuer;
pub mod ledger;
pub mod load;
pub mod mail;
pub mod office;
pub mod outside;
pub mod person;
#[cfg(feature = "postgres")]
#[allow(dead_code, reason = "shared with the tests beside the code")]
pub mod postgres;
mod process;
pub mod provider;
#[cfg(feature = "postgres")]
pub mod proxy;
mod random;
pub mod receiver;
#[cfg(feature = "postgres")]
pub mod replicas;
mod trail;
pub mod vault;

pub use gateway::TestGateway;
pub use random::Random;

use std::time::Duration;

use sluice::base::{Clock, SystemClock, Timestamp};

/// The longest that anything in a test may take before the test has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Someone on the subsistence list, in every test's data.
pub const PERSON: &str = "11010519491231002X";
/// Someone else, with a valid number.
pub const OTHER: &str = "440306199001011236";

/// The present moment.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// Asks until there is an answer; that there is none within [`PATIENCE`] fails the test.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                // Leaves the processor to whoever is waited for.
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, asking).await;
    waited.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A resident ID with a right check digit (GB 11643): region, birth date and sequence number.
pub fn resident_id(seventeen: &str) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let digits = seventeen.bytes().map(|b| u32::from(b - b'0'));
    let sum: u32 = digits.zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    format!("{seventeen}{}", char::from(b"10X98765432"[(sum % 11) as usize]))
}
