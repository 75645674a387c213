//! Who is asking: kinds of callers, to stand in a handler's signature.
//!
//! Invariant: a value of a kind exists only for a caller that was found to be of that kind; all
//! others were answered 401 and recorded before the handler ran. What the caller may do is not
//! decided here.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::entrance::Arrival;
use super::routes::Template;
use super::server::Worker;
use super::tls::peer::Peer;
use crate::app::{Call, PersonCaller, SystemCaller};
use crate::base::{Code, Error, Lang, Result};

/// A department's system, known by the key of its certificate.
pub struct System {
    /// The request and who makes it.
    pub call: Call<SystemCaller>,
    /// The language it reads.
    pub lang: Lang,
}

impl FromRequest for System {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        async move {
            let (arrival, worker) = (Arrival::of(&req)?, Worker::of(&req)?);
            let peer = req.conn_data::<Peer>();
            match known(peer, &worker) {
                Ok(caller) => {
                    // Set once: a request has one caller.
                    arrival.system.get_or_init(|| Arc::clone(&caller.system));
                    let trace = arrival.trace.to_string();
                    Ok(Self {
                        call: Call { request_id: arrival.request_id, trace, caller },
                        lang: arrival.lang,
                    })
                }
                Err(code) => {
                    let (certificate, route) = (peer.map(|p| p.certificate), Template::of(&req).path);
                    Err(worker.gateway.refused_at_door(arrival.request_id, certificate, route, code).await)
                }
            }
        }
        .boxed_local()
    }
}

/// A person, signed in.
pub struct Person {
    /// The request and who makes it.
    pub call: Call<PersonCaller>,
    /// The language it reads.
    pub lang: Lang,
}

impl FromRequest for Person {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(_req: &HttpRequest, _: &mut Payload) -> Self::Future {
        async move { Err(Code::SignInRequired.into()) }.boxed_local()
    }
}

/// The system that the peer's certificate stands for.
fn known(peer: Option<&Peer>, worker: &Worker) -> Result<SystemCaller, Code> {
    let peer = peer.ok_or(Code::CertificateRequired)?;
    if !peer.check(&worker.tls, worker.gateway.now()) {
        return Err(Code::CertificateRevoked);
    }
    let registry = worker.gateway.registry();
    let system = registry.by_key(&peer.key).ok_or(Code::CertificateUnknown)?;
    Ok(SystemCaller { system: Arc::clone(system), certificate: peer.certificate, key: peer.key })
}
