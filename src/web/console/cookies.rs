//! The cookies of the console, beside the session's: language, theme, a note, a cart, a visitor's seed.
//!
//! Invariant: none signs anybody in or tells who somebody is; all are `__Host-` and `SameSite=Strict`,
//! and what comes back in one is looked up among the values there are, never taken as it is.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

/// The language of the pages.
pub const LANG: &str = "__Host-sluice-lang";
/// Light or dark.
pub const THEME: &str = "__Host-sluice-theme";
/// What was done just now: the key of a text.
pub const SAID: &str = "__Host-sluice-said";
/// What the token of a visitor's forms is made from.
pub const SEED: &str = "__Host-sluice-seed";

/// The fields that somebody means to apply for.
pub const CART: &str = "__Host-sluice-cart";

/// The longest value of a cookie that holds a list.
const LONGEST: usize = 3_500;

/// How long a choice is remembered, in days.
const REMEMBERED: i64 = 365;

/// The value of a cookie that holds a list.
pub fn long(req: &HttpRequest, name: &str) -> Option<String> {
    let cookie = req.cookie(name)?;
    (cookie.value().len() <= LONGEST).then(|| cookie.value().to_owned())
}

/// A cookie that goes when the browser is closed.
pub fn passing(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build(name, value).path("/").secure(true).http_only(true).same_site(SameSite::Strict).finish()
}

/// A choice that is remembered.
pub fn lasting(name: &'static str, value: String) -> Cookie<'static> {
    let mut cookie = passing(name, value);
    cookie.set_max_age(Duration::days(REMEMBERED));
    cookie
}

/// Takes a cookie away.
pub fn gone(name: &'static str) -> Cookie<'static> {
    let mut cookie = passing(name, String::new());
    cookie.make_removal();
    cookie
}
