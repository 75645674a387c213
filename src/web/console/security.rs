//! The security officer's first page: how it goes, what is unusual, whether the log is whole.
//!
//! Invariant: numbers only; each leads to the events behind it where the reader may read those.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::asked::{self, Asked};
use super::chart::{self, Chart};
use super::ends::of_systems;
use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::person;
use super::places::Places;
use super::stopped;
use super::viewer::Viewer;
use crate::app::call::Known;
use crate::app::overview::{self, Compared, Overview};
use crate::base::{Result, Timestamp};
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// Where it is.
pub const PATH: &str = "/console/security";
/// Where events are looked for.
pub const EVENTS: &str = "/console/security/events";

/// Records that the search index may be behind: it follows twice a second.
const FEW: u64 = 10_000;

/// Who may read events.
pub const READERS: Who = Who::May(&[Action::AuditReadAll, Action::AuditReadOwn]);

/// The rows of the table.
pub static PAGES: &[Page] = &[get(PATH, Who::May(&[Action::OverviewRead]), || web::to(show))];

#[derive(Template)]
#[template(path = "security.html")]
struct Security<'a> {
    frame: &'a Frame,
    places: Places,
    overview: Overview,
    figures: Vec<Figure>,
    chart: Option<Chart>,
    health: Vec<Health>,
    /// Today's events, where the reader may read events; more is put behind it.
    events: Option<Asked>,
    /// What a link is called that leads to where things are stopped.
    stop: Option<&'static str>,
    /// How much waits for the reader's consent.
    waiting: usize,
}

/// A number of today.
struct Figure {
    key: &'static str,
    compared: Compared,
    href: Option<String>,
}

/// Something that has to be well.
struct Health {
    key: &'static str,
    /// `good`, `warn` or `bad`.
    state: &'static str,
    text: String,
}

async fn show(viewer: Viewer, worker: Worker) -> Result<HttpResponse> {
    let waiting = person::waiting(&viewer, &worker).await?;
    let Viewer { call, frame } = viewer;
    let frame = &*frame;
    let policy = &worker.gateway.world().policy;
    let reads = call.caller.may(policy, Action::AuditReadAll);
    let stop = stopped::leads(&call.caller, policy);
    let held = worker.clone();
    let overview = to_its_end(async move { overview::overview(&held.gateway, &call).await }).await?;
    let today = Asked::default().with("kind", "query").with("from", &asked::local(overview.since));
    let events = reads.then_some(today);
    frame.page(&Security {
        frame,
        places: Places::of(&worker.gateway, frame.m.lang()),
        figures: figures(&overview, events.as_ref()),
        chart: chart::draw(&overview.days, &Asked::default().with("kind", "query"), EVENTS, &frame.m),
        health: health(frame, &worker, &overview),
        overview,
        events,
        stop,
        waiting,
    })
}

fn figures(overview: &Overview, events: Option<&Asked>) -> Vec<Figure> {
    // One address says one outcome: only what is one of them leads straight to it.
    let figure = |key, compared, leads: bool| {
        let href = events.filter(|_| leads).map(|events| events.at(EVENTS));
        Figure { key, compared, href }
    };
    vec![
        figure("queries", overview.queries, true),
        figure("refusals", overview.refusals, false),
        figure("sensitive", overview.sensitive, false),
        figure("failures", overview.failures, false),
    ]
}

fn health(frame: &Frame, worker: &Worker, overview: &Overview) -> Vec<Health> {
    let (m, now, ready) = (&frame.m, worker.gateway.now(), &overview.readiness);
    let holds = |holds: bool| if holds { "good" } else { "bad" };
    let line = |key, state, text: String| Health { key, state, text };
    let mut lines = vec![
        line("log", holds(ready.log), m.fill("security.log_records", m.number(ready.log_records))),
        line("copy", holds(ready.log_copied), m.t(word(ready.log_copied)).to_owned()),
        line(
            "index",
            if ready.log_index_lag < FEW { "good" } else { "warn" },
            m.fill("security.behind", m.number(ready.log_index_lag)),
        ),
    ];
    lines.push(match &ready.anchor {
        None => line("anchor", "warn", m.t("security.no_anchor").to_owned()),
        Some(anchor) => {
            let at = now.plus_seconds(-anchor.anchor_age_seconds);
            let text = m.fill("security.anchored", m.moment(&at.to_string()));
            line("anchor", holds(!anchor.anchor_overdue), text)
        }
    });
    let status = worker.tls.status();
    let ends = |at: Timestamp| m.fill("security.ends", m.moment(&at.to_string()));
    let left = |at: Timestamp, days: i64| match at.seconds() - now.seconds() {
        ..=0 => "bad",
        left if left < days * 86_400 => "warn",
        _ => "good",
    };
    let own = status.certificate_ends;
    lines.push(line("certificate", left(own, 30), ends(own)));
    lines.push(line("client_ca", left(status.client_ca_ends, 90), ends(status.client_ca_ends)));
    lines.push(match status.crl_ends {
        Some(at) => line("crl", left(at, 2), ends(at)),
        None => line("crl", "warn", m.t("security.no_crl").to_owned()),
    });
    if let Some((system, at)) = of_systems(worker).into_iter().min_by_key(|(_, at)| *at) {
        let (called, when) = (Places::of(&worker.gateway, m.lang()).system(system.as_str()), ends(at));
        lines.push(line("systems", left(at, 30), m.fill2("security.first_of_systems", called, when)));
    }
    lines
}

fn word(holds: bool) -> &'static str {
    if holds { "security.in_order" } else { "security.not_in_order" }
}
