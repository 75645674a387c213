//! The operations port: `/livez`, `/readyz`, `/metrics`, without TLS, on loopback by default.
//!
//! Invariant: what is told here is numbers, versions and dates; nobody's data, and nothing that
//! helps to get at any.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::server::House;
use crate::app::readiness::Readiness;
use crate::base::{Code, Error, Result, Timestamp};

/// Serves the three paths.
pub fn configure(app: &mut web::ServiceConfig) {
    app.route("/livez", web::get().to(livez))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics))
        .default_service(web::to(|| async {
            HttpResponse::NotFound().body("see /livez, /readyz, /metrics\n")
        }));
}

/// 200 while the process runs, unless something in it is stuck that only a restart ends. Whether it can
/// work is another question.
async fn livez(req: HttpRequest) -> Result<HttpResponse> {
    Ok(match house(&req)?.gateway.stuck() {
        None => HttpResponse::Ok().body("ok\n"),
        Some(what) => HttpResponse::ServiceUnavailable().body(format!("stuck: {what}\n")),
    })
}

/// What `/readyz` answers.
#[derive(Serialize)]
struct Ready {
    /// Of the gateway; its `ready` is of the whole.
    #[serde(flatten)]
    gateway: Readiness,
    certificate_ends: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    crl_issued: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crl_ends: Option<Timestamp>,
}

/// 200 when queries can be answered, 503 otherwise; the body says which part cannot.
async fn readyz(req: HttpRequest) -> Result<HttpResponse> {
    let house = house(&req)?;
    let (mut gateway, tls, now) = (house.gateway.readiness().await, house.tls.status(), house.gateway.now());
    gateway.ready &= !tls.crl_is_stale(now) && now < tls.certificate_ends;
    let status = if gateway.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let told = Ready {
        gateway,
        certificate_ends: tls.certificate_ends,
        crl_issued: tls.crl_issued,
        crl_ends: tls.crl_ends,
    };
    Ok(HttpResponse::build(status).json(told))
}

/// All measurements, in the OpenMetrics text format.
async fn metrics(req: HttpRequest) -> Result<HttpResponse> {
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(HttpResponse::Ok().content_type(FORMAT).body(house(&req)?.metrics.text()))
}

fn house(req: &HttpRequest) -> Result<&House> {
    req.app_data::<House>().ok_or_else(|| Error::new(Code::Internal))
}
