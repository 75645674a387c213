//! A REST service as a bureau might have had it built ten years ago: for the demo.
//!
//! It knows nothing of Sluice: plain HTTP, everything as text, a code of its own for errors.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::{Value, json};

/// The housing bureau's register, by the number of the owner's identity card.
type Register = HashMap<String, Value>;

#[derive(Deserialize)]
struct Wanted {
    zjhm: String,
}

/// Serves the register in `file` until it is stopped, to callers who show the `X-Api-Key` among
/// `headers`: lines of `Name: value`, as a caller is given them.
///
/// # Errors
/// When the file cannot be read, no key is given, or the address is taken.
pub async fn serve(
    listen: SocketAddr,
    file: &Path,
    headers: &str,
    started: impl FnOnce(ServerHandle),
) -> std::io::Result<()> {
    let register: Register = serde_json::from_slice(&std::fs::read(file)?)?;
    let key = key_in(headers).ok_or_else(|| std::io::Error::other("the headers give no X-Api-Key"))?;
    let state = web::Data::new((register, key));
    let server = HttpServer::new(move || {
        App::new().app_data(state.clone()).route("/fcxx/queryHouse.do", web::get().to(query_house))
    })
    .workers(1)
    .bind(listen)?
    .run();
    started(server.handle());
    server.await
}

fn key_in(headers: &str) -> Option<String> {
    let key = headers.lines().find_map(|line| line.strip_prefix("X-Api-Key:"))?.trim();
    (!key.is_empty()).then(|| key.to_owned())
}

async fn query_house(
    state: web::Data<(Register, String)>,
    wanted: web::Query<Wanted>,
    request: HttpRequest,
) -> HttpResponse {
    let (register, key) = state.get_ref();
    let shown = request.headers().get("X-Api-Key").and_then(|v| v.to_str().ok());
    if shown != Some(key.as_str()) {
        return HttpResponse::Ok().json(json!({ "code": "9001", "msg": "无权限", "data": null }));
    }
    let data: Vec<&Value> = register.get(&wanted.zjhm).into_iter().collect();
    HttpResponse::Ok().json(json!({ "code": "0000", "msg": "查询成功", "data": data }))
}
