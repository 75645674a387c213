//! The coordinator's page: what is late and where, how long answers take, why it is refused.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::asked::Asked;
use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::coordination::{self, Coordination, OpenLine};
use crate::base::Result;
use crate::identity::Role;
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const PATH: &str = "/console/coordinator";
/// Applications on a page.
const PAGE: usize = 50;

/// The rows of the table.
pub static PAGES: &[Page] = &[get(PATH, Who::May(&[Action::ApplicationsReadAll]), || web::to(show))];

#[derive(Template)]
#[template(path = "coordinator.html")]
struct Coordinator<'a> {
    frame: &'a Frame,
    places: Places,
    all: Coordination,
    /// The department that was chosen; none means all.
    chosen: Option<String>,
    lines: Vec<OpenLine>,
    total: usize,
    /// Which of them the page has.
    first: usize,
    last: usize,
    overdue: usize,
    next: Option<String>,
    scale: u32,
}

impl Coordinator<'_> {
    fn roles(&self, roles: &[Role]) -> String {
        let names: Vec<String> = roles.iter().map(|role| self.frame.m.of("role", role.as_str())).collect();
        names.join(self.frame.m.t("coordinator.and"))
    }

    /// Days left, in words; what is late has a sign too.
    fn left(&self, left: &i32) -> String {
        match *left {
            ..0 => format!("! {}", self.frame.m.fill("coordinator.overdue_by", left.unsigned_abs())),
            0 => self.frame.m.t("coordinator.today").to_owned(),
            _ => self.frame.m.fill("coordinator.days_left", left),
        }
    }

    fn class(&self, left: &i32) -> &'static str {
        match *left {
            ..0 => "late",
            0..=3 => "soon",
            _ => "",
        }
    }
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let asked = Asked::of(&req);
    let skipped: usize = asked.number("after")?.unwrap_or(0);
    let (held, lang) = (worker.clone(), frame.m.lang());
    let all = to_its_end(async move { coordination::coordination(&held.gateway, &call, lang).await }).await?;
    let chosen = asked.given("department");
    let of = |line: &&OpenLine| chosen.as_ref().is_none_or(|chosen| line.department == *chosen);
    let total = all.open.iter().filter(of).count();
    let lines: Vec<OpenLine> = all.open.iter().filter(of).skip(skipped).take(PAGE).cloned().collect();
    let shown = skipped + lines.len();
    let next = (shown < total).then(|| {
        let department = chosen.as_deref().unwrap_or_default();
        let on = Asked::default().with("department", department).at(PATH);
        format!("{on}{}after={shown}#open", if on.contains('?') { '&' } else { '?' })
    });
    let frame = &*frame;
    frame.page(&Coordinator {
        frame,
        places: Places::of(&worker.gateway, lang),
        scale: all.answers.iter().map(|line| line.ninth.max(line.law)).max().unwrap_or(1).max(1),
        overdue: all.open.iter().filter(|line| line.left < 0).count(),
        all,
        chosen,
        first: skipped + lines.len().min(1),
        last: shown,
        lines,
        total,
        next,
    })
}
