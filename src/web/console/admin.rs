//! The administrator's first page: departments, systems with their keys, adapters, certificates.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::viewer::Viewer;
use crate::app::operations::{self, Operations};
use crate::base::{Result, Timestamp};
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// Who runs the gateway, or looks after those who do.
pub const OPERATORS: Who = Who::May(&[Action::OperationsRead]);

/// The rows of the table.
pub static PAGES: &[Page] = &[get("/console/admin", OPERATORS, || web::to(show))];

#[derive(Template)]
#[template(path = "admin.html")]
struct Admin<'a> {
    frame: &'a Frame,
    all: Operations,
    certificate_ends: Timestamp,
    crl_ends: Option<Timestamp>,
    now: Timestamp,
    systems: usize,
    called: usize,
}

impl Admin<'_> {
    /// Days until then: below zero when it has passed.
    fn days(&self, at: &Timestamp) -> i64 {
        (at.seconds() - self.now.seconds()).div_euclid(86_400)
    }
}

async fn show(viewer: Viewer, worker: Worker) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let (held, lang) = (worker.clone(), frame.m.lang());
    let story = async move { operations::operations(&held.gateway, &held.all_adapters, &call, lang).await };
    let all = to_its_end(story).await?;
    let (frame, status) = (&*frame, worker.tls.status());
    frame.page(&Admin {
        frame,
        systems: all.departments.iter().map(|department| department.systems.len()).sum(),
        called: all.adapters.iter().filter(|adapter| adapter.health.called).count(),
        all,
        certificate_ends: status.certificate_ends,
        crl_ends: status.crl_ends,
        now: worker.gateway.now(),
    })
}
