//! Faults of our own: a panic, a client that goes away in the middle.

use actix_web::body::to_bytes;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, HttpResponse, web};

use super::*;
use crate::base::{Code, Error};
use crate::web::entrance;
use crate::web::server::Worker;

#[actix_web::test]
async fn a_panic_answers_500_and_takes_nothing_down() {
    let pki = Pki::new();
    let housing = pki.identity("housing.aid", 2, "2030-01-01T00:00:00Z");
    let house = house(&pki, &housing, &LimitsSection::default());
    let app = App::new()
        .app_data(Worker::new(&house, Duration::from_secs(1)))
        .wrap(from_fn(entrance::pass))
        .route("/panic", web::get().to(|| async { panic!("canary") as HttpResponse }))
        .route(
            "/cause",
            web::get().to(|| async { Err::<HttpResponse, _>(Error::new(Code::Internal).because("canary")) }),
        );
    let app = init_service(app).await;
    for path in ["/panic", "/cause", "/panic"] {
        let answer = match try_call_service(&app, TestRequest::get().uri(path).to_request()).await {
            Ok(answer) => answer.into_parts().1,
            Err(error) => error.error_response(),
        };
        assert_eq!(answer.status(), 500, "{path}");
        assert!(answer.headers().contains_key("x-request-id"));
        let body = to_bytes(answer.into_body()).await.map_err(|_| "body").unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("\"internal\"") && !text.contains("canary"), "{text}");
    }
    assert!(house.metrics.text().contains("sluice_requests_in_flight 0"));
}
