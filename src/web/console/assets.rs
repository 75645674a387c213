//! Style and script: our own files, built in, each served under a name that holds its hash.
//!
//! Invariant: a name stands for the same bytes for ever, so a browser may keep them; and a page of one
//! build never gets the style of another.

use std::sync::LazyLock;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use ring::digest::{SHA256, digest};

use super::pages::{Page, Who, get};
use crate::base::ids::hex;
use crate::base::{Code, Result};

/// The rows of the table.
pub static PAGES: &[Page] = &[get(PATH, Who::Visitor, || web::to(serve))];

const PATH: &str = "/console/assets/{name}";
const FOLDER: &str = "/console/assets/";

/// One file as it is served.
struct Asset {
    /// Its name in the sources.
    file: &'static str,
    /// Its hash and its name.
    name: String,
    kind: &'static str,
    text: &'static str,
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The one style sheet.
pub(super) const STYLE: &str = concat!(
    include_str!("assets/style/tokens.css"),
    include_str!("assets/style/base.css"),
    include_str!("assets/style/parts.css"),
    include_str!("assets/style/officers.css"),
    include_str!("assets/style/print.css"),
);

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = [
        ("style.css", CSS, STYLE),
        ("console.js", SCRIPT, include_str!("assets/console.js")),
        ("live.js", SCRIPT, include_str!("assets/live.js")),
        ("proof.js", SCRIPT, include_str!("assets/proof.js")),
        ("export.js", SCRIPT, include_str!("assets/export.js")),
        ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ];
    let asset = |(file, kind, text): (&'static str, &'static str, &'static str)| {
        let hash = hex(digest(&SHA256, text.as_bytes()).as_ref());
        Asset { file, name: format!("{}.{file}", hash.get(..16).unwrap_or_default()), kind, text }
    };
    files.into_iter().map(asset).collect()
});

/// Where a file is served.
pub fn path(file: &str) -> String {
    let found = ASSETS.iter().find(|asset| asset.file == file);
    found.map(|asset| format!("{FOLDER}{}", asset.name)).unwrap_or_default()
}

async fn serve(name: web::Path<String>) -> Result<HttpResponse> {
    let asset = ASSETS.iter().find(|asset| asset.name == *name).ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type(asset.kind)
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(asset.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_name_of_its_own_and_the_first_page_is_small() {
        assert!(ASSETS.iter().all(|asset| path(asset.file).ends_with(asset.file)));
        let whole: usize = ASSETS.iter().map(|asset| asset.text.len()).sum();
        assert!(whole < 80_000, "{whole} bytes before compression");
    }

    #[test]
    fn script_keeps_to_what_trusted_types_allow() {
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT) {
            for sink in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                ".style.",
            ] {
                assert!(!asset.text.contains(sink), "{} has {sink}", asset.file);
            }
        }
    }
}
