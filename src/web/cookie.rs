//! The cookies: one that signs a person in, one by which a device is known next time, one that is
//! kept on the way to the identity provider and back.
//!
//! Invariant: all are `__Host-` cookies (RFC 6265bis section 4.1.3.2), so no other host can set
//! them and none but this one is sent them; `HttpOnly`, so no script reads them; `SameSite=Strict`,
//! so the pages of other sites do not use them; but the last is `Lax`, since who comes back comes from
//! the provider's site. It signs nobody in.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use crate::app::session::journey;
use crate::base::Secret;

/// The name of the cookie that holds a session's token.
pub const SESSION: &str = "__Host-sluice";
/// The name of the cookie by which a device is known.
pub const DEVICE: &str = "__Host-sluice-device";
/// The name of the cookie that is kept on the way to the identity provider and back.
pub const JOURNEY: &str = "__Host-sluice-journey";
/// How long a device is known, in days.
const KNOWN_DAYS: i64 = 180;
/// The longest value that is looked at.
const LONGEST: usize = 128;

/// The value of a cookie that came with the request.
pub fn value(req: &HttpRequest, name: &str) -> Option<Secret<String>> {
    let cookie = req.cookie(name)?;
    let bounded = !cookie.value().is_empty() && cookie.value().len() <= LONGEST;
    bounded.then(|| Secret::new(cookie.value().to_owned()))
}

/// The cookie that signs in; it goes when the browser is closed, and with the session.
pub fn session(token: &Secret<String>) -> Cookie<'static> {
    cookie(SESSION, token.reveal().clone())
}

/// Takes the session's cookie away.
pub fn no_session() -> Cookie<'static> {
    let mut cookie = cookie(SESSION, String::new());
    cookie.make_removal();
    cookie
}

/// The cookie for the way to the identity provider and back.
pub fn journey(kept: &Secret<String>) -> Cookie<'static> {
    let mut cookie = cookie(JOURNEY, kept.reveal().clone());
    cookie.set_same_site(SameSite::Lax);
    cookie.set_max_age(Duration::seconds(journey::LONGEST));
    cookie
}

/// Takes that cookie away.
pub fn no_journey() -> Cookie<'static> {
    let mut cookie = cookie(JOURNEY, String::new());
    cookie.set_same_site(SameSite::Lax);
    cookie.make_removal();
    cookie
}

/// The cookie by which the device is known.
pub fn device(mark: &Secret<String>) -> Cookie<'static> {
    let mut cookie = cookie(DEVICE, mark.reveal().clone());
    cookie.set_max_age(Duration::days(KNOWN_DAYS));
    cookie
}

fn cookie(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build(name, value).path("/").secure(true).http_only(true).same_site(SameSite::Strict).finish()
}
