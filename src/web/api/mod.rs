//! The resources of the interface: one file each, a handler about ten lines.
//!
//! Invariant: a handler extracts, calls the app and renders, nothing more.

pub mod applications;
pub mod audit;
mod command;
pub mod consents;
pub mod datasets;
pub mod delegations;
pub mod emergency;
pub mod explain;
pub mod grants;
pub mod openapi;
pub mod people;
pub mod query;
pub mod session;
pub mod subjects;
pub mod suspensions;

use std::pin::Pin;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Code, Error, Result};

/// An answer in JSON.
fn json(answer: &impl Serialize) -> Result<HttpResponse> {
    let body = serde_json::to_vec(answer).map_err(|e| Error::new(Code::Internal).because(e))?;
    Ok(json_bytes(body))
}

/// An answer that is JSON already.
fn json_bytes(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body)
}

/// The parameters of a request, or the first that has a fault. A name that is none of `known` is the
/// caller's own text: it is not repeated.
pub(super) fn parameters<T: DeserializeOwned>(query: &str, known: &[&'static str]) -> Result<T> {
    let read = web::Query::<T>::from_query;
    read(query).map(web::Query::into_inner).map_err(|_| {
        let faulty = query.split('&').find(|part| read(part).is_err());
        let name = faulty.and_then(|part| part.split('=').next());
        let (pointer, code) = match (name, known.iter().find(|known| Some(**known) == name)) {
            (_, Some(known)) => (format!("/{known}"), Code::NotAllowedValue),
            (Some(_), None) => (String::new(), Code::UnknownMember),
            (None, None) => (String::new(), Code::DuplicateItem),
        };
        Error::at(Code::InvalidRequest, pointer, code)
    })
}

/// Lets a story run to its end even when its client goes away meanwhile: actix drops a handler
/// whose connection closes, and a query dropped half-way would leave no record of what it did.
///
/// A story is some kilobytes long: boxed, it is not moved at each step of a task's life. Its own type is
/// forgotten, since each type of task brings code of its own.
pub(super) fn to_its_end<T: 'static>(
    story: impl Future<Output = Result<T>> + 'static,
) -> impl Future<Output = Result<T>> {
    let story: Pin<Box<dyn Future<Output = Result<T>>>> = Box::pin(story);
    let told = actix_web::rt::spawn(story);
    async { told.await.unwrap_or_else(|e| Err(Error::new(Code::Internal).because(e))) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::pin::pin;

    use futures_util::future::{Either, select};
    use tokio::sync::oneshot;

    use super::*;

    #[actix_web::test]
    async fn a_story_goes_on_when_nobody_waits_for_it_any_more() {
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let (begin, begun) = oneshot::channel();
        let story = to_its_end(async move {
            begin.send(()).unwrap();
            may_go_on.await.unwrap();
            tell.send("ended").unwrap();
            Ok(())
        });
        {
            let waiting = pin!(story);
            let Either::Right(_) = select(waiting, begun).await else { panic!("the story waits") };
        }
        go_on.send(()).unwrap();
        assert_eq!(told.await, Ok("ended"));
    }

    #[actix_web::test]
    async fn a_story_that_panics_is_an_internal_error() {
        let told = to_its_end::<()>(async { panic!("a fault") }).await;
        assert_eq!(told.unwrap_err().code, Code::Internal);
    }
}
