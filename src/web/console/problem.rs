//! An error as a page.
//!
//! Invariant: it says what the code's texts say and the id of the request, nothing else; the same
//! status as in the interface. Who looks at a page without being signed in is sent to sign in, and
//! comes back to it; what such a person had typed goes along.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use url::form_urlencoded;

use super::draft::Kept;
use super::frame::Frame;
use super::{account, sign_in};
use crate::base::{Code, Error};
use crate::web::problem;
use crate::web::server::Worker;

#[derive(Template)]
#[template(path = "problem.html")]
struct Page<'a> {
    frame: &'a Frame,
    code: Code,
}

/// The page that tells an error.
pub fn render(error: &Error, req: &HttpRequest, plain: HttpResponse) -> HttpResponse {
    if *req.method() == Method::GET {
        match error.code {
            Code::SignInRequired => return go_to(&sign_in_at(req)),
            Code::SignInUnfinished => return go_to(account::PATH),
            _ => {}
        }
    }
    let kept = req.extensions().get::<Kept>().cloned();
    if let Some(page) = kept.and_then(|kept| sign_in::again(req, plain.status(), kept).ok()) {
        return page;
    }
    // What the interface would answer, for its status and headers; only the body is another.
    let Some(body) = page(error, req) else { return plain };
    let mut page = HttpResponse::build(plain.status());
    page.insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")));
    if let Some(retry) = plain.headers().get(RETRY_AFTER) {
        page.insert_header((RETRY_AFTER, retry.clone()));
    }
    if problem::body_unread(error.code) {
        page.force_close();
    }
    page.body(body)
}

fn page(error: &Error, req: &HttpRequest) -> Option<String> {
    let kept = req.extensions().get::<std::rc::Rc<Frame>>().cloned();
    match kept {
        Some(frame) => Page { frame: &frame, code: error.code }.render().ok(),
        None => {
            let frame = Frame::of_nobody(req, &Worker::of(req).ok()?);
            Page { frame: &frame, code: error.code }.render().ok()
        }
    }
}

/// The page to sign in on, which leads back to the one that was asked for.
fn sign_in_at(req: &HttpRequest) -> String {
    let asked = req.uri().path_and_query().map_or(super::ROOT, |asked| asked.as_str());
    if asked == super::ROOT {
        return sign_in::PATH.to_owned();
    }
    let back: String = form_urlencoded::byte_serialize(asked.as_bytes()).collect();
    format!("{}?back={back}", sign_in::PATH)
}

fn go_to(place: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::SEE_OTHER).insert_header((LOCATION, place)).finish()
}
