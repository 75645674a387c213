//! Requests that a page of another site makes a browser send.
//!
//! The cookie is `SameSite=Strict`, which is one lock; this is the other, for a browser that does
//! not know that, and for sites beside this one under one domain. A browser says where a request
//! comes from (Fetch Metadata, `Origin`); what says nothing is no browser.
//!
//! Invariant: a request that changes something and is carried by a cookie comes from this very
//! origin, or from no page at all. One that only reads may also come by a link that somebody followed
//! from elsewhere: but no page of another site has anything read, which would stand in the log under
//! the name of whoever looks at that page.

use actix_web::HttpRequest;
use actix_web::http::{Method, header};

use crate::base::Code;

/// Does the request come from here, or does somebody go to the page that it reads?
///
/// # Errors
/// `cross-site`.
pub fn check(req: &HttpRequest) -> Result<(), Code> {
    let text = |name: &str| req.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    let reads = matches!(*req.method(), Method::GET | Method::HEAD);
    // A page that is to be shown whole, in a window of its own; not a picture, a frame or a script.
    let goes_there = text("sec-fetch-mode") == Some("navigate") && text("sec-fetch-dest") == Some("document");
    let own = match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none") || reads && goes_there,
        // A browser that says nothing of where it comes from says no more when it only reads.
        (None, _) if reads => true,
        (None, Some(origin)) => {
            let host =
                text(header::HOST.as_str()).or_else(|| req.uri().authority().map(|host| host.as_str()));
            host.is_some_and(|host| origin.strip_prefix("https://") == Some(host))
        }
        (None, None) => true,
    };
    if own { Ok(()) } else { Err(Code::CrossSite) }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn passes(headers: &[(&str, &str)]) -> bool {
        let request = TestRequest::delete().insert_header(("host", "sluice.gov.cn"));
        let request = headers.iter().fold(request, |r, header| r.insert_header(*header));
        check(&request.to_http_request()).is_ok()
    }

    #[test]
    fn a_request_from_here_or_from_no_page_passes() {
        for headers in [
            &[][..],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none"), ("origin", "null")],
            &[("origin", "https://sluice.gov.cn")],
        ] {
            assert!(passes(headers), "{headers:?}");
        }
    }

    #[test]
    fn another_site_leads_to_a_page_and_reads_none() {
        let reads = |mode: &str, dest: &str| {
            let request = TestRequest::get().insert_header(("sec-fetch-site", "same-site"));
            let request =
                request.insert_header(("sec-fetch-mode", mode)).insert_header(("sec-fetch-dest", dest));
            check(&request.to_http_request()).is_ok()
        };
        assert!(reads("navigate", "document"));
        for (mode, dest) in [("no-cors", "image"), ("navigate", "iframe"), ("cors", "empty"), ("", "")] {
            assert!(!reads(mode, dest), "{mode} {dest}");
        }
        assert_eq!(check(&TestRequest::get().to_http_request()), Ok(()), "from no page");
    }

    #[test]
    fn one_from_another_site_does_not() {
        for headers in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "https://sluice.gov.cn")],
            &[("sec-fetch-site", "")],
            &[("origin", "https://sluice.gov.cn.example")],
            &[("origin", "http://sluice.gov.cn")],
            &[("origin", "null")],
        ] {
            assert!(!passes(headers), "{headers:?}");
        }
        let going = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert!(!passes(&going), "a form of another site");
    }
}
