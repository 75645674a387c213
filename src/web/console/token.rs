//! The token that every form sends along: whose page it was on.
//!
//! Invariant: it is an HMAC, under the secret of the session's own cookie, of the account that the page
//! was made for. Who does not hold the cookie cannot make one, and it tells nothing of the cookie. It
//! names its account, so a form that comes after the session has ended says whose it is.

use ring::hmac;

use crate::base::Secret;
use crate::base::ids::{AccountId, hex};
use crate::base::secret::same;

/// What tokens of one cookie are made and known by.
pub struct Tokens(hmac::Key);

impl Tokens {
    /// Those of a cookie's secret.
    pub fn of(secret: &Secret<String>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()))
    }

    /// The token of a page for an account; for a visitor's page, that of no account.
    pub fn token(&self, account: &str) -> String {
        let tag = hmac::sign(&self.0, format!("sluice console form {account}").as_bytes());
        format!("{account}:{}", hex(tag.as_ref()))
    }

    /// The account that a token names, if it is one of this cookie's.
    pub fn account<'a>(&self, sent: &'a str) -> Option<&'a str> {
        let account = named(sent)?;
        same(self.token(account).as_bytes(), sent.as_bytes()).then_some(account)
    }
}

/// The account that a token of whatever cookie names.
pub fn named(sent: &str) -> Option<&str> {
    let (account, _) = sent.rsplit_once(':')?;
    (account.is_empty() || AccountId::parse(account).is_some()).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &str) -> Tokens {
        Tokens::of(&Secret::new(secret.to_owned()))
    }

    #[test]
    fn a_token_is_its_cookies_own_names_its_account_and_does_not_show_the_cookie() {
        let (own, other) = (tokens("0011"), tokens("0012"));
        let token = own.token("civil.head");
        assert_eq!(own.account(&token), Some("civil.head"));
        assert_eq!((other.account(&token), named(&token)), (None, Some("civil.head")));
        assert!(!token.contains("0011"));
        assert_eq!(own.account(&token.replace("head", "lead")), None, "of another account");
        assert_eq!(own.account(&own.token("")), Some(""), "a visitor's");
        for other in ["", "civil.head", "civil.head:", ":", "no account!:00"] {
            assert_eq!(own.account(other), None, "{other}");
        }
    }
}
