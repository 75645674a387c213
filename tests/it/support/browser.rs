//! A browser, as far as signing in elsewhere needs one: it keeps cookies by site, follows redirects,
//! and does not send a `SameSite=Strict` cookie where the way began at another site, nor a `Lax` one
//! with a form from there.

use url::Url;

use super::TestGateway;
use super::client::{Answer, Client};

/// The gateway, as browsers see it.
pub const GATEWAY: &str = "https://sluice.example";
/// Where the provider sends people back to.
pub const CALLBACK: &str = "https://sluice.example/v1/session/oidc/callback";

/// A browser that knows a gateway and an identity provider.
#[derive(Clone)]
pub struct Browser {
    gateway: Client,
    provider: Client,
    jar: Vec<Cookie>,
}

#[derive(Clone)]
struct Cookie {
    site: String,
    name: String,
    value: String,
    same_site: &'static str,
}

impl Browser {
    pub fn new(gw: &TestGateway, provider: u16) -> Self {
        let address = ([127, 0, 0, 1], provider).into();
        let provider_client = Client::new(address, gw.authority.certificate(), None);
        let host = format!("localhost:{provider}");
        let gateway = gw.nobody().with_header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        Self { gateway, provider: provider_client.with_header("host", &host), jar: Vec::new() }
    }

    /// One request, in a window that shows a page of `from`.
    pub async fn request(&mut self, from: &str, url: &Url, form: Option<&str>) -> Answer {
        let site = url.origin().ascii_serialization();
        let own = from == site;
        let sent = self.jar.iter().filter(|cookie| cookie.site == site).filter(|cookie| {
            own || cookie.same_site == "none" || cookie.same_site == "lax" && form.is_none()
        });
        let cookies: Vec<String> = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        let client = if site == GATEWAY { self.gateway.clone() } else { self.provider.clone() };
        let client = match cookies.is_empty() {
            true => client,
            false => client.with_header("cookie", &cookies.join("; ")),
        };
        let target = format!("{}{}", url.path(), url.query().map(|q| format!("?{q}")).unwrap_or_default());
        let answer = match form {
            Some(form) => {
                let client = client.with_header("content-type", "application/x-www-form-urlencoded");
                client.send("POST", &target, Some(form.as_bytes())).await.unwrap()
            }
            None => client.get(&target).await,
        };
        self.keep(&site, &answer);
        answer
    }

    /// Goes to `url` and on, as long as it is sent on: gives the first page, or the address at which
    /// it would come back to the gateway, without going there.
    pub async fn go(&mut self, from: &str, url: &str, form: Option<&str>) -> (Url, Answer) {
        let (mut from, mut form) = (from.to_owned(), form);
        let mut url = Url::parse(url).unwrap();
        for _ in 0..10 {
            let answer = self.request(&from, &url, form).await;
            let Some(next) = answer.header("location") else { return (url, answer) };
            // What follows was begun by whoever is not of one site with all that came before.
            if url.origin().ascii_serialization() != from {
                from = "elsewhere".into();
            }
            url = url.join(next).unwrap();
            form = None;
            if url.as_str().starts_with(CALLBACK) {
                return (url, answer);
            }
        }
        panic!("it is sent on for ever: {url}");
    }

    /// Asks the gateway to be sent to the provider, and signs in there as `subject`; gives the address
    /// at which it would come back.
    pub async fn sign_in_there(&mut self, subject: &str) -> Url {
        let (mut url, mut page) = self.go(GATEWAY, &format!("{GATEWAY}/v1/session/oidc"), None).await;
        for form in [format!("prompt=login&login={subject}&password=any"), "prompt=consent".to_owned()] {
            if url.as_str().starts_with(CALLBACK) {
                break;
            }
            assert_eq!(page.status, 200, "{}", page.text());
            let there = url.origin().ascii_serialization();
            (url, page) = self.go(&there, url.clone().as_str(), Some(&form)).await;
        }
        assert!(url.as_str().starts_with(CALLBACK), "{url}: {}", page.text());
        url
    }

    /// Comes back to the gateway.
    pub async fn come_back(&mut self, url: &Url) -> Answer {
        self.request("the provider", url, None).await
    }

    /// Opens a path of the gateway from a page of the gateway.
    pub async fn open(&mut self, path: &str) -> Answer {
        self.request(GATEWAY, &Url::parse(&format!("{GATEWAY}{path}")).unwrap(), None).await
    }

    /// The value of a cookie that it keeps.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value.as_str())
    }

    fn keep(&mut self, site: &str, answer: &Answer) {
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let mut parts = line.split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let flags = line.to_ascii_lowercase();
            self.jar.retain(|cookie| cookie.site != site || cookie.name != name);
            if value.is_empty() || flags.contains("max-age=0") {
                continue;
            }
            let kinds = ["strict", "lax", "none"];
            let same_site = kinds.into_iter().find(|kind| flags.contains(&format!("samesite={kind}")));
            self.jar.push(Cookie {
                site: site.into(),
                name: name.into(),
                value: value.into(),
                same_site: same_site.unwrap_or("lax"),
            });
        }
    }
}
