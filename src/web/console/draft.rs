//! What was typed into a form that came after its session had ended.
//!
//! The form is not done. The page to sign in on carries it along, sealed for its account; once that
//! account has signed in, it is sent once more to where it was to go, as a draft, and shown there to be
//! looked through. Until then the gateway keeps nothing of it, and the browser nothing but the page.
//!
//! Invariant: nothing that is kept is ever done by itself; only forms that the table of pages says are
//! kept, none of which signs anybody in or names a person; and it opens for nobody but whoever typed it.

use actix_web::{HttpMessage, HttpRequest};

use super::form::{self, Form, KEY, TOKEN};
use super::{pages, token};
use crate::app::console::{self, Draft};
use crate::base::ids::AccountId;
use crate::base::{Code, Error};
use crate::web::cross_site;
use crate::web::server::Worker;

/// The name of the input that says that a form is a draft.
pub const NAME: &str = "draft";
/// The name of the input that carries what was sealed.
pub const KEPT: &str = "kept";

/// What the page to sign in on carries along.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What was typed, sealed.
    pub sealed: String,
    /// By whom.
    pub account: String,
}

/// Keeps what was typed, where a form came too late: for whoever renders the error.
pub async fn keep(req: &HttpRequest, error: Error) -> Error {
    let late = matches!(error.code, Code::SignInRequired | Code::TooManyRefusals);
    if late
        && pages::of(req).is_some_and(|page| page.keeps)
        && let Ok(form) = form::read(req).await
        && let Some(kept) = sealed(req, &form)
    {
        req.extensions_mut().insert(kept);
    }
    error
}

fn sealed(req: &HttpRequest, form: &Form) -> Option<Kept> {
    // The cookie may be gone with its session, and the token cannot be looked at then. It need not be:
    // the form came from a page of this origin, and what is kept opens for the account that it names.
    cross_site::check(req).ok()?;
    let account = AccountId::parse(token::named(form.value(TOKEN))?)?;
    // What belongs to the sending, and not to what was typed, is made anew.
    let typed = form.pairs().filter(|(name, _)| !matches!(*name, TOKEN | KEY | NAME | KEPT));
    let inputs = typed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let draft = Draft { path: req.path().to_owned(), inputs };
    let sealed = console::keep_draft(&Worker::of(req).ok()?.gateway, &account, draft)?;
    Some(Kept { sealed, account: account.to_string() })
}
