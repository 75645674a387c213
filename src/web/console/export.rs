//! A part of the log to take away: it proves itself.

use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue, REFRESH};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::asked::Asked;
use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::viewer::Viewer;
use crate::app::export::{self, MAX_RECORDS};
use crate::base::{Code, Error, Result};
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const PATH: &str = "/console/security/export";
const WHO: Who = Who::May(&[Action::AuditReadAll]);

/// The rows of the table.
pub static PAGES: &[Page] =
    &[get(PATH, WHO, || web::to(show)), get("/console/security/export/part", WHO, || web::to(part))];

#[derive(Template)]
#[template(path = "export.html")]
struct Export<'a> {
    frame: &'a Frame,
    size: u64,
    step: u64,
    first: u64,
    count: u64,
    taken: Option<Taking>,
    /// What was asked for is not there.
    wrong: bool,
}

/// Where one is who takes one file after the other, without script.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Taking {
    /// Which file it is, from 1 on, and of how many.
    file: u64,
    files: u64,
    /// Its first record and its last.
    from: u64,
    to: u64,
    /// How many records that are with it, and how many they are all.
    records: u64,
    all: u64,
    /// Where it is.
    href: String,
    /// Where to go on, if there is more.
    next: Option<String>,
}

impl Taking {
    /// The file that `part`, from 0 on, stands for among those of `count` records from `first` on, in a
    /// log of `size` records; none when there is nothing to take.
    fn of(first: u64, count: u64, part: u64, size: u64) -> Option<Self> {
        let all = count.min(size.checked_sub(first)?);
        let files = all.div_ceil(MAX_RECORDS);
        if part >= files {
            return None;
        }
        let before = part * MAX_RECORDS;
        let records = MAX_RECORDS.min(all - before);
        let from = first + before;
        let next = part + 1;
        Some(Self {
            file: next,
            files,
            from,
            to: from + records - 1,
            records: before + records,
            all,
            href: format!("{PATH}/part?first={from}&count={records}"),
            next: (next < files).then(|| format!("{PATH}?first={first}&count={all}&part={next}")),
        })
    }
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    let size = worker.gateway.log().stats().size;
    let asked = Asked::of(&req);
    let number = |name| asked.number::<u64>(name);
    let taken = match (number("first"), number("count"), number("part")) {
        (Ok(Some(first)), Ok(Some(count)), Ok(part)) => {
            Taking::of(first, count, part.unwrap_or_default(), size)
        }
        _ => None,
    };
    let wrong = taken.is_none() && asked.has_any(&["first", "count", "part"]);
    let first = number("first").ok().flatten().unwrap_or(size.saturating_sub(MAX_RECORDS));
    let count = number("count").ok().flatten().unwrap_or(MAX_RECORDS);
    let href = taken.as_ref().map(|taken| taken.href.clone());
    let mut page = frame.page(&Export { frame, size, step: MAX_RECORDS, first, count, taken, wrong })?;
    if let Some(href) = href {
        // The browser begins to take the file, and goes on showing the page.
        let refresh = HeaderValue::from_str(&format!("0; url={href}"));
        let refresh = refresh.map_err(|e| Error::new(Code::Internal).because(e))?;
        page.headers_mut().insert(REFRESH, refresh);
    }
    Ok(page)
}

async fn part(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let asked = Asked::of(&req);
    let wanted = |name| -> Result<u64> {
        let missing = || Error::at(Code::InvalidRequest, format!("/{name}"), Code::MissingMember);
        asked.number(name)?.ok_or_else(missing)
    };
    let (first, count) = (wanted("first")?, wanted("count")?);
    let call = viewer.call;
    let text = to_its_end(async move { export::part(&worker.gateway, &call, first, count).await }).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/jsonl")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"log-{first}.jsonl\"")))
        .body(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_each_other_until_all_is_taken_and_none_reaches_beyond_the_log() {
        let taking = |part| Taking::of(500, 2_500, part, 10_000);
        let (one, two, three) = (taking(0).unwrap(), taking(1).unwrap(), taking(2).unwrap());
        assert_eq!((one.from, one.to, one.records, one.files), (500, 1_499, 1_000, 3));
        assert_eq!(one.href, "/console/security/export/part?first=500&count=1000");
        assert_eq!(one.next.as_deref(), Some("/console/security/export?first=500&count=2500&part=1"));
        assert_eq!((two.from, two.records), (1_500, 2_000));
        assert_eq!((three.from, three.to, three.records, three.all), (2_500, 2_999, 2_500, 2_500));
        assert_eq!((three.next.clone(), taking(3)), (None, None));
        let last = Taking::of(9_990, 2_500, 0, 10_000).unwrap();
        assert_eq!((last.to, last.all, last.next), (9_999, 10, None));
        for (first, count, part) in [(10_000, 1, 0), (u64::MAX, 1, 0), (0, 0, 0), (0, u64::MAX, u64::MAX)] {
            assert_eq!(Taking::of(first, count, part, 10_000), None, "{first} {count} {part}");
        }
    }
}
