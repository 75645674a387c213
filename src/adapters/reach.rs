//! Can the providers be reached? Asked by an operator, not by a query.
//!
//! Invariant: connections are made by the rules that queries keep (addresses, certificates,
//! time), and no request is sent on them.

use futures_util::future::join_all;

use super::Adapters;

impl Adapters {
    /// Connects to every provider, all at one time; gives each name with why it could not.
    pub async fn reach(&self) -> Vec<(&str, Result<(), String>)> {
        let one = |provider: &'_ super::Provider| {
            let target = provider.target.clone();
            async move { target.reach().await }
        };
        let tried = join_all(self.providers.iter().map(one)).await;
        self.providers.iter().map(|provider| provider.name.as_str()).zip(tried).collect()
    }
}
