//! The first page: what waits for whoever signed in, and where to go.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::viewer::Viewer;
use crate::base::Result;

/// The rows of the table.
pub static PAGES: &[Page] = &[get(super::ROOT, Who::Person, || web::to(show))];

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    frame: &'a Frame,
}

async fn show(viewer: Viewer) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    frame.page(&Home { frame })
}
