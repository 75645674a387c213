//! What every request passes on its way in and out.
//!
//! In: a request id, a place in a trace, a language. Out: problems rendered, security headers, one
//! access line, measurements. Invariant: whatever happens inside, a panic too, the client gets an
//! answer with a request id, and the line holds no path, query or body as the client sent them.

use std::cell::OnceCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;

use super::connections::Line;
use super::console;
use super::problem;
use super::routes::Template;
use super::server::Worker;
use super::trace::Trace;
use crate::base::ids::{AccountId, RequestId};
use crate::base::{Code, Error, Lang};
use crate::identity::System;
use crate::telemetry::{Metrics, traces};

/// A request that came in.
pub struct Arrival {
    /// Its id.
    pub request_id: RequestId,
    /// Its place in a trace.
    pub trace: Trace,
    /// The language its sender reads.
    pub lang: Lang,
    /// The system that sent it, once that is known; for the access line.
    pub system: OnceCell<Arc<System>>,
    /// The account whose person sent it, once that is known; for the access line.
    pub account: OnceCell<AccountId>,
    began: Instant,
    method: &'static str,
}

impl Arrival {
    /// The arrival of `req`.
    ///
    /// # Errors
    /// `internal` when the request did not come through [`pass`].
    pub fn of(req: &HttpRequest) -> Result<Rc<Self>, Error> {
        req.extensions().get::<Rc<Self>>().cloned().ok_or_else(|| Error::new(Code::Internal))
    }

    fn new(req: &ServiceRequest, request_id: RequestId) -> Self {
        let headers = req.headers();
        let parents = headers.get_all("traceparent").map(HeaderValue::as_bytes);
        let language = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self {
            trace: Trace::join(parents, &request_id),
            request_id,
            lang: Lang::negotiate(language),
            system: OnceCell::new(),
            account: OnceCell::new(),
            began: Instant::now(),
            method: method(req.method()),
        }
    }
}

/// The middleware around everything.
///
/// # Errors
/// Only with a complete answer inside.
pub async fn pass(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let worker = Worker::of(req.request())?;
    let arrival = Rc::new(Arrival::new(&req, worker.gateway.new_request_id()?));
    req.extensions_mut().insert(Rc::clone(&arrival));
    let _in_flight = InFlight::new(&worker.metrics);
    let _busy = req.conn_data::<Arc<Line>>().map(Line::busy);

    let served = AssertUnwindSafe(next.call(req)).catch_unwind().await;
    match served {
        Ok(Ok(served)) => {
            let template = Template::of(served.request());
            let page = console::is_for_page(template.path, served.request());
            let (code, mut answered) = tell(served, &arrival, template, page);
            let status = answered.status();
            seal(answered.headers_mut(), &arrival, page);
            if worker.gateway.is_leaving() {
                // Whoever keeps a connection makes the next one, by then to another gateway.
                answered.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            }
            report(&worker.metrics, &arrival, template.path, status, code);
            Ok(answered)
        }
        // The request went down with the fault: without it there is only this way to answer.
        Ok(Err(_)) | Err(_) => {
            let mut answer = problem::render(&Code::Internal.into(), &arrival.request_id, arrival.lang);
            seal(answer.headers_mut(), &arrival, false);
            report(&worker.metrics, &arrival, Template::UNKNOWN.path, answer.status(), Code::Internal);
            Err(InternalError::from_response("fault", answer).into())
        }
    }
}

/// Renders the error that a handler ended in, if it did: to a page of the console as a page.
fn tell<B: MessageBody + 'static>(
    served: ServiceResponse<B>,
    arrival: &Arrival,
    template: Template,
    page: bool,
) -> (Code, ServiceResponse<BoxBody>) {
    let Some(error) = served.response().error() else {
        return (Code::Ok, served.map_into_boxed_body());
    };
    let foreign;
    let error = match error.as_error::<Error>() {
        Some(error) => error,
        None => {
            foreign = Error::new(code_of(served.status()));
            &foreign
        }
    };
    if let Some(cause) = error.cause() {
        let (id, code) = (arrival.request_id, error.code.as_str());
        if error.code.status() >= 500 {
            tracing::warn!(request.id = %id, code, error.cause = %cause, "request failed");
        } else {
            tracing::debug!(request.id = %id, code, error.cause = %cause, "request refused");
        }
    }
    let code = error.code;
    let mut answer: HttpResponse = problem::render(error, &arrival.request_id, arrival.lang);
    if page {
        answer = console::render_problem(error, served.request(), answer);
    }
    // Names of methods: always a valid header value.
    if code == Code::MethodNotAllowed
        && let Ok(allow) = HeaderValue::from_str(&template.allow())
    {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    (code, served.into_response(answer))
}

/// The code for an error of the HTTP library's own making.
fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
        status if status.is_client_error() => Code::MalformedRequest,
        _ => Code::Internal,
    }
}

/// The headers that every answer has. A page may load its own style and script; the files of those say
/// themselves how long they may be kept.
fn seal(headers: &mut HeaderMap, arrival: &Arrival, page: bool) {
    const FIXED: [(HeaderName, &str); 5] = [
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // `no-referrer` would take the origin out of forms, by which they are told from other sites'.
        (header::REFERRER_POLICY, "same-origin"),
        // No page of another site gets it into its process or a window that it holds on to.
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    ];
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = if page { console::POLICY } else { "default-src 'none'; frame-ancestors 'none'" };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if !(page && headers.contains_key(header::CACHE_CONTROL)) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    // Hex digits and dashes: always a valid header value.
    if let Ok(id) = HeaderValue::from_str(&arrival.request_id.to_string()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if let Ok(trace) = HeaderValue::from_str(&arrival.trace.to_string()) {
        headers.insert(HeaderName::from_static("traceparent"), trace);
    }
}

/// One access line, one measurement, one span.
fn report(metrics: &Metrics, arrival: &Arrival, route: &'static str, status: StatusCode, code: Code) {
    let took = arrival.began.elapsed();
    let status = status.as_u16();
    metrics.answered(route, status, code.as_str(), took);
    let system = arrival.system.get().map_or("", |system| system.id.as_str());
    traces::request(
        &arrival.trace,
        arrival.trace.parent(),
        [arrival.method, route, code.as_str(), system],
        status,
        took,
    );
    tracing::info!(
        target: "sluice::access",
        {
            request.id = %arrival.request_id,
            trace.id = %arrival.trace.id(),
            caller.system = arrival.system.get().map(|system| system.id.as_str()),
            caller.account = arrival.account.get().map(AccountId::as_str),
            http.method = arrival.method,
            http.route = route,
            http.status = status,
            code = code.as_str(),
            duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3,
        },
        "request"
    );
}

/// The method, of a bounded set: any token may stand in a request line.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts a request for as long as it is worked on, even when its client goes away.
struct InFlight(Arc<Metrics>);

impl InFlight {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.request_began();
        Self(Arc::clone(metrics))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}
