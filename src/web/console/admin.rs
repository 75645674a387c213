//! The administrator's first page: departments, systems with their keys, adapters, certificates.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::asked::Asked;
use super::ends::of_systems;
use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::viewer::Viewer;
use crate::app::operations::{self, DepartmentView, Operations, SystemView};
use crate::base::ids::SystemId;
use crate::base::{Result, Timestamp};
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// Who runs the gateway, or looks after those who do.
pub const OPERATORS: Who = Who::May(&[Action::OperationsRead]);

const PATH: &str = "/console/admin";
/// Systems on a page.
const PAGE: usize = 50;

/// The rows of the table.
pub static PAGES: &[Page] = &[get(PATH, OPERATORS, || web::to(show))];

#[derive(Template)]
#[template(path = "admin.html")]
struct Admin<'a> {
    frame: &'a Frame,
    all: Operations,
    certificate_ends: Timestamp,
    crl_ends: Option<Timestamp>,
    /// When the certificates end of the systems that called since the start.
    ends: BTreeMap<SystemId, Timestamp>,
    now: Timestamp,
    departments: usize,
    systems: usize,
    called: usize,
    /// What was looked for among the systems.
    wanted: String,
    /// How many were found, and which of them the page has.
    found: usize,
    first: usize,
    last: usize,
    next: Option<String>,
}

impl Admin<'_> {
    /// Days until then: below zero when it has passed.
    fn days(&self, at: &Timestamp) -> i64 {
        (at.seconds() - self.now.seconds()).div_euclid(86_400)
    }
}

/// Keeps what `wanted` is part of: in the department's name or id, the system's, or a key of it. Of that,
/// `PAGE` systems from the one at `skipped` on; a department without systems stands where all do.
fn narrow(departments: &mut Vec<DepartmentView>, wanted: &str, skipped: usize) -> usize {
    let has = |texts: &[&str]| texts.iter().any(|text| text.to_lowercase().contains(wanted));
    let is_wanted = |system: &SystemView| {
        has(&[&system.system, &system.title]) || system.keys.iter().any(|key| key.starts_with(wanted))
    };
    let mut found = 0;
    for department in departments.iter_mut() {
        if !has(&[&department.department, &department.title]) {
            department.systems.retain(is_wanted);
        }
        let before = found;
        found += department.systems.len();
        let mut at = before..found;
        department.systems.retain(|_| at.next().is_some_and(|at| (skipped..skipped + PAGE).contains(&at)));
    }
    let whole = wanted.is_empty() && found <= PAGE;
    departments.retain(|department| whole || !department.systems.is_empty());
    found
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let asked = Asked::of(&req);
    let (wanted, skipped) = (asked.value("q").to_lowercase(), asked.number("after")?.unwrap_or(0));
    let (held, lang) = (worker.clone(), frame.m.lang());
    let story = async move { operations::operations(&held.gateway, &held.all_adapters, &call, lang).await };
    let mut all = to_its_end(story).await?;
    let (frame, status) = (&*frame, worker.tls.status());
    let departments = all.departments.len();
    let systems = |all: &Operations| all.departments.iter().map(|one| one.systems.len()).sum::<usize>();
    let registered = systems(&all);
    let found = narrow(&mut all.departments, &wanted, skipped);
    let last = skipped + systems(&all);
    // What is not well is seen first.
    all.adapters.sort_by_key(|adapter| adapter.health.called);
    frame.page(&Admin {
        frame,
        departments,
        systems: registered,
        first: skipped + usize::from(found > 0),
        last,
        next: (last < found).then(|| asked.with("after", &last.to_string()).at(PATH) + "#systems"),
        found,
        wanted,
        called: all.adapters.iter().filter(|adapter| adapter.health.called).count(),
        all,
        certificate_ends: status.certificate_ends,
        crl_ends: status.crl_ends,
        ends: of_systems(&worker),
        now: worker.gateway.now(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departments(sizes: &[usize]) -> Vec<DepartmentView> {
        let system = |department: usize, number: usize| SystemView {
            system: format!("d{department}.s{number:03}"),
            title: format!("System {number}"),
            roles: Vec::new(),
            keys: vec![format!("{department}{number:03}abc")],
            first_call: None,
            week: 0,
        };
        let view = |(at, size): (usize, &usize)| DepartmentView {
            department: format!("d{at}"),
            title: format!("Department {at}"),
            datasets: Vec::new(),
            systems: (0..*size).map(|number| system(at, number)).collect(),
        };
        sizes.iter().enumerate().map(view).collect()
    }

    fn shown(sizes: &[usize], wanted: &str, skipped: usize) -> (usize, Vec<(String, usize)>) {
        let mut all = departments(sizes);
        let found = narrow(&mut all, wanted, skipped);
        (found, all.into_iter().map(|one| (one.department, one.systems.len())).collect())
    }

    #[test]
    fn five_hundred_systems_are_ten_pages_and_every_one_can_be_found() {
        let sizes = [200, 0, 300];
        assert_eq!(shown(&sizes, "", 0), (500, vec![("d0".to_owned(), 50)]));
        assert_eq!(shown(&sizes, "", 190), (500, vec![("d0".to_owned(), 10), ("d2".to_owned(), 40)]));
        assert_eq!(shown(&sizes, "", 500), (500, Vec::new()));
        assert_eq!(shown(&sizes, "d2.s299", 0), (1, vec![("d2".to_owned(), 1)]));
        assert_eq!(shown(&sizes, "2299abc", 0), (1, vec![("d2".to_owned(), 1)]), "by the beginning of a key");
        assert_eq!(shown(&sizes, "department 2", 0), (300, vec![("d2".to_owned(), 50)]));
        assert_eq!(shown(&sizes, "nothing", 0), (0, Vec::new()));
        assert_eq!(shown(&[2, 0], "", 0), (2, vec![("d0".to_owned(), 2), ("d1".to_owned(), 0)]));
    }
}
