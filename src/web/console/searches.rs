//! Searches that an officer keeps, beside the search itself.
//!
//! Invariant: what is kept is what the page understood of a search, written anew, and never an address
//! that was sent; what a search is called is shown with whatever cannot be seen in it made visible.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::asked::{self, Asked};
use super::events;
use super::form::{Form, Posted};
use super::frame::go_on;
use super::pages::{Page, post};
use super::security::{EVENTS, READERS};
use super::viewer::Viewer;
use super::visible::visible;
use crate::app::searches::{self, Kept, NAMES};
use crate::base::{Code, Error, Result};
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// The rows of the table, beside that of [`save`].
pub static PAGES: &[Page] = &[post("/console/security/searches/forget", READERS, || web::to(forget))];

/// A search that is kept, as a link.
pub struct Keepsake {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// Where it is opened.
    pub href: String,
    /// Is it the one that is shown?
    pub here: bool,
}

/// What the viewer keeps; `sent` is what is looked for now.
///
/// # Errors
/// `not-ready`, `audit-unavailable`.
pub async fn saved(viewer: &Viewer, worker: &Worker, sent: &Asked) -> Result<Vec<Keepsake>> {
    let (held, call) = (worker.clone(), viewer.call.clone());
    let saved = to_its_end(async move { searches::list(&held.gateway, &call).await }).await?;
    let sent = sent.with("before", "");
    let keepsake = |one: searches::Saved| {
        let asked = address(&one.kept);
        Keepsake { id: one.id, name: visible(&one.name), href: asked.at(EVENTS), here: asked == sent }
    };
    Ok(saved.into_iter().map(keepsake).collect())
}

/// Keeps a search.
pub async fn save(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let mut form = posted.read(&viewer.frame).await?;
    let sent = sent(&form);
    let kept = kept(&sent, form.value("time"));
    let (held, call, name) = (worker.clone(), viewer.call.clone(), form.value("/name").to_owned());
    let done = to_its_end(async move { searches::save(&held.gateway, &call, &name, kept).await }).await;
    match done {
        Ok(()) => go_on(&events::without_numbers(&sent, &worker).at(EVENTS), Some("search-saved")),
        Err(error) if error.code == Code::InvalidRequest => {
            let body = form.body(|_, _| None);
            form = form.with(&error, &body);
            events::page(viewer, &worker, sent, StatusCode::UNPROCESSABLE_ENTITY, form).await
        }
        Err(other) => Err(other),
    }
}

async fn forget(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&viewer.frame).await?;
    let (call, id) = (viewer.call, form.value("id").to_owned());
    let held = worker.clone();
    to_its_end(async move { searches::forget(&held.gateway, &call, &id).await }).await?;
    go_on(&events::without_numbers(&sent(&form), &worker).at(EVENTS), Some("search-forgotten"))
}

/// The parameters of a search among the inputs of a form.
pub fn sent(form: &Form) -> Asked {
    let names = NAMES.iter().chain(&["from", "until", "last"]);
    names.map(|name| (*name, form.value(name))).collect()
}

/// What is to be kept of a search. `time` is `stays`, or how many days it looks back from when it is
/// opened.
fn kept(sent: &Asked, time: &str) -> Result<Kept> {
    let (last, from, until) = match time {
        "stays" => (None, sent.moment("from")?, sent.moment("until")?),
        days => {
            let none = |_| Error::at(Code::InvalidRequest, "/last", Code::NotAllowedValue);
            (Some(days.parse().map_err(none)?), None, None)
        }
    };
    let narrowed = NAMES.iter().filter_map(|name| Some(((*name).to_owned(), sent.given(name)?)));
    Ok(Kept { last, from, until, narrowed: narrowed.collect() })
}

/// The parameters that a search which is kept is opened by.
fn address(kept: &Kept) -> Asked {
    let time = [
        ("last", kept.last.map(|days| days.to_string())),
        ("from", kept.from.map(asked::local)),
        ("until", kept.until.map(asked::local)),
    ];
    let time = time.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    time.chain(kept.narrowed.iter().cloned()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn search(pairs: &[(&str, &str)]) -> Asked {
        pairs.iter().copied().collect()
    }

    #[test]
    fn what_is_kept_opens_the_search_that_it_was_made_of() {
        let stays = search(&[
            ("from", "2026-11-22T08:00"),
            ("until", "2026-11-23T00:00"),
            ("outcome", "no-rule"),
            ("operator", "a/b:c"),
        ]);
        assert_eq!(address(&kept(&stays, "stays").unwrap()), stays);
        let moving = address(&kept(&stays, "7").unwrap());
        assert_eq!(moving, search(&[("last", "7"), ("outcome", "no-rule"), ("operator", "a/b:c")]));
    }

    #[test]
    fn nothing_but_the_parameters_of_a_search_is_kept() {
        let stranger =
            search(&[("kind", "query"), ("token", "secret"), ("redirect", "https://evil.example")]);
        assert_eq!(kept(&stranger, "7").unwrap().narrowed, [("kind".to_owned(), "query".to_owned())]);
        for time in ["", "soon", "-1", "7 OR 1"] {
            assert!(kept(&stranger, time).is_err(), "{time}");
        }
        assert!(kept(&search(&[("from", "soon")]), "stays").is_err());
    }
}
